//! Basis pursuit denoising, `min ‖x‖₁` subject to `‖y − A x‖₂ ≤ ε`.
//!
//! Its dual is `max yᵀν − ε‖ν‖₂` subject to `‖Aᵀν‖∞ ≤ 1`.

use super::common::{
    check_not_negative, check_positive, check_tolerance, column_cost, empty_answer, in_safe_range, residual_into,
    scatter,
};
use super::entry::{COUNT, NOT_NEGATIVE, SolverEntry, TOLERANCE, option};
use super::face::Face;
use super::{BasisPursuit, Certificate, Lasso, Penalty, Recovery, Solver, check_right_hand_side, lambda_max};
use crate::error::{Error, Result};
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Progress, Status, Watch};

/// Below this multiple of λ_max a LASSO's residual is as small as it gets in floating point.
const FLOOR: f64 = 1e-13;

/// How large a residual is admitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Radius {
    /// ε itself.
    Absolute(f64),
    /// ε as a multiple of `‖y‖₂`; from 1 on the answer is 0.
    RatioOfNorm(f64),
}

/// Basis pursuit denoising, `min ‖x‖₁` subject to `‖y − A x‖₂ ≤ ε`.
///
/// Its answer is the LASSO's at the λ whose residual has norm ε. That λ is looked for within a bracket; every LASSO solved
/// on the way shows a support with signs, on which `‖r(λ)‖² = ‖r(0)‖² + λ²‖u‖²` gives the next λ, exactly once the
/// support is right. The certificate is computed from scratch: `ν = r/λ`, shrunk to `‖Aᵀν‖∞ ≤ 1`, and the gap is
/// `‖x‖₁ − yᵀν + ε‖ν‖`.
///
/// It ends with
/// - `Converged` when `‖r‖ ≤ (1 + tolerance) ε`, up to `16√m` roundings of `‖y‖`, and the gap is at most
///   `tolerance · ‖x‖₁`;
/// - `Unattainable` when no x comes within ε of y;
/// - `Stalled` when the bracket closes short of that: the gap then says by how much at most, and the residual stands beside
///   it;
/// - `IterationLimit` after [`BasisPursuitDenoising::max_iterations`] LASSO solves.
///
/// The objective is `‖x‖₁`. With `ε = 0` it is [`BasisPursuit`]. Cost: a handful of warm LASSO solves. Source: Chen, Donoho
/// and Saunders (1998); van den Berg and Friedlander (2008) for the root.
///
/// ```
/// use nalgebra::DMatrix;
/// use ticketsense::operators::DenseOperator;
/// use ticketsense::recovery::{BasisPursuitDenoising, Radius, Solver};
/// // On orthonormal columns the soft threshold that leaves a residual of √2: λ = 1.
/// let a = DenseOperator::new(DMatrix::identity(2, 2))?;
/// let answer = BasisPursuitDenoising::new(Radius::Absolute(2f64.sqrt())).solve(&a, &[3.0, -4.0])?;
/// assert!((answer.x[0] - 2.0).abs() < 1e-12 && (answer.x[1] + 3.0).abs() < 1e-12);
/// assert_eq!(answer.status.as_str(), "converged");
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BasisPursuitDenoising {
    /// The admitted residual ε.
    pub radius: Radius,
    /// Relative gap, and relative excess of the residual, that count as solved; in `[0, 1)`.
    pub tolerance: f64,
    /// The most LASSO solves; with `ε = 0` the most breakpoints.
    pub max_iterations: usize,
}

/// A point with its residual and certificate.
struct Candidate {
    support: Vec<usize>,
    values: Vec<f64>,
    residual_norm: f64,
    gap: f64,
    dual: Vec<f64>,
}

impl Candidate {
    fn length(&self) -> f64 {
        self.values.iter().map(|v| v.abs()).sum()
    }
}

impl BasisPursuitDenoising {
    /// The default numbers for a radius: tolerance 1e-8, at most 200 LASSO solves.
    pub fn new(radius: Radius) -> Self {
        BasisPursuitDenoising {
            radius,
            tolerance: 1e-8,
            max_iterations: 200,
        }
    }

    /// The certificate of a point with a dual vector, shrunk to be feasible. Cost: one adjoint and the columns.
    fn certify(
        a: &dyn MeasurementOperator,
        y: &[f64],
        epsilon: f64,
        (support, values): (Vec<usize>, Vec<f64>),
        mut dual: Vec<f64>,
    ) -> Candidate {
        let mut r = vec![0.0; y.len()];
        residual_into(a, y, &support, &values, &mut r);
        let mut correlations = vec![0.0; a.shape().columns];
        a.adjoint_into(&dual, &mut correlations);
        let largest = correlations.iter().fold(1.0f64, |m, v| m.max(v.abs()));
        dual.iter_mut().for_each(|v| *v /= largest);
        // ‖x‖₁ − yᵀν + ε‖ν‖ with y = A x + r, so that nothing large cancels.
        let slack = |(&j, x): (&usize, &f64)| x.abs() - x * correlations[j] / largest;
        let gap = support.iter().zip(&values).map(slack).sum::<f64>() + epsilon * norm(&dual) - dot(&r, &dual);
        Candidate {
            support,
            values,
            residual_norm: norm(&r),
            gap,
            dual,
        }
    }

    fn run(&self, a: &dyn MeasurementOperator, y: &[f64], factor: f64, watch: &mut Watch<'_>) -> Result<Recovery> {
        let shape = a.shape();
        let y_norm = norm(y);
        let epsilon = match self.radius {
            Radius::Absolute(epsilon) => epsilon * factor,
            Radius::RatioOfNorm(ratio) => ratio * y_norm,
        };
        let certificate = |primal: f64, gap: f64, dual: Vec<f64>| Certificate::DualityGap {
            primal,
            gap,
            scale: primal,
            dual,
        };
        if epsilon >= y_norm {
            return Ok(Recovery {
                certificate: certificate(0.0, 0.0, vec![0.0; shape.rows]),
                ..empty_answer(shape.columns, y, 0.0, Status::Converged, 0.0)
            });
        }
        let largest = lambda_max(a, y)?;
        let mut applications = 1.0;
        if largest == 0.0 {
            return Ok(Recovery {
                certificate: certificate(0.0, 0.0, vec![0.0; shape.rows]),
                ..empty_answer(shape.columns, y, 0.0, Status::Unattainable, applications)
            });
        }
        let admitted = (1.0 + self.tolerance) * epsilon + 16.0 * (shape.rows as f64).sqrt() * f64::EPSILON * y_norm;
        let solved = |c: &Candidate| c.residual_norm <= admitted && c.gap <= self.tolerance * c.length();
        let (mut below, mut above) = (0.0, largest);
        let mut lambda = largest * (0.5 * epsilon / y_norm).max(1e-6);
        let mut start = None;
        let mut iterations = 0;
        let (status, found) = loop {
            let lasso = Lasso {
                tolerance: (1e-9 * lambda / largest).max(1e-16),
                start: start.take(),
                ..Lasso::new(Penalty::Absolute(lambda))
            };
            let answer = lasso.solve(a, y)?;
            applications += answer.applications + 1.0;
            iterations += 1;
            let values: Vec<f64> = answer.support.iter().map(|&j| answer.x[j]).collect();
            if answer.residual_norm > epsilon {
                above = lambda;
            } else {
                below = lambda;
            }
            let mut r = vec![0.0; shape.rows];
            residual_into(a, y, &answer.support, &values, &mut r);
            let dual = r.iter().map(|v| v / lambda).collect();
            let mut found = Self::certify(a, y, epsilon, (answer.support.clone(), values.clone()), dual);
            let near = Face::near(a, y, &answer.support, &values, |face| face.lambda_at(epsilon));
            let next = near.first().map(|(_, root, _)| *root);
            for (face, root, x) in near {
                applications += column_cost(shape, 3 * x.len()) + 1.0;
                let exact = Self::certify(a, y, epsilon, (face.support.clone(), x), face.dual(root, y_norm));
                if solved(&exact) || exact.gap.abs() < found.gap.abs() {
                    found = exact;
                }
                if solved(&found) {
                    break;
                }
            }
            start = Some(answer.x);
            let go_on = watch.tell(&Progress {
                iteration: iterations,
                objective: found.length(),
                nonzeros: found.support.len(),
            });
            if solved(&found) {
                break (Status::Converged, found);
            }
            if !go_on {
                break (Status::Stopped, found);
            }
            if iterations == self.max_iterations {
                break (Status::IterationLimit, found);
            }
            if above <= FLOOR * largest {
                break (Status::Unattainable, found);
            }
            if above - below <= 4.0 * f64::EPSILON * above {
                break (Status::Stalled, found);
            }
            lambda = match next.filter(|next| *next > below && *next < above) {
                Some(next) if next != lambda => next,
                _ if below == 0.0 => 0.1 * above,
                _ => (below * above).sqrt(),
            };
        };
        let primal = found.length();
        Ok(Recovery {
            x: scatter(shape.columns, &found.support, &found.values),
            support: Vec::new(),
            status,
            iterations,
            applications,
            objective: primal,
            residual_norm: found.residual_norm,
            certificate: certificate(primal, found.gap.max(0.0), found.dual),
        })
    }
}

impl Solver for BasisPursuitDenoising {
    fn name(&self) -> &'static str {
        "basis-pursuit-denoising"
    }

    fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Recovery> {
        check_right_hand_side(a, y)?;
        check_tolerance(self.tolerance)?;
        check_positive("max-iterations", self.max_iterations)?;
        let (name, value) = match self.radius {
            Radius::Absolute(epsilon) => ("epsilon", epsilon),
            Radius::RatioOfNorm(ratio) => ("epsilon-ratio", ratio),
        };
        check_not_negative(name, value)?;
        if value == 0.0 {
            let exact = BasisPursuit {
                tolerance: self.tolerance,
                max_iterations: self.max_iterations,
            };
            return exact.solve_watched(a, y, watch);
        }
        in_safe_range(y, 1, watch, |y, factor, watch| self.run(a, y, factor, watch))
    }
}

/// Its line in the list of solvers.
pub(super) const ENTRY: SolverEntry = SolverEntry {
    name: "basis-pursuit-denoising",
    help: "min ‖x‖₁ subject to ‖y − A x‖₂ ≤ ε, with a dual vector.",
    options: &[
        option(
            "epsilon",
            NOT_NEGATIVE,
            "the data's",
            "none: epsilon or epsilon-ratio",
            "The admitted residual norm ε.",
        ),
        option(
            "epsilon-ratio",
            NOT_NEGATIVE,
            "‖y‖₂",
            "none: epsilon or epsilon-ratio",
            "The admitted residual norm as a multiple of the data's.",
        ),
        option(
            "tolerance",
            TOLERANCE,
            "ε and ‖x‖₁",
            "1e-8",
            "Excess of the residual and duality gap that count as solved, relative to these.",
        ),
        option("max-iterations", COUNT, "LASSO solves", "200", "The most LASSO solves."),
    ],
    for_planted: |_| vec![("epsilon-ratio", "1e-7".to_string())],
    builder: |o| {
        let radius = match (o.real("epsilon"), o.real("epsilon-ratio")) {
            (Some(epsilon), None) => Radius::Absolute(epsilon),
            (None, Some(ratio)) => Radius::RatioOfNorm(ratio),
            (None, None) => return Err(Error::argument("epsilon", "a value, or one for epsilon-ratio", "none")),
            (Some(_), Some(_)) => return Err(Error::argument("epsilon", "epsilon or epsilon-ratio", "both")),
        };
        let default = BasisPursuitDenoising::new(radius);
        Ok(Box::new(BasisPursuitDenoising {
            tolerance: o.real("tolerance").unwrap_or(default.tolerance),
            max_iterations: o.integer("max-iterations").unwrap_or(default.max_iterations),
            ..default
        }))
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{DenseOperator, GaussianEnsemble};
    use crate::recovery::reference;
    use crate::seed::Seed;
    use nalgebra::{DMatrix, dmatrix};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_residual_is_admitted_and_the_gap_is_the_gap(
            number in 0u64..1_000_000,
            rows in 2usize..12,
            more in 0usize..25,
            ratio in prop::sample::select(vec![1e-8, 1e-6, 1e-3, 0.1, 0.5, 0.99]),
        ) {
            let columns = rows + more;
            let seed = Seed::root(number);
            let a = GaussianEnsemble { rows, columns }.draw(&seed).unwrap();
            let y = reference::normal_vector(rows, &seed);
            let answer = BasisPursuitDenoising::new(Radius::RatioOfNorm(ratio)).solve(&a, &y).unwrap();
            prop_assert_eq!(answer.status, Status::Converged);
            let epsilon = ratio * norm(&y);
            prop_assert!(answer.residual_norm <= epsilon * (1.0 + 1e-8) + 1e-14 * norm(&y));
            let Certificate::DualityGap { gap, dual, .. } = &answer.certificate else { panic!("certificate") };
            prop_assert!(*gap <= 1e-8 * answer.objective);
            for column in a.matrix().column_iter() {
                let correlation: f64 = column.iter().zip(dual).map(|(u, v)| u * v).sum();
                prop_assert!(correlation.abs() <= 1.0 + 4.0 * rows as f64 * f64::EPSILON * column.norm() * norm(dual));
            }
            let dual_value = y.iter().zip(dual).map(|(y, v)| y * v).sum::<f64>() - epsilon * norm(dual);
            // Sums of products of size ‖y‖‖ν‖, and ‖x‖₁ ‖a‖‖ν‖ where the fit meets the dual.
            let size = (norm(&y) + a.matrix().norm() * answer.objective) * norm(dual);
            let rounding = 8.0 * (rows + columns) as f64 * f64::EPSILON * size;
            prop_assert!((answer.objective - dual_value - gap).abs() <= rounding + 1e-8 * answer.objective);
        }
    }

    #[test]
    fn a_radius_of_the_data_gives_zero_and_a_radius_of_zero_is_basis_pursuit() {
        let seed = Seed::root(71);
        let a = GaussianEnsemble { rows: 6, columns: 15 }.draw(&seed).unwrap();
        let y = reference::normal_vector(6, &seed);
        let solve = |radius| BasisPursuitDenoising::new(radius).solve(&a, &y).unwrap();
        let wide = solve(Radius::RatioOfNorm(1.0));
        assert_eq!((wide.status, wide.support.len()), (Status::Converged, 0));
        assert_eq!(wide.relative_gap(), Some(0.0));
        let exact = BasisPursuit {
            max_iterations: 200,
            ..BasisPursuit::default()
        };
        assert_eq!(solve(Radius::Absolute(0.0)), exact.solve(&a, &y).unwrap());
    }

    #[test]
    fn data_out_of_reach_are_unattainable() {
        let tall = GaussianEnsemble { rows: 6, columns: 3 }.draw(&Seed::root(72)).unwrap();
        let answer = BasisPursuitDenoising::new(Radius::Absolute(1e-3))
            .solve(&tall, &[1.0; 6])
            .unwrap();
        assert_eq!(answer.status, Status::Unattainable);
        assert!(answer.residual_norm > 1e-3);
        let orthogonal = DenseOperator::new(dmatrix![1.0, 2.0; 0.0, 0.0]).unwrap();
        let answer = BasisPursuitDenoising::new(Radius::Absolute(0.5))
            .solve(&orthogonal, &[0.0, 1.0])
            .unwrap();
        assert_eq!((answer.status, answer.support.len()), (Status::Unattainable, 0));
    }

    #[test]
    fn repeated_columns_are_solved_or_say_by_how_much_they_are_not() {
        let seed = Seed::root(73);
        let single = GaussianEnsemble { rows: 10, columns: 15 }.draw(&seed).unwrap();
        let doubled = DenseOperator::new(DMatrix::from_fn(10, 30, |i, j| single.matrix()[(i, j / 2)])).unwrap();
        let y = reference::normal_vector(10, &seed);
        let solver = BasisPursuitDenoising::new(Radius::RatioOfNorm(0.2));
        let (one, two) = (solver.solve(&single, &y).unwrap(), solver.solve(&doubled, &y).unwrap());
        assert_eq!(one.status, Status::Converged);
        let Certificate::DualityGap { gap, .. } = two.certificate else {
            panic!("certificate")
        };
        let excess = (two.residual_norm / (0.2 * norm(&y)) - 1.0).max(0.0);
        assert!(two.status == Status::Converged || two.status == Status::Stalled);
        // A residual too large by that share buys a shorter x by at most the dual's length times it.
        assert!(excess <= 1e-8);
        assert!((two.objective - one.objective).abs() <= gap + 1e-7 * one.objective);
    }
}
