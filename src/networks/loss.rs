//! Losses: value, gradient and curvature in the network's outputs.

use super::array::Array;
use super::real::{Real, require_finite};
use super::value::Value;
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// What is minimised, averaged over the n samples of a batch with outputs `f ∈ ℝ^{n×C}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// `1/n Σᵢ ½‖fᵢ − tᵢ‖²`; the target of class y is `e_y − 1/C`, centred as the outputs of a linearised network are.
    Squared,
    /// `−1/n Σᵢ Σ_c t_ic log softmax(fᵢ)_c`; the target of class y is `e_y`. Other targets are probabilities.
    CrossEntropy,
}

/// What the outputs are compared with.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a, T> {
    /// The class of each sample.
    Labels(&'a [usize]),
    /// A row of targets for each sample, n × C.
    Values(&'a Array<T>),
}

impl<'a, T> From<&'a [usize]> for Targets<'a, T> {
    fn from(labels: &'a [usize]) -> Self {
        Targets::Labels(labels)
    }
}
impl<'a, T> From<&'a Vec<usize>> for Targets<'a, T> {
    fn from(labels: &'a Vec<usize>) -> Self {
        Targets::Labels(labels)
    }
}
impl<'a, T> From<&'a Array<T>> for Targets<'a, T> {
    fn from(values: &'a Array<T>) -> Self {
        Targets::Values(values)
    }
}

impl Loss {
    /// Every loss.
    pub const ALL: [Loss; 2] = [Loss::Squared, Loss::CrossEntropy];

    /// The word in names and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Loss::Squared => "squared",
            Loss::CrossEntropy => "cross-entropy",
        }
    }

    /// The rows of targets, `samples × classes`, that this loss compares outputs with.
    ///
    /// # Errors
    /// [`Error::Shape`] on another number of samples or classes, [`Error::Argument`] on a label that is no class or,
    /// for the cross-entropy, a row that is no probability vector (to `8 C ε`), [`Error::NotFinite`].
    pub fn targets<T: Real>(self, targets: Targets<'_, T>, samples: usize, classes: usize) -> Result<Array<T>> {
        match targets {
            Targets::Labels(labels) => {
                if labels.len() != samples {
                    return Err(Error::shape("labels", format!("{samples} samples"), labels.len()));
                }
                if let Some(&label) = labels.iter().find(|&&label| label >= classes) {
                    return Err(Error::argument("label", format!("below {classes} classes"), label));
                }
                let off = match self {
                    Loss::Squared => T::of(-1.0 / classes as f64),
                    Loss::CrossEntropy => T::ZERO,
                };
                let on = off + T::ONE;
                Ok(Array::from_fn(
                    samples,
                    classes,
                    |i, c| if labels[i] == c { on } else { off },
                ))
            }
            Targets::Values(values) => {
                if (values.rows(), values.columns()) != (samples, classes) {
                    return Err(Error::shape(
                        "targets",
                        format!("{samples}×{classes}"),
                        format!("{}×{}", values.rows(), values.columns()),
                    ));
                }
                require_finite("targets", values.as_slice())?;
                if self == Loss::CrossEntropy {
                    let tolerance = 8.0
                        * classes as f64
                        * if T::BYTES == 4 {
                            f64::from(f32::EPSILON)
                        } else {
                            f64::EPSILON
                        };
                    for (i, row) in values.iter_rows().enumerate() {
                        let sum: f64 = row.iter().map(|t| t.to_f64()).sum();
                        if row.iter().any(|t| *t < T::ZERO) || (sum - 1.0).abs() > tolerance {
                            return Err(Error::argument(
                                "targets",
                                "nonnegative rows of sum 1",
                                format!("row {i} of sum {sum}"),
                            ));
                        }
                    }
                }
                Ok(values.clone())
            }
        }
    }

    /// The sum of the loss over the samples, not yet divided by their number; accumulated in `f64`.
    pub(crate) fn sum<T: Real>(self, outputs: &[T], targets: &[T], classes: usize) -> f64 {
        let rows = outputs.chunks_exact(classes).zip(targets.chunks_exact(classes));
        rows.map(|(f, t)| match self {
            Loss::Squared => {
                0.5 * f
                    .iter()
                    .zip(t)
                    .map(|(f, t)| (f.to_f64() - t.to_f64()).powi(2))
                    .sum::<f64>()
            }
            Loss::CrossEntropy => {
                let top = f.iter().fold(f64::NEG_INFINITY, |m, v| m.max(v.to_f64()));
                let sum: f64 = f.iter().map(|v| (v.to_f64() - top).exp()).sum();
                let log_sum = top + sum.ln();
                f.iter().zip(t).map(|(f, t)| t.to_f64() * (log_sum - f.to_f64())).sum()
            }
        })
        .sum()
    }

    /// The gradient in the outputs of the loss averaged over `samples`, for some of those samples. Over values with
    /// tangents it carries the loss's own curvature.
    pub(crate) fn gradient<T: Real, V: Value<T>>(self, outputs: &V, targets: &Array<T>, samples: usize) -> V {
        let minus_targets = V::constant(targets.mapped(|t| -t));
        let difference = match self {
            Loss::Squared => outputs.add(&minus_targets),
            Loss::CrossEntropy => softmax(outputs).add(&minus_targets),
        };
        difference.scale(T::of(1.0 / samples as f64))
    }

    /// [`Loss::gradient`] over plain numbers, written in place; the softmax of a row is formed in `f64`.
    pub(crate) fn gradient_into<T: Real>(
        self,
        outputs: &[T],
        targets: &[T],
        classes: usize,
        samples: usize,
        gradient: &mut [T],
    ) {
        let scale = 1.0 / samples as f64;
        let rows = outputs.chunks_exact(classes).zip(targets.chunks_exact(classes));
        for ((f, t), g) in rows.zip(gradient.chunks_exact_mut(classes)) {
            let (top, sum) = match self {
                Loss::Squared => (0.0, 1.0),
                Loss::CrossEntropy => {
                    let top = f.iter().fold(f64::NEG_INFINITY, |m, v| m.max(v.to_f64()));
                    (top, f.iter().map(|v| (v.to_f64() - top).exp()).sum())
                }
            };
            for ((g, f), t) in g.iter_mut().zip(f).zip(t) {
                let prediction = match self {
                    Loss::Squared => f.to_f64(),
                    Loss::CrossEntropy => (f.to_f64() - top).exp() / sum,
                };
                *g = T::of(scale * (prediction - t.to_f64()));
            }
        }
    }

    /// [`Loss::sum`] and [`Loss::gradient_into`] to the same bits in one pass: an exponential an output instead of two.
    /// `room` holds a number a class.
    pub(crate) fn sum_and_gradient_into<T: Real>(
        self,
        outputs: &[T],
        targets: &[T],
        samples: usize,
        gradient: &mut [T],
        room: &mut [f64],
    ) -> f64 {
        let classes = room.len();
        if self == Loss::Squared {
            self.gradient_into(outputs, targets, classes, samples, gradient);
            return self.sum(outputs, targets, classes);
        }
        let scale = 1.0 / samples as f64;
        let rows = outputs.chunks_exact(classes).zip(targets.chunks_exact(classes));
        rows.zip(gradient.chunks_exact_mut(classes))
            .map(|((f, t), g)| {
                let top = f.iter().fold(f64::NEG_INFINITY, |m, v| m.max(v.to_f64()));
                for (e, f) in room.iter_mut().zip(f) {
                    *e = (f.to_f64() - top).exp();
                }
                let sum: f64 = room.iter().sum();
                let log_sum = top + sum.ln();
                for ((g, e), t) in g.iter_mut().zip(&*room).zip(t) {
                    *g = T::of(scale * (e / sum - t.to_f64()));
                }
                f.iter()
                    .zip(t)
                    .map(|(f, t)| t.to_f64() * (log_sum - f.to_f64()))
                    .sum::<f64>()
            })
            .sum()
    }

    /// The Hessian in the outputs, times `direction`, of the loss averaged over `samples`: block diagonal over the
    /// samples with blocks `I` (squared) or `diag(p) − p pᵀ` (cross-entropy), each over `samples`.
    pub(crate) fn output_hessian<T: Real>(self, outputs: &Array<T>, direction: &Array<T>, samples: usize) -> Array<T> {
        let scale = T::of(1.0 / samples as f64);
        match self {
            Loss::Squared => direction.mapped(|v| scale * v),
            Loss::CrossEntropy => {
                let p = softmax(outputs);
                let pv = p.zipped(direction, |p, v| p * v);
                let mean = pv.row_sums_repeated();
                let centred = direction.zipped(&mean, |v, m| v - m);
                p.zipped(&centred, |p, v| scale * p * v)
            }
        }
    }
}

/// The softmax of each row. The shift by the largest entry leaves value and derivative as they are.
pub(crate) fn softmax<T: Real, V: Value<T>>(outputs: &V) -> V {
    let f = outputs.value();
    let mut shift = Vec::with_capacity(f.as_slice().len());
    for row in f.iter_rows() {
        let top = row.iter().fold(row[0], |m, &v| if v > m { v } else { m });
        shift.extend(std::iter::repeat_n(-top, row.len()));
    }
    let shift = V::constant(Array::raw(f.rows(), f.columns(), shift));
    let e = outputs.add(&shift).map(Real::exp, Real::exp);
    let inverse = e
        .linear(|x| x.row_sums_repeated())
        .map(|s| T::ONE / s, |s| -T::ONE / (s * s));
    e.multiply(&inverse)
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Loss {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        Loss::ALL
            .into_iter()
            .find(|l| l.as_str() == word)
            .ok_or_else(|| Error::unknown("loss", word, Loss::ALL.map(Loss::as_str)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_at_zero_output_have_their_closed_forms() {
        let labels = [2usize, 0];
        let outputs = Array::<f64>::zeros(2, 4);
        for (loss, expected) in [(Loss::Squared, 0.5 * 0.75), (Loss::CrossEntropy, 4.0f64.ln())] {
            let t = loss.targets((&labels[..]).into(), 2, 4).unwrap();
            let value = loss.sum(outputs.as_slice(), t.as_slice(), 4) / 2.0;
            assert!((value - expected).abs() <= 8.0 * f64::EPSILON, "{loss}: {value}");
        }
    }

    #[test]
    fn the_output_hessian_is_the_derivative_of_the_output_gradient() {
        let outputs = Array::from_fn(3, 4, |i, c| 0.3 * i as f64 - 0.7 * c as f64 + 0.1 * (i * c) as f64);
        let direction = Array::from_fn(3, 4, |i, c| ((i + 2 * c) % 5) as f64 - 2.0);
        for loss in Loss::ALL {
            let targets = loss.targets((&[0usize, 3, 1][..]).into(), 3, 4).unwrap();
            let h = 1e-5;
            let at = |s: f64| loss.gradient(&outputs.zipped(&direction, |f, d| f + s * d), &targets, 3);
            let difference = at(h).zipped(&at(-h), |a, b| (a - b) / (2.0 * h));
            let exact = loss.output_hessian(&outputs, &direction, 3);
            // Truncation h²/6 · |d|³ times a third derivative below 1, and rounding ε/h.
            let tolerance = h * h / 6.0 * 64.0 + 2.0 * f64::EPSILON / h;
            for (a, b) in difference.as_slice().iter().zip(exact.as_slice()) {
                assert!((a - b).abs() <= tolerance, "{loss}: {a} against {b}");
            }
        }
    }

    #[test]
    fn loss_and_gradient_in_one_pass_are_those_of_two() {
        let outputs: Vec<f32> = (0..30).map(|i| ((7 * i) % 11) as f32 / 3.0 - 2.0).collect();
        let labels: Vec<usize> = (0..6).map(|i| (i * i) % 5).collect();
        for loss in Loss::ALL {
            let targets = loss.targets::<f32>((&labels).into(), 6, 5).unwrap();
            let (mut two, mut one) = (vec![0.0; 30], vec![0.0; 30]);
            loss.gradient_into(&outputs, targets.as_slice(), 5, 9, &mut two);
            let value = loss.sum_and_gradient_into(&outputs, targets.as_slice(), 9, &mut one, &mut [0.0; 5]);
            assert_eq!(value.to_bits(), loss.sum(&outputs, targets.as_slice(), 5).to_bits());
            assert_eq!(one, two);
        }
    }

    #[test]
    fn huge_outputs_do_not_overflow_the_cross_entropy() {
        let outputs = Array::new(1, 2, vec![1e4f32, -1e4]).unwrap();
        let targets = Loss::CrossEntropy.targets((&[1usize][..]).into(), 1, 2).unwrap();
        assert_eq!(Loss::CrossEntropy.sum(outputs.as_slice(), targets.as_slice(), 2), 2e4);
        assert_eq!(
            Loss::CrossEntropy.gradient(&outputs, &targets, 1).as_slice(),
            [1.0, -1.0]
        );
    }

    #[test]
    fn labels_and_targets_that_do_not_fit_are_refused() {
        let resolve = |labels: &[usize]| Loss::Squared.targets::<f64>(labels.into(), 2, 3);
        assert!(matches!(resolve(&[0]), Err(Error::Shape { .. })));
        assert!(matches!(resolve(&[0, 3]), Err(Error::Argument { .. })));
        let values = Array::new(1, 2, vec![0.7, 0.7]).unwrap();
        assert!(Loss::Squared.targets((&values).into(), 1, 2).is_ok());
        assert!(matches!(
            Loss::CrossEntropy.targets((&values).into(), 1, 2),
            Err(Error::Argument { .. })
        ));
    }
}
