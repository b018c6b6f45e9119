//! Accuracy of every arm, recovered masks against their shuffles, the ladder of targets, and accuracy against cost.

use super::DENSITIES;
use super::claims::{LEVEL, SOLVERS, accuracies, against_shuffle, normalised};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Legend, Panel, Series};
use ticketsense::statistics::{Interval, Summary};
use ticketsense::table::Table;

const ARMS: [(&str, &str); 11] = [
    ("imp", "IMP"),
    ("magnitude@trained", "|θ_T|"),
    ("damage@trained", "OBD, θ_T"),
    ("omp@trained", "OMP, θ_T"),
    ("niht@trained", "NIHT, θ_T"),
    ("lasso@trained", "LASSO, θ_T"),
    ("omp@initial", "OMP, θ₀"),
    ("niht@initial", "NIHT, θ₀"),
    ("lasso@initial", "LASSO, θ₀"),
    ("magnitude@initial", "|θ₀|"),
    ("random", "random"),
];

/// Groups of arms in the panel of costs.
const GROUPS: [(&str, Colour); 5] = [
    ("iterative pruning", Colour::BLACK),
    ("one-shot at θ_T", Colour::GREEN),
    ("recovered at θ_T", Colour::PURPLE),
    ("recovered at θ₀", Colour::VERMILION),
    ("magnitude at θ₀, random", Colour::GREY),
];

fn group_of(arm: &str) -> &'static str {
    match arm {
        "imp" => GROUPS[0].0,
        "magnitude@trained" | "damage@trained" => GROUPS[1].0,
        "magnitude@initial" | "random" => GROUPS[4].0,
        _ if arm.ends_with("@trained") => GROUPS[2].0,
        _ => GROUPS[3].0,
    }
}

const RUNGS: [(&str, &str); 6] = [
    ("R0 planted, undamped", "R0, α = 0"),
    ("R0 planted", "R0"),
    ("R1 ticket outputs", "R1"),
    ("R2 dense outputs", "R2"),
    ("R3 labels", "R3"),
    ("split-half", "halves"),
];

/// A mean with its t interval; the bare mean of a single value.
fn mean(values: &[f64]) -> Result<Option<(f64, f64, f64)>> {
    if values.is_empty() {
        return Ok(None);
    }
    let summary = Summary::of(values)?;
    Ok(Some(if summary.count < 2 {
        (summary.mean, summary.mean, summary.mean)
    } else {
        let Interval { lower, upper } = summary.interval(LEVEL)?;
        (summary.mean, lower, upper)
    }))
}

/// Mean test accuracy with its interval, cut to what an accuracy can be.
fn accuracy(table: &Table, arm: &str, density: f64, mask: &str) -> Result<Option<(f64, f64, f64)>> {
    let values: Vec<f64> = accuracies(table, arm, density, mask)?
        .into_iter()
        .map(|v| v.1)
        .collect();
    Ok(mean(&values)?.map(|(m, low, high)| (m, low.max(0.0), high.min(1.0))))
}

pub fn draw(table: &Table) -> Result<Figure> {
    let present: Vec<(&str, &str)> = ARMS
        .into_iter()
        .filter(|(arm, _)| accuracies(table, arm, DENSITIES[0], "own").is_ok_and(|a| !a.is_empty()))
        .collect();
    let mut figure = Figure::new()
        .title("Tickets from the linearised network")
        .columns(2)
        .panel_size(560.0, 330.0)
        .legend(Legend::Below);
    for density in DENSITIES {
        let names = present.iter().map(|(_, name)| *name);
        let mut panel = Panel::new(
            format!("Accuracy at density {density}"),
            Axis::categories("who chose the mask", names),
            Axis::linear("test accuracy"),
        );
        for (mask, colour, shift) in [("own", Colour::BLUE, -0.14), ("shuffled", Colour::ORANGE, 0.14)] {
            let (mut dots, mut means) = (Vec::new(), Vec::new());
            for (place, (arm, _)) in present.iter().enumerate() {
                let values: Vec<f64> = accuracies(table, arm, density, mask)?
                    .into_iter()
                    .map(|v| v.1)
                    .collect();
                let x = place as f64 + shift;
                dots.extend(values.iter().map(|&v| (x + 0.6 * shift, v)));
                if let Some((m, low, high)) = accuracy(table, arm, density, mask)? {
                    means.push((x, m, low, high));
                }
            }
            panel = panel
                .series(Series::points("", dots).colour(Colour::GREY).width(1.0))
                .series(
                    Series::measured(
                        if mask == "own" {
                            "own mask"
                        } else {
                            "shuffled within layers"
                        },
                        means,
                    )
                    .colour(colour),
                );
        }
        let dense: Vec<f64> = accuracies(table, "dense", 1.0, "own")?
            .into_iter()
            .map(|v| v.1)
            .collect();
        if let Some((dense, ..)) = mean(&dense)? {
            panel = panel.horizontal(dense, "dense");
        }
        figure = figure.panel(panel);
    }

    let mut points = Vec::new();
    for (place, solver) in SOLVERS.into_iter().enumerate() {
        if let Some(c) = against_shuffle(table, solver)? {
            let Interval { lower, upper } = c.interval(LEVEL / SOLVERS.len() as f64)?;
            points.push((place as f64, c.mean, lower, upper));
        }
    }
    figure = figure.panel(
        Panel::new(
            "Recovered at θ₀ against its own shuffle, density 0.1",
            Axis::categories("solver", ["OMP", "NIHT", "LASSO"]),
            Axis::linear("difference of test accuracy").include(0.0),
        )
        .series(Series::measured("simultaneous 95 % intervals", points).colour(Colour::VERMILION))
        .horizontal(0.0, ""),
    );

    let (mut dots, mut means) = (Vec::new(), Vec::new());
    for (place, (rung, _)) in RUNGS.into_iter().enumerate() {
        let values = normalised(table, rung)?;
        dots.extend(values.iter().map(|&v| (place as f64 + 0.15, v)));
        if let Some((m, low, high)) = mean(&values)? {
            means.push((place as f64, m, low, high));
        }
    }
    figure = figure.panel(
        Panel::new(
            "Ladder of targets: OMP at θ₀, density 0.1",
            Axis::categories("target", RUNGS.map(|r| r.1)),
            Axis::linear("overlap from chance to ceiling").include(0.0).include(1.0),
        )
        .series(Series::points("", dots).colour(Colour::GREY))
        .series(Series::measured("overlap with the ticket, mean over seeds", means).colour(Colour::GREEN))
        .horizontal(0.0, "chance")
        .horizontal(1.0, "ceiling"),
    );

    let mut cost = Panel::new(
        "What a mask costs, density 0.1",
        Axis::linear("passes over the training set, before the final training"),
        Axis::linear("test accuracy"),
    );
    for (group, colour) in GROUPS {
        let mut points = Vec::new();
        for (arm, _) in present.iter().filter(|(arm, _)| group_of(arm) == group) {
            let mut passes = Vec::new();
            for r in table.iter() {
                let same = r.text("part")? == "main" && r.text("arm")? == *arm && r.text("mask")? == "own";
                if same
                    && r.real("density")? == DENSITIES[0]
                    && let Some(value) = r.optional_real("gradient_passes")?
                {
                    passes.push(value);
                }
            }
            let accuracy = accuracy(table, arm, DENSITIES[0], "own")?;
            if let (Some((x, ..)), Some((m, low, high))) = (mean(&passes)?, accuracy) {
                points.push((x, m, low, high));
            }
        }
        cost = cost.series(Series::measured(group, points).colour(colour));
    }
    figure = figure.panel(cost);
    Ok(figure.caption(
        "64-50-30-10 on squared loss; every mask is trained from m ⊙ θ₀ and tested once. Dots are seeds, bars 95 % t \
         intervals over seeds for this one test set. Targets: R0 = A θ of the ticket of iterative pruning (IMP), R1 its \
         outputs, R2 the dense network's, R3 the labels; ceiling = IMP with another order of the data; for the halves of \
         the samples it is full agreement.",
    ))
}
