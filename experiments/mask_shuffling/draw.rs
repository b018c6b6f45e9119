//! The figure: for every source of masks the four treatments at every density, seed by seed; and what each costs.

use super::super::comparison::{DENSE, Outcomes, Pair};
use super::super::tickets::LEVEL;
use super::{SOURCES, TREATMENTS, arm};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Marker, Panel, Series};
use ticketsense::statistics::{Summary, quantile};
use ticketsense::table::Table;

const COLOURS: [Colour; 4] = [Colour::BLUE, Colour::VERMILION, Colour::GREEN, Colour::GREY];
const LABELS: [&str; 4] = [
    "as found",
    "shuffled within layers",
    "shuffled, rows and columns keep their counts",
    "shuffled across layers",
];

fn title(source: &str) -> &'static str {
    match source {
        "imp" => "Masks of iterative pruning",
        "one-shot" => "Masks of pruning at once after training",
        _ => "Masks of SNIP, before training",
    }
}

/// Where the treatment stands within its density.
fn aside(treatment: usize) -> f64 {
    0.8 * ((treatment as f64 + 0.5) / TREATMENTS.len() as f64 - 0.5)
}

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let outcomes = Outcomes::read(table)?;
    let margin = outcomes.margin().map_or(f64::NAN, |margin| margin.margin());
    let mut figure = Figure::new().columns(2).panel_size(520.0, 350.0);
    for source in SOURCES {
        figure = figure.panel(strips(&outcomes, source)?);
    }
    Ok(figure.panel(losses(&outcomes, margin)?).caption(format!(
        "(a) to (c) Boxes from the lower to the upper quartile of {} seeds, lines from the lowest to the highest, diamonds at \
         the means. (d) Accuracy of the mask as found minus that of its shuffle within layers, paired by seed, with 95 % Student \
         intervals conditional on one test set; grey lines at 0 and at the margin, one standard deviation of {} dense pilots \
         ({:.2} points).",
        outcomes.accuracies(DENSE, 1.0).map_or(0, |values| values.len()),
        outcomes.pilots.len(),
        100.0 * margin
    )))
}

fn words(densities: &[f64]) -> Vec<String> {
    densities.iter().map(|density| format!("{density:.3}")).collect()
}

fn strips(outcomes: &Outcomes, source: &str) -> Result<Panel> {
    let densities = outcomes.densities(source);
    let mut panel = Panel::new(
        title(source),
        Axis::categories("density (fraction of weights kept)", words(&densities)),
        Axis::linear("test accuracy"),
    );
    for (place, treatment) in TREATMENTS.iter().enumerate() {
        let colour = COLOURS[place];
        let mut means = Vec::new();
        for (along, &density) in densities.iter().enumerate() {
            let x = along as f64 + aside(place);
            let values = outcomes.accuracies(&arm(source, treatment), density)?;
            let [lowest, lower, upper, highest] = [0.0, 0.25, 0.75, 1.0].map(|q| quantile(&values, q));
            let label = if along == 0 { LABELS[place] } else { "" };
            let whisker = [(x, lowest?), (x, highest?)];
            let body = [(x, lower?), (x, upper?)];
            panel = panel
                .series(Series::line("", whisker).colour(colour).width(1.5))
                .series(Series::line(label, body).colour(colour).width(11.0));
            means.push((x, Summary::of(&values)?.mean));
        }
        panel = panel.series(Series::points("", means).colour(Colour::BLACK).marker(Marker::Diamond));
    }
    Ok(match outcomes.summary(DENSE, 1.0) {
        Ok(dense) => panel.horizontal(dense.mean, "dense"),
        Err(_) => panel,
    })
}

fn losses(outcomes: &Outcomes, margin: f64) -> Result<Panel> {
    let densities = outcomes.densities(SOURCES[0]);
    let mut panel = Panel::new(
        "What a shuffle within layers costs",
        Axis::categories("density (fraction of weights kept)", words(&densities)),
        Axis::linear("accuracy lost (points)"),
    )
    .horizontal(0.0, "");
    if margin.is_finite() {
        panel = panel.horizontal(100.0 * margin, "margin");
    }
    for (place, source) in SOURCES.iter().enumerate() {
        let mut points = Vec::new();
        for (along, &density) in densities.iter().enumerate() {
            let lost = outcomes.difference(&Pair::new(*source, arm(source, "within"), density))?;
            let interval = lost.interval(LEVEL)?;
            let x = along as f64 + 0.25 * (place as f64 - 1.0);
            points.push((x, 100.0 * lost.mean, 100.0 * interval.lower, 100.0 * interval.upper));
        }
        panel = panel
            .series(Series::measured(title(source), points).colour([Colour::BLUE, Colour::SKY, Colour::ORANGE][place]));
    }
    Ok(panel)
}
