//! Dampings and learning rates, chosen on pilot seeds that are never used again.

use super::line::Line;
use super::masks::{Arm, Maker};
use super::ticket::Ticket;
use super::{PILOT, RATE, RATES, Sizes, reinitialised, shuffled};
use ticketsense::Result;
use ticketsense::harness::Context;
use ticketsense::table::Row;

/// Validation accuracies of one arm on one pilot seed: damping, rate, own mask, shuffled mask, own mask with fresh values.
type Trial = [f64; 5];

fn pilot(arm: Arm, density: f64, number: usize, context: &Context<'_>, sizes: Sizes) -> Result<Vec<Trial>> {
    let identity = format!(
        "arm={};density={density};seed={number};{}",
        arm.name(),
        sizes.identity()
    );
    let bytes = context.shared("linearized-tickets-pilot", &identity, |_| {
        let ticket = Ticket::new(context, number, sizes)?;
        let mut maker = Maker::new(&ticket);
        let mut bytes = Vec::new();
        for &damping in sizes.dampings_of(arm) {
            context.check()?;
            let mask = maker.make(arm, density, damping, context)?.mask;
            for rate in RATES {
                let (mut own, mut other, mut fresh) = (f64::NAN, f64::NAN, f64::NAN);
                if let Some(mask) = &mask {
                    own = Ticket::validation(&ticket.train(mask, rate)?);
                    if shuffled(arm, density) {
                        other = Ticket::validation(&ticket.train(&ticket.shuffle(mask, arm, density)?, rate)?);
                    }
                    if reinitialised(arm, density) {
                        fresh = Ticket::validation(&ticket.trial.train(mask, &ticket.trial.fresh()?, 0, rate)?);
                    }
                }
                bytes.extend([damping, rate, own, other, fresh].iter().flat_map(|v| v.to_le_bytes()));
            }
        }
        Ok(bytes)
    })?;
    let numbers: Vec<f64> = bytes
        .as_chunks::<8>()
        .0
        .iter()
        .map(|b| f64::from_le_bytes(*b))
        .collect();
    Ok(numbers.as_chunks::<5>().0.to_vec())
}

/// The rows of a pilot cell.
pub fn rows(arm: Arm, density: f64, number: usize, context: &Context<'_>, sizes: Sizes) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for [damping, rate, own, other, fresh] in pilot(arm, density, number, context, sizes)? {
        for (mask, accuracy) in [("own", own), ("shuffled", other), ("fresh", fresh)] {
            if accuracy.is_finite() {
                rows.push(
                    Line::new("pilot", number, &arm.name(), density, mask)
                        .tuned(arm.is_damped().then_some(damping), rate)
                        .validated(accuracy)
                        .row(),
                );
            }
        }
    }
    Ok(rows)
}

/// What the pilot seeds chose for an arm: the damping, and a learning rate for the mask, for its shuffle and for the mask
/// with fresh initial values.
pub struct Choice {
    pub damping: f64,
    pub own: f64,
    pub shuffled: f64,
    pub fresh: f64,
}

/// The trial of highest mean validation accuracy over the pilot seeds, the first of equals.
pub fn choose(arm: Arm, density: f64, context: &Context<'_>, sizes: Sizes) -> Result<Choice> {
    let mut sums: Vec<Trial> = Vec::new();
    for number in 0..sizes.pilots_of(arm) {
        let trials = pilot(arm, density, PILOT + number, context, sizes)?;
        if sums.is_empty() {
            sums = trials;
        } else {
            for (sum, trial) in sums.iter_mut().zip(trials) {
                (2..5).for_each(|column| sum[column] += trial[column]);
            }
        }
    }
    let best = |trials: &mut dyn Iterator<Item = &Trial>, column: usize| {
        let mut best: Option<Trial> = None;
        for trial in trials {
            if trial[column].is_finite() && best.is_none_or(|b| trial[column] > b[column]) {
                best = Some(*trial);
            }
        }
        best
    };
    let own = best(&mut sums.iter(), 2).unwrap_or([1.0, RATE, 0.0, 0.0, 0.0]);
    let same = |column: usize| best(&mut sums.iter().filter(|t| t[0] == own[0]), column).unwrap_or(own)[1];
    Ok(Choice {
        damping: own[0],
        own: own[1],
        shuffled: same(3),
        fresh: same(4),
    })
}
