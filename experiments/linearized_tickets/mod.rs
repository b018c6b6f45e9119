//! `linearized-tickets`: does sparse recovery on the linearised network find masks that the real network can train?
//!
//! Three kinds of cells. A *pilot* cell tries the dampings and learning rates of one arm on seeds that are never used
//! again. A *main* cell makes every arm's mask for one seed, trains each for real from m ⊙ θ₀ and tests it once. On the
//! first few seeds it also climbs the *ladder* of targets, from planted data to labels, which locates a failure.

mod claims;
mod draw;
mod line;
mod masks;

use super::tickets::{imp_run, samples, ticket_seed};
use line::Line;
use masks::{Arm, Maker, Point};
use ticketsense::data::Dataset;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::networks::{Array, Initialisation, Loss, Network};
use ticketsense::pruning::controls::shuffle_within_layers;
use ticketsense::pruning::{Criterion, ImpPlan, ImpRun, ImpSamples, RecoveredBy, Scope, TrainingOutcome};
use ticketsense::table::{Column, Row, Table};
use ticketsense::training::{Optimiser, TrainingPlan};
use ticketsense::{Mask, Result, Seed};

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
        "own: the arm's mask; shuffled: the same counts at random places within layers.",
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
];

/// The experiment.
pub struct LinearizedTickets;

/// Everything that depends on the scale.
#[derive(Clone, Copy)]
struct Sizes {
    seeds: usize,
    ladder_seeds: usize,
    /// Pilot seeds for the arms without damping, and for those with.
    pilots: usize,
    damped_pilots: usize,
    samples: usize,
    steps: usize,
    /// Rounds after which the densities are reached.
    rounds: [usize; 2],
    dampings: &'static [f64],
}

impl Sizes {
    fn of(scale: Scale) -> Sizes {
        Sizes {
            seeds: scale.pick(2, 20, 60),
            ladder_seeds: scale.pick(1, 5, 20),
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
            "steps={};samples={};rounds={:?};dampings={:?};rates={RATES:?}",
            self.steps, self.samples, self.rounds, self.dampings
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
    arms
}

/// Whether an arm's mask is also shuffled within layers and trained again.
fn shuffled(arm: Arm, density: f64) -> bool {
    match arm {
        Arm::Random => false,
        Arm::Recovered(..) | Arm::Imp => true,
        _ => density == DENSITIES[0],
    }
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
                let pilots = if arm.is_damped() {
                    sizes.damped_pilots
                } else {
                    sizes.pilots
                };
                for pilot in 0..pilots {
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
            return pilot_rows(arm, density, number, context, sizes);
        }
        main_rows(number, context, sizes)
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
            memory_mb: 300,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}

/// What belongs to one seed.
struct Ticket {
    data: ImpSamples,
    plan: ImpPlan,
    network: Network,
    run: ImpRun,
    seed: Seed,
    samples: Array<f64>,
    labels: Vec<usize>,
    /// One pass over the training set, in samples.
    training_samples: usize,
    sizes: Sizes,
}

impl Ticket {
    fn new(context: &Context<'_>, number: usize, sizes: Sizes) -> Result<Ticket> {
        context.check()?;
        let dataset: &Dataset = context.data()?;
        let plan = sizes.plan();
        let run = imp_run(context, &plan, number)?;
        let data = samples(context)?;
        let seed = ticket_seed(context, number);
        let chosen = dataset.stratified(sizes.samples, &seed.stream("samples"))?;
        Ok(Ticket {
            network: plan.build_network(&data.view())?,
            samples: dataset.batch(&chosen)?,
            labels: dataset.labels_of(&chosen)?,
            training_samples: data.view().training.inputs.rows(),
            data,
            plan,
            run,
            seed,
            sizes,
        })
    }

    /// The mask of iterative pruning at a density.
    fn reference(&self, density: f64) -> &Mask {
        let place = usize::from(density != DENSITIES[0]);
        &self.run.rounds[self.sizes.rounds[place]].mask
    }

    fn counts(&self, density: f64) -> Vec<usize> {
        let mask = self.reference(density);
        let slots = self.network.layout().weight_slots();
        slots.map(|slot| mask.kept_in(slot.range.clone())).collect()
    }

    /// Trains `m ⊙ θ₀` on the data order of iterative pruning.
    fn train(&self, mask: &Mask, rate: f64) -> Result<TrainingOutcome> {
        let plan = ImpPlan {
            training: training(rate, self.sizes.steps),
            ..self.plan.clone()
        };
        let order = self.seed.stream("training");
        plan.train(&self.network, &self.data.view(), mask, &self.run.initial, 0, &order)
    }

    fn validation(outcome: &TrainingOutcome) -> f64 {
        outcome.history.last().map_or(f64::NAN, |e| e.validation_accuracy)
    }

    /// Passes over the training set of one training.
    fn training_passes(&self) -> f64 {
        (self.sizes.steps * self.plan.training.batch) as f64 / self.training_samples as f64
    }

    fn shuffle(&self, mask: &Mask, arm: Arm, density: f64) -> Result<Mask> {
        let layers: Vec<_> = self.network.layout().weight_slots().map(|s| s.range.clone()).collect();
        let seed = self
            .seed
            .stream("shuffled")
            .stream(arm.name())
            .stream(density.to_string());
        shuffle_within_layers(mask, &layers, &seed)
    }
}

/// Validation accuracies of one arm on one pilot seed: damping, rate, own mask, shuffled mask.
type Trial = [f64; 4];

fn pilot(arm: Arm, density: f64, number: usize, context: &Context<'_>, sizes: Sizes) -> Result<Vec<Trial>> {
    let identity = format!(
        "arm={};density={density};seed={number};{}",
        arm.name(),
        sizes.identity()
    );
    let bytes = context.shared("linearized-tickets-pilot", &identity, |_| {
        let ticket = Ticket::new(context, number, sizes)?;
        let mut maker = Maker::new(&ticket);
        let dampings = if arm.is_damped() { sizes.dampings } else { &[0.0] };
        let mut bytes = Vec::new();
        for &damping in dampings {
            context.check()?;
            let mask = maker.make(arm, density, damping)?.mask;
            for rate in RATES {
                let (mut own, mut other) = (f64::NAN, f64::NAN);
                if let Some(mask) = &mask {
                    own = Ticket::validation(&ticket.train(mask, rate)?);
                    if shuffled(arm, density) {
                        other = Ticket::validation(&ticket.train(&ticket.shuffle(mask, arm, density)?, rate)?);
                    }
                }
                bytes.extend([damping, rate, own, other].iter().flat_map(|v| v.to_le_bytes()));
            }
        }
        Ok(bytes)
    })?;
    let numbers: Vec<f64> = bytes
        .chunks_exact(8)
        .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
        .collect();
    Ok(numbers.chunks_exact(4).map(|t| [t[0], t[1], t[2], t[3]]).collect())
}

fn pilot_rows(arm: Arm, density: f64, number: usize, context: &Context<'_>, sizes: Sizes) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for [damping, rate, own, other] in pilot(arm, density, number, context, sizes)? {
        for (mask, accuracy) in [("own", own), ("shuffled", other)] {
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

/// What the pilot seeds chose for an arm: the damping, and a learning rate for the mask and one for its shuffle.
struct Choice {
    damping: f64,
    own: f64,
    shuffled: f64,
}

/// The trial of highest mean validation accuracy over the pilot seeds, the first of equals.
fn choose(arm: Arm, density: f64, context: &Context<'_>, sizes: Sizes) -> Result<Choice> {
    let pilots = if arm.is_damped() {
        sizes.damped_pilots
    } else {
        sizes.pilots
    };
    let mut sums: Vec<Trial> = Vec::new();
    for number in 0..pilots {
        let trials = pilot(arm, density, PILOT + number, context, sizes)?;
        if sums.is_empty() {
            sums = trials;
        } else {
            for (sum, trial) in sums.iter_mut().zip(trials) {
                sum[2] += trial[2];
                sum[3] += trial[3];
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
    let own = best(&mut sums.iter(), 2).unwrap_or([1.0, RATE, 0.0, 0.0]);
    let same = sums.iter().filter(|t| t[0] == own[0]);
    let other = best(&mut same.into_iter(), 3).unwrap_or(own);
    Ok(Choice {
        damping: own[0],
        own: own[1],
        shuffled: other[1],
    })
}

fn main_rows(number: usize, context: &Context<'_>, sizes: Sizes) -> Result<Vec<Row>> {
    let mut choices = Vec::new();
    for density in DENSITIES {
        for arm in arms(density, context.scale()) {
            choices.push((arm, density, choose(arm, density, context, sizes)?));
        }
    }
    let ticket = Ticket::new(context, number, sizes)?;
    let mut maker = Maker::new(&ticket);
    let dense = &ticket.run.rounds[0].outcome;
    let mut rows = vec![
        Line::new("main", number, "dense", 1.0, "own")
            .tuned(None, RATE)
            .validated(Ticket::validation(dense))
            .tested(dense.test_accuracy)
            .row(),
    ];
    let climbs = number < FIRST + sizes.ladder_seeds;
    let ceiling = if climbs { Some(maker.ceiling(context)?) } else { None };
    for (arm, density, choice) in &choices {
        context.check()?;
        let (arm, density) = (*arm, *density);
        let masked = context.time(&arm.name(), || maker.make(arm, density, choice.damping))?;
        let damping = arm.is_damped().then_some(choice.damping);
        let line = Line::new("main", number, &arm.name(), density, "own").tuned(damping, choice.own);
        let Some(mask) = &masked.mask else {
            rows.push(line.made(&masked).row());
            continue;
        };
        let outcome = ticket.train(mask, choice.own)?;
        let reference = ceiling.filter(|_| density == DENSITIES[0]);
        rows.push(
            line.made(&masked)
                .against(maker.overlap(mask, density)?, reference)
                .linear(maker.linearisation_error(mask)?)
                .validated(Ticket::validation(&outcome))
                .tested(outcome.test_accuracy)
                .row(),
        );
        if shuffled(arm, density) {
            let other = ticket.shuffle(mask, arm, density)?;
            let outcome = ticket.train(&other, choice.shuffled)?;
            let mut line = Line::new("main", number, &arm.name(), density, "shuffled").tuned(damping, choice.shuffled);
            line.kept = Some(other.kept_weights(&ticket));
            rows.push(
                line.validated(Ticket::validation(&outcome))
                    .tested(outcome.test_accuracy)
                    .row(),
            );
        }
    }
    if let Some(ceiling) = ceiling {
        let chosen = choices.iter().find(|(arm, density, _)| {
            *arm == Arm::Recovered(RecoveredBy::Omp, Point::Initial) && *density == DENSITIES[0]
        });
        let damping = chosen.map_or(1.0, |c| c.2.damping);
        for (name, damping, masked, reference) in maker.ladder(damping)? {
            let mut line = Line::new("ladder", number, name, DENSITIES[0], "own").made(&masked);
            line.damping = Some(damping);
            rows.push(match reference {
                Some(overlap) => line.against(overlap, (name != "split-half").then_some(ceiling)).row(),
                None => line.row(),
            });
        }
    }
    Ok(rows)
}

/// Weights kept, biases apart.
trait KeptWeights {
    fn kept_weights(&self, ticket: &Ticket) -> usize;
}

impl KeptWeights for Mask {
    fn kept_weights(&self, ticket: &Ticket) -> usize {
        let slots = ticket.network.layout().weight_slots();
        slots.map(|slot| self.kept_in(slot.range.clone())).sum()
    }
}
