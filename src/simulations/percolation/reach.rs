//! The exact law of the number of reached units, layer by layer.
//!
//! The units of a layer are exchangeable, so the number j of reached ones is a Markov chain with the absorbing state 0:
//! at finite width every chain with `keep < 1` dies at last. The laws here are sums of positive terms only, so that even
//! a death probability of 10⁻³⁰⁰ has its leading digits right.

use super::super::{require_between, require_probability};
use crate::error::{Error, Result};

/// The transition law of the reached count from one layer to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct ReachKernel {
    from: usize,
    to: usize,
    /// `(from + 1) × (to + 1)`, row-major: row j is the law of the next count, given j.
    rows: Vec<f64>,
}

/// The largest width: a kernel of this size takes 128 MiB.
const MAXIMUM_WIDTH: usize = 4095;

impl ReachKernel {
    /// Two fully connected layers of widths `from` and `to`: given j, the next count is
    /// `Binomial(to, 1 − (1 − keep)^j)`.
    ///
    /// # Errors
    /// [`Error::Argument`] for a width of 0 or above 4,095 or a probability outside `[0, 1]`.
    ///
    /// Cost: `from · to`.
    pub fn full(from: usize, to: usize, keep: f64) -> Result<Self> {
        require_between("width", from, 1, MAXIMUM_WIDTH)?;
        require_between("width", to, 1, MAXIMUM_WIDTH)?;
        require_probability("keep probability", keep)?;
        let mut rows = Vec::with_capacity((from + 1) * (to + 1));
        for reached in 0..=from {
            let log_miss = if reached == 0 {
                0.0
            } else {
                reached as f64 * (-keep).ln_1p()
            };
            rows.extend(binomial_law(to, log_miss));
        }
        Ok(ReachKernel { from, to, rows })
    }

    /// Two layers of one width in which every unit has `fan_out` distinct random targets, each edge kept with
    /// probability `keep`.
    ///
    /// The reached units are added one at a time: with u targets occupied, a unit has h ~ Hypergeometric vacant ones among
    /// its targets and occupies `Binomial(h, keep)` of them. Row j of the kernel is j such steps from 0, which avoids the
    /// cancellation of the inclusion–exclusion formula.
    ///
    /// # Errors
    /// [`Error::Argument`] for a width of 0 or above 4,095, a fan-out of 0 or above the width, or a probability outside
    /// `[0, 1]`.
    ///
    /// Cost: `width² · fan_out`, and `width · fan_out²` once.
    pub fn random_wiring(width: usize, fan_out: usize, keep: f64) -> Result<Self> {
        require_between("width", width, 1, MAXIMUM_WIDTH)?;
        require_between("fan-out", fan_out, 1, width)?;
        require_probability("keep probability", keep)?;
        let thinned: Vec<Vec<f64>> = (0..=fan_out).map(|h| binomial_law(h, (-keep).ln_1p())).collect();
        // gains[u][i]: the chance that one more unit occupies i vacant targets when u are occupied.
        let gains: Vec<Vec<f64>> = (0..=width)
            .map(|occupied| {
                let mut gain = vec![0.0; fan_out.min(width - occupied) + 1];
                for (vacant_hit, chance) in hypergeometric_law(width, width - occupied, fan_out) {
                    for (i, thin) in thinned[vacant_hit].iter().enumerate() {
                        gain[i] += chance * thin;
                    }
                }
                gain
            })
            .collect();
        let mut rows = vec![0.0; (width + 1) * (width + 1)];
        rows[0] = 1.0;
        for unit in 1..=width {
            let (done, rest) = rows.split_at_mut(unit * (width + 1));
            let before = &done[(unit - 1) * (width + 1)..];
            for (occupied, (&weight, gain)) in before.iter().zip(&gains).enumerate() {
                for (i, chance) in gain.iter().enumerate() {
                    rest[occupied + i] += weight * chance;
                }
            }
        }
        Ok(ReachKernel {
            from: width,
            to: width,
            rows,
        })
    }

    /// Units of the earlier layer.
    pub fn from(&self) -> usize {
        self.from
    }

    /// Units of the later layer.
    pub fn to(&self) -> usize {
        self.to
    }

    /// The law of the next count given `reached` units now: probabilities of `0, …, to`.
    pub fn row(&self, reached: usize) -> Option<&[f64]> {
        self.rows.chunks_exact(self.to + 1).nth(reached)
    }

    /// The law of the next count, from probabilities of `0, …, from`.
    ///
    /// # Errors
    /// [`Error::Shape`] for a law of another length.
    ///
    /// Cost: `from · to`.
    pub fn step(&self, law: &[f64]) -> Result<Vec<f64>> {
        if law.len() != self.from + 1 {
            return Err(Error::shape("law of the reached count", self.from + 1, law.len()));
        }
        let mut next = vec![0.0; self.to + 1];
        for (&weight, row) in law.iter().zip(self.rows.chunks_exact(self.to + 1)) {
            if weight != 0.0 {
                next.iter_mut().zip(row).for_each(|(n, p)| *n += weight * p);
            }
        }
        Ok(next)
    }

    /// The laws of the reached count in layers `0, …, depth` of equal width, starting from exactly `sources` units.
    ///
    /// # Errors
    /// [`Error::Shape`] when the two widths differ; [`Error::Argument`] for more sources than units.
    pub fn laws_from(&self, sources: usize, depth: usize) -> Result<Vec<Vec<f64>>> {
        if self.from != self.to {
            return Err(Error::shape(
                "kernel to iterate",
                "equal widths",
                format!("{} and {}", self.from, self.to),
            ));
        }
        let mut laws = vec![start(self.from, sources)?];
        for layer in 0..depth {
            laws.push(self.step(&laws[layer])?);
        }
        Ok(laws)
    }
}

/// The laws of the reached count in every layer of a fully connected network of the given widths, starting from exactly
/// `sources` units of the first layer.
///
/// `laws[ℓ][0]` is the probability that nothing of layer ℓ is reached; with widths `1, w, …, w, 1` the last one is the
/// probability that one input and one output are cut off from each other.
///
/// # Errors
/// [`Error::Argument`] for fewer than two layers, a width of 0 or above 4,095, more sources than units, or a
/// probability outside `[0, 1]`.
///
/// Cost: the product of neighbouring widths, summed.
///
/// ```
/// use ticketsense::simulations::percolation::reach::reach_laws;
/// // Two paths of two weights between one input and one output: 1 − (1 − q²)².
/// let laws = reach_laws(&[1, 2, 1], 1, 0.5)?;
/// assert!((laws[2][1] - (1.0 - 0.75f64 * 0.75)).abs() < 1e-15);
/// # Ok::<(), ticketsense::Error>(())
/// ```
pub fn reach_laws(widths: &[usize], sources: usize, keep: f64) -> Result<Vec<Vec<f64>>> {
    let [first, _, ..] = *widths else {
        return Err(Error::argument("widths", "at least two layers", widths.len()));
    };
    require_between("width", first, 1, MAXIMUM_WIDTH)?;
    let mut laws = vec![start(first, sources)?];
    let mut kernel: Option<ReachKernel> = None;
    for (layer, pair) in widths.windows(2).enumerate() {
        let used = match kernel.take() {
            Some(same) if (same.from, same.to) == (pair[0], pair[1]) => same,
            _ => ReachKernel::full(pair[0], pair[1], keep)?,
        };
        laws.push(used.step(&laws[layer])?);
        kernel = Some(used);
    }
    Ok(laws)
}

fn start(width: usize, sources: usize) -> Result<Vec<f64>> {
    require_between("sources", sources, 1, width)?;
    let mut law = vec![0.0; width + 1];
    law[sources] = 1.0;
    Ok(law)
}

/// The binomial law of `trials` with the probability of failure given as a logarithm.
///
/// Ratios of neighbouring terms are followed outwards from the mode and the sum is divided out: a relative error of
/// order `trials · ε` down to underflow.
fn binomial_law(trials: usize, log_failure: f64) -> Vec<f64> {
    let failure = log_failure.exp();
    let success = -log_failure.exp_m1();
    let mut law = vec![0.0; trials + 1];
    let n = trials as f64;
    let mode = (((n + 1.0) * success) as usize).min(trials);
    law[mode] = 1.0;
    if success > 0.0 && failure > 0.0 {
        let odds = success / failure;
        for k in mode + 1..=trials {
            law[k] = law[k - 1] * odds * (trials - k + 1) as f64 / k as f64;
        }
        for k in (0..mode).rev() {
            law[k] = law[k + 1] / odds * (k + 1) as f64 / (trials - k) as f64;
        }
    }
    let total: f64 = law.iter().sum();
    law.iter_mut().for_each(|p| *p /= total);
    law
}

/// The numbers of marked items among `drawn` of `all` without replacement, with their probabilities.
fn hypergeometric_law(all: usize, marked: usize, drawn: usize) -> Vec<(usize, f64)> {
    let least = (drawn + marked).saturating_sub(all);
    let most = drawn.min(marked);
    let mode = (((drawn + 1) * (marked + 1)) / (all + 2)).clamp(least, most);
    let mut law: Vec<(usize, f64)> = (least..=most).map(|h| (h, 0.0)).collect();
    law[mode - least].1 = 1.0;
    // p(h+1)/p(h) = (marked − h)(drawn − h) / ((h + 1)(all − marked − drawn + h + 1))
    let ratio =
        |h: usize| (marked - h) as f64 * (drawn - h) as f64 / ((h + 1) as f64 * (all + h + 1 - marked - drawn) as f64);
    for h in mode..most {
        law[h + 1 - least].1 = law[h - least].1 * ratio(h);
    }
    for h in (least..mode).rev() {
        law[h - least].1 = law[h + 1 - least].1 / ratio(h);
    }
    let total: f64 = law.iter().map(|(_, p)| p).sum();
    law.iter_mut().for_each(|(_, p)| *p /= total);
    law
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: f64, b: f64, relative: f64) -> bool {
        (a - b).abs() <= relative * a.abs().max(b.abs())
    }

    /// The chance that the last layer of one unit is reached from the first of one unit, over all sets of kept edges.
    fn enumerated(widths: &[usize], keep: f64) -> f64 {
        let edges: usize = widths.windows(2).map(|w| w[0] * w[1]).sum();
        let mut total = 0.0;
        for set in 0u32..1 << edges {
            let mut bit = 0;
            let mut reached = vec![true];
            for pair in widths.windows(2) {
                let mut next = vec![false; pair[1]];
                for from in &reached {
                    for to in &mut next {
                        *to |= from & (set >> bit & 1 == 1);
                        bit += 1;
                    }
                }
                reached = next;
            }
            if reached[0] {
                let kept = set.count_ones() as i32;
                total += keep.powi(kept) * (1.0 - keep).powi(edges as i32 - kept);
            }
        }
        total
    }

    #[test]
    fn the_chain_equals_enumeration_of_all_edge_subsets() {
        for widths in [
            vec![1, 3, 1],
            vec![1, 2, 2, 1],
            vec![1, 2, 2, 2, 1],
            vec![1, 3, 3, 1],
            vec![1, 1, 4, 2, 1],
        ] {
            for keep in [0.0, 0.1, 0.5, 0.9, 1.0] {
                let chain = reach_laws(&widths, 1, keep).unwrap().pop().unwrap()[1];
                // At most 2¹⁶ positive terms, each with some 16 roundings.
                assert!(close(chain, enumerated(&widths, keep), 1e-12), "{widths:?} at {keep}");
            }
        }
    }

    #[test]
    fn one_unit_a_layer_is_a_single_path() {
        let laws = reach_laws(&[1; 8], 1, 0.7).unwrap();
        for (layer, law) in laws.iter().enumerate() {
            assert!(close(law[1], 0.7f64.powi(layer as i32), 1e-14));
        }
    }

    #[test]
    fn random_wiring_to_every_unit_is_full_wiring() {
        for keep in [0.02, 0.3, 1.0] {
            let full = ReachKernel::full(25, 25, keep).unwrap();
            let wired = ReachKernel::random_wiring(25, 25, keep).unwrap();
            for (a, b) in full.rows.iter().zip(&wired.rows) {
                // 25 steps of sums over 26 positive terms, each relative to ε, on either side.
                assert!(close(*a, *b, 2.0 * 25.0 * 30.0 * f64::EPSILON), "{keep}: {a} {b}");
            }
        }
    }

    #[test]
    fn random_wiring_agrees_with_inclusion_and_exclusion() {
        // P(a set of t targets is missed | j) = (Σ_i Hypergeometric(i) (1 − q)^i)^j; hence the law of the number of
        // missed units by inclusion–exclusion, in exact enough arithmetic for width 6.
        let (width, fan_out, keep) = (6usize, 3usize, 0.4f64);
        let choose = |n: usize, k: usize| (0..k).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64);
        let kernel = ReachKernel::random_wiring(width, fan_out, keep).unwrap();
        for reached in 0..=width {
            let missed_set = |t: usize| -> f64 {
                let one: f64 = (0..=fan_out.min(t))
                    .filter(|i| fan_out - i <= width - t)
                    .map(|i| {
                        let chance = choose(t, i) * choose(width - t, fan_out - i) / choose(width, fan_out);
                        chance * (1.0 - keep).powi(i as i32)
                    })
                    .sum();
                one.powi(reached as i32)
            };
            for next in 0..=width {
                let missed = width - next;
                let exact: f64 = (missed..=width)
                    .map(|t| {
                        let sign = if (t - missed) % 2 == 0 { 1.0 } else { -1.0 };
                        sign * choose(t, missed) * choose(width, t) * missed_set(t)
                    })
                    .sum();
                // The alternating terms are at most C(6,3)·C(3,·) = 60 in size, seven of them.
                let tolerance = 7.0 * 60.0 * 8.0 * f64::EPSILON;
                let found = kernel.row(reached).unwrap()[next];
                assert!(
                    (found - exact).abs() <= tolerance,
                    "{reached} → {next}: {found} {exact}"
                );
            }
        }
    }

    #[test]
    fn a_rare_death_keeps_its_digits() {
        // All 200 units reached, keep ½: the next layer is missed with probability 2^(−200·200) — underflow to 0 — and
        // with 30 units of 20: 2⁻⁶⁰⁰, far below ε.
        let law = ReachKernel::full(30, 20, 0.5).unwrap();
        let death = law.row(30).unwrap()[0];
        assert!(close(death.log2(), -600.0, 1e-13), "{}", death.log2());
        let dead = ReachKernel::full(200, 200, 0.5).unwrap();
        assert_eq!(dead.row(200).unwrap()[0], 0.0);
    }

    #[test]
    fn connection_dies_with_depth_at_every_width_and_later_in_wider_networks() {
        let death = |width: usize| {
            let kernel = ReachKernel::random_wiring(width, 2, 0.7).unwrap();
            let laws = kernel.laws_from(width, 300).unwrap();
            assert!(laws.windows(2).all(|w| w[1][0] >= w[0][0]));
            laws[300][0]
        };
        // Supercritical, 2·0.7 > 1, and yet cut off; the lifetime grows exponentially with the width.
        let deaths = [8, 16, 32, 64].map(death);
        assert!(deaths[0] > 0.0 && deaths.windows(2).all(|w| w[1] < w[0]), "{deaths:?}");
        assert!(deaths[3] < deaths[0] / 10.0, "{deaths:?}");
    }

    proptest! {
        #[test]
        fn every_row_of_a_kernel_is_a_law_with_the_right_mean(
            width in 1usize..40, fan in 1usize..40, keep in 0.0f64..=1.0
        ) {
            let fan_out = fan.min(width);
            let wired = ReachKernel::random_wiring(width, fan_out, keep).unwrap();
            let full = ReachKernel::full(width, fan, keep).unwrap();
            // A given unit is hit by one reached unit with this probability.
            for (kernel, hit) in [(wired, keep * fan_out as f64 / width as f64), (full, keep)] {
                for reached in 0..=width {
                    let row = kernel.row(reached).unwrap();
                    // width · (fan_out + 2) roundings at most on the way to an entry.
                    let tolerance = (width * (fan + 2)) as f64 * 2.0 * f64::EPSILON;
                    prop_assert!(row.iter().all(|p| (0.0..=1.0 + tolerance).contains(p)));
                    prop_assert!((row.iter().sum::<f64>() - 1.0).abs() <= tolerance);
                    let mean: f64 = row.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
                    let to = kernel.to() as f64;
                    let exact = to * (1.0 - (1.0 - hit).powi(reached as i32));
                    // The power adds a rounding a factor, and the mean weighs entries with up to `to`.
                    prop_assert!((mean - exact).abs() <= to * (tolerance + 4.0 * width as f64 * f64::EPSILON));
                }
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(ReachKernel::full(0, 3, 0.5).is_err());
        assert!(ReachKernel::full(3, 5000, 0.5).is_err());
        assert!(ReachKernel::full(3, 3, f64::NAN).is_err());
        assert!(ReachKernel::random_wiring(3, 4, 0.5).is_err());
        assert!(reach_laws(&[3], 1, 0.5).is_err());
        assert!(reach_laws(&[3, 3], 4, 0.5).is_err());
        let kernel = ReachKernel::full(3, 2, 0.5).unwrap();
        assert!(kernel.step(&[1.0; 3]).is_err());
        assert!(kernel.laws_from(1, 3).is_err());
        assert!(kernel.row(4).is_none());
    }
}
