//! Random initial weights, with the scaling spelled out.

use super::layout::{Slot, SlotKind};
use super::network::Network;
use super::real::Real;
use crate::error::{Error, Result};
use crate::seed::Seed;
use crate::support::Mask;
use rand::RngExt;
use rand_distr::StandardNormal;
use std::fmt;
use std::str::FromStr;

/// The variance of a weight as a function of its fans.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Scheme {
    /// `2 / fan_in` (He et al. 2015): keeps the variance of a ReLU network.
    He,
    /// `2 / (fan_in + fan_out)` (Glorot & Bengio 2010).
    Glorot,
    /// `1 / fan_in` (LeCun et al. 1998).
    LeCun,
    /// `σ_w² / fan_in` with the given σ_w², the parameter of mean-field theory.
    WeightVariance(f64),
}

/// Which connections a fan counts. It matters as soon as a mask is applied before drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fan {
    /// Every connection of the dense layer: a mask then lowers the variance of the pre-activations by its density.
    Dense,
    /// Only the connections that the mask keeps, unit by unit: the variance does not depend on the density.
    Kept,
}

/// Independent normal weights of a named scaling, and zero or normal biases.
///
/// Written as `SCHEME[:kept-fan][:bias=σ_b]`, SCHEME one of `he`, `glorot`, `lecun`, `weight-variance=σ_w²`.
///
/// ```
/// use ticketsense::networks::Initialisation;
/// let initialisation: Initialisation = "glorot:bias=0.1".parse()?;
/// assert_eq!(initialisation.bias_deviation, 0.1);
/// assert_eq!(initialisation.to_string(), "glorot:bias=0.1");
/// assert_eq!(Initialisation::default().to_string(), "he");
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Initialisation {
    /// Variance of the weights.
    pub scheme: Scheme,
    /// Which connections its fans count.
    pub fan: Fan,
    /// Standard deviation σ_b of the biases; 0 makes them exactly zero.
    pub bias_deviation: f64,
}

impl Default for Initialisation {
    /// He's variance over the dense fan-in, zero biases.
    fn default() -> Self {
        Initialisation::of(Scheme::He)
    }
}

impl Initialisation {
    /// He's variance over the dense fan-in, zero biases.
    pub const HE: Self = Initialisation::of(Scheme::He);
    /// Glorot's variance over the dense fans, zero biases.
    pub const GLOROT: Self = Initialisation::of(Scheme::Glorot);
    /// LeCun's variance over the dense fan-in, zero biases.
    pub const LECUN: Self = Initialisation::of(Scheme::LeCun);

    /// A scheme over the dense fans with zero biases.
    pub const fn of(scheme: Scheme) -> Self {
        Initialisation {
            scheme,
            fan: Fan::Dense,
            bias_deviation: 0.0,
        }
    }

    fn check(&self) -> Result<()> {
        let nonnegative = |name: &str, v: f64| {
            if v.is_finite() && v >= 0.0 {
                Ok(())
            } else {
                Err(Error::argument(name, "a finite nonnegative number", v))
            }
        };
        if let Scheme::WeightVariance(variance) = self.scheme {
            nonnegative("weight variance", variance)?;
        }
        nonnegative("bias standard deviation", self.bias_deviation)
    }

    fn weight_deviation(&self, fan_in: usize, fan_out: usize) -> f64 {
        let fan_in = fan_in.max(1) as f64;
        let variance = match self.scheme {
            Scheme::He => 2.0 / fan_in,
            Scheme::Glorot => 2.0 / (fan_in + fan_out as f64),
            Scheme::LeCun => 1.0 / fan_in,
            Scheme::WeightVariance(variance) => variance / fan_in,
        };
        variance.sqrt()
    }
}

impl Network {
    /// Random initial parameters; every slot draws from the stream of its own name, so that two networks of equal
    /// layers share their draws, and `f32` holds the rounded `f64` numbers.
    ///
    /// # Errors
    /// [`Error::Argument`] on a negative or infinite variance.
    pub fn initial<T: Real>(&self, seed: &Seed, initialisation: &Initialisation) -> Result<Vec<T>> {
        self.initial_masked(seed, initialisation, &self.layout().full_mask())
    }

    /// Random initial parameters under a mask: the same standard normal draws as without it, scaled by the fans that
    /// [`Initialisation::fan`] counts, with every pruned weight exactly zero.
    ///
    /// # Errors
    /// [`Error::Argument`] on a negative or infinite variance; a mask refused by
    /// [`super::Layout::check_mask`].
    pub fn initial_masked<T: Real>(&self, seed: &Seed, initialisation: &Initialisation, mask: &Mask) -> Result<Vec<T>> {
        initialisation.check()?;
        self.layout().check_mask(mask)?;
        let mut theta = vec![T::ZERO; self.layout().len()];
        for slot in self.layout().slots() {
            let mut rng = seed.stream("initial").stream(&slot.name).rng();
            let out = &mut theta[slot.range.clone()];
            match slot.kind {
                SlotKind::Weight => {
                    let deviations = WeightDeviations::new(initialisation, slot, mask);
                    for (k, value) in out.iter_mut().enumerate() {
                        let draw: f64 = rng.sample(StandardNormal);
                        if mask.keeps(slot.range.start + k) {
                            *value = T::of(draw * deviations.of(k));
                        }
                    }
                }
                SlotKind::Scale | SlotKind::Variance => out.fill(T::ONE),
                SlotKind::Shift | SlotKind::Mean => {}
                SlotKind::Bias => {
                    if initialisation.bias_deviation > 0.0 {
                        for value in out {
                            let draw: f64 = rng.sample(StandardNormal);
                            *value = T::of(draw * initialisation.bias_deviation);
                        }
                    }
                }
            }
        }
        Ok(theta)
    }
}

/// The standard deviation of each weight of a slot.
struct WeightDeviations<'a> {
    initialisation: &'a Initialisation,
    /// Connections of an output.
    inputs: usize,
    fan_in: Vec<usize>,
    fan_out: Vec<usize>,
}

impl<'a> WeightDeviations<'a> {
    fn new(initialisation: &'a Initialisation, slot: &Slot, mask: &Mask) -> Self {
        let inputs = slot.len() / slot.shape[0];
        let channels = slot.shape[slot.shape.len() - 1];
        // An input channel of a convolution feeds every output through every place of the kernel.
        let (mut fan_in, mut fan_out) = (vec![inputs; slot.shape[0]], vec![slot.len() / channels; channels]);
        if initialisation.fan == Fan::Kept {
            fan_in.fill(0);
            fan_out.fill(0);
            for (k, index) in slot.range.clone().enumerate() {
                if mask.keeps(index) {
                    fan_in[k / inputs] += 1;
                    fan_out[k % channels] += 1;
                }
            }
        }
        WeightDeviations {
            initialisation,
            inputs,
            fan_in,
            fan_out,
        }
    }

    fn of(&self, k: usize) -> f64 {
        let (fan_in, fan_out) = (self.fan_in[k / self.inputs], self.fan_out[k % self.fan_out.len()]);
        self.initialisation.weight_deviation(fan_in, fan_out)
    }
}

impl fmt::Display for Initialisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::He => f.write_str("he")?,
            Scheme::Glorot => f.write_str("glorot")?,
            Scheme::LeCun => f.write_str("lecun")?,
            Scheme::WeightVariance(variance) => write!(f, "weight-variance={variance}")?,
        }
        if self.fan == Fan::Kept {
            f.write_str(":kept-fan")?;
        }
        if self.bias_deviation != 0.0 {
            write!(f, ":bias={}", self.bias_deviation)?;
        }
        Ok(())
    }
}

impl FromStr for Initialisation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |name: &str, digits: &str| {
            digits
                .parse::<f64>()
                .map_err(|_| Error::argument(name, "a number", digits))
        };
        let mut words = text.split(':');
        let first = words.next().unwrap_or_default();
        let scheme = match first.split_once('=') {
            Some(("weight-variance", digits)) => Scheme::WeightVariance(number("weight-variance", digits)?),
            _ => match first {
                "he" => Scheme::He,
                "glorot" => Scheme::Glorot,
                "lecun" => Scheme::LeCun,
                _ => {
                    return Err(Error::unknown(
                        "initialisation",
                        first,
                        ["he", "glorot", "lecun", "weight-variance=VARIANCE"],
                    ));
                }
            },
        };
        let mut initialisation = Initialisation::of(scheme);
        for word in words {
            match word.split_once('=') {
                Some(("bias", digits)) => initialisation.bias_deviation = number("bias", digits)?,
                _ if word == "kept-fan" => initialisation.fan = Fan::Kept,
                _ => {
                    return Err(Error::unknown(
                        "option of an initialisation",
                        word,
                        ["kept-fan", "bias=DEVIATION"],
                    ));
                }
            }
        }
        initialisation.check()?;
        Ok(initialisation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variance(values: &[f64]) -> f64 {
        values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64
    }

    #[test]
    fn each_scheme_has_its_variance() {
        let network = Network::preset("mlp:80", 100, 10).unwrap();
        let slot = network.layout().slot("dense0.weight").unwrap().clone();
        for (text, expected) in [
            ("he", 2.0 / 100.0),
            ("glorot", 2.0 / 180.0),
            ("lecun", 1.0 / 100.0),
            ("weight-variance=1.7", 1.7 / 100.0),
        ] {
            let initialisation = text.parse::<Initialisation>().unwrap();
            let theta: Vec<f64> = network.initial(&Seed::root(3), &initialisation).unwrap();
            let observed = variance(&theta[slot.range.clone()]);
            // A sample variance of 8,000 normal numbers has relative standard error √(2/8000); five of them.
            assert!(
                (observed / expected - 1.0).abs() <= 5.0 * (2.0f64 / 8000.0).sqrt(),
                "{text}: {observed}"
            );
            assert!(
                theta[network.layout().slot("dense0.bias").unwrap().range.clone()]
                    .iter()
                    .all(|b| *b == 0.0)
            );
        }
    }

    #[test]
    fn kept_fans_restore_the_variance_that_a_mask_takes() {
        let network = Network::preset("mlp:60", 200, 10).unwrap();
        let slot = network.layout().slot("dense0.weight").unwrap().clone();
        let mut mask = network.layout().full_mask();
        for index in slot.range.clone().filter(|i| i % 4 != 0) {
            mask.set(index, false);
        }
        let seed = Seed::root(8);
        let dense: Vec<f64> = network.initial(&seed, &Initialisation::HE).unwrap();
        let masked: Vec<f64> = network.initial_masked(&seed, &Initialisation::HE, &mask).unwrap();
        let kept = Initialisation {
            fan: Fan::Kept,
            ..Initialisation::HE
        };
        let scaled: Vec<f64> = network.initial_masked(&seed, &kept, &mask).unwrap();
        for index in slot.range {
            if mask.keeps(index) {
                assert_eq!(masked[index], dense[index]);
                // 50 of 200 inputs are kept in every row: the deviation doubles. One rounding in each of two factors.
                assert!((scaled[index] - 2.0 * dense[index]).abs() <= 4.0 * f64::EPSILON * scaled[index].abs());
            } else {
                assert_eq!((masked[index].to_bits(), scaled[index].to_bits()), (0, 0));
            }
        }
    }

    #[test]
    fn names_are_read_back_and_nonsense_is_refused() {
        for text in [
            "he",
            "glorot:kept-fan",
            "lecun:bias=0.5",
            "weight-variance=2.5:kept-fan:bias=0.05",
        ] {
            assert_eq!(text.parse::<Initialisation>().unwrap().to_string(), text);
        }
        for text in ["hee", "he:bias=x", "he:bias=-1", "weight-variance=inf", "he:dense", ""] {
            assert!(text.parse::<Initialisation>().is_err(), "{text}");
        }
    }

    #[test]
    fn single_precision_holds_the_rounded_double_precision_numbers() {
        let network = Network::preset("mlp:5-4:tanh", 6, 3).unwrap();
        let double: Vec<f64> = network.initial(&Seed::root(1), &Initialisation::GLOROT).unwrap();
        let single: Vec<f32> = network.initial(&Seed::root(1), &Initialisation::GLOROT).unwrap();
        assert!(double.iter().zip(&single).all(|(d, s)| *d as f32 == *s));
    }
}
