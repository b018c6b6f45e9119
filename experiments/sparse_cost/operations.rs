//! Networks under masks: counted operations and stored bits.

use super::super::rows::row_of;
use super::super::tickets::{imp_run, plan, samples};
use super::forward::Counting;
use super::{COLUMNS, OPERATIONS};
use ticketsense::harness::{Context, Scale};
use ticketsense::networks::{
    Activation, Array, ImageShape, Initialisation, InputShape, Network, NetworkBuilder, Padding, PoolingKind, SlotKind,
    Workspace,
};
use ticketsense::pruning::controls::random_mask;
use ticketsense::pruning::{LayerRate, Scope, kept_weights, prune_lowest};
use ticketsense::table::Row;
use ticketsense::{Error, Mask, Result, Seed};

/// The multilayer perceptron of the experiments on tickets, and a small convolutional network.
pub const NETWORKS: [&str; 2] = [PERCEPTRON, CONVOLUTIONAL];
const PERCEPTRON: &str = "perceptron";
const CONVOLUTIONAL: &str = "convolutional";

/// Densities of the masks that nobody trained.
fn densities(scale: Scale) -> &'static [f64] {
    scale.pick(
        &[1.0, 0.3, 0.1],
        &[1.0, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01],
        &[1.0, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005],
    )
}

/// The rows of one network.
///
/// # Errors
/// As those of networks and of iterative pruning.
pub fn rows(network: &str, number: usize, seed: &Seed, context: &Context<'_>) -> Result<Vec<Row>> {
    let data = samples(context)?;
    let view = data.view();
    let sample = view.test.inputs.row(0);
    match network {
        PERCEPTRON => {
            let plan = plan(context.scale());
            let run = imp_run(context, &plan, number)?;
            let built = plan.build_network(&view)?;
            let case = Case {
                name: network,
                number,
                network: &built,
                sample,
            };
            let rounds = run.rounds.iter();
            rounds
                .map(|round| case.row("ticket", &round.mask, &round.outcome.theta))
                .collect()
        }
        CONVOLUTIONAL => {
            let built = convolutional(sample.len(), view.classes)?;
            let theta: Vec<f32> = built.initial(&seed.stream("initial"), &Initialisation::HE)?;
            let case = Case {
                name: network,
                number,
                network: &built,
                sample,
            };
            let mut rows = Vec::new();
            for &density in densities(context.scale()) {
                context.check()?;
                rows.push(case.row("magnitude", &largest(&built, &theta, density)?, &theta)?);
                rows.push(case.row("random", &random(&built, density, seed)?, &theta)?);
            }
            Ok(rows)
        }
        other => Err(Error::unknown("network", other, NETWORKS)),
    }
}

/// Three convolutions of growing width, a maximum over 2×2 behind each, and a dense layer.
fn convolutional(features: usize, classes: usize) -> Result<Network> {
    let image: ImageShape = InputShape::from(features).image()?;
    let mut builder = NetworkBuilder::new("convolutional", image)?;
    for channels in [8, 16, 32] {
        builder = builder
            .convolution(channels, 3, 1, Padding::Zero(1))?
            .activation(Activation::Relu)
            .pool(PoolingKind::Largest, 2, 2)?;
    }
    builder.dense(classes)?.build()
}

/// The mask of the largest values over all layers together.
fn largest(network: &Network, theta: &[f32], density: f64) -> Result<Mask> {
    let scores: Vec<f64> = theta.iter().map(|v| f64::from(v.abs())).collect();
    let rates: Vec<LayerRate> = network
        .layout()
        .weight_slots()
        .map(|slot| LayerRate {
            range: slot.range.clone(),
            prune_fraction: 1.0 - density,
        })
        .collect();
    prune_lowest(&network.layout().full_mask(), &scores, &rates, Scope::Global)
}

/// A random mask of one density in every layer.
fn random(network: &Network, density: f64, seed: &Seed) -> Result<Mask> {
    let layers: Vec<_> = network.layout().weight_ranges();
    let counts: Vec<usize> = layers
        .iter()
        .map(|range| (density * range.len() as f64).round() as usize)
        .collect();
    random_mask(network.layout().len(), &layers, &counts, &seed.stream("random"))
}

struct Case<'a> {
    name: &'a str,
    number: usize,
    network: &'a Network,
    sample: &'a [f32],
}

impl Case<'_> {
    fn row(&self, mask_of: &str, mask: &Mask, theta: &[f32]) -> Result<Row> {
        let (network, layout) = (self.network, self.network.layout());
        let mut theta = theta.to_vec();
        mask.apply(&mut theta)?;
        let counting = Counting::new(network, &theta, mask);
        let (outputs, count) = counting.forward(self.sample)?;
        let exact: Vec<f64> = theta.iter().map(|&v| f64::from(v)).collect();
        let input = Array::from_fn(1, self.sample.len(), |_, j| f64::from(self.sample[j]));
        let expected = network.outputs(&exact, &input)?;
        let apart = outputs.iter().zip(expected.as_slice()).map(|(own, library)| {
            let distance = (own.value - library).abs();
            if distance == 0.0 { 0.0 } else { distance / own.error }
        });
        let deviation = apart.fold(0.0, f64::max);
        let workspace = Workspace::<f32>::new(network, mask, 1);
        let (mut kernel, mut densest) = (0, 0.0_f64);
        for (slot, own) in layout.slots().iter().zip(workspace.ranges()) {
            if slot.kind == SlotKind::Weight {
                kernel += slot.uses * own.len();
                densest = densest.max(mask.kept_in(slot.range.clone()) as f64 / slot.len() as f64);
            }
        }
        let kept = kept_weights(network, mask);
        let integer = |count: usize| (count as u64).into();
        row_of(
            COLUMNS,
            &[
                ("part", OPERATIONS.into()),
                ("network", self.name.into()),
                ("seed", integer(self.number)),
                ("mask", mask_of.into()),
                ("density", (kept as f64 / layout.prunable() as f64).into()),
                ("largest_layer_density", densest.into()),
                ("weights", integer(layout.prunable())),
                ("kept", integer(kept)),
                ("full_multiply_adds", integer(network.multiply_adds(None))),
                ("multiply_adds", integer(network.multiply_adds(Some(mask)))),
                ("products", integer(count.products)),
                ("sums", integer(count.sums)),
                ("kernel_multiply_adds", integer(kernel)),
                ("deviation", deviation.into()),
                ("full_bits", integer(32 * layout.prunable())),
                (
                    "compressed_bits",
                    integer(counting.compressed().map(|c| c.bits()).sum()),
                ),
                ("rows", integer(counting.compressed().map(|c| c.starts()).sum())),
            ],
        )
    }
}
