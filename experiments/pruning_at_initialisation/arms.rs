//! Who chooses the mask, and what is then changed about it.

use super::super::comparison::Trial;
use super::super::tickets::plan;
use super::rewind_step;
use ticketsense::harness::Context;
use ticketsense::pruning::controls::shuffle_within_layers;
use ticketsense::pruning::{Allocation, Criterion, ImpPlan, ScoredPruning, TrainingOutcome};
use ticketsense::{Mask, Result};

/// Who chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Iterative magnitude pruning, back to the initial weights.
    Imp,
    /// The same, back to an early step.
    ImpRewound,
    /// The scores of the initial weights over all layers.
    Scored(Criterion),
    /// Chance, the same density in every layer.
    RandomUniform,
    /// Chance, the densities of the Erdős–Rényi kernel.
    RandomKernel,
}

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Nothing.
    Own,
    /// The mask is shuffled within each layer.
    Shuffled,
    /// The initial weights are drawn again.
    Fresh,
}

/// What is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arm {
    pub method: Method,
    pub treatment: Treatment,
}

const fn own(method: Method) -> Arm {
    Arm {
        method,
        treatment: Treatment::Own,
    }
}

const fn of(method: Method, treatment: Treatment) -> Arm {
    Arm { method, treatment }
}

/// Those that change their mask, or start from other values: the methods that look at weights.
pub const TREATED: [Method; 5] = [
    Method::Imp,
    Method::Scored(Criterion::Snip),
    Method::Scored(Criterion::Grasp),
    Method::Scored(Criterion::SynFlow),
    Method::Scored(Criterion::Magnitude),
];

/// Those that choose before any training.
pub const UNTRAINED: [Method; 6] = [
    Method::Scored(Criterion::Snip),
    Method::Scored(Criterion::Grasp),
    Method::Scored(Criterion::SynFlow),
    Method::Scored(Criterion::Magnitude),
    Method::RandomKernel,
    Method::RandomUniform,
];

/// Everything that is trained at every density.
pub const ARMS: [Arm; 18] = [
    own(Method::Imp),
    own(Method::ImpRewound),
    own(UNTRAINED[0]),
    own(UNTRAINED[1]),
    own(UNTRAINED[2]),
    own(UNTRAINED[3]),
    own(UNTRAINED[4]),
    own(UNTRAINED[5]),
    of(TREATED[0], Treatment::Shuffled),
    of(TREATED[1], Treatment::Shuffled),
    of(TREATED[2], Treatment::Shuffled),
    of(TREATED[3], Treatment::Shuffled),
    of(TREATED[4], Treatment::Shuffled),
    of(TREATED[0], Treatment::Fresh),
    of(TREATED[1], Treatment::Fresh),
    of(TREATED[2], Treatment::Fresh),
    of(TREATED[3], Treatment::Fresh),
    of(TREATED[4], Treatment::Fresh),
];

impl Method {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Method::Imp => "imp",
            Method::ImpRewound => "imp-rewound",
            Method::Scored(criterion) => criterion.as_str(),
            Method::RandomUniform => "random-uniform",
            Method::RandomKernel => "random-erk",
        }
    }

    /// How often what is left is scored: a hundred times for SynFlow, as it is meant.
    fn rounds(self) -> usize {
        match self {
            Method::Scored(Criterion::SynFlow) => 100,
            _ => 1,
        }
    }
}

impl Arm {
    /// The word in tables.
    pub fn name(self) -> String {
        match self.treatment {
            Treatment::Own => self.method.name().into(),
            Treatment::Shuffled => format!("{}:shuffled", self.method.name()),
            Treatment::Fresh => format!("{}:fresh", self.method.name()),
        }
    }
}

/// A mask, what it starts from, and what it took to find.
pub struct Chosen {
    pub mask: Mask,
    pub values: Vec<f32>,
    pub start: usize,
    pub passes: f64,
}

/// One seed: its run of iterative pruning, and the one that rewinds.
pub struct Seedling {
    pub trial: Trial,
    rewound: Trial,
}

impl Seedling {
    /// The `number`-th seed; both runs are computed once.
    ///
    /// # Errors
    /// As [`Trial::new`].
    pub fn new(context: &Context<'_>, number: usize) -> Result<Self> {
        let plan = plan(context.scale());
        let rewound = ImpPlan {
            rewind_step: rewind_step(&plan),
            ..plan.clone()
        };
        Ok(Seedling {
            trial: Trial::new(context, &plan, number)?,
            rewound: Trial::new(context, &rewound, number)?,
        })
    }

    /// The mask of an arm with as many weights as iterative pruning has left after a round.
    ///
    /// # Errors
    /// When the run has no such round; as [`ScoredPruning::prune`].
    pub fn choose(&self, arm: Arm, round: usize) -> Result<Chosen> {
        let mut chosen = self.of_method(arm.method, round)?;
        let seed = &self.trial.seed;
        match arm.treatment {
            Treatment::Own => {}
            Treatment::Shuffled => {
                let stream = seed.stream("shuffle").stream(arm.method.name()).replicate(round as u64);
                chosen.mask = shuffle_within_layers(&chosen.mask, &self.trial.layers(), &stream)?;
            }
            Treatment::Fresh => {
                chosen.values = self.trial.fresh()?;
            }
        }
        Ok(chosen)
    }

    fn of_method(&self, method: Method, round: usize) -> Result<Chosen> {
        let trial = &self.trial;
        let imp = |trial: &Trial, start: usize| -> Result<Chosen> {
            // As many trainings as rounds of pruning; all but the first begin at the step that they go back to.
            let steps = trial.plan.training.steps + (round - 1) * (trial.plan.training.steps - start);
            Ok(Chosen {
                mask: trial.round(round)?.mask.clone(),
                values: trial.run.rewind.clone(),
                start,
                passes: trial.passes(steps),
            })
        };
        let density = trial.density(&trial.round(round)?.mask);
        match method {
            Method::Imp => imp(trial, 0),
            Method::ImpRewound => imp(&self.rewound, self.rewound.plan.rewind_step),
            Method::Scored(criterion) => self.scored(criterion, Allocation::Global, density, method),
            Method::RandomUniform => self.scored(Criterion::Random, Allocation::Uniform, density, method),
            Method::RandomKernel => self.scored(Criterion::Random, Allocation::ErdosRenyiKernel, density, method),
        }
    }

    fn scored(&self, criterion: Criterion, allocation: Allocation, density: f64, method: Method) -> Result<Chosen> {
        let trial = &self.trial;
        let initial = &trial.run.initial;
        let pruning = ScoredPruning {
            criterion,
            density,
            allocation,
            rounds: method.rounds(),
        };
        let seed = trial.seed.stream("scores").stream(method.name());
        let full = trial.network.layout().full_mask();
        let found = pruning.prune(&trial.criterion_input(initial, &full, seed))?;
        Ok(Chosen {
            mask: found.mask,
            values: initial.clone(),
            start: 0,
            passes: found.gradient_passes,
        })
    }

    /// Trains a choice at a learning rate.
    ///
    /// # Errors
    /// As [`Trial::train`].
    pub fn train(&self, chosen: &Chosen, rate: f64) -> Result<TrainingOutcome> {
        self.trial.train(&chosen.mask, &chosen.values, chosen.start, rate)
    }
}
