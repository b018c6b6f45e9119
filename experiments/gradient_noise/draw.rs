//! The figure: noise scales and rest of linear models, steps and accuracy against batch size, the noise scale on the way and
//! the critical batch, and outcomes over orders of the data.

use super::claims::{Networks, Scale, words};
use super::fits::{self, ArmKey};
use super::{
    CORRELATED, DENSE, DENSITIES, EPOCHS, ISOTROPIC, LARGEST, RANDOM, REST, SMALLEST, TICKET, TRAINED, UPDATES, network,
};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Marker, Panel, Series};
use ticketsense::statistics::Summary;
use ticketsense::table::Table;

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let networks = Networks::read(table)?;
    Ok(Figure::new()
        .columns(2)
        .panel_size(540.0, 330.0)
        .panel(gradients(table, ISOTROPIC)?)
        .panel(gradients(table, CORRELATED)?)
        .panel(rest(table)?)
        .panel(steps(&networks)?)
        .panel(critical(&networks)?)
        .panel(along(table, &networks)?)
        .panel(accuracy(table)?)
        .panel(orders(table)?)
        .caption(
            "(a), (b) Lines: closed form, with the exact best weights; points: drawn gradients with intervals of 95 %; those of which \
             the sample says little are left out. Of 64 coefficients each is 0.9 times the next larger one. (c) Lines: closed form; points: simulated, at half \
             the largest stable step. (d) Points: geometric means over seeds with intervals of 95 %, each at its own learning rate; \
             lines: least · (1 + critical/batch), geometric means of the fits. (e) Critical batches of those fits beside the noise \
             scale, its geometric mean on the way to the target at a batch of 32. (g) Each at the learning rate of (d). (h) One seed: \
             the same first values and masks, 30 orders.",
        ))
}

fn colour(arm: &ArmKey) -> Colour {
    match (arm.1.as_str(), arm.0) {
        (DENSE, _) => Colour::BLACK,
        (TICKET, 2) => Colour::ORANGE,
        (TICKET, _) => Colour::VERMILION,
        (_, 2) => Colour::SKY,
        _ => Colour::BLUE,
    }
}

fn gradients(table: &Table, features: &str) -> Result<Panel> {
    let scales = Scale::read(table)?;
    let title = match features {
        ISOTROPIC => "Independent features",
        _ => "Neighbours correlated by one half",
    };
    let mut panel = Panel::new(
        title,
        Axis::log("density").ticks(DENSITIES),
        Axis::log("noise scale of the gradient, samples").range(8.0, 3000.0),
    );
    for (mask, plain, strong) in [
        (LARGEST, Colour::ORANGE, Colour::VERMILION),
        (RANDOM, Colour::SKY, Colour::BLUE),
    ] {
        for (trained, colour) in TRAINED.into_iter().zip([plain, strong]) {
            let of = || {
                scales
                    .iter()
                    .filter(|s| s.features == features && s.mask == mask && s.trained == trained)
            };
            let kept = if mask == LARGEST { "largest kept" } else { "random kept" };
            let word = if trained == 0.0 { "at zero" } else { "half trained" };
            let mut line: Vec<(f64, f64)> = of().map(|s| (s.density, s.exact)).collect();
            line.sort_by(|a, b| a.0.total_cmp(&b.0));
            let points: Vec<_> = of()
                .filter(|s| s.error < 0.25 * s.measured)
                .map(|s| {
                    (
                        s.density,
                        s.measured,
                        s.measured - 1.96 * s.error,
                        s.measured + 1.96 * s.error,
                    )
                })
                .collect();
            panel = panel
                .series(Series::line(format!("{kept}, {word}"), line).colour(colour))
                .series(Series::measured("", points).colour(colour));
        }
    }
    Ok(panel)
}

fn rest(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Constant steps at rest",
        Axis::log("kept weights of 32").ticks([4.0, 8.0, 16.0, 32.0]),
        Axis::log("mean squared error at rest"),
    );
    for (batch, colour) in [(1, Colour::PURPLE), (4, Colour::GREEN), (16, Colour::GREY)] {
        for mask in [LARGEST, SMALLEST] {
            let (mut line, mut points) = (Vec::new(), Vec::new());
            for record in table.filter(|r| r.text("part").is_ok_and(|p| p == REST)) {
                if record.text("mask")? != mask || record.integer("batch")? != batch || record.real("share")? != 0.5 {
                    continue;
                }
                let kept = record.integer("kept")? as f64;
                let (mean, half) = (record.real("measured")?, 1.96 * record.real("measured_error")?);
                line.push((kept, record.real("rest")?));
                points.push((kept, mean, mean - half, mean + half));
            }
            let label = match mask {
                LARGEST => format!("batch {batch}, largest kept"),
                _ => format!("batch {batch}, smallest kept"),
            };
            let series = Series::line(label, line).colour(colour);
            panel = panel
                .series(if mask == LARGEST { series } else { series.dashed() })
                .series(Series::measured("", points).colour(colour).marker(Marker::Circle));
        }
    }
    Ok(panel)
}

fn steps(networks: &Networks) -> Result<Panel> {
    let mut panel = Panel::new(
        format!("Steps to a validation loss of {}", network::TARGET),
        Axis::log("batch size, samples").ticks([4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]),
        Axis::log("steps"),
    );
    for arm in networks.fits.keys() {
        let word = words(arm, networks.steps.density.get(arm));
        let means = networks.steps.means(arm)?;
        let fits = networks.fits.get(arm);
        let logs = |of: fn(&fits::CriticalBatch) -> f64| -> Vec<f64> {
            fits.into_iter().flat_map(|f| f.values()).map(|f| of(f).ln()).collect()
        };
        let (least, batch) = (logs(|f| f.least_steps), logs(|f| f.batch));
        if let (Some(first), Some(last), false) = (means.first(), means.last(), least.is_empty()) {
            let (least, critical) = (Summary::of(&least)?.mean.exp(), Summary::of(&batch)?.mean.exp());
            let (low, high) = (first.0.ln(), last.0.ln());
            let line = (0..=40).map(|i| {
                let batch = (low + (high - low) * f64::from(i) / 40.0).exp();
                (batch, least * (1.0 + critical / batch))
            });
            panel = panel.series(Series::line(word, line.collect::<Vec<_>>()).colour(colour(arm)));
        }
        panel = panel.series(Series::measured("", means).colour(colour(arm)));
    }
    Ok(panel)
}

/// Mean and interval of positive values, by their logarithms.
fn geometric(x: f64, values: impl Iterator<Item = f64>) -> Result<Option<(f64, f64, f64, f64)>> {
    let logs: Vec<f64> = values.map(f64::ln).collect();
    if logs.len() < 2 {
        return Ok(None);
    }
    let summary = Summary::of(&logs)?;
    let interval = summary.interval(0.05)?;
    Ok(Some((
        x,
        summary.mean.exp(),
        interval.lower.exp(),
        interval.upper.exp(),
    )))
}

fn critical(networks: &Networks) -> Result<Panel> {
    let (mut names, mut by_steps, mut by_noise) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (arm, fits)) in networks.fits.iter().enumerate() {
        names.push(words(arm, networks.steps.density.get(arm)).replace(" at ", " "));
        by_steps.extend(geometric(i as f64 - 0.1, fits.values().map(|f| f.batch))?);
        if let Some(noise) = networks.noise.get(arm) {
            by_noise.extend(geometric(i as f64 + 0.1, noise.values().copied())?);
        }
    }
    Ok(Panel::new(
        "Two critical batches",
        Axis::categories("mask, and density", names),
        Axis::linear("samples").include(0.0),
    )
    .series(Series::measured("critical batch by steps", by_steps).colour(Colour::GREEN))
    .series(Series::measured("noise scale on the way", by_noise).colour(Colour::PURPLE)))
}

fn along(table: &Table, networks: &Networks) -> Result<Panel> {
    let mut panel = Panel::new(
        "Noise scale of networks on the way",
        Axis::linear("share of the steps to the target").ticks([0.0, 0.25, 0.5, 0.75, 1.0]),
        Axis::log("noise scale, samples"),
    );
    for (arm, by_number) in fits::along(table)? {
        let mut places: Vec<f64> = by_number.values().flatten().map(|(progress, _)| *progress).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let mut points = Vec::new();
        for place in places {
            let at = by_number.values().flatten().filter(|(progress, _)| *progress == place);
            points.extend(geometric(place, at.map(|(_, scale)| *scale))?);
        }
        let word = words(&arm, networks.steps.density.get(&arm));
        panel = panel.series(Series::measured(word, points).colour(colour(&arm)).connected());
    }
    Ok(panel)
}

fn accuracy(table: &Table) -> Result<Panel> {
    let mut panel = Panel::new(
        "Test accuracy: equal passes (solid), equal steps (dashed)",
        Axis::log("batch size, samples").ticks([4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]),
        Axis::linear("test accuracy"),
    );
    for setting in [EPOCHS, UPDATES] {
        for (arm, by_batch) in fits::accuracies(table, setting)? {
            let mut points = Vec::new();
            for (batch, accuracies) in &by_batch {
                let values: Vec<f64> = accuracies.values().copied().collect();
                if values.len() > 1 {
                    let summary = Summary::of(&values)?;
                    let interval = summary.interval(0.05)?;
                    points.push((*batch as f64, summary.mean, interval.lower, interval.upper));
                }
            }
            let line: Vec<(f64, f64)> = points.iter().map(|p| (p.0, p.1)).collect();
            let line = Series::line("", line).colour(colour(&arm));
            panel = panel
                .series(if setting == EPOCHS { line } else { line.dashed() })
                .series(Series::measured("", points).colour(colour(&arm)));
        }
    }
    Ok(panel)
}

fn orders(table: &Table) -> Result<Panel> {
    let [_, accuracies] = fits::orders(table)?;
    let (mut names, mut dots, mut means) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (arm, by_number)) in accuracies.iter().enumerate() {
        names.push(arm.1.clone());
        let Some(values) = by_number.values().next() else {
            continue;
        };
        let count = values.len() as f64;
        // Beside one another in the order of their numbers.
        dots.extend(values.iter().enumerate().map(|(k, v)| {
            let aside = 0.5 * ((k as f64 + 0.5) / count - 0.5);
            (i as f64 + aside, *v)
        }));
        if values.len() > 1 {
            let summary = Summary::of(values)?;
            let (mean, deviation) = (summary.mean, summary.standard_deviation);
            means.push((i as f64 + 0.35, mean, mean - deviation, mean + deviation));
        }
    }
    Ok(Panel::new(
        "Orders of the data, one seed",
        Axis::categories("mask", names),
        Axis::linear("test accuracy"),
    )
    .series(Series::points("an order", dots).colour(Colour::GREY))
    .series(Series::measured("mean ± standard deviation", means).colour(Colour::GREEN)))
}
