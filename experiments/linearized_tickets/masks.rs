//! The arms: who chooses which weights stay, and what that costs.

use super::ticket::Ticket;
use super::{RATE, training};
use ticketsense::harness::Context;
use ticketsense::linearize::RowTransform;
use ticketsense::networks::Array;
use ticketsense::outcome::Status;
use ticketsense::pruning::controls::random_mask;
use ticketsense::pruning::{
    Criterion, HardThresholding, LinearImp, Recovered, RecoveredBy, RecoveryRequest, Relinearised, Scope,
    SensingProblem, Spread, TrimOrder, TrimRequest, TrimmedBy, net_trim, prune_lowest,
};
use ticketsense::recovery::Certificate;
use ticketsense::theory::mask_overlap::{LayerCounts, chance_overlap};
use ticketsense::{Mask, Result};

/// Where the network is linearised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// θ₀.
    Initial,
    /// θ_T, after the dense training.
    Trained,
}

/// Who chooses the mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// Iterative magnitude pruning: its counts are everyone's.
    Imp,
    /// One-shot magnitude at θ_T.
    MagnitudeTrained,
    /// One-shot optimal brain damage at θ_T.
    DamageTrained,
    /// Magnitude at θ₀.
    MagnitudeInitial,
    /// Random within layers.
    Random,
    /// Sparse recovery from the labels on the network linearised at a point.
    Recovered(RecoveredBy, Point),
    /// Iterative magnitude pruning with another order of the data: the ceiling of any overlap.
    ImpReordered,
    /// |g ⊙ θ| at θ₀.
    Snip,
    /// Layer-wise recovery of the trained layers.
    NetTrim,
    /// Descent on the real loss with hard thresholds.
    HardThresholding,
    /// Iterative magnitude pruning inside the linear model at θ₀.
    Elimination,
    /// Recovery in rounds of linearisation at m ⊙ θ₀.
    Relinearised,
    /// One-shot magnitude at θ_T with one budget for all layers.
    MagnitudeGlobal,
    /// OMP at θ₀ with one budget for all layers.
    OmpGlobal,
}

impl Arm {
    pub fn name(self) -> String {
        match self {
            Arm::Imp => "imp".into(),
            Arm::MagnitudeTrained => "magnitude@trained".into(),
            Arm::DamageTrained => "damage@trained".into(),
            Arm::MagnitudeInitial => "magnitude@initial".into(),
            Arm::Random => "random".into(),
            Arm::Recovered(solver, Point::Initial) => format!("{solver}@initial"),
            Arm::Recovered(solver, Point::Trained) => format!("{solver}@trained"),
            Arm::ImpReordered => "imp-reordered".into(),
            Arm::Snip => "snip@initial".into(),
            Arm::NetTrim => "net-trim@trained".into(),
            Arm::HardThresholding => "hard-thresholding".into(),
            Arm::Elimination => "elimination@initial".into(),
            Arm::Relinearised => "relinearised@initial".into(),
            Arm::MagnitudeGlobal => "magnitude@trained:global".into(),
            Arm::OmpGlobal => "omp@initial:global".into(),
        }
    }

    /// Whether it has a damping to choose.
    pub fn is_damped(self) -> bool {
        self.is_recovered_at_initial() || matches!(self, Arm::Recovered(..))
    }

    /// Whether its mask takes so long that the default scale makes it for the first seeds only, with fewer dampings.
    pub fn is_slow(self) -> bool {
        matches!(
            self,
            Arm::Elimination | Arm::Relinearised | Arm::OmpGlobal | Arm::ImpReordered
        )
    }

    /// Whether its mask comes from the linear model at θ₀.
    pub fn is_recovered_at_initial(self) -> bool {
        matches!(
            self,
            Arm::Recovered(_, Point::Initial) | Arm::Elimination | Arm::Relinearised | Arm::OmpGlobal
        )
    }
}

/// A mask, where there is one, and how it came about.
#[derive(Clone, Debug, Default)]
pub struct Masked {
    pub mask: Option<Mask>,
    pub kept: Option<usize>,
    pub status: &'static str,
    pub passes: f64,
    pub zero: Option<usize>,
    pub merged: Option<usize>,
    pub before_cut: Option<usize>,
    pub penalty_ratio: Option<f64>,
    pub gap: Option<f64>,
}

/// Makes the masks of one seed; the problem at each point is set up once.
pub struct Maker<'a> {
    pub ticket: &'a Ticket,
    initial: Option<SensingProblem>,
    trained: Option<SensingProblem>,
}

/// A rung of the ladder: name, damping, mask, and the overlap with its reference.
pub type Rung = (&'static str, f64, Masked, Option<(usize, f64)>);

impl<'a> Maker<'a> {
    pub fn new(ticket: &'a Ticket) -> Self {
        Maker {
            ticket,
            initial: None,
            trained: None,
        }
    }

    /// The parameters at a point.
    fn values(&self, point: Point) -> Result<&'a [f32]> {
        match point {
            Point::Initial => Ok(&self.ticket.trial.run.initial),
            Point::Trained => self.ticket.trial.trained(),
        }
    }

    pub fn theta(&self, point: Point) -> Result<Vec<f64>> {
        Ok(self.values(point)?.iter().map(|&v| f64::from(v)).collect())
    }

    pub fn problem_on(&self, point: Point, samples: &Array<f64>) -> Result<SensingProblem> {
        let theta = self.theta(point)?;
        SensingProblem::new(&self.ticket.trial.network, &theta, samples, RowTransform::Centred)
    }

    pub fn problem(&mut self, point: Point) -> Result<&SensingProblem> {
        let made = match point {
            Point::Initial => self.initial.take(),
            Point::Trained => self.trained.take(),
        };
        let made = match made {
            Some(made) => made,
            None => self.problem_on(point, &self.ticket.samples)?,
        };
        Ok(match point {
            Point::Initial => self.initial.insert(made),
            Point::Trained => self.trained.insert(made),
        })
    }

    /// The mask of an arm.
    pub fn make(&mut self, arm: Arm, density: f64, damping: f64, context: &Context<'_>) -> Result<Masked> {
        let (ticket, trial) = (self.ticket, &self.ticket.trial);
        let (counts, rounds) = (ticket.counts(density)?, ticket.rounds(density));
        let dense = ticket.training_passes();
        let (mask, passes) = match arm {
            // As many trainings as rounds of pruning; the training of the ticket itself comes on top for everyone.
            Arm::Imp => (ticket.reference(density)?.clone(), rounds as f64 * dense),
            Arm::MagnitudeInitial => (self.scored(Criterion::Magnitude, Point::Initial, &counts)?, 0.0),
            Arm::MagnitudeTrained => (self.scored(Criterion::Magnitude, Point::Trained, &counts)?, dense),
            Arm::DamageTrained => {
                let classes = trial.network.classes() as f64;
                (
                    self.scored(Criterion::OptimalBrainDamage, Point::Trained, &counts)?,
                    dense + classes,
                )
            }
            Arm::Random => {
                let seed = trial.seed.stream("random").stream(density.to_string());
                let mask = random_mask(trial.network.layout().len(), &trial.layers(), &counts, &seed)?;
                (mask, 0.0)
            }
            Arm::Recovered(solver, point) => {
                let b = self.problem(point)?.right_hand_side(&ticket.labels)?;
                return Ok(self.recovered(point, &b, solver, damping, &counts)?.0);
            }
            Arm::ImpReordered => (self.reordered(density, context)?, rounds as f64 * dense),
            Arm::Snip => (self.scored(Criterion::Snip, Point::Initial, &counts)?, 1.0),
            Arm::NetTrim => return self.net_trim(&counts),
            Arm::HardThresholding => self.thresholded(rounds, &counts)?,
            Arm::Elimination => return self.eliminated(rounds, damping, &counts),
            Arm::Relinearised => return self.relinearised(damping, &counts),
            Arm::MagnitudeGlobal => {
                let (theta, count) = (trial.trained()?, counts.iter().sum());
                (trial.highest_together(Criterion::Magnitude, theta, count)?, dense)
            }
            Arm::OmpGlobal => return self.pursued(damping, counts.iter().sum()),
        };
        Ok(Masked {
            kept: Some(counts.iter().sum()),
            mask: Some(mask),
            status: "-",
            passes,
            ..Masked::default()
        })
    }

    /// The mask of a descent with hard thresholds, and its passes: the budget of iterative pruning; what is cut has a twelfth
    /// of a training to grow before it competes again.
    fn thresholded(&self, rounds: usize, counts: &[usize]) -> Result<(Mask, f64)> {
        let (trial, steps) = (&self.ticket.trial, self.ticket.sizes.steps);
        let method = HardThresholding {
            training: training(RATE, rounds * steps),
            every: steps / 12,
            ..HardThresholding::default()
        };
        let (order, data) = (trial.seed.stream("training"), trial.samples.view());
        let found = method.run(&trial.network, &data, counts, &trial.run.initial, &order)?;
        Ok((found.mask, found.passes))
    }

    /// Iterative magnitude pruning inside the linear model at θ₀.
    fn eliminated(&mut self, rounds: usize, damping: f64, counts: &[usize]) -> Result<Masked> {
        let ticket = self.ticket;
        let problem = self.problem(Point::Initial)?;
        let method = LinearImp {
            rounds,
            // Which weights are small is settled long before their values are.
            tolerance: 1e-3,
            max_iterations: 60,
        };
        let answer = method.recover(problem, &problem.right_hand_side(&ticket.labels)?, counts, damping)?;
        let setup = problem.applications();
        Ok(self.told(&answer, setup, counts.iter().sum()))
    }

    /// Recovery in rounds of linearisation.
    fn relinearised(&self, damping: f64, counts: &[usize]) -> Result<Masked> {
        let (ticket, network) = (self.ticket, &self.ticket.trial.network);
        let method = Relinearised {
            damping,
            ..Relinearised::default()
        };
        let theta = self.theta(Point::Initial)?;
        let found = method.mask(network, &theta, &ticket.samples, &ticket.labels, counts)?;
        Ok(Masked {
            kept: found.mask.as_ref().map(|mask| ticket.trial.kept(mask)),
            status: found.statuses.last().map_or("-", |status| status.as_str()),
            passes: ticket.sample_passes(found.applications + (method.rounds * network.classes()) as f64),
            mask: found.mask,
            ..Masked::default()
        })
    }

    /// OMP at θ₀ with one budget for all layers.
    fn pursued(&mut self, damping: f64, count: usize) -> Result<Masked> {
        let ticket = self.ticket;
        let problem = self.problem(Point::Initial)?;
        let (b, setup) = (problem.right_hand_side(&ticket.labels)?, problem.applications());
        let request = RecoveryRequest {
            solver: RecoveredBy::Omp,
            damping,
            counts: &[count],
        };
        let answer = problem.clone().with_one_budget().recover(&b, &request)?;
        Ok(self.told(&answer, setup, count))
    }

    /// The mask of iterative pruning from the same initial weights on another order of the data.
    pub fn reordered(&self, density: f64, context: &Context<'_>) -> Result<Mask> {
        let (ticket, trial) = (self.ticket, &self.ticket.trial);
        let rates = trial.plan.layer_rates(&trial.network)?;
        let order = trial.seed.stream("another order");
        let mut mask = trial.network.layout().full_mask();
        for _ in 0..ticket.rounds(density) {
            context.check()?;
            let data = trial.samples.view();
            let outcome = trial
                .plan
                .train(&trial.network, &data, &mask, &trial.run.initial, 0, &order)?;
            let scores: Vec<f64> = outcome.theta.iter().map(|v| f64::from(v.abs())).collect();
            mask = prune_lowest(&mask, &scores, &rates, Scope::Layerwise)?;
        }
        Ok(mask)
    }

    /// OMP of every trained layer from its own inputs, the units of a layer competing, each layer behind the pruned ones.
    fn net_trim(&self, counts: &[usize]) -> Result<Masked> {
        let (ticket, trial) = (self.ticket, &self.ticket.trial);
        let request = TrimRequest {
            solver: TrimmedBy::Omp,
            spread: Spread::Layer,
            order: TrimOrder::Cascade,
            counts,
        };
        let found = net_trim(&trial.network, &self.theta(Point::Trained)?, &ticket.samples, &request)?;
        let mask = found.ticket.map(|found| found.mask);
        // One forward pass of the given network and one of the pruned network a layer; the least squares are no passes.
        let passes = ticket.sample_passes((1 + counts.len()) as f64);
        Ok(Masked {
            kept: mask.as_ref().map(|mask| trial.kept(mask)),
            mask,
            status: found.statuses.last().map_or("-", |status| status.as_str()),
            passes: ticket.training_passes() + passes,
            ..Masked::default()
        })
    }

    /// An answer of the linear model at θ₀ that is no [`RecoveryRequest`] with a budget a layer.
    fn told(&self, answer: &Recovered, setup: f64, asked: usize) -> Masked {
        let (ticket, trial) = (self.ticket, &self.ticket.trial);
        let mask = answer.ticket.as_ref().map(|found| &found.mask);
        let kept = mask.map(|mask| trial.kept(mask));
        Masked {
            mask: mask.filter(|_| kept == Some(asked)).cloned(),
            kept,
            status: answer.status.as_str(),
            passes: ticket.sample_passes(setup + trial.network.classes() as f64 + answer.applications),
            ..Masked::default()
        }
    }

    fn scored(&self, criterion: Criterion, point: Point, counts: &[usize]) -> Result<Mask> {
        self.ticket.trial.highest(criterion, self.values(point)?, counts)
    }

    /// Recovers at a point, and says what it cost; the second value is the answer itself.
    pub fn recovered(
        &mut self,
        point: Point,
        b: &[f64],
        solver: RecoveredBy,
        damping: f64,
        counts: &[usize],
    ) -> Result<(Masked, Recovered)> {
        let (ticket, trial) = (self.ticket, &self.ticket.trial);
        let problem = self.problem(point)?;
        let answer = problem.recover(
            b,
            &RecoveryRequest {
                solver,
                damping,
                counts,
            },
        )?;
        // A product with A or Aᵀ is at most one forward and backward pass over the samples; setting A up takes one
        // backward pass a class.
        let products = problem.applications() + trial.network.classes() as f64 + answer.applications;
        let mut passes = ticket.sample_passes(products);
        if point == Point::Trained {
            passes += ticket.training_passes();
        }
        let mut masked = Masked {
            status: answer.status.as_str(),
            passes,
            zero: Some(problem.zero_columns()),
            merged: Some(problem.merged_columns()),
            penalty_ratio: answer
                .penalty_ratios
                .as_ref()
                .map(|r| r.iter().copied().fold(f64::INFINITY, f64::min)),
            gap: match &answer.certificate {
                Certificate::DualityGap { gap, scale, .. } => Some(gap / scale),
                _ => None,
            },
            ..Masked::default()
        };
        if let Some(found) = &answer.ticket {
            let kept = trial.kept(&found.mask);
            masked.kept = Some(kept);
            masked.before_cut = Some(answer.nonzeros_before_cut.iter().sum());
            // A solver that explained the data with fewer weights has no mask of these counts: nothing is padded.
            if kept == counts.iter().sum::<usize>() || answer.status == Status::ResidualReached {
                masked.mask = Some(found.mask.clone());
            }
        }
        Ok((masked, answer))
    }

    /// The overlap of a mask with the ticket of iterative pruning among the candidates at θ₀, and its mean by chance.
    pub fn overlap(&mut self, mask: &Mask, density: f64) -> Result<(usize, f64)> {
        let reference = self.ticket.reference(density)?;
        self.overlap_of(mask, reference)
    }

    pub fn overlap_of(&mut self, mask: &Mask, reference: &Mask) -> Result<(usize, f64)> {
        let ticket = self.ticket;
        let problem = self.problem(Point::Initial)?;
        let (mut shared, mut layers) = (0, Vec::new());
        for slot in ticket.trial.network.layout().weight_slots() {
            let mut counts = LayerCounts {
                weights: 0,
                first: 0,
                second: 0,
            };
            for (&j, _) in problem
                .operator()
                .parameters()
                .iter()
                .zip(problem.candidates())
                .filter(|(j, candidate)| **candidate && slot.range.contains(j))
            {
                counts.weights += 1;
                counts.first += usize::from(mask.keeps(j));
                counts.second += usize::from(reference.keeps(j));
                shared += usize::from(mask.keeps(j) && reference.keeps(j));
            }
            layers.push(counts);
        }
        Ok((shared, chance_overlap(&layers)?.mean))
    }

    /// How wrong the linear model at θ₀ is at m ⊙ θ₀.
    pub fn linearisation_error(&mut self, mask: &Mask) -> Result<f64> {
        let mut theta = self.theta(Point::Initial)?;
        mask.apply(&mut theta)?;
        self.problem(Point::Initial)?.linearisation().relative_error(&theta)
    }
}
