//! The table as crossed designs, a block each, and as accuracies by batch size.

use super::{BATCH, CROSSED, LEVELS};
use std::collections::BTreeMap;
use ticketsense::statistics::{BootstrapKind, Interval, bootstrap_units, crossed_components};
use ticketsense::table::Table;
use ticketsense::{Error, Result, Seed};

/// The terms in the order of [`crossed_components`]: mask, values and order are factors 0, 1 and 2.
pub const TERMS: [&str; 7] = [
    "mask",
    "values",
    "mask × values",
    "order",
    "mask × order",
    "values × order",
    "all three",
];
/// The place of mask × values among them.
pub const MASK_VALUES: usize = 2;

const COMBINATIONS: usize = LEVELS * LEVELS * LEVELS;

/// The designs of one density, a block each.
#[derive(Clone, Debug)]
pub struct Designs {
    /// Nominal density.
    pub density: f64,
    /// Accuracies of each block, the order fastest and the mask slowest.
    pub blocks: Vec<Vec<f64>>,
    components: Vec<Vec<f64>>,
}

impl Designs {
    /// The designs of a table, the densest first.
    ///
    /// # Errors
    /// When a combination of a block is missing or there twice.
    pub fn read(table: &Table) -> Result<Vec<Designs>> {
        let mut densities: BTreeMap<u64, BTreeMap<i64, BTreeMap<usize, f64>>> = BTreeMap::new();
        for record in table.iter() {
            if record.text("part")? != CROSSED {
                continue;
            }
            let level = |factor: &str| -> Result<usize> { Ok(record.integer(factor)? as usize) };
            let place = (level("mask")? * LEVELS + level("values")?) * LEVELS + level("order")?;
            let of_density = densities.entry(record.real("density")?.to_bits()).or_default();
            let block = of_density.entry(record.integer("block")?).or_default();
            if place >= COMBINATIONS || block.insert(place, record.real("test_accuracy")?).is_some() {
                return Err(Error::shape(
                    "rows of a combination of a block",
                    "one of known levels",
                    place,
                ));
            }
        }
        let design = |(bits, blocks): (&u64, &BTreeMap<i64, BTreeMap<usize, f64>>)| -> Result<Designs> {
            let complete = |block: &BTreeMap<usize, f64>| match block.len() {
                COMBINATIONS => Ok(block.values().copied().collect::<Vec<f64>>()),
                other => Err(Error::shape("combinations of a block", COMBINATIONS, other)),
            };
            let blocks = blocks.values().map(complete).collect::<Result<Vec<_>>>()?;
            let variances = |values: &Vec<f64>| -> Result<Vec<f64>> {
                let found = crossed_components(&[LEVELS; 3], values)?;
                Ok(found.iter().map(|component| component.variance).collect())
            };
            Ok(Designs {
                density: f64::from_bits(*bits),
                components: blocks.iter().map(variances).collect::<Result<_>>()?,
                blocks,
            })
        };
        densities.iter().rev().map(design).collect()
    }

    /// The share of a term in the variance: the sum of its estimates over blocks, over that of all terms.
    pub fn share(&self, term: usize, blocks: &[usize]) -> f64 {
        let sum = |of: &dyn Fn(&[f64]) -> f64| blocks.iter().map(|&b| of(&self.components[b])).sum::<f64>();
        sum(&|block| block[term]) / sum(&|block| block.iter().sum())
    }

    /// The share of a term with its bootstrap interval over blocks.
    ///
    /// # Errors
    /// As [`bootstrap_units`].
    pub fn share_interval(&self, term: usize, level: f64) -> Result<(f64, Interval)> {
        let seed = Seed::root(0).stream("variance-shares").stream(TERMS[term]);
        let kind = BootstrapKind::BiasCorrectedAccelerated;
        let count = self.blocks.len();
        let interval = bootstrap_units(count, |blocks| self.share(term, blocks), kind, level, 4000, &seed)?;
        let all: Vec<usize> = (0..count).collect();
        Ok((self.share(term, &all), interval))
    }

    /// The standard deviation of accuracy over all combinations, blocks pooled.
    pub fn deviation(&self) -> f64 {
        let total: f64 = self.components.iter().flatten().sum();
        (total / self.blocks.len() as f64).max(0.0).sqrt()
    }

    /// Block by block, the accuracy of combinations whose two factors are of one network minus that of the others.
    pub fn matched_minus_mixed(&self, first: usize, second: usize) -> Vec<f64> {
        let level =
            |place: usize, factor: usize| [place / (LEVELS * LEVELS), place / LEVELS % LEVELS, place % LEVELS][factor];
        let mean = |block: &[f64], same: bool| {
            let of: Vec<f64> = (0..COMBINATIONS)
                .filter(|&place| (level(place, first) == level(place, second)) == same)
                .map(|place| block[place])
                .collect();
            of.iter().sum::<f64>() / of.len() as f64
        };
        self.blocks
            .iter()
            .map(|block| mean(block, true) - mean(block, false))
            .collect()
    }

    /// The part of the squares of mask × values that is the one contrast of matched with mixed, blocks pooled. Chance would
    /// give it one of `(LEVELS − 1)²` degrees of freedom.
    ///
    /// # Errors
    /// As [`crossed_components`].
    pub fn matched_part(&self) -> Result<f64> {
        let n = LEVELS as f64;
        let (mut matched, mut all) = (0.0, 0.0);
        for (block, difference) in self.blocks.iter().zip(self.matched_minus_mixed(0, 1)) {
            let interaction = &crossed_components(&[LEVELS; 3], block)?[MASK_VALUES];
            all += interaction.mean_square * interaction.degrees as f64;
            // Σ c y = (n − 1) d for the centred diagonal c = 1[i = j] − 1/n, whose squares sum to n − 1, and every pair is
            // seen under n orders.
            matched += n * (n - 1.0) * difference * difference;
        }
        Ok(matched / all)
    }
}

/// Accuracies by arm density and batch, seed by seed.
pub fn by_batch(table: &Table) -> Result<Vec<(f64, Vec<(usize, Vec<f64>)>)>> {
    let mut found: BTreeMap<u64, BTreeMap<usize, BTreeMap<i64, f64>>> = BTreeMap::new();
    for record in table.iter() {
        if record.text("part")? == BATCH {
            let of_density = found.entry(record.real("density")?.to_bits()).or_default();
            let of_batch = of_density.entry(record.integer("batch")? as usize).or_default();
            of_batch.insert(record.integer("seed")?, record.real("test_accuracy")?);
        }
    }
    let values = |of_batch: BTreeMap<usize, BTreeMap<i64, f64>>| {
        let all = of_batch.into_iter();
        all.map(|(batch, seeds)| (batch, seeds.into_values().collect()))
            .collect()
    };
    Ok(found
        .into_iter()
        .rev()
        .map(|(bits, of)| (f64::from_bits(bits), values(of)))
        .collect())
}
