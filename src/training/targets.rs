//! What a training compares its outputs with, beyond the plain labels: smoothed labels and the outputs of a teacher.

use super::words::Words;
use crate::error::{Error, Result};
use crate::networks::{Array, Loss, Real};
use std::fmt;
use std::str::FromStr;

/// What a target says of a class of probability 0: [`Loss::Squared`] is compared with centred probabilities `q − 1/C`.
fn offset(loss: Loss, classes: usize) -> f64 {
    match loss {
        Loss::Squared => -1.0 / classes as f64,
        _ => 0.0,
    }
}

/// Label smoothing: `t ← (1 − ε) t + ε u`, with `u` the target of the uniform distribution over the classes (Szegedy et
/// al., CVPR 2016). Nothing happens for ε = 0.
pub(super) fn smooth<T: Real>(loss: Loss, targets: &mut Array<T>, smoothing: f64) {
    if smoothing == 0.0 {
        return;
    }
    let classes = targets.columns();
    let uniform = 1.0 / classes as f64 + offset(loss, classes);
    for target in targets.as_mut_slice() {
        *target = T::of((1.0 - smoothing) * target.to_f64() + smoothing * uniform);
    }
}

/// Learning from a trained network: its outputs `z` become the probabilities `q = softmax(z / τ)`, which are mixed with
/// what the labels say, `t ← (1 − w) t + w q` (Hinton, Vinyals & Dean, 2015).
///
/// The student's own outputs are not divided by τ, so its cross-entropy with `t` is one loss of one target, and a
/// temperature above 1 teaches softer answers. For the squared loss `q` is centred as the labels are.
///
/// ```
/// use ticketsense::training::Distillation;
/// let distillation: Distillation = "weight=0.7,temperature=4".parse()?;
/// assert_eq!((distillation.weight, distillation.temperature), (0.7, 4.0));
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distillation {
    /// The share `w` of the teacher in the targets, in `(0, 1]`.
    pub weight: f64,
    /// τ, positive.
    pub temperature: f64,
}

impl Distillation {
    /// Refuses numbers outside their ranges.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the number.
    pub fn validate(&self) -> Result<()> {
        if !(self.weight > 0.0 && self.weight <= 1.0) {
            return Err(Error::argument(
                "weight of the teacher",
                "a number in (0, 1]",
                self.weight,
            ));
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Err(Error::argument("temperature", "a positive number", self.temperature));
        }
        Ok(())
    }

    /// Mixes what a teacher's outputs say into the targets of the same samples. Cost: one pass; in double precision.
    ///
    /// # Errors
    /// [`Error::Shape`] when the two differ in shape.
    pub fn teach<T: Real>(&self, loss: Loss, targets: &mut Array<T>, outputs: &Array<T>) -> Result<()> {
        let shape = |array: &Array<T>| (array.rows(), array.columns());
        if shape(targets) != shape(outputs) {
            let show = |(rows, columns)| format!("{rows}×{columns}");
            return Err(Error::shape(
                "outputs of the teacher",
                show(shape(targets)),
                show(shape(outputs)),
            ));
        }
        let classes = targets.columns();
        let offset = offset(loss, classes);
        let rows = targets.as_mut_slice().chunks_exact_mut(classes);
        for (target, z) in rows.zip(outputs.iter_rows()) {
            let top = z.iter().fold(f64::NEG_INFINITY, |m, v| m.max(v.to_f64()));
            let softened = |v: &T| ((v.to_f64() - top) / self.temperature).exp();
            let sum: f64 = z.iter().map(softened).sum();
            for (t, v) in target.iter_mut().zip(z) {
                let taught = softened(v) / sum + offset;
                *t = T::of((1.0 - self.weight) * t.to_f64() + self.weight * taught);
            }
        }
        Ok(())
    }
}

impl fmt::Display for Distillation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "weight={},temperature={}", self.weight, self.temperature)
    }
}

impl FromStr for Distillation {
    type Err = Error;

    /// `weight=W,temperature=T`, either of which may be missing: a half, and 1.
    fn from_str(text: &str) -> Result<Self> {
        let text = format!("distillation:{text}");
        let mut words = Words::split("distillation", &text)?;
        let distillation = Distillation {
            weight: words.number("weight", 0.5)?,
            temperature: words.number("temperature", 1.0)?,
        };
        words.finish(&["weight", "temperature"])?;
        distillation.validate()?;
        Ok(distillation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(loss: Loss) -> Array<f64> {
        loss.targets((&[2usize, 0][..]).into(), 2, 4).unwrap()
    }

    #[test]
    fn smoothed_labels_are_the_definition_written_out_and_still_sum_to_what_they_did() {
        let mut targets = labels(Loss::CrossEntropy);
        smooth(Loss::CrossEntropy, &mut targets, 0.2);
        // 0.8 + 0.2/4 at the label, 0.2/4 elsewhere: one or two roundings of numbers below 1.
        let expected = [0.05, 0.05, 0.85, 0.05, 0.85, 0.05, 0.05, 0.05];
        for (t, e) in targets.as_slice().iter().zip(expected) {
            assert!((t - e).abs() <= 2.0 * f64::EPSILON);
        }
        let mut centred = labels(Loss::Squared);
        smooth(Loss::Squared, &mut centred, 0.2);
        for (c, t) in centred.as_slice().iter().zip(targets.as_slice()) {
            assert!((c + 0.25 - t).abs() <= 4.0 * f64::EPSILON);
        }
        let mut untouched = labels(Loss::CrossEntropy);
        smooth(Loss::CrossEntropy, &mut untouched, 0.0);
        assert_eq!(untouched, labels(Loss::CrossEntropy));
    }

    #[test]
    fn a_teacher_of_known_probabilities_teaches_them_at_every_temperature() {
        let probabilities = [[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]];
        for (loss, temperature) in [
            (Loss::CrossEntropy, 1.0),
            (Loss::CrossEntropy, 4.0),
            (Loss::Squared, 2.0),
        ] {
            // Logits τ log p, shifted, at temperature τ are the probabilities p.
            let outputs = Array::from_fn(2, 4, |i, c| 3.0 + temperature * f64::ln(probabilities[i][c]));
            let mut targets = labels(loss);
            let before = targets.clone();
            let half = Distillation {
                weight: 0.5,
                temperature,
            };
            half.teach(loss, &mut targets, &outputs).unwrap();
            let off = if loss == Loss::Squared { 0.25 } else { 0.0 };
            for (i, row) in probabilities.iter().enumerate() {
                for (c, probability) in row.iter().enumerate() {
                    let expected = 0.5 * before.row(i)[c] + 0.5 * (probability - off);
                    // Logarithm, division and exponential of numbers below 16, each to a unit in the last place.
                    assert!((targets.row(i)[c] - expected).abs() <= 64.0 * f64::EPSILON);
                }
            }
            let accepted = loss.targets((&targets).into(), 2, 4);
            assert!(accepted.is_ok(), "{accepted:?}");
        }
    }

    #[test]
    fn a_high_temperature_teaches_the_uniform_distribution_and_a_low_one_the_answer() {
        let outputs = Array::from_fn(2, 4, |i, c| f64::from(u8::from(c == 3 - i)) - 0.1 * c as f64);
        let taught = |temperature: f64| {
            let mut targets = labels(Loss::CrossEntropy);
            let whole = Distillation {
                weight: 1.0,
                temperature,
            };
            whole.teach(Loss::CrossEntropy, &mut targets, &outputs).unwrap();
            targets
        };
        // Outputs differ by at most 2, so the exponents by 2e-6 and the probabilities from 1/4 by less than that.
        assert!(taught(1e6).as_slice().iter().all(|q| (q - 0.25).abs() < 2e-6));
        // The largest output leads by at least 0.5: all others together weigh less than 3 e^{-50}.
        assert!((taught(0.01).row(0)[3] - 1.0).abs() < 1e-20 + f64::EPSILON);
    }

    #[test]
    fn numbers_out_of_range_and_shapes_that_differ_are_refused() {
        for text in [
            "weight=0",
            "weight=1.1",
            "temperature=0",
            "temperature=inf",
            "weigth=1",
            "weight",
        ] {
            assert!(text.parse::<Distillation>().is_err(), "{text}");
        }
        let text = "weight=0.25,temperature=3";
        assert_eq!(text.parse::<Distillation>().unwrap().to_string(), text);
        let half: Distillation = "weight=0.5".parse().unwrap();
        let refused = half.teach(Loss::Squared, &mut labels(Loss::Squared), &Array::zeros(2, 3));
        assert!(matches!(refused, Err(Error::Shape { .. })));
    }
}
