//! Two inputs and a gradient through the same random masked network, dense or convolutional, of any [`Nonlinearity`].
//!
//! Forward, layer by layer: the length `q` of the first input and the correlation `c` of the two, the cosine of their
//! pre-activations. Backward, through the same weights: the squared norm of the gradient of a random direction of the last layer.
//! [`MeanField`](crate::theory::mean_field::MeanField) says what these become as the width grows; here they are measured at
//! a width, over independent networks, in the mean and as typical values (the mean of the logarithm).
//!
//! A convolution is circular; its fan-in is channels × kernel, its inputs are independent by position, and lengths are means over
//! channels and positions. It has the same map as a dense layer (Xiao et al. 2018, arXiv:1806.05393).

use super::super::coin::Coin;
use super::super::{require_between, sample_mean};
use super::lattice::{Lattice, Reading};
use super::random::{RandomNetwork, mean_square, normal};
use crate::error::{Error, Result};
use crate::linalg::gemm;
use crate::linalg::{dot, norm};
use crate::outcome::Estimate;
use crate::seed::Seed;
use crate::theory::mean_field::Nonlinearity;
use std::ops::RangeInclusive;

/// What is sent through a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairProbe {
    /// φ.
    pub nonlinearity: Nonlinearity,
    /// Positions and kernel of the layers; the width of the network counts its channels.
    pub lattice: Lattice,
    /// Correlation of the two Gaussian inputs, unit by unit.
    pub correlation: f64,
}

impl Default for PairProbe {
    /// ReLU, dense, two independent inputs.
    fn default() -> Self {
        PairProbe {
            nonlinearity: Nonlinearity::Relu,
            lattice: Lattice::POINT,
            correlation: 0.0,
        }
    }
}

/// A number of one layer of one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Mean square of the pre-activations of the first input, q.
    Length,
    /// Cosine of the pre-activations of the two inputs, c; undefined where either is silent.
    Correlation,
    /// 1 − c, without cancellation.
    Separation,
    /// Squared norm of the gradient in the pre-activations of the layer, over that in the last layer's.
    Gradient,
}

impl Measure {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Measure::Length => "length",
            Measure::Correlation => "correlation",
            Measure::Separation => "separation",
            Measure::Gradient => "gradient",
        }
    }
}

/// Lengths, correlations and gradients by network and layer.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalSample {
    depth: usize,
    lengths: Vec<f64>,
    separations: Vec<f64>,
    gradients: Vec<f64>,
}

impl SignalSample {
    /// Layers of weights.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The number of networks.
    pub fn replicates(&self) -> usize {
        self.lengths.len() / (self.depth + 1)
    }

    /// One number of every network; NaN where it is undefined.
    ///
    /// # Errors
    /// [`Error::Argument`] for a layer beyond the depth.
    pub fn values(&self, measure: Measure, layer: usize) -> Result<Vec<f64>> {
        require_between("layer", layer, 0, self.depth)?;
        let (stored, correlation) = match measure {
            Measure::Length => (&self.lengths, false),
            Measure::Correlation => (&self.separations, true),
            Measure::Separation => (&self.separations, false),
            Measure::Gradient => (&self.gradients, false),
        };
        let column = stored.iter().skip(layer).step_by(self.depth + 1);
        Ok(column.map(|&v| if correlation { 1.0 - v } else { v }).collect())
    }

    /// The mean over the networks in which it is defined; their number is in the certainty.
    ///
    /// Lengths and gradients of deep and narrow networks have heavy tails: see the exact second moments of
    /// [`finite_jacobian`](crate::theory::mean_field::MeanField::finite_jacobian).
    ///
    /// # Errors
    /// As [`SignalSample::values`], and when fewer than two are defined.
    pub fn mean(&self, measure: Measure, layer: usize) -> Result<Estimate<f64>> {
        let mut values = self.values(measure, layer)?;
        values.retain(|v| !v.is_nan());
        sample_mean(&values)
    }

    /// The mean of the logarithm over the networks in which it is positive; their number is in the certainty.
    ///
    /// # Errors
    /// As [`SignalSample::mean`], and [`Error::Argument`] for correlations, which have either sign: take the separation.
    pub fn typical(&self, measure: Measure, layer: usize) -> Result<Estimate<f64>> {
        require_positive_measure(measure)?;
        let values = self.values(measure, layer)?;
        let logs: Vec<f64> = values.iter().filter(|&&v| v > 0.0).map(|v| v.ln()).collect();
        sample_mean(&logs)
    }

    /// The change of the logarithm a layer: the slope of its least-squares line over the layers, in the mean over the networks in
    /// which it is positive in all of them.
    ///
    /// For wide networks near a fixed point it is `−1/ξ_c` for separations in the ordered phase, and `−ln χ₁` for gradients, which
    /// grow with ℓ where they vanish backwards. At a width N both are off by `O(1/N)`, as typical values are.
    ///
    /// # Errors
    /// As [`SignalSample::typical`], and [`Error::Argument`] for fewer than two layers.
    pub fn rate(&self, measure: Measure, layers: RangeInclusive<usize>) -> Result<Estimate<f64>> {
        require_positive_measure(measure)?;
        let (first, last) = (*layers.start(), *layers.end());
        if first >= last {
            let got = format!("{first} to {last}");
            return Err(Error::argument("layers", "at least two, in ascending order", got));
        }
        let columns: Vec<Vec<f64>> = layers.map(|l| self.values(measure, l)).collect::<Result<_>>()?;
        let middle = 0.5 * (columns.len() - 1) as f64;
        let spread: f64 = (0..columns.len()).map(|i| (i as f64 - middle).powi(2)).sum();
        let slope = |t: usize| {
            let alive = columns.iter().all(|c| c[t] > 0.0);
            let terms = columns.iter().enumerate().map(|(i, c)| (i as f64 - middle) * c[t].ln());
            alive.then(|| terms.sum::<f64>() / spread)
        };
        sample_mean(&(0..self.replicates()).filter_map(slope).collect::<Vec<_>>())
    }
}

fn require_positive_measure(measure: Measure) -> Result<()> {
    if measure == Measure::Correlation {
        let expected = "one that is not negative: length, separation or gradient";
        return Err(Error::argument("measure", expected, measure.as_str()));
    }
    Ok(())
}

impl RandomNetwork {
    /// Draws `replicates` independent networks, each with its own pair of Gaussian inputs and its own direction of the last layer,
    /// and measures every layer.
    ///
    /// Replicate t draws inputs and weights as [`RandomNetwork::lengths`] with every weight drawn does, so that the first input of
    /// a dense network has the same lengths there.
    ///
    /// # Errors
    /// [`Error::Argument`] as [`RandomNetwork::lengths`], for a correlation outside `[−1, 1]`, more than 2²⁷ weights in a network,
    /// or more than 2²⁶ units seen in a layer; [`Error::Numerical`] when a length or a gradient overflows.
    ///
    /// Cost a replicate and layer: `width² taps` weights drawn, and three products with them for each position. All layers of one
    /// network are in memory at once.
    ///
    /// ```
    /// use ticketsense::Seed;
    /// use ticketsense::simulations::propagation::{Measure, PairProbe, RandomNetwork};
    /// let network = RandomNetwork { depth: 4, width: 60, ..RandomNetwork::default() };
    /// let sample = network.signals(&PairProbe::default(), 100, &Seed::root(0))?;
    /// // Critical for ReLU: gradients stay, and inputs come nearer to each other.
    /// assert!((sample.mean(Measure::Gradient, 0)?.value - 1.0).abs() < 0.3);
    /// assert!(sample.mean(Measure::Correlation, 4)?.value > 0.4);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn signals(&self, probe: &PairProbe, replicates: usize, seed: &Seed) -> Result<SignalSample> {
        self.check()?;
        require_between("replicates", replicates, 1, (1 << 27) / (self.depth + 1))?;
        if !(-1.0..=1.0).contains(&probe.correlation) {
            return Err(Error::argument("correlation", "a number in [-1, 1]", probe.correlation));
        }
        let (width, taps) = (self.width as u128, probe.lattice.taps() as u128);
        let weights = width * width * taps * self.depth as u128;
        let seen = 2 * probe.lattice.positions() as u128 * width * taps;
        for (name, count, most) in [
            ("weights of a network", weights, 1 << 27),
            ("units seen", seen, 1 << 26),
        ] {
            if count > most {
                return Err(Error::argument(name, format!("at most {most}"), count));
            }
        }
        let mut pass = Pass::new(self, probe);
        let mut sample = SignalSample {
            depth: self.depth,
            lengths: Vec::with_capacity(replicates * (self.depth + 1)),
            separations: Vec::with_capacity(replicates * (self.depth + 1)),
            gradients: Vec::with_capacity(replicates * (self.depth + 1)),
        };
        for replicate in 0..replicates {
            pass.forward(&seed.replicate(replicate as u64), &mut sample)?;
            pass.backward(&seed.replicate(replicate as u64), &mut sample)?;
        }
        Ok(sample)
    }
}

/// One network, and what it does to a pair of inputs.
struct Pass<'a> {
    network: &'a RandomNetwork,
    probe: &'a PairProbe,
    reading: Reading,
    coin: Coin,
    /// `width × fan-in`, by layer.
    weights: Vec<Vec<f64>>,
    biases: Vec<f64>,
    /// φ′ at the pre-activations of the first input, from layer 0 to the last but one.
    slopes: Vec<Vec<f64>>,
    /// Pre-activations, then activations, of both inputs: `2 × positions × channels`.
    values: Vec<f64>,
    seen: Vec<f64>,
}

impl<'a> Pass<'a> {
    fn new(network: &'a RandomNetwork, probe: &'a PairProbe) -> Self {
        let reading = Reading::new(probe.lattice, network.width);
        let (units, fan_in) = (reading.units(), reading.fan_in());
        Pass {
            network,
            probe,
            coin: Coin::new(network.density.value()),
            weights: vec![vec![0.0; network.width * fan_in]; network.depth],
            biases: vec![0.0; network.width],
            slopes: vec![vec![0.0; units]; network.depth],
            values: vec![0.0; 2 * units],
            seen: vec![0.0; 2 * probe.lattice.positions() * fan_in],
            reading,
        }
    }

    fn forward(&mut self, seed: &Seed, sample: &mut SignalSample) -> Result<()> {
        let (mut rng, mut other) = (seed.rng(), seed.stream("second input").rng());
        let (width, units, fan_in) = (self.network.width, self.reading.units(), self.reading.fan_in());
        let rows = 2 * self.probe.lattice.positions();
        let scale = self.network.initial_length.sqrt();
        let shared = self.probe.correlation;
        let own = ((1.0 - shared) * (1.0 + shared)).sqrt();
        let (first, second) = self.values.split_at_mut(units);
        first.fill_with(|| scale * normal(&mut rng));
        for (s, f) in second.iter_mut().zip(&*first) {
            *s = shared * f + own * scale * normal(&mut other);
        }
        self.measure(0, seed, sample)?;
        let phi = self.probe.nonlinearity;
        for layer in 0..self.network.depth {
            let slopes = self.slopes[layer].iter_mut().zip(&self.values);
            slopes.for_each(|(d, &h)| *d = phi.slope(h));
            self.values.iter_mut().for_each(|h| *h = phi.value(*h));
            self.reading.gather(&self.values, &mut self.seen);
            let weights = &mut self.weights[layer];
            self.network.draw_layer(self.coin, weights, &mut self.biases, &mut rng);
            for row in self.values.chunks_exact_mut(width) {
                row.copy_from_slice(&self.biases);
            }
            gemm(
                rows,
                fan_in,
                width,
                &self.seen,
                false,
                weights,
                true,
                &mut self.values,
                true,
            );
            self.measure(layer + 1, seed, sample)?;
        }
        Ok(())
    }

    fn measure(&self, layer: usize, seed: &Seed, sample: &mut SignalSample) -> Result<()> {
        let (first, second) = self.values.split_at(self.reading.units());
        let length = mean_square(first);
        if !(length.is_finite() && mean_square(second).is_finite()) {
            let why = format!(
                "the length of layer {layer} is {length} in replicate {}",
                seed.replicate_number()
            );
            return Err(Error::numerical("signal propagation", why));
        }
        sample.lengths.push(length);
        sample.separations.push(separation(first, second));
        Ok(())
    }

    fn backward(&mut self, seed: &Seed, sample: &mut SignalSample) -> Result<()> {
        let (width, units, fan_in) = (self.network.width, self.reading.units(), self.reading.fan_in());
        let positions = self.probe.lattice.positions();
        let mut rng = seed.stream("gradient").rng();
        let mut gradient: Vec<f64> = (0..units).map(|_| normal(&mut rng)).collect();
        let length = norm(&gradient);
        gradient.iter_mut().for_each(|g| *g /= length);
        let mut norms = vec![1.0; self.network.depth + 1];
        let seen = &mut self.seen[..positions * fan_in];
        for layer in (0..self.network.depth).rev() {
            gemm(
                positions,
                width,
                fan_in,
                &gradient,
                false,
                &self.weights[layer],
                false,
                seen,
                false,
            );
            self.reading.scatter(seen, &mut gradient);
            gradient.iter_mut().zip(&self.slopes[layer]).for_each(|(g, d)| *g *= d);
            norms[layer] = dot(&gradient, &gradient);
            if !norms[layer].is_finite() {
                let why = format!(
                    "the gradient overflows at layer {layer} in replicate {}",
                    seed.replicate_number()
                );
                return Err(Error::numerical("signal propagation", why));
            }
        }
        sample.gradients.extend(norms);
        Ok(())
    }
}

/// `1 − cos` of two vectors, as half the squared distance of their directions; NaN where one has none.
fn separation(first: &[f64], second: &[f64]) -> f64 {
    let (a, b) = (norm(first), norm(second));
    if a == 0.0 || b == 0.0 {
        return f64::NAN;
    }
    let pairs = first.iter().zip(second);
    0.5 * pairs.map(|(x, y)| (x / a - y / b).powi(2)).sum::<f64>()
}

#[cfg(test)]
#[path = "signals_tests.rs"]
mod tests;
