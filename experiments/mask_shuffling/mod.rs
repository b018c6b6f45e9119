//! `mask-shuffling`: whether the places of a mask matter, or only how many weights it keeps in every layer, row and column;
//! for masks found by training and for masks found before it.

mod claims;
mod draw;
#[cfg(test)]
mod tests;

use super::comparison::{DENSE, Line, MAIN, PILOT, SHARED, Trial, Tuning, columns, seed_cells, setting};
use super::tickets;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::pruning::controls::{shuffle_across_layers, shuffle_keeping_degrees, shuffle_within_layers};
use ticketsense::pruning::{Criterion, ImpPlan};
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
        seed_cells(scale.pick(2, 24, 40), scale.pick(2, 24, 40))
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
    let plan = plan(context.scale());
    let setting = setting(&plan, &arm(source, treatment), round);
    let prepare = |number: usize| {
        let trial = Trial::new(context, &plan, number)?.seen_at_the_end();
        let mask = treated(&trial, source, treatment, round)?;
        Ok((trial, mask))
    };
    tuning(context.scale()).rate(context, &setting, prepare, |(trial, mask), rate| {
        trial.validated(mask, &trial.run.rewind, rate)
    })
}

/// The dense network at a rate of its own.
fn dense(context: &Context<'_>, trial: &Trial, part: &str) -> Result<Row> {
    let full = trial.network.layout().full_mask();
    let rate = rate(context, DENSE, TREATMENTS[0], 0)?;
    let outcome = trial.train(&full, &trial.run.rewind, 0, rate)?;
    let line = Line::new(part, trial.number, DENSE, 1.0).masked(trial, &full)?;
    line.trained(&outcome, rate).row(COLUMNS)
}

fn pilot(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let trial = Trial::dense(context, &plan(context.scale()), number)?.seen_at_the_end();
    Ok(vec![dense(context, &trial, PILOT)?])
}

fn main(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let trial = Trial::new(context, &plan(context.scale()), number)?.seen_at_the_end();
    let mut rows = vec![dense(context, &trial, MAIN)?];
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
    Ok(1.0 - trial.shared(found, mask)? as f64 / trial.kept(mask) as f64)
}

/// A mask at the counts of a round of the run, treated. The sensitivities of SNIP (Lee, Ajanthan & Torr, ICLR 2019) compete
/// over all layers, so that its mask has the count of the round in all and layerwise counts of its own, which its shuffles
/// within layers keep.
fn treated(trial: &Trial, source: &str, treatment: &str, round: usize) -> Result<Mask> {
    let (ticket, layers, layout) = (&trial.round(round)?.mask, trial.layers(), trial.network.layout());
    let found = match source {
        "imp" => ticket.clone(),
        "one-shot" => trial.highest(Criterion::Magnitude, trial.trained()?, &trial.counts(ticket))?,
        "snip" => trial.highest_together(Criterion::Snip, &trial.run.initial, trial.kept(ticket))?,
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
