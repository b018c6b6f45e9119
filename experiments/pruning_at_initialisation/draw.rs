//! Accuracy against density, the distance to iterative pruning, what places and initial values are worth, and how much of
//! each mask lies on a path.

use super::super::comparison::{MAIN, Outcomes, Pair, accuracy_panel, accuracy_series, density_axis};
use super::super::tickets::LEVEL;
use super::arms::{Method, TREATED, UNTRAINED};
use super::claims::claimed;
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Legend, Panel, Series};
use ticketsense::table::Table;

/// Methods by table name, label and colour; the later lie above.
const METHODS: [(&str, &str, Colour); 8] = [
    ("random-uniform", "random, uniform", Colour::GREY),
    ("random-erk", "random, ERK", Colour::BLACK),
    ("magnitude", "magnitude", Colour::GREEN),
    ("grasp", "GraSP", Colour::PURPLE),
    ("synflow", "SynFlow", Colour::SKY),
    ("snip", "SNIP", Colour::BLUE),
    ("imp-rewound", "IMP, rewound", Colour::ORANGE),
    ("imp", "IMP", Colour::VERMILION),
];

/// The label without what the legend tells.
fn short(method: Method) -> &'static str {
    match method {
        Method::ImpRewound => "rewound",
        Method::RandomUniform => "uniform",
        Method::RandomKernel => "ERK",
        other => label(other),
    }
}

fn label(method: Method) -> &'static str {
    METHODS
        .iter()
        .find(|(name, ..)| *name == method.name())
        .map_or("", |(_, label, _)| label)
}

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let outcomes = Outcomes::read(table)?;
    let axis = Axis::linear("test accuracy");
    let margin = outcomes
        .margin()
        .map_or("unknown".into(), |m| format!("{:.2} points", 100.0 * m.margin()));
    let pairs = outcomes.accuracies(Method::Imp.name(), smallest(&outcomes))?.len();
    Ok(Figure::new()
        .columns(2)
        .panel_size(540.0, 360.0)
        .legend(Legend::Below)
        .panel(accuracy_panel("Test accuracy", &outcomes, &METHODS, axis)?)
        .panel(distances(&outcomes)?)
        .panel(treatments(&outcomes)?)
        .panel(effective(table)?)
        .caption(format!(
            "Means over {pairs} paired seeds with 95 % Student intervals, each for itself, conditional on one test set; every mask \
             keeps as many weights as that of iterative pruning (IMP), and its learning rate was chosen on other seeds. The \
             dashed line in the second panel is the margin, one standard deviation of {} dense pilots: {margin}.",
            outcomes.pilots.len(),
        )))
}

fn smallest(outcomes: &Outcomes) -> f64 {
    outcomes.densities(Method::Imp.name()).last().copied().unwrap_or(1.0)
}

/// Points of difference at places along an axis, those of several densities side by side.
fn differences(outcomes: &Outcomes, pairs: &[Pair], aside: f64) -> Result<Vec<(f64, f64, f64, f64)>> {
    let mut points = Vec::new();
    for (along, pair) in pairs.iter().enumerate() {
        let difference = outcomes.difference(pair)?;
        let interval = difference.interval(LEVEL)?;
        points.push((
            along as f64 + aside,
            100.0 * difference.mean,
            100.0 * interval.lower,
            100.0 * interval.upper,
        ));
    }
    Ok(points)
}

fn distances(outcomes: &Outcomes) -> Result<Panel> {
    let densities = claimed(outcomes);
    let methods: Vec<Method> = [Method::ImpRewound].into_iter().chain(UNTRAINED).collect();
    let mut panel = Panel::new(
        "Distance to iterative pruning",
        Axis::categories("", methods.iter().map(|&method| short(method))),
        Axis::linear("difference to IMP (points)").include(0.0),
    )
    .horizontal(0.0, "");
    if let Some(margin) = outcomes.margin() {
        let ends = [
            (-0.5, -100.0 * margin.margin()),
            (methods.len() as f64 - 0.5, -100.0 * margin.margin()),
        ];
        panel = panel.series(Series::line("margin", ends).colour(Colour::BLACK).dashed());
    }
    for (place, &density) in densities.iter().enumerate() {
        let aside = 0.5 * ((place as f64 + 0.5) / densities.len() as f64 - 0.5);
        let pairs: Vec<Pair> = methods
            .iter()
            .map(|m| Pair::new(m.name(), Method::Imp.name(), density))
            .collect();
        let colour = [Colour::BLACK, Colour::BLUE, Colour::GREEN, Colour::GREY][place % 4];
        let series = Series::measured(format!("density {density:.3}"), differences(outcomes, &pairs, aside)?);
        panel = panel.series(series.colour(colour));
    }
    Ok(panel)
}

fn treatments(outcomes: &Outcomes) -> Result<Panel> {
    let density = claimed(outcomes).first().copied().unwrap_or(1.0);
    let mut panel = Panel::new(
        format!("What places and initial values are worth, density {density:.3}"),
        Axis::categories("", TREATED.map(label)),
        Axis::linear("loss of accuracy (points)").include(0.0),
    )
    .horizontal(0.0, "");
    for (treatment, words, colour, aside) in [
        ("shuffled", "mask shuffled within layers", Colour::BLUE, -0.12),
        ("fresh", "fresh initial values", Colour::ORANGE, 0.12),
    ] {
        let other = |m: Method| Pair::new(m.name(), format!("{}:{treatment}", m.name()), density);
        let points = differences(outcomes, &TREATED.map(other), aside)?;
        panel = panel.series(Series::measured(words, points).colour(colour));
    }
    Ok(panel)
}

/// The share of the kept weights that lies on a path, by method.
fn effective(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Weights that lie on a path",
        density_axis(),
        Axis::linear("fraction of those kept"),
    );
    for (name, text, colour) in METHODS {
        let mut groups: Vec<(f64, Vec<f64>)> = Vec::new();
        for record in table.iter() {
            if record.text("part")? != MAIN || record.text("arm")? != name {
                continue;
            }
            if let Some(effective) = record.optional_real("effective_density")? {
                let density = record.real("density")?;
                match groups.iter_mut().find(|(known, _)| *known == density) {
                    Some((_, values)) => values.push(effective / density),
                    None => groups.push((density, vec![effective / density])),
                }
            }
        }
        panel = panel.series(accuracy_series(text, &groups)?.colour(colour));
    }
    Ok(panel)
}
