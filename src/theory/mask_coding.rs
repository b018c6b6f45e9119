//! What a sparse network costs to store: its kept weights, and where they are.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::special::{binary_entropy, ln_choose};
use super::{require_fraction, require_nonnegative, require_positive};
use crate::error::{Error, Result};
use std::f64::consts::LN_2;

/// The closed form `mask-gain`.
pub static FORM: ClosedForm = ClosedForm {
    name: "mask-gain",
    summary: "Fraction of the dense size saved by storing kept weights, an entropy-coded mask and a fixed overhead.",
    arguments: &[
        Argument::required("density", "fraction of the weights kept", "1", Domain::FRACTION),
        Argument::required("weight-bits", "bits of a stored weight", "bits", Domain::BITS),
        Argument::optional(
            "overhead-bits",
            "fixed cost of the sparse format",
            "bits",
            Domain::NONNEGATIVE,
            Some("0"),
        ),
        Argument::optional(
            "weights",
            "weights of the dense network",
            "weights",
            Domain::COUNT,
            None,
        ),
    ],
    formula: "g = 1 - d - H(d)/b - o/(N b), H(d) = -d log2 d - (1-d) log2(1-d)",
    source: "Shannon 1948 (entropy coding); Han, Mao & Dally, ICLR 2016, arXiv:1510.00149 (accounting)",
    claims: &["B1", "B2", "B3"],
    evaluate,
};

/// How the positions of the kept weights are written down.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum MaskCoding {
    /// An ideal coder of independent bits: `H(density)` bits a weight.
    Entropy,
    /// One bit a weight.
    Bitmap,
    /// An index of so many bits for every kept weight.
    IndexList {
        /// Bits of one index.
        index_bits: f64,
    },
}

impl MaskCoding {
    /// Bits spent on positions, per weight of the dense network.
    ///
    /// # Errors
    /// [`Error::Argument`] for a density outside `[0, 1]` or a number of index bits that is not positive.
    pub fn bits_per_weight(self, density: f64) -> Result<f64> {
        require_fraction("density", density)?;
        match self {
            MaskCoding::Entropy => Ok(binary_entropy(density)),
            MaskCoding::Bitmap => Ok(1.0),
            MaskCoding::IndexList { index_bits } => {
                require_positive("index-bits", index_bits)?;
                Ok(density * index_bits)
            }
        }
    }
}

/// The gain `g = (S_dense − S_sparse)/S_dense = 1 − ρ − (mask bits a weight)/b` of a sparse format without fixed
/// overhead; negative where the sparse form is the larger one.
///
/// ```
/// use ticketsense::theory::mask_coding::{MaskCoding, gain};
/// assert_eq!(gain(0.5, 2.0, MaskCoding::Entropy)?, 0.0);
/// assert!(gain(0.9, 32.0, MaskCoding::Entropy)? > 0.08);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for a density outside `[0, 1]` or bits that are not positive.
pub fn gain(density: f64, weight_bits: f64, coding: MaskCoding) -> Result<f64> {
    require_positive("weight-bits", weight_bits)?;
    Ok(1.0 - density - coding.bits_per_weight(density)? / weight_bits)
}

/// The gain with a fixed overhead of `overhead_bits` spread over `weights`: [`gain`]` − o/(N b)`.
///
/// # Errors
/// [`Error::Argument`] as [`gain`], and for a negative overhead or no weights.
pub fn gain_with_overhead(
    density: f64,
    weight_bits: f64,
    coding: MaskCoding,
    overhead_bits: f64,
    weights: f64,
) -> Result<f64> {
    require_nonnegative("overhead-bits", overhead_bits)?;
    require_positive("weights", weights)?;
    Ok(gain(density, weight_bits, coding)? - overhead_bits / weights / weight_bits)
}

/// The share of the mask in a file of kept weights and entropy-coded mask: `H/(H + ρb)`; 1 in the limit of density 0.
///
/// It tends to 1 only like `1 − b/log₂(e/ρ)`, so that at 32 bits no practical density comes near.
///
/// # Errors
/// [`Error::Argument`] for a density outside `[0, 1]` or bits that are not positive.
pub fn mask_share(density: f64, weight_bits: f64) -> Result<f64> {
    require_fraction("density", density)?;
    require_positive("weight-bits", weight_bits)?;
    if density == 0.0 {
        return Ok(1.0);
    }
    // Divided through by the density, so that neither part underflows before the other.
    let mask = binary_entropy(density) / density;
    Ok(mask / (mask + weight_bits))
}

/// The ideal cost `log₂ C(N, k)` in bits of a mask that is known to keep exactly k of N weights.
///
/// It is `N·H(k/N) − ½ log₂(2πNρ(1−ρ)) + o(1)`; sending k itself adds `log₂(N+1)`.
///
/// # Errors
/// [`Error::Argument`] when more weights are kept than there are.
pub fn exact_count_mask_bits(weights: u64, kept: u64) -> Result<f64> {
    if kept > weights {
        return Err(Error::argument("kept", format!("at most {weights} weights"), kept));
    }
    Ok(ln_choose(weights, kept) / LN_2)
}

/// The standard deviation in bits of the ideal code length of an independent mask of `weights` bits:
/// `√(Nρ(1−ρ)) |log₂((1−ρ)/ρ)|`; 0 at densities 0, ½ and 1.
///
/// # Errors
/// [`Error::Argument`] for a density outside `[0, 1]`.
pub fn code_length_deviation(density: f64, weights: f64) -> Result<f64> {
    require_fraction("density", density)?;
    require_nonnegative("weights", weights)?;
    if density == 0.0 || density == 1.0 {
        return Ok(0.0);
    }
    let pruned = 1.0 - density;
    Ok((weights * density * pruned).sqrt() * (pruned / density).log2().abs())
}

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let density = arguments.real("density")?;
    let bits = arguments.real("weight-bits")?;
    let overhead = arguments.real("overhead-bits")?;
    let weights = arguments.optional_integer("weights").map(|n| n as f64);
    let unloaded = gain(density, bits, MaskCoding::Entropy)?;
    let value = match weights {
        Some(n) => gain_with_overhead(density, bits, MaskCoding::Entropy, overhead, n)?,
        None if overhead == 0.0 => unloaded,
        None => {
            let expected = "the number of weights over which overhead-bits is spread";
            return Err(Error::argument("weights", expected, "nothing"));
        }
    };
    let entropy = binary_entropy(density);
    let mut answer = vec![
        Quantity::real("value", value, "fraction of the dense size saved; negative is a loss"),
        Quantity::real("mask_bits_per_weight", entropy, "entropy of one mask bit"),
        Quantity::real(
            "mask_share",
            mask_share(density, bits)?,
            "share of the mask in mask and kept weights",
        ),
        Quantity::real(
            "bitmap_gain",
            gain(density, bits, MaskCoding::Bitmap)?,
            "the gain with one bit a weight, no overhead",
        ),
        Quantity::real(
            "index_list_gain",
            gain(density, bits, MaskCoding::IndexList { index_bits: 32.0 })?,
            "the gain with a 32-bit index a kept weight, no overhead",
        ),
    ];
    if overhead > 0.0 {
        let needed = if unloaded > 0.0 {
            overhead / (bits * unloaded)
        } else {
            f64::NAN
        };
        answer.push(Quantity::real(
            "weights_to_amortise",
            needed,
            "weights above which the overhead pays",
        ));
    }
    if let Some(n) = weights {
        let sparse = density * n * bits + n * entropy + overhead;
        answer.extend([
            Quantity::real("dense_bits", n * bits, "size of the dense network in bits"),
            Quantity::real("sparse_bits", sparse, "size of the sparse network in bits"),
            Quantity::real(
                "mask_bits_deviation",
                code_length_deviation(density, n)?,
                "standard deviation in bits of the code length of an independent mask",
            ),
        ]);
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_gain_is_nine_tenths_less_the_mask_at_ten_percent() {
        // mpmath 1.4.1: 0.9 - H(0.1)/32, H(0.1) = 0.468_995_593_589_281_17...
        let exact = 0.9 - 0.468_995_593_589_281_17 / 32.0;
        assert!((gain(0.1, 32.0, MaskCoding::Entropy).unwrap() - exact).abs() < 1e-15);
    }

    #[test]
    fn entropy_is_counted_in_bits_and_not_in_natural_units() {
        // At two bits and density one half everything saved is spent on the mask; in nats 0.15 would be left.
        assert_eq!(gain(0.5, 2.0, MaskCoding::Entropy).unwrap(), 0.0);
    }

    #[test]
    fn the_three_codings_lose_exactly_beyond_their_own_break_even() {
        for (coding, break_even) in [
            (MaskCoding::Bitmap, 1.0 - 1.0 / 32.0),
            (MaskCoding::IndexList { index_bits: 32.0 }, 0.5),
            (MaskCoding::IndexList { index_bits: 16.0 }, 2.0 / 3.0),
        ] {
            assert!(gain(break_even - 1e-9, 32.0, coding).unwrap() > 0.0);
            assert!(gain(break_even + 1e-9, 32.0, coding).unwrap() < 0.0);
        }
        // The entropy-coded mask still gains there, although the density is above one half.
        assert!(gain(0.97, 32.0, MaskCoding::Entropy).unwrap() > 0.0);
    }

    #[test]
    fn overhead_needs_the_number_of_weights() {
        let refused = FORM.evaluate_text(&[("density", "0.1"), ("weight-bits", "8"), ("overhead-bits", "64")]);
        assert!(matches!(refused, Err(Error::Argument { name, .. }) if name == "weights"));
        let given = [
            ("density", "0.1"),
            ("weight-bits", "8"),
            ("overhead-bits", "800"),
            ("weights", "1000"),
        ];
        let answer = FORM.evaluate_text(&given).unwrap();
        let without = gain(0.1, 8.0, MaskCoding::Entropy).unwrap();
        assert_eq!(answer[0].value, super::super::Scalar::Real(without - 0.1));
    }

    #[test]
    fn a_mask_of_known_count_costs_the_entropy_less_half_a_logarithm() {
        let (n, k) = (100_000_u64, 10_000_u64);
        let (total, density) = (n as f64, 0.1);
        let leading = total * binary_entropy(density)
            - 0.5 * (2.0 * std::f64::consts::PI * total * density * (1.0 - density)).log2();
        // The next term of Stirling's series is 1/(12 ln 2) (1/N − 1/k − 1/(N−k)) bits.
        let next = (1.0 / total - 1.0 / k as f64 - 1.0 / (total - k as f64)) / (12.0 * LN_2);
        assert!((exact_count_mask_bits(n, k).unwrap() - leading - next).abs() < 1e-9);
        assert!(exact_count_mask_bits(3, 4).is_err());
    }

    #[test]
    fn the_mask_is_never_half_of_a_32_bit_file_in_practice() {
        assert!(mask_share(1e-6, 32.0).unwrap() < 0.5);
        assert!(mask_share(1e-10, 32.0).unwrap() > 0.5);
        assert_eq!(mask_share(0.0, 32.0).unwrap(), 1.0);
        // 1 − share ≈ b/log₂(e/ρ) to second order in that ratio, at 8 bits.
        let share = mask_share(1e-300, 8.0).unwrap();
        let ratio = 8.0 / (1e-300_f64.recip().log2() + std::f64::consts::LOG2_E);
        assert!((1.0 - share - ratio / (1.0 + ratio)).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn gain_is_the_relative_difference_of_the_two_sizes(
            density in 0.0_f64..=1.0, bits in 0.5_f64..64.0, weights in 1.0_f64..1e9, overhead in 0.0_f64..1e6,
        ) {
            let dense = weights * bits;
            let sparse = density * weights * bits + weights * binary_entropy(density) + overhead;
            let gain = gain_with_overhead(density, bits, MaskCoding::Entropy, overhead, weights).unwrap();
            prop_assert!((gain - (dense - sparse) / dense).abs() <= 4e-16 * (2.0 + sparse / dense) * 4.0);
        }
    }
}
