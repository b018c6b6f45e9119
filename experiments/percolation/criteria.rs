//! Masks of really pruned networks: paths, dead units and disjoint paths, beside random masks of the same counts a layer.

use super::COLUMNS;
use crate::experiments::comparison::Trial;
use crate::experiments::pruned_masks::{PrunedMask, pruned_network};
use crate::experiments::rows::row_of;
use crate::experiments::tickets::plan;
use ticketsense::harness::{Cell, Context, Scale};
use ticketsense::networks::Network;
use ticketsense::pruning::controls::random_mask;
use ticketsense::pruning::{Criterion, MaskMaker, MaskRequest, UnitKind};
use ticketsense::simulations::percolation::{connectivity, disjoint_paths, layer_masks};
use ticketsense::table::{Row, Value};
use ticketsense::{Mask, Result};

/// Densities at which the criteria choose.
pub(super) const DENSITIES: [f64; 3] = [0.2, 0.06, 0.02];

pub(super) fn cells(scale: Scale) -> Vec<Cell> {
    (0..scale.pick(1usize, 20, 40))
        .map(|seed| Cell::new().problem("part", "criteria").problem("seed", seed))
        .collect()
}

/// Who chooses.
pub(super) fn makers() -> Vec<MaskMaker> {
    let scores = Criterion::ALL.into_iter().filter(|c| *c != Criterion::Random);
    scores
        .map(MaskMaker::Scores)
        .chain([MaskMaker::Units(UnitKind::Neuron)])
        .collect()
}

/// Live paths and dead units of a really pruned network, round by round, beside its random twins.
pub(super) fn pruned_rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let seed = cell.integer("seed")?;
    let pruned = pruned_network(context, seed, &context.seed(cell))?;
    let row = |of: &PrunedMask| row_of(COLUMNS, &connected(&pruned.network, &of.mask, "pruned", of.kind, seed)?);
    pruned.masks.iter().map(row).collect()
}

fn connected(
    network: &Network,
    mask: &Mask,
    part: &str,
    kind: &str,
    seed: usize,
) -> Result<Vec<(&'static str, Value)>> {
    let hidden: usize = network.dense_layers().map(|layer| layer.outputs).sum::<usize>() - network.classes();
    let found = connectivity(&layer_masks(network, mask)?)?;
    Ok(vec![
        ("part", part.into()),
        ("mask", kind.into()),
        ("seed", seed.into()),
        ("density", found.density().into()),
        ("effective_density", found.effective_density().into()),
        ("hidden_units", hidden.into()),
        ("dead_units", found.dead_hidden_units().into()),
        ("log_paths", found.log_paths.into()),
    ])
}

/// The masks that every criterion chooses on one trained network, each beside a random mask of its counts a layer.
///
/// A criterion scores the trained weights, as after training; the movement ones compare them with the initial ones.
pub(super) fn rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let number = cell.integer("seed")?;
    let trial = Trial::dense(context, &plan(context.scale()), number)?;
    let trained = trial.round(0)?.outcome.theta.clone();
    let (network, layers) = (&trial.network, trial.layers());
    let full = network.layout().full_mask();
    let seed = context.seed(cell);
    let mut rows = Vec::new();
    for density in DENSITIES {
        for maker in makers() {
            context.check()?;
            let stream = seed.stream(maker.as_str()).stream(density.to_string());
            let request = MaskRequest {
                density: Some(density),
                ..MaskRequest::new(maker)
            };
            let made = request.make(&trial.criterion_input(&trained, &full, stream.stream("scores")))?;
            let mask = made.require()?;
            let twin = random_mask(
                network.layout().len(),
                &layers,
                &trial.counts(mask),
                &stream.stream("twin"),
            )?;
            for (mask, kind) in [(mask, maker.as_str()), (&twin, "random")] {
                let masks = layer_masks(network, mask)?;
                let (found, paths) = (connectivity(&masks)?, disjoint_paths(&masks)?);
                let reached = found.from_inputs[1..]
                    .iter()
                    .flatten()
                    .filter(|reached| **reached)
                    .count();
                let mut values = connected(network, mask, "criteria", kind, number)?;
                values.extend([
                    ("beside", maker.as_str().into()),
                    ("reached_units", reached.into()),
                    ("unit_paths", paths.by_units.into()),
                    ("weight_paths", paths.by_weights.into()),
                ]);
                rows.push(row_of(COLUMNS, &values)?);
            }
        }
    }
    Ok(rows)
}
