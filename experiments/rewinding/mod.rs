//! `rewinding`: what survivors gain when they go back to an early step of training instead of to the initial weights,
//! and which layer it is that gains.

mod claims;
mod draw;
mod outcomes;
#[cfg(test)]
mod tests;

use super::tickets::{imp_run, samples, ticket_seed};
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::networks::{Initialisation, Network};
use ticketsense::pruning::{Control, ImpPlan, TrainingOutcome, kept_weights};
use ticketsense::table::{Column, Row, Table};
use ticketsense::training::{Optimiser, TrainingPlan};
use ticketsense::{Error, Mask, Result, row};

/// The experiment.
#[derive(Debug)]
pub struct Rewinding;

/// Dense trainings that fix the margin of non-inferiority, and nothing else.
const PILOT: &str = "pilot";
/// Runs of iterative pruning, each rewound to one step.
const SWEEP: &str = "sweep";
/// The ticket of initial weights, trained again with some layers rewound to a later step.
const LAYERS: &str = "layers";
/// The pilots' seeds begin here, beyond every main one.
const FIRST_PILOT: usize = 1_000_000;

const DENSE: &str = "dense";
const TICKET: &str = "ticket";
const SHUFFLE: &str = "shuffle";
/// All layers at the initial weights, and all at the later step.
const NONE: &str = "none";
const ALL: &str = "all";

/// Rewind steps as fractions of training.
pub(super) const FRACTIONS: [f64; 5] = [0.0, 0.01, 0.02, 0.05, 0.2];

const COLUMNS: &[Column] = &[
    Column::text(
        "part",
        "sweep: iterative pruning rewound to one step; layers: single layers rewound; pilot: fixes the margin, used for \
         nothing else.",
    ),
    Column::integer(
        "seed",
        "",
        "Number of the repetition; its branches share data, initial weights and order of data.",
    ),
    Column::integer(
        "rewind_step",
        "steps",
        "Step of the dense training that values were taken from.",
    ),
    Column::real("rewind_fraction", "1", "The same as a fraction of training."),
    Column::integer("round", "", "Pruning rounds before this training."),
    Column::text(
        "branch",
        "dense, ticket, shuffle (the ticket's mask shuffled within layers); in the part on layers which are rewound: none, \
         all, or the slot of the weights of one.",
    ),
    Column::real("density", "1", "Fraction of the weights that were trained."),
    Column::real("test_accuracy", "1", "Accuracy on the test samples at the end."),
    Column::real("test_loss", "1", "Loss on the test samples at the end."),
    Column::integer("steps", "steps", "Steps trained from the values on."),
    Column::text("status", "How the training ended."),
];

/// Iterative pruning as this experiment does it, with survivors back at one step.
///
/// The learning rate is high for this network: on pilot seeds the dense network ends below its own tickets of moderate
/// density. Of the fifteen networks and rates tried on pilot seeds it is the one that gained from rewinding on both sets
/// of them; those seeds are used for nothing else.
pub(super) fn plan(scale: Scale, rewind_step: usize) -> ImpPlan {
    let steps = scale.pick(100, 600, 2000);
    ImpPlan {
        network: scale.pick("mlp:50-30-30-30", "mlp:50-30-30-30", "lenet-300-100").into(),
        initialisation: Initialisation::GLOROT,
        training: TrainingPlan {
            optimiser: Optimiser::adam(1e-2),
            steps,
            // Only the end is looked at.
            evaluate_every: steps,
            ..TrainingPlan::default()
        },
        rounds: scale.pick(4, 8, 16),
        prune_fraction: scale.pick(0.5, 0.35, 0.25),
        output_prune_fraction: Some(scale.pick(0.25, 0.175, 0.125)),
        rewind_step,
        ..ImpPlan::default()
    }
}

/// The rounds whose tickets are compared.
fn compared_rounds(scale: Scale) -> &'static [usize] {
    scale.pick(&[2, 4], &[4, 6, 8], &[8, 12, 16])
}

/// The round and the rewind step of the part on single layers.
fn layer_case(scale: Scale) -> (usize, usize) {
    (scale.pick(4, 8, 16), rewind_step(scale, 0.2))
}

/// The step that is a fraction of training.
pub(super) fn rewind_step(scale: Scale, fraction: f64) -> usize {
    (fraction * plan(scale, 0).training.steps as f64).round() as usize
}

impl Experiment for Rewinding {
    fn id(&self) -> &'static str {
        "rewinding"
    }

    fn question(&self) -> &'static str {
        "Do tickets train better from the weights of an early step than from the initial ones, and which layers gain?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let cell = |number: usize, part: &'static str| Cell::new().problem("seed", number).treatment("part", part);
        let mut cells = Vec::new();
        for number in 0..scale.pick(2, 40, 60) {
            cells.extend(FRACTIONS.map(|t| cell(number, SWEEP).treatment("rewind", rewind_step(scale, t))));
            cells.push(cell(number, LAYERS));
        }
        cells.extend((0..scale.pick(3, 24, 40)).map(|number| cell(FIRST_PILOT + number, PILOT)));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let number = cell.integer("seed")?;
        match cell.text("part")? {
            PILOT => pilot(context, number),
            SWEEP => sweep(context, number, cell.integer("rewind")?),
            LAYERS => layers(context, number),
            other => Err(Error::unknown("part", other, [PILOT, SWEEP, LAYERS])),
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
            seconds: 20,
            memory_mb: 60,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}

/// What the rows of a cell share.
struct Rows<'a> {
    part: &'static str,
    seed: usize,
    steps: usize,
    network: &'a Network,
}

impl Rows<'_> {
    fn of(&self, rewind: usize, round: usize, branch: &str, mask: &Mask, outcome: &TrainingOutcome) -> Row {
        row![
            self.part,
            self.seed,
            rewind,
            rewind as f64 / self.steps as f64,
            round,
            branch,
            kept_weights(self.network, mask) as f64 / self.network.layout().prunable() as f64,
            outcome.test_accuracy,
            outcome.test_loss,
            outcome.steps,
            outcome.status.as_str()
        ]
    }
}

fn pilot(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let plan = ImpPlan {
        rounds: 0,
        ..plan(context.scale(), 0)
    };
    let run = imp_run(context, &plan, number)?;
    let network = plan.build_network(&samples(context)?.view())?;
    let rows = Rows {
        part: PILOT,
        seed: number,
        steps: plan.training.steps,
        network: &network,
    };
    let dense = run.rounds.iter();
    Ok(dense.map(|r| rows.of(0, r.round, DENSE, &r.mask, &r.outcome)).collect())
}

/// The tickets of one run with the compared ones' masks shuffled. The dense network, which does not depend on the rewind
/// step, stands in the rows of step zero alone.
fn sweep(context: &Context<'_>, number: usize, rewind: usize) -> Result<Vec<Row>> {
    let scale = context.scale();
    let plan = plan(scale, rewind);
    let run = imp_run(context, &plan, number)?;
    let data = samples(context)?;
    let network = plan.build_network(&data.view())?;
    let make = Rows {
        part: SWEEP,
        seed: number,
        steps: plan.training.steps,
        network: &network,
    };
    let mut rows = Vec::new();
    for found in &run.rounds {
        let round = found.round;
        match round {
            0 if rewind > 0 => continue,
            0 => rows.push(make.of(rewind, round, DENSE, &found.mask, &found.outcome)),
            _ => rows.push(make.of(rewind, round, TICKET, &found.mask, &found.outcome)),
        }
        if compared_rounds(scale).contains(&round) {
            context.check()?;
            let seed = ticket_seed(context, number);
            let shuffled = Control::Shuffle.train(&plan, &data.view(), &seed, &run, round)?;
            rows.push(make.of(rewind, round, SHUFFLE, &shuffled.mask, &shuffled.outcome));
        }
    }
    Ok(rows)
}

/// The mask of a ticket of initial weights, trained with one layer rewound to a later step, or all.
///
/// Rewound branches are trained for the steps that remain, so that none sees more batches than the ticket itself, the
/// steps before the rewound values counted.
fn layers(context: &Context<'_>, number: usize) -> Result<Vec<Row>> {
    let (round, step) = layer_case(context.scale());
    let original = plan(context.scale(), 0);
    let run = imp_run(context, &original, number)?;
    let later = imp_run(context, &plan(context.scale(), step), number)?.rewind;
    let found = run.rounds.get(round);
    let found = found.ok_or_else(|| Error::shape("rounds of a run", format!("more than {round}"), run.rounds.len()))?;
    let data = samples(context)?;
    let network = original.build_network(&data.view())?;
    let make = Rows {
        part: LAYERS,
        seed: number,
        steps: original.training.steps,
        network: &network,
    };
    let mut rows = vec![make.of(0, round, NONE, &found.mask, &found.outcome)];
    let order = ticket_seed(context, number).stream("training");
    let mut train = |branch: &str, values: &[f32]| -> Result<()> {
        context.check()?;
        let outcome = original.train(&network, &data.view(), &found.mask, values, step, &order)?;
        rows.push(make.of(step, round, branch, &found.mask, &outcome));
        Ok(())
    };
    train(ALL, &later)?;
    for weights in network.layout().weight_slots() {
        train(
            &weights.name,
            &with_layer(&network, weights.layer, &run.initial, &later),
        )?;
    }
    Ok(rows)
}

/// The initial values, with every slot of one layer at its later ones.
fn with_layer(network: &Network, layer: usize, initial: &[f32], later: &[f32]) -> Vec<f32> {
    let mut values = initial.to_vec();
    for slot in network.layout().slots().iter().filter(|slot| slot.layer == layer) {
        values[slot.range.clone()].copy_from_slice(&later[slot.range.clone()]);
    }
    values
}
