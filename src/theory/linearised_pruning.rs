//! What pruning does to a network that is linearised at its initial weights.

use super::{require_fraction, require_positive};
use crate::error::Result;

/// The mean coefficient of the linearised output on the original one after random pruning: `1 − L(1−ρ)`.
///
/// A bias-free ReLU network of L weight layers is homogeneous of degree L, so by Euler `Jθ₀ = L f(θ₀)`, and a mask m of
/// density ρ, independent of the weights, gives `E f_lin(m⊙θ₀) = f₀ + J(ρθ₀ − θ₀)`. It is zero at ρ = 1 − 1/L and
/// `−(L−1)` at ρ = 0, where the real output is 0.
///
/// ```
/// use ticketsense::theory::linearised_pruning::sign_reversal;
/// assert_eq!(sign_reversal(1.0, 3)?, 1.0);
/// assert_eq!(sign_reversal(0.5, 2)?, 0.0);
/// assert_eq!(sign_reversal(0.0, 3)?, -2.0);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::Argument`] for a density outside `[0, 1]` or no layers.
pub fn sign_reversal(density: f64, weight_layers: u32) -> Result<f64> {
    require_fraction("density", density)?;
    require_positive("weight layers", f64::from(weight_layers))?;
    Ok(1.0 - f64::from(weight_layers) * (1.0 - density))
}

/// The density `1 − 1/L` below which the linear model reverses its output.
///
/// # Errors
/// [`crate::Error::Argument`] for no layers.
pub fn reversal_density(weight_layers: u32) -> Result<f64> {
    require_positive("weight layers", f64::from(weight_layers))?;
    Ok(1.0 - 1.0 / f64::from(weight_layers))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bias-free ReLU network from one input through one unit a layer to one output: `w_L … w_1 x` for positive
    /// weights, whose gradient is the product without one factor.
    #[test]
    fn a_chain_of_positive_units_has_the_coefficient_on_average_over_all_masks() {
        for layers in 1..=6_u32 {
            let weights: Vec<f64> = (1..=layers).map(|l| 0.5 + 0.3 * f64::from(l)).collect();
            let output: f64 = weights.iter().product();
            for density in [0.0, 0.3, 0.5, 1.0_f64] {
                let mut mean = 0.0;
                for mask in 0..1_u32 << layers {
                    let kept = mask.count_ones();
                    let probability = density.powi(kept as i32) * (1.0 - density).powi((layers - kept) as i32);
                    let displacement: f64 = (0..layers as usize)
                        .filter(|l| mask >> l & 1 == 0)
                        .map(|l| -weights[l] * output / weights[l])
                        .sum();
                    mean += probability * (output + displacement);
                }
                let coefficient = sign_reversal(density, layers).unwrap();
                assert!(
                    (mean / output - coefficient).abs() < 1e-13,
                    "{layers} layers at {density}"
                );
            }
        }
    }

    #[test]
    fn the_output_is_lost_where_one_weight_in_every_layer_count_is_pruned() {
        for layers in 1..20 {
            let density = reversal_density(layers).unwrap();
            assert!(sign_reversal(density, layers).unwrap().abs() < 1e-15 * f64::from(layers));
        }
        assert!(sign_reversal(0.5, 0).is_err());
        assert!(sign_reversal(-0.5, 2).is_err());
    }
}
