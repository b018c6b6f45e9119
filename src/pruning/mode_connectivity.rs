//! Linear mode connectivity: loss and error along the straight path between two trained networks, and the barrier on it.
//!
//! Two copies of a network are trained from common values under different orders of the data. Where the error on the
//! straight path between them rises above that at its ends, the training was not yet stable to the noise of its batches
//! (Frankle, Dziugaite, Roy & Carbin, ICML 2020).

use super::imp::{ImpData, ImpPlan};
use super::run::TrainingOutcome;
use crate::error::{Error, Result};
use crate::networks::{Loss, Network, Real};
use crate::seed::Seed;
use crate::support::Mask;
use crate::training::Examples;

/// What is seen along a path `θ(α) = (1 − α) θ₀ + α θ₁`.
#[derive(Clone, Debug, PartialEq)]
pub struct PathErrors {
    /// The values of α, ascending from 0 to 1.
    pub alphas: Vec<f64>,
    /// The loss at each of them.
    pub losses: Vec<f64>,
    /// The fraction of samples of another class than predicted, at each of them.
    pub errors: Vec<f64>,
}

/// How far a path rises above its ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Barrier {
    /// `max_α E(α) − ½ (E(0) + E(1))` over the whole path, its ends among it: the instability of Frankle et al. It is at
    /// least half the difference of the ends, whatever lies between.
    pub over_mean: f64,
    /// `max_α E(α) − ((1 − α) E(0) + α E(1))` over the inside of the path: at most 0 where E is convex along it.
    pub over_chord: f64,
    /// The α at which `over_chord` is attained, the first.
    pub at: f64,
}

impl PathErrors {
    /// The barrier of the losses.
    ///
    /// # Errors
    /// As [`Barrier::of`].
    pub fn loss_barrier(&self) -> Result<Barrier> {
        Barrier::of(&self.alphas, &self.losses)
    }

    /// The barrier of the errors.
    ///
    /// # Errors
    /// As [`Barrier::of`].
    pub fn error_barrier(&self) -> Result<Barrier> {
        Barrier::of(&self.alphas, &self.errors)
    }
}

impl Barrier {
    /// The barrier of values along a path.
    ///
    /// ```
    /// use ticketsense::pruning::Barrier;
    /// let barrier = Barrier::of(&[0.0, 0.5, 1.0], &[1.0, 4.0, 2.0])?;
    /// assert_eq!((barrier.over_mean, barrier.over_chord, barrier.at), (2.5, 2.5, 0.5));
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] when the lengths differ, [`Error::Argument`] when the α do not ascend from 0 to 1 with at least one
    /// between, [`Error::NotFinite`].
    pub fn of(alphas: &[f64], values: &[f64]) -> Result<Barrier> {
        check_alphas(alphas)?;
        if alphas.len() != values.len() {
            return Err(Error::shape("values along a path", alphas.len(), values.len()));
        }
        crate::error::require_finite("values along a path", values)?;
        let (first, last) = (values[0], values[values.len() - 1]);
        let (mut over_chord, mut at) = (f64::NEG_INFINITY, 0.0);
        let inside = 1..alphas.len() - 1;
        for (&alpha, &value) in alphas[inside.clone()].iter().zip(&values[inside]) {
            let rise = value - ((1.0 - alpha) * first + alpha * last);
            if rise > over_chord {
                (over_chord, at) = (rise, alpha);
            }
        }
        let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Ok(Barrier {
            over_mean: highest - 0.5 * (first + last),
            over_chord,
            at,
        })
    }
}

/// `points` values of α from 0 to 1 at equal distances.
///
/// # Errors
/// [`Error::Argument`] for fewer than three points.
pub fn even_path(points: usize) -> Result<Vec<f64>> {
    if points < 3 {
        return Err(Error::argument("points of a path", "at least 3", points));
    }
    Ok((0..points).map(|i| i as f64 / (points - 1) as f64).collect())
}

fn check_alphas(alphas: &[f64]) -> Result<()> {
    let ascending = alphas.windows(2).all(|pair| pair[0] < pair[1]);
    if ascending && alphas.len() > 2 && alphas[0] == 0.0 && alphas[alphas.len() - 1] == 1.0 {
        Ok(())
    } else {
        let expected = "at least three numbers ascending from 0 to 1";
        Err(Error::argument("points of a path", expected, format!("{alphas:?}")))
    }
}

/// The samples of a path.
#[derive(Clone, Copy, Debug)]
pub struct PathSamples<'a, T> {
    /// Where loss and error are measured.
    pub judged: Examples<'a, T>,
    /// Whose statistics batch normalisation takes at every point of the path: the training samples. Averages of the ends'
    /// running statistics are those of neither network nor of any between, so a path without this shows a barrier that is
    /// none of the weights. Without batch normalisation nothing is estimated.
    pub statistics: Examples<'a, T>,
}

/// Loss and error of a network under a mask at the points `alphas` of the straight path from `first` to `second`.
///
/// Running statistics of batch normalisation are estimated anew at every point, the ends too.
///
/// # Errors
/// [`Error::Argument`] when the α do not ascend from 0 to 1; as [`Examples::score`] when something does not fit.
///
/// Cost: a forward pass over the judged samples a point, and over those of the statistics where there are any.
pub fn path_errors<T: Real>(
    network: &Network,
    mask: &Mask,
    (first, second): (&[T], &[T]),
    samples: PathSamples<'_, T>,
    loss: Loss,
    alphas: &[f64],
) -> Result<PathErrors> {
    check_alphas(alphas)?;
    network.check_parameters("first end of the path", first)?;
    network.check_parameters("second end of the path", second)?;
    let (mut losses, mut errors) = (Vec::with_capacity(alphas.len()), Vec::with_capacity(alphas.len()));
    for &alpha in alphas {
        let (near, far) = (T::of(1.0 - alpha), T::of(alpha));
        let mut theta: Vec<T> = first.iter().zip(second).map(|(&a, &b)| near * a + far * b).collect();
        mask.apply(&mut theta)?;
        let theta = network.with_statistics_of(&theta, samples.statistics.inputs)?;
        let score = samples.judged.score(network, mask, &theta, loss)?;
        losses.push(score.loss);
        errors.push(1.0 - score.accuracy);
    }
    Ok(PathErrors {
        alphas: alphas.to_vec(),
        losses,
        errors,
    })
}

/// Two copies trained from common values on different orders of the data, and what lies between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Siblings {
    /// The copies after their training.
    pub copies: [TrainingOutcome; 2],
    /// The path over the training samples; none when a copy diverged.
    pub training: Option<PathErrors>,
    /// The path over the test samples; none when a copy diverged.
    pub test: Option<PathErrors>,
}

/// Trains `mask ⊙ values` twice from step `start` of a plan, on the orders of the streams `copy-0` and `copy-1` of the seed,
/// and follows the path between the two over `points` points.
///
/// Neither order is the one that a run of iterative pruning found its masks with (its stream is `training`), so that the
/// mask is no nearer to one copy than to the other.
///
/// # Errors
/// As [`ImpPlan::train`] and [`path_errors`].
///
/// Cost: two trainings, and a forward pass over the training and the test samples a point.
#[expect(clippy::too_many_arguments, reason = "what a training is made of, and its path")]
pub fn train_siblings(
    plan: &ImpPlan,
    network: &Network,
    data: &ImpData<'_>,
    mask: &Mask,
    values: &[f32],
    start: usize,
    points: usize,
    seed: &Seed,
) -> Result<Siblings> {
    let alphas = even_path(points)?;
    let copy = |name: &str| plan.train(network, data, mask, values, start, &seed.stream(name));
    let copies = [copy("copy-0")?, copy("copy-1")?];
    let whole = copies.iter().all(|copy| copy.diverged_at.is_none());
    let path = |judged: Examples<'_, f32>| -> Result<Option<PathErrors>> {
        if !whole {
            return Ok(None);
        }
        let samples = PathSamples {
            judged: Examples::labelled(judged.inputs, judged.labels),
            statistics: data.training,
        };
        let ends = (&copies[0].theta[..], &copies[1].theta[..]);
        path_errors(network, mask, ends, samples, plan.training.loss, &alphas).map(Some)
    };
    Ok(Siblings {
        training: path(data.training)?,
        test: path(data.test)?,
        copies,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dot;
    use crate::networks::{Array, Initialisation};
    use crate::pruning::small_samples::SmallSamples;
    use crate::training::{Optimiser, TrainingPlan};

    fn samples(count: usize) -> (Array<f64>, Vec<usize>) {
        let labels: Vec<usize> = (0..count).map(|i| i % 3).collect();
        let inputs = Array::from_fn(count, 4, |i, j| {
            ((i * 7 + j * 5) % 11) as f64 / 5.5 - 1.0 + if labels[i] == j { 1.0 } else { 0.0 }
        });
        (inputs, labels)
    }

    fn along(
        network: &Network,
        ends: (&[f64], &[f64]),
        inputs: &Array<f64>,
        labels: &[usize],
        loss: Loss,
    ) -> PathErrors {
        let examples = Examples::labelled(inputs, labels);
        let samples = PathSamples {
            judged: examples,
            statistics: examples,
        };
        let mask = network.layout().full_mask();
        path_errors(network, &mask, ends, samples, loss, &even_path(31).unwrap()).unwrap()
    }

    #[test]
    fn on_a_quadratic_the_path_lies_below_its_chord_by_the_curvature() {
        let (inputs, labels) = samples(30);
        let network = Network::preset("linear", 4, 3).unwrap();
        let law: Initialisation = "he:bias=0.5".parse().unwrap();
        let first: Vec<f64> = network.initial(&Seed::root(1), &law).unwrap();
        let second: Vec<f64> = network.initial(&Seed::root(2), &law).unwrap();
        let path = along(&network, (&first, &second), &inputs, &labels, Loss::Squared);
        let delta: Vec<f64> = first.iter().zip(&second).map(|(a, b)| b - a).collect();
        let product = network
            .hessian_vector(&first, &delta, &inputs, &labels, Loss::Squared)
            .unwrap();
        let curvature = dot(&delta, &product);
        assert!(curvature > 0.1);
        for (&alpha, &value) in path.alphas.iter().zip(&path.losses) {
            let chord = (1.0 - alpha) * path.losses[0] + alpha * path.losses[30];
            let expected = chord - alpha * (1.0 - alpha) / 2.0 * curvature;
            // Sums of some hundred terms of order one.
            assert!(
                (value - expected).abs() < 1e-12 * (1.0 + chord),
                "{alpha}: {value} {expected}"
            );
        }
        let barrier = path.loss_barrier().unwrap();
        // The inside begins one thirtieth from an end, where the path is nearest to its chord.
        let nearest = 29.0 / 900.0 / 2.0 * curvature;
        assert!((barrier.over_chord + nearest).abs() < 1e-11 && barrier.over_chord < 0.0);
    }

    #[test]
    fn permuted_copies_have_equal_ends_and_a_barrier_between() {
        let (inputs, labels) = samples(60);
        let network = Network::preset("mlp:8", 4, 3).unwrap();
        let plan = TrainingPlan {
            optimiser: Optimiser::adam(0.02),
            batch: 60,
            steps: 150,
            ..TrainingPlan::default()
        };
        let (examples, full) = (Examples::labelled(&inputs, &labels), network.layout().full_mask());
        let trainer = crate::training::Trainer::new(&network, plan, examples, examples, &full, &Seed::root(3)).unwrap();
        let initial: Vec<f64> = network.initial(&Seed::root(4), &Initialisation::HE).unwrap();
        let trained = trainer.run(&initial).unwrap().theta;
        // Hidden unit u becomes unit 7 − u: rows of the first layer, its biases, columns of the second.
        let slot = |name: &str| network.layout().slot(name).unwrap().range.start;
        let (w0, b0, w1) = (slot("dense0.weight"), slot("dense0.bias"), slot("dense1.weight"));
        let mut permuted = trained.clone();
        for u in 0..8 {
            for i in 0..4 {
                permuted[w0 + 4 * (7 - u) + i] = trained[w0 + 4 * u + i];
            }
            permuted[b0 + 7 - u] = trained[b0 + u];
            for o in 0..3 {
                permuted[w1 + 8 * o + 7 - u] = trained[w1 + 8 * o + u];
            }
        }
        let path = along(&network, (&trained, &permuted), &inputs, &labels, Loss::CrossEntropy);
        // The same sums of eight products in another order.
        assert!((path.losses[0] - path.losses[30]).abs() < 1e-12);
        assert_eq!(path.errors[0], path.errors[30]);
        let barrier = path.loss_barrier().unwrap();
        assert!(barrier.over_chord > 0.05, "{barrier:?}");
        assert!((barrier.over_chord - barrier.over_mean).abs() < 1e-12);
        let same = along(&network, (&trained, &trained), &inputs, &labels, Loss::CrossEntropy);
        assert!(same.loss_barrier().unwrap().over_mean.abs() < 1e-12);
    }

    #[test]
    fn batch_statistics_are_those_of_every_point_and_not_averages_of_the_ends() {
        let (inputs, labels) = samples(40);
        let network = Network::preset("mlp:6:batch-norm", 4, 3).unwrap();
        let first: Vec<f64> = network.initial(&Seed::root(1), &Initialisation::HE).unwrap();
        // The negative weights: half way all are zero, and the statistics of the ends have equal variances above zero.
        let second: Vec<f64> = {
            let mut turned = first.clone();
            let slot = network.layout().slot("dense0.weight").unwrap();
            turned[slot.range.clone()].iter_mut().for_each(|w| *w *= 3.0);
            turned
        };
        let path = along(&network, (&first, &second), &inputs, &labels, Loss::CrossEntropy);
        // Scaling the weights before a normalisation changes nothing but the share of its ε of 1e-5 in the variances.
        for loss in &path.losses {
            assert!((loss - path.losses[0]).abs() < 1e-3, "{loss} {}", path.losses[0]);
        }
        let middle: Vec<f64> = first.iter().zip(&second).map(|(a, b)| 0.5 * (a + b)).collect();
        let expected = network.with_statistics_of(&middle, &inputs).unwrap();
        let loss = network.loss(&expected, &inputs, &labels, Loss::CrossEntropy).unwrap();
        assert!((path.losses[15] - loss).abs() < 1e-12);
        let stale = network.loss(&middle, &inputs, &labels, Loss::CrossEntropy).unwrap();
        assert!(
            (stale - loss).abs() > 0.01,
            "the running statistics matter: {stale} {loss}"
        );
    }

    #[test]
    fn the_barrier_has_two_meanings_that_differ_where_the_ends_do() {
        let alphas = [0.0, 0.25, 0.75, 1.0];
        let barrier = Barrier::of(&alphas, &[1.0, 3.0, 2.0, 5.0]).unwrap();
        assert_eq!((barrier.over_mean, barrier.over_chord, barrier.at), (2.0, 1.0, 0.25));
        assert!(Barrier::of(&alphas, &[1.0, 3.0, 2.0]).is_err());
        assert!(Barrier::of(&alphas, &[1.0, f64::NAN, 2.0, 5.0]).is_err());
        assert!(Barrier::of(&[0.0, 1.0], &[1.0, 2.0]).is_err());
        assert!(Barrier::of(&[0.0, 0.5, 0.9], &[1.0, 2.0, 2.0]).is_err());
        assert!(even_path(2).is_err());
    }

    #[test]
    fn siblings_share_their_values_and_differ_in_their_order() {
        let samples = SmallSamples::new(90, 6, 0.0);
        let data = samples.view();
        let plan = ImpPlan {
            network: "mlp:9".into(),
            training: TrainingPlan {
                batch: 30,
                steps: 12,
                evaluate_every: 6,
                ..TrainingPlan::default()
            },
            ..ImpPlan::default()
        };
        let network = plan.build_network(&data).unwrap();
        let mut mask = network.layout().full_mask();
        (0..20).for_each(|i| mask.set(i, false));
        let values: Vec<f32> = network.initial(&Seed::root(1), &plan.initialisation).unwrap();
        let seed = Seed::root(2);
        let found = train_siblings(&plan, &network, &data, &mask, &values, 3, 31, &seed).unwrap();
        let [first, second] = &found.copies;
        assert_eq!((first.steps, second.steps), (9, 9));
        assert_ne!(first.theta, second.theta);
        assert!(first.theta[..20].iter().chain(&second.theta[..20]).all(|w| *w == 0.0));
        let path = found.test.unwrap();
        assert_eq!(path.errors.len(), 31);
        assert_eq!(path.errors[0], 1.0 - first.test_accuracy);
        assert_eq!(path.errors[30], 1.0 - second.test_accuracy);
        // Without a step to go, the copies are what they started from.
        let still = train_siblings(&plan, &network, &data, &mask, &values, 12, 31, &seed).unwrap();
        assert_eq!(still.copies[0].theta, still.copies[1].theta);
        assert!(train_siblings(&plan, &network, &data, &mask, &values, 0, 2, &seed).is_err());
    }
}
