//! Who chooses which weights stay.

use super::super::comparison::Trial;
use ticketsense::harness::Context;
use ticketsense::linearize::RowTransform;
use ticketsense::networks::Array;
use ticketsense::operators::MeasurementOperator;
use ticketsense::pruning::controls::random_mask;
use ticketsense::pruning::{
    Criterion, DesignCriterion, DesignPrior, DesignRequest, RecoveredBy, RecoveryRequest, SensingProblem, keep_highest,
};
use ticketsense::{Error, Mask, Result};

/// The damping of sparse recovery and of the Bayesian designs, in mean squared norms of the columns; fixed beforehand.
const DAMPING: f64 = 0.1;

/// Where the network is linearised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// θ₀.
    Initial,
    /// θ_T, after the dense training.
    Trained,
}

/// Who chooses the mask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arm {
    /// Iterative magnitude pruning: its counts are everyone's.
    Imp,
    /// Magnitude after the dense training, at once.
    Magnitude,
    /// Optimal brain damage after the dense training, at once.
    Damage,
    /// Orthogonal matching pursuit from the labels, at θ₀.
    Pursuit,
    /// Random within layers.
    Random,
    /// The columns of largest norm at θ₀, and of largest `|θ_j|‖a_j‖` at θ_T: what a design is when no column looks at another.
    Norms(Point),
    /// Optimal design.
    Design {
        name: &'static str,
        criterion: DesignCriterion,
        prior: DesignPrior,
        damping: f64,
        point: Point,
    },
}

/// A design arm.
const fn design(name: &'static str, criterion: DesignCriterion, prior: DesignPrior, damping: f64, point: Point) -> Arm {
    Arm::Design {
        name,
        criterion,
        prior,
        damping,
        point,
    }
}

/// Every arm, in the order of the table.
pub const ARMS: [Arm; 12] = [
    Arm::Imp,
    Arm::Magnitude,
    Arm::Damage,
    Arm::Pursuit,
    Arm::Random,
    design("a@initial", DesignCriterion::A, DesignPrior::Equal, 0.0, Point::Initial),
    design("d@initial", DesignCriterion::D, DesignPrior::Equal, 0.0, Point::Initial),
    design(
        "bayes-a@initial",
        DesignCriterion::A,
        DesignPrior::Equal,
        DAMPING,
        Point::Initial,
    ),
    design(
        "bayes-a@trained",
        DesignCriterion::A,
        DesignPrior::Equal,
        DAMPING,
        Point::Trained,
    ),
    design(
        "bayes-d-prior@trained",
        DesignCriterion::D,
        DesignPrior::Magnitude,
        DAMPING,
        Point::Trained,
    ),
    Arm::Norms(Point::Initial),
    Arm::Norms(Point::Trained),
];

impl Arm {
    /// The word in the table.
    pub fn name(self) -> &'static str {
        match self {
            Arm::Imp => "imp",
            Arm::Magnitude => "magnitude@trained",
            Arm::Damage => "damage@trained",
            Arm::Pursuit => "omp@initial",
            Arm::Random => "random",
            Arm::Norms(Point::Initial) => "norms@initial",
            Arm::Norms(Point::Trained) => "norms-prior@trained",
            Arm::Design { name, .. } => name,
        }
    }

    /// The names of the designs.
    pub fn designs() -> Vec<&'static str> {
        let designs = ARMS.into_iter().filter(|arm| matches!(arm, Arm::Design { .. }));
        designs.map(Arm::name).collect()
    }
}

/// A mask, where there is one, and how it came about.
#[derive(Clone, Debug)]
pub struct Made {
    pub mask: Option<Mask>,
    pub status: &'static str,
    pub passes: f64,
}

/// Makes the masks of one seed; the problem at each point is set up once.
pub struct Maker<'a> {
    trial: &'a Trial,
    samples: Array<f64>,
    labels: Vec<usize>,
    initial: Option<SensingProblem>,
    trained: Option<SensingProblem>,
}

impl<'a> Maker<'a> {
    /// On so many training samples, balanced over the classes.
    pub fn new(context: &Context<'_>, trial: &'a Trial, samples: usize) -> Result<Self> {
        let dataset = context.data()?;
        let chosen = dataset.stratified(samples, &trial.seed.stream("samples"))?;
        Ok(Maker {
            trial,
            samples: dataset.batch(&chosen)?,
            labels: dataset.labels_of(&chosen)?,
            initial: None,
            trained: None,
        })
    }

    /// Passes over the training set of one dense training.
    fn dense_passes(&self) -> f64 {
        self.trial.passes(self.trial.plan.training.steps)
    }

    fn problem(&mut self, point: Point) -> Result<&SensingProblem> {
        let values = match point {
            Point::Initial => &self.trial.run.initial[..],
            Point::Trained => self.trial.trained()?,
        };
        let theta: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
        let kept = match point {
            Point::Initial => &mut self.initial,
            Point::Trained => &mut self.trained,
        };
        if kept.is_none() {
            let network = &self.trial.network;
            *kept = Some(SensingProblem::new(
                network,
                &theta,
                &self.samples,
                RowTransform::Centred,
            )?);
        }
        kept.as_ref()
            .ok_or_else(|| Error::numerical("sensing problem", "was not set up"))
    }

    /// Passes over the training set: a product with the Jacobian is at most one forward and backward pass over the samples,
    /// and setting it up takes one backward pass a class; a point after training costs that training.
    fn passes(&self, point: Point, products: f64) -> f64 {
        let classes = self.trial.network.classes() as f64;
        let training = self.trial.samples.view().training.inputs.rows() as f64;
        let own = (products + classes) * self.samples.rows() as f64 / training;
        own + if point == Point::Trained {
            self.dense_passes()
        } else {
            0.0
        }
    }

    /// The mask of an arm at the counts of a round.
    pub fn make(&mut self, arm: Arm, round: usize) -> Result<Made> {
        let trial = self.trial;
        let reference = &trial.round(round)?.mask;
        let counts = trial.counts(reference);
        let certain = |mask: Mask, passes: f64| {
            Ok(Made {
                mask: Some(mask),
                status: "-",
                passes,
            })
        };
        match arm {
            Arm::Imp => certain(reference.clone(), round as f64 * self.dense_passes()),
            Arm::Magnitude => {
                let mask = trial.highest(Criterion::Magnitude, trial.trained()?, &counts)?;
                certain(mask, self.dense_passes())
            }
            Arm::Damage => {
                let mask = trial.highest(Criterion::OptimalBrainDamage, trial.trained()?, &counts)?;
                certain(mask, self.dense_passes() + trial.network.classes() as f64)
            }
            Arm::Random => {
                let seed = trial.seed.stream("random").stream(round.to_string());
                let mask = random_mask(trial.network.layout().len(), &trial.layers(), &counts, &seed)?;
                certain(mask, 0.0)
            }
            Arm::Pursuit => {
                let labels = self.labels.clone();
                let problem = self.problem(Point::Initial)?;
                let request = RecoveryRequest {
                    solver: RecoveredBy::Omp,
                    damping: DAMPING,
                    counts: &counts,
                };
                let answer = problem.recover(&problem.right_hand_side(&labels)?, &request)?;
                let products = problem.applications() + answer.applications;
                // A solver that explains the data with fewer weights has no mask of these counts.
                let mask = answer.ticket.map(|ticket| ticket.mask);
                Ok(Made {
                    mask: mask.filter(|mask| trial.counts(mask) == counts),
                    status: answer.status.as_str(),
                    passes: self.passes(Point::Initial, products),
                })
            }
            Arm::Norms(point) => {
                let problem = self.problem(point)?;
                let norms = problem.operator().column_norms();
                let mut scores = vec![0.0; trial.network.layout().len()];
                for (&j, norm) in problem.operator().parameters().iter().zip(norms) {
                    let weight = problem.linearisation().theta()[j].abs();
                    scores[j] = if point == Point::Trained { norm * weight } else { norm };
                }
                let full = trial.network.layout().full_mask();
                let mask = keep_highest(&full, &scores, &trial.layers(), &counts)?;
                certain(mask, self.passes(point, 1.0))
            }
            Arm::Design {
                criterion,
                prior,
                damping,
                point,
                ..
            } => {
                let problem = self.problem(point)?;
                let designed = problem.design(&DesignRequest {
                    criterion,
                    prior,
                    damping,
                    counts: &counts,
                })?;
                let products = problem.applications() + designed.applications;
                Ok(Made {
                    mask: designed.mask,
                    status: designed.status.as_str(),
                    passes: self.passes(point, products),
                })
            }
        }
    }
}
