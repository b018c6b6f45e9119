//! Dense networks with as few weights as a ticket.

use crate::error::{Error, Result};

/// Hidden widths of a dense network of the same shape with about `weights` weights: every width is scaled by one
/// factor, and the factor is the one whose count comes nearest (the smaller network on a tie).
///
/// Returns the widths and their number of weights; no width falls below 1, so very small targets are missed from
/// above, which the count shows.
///
/// # Errors
/// [`Error::Argument`] when there is no hidden layer or a size is 0.
pub fn small_dense_widths(
    inputs: usize,
    hidden: &[usize],
    outputs: usize,
    weights: usize,
) -> Result<(Vec<usize>, usize)> {
    if hidden.is_empty() || inputs == 0 || outputs == 0 || hidden.contains(&0) {
        return Err(Error::argument(
            "layer widths",
            "at least one hidden layer and no empty layer",
            format!("{hidden:?}"),
        ));
    }
    let count = |widths: &[usize]| -> usize {
        let all: Vec<usize> = [inputs].iter().chain(widths).chain(&[outputs]).copied().collect();
        all.windows(2).map(|w| w[0] * w[1]).sum()
    };
    // Widths change one unit at a time along the line of a common factor, so trying every factor at which some width
    // steps covers every distinct choice.
    let mut factors: Vec<f64> = hidden
        .iter()
        .flat_map(|&w| (1..=w).map(move |unit| unit as f64 / w as f64))
        .collect();
    factors.sort_by(f64::total_cmp);
    let candidates = factors.iter().map(|&factor| {
        let widths: Vec<usize> = hidden
            .iter()
            .map(|&w| ((w as f64 * factor).round() as usize).max(1))
            .collect();
        let total = count(&widths);
        (widths, total)
    });
    candidates
        .min_by_key(|(_, total)| (total.abs_diff(weights), *total))
        .ok_or_else(|| Error::argument("layer widths", "at least one hidden unit", "none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_dense_network_is_the_nearest_in_weights() {
        // 64-50-30-10 has 5,000 weights; a tenth of it is 500: by enumeration the nearest common factor is near 0.13.
        let (widths, total) = small_dense_widths(64, &[50, 30], 10, 500).unwrap();
        assert_eq!(total, 64 * widths[0] + widths[0] * widths[1] + widths[1] * 10);
        assert!(total.abs_diff(500) <= 64, "{widths:?} has {total}");
        let (full, all) = small_dense_widths(64, &[50, 30], 10, 5000).unwrap();
        assert_eq!((full, all), (vec![50, 30], 5000));
        assert!(small_dense_widths(64, &[], 10, 5).is_err());
    }
}
