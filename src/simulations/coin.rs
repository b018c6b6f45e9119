//! Many independent coin tosses at once.

use rand::Rng;

/// A coin that shows heads with a given probability, tossed 64 times a call.
///
/// A toss compares a uniform binary fraction with the probability, digit by digit from the first: a lane is decided at
/// the first digit in which the two differ. On average `2 + log₂ 64` random words decide all lanes, instead of 64. The
/// probability is kept to 64 binary digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coin {
    digits: u64,
    certain: bool,
}

impl Coin {
    /// A coin; `heads` must lie in `[0, 1]`, which the callers have checked.
    pub(super) fn new(heads: f64) -> Self {
        Coin {
            // 2⁶⁴; the product is exact because it only moves the exponent, and the cast drops digits beyond the 64th.
            digits: (heads * 18_446_744_073_709_551_616.0) as u64,
            certain: heads >= 1.0,
        }
    }

    /// 64 tosses, one a bit.
    pub(super) fn toss_64(&self, rng: &mut impl Rng) -> u64 {
        self.toss_in(u64::MAX, rng)
    }

    /// A toss for every set bit of `lanes`; the others show tails. Fewer lanes need fewer random words.
    #[inline]
    pub(super) fn toss_in(&self, lanes: u64, rng: &mut impl Rng) -> u64 {
        if self.certain {
            return lanes;
        }
        let mut heads = 0;
        let mut undecided = lanes;
        let mut digits = self.digits;
        // Once the remaining digits are all 0, no fraction can fall below them: what is undecided shows tails.
        while undecided != 0 && digits != 0 {
            let word = rng.next_u64();
            if digits >> 63 == 1 {
                heads |= undecided & !word;
                undecided &= word;
            } else {
                undecided &= !word;
            }
            digits <<= 1;
        }
        heads
    }

    /// Calls `visit` with every position below `count` whose toss shows heads, ascending.
    pub(super) fn heads_below(&self, count: usize, rng: &mut impl Rng, mut visit: impl FnMut(usize)) {
        for start in (0..count).step_by(64) {
            let mut bits = self.toss_64(rng);
            if count - start < 64 {
                bits &= (1 << (count - start)) - 1;
            }
            while bits != 0 {
                visit(start + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use crate::simulations::judging::plausible;

    #[test]
    fn every_lane_shows_heads_with_the_probability_of_the_coin() {
        const CALLS: usize = 4000;
        let probabilities = [1e-3, 0.1, 1.0 / 3.0, 0.5, 0.75, 0.999];
        let level = 1e-3 / (64 * probabilities.len()) as f64;
        for probability in probabilities {
            let coin = Coin::new(probability);
            let mut rng = Seed::root(0).stream(format!("coin {probability}")).rng();
            let mut heads = [0; 64];
            for _ in 0..CALLS {
                coin.heads_below(64, &mut rng, |lane| heads[lane] += 1);
            }
            for (lane, &count) in heads.iter().enumerate() {
                assert!(
                    plausible(count, CALLS, probability, level),
                    "{probability} lane {lane}: {count}"
                );
            }
        }
    }

    #[test]
    fn neighbouring_lanes_and_calls_are_uncorrelated() {
        const CALLS: usize = 20_000;
        let coin = Coin::new(0.3);
        let mut rng = Seed::root(0).stream("pairs").rng();
        let (mut lanes, mut calls) = (0, 0);
        let mut previous = 0;
        for _ in 0..CALLS {
            let bits = coin.toss_64(&mut rng);
            lanes += usize::from(bits & 3 == 3);
            calls += usize::from(bits & previous & 1 == 1);
            previous = bits;
        }
        assert!(plausible(lanes, CALLS, 0.09, 5e-4), "{lanes}");
        // Pairs of successive calls share tosses, which widens the variance by less than the factor 1 + 2·0.3/1.3 < 1.5;
        // every second pair alone would be binomial, so the level of a test on half the trials is the honest one.
        assert!(plausible(calls / 2, CALLS / 2, 0.09, 5e-4), "{calls}");
    }

    #[test]
    fn a_certain_coin_needs_no_luck_and_positions_stay_below_the_count() {
        let mut rng = Seed::root(0).rng();
        for count in [0, 1, 63, 64, 65, 200] {
            let mut seen = Vec::new();
            Coin::new(1.0).heads_below(count, &mut rng, |i| seen.push(i));
            assert_eq!(seen, (0..count).collect::<Vec<_>>());
            Coin::new(0.0).heads_below(count, &mut rng, |i| panic!("{i} shows heads"));
        }
    }
}
