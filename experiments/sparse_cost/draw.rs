//! The figure: operations and bits by density, and narrower networks slot by slot and as a whole.

use super::structured::{BIASES, END, FAMILIES, INTERIOR, NORMALISATION};
use super::{OPERATIONS, STRUCTURED};
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::table::{Record, Table};
use ticketsense::theory::mask_breakeven::{index_list_break_even, memory_bound_speed_up};

/// Networks and masks with their names in the legend.
const CASES: [(&str, &str, &str, Colour); 3] = [
    ("perceptron", "ticket", "perceptron, tickets", Colour::BLUE),
    (
        "convolutional",
        "random",
        "convolutions, equal layer densities",
        Colour::GREEN,
    ),
    (
        "convolutional",
        "magnitude",
        "convolutions, largest values of all layers",
        Colour::VERMILION,
    ),
];

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    Ok(Figure::new()
        .columns(2)
        .panel_size(520.0, 360.0)
        .panel(operations(table)?)
        .panel(bits(table)?)
        .panel(slots(table)?)
        .panel(networks(table)?)
        .caption(
            "(a) Counted multiply-adds of one sample; dotted: those of the training kernels, which go over the survivors alone in \
             layers of few. (b) Stored bits of full rows over those of compressed ones, 32-bit values and indices. \
             (c), (d) Hidden widths keep the fraction r; counts of real networks beside the laws; points on one place \
             are drawn side by side.",
        ))
}

fn of_part<'a>(table: &'a Table, part: &'static str) -> impl Iterator<Item = Record<'a>> {
    table.filter(move |r| r.text("part").is_ok_and(|p| p == part))
}

fn is_case(record: &Record<'_>, network: &str, mask: &str) -> Result<bool> {
    Ok(record.text("network")? == network && record.text("mask")? == mask)
}

/// The ends of the densities, for lines of theory.
fn smallest_density(table: &Table) -> Result<f64> {
    let mut smallest = 1.0_f64;
    for record in of_part(table, OPERATIONS) {
        smallest = smallest.min(record.real("density")?);
    }
    Ok(smallest)
}

fn operations(table: &Table) -> Result<Panel> {
    let smallest = smallest_density(table)?;
    let mut panel = Panel::new(
        "Operations",
        Axis::log("density (fraction of weights kept)").reversed(),
        Axis::log("fraction of the multiply-adds"),
    )
    .series(
        Series::line("operations = density", [(1.0, 1.0), (smallest, smallest)])
            .colour(Colour::BLACK)
            .dashed(),
    );
    for (network, mask, label, colour) in CASES {
        let (mut counted, mut kernels) = (Vec::new(), Vec::new());
        for record in of_part(table, OPERATIONS) {
            if is_case(&record, network, mask)? && record.integer("seed")? == 0 {
                let (density, full) = (record.real("density")?, record.real("full_multiply_adds")?);
                counted.push((density, record.real("products")? / full));
                kernels.push((density, record.real("kernel_multiply_adds")? / full));
            }
        }
        panel = panel
            .series(Series::line("", kernels).colour(colour).dotted())
            .series(Series::points(label, counted).colour(colour));
    }
    Ok(panel)
}

fn bits(table: &Table) -> Result<Panel> {
    let smallest = smallest_density(table)?;
    let mut panel = Panel::new(
        "Bits: the memory-bound model",
        Axis::log("density (fraction of weights kept)").reversed(),
        Axis::log("full bits over compressed bits"),
    )
    .horizontal(1.0, "");
    for (index_bits, label, colour) in [
        (32.0, "model, 32-bit indices", Colour::BLACK),
        (16.0, "model, 16-bit indices", Colour::GREY),
    ] {
        let mut line = Vec::new();
        for i in 0..=60 {
            let density = smallest.powf(f64::from(i) / 60.0);
            line.push((density, memory_bound_speed_up(density, 32.0, index_bits)?));
        }
        let even = index_list_break_even(32.0, index_bits)?.density;
        panel = panel
            .series(Series::line(label, line).colour(colour).dashed())
            .vertical(even, format!("break-even {even:.2}"));
    }
    for (network, mask, label, colour) in CASES {
        let mut points = Vec::new();
        for record in of_part(table, OPERATIONS) {
            if is_case(&record, network, mask)? && record.integer("seed")? == 0 {
                let ratio = record.real("full_bits")? / record.real("compressed_bits")?;
                points.push((record.real("density")?, ratio));
            }
        }
        panel = panel.series(Series::points(label, points).colour(colour));
    }
    Ok(panel)
}

fn laws() -> [Vec<(f64, f64)>; 2] {
    let steps = || (0..=50).map(|i| f64::from(i) / 50.0);
    [steps().map(|r| (r, r)).collect(), steps().map(|r| (r, r * r)).collect()]
}

fn slots(table: &Table) -> Result<Panel> {
    let [linear, square] = laws();
    let mut panel = Panel::new(
        "Parameters of a slot",
        Axis::linear("kept fraction r of hidden widths"),
        Axis::linear("fraction of the slot's parameters"),
    )
    .series(Series::line("r", linear).colour(Colour::GREY).dashed())
    .series(Series::line("r²", square).colour(Colour::BLACK).dashed());
    for (place, label, colour, aside) in [
        (INTERIOR, "weights between hidden widths", Colour::BLUE, 0.0),
        (END, "weights with one hidden side", Colour::ORANGE, -0.018),
        (BIASES, "biases", Colour::GREEN, 0.0),
        (NORMALISATION, "normalisation", Colour::PURPLE, 0.018),
    ] {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for record in of_part(table, STRUCTURED) {
            if record.text("place")? == place {
                let point = (
                    record.real("kept_fraction")? + aside,
                    record.real("parameters")? / record.real("full_parameters")?,
                );
                if !points.contains(&point) {
                    points.push(point);
                }
            }
        }
        panel = panel.series(Series::points(label, points).colour(colour));
    }
    Ok(panel)
}

fn networks(table: &Table) -> Result<Panel> {
    let [linear, square] = laws();
    let mut panel = Panel::new(
        "Multiply-adds of a whole network",
        Axis::linear("kept fraction r of hidden widths"),
        Axis::linear("fraction of the multiply-adds"),
    )
    .series(Series::line("r", linear).colour(Colour::GREY).dashed())
    .series(Series::line("r²", square).colour(Colour::BLACK).dashed());
    for (family, colour) in FAMILIES
        .iter()
        .zip([Colour::BLUE, Colour::GREEN, Colour::VERMILION, Colour::PURPLE])
    {
        let mut sums: Vec<(f64, f64, f64)> = Vec::new();
        for record in of_part(table, STRUCTURED) {
            if record.text("network")? != family.name || record.optional_real("predicted_multiply_adds")?.is_none() {
                continue;
            }
            let (fraction, uses) = (record.real("kept_fraction")?, record.real("uses")?);
            let (left, full) = (
                uses * record.real("parameters")?,
                uses * record.real("full_parameters")?,
            );
            match sums.iter_mut().find(|(r, _, _)| *r == fraction) {
                Some(sum) => (sum.1, sum.2) = (sum.1 + left, sum.2 + full),
                None => sums.push((fraction, left, full)),
            }
        }
        let points = sums
            .into_iter()
            .map(|(r, left, full)| (r, left / full, left / full, left / full));
        let points: Vec<_> = points.collect();
        panel = panel.series(Series::measured(family.name, points).connected().colour(colour));
    }
    Ok(panel)
}
