//! `iterative-magnitude-pruning`: what of a winning ticket is in its mask, what in its initial weights, what in its
//! counts.

mod assay;
mod claims;
mod draw;
mod outcomes;

use super::tickets::{imp_run, plan, samples, ticket_seed};
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::networks::Network;
use ticketsense::outcome::Status;
use ticketsense::pruning::{Control, ImpData, ImpPlan, ImpRun, TrainingOutcome, kept_weights};
use ticketsense::table::{Column, Row, Table};
use ticketsense::training::Trainer;
use ticketsense::{Mask, Result, Seed, row};

/// The experiment.
#[derive(Debug)]
pub struct IterativeMagnitudePruning;

/// Seeds that are compared.
const MAIN: &str = "main";
/// Seeds that fix the margin of non-inferiority, and nothing else.
const PILOT: &str = "pilot";
/// The pilots' seeds begin here, beyond every main one.
const FIRST_PILOT: usize = 1_000_000;
const DENSE: &str = "dense";
const TICKET: &str = "ticket";

/// What is trained beside every ticket.
const CONTROLS: [Control; 7] = [
    Control::Reinit,
    Control::Signs,
    Control::Shuffle,
    Control::Order,
    Control::SmallDense,
    Control::Random,
    Control::OneShot,
];

const COLUMNS: &[Column] = &[
    Column::text(
        "role",
        "main: compared; pilot: fixes the margin of non-inferiority and is used for nothing else.",
    ),
    Column::integer(
        "seed",
        "",
        "Number of the repetition; its branches share data, initial weights and order of data where nothing else is said.",
    ),
    Column::integer("round", "", "Pruning rounds before this training."),
    Column::text("branch", "What was trained: dense, ticket, or a control."),
    Column::real(
        "prune_fraction",
        "1",
        "Fraction of the remaining weights that a round prunes in a hidden layer.",
    ),
    Column::real("output_prune_fraction", "1", "The same in the output layer."),
    Column::real(
        "density",
        "1",
        "Fraction of the full network's weights that were trained.",
    ),
    Column::text("kept_by_layer", "Weights trained in each layer, from input to output."),
    Column::real("test_accuracy", "1", "Accuracy on the test samples at the end."),
    Column::real("test_loss", "1", "Loss on the test samples at the end."),
    Column::integer(
        "early_stop_step",
        "steps",
        "Step of smallest validation loss, the first of equals.",
    ),
    Column::integer("steps", "steps", "Steps trained."),
    Column::text("status", "How the training ended."),
    Column::real(
        "pruned_magnitude",
        "1",
        "Largest magnitude of a pruned weight after the training.",
    ),
    Column::real(
        "pruned_magnitude_each_step",
        "1",
        "The same over every single step, moments included; watched in the ticket's last round.",
    ),
];

impl Experiment for IterativeMagnitudePruning {
    fn id(&self) -> &'static str {
        "iterative-magnitude-pruning"
    }

    fn question(&self) -> &'static str {
        "How small can a network be pruned before it trains worse, and what of the ticket matters: mask, signs or values?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let cell = |role: &'static str, number: usize| Cell::new().problem("role", role).problem("seed", number);
        let mains = (0..scale.pick(2usize, 24, 40)).map(|number| cell(MAIN, number));
        let pilots = (0..scale.pick(3, 24, 40)).map(|number| cell(PILOT, FIRST_PILOT + number));
        mains.chain(pilots).collect()
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let number = cell.integer("seed")?;
        if cell.text("role")? == PILOT {
            let plan = ImpPlan {
                rounds: 0,
                ..plan(context.scale())
            };
            let run = imp_run(context, &plan, number)?;
            let data = samples(context)?;
            let rows = Rows::new(PILOT, number, &plan, &data.view())?;
            return Ok(run
                .rounds
                .first()
                .map(|round| rows.of_round(round.round, DENSE, &round.mask, &round.outcome))
                .into_iter()
                .collect());
        }
        let plan = plan(context.scale());
        let run = imp_run(context, &plan, number)?;
        let data = samples(context)?;
        let seed = ticket_seed(context, number);
        main_rows(&plan, &data.view(), &run, &seed, number, context)
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn draw(&self, table: &Table) -> Result<Figure> {
        draw::draw(table)
    }

    fn budget(&self) -> Budget {
        Budget {
            seconds: 30,
            memory_mb: 60,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}

/// Every round of a run and every control of it.
fn main_rows(
    plan: &ImpPlan,
    data: &ImpData<'_>,
    run: &ImpRun,
    seed: &Seed,
    number: usize,
    context: &Context<'_>,
) -> Result<Vec<Row>> {
    let make = Rows::new(MAIN, number, plan, data)?;
    let mut rows = Vec::new();
    for round in &run.rounds {
        let branch = if round.round == 0 { DENSE } else { TICKET };
        let mut row = make.of_round(round.round, branch, &round.mask, &round.outcome);
        if round.round == plan.rounds {
            // The last column stands for itself: every other row leaves it empty.
            row.0.pop();
            row.0
                .push(magnitude_at_every_step(plan, &make.network, data, run, &round.mask, seed)?.into());
        }
        rows.push(row);
        for control in CONTROLS.iter().filter(|_| round.round > 0) {
            context.check()?;
            let trained = control.train(plan, data, seed, run, round.round)?;
            rows.push(make.of(
                round.round,
                control.word(),
                &trained.network,
                &trained.mask,
                &trained.outcome,
            ));
        }
    }
    Ok(rows)
}

/// Trains a ticket again, one step at a time, and looks at every pruned weight and moment after each.
fn magnitude_at_every_step(
    plan: &ImpPlan,
    network: &Network,
    data: &ImpData<'_>,
    run: &ImpRun,
    mask: &Mask,
    seed: &Seed,
) -> Result<f64> {
    let order = seed.stream("training");
    let trainer = Trainer::new(
        network,
        plan.training.clone(),
        data.training,
        data.validation,
        mask,
        &order,
    )?;
    let mut state = trainer.start_at(&run.rewind, plan.rewind_step)?;
    let mut largest = largest_pruned(&state.theta, mask);
    while state.status == Status::Stopped && state.step < plan.training.steps {
        let next = state.step + 1;
        trainer.advance(&mut state, next, &mut |_| true)?;
        for values in [&state.theta, &state.moments.first, &state.moments.second] {
            largest = largest.max(largest_pruned(values, mask));
        }
    }
    Ok(largest)
}

/// The largest magnitude where the mask prunes; infinite where one is not a number.
fn largest_pruned(values: &[f32], mask: &Mask) -> f64 {
    let pruned = values.iter().zip(mask.bits()).filter(|(_, keep)| !**keep);
    pruned.fold(0.0, |largest, (v, _)| {
        if v.is_nan() {
            f64::INFINITY
        } else {
            largest.max(f64::from(v.abs()))
        }
    })
}

/// Makes the rows of one seed.
struct Rows {
    role: &'static str,
    seed: usize,
    fractions: (f64, f64),
    network: Network,
}

impl Rows {
    fn new(role: &'static str, seed: usize, plan: &ImpPlan, data: &ImpData<'_>) -> Result<Self> {
        Ok(Rows {
            role,
            seed,
            fractions: (
                plan.prune_fraction,
                plan.output_prune_fraction.unwrap_or(plan.prune_fraction),
            ),
            network: plan.build_network(data)?,
        })
    }

    fn of_round(&self, round: usize, branch: &str, mask: &Mask, outcome: &TrainingOutcome) -> Row {
        self.of(round, branch, &self.network, mask, outcome)
    }

    fn of(&self, round: usize, branch: &str, network: &Network, mask: &Mask, outcome: &TrainingOutcome) -> Row {
        let slots = network.layout().weight_slots();
        let kept: Vec<String> = slots.map(|slot| mask.kept_in(slot.range.clone()).to_string()).collect();
        row![
            self.role,
            self.seed,
            round,
            branch,
            self.fractions.0,
            self.fractions.1,
            kept_weights(network, mask) as f64 / self.network.layout().prunable() as f64,
            kept.join(" "),
            outcome.test_accuracy,
            outcome.test_loss,
            outcome.early_stop_step(),
            outcome.steps,
            outcome.status.as_str(),
            largest_pruned(&outcome.theta, mask),
            None::<f64>
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ticketsense::data::DataChoice;
    use ticketsense::harness::compute_table;

    #[test]
    fn a_weight_that_moves_where_the_mask_prunes_is_seen() {
        let mask = Mask::from_bits(vec![true, false, false]);
        assert_eq!(largest_pruned(&[5.0, 0.0, 0.0], &mask), 0.0);
        assert_eq!(largest_pruned(&[5.0, 0.0, -0.25], &mask), 0.25);
        assert_eq!(largest_pruned(&[5.0, f32::NAN, 0.0], &mask), f64::INFINITY);
    }

    #[test]
    fn pilots_and_main_seeds_never_meet() {
        for scale in Scale::ALL {
            let cells = IterativeMagnitudePruning.cells(scale);
            let seeds = |role: &str| -> Vec<usize> {
                let of_role = cells.iter().filter(|c| c.text("role").unwrap() == role);
                of_role.map(|c| c.integer("seed").unwrap()).collect()
            };
            let (main, pilot) = (seeds(MAIN), seeds(PILOT));
            assert!(main.iter().all(|number| !pilot.contains(number)));
            assert_eq!(main.len() + pilot.len(), cells.len());
        }
    }

    #[test]
    fn the_smoke_table_has_every_branch_in_every_round() {
        let table = compute_table(&IterativeMagnitudePruning, Scale::Smoke, 0, &DataChoice::Digits).unwrap();
        let rounds = plan(Scale::Smoke).rounds;
        assert_eq!(table.len(), 2 * (1 + rounds * (1 + CONTROLS.len())) + 3);
        for claim in claims::CLAIMS {
            let verdict = (claim.check)(&table).unwrap();
            let decided = ["A1", "B5"].contains(&claim.id);
            assert_eq!(
                verdict.decision.as_str(),
                if decided { "holds" } else { "undecided" },
                "{}",
                claim.id
            );
        }
    }
}
