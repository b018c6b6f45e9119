//! How the scale of the first weights, width, depth and activation move the columns of the Jacobian.

use super::row_of;
use crate::experiments::random_networks::{CLASSES, INPUTS, gaussian_inputs, network_name};
use ticketsense::estimators::{Coherence, Estimator, JacobianCosines, PairKind, ParallelColumns};
use ticketsense::linearize::{Biases, Jacobian, Linearisation, RowTransform};
use ticketsense::networks::{Initialisation, Network};
use ticketsense::operators::{DenseOperator, MeasurementOperator};
use ticketsense::statistics::Summary;
use ticketsense::table::Row;
use ticketsense::{Error, Result, Seed};

/// One network design, and its word in the figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Design {
    pub word: &'static str,
    pub activation: &'static str,
    pub layers: usize,
    pub width: usize,
    /// Factor on the standard deviation of the first weights.
    pub scale: f64,
}

const fn design(word: &'static str, activation: &'static str, layers: usize, width: usize, scale: f64) -> Design {
    Design {
        word,
        activation,
        layers,
        width,
        scale,
    }
}

/// The base first, then one factor after the other.
pub(super) const DESIGNS: [Design; 13] = [
    design("base", "relu", 3, 12, 1.0),
    design("w=6", "relu", 3, 6, 1.0),
    design("w=24", "relu", 3, 24, 1.0),
    design("w=36", "relu", 3, 36, 1.0),
    design("L=2", "relu", 2, 12, 1.0),
    design("L=5", "relu", 5, 12, 1.0),
    design("½σ", "relu", 3, 12, 0.5),
    design("2σ", "relu", 3, 12, 2.0),
    design("linear", "linear", 3, 12, 1.0),
    design("gelu", "gelu", 3, 12, 1.0),
    design("tanh", "tanh", 3, 12, 1.0),
    design("tanh ½σ", "tanh", 3, 12, 0.5),
    design("tanh 3σ", "tanh", 3, 12, 3.0),
];

/// What is averaged over networks.
pub(super) const QUANTITIES: [&str; 6] = ["coherence", "zero", "parallel", "same-unit", "same-input", "unrelated"];
const SAMPLES: usize = 20;

/// Root mean square cosine of a kind over all layers, 0 without a pair.
fn root_mean_square(network: &Network, a: &Jacobian, seed: &Seed) -> Result<[f64; 4]> {
    let law = JacobianCosines {
        exhaustive_up_to: f64::INFINITY,
        ..JacobianCosines::default()
    }
    .examine(network, a, seed)?;
    Ok(PairKind::ALL.map(|kind| {
        let of_kind = law.laws.iter().filter(|l| l.kind == kind);
        let (squares, pairs) = of_kind.fold((0.0, 0u64), |(squares, pairs), l| {
            (squares + l.mean_square * l.pairs as f64, pairs + l.pairs)
        });
        (squares / pairs.max(1) as f64).sqrt()
    }))
}

/// The six quantities of one network: coherence of the merged live columns, shares of zero and of parallel columns, and
/// root mean square cosines.
pub(super) fn quantities(design: &Design, seed: &Seed) -> Result<[f64; 6]> {
    let name = network_name(design.activation, design.layers, design.width);
    let network = Network::preset(&name, INPUTS, CLASSES)?;
    let scheme = match design.activation {
        "relu" | "gelu" => Initialisation::HE,
        _ => Initialisation::LECUN,
    };
    let mut theta: Vec<f64> = network.initial(seed, &scheme)?;
    theta.iter_mut().for_each(|w| *w *= design.scale);
    let at = Linearisation::new(&network, &theta, &gaussian_inputs(SAMPLES, seed))?;
    let a = at.jacobian(&network.layout().weights(), RowTransform::Identity, Biases::Fixed)?;
    let groups = ParallelColumns::default().estimate(&a, seed)?.value;
    let coherence = match groups.kept.len() {
        0 | 1 => 0.0,
        _ => {
            let kept = DenseOperator::new(a.to_dense().select_columns(&groups.kept))?;
            Coherence.estimate(&kept, seed)?.value.value
        }
    };
    let [same_unit, same_input, _, unrelated] = root_mean_square(&network, &a, seed)?;
    let columns = a.shape().columns as f64;
    Ok([
        coherence,
        groups.zero.len() as f64 / columns,
        groups.merged as f64 / columns,
        same_unit,
        same_input,
        unrelated,
    ])
}

/// Means over networks, which are the same random numbers for every design of equal shape.
pub(super) fn rows(word: &str, networks: usize, seed: &Seed) -> Result<Vec<Row>> {
    let Some(design) = DESIGNS.iter().find(|d| d.word == word) else {
        return Err(Error::unknown("design", word, DESIGNS.iter().map(|d| d.word)));
    };
    let mut found = vec![Vec::with_capacity(networks); QUANTITIES.len()];
    for number in 0..networks {
        let values = quantities(design, &seed.replicate(number as u64))?;
        found.iter_mut().zip(values).for_each(|(all, v)| all.push(v));
    }
    let row = |(values, quantity): (&Vec<f64>, &&str)| {
        let summary = Summary::of(values)?;
        row_of(&[
            ("part", "design".into()),
            ("design", design.word.into()),
            ("activation", design.activation.into()),
            ("layers", design.layers.into()),
            ("width", design.width.into()),
            ("scale", design.scale.into()),
            ("quantity", (*quantity).into()),
            ("networks", networks.into()),
            ("mean", summary.mean.into()),
            ("standard_error", summary.standard_error().into()),
        ])
    };
    found.iter().zip(&QUANTITIES).map(row).collect()
}
