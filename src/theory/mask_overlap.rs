//! By how much two masks of given counts overlap by chance.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::special::ln_choose;
use crate::error::{Error, Result};

/// The closed form `chance-overlap`.
pub static FORM: ClosedForm = ClosedForm {
    name: "chance-overlap",
    summary: "By how much two choices of given sizes overlap where one of them is random.",
    arguments: &[
        Argument::required("candidates", "what both choose from", "1", Domain::COUNT),
        Argument::required("first", "size of the first choice", "1", Domain::STEPS),
        Argument::required("second", "size of the second choice", "1", Domain::STEPS),
        Argument::optional("overlap", "members that both have", "1", Domain::STEPS, None),
    ],
    formula: "mean ab/N; P(overlap = j) = C(a, j) C(N-a, b-j)/C(N, b)",
    source: "the hypergeometric law, Feller, An Introduction to Probability Theory, vol. 1, II.6",
    claims: &["J4"],
    evaluate,
};

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let counts = LayerCounts {
        weights: arguments.integer("candidates")? as usize,
        first: arguments.integer("first")? as usize,
        second: arguments.integer("second")? as usize,
    };
    let Moments { mean, variance } = counts.chance_overlap()?;
    let tails = match arguments.optional_integer("overlap") {
        Some(overlap) => counts.tails(overlap as usize)?,
        None => Tails {
            at_least: f64::NAN,
            at_most: f64::NAN,
        },
    };
    Ok(vec![
        Quantity::real("value", mean, "mean overlap"),
        Quantity::real(
            "standard_deviation",
            variance.sqrt(),
            "standard deviation of the overlap",
        ),
        Quantity::real("at_least", tails.at_least, "probability of at least the given overlap"),
        Quantity::real("at_most", tails.at_most, "probability of at most the given overlap"),
    ])
}

/// One layer in which two masks keep given numbers of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerCounts {
    /// Weights of the layer (only the live ones, where that is what is compared).
    pub weights: usize,
    /// Weights that the first mask keeps.
    pub first: usize,
    /// Weights that the second mask keeps.
    pub second: usize,
}

/// The mean and the variance of a count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Mean.
    pub mean: f64,
    /// Variance.
    pub variance: f64,
}

/// How likely an overlap at least, and at most, as large as the one seen is; both count the one seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tails {
    /// `P(X ≥ x)`.
    pub at_least: f64,
    /// `P(X ≤ x)`.
    pub at_most: f64,
}

impl Tails {
    /// The p-value of both sides: twice the smaller tail, at most 1.
    pub fn two_sided(&self) -> f64 {
        (2.0 * self.at_least.min(self.at_most)).min(1.0)
    }

    /// Of a law on `0, 1, …` by its probabilities.
    fn of(law: &[f64], seen: usize) -> Self {
        let split = seen.min(law.len());
        Tails {
            at_least: law[split..].iter().sum::<f64>().min(1.0),
            at_most: law[..(seen + 1).min(law.len())].iter().sum::<f64>().min(1.0),
        }
    }
}

impl LayerCounts {
    fn validate(self) -> Result<()> {
        for (name, kept) in [("first mask", self.first), ("second mask", self.second)] {
            if kept > self.weights {
                return Err(Error::argument(
                    name,
                    format!("at most {} kept weights", self.weights),
                    kept,
                ));
            }
        }
        Ok(())
    }

    /// The overlap of a random mask with a given one of these counts, hypergeometric: mean `ab/N`, variance
    /// `ab(N−a)(N−b)/(N²(N−1))`.
    ///
    /// # Errors
    /// [`Error::Argument`] when a mask keeps more than there is.
    pub fn chance_overlap(self) -> Result<Moments> {
        self.validate()?;
        let [n, a, b] = [self.weights, self.first, self.second].map(|count| count as f64);
        if self.weights == 0 {
            return Ok(Moments {
                mean: 0.0,
                variance: 0.0,
            });
        }
        let mean = a * (b / n);
        let variance = if self.weights == 1 {
            0.0
        } else {
            mean * ((n - a) / n) * ((n - b) / (n - 1.0))
        };
        Ok(Moments { mean, variance })
    }

    /// The natural logarithm of the probability that the overlap is exactly `overlap`; −∞ where it cannot be.
    ///
    /// # Errors
    /// [`Error::Argument`] when a mask keeps more than there is.
    pub fn ln_probability(self, overlap: usize) -> Result<f64> {
        self.validate()?;
        if overlap > self.first || overlap > self.second || self.first + self.second > self.weights + overlap {
            return Ok(f64::NEG_INFINITY);
        }
        let [n, a, b, k] = [self.weights, self.first, self.second, overlap].map(|count| count as u64);
        Ok(ln_choose(a, k) + ln_choose(n - a, b - k) - ln_choose(n, b))
    }
}

impl LayerCounts {
    /// The probabilities of the overlaps `0, 1, …, min(a, b)`.
    fn law(self) -> Result<Vec<f64>> {
        let largest = self.first.min(self.second);
        (0..=largest).map(|k| Ok(self.ln_probability(k)?.exp())).collect()
    }

    /// The exact tail probabilities of an overlap. Cost: one logarithm of a binomial coefficient for each possible overlap.
    ///
    /// ```
    /// use ticketsense::theory::mask_overlap::LayerCounts;
    /// // Both members of a pair among four: one chance in C(4, 2).
    /// let tails = LayerCounts { weights: 4, first: 2, second: 2 }.tails(2)?;
    /// assert!((tails.at_least - 1.0 / 6.0).abs() < 1e-15);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] when a mask keeps more than there is.
    pub fn tails(self, overlap: usize) -> Result<Tails> {
        Ok(Tails::of(&self.law()?, overlap))
    }
}

/// The exact tail probabilities of the overlap summed over independent pairs, by convolution of their laws.
///
/// # Errors
/// [`Error::Argument`] when a mask keeps more than there is. Cost: the product of the total and the largest overlap, for
/// each pair.
pub fn total_tails(pairs: &[LayerCounts], total: usize) -> Result<Tails> {
    let mut sum = vec![1.0];
    for pair in pairs {
        let law = pair.law()?;
        let mut next = vec![0.0; sum.len() + law.len() - 1];
        for (i, a) in sum.iter().enumerate() {
            for (j, b) in law.iter().enumerate() {
                next[i + j] += a * b;
            }
        }
        sum = next;
    }
    Ok(Tails::of(&sum, total))
}

/// The chance overlap summed over layers whose masks are drawn independently: means and variances add.
///
/// ```
/// use ticketsense::theory::mask_overlap::{LayerCounts, chance_overlap};
/// let layers = [LayerCounts { weights: 100, first: 10, second: 20 }, LayerCounts { weights: 4, first: 2, second: 2 }];
/// assert_eq!(chance_overlap(&layers)?.mean, 3.0);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] when a mask keeps more than its layer has.
pub fn chance_overlap(layers: &[LayerCounts]) -> Result<Moments> {
    let mut total = Moments {
        mean: 0.0,
        variance: 0.0,
    };
    for layer in layers {
        let Moments { mean, variance } = layer.chance_overlap()?;
        total.mean += mean;
        total.variance += variance;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_law_matches_counting_of_all_masks() {
        // All masks of 3 out of 6 against the mask {0, 1, 2, 3}.
        let counts = LayerCounts {
            weights: 6,
            first: 4,
            second: 3,
        };
        let mut histogram = [0.0; 5];
        for mask in (0..64_u32).filter(|mask| mask.count_ones() == 3) {
            histogram[(mask & 0b1111).count_ones() as usize] += 1.0 / 20.0;
        }
        for (overlap, &exact) in histogram.iter().enumerate() {
            let probability = counts.ln_probability(overlap).unwrap().exp();
            assert!((probability - exact).abs() < 1e-15, "{overlap}: {probability} {exact}");
        }
        let Moments { mean, variance } = counts.chance_overlap().unwrap();
        assert_eq!(mean, 2.0);
        // Without replacement: the binomial variance 3·(4/6)(2/6) = 2/3 shrinks by (6−3)/(6−1).
        assert!((variance - 0.4).abs() < 1e-15);
    }

    #[test]
    fn tails_of_a_sum_are_those_of_counting_all_pairs() {
        // Overlaps of {0, 1} with the pairs of 4: 1/6, 4/6, 1/6 for 0, 1, 2; twice that: 1, 8, 18, 8, 1 over 36.
        let pair = LayerCounts {
            weights: 4,
            first: 2,
            second: 2,
        };
        let exact = [1.0, 8.0, 18.0, 8.0, 1.0].map(|w| w / 36.0);
        for total in 0..=5 {
            let tails = total_tails(&[pair, pair], total).unwrap();
            let above: f64 = exact.iter().skip(total).sum();
            let below: f64 = exact.iter().take(total + 1).sum();
            assert!((tails.at_least - above).abs() < 1e-15 && (tails.at_most - below).abs() < 1e-15);
        }
        // Nothing drawn: the overlap is zero for certain.
        let none = total_tails(&[], 0).unwrap();
        assert_eq!((none.at_least, none.at_most, none.two_sided()), (1.0, 1.0, 1.0));
        let answer = FORM
            .evaluate_text(&[("candidates", "4"), ("first", "2"), ("second", "2"), ("overlap", "2")])
            .unwrap();
        assert_eq!(answer[0].value, crate::theory::Scalar::Real(1.0));
        assert!(
            FORM.evaluate_text(&[("candidates", "4"), ("first", "5"), ("second", "2")])
                .is_err()
        );
    }

    #[test]
    fn degenerate_layers_have_no_spread() {
        for (weights, first, second, mean) in [(0, 0, 0, 0.0), (1, 1, 1, 1.0), (5, 5, 2, 2.0), (5, 0, 2, 0.0)] {
            let counts = LayerCounts { weights, first, second };
            assert_eq!(counts.chance_overlap().unwrap(), Moments { mean, variance: 0.0 });
        }
        assert!(
            LayerCounts {
                weights: 3,
                first: 4,
                second: 0
            }
            .chance_overlap()
            .is_err()
        );
    }

    proptest! {
        #[test]
        fn the_probabilities_add_to_one_and_have_the_moments(
            weights in 1_usize..200, first in 0_usize..200, second in 0_usize..200,
        ) {
            let counts = LayerCounts { weights, first: first.min(weights), second: second.min(weights) };
            let Moments { mean, variance } = counts.chance_overlap().unwrap();
            let law: Vec<f64> = (0..=weights).map(|k| counts.ln_probability(k).unwrap().exp()).collect();
            let moment = |f: &dyn Fn(f64) -> f64| -> f64 { law.iter().enumerate().map(|(k, p)| p * f(k as f64)).sum() };
            // Logarithms of size 140 at most, each right to 1e-15 relative: 1e-12 in a probability.
            prop_assert!((moment(&|_| 1.0) - 1.0).abs() < 1e-12);
            prop_assert!((moment(&|k| k) - mean).abs() < 1e-12 * weights as f64);
            prop_assert!((moment(&|k| (k - mean).powi(2)) - variance).abs() < 1e-12 * (weights * weights) as f64);
        }
    }
}
