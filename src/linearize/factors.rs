//! The Jacobian of a network as factors: the block of a weight is `Σ_p δ_p ⊗ a_p`, signals times activations summed
//! over the positions that share the weight.
//!
//! For output class c of sample s, weight (o, i) has the derivative `∂f_c(x_s)/∂W_oi = Σ_p δ_{op}^{(s,c)} a_{ip}^{(s)}`,
//! with `a_p` what the weight multiplies at position p and `δ_p` the derivative of the output in what it is added to.
//! A dense layer has one position, a convolution one a pixel, a tied recurrent cell one a step. For n samples, C classes
//! and P positions that is `n P (C out + in)` numbers in place of `n C out in`. Biases, scales and shifts are kept as
//! their columns.

use crate::linalg::{dot, gemm};
use crate::networks::{Array, Network};
use pulp::Arch;
use std::ops::Range;

/// The number of classes of the usual data sets, for which loops over the classes are unrolled.
const USUAL: usize = 10;
/// Samples whose sums over the columns of one unit fit the registers; two, so that at most one is left over.
const SAMPLES: usize = 2;

/// One slot of parameters. Everything is stored feature by feature, so that a column of the Jacobian reads two contiguous
/// slices.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Its place among all parameters.
    pub range: Range<usize>,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Weight {
        inputs: usize,
        outputs: usize,
        positions: usize,
        /// `a`, inputs × (n P).
        activations: Vec<f64>,
        /// `δ`, outputs × (n C P): for each output the signals at sample s, class c and position p.
        signals: Vec<f64>,
    },
    Vector {
        /// Entries × (n C).
        signals: Vec<f64>,
    },
}

/// The factors of every slot, in the order of the parameters.
#[derive(Clone, Debug)]
pub(super) struct Factors {
    pub blocks: Vec<Block>,
    pub samples: usize,
    pub classes: usize,
    pub parameters: usize,
}

/// Where a parameter stands among the factors.
pub(super) enum Entry<'a> {
    /// Signal (n C P), activation (n P) and the number of positions P.
    Weight(&'a [f64], &'a [f64], usize),
    /// A whole column.
    Vector(&'a [f64]),
    /// A parameter without a derivative: a running statistic.
    Constant,
}

impl Factors {
    /// The outputs of the network and the factors of its Jacobian.
    pub fn new(network: &Network, theta: &[f64], inputs: &Array<f64>) -> (Array<f64>, Factors) {
        super::recorder::factors(network, theta, inputs)
    }

    /// Number of rows, n C.
    pub fn rows(&self) -> usize {
        self.samples * self.classes
    }

    /// Applies a linear map of `ℝ^C` to the signals of every sample: the Jacobian becomes `R J`, R block diagonal.
    pub fn transform(&mut self, map: impl Fn(usize, &mut [f64])) {
        let (rows, classes) = (self.rows(), self.classes);
        let mut of_position = vec![0.0; classes];
        for block in &mut self.blocks {
            let (signals, positions) = match &mut block.kind {
                Kind::Weight { signals, positions, .. } => (signals, *positions),
                Kind::Vector { signals } => (signals, 1),
            };
            for unit in signals.chunks_exact_mut(rows * positions) {
                for (s, of_sample) in unit.chunks_exact_mut(classes * positions).enumerate() {
                    if positions == 1 {
                        map(s, of_sample);
                        continue;
                    }
                    for p in 0..positions {
                        for (c, value) in of_position.iter_mut().enumerate() {
                            *value = of_sample[c * positions + p];
                        }
                        map(s, &mut of_position);
                        for (c, value) in of_position.iter().enumerate() {
                            of_sample[c * positions + p] = *value;
                        }
                    }
                }
            }
        }
    }

    /// `y ← J v` for a direction in all parameters.
    pub fn apply(&self, v: &[f64], y: &mut [f64]) {
        y.fill(0.0);
        for block in &self.blocks {
            let v = &v[block.range.clone()];
            match &block.kind {
                Kind::Weight {
                    inputs,
                    outputs,
                    positions,
                    activations,
                    signals,
                } => {
                    let width = self.samples * positions;
                    let mut z = vec![0.0; outputs * width];
                    gemm(*outputs, *inputs, width, v, false, activations, false, &mut z, false);
                    let units = z.chunks_exact(width).zip(signals.chunks_exact(self.rows() * positions));
                    for (z, signal) in units {
                        self.add_scaled_signal(1.0, signal, z, *positions, y);
                    }
                }
                Kind::Vector { signals } => {
                    for (v, signal) in v.iter().zip(signals.chunks_exact(self.rows())) {
                        if *v != 0.0 {
                            add_scaled(*v, signal, y);
                        }
                    }
                }
            }
        }
    }

    /// Which blocks hold one of some parameters, in ascending order.
    pub fn blocks_of(&self, parameters: &[usize]) -> Vec<bool> {
        let holds = |block: &Block| {
            let first = parameters.partition_point(|&j| j < block.range.start);
            parameters.get(first).is_some_and(|&j| j < block.range.end)
        };
        self.blocks.iter().map(holds).collect()
    }

    /// `v ← Jᵀ u` over the parameters of the wanted blocks, 0 elsewhere.
    pub fn adjoint(&self, u: &[f64], wanted: &[bool], v: &mut [f64]) {
        v.fill(0.0);
        for (block, _) in self.blocks.iter().zip(wanted).filter(|(_, wanted)| **wanted) {
            let v = &mut v[block.range.clone()];
            match &block.kind {
                Kind::Weight {
                    inputs,
                    outputs,
                    positions,
                    activations,
                    signals,
                } => {
                    let g = self.contracted(signals, *positions, u);
                    let width = self.samples * positions;
                    gemm(*outputs, width, *inputs, &g, false, activations, true, v, false);
                }
                Kind::Vector { signals } => {
                    for (v, signal) in v.iter_mut().zip(signals.chunks_exact(self.rows())) {
                        *v = dot(signal, u);
                    }
                }
            }
        }
    }

    /// `Σ_c δ_{op}^{(s,c)} u_{sc}`, outputs × (n P).
    fn contracted(&self, signals: &[f64], positions: usize, u: &[f64]) -> Vec<f64> {
        let classes = self.classes;
        let mut g = Vec::with_capacity(signals.len() / classes);
        for signal in signals.chunks_exact(self.rows() * positions) {
            let samples = signal.chunks_exact(classes * positions).zip(u.chunks_exact(classes));
            if positions == 1 {
                if classes == USUAL {
                    let (d, u) = (signal.as_chunks::<USUAL>().0, u.as_chunks::<USUAL>().0);
                    g.extend(d.iter().zip(u).map(|(d, u)| inner(d, u)));
                } else {
                    g.extend(samples.map(|(d, u)| inner(d, u)));
                }
                continue;
            }
            for (d, u) in samples {
                let start = g.len();
                g.resize(start + positions, 0.0);
                for (d, u) in d.chunks_exact(positions).zip(u) {
                    add_scaled(*u, d, &mut g[start..]);
                }
            }
        }
        g
    }

    /// Where a parameter stands.
    pub fn entry(&self, parameter: usize) -> Entry<'_> {
        let at = self.blocks.partition_point(|b| b.range.end <= parameter);
        let Some(block) = self.blocks.get(at).filter(|b| b.range.contains(&parameter)) else {
            return Entry::Constant;
        };
        let place = parameter - block.range.start;
        match &block.kind {
            Kind::Weight {
                inputs,
                positions,
                activations,
                signals,
                ..
            } => {
                let (unit, input) = (place / inputs, place % inputs);
                let (rows, width) = (self.rows() * positions, self.samples * positions);
                Entry::Weight(
                    &signals[unit * rows..(unit + 1) * rows],
                    &activations[input * width..(input + 1) * width],
                    *positions,
                )
            }
            Kind::Vector { signals } => Entry::Vector(&signals[place * self.rows()..(place + 1) * self.rows()]),
        }
    }

    /// `y ← y + α J e_j`.
    pub fn add_column(&self, parameter: usize, alpha: f64, y: &mut [f64]) {
        match self.entry(parameter) {
            Entry::Weight(signal, activation, positions) => {
                self.add_scaled_signal(alpha, signal, activation, positions, y);
            }
            Entry::Vector(signal) => add_scaled(alpha, signal, y),
            Entry::Constant => {}
        }
    }

    /// `y ← y + Σ v_j J e_j` over some parameters j, each with its v_j, with the bits of [`Factors::add_column`] for one after
    /// the other. Neighbours that are weights of one unit share its signals, which are then read once for all of them.
    pub fn add_columns(&self, entries: &[(usize, f64)], y: &mut [f64]) {
        let mut terms = Vec::new();
        for group in entries.chunk_by(|a, b| self.unit(a.0).is_some_and(|unit| self.unit(b.0) == Some(unit))) {
            if let [(parameter, value)] = group {
                self.add_column(*parameter, *value, y);
                continue;
            }
            terms.clear();
            let mut shared = None;
            for (parameter, value) in group {
                if let Entry::Weight(signal, activation, _) = self.entry(*parameter) {
                    terms.push((*value, activation));
                    shared = Some(signal);
                }
            }
            if let Some(signal) = shared {
                add_scaled_signals(signal, &terms, y);
            }
        }
    }

    /// The block and the unit of a weight whose loops are unrolled; none otherwise.
    fn unit(&self, parameter: usize) -> Option<(usize, usize)> {
        let at = self.blocks.partition_point(|b| b.range.end <= parameter);
        let block = self.blocks.get(at).filter(|b| b.range.contains(&parameter))?;
        match block.kind {
            Kind::Weight {
                inputs, positions: 1, ..
            } if self.classes == USUAL => Some((at, (parameter - block.range.start) / inputs)),
            _ => None,
        }
    }

    /// `y_{sc} ← y_{sc} + α Σ_p signal_{scp} factor_{sp}`.
    fn add_scaled_signal(&self, alpha: f64, signal: &[f64], factor: &[f64], positions: usize, y: &mut [f64]) {
        let classes = self.classes;
        if (classes, positions) == (USUAL, 1) {
            let (y, d) = (y.as_chunks_mut::<USUAL>().0, signal.as_chunks::<USUAL>().0);
            // Multiplied and added entry by entry: the bits are those of any width of the vector unit.
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for ((y, d), a) in y.iter_mut().zip(d).zip(factor) {
                        add_scaled(alpha * a, d, y);
                    }
                },
            );
            return;
        }
        let samples = y
            .chunks_exact_mut(classes)
            .zip(signal.chunks_exact(classes * positions));
        for ((y, d), a) in samples.zip(factor.chunks_exact(positions)) {
            if positions == 1 {
                let a = alpha * a[0];
                if a != 0.0 {
                    add_scaled(a, d, y);
                }
                continue;
            }
            for (y, d) in y.iter_mut().zip(d.chunks_exact(positions)) {
                *y += alpha * dot(d, a);
            }
        }
    }

    /// `‖J e_j‖²` for every parameter.
    pub fn squared_norms(&self) -> Vec<f64> {
        let mut out = vec![0.0; self.parameters];
        for block in &self.blocks {
            let out = &mut out[block.range.clone()];
            match &block.kind {
                Kind::Vector { signals } => {
                    for (n, signal) in out.iter_mut().zip(signals.chunks_exact(self.rows())) {
                        // Sample by sample, as for the weights.
                        *n = signal.chunks_exact(self.classes).map(|d| dot(d, d)).sum();
                    }
                }
                Kind::Weight {
                    inputs,
                    outputs,
                    positions: 1,
                    activations,
                    signals,
                } => {
                    let energy: Vec<f64> = signals.chunks_exact(self.classes).map(|d| dot(d, d)).collect();
                    let squares: Vec<f64> = activations.iter().map(|a| a * a).collect();
                    gemm(
                        *outputs,
                        self.samples,
                        *inputs,
                        &energy,
                        false,
                        &squares,
                        true,
                        out,
                        false,
                    );
                }
                Kind::Weight {
                    inputs,
                    outputs,
                    positions,
                    activations,
                    signals,
                } => self.add_squares_of_rows(*inputs, *outputs, *positions, activations, signals, out),
            }
        }
        out
    }

    /// Adds the squares of each row of a block of several positions, formed one row of the Jacobian at a time.
    fn add_squares_of_rows(
        &self,
        inputs: usize,
        outputs: usize,
        positions: usize,
        activations: &[f64],
        signals: &[f64],
        squares: &mut [f64],
    ) {
        let (rows, width) = (self.rows() * positions, self.samples * positions);
        let mut of_input = vec![0.0; inputs * positions];
        let mut of_output = vec![0.0; outputs * positions];
        let mut row = vec![0.0; outputs * inputs];
        for s in 0..self.samples {
            for (to, from) in of_input
                .chunks_exact_mut(positions)
                .zip(activations.chunks_exact(width))
            {
                to.copy_from_slice(&from[s * positions..(s + 1) * positions]);
            }
            for c in 0..self.classes {
                let at = (s * self.classes + c) * positions;
                for (to, from) in of_output.chunks_exact_mut(positions).zip(signals.chunks_exact(rows)) {
                    to.copy_from_slice(&from[at..at + positions]);
                }
                gemm(
                    outputs, positions, inputs, &of_output, false, &of_input, true, &mut row, false,
                );
                for (sum, entry) in squares.iter_mut().zip(&row) {
                    *sum += entry * entry;
                }
            }
        }
    }
}

/// `y_{sc} ← y_{sc} + Σ_j (α_j a_{js}) signal_{sc}`, j by j in the order of the terms `(α_j, a_j)`: sums and signals of some
/// samples stay in registers for all of them.
fn add_scaled_signals(signal: &[f64], terms: &[(f64, &[f64])], y: &mut [f64]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let (samples, last) = y.as_chunks_mut::<USUAL>().0.as_chunks_mut::<SAMPLES>();
            let (signals, last_signals) = signal.as_chunks::<USUAL>().0.as_chunks::<SAMPLES>();
            for (place, (y, d)) in samples.iter_mut().zip(signals).enumerate() {
                add_terms(y, d, terms, |a| a.as_chunks::<SAMPLES>().0[place]);
            }
            for (y, d) in last.iter_mut().zip(last_signals) {
                let of_sample = |a: &[f64]| [a[a.len() - 1]];
                add_terms(std::array::from_mut(y), std::array::from_ref(d), terms, of_sample);
            }
        },
    );
}

/// The terms of some samples.
#[inline(always)]
fn add_terms<const N: usize>(
    y: &mut [[f64; USUAL]; N],
    d: &[[f64; USUAL]; N],
    terms: &[(f64, &[f64])],
    factors: impl Fn(&[f64]) -> [f64; N],
) {
    let (mut sums, d) = (*y, *d);
    for (alpha, activation) in terms {
        for ((sum, d), a) in sums.iter_mut().zip(&d).zip(factors(activation)) {
            add_scaled(alpha * a, d, sum);
        }
    }
    *y = sums;
}

/// `Σ d_c u_c` in the order of the classes.
#[inline(always)]
fn inner(d: &[f64], u: &[f64]) -> f64 {
    d.iter().zip(u).map(|(d, u)| d * u).sum()
}

/// `y ← y + α x`.
#[inline(always)]
fn add_scaled(alpha: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += alpha * x;
    }
}
