//! The linear model, what is recovered from it, accuracy and stability against the step.

use super::super::comparison::mean_series;
use super::claims::{normalised_overlap, values};
use super::{DENSE, FRACTIONS, RECOVERED, SHUFFLED, TICKET};
use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::harness::figures::{Axis, Colour, Figure, Panel, Series};
use ticketsense::table::{Record, Table};

/// The steps stand at even distances: zero has no logarithm.
fn axis() -> Axis {
    let words = FRACTIONS.map(|fraction| format!("{} %", 100.0 * fraction));
    Axis::categories("step t, as a share of training", words)
}

fn curve(label: &str, colour: Colour, at: impl Fn(f64) -> Result<BTreeMap<i64, f64>>) -> Result<Series> {
    let mut groups = Vec::new();
    for (place, fraction) in FRACTIONS.into_iter().enumerate() {
        groups.push((place as f64, at(fraction)?.into_values().collect()));
    }
    Ok(mean_series(label, &groups)?.colour(colour))
}

/// Draws the figure.
pub fn draw(table: &Table) -> Result<Figure> {
    let column = |arm: &'static str, name: &'static str| {
        move |fraction: f64| values(table, arm, fraction, |r: &Record<'_>| r.optional_real(name))
    };
    let accuracy = |arm: &'static str| column(arm, "test_accuracy");
    let figure = Figure::new()
        .columns(3)
        .panel_size(360.0, 300.0)
        .panel(
            Panel::new(
                "spectrum",
                axis(),
                Axis::linear("participation ratio of the kernel").include(0.0),
            )
            .series(curve("dense network", Colour::BLUE, column(DENSE, "kernel_rank"))?),
        )
        .panel(
            Panel::new("columns", axis(), Axis::linear("cosine").range(0.0, 1.05))
                .series(curve(
                    "root mean square",
                    Colour::SKY,
                    column(DENSE, "root_mean_square_cosine"),
                )?)
                .series(curve(
                    "largest of 300 columns",
                    Colour::VERMILION,
                    column(DENSE, "largest_cosine"),
                )?),
        )
        .panel(
            Panel::new(
                "linearisation",
                axis(),
                Axis::linear("error relative to the change").include(0.0),
            )
            .series(curve(
                "at the ticket m ⊙ θ_t",
                Colour::PURPLE,
                column(TICKET, "linearisation_error"),
            )?)
            .horizontal(1.0, ""),
        )
        .panel(
            Panel::new("what is recovered", axis(), Axis::linear("fraction").range(-0.05, 1.05))
                .series(curve(
                    "planted ticket, found again",
                    Colour::GREEN,
                    column(TICKET, "planted_found"),
                )?)
                .series(curve(
                    "ticket from labels, chance to agreement",
                    Colour::ORANGE,
                    |fraction| values(table, RECOVERED, fraction, normalised_overlap),
                )?)
                .horizontal(0.0, ""),
        )
        .panel(
            Panel::new("trained from m ⊙ θ_t", axis(), Axis::linear("test accuracy"))
                .series(curve("recovered mask, shuffled", Colour::GREY, accuracy(SHUFFLED))?)
                .series(curve("recovered mask", Colour::ORANGE, accuracy(RECOVERED))?)
                .series(curve("ticket", Colour::BLUE, accuracy(TICKET))?),
        )
        .panel(
            Panel::new(
                "stability",
                axis(),
                Axis::linear("instability of two copies").include(0.0),
            )
            .series(curve("dense network", Colour::BLACK, column(DENSE, "dense_barrier"))?)
            .series(curve("ticket", Colour::BLUE, column(TICKET, "ticket_barrier"))?),
        );
    Ok(figure.caption(
        "The network linearised at step t of its dense training, and the ticket whose survivors go back to that step. Means with \
         95 % intervals over seeds, for one test set. Instability: largest test error on the straight path between two copies \
         minus the mean of theirs.",
    ))
}
