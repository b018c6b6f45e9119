//! Subsets and sign patterns, in a fixed order.

use crate::error::{Error, Result};

/// The number of subsets of `k` of `n`, if it is a `u64`.
pub(super) fn choose(n: usize, k: usize) -> Option<u64> {
    if k > n {
        return Some(0);
    }
    let k = k.min(n - k);
    let mut count = 1u128;
    for i in 0..k {
        count = count.checked_mul((n - i) as u128)? / (i as u128 + 1);
    }
    u64::try_from(count).ok()
}

/// Refuses an order that no support has.
pub(super) fn check_order(nonzeros: usize, columns: usize) -> Result<()> {
    if (1..=columns).contains(&nonzeros) {
        return Ok(());
    }
    Err(Error::argument(
        "nonzeros",
        format!("an integer in 1..={columns}"),
        nonzeros,
    ))
}

/// Refuses an enumeration that is larger than its limit, or than any machine counts.
pub(super) fn check_count(what: &str, count: Option<u64>, limit: u64) -> Result<u64> {
    match count {
        Some(count) if count <= limit => Ok(count),
        Some(count) => Err(Error::argument(what, format!("at most {limit} to enumerate"), count)),
        None => Err(Error::argument(
            what,
            format!("at most {limit} to enumerate"),
            "more than 2^64",
        )),
    }
}

/// Calls `visit` with every subset of `k` of `0..n`, in lexicographic order, until it fails.
pub(super) fn for_each_subset(n: usize, k: usize, mut visit: impl FnMut(&[usize]) -> Result<()>) -> Result<()> {
    if k > n {
        return Ok(());
    }
    let mut subset: Vec<usize> = (0..k).collect();
    loop {
        visit(&subset)?;
        let Some(i) = (0..k).rev().find(|&i| subset[i] < n - k + i) else {
            return Ok(());
        };
        subset[i] += 1;
        for next in i + 1..k {
            subset[next] = subset[next - 1] + 1;
        }
    }
}

/// The `2^(k−1)` sign patterns of length `k` that begin with +1: one of each pair of opposites.
pub(super) fn sign_patterns(k: usize) -> impl Iterator<Item = Vec<f64>> {
    let patterns = 1u64 << (k - 1);
    (0..patterns).map(move |bits| {
        let sign = |i: usize| if i > 0 && bits >> (i - 1) & 1 == 1 { -1.0 } else { 1.0 };
        (0..k).map(sign).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subset_is_visited_once_in_order_and_as_many_as_the_binomial_coefficient_says() {
        for n in 0..9 {
            for k in 0..=n {
                let mut seen: Vec<Vec<usize>> = Vec::new();
                for_each_subset(n, k, |s| {
                    seen.push(s.to_vec());
                    Ok(())
                })
                .unwrap();
                assert_eq!(seen.len() as u64, choose(n, k).unwrap());
                assert!(seen.windows(2).all(|w| w[0] < w[1]));
                assert!(
                    seen.iter()
                        .all(|s| s.windows(2).all(|w| w[0] < w[1]) && s.iter().all(|&i| i < n))
                );
            }
        }
        assert_eq!(choose(3, 4), Some(0));
        assert_eq!(choose(200, 100), None);
    }

    #[test]
    fn sign_patterns_are_one_of_each_pair_of_opposites() {
        let all: Vec<Vec<f64>> = sign_patterns(3).collect();
        assert_eq!(all.len(), 4);
        for (i, one) in all.iter().enumerate() {
            for other in &all[i + 1..] {
                assert!(one != other && one.iter().zip(other).any(|(a, b)| *a != -b));
            }
        }
    }
}
