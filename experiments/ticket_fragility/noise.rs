//! Noise on the initial weights of tickets and of the dense network.

use super::super::comparison::{DENSE, Line, MAIN, PILOT, Trial, Tuning, setting};
use super::{COLUMNS, plan, rounds};
use ticketsense::harness::{Context, Scale};
use ticketsense::pruning::{Control, ControlStart};
use ticketsense::table::Row;
use ticketsense::{Mask, Result};

/// The sizes of the noise.
pub fn sizes(scale: Scale) -> &'static [f64] {
    scale.pick(&[0.1, 3.0], &[0.1, 0.3, 1.0, 3.0], &[0.03, 0.1, 0.3, 1.0, 3.0])
}

/// The ticket as it was found.
pub const TICKET: &str = "imp";
/// The ticket's mask over fresh initial values.
pub const REINIT: &str = "imp reinit";

/// The arm of a control of the ticket, or of the dense network.
pub fn arm(of: &str, control: Control) -> String {
    format!("{of} {control}")
}

fn tuning(scale: Scale) -> Tuning {
    Tuning {
        kind: "ticket-fragility",
        rates: scale.pick(&[3e-3], &[3e-3, 1e-2], &[1.2e-3, 3e-3, 6e-4]),
        seeds: scale.pick(1, 4, 4),
    }
}

/// What an arm is trained from: the ticket of a round, or the dense network for round 0, changed by a control.
fn start(trial: &Trial, control: Option<Control>, round: usize) -> Result<(Mask, Vec<f32>)> {
    let Some(control) = control else {
        return Ok((trial.round(round)?.mask.clone(), trial.run.rewind.clone()));
    };
    let data = trial.samples.view();
    let ControlStart { mask, values, .. } = control.start(&trial.plan, &data, &trial.seed, &trial.run, round)?;
    Ok((mask, values))
}

/// What of a ticket, or of the dense network, is trained at one rate: itself with all its noises.
fn family(scale: Scale, round: usize) -> Vec<Option<Control>> {
    let mut family = vec![None];
    for &tau in sizes(scale) {
        family.push(Some(Control::Noise(tau)));
        if round > 0 {
            family.push(Some(Control::NoiseKeepingSigns(tau)));
        }
    }
    family
}

/// The rate of a control: that of its family, the best on the mean over all of it, since rates chosen apart would differ by
/// chance and make a difference of their own; fresh values have one for themselves.
fn rate(context: &Context<'_>, control: Option<Control>, round: usize) -> Result<f64> {
    let (scale, plan) = (context.scale(), plan(context.scale()));
    let (name, members) = match control {
        Some(Control::Reinit) => ("fresh values", vec![control]),
        _ => ("noise", family(scale, round)),
    };
    let setting = format!("{};sizes={:?}", setting(&plan, name, round), sizes(scale));
    let prepare = |number: usize| {
        let trial = Trial::new(context, &plan, number)?.seen_at_the_end();
        let starts = members.iter().map(|&member| start(&trial, member, round));
        let starts = starts.collect::<Result<Vec<_>>>()?;
        Ok((trial, starts))
    };
    tuning(scale).rate(context, &setting, prepare, |(trial, starts), rate| {
        let mut sum = 0.0;
        for (mask, values) in starts {
            sum += trial.validated(mask, values, rate)?;
        }
        Ok(sum / starts.len() as f64)
    })
}

/// The fraction of the kept weights whose sign differs.
fn flipped(trial: &Trial, mask: &Mask, values: &[f32]) -> f64 {
    let kept = trial.network.layout().weights();
    let kept: Vec<usize> = kept.indices().iter().copied().filter(|&i| mask.keeps(i)).collect();
    let differ = kept.iter().filter(|&&i| values[i] * trial.run.rewind[i] < 0.0);
    differ.count() as f64 / kept.len().max(1) as f64
}

fn row(
    context: &Context<'_>,
    trial: &Trial,
    part: &str,
    name: &str,
    control: Option<Control>,
    round: usize,
) -> Result<Row> {
    context.check()?;
    let (mask, values) = start(trial, control, round)?;
    let rate = rate(context, control, round)?;
    let outcome = trial.train(&mask, &values, 0, rate)?;
    let density = if round == 0 { 1.0 } else { trial.density(&mask) };
    let mut line = Line::new(part, trial.number, name, density)
        .masked(trial, &mask)?
        .trained(&outcome, rate);
    if let Some(tau) = control.and_then(Control::tau) {
        line = line.with("tau", tau).with("flipped", flipped(trial, &mask, &values));
    }
    line.row(COLUMNS)
}

/// A dense network that fixes the margin.
pub fn pilot(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let trial = Trial::dense(context, &plan(context.scale()), number)?.seen_at_the_end();
    Ok(vec![row(context, &trial, PILOT, DENSE, None, 0)?])
}

/// The dense network and the tickets of one seed, with every noise.
pub fn main(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let scale = context.scale();
    let trial = Trial::new(context, &plan(scale), number)?.seen_at_the_end();
    let mut rows = vec![row(context, &trial, MAIN, DENSE, None, 0)?];
    for &tau in sizes(scale) {
        let control = Control::Noise(tau);
        rows.push(row(context, &trial, MAIN, &arm(DENSE, control), Some(control), 0)?);
    }
    for &round in rounds(scale) {
        rows.push(row(context, &trial, MAIN, TICKET, None, round)?);
        rows.push(row(context, &trial, MAIN, REINIT, Some(Control::Reinit), round)?);
        for &tau in sizes(scale) {
            for control in [Control::Noise(tau), Control::NoiseKeepingSigns(tau)] {
                rows.push(row(context, &trial, MAIN, &arm(TICKET, control), Some(control), round)?);
            }
        }
    }
    Ok(rows)
}
