//! The gradient noise scale: about how many samples a batch may have before more of them stop paying.

use super::trainer::Examples;
use crate::error::{Error, Result};
use crate::networks::{Loss, Network, Real, Workspace};
use crate::seed::Seed;
use crate::support::Mask;
use rand::RngExt;

/// An estimate of the simple noise scale `B = tr Σ / ‖G‖²`, with `G` the gradient of the loss over all samples and `Σ` the
/// covariance of the gradient of one sample (McCandlish, Kaplan, Amodei et al., arXiv:1812.06162, section 2.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseScale {
    /// The estimate of B: the ratio of the two below. NaN when the estimate of ‖G‖² is not positive, which says that the
    /// batches were too small or too few.
    pub scale: f64,
    /// Its standard error over the pairs of batches, to first order in both means; 0 when it is exact, NaN with `scale`.
    pub standard_error: f64,
    /// An unbiased estimate of ‖G‖².
    pub squared_gradient: f64,
    /// An unbiased estimate of `tr Σ`.
    pub trace: f64,
    /// Pairs of batches behind it; 0 when it is exact.
    pub pairs: usize,
}

/// A small and a large batch, and how many pairs of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoisePlan {
    /// Samples of the small batch, at least 1.
    pub small: usize,
    /// Samples of the large batch, above `small`.
    pub large: usize,
    /// Pairs of batches, at least 2.
    pub pairs: usize,
}

impl Default for NoisePlan {
    /// 32 pairs of batches of 8 and 256.
    fn default() -> Self {
        NoisePlan {
            small: 8,
            large: 256,
            pairs: 32,
        }
    }
}

impl NoiseScale {
    /// Estimates the noise scale at `theta` from pairs of batches drawn with replacement.
    ///
    /// A batch of b samples has `E ‖G_b‖² = ‖G‖² + tr Σ / b`, so that two sizes `b < B` give the unbiased
    /// `‖G‖² ≈ (B ‖G_B‖² − b ‖G_b‖²) / (B − b)` and `tr Σ ≈ (‖G_b‖² − ‖G_B‖²) / (1/b − 1/B)` (appendix A.1 of the
    /// source); both are averaged over the pairs before they are divided. The ratio itself has a bias of second order.
    /// Batches come from the stream `noise-scale` of the seed, pair `k` from its replicate `k`.
    ///
    /// # Errors
    /// [`Error::Argument`] on a plan out of range; [`Error::Shape`] or [`Error::NotFinite`] on what does not fit.
    ///
    /// Cost: `pairs · (small + large)` gradients of a sample.
    pub fn estimate<T: Real>(
        network: &Network,
        theta: &[T],
        examples: Examples<'_, T>,
        loss: Loss,
        plan: NoisePlan,
        seed: &Seed,
    ) -> Result<Self> {
        if plan.small == 0 || plan.large <= plan.small || plan.pairs < 2 {
            return Err(Error::argument(
                "noise scale",
                "two batches, 1 ≤ small < large, and at least 2 pairs",
                format!("{plan:?}"),
            ));
        }
        let mut gradients = Gradients::new(network, theta, examples, loss, plan.large)?;
        let samples = examples.inputs.rows();
        let (small, large) = (plan.small as f64, plan.large as f64);
        let mut estimates = Vec::with_capacity(plan.pairs);
        for pair in 0..plan.pairs {
            let mut rng = seed.stream("noise-scale").replicate(pair as u64).rng();
            let mut square_of = |count: usize| {
                let rows: Vec<usize> = (0..count).map(|_| rng.random_range(0..samples)).collect();
                gradients.squared_norm(&rows)
            };
            let (of_small, of_large) = (square_of(plan.small), square_of(plan.large));
            estimates.push((
                (large * of_large - small * of_small) / (large - small),
                (of_small - of_large) / (1.0 / small - 1.0 / large),
            ));
        }
        Ok(ratio(&estimates))
    }

    /// The noise scale itself, from the gradient of every sample.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`] on what does not fit.
    ///
    /// Cost: the gradient of every sample, twice.
    pub fn exact<T: Real>(network: &Network, theta: &[T], examples: Examples<'_, T>, loss: Loss) -> Result<Self> {
        Self::exact_masked(network, theta, examples, loss, &network.layout().full_mask())
    }

    /// As [`NoiseScale::exact`] for a pruned network: `theta` is zero where the mask prunes, and the gradient is that in the
    /// kept parameters alone, which are the ones that training moves.
    ///
    /// # Errors
    /// As [`NoiseScale::exact`]; [`Error::Shape`] for a mask of another network.
    ///
    /// Cost: as [`NoiseScale::exact`].
    pub fn exact_masked<T: Real>(
        network: &Network,
        theta: &[T],
        examples: Examples<'_, T>,
        loss: Loss,
        mask: &Mask,
    ) -> Result<Self> {
        let samples = examples.inputs.rows();
        let mut gradients = Gradients::new(network, theta, examples, loss, 1)?;
        network.layout().check_mask(mask)?;
        gradients.pruned = (0..mask.dimension()).filter(|&i| !mask.keeps(i)).collect();
        let mut mean = vec![0.0; theta.len()];
        for i in 0..samples {
            let gradient = gradients.of(&[i]);
            mean.iter_mut()
                .zip(gradient)
                .for_each(|(m, g)| *m += g.to_f64() / samples as f64);
        }
        // About the mean, which keeps a small variance from drowning in a large gradient.
        let mut trace = 0.0;
        for i in 0..samples {
            let gradient = gradients.of(&[i]);
            let deviation: f64 = gradient.iter().zip(&mean).map(|(g, m)| (g.to_f64() - m).powi(2)).sum();
            trace += deviation / samples as f64;
        }
        let squared_gradient: f64 = mean.iter().map(|m| m * m).sum();
        Ok(NoiseScale {
            scale: if squared_gradient > 0.0 {
                trace / squared_gradient
            } else {
                f64::NAN
            },
            standard_error: 0.0,
            squared_gradient,
            trace,
            pairs: 0,
        })
    }
}

/// The ratio of the means of `(‖G‖², tr Σ)`, with the standard error of its first-order expansion.
fn ratio(estimates: &[(f64, f64)]) -> NoiseScale {
    let count = estimates.len() as f64;
    let squared_gradient = estimates.iter().map(|e| e.0).sum::<f64>() / count;
    let trace = estimates.iter().map(|e| e.1).sum::<f64>() / count;
    let (scale, standard_error) = if squared_gradient > 0.0 {
        let scale = trace / squared_gradient;
        // trace − scale · squared gradient has mean zero: its spread over ‖G‖² is that of the ratio.
        let residuals = estimates.iter().map(|(g, s)| (s - scale * g).powi(2)).sum::<f64>();
        (scale, (residuals / (count - 1.0) / count).sqrt() / squared_gradient)
    } else {
        (f64::NAN, f64::NAN)
    };
    NoiseScale {
        scale,
        standard_error,
        squared_gradient,
        trace,
        pairs: estimates.len(),
    }
}

/// Gradients of batches, in one set of buffers.
struct Gradients<'a, T: Real> {
    theta: &'a [T],
    examples: Examples<'a, T>,
    targets: crate::networks::Array<T>,
    loss: Loss,
    workspace: Workspace<T>,
    gradient: Vec<T>,
    /// Parameters that do not count.
    pruned: Vec<usize>,
}

impl<'a, T: Real> Gradients<'a, T> {
    fn new(network: &Network, theta: &'a [T], examples: Examples<'a, T>, loss: Loss, batch: usize) -> Result<Self> {
        examples.check("noise scale")?;
        // One forward pass refuses what does not fit.
        network.outputs(theta, examples.inputs)?;
        Ok(Gradients {
            theta,
            targets: examples.loss_targets(loss, network.classes())?,
            examples,
            loss,
            workspace: Workspace::new(network, &network.layout().full_mask(), batch),
            gradient: vec![T::ZERO; theta.len()],
            pruned: Vec::new(),
        })
    }

    fn of(&mut self, rows: &[usize]) -> &[T] {
        let (inputs, targets) = (self.examples.inputs, &self.targets);
        self.workspace
            .loss_and_gradient(self.theta, inputs, targets, rows, self.loss, &mut self.gradient);
        for &i in &self.pruned {
            self.gradient[i] = T::ZERO;
        }
        &self.gradient
    }

    fn squared_norm(&mut self, rows: &[usize]) -> f64 {
        self.of(rows).iter().map(|g| g.to_f64().powi(2)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::{Array, Initialisation};

    fn problem(samples: usize) -> (Network, Vec<f64>, Array<f64>, Vec<usize>) {
        let network = Network::preset("mlp:5:tanh", 3, 2).unwrap();
        let theta = network.initial(&Seed::root(3), &Initialisation::LECUN).unwrap();
        let inputs = Array::from_fn(samples, 3, |i, j| ((5 * i + 7 * j) % 13) as f64 / 6.0 - 1.0);
        let labels = (0..samples).map(|i| (i / 2) % 2).collect();
        (network, theta, inputs, labels)
    }

    #[test]
    fn over_all_batches_the_two_batch_estimate_is_the_exact_value() {
        let (network, theta, inputs, labels) = problem(4);
        let examples = Examples::labelled(&inputs, &labels);
        for loss in Loss::ALL {
            let exact = NoiseScale::exact(&network, &theta, examples, loss).unwrap();
            let mut gradients = Gradients::new(&network, &theta, examples, loss, 3).unwrap();
            // Every batch of 1 and every batch of 3 that drawing with replacement can give, each as likely.
            let of_small = (0..4).map(|i| gradients.squared_norm(&[i])).sum::<f64>() / 4.0;
            let of_large: f64 = (0..64)
                .map(|k| gradients.squared_norm(&[k % 4, k / 4 % 4, k / 16]))
                .sum::<f64>()
                / 64.0;
            let squared_gradient = (3.0 * of_large - of_small) / 2.0;
            let trace = (of_small - of_large) / (1.0 - 1.0 / 3.0);
            // Sums of some hundred squares, and differences of numbers no larger than the mean square of a gradient.
            let tolerance = 1000.0 * f64::EPSILON * of_small;
            assert!((squared_gradient - exact.squared_gradient).abs() <= tolerance, "{loss}");
            assert!((trace - exact.trace).abs() <= tolerance, "{loss}");
        }
    }

    #[test]
    fn the_estimate_meets_the_exact_value_within_its_standard_error() {
        let (network, theta, inputs, labels) = problem(40);
        let examples = Examples::labelled(&inputs, &labels);
        let exact = NoiseScale::exact(&network, &theta, examples, Loss::CrossEntropy).unwrap();
        let plan = NoisePlan {
            small: 4,
            large: 64,
            pairs: 400,
        };
        let mut misses = 0;
        for seed in 0..20 {
            let seed = Seed::root(seed);
            let seen = NoiseScale::estimate(&network, &theta, examples, Loss::CrossEntropy, plan, &seed).unwrap();
            assert!(seen.standard_error > 0.0 && seen.standard_error < 0.2 * exact.scale);
            misses += usize::from((seen.scale - exact.scale).abs() > 2.0 * seen.standard_error);
        }
        // Each misses with probability 0.05: more than 5 of 20 has probability 3e-4. The seeds are fixed.
        assert!(misses <= 5, "{misses} of 20");
    }

    #[test]
    fn of_a_pruned_network_the_kept_parameters_alone_count() {
        let (network, mut theta, inputs, labels) = problem(12);
        let examples = Examples::labelled(&inputs, &labels);
        let mut mask = network.layout().full_mask();
        for i in [0, 3, 4, 11] {
            mask.set(i, false);
        }
        mask.apply(&mut theta).unwrap();
        let loss = Loss::CrossEntropy;
        let masked = NoiseScale::exact_masked(&network, &theta, examples, loss, &mask).unwrap();
        let mut gradients = Gradients::new(&network, &theta, examples, loss, 1).unwrap();
        let rows: Vec<Vec<f64>> = (0..12).map(|i| gradients.of(&[i]).to_vec()).collect();
        let (mut square, mut trace) = (0.0, 0.0);
        for p in (0..theta.len()).filter(|&p| mask.keeps(p)) {
            let mean = rows.iter().map(|g| g[p]).sum::<f64>() / 12.0;
            square += mean * mean;
            trace += rows.iter().map(|g| (g[p] - mean).powi(2)).sum::<f64>() / 12.0;
        }
        // Sums of some hundred terms.
        assert!((masked.squared_gradient / square - 1.0).abs() < 1e-12);
        assert!((masked.trace / trace - 1.0).abs() < 1e-12);
        let whole = NoiseScale::exact(&network, &theta, examples, loss).unwrap();
        assert!(whole.trace > masked.trace && whole.squared_gradient > masked.squared_gradient);
        let other = crate::Mask::full(3);
        assert!(NoiseScale::exact_masked(&network, &theta, examples, loss, &other).is_err());
    }

    #[test]
    fn equal_samples_have_no_noise_and_impossible_plans_are_refused() {
        let (network, theta, ..) = problem(1);
        let (inputs, labels) = (Array::from_fn(6, 3, |_, j| j as f64 - 0.5), vec![1usize; 6]);
        let examples = Examples::labelled(&inputs, &labels);
        let exact = NoiseScale::exact(&network, &theta, examples, Loss::Squared).unwrap();
        // The mean of six equal numbers is off by a few roundings, and so are deviations from it.
        assert!(exact.trace <= 64.0 * f64::EPSILON * f64::EPSILON * exact.squared_gradient);
        for plan in [
            NoisePlan {
                small: 0,
                ..NoisePlan::default()
            },
            NoisePlan {
                large: 8,
                ..NoisePlan::default()
            },
            NoisePlan {
                pairs: 1,
                ..NoisePlan::default()
            },
        ] {
            let refused = NoiseScale::estimate(&network, &theta, examples, Loss::Squared, plan, &Seed::root(1));
            assert!(matches!(refused, Err(Error::Argument { .. })), "{plan:?}");
        }
        let short = Examples::labelled(&inputs, &labels[1..]);
        assert!(NoiseScale::exact(&network, &theta, short, Loss::Squared).is_err());
    }
}
