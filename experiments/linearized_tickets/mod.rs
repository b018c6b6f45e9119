//! `linearized-tickets`: does sparse recovery on the linearised network find masks that the real network can train?
//!
//! Three kinds of cells. A *pilot* cell tries the dampings and learning rates of one arm on seeds that are never used
//! again. A *main* cell makes every arm's mask for one seed, trains each for real from m ⊙ θ₀ and tests it once. On the
//! first few seeds it also climbs the *ladder* of targets, from planted data to labels, which locates a failure.

mod anatomy;
mod claims;
mod compare;
mod draw;
mod ladder;
mod line;
mod masks;
mod pilot;
mod ticket;

use masks::{Arm, Point};
use ticketsense::Result;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::networks::{Initialisation, Loss};
use ticketsense::pruning::{Criterion, ImpPlan, RecoveredBy, Scope};
use ticketsense::table::{Column, Row, Table};
use ticketsense::training::{Optimiser, TrainingPlan};

/// Nominal densities: the primary one first.
const DENSITIES: [f64; 2] = [0.1, 0.05];

/// Learning rates that every arm may choose from, at every density.
const RATES: [f64; 2] = [3e-3, 1e-2];

/// The learning rate of the dense training and of the rounds of iterative pruning.
const RATE: f64 = 3e-3;

/// Main seeds have numbers from here on: those below were spent on a first setting, whose dense networks were trained too
/// briefly to pass the check of assay sensitivity.
const FIRST: usize = 100;

/// Pilot seeds have numbers from here on.
const PILOT: usize = 10_000;

const COLUMNS: &[Column] = &[
    Column::text(
        "part",
        "pilot: choice of α and learning rate; main: the comparison; ladder: targets from planted to labels.",
    ),
    Column::integer(
        "seed",
        "",
        "Number of the ticket seed: initial weights, data order and samples.",
    ),
    Column::text(
        "arm",
        "Who chose the mask, and at which point: solver@initial or solver@trained for recovered masks.",
    ),
    Column::real("density", "", "Nominal fraction of the weights kept."),
    Column::text(
        "mask",
        "own: the arm's mask; shuffled: the same counts at random places within layers; fresh: the arm's mask over fresh \
         initial values.",
    ),
    Column::integer("kept", "", "Weights kept; empty where the arm is unattainable."),
    Column::text("status", "How the recovery ended; - for an arm that recovers nothing."),
    Column::real("damping", "", "α over the mean squared nonzero column norm."),
    Column::real("learning_rate", "", "Of the final training."),
    Column::real("validation_accuracy", "", "After the final training from m ⊙ θ₀."),
    Column::real(
        "test_accuracy",
        "",
        "The same, on the test set; used once, in the main part alone.",
    ),
    Column::integer(
        "overlap",
        "",
        "Weights shared with the ticket of iterative pruning, among candidate columns.",
    ),
    Column::real(
        "chance",
        "",
        "Mean of that overlap for a random mask of the same counts a layer, hypergeometric.",
    ),
    Column::integer(
        "ceiling",
        "",
        "The overlap that iterative pruning with another data order reaches.",
    ),
    Column::real(
        "linearisation_error",
        "",
        "‖f(m⊙θ₀) − f_lin(m⊙θ₀)‖ / ‖f(m⊙θ₀) − f(θ₀)‖ on the samples of the linearisation.",
    ),
    Column::real(
        "gradient_passes",
        "",
        "Passes over the training set that the mask cost, its final training apart.",
    ),
    Column::integer("zero_columns", "", "Weights that no measurement sees."),
    Column::integer(
        "merged_columns",
        "",
        "Weights whose columns are parallel to an earlier one.",
    ),
    Column::integer("before_cut", "", "Nonzeros before the cut to the counts."),
    Column::real("penalty_ratio", "", "Smallest λ/λ_max over the layers, for the LASSO."),
    Column::real("gap", "", "Relative duality gap of the penalised value, for the LASSO."),
    Column::real(
        "effective_density",
        "",
        "Fraction of the weights that is kept and lies on a path from an input to an output.",
    ),
    Column::integer("dead_units", "", "Hidden units that are on no such path."),
    Column::real(
        "inherited_gain",
        "",
        "Product over the layers of ρσ_w²/2 of the kept initial weights: 1 for the dense network on average.",
    ),
    Column::real(
        "kernel_rank",
        "",
        "Participation ratio (tr K)²/tr K² of the tangent kernel of the masked network at m⊙θ₀ on 40 samples, of at most 360.",
    ),
];

/// The experiment.
pub struct LinearizedTickets;

/// Everything that depends on the scale.
#[derive(Clone, Copy)]
struct Sizes {
    seeds: usize,
    ladder_seeds: usize,
    /// Main seeds of the slow arms.
    slow_seeds: usize,
    /// Pilot seeds for the arms without damping, and for those with.
    pilots: usize,
    damped_pilots: usize,
    samples: usize,
    steps: usize,
    /// Rounds after which the densities are reached.
    rounds: [usize; 2],
    dampings: &'static [f64],
    /// Those that slow arms choose from.
    slow_dampings: &'static [f64],
}

impl Sizes {
    fn of(scale: Scale) -> Sizes {
        Sizes {
            seeds: scale.pick(2, 20, 60),
            ladder_seeds: scale.pick(1, 5, 20),
            slow_seeds: scale.pick(1, 8, 60),
            pilots: scale.pick(2, 4, 6),
            damped_pilots: scale.pick(1, 2, 5),
            samples: scale.pick(60, 300, 300),
            steps: scale.pick(60, 800, 1600),
            rounds: scale.pick([3, 4], [10, 13], [10, 13]),
            dampings: scale.pick(
                &[0.0, 1.0],
                &[0.0, 0.03, 0.1, 0.3, 1.0, 100.0],
                &[0.0, 0.03, 0.1, 0.3, 1.0, 100.0],
            ),
            slow_dampings: scale.pick(&[1.0], &[0.1, 1.0], &[0.03, 0.1, 0.3, 1.0, 100.0]),
        }
    }

    /// The dampings that an arm chooses from.
    fn dampings_of(&self, arm: Arm) -> &'static [f64] {
        match (arm.is_damped(), arm.is_slow()) {
            (false, _) => &[0.0],
            (true, false) => self.dampings,
            (true, true) => self.slow_dampings,
        }
    }

    /// Pilot seeds of an arm.
    fn pilots_of(&self, arm: Arm) -> usize {
        if arm.is_damped() || arm.is_slow() {
            self.damped_pilots
        } else {
            self.pilots
        }
    }

    fn plan(&self) -> ImpPlan {
        ImpPlan {
            network: "mlp:50-30".into(),
            initialisation: Initialisation::HE,
            training: training(RATE, self.steps),
            rounds: self.rounds[1],
            // The last round has density 0.05, and 13 rounds of it pass 0.10 after 10 to three digits.
            prune_fraction: 1.0 - DENSITIES[1].powf(1.0 / self.rounds[1] as f64),
            output_prune_fraction: None,
            scope: Scope::Layerwise,
            criterion: Criterion::Magnitude,
            rewind_step: 0,
            ..ImpPlan::default()
        }
    }

    /// Names what a pilot's result depends on, besides its arm, density and seed.
    fn identity(&self) -> String {
        format!(
            "steps={};samples={};rounds={:?};dampings={:?};slow-dampings={:?};rates={RATES:?}",
            self.steps, self.samples, self.rounds, self.dampings, self.slow_dampings
        )
    }
}

fn training(rate: f64, steps: usize) -> TrainingPlan {
    TrainingPlan {
        optimiser: Optimiser::adam(rate),
        loss: Loss::Squared,
        batch: 30,
        steps,
        evaluate_every: steps,
        ..TrainingPlan::default()
    }
}

/// The arms of one density. At the smaller one, and for the slower solvers, only what the budget allows.
fn arms(density: f64, scale: Scale) -> Vec<Arm> {
    let mut arms = vec![
        Arm::Imp,
        Arm::MagnitudeTrained,
        Arm::DamageTrained,
        Arm::MagnitudeInitial,
        Arm::Random,
    ];
    for solver in RecoveredBy::ALL {
        for point in [Point::Initial, Point::Trained] {
            let wanted = match (solver, point) {
                (RecoveredBy::Omp, _) => true,
                (RecoveredBy::Lasso, Point::Trained) => scale == Scale::Paper,
                _ => density == DENSITIES[0] || scale == Scale::Paper,
            };
            if wanted {
                arms.push(Arm::Recovered(solver, point));
            }
        }
    }
    if density == DENSITIES[0] || scale == Scale::Paper {
        arms.extend([
            Arm::ImpReordered,
            Arm::Snip,
            Arm::NetTrim,
            Arm::HardThresholding,
            Arm::Elimination,
            Arm::Relinearised,
            Arm::MagnitudeGlobal,
            Arm::OmpGlobal,
        ]);
    }
    arms
}

/// Whether an arm's mask is also shuffled within layers and trained again.
fn shuffled(arm: Arm, density: f64) -> bool {
    match arm {
        Arm::Random | Arm::ImpReordered | Arm::MagnitudeGlobal | Arm::OmpGlobal => false,
        Arm::Recovered(..) | Arm::Imp => true,
        _ => density == DENSITIES[0],
    }
}

/// Whether an arm's mask is also trained from fresh initial values.
fn reinitialised(arm: Arm, density: f64) -> bool {
    density == DENSITIES[0] && (arm == Arm::Imp || arm.is_recovered_at_initial())
}

impl Experiment for LinearizedTickets {
    fn id(&self) -> &'static str {
        "linearized-tickets"
    }

    fn question(&self) -> &'static str {
        "How far does sparse recovery on the linearised network find a ticket of the real one, and where does it break?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let sizes = Sizes::of(scale);
        let mut cells = Vec::new();
        for density in DENSITIES {
            // The slowest solvers come last on the list of arms and go first here.
            for arm in arms(density, scale).into_iter().rev() {
                for pilot in 0..sizes.pilots_of(arm) {
                    cells.push(
                        Cell::new()
                            .problem("seed", PILOT + pilot)
                            .treatment("arm", arm.name())
                            .treatment("density", density),
                    );
                }
            }
        }
        cells.extend((FIRST..FIRST + sizes.seeds).map(|seed| Cell::new().problem("seed", seed)));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let number = cell.integer("seed")?;
        let sizes = Sizes::of(context.scale());
        if let Ok(name) = cell.text("arm") {
            let density = cell.real("density")?;
            let arm = arms(density, context.scale()).into_iter().find(|a| a.name() == name);
            let arm = arm.ok_or_else(|| ticketsense::Error::argument("arm", "one of this scale", name))?;
            return pilot::rows(arm, density, number, context, sizes);
        }
        compare::rows(number, context, sizes)
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn draw(&self, table: &Table) -> Result<Figure> {
        draw::draw(table)
    }

    fn budget(&self) -> Budget {
        Budget {
            seconds: 60,
            memory_mb: 300,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}
