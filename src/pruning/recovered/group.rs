//! Whole units by the group LASSO on the linear model: the groups are the incoming weights of the units.

use super::{SensingProblem, Stacked};
use crate::error::{Error, Result};
use crate::operators::{Damped, MeasurementOperator, check_vector};
use crate::outcome::Status;
use crate::pruning::structured::{UnitChoice, Units};
use crate::recovery::{Certificate, GroupLasso, Grouping, Penalty, Solver};

/// By how much the penalty of a family that has too few units falls at a time.
const STEP: f64 = 0.8;

/// Below this fraction of the first penalty nothing more is looked for.
const LEAST: f64 = 1e-6;

/// Duality gap of a solve, relative to half the squared data: the choice settles long before the values do.
const GAP: f64 = 1e-5;

/// Gradients of a solve.
const GRADIENTS: usize = 300;

/// The answer of [`SensingProblem::recover_units`].
#[derive(Clone, Debug, PartialEq)]
pub struct RecoveredUnits {
    /// Which units stay; none when the penalty fell to nothing before a family had enough.
    pub choice: Option<UnitChoice>,
    /// How the last solve ended, or [`Status::Unattainable`].
    pub status: Status,
    /// `‖θ_g‖‖A_g‖_F` of every unit at the last solve, 0 where the unit is gone.
    pub strengths: Vec<Vec<f64>>,
    /// λ of each family relative to the first one at which any unit enters.
    pub penalty_ratios: Vec<f64>,
    /// The duality gap of the last solve, which certifies its value and not the cut to the counts.
    pub certificate: Certificate,
    /// Products with A or Aᵀ.
    pub applications: f64,
}

impl SensingProblem {
    /// Chooses `counts[f]` units in family f of `units`: those that the group LASSO lets into the linear model first.
    ///
    /// ```text
    /// minimise ½‖Aθ − b‖² + (α/2)‖θ − ϑ‖² + Σ_g λ_f(g) w_g ‖θ_g‖
    /// ```
    ///
    /// A group is the incoming weights of a unit, `w_g = ‖[A_g; √α I]‖_F`. The weights into a family that is kept whole, such
    /// as the outputs, are not penalised. The penalties start where nothing is active and fall, family by family, until each
    /// has as many active units as asked for; the largest `‖θ_g‖ w_g` stay. Damping is needed: without it, the weights that
    /// no penalty holds need not be determined.
    ///
    /// Source: Yuan and Lin, J. R. Stat. Soc. B 2006; Wen et al., NeurIPS 2016, for groups of network weights.
    ///
    /// # Errors
    /// [`Error::Argument`] on a damping that is not positive, or a count of 0, beyond its family, or of a family that is kept
    /// whole; [`Error::Shape`] when the units are of another network, or the counts or `b` do not fit.
    ///
    /// Cost: one group LASSO for every step of a penalty, about thirty.
    pub fn recover_units(&self, b: &[f64], units: &Units, damping: f64, counts: &[usize]) -> Result<RecoveredUnits> {
        check_vector("b", b, self.operator.shape().rows)?;
        if !(damping.is_finite() && damping > 0.0) {
            return Err(Error::argument("damping", "a finite number > 0", damping));
        }
        let families = units.families();
        let zeros: Vec<Vec<f64>> = families.iter().map(|f| vec![0.0; f.units]).collect();
        units.choose(&zeros, counts)?;
        let alpha = damping * self.mean_square;
        let layers = vec![0; self.layers.len()];
        let stacked = Stacked {
            problem: self,
            b,
            alpha,
            counts: &layers,
        };
        // Units are numbered through; weights into what is kept whole share the last label, which has no penalty.
        let starts: Vec<usize> = families
            .iter()
            .scan(0, |start, f| Some(std::mem::replace(start, *start + f.units)))
            .collect();
        let labels = self.labels(units, &starts)?;
        let groups = labels.iter().max().map_or(0, |last| last + 1);
        let mut weights = vec![0.0f64; groups];
        for (j, &label) in labels.iter().enumerate() {
            weights[label] = weights[label].hypot(stacked.length(j));
        }
        let family_of = |label: usize| starts.partition_point(|&start| start <= label) - 1;
        let free: Vec<usize> = (0..families.len())
            .filter(|&f| families[f].kept_whole.is_none())
            .collect();
        let damped = Damped::new(&self.operator, alpha)?;
        let data = damped.data(b, &self.prior)?;
        let mut ratios = vec![1.0; families.len()];
        let mut applications = 1.0;
        let unpenalised = |label: usize| families[family_of(label)].kept_whole.is_some();
        let solver = |penalty: Penalty, ratios: &[f64]| GroupLasso {
            weights: Some(
                (0..groups)
                    .map(|g| {
                        if unpenalised(g) {
                            0.0
                        } else {
                            weights[g] * ratios[family_of(g)]
                        }
                    })
                    .collect(),
            ),
            tolerance: GAP,
            max_iterations: GRADIENTS,
            ..GroupLasso::new(penalty, Grouping::Labels(labels.clone()))
        };
        let first = solver(Penalty::RatioOfMax(1.0), &ratios).lambda_max(&damped, &data)?;
        ratios.iter_mut().for_each(|r| *r *= STEP);
        loop {
            let solver = solver(Penalty::Absolute(first), &ratios);
            let answer = solver.solve(&damped, &data)?;
            applications += answer.applications;
            let mut strengths = zeros.clone();
            let mut squares = vec![0.0; groups];
            for (&label, x) in labels.iter().zip(&answer.x) {
                squares[label] += x * x;
            }
            for (label, square) in squares.iter().enumerate() {
                let family = family_of(label);
                strengths[family][label - starts[family]] = square.sqrt() * weights[label];
            }
            let active = |f: usize| strengths[f].iter().filter(|s| **s > 0.0).count();
            let short: Vec<usize> = free.iter().copied().filter(|&f| active(f) < counts[f]).collect();
            let over = short.iter().any(|&f| ratios[f] * STEP < LEAST);
            if short.is_empty() || over {
                return Ok(RecoveredUnits {
                    choice: if over {
                        None
                    } else {
                        Some(units.choose(&strengths, counts)?)
                    },
                    status: if over { Status::Unattainable } else { answer.status },
                    strengths,
                    penalty_ratios: ratios,
                    certificate: answer.certificate,
                    applications,
                });
            }
            short.iter().for_each(|&f| ratios[f] *= STEP);
        }
    }

    /// The unit that each column feeds, numbered through the families.
    fn labels(&self, units: &Units, starts: &[usize]) -> Result<Vec<usize>> {
        let layout = self.at.network().layout();
        let fed = units.fed_by_weights();
        if fed.len() != layout.len() {
            return Err(Error::shape(
                "units of a network with parameters",
                layout.len(),
                fed.len(),
            ));
        }
        let of = |&j: &usize| {
            let (family, unit) = fed[j].ok_or_else(|| Error::argument("units", "one behind every weight", j))?;
            Ok(starts[family] + unit)
        };
        self.operator.parameters().iter().map(of).collect()
    }
}
