//! Hessian and Gauss-Newton matrix of a network's loss as symmetric operators.

use crate::error::{Error, Result};
use crate::networks::{Array, Loss, Network, Point, Real, Room, SecondOrder, Targets};
use crate::operators::{MeasurementOperator, Shape};
use crate::support::{Mask, Support};
use std::sync::{Arc, Mutex, PoisonError};

/// Which matrix of second derivatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CurvatureKind {
    /// The exact Hessian of the loss in θ.
    Hessian,
    /// `Jᵀ (∂²loss/∂f²) J`: positive semidefinite; what is left of the Hessian when the network is linearised.
    GaussNewton,
}

impl CurvatureKind {
    /// Every kind.
    pub const ALL: [CurvatureKind; 2] = [CurvatureKind::Hessian, CurvatureKind::GaussNewton];

    /// The word on command lines.
    pub fn as_str(self) -> &'static str {
        match self {
            CurvatureKind::Hessian => "hessian",
            CurvatureKind::GaussNewton => "gauss-newton",
        }
    }
}

impl std::str::FromStr for CurvatureKind {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        CurvatureKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| Error::unknown("kind of curvature", word, CurvatureKind::ALL.map(CurvatureKind::as_str)))
    }
}

/// `H_SS`: the principal submatrix of the Hessian (or Gauss-Newton matrix) of the mean loss over a data set, on the chosen
/// coordinates S.
///
/// Symmetric, so that [`MeasurementOperator::adjoint_into`] is [`MeasurementOperator::apply_into`].
///
/// For multilayer perceptrons whatever does not depend on the direction is computed once, when the operator is made: activations,
/// their slopes, and the derivatives of the loss, two to four numbers a unit and sample. A product is then a forward and a
/// backward pass of tangents, `2 P₁ + 6 P` multiply-adds a sample for `P₁` weights in the first layer and P above it (`2 P₁ + 4 P`
/// at most for Gauss-Newton); layers below the first that S touches cost nothing. Where weights that are neither chosen nor
/// different from zero make up [enough](crate::networks::SPARSE_DENSITY_SINGLE) of the network, only the others cost anything: so
/// it is for a ticket's own curvature, [`Curvature::of_mask`]. For other networks a product is two to three gradients. Sums over
/// samples are taken in a fixed order.
///
/// With `T = f32` products are rounded to single precision, whatever they are asked in.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::linearize::{Curvature, CurvatureKind};
/// use ticketsense::networks::{Array, Initialisation, Loss, Network};
/// use ticketsense::operators::MeasurementOperator;
/// let network = Network::preset("mlp:6:tanh", 4, 3)?;
/// let theta: Vec<f64> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let inputs = Array::from_fn(5, 4, |i, j| ((i * 3 + j) as f64).sin());
/// let labels = vec![0, 1, 2, 0, 1];
/// let (kind, loss) = (CurvatureKind::GaussNewton, Loss::CrossEntropy);
/// let last = Curvature::of_layer(kind, &network, &theta, &inputs, &labels, loss, "dense1.weight")?;
/// assert_eq!(last.shape().rows, 3 * 6);
/// let x = vec![1.0; 18];
/// assert!(last.apply(&x)?.iter().sum::<f64>() >= 0.0);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Curvature<T = f64> {
    kind: CurvatureKind,
    loss: Loss,
    network: Network,
    coordinates: Vec<usize>,
    samples: usize,
    route: Route<T>,
}

#[derive(Clone, Debug)]
enum Route<T> {
    Kept(Arc<SecondOrder<T>>, Spare<T>),
    General(Arc<General<T>>),
}

/// What products of any network need.
#[derive(Debug)]
struct General<T> {
    theta: Vec<T>,
    inputs: Array<T>,
    targets: Array<T>,
}

/// Room for a product that no product is using.
#[derive(Debug, Default)]
struct Spare<T>(Mutex<Option<Box<Room<T>>>>);

impl<T> Clone for Spare<T> {
    fn clone(&self) -> Self {
        Spare(Mutex::new(None))
    }
}

impl<T: Real> Curvature<T> {
    /// The curvature of `loss` at `theta` on the coordinates of `support`. Parameters outside of it are constants at their
    /// values in `theta`.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NotFinite`] or [`Error::Argument`] on parameters, inputs, targets or a support that do
    /// not fit; an empty support is refused.
    pub fn new<'a>(
        kind: CurvatureKind,
        network: &Network,
        theta: &[T],
        inputs: &Array<T>,
        targets: impl Into<Targets<'a, T>>,
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
        let targets = loss.targets(targets.into(), inputs.rows(), network.classes())?;
        let coordinates = support.indices().to_vec();
        let point = Point {
            network,
            theta,
            inputs,
            targets: &targets,
            loss,
            gauss_newton: kind == CurvatureKind::GaussNewton,
        };
        let route = route(point, &coordinates);
        Ok(Curvature {
            kind,
            loss,
            network: network.clone(),
            coordinates,
            samples: inputs.rows(),
            route,
        })
    }

    /// The curvature of the network that a mask leaves, at `m ⊙ θ`, on everything in it that is trained: the kept weights, and the
    /// biases, scales and shifts.
    ///
    /// # Errors
    /// As [`Curvature::new`], and on a mask that does not fit the network or prunes what is not a weight.
    pub fn of_mask<'a>(
        kind: CurvatureKind,
        network: &Network,
        theta: &[T],
        inputs: &Array<T>,
        targets: impl Into<Targets<'a, T>>,
        loss: Loss,
        mask: &Mask,
    ) -> Result<Self> {
        network.check_parameters("parameters", theta)?;
        let (mut theta, trained) = (theta.to_vec(), trained(network, mask)?);
        mask.apply(&mut theta)?;
        Curvature::new(kind, network, &theta, inputs, targets, loss, &trained)
    }

    /// The block of one slot of the layout, such as `dense0.weight`, at `theta`.
    ///
    /// # Errors
    /// As [`Curvature::new`]; [`Error::Unknown`] on the name.
    pub fn of_layer<'a>(
        kind: CurvatureKind,
        network: &Network,
        theta: &[T],
        inputs: &Array<T>,
        targets: impl Into<Targets<'a, T>>,
        loss: Loss,
        slot: &str,
    ) -> Result<Self> {
        let layout = network.layout();
        let block = Support::new(layout.slot(slot)?.range.clone().collect(), layout.len())?;
        Curvature::new(kind, network, theta, inputs, targets, loss, &block)
    }

    /// The same matrix at other parameters, or over other samples: coordinates, kind and loss stay.
    ///
    /// As [`Curvature::new`], with `theta` taken as it is. For multilayer perceptrons whose products go over all weights the room
    /// that is there is used again; elsewhere everything is made anew.
    ///
    /// # Errors
    /// As [`Curvature::new`]; the operator is then as it was.
    ///
    /// ```
    /// use ticketsense::Seed;
    /// use ticketsense::linearize::{Curvature, CurvatureKind};
    /// use ticketsense::networks::{Array, Initialisation, Loss, Network};
    /// use ticketsense::operators::MeasurementOperator;
    /// let network = Network::preset("mlp:6:tanh", 4, 3)?;
    /// let theta: Vec<f64> = network.initial(&Seed::root(0), &Initialisation::HE)?;
    /// let inputs = Array::from_fn(5, 4, |i, j| ((i * 3 + j) as f64).sin());
    /// let labels = vec![0, 1, 2, 0, 1];
    /// let (kind, loss, all) = (CurvatureKind::Hessian, Loss::CrossEntropy, network.layout().weights());
    /// let mut h = Curvature::new(kind, &network, &theta, &inputs, &labels, loss, &all)?;
    /// let later: Vec<f64> = theta.iter().map(|w| 0.9 * w).collect();
    /// h.move_to(&later, &inputs, &labels)?;
    /// let afresh = Curvature::new(kind, &network, &later, &inputs, &labels, loss, &all)?;
    /// let x = vec![1.0; all.len()];
    /// assert_eq!(h.apply(&x)?, afresh.apply(&x)?);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn move_to<'a>(&mut self, theta: &[T], inputs: &Array<T>, targets: impl Into<Targets<'a, T>>) -> Result<()> {
        self.network.check(theta, inputs)?;
        let targets = self
            .loss
            .targets(targets.into(), inputs.rows(), self.network.classes())?;
        let point = Point {
            network: &self.network,
            theta,
            inputs,
            targets: &targets,
            loss: self.loss,
            gauss_newton: self.kind == CurvatureKind::GaussNewton,
        };
        let moved = match &mut self.route {
            Route::Kept(kept, spare) => {
                if self.samples != inputs.rows() {
                    *spare = Spare(Mutex::new(None));
                }
                Arc::get_mut(kept).is_some_and(|kept| kept.move_to(point))
            }
            Route::General(_) => false,
        };
        if !moved {
            self.route = route(point, &self.coordinates);
        }
        self.samples = inputs.rows();
        Ok(())
    }

    /// Which matrix this is.
    pub fn kind(&self) -> CurvatureKind {
        self.kind
    }

    /// The parameters behind rows and columns, ascending.
    pub fn parameters(&self) -> &[usize] {
        &self.coordinates
    }

    /// Number of samples that the loss is averaged over.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Whether a product costs what the chosen and the nonzero weights cost, and not what the whole network does.
    pub fn follows_density(&self) -> bool {
        matches!(&self.route, Route::Kept(kept, _) if kept.follows_density())
    }

    /// `y ← H_SS x` in the operator's own precision.
    ///
    /// # Panics
    /// When a length is not the number of coordinates: a bug of the caller.
    pub fn product_into(&self, x: &[T], y: &mut [T]) {
        let count = self.coordinates.len();
        assert_eq!((x.len(), y.len()), (count, count), "curvature: lengths");
        self.product(|k| x[k], |k, value| y[k] = value);
    }

    fn product(&self, get: impl Fn(usize) -> T, mut put: impl FnMut(usize, T)) {
        match &self.route {
            Route::Kept(kept, spare) => {
                // Products at the same time find no room and make their own.
                let taken = spare.0.lock().unwrap_or_else(PoisonError::into_inner).take();
                let mut room = taken.unwrap_or_else(|| Box::new(kept.room()));
                kept.product(&mut room, get, put);
                *spare.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(room);
            }
            Route::General(at) => {
                let mut direction = vec![T::ZERO; at.theta.len()];
                for (k, &j) in self.coordinates.iter().enumerate() {
                    direction[j] = get(k);
                }
                let (network, loss, theta, inputs) = (&self.network, self.loss, &at.theta, &at.inputs);
                let product = match self.kind {
                    CurvatureKind::Hessian => {
                        network.hessian_vector_unchecked(theta, &direction, inputs, &at.targets, loss)
                    }
                    CurvatureKind::GaussNewton => {
                        network.gauss_newton_vector_unchecked(theta, &direction, inputs, loss)
                    }
                };
                for (k, &j) in self.coordinates.iter().enumerate() {
                    put(k, product[j]);
                }
            }
        }
    }
}

/// How products at a point are computed.
fn route<T: Real>(point: Point<'_, T>, coordinates: &[usize]) -> Route<T> {
    match SecondOrder::new(point, coordinates) {
        Some(kept) => Route::Kept(Arc::new(kept), Spare(Mutex::new(None))),
        None => Route::General(Arc::new(General {
            theta: point.theta.to_vec(),
            inputs: point.inputs.clone(),
            targets: point.targets.clone(),
        })),
    }
}

/// What is trained of a network under a mask: everything kept but running statistics.
fn trained(network: &Network, mask: &Mask) -> Result<Support> {
    let layout = network.layout();
    layout.check_mask(mask)?;
    let mut trained = mask.clone();
    for slot in layout.statistic_slots() {
        slot.range.clone().for_each(|i| trained.set(i, false));
    }
    Ok(trained.support())
}

impl<T: Real> MeasurementOperator for Curvature<T> {
    fn shape(&self) -> Shape {
        Shape {
            rows: self.coordinates.len(),
            columns: self.coordinates.len(),
        }
    }

    fn apply_into(&self, x: &[f64], y: &mut [f64]) {
        let count = self.coordinates.len();
        assert_eq!((x.len(), y.len()), (count, count), "curvature: lengths");
        self.product(|k| T::of(x[k]), |k, value| y[k] = value.to_f64());
    }

    fn adjoint_into(&self, y: &[f64], x: &mut [f64]) {
        self.apply_into(y, x);
    }
}
