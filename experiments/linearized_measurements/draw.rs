//! Samples, damping, loss, rounds, and overlaps by decile.

use super::super::comparison::{DENSE, Outcomes, Pair};
use super::super::tickets::LEVEL;
use super::deciles::GROUPS;
use super::loss::ROWS;
use super::read::{Of, Places, column, excess, mean, normalised, places};
use super::sample_axis::{LABELS, PLANTED, UNDAMPED, halves_of};
use super::subject::{Point, shuffled_name};
use super::{
    CERTIFICATE, DAMPED, DECILES, DENSITY, IMP, LOSS, MAGNITUDE, MAIN, OMP, RANDOM, ROUNDS, SAMPLES, SHUFFLED,
};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Legend, Panel, Series};
use ticketsense::pruning::RecoveredBy;
use ticketsense::statistics::Summary;
use ticketsense::table::Table;

/// What an accuracy can be.
const SHARE: (f64, f64) = (0.0, 1.0);

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let figure = Figure::new()
        .columns(3)
        .panel_size(430.0, 310.0)
        .legend(Legend::Below)
        .panel(found(table)?)
        .panel(by_samples(table)?)
        .panel(halves(table)?)
        .panel(damping(table)?)
        .panel(certified(table)?)
        .panel(loss(table)?)
        .panel(rounds(table)?)
        .panel(differences(table)?)
        .panel(deciles(table)?);
    Ok(figure.caption(
        "64-50-30-10 linearised at its initial weights θ₀ or its trained weights θ_T, masks of density 0.1 at the counts of \
         iterative pruning, each trained from m ⊙ θ₀. Means with 95 % intervals over seeds, for one test set; a place without a \
         point is unattainable. Numbers of samples stand above the bound of rank(A) over the number of weights; overlaps run \
         from 0 at chance to 1 at agreement. (f): networks trained with cross-entropy, α of the best validation accuracy.",
    ))
}

/// The axis of samples with the measurement ratio of each.
fn sample_axis(table: &Table) -> Result<(Vec<f64>, Axis)> {
    let counts = places(table, SAMPLES, "samples")?;
    let mut names = Vec::new();
    for &count in &counts {
        let of = Of::new(SAMPLES, PLANTED).at(Point::Initial.name());
        let ratios = of.values(table, Some(("samples", count)), column("measurement_ratio"))?;
        let ratio = if ratios.is_empty() {
            f64::NAN
        } else {
            Summary::of(&ratios)?.mean
        };
        names.push(format!("{count} ({ratio:.2})"));
    }
    Ok((counts, Axis::categories("samples (rank / weights)", names)))
}

/// Overlap of what pursuit finds with the ticket.
fn found(table: &Table) -> Result<Panel> {
    let (counts, axis) = sample_axis(table)?;
    let mut panel = Panel::new(
        "the ticket found again",
        axis,
        Axis::linear("overlap, chance to agreement"),
    );
    let places = Places::new("samples", &counts).within(-0.2, 1.0);
    let series = [
        (PLANTED, Point::Trained, "planted, θ_T", Colour::GREEN),
        (PLANTED, Point::Initial, "planted, θ₀", Colour::BLUE),
        (LABELS, Point::Trained, "from labels, θ_T", Colour::PURPLE),
        (LABELS, Point::Initial, "from labels, θ₀", Colour::VERMILION),
    ];
    for (number, (arm, point, label, colour)) in series.into_iter().enumerate() {
        let of = Of::new(SAMPLES, arm).at(point.name());
        panel = panel.series(of.curve(table, &places.series(number, series.len()), label, colour, normalised)?);
    }
    Ok(panel.horizontal(0.0, ""))
}

/// Trained accuracy of masks from labels and of their shuffles.
fn by_samples(table: &Table) -> Result<Panel> {
    let (counts, axis) = sample_axis(table)?;
    let accuracy = Axis::linear("test accuracy");
    let mut panel = Panel::new("recovered from labels, trained", axis, accuracy);
    let places = Places::new("samples", &counts).within(0.4, 1.0);
    let shuffled = shuffled_name(LABELS);
    let series = [
        (LABELS, Point::Trained, "from labels, θ_T", Colour::PURPLE),
        (&shuffled, Point::Trained, "mask of θ_T shuffled", Colour::GREY),
        (LABELS, Point::Initial, "from labels, θ₀", Colour::VERMILION),
        (&shuffled, Point::Initial, "mask of θ₀ shuffled", Colour::ORANGE),
        (UNDAMPED, Point::Initial, "the same without damping", Colour::BLACK),
    ];
    for (number, (arm, point, label, colour)) in series.into_iter().enumerate() {
        let of = Of::new(SAMPLES, arm).at(point.name());
        let places = places.series(number, series.len());
        let curve = of.curve(table, &places, label, colour, column("test_accuracy"))?;
        panel = panel.series(if arm == shuffled { curve.dashed() } else { curve });
    }
    Ok(panel)
}

/// Agreement of the masks from two halves of the samples.
fn halves(table: &Table) -> Result<Panel> {
    let (counts, axis) = sample_axis(table)?;
    let mut panel = Panel::new(
        "two halves of the samples at θ₀",
        axis,
        Axis::linear("agreement, chance to full").include(0.0),
    );
    let words = [
        (RecoveredBy::Omp, "pursuit", Colour::VERMILION),
        (RecoveredBy::NormalisedIht, "hard thresholding", Colour::BLUE),
        (RecoveredBy::Lasso, "LASSO", Colour::GREEN),
    ];
    let places = Places::new("samples", &counts);
    for (number, (solver, label, colour)) in words.into_iter().enumerate() {
        let arm = halves_of(solver);
        let of = Of::new(SAMPLES, &arm).at(Point::Initial.name());
        panel = panel.series(of.curve(table, &places.series(number, words.len()), label, colour, normalised)?);
    }
    Ok(panel.horizontal(0.0, ""))
}

fn damping_axis(table: &Table) -> Result<(Vec<f64>, Axis)> {
    let mut dampings = places(table, DAMPED, "damping")?;
    dampings.extend(places(table, CERTIFICATE, "damping")?);
    dampings.sort_by(f64::total_cmp);
    dampings.dedup();
    let names: Vec<String> = dampings
        .iter()
        .map(|d| if *d >= 1e3 { format!("{d:e}") } else { d.to_string() })
        .collect();
    Ok((dampings, Axis::categories("α / mean squared column norm", names)))
}

/// Certificates as shares of the ticket's weights beside the accuracy of the masks.
fn damping(table: &Table) -> Result<Panel> {
    let (dampings, axis) = damping_axis(table)?;
    let places = Places::new("damping", &dampings).within(0.0, 1.0);
    let shuffled = shuffled_name(OMP);
    let share = |name: &'static str| {
        move |r: &ticketsense::table::Record<'_>| {
            let (order, ticket) = (r.optional_real(name)?, r.optional_real("reference")?);
            Ok(order.zip(ticket).map(|(order, ticket)| (order / ticket).min(1.0)))
        }
    };
    let certificate = Of::new(CERTIFICATE, OMP);
    let accuracy = column("test_accuracy");
    Ok(Panel::new(
        "what a certificate costs in α",
        axis,
        Axis::linear("accuracy, or share").range(-0.03, 1.25),
    )
    .series(Of::new(DAMPED, OMP).curve(
        table,
        &places.series(0, 2),
        "pursuit at θ₀",
        Colour::VERMILION,
        &accuracy,
    )?)
    .series(
        Of::new(DAMPED, &shuffled)
            .curve(
                table,
                &places.series(1, 2),
                "mask of θ₀ shuffled",
                Colour::ORANGE,
                &accuracy,
            )?
            .dashed(),
    )
    .series(certificate.curve(
        table,
        &places,
        "share of the ticket certified, Babel",
        Colour::BLUE,
        share("babel_order"),
    )?)
    .series(
        certificate
            .curve(
                table,
                &Places::new("damping", &dampings),
                "share of its data that is wrong",
                Colour::BLACK,
                column("prior_error"),
            )?
            .dotted(),
    ))
}

/// The certificates themselves.
fn certified(table: &Table) -> Result<Panel> {
    let (dampings, axis) = damping_axis(table)?;
    let places = Places::new("damping", &dampings);
    let of = Of::new(CERTIFICATE, OMP);
    let mut panel = Panel::new("certificates", axis, Axis::log("nonzeros, or recovery value"));
    for (name, label, colour) in [
        ("babel_order", "certified by the Babel function", Colour::BLUE),
        ("coherence_order", "certified by coherence", Colour::SKY),
        ("recovery_value", "recovery value of the ticket", Colour::PURPLE),
    ] {
        let positive = move |r: &ticketsense::table::Record<'_>| Ok(r.optional_real(name)?.filter(|v| *v > 0.0));
        panel = panel.series(of.curve(table, &places, label, colour, positive)?);
    }
    let tickets = of.values(table, None, column("reference"))?;
    if !tickets.is_empty() {
        panel = panel.horizontal(Summary::of(&tickets)?.mean, "ticket");
    }
    Ok(panel.horizontal(1.0, ""))
}

/// Rows of the cross-entropy beside centred rows, in networks trained with cross-entropy.
fn loss(table: &Table) -> Result<Panel> {
    let mut names = Vec::new();
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for (point, sign) in [(Point::Initial, "θ₀"), (Point::Trained, "θ_T")] {
        for (arm, _) in ROWS {
            let place = names.len() as f64;
            names.push(format!(
                "{}, {sign}",
                if arm == ROWS[0].0 { "c.-e." } else { "squared" }
            ));
            let shuffled = shuffled_name(arm);
            let Some(chosen) = best_damping(table, arm, point)? else {
                continue;
            };
            for (points, arm, shift) in [(&mut own, arm, -0.1), (&mut other, shuffled.as_str(), 0.1)] {
                let of = Of::new(LOSS, arm).at(point.name());
                let values = of.values(table, Some(("damping", chosen)), column("test_accuracy"))?;
                points.extend(mean(&values, SHARE)?.map(|(m, low, high)| (place + shift, m, low, high)));
            }
        }
    }
    let mut panel = Panel::new(
        "loss of the linear model, hard thresholding",
        Axis::categories("rows of the linear model", names),
        Axis::linear("test accuracy"),
    )
    .series(Series::measured("own mask", own).colour(Colour::VERMILION))
    .series(Series::measured("shuffled within layers", other).colour(Colour::ORANGE));
    for (arm, label) in [(IMP, "IMP"), (RANDOM, "random")] {
        let values = Of::new(LOSS, arm).values(table, None, column("test_accuracy"))?;
        if let Some((m, ..)) = mean(&values, SHARE)? {
            panel = panel.horizontal(m, label);
        }
    }
    Ok(panel)
}

/// The α at which the masks of a linear model reach the highest mean validation accuracy, the smallest of equals.
pub fn best_damping(table: &Table, arm: &str, point: Point) -> Result<Option<f64>> {
    let mut best: Option<(f64, f64)> = None;
    for damping in places(table, LOSS, "damping")? {
        let of = Of::new(LOSS, arm).at(point.name());
        let values = of.values(table, Some(("damping", damping)), column("validation_accuracy"))?;
        if let Some((reached, ..)) = mean(&values, SHARE)?
            && best.is_none_or(|(_, known)| reached > known)
        {
            best = Some((damping, reached));
        }
    }
    Ok(best.map(|(damping, _)| damping))
}

const ARMS: [(&str, &str); 5] = [
    (DENSE, "dense"),
    (IMP, "IMP"),
    (ROUNDS, "in rounds"),
    (SHUFFLED, "shuffled"),
    (RANDOM, "random"),
];

/// Accuracies of the arms that the verdicts compare.
fn rounds(table: &Table) -> Result<Panel> {
    let (mut dots, mut means) = (Vec::new(), Vec::new());
    for (place, (arm, _)) in ARMS.into_iter().enumerate() {
        let values = Of::new(MAIN, arm).values(table, None, column("test_accuracy"))?;
        dots.extend(values.iter().map(|&v| (place as f64 + 0.15, v)));
        means.extend(mean(&values, SHARE)?.map(|(m, low, high)| (place as f64 - 0.1, m, low, high)));
    }
    Ok(Panel::new(
        "four rounds of linearisation",
        Axis::categories("who chose the mask", ARMS.map(|arm| arm.1)),
        Axis::linear("test accuracy"),
    )
    .series(Series::points("", dots).colour(Colour::GREY))
    .series(Series::measured("mean over seeds", means).colour(Colour::BLUE)))
}

/// Paired differences with the margin of the pilots.
fn differences(table: &Table) -> Result<Panel> {
    let outcomes = Outcomes::read(table)?;
    let others = [(SHUFFLED, "its shuffle"), (RANDOM, "random"), (IMP, "IMP")];
    let mut points = Vec::new();
    for (place, (other, _)) in others.into_iter().enumerate() {
        if outcomes.has(ROUNDS, DENSITY) && outcomes.has(other, DENSITY) {
            let difference = outcomes.difference(&Pair::new(ROUNDS, other, DENSITY))?;
            let interval = difference.interval(LEVEL)?;
            points.push((place as f64, difference.mean, interval.lower, interval.upper));
        }
    }
    let mut panel = Panel::new(
        "in rounds minus another arm",
        Axis::categories("the other arm", others.map(|other| other.1)),
        Axis::linear("difference of test accuracy").include(0.0),
    )
    .series(Series::measured("paired difference", points).colour(Colour::BLUE))
    .horizontal(0.0, "");
    if let Some(margin) = outcomes.margin() {
        panel = panel.horizontal(-margin.margin(), "margin");
    }
    Ok(panel)
}

/// Weights shared with the ticket beyond chance within every decile of |θ₀|.
fn deciles(table: &Table) -> Result<Panel> {
    let numbers: Vec<f64> = (1..=GROUPS).map(|decile| decile as f64).collect();
    let places = Places::new("decile", &numbers);
    let names = (1..=GROUPS).map(|decile| decile.to_string());
    let mut panel = Panel::new(
        "overlap with the ticket by size of θ₀",
        Axis::categories("decile of |θ₀| in its layer", names),
        Axis::linear("weights shared beyond chance"),
    );
    for (arm, label, colour) in [
        (MAGNITUDE, "magnitude at θ₀", Colour::GREY),
        (ROUNDS, "in rounds", Colour::BLUE),
        (OMP, "pursuit at θ₀", Colour::VERMILION),
    ] {
        panel = panel.series(Of::new(DECILES, arm).curve(table, &places, label, colour, excess)?);
    }
    Ok(panel.horizontal(0.0, ""))
}
