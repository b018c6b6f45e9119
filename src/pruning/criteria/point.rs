//! Networks at random points, which the tests of criteria run over.

use super::{CriterionInput, grasp};
use crate::networks::derivative_cases::{Case, normal};
use crate::networks::{
    Activation, Array, ImageShape, Loss, Network, NetworkBuilder, NormalisationKind, Padding, PoolingKind,
};
use crate::seed::Seed;
use crate::support::Mask;
use crate::training::Examples;
use rand::RngExt;

/// A network at a random point with samples, in single precision as criteria take them and in double precision of equal
/// value.
pub(super) struct Point {
    pub network: Network,
    pub theta: Vec<f32>,
    pub initial: Vec<f32>,
    pub mask: Mask,
    pub inputs: Array<f32>,
    pub labels: Vec<usize>,
}

impl Point {
    pub fn of(case: Case, density: f64) -> Self {
        let name = case.network.name().to_string();
        let mut mask = case.network.layout().full_mask();
        let mut rng = Seed::root(7).stream(&name).rng();
        for &weight in case.network.layout().weights().indices() {
            mask.set(weight, rng.random::<f64>() < density);
        }
        let mut theta: Vec<f32> = case.theta.iter().map(|&v| v as f32).collect();
        mask.apply(&mut theta).unwrap();
        Point {
            initial: normal(&Seed::root(8), &name, theta.len())
                .iter()
                .map(|&v| v as f32)
                .collect(),
            theta,
            mask,
            inputs: case.inputs.convert(),
            labels: case.labels,
            network: case.network,
        }
    }

    pub fn new(preset: &str, density: f64) -> Self {
        Point::of(Case::new(preset), density)
    }

    pub fn input(&self, loss: Loss) -> CriterionInput<'_> {
        CriterionInput {
            network: &self.network,
            theta: &self.theta,
            mask: &self.mask,
            initial: &self.initial,
            loss,
            training: Examples::labelled(&self.inputs, &self.labels),
            seed: Seed::root(9),
        }
    }

    pub fn double(&self) -> Vec<f64> {
        self.theta.iter().map(|&v| f64::from(v)).collect()
    }

    pub fn loss_at(&self, theta: &[f64], loss: Loss) -> f64 {
        self.network
            .loss(theta, &self.inputs.convert(), &self.labels, loss)
            .unwrap()
    }

    /// Half the squared gradient over the kept weights, of outputs divided by the temperature: softmax and its error written
    /// out, and multiplied by the temperature so that values are of order one.
    pub fn speed_at(&self, theta: &[f64], loss: Loss) -> f64 {
        let inputs = self.inputs.convert();
        let gradient = match loss {
            Loss::CrossEntropy => {
                let outputs = self.network.outputs(theta, &inputs).unwrap();
                let samples = self.labels.len() as f64;
                let error = Array::from_fn(self.labels.len(), outputs.columns(), |r, c| {
                    let powers: Vec<f64> = outputs.row(r).iter().map(|f| (f / grasp::TEMPERATURE).exp()).collect();
                    let target = if self.labels[r] == c { 1.0 } else { 0.0 };
                    (powers[c] / powers.iter().sum::<f64>() - target) / samples
                });
                self.network.jacobian_transpose_vector(theta, &error, &inputs).unwrap()
            }
            _ => self.network.gradient(theta, &inputs, &self.labels, loss).unwrap().1,
        };
        let weights = self.network.layout().weights();
        let kept = weights.indices().iter().filter(|&&i| self.mask.keeps(i));
        kept.map(|&i| 0.5 * gradient[i] * gradient[i]).sum()
    }

    /// The derivative of `of` along weight `i`, by central differences of two widths (Richardson): the error is of fourth
    /// order in the width.
    pub fn derivative(&self, i: usize, of: impl Fn(&[f64]) -> f64) -> f64 {
        self.derivative_by(1e-3, i, of)
    }

    /// The same by differences of widths `h` and `2h`.
    pub fn derivative_by(&self, h: f64, i: usize, of: impl Fn(&[f64]) -> f64) -> f64 {
        let slope = |h: f64| {
            let mut theta = self.double();
            theta[i] += h;
            let above = of(&theta);
            theta[i] -= 2.0 * h;
            (above - of(&theta)) / (2.0 * h)
        };
        (4.0 * slope(h) - slope(2.0 * h)) / 3.0
    }
}

/// Small networks on images, chains and residual ones.
pub(super) fn image_networks(activation: Activation) -> Vec<Network> {
    let image = ImageShape {
        channels: 2,
        height: 5,
        width: 4,
    };
    let start = |name: &str| NetworkBuilder::new(name, image).unwrap();
    vec![
        start("maxima")
            .convolution(3, 3, 1, Padding::Zero(1))
            .unwrap()
            .activation(activation)
            .pool(PoolingKind::Largest, 2, 2)
            .unwrap()
            .dense(4)
            .unwrap()
            .build()
            .unwrap(),
        start("residual")
            .convolution(3, 3, 1, Padding::Circular(1))
            .unwrap()
            .residual(|b| b.activation(activation).convolution(3, 3, 1, Padding::Zero(1)), Ok)
            .unwrap()
            .residual(
                |b| b.activation(activation).convolution(5, 3, 2, Padding::Zero(1)),
                |b| b.convolution(5, 1, 2, Padding::Zero(0)),
            )
            .unwrap()
            .pool_all(PoolingKind::Mean)
            .unwrap()
            .dense(4)
            .unwrap()
            .build()
            .unwrap(),
        start("normalised")
            .convolution(3, 3, 1, Padding::Zero(1))
            .unwrap()
            .normalise(NormalisationKind::Batch)
            .unwrap()
            .activation(activation)
            .residual(
                |b| {
                    let b = b.convolution(4, 3, 2, Padding::Zero(1))?;
                    let b = b.normalise(NormalisationKind::Batch)?.activation(activation);
                    b.convolution(4, 3, 1, Padding::Zero(1))?
                        .normalise(NormalisationKind::Batch)
                },
                |b| {
                    b.convolution(4, 1, 2, Padding::Zero(0))?
                        .normalise(NormalisationKind::Batch)
                },
            )
            .unwrap()
            .pool_all(PoolingKind::Mean)
            .unwrap()
            .dense(4)
            .unwrap()
            .build()
            .unwrap(),
    ]
}
