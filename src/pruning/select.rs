//! From scores to masks: exactly as many survivors as asked for, ties by index.

use super::threshold::Bar;
use crate::error::{Error, Result};
use crate::support::Mask;
use crate::theory::imp_density::pruned_in_round;
use std::ops::Range;

/// Over which weights the scores compete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Each layer loses its own share.
    Layerwise,
    /// All layers together lose one share; layers with a rate of their own form a scope of their own.
    Global,
}

impl Scope {
    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Layerwise => "layerwise",
            Scope::Global => "global",
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "layerwise" => Ok(Scope::Layerwise),
            "global" => Ok(Scope::Global),
            _ => Err(Error::unknown("scope", word, ["layerwise", "global"])),
        }
    }
}

/// A layer's prunable weights in the flat parameter vector, and the fraction of its remaining weights that goes.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerRate {
    /// The weights of the layer.
    pub range: Range<usize>,
    /// Fraction of the *remaining* weights pruned, in `[0, 1)`.
    pub prune_fraction: f64,
}

/// How many survive when a fraction of `kept` goes: `kept − round(α · kept)`, halves up.
///
/// ```
/// use ticketsense::pruning::survivors;
/// assert_eq!(survivors(5, 0.5)?, 2); // 2.5 is rounded to 3 pruned
/// assert_eq!(survivors(2, 0.2)?, 2);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for a fraction outside `[0, 1]`.
pub fn survivors(kept: usize, prune_fraction: f64) -> Result<usize> {
    Ok(kept - pruned_in_round(prune_fraction, kept)?)
}

/// Prunes the kept weights of smallest score.
///
/// Of the `k` kept weights of a scope exactly `k − round(α k)` survive, those of largest score; equal scores are
/// decided for the lower index. A pruned weight never returns, and coordinates outside every layer are not touched.
///
/// # Errors
/// [`Error::Argument`] when a fraction is outside `[0, 1)`, [`Error::Shape`] when the lengths differ,
/// [`Error::NotFinite`] when a kept weight has a score that is not a number.
///
/// Cost: linear in the number of weights.
pub fn prune_lowest(mask: &Mask, scores: &[f64], layers: &[LayerRate], scope: Scope) -> Result<Mask> {
    check_layers(mask, layers)?;
    check_scores(mask, scores, layers)?;
    for layer in layers {
        if !(0.0..1.0).contains(&layer.prune_fraction) {
            return Err(Error::argument(
                "prune fraction",
                "a number in [0, 1)",
                layer.prune_fraction,
            ));
        }
    }
    let mut next = mask.clone();
    for group in groups(layers, scope) {
        let kept: Vec<usize> = group
            .iter()
            .flat_map(|&l| layers[l].range.clone())
            .filter(|&i| mask.keeps(i))
            .collect();
        let keep = survivors(kept.len(), layers[group[0]].prune_fraction)?;
        retain(&mut next, kept, keep, scores);
    }
    Ok(next)
}

/// Keeps exactly `counts[l]` weights of layer `l`, those of largest score among the kept ones of `mask`, ties by index.
///
/// # Errors
/// [`Error::Argument`] when a layer has fewer candidates than asked for; otherwise as [`prune_lowest`].
pub fn keep_highest(mask: &Mask, scores: &[f64], layers: &[Range<usize>], counts: &[usize]) -> Result<Mask> {
    if layers.len() != counts.len() {
        return Err(Error::shape("counts a layer", layers.len(), counts.len()));
    }
    let rates = unpruned(layers);
    check_layers(mask, &rates)?;
    check_scores(mask, scores, &rates)?;
    let mut next = mask.clone();
    for (range, &count) in layers.iter().zip(counts) {
        let kept: Vec<usize> = range.clone().filter(|&i| mask.keeps(i)).collect();
        if count > kept.len() {
            return Err(Error::argument(
                "count of a layer",
                format!("at most {} candidates", kept.len()),
                count,
            ));
        }
        retain(&mut next, kept, count, scores);
    }
    Ok(next)
}

/// Keeps exactly `count` weights of all layers together, those of largest score among the kept ones of `mask`, ties by index.
///
/// # Errors
/// [`Error::Argument`] when there are fewer candidates than asked for; otherwise as [`prune_lowest`].
///
/// Cost: linear in the number of weights.
pub fn keep_highest_together(mask: &Mask, scores: &[f64], layers: &[Range<usize>], count: usize) -> Result<Mask> {
    let rates = unpruned(layers);
    check_layers(mask, &rates)?;
    check_scores(mask, scores, &rates)?;
    let kept: Vec<usize> = layers.iter().cloned().flatten().filter(|&i| mask.keeps(i)).collect();
    if count > kept.len() {
        let expected = format!("at most {} candidates", kept.len());
        return Err(Error::argument("count of all layers", expected, count));
    }
    let mut next = mask.clone();
    retain(&mut next, kept, count, scores);
    Ok(next)
}

fn unpruned(layers: &[Range<usize>]) -> Vec<LayerRate> {
    let rate = |range: &Range<usize>| LayerRate {
        range: range.clone(),
        prune_fraction: 0.0,
    };
    layers.iter().map(rate).collect()
}

/// Of `kept`, leaves the `keep` of largest score in the mask, ties by index.
fn retain(mask: &mut Mask, kept: Vec<usize>, keep: usize, scores: &[f64]) {
    if keep >= kept.len() {
        return;
    }
    let ranked: Vec<f64> = kept.iter().map(|&i| scores[i]).collect();
    let mut bar = Bar::of(&ranked, keep);
    for (i, score) in kept.into_iter().zip(ranked) {
        mask.set(i, bar.admits(score));
    }
}

/// Layers that compete with each other: one by one, or all that share a rate.
fn groups(layers: &[LayerRate], scope: Scope) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for l in 0..layers.len() {
        let mate = groups.iter_mut().find(|g| {
            scope == Scope::Global && layers[g[0]].prune_fraction.to_bits() == layers[l].prune_fraction.to_bits()
        });
        match mate {
            Some(group) => group.push(l),
            None => groups.push(vec![l]),
        }
    }
    groups
}

fn check_layers(mask: &Mask, layers: &[LayerRate]) -> Result<()> {
    let mut end = 0;
    for layer in layers {
        if layer.range.start < end || layer.range.end > mask.dimension() {
            return Err(Error::shape(
                "layers of a mask",
                format!("disjoint ascending ranges below {}", mask.dimension()),
                format!("{:?}", layer.range),
            ));
        }
        end = layer.range.end;
    }
    Ok(())
}

fn check_scores(mask: &Mask, scores: &[f64], layers: &[LayerRate]) -> Result<()> {
    if scores.len() != mask.dimension() {
        return Err(Error::shape("scores", mask.dimension(), scores.len()));
    }
    let bad = layers
        .iter()
        .flat_map(|l| l.range.clone())
        .find(|&i| mask.keeps(i) && !scores[i].is_finite());
    match bad {
        None => Ok(()),
        Some(index) => Err(Error::NotFinite {
            what: "scores".into(),
            index,
            value: scores[index],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::largest_by;
    use proptest::prelude::*;

    fn layers(fractions: &[(usize, f64)]) -> Vec<LayerRate> {
        let mut start = 0;
        fractions
            .iter()
            .map(|&(length, prune_fraction)| {
                let range = start..start + length;
                start += length;
                LayerRate { range, prune_fraction }
            })
            .collect()
    }

    #[test]
    fn exactly_the_asked_number_survives_even_when_every_score_is_equal() {
        let mask = prune_lowest(&Mask::full(10), &[1.0; 10], &layers(&[(10, 0.3)]), Scope::Layerwise).unwrap();
        assert_eq!(mask.support().indices(), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn global_and_layerwise_scopes_choose_differently_and_layers_of_another_rate_stand_apart() {
        let scores: Vec<f64> = (0..12).map(f64::from).collect();
        let rates = layers(&[(4, 0.5), (4, 0.5), (4, 0.25)]);
        let layerwise = prune_lowest(&Mask::full(12), &scores, &rates, Scope::Layerwise).unwrap();
        assert_eq!(layerwise.support().indices(), [2, 3, 6, 7, 9, 10, 11]);
        let global = prune_lowest(&Mask::full(12), &scores, &rates, Scope::Global).unwrap();
        assert_eq!(global.support().indices(), [4, 5, 6, 7, 9, 10, 11]);
    }

    #[test]
    fn a_score_that_is_not_a_number_is_refused_only_where_it_matters() {
        let mut scores = vec![1.0; 4];
        scores[2] = f64::NAN;
        let rates = layers(&[(4, 0.5)]);
        assert!(prune_lowest(&Mask::full(4), &scores, &rates, Scope::Global).is_err());
        let without = Mask::from_bits(vec![true, true, false, true]);
        assert!(prune_lowest(&without, &scores, &rates, Scope::Global).is_ok());
    }

    #[test]
    fn fractions_outside_the_half_open_unit_interval_and_overlapping_layers_are_refused() {
        for fraction in [-0.1, 1.0, f64::NAN] {
            assert!(prune_lowest(&Mask::full(4), &[1.0; 4], &layers(&[(4, fraction)]), Scope::Global).is_err());
        }
        let overlapping = [
            LayerRate {
                range: 0..3,
                prune_fraction: 0.1,
            },
            LayerRate {
                range: 2..4,
                prune_fraction: 0.1,
            },
        ];
        assert!(prune_lowest(&Mask::full(4), &[1.0; 4], &overlapping, Scope::Global).is_err());
        assert!(keep_highest(&Mask::full(4), &[1.0; 4], &[0..2, 2..4], &[1, 3]).is_err());
    }

    proptest! {
        #[test]
        fn repeated_rounds_follow_the_integer_recursion_and_never_bring_a_weight_back(
            length in 1usize..300, fraction in 0.01f64..0.6, rounds in 1usize..8, salt in any::<u64>(),
        ) {
            let scores: Vec<f64> = (0..length).map(|i| ((i as u64).wrapping_mul(salt | 1) % 97) as f64).collect();
            let rates = layers(&[(length, fraction)]);
            let (mut mask, mut expected) = (Mask::full(length), length);
            for _ in 0..rounds {
                let next = prune_lowest(&mask, &scores, &rates, Scope::Layerwise).unwrap();
                expected -= ((fraction * expected as f64 + 0.5).floor() as usize).min(expected);
                prop_assert_eq!(next.kept(), expected);
                prop_assert_eq!(next.and(&mask).unwrap().kept(), expected);
                let smallest_kept = next.support().indices().iter().map(|&i| scores[i]).fold(f64::MAX, f64::min);
                let pruned = mask.support().indices().iter().filter(|&&i| !next.keeps(i)).map(|&i| scores[i]).fold(f64::MIN, f64::max);
                prop_assert!(pruned <= smallest_kept || next.kept() == 0);
                mask = next;
            }
        }

        #[test]
        fn keeping_the_highest_keeps_exactly_the_counts(a in 0usize..20, b in 0usize..20, salt in any::<u64>()) {
            let scores: Vec<f64> = (0..40).map(|i| ((i as u64).wrapping_mul(salt | 1) % 13) as f64).collect();
            let mask = keep_highest(&Mask::full(40), &scores, &[0..20, 20..40], &[a, b]).unwrap();
            prop_assert_eq!(mask.kept_in(0..20), a);
            prop_assert_eq!(mask.kept_in(20..40), b);
            let together = keep_highest_together(&Mask::full(40), &scores, &[0..20, 20..40], a + b).unwrap();
            let expected = largest_by(a + b, 0..40, |i| scores[i]);
            let support = together.support();
            prop_assert_eq!(support.indices(), &expected[..]);
        }
    }
}
