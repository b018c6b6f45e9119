//! `design-pruning`: masks chosen by optimal design among the columns of the Jacobian, which look at no label and at no
//! weight, against masks by magnitude, curvature, sparse recovery, and chance.

mod arms;
mod claims;
mod draw;
#[cfg(test)]
mod tests;

use super::comparison::{Line, MAIN, PILOT, SHARED, Trial, Tuning, columns, seed_cells, setting};
use super::tickets::plan;
use arms::{ARMS, Arm, Maker};
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::pruning::ImpPlan;
use ticketsense::table::{Column, Row, Table};
use ticketsense::{Error, Mask, Result};

/// The experiment.
#[derive(Debug)]
pub struct DesignPruning;

const COLUMNS: [Column; SHARED + 2] = columns([
    Column::real(
        "overlap",
        "1",
        "Fraction of the weights that iterative pruning keeps at this density, too.",
    ),
    Column::text("found", "How the choice of the mask ended; - where it cannot fail."),
]);

/// Rates that every arm and density chooses from.
const RATES: [f64; 4] = [3e-3, 1e-2, 3e-2, 1e-1];

/// What depends on the scale.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Rounds of iterative pruning whose counts everyone is given.
    rounds: &'static [usize],
    /// Samples on which the network is linearised.
    samples: usize,
    tuning: Tuning,
}

impl Sizes {
    fn of(scale: Scale) -> Self {
        Sizes {
            rounds: scale.pick(&[10], &[7, 9], &[5, 7, 9]),
            samples: scale.pick(30, 60, 200),
            tuning: Tuning {
                kind: "design-pruning",
                rates: scale.pick(&RATES[1..2], &RATES, &RATES),
                seeds: scale.pick(1, 2, 6),
            },
        }
    }
}

/// Iterative pruning as the other experiments do it. At the largest scale too the network is the small one: a design over
/// all columns of LeNet-300-100 would need a factor of order ten thousand.
fn plan_at(scale: Scale) -> ImpPlan {
    plan(scale.pick(Scale::Smoke, Scale::Quick, Scale::Quick))
}

/// The nominal density of a round: what the hidden layers keep. Every arm has the counts of iterative pruning.
fn nominal(plan: &ImpPlan, round: usize) -> f64 {
    (1.0 - plan.prune_fraction).powi(round as i32)
}

impl Experiment for DesignPruning {
    fn id(&self) -> &'static str {
        "design-pruning"
    }

    fn question(&self) -> &'static str {
        "Do masks chosen by optimal experimental design train better than random ones, and what do they cost?"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        seed_cells(scale.pick(2, 24, 60), scale.pick(2, 24, 40))
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let number = cell.integer("seed")?;
        match cell.text("part")? {
            PILOT => {
                let trial = Trial::dense(context, &plan_at(context.scale()), number)?;
                Ok(vec![Line::dense(&trial, PILOT)?.row(&COLUMNS)?])
            }
            MAIN => main_rows(number, context),
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
            seconds: 50,
            memory_mb: 150,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}

fn main_rows(number: usize, context: &Context<'_>) -> Result<Vec<Row>> {
    let sizes = Sizes::of(context.scale());
    let plan = plan_at(context.scale());
    let trial = Trial::new(context, &plan, number)?;
    let mut rows = vec![Line::dense(&trial, MAIN)?.row(&COLUMNS)?];
    let mut maker = Maker::new(context, &trial, sizes.samples)?;
    for &round in sizes.rounds {
        let density = nominal(&plan, round);
        let reference = trial.round(round)?.mask.clone();
        for arm in ARMS {
            context.check()?;
            let rate = rate_of(context, &plan, sizes, round, arm)?;
            let made = maker.make(arm, round)?;
            let line = Line::new(MAIN, number, arm.name(), density)
                .cost(made.passes)
                .with("found", made.status);
            let line = match &made.mask {
                None => line,
                Some(mask) => {
                    let outcome = trial.train(mask, &trial.run.initial, 0, rate)?;
                    line.masked(&trial, mask)?
                        .trained(&outcome, rate)
                        .with("overlap", overlap(&trial, &reference, mask)?)
                }
            };
            rows.push(line.row(&COLUMNS)?);
        }
    }
    Ok(rows)
}

/// The rate of an arm at a round, from pilot seeds that are used for nothing else. An arm that has no mask on one of them
/// counts as an accuracy of zero there, whatever the rate.
fn rate_of(context: &Context<'_>, plan: &ImpPlan, sizes: Sizes, round: usize, arm: Arm) -> Result<f64> {
    let setting = format!("{};samples={}", setting(plan, arm.name(), round), sizes.samples);
    let prepare = |number: usize| {
        let trial = Trial::new(context, plan, number)?;
        let mask = Maker::new(context, &trial, sizes.samples)?.make(arm, round)?.mask;
        Ok((trial, mask))
    };
    sizes
        .tuning
        .rate(context, &setting, prepare, |(trial, mask), rate| match mask {
            Some(mask) => trial.validated(mask, &trial.run.initial, rate),
            None => Ok(0.0),
        })
}

/// Of the weights that `reference` keeps, the fraction that `mask` keeps too.
fn overlap(trial: &Trial, reference: &Mask, mask: &Mask) -> Result<f64> {
    Ok(trial.shared(reference, mask)? as f64 / trial.kept(reference).max(1) as f64)
}
