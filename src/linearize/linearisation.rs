//! The linear model of a network at a point, and the sensing problem that it poses.

use super::factors::Factors;
use super::jacobian::Jacobian;
use super::projection::Projection;
use crate::error::{Error, Result};
use crate::linalg::norm;
use crate::networks::{Array, Loss, Network, SlotKind, Targets};
use crate::support::Support;
use std::sync::Arc;

/// What is done to the C class rows of each sample before anything else: a linear map `R_s` of `ℝ^C`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RowTransform {
    /// Nothing.
    Identity,
    /// `P = I − 1 1ᵀ/C`: outputs that differ by a constant over the classes count as equal.
    Centred,
    /// `L_s = diag(√p) (I − 1 pᵀ)` with `p = softmax(f(ϑ, x_s))`, so that `L_sᵀ L_s = diag(p) − p pᵀ`: least squares on
    /// these rows is one Gauss-Newton step of the cross-entropy.
    CrossEntropy,
}

/// What the biases of the linear model do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Biases {
    /// They stay at their values in ϑ, unless they are among the chosen columns.
    Fixed,
    /// They are free: least squares over them is solved exactly by projecting `range(R ∂f/∂bias)` out of every row.
    Free,
}

/// A network linearised at ϑ on given samples: `f_lin(θ) = f(ϑ) + J (θ − ϑ)`.
///
/// The factors of J are computed once; operators made from them share the memory unless their rows are transformed.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::linearize::{Biases, Linearisation, RowTransform};
/// use ticketsense::networks::{Array, Initialisation, Network};
/// use ticketsense::operators::MeasurementOperator;
/// let network = Network::preset("mlp:6", 4, 3)?;
/// let theta: Vec<f64> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let inputs = Array::from_fn(5, 4, |i, j| ((i * 3 + j) as f64).sin());
/// let at = Linearisation::new(&network, &theta, &inputs)?;
///
/// // minimise ½‖A θ − b‖² over the weights is least squares of the linear model, with the biases at their best.
/// let weights = network.layout().weights();
/// let a = at.jacobian(&weights, RowTransform::Centred, Biases::Free)?;
/// let b = at.right_hand_side(&a, &vec![0, 1, 2, 0, 1])?;
/// assert_eq!((a.shape().rows, a.shape().columns), (5 * 3, 4 * 6 + 6 * 3));
/// assert_eq!(b.len(), 15);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Linearisation {
    network: Network,
    theta: Vec<f64>,
    inputs: Array<f64>,
    outputs: Array<f64>,
    factors: Arc<Factors>,
}

impl Linearisation {
    /// Linearises `network` at `theta` on `inputs` (n × features).
    ///
    /// Cost: a forward pass and C backward passes; memory `8 n (C width + width)` bytes a layer.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`] on parameters or inputs that do not fit.
    pub fn new(network: &Network, theta: &[f64], inputs: &Array<f64>) -> Result<Self> {
        network.check(theta, inputs)?;
        let (outputs, factors) = Factors::new(network, theta, inputs);
        Ok(Linearisation {
            network: network.clone(),
            theta: theta.to_vec(),
            inputs: inputs.clone(),
            outputs,
            factors: Arc::new(factors),
        })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The point ϑ.
    pub fn theta(&self) -> &[f64] {
        &self.theta
    }

    /// The samples.
    pub fn inputs(&self) -> &Array<f64> {
        &self.inputs
    }

    /// `f(ϑ)`, n × C.
    pub fn outputs(&self) -> &Array<f64> {
        &self.outputs
    }

    /// The operator `A = Q R ∂f/∂θ_S` at ϑ on chosen parameters S, usually
    /// [`Layout::weights`](crate::networks::Layout::weights).
    ///
    /// `RowTransform::Centred` with `Biases::Free` is the sensing matrix of the linearised network.
    ///
    /// # Errors
    /// [`Error::Shape`] when the support is empty or not one of the network's parameters, [`Error::Argument`] when
    /// biases are both chosen and free, [`Error::Numerical`] when the decomposition of the bias Jacobian fails.
    pub fn jacobian(&self, columns: &Support, rows: RowTransform, biases: Biases) -> Result<Jacobian> {
        if columns.dimension() != self.theta.len() || columns.is_empty() {
            return Err(Error::shape(
                "columns of the Jacobian",
                format!("a support in {} parameters, not empty", self.theta.len()),
                format!("{} of {}", columns.len(), columns.dimension()),
            ));
        }
        if biases == Biases::Free
            && let Some(&index) = columns.indices().iter().find(|&&j| self.is_bias(j))
        {
            return Err(Error::argument(
                "columns of the Jacobian",
                "no biases where the biases are free",
                format!("parameter {index} of {}", self.network.layout().slot_of(index).name),
            ));
        }
        let mut factors = Arc::clone(&self.factors);
        if rows != RowTransform::Identity {
            let mut transformed = (*self.factors).clone();
            transformed.transform(|s, v| self.transform_sample(rows, s, v));
            factors = Arc::new(transformed);
        }
        let projection = match biases {
            Biases::Fixed => None,
            Biases::Free => {
                let columns = self
                    .network
                    .layout()
                    .unpruned_slots()
                    .flat_map(|slot| slot.range.clone());
                let bias_columns: Vec<Vec<f64>> = columns
                    .map(|j| {
                        let mut column = vec![0.0; factors.rows()];
                        factors.add_column(j, 1.0, &mut column);
                        column
                    })
                    .collect();
                Some(Projection::out_of(&bias_columns, factors.rows())?)
            }
        };
        Ok(Jacobian::new(factors, projection, columns.indices().to_vec(), rows))
    }

    /// The right-hand side `b` for which `½‖A θ_S − b‖²` is the squared error of the linear model, for an operator made
    /// by [`Linearisation::jacobian`].
    ///
    /// The linear model with weights θ and biases β is `f(ϑ) + J_w (θ − ϑ_w) + J_b (β − ϑ_b)`. Its error against a
    /// target t, on transformed rows, is `R (t − f(ϑ) + J_w ϑ_w) − R J_w θ − R J_b (β − ϑ_b)`. Free biases take the
    /// last term to its best, which leaves the part outside `range(R J_b)`:
    ///
    /// ```text
    /// b = Q R (t − f(ϑ) + J_w ϑ_w)        A = Q R J_w
    /// ```
    ///
    /// The unknown is the weight vector θ itself and not a change of it: a weight that is not among the columns is
    /// pruned, that is zero. Fixed biases drop the last term; biases among the columns are unknowns too and add
    /// `R J_β ϑ_β`. On cross-entropy rows `R (t − f)` is replaced by `L W⁺ (t − p) = (t − p)/√p`, the working response
    /// of one Gauss-Newton step.
    ///
    /// # Errors
    /// Targets that do not fit (labels become `e_y − 1/C`, or `e_y` on cross-entropy rows); [`Error::Argument`] when
    /// the operator was made by another linearisation; [`Error::Numerical`] when a class probability underflows.
    pub fn right_hand_side<'a>(&self, operator: &Jacobian, targets: impl Into<Targets<'a, f64>>) -> Result<Vec<f64>> {
        let rows = self.factors.rows();
        if operator.factors.parameters != self.theta.len() || operator.factors.rows() != rows {
            return Err(Error::argument(
                "operator",
                "one made by this linearisation",
                format!("{} rows", operator.factors.rows()),
            ));
        }
        let transform = operator.rows;
        let mut b = self.residual(transform, targets.into())?;
        let mut point = self.theta.clone();
        for slot in self.network.layout().unpruned_slots() {
            point[slot.range.clone()].fill(0.0);
        }
        for &j in operator.parameters().iter().filter(|&&j| self.is_bias(j)) {
            point[j] = self.theta[j];
        }
        let mut product = vec![0.0; rows];
        operator.factors.apply(&point, &mut product);
        for (b, v) in b.iter_mut().zip(&product) {
            *b += v;
        }
        if let Some(projection) = &operator.projection {
            projection.apply(&mut b);
        }
        crate::error::require_finite("right-hand side", &b)?;
        Ok(b)
    }

    /// `R (t − f)`, or `(t − p)/√p` on cross-entropy rows.
    fn residual(&self, transform: RowTransform, targets: Targets<'_, f64>) -> Result<Vec<f64>> {
        let loss = match transform {
            RowTransform::CrossEntropy => Loss::CrossEntropy,
            RowTransform::Identity | RowTransform::Centred => Loss::Squared,
        };
        let classes = self.network.classes();
        let mut residual = loss.targets(targets, self.inputs.rows(), classes)?.into_vec();
        for (s, t) in residual.chunks_exact_mut(classes).enumerate() {
            match transform {
                RowTransform::CrossEntropy => {
                    for (t, p) in t.iter_mut().zip(softmax(self.outputs.row(s))) {
                        if p <= 0.0 {
                            return Err(Error::numerical(
                                "working response of the cross-entropy",
                                format!("a class probability of sample {s} underflows to zero"),
                            ));
                        }
                        *t = (*t - p) / p.sqrt();
                    }
                }
                RowTransform::Identity | RowTransform::Centred => {
                    for (t, f) in t.iter_mut().zip(self.outputs.row(s)) {
                        *t -= f;
                    }
                    self.transform_sample(transform, s, t);
                }
            }
        }
        Ok(residual)
    }

    fn transform_sample(&self, transform: RowTransform, sample: usize, v: &mut [f64]) {
        match transform {
            RowTransform::Identity => {}
            RowTransform::Centred => {
                let mean = v.iter().sum::<f64>() / v.len() as f64;
                v.iter_mut().for_each(|v| *v -= mean);
            }
            RowTransform::CrossEntropy => {
                let p = softmax(self.outputs.row(sample));
                let mean: f64 = p.iter().zip(v.iter()).map(|(p, v)| p * v).sum();
                for (v, p) in v.iter_mut().zip(p) {
                    *v = p.sqrt() * (*v - mean);
                }
            }
        }
    }

    fn is_bias(&self, parameter: usize) -> bool {
        self.network.layout().slot_of(parameter).kind != SlotKind::Weight
    }

    /// The outputs of the linear model `f(ϑ) + J (θ − ϑ)`, n × C, with every parameter of θ, biases included.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`] on θ.
    pub fn linear_outputs(&self, theta: &[f64]) -> Result<Array<f64>> {
        self.network.check_parameters("parameters", theta)?;
        let difference: Vec<f64> = theta.iter().zip(&self.theta).map(|(a, b)| a - b).collect();
        let mut change = vec![0.0; self.factors.rows()];
        self.factors.apply(&difference, &mut change);
        let outputs = self.outputs.as_slice().iter().zip(&change).map(|(f, d)| f + d);
        Array::new(self.outputs.rows(), self.outputs.columns(), outputs.collect())
    }

    /// The linearisation error at θ, relative to the true change: `‖f(θ) − f_lin(θ)‖ / ‖f(θ) − f(ϑ)‖` over all samples
    /// and classes. 0 where both vanish, infinite where only the change does.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`] on θ.
    pub fn relative_error(&self, theta: &[f64]) -> Result<f64> {
        let linear = self.linear_outputs(theta)?;
        let truth = self.network.outputs(theta, &self.inputs)?;
        let distance = |a: &Array<f64>, b: &Array<f64>| {
            let difference: Vec<f64> = a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| a - b).collect();
            norm(&difference)
        };
        let error = distance(&truth, &linear);
        Ok(if error == 0.0 {
            0.0
        } else {
            error / distance(&truth, &self.outputs)
        })
    }
}

fn softmax(f: &[f64]) -> Vec<f64> {
    let top = f.iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v));
    let e: Vec<f64> = f.iter().map(|v| (v - top).exp()).collect();
    let sum: f64 = e.iter().sum();
    e.into_iter().map(|v| v / sum).collect()
}
