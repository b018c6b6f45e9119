//! Traces of maps known only through products.

use super::dot;
use crate::error::{Error, Result, require_finite};
use crate::outcome::{Certainty, Estimate};
use crate::seed::Seed;
use rand::RngExt;

/// The trace of a linear map on `ℝ^length`, estimated as the mean of `zᵀAz` over random sign vectors z.
///
/// Unbiased; the variance of one probe is `½ Σ_{i≠j} (A_ij + A_ji)²`, so a diagonal map is answered exactly by one. The
/// standard error is the sample deviation over the square root of the number of probes.
///
/// # Errors
/// [`Error::Argument`] for fewer than two probes or length 0; [`Error::NotFinite`] when the map returns a number that is
/// not finite.
///
/// Cost: one product a probe. Source: Hutchinson 1990; Girard 1989.
pub fn hutchinson(
    length: usize,
    mut apply: impl FnMut(&[f64], &mut [f64]),
    probes: usize,
    seed: &Seed,
) -> Result<Estimate<f64>> {
    if probes < 2 {
        return Err(Error::argument("probes", "at least 2", probes));
    }
    if length == 0 {
        return Err(Error::argument("length", "at least 1", 0));
    }
    let seed = seed.stream("trace probes");
    let mut image = vec![0.0; length];
    // Welford's recurrence: no cancellation when the deviation is small beside the mean.
    let (mut mean, mut squares) = (0.0, 0.0);
    for t in 0..probes {
        let mut rng = seed.replicate(t as u64).rng();
        let z: Vec<f64> = (0..length)
            .map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 })
            .collect();
        apply(&z, &mut image);
        require_finite("product with the map", &image)?;
        let sample = dot(&z, &image);
        let step = sample - mean;
        mean += step / (t + 1) as f64;
        squares += step * (sample - mean);
    }
    let certainty = Certainty::Sampled {
        standard_error: (squares / (probes - 1) as f64 / probes as f64).sqrt(),
        replicates: probes,
    };
    Ok(Estimate::new(mean, certainty, probes as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagonal_map_has_no_spread() {
        let d = [1.0, -4.0, 10.0];
        let apply = |x: &[f64], y: &mut [f64]| (0..3).for_each(|i| y[i] = d[i] * x[i]);
        let found = hutchinson(3, apply, 5, &Seed::root(1)).unwrap();
        assert_eq!(found.value, 7.0);
        assert!(
            matches!(found.certainty, Certainty::Sampled { standard_error, replicates: 5 } if standard_error == 0.0)
        );
    }

    #[test]
    fn the_ones_matrix_has_its_known_mean_and_spread() {
        // zᵀ11ᵀz = (Σz)²: mean n, variance 2n(n − 1).
        let (n, probes) = (20usize, 4000usize);
        let apply = |x: &[f64], y: &mut [f64]| y.fill(x.iter().sum());
        let found = hutchinson(n, apply, probes, &Seed::root(2)).unwrap();
        let deviation = (2.0 * (n * (n - 1)) as f64 / probes as f64).sqrt();
        // Five standard errors of the mean; the sample deviation is itself within 10 % of its value (kurtosis of a
        // squared sum near 15, so its relative error is near √(14/4/4000) = 3 %, three of which are allowed).
        assert!((found.value - n as f64).abs() <= 5.0 * deviation, "{found:?}");
        let Certainty::Sampled { standard_error, .. } = found.certainty else {
            panic!("{found:?}")
        };
        assert!(
            (standard_error / deviation - 1.0).abs() <= 0.1,
            "{standard_error} {deviation}"
        );
    }

    #[test]
    fn one_probe_is_refused_because_it_has_no_standard_error() {
        assert!(hutchinson(2, |_: &[f64], _: &mut [f64]| {}, 1, &Seed::root(0)).is_err());
    }
}
