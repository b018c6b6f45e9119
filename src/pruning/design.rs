//! Masks by optimal design: which few columns of the Jacobian say most, whatever the outputs are to be?

use super::recovered::SensingProblem;
use crate::error::{Error, Result};
use crate::linalg::cholesky::UpdatableCholesky;
use crate::linalg::columns::{accumulate, subtract};
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::Status;
use crate::support::Mask;
use nalgebra::DMatrix;
use std::fmt;

/// A column nearer than this to the span of the chosen ones, relative to its length, is refused for good.
const DEPENDENT: f64 = 1e-8;
/// A gain that updates have carried along further from the truth than this is corrected before it may win.
const DRIFT: f64 = 1e-6;

/// What the choice of columns is to make small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DesignCriterion {
    /// `tr (αI + A_SᵀA_S)⁻¹`: the summed variance of the kept weights.
    A,
    /// `−ln det (αI + A_SᵀA_S)`: the volume of their confidence ellipsoid.
    D,
}

impl DesignCriterion {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            DesignCriterion::A => "a-optimal",
            DesignCriterion::D => "d-optimal",
        }
    }
}

impl fmt::Display for DesignCriterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of the weights before the outputs are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DesignPrior {
    /// All have the same variance: the columns are those of the Jacobian.
    Equal,
    /// The standard deviation of weight j is `|ϑ_j|`: its column is scaled by that, and a weight of 0 is never chosen.
    Magnitude,
}

/// What is asked of [`SensingProblem::design`].
#[derive(Clone, Debug, PartialEq)]
pub struct DesignRequest<'a> {
    /// The criterion.
    pub criterion: DesignCriterion,
    /// Equal or by magnitude.
    pub prior: DesignPrior,
    /// α as a multiple of the mean squared norm of the (scaled) columns that are not zero: the noise over the prior variance
    /// of a weight. 0 is the classical criterion without a prior; anything larger the Bayesian one.
    pub damping: f64,
    /// Weights to keep in each weight layer, from input to output.
    pub counts: &'a [usize],
}

/// A mask by design.
#[derive(Clone, Debug, PartialEq)]
pub struct Designed {
    /// Keeps the chosen weights and every bias; none when there are not as many independent columns as asked for.
    pub mask: Option<Mask>,
    /// How the choice ended.
    pub status: Status,
    /// The chosen columns of the operator in the order of the choice.
    pub order: Vec<usize>,
    /// The criterion at the chosen columns: the trace, or minus the logarithm of the determinant.
    pub loss: f64,
    /// Products with A or Aᵀ.
    pub applications: f64,
}

impl SensingProblem {
    /// Chooses `counts[ℓ]` weights in each layer, one after the other the one that leaves the criterion least, among the
    /// candidate columns of layers with room; ties by index.
    ///
    /// With `S` the kept weights, the criterion is that of `αI_k + A_SᵀA_S`, of order k and not of the number of rows. For a
    /// fixed number k it is the same problem as the design in the space of the n outputs, since
    ///
    /// ```text
    /// tr (αI_n + A_S A_Sᵀ)⁻¹ = (n − k)/α + tr (αI_k + A_SᵀA_S)⁻¹,   det (αI_n + A_S A_Sᵀ) = αⁿ⁻ᵏ det (αI_k + A_SᵀA_S),
    /// ```
    ///
    /// so that the damped choice is the forward greedy one of
    /// [`DesignProblem::of_columns`](crate::estimators::design::DesignProblem::of_columns) with the prior precision 1 and
    /// noise variance α, at a cost that does not see n² (there is no sketch, and nothing is left out). Without damping the
    /// output side is singular for k < n and the weight side is not. As the damping grows, the choice becomes the columns of
    /// largest norm. The targets are never looked at.
    ///
    /// # Errors
    /// [`Error::Argument`] on a damping that is negative or not finite, or counts that are all zero; [`Error::Shape`] when
    /// the counts do not fit.
    ///
    /// Cost: one adjoint and `2kN` operations (`4kN` for A) for the k-th of N columns; memory `kN`. Source: Pukelsheim,
    /// *Optimal Design of Experiments*, 1993; Chaloner and Verdinelli, Statist. Sci. 1995, for the Bayesian criteria.
    ///
    /// ```
    /// use ticketsense::Seed;
    /// use ticketsense::linearize::RowTransform;
    /// use ticketsense::networks::{Array, Initialisation, Network};
    /// use ticketsense::pruning::{DesignCriterion, DesignPrior, DesignRequest, SensingProblem};
    /// let network = Network::preset("mlp:6", 4, 3)?;
    /// let theta: Vec<f64> = network.initial(&Seed::root(0), &Initialisation::HE)?;
    /// let inputs = Array::from_fn(8, 4, |i, j| ((i * i * 3 + j * i * 5) as f64).sin());
    /// let problem = SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred)?;
    /// let (criterion, prior) = (DesignCriterion::D, DesignPrior::Equal);
    /// let designed = problem.design(&DesignRequest { criterion, prior, damping: 0.1, counts: &[5, 4] })?;
    /// assert_eq!(designed.mask.expect("nine of the columns").kept_in(0..24), 5);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn design(&self, request: &DesignRequest<'_>) -> Result<Designed> {
        if !(request.damping.is_finite() && request.damping >= 0.0) {
            return Err(Error::argument("damping", "a finite number ≥ 0", request.damping));
        }
        let layout = self.linearisation().network().layout();
        let layers = layout.weight_slots().count();
        if request.counts.len() != layers {
            return Err(Error::shape("counts a layer", layers, request.counts.len()));
        }
        let total: usize = request.counts.iter().sum();
        if total == 0 {
            return Err(Error::argument("counts a layer", "at least one weight", 0));
        }
        let mut greedy = Greedy::new(self, request);
        let status = greedy.run(total);
        let mask = (status == Status::SupportFull).then(|| {
            let mut mask = layout.full_mask();
            let parameters = self.operator().parameters();
            parameters.iter().for_each(|&i| mask.set(i, false));
            greedy.order.iter().for_each(|&j| mask.set(parameters[j], true));
            mask
        });
        Ok(Designed {
            mask,
            status,
            loss: greedy.loss,
            applications: greedy.applications,
            order: greedy.order,
        })
    }
}

/// The greedy choice through the Schur complements of `αI + AᵀA` (all columns scaled): for a candidate i,
/// `s_i = α + g_ii − g_{iS} w_i` with `w_i = (αI + G_SS)⁻¹ g_{Si}`. Joining multiplies the determinant by `s_i` and adds
/// `(1 + ‖w_i‖²)/s_i` to the trace of the inverse.
struct Greedy<'a> {
    problem: &'a SensingProblem,
    criterion: DesignCriterion,
    alpha: f64,
    scale: Vec<f64>,
    layer_of: Vec<usize>,
    room: Vec<usize>,
    usable: Vec<bool>,
    /// `s_i`.
    schur: Vec<f64>,
    /// `‖w_i‖²`; followed for A alone.
    squares: Vec<f64>,
    /// Rows `g_{j·}` of the chosen columns, one after the other.
    gram: Vec<f64>,
    factor: UpdatableCholesky,
    order: Vec<usize>,
    loss: f64,
    applications: f64,
}

/// A candidate seen exactly.
struct Seen {
    row: Vec<f64>,
    cross: Vec<f64>,
    w: Vec<f64>,
}

impl<'a> Greedy<'a> {
    fn new(problem: &'a SensingProblem, request: &DesignRequest<'_>) -> Self {
        let (operator, at) = (problem.operator(), problem.linearisation());
        let prior = |&j: &usize| match request.prior {
            DesignPrior::Equal => 1.0,
            DesignPrior::Magnitude => at.theta()[j].abs(),
        };
        let scale: Vec<f64> = operator.parameters().iter().map(prior).collect();
        let squared: Vec<f64> = operator
            .column_norms()
            .iter()
            .zip(&scale)
            .map(|(n, t)| (n * t).powi(2))
            .collect();
        let live = squared.iter().filter(|s| **s > 0.0).count().max(1);
        let alpha = request.damping * squared.iter().sum::<f64>() / live as f64;
        let layout = at.network().layout();
        let numbered = layout.weight_slots().enumerate();
        let layer_of: Vec<usize> = numbered.flat_map(|(l, slot)| vec![l; slot.len()]).collect();
        Greedy {
            problem,
            criterion: request.criterion,
            alpha,
            usable: (0..scale.len())
                .map(|j| problem.candidates()[j] && squared[j] > 0.0)
                .collect(),
            scale,
            layer_of,
            room: request.counts.to_vec(),
            schur: squared.iter().map(|s| s + alpha).collect(),
            squares: vec![0.0; squared.len()],
            gram: Vec::new(),
            factor: UpdatableCholesky::new(),
            order: Vec::new(),
            loss: 0.0,
            applications: 0.0,
        }
    }

    fn run(&mut self, total: usize) -> Status {
        let mut free = vec![0; self.room.len()];
        for (&layer, &usable) in self.layer_of.iter().zip(&self.usable) {
            free[layer] += usize::from(usable);
        }
        if free.iter().zip(&self.room).any(|(free, room)| free < room) {
            return Status::Unattainable;
        }
        if self.alpha == 0.0 && total > self.problem.rank_bound() {
            return Status::Unattainable;
        }
        while self.order.len() < total {
            let Some(j) = self.best() else {
                return Status::Exhausted;
            };
            let seen = self.see(j);
            let (schur, square) = (self.schur_of(j, &seen), dot(&seen.w, &seen.w));
            // What rounding has carried away from the truth is corrected, and may lose its place by that.
            let wrong = |kept: f64, true_: f64| (kept - true_).abs() > DRIFT * (true_.abs() + kept.abs());
            let drifted = wrong(self.schur[j], schur)
                || (self.criterion == DesignCriterion::A && wrong(1.0 + self.squares[j], 1.0 + square));
            self.schur[j] = schur;
            self.squares[j] = square;
            if drifted && self.best() != Some(j) {
                continue;
            }
            self.join(j, seen);
        }
        Status::SupportFull
    }

    /// The candidate that leaves the criterion least.
    fn best(&self) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for j in 0..self.usable.len() {
            if !self.usable[j] || self.room[self.layer_of[j]] == 0 {
                continue;
            }
            let gain = match self.criterion {
                DesignCriterion::D => self.schur[j],
                DesignCriterion::A => self.schur[j] / (1.0 + self.squares[j]),
            };
            if gain > best.map_or(0.0, |(_, leader)| leader) {
                best = Some((j, gain));
            }
        }
        best.map(|(j, _)| j)
    }

    /// The row of the Gram matrix of column j, by one adjoint, and its coefficients on the chosen columns.
    fn see(&mut self, j: usize) -> Seen {
        let operator = self.problem.operator();
        let mut column = DMatrix::zeros(operator.shape().rows, 1);
        operator.columns_into(&[j], &mut column);
        let mut row = vec![0.0; self.scale.len()];
        operator.adjoint_into(column.as_slice(), &mut row);
        self.applications += 1.0 + 1.0 / row.len() as f64;
        row.iter_mut()
            .zip(&self.scale)
            .for_each(|(g, t)| *g *= t * self.scale[j]);
        let cross: Vec<f64> = self.order.iter().map(|&i| row[i]).collect();
        let mut w = cross.clone();
        self.factor.solve_in_place(&mut w);
        Seen { row, cross, w }
    }

    /// `s_j` from the coefficients: from the Gram matrix, or, where that cancels, `‖a_j − A_S w‖² + α(1 + ‖w‖²)`.
    fn schur_of(&mut self, j: usize, seen: &Seen) -> f64 {
        let whole = seen.row[j] + self.alpha;
        let schur = whole - dot(&seen.cross, &seen.w);
        if schur > 1e-4 * whole {
            return schur;
        }
        self.applications += 1.0;
        self.distance(j, &seen.w).powi(2)
    }

    fn distance(&self, j: usize, w: &[f64]) -> f64 {
        let operator = self.problem.operator();
        let mut column = DMatrix::zeros(operator.shape().rows, 1);
        operator.columns_into(&[j], &mut column);
        let values: Vec<f64> = self.order.iter().zip(w).map(|(&i, w)| w * self.scale[i]).collect();
        let mut fit = vec![0.0; column.nrows()];
        operator.apply_sparse_into(&self.order, &values, &mut fit);
        let rest: Vec<f64> = fit
            .iter()
            .zip(column.as_slice())
            .map(|(f, a)| self.scale[j] * a - f)
            .collect();
        norm(&rest).hypot((self.alpha * (1.0 + dot(w, w))).sqrt())
    }

    /// Joins column j, unless it depends on the chosen ones: then it is out for good.
    fn join(&mut self, j: usize, seen: Seen) {
        self.usable[j] = false;
        let columns = self.scale.len();
        // (αI + G_SS)⁻¹ w, while the factor is still that of S without j.
        let mut x = seen.w.clone();
        self.factor.solve_in_place(&mut x);
        let mut factor = std::mem::take(&mut self.factor);
        let pivot = factor.append_measured(&seen.cross, seen.row[j] + self.alpha, DEPENDENT, |w| {
            self.distance(j, w)
        });
        self.factor = factor;
        if !pivot.accepted {
            return;
        }
        let (schur, square) = (self.schur[j], self.squares[j]);
        // c_i = g_ji − w_jᵀ g_Si.
        let mut c = seen.row.clone();
        subtract(&self.gram, &seen.w, &mut c);
        if self.criterion == DesignCriterion::A {
            let mut products = vec![0.0; columns];
            accumulate(&self.gram, &x, &mut products);
            for i in 0..columns {
                let t = c[i] / schur;
                let new = self.squares[i] - 2.0 * t * products[i] + t * t * (1.0 + square);
                self.squares[i] = new.max(0.0);
            }
        }
        for (s, c) in self.schur.iter_mut().zip(&c) {
            *s -= c * c / schur;
        }
        self.loss += match self.criterion {
            DesignCriterion::D => -schur.ln(),
            DesignCriterion::A => (1.0 + square) / schur,
        };
        self.gram.extend_from_slice(&seen.row);
        self.order.push(j);
        self.room[self.layer_of[j]] -= 1;
    }
}
