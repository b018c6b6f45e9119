//! What decides who stays: a score for every weight, larger is better.

use crate::error::{Error, Result};
use crate::linearize::{Biases, Linearisation, RowTransform};
use crate::networks::{Loss, Network};
use crate::operators::MeasurementOperator;
use crate::seed::Seed;
use crate::training::Examples;
use rand::RngExt;
use std::fmt;
use std::str::FromStr;

/// A rule that scores the weights of a trained (or untrained) network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Criterion {
    /// `|θ_i|`.
    Magnitude,
    /// `½ G_ii θ_i²` with the diagonal of the Gauss-Newton matrix of the loss: the increase of the loss that a second-order
    /// expansion with a diagonal, positive curvature predicts when weight `i` goes (LeCun, Denker & Solla, NeurIPS 1989).
    OptimalBrainDamage,
    /// A uniform random number.
    Random,
}

/// What a criterion may look at.
#[derive(Clone, Debug)]
pub struct CriterionInput<'a> {
    /// The network.
    pub network: &'a Network,
    /// Its parameters, zero where pruned.
    pub theta: &'a [f32],
    /// The loss it was trained with.
    pub loss: Loss,
    /// The samples it was trained on.
    pub training: Examples<'a, f32>,
    /// For random scores.
    pub seed: Seed,
}

impl Criterion {
    /// Every criterion.
    pub const ALL: [Criterion; 3] = [Criterion::Magnitude, Criterion::OptimalBrainDamage, Criterion::Random];

    /// The word on the command line and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Criterion::Magnitude => "magnitude",
            Criterion::OptimalBrainDamage => "optimal-brain-damage",
            Criterion::Random => "random",
        }
    }

    /// A score for every parameter.
    ///
    /// # Errors
    /// When the parameters or samples do not fit the network.
    ///
    /// Cost: one pass over the weights, and for optimal brain damage `C` backward passes over the training samples.
    pub fn scores(self, input: &CriterionInput<'_>) -> Result<Vec<f64>> {
        match self {
            Criterion::Magnitude => Ok(input.theta.iter().map(|v| f64::from(v.abs())).collect()),
            Criterion::OptimalBrainDamage => optimal_brain_damage(input),
            Criterion::Random => {
                let mut rng = input.seed.stream("random-scores").rng();
                Ok(input.theta.iter().map(|_| rng.random()).collect())
            }
        }
    }
}

/// Half the curvature times the squared weight; weights only, biases score 0.
fn optimal_brain_damage(input: &CriterionInput<'_>) -> Result<Vec<f64>> {
    let theta: Vec<f64> = input.theta.iter().map(|&v| f64::from(v)).collect();
    let rows = match input.loss {
        Loss::CrossEntropy => RowTransform::CrossEntropy,
        _ => RowTransform::Identity,
    };
    let weights = input.network.layout().weights();
    let at = Linearisation::new(input.network, &theta, &input.training.inputs.convert())?;
    // Column norms of the rows that the loss weighs: their squares are n times the diagonal of the Gauss-Newton matrix.
    let norms = at.jacobian(&weights, rows, Biases::Fixed)?.column_norms();
    let samples = input.training.inputs.rows() as f64;
    let mut scores = vec![0.0; theta.len()];
    for (&i, norm) in weights.indices().iter().zip(norms) {
        scores[i] = 0.5 * norm * norm / samples * theta[i] * theta[i];
    }
    Ok(scores)
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Criterion {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Criterion::ALL
            .into_iter()
            .find(|c| c.as_str() == word)
            .ok_or_else(|| Error::unknown("criterion", word, Criterion::ALL.map(Criterion::as_str)))
    }
}
