//! The figure: accuracy, difference from the dense network, early stopping, and the staircase of densities.

use super::super::tickets::LEVEL;
use super::outcomes::{Outcome, Outcomes};
use super::{DENSE, TICKET};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::table::Table;
use ticketsense::theory::imp_density;

/// The branches with their names in the legend and their colours; the later lies above.
const BRANCHES: [(&str, &str, Colour); 8] = [
    ("small-dense", "small dense network", Colour::SKY),
    ("random", "random mask", Colour::GREY),
    ("shuffle", "mask shuffled", Colour::ORANGE),
    ("one-shot", "pruned at once", Colour::PURPLE),
    ("reinit", "fresh weights", Colour::GREEN),
    ("signs", "fresh weights, old signs", Colour::VERMILION),
    ("order", "ticket, data reordered", Colour::BLACK),
    (TICKET, "ticket", Colour::BLUE),
];

/// Smaller densities than this are far off the scale of the second panel.
const CLOSE: f64 = 0.05;

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let outcomes = Outcomes::read(table)?;
    let figure = Figure::new()
        .columns(2)
        .panel_size(520.0, 360.0)
        .panel(accuracy(&outcomes)?)
        .panel(difference(&outcomes)?)
        .panel(early_stop(&outcomes)?)
        .panel(staircase(table)?)
        .caption(format!(
            "Means over {} paired seeds with 95 % Student intervals, conditional on one test set. The grey band is the margin \
             below the dense network: one standard deviation of the test accuracy of {} dense pilots.",
            outcomes.pairs,
            outcomes.pilots.len()
        ));
    Ok(figure)
}

fn density_axis() -> Axis {
    Axis::log("density (fraction of weights kept)").reversed()
}

/// Mean and interval of an outcome of a branch over the rounds.
fn curve(outcomes: &Outcomes, outcome: Outcome, (branch, label, colour): (&str, &str, Colour)) -> Result<Series> {
    let mut points = Vec::new();
    for round in outcomes.rounds() {
        let summary = outcomes.summary(outcome, branch, round)?;
        let interval = summary.interval(LEVEL)?;
        points.push((
            outcomes.density(branch, round)?,
            summary.mean,
            interval.lower,
            interval.upper,
        ));
    }
    Ok(Series::measured(label, points).connected().colour(colour))
}

/// The densities of the dense network and of the smallest ticket: the ends of horizontal bands.
fn ends(outcomes: &Outcomes) -> Result<[f64; 2]> {
    Ok([1.0, outcomes.density(TICKET, outcomes.last_round()?)?])
}

fn accuracy(outcomes: &Outcomes) -> Result<Panel> {
    let dense = outcomes.summary(Outcome::Accuracy, DENSE, 0)?.mean;
    let mut panel = Panel::new("", density_axis(), Axis::linear("test accuracy").range(0.0, 1.02));
    for branch in BRANCHES {
        panel = panel.series(curve(outcomes, Outcome::Accuracy, branch)?);
    }
    let line = ends(outcomes)?.map(|density| (density, dense));
    Ok(panel.series(Series::line("dense network", line).colour(Colour::BLACK).dashed()))
}

fn difference(outcomes: &Outcomes) -> Result<Panel> {
    let mut panel = Panel::new(
        "difference from the dense network",
        Axis::log("density (fraction of weights kept)")
            .reversed()
            .range(CLOSE, 1.0),
        Axis::linear("test accuracy − dense").range(-0.05, 0.01),
    );
    if let Some(margin) = outcomes.margin() {
        let band = [1.0, CLOSE].map(|density| (density, -margin.margin(), 0.0));
        panel = panel.series(Series::band("margin of non-inferiority", band).colour(Colour::GREY));
    }
    for (branch, label, colour) in BRANCHES {
        let mut points = Vec::new();
        for round in outcomes.rounds() {
            let density = outcomes.density(branch, round)?;
            if density >= CLOSE {
                let comparison = outcomes.difference(Outcome::Accuracy, branch, DENSE, round)?;
                let interval = comparison.interval(LEVEL)?;
                points.push((density, comparison.mean, interval.lower, interval.upper));
            }
        }
        panel = panel.series(Series::measured(label, points).connected().colour(colour));
    }
    let line = [1.0, CLOSE].map(|density| (density, 0.0));
    Ok(panel.series(Series::line("dense network", line).colour(Colour::BLACK).dashed()))
}

fn early_stop(outcomes: &Outcomes) -> Result<Panel> {
    let dense = outcomes.summary(Outcome::EarlyStop, DENSE, 0)?.mean;
    let mut panel = Panel::new(
        "",
        density_axis(),
        Axis::linear("early-stop step (smallest validation loss)"),
    );
    for branch in BRANCHES {
        if [TICKET, "signs", "reinit", "one-shot"].contains(&branch.0) {
            panel = panel.series(curve(outcomes, Outcome::EarlyStop, branch)?);
        }
    }
    let line = ends(outcomes)?.map(|density| (density, dense));
    Ok(panel.series(Series::line("dense network", line).colour(Colour::BLACK).dashed()))
}

/// Measured densities of the layers against the unrounded law.
fn staircase(table: &Table) -> Result<Panel> {
    let mut measured: [Vec<(f64, f64)>; 2] = Default::default();
    let mut theory: [Vec<(f64, f64)>; 2] = Default::default();
    let Some(first) = table.iter().next() else {
        return Ok(Panel::new("", Axis::linear("round"), Axis::log("density")));
    };
    let seed = first.integer("seed")?;
    let full = super::claims::layers(first.text("kept_by_layer")?)?;
    for record in table.iter() {
        let is_run = [DENSE, TICKET].contains(&record.text("branch")?);
        if record.integer("seed")? != seed || !is_run {
            continue;
        }
        let round = record.integer("round")?;
        let kept = super::claims::layers(record.text("kept_by_layer")?)?;
        let share = |range: std::ops::Range<usize>| {
            let sum = |counts: &[usize]| counts[range.clone()].iter().sum::<usize>() as f64;
            sum(&kept) / sum(&full)
        };
        let last = kept.len() - 1;
        let fractions = [record.real("prune_fraction")?, record.real("output_prune_fraction")?];
        for (place, range) in [0..last, last..last + 1].into_iter().enumerate() {
            measured[place].push((round as f64, share(range)));
            theory[place].push((round as f64, imp_density::density(fractions[place], round as u64)?));
        }
    }
    let [hidden, output] = measured;
    let [hidden_law, output_law] = theory;
    Ok(Panel::new(
        "",
        Axis::linear("pruning rounds S"),
        Axis::log("density of the layers").range(0.01, 1.1),
    )
    .series(
        Series::line("law (1 − α)^S of the hidden layers", hidden_law)
            .colour_of("hidden layers")
            .dashed(),
    )
    .series(Series::points("hidden layers", hidden))
    .series(
        Series::line("law at half the rate, output layer", output_law)
            .colour_of("output layer")
            .dashed(),
    )
    .series(Series::points("output layer", output)))
}
