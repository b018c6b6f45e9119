//! Accuracy of every arm, recovered masks against their shuffles, the ladder of targets, and accuracy against cost.

use super::DENSITIES;
use super::claims::{LEVEL, SOLVERS, accuracies, against_shuffle, normalised};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Legend, Panel, Series};
use ticketsense::statistics::{Interval, Summary};
use ticketsense::table::Table;

type Arms = &'static [(&'static str, &'static str)];

/// Arms that do not linearise the network, and those that do.
const DIRECT: Arms = &[
    ("imp", "IMP"),
    ("imp-reordered", "IMP′"),
    ("damage@trained", "OBD"),
    ("net-trim@trained", "Net-Trim"),
    ("magnitude@trained", "|θ_T|"),
    ("magnitude@trained:global", "|θ_T| global"),
    ("hard-thresholding", "HT descent"),
    ("snip@initial", "SNIP"),
    ("magnitude@initial", "|θ₀|"),
    ("random", "random"),
];
const LINEAR: Arms = &[
    ("omp@trained", "OMP, θ_T"),
    ("niht@trained", "NIHT, θ_T"),
    ("lasso@trained", "LASSO, θ_T"),
    ("omp@initial", "OMP, θ₀"),
    ("omp@initial:global", "OMP global"),
    ("niht@initial", "NIHT, θ₀"),
    ("lasso@initial", "LASSO, θ₀"),
    ("elimination@initial", "IMP in model"),
    ("relinearised@initial", "in rounds"),
];

/// Groups of arms in the panel of costs.
const GROUPS: [(&str, Colour); 5] = [
    ("iterative pruning", Colour::BLACK),
    ("one-shot at θ_T", Colour::GREEN),
    ("recovered at θ_T", Colour::PURPLE),
    ("recovered at θ₀", Colour::VERMILION),
    ("|θ₀|, SNIP, HT descent, random", Colour::GREY),
];

fn group_of(arm: &str) -> &'static str {
    match arm {
        "imp" | "imp-reordered" => GROUPS[0].0,
        "magnitude@trained" | "magnitude@trained:global" | "damage@trained" | "net-trim@trained" => GROUPS[1].0,
        "magnitude@initial" | "random" | "snip@initial" | "hard-thresholding" => GROUPS[4].0,
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

/// The arms of a list that have rows at a density.
fn present(table: &Table, arms: Arms, density: f64) -> Vec<(&'static str, &'static str)> {
    let has = |arm: &str| accuracies(table, arm, density, "own").is_ok_and(|a| !a.is_empty());
    arms.iter().copied().filter(|(arm, _)| has(arm)).collect()
}

/// Accuracies of some arms at a density: own masks, shuffles, and own masks over fresh values.
fn arms_panel(table: &Table, title: String, arms: &[(&str, &str)], density: f64) -> Result<Panel> {
    let mut panel = Panel::new(
        title,
        Axis::categories("who chose the mask", arms.iter().map(|(_, name)| *name)),
        Axis::linear("test accuracy"),
    );
    for (mask, label, colour, shift) in [
        ("own", "own mask", Colour::BLUE, -0.2),
        ("shuffled", "shuffled within layers", Colour::ORANGE, 0.05),
        ("fresh", "own mask, fresh initial values", Colour::GREEN, 0.25),
    ] {
        let (mut dots, mut means) = (Vec::new(), Vec::new());
        for (place, (arm, _)) in arms.iter().enumerate() {
            let values = accuracies(table, arm, density, mask)?;
            let x = place as f64 + shift;
            dots.extend(values.iter().map(|v| (x + 0.1, v.1)));
            if let Some((m, low, high)) = accuracy(table, arm, density, mask)? {
                means.push((x, m, low, high));
            }
        }
        if !means.is_empty() {
            panel = panel
                .series(Series::points("", dots).colour(Colour::GREY).width(1.0))
                .series(Series::measured(label, means).colour(colour));
        }
    }
    let dense: Vec<f64> = accuracies(table, "dense", 1.0, "own")?
        .into_iter()
        .map(|v| v.1)
        .collect();
    if let Some((dense, ..)) = mean(&dense)? {
        panel = panel.horizontal(dense, "dense");
    }
    Ok(panel)
}

pub fn draw(table: &Table) -> Result<Figure> {
    let mut figure = Figure::new()
        .title("Tickets from the linearised network")
        .columns(2)
        .panel_size(640.0, 330.0)
        .legend(Legend::Below);
    let [first, second] = DENSITIES;
    let direct = present(table, DIRECT, first);
    let linear = present(table, LINEAR, first);
    figure = figure
        .panel(arms_panel(
            table,
            format!("From the network, density {first}"),
            &direct,
            first,
        )?)
        .panel(arms_panel(
            table,
            format!("From its linear model, density {first}"),
            &linear,
            first,
        )?);
    let smaller: Vec<_> = [DIRECT, LINEAR]
        .into_iter()
        .flat_map(|arms| present(table, arms, second))
        .collect();
    figure = figure.panel(arms_panel(table, format!("Both, density {second}"), &smaller, second)?);

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

    let everyone: Vec<_> = direct.iter().chain(&linear).map(|(arm, _)| *arm).collect();
    let cost = "passes over the training set, before the final training";
    let rank = "participation ratio of the kernel at m⊙θ₀";
    figure = figure
        .panel(against(
            table,
            "What a mask costs, density 0.1",
            cost,
            &everyone,
            "gradient_passes",
        )?)
        .panel(against(
            table,
            "What a mask leaves of the tangent kernel",
            rank,
            &everyone,
            "kernel_rank",
        )?);
    Ok(figure.caption(
        "64-50-30-10 on squared loss; every mask is trained from m ⊙ θ₀ and tested once. Dots are seeds, bars 95 % t \
         intervals over seeds for this one test set. Targets: R0 = A θ of the ticket of iterative pruning (IMP), R1 its \
         outputs, R2 the dense network's, R3 the labels; ceiling = IMP with another order of the data (IMP′); for the halves of \
         the samples it is full agreement. HT descent: hard thresholds on the real loss.",
    ))
}

/// Mean accuracy of some arms at the primary density against the mean of another column.
fn against(table: &Table, title: &str, x: &str, arms: &[&str], column: &str) -> Result<Panel> {
    let mut panel = Panel::new(title, Axis::linear(x), Axis::linear("test accuracy"));
    for (group, colour) in GROUPS {
        let mut points = Vec::new();
        for arm in arms.iter().filter(|arm| group_of(arm) == group) {
            let mut values = Vec::new();
            for r in table.iter() {
                let same = r.text("part")? == "main" && r.text("arm")? == *arm && r.text("mask")? == "own";
                if same
                    && r.real("density")? == DENSITIES[0]
                    && let Some(value) = r.optional_real(column)?
                {
                    values.push(value);
                }
            }
            let accuracy = accuracy(table, arm, DENSITIES[0], "own")?;
            if let (Some((x, ..)), Some((m, low, high))) = (mean(&values)?, accuracy) {
                points.push((x, m, low, high));
            }
        }
        panel = panel.series(Series::measured(group, points).colour(colour));
    }
    Ok(panel)
}
