//! `linearized-measurements`: what do samples, damping, the loss and more than one linearisation buy the linear model of
//! a network as a measurement matrix?
//!
//! Network, data and counts are those of `linearized-tickets`. *samples*, *damping* and *loss* cells explore one axis each
//! on a few seeds, for no verdict. *main* cells compare recovery in rounds of linearisation with its own shuffle and with
//! iterative pruning on seeds that no other experiment uses, and count overlaps by decile of |θ₀|.

mod certificate;
mod claims;
mod damping;
mod deciles;
mod draw;
mod loss;
mod read;
mod rounds;
mod sample_axis;
mod subject;
#[cfg(test)]
mod tests;

use super::comparison::{FIRST_PILOT, FIRST_TUNING, MAIN, PILOT, SHARED, columns};
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::networks::{Initialisation, Loss};
use ticketsense::pruning::{Criterion, ImpPlan, Scope};
use ticketsense::table::{Column, Row, Table};
use ticketsense::training::{Optimiser, TrainingPlan};
use ticketsense::{Error, Result};

/// The experiment.
#[derive(Debug)]
pub struct LinearizedMeasurements;

/// The fraction of the weights kept everywhere.
const DENSITY: f64 = 0.1;
/// Learning rates that every training may choose from; iterative pruning itself uses the first.
const RATES: [f64; 2] = [3e-3, 1e-2];
/// α over the mean squared nonzero column norm, where it is no axis.
const DAMPING: f64 = 0.1;

/// Main seeds have numbers from here on, which no other experiment uses.
const FIRST: usize = 500;
/// Seeds of the parts without a verdict have numbers from here on, which no other experiment uses either.
const FIRST_EXPLORED: usize = 700;

const SAMPLES: &str = "samples";
const DAMPED: &str = "damping";
const CERTIFICATE: &str = "certificate";
const LOSS: &str = "loss";
const DECILES: &str = "deciles";
const TUNING: &str = "tuning";

/// The dense network is [`super::comparison::DENSE`].
const IMP: &str = "imp";
const RANDOM: &str = "random";
const MAGNITUDE: &str = "magnitude";
const OMP: &str = "omp";
const ROUNDS: &str = "relinearised";
const SHUFFLED: &str = "relinearised-shuffled";

const COLUMNS: [Column; SHARED + 20] = columns([
    Column::text("point", "Where the network was linearised: initial or trained weights."),
    Column::integer("samples", "", "Samples of the linearisation."),
    Column::real("damping", "", "α over the mean squared nonzero column norm."),
    Column::text("recovery", "How the recovery ended."),
    Column::integer(
        "live_columns",
        "",
        "Weights whose column is neither zero nor parallel to an earlier one.",
    ),
    Column::integer(
        "rank_bound",
        "",
        "n(C − 1) less what the biases explain, at most the live columns: no more columns are independent.",
    ),
    Column::integer(
        "rank",
        "",
        "Numerical rank of A where it has few rows: singular values above √(rows · ε) σ_max.",
    ),
    Column::real("measurement_ratio", "1", "rank_bound over the number of weights."),
    Column::integer("overlap", "", "Live weights that the mask shares with the reference."),
    Column::real(
        "chance",
        "",
        "Mean of that for random masks of the same counts, hypergeometric in every layer.",
    ),
    Column::integer(
        "reference",
        "",
        "Live weights of the reference: the ticket of iterative pruning, or the mask from the other half.",
    ),
    Column::integer(
        "decile",
        "",
        "Decile of |θ₀| among the live weights of a layer; 10 holds the largest.",
    ),
    Column::integer("weights", "", "Live weights in it."),
    Column::integer("own", "", "Of them in the mask."),
    Column::real("coherence", "1", "Of the live columns stacked on √α I."),
    Column::integer("coherence_order", "", "Nonzeros that it certifies: (2k − 1)μ < 1."),
    Column::integer(
        "babel_order",
        "",
        "Nonzeros that the Babel function certifies: μ₁(k − 1) + μ₁(k) < 1.",
    ),
    Column::real(
        "recovery_value",
        "1",
        "max ‖A_S⁺a_j‖₁ over the columns off the ticket S, stacked and of unit length: below 1, pursuit finds S.",
    ),
    Column::real(
        "smallest_eigenvalue",
        "1",
        "Of the Gram matrix of the unit stacked columns on the ticket.",
    ),
    Column::real(
        "prior_error",
        "1",
        "√α‖θ − θ₀‖ over ‖[A; √α I] θ‖ for the ticket's trained θ: what the stacked data [Aθ; √α θ₀] are wrong by.",
    ),
]);

/// Everything that depends on the scale.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Pairs that a verdict rests on, and as many pilots for the margin.
    seeds: usize,
    tuning: usize,
    /// α that the rounds choose from.
    round_dampings: &'static [f64],
    /// Main seeds on which pursuit at θ₀ is counted by decile too.
    pursued: usize,
    /// Seeds of each of the parts without a verdict.
    samples_seeds: usize,
    damping_seeds: usize,
    certificates: usize,
    loss_seeds: usize,
    /// The axis of samples, and the number of samples where it is no axis.
    counts: &'static [usize],
    samples: usize,
    /// α that the linear models of both losses choose from.
    loss_dampings: &'static [f64],
    /// The axis of damping; beyond it only certificates are computed.
    dampings: &'static [f64],
    certified_dampings: &'static [f64],
    /// Whether the two halves of the samples are compared at the trained weights too.
    halves_trained: bool,
    /// The rank is computed for at most so many rows.
    ranked_rows: usize,
}

impl Sizes {
    fn of(scale: Scale) -> Self {
        Sizes {
            seeds: scale.pick(2, 20, 60),
            tuning: scale.pick(1, 2, 6),
            round_dampings: scale.pick(&[1.0], &[0.1, 1.0], &[0.03, 0.1, 0.3, 1.0]),
            pursued: scale.pick(1, 6, 60),
            samples_seeds: scale.pick(1, 3, 20),
            damping_seeds: scale.pick(1, 5, 20),
            certificates: scale.pick(1, 1, 5),
            loss_seeds: scale.pick(1, 6, 40),
            loss_dampings: scale.pick(&[1.0], &[0.1, 1.0, 10.0], &[0.03, 0.1, 0.3, 1.0, 10.0, 100.0]),
            counts: scale.pick(&[10, 40], &[20, 60, 200, 600], &[20, 60, 120, 200, 600, 1200]),
            samples: scale.pick(40, 300, 300),
            dampings: scale.pick(
                &[0.0, 1.0],
                &[0.0, 0.03, 0.1, 0.3, 1.0, 100.0],
                &[0.0, 0.03, 0.1, 0.3, 1.0, 100.0],
            ),
            certified_dampings: scale.pick(&[100.0], &[1e3, 1e4, 1e5], &[1e3, 1e4, 1e5]),
            halves_trained: scale.pick(false, false, true),
            ranked_rows: scale.pick(400, 600, 2000),
        }
    }
}

/// Rounds of iterative pruning to the density.
fn rounds_of(scale: Scale) -> usize {
    scale.pick(3, 10, 10)
}

/// The runs: network, data, training and counts of `linearized-tickets` at this density.
fn plan(scale: Scale, loss: Loss) -> ImpPlan {
    let steps = scale.pick(60, 800, 1600);
    let rounds = rounds_of(scale);
    ImpPlan {
        network: scale.pick("mlp:12-10", "mlp:50-30", "mlp:50-30").into(),
        initialisation: Initialisation::HE,
        training: TrainingPlan {
            optimiser: Optimiser::adam(RATES[0]),
            loss,
            batch: 30,
            steps,
            evaluate_every: steps,
            ..TrainingPlan::default()
        },
        rounds,
        prune_fraction: 1.0 - DENSITY.powf(1.0 / rounds as f64),
        output_prune_fraction: None,
        scope: Scope::Layerwise,
        criterion: Criterion::Magnitude,
        rewind_step: 0,
        ..ImpPlan::default()
    }
}

impl Experiment for LinearizedMeasurements {
    fn id(&self) -> &'static str {
        "linearized-measurements"
    }

    fn question(&self) -> &'static str {
        "What do samples, damping, the loss and more than one linearisation buy the linear model of a network?"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let sizes = Sizes::of(scale);
        let cell = |number: usize, part: &'static str| Cell::new().problem("seed", number).treatment("part", part);
        let explored = |count: usize| FIRST_EXPLORED..FIRST_EXPLORED + count;
        // What others wait for, and what takes longest, goes first.
        let mut cells: Vec<Cell> = (0..sizes.tuning).map(|k| cell(FIRST_TUNING + k, TUNING)).collect();
        cells.extend(explored(sizes.certificates).map(|number| cell(number, CERTIFICATE)));
        for &count in sizes.counts.iter().rev() {
            let of = |number| cell(number, SAMPLES).treatment("samples", count);
            cells.extend(explored(sizes.samples_seeds).map(of));
        }
        cells.extend((FIRST..FIRST + sizes.seeds).map(|number| cell(number, MAIN)));
        cells.extend(explored(sizes.damping_seeds).map(|number| cell(number, DAMPED)));
        cells.extend(explored(sizes.loss_seeds).map(|number| cell(number, LOSS)));
        cells.extend((0..sizes.seeds).map(|k| cell(FIRST_PILOT + k, PILOT)));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let number = cell.integer("seed")?;
        let lines = match cell.text("part")? {
            MAIN => rounds::lines(context, number)?,
            PILOT => rounds::pilot(context, number)?,
            TUNING => rounds::tuning(context, number)?,
            SAMPLES => sample_axis::lines(context, number, cell.integer("samples")?)?,
            DAMPED => damping::lines(context, number)?,
            CERTIFICATE => damping::certificates(context, number)?,
            LOSS => loss::lines(context, number)?,
            other => {
                let known = [MAIN, PILOT, TUNING, SAMPLES, DAMPED, CERTIFICATE, LOSS];
                return Err(Error::unknown("part", other, known));
            }
        };
        lines.iter().map(|line| line.row(&COLUMNS)).collect()
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn draw(&self, table: &Table) -> Result<Figure> {
        draw::draw(table)
    }

    fn budget(&self) -> Budget {
        Budget {
            seconds: 90,
            memory_mb: 500,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}
