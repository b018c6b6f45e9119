//! The in-place path of training: the same loss and gradient as [`Network::gradient`], without an allocation a step.

use super::activation::Activation;
use super::array::Array;
use super::general::General;
use super::layers::{Dense, Layer};
use super::loss::Loss;
use super::network::{Network, argmax};
use super::real::Real;
use crate::linalg::gemm;
use crate::seed::Seed;
use pulp::Arch;

/// One dense layer, the activation behind it, and its buffers.
#[derive(Debug)]
struct Stage<T> {
    dense: Dense,
    activation: Option<Activation>,
    /// Pre-activations, capacity × outputs.
    pre: Vec<T>,
    /// Activations; unused where no activation follows.
    post: Vec<T>,
    /// Cotangent of the pre-activations.
    delta: Vec<T>,
}

impl<T> Stage<T> {
    fn output(&self) -> &[T] {
        if self.activation.is_some() {
            &self.post
        } else {
            &self.pre
        }
    }
}

/// Loss and accuracy over a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The loss, averaged over the samples.
    pub loss: f64,
    /// The fraction of samples whose largest output is where their target is largest, first among equals.
    pub accuracy: f64,
}

/// Preallocated buffers for one network and batches of up to `capacity` samples.
///
/// Lengths are asserted, finiteness is not looked at: the door is the caller's. A diverging run shows in a loss or a
/// gradient that is not finite.
#[derive(Debug)]
pub struct Workspace<T> {
    network: Network,
    capacity: usize,
    inputs: Vec<T>,
    targets: Vec<T>,
    stages: Vec<Stage<T>>,
    general: Option<General<T>>,
    arch: Arch,
}

impl<T: Real> Workspace<T> {
    /// Buffers for batches of up to `capacity` samples (at least 1).
    pub fn new(network: &Network, capacity: usize) -> Self {
        let capacity = capacity.max(1);
        let mut stages: Vec<Stage<T>> = Vec::new();
        let chain: &[Layer] = if network.is_multilayer() { network.layers() } else { &[] };
        for layer in chain {
            match *layer {
                Layer::Dense(dense) => stages.push(Stage {
                    dense,
                    activation: None,
                    pre: vec![T::ZERO; capacity * dense.outputs],
                    post: Vec::new(),
                    delta: vec![T::ZERO; capacity * dense.outputs],
                }),
                Layer::Activation(activation) => {
                    // A network begins with a dense layer and never has two activations in a row.
                    if let Some(stage) = stages.last_mut() {
                        stage.activation = Some(activation);
                        stage.post = vec![T::ZERO; stage.pre.len()];
                    }
                }
                _ => {}
            }
        }
        Workspace {
            network: network.clone(),
            capacity,
            inputs: vec![T::ZERO; capacity * network.inputs()],
            targets: vec![T::ZERO; capacity * network.classes()],
            stages,
            general: (!network.is_multilayer()).then(|| General::new(network)),
            arch: Arch::new(),
        }
    }

    /// The largest batch.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Where dropout draws from in the step to come.
    pub fn draw_from(&mut self, seed: Seed) {
        if let Some(general) = &mut self.general {
            general.draw_from(seed);
        }
    }

    /// Moves the running statistics of batch normalisation in `theta` a tenth of the way to those of the last batch
    /// whose gradient was taken.
    pub fn follow_statistics(&self, theta: &mut [T]) {
        if let Some(general) = &self.general {
            general.follow_statistics(theta);
        }
    }

    /// The loss averaged over the given rows of a data set, with its gradient written to `gradient`.
    ///
    /// `targets` are the rows that [`Loss::targets`] gives.
    ///
    /// # Panics
    /// When lengths do not fit, a row does not exist, or there are no rows or more than the capacity: bugs of the
    /// caller.
    pub fn loss_and_gradient(
        &mut self,
        theta: &[T],
        inputs: &Array<T>,
        targets: &Array<T>,
        rows: &[usize],
        loss: Loss,
        gradient: &mut [T],
    ) -> f64 {
        let (features, classes) = (self.network.inputs(), self.network.classes());
        self.assert_fit(theta, inputs, targets);
        assert_eq!(gradient.len(), theta.len(), "workspace: length of the gradient");
        assert!(
            (1..=self.capacity).contains(&rows.len()),
            "workspace: size of the batch"
        );
        if let Some(general) = &mut self.general {
            return general.loss_and_gradient(theta, inputs, targets, rows, loss, gradient);
        }
        for (k, &row) in rows.iter().enumerate() {
            self.inputs[k * features..(k + 1) * features].copy_from_slice(inputs.row(row));
            self.targets[k * classes..(k + 1) * classes].copy_from_slice(targets.row(row));
        }
        let (n, slots) = (rows.len(), self.network.layout().slots());
        let batch = &self.inputs[..n * features];
        forward(&self.network, &mut self.stages, self.arch, theta, batch, n);

        let Some(last) = self.stages.last_mut() else { return 0.0 };
        let targets = &self.targets[..n * classes];
        let outputs = &last.pre[..n * classes];
        let value = loss.sum(outputs, targets, classes) / n as f64;
        loss.gradient_into(outputs, targets, classes, n, &mut last.delta[..n * classes]);

        for index in (0..self.stages.len()).rev() {
            let (below, from_here) = self.stages.split_at_mut(index);
            let stage = &from_here[0];
            let Dense {
                inputs: ins,
                outputs: outs,
                weight,
                bias,
                ..
            } = stage.dense;
            let delta = &stage.delta[..n * outs];
            let input = below.last().map_or(batch, |s| &s.output()[..n * ins]);
            gemm(
                outs,
                n,
                ins,
                delta,
                true,
                input,
                false,
                &mut gradient[slots[weight].range.clone()],
                false,
            );
            if let Some(slot) = bias {
                let sum = &mut gradient[slots[slot].range.clone()];
                sum.fill(T::ZERO);
                for row in delta.chunks_exact(outs) {
                    for (s, d) in sum.iter_mut().zip(row) {
                        *s += *d;
                    }
                }
            }
            if let Some(previous) = below.last_mut() {
                let weight = &theta[slots[weight].range.clone()];
                let out = &mut previous.delta[..n * ins];
                gemm(n, outs, ins, delta, false, weight, false, out, false);
                if let Some(activation) = previous.activation {
                    multiply_by_slope(self.arch, activation, &previous.pre[..n * ins], out);
                }
            }
        }
        value
    }

    /// Loss and accuracy over a whole data set, batch by batch in order.
    ///
    /// # Panics
    /// When lengths do not fit or there are no samples: bugs of the caller.
    pub fn score(&mut self, theta: &[T], inputs: &Array<T>, targets: &Array<T>, loss: Loss) -> Score {
        let (features, classes) = (self.network.inputs(), self.network.classes());
        self.assert_fit(theta, inputs, targets);
        if let Some(general) = &self.general {
            let (sum, right) = general.score(theta, inputs, targets, loss);
            let n = inputs.rows() as f64;
            return Score {
                loss: sum / n,
                accuracy: right as f64 / n,
            };
        }
        let (mut sum, mut right) = (0.0, 0usize);
        let batches = inputs.as_slice().chunks(self.capacity * features);
        for (x, t) in batches.zip(targets.as_slice().chunks(self.capacity * classes)) {
            let n = x.len() / features;
            forward(&self.network, &mut self.stages, self.arch, theta, x, n);
            if let Some(last) = self.stages.last() {
                let outputs = &last.pre[..n * classes];
                sum += loss.sum(outputs, t, classes);
                let rows = outputs.chunks_exact(classes).zip(t.chunks_exact(classes));
                right += rows.filter(|(f, t)| argmax(f) == argmax(t)).count();
            }
        }
        let n = inputs.rows() as f64;
        Score {
            loss: sum / n,
            accuracy: right as f64 / n,
        }
    }

    fn assert_fit(&self, theta: &[T], inputs: &Array<T>, targets: &Array<T>) {
        assert_eq!(theta.len(), self.network.layout().len(), "workspace: length of θ");
        assert_eq!(inputs.columns(), self.network.inputs(), "workspace: input features");
        assert_eq!(
            (targets.rows(), targets.columns()),
            (inputs.rows(), self.network.classes()),
            "workspace: targets"
        );
        assert!(inputs.rows() > 0, "workspace: at least one sample");
    }
}

/// Fills the buffers of every stage for the `n` samples of `input`.
fn forward<T: Real>(network: &Network, stages: &mut [Stage<T>], arch: Arch, theta: &[T], input: &[T], n: usize) {
    let slots = network.layout().slots();
    for index in 0..stages.len() {
        let (below, from_here) = stages.split_at_mut(index);
        let stage = &mut from_here[0];
        let Dense {
            inputs: ins,
            outputs: outs,
            weight,
            bias,
            ..
        } = stage.dense;
        let input = below.last().map_or(input, |s| &s.output()[..n * ins]);
        let pre = &mut stage.pre[..n * outs];
        gemm(
            n,
            ins,
            outs,
            input,
            false,
            &theta[slots[weight].range.clone()],
            true,
            pre,
            false,
        );
        if let Some(slot) = bias {
            add_to_rows(arch, &theta[slots[slot].range.clone()], pre);
        }
        if let Some(activation) = stage.activation {
            activate(arch, activation, pre, &mut stage.post[..n * outs]);
        }
    }
}

/// Adds `bias` to every row of `values`.
fn add_to_rows<T: Real>(arch: Arch, bias: &[T], values: &mut [T]) {
    arch.dispatch(|| {
        for row in values.chunks_exact_mut(bias.len()) {
            for (v, b) in row.iter_mut().zip(bias) {
                *v += *b;
            }
        }
    });
}

/// `out ← φ(pre)`. Only ReLU is worth vector instructions: the others are calls.
fn activate<T: Real>(arch: Arch, activation: Activation, pre: &[T], out: &mut [T]) {
    if activation == Activation::Relu {
        arch.dispatch(|| {
            for (h, &z) in out.iter_mut().zip(pre) {
                *h = if z > T::ZERO { z } else { T::ZERO };
            }
        });
        return;
    }
    for (h, &z) in out.iter_mut().zip(pre) {
        *h = activation.value(z);
    }
}

/// `delta ← φ′(pre) ∘ delta`.
fn multiply_by_slope<T: Real>(arch: Arch, activation: Activation, pre: &[T], delta: &mut [T]) {
    if activation == Activation::Relu {
        arch.dispatch(|| {
            for (d, &z) in delta.iter_mut().zip(pre) {
                *d = if z > T::ZERO { *d } else { T::ZERO };
            }
        });
        return;
    }
    for (d, &z) in delta.iter_mut().zip(pre) {
        *d *= activation.derivative(z);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    fn check<T: Real>(preset: &str, epsilon: f64) {
        let network = Network::preset(preset, 5, 3).unwrap();
        let initialisation = "lecun:bias=0.4".parse().unwrap();
        let theta: Vec<T> = network.initial(&Seed::root(2), &initialisation).unwrap();
        let inputs = Array::from_fn(11, 5, |i, j| T::of(((7 * i + 3 * j) % 9) as f64 / 4.0 - 1.0));
        let labels: Vec<usize> = (0..11).map(|i| i % 3).collect();
        let rows = [9usize, 2, 4, 4];
        let mut workspace = Workspace::new(&network, 4);
        for loss in Loss::ALL {
            let targets = loss.targets((&labels).into(), 11, 3).unwrap();
            let picked = inputs.select_rows(&rows).unwrap();
            let picked_labels: Vec<usize> = rows.iter().map(|&r| labels[r]).collect();
            let (value, expected) = network.gradient(&theta, &picked, &picked_labels, loss).unwrap();
            let mut gradient = vec![T::of(f64::NAN); theta.len()];
            let fast = workspace.loss_and_gradient(&theta, &inputs, &targets, &rows, loss, &mut gradient);
            // The same few hundred products, added in another order.
            let tolerance = 1e3 * epsilon;
            assert!((fast - value).abs() <= tolerance * (1.0 + value), "{preset} {loss}");
            for (a, b) in gradient.iter().zip(&expected) {
                let (a, b) = (a.to_f64(), b.to_f64());
                assert!(
                    (a - b).abs() <= tolerance * (1.0 + b.abs()),
                    "{preset} {loss}: {a} against {b}"
                );
            }
            let score = workspace.score(&theta, &inputs, &targets, loss);
            let whole = network.loss(&theta, &inputs, &labels, loss).unwrap();
            assert!(
                (score.loss - whole).abs() <= tolerance * (1.0 + whole),
                "{preset} {loss}"
            );
            assert_eq!(score.accuracy, network.accuracy(&theta, &inputs, &labels).unwrap());
        }
    }

    #[test]
    fn the_path_in_place_gives_the_gradient_of_the_generic_one() {
        for activation in Activation::ALL {
            for rest in ["", ":no-bias"] {
                check::<f64>(&format!("mlp:7-4:{activation}{rest}"), f64::EPSILON);
                check::<f32>(&format!("mlp:7-4:{activation}{rest}"), f64::from(f32::EPSILON));
            }
        }
        check::<f64>("linear", f64::EPSILON);
    }

    #[test]
    fn a_short_batch_after_a_long_one_leaves_nothing_behind() {
        let network = Network::preset("mlp:4", 3, 2).unwrap();
        let theta: Vec<f64> = network.initial(&Seed::root(2), &Default::default()).unwrap();
        let inputs = Array::from_fn(6, 3, |i, j| (i + j) as f64 / 3.0 - 1.0);
        let targets = Loss::Squared
            .targets((&[0usize, 1, 0, 1, 1, 0][..]).into(), 6, 2)
            .unwrap();
        let run = |workspace: &mut Workspace<f64>, rows: &[usize]| {
            let mut gradient = vec![0.0; theta.len()];
            workspace.loss_and_gradient(&theta, &inputs, &targets, rows, Loss::Squared, &mut gradient);
            gradient
        };
        let fresh = run(&mut Workspace::new(&network, 6), &[5]);
        let mut used = Workspace::new(&network, 6);
        run(&mut used, &[0, 1, 2, 3, 4, 5]);
        assert_eq!(run(&mut used, &[5]), fresh);
    }
}
