//! Hessian and Gauss-Newton matrix of a network's loss as symmetric operators.

use crate::error::{Error, Result};
use crate::networks::{Array, Loss, Network, Targets};
use crate::operators::{MeasurementOperator, Shape};
use crate::support::Support;

/// Which matrix of second derivatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CurvatureKind {
    /// The exact Hessian of the loss in θ.
    Hessian,
    /// `Jᵀ (∂²loss/∂f²) J`: positive semidefinite; what is left of the Hessian when the network is linearised.
    GaussNewton,
}

/// `H_SS`: the principal submatrix of the Hessian (or Gauss-Newton matrix) of the mean loss over a data set, on the kept
/// coordinates S.
///
/// Symmetric, so that [`MeasurementOperator::adjoint_into`] is [`MeasurementOperator::apply_into`]. One product costs
/// two to three gradients over the data, summed chunk by chunk in a fixed order.
#[derive(Clone, Debug)]
pub struct Curvature {
    network: Network,
    theta: Vec<f64>,
    inputs: Array<f64>,
    targets: Array<f64>,
    loss: Loss,
    kind: CurvatureKind,
    coordinates: Vec<usize>,
}

impl Curvature {
    /// The curvature of `loss` at `theta` on the coordinates of `support`.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NotFinite`] or [`Error::Argument`] on parameters, inputs, targets or a support that do
    /// not fit; an empty support is refused.
    pub fn new<'a>(
        kind: CurvatureKind,
        network: &Network,
        theta: &[f64],
        inputs: &Array<f64>,
        targets: impl Into<Targets<'a, f64>>,
        loss: Loss,
        support: &Support,
    ) -> Result<Self> {
        network.check(theta, inputs)?;
        if support.dimension() != theta.len() || support.is_empty() {
            return Err(Error::shape(
                "coordinates of the curvature",
                format!("a support in {} parameters, not empty", theta.len()),
                format!("{} of {}", support.len(), support.dimension()),
            ));
        }
        Ok(Curvature {
            targets: loss.targets(targets.into(), inputs.rows(), network.classes())?,
            network: network.clone(),
            theta: theta.to_vec(),
            inputs: inputs.clone(),
            loss,
            kind,
            coordinates: support.indices().to_vec(),
        })
    }

    /// Which matrix this is.
    pub fn kind(&self) -> CurvatureKind {
        self.kind
    }

    /// The parameters behind rows and columns, ascending.
    pub fn parameters(&self) -> &[usize] {
        &self.coordinates
    }
}

impl MeasurementOperator for Curvature {
    fn shape(&self) -> Shape {
        Shape {
            rows: self.coordinates.len(),
            columns: self.coordinates.len(),
        }
    }

    fn apply_into(&self, x: &[f64], y: &mut [f64]) {
        let count = self.coordinates.len();
        assert_eq!((x.len(), y.len()), (count, count), "curvature: lengths");
        let mut direction = vec![0.0; self.theta.len()];
        for (&j, &v) in self.coordinates.iter().zip(x) {
            direction[j] = v;
        }
        let (network, theta, inputs) = (&self.network, &self.theta, &self.inputs);
        let product = match self.kind {
            CurvatureKind::Hessian => {
                network.hessian_vector_unchecked(theta, &direction, inputs, &self.targets, self.loss)
            }
            CurvatureKind::GaussNewton => network.gauss_newton_vector_unchecked(theta, &direction, inputs, self.loss),
        };
        for (y, &j) in y.iter_mut().zip(&self.coordinates) {
            *y = product[j];
        }
    }

    fn adjoint_into(&self, y: &[f64], x: &mut [f64]) {
        self.apply_into(y, x);
    }
}
