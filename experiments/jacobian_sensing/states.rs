//! Jacobians of networks of the data, from their first weights through training and under masks.

use super::row_of;
use rand::RngExt;
use ticketsense::estimators::{Estimator, JacobianCosines, NearColumns, nonzero_conditioning, scaling_directions};
use ticketsense::harness::Context;
use ticketsense::linearize::{Biases, Jacobian, Linearisation, RowTransform};
use ticketsense::networks::{Activation, Array, Initialisation, Network, NetworkBuilder, Padding, PoolingKind};
use ticketsense::operators::MeasurementOperator;
use ticketsense::pruning::{ImpSamples, keep_highest};
use ticketsense::support::{Mask, round_half_up};
use ticketsense::table::Row;
use ticketsense::training::{Trainer, TrainingPlan};
use ticketsense::{Error, Result, Seed};

/// A network of the data and how it is examined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Studied {
    pub name: &'static str,
    /// Samples that the Jacobian is taken on.
    pub samples: usize,
    /// Steps at which it is examined, the first of them 0.
    pub steps: &'static [usize],
    /// Densities of masks at the first and at the last step.
    pub densities: &'static [f64],
    /// Whether the cosines are told by layer and kind at the first and at the last step.
    pub cosines: bool,
}

pub(super) const SMALL: Studied = Studied {
    name: "mlp:60-30",
    samples: 20,
    steps: &[0, 20, 100, 400],
    densities: &[0.5, 0.2, 0.1, 0.05, 0.02],
    cosines: false,
};
pub(super) const LENET: Studied = Studied {
    name: "lenet-300-100",
    samples: 50,
    steps: &[0, 300],
    densities: &[],
    cosines: true,
};
pub(super) const LENET_PAPER: Studied = Studied {
    name: "lenet-300-100",
    samples: 200,
    steps: &[0, 100, 1000],
    densities: &[0.2, 0.05],
    cosines: true,
};
pub(super) const CONVOLUTION: Studied = Studied {
    name: "convolution",
    samples: 20,
    steps: &[0, 300],
    densities: &[0.2, 0.05],
    cosines: true,
};

/// What a mask keeps.
pub(super) const MASKS: [&str; 2] = ["magnitude", "random"];

impl Studied {
    /// The network, without biases, for the samples of a data set.
    fn network(&self, samples: &ImpSamples) -> Result<Network> {
        let data = samples.view();
        if self.name != "convolution" {
            return Network::preset(&format!("{}:no-bias", self.name), data.shape, data.classes);
        }
        NetworkBuilder::new("convolution 8-16", data.shape)?
            .biased(false)
            .convolution(8, 3, 1, Padding::Zero(1))?
            .activation(Activation::Relu)
            .pool(PoolingKind::Largest, 2, 2)?
            .convolution(16, 3, 1, Padding::Zero(1))?
            .activation(Activation::Relu)
            .pool(PoolingKind::Largest, 2, 2)?
            .dense(data.classes)?
            .build()
    }
}

/// Trains one network and examines it on the way.
pub(super) fn rows(studied: &Studied, number: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let dataset = context.data()?;
    let chosen = dataset.stratified(studied.samples, &seed.stream("samples"))?;
    let inputs: Array<f64> = dataset.batch(&chosen)?;
    let samples = ImpSamples::new(dataset.clone())?;
    let network = studied.network(&samples)?;
    let layout = network.layout();
    let data = samples.view();
    let last = studied.steps.last().copied().unwrap_or(0);
    let plan = TrainingPlan {
        steps: last.max(1),
        evaluate_every: last.max(1),
        ..TrainingPlan::default()
    };
    let everything = layout.full_mask();
    let trainer = Trainer::new(
        &network,
        plan,
        data.training,
        data.validation,
        &everything,
        &seed.stream("training"),
    )?;
    let initial: Vec<f32> = network.initial(seed, &Initialisation::HE)?;
    let mut state = trainer.start(&initial)?;
    let mut rows = Vec::new();
    for &step in studied.steps {
        trainer.advance(&mut state, step, &mut |_| !context.interrupted())?;
        context.check()?;
        if state.step != step {
            return Err(Error::numerical("training", format!("it ended at step {}", state.step)));
        }
        let theta: Vec<f64> = state.theta.iter().map(|&w| f64::from(w)).collect();
        let place = Place { studied, number, step };
        let full = layout.prunable_mask();
        rows.extend(examined(&place, &network, &theta, &inputs, "none", &full, seed)?);
        if step != 0 && step != last {
            continue;
        }
        for &density in studied.densities {
            for kind in MASKS {
                let mask = mask(&network, &theta, kind, density, seed)?;
                rows.extend(examined(&place, &network, &theta, &inputs, kind, &mask, seed)?);
            }
        }
    }
    Ok(rows)
}

/// The share of every layer's weights that a density says: the largest, or random ones.
pub(super) fn mask(network: &Network, theta: &[f64], kind: &str, density: f64, seed: &Seed) -> Result<Mask> {
    let ranges: Vec<_> = network.layout().weight_ranges();
    let counts: Vec<usize> = ranges.iter().map(|r| round_half_up(density * r.len() as f64)).collect();
    let mut rng = seed.stream("random mask").rng();
    let scores: Vec<f64> = match kind {
        "magnitude" => theta.iter().map(|w| w.abs()).collect(),
        _ => theta.iter().map(|_| rng.random()).collect(),
    };
    keep_highest(&network.layout().prunable_mask(), &scores, &ranges, &counts)
}

struct Place<'a> {
    studied: &'a Studied,
    number: usize,
    step: usize,
}

/// One state: the Jacobian at `mask ⊙ θ` over what the mask keeps.
fn examined(
    place: &Place<'_>,
    network: &Network,
    theta: &[f64],
    inputs: &Array<f64>,
    mask_name: &str,
    mask: &Mask,
    seed: &Seed,
) -> Result<Vec<Row>> {
    let mut masked = theta.to_vec();
    mask.apply(&mut masked)?;
    let at = Linearisation::new(network, &masked, inputs)?;
    let a = at.jacobian(&mask.support(), RowTransform::Identity, Biases::Fixed)?;
    let near = NearColumns::default().estimate(&a, seed)?;
    let rank = nonzero_conditioning(&a.tangent_kernel(), a.shape().columns)?.rank;
    let scaling = scaling_directions(&at, &a)?.value;
    let mut rows = vec![row_of(&[
        ("part", "state".into()),
        ("network", place.studied.name.into()),
        ("number", place.number.into()),
        ("step", place.step.into()),
        ("mask", mask_name.into()),
        ("density", network.layout().density(mask).into()),
        ("rows", a.shape().rows.into()),
        ("columns", a.shape().columns.into()),
        ("zero", near.value.groups.zero.len().into()),
        ("merged", near.value.groups.merged.into()),
        ("rank", rank.into()),
        ("hidden", scaling.units.len().into()),
        ("null_units", scaling.null().into()),
        ("silent", scaling.trivial().into()),
        ("coherence", near.value.unmerged.into()),
        ("merged_coherence", near.value.coherence.into()),
        ("certainty", near.certainty.as_str().into()),
    ])?];
    let last = place.studied.steps.last().copied().unwrap_or(0);
    if place.studied.cosines && mask_name == "none" && (place.step == 0 || place.step == last) {
        rows.extend(cosines(place, network, &a, seed)?);
    }
    Ok(rows)
}

fn cosines(place: &Place<'_>, network: &Network, a: &Jacobian, seed: &Seed) -> Result<Vec<Row>> {
    // Everything but unrelated pairs of large layers is exact within this.
    let settings = JacobianCosines {
        exhaustive_up_to: 2e9,
        climbs: 2,
        ..JacobianCosines::default()
    };
    let law = settings.examine(network, a, seed)?;
    let layer = |first: usize| network.layout().slot_of(first).layer;
    let row = |law: &ticketsense::estimators::PairLaw| {
        row_of(&[
            ("part", "kind".into()),
            ("network", place.studied.name.into()),
            ("number", place.number.into()),
            ("step", place.step.into()),
            ("first_layer", layer(law.slots.0.start).into()),
            ("second_layer", layer(law.slots.1.start).into()),
            ("kind", law.kind.as_str().into()),
            ("pairs", law.pairs.into()),
            ("mean_square", law.mean_square.into()),
            (
                "standard_error",
                match law.certainty {
                    ticketsense::outcome::Certainty::Sampled { standard_error, .. } => standard_error.into(),
                    _ => ticketsense::table::Value::Missing,
                },
            ),
            ("certainty", law.certainty.as_str().into()),
            ("coherence", law.largest.into()),
        ])
    };
    law.laws.iter().map(row).collect()
}
