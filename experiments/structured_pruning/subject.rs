//! A network with its dense training: what the arms of one seed have in common.

use super::super::tickets::{samples, ticket_seed};
use super::arms::Made;
use ticketsense::harness::{Context, Scale};
use ticketsense::networks::{
    Activation, ImageShape, Initialisation, InputShape, Network, NetworkBuilder, Padding, PoolingKind,
};
use ticketsense::pruning::{ImpPlan, ImpSamples, LivePaths, TrainingOutcome, UnitChoice, Units};
use ticketsense::training::{Optimiser, TrainingPlan};
use ticketsense::{Mask, Result, Seed};

/// Which network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Neurons: hidden layers of 50 and 30.
    Perceptron,
    /// Channels: two convolutions of 8 and 12.
    Convolutional,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::Perceptron, Kind::Convolutional];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Perceptron => "perceptron",
            Kind::Convolutional => "convolutional",
        }
    }

    /// How every network of this kind is trained, but for the rate.
    fn training(self, scale: Scale) -> TrainingPlan {
        let steps = match self {
            Kind::Perceptron => scale.pick(100, 600, 2000),
            Kind::Convolutional => scale.pick(20, 250, 1500),
        };
        TrainingPlan {
            optimiser: Optimiser::adam(match self {
                Kind::Perceptron => 3e-3,
                Kind::Convolutional => 1e-2,
            }),
            steps,
            // Only the end is looked at.
            evaluate_every: steps,
            ..TrainingPlan::default()
        }
    }

    /// What the trainings depend on, in words.
    pub fn identity(self, scale: Scale) -> String {
        self.training(scale).identity()
    }

    fn build(self, shape: InputShape, classes: usize) -> Result<Network> {
        match self {
            Kind::Perceptron => Network::preset("mlp:50-30", shape, classes),
            Kind::Convolutional => {
                let image: ImageShape = shape.image()?;
                NetworkBuilder::new("two convolutions", image)?
                    .convolution(8, 3, 2, Padding::Zero(1))?
                    .activation(Activation::Relu)
                    .convolution(12, 3, 1, Padding::Zero(1))?
                    .activation(Activation::Relu)
                    .pool(PoolingKind::Largest, 2, 2)?
                    .dense(classes)?
                    .build()
            }
        }
    }
}

/// One seed.
pub struct Subject {
    pub kind: Kind,
    pub number: usize,
    pub network: Network,
    pub units: Units,
    /// θ₀.
    pub initial: Vec<f32>,
    /// The dense training.
    pub dense: TrainingOutcome,
    seed: Seed,
    data: ImpSamples,
    plan: ImpPlan,
}

impl Subject {
    /// Trains the dense network of a seed at the rate of its kind.
    pub fn new(context: &Context<'_>, kind: Kind, number: usize) -> Result<Self> {
        context.check()?;
        let data = samples(context)?;
        let (shape, classes) = (data.view().shape, data.view().classes);
        let network = kind.build(shape, classes)?;
        let seed = ticket_seed(context, number).stream(kind.as_str());
        let initial: Vec<f32> = network.initial(&seed.stream("initial"), &Initialisation::GLOROT)?;
        let plan = ImpPlan {
            training: kind.training(context.scale()),
            ..ImpPlan::default()
        };
        let full = network.layout().full_mask();
        let dense = plan.train(&network, &data.view(), &full, &initial, 0, &seed.stream("training"))?;
        Ok(Subject {
            kind,
            number,
            units: Units::of(&network),
            network,
            initial,
            dense,
            seed,
            data,
            plan,
        })
    }

    /// The rate of the dense training.
    pub fn rate(&self) -> f64 {
        self.plan.training.optimiser.learning_rate()
    }

    /// A stream of this seed.
    pub fn stream(&self, name: &str) -> Seed {
        self.seed.stream(name)
    }

    /// Trains what an arm has made, on the dense network's order of the data.
    pub fn train(&self, made: &Made, rate: f64) -> Result<TrainingOutcome> {
        let training = TrainingPlan {
            optimiser: self.plan.training.optimiser.at_rate(rate),
            ..self.plan.training.clone()
        };
        let plan = ImpPlan {
            training,
            ..self.plan.clone()
        };
        let order = self.seed.stream("training");
        plan.train(&made.network, &self.data.view(), &made.mask, &made.values, 0, &order)
    }

    /// Trains a mask of the whole network from the initial weights, at the rate of the dense training.
    pub fn train_mask(&self, mask: &Mask) -> Result<TrainingOutcome> {
        let order = self.seed.stream("training");
        self.plan
            .train(&self.network, &self.data.view(), mask, &self.initial, 0, &order)
    }

    /// Passes over the training set of one training.
    pub fn passes(&self) -> f64 {
        let plan = &self.plan.training;
        (plan.steps * plan.batch) as f64 / self.data.view().training.inputs.rows() as f64
    }

    /// The fraction of the weights on paths from an input to an output.
    pub fn effective_density(&self, mask: &Mask) -> Result<f64> {
        Ok(LivePaths::of(&self.network, mask)?.effective_density())
    }

    /// The units of every layer that a choice leaves, in words.
    pub fn widths(&self, choice: &UnitChoice) -> String {
        let counts: Vec<String> = choice.counts().iter().map(usize::to_string).collect();
        counts.join("-")
    }
}
