//! Null directions of a Jacobian that the network's own symmetry gives.

use super::hidden::{HiddenLayer, hidden_layers};
use crate::error::{Error, Result};
use crate::linalg::norm;
use crate::linearize::{Jacobian, Linearisation};
use crate::operators::MeasurementOperator;
use crate::outcome::Estimate;

/// What the Jacobian does to the scaling direction of one hidden unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScalingDirection {
    /// Hidden layer, from zero at the input.
    pub layer: usize,
    /// Unit of the layer; a channel of a convolution.
    pub unit: usize,
    /// `‖J v‖ / Σ_j |v_j| ‖J e_j‖`: how far the columns are from cancelling; 0 where every column of it is zero.
    pub size: f64,
    /// What rounding may leave of it.
    pub rounding: f64,
    /// Whether every column that it combines is zero: a unit that is silent, or has lost all its weights.
    pub trivial: bool,
}

impl ScalingDirection {
    /// Whether it is a null direction, up to rounding.
    pub fn is_null(&self) -> bool {
        self.size <= self.rounding
    }
}

/// The scaling directions of all hidden units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScalingDirections {
    /// One entry a hidden unit.
    pub units: Vec<ScalingDirection>,
}

impl ScalingDirections {
    /// Units whose direction the Jacobian does not see although it sees the columns.
    pub fn null(&self) -> usize {
        self.units.iter().filter(|u| u.is_null() && !u.trivial).count()
    }

    /// Units whose columns are all zero.
    pub fn trivial(&self) -> usize {
        self.units.iter().filter(|u| u.trivial).count()
    }
}

/// Applies the Jacobian to the direction `(w_in, b, −w_out)` of every hidden unit.
///
/// ReLU is homogeneous: scaling what comes into a unit by t and what leaves it by 1/t changes no output, and the derivative
/// at t = 1 says `J (w_in, b, −w_out) = 0`. Largest and mean pooling keep that, so a channel of a convolution
/// has its direction too. Other activations break it. Nothing is assumed here: every direction goes through `J`, and counts as
/// null when what remains is rounding. Weights that are not among the columns take no part: at a pruned weight,
/// which is zero, the direction is zero as well, and a unit whose nonzero bias is left out fails as it should.
///
/// Rounding: a sum of k terms, each a product of factors that carry the roundings of a forward and a backward pass over
/// the unit's own fan, leaves at most about `2 (k + P + C + 8) ε Σ|v_j| ‖J e_j‖`, P the most positions of a weight and C the classes.
/// Cost: every hidden weight's column twice. Hidden units between two dense or convolutional layers are
/// examined; those inside residual branches, attention or recurrent cells, or before a normalisation, are not. Exact up to rounding.
///
/// # Errors
/// [`Error::Argument`] when the operator was made by another linearisation.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::estimators::scaling_directions;
/// use ticketsense::linearize::{Biases, Linearisation, RowTransform};
/// use ticketsense::networks::{Array, Initialisation, Network};
/// let network = Network::preset("mlp:6-5:no-bias", 4, 3)?;
/// let theta: Vec<f64> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let inputs = Array::from_fn(20, 4, |i, j| ((i * 3 + 5 * j) as f64).sin());
/// let at = Linearisation::new(&network, &theta, &inputs)?;
/// let a = at.jacobian(&network.layout().weights(), RowTransform::Identity, Biases::Fixed)?;
/// let found = scaling_directions(&at, &a)?.value;
/// assert_eq!(found.null() + found.trivial(), 11);
/// # Ok::<(), ticketsense::Error>(())
/// ```
pub fn scaling_directions(at: &Linearisation, jacobian: &Jacobian) -> Result<Estimate<ScalingDirections>> {
    let rows = at.inputs().rows() * at.network().classes();
    let last = jacobian.parameters().last().copied().unwrap_or(0);
    if jacobian.shape().rows != rows || last >= at.theta().len() {
        let got = format!("{} of another one", jacobian.shape());
        return Err(Error::argument("operator", "one made by this linearisation", got));
    }
    let norms = jacobian.column_norms();
    let most_positions = jacobian.slot_factors().iter().map(|s| s.positions).max().unwrap_or(1);
    let passes = most_positions + jacobian.classes() + jacobian.projection_rank() + 8;
    let mut found = ScalingDirections::default();
    let mut columns_read = 0;
    for (layer, hidden) in hidden_layers(at.network()).iter().enumerate() {
        for unit in 0..hidden.units {
            let (support, values) = direction(hidden, unit, at.theta(), jacobian.parameters());
            columns_read += support.len();
            let mut image = vec![0.0; rows];
            jacobian.apply_sparse_into(&support, &values, &mut image);
            let total: f64 = support.iter().zip(&values).map(|(&c, v)| norms[c] * v.abs()).sum();
            found.units.push(ScalingDirection {
                layer,
                unit,
                size: if total > 0.0 { norm(&image) / total } else { 0.0 },
                rounding: 2.0 * (support.len() + passes) as f64 * f64::EPSILON,
                trivial: total == 0.0,
            });
        }
    }
    let applications = columns_read as f64 / jacobian.shape().columns as f64;
    Ok(Estimate::exact(found, applications))
}

/// Columns and entries of a unit's direction.
fn direction(hidden: &HiddenLayer, unit: usize, theta: &[f64], columns: &[usize]) -> (Vec<usize>, Vec<f64>) {
    let bias = hidden.bias.iter().map(|b| b.start + unit);
    let incoming = hidden.weights_into(unit).chain(bias).map(|j| (j, theta[j]));
    let outgoing = hidden.weights_out_of(unit).map(|j| (j, -theta[j]));
    let entries = incoming.chain(outgoing).filter(|(_, v)| *v != 0.0);
    entries
        .filter_map(|(j, v)| columns.binary_search(&j).ok().map(|c| (c, v)))
        .unzip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linearize::{Biases, RowTransform};
    use crate::networks::{Array, ImageShape, Initialisation, InputShape, Network};
    use crate::seed::Seed;
    use crate::support::Support;

    fn at(preset: &str, inputs: InputShape, bias: &str) -> Linearisation {
        let network = Network::preset(preset, inputs, 4).unwrap();
        let seed = Seed::root(7);
        let initialisation: Initialisation = format!("he{bias}").parse().unwrap();
        let theta: Vec<f64> = network.initial(&seed, &initialisation).unwrap();
        let x = crate::networks::derivative_cases::normal(&seed, "x", 12 * network.inputs());
        let inputs = Array::new(12, network.inputs(), x).unwrap();
        Linearisation::new(&network, &theta, &inputs).unwrap()
    }

    fn image(side: usize) -> InputShape {
        InputShape::Image(ImageShape {
            channels: 1,
            height: side,
            width: side,
        })
    }

    fn every(at: &Linearisation) -> Jacobian {
        let all = at.network().layout().full_mask().support();
        at.jacobian(&all, RowTransform::Identity, Biases::Fixed).unwrap()
    }

    #[test]
    fn every_relu_unit_and_channel_has_its_null_direction_and_no_other_activation_has() {
        let flat = InputShape::Features(9);
        for (preset, inputs, units) in [
            ("mlp:7", flat, 7),
            ("mlp:7-5-6", flat, 18),
            ("mlp:7-5:linear", flat, 12),
            ("lenet-5", image(16), 6 + 16 + 120 + 84),
            ("conv-2", image(8), 64 + 64 + 256 + 256),
        ] {
            let at = at(preset, inputs, ":bias=0.3");
            let found = scaling_directions(&at, &every(&at)).unwrap().value;
            assert_eq!(found.units.len(), units, "{preset}");
            assert_eq!(found.null() + found.trivial(), units, "{preset}");
            assert!(found.null() > units / 2, "{preset}: {} trivial", found.trivial());
        }
        for preset in ["mlp:7-5:tanh", "mlp:7:gelu", "lenet-5:tanh"] {
            let inputs = if preset.starts_with("mlp") { flat } else { image(16) };
            let at = at(preset, inputs, ":bias=0.3");
            let found = scaling_directions(&at, &every(&at)).unwrap().value;
            assert_eq!(found.null(), 0, "{preset}");
            // Far beyond rounding, not just outside it.
            assert!(
                found.units.iter().all(|u| u.trivial || u.size > 1e6 * u.rounding),
                "{preset}"
            );
        }
    }

    #[test]
    fn a_bias_left_out_breaks_the_direction_and_a_pruned_weight_does_not() {
        let flat = InputShape::Features(9);
        let biased = at("mlp:7", flat, ":bias=0.3");
        let weights = biased.network().layout().weights();
        let a = biased
            .jacobian(&weights, RowTransform::Identity, Biases::Fixed)
            .unwrap();
        let found = scaling_directions(&biased, &a).unwrap().value;
        assert_eq!(found.null(), 0);

        let full = at("mlp:7:no-bias", flat, "");
        let mut theta = full.theta().to_vec();
        let kept: Vec<usize> = (0..theta.len()).filter(|j| j % 3 != 0).collect();
        theta.iter_mut().step_by(3).for_each(|w| *w = 0.0);
        let pruned = Linearisation::new(full.network(), &theta, full.inputs()).unwrap();
        let kept = Support::new(kept, theta.len()).unwrap();
        let a = pruned.jacobian(&kept, RowTransform::Centred, Biases::Fixed).unwrap();
        let found = scaling_directions(&pruned, &a).unwrap().value;
        assert_eq!(found.null() + found.trivial(), 7);
        // Weights that are kept but not among the columns: the direction is cut.
        let a = full.jacobian(&kept, RowTransform::Identity, Biases::Fixed).unwrap();
        assert_eq!(scaling_directions(&full, &a).unwrap().value.null(), 0);
    }

    #[test]
    fn a_unit_that_is_never_active_is_trivial() {
        let at = at("mlp:3:no-bias", InputShape::Features(2), "");
        let mut theta = at.theta().to_vec();
        theta[..2].copy_from_slice(&[-1.0, -1.0]);
        let positive = Array::from_fn(5, 2, |i, j| 1.0 + (i + j) as f64);
        let at = Linearisation::new(at.network(), &theta, &positive).unwrap();
        let found = scaling_directions(&at, &every(&at)).unwrap().value;
        assert!(found.units[0].trivial && found.units[0].is_null());
    }

    #[test]
    fn the_operator_of_another_linearisation_is_refused() {
        let flat = InputShape::Features(9);
        let (small, large) = (at("mlp:7", flat, ""), at("mlp:8", flat, ""));
        assert!(matches!(
            scaling_directions(&small, &every(&large)),
            Err(Error::Argument { .. })
        ));
    }
}
