//! How long a signal lasts through random masks: by law, by all masks of a small cell, by simulation.

use super::super::rows::row_of;
use super::{CELLS, COLUMNS, STEPS, TIED};
use ticketsense::harness::{Cell, Context};
use ticketsense::simulations::percolation::lasting;
use ticketsense::simulations::percolation::reach::reach_laws;
use ticketsense::table::Row;
use ticketsense::theory::recurrent_walks::{no_walk, tied_survival};
use ticketsense::{Error, Result};

/// Most units whose masks are enumerated: 2¹⁶ masks.
const ENUMERATED: usize = 4;

/// The rows of one cell, units and mean degree: all steps of the same replicates.
pub fn rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let (name, units) = (cell.text("cell")?, cell.integer("units")?);
    let Some(&(_, reuse)) = CELLS.iter().find(|(word, _)| *word == name) else {
        return Err(Error::unknown("cell", name, CELLS.map(|(word, _)| word)));
    };
    let keep = cell.real("degree")? / units as f64;
    let most = STEPS[STEPS.len() - 1];
    let batches = context.scale().pick(20, 150, 2000);
    let seed = context.seed(cell).stream(name);
    let found = lasting(units, keep, most, reuse, batches, &seed)?;
    let laws = laws(name, units, keep, most)?;
    let enumerated = match units <= ENUMERATED {
        true => Some(enumerated(name, units, keep, most)),
        false => None,
    };
    let row = |&steps: &usize| {
        let mask = units * units;
        row_of(
            COLUMNS,
            &[
                ("part", super::WALKS.into()),
                ("arm", name.into()),
                ("density", keep.into()),
                ("units", units.into()),
                ("steps", steps.into()),
                ("exact", laws[steps].0.into()),
                ("lost", laws[steps].1.into()),
                ("enumerated", enumerated.as_ref().map(|all| all[steps]).into()),
                ("replicates", found.replicates().into()),
                ("lasting", found.counts()[steps].into()),
                ("mask_bits", if name == TIED { mask } else { steps * mask }.into()),
            ],
        )
    };
    STEPS.iter().map(row).collect()
}

/// The probabilities to last 0, 1, … steps, and not to.
fn laws(cell: &str, units: usize, keep: f64, most: usize) -> Result<Vec<(f64, f64)>> {
    if cell == TIED {
        let at = |steps: usize| {
            let (units, steps) = (units as u64, steps as u64);
            Ok((tied_survival(units, keep, steps)?, no_walk(units, keep, steps)?))
        };
        return (0..=most).map(at).collect();
    }
    let chain = reach_laws(&vec![units; most + 1], units, keep)?;
    // The living are summed, so that a small probability keeps its digits.
    Ok(chain.iter().map(|law| (law[1..].iter().sum(), law[0])).collect())
}

/// The same from all masks of `units²` weights, each a word whose bit `from · units + to` keeps a weight.
///
/// One mask for all steps: how many masks of k weights last so long is counted, and weighed by `qᵏ (1 − q)^{n² − k}`. A fresh
/// mask a step: the sets that are reached are a Markov chain, whose transitions are such sums over all masks.
pub fn enumerated(cell: &str, units: usize, keep: f64, most: usize) -> Vec<f64> {
    let edges = units * units;
    let all = (1usize << units) - 1;
    let chance: Vec<f64> = (0..=edges)
        .map(|kept| keep.powi(kept as i32) * (1.0 - keep).powi((edges - kept) as i32))
        .collect();
    let image = |mask: u32, set: usize| {
        let rows = (0..units).filter(|from| set >> from & 1 == 1);
        rows.fold(0, |to, from| to | (mask as usize >> (from * units) & all))
    };
    if cell == TIED {
        let mut counts = vec![vec![0u64; edges + 1]; most + 1];
        for mask in 0u32..1 << edges {
            let (mut set, kept) = (all, mask.count_ones() as usize);
            for of_steps in &mut counts {
                if set == 0 {
                    break;
                }
                of_steps[kept] += 1;
                set = image(mask, set);
            }
        }
        let weighed = |counts: &Vec<u64>| counts.iter().zip(&chance).map(|(&c, p)| c as f64 * p).sum();
        return counts.iter().map(weighed).collect();
    }
    let mut counts = vec![vec![vec![0u64; edges + 1]; all + 1]; all + 1];
    for mask in 0u32..1 << edges {
        for (set, to) in counts.iter_mut().enumerate() {
            to[image(mask, set)][mask.count_ones() as usize] += 1;
        }
    }
    let transition = |counts: &Vec<u64>| counts.iter().zip(&chance).map(|(&c, p)| c as f64 * p).sum::<f64>();
    let transitions: Vec<Vec<f64>> = counts.iter().map(|to| to.iter().map(transition).collect()).collect();
    let mut law = vec![0.0; all + 1];
    law[all] = 1.0;
    let mut alive = vec![1.0];
    for _ in 0..most {
        let mut next = vec![0.0; all + 1];
        for (weight, to) in law.iter().zip(&transitions) {
            next.iter_mut().zip(to).for_each(|(n, p)| *n += weight * p);
        }
        law = next;
        alive.push(law[1..].iter().sum());
    }
    alive
}
