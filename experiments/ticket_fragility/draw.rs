//! The figure: accuracy against noise, agreement of signs against density with its nulls, and luck against redundancy.

use super::super::comparison::{DENSE, Outcomes};
use super::super::tickets::LEVEL;
use super::LUCKY;
use super::claims::sizes;
use super::lucky::{CORRELATED, LARGEST, NORMAL, OWN, SHARED, SIGNED};
use super::noise::{REINIT, TICKET, arm};
use super::sign_claim::{Group, NULLS, over_networks};
use super::signs::SELECTIONS;
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::pruning::Control;
use ticketsense::statistics::BinomialCount;
use ticketsense::table::Table;
use ticketsense::theory::lucky_support::{own_pools, shared_pool};
use ticketsense::theory::sign_flip::flip_probability;

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let outcomes = Outcomes::read(table)?;
    let mut figure = Figure::new().columns(2).panel_size(520.0, 350.0);
    let densities = outcomes.densities(TICKET);
    for &density in &densities {
        figure = figure.panel(noise(table, &outcomes, density)?);
    }
    let seeds = outcomes.accuracies(DENSE, 1.0).map_or(0, |values| values.len());
    Ok(figure
        .panel(agreement(table)?)
        .panel(excess(table)?)
        .panel(supports(table)?)
        .panel(redundancy(table)?)
        .caption(format!(
            "Accuracy: means over {seeds} paired seeds with 95 % Student intervals, conditional on one test set; noise of τ \
             standard deviations of a layer's initial weights on those that are trained, in brackets the flipped fraction \
             arctan(τ)/π of Gaussian weights. Signs: weights chosen by the magnitude of the trained dense network at the counts \
             of a ticket, means and 95 % bootstrap intervals over {seeds} networks. Luck: frequencies with exact 95 % intervals, \
             lines are closed forms."
        )))
}

/// A mean with its interval, cut to what an accuracy can be.
fn measured(outcomes: &Outcomes, name: &str, density: f64, x: f64) -> Result<(f64, f64, f64, f64)> {
    let summary = outcomes.summary(name, density)?;
    let (mut lower, mut upper) = (summary.mean, summary.mean);
    if summary.count > 1 {
        let interval = summary.interval(LEVEL)?;
        (lower, upper) = (interval.lower.max(0.0), interval.upper.min(1.0));
    }
    Ok((x, summary.mean, lower, upper))
}

fn noise(table: &Table, outcomes: &Outcomes, density: f64) -> Result<Panel> {
    let sizes = sizes(table)?;
    let mut names = vec!["none".to_string()];
    for &tau in &sizes {
        names.push(format!("{tau} ({:.0} %)", 100.0 * flip_probability(tau)?));
    }
    let mut panel = Panel::new(
        format!("Noise on a ticket of density {density:.3}"),
        Axis::categories("size τ of the noise (signs flipped)", names),
        Axis::linear("test accuracy"),
    );
    type Make = fn(f64) -> Control;
    let arms: [(&str, &str, f64, Make, Colour); 3] = [
        (DENSE, "dense network", 1.0, Control::Noise, Colour::BLACK),
        (TICKET, "ticket", density, Control::Noise, Colour::VERMILION),
        (
            TICKET,
            "ticket, signs kept",
            density,
            Control::NoiseKeepingSigns,
            Colour::BLUE,
        ),
    ];
    for (place, (of, label, at, control, colour)) in arms.into_iter().enumerate() {
        let aside = 0.08 * (place as f64 - 1.0);
        let mut points = vec![measured(outcomes, of, at, aside)?];
        for (along, &tau) in sizes.iter().enumerate() {
            points.push(measured(
                outcomes,
                &arm(of, control(tau)),
                at,
                (along + 1) as f64 + aside,
            )?);
        }
        panel = panel.series(Series::measured(label, points).connected().colour(colour));
    }
    Ok(panel.horizontal(outcomes.summary(REINIT, density)?.mean, "fresh initial values"))
}

fn agreement(table: &Table) -> Result<Panel> {
    let groups = Group::read(table, SELECTIONS[0])?;
    let mut panel = Panel::new(
        "Signs after training that are the initial ones",
        Axis::log("density (fraction of weights kept)").reversed(),
        Axis::linear("fraction").include(0.5),
    )
    .horizontal(0.5, "½");
    for (column, label, colour) in [
        ("agreement_kept", "kept", Colour::VERMILION),
        ("agreement_pruned", "pruned", Colour::GREY),
    ] {
        let mut points = Vec::new();
        for group in &groups {
            let values = group.values(column);
            let (mean, interval) = spread(&values, column)?;
            points.push((group.density, mean, interval.0, interval.1));
        }
        panel = panel.series(Series::measured(label, points).colour(colour));
    }
    for (column, label, colour) in [
        ("null_kept", "kept, Gaussian steps", Colour::VERMILION),
        ("null_pruned", "pruned, Gaussian steps", Colour::GREY),
        ("null_by_input", "kept, steps permuted within inputs", Colour::BLUE),
    ] {
        let mut points = Vec::new();
        for group in &groups {
            points.push((group.density, group.mean(column)?));
        }
        panel = panel.series(Series::line(label, points).colour(colour).dashed());
    }
    Ok(panel)
}

/// A mean and its bootstrap interval; the bare mean of a single network.
fn spread(values: &[f64], name: &str) -> Result<(f64, (f64, f64))> {
    if let [only] = values {
        return Ok((*only, (*only, *only)));
    }
    let (mean, interval) = over_networks(values, LEVEL, name)?;
    Ok((mean, (interval.lower, interval.upper)))
}

fn excess(table: &Table) -> Result<Panel> {
    let groups = Group::read(table, SELECTIONS[0])?;
    let names: Vec<String> = groups.iter().map(|group| format!("{:.3}", group.density)).collect();
    let mut panel = Panel::new(
        "Excess of agreement over a null, kept weights",
        Axis::categories("density (fraction of weights kept)", names),
        Axis::linear("excess (points)").include(0.0),
    )
    .horizontal(0.0, "");
    for (place, (column, label)) in NULLS.iter().enumerate() {
        let mut points = Vec::new();
        for (along, group) in groups.iter().enumerate() {
            let (mean, interval) = spread(&group.excess("agreement_kept", column), column)?;
            let x = along as f64 + 0.2 * (place as f64 - 1.0);
            points.push((x, 100.0 * mean, 100.0 * interval.0, 100.0 * interval.1));
        }
        let colour = [Colour::VERMILION, Colour::ORANGE, Colour::BLUE][place];
        panel = panel.series(Series::measured(format!("over {label}"), points).colour(colour));
    }
    Ok(panel)
}

/// x, frequency, the ends of its exact interval, and the closed form.
type Frequency = (f64, f64, f64, f64, f64);

/// The frequencies of one case.
fn frequencies(table: &Table, x: &str, wanted: &[(&str, &str)]) -> Result<Vec<Frequency>> {
    let mut found = Vec::new();
    for record in table.iter() {
        let is = |(column, word): &(&str, &str)| record.text(column).is_ok_and(|w| w == *word);
        if record.text("part")? != LUCKY || !wanted.iter().all(is) {
            continue;
        }
        let count = BinomialCount::new(record.integer("successes")? as u64, record.integer("trials")? as u64)?;
        let interval = count.interval(LEVEL)?;
        let at = record.integer(x)? as f64;
        found.push((
            at,
            count.proportion(),
            interval.lower,
            interval.upper,
            record.real("expected")?,
        ));
    }
    Ok(found)
}

fn supports(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "The largest of twelve weights are the given k",
        Axis::linear("size of the support k")
            .range(0.5, 6.5)
            .ticks((1..=6).map(f64::from)),
        Axis::log("probability").range(1e-5, 2.0),
    );
    let cases = [
        (LARGEST, NORMAL, "independent", Colour::BLUE, -0.1),
        (LARGEST, CORRELATED, "correlated", Colour::SKY, 0.1),
        (SIGNED, NORMAL, "with given signs, independent", Colour::VERMILION, -0.1),
        (SIGNED, CORRELATED, "with given signs, correlated", Colour::ORANGE, 0.1),
    ];
    for (case, law, label, colour, aside) in cases {
        let of_twelve: Vec<_> = frequencies(table, "nonzeros", &[("case", case), ("law", law)])?
            .into_iter()
            .take(6)
            .collect();
        if law == NORMAL {
            let line = of_twelve.iter().map(|row| (row.0, row.4));
            panel = panel.series(Series::line("", line).colour(colour));
        }
        let points = of_twelve.iter().filter(|row| row.1 > 0.0);
        let points = points.map(|row| (row.0 + aside, row.1, row.2.max(1e-7), row.3));
        panel = panel.series(Series::measured(label, points).colour(colour));
    }
    let mistaken = table.iter().filter(|r| {
        let is = |column: &str, word: &str| r.text(column).is_ok_and(|w| w == word);
        is("case", LARGEST) && is("law", NORMAL) && r.integer("weights").is_ok_and(|n| n == 12)
    });
    let mut line = Vec::new();
    for record in mistaken {
        line.push((record.integer("nonzeros")? as f64, record.real("as_if_independent")?));
    }
    Ok(panel.series(
        Series::line("were supports independent chances", line)
            .colour(Colour::GREY)
            .dashed(),
    ))
}

fn redundancy(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Every unit finds a candidate",
        Axis::linear("candidates n"),
        Axis::linear("probability").range(0.0, 1.05),
    );
    for (case, label, colour) in [
        (OWN, "five units, each with n of its own", Colour::BLUE),
        (SHARED, "four units, one pool of n", Colour::GREEN),
    ] {
        let found = frequencies(table, "candidates", &[("case", case)])?;
        let Some(record) = table.iter().find(|r| r.text("case").is_ok_and(|w| w == case)) else {
            continue;
        };
        let (units, adequate) = (record.integer("units")? as u64, record.real("probability")?);
        let most = found.iter().map(|row| row.0).fold(0.0, f64::max) as u64;
        let mut line = Vec::new();
        for n in 0..=most {
            let value = if case == OWN {
                own_pools(units, n, adequate)?
            } else {
                shared_pool(units, n, adequate)?
            };
            line.push((n as f64, value));
        }
        let points = found.iter().map(|row| (row.0, row.1, row.2, row.3));
        panel = panel
            .series(Series::line("", line).colour(colour))
            .series(Series::measured(format!("{label} (π = {adequate})"), points).colour(colour));
    }
    Ok(panel)
}
