//! The density beyond which storing a network sparsely costs more than it saves.

use super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::require_positive;
use super::special::{bisect, log_excess};
use crate::error::Result;
use std::f64::consts::LN_2;

/// The closed form `mask-breakeven`.
pub static FORM: ClosedForm = ClosedForm {
    name: "mask-breakeven",
    summary: "Density at which an entropy-coded mask costs what the pruned weights save, and the two other codings.",
    arguments: &[
        Argument::required("weight-bits", "bits of a stored weight", "bits", Domain::BITS),
        Argument::optional(
            "index-bits",
            "bits of an index in an index list",
            "bits",
            Domain::BITS,
            Some("32"),
        ),
    ],
    formula: "b (1 - d) = H(d), 0 < d < 1; bitmap d = 1 - 1/b; index list d = b/(b + i)",
    source: "elementary, from the accounting of Han, Mao & Dally, ICLR 2016, arXiv:1510.00149",
    claims: &["B2", "B3"],
    evaluate,
};

/// A density together with its distance from 1, which the density alone cannot express.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DensityBelowOne {
    /// The density.
    pub density: f64,
    /// One minus the density, to full relative precision.
    pub one_minus_density: f64,
}

/// The break-even density of an entropy-coded mask without overhead: the root in (0, 1) of `b(1−ρ) = H(ρ)`. Below it
/// the sparse form is smaller, above it larger.
///
/// With ε = 1−ρ and u = ln ε the equation is `b ln 2 = −u − ((1−ε)/ε) ln(1−ε)`, whose right side falls from ∞ to 0 on
/// u < 0 and differs from −u by a number in `[0, 1]`: bisection in u on an interval of length 1 needs no cancellation
/// and finds `ε ≈ e·2^{−b}` where ρ itself is 1 in every digit. Relative error about `1e-15·b` in ε; about 60 logarithms.
///
/// ```
/// use ticketsense::theory::mask_breakeven::entropy_break_even;
/// assert!((entropy_break_even(2.0)?.density - 0.5).abs() < 1e-15);
/// let single = entropy_break_even(32.0)?.one_minus_density;
/// assert!((single / 6.328_993_075_524_564e-10 - 1.0).abs() < 1e-13);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::Argument`] for bits that are not positive.
pub fn entropy_break_even(weight_bits: f64) -> Result<DensityBelowOne> {
    require_positive("weight-bits", weight_bits)?;
    let target = weight_bits * LN_2;
    // −((1−ε)/ε) ln(1−ε) = (1−ε)(1 + log_excess(ε)); near ε = 1 through ρ = 1−ε, which u gives without cancellation.
    let excess = |u: f64| {
        let epsilon = u.exp();
        let density = -u.exp_m1();
        if density <= 0.0 {
            0.0
        } else if density < 0.5 {
            -density / epsilon * density.ln()
        } else {
            density * (1.0 + log_excess(epsilon))
        }
    };
    let u = bisect(-target, (1.0 - target).min(0.0), |u| -u + excess(u) > target);
    Ok(DensityBelowOne {
        density: -u.exp_m1(),
        one_minus_density: u.exp(),
    })
}

/// The break-even density of a bitmap, `1 − 1/b`; `None` for weights of one bit or less, where it never gains.
///
/// # Errors
/// [`crate::Error::Argument`] for bits that are not positive.
pub fn bitmap_break_even(weight_bits: f64) -> Result<Option<DensityBelowOne>> {
    require_positive("weight-bits", weight_bits)?;
    Ok((weight_bits > 1.0).then(|| DensityBelowOne {
        density: 1.0 - 1.0 / weight_bits,
        one_minus_density: 1.0 / weight_bits,
    }))
}

/// The break-even density of a list of indices, `b/(b + b_index)`: one half for 32-bit values and 32-bit indices.
///
/// Also the density below which a sparse matrix-vector product moves fewer bits than the dense one.
///
/// # Errors
/// [`crate::Error::Argument`] for bits that are not positive.
pub fn index_list_break_even(weight_bits: f64, index_bits: f64) -> Result<DensityBelowOne> {
    require_positive("weight-bits", weight_bits)?;
    require_positive("index-bits", index_bits)?;
    let total = weight_bits + index_bits;
    Ok(DensityBelowOne {
        density: weight_bits / total,
        one_minus_density: index_bits / total,
    })
}

/// The modelled speed-up `b/(ρ(b + b_index))` of a memory-bound sparse matrix-vector product over the dense one.
///
/// # Errors
/// [`crate::Error::Argument`] for a density or bits that are not positive.
pub fn memory_bound_speed_up(density: f64, weight_bits: f64, index_bits: f64) -> Result<f64> {
    require_positive("density", density)?;
    super::require_fraction("density", density)?;
    Ok(index_list_break_even(weight_bits, index_bits)?.density / density)
}

/// The largest loss `−min g = log₂(1 + 2^{−b})/b` of an entropy-coded mask, and the density `1/(1 + 2^{−b})` where it
/// is suffered.
///
/// # Errors
/// [`crate::Error::Argument`] for bits that are not positive.
pub fn worst_loss(weight_bits: f64) -> Result<(f64, DensityBelowOne)> {
    require_positive("weight-bits", weight_bits)?;
    let weight = (-weight_bits * LN_2).exp();
    let at = DensityBelowOne {
        density: 1.0 / (1.0 + weight),
        one_minus_density: weight / (1.0 + weight),
    };
    Ok((weight.ln_1p() / LN_2 / weight_bits, at))
}

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let bits = arguments.real("weight-bits")?;
    let index_bits = arguments.real("index-bits")?;
    let root = entropy_break_even(bits)?;
    let bitmap = bitmap_break_even(bits)?.map_or(f64::NAN, |b| b.density);
    let (loss, at) = worst_loss(bits)?;
    Ok(vec![
        Quantity::real("value", root.density, "break-even density of an entropy-coded mask"),
        Quantity::real(
            "one_minus_value",
            root.one_minus_density,
            "one minus it, without cancellation",
        ),
        Quantity::real(
            "bitmap",
            bitmap,
            "break-even density of a bitmap; none where it never gains",
        ),
        Quantity::real(
            "index_list",
            index_list_break_even(bits, index_bits)?.density,
            "break-even density of an index a kept weight",
        ),
        Quantity::real(
            "worst_loss",
            loss,
            "largest loss of an entropy-coded mask, as a fraction of the dense size",
        ),
        Quantity::real("worst_loss_density", at.density, "density of the largest loss"),
        Quantity::real(
            "one_minus_worst_loss_density",
            at.one_minus_density,
            "one minus it, without cancellation",
        ),
        Quantity::real(
            "mask_exceeds_weights_below",
            root.one_minus_density,
            "density below which the mask is larger than the kept weights",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::mask_coding::{MaskCoding, gain, mask_share};
    use super::super::special::binary_entropy;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_break_even_matches_sixty_digit_roots_from_one_bit_to_sixty_four() {
        // mpmath 1.4.1, 60 digits, findroot in u = ln(1 − density): (bits, density, one minus density).
        for (bits, density, rest) in [
            (1.0, 0.227_092_195_219_348_2, 0.772_907_804_780_651_8),
            (2.0, 0.5, 0.5),
            (3.0, 0.710_749_735_707_359_2, 0.289_250_264_292_640_7),
            (4.0, 0.843_582_645_035_728, 0.156_417_354_964_272_03),
            (8.0, 0.989_437_837_271_900_5, 0.010_562_162_728_099_478),
            (16.0, 0.999_958_523_171_151_6, 4.147_682_884_840_566e-5),
            (32.0, 0.999_999_999_367_100_7, 6.328_993_075_524_564e-10),
            (64.0, 1.0, 1.473_583_531_921_583e-19),
        ] {
            let root = entropy_break_even(bits).unwrap();
            // An error of one unit in u ≈ −b ln 2 and in the logarithm is 2e-16·b relative in ε.
            let tolerance = 4e-16 * (bits + 2.0);
            assert!(
                (root.one_minus_density / rest - 1.0).abs() < tolerance,
                "{bits} bits: {root:?}"
            );
            assert!(
                (root.density / density - 1.0).abs() < tolerance * (1.0 + rest / density),
                "{bits} bits: {root:?}"
            );
        }
    }

    #[test]
    fn the_break_even_is_above_one_half_for_every_weight_of_more_than_two_bits() {
        // The seed's "about 0.5" is the index list's.
        assert!(entropy_break_even(2.01).unwrap().density > 0.5);
        assert!(entropy_break_even(1.99).unwrap().density < 0.5);
        assert_eq!(index_list_break_even(32.0, 32.0).unwrap().density, 0.5);
        assert_eq!(bitmap_break_even(32.0).unwrap().unwrap().density, 0.96875);
        assert!(bitmap_break_even(1.0).unwrap().is_none());
    }

    #[test]
    fn the_worst_loss_is_the_minimum_of_the_gain() {
        for bits in [1.0, 2.0, 4.0, 8.0] {
            let (loss, at) = worst_loss(bits).unwrap();
            let there = gain(at.density, bits, MaskCoding::Entropy).unwrap();
            assert!((there + loss).abs() < 1e-15, "{bits} bits: {there} {loss}");
            for step in 1..10_000 {
                let gain = gain(step as f64 / 10_000.0, bits, MaskCoding::Entropy).unwrap();
                assert!(gain >= -loss - 1e-15);
            }
        }
        // At 32 bits the loss is 2^−32/(32 ln 2) to first order.
        let (loss, _) = worst_loss(32.0).unwrap();
        let first_order = 2f64.powi(-32) / LN_2 / 32.0;
        assert!((loss / first_order - 1.0).abs() < 2e-10);
    }

    #[test]
    fn the_mask_is_half_of_the_file_at_the_mirror_of_the_break_even() {
        for bits in [4.0, 8.0, 32.0] {
            let mirrored = entropy_break_even(bits).unwrap().one_minus_density;
            assert!((mask_share(mirrored, bits).unwrap() - 0.5).abs() < 1e-14);
        }
    }

    proptest! {
        #[test]
        fn the_gain_changes_sign_at_the_break_even(bits in 0.05_f64..40.0) {
            let root = entropy_break_even(bits).unwrap();
            prop_assert!(root.density > 0.0 && root.one_minus_density > 0.0);
            // Through ε, where the gain is ε − H(ε)/b.
            let gain = |epsilon: f64| epsilon - binary_entropy(epsilon) / bits;
            let epsilon = root.one_minus_density;
            // ρ = 1 − ε in (0, 1) inside: densities below ρ* are ε above ε*.
            let wider = epsilon + (1e-9 * epsilon).min(0.5 * root.density);
            prop_assert!(gain(wider) > 0.0);
            prop_assert!(gain(epsilon * (1.0 - 1e-9)) < 0.0);
        }

        #[test]
        fn more_bits_move_the_break_even_up(bits in 0.05_f64..900.0, more in 0.01_f64..10.0) {
            let few = entropy_break_even(bits).unwrap();
            let many = entropy_break_even(bits + more).unwrap();
            prop_assert!(many.one_minus_density < few.one_minus_density);
        }
    }
}
