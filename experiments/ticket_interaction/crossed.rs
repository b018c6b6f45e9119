//! The table as crossed designs, a block each, and as accuracies by batch size.

use super::{BATCH, CROSSED, LEVELS};
use std::collections::BTreeMap;
use ticketsense::statistics::{BootstrapKind, Interval, bootstrap_units, crossed_components};
use ticketsense::table::Table;
use ticketsense::{Error, Result, Seed};

/// The parts of the variance. What a mask gains from its own values is no random interaction: every mask meets them once in
/// its block.
pub const PARTS: [&str; 8] = [
    "mask",
    "values",
    "mask × its own values",
    "mask × values, the rest",
    "order",
    "mask × order",
    "values × order",
    "all three",
];
/// The places of the interaction of mask and values among them.
pub const MASK_VALUES: [usize; 2] = [2, 3];

/// Pairs of factors, the places of their interaction and of themselves in the order of [`crossed_components`].
const PAIRS: [((usize, usize), usize, [usize; 2]); 3] = [((0, 1), 2, [0, 1]), ((0, 2), 4, [0, 3]), ((1, 2), 5, [1, 3])];

const COMBINATIONS: usize = LEVELS * LEVELS * LEVELS;

/// The designs of one density, a block each.
#[derive(Clone, Debug)]
pub struct Designs {
    /// Nominal density.
    pub density: f64,
    /// Accuracies of each block, the order fastest and the mask slowest.
    pub blocks: Vec<Vec<f64>>,
    components: Vec<Vec<f64>>,
    /// For each pair of factors and block what combinations of one network gain.
    gains: Vec<Vec<f64>>,
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
                gains: PAIRS
                    .map(|((first, second), _, _)| gains(&blocks, first, second))
                    .to_vec(),
                blocks,
            })
        };
        densities.iter().rev().map(design).collect()
    }

    /// The parts of the variance, averaged over some blocks.
    ///
    /// With a mean gain δ of matched pairs, `δ 1[i = j]` is taken off before the components are: it has the variance
    /// `δ²(n − 1)/n²` over the combinations of a block, adds `nδ²/(n − 1)` to the mean square of its interaction, and with
    /// it `δ²/(n − 1)` to the estimate of that and `−δ²/(n(n − 1))` to those of both main effects.
    fn parts(&self, blocks: &[usize]) -> [f64; 8] {
        let (n, count) = (LEVELS as f64, blocks.len() as f64);
        let mean = |of: &dyn Fn(usize) -> f64| blocks.iter().map(|&block| of(block)).sum::<f64>() / count;
        let mut components = [0.0; 7];
        for (term, component) in components.iter_mut().enumerate() {
            *component = mean(&|block| self.components[block][term]);
        }
        let mut own = [0.0; 3];
        for (pair, &(_, interaction, main)) in PAIRS.iter().enumerate() {
            let square = mean(&|block| self.gains[pair][block]).powi(2);
            own[pair] = square * (n - 1.0) / (n * n);
            components[interaction] -= square / (n - 1.0);
            main.iter()
                .for_each(|&term| components[term] += square / (n * (n - 1.0)));
        }
        [
            components[0],
            components[1],
            own[0],
            components[2],
            components[3],
            own[1] + components[4],
            own[2] + components[5],
            components[6],
        ]
    }

    /// The share of some parts in the variance, blocks pooled.
    pub fn share(&self, wanted: &[usize], blocks: &[usize]) -> f64 {
        let parts = self.parts(blocks);
        wanted.iter().map(|&part| parts[part]).sum::<f64>() / parts.iter().sum::<f64>()
    }

    /// The share of some parts with its bootstrap interval over blocks.
    ///
    /// # Errors
    /// As [`bootstrap_units`].
    pub fn share_interval(&self, wanted: &[usize], level: f64) -> Result<(f64, Interval)> {
        let seed = Seed::root(0).stream("variance-shares").stream(format!("{wanted:?}"));
        let kind = BootstrapKind::BiasCorrectedAccelerated;
        let count = self.blocks.len();
        let interval = bootstrap_units(count, |blocks| self.share(wanted, blocks), kind, level, 4000, &seed)?;
        let all: Vec<usize> = (0..count).collect();
        Ok((self.share(wanted, &all), interval))
    }

    /// The standard deviation of accuracy over all combinations, blocks pooled.
    pub fn deviation(&self) -> f64 {
        let all: Vec<usize> = (0..self.blocks.len()).collect();
        self.parts(&all).iter().sum::<f64>().max(0.0).sqrt()
    }

    /// Block by block, the accuracy of combinations whose two factors are of one network minus that of the others: mask
    /// and values, mask and order, values and order.
    pub fn gains(&self, pair: usize) -> &[f64] {
        &self.gains[pair]
    }
}

fn gains(blocks: &[Vec<f64>], first: usize, second: usize) -> Vec<f64> {
    let matched = |place: usize| {
        let levels = [place / (LEVELS * LEVELS), place / LEVELS % LEVELS, place % LEVELS];
        levels[first] == levels[second]
    };
    let mean = |block: &[f64], same: bool| {
        let of: Vec<f64> = (0..COMBINATIONS)
            .filter(|&place| matched(place) == same)
            .map(|place| block[place])
            .collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    blocks
        .iter()
        .map(|block| mean(block, true) - mean(block, false))
        .collect()
}

/// A size of batches with the accuracies of the seeds.
pub type ByBatch = (usize, Vec<f64>);

/// Accuracies by arm density and batch, seed by seed.
pub fn by_batch(table: &Table) -> Result<Vec<(f64, Vec<ByBatch>)>> {
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
