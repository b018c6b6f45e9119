//! A network: layers over one flat parameter vector, and every first and second derivative of it.

use super::activation::Activation;
use super::array::Array;
use super::layers::{self, Dense, Gradients, Layer, Mode, Summed, Tape};
use super::layout::{Layout, Slot};
use super::loss::{Loss, Targets};
use super::real::{Real, require_finite};
use super::shape::InputShape;
use super::value::{Dual, Value};
use crate::error::{Error, Result};
use crate::seed::Seed;
use crate::support::Mask;
use std::ops::Range;

/// Samples that go through a network together, at most. Sums over a data set are taken chunk by chunk in order, so they
/// do not depend on how much memory there is.
const CHUNK: usize = 256;

/// Entries that a layer may make of a chunk: networks whose layers make more of a sample take smaller chunks.
const CHUNK_ENTRIES: usize = 1 << 23;

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
    input: InputShape,
    inputs: usize,
    classes: usize,
    chunk: usize,
    activation: Activation,
    bias: bool,
}

/// A gradient while training, and the statistics of the batch that running averages follow.
#[derive(Clone, Debug)]
pub(crate) struct TrainingGradient<T> {
    /// The loss averaged over the batch.
    pub loss: f64,
    /// Its gradient, zero at running statistics.
    pub gradient: Vec<T>,
    /// Slots of running statistics, with those of the batch.
    pub statistics: Vec<(usize, Array<T>)>,
}

impl Network {
    pub(super) fn from_parts(
        name: String,
        layers: Vec<Layer>,
        layout: Layout,
        input: InputShape,
        classes: usize,
        activation: Activation,
        bias: bool,
    ) -> Self {
        let footprint = layers.iter().map(Layer::footprint).max().unwrap_or(1).max(1);
        Network {
            inputs: input.features().unwrap_or(0),
            chunk: (CHUNK_ENTRIES / footprint).clamp(1, CHUNK),
            name,
            layers,
            layout,
            input,
            classes,
            activation,
            bias,
        }
    }

    /// The activation that a name stands for, where the layers do not show it: a network without a hidden layer.
    pub(super) fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
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

    /// The dense layers on whole samples, from input to output.
    pub fn dense_layers(&self) -> impl Iterator<Item = &Dense> {
        self.layers.iter().filter_map(|layer| match layer {
            Layer::Dense(dense) if dense.positions == 1 => Some(dense),
            _ => None,
        })
    }

    /// Whether it is a multilayer perceptron: dense layers on whole samples with activations between them.
    pub fn is_multilayer(&self) -> bool {
        self.layers.iter().all(|layer| match layer {
            Layer::Dense(dense) => dense.positions == 1,
            Layer::Activation(_) => true,
            _ => false,
        })
    }

    /// Whether a training draws random numbers inside the network: dropout.
    pub fn has_dropout(&self) -> bool {
        any_layer(&self.layers, &|layer| matches!(layer, Layer::Dropout(_)))
    }

    /// Number of weight layers L: slots of weights.
    pub fn depth(&self) -> usize {
        self.layout.weight_slots().count()
    }

    /// How the features of a sample are arranged.
    pub fn input_shape(&self) -> InputShape {
        self.input
    }

    /// Number of input features.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of outputs C.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The activation between the weight layers; of several, the last.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Whether the weight layers have biases.
    pub fn has_bias(&self) -> bool {
        self.bias
    }

    /// Multiply-adds of the weights in one forward pass of one sample: one for every use of a weight, or of a kept weight
    /// under a mask. Uses on a border of zeros count; the products of queries with keys and values have no weight and
    /// do not.
    pub fn multiply_adds(&self, mask: Option<&Mask>) -> usize {
        let of_slot = |slot: &Slot| slot.uses * mask.map_or(slot.len(), |m| m.kept_in(slot.range.clone()));
        self.layout.weight_slots().map(of_slot).sum()
    }

    /// The outputs `f(θ, x)`, batch × C.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`] on parameters or inputs that do not fit.
    pub fn outputs<T: Real>(&self, theta: &[T], inputs: &Array<T>) -> Result<Array<T>> {
        self.check(theta, inputs)?;
        let mut outputs = Vec::with_capacity(inputs.rows() * self.classes);
        self.for_each_output(theta, inputs, |_, chunk| outputs.extend_from_slice(chunk));
        Ok(Array::raw(inputs.rows(), self.classes, outputs))
    }

    /// Shows the outputs chunk by chunk, with the samples they belong to.
    pub(super) fn for_each_output<T: Real>(
        &self,
        theta: &[T],
        inputs: &Array<T>,
        mut show: impl FnMut(Range<usize>, &[T]),
    ) {
        let parameters = self.plain(theta);
        for rows in self.chunks(inputs.rows()) {
            let tape = self.forward(&parameters, inputs.rows_between(rows.clone()), Mode::Evaluation);
            show(rows, tape.outputs().as_slice());
        }
    }

    /// The output of every layer in the order of [`Network::layers`]: pre-activations after a dense layer,
    /// activations after an activation, position by position where there are several.
    ///
    /// # Errors
    /// As [`Network::outputs`].
    pub fn activations<T: Real>(&self, theta: &[T], inputs: &Array<T>) -> Result<Vec<Array<T>>> {
        self.check(theta, inputs)?;
        let tape = self.forward(&self.plain(theta), inputs.clone(), Mode::Evaluation);
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
        for rows in self.chunks(inputs.rows()) {
            let targets = targets.rows_between(rows.clone());
            let tape = self.forward(&parameters, inputs.rows_between(rows), Mode::Evaluation);
            value += loss.sum(tape.outputs().as_slice(), targets.as_slice(), self.classes);
            let cotangent = loss.gradient(tape.outputs(), &targets, inputs.rows());
            self.add_slots(&mut gradient, self.pulled(&parameters, &tape, cotangent).slots, |v| v);
        }
        Ok((value / inputs.rows() as f64, gradient))
    }

    /// The loss and gradient of one step of training: dropout draws from `seed`, and batch normalisation uses the
    /// statistics of this very batch, through which it is differentiated.
    pub(crate) fn training_gradient<T: Real>(
        &self,
        theta: &[T],
        inputs: Array<T>,
        targets: &Array<T>,
        loss: Loss,
        seed: &Seed,
    ) -> TrainingGradient<T> {
        self.gradient_in(Mode::Training(seed), theta, inputs, targets, loss)
    }

    fn gradient_in<T: Real>(
        &self,
        mode: Mode<'_>,
        theta: &[T],
        inputs: Array<T>,
        targets: &Array<T>,
        loss: Loss,
    ) -> TrainingGradient<T> {
        let (parameters, samples) = (self.plain(theta), inputs.rows());
        let tape = self.forward(&parameters, inputs, mode);
        let value = loss.sum(tape.outputs().as_slice(), targets.as_slice(), self.classes) / samples as f64;
        let cotangent = loss.gradient(tape.outputs(), targets, samples);
        let pulled = self.pulled(&parameters, &tape, cotangent);
        let mut gradient = vec![T::ZERO; theta.len()];
        self.add_slots(&mut gradient, pulled.slots, |v| v);
        TrainingGradient {
            loss: value,
            gradient,
            statistics: pulled.statistics,
        }
    }

    /// `θ` with the running statistics of batch normalisation set to those of the given samples, every layer's behind
    /// the normalised ones before it. Without batch normalisation it is `θ` itself.
    ///
    /// # Errors
    /// As [`Network::outputs`].
    pub fn with_statistics_of<T: Real>(&self, theta: &[T], inputs: &Array<T>) -> Result<Vec<T>> {
        self.check(theta, inputs)?;
        let mut out = theta.to_vec();
        if self.layout.statistic_slots().next().is_some() {
            let targets = Array::zeros(inputs.rows(), self.classes);
            let found = self.gradient_in(Mode::Statistics, theta, inputs.clone(), &targets, Loss::Squared);
            for (slot, values) in found.statistics {
                out[self.layout.slots()[slot].range.clone()].copy_from_slice(values.as_slice());
            }
        }
        Ok(out)
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
        for rows in self.chunks(inputs.rows()) {
            let tape = self.forward(&parameters, Dual::constant(inputs.rows_between(rows)), Mode::Evaluation);
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
        for rows in self.chunks(inputs.rows()) {
            let tape = self.forward(&parameters, inputs.rows_between(rows.clone()), Mode::Evaluation);
            let pulled = self.pulled(&parameters, &tape, cotangent.rows_between(rows));
            self.add_slots(&mut product, pulled.slots, |v| v);
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
        for rows in self.chunks(inputs.rows()) {
            let tape = self.forward(
                &parameters,
                Dual::constant(inputs.rows_between(rows.clone())),
                Mode::Evaluation,
            );
            let cotangent = loss.gradient(tape.outputs(), &targets.rows_between(rows), inputs.rows());
            let pulled = self.pulled(&parameters, &tape, cotangent);
            self.add_slots(&mut product, pulled.slots, |v| &v.tangent);
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
        for rows in self.chunks(inputs.rows()) {
            let x = inputs.rows_between(rows);
            let tangent = self
                .forward(&dual, Dual::constant(x.clone()), Mode::Evaluation)
                .outputs()
                .tangent
                .clone();
            let tape = self.forward(&plain, x, Mode::Evaluation);
            let cotangent = loss.output_hessian(tape.outputs(), &tangent, inputs.rows());
            self.add_slots(&mut product, self.pulled(&plain, &tape, cotangent).slots, |v| v);
        }
        product
    }

    /// The parameters as one plain value a slot: outputs × what feeds each, and a row for a slot of one dimension.
    pub(crate) fn plain<T: Real>(&self, theta: &[T]) -> Vec<Array<T>> {
        self.layout
            .slots()
            .iter()
            .map(|slot| {
                let rows = if slot.shape.len() == 1 { 1 } else { slot.shape[0] };
                Array::raw(rows, slot.len() / rows, theta[slot.range.clone()].to_vec())
            })
            .collect()
    }

    fn dual<T: Real>(&self, theta: &[T], direction: &[T]) -> Vec<Dual<T>> {
        let pairs = self.plain(theta).into_iter().zip(self.plain(direction));
        pairs.map(|(value, tangent)| Dual { value, tangent }).collect()
    }

    pub(crate) fn forward<T: Real, V: Value<T>>(&self, parameters: &[V], input: V, mode: Mode<'_>) -> Tape<V> {
        layers::forward(&self.layers, parameters, input, mode)
    }

    /// Pulls a cotangent of the outputs back into `gradients`.
    pub(crate) fn pull_back<T: Real, V: Value<T>>(
        &self,
        parameters: &[V],
        tape: &Tape<V>,
        cotangent: V,
        gradients: &mut dyn Gradients<V>,
    ) {
        layers::pull_back(&self.layers, parameters, tape, cotangent, gradients, false);
    }

    fn pulled<T: Real, V: Value<T>>(&self, parameters: &[V], tape: &Tape<V>, cotangent: V) -> Summed<T, V> {
        let mut summed = Summed::new(self.layout.slots().len());
        self.pull_back(parameters, tape, cotangent, &mut summed);
        summed
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
        require_finite("inputs", inputs.as_slice())?;
        if let InputShape::Tokens { vocabulary, .. } = self.input {
            let is_token = |v: &T| v.to_f64() >= 0.0 && v.to_f64() < vocabulary as f64 && v.to_f64().fract() == 0.0;
            if let Some(bad) = inputs.as_slice().iter().find(|v| !is_token(v)) {
                let expected = format!("whole numbers from 0 below {vocabulary}");
                return Err(Error::argument("tokens", expected, bad.to_f64()));
            }
        }
        Ok(())
    }

    /// The rows `0..total` cut into chunks, in order.
    fn chunks(&self, total: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let chunk = self.chunk;
        (0..total)
            .step_by(chunk)
            .map(move |start| start..(start + chunk).min(total))
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

fn any_layer(layers: &[Layer], found: &dyn Fn(&Layer) -> bool) -> bool {
    layers
        .iter()
        .any(|layer| found(layer) || layer.inner().any(|inner| any_layer(std::slice::from_ref(inner), found)))
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
