//! The masks of really pruned networks, beside random masks of the same count in every layer, for the experiments on
//! percolation and on signal propagation.

use super::tickets::{imp_run, plan, samples};
use ticketsense::harness::Context;
use ticketsense::networks::Network;
use ticketsense::pruning::controls::random_mask;
use ticketsense::statistics::Summary;
use ticketsense::table::{Record, Table};
use ticketsense::{Mask, Result, Seed};

/// Who chose a mask.
pub(super) const KINDS: [&str; 2] = ["ticket", "random"];

/// One mask of one round of one run.
pub(super) struct PrunedMask {
    /// `ticket` (iterative magnitude pruning) or `random` (uniform at the ticket's counts).
    pub kind: &'static str,
    /// Kept entries of the flat parameter vector; biases are always kept.
    pub mask: Mask,
}

/// A run of iterative pruning with its random twins.
pub(super) struct PrunedNetwork {
    /// The network.
    pub network: Network,
    /// Its initial parameters.
    pub initial: Vec<f64>,
    /// Both kinds of masks, round by round.
    pub masks: Vec<PrunedMask>,
}

/// The masks of the `number`-th run of [`plan`], stored once for all experiments; random ones come from `seed`.
///
/// # Errors
/// As [`imp_run`].
pub(super) fn pruned_network(context: &Context<'_>, number: usize, seed: &Seed) -> Result<PrunedNetwork> {
    let plan = plan(context.scale());
    let run = imp_run(context, &plan, number)?;
    let network = plan.build_network(&samples(context)?.view())?;
    let ranges: Vec<_> = network.layout().weight_ranges();
    let mut masks = Vec::new();
    for round in run.rounds {
        let counts: Vec<usize> = ranges.iter().map(|range| round.mask.kept_in(range.clone())).collect();
        let twin = random_mask(
            network.layout().len(),
            &ranges,
            &counts,
            &seed.replicate(round.round as u64),
        )?;
        masks.push(PrunedMask {
            kind: KINDS[0],
            mask: round.mask,
        });
        masks.push(PrunedMask {
            kind: KINDS[1],
            mask: twin,
        });
    }
    Ok(PrunedNetwork {
        network,
        initial: run.initial.iter().map(|&v| f64::from(v)).collect(),
        masks,
    })
}

/// A value of the rows on pruned networks against their density: (density, mean over networks, 95 % Student interval) of
/// the masks of one kind. Rows for which `value` is none are left out, and so are densities of a single network.
pub(super) fn by_density(
    table: &Table,
    kind: &str,
    value: impl Fn(&Record<'_>) -> Result<Option<f64>>,
) -> Result<Vec<(f64, f64, f64, f64)>> {
    let mut groups: Vec<(f64, Vec<f64>)> = Vec::new();
    for record in table.iter() {
        if record.text("part")? != "pruned" || record.text("mask")? != kind {
            continue;
        }
        let Some(found) = value(&record)? else {
            continue;
        };
        let density = record.real("density")?;
        match groups.iter_mut().find(|(d, _)| *d == density) {
            Some((_, values)) => values.push(found),
            None => groups.push((density, vec![found])),
        }
    }
    let mut points = Vec::with_capacity(groups.len());
    for (density, values) in groups.into_iter().filter(|(_, values)| values.len() > 1) {
        let summary = Summary::of(&values)?;
        let interval = summary.interval(0.05)?;
        points.push((density, summary.mean, interval.lower, interval.upper));
    }
    Ok(points)
}
