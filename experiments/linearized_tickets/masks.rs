//! The arms: who chooses which weights stay, and what that costs.

use super::{DENSITIES, Ticket};
use ticketsense::harness::Context;
use ticketsense::linearize::RowTransform;
use ticketsense::networks::Array;
use ticketsense::outcome::Status;
use ticketsense::pruning::controls::random_mask;
use ticketsense::pruning::{
    Criterion, CriterionInput, Recovered, RecoveredBy, RecoveryRequest, Scope, SensingProblem, keep_highest,
    prune_lowest,
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
        }
    }

    /// Whether it has a damping to choose.
    pub fn is_damped(self) -> bool {
        matches!(self, Arm::Recovered(..))
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
    ticket: &'a Ticket,
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

    fn theta(&self, point: Point) -> Vec<f64> {
        let values = match point {
            Point::Initial => &self.ticket.run.initial,
            Point::Trained => &self.ticket.run.rounds[0].outcome.theta,
        };
        values.iter().map(|&v| f64::from(v)).collect()
    }

    fn problem_on(&self, point: Point, samples: &Array<f64>) -> Result<SensingProblem> {
        SensingProblem::new(&self.ticket.network, &self.theta(point), samples, RowTransform::Centred)
    }

    fn problem(&mut self, point: Point) -> Result<&SensingProblem> {
        let known = match point {
            Point::Initial => &self.initial,
            Point::Trained => &self.trained,
        };
        if known.is_none() {
            let made = self.problem_on(point, &self.ticket.samples)?;
            match point {
                Point::Initial => self.initial = Some(made),
                Point::Trained => self.trained = Some(made),
            }
        }
        let known = match point {
            Point::Initial => &self.initial,
            Point::Trained => &self.trained,
        };
        known
            .as_ref()
            .ok_or_else(|| ticketsense::Error::numerical("sensing problem", "was not set up"))
    }

    /// The mask of an arm.
    pub fn make(&mut self, arm: Arm, density: f64, damping: f64) -> Result<Masked> {
        let ticket = self.ticket;
        let counts = ticket.counts(density);
        let dense = ticket.training_passes();
        let (mask, passes) = match arm {
            Arm::Imp => {
                let rounds = ticket.sizes.rounds[usize::from(density != DENSITIES[0])];
                // As many trainings as rounds of pruning; the training of the ticket itself comes on top for everyone.
                (ticket.reference(density).clone(), rounds as f64 * dense)
            }
            Arm::MagnitudeInitial => (self.scored(Criterion::Magnitude, Point::Initial, &counts)?, 0.0),
            Arm::MagnitudeTrained => (self.scored(Criterion::Magnitude, Point::Trained, &counts)?, dense),
            Arm::DamageTrained => {
                let classes = ticket.network.classes() as f64;
                (
                    self.scored(Criterion::OptimalBrainDamage, Point::Trained, &counts)?,
                    dense + classes,
                )
            }
            Arm::Random => {
                let layers: Vec<_> = ticket
                    .network
                    .layout()
                    .weight_slots()
                    .map(|s| s.range.clone())
                    .collect();
                let seed = ticket.seed.stream("random").stream(density.to_string());
                (
                    random_mask(ticket.network.layout().len(), &layers, &counts, &seed)?,
                    0.0,
                )
            }
            Arm::Recovered(solver, point) => {
                let labels = ticket.labels.clone();
                let problem = self.problem(point)?;
                let b = problem.right_hand_side(&labels)?;
                return Ok(self.recovered(point, &b, solver, damping, &counts)?.0);
            }
        };
        Ok(Masked {
            kept: Some(counts.iter().sum()),
            mask: Some(mask),
            status: "-",
            passes,
            ..Masked::default()
        })
    }

    fn scored(&self, criterion: Criterion, point: Point, counts: &[usize]) -> Result<Mask> {
        let ticket = self.ticket;
        let theta = match point {
            Point::Initial => &ticket.run.initial,
            Point::Trained => &ticket.run.rounds[0].outcome.theta,
        };
        let scores = criterion.scores(&CriterionInput {
            network: &ticket.network,
            theta,
            mask: &ticket.network.layout().full_mask(),
            initial: &ticket.run.initial,
            loss: ticket.plan.training.loss,
            training: ticket.data.view().training,
            seed: ticket.seed.stream("criterion"),
        })?;
        let layers: Vec<_> = ticket
            .network
            .layout()
            .weight_slots()
            .map(|s| s.range.clone())
            .collect();
        keep_highest(&ticket.network.layout().full_mask(), &scores, &layers, counts)
    }

    /// Recovers at a point, and says what it cost; the second value is the answer itself.
    fn recovered(
        &mut self,
        point: Point,
        b: &[f64],
        solver: RecoveredBy,
        damping: f64,
        counts: &[usize],
    ) -> Result<(Masked, Recovered)> {
        let ticket = self.ticket;
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
        let products = problem.applications() + ticket.network.classes() as f64 + answer.applications;
        let mut passes = products * ticket.samples.rows() as f64 / ticket.training_samples as f64;
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
            let layers = ticket.network.layout().weight_slots();
            let kept: usize = layers.map(|s| found.mask.kept_in(s.range.clone())).sum();
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
        let reference = self.ticket.reference(density);
        self.overlap_of(mask, reference)
    }

    fn overlap_of(&mut self, mask: &Mask, reference: &Mask) -> Result<(usize, f64)> {
        let ticket = self.ticket;
        let problem = self.problem(Point::Initial)?;
        let (mut shared, mut layers) = (0, Vec::new());
        for slot in ticket.network.layout().weight_slots() {
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
        let mut theta = self.theta(Point::Initial);
        mask.apply(&mut theta)?;
        self.problem(Point::Initial)?.linearisation().relative_error(&theta)
    }

    /// The overlap with the ticket that iterative pruning finds at the primary density from the same initial weights on
    /// another order of the data.
    pub fn ceiling(&mut self, context: &Context<'_>) -> Result<usize> {
        let ticket = self.ticket;
        let rates = ticket.plan.layer_rates(&ticket.network)?;
        let order = ticket.seed.stream("another order");
        let mut mask = ticket.network.layout().full_mask();
        for _ in 0..ticket.sizes.rounds[0] {
            context.check()?;
            let data = ticket.data.view();
            let outcome = ticket
                .plan
                .train(&ticket.network, &data, &mask, &ticket.run.initial, 0, &order)?;
            let scores: Vec<f64> = outcome.theta.iter().map(|v| f64::from(v.abs())).collect();
            mask = prune_lowest(&mask, &scores, &rates, Scope::Layerwise)?;
        }
        Ok(self.overlap(&mask, DENSITIES[0])?.0)
    }

    /// OMP at θ₀ on targets from planted data to labels, at the primary density; and the agreement of the masks from two
    /// halves of the samples.
    pub fn ladder(&mut self, damping: f64) -> Result<Vec<Rung>> {
        let ticket = self.ticket;
        let counts = ticket.counts(DENSITIES[0]);
        let widen = |values: &[f32]| -> Vec<f64> { values.iter().map(|&v| f64::from(v)).collect() };
        let sparse = widen(&ticket.run.rounds[ticket.sizes.rounds[0]].outcome.theta);
        let dense = self.theta(Point::Trained);
        let of_ticket = ticket.network.outputs(&sparse, &ticket.samples)?;
        let of_dense = ticket.network.outputs(&dense, &ticket.samples)?;
        let problem = self.problem(Point::Initial)?;
        let targets = [
            ("R0 planted, undamped", 0.0, problem.planted(&sparse)?),
            ("R0 planted", damping, problem.planted(&sparse)?),
            ("R1 ticket outputs", damping, problem.right_hand_side(&of_ticket)?),
            ("R2 dense outputs", damping, problem.right_hand_side(&of_dense)?),
            ("R3 labels", damping, problem.right_hand_side(&ticket.labels)?),
        ];
        let mut rungs = Vec::new();
        for (name, damping, b) in targets {
            let masked = self
                .recovered(Point::Initial, &b, RecoveredBy::Omp, damping, &counts)?
                .0;
            let overlap = match &masked.mask {
                Some(mask) => Some(self.overlap(mask, DENSITIES[0])?),
                None => None,
            };
            rungs.push((name, damping, masked, overlap));
        }
        let mut halves = Vec::new();
        // Samples by class, dealt alternately: both halves hold every class.
        let mut order: Vec<usize> = (0..ticket.labels.len()).collect();
        order.sort_by_key(|&i| (ticket.labels[i], i));
        for half in 0..2 {
            let rows: Vec<usize> = order.iter().copied().skip(half).step_by(2).collect();
            let labels: Vec<usize> = rows.iter().map(|&i| ticket.labels[i]).collect();
            let problem = self.problem_on(Point::Initial, &ticket.samples.select_rows(&rows)?)?;
            let b = problem.right_hand_side(&labels)?;
            let request = RecoveryRequest {
                solver: RecoveredBy::Omp,
                damping,
                counts: &counts,
            };
            halves.push(problem.recover(&b, &request)?);
        }
        if let (Some(a), Some(b)) = (&halves[0].ticket, &halves[1].ticket) {
            let overlap = self.overlap_of(&a.mask, &b.mask)?;
            let masked = Masked {
                kept: Some(counts.iter().sum()),
                status: halves[0].status.as_str(),
                ..Masked::default()
            };
            rungs.push(("split-half", damping, masked, Some(overlap)));
        }
        Ok(rungs)
    }
}
