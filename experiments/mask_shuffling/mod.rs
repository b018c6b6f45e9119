//! `mask-shuffling`: whether the places of a mask matter, or only how many weights it keeps in every layer, row and column;
//! for masks found by training and for masks found before it.

mod claims;
mod draw;
#[cfg(test)]
mod tests;

use super::comparison::{DENSE, FIRST_PILOT, Line, MAIN, PILOT, SHARED, Trial, Tuning, columns, validation_accuracy};
use super::tickets;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::pruning::controls::{shuffle_across_layers, shuffle_keeping_degrees, shuffle_within_layers};
use ticketsense::pruning::{Criterion, CriterionInput, ImpPlan, LayerRate, Scope, keep_highest, prune_lowest};
use ticketsense::table::{Column, Row, Table};
use ticketsense::{Error, Mask, Result};

/// The experiment.
#[derive(Debug)]
pub struct MaskShuffling;

/// Who found a mask: iterative magnitude pruning, pruning at once after the dense training with the same counts, and the
/// sensitivity of the loss before any training (SNIP) over all layers together.
const SOURCES: [&str; 3] = ["imp", "one-shot", "snip"];
/// What is done to it; the first is nothing.
const TREATMENTS: [&str; 4] = ["found", "within", "degrees", "across"];

const COLUMNS: &[Column] = &columns::<1, { SHARED + 1 }>([Column::real(
    "moved",
    "1",
    "Fraction of the kept weights that lie at other places than in the mask as it was found.",
)]);

/// The arm of a mask under a treatment.
fn arm(source: &str, treatment: &str) -> String {
    if treatment == TREATMENTS[0] {
        source.into()
    } else {
        format!("{source} {treatment}")
    }
}

fn plan(scale: Scale) -> ImpPlan {
    ImpPlan {
        rounds: scale.pick(4, 8, 16),
        ..tickets::plan(scale)
    }
}

/// The rounds whose counts are compared.
fn rounds(scale: Scale) -> &'static [usize] {
    scale.pick(&[4], &[4, 6, 8], &[8, 12, 16])
}

fn tuning(scale: Scale) -> Tuning {
    Tuning {
        kind: "mask-shuffling",
        rates: scale.pick(&[3e-3], &[3e-3, 1e-2], &[1.2e-3, 3e-3, 6e-4]),
        seeds: scale.pick(1, 4, 4),
    }
}

/// A seed whose arms are looked at in the end alone.
fn trial(context: &Context<'_>, number: usize) -> Result<Trial> {
    let mut trial = Trial::new(context, &plan(context.scale()), number)?;
    trial.plan.training.evaluate_every = trial.plan.training.steps;
    Ok(trial)
}

impl Experiment for MaskShuffling {
    fn id(&self) -> &'static str {
        "mask-shuffling"
    }

    fn question(&self) -> &'static str {
        "Do the places of a mask matter, or only how many weights it keeps in every layer, row and column?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let cell = |number: usize, part: &'static str| Cell::new().problem("seed", number).treatment("part", part);
        let main = (0..scale.pick(2, 24, 40)).map(|number| cell(number, MAIN));
        let pilots = (0..scale.pick(2, 24, 40)).map(|number| cell(FIRST_PILOT + number, PILOT));
        main.chain(pilots).collect()
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let number = cell.integer("seed")?;
        match cell.text("part")? {
            PILOT => pilot(context, number),
            MAIN => main(context, number),
            other => Err(Error::unknown("part", other, [MAIN, PILOT])),
        }
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn draw(&self, table: &Table) -> Result<Figure> {
        draw::draw(table)
    }

    fn budget(&self) -> Budget {
        Budget {
            seconds: 15,
            memory_mb: 60,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}

/// The rate of an arm at the counts of a round; that of the dense network for no round.
fn rate(context: &Context<'_>, source: &str, treatment: &str, round: usize) -> Result<f64> {
    let scale = context.scale();
    let setting = format!("{:?};arm={};round={round}", plan(scale), arm(source, treatment));
    let prepare = |number: usize| {
        let trial = trial(context, number)?;
        let mask = treated(&trial, source, treatment, round)?;
        Ok((trial, mask))
    };
    tuning(scale).rate(context, &setting, prepare, |(trial, mask), rate| {
        Ok(validation_accuracy(&trial.train(mask, &trial.run.rewind, 0, rate)?))
    })
}

fn dense(context: &Context<'_>, part: &str, number: usize) -> Result<(Trial, Row)> {
    let trial = trial(context, number)?;
    let full = trial.network.layout().full_mask();
    let rate = rate(context, DENSE, TREATMENTS[0], 0)?;
    let outcome = trial.train(&full, &trial.run.rewind, 0, rate)?;
    let line = Line::new(part, number, DENSE, 1.0)
        .masked(&trial, &full)?
        .trained(&outcome, rate);
    Ok((trial, line.row(COLUMNS)?))
}

fn pilot(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let rounds = ImpPlan {
        rounds: 0,
        ..plan(context.scale())
    };
    let mut trial = Trial::new(context, &rounds, number)?;
    trial.plan.training.evaluate_every = trial.plan.training.steps;
    let full = trial.network.layout().full_mask();
    let rate = rate(context, DENSE, TREATMENTS[0], 0)?;
    let outcome = trial.train(&full, &trial.run.rewind, 0, rate)?;
    let line = Line::new(PILOT, number, DENSE, 1.0)
        .masked(&trial, &full)?
        .trained(&outcome, rate);
    Ok(vec![line.row(COLUMNS)?])
}

fn main(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let (trial, row) = dense(context, MAIN, number)?;
    let mut rows = vec![row];
    for &round in rounds(context.scale()) {
        let density = trial.density(&trial.round(round)?.mask);
        for source in SOURCES {
            let found = treated(&trial, source, TREATMENTS[0], round)?;
            for treatment in TREATMENTS {
                context.check()?;
                let mask = treated(&trial, source, treatment, round)?;
                let rate = rate(context, source, treatment, round)?;
                let outcome = trial.train(&mask, &trial.run.rewind, 0, rate)?;
                let line = Line::new(MAIN, number, &arm(source, treatment), density)
                    .masked(&trial, &mask)?
                    .trained(&outcome, rate)
                    .with("moved", moved(&trial, &found, &mask)?);
                rows.push(line.row(COLUMNS)?);
            }
        }
    }
    Ok(rows)
}

/// The fraction of the weights of `mask` that `found` does not keep.
fn moved(trial: &Trial, found: &Mask, mask: &Mask) -> Result<f64> {
    let both = found.and(mask)?;
    let count = |mask: &Mask| trial.counts(mask).into_iter().sum::<usize>();
    Ok(1.0 - count(&both) as f64 / count(mask) as f64)
}

/// A mask at the counts of a round of the run, treated. The sensitivities of SNIP compete over all layers, so that its
/// mask has the count of the round in all and layerwise counts of its own, which its shuffles within layers keep.
fn treated(trial: &Trial, source: &str, treatment: &str, round: usize) -> Result<Mask> {
    let (ticket, layers, layout) = (&trial.round(round)?.mask, trial.layers(), trial.network.layout());
    let found = match source {
        "imp" => ticket.clone(),
        "one-shot" => {
            let scores: Vec<f64> = trial.trained()?.iter().map(|w| f64::from(w.abs())).collect();
            keep_highest(&layout.full_mask(), &scores, &layers, &trial.counts(ticket))?
        }
        "snip" => {
            let kept: usize = trial.counts(ticket).iter().sum();
            let prune_fraction = 1.0 - kept as f64 / layout.prunable() as f64;
            let rates: Vec<LayerRate> = layers
                .iter()
                .map(|range| LayerRate {
                    range: range.clone(),
                    prune_fraction,
                })
                .collect();
            prune_lowest(&layout.full_mask(), &sensitivities(trial)?, &rates, Scope::Global)?
        }
        _ => layout.full_mask(),
    };
    let seed = trial
        .seed
        .stream("mask-shuffling")
        .stream(source)
        .replicate(round as u64);
    match treatment {
        "within" => shuffle_within_layers(&found, &layers, &seed),
        "across" => shuffle_across_layers(&found, &layers, &seed),
        "degrees" => shuffle_keeping_degrees(&found, layout, &seed),
        _ => Ok(found),
    }
}

/// What the loss says of every weight before any training (Lee, Ajanthan & Torr, ICLR 2019).
fn sensitivities(trial: &Trial) -> Result<Vec<f64>> {
    Criterion::Snip.scores(&CriterionInput {
        network: &trial.network,
        theta: &trial.run.initial,
        mask: &trial.network.layout().full_mask(),
        initial: &trial.run.initial,
        loss: trial.plan.training.loss,
        training: trial.samples.view().training,
        seed: trial.seed.stream("criterion"),
    })
}
