//! A network: layers over one flat parameter vector, and every first and second derivative of it.

use super::activation::Activation;
use super::array::Array;
use super::layer::{Dense, Layer};
use super::layout::{Layout, SlotKind};
use super::loss::{Loss, Targets};
use super::real::{Real, require_finite};
use super::value::{Dual, Value};
use crate::error::{Error, Result};
use crate::support::Mask;
use std::ops::Range;

/// Samples that go through the network together. Sums over a data set are taken chunk by chunk in order, so they do
/// not depend on how much memory there is.
const CHUNK: usize = 256;

/// A feed-forward network `f(θ, x) ∈ ℝ^C`.
///
/// Parameters are one flat slice `θ` in the order of [`Network::layout`]; batches are row-major [`Array`]s, one row a
/// sample. Gradients, `J v`, `Jᵀ u` and `H v` are exact derivatives, not differences; with a kink (ReLU) they are
/// those of the smooth piece that θ lies on.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::networks::{Array, Initialisation, Loss, Network};
/// let network = Network::preset("mlp:5:no-bias", 3, 2)?;
/// let theta: Vec<f64> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let inputs = Array::from_fn(4, 3, |i, j| (i as f64 - j as f64) / 2.0);
/// let (loss, gradient) = network.gradient(&theta, &inputs, &vec![0, 1, 1, 0], Loss::CrossEntropy)?;
/// assert!(loss > 0.0 && gradient.len() == network.layout().len());
///
/// // Two weight layers without biases are homogeneous of degree 2: J θ = 2 f(θ).
/// let outputs = network.outputs(&theta, &inputs)?;
/// let product = network.jacobian_vector(&theta, &theta, &inputs)?;
/// for (jv, f) in product.as_slice().iter().zip(outputs.as_slice()) {
///     assert!((jv - 2.0 * f).abs() < 1e-12);
/// }
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    name: String,
    layers: Vec<Layer>,
    layout: Layout,
    inputs: usize,
    classes: usize,
    activation: Activation,
    bias: bool,
}

/// The input of every layer and the output of the last: what a vector-Jacobian product needs.
#[derive(Debug)]
pub(crate) struct Tape<V> {
    values: Vec<V>,
}

impl<V> Tape<V> {
    pub(crate) fn outputs(&self) -> &V {
        &self.values[self.values.len() - 1]
    }

    /// The input of layer `index` of [`Network::layers`].
    pub(crate) fn input_of(&self, index: usize) -> &V {
        &self.values[index]
    }
}

impl Network {
    /// A multilayer perceptron: dense layers of the given hidden widths with `activation` between them.
    ///
    /// # Errors
    /// [`Error::Argument`] when a width is 0 or there are more than 2³¹ parameters.
    pub(super) fn multilayer(
        name: String,
        inputs: usize,
        hidden: &[usize],
        classes: usize,
        activation: Activation,
        bias: bool,
    ) -> Result<Self> {
        for (what, count) in [("inputs", inputs), ("classes", classes)] {
            if count == 0 {
                return Err(Error::argument(what, "at least 1", count));
            }
        }
        let widths: Vec<usize> = [&[inputs], hidden, &[classes]].concat();
        let parameters = widths.windows(2).try_fold(0usize, |sum, pair| {
            let weights = pair[0].checked_mul(pair[1])?;
            sum.checked_add(weights)?.checked_add(pair[1])
        });
        if parameters.is_none_or(|count| count > 1 << 31) {
            return Err(Error::argument("network", "at most 2^31 parameters", name));
        }
        let (mut layout, mut layers) = (Layout::default(), Vec::new());
        for (index, pair) in widths.windows(2).enumerate() {
            if index > 0 {
                layers.push(Layer::Activation(activation));
            }
            let (from, to) = (pair[0], pair[1]);
            let weight = layout.push(format!("dense{index}.weight"), vec![to, from], SlotKind::Weight, index);
            let bias = bias.then(|| layout.push(format!("dense{index}.bias"), vec![to], SlotKind::Bias, index));
            layers.push(Layer::Dense(Dense {
                inputs: from,
                outputs: to,
                weight,
                bias,
            }));
        }
        Ok(Network {
            name,
            layers,
            layout,
            inputs,
            classes,
            activation,
            bias,
        })
    }

    /// The name that [`Network::preset`] builds it from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the flat parameter vector is cut.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The layers, from input to output.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The dense layers, from input to output.
    pub fn dense_layers(&self) -> impl Iterator<Item = &Dense> {
        self.layers.iter().filter_map(|layer| match layer {
            Layer::Dense(dense) => Some(dense),
            Layer::Activation(_) => None,
        })
    }

    /// Number of weight layers L.
    pub fn depth(&self) -> usize {
        self.dense_layers().count()
    }

    /// Number of input features.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of outputs C.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The activation between the weight layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Whether the weight layers have biases.
    pub fn has_bias(&self) -> bool {
        self.bias
    }

    /// Multiply-adds of one forward pass of one sample: one a weight, or one a kept weight under a mask.
    pub fn multiply_adds(&self, mask: Option<&Mask>) -> usize {
        self.layout
            .weight_slots()
            .map(|slot| mask.map_or(slot.len(), |m| m.kept_in(slot.range.clone())))
            .sum()
    }

    /// The outputs `f(θ, x)`, batch × C.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`] on parameters or inputs that do not fit.
    pub fn outputs<T: Real>(&self, theta: &[T], inputs: &Array<T>) -> Result<Array<T>> {
        self.check(theta, inputs)?;
        let parameters = self.plain(theta);
        let mut outputs = Vec::with_capacity(inputs.rows() * self.classes);
        for rows in chunks(inputs.rows()) {
            let tape = self.forward(&parameters, inputs.rows_between(rows));
            outputs.extend_from_slice(tape.outputs().as_slice());
        }
        Ok(Array::raw(inputs.rows(), self.classes, outputs))
    }

    /// The output of every layer in the order of [`Network::layers`]: pre-activations after a dense layer,
    /// activations after an activation.
    ///
    /// # Errors
    /// As [`Network::outputs`].
    pub fn activations<T: Real>(&self, theta: &[T], inputs: &Array<T>) -> Result<Vec<Array<T>>> {
        self.check(theta, inputs)?;
        let tape = self.forward(&self.plain(theta), inputs.clone());
        Ok(tape.values.into_iter().skip(1).collect())
    }

    /// The loss, averaged over the batch.
    ///
    /// # Errors
    /// As [`Network::outputs`] and [`Loss::targets`].
    pub fn loss<'a, T: Real>(
        &self,
        theta: &[T],
        inputs: &Array<T>,
        targets: impl Into<Targets<'a, T>>,
        loss: Loss,
    ) -> Result<f64> {
        let targets = loss.targets(targets.into(), inputs.rows(), self.classes)?;
        let outputs = self.outputs(theta, inputs)?;
        Ok(loss.sum(outputs.as_slice(), targets.as_slice(), self.classes) / inputs.rows() as f64)
    }

    /// The fraction of samples whose largest output is at their label; among equal outputs the first counts.
    ///
    /// # Errors
    /// As [`Network::outputs`] and [`Loss::targets`].
    pub fn accuracy<T: Real>(&self, theta: &[T], inputs: &Array<T>, labels: &[usize]) -> Result<f64> {
        Loss::Squared.targets::<T>(labels.into(), inputs.rows(), self.classes)?;
        let outputs = self.outputs(theta, inputs)?;
        let right = outputs.iter_rows().zip(labels).filter(|(row, y)| argmax(row) == **y);
        Ok(right.count() as f64 / labels.len() as f64)
    }

    /// The loss, averaged over the batch, and its gradient in θ.
    ///
    /// # Errors
    /// As [`Network::outputs`] and [`Loss::targets`].
    pub fn gradient<'a, T: Real>(
        &self,
        theta: &[T],
        inputs: &Array<T>,
        targets: impl Into<Targets<'a, T>>,
        loss: Loss,
    ) -> Result<(f64, Vec<T>)> {
        let targets = loss.targets(targets.into(), inputs.rows(), self.classes)?;
        self.check(theta, inputs)?;
        let parameters = self.plain(theta);
        let (mut value, mut gradient) = (0.0, vec![T::ZERO; theta.len()]);
        for rows in chunks(inputs.rows()) {
            let targets = targets.rows_between(rows.clone());
            let tape = self.forward(&parameters, inputs.rows_between(rows));
            value += loss.sum(tape.outputs().as_slice(), targets.as_slice(), self.classes);
            let cotangent = loss.gradient(tape.outputs(), &targets, inputs.rows());
            self.add_slots(&mut gradient, self.pull_back(&parameters, &tape, cotangent), |v| v);
        }
        Ok((value / inputs.rows() as f64, gradient))
    }

    /// `J v`, batch × C, with `J = ∂f/∂θ`.
    ///
    /// # Errors
    /// As [`Network::outputs`]; [`Error::Shape`] or [`Error::NotFinite`] on `direction`.
    pub fn jacobian_vector<T: Real>(&self, theta: &[T], direction: &[T], inputs: &Array<T>) -> Result<Array<T>> {
        self.check(theta, inputs)?;
        self.check_parameters("direction", direction)?;
        let parameters = self.dual(theta, direction);
        let mut product = Vec::with_capacity(inputs.rows() * self.classes);
        for rows in chunks(inputs.rows()) {
            let tape = self.forward(&parameters, Dual::constant(inputs.rows_between(rows)));
            product.extend_from_slice(tape.outputs().tangent.as_slice());
        }
        Ok(Array::raw(inputs.rows(), self.classes, product))
    }

    /// `Jᵀ u` for a cotangent `u` of the outputs, batch × C.
    ///
    /// # Errors
    /// As [`Network::outputs`]; [`Error::Shape`] or [`Error::NotFinite`] on `cotangent`.
    pub fn jacobian_transpose_vector<T: Real>(
        &self,
        theta: &[T],
        cotangent: &Array<T>,
        inputs: &Array<T>,
    ) -> Result<Vec<T>> {
        self.check(theta, inputs)?;
        Loss::Squared.targets(Targets::Values(cotangent), inputs.rows(), self.classes)?;
        let parameters = self.plain(theta);
        let mut product = vec![T::ZERO; theta.len()];
        for rows in chunks(inputs.rows()) {
            let tape = self.forward(&parameters, inputs.rows_between(rows.clone()));
            let pulled = self.pull_back(&parameters, &tape, cotangent.rows_between(rows));
            self.add_slots(&mut product, pulled, |v| v);
        }
        Ok(product)
    }

    /// `H v`, with `H` the exact Hessian in θ of the loss averaged over the batch. Cost: two to three gradients.
    ///
    /// # Errors
    /// As [`Network::gradient`]; [`Error::Shape`] or [`Error::NotFinite`] on `direction`.
    pub fn hessian_vector<'a, T: Real>(
        &self,
        theta: &[T],
        direction: &[T],
        inputs: &Array<T>,
        targets: impl Into<Targets<'a, T>>,
        loss: Loss,
    ) -> Result<Vec<T>> {
        let targets = loss.targets(targets.into(), inputs.rows(), self.classes)?;
        self.check(theta, inputs)?;
        self.check_parameters("direction", direction)?;
        Ok(self.hessian_vector_unchecked(theta, direction, inputs, &targets, loss))
    }

    pub(crate) fn hessian_vector_unchecked<T: Real>(
        &self,
        theta: &[T],
        direction: &[T],
        inputs: &Array<T>,
        targets: &Array<T>,
        loss: Loss,
    ) -> Vec<T> {
        let parameters = self.dual(theta, direction);
        let mut product = vec![T::ZERO; theta.len()];
        for rows in chunks(inputs.rows()) {
            let tape = self.forward(&parameters, Dual::constant(inputs.rows_between(rows.clone())));
            let cotangent = loss.gradient(tape.outputs(), &targets.rows_between(rows), inputs.rows());
            let pulled = self.pull_back(&parameters, &tape, cotangent);
            self.add_slots(&mut product, pulled, |v| &v.tangent);
        }
        product
    }

    /// `G v` with the Gauss-Newton matrix `G = Jᵀ (∂²loss/∂f²) J` of the loss averaged over the batch: positive
    /// semidefinite, and equal to the Hessian where the network is linear in θ.
    ///
    /// # Errors
    /// As [`Network::hessian_vector`].
    pub fn gauss_newton_vector<'a, T: Real>(
        &self,
        theta: &[T],
        direction: &[T],
        inputs: &Array<T>,
        targets: impl Into<Targets<'a, T>>,
        loss: Loss,
    ) -> Result<Vec<T>> {
        loss.targets(targets.into(), inputs.rows(), self.classes)?;
        self.check(theta, inputs)?;
        self.check_parameters("direction", direction)?;
        Ok(self.gauss_newton_vector_unchecked(theta, direction, inputs, loss))
    }

    pub(crate) fn gauss_newton_vector_unchecked<T: Real>(
        &self,
        theta: &[T],
        direction: &[T],
        inputs: &Array<T>,
        loss: Loss,
    ) -> Vec<T> {
        let (plain, dual) = (self.plain(theta), self.dual(theta, direction));
        let mut product = vec![T::ZERO; theta.len()];
        for rows in chunks(inputs.rows()) {
            let x = inputs.rows_between(rows);
            let tangent = self.forward(&dual, Dual::constant(x.clone())).outputs().tangent.clone();
            let tape = self.forward(&plain, x);
            let cotangent = loss.output_hessian(tape.outputs(), &tangent, inputs.rows());
            self.add_slots(&mut product, self.pull_back(&plain, &tape, cotangent), |v| v);
        }
        product
    }

    /// The parameters as one plain value a slot.
    pub(crate) fn plain<T: Real>(&self, theta: &[T]) -> Vec<Array<T>> {
        self.layout
            .slots()
            .iter()
            .map(|slot| {
                let columns = slot.shape[slot.shape.len() - 1];
                Array::raw(slot.len() / columns, columns, theta[slot.range.clone()].to_vec())
            })
            .collect()
    }

    fn dual<T: Real>(&self, theta: &[T], direction: &[T]) -> Vec<Dual<T>> {
        let pairs = self.plain(theta).into_iter().zip(self.plain(direction));
        pairs.map(|(value, tangent)| Dual { value, tangent }).collect()
    }

    pub(crate) fn forward<T: Real, V: Value<T>>(&self, parameters: &[V], input: V) -> Tape<V> {
        let mut values = Vec::with_capacity(self.layers.len() + 1);
        values.push(input);
        for layer in &self.layers {
            let output = layer.forward(parameters, &values[values.len() - 1]);
            values.push(output);
        }
        Tape { values }
    }

    fn pull_back<T: Real, V: Value<T>>(&self, parameters: &[V], tape: &Tape<V>, cotangent: V) -> Vec<Option<V>> {
        let mut gradient = vec![None; self.layout.slots().len()];
        let mut current = Some(cotangent);
        for (index, layer) in self.layers.iter().enumerate().rev() {
            if let Some(cotangent) = current {
                current = layer.pull_back(parameters, tape.input_of(index), cotangent, &mut gradient, index > 0);
            }
        }
        gradient
    }

    fn add_slots<T: Real, V>(&self, sum: &mut [T], gradient: Vec<Option<V>>, part: impl Fn(&V) -> &Array<T>) {
        for (slot, term) in self.layout.slots().iter().zip(gradient) {
            if let Some(term) = term {
                for (s, v) in sum[slot.range.clone()].iter_mut().zip(part(&term).as_slice()) {
                    *s += *v;
                }
            }
        }
    }

    /// Refuses parameters or inputs that do not fit.
    pub(crate) fn check<T: Real>(&self, theta: &[T], inputs: &Array<T>) -> Result<()> {
        self.check_parameters("parameters", theta)?;
        if inputs.columns() != self.inputs || inputs.rows() == 0 {
            return Err(Error::shape(
                "inputs",
                format!("at least one sample of {} features", self.inputs),
                format!("{}×{}", inputs.rows(), inputs.columns()),
            ));
        }
        require_finite("inputs", inputs.as_slice())
    }

    /// Refuses a vector that is not one finite number a parameter.
    pub(crate) fn check_parameters<T: Real>(&self, what: &str, values: &[T]) -> Result<()> {
        if values.len() != self.layout.len() {
            return Err(Error::shape(
                what,
                format!("length {}", self.layout.len()),
                format!("length {}", values.len()),
            ));
        }
        require_finite(what, values)
    }
}

/// The rows `0..total` cut into chunks, in order.
fn chunks(total: usize) -> impl Iterator<Item = Range<usize>> {
    (0..total)
        .step_by(CHUNK)
        .map(move |start| start..(start + CHUNK).min(total))
}

/// Position of the largest entry, the first among equal ones.
pub(crate) fn argmax<T: PartialOrd>(row: &[T]) -> usize {
    let mut best = 0;
    for (i, v) in row.iter().enumerate() {
        if *v > row[best] {
            best = i;
        }
    }
    best
}
