//! The convex solvers against an independent interior-point method: Clarabel, on linear, quadratic and second-order cone
//! programs that have the same optimum.
//!
//! The value of a certified answer, less its gap, is a lower bound of the objective at every feasible point, and so at the
//! other method's, which is feasible up to a residual whose effect the dual vector bounds. That the two values agree to
//! 1e-8, although the other method is asked for 1e-11, leaves room for its dual residual.

use super::*;
use crate::linalg::{dot, norm};
use crate::operators::{DenseOperator, GaussianEnsemble};
use crate::recovery::reference::{normal_vector, planted};
use crate::seed::Seed;
use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver, SolverStatus, SupportedConeT};

const SHAPES: [(usize, usize); 8] = [(1, 3), (3, 3), (5, 12), (12, 5), (10, 40), (25, 30), (40, 20), (30, 90)];

/// A program `min ½ Σ dᵢzᵢ² + qᵀz` subject to `b − M z` in a product of cones, built row by row.
#[derive(Default)]
struct Program {
    diagonal: Vec<f64>,
    linear: Vec<f64>,
    entries: Vec<(usize, usize, f64)>,
    bounds: Vec<f64>,
    cones: Vec<SupportedConeT<f64>>,
}

impl Program {
    /// Adds unknowns with this quadratic and linear cost each; the place of the first.
    fn unknowns(&mut self, count: usize, quadratic: f64, linear: f64) -> usize {
        let first = self.linear.len();
        self.diagonal.resize(first + count, quadratic);
        self.linear.resize(first + count, linear);
        first
    }

    /// Adds the constraint that `b − Σ coefficient · zⱼ`, row by row, lies in a cone.
    fn constrain(&mut self, cone: SupportedConeT<f64>, rows: impl IntoIterator<Item = (f64, Vec<(usize, f64)>)>) {
        for (bound, terms) in rows {
            let row = self.bounds.len();
            self.bounds.push(bound);
            self.entries.extend(terms.into_iter().map(|(j, v)| (row, j, v)));
        }
        self.cones.push(cone);
    }

    fn nonnegative(&mut self, first: usize, count: usize) {
        let rows = (first..first + count).map(|j| (0.0, vec![(j, -1.0)]));
        self.constrain(SupportedConeT::NonnegativeConeT(count), rows);
    }

    /// The optimal point.
    fn solve(&self) -> Vec<f64> {
        let unknowns = self.linear.len();
        let places = |entries: &[(usize, usize, f64)], rows| {
            let (i, j): (Vec<usize>, Vec<usize>) = entries.iter().map(|e| (e.0, e.1)).unzip();
            CscMatrix::new_from_triplets(rows, unknowns, i, j, entries.iter().map(|e| e.2).collect())
        };
        let squares: Vec<(usize, usize, f64)> = (0..unknowns)
            .filter(|&j| self.diagonal[j] != 0.0)
            .map(|j| (j, j, self.diagonal[j]))
            .collect();
        let settings = DefaultSettingsBuilder::default()
            .verbose(false)
            .tol_gap_abs(1e-11)
            .tol_gap_rel(1e-11)
            .tol_feas(1e-11)
            .build()
            .unwrap();
        let (quadratic, constraints) = (places(&squares, unknowns), places(&self.entries, self.bounds.len()));
        let mut solver = DefaultSolver::new(
            &quadratic,
            &self.linear,
            &constraints,
            &self.bounds,
            &self.cones,
            settings,
        )
        .unwrap();
        solver.solve();
        let found = &solver.solution;
        assert!(
            matches!(found.status, SolverStatus::Solved | SolverStatus::AlmostSolved),
            "{:?}",
            found.status
        );
        found.x.clone()
    }
}

fn instance(shape: (usize, usize), replicate: u64) -> (DenseOperator, Vec<f64>) {
    let seed = Seed::root(91).stream(format!("{shape:?}")).replicate(replicate);
    let (rows, columns) = shape;
    (
        GaussianEnsemble { rows, columns }.draw(&seed).unwrap(),
        normal_vector(rows, &seed),
    )
}

fn gap(answer: &Recovery) -> (f64, &[f64]) {
    match &answer.certificate {
        Certificate::DualityGap { gap, dual, .. } => (*gap, dual),
        _ => panic!("no duality gap"),
    }
}

/// `A x` in rows, with the coefficient of every column taken `sign` times at the unknowns from `first`.
fn row_terms(a: &DenseOperator, i: usize, parts: &[(usize, f64)]) -> Vec<(usize, f64)> {
    let columns = a.shape().columns;
    let of = |&(first, sign): &(usize, f64)| (0..columns).map(move |j| (first + j, sign * a.matrix()[(i, j)]));
    parts.iter().flat_map(of).collect()
}

/// Compares the value of a certified answer with that of another point, whose residual may lower it by `excess`.
fn agree(what: &str, answer: &Recovery, theirs: f64, excess: f64, size: f64) {
    let (ours, our_gap) = (answer.objective, gap(answer).0);
    let rounding = 1e-13 * size;
    assert!(
        our_gap <= 1e-8 * size && excess <= 1e-8 * size,
        "{what}: {our_gap} and {excess} of {size}"
    );
    assert!(
        ours - our_gap <= theirs + excess + rounding,
        "{what}: {ours} − {our_gap} above {theirs}"
    );
    assert!((ours - theirs).abs() <= 1e-8 * size, "{what}: {ours} and {theirs}");
}

fn minus(u: &[f64], v: &[f64]) -> Vec<f64> {
    u.iter().zip(v).map(|(u, v)| u - v).collect()
}

fn length(x: &[f64]) -> f64 {
    x.iter().map(|v| v.abs()).sum()
}

#[test]
fn basis_pursuit_has_the_value_of_its_linear_program() {
    for shape in SHAPES.into_iter().filter(|(rows, columns)| rows <= columns) {
        for replicate in 0..4 {
            for nonnegative in [false, true] {
                let (a, mut y) = instance(shape, replicate);
                if nonnegative {
                    let seed = Seed::root(92).replicate(replicate);
                    let x: Vec<f64> = planted(shape.1, shape.1.min(shape.0 + 1), &seed)
                        .iter()
                        .map(|v| v.abs())
                        .collect();
                    y = a.apply(&x).unwrap();
                }
                let mut program = Program::default();
                let first = program.unknowns(shape.1, 0.0, 1.0);
                let mut parts = vec![(first, 1.0)];
                if !nonnegative {
                    parts.push((program.unknowns(shape.1, 0.0, 1.0), -1.0));
                }
                let rows = (0..shape.0).map(|i| (y[i], row_terms(&a, i, &parts)));
                program.constrain(SupportedConeT::ZeroConeT(shape.0), rows);
                program.nonnegative(0, program.linear.len());
                let theirs = program.solve();
                let answer = if nonnegative {
                    NonnegativeBasisPursuit::default().solve(&a, &y).unwrap()
                } else {
                    BasisPursuit::default().solve(&a, &y).unwrap()
                };
                assert!(
                    answer.status.is_success(),
                    "{shape:?} {replicate} {nonnegative}: {}",
                    answer.status
                );
                let x: Vec<f64> = if nonnegative {
                    theirs[..shape.1].iter().map(|v| v.max(0.0)).collect()
                } else {
                    minus(&theirs[..shape.1], &theirs[shape.1..2 * shape.1])
                };
                // ‖x‖₁ ≥ νᵀA x = νᵀy − νᵀ(y − A x).
                let missed = norm(&minus(&y, &a.apply(&x).unwrap()));
                let excess = norm(gap(&answer).1) * missed;
                let what = format!("{} {shape:?} {replicate}", if nonnegative { "x ≥ 0" } else { "signed" });
                agree(&what, &answer, length(&x), excess, answer.objective);
            }
        }
    }
}

#[test]
fn the_lasso_and_its_kin_have_the_value_of_their_quadratic_programs() {
    for shape in SHAPES {
        for (replicate, ratio) in [(0, 0.5), (1, 0.1), (2, 0.01)] {
            let (a, y) = instance(shape, replicate);
            let half_square = 0.5 * dot(&y, &y);
            let lambda = ratio * lambda_max(&a, &y).unwrap();
            let weights: Vec<f64> = (0..shape.1).map(|j| [1.0, 0.0, 3.0, 0.5][j % 4]).collect();
            let penalty = Penalty::Absolute(lambda);
            let plain = Lasso {
                tolerance: 1e-12,
                ..Lasso::new(penalty)
            };
            let fista = Fista {
                tolerance: 1e-11,
                ..Fista::new(penalty)
            };
            let net = ElasticNet {
                tolerance: 1e-12,
                ..ElasticNet::new(penalty, 0.3)
            };
            let weighted = WeightedLasso {
                tolerance: 1e-12,
                ..WeightedLasso::new(penalty, weights.clone())
            };
            let nonnegative = NonnegativeLasso {
                tolerance: 1e-12,
                ..NonnegativeLasso::new(penalty)
            };
            let ones = vec![1.0; shape.1];
            let cases: [(&dyn Solver, &[f64], f64, bool); 5] = [
                (&plain, &ones, 0.0, false),
                (&fista, &ones, 0.0, false),
                (&net, &ones, 0.3, false),
                (&weighted, &weights, 0.0, false),
                (&nonnegative, &ones, 0.0, true),
            ];
            for (solver, weights, ridge, nonnegative) in cases {
                // x = u − v with u, v ≥ 0; the ridge is on a copy of x, so that it does not depend on the split.
                let mut program = Program::default();
                let u = program.unknowns(shape.1, 0.0, 0.0);
                let v = program.unknowns(if nonnegative { 0 } else { shape.1 }, 0.0, 0.0);
                let split = program.linear.len();
                for (j, cost) in program.linear.iter_mut().enumerate() {
                    *cost = lambda * weights[j % shape.1];
                }
                let parts = if nonnegative {
                    vec![(u, 1.0)]
                } else {
                    vec![(u, 1.0), (v, -1.0)]
                };
                let r = program.unknowns(shape.0, 1.0, 0.0);
                let rows = (0..shape.0).map(|i| {
                    let mut terms = row_terms(&a, i, &parts);
                    terms.push((r + i, 1.0));
                    (y[i], terms)
                });
                program.constrain(SupportedConeT::ZeroConeT(shape.0), rows);
                if ridge > 0.0 {
                    let copy = program.unknowns(shape.1, ridge, 0.0);
                    let rows = (0..shape.1).map(|j| (0.0, vec![(u + j, 1.0), (v + j, -1.0), (copy + j, -1.0)]));
                    program.constrain(SupportedConeT::ZeroConeT(shape.1), rows);
                }
                program.nonnegative(0, split);
                let theirs = program.solve();
                let answer = solver.solve(&a, &y).unwrap();
                let what = format!("{} {shape:?} {ratio}", solver.name());
                assert_eq!(answer.status, Status::Converged, "{what}");
                let x: Vec<f64> = if nonnegative {
                    theirs[..shape.1].iter().map(|v| v.max(0.0)).collect()
                } else {
                    minus(&theirs[..shape.1], &theirs[shape.1..2 * shape.1])
                };
                let r = minus(&y, &a.apply(&x).unwrap());
                let penalty: f64 = x.iter().zip(weights).map(|(x, w)| lambda * w * x.abs()).sum();
                let value = 0.5 * dot(&r, &r) + penalty + 0.5 * ridge * dot(&x, &x);
                agree(&what, &answer, value, 0.0, half_square);
            }
        }
    }
}

#[test]
fn the_group_lasso_and_denoising_have_the_value_of_their_cone_programs() {
    for shape in SHAPES {
        for (replicate, ratio) in [(0, 0.5), (1, 0.1), (2, 0.01)] {
            let (a, y) = instance(shape, replicate);
            let groups = Grouping::Consecutive(3);
            let mut solver = GroupLasso::new(Penalty::RatioOfMax(ratio), groups);
            solver.tolerance = 1e-12;
            let lambda = ratio * solver.lambda_max(&a, &y).unwrap();
            let mut program = Program::default();
            let x = program.unknowns(shape.1, 0.0, 0.0);
            let r = program.unknowns(shape.0, 1.0, 0.0);
            let rows = (0..shape.0).map(|i| {
                let mut terms = row_terms(&a, i, &[(x, 1.0)]);
                terms.push((r + i, 1.0));
                (y[i], terms)
            });
            program.constrain(SupportedConeT::ZeroConeT(shape.0), rows);
            let all: Vec<usize> = (0..shape.1).collect();
            for group in all.chunks(3) {
                let length = program.unknowns(1, 0.0, lambda * (group.len() as f64).sqrt());
                let rows = std::iter::once(length).chain(group.iter().map(|&j| x + j));
                let rows: Vec<_> = rows.map(|j| (0.0, vec![(j, -1.0)])).collect();
                program.constrain(SupportedConeT::SecondOrderConeT(rows.len()), rows);
            }
            let theirs = program.solve();
            let answer = solver.solve(&a, &y).unwrap();
            let what = format!("groups {shape:?} {ratio}");
            assert_eq!(answer.status, Status::Converged, "{what}");
            let x = &theirs[..shape.1];
            let r = minus(&y, &a.apply(x).unwrap());
            let penalty: f64 = x.chunks(3).map(|x| lambda * (x.len() as f64).sqrt() * norm(x)).sum();
            agree(&what, &answer, 0.5 * dot(&r, &r) + penalty, 0.0, 0.5 * dot(&y, &y));
        }
    }
    for shape in SHAPES.into_iter().filter(|(rows, columns)| rows <= columns) {
        for (replicate, ratio) in [(0, 0.5), (1, 0.1), (2, 0.01)] {
            let (a, y) = instance(shape, replicate);
            let solver = BasisPursuitDenoising {
                tolerance: 1e-10,
                ..BasisPursuitDenoising::new(Radius::RatioOfNorm(ratio))
            };
            let epsilon = ratio * norm(&y);
            let mut program = Program::default();
            let u = program.unknowns(shape.1, 0.0, 1.0);
            let v = program.unknowns(shape.1, 0.0, 1.0);
            let within = std::iter::once((epsilon, Vec::new()));
            let rows: Vec<_> = within
                .chain((0..shape.0).map(|i| (y[i], row_terms(&a, i, &[(u, 1.0), (v, -1.0)]))))
                .collect();
            program.constrain(SupportedConeT::SecondOrderConeT(shape.0 + 1), rows);
            program.nonnegative(0, 2 * shape.1);
            let theirs = program.solve();
            let answer = solver.solve(&a, &y).unwrap();
            let what = format!("denoising {shape:?} {ratio}");
            assert_eq!(answer.status, Status::Converged, "{what}");
            let x = minus(&theirs[..shape.1], &theirs[shape.1..2 * shape.1]);
            // ‖x‖₁ ≥ νᵀA x = νᵀy − νᵀ(y − A x), and the residual may be longer than ε.
            let missed = norm(&minus(&y, &a.apply(&x).unwrap()));
            let excess = norm(gap(&answer).1) * (missed - epsilon).max(0.0);
            agree(&what, &answer, length(&x), excess, answer.objective);
        }
    }
}
