//! What every solver of the list must do.

use super::reference::planted;
use super::*;
use crate::error::Error;
use crate::linalg::norm;
use crate::operators::{DenseOperator, GaussianEnsemble, MatrixFree};
use crate::outcome::Progress;
use crate::seed::Seed;

/// A small problem with the answers of scikit-learn 1.9.1 (NumPy 2.4.6), made by
///
/// ```python
/// A = np.array([[((i*i*3 + 5*i*j + 7*j*j + 2*j) % 19) - 9 for j in range(12)] for i in range(8)], float)
/// y = np.array([((11*i*i + 4*i) % 23) - 11 for i in range(8)], float)
/// lam = ratio * np.abs(A.T @ y).max()  # scikit-learn's objective is 1/(2n) ‖y − A x‖² + alpha ‖x‖₁, n = 8
/// Lasso(alpha=lam/8, fit_intercept=False, tol=1e-15, max_iter=10**7).fit(A, y).coef_
/// norms = np.linalg.norm(A, axis=0)
/// OrthogonalMatchingPursuit(n_nonzero_coefs=4, fit_intercept=False).fit(A/norms, y).coef_ / norms
/// ```
mod golden {
    use super::*;

    fn problem() -> (DenseOperator, Vec<f64>) {
        let entry = |i: usize, j: usize| ((3 * i * i + 5 * i * j + 7 * j * j + 2 * j) % 19) as f64 - 9.0;
        let a = DenseOperator::new(DMatrix::from_fn(8, 12, entry)).unwrap();
        (a, (0..8).map(|i| ((11 * i * i + 4 * i) % 23) as f64 - 11.0).collect())
    }

    fn dense(nonzeros: &[(usize, f64)]) -> Vec<f64> {
        let mut x = vec![0.0; 12];
        nonzeros.iter().for_each(|&(j, v)| x[j] = v);
        x
    }

    #[test]
    fn the_lasso_agrees_with_scikit_learn() {
        let (a, y) = problem();
        assert_eq!(lambda_max(&a, &y).unwrap(), 263.0);
        for (ratio, nonzeros) in [
            (0.5, &[(10, -0.35444743935309975)][..]),
            (
                0.1,
                &[
                    (0, 0.06739193454874096),
                    (2, -0.6359973290254191),
                    (4, 0.8074057601871261),
                    (5, -0.21021932715226418),
                    (7, 0.04036206819657162),
                    (10, -0.1127784329952003),
                ],
            ),
            (
                0.01,
                &[
                    (0, 0.10131927402254179),
                    (2, -1.4432229819712565),
                    (3, -0.13827329239863462),
                    (4, 1.1614496710761435),
                    (5, -0.22472357009664534),
                    (7, 0.19333469757940613),
                    (8, -0.346101123708224),
                    (11, -0.03719407761499391),
                ],
            ),
        ] {
            let lasso = Lasso {
                tolerance: 1e-15,
                ..Lasso::new(Penalty::RatioOfMax(ratio))
            };
            let answer = lasso.solve(&a, &y).unwrap();
            let expected = dense(nonzeros);
            assert_eq!(
                answer.support,
                nonzeros.iter().map(|n| n.0).collect::<Vec<_>>(),
                "{ratio}"
            );
            // Both stop at a gap near rounding, 2e-13; on the support, where λ_min(A_SᵀA_S) exceeds 1, that bounds the
            // distance of each from the optimum by √(2·2e-13) < 1e-6; they agree far better as both solve exactly.
            assert!(
                distance(&answer.x, &expected) <= 1e-6,
                "{ratio}: {}",
                distance(&answer.x, &expected)
            );
        }
    }

    #[test]
    fn omp_agrees_with_scikit_learn_on_unit_columns() {
        let (a, y) = problem();
        let omp = Omp {
            max_support: Some(4),
            ..Omp::default()
        };
        let expected = dense(&[
            (2, -1.2411047902662775),
            (4, 1.2540464055426745),
            (5, -0.33973932497126763),
            (10, 0.0849425092561689),
        ]);
        let answer = omp.solve(&a, &y).unwrap();
        // Two least squares solutions with a condition below 100.
        assert!(distance(&answer.x, &expected) <= 100.0 * 8.0 * f64::EPSILON * norm(&expected));
    }

    /// The same problem, and made by
    ///
    /// ```python
    /// lam, mu = 0.1 * np.abs(A.T @ y).max(), 20.0
    /// ElasticNet(alpha=(lam+mu)/8, l1_ratio=lam/(lam+mu), fit_intercept=False, tol=1e-15, max_iter=10**7).fit(A, y).coef_
    /// lam = 0.1 * (A.T @ y).max()
    /// Lasso(alpha=lam/8, positive=True, fit_intercept=False, tol=1e-15, max_iter=10**7).fit(A, y).coef_
    /// ```
    #[test]
    fn the_elastic_net_and_the_nonnegative_lasso_agree_with_scikit_learn() {
        let (a, y) = problem();
        let net = ElasticNet {
            tolerance: 1e-15,
            ..ElasticNet::new(Penalty::RatioOfMax(0.1), 20.0)
        };
        let expected = dense(&[
            (0, 0.03921290963085985),
            (2, -0.32547485722378),
            (4, 0.49943358901116763),
            (5, -0.16548692732858966),
            (7, 0.11672280936842191),
            (9, -0.1073621788423302),
            (10, -0.27090215715215604),
        ]);
        let answer = net.solve(&a, &y).unwrap();
        // Strong convexity with modulus 20: both gaps, near 2e-13, bound the distance by 2√(2·2e-13/20) < 1e-6.
        assert!(
            distance(&answer.x, &expected) <= 1e-6,
            "{}",
            distance(&answer.x, &expected)
        );
        assert!((answer.objective - 76.4654920772985).abs() <= 1e-12 * 76.5);

        assert_eq!(NonnegativeLasso::lambda_max(&a, &y).unwrap(), 184.0);
        let positive = NonnegativeLasso {
            tolerance: 1e-15,
            ..NonnegativeLasso::new(Penalty::RatioOfMax(0.1))
        };
        let expected = dense(&[
            (0, 0.5230572715241791),
            (3, 0.17973460362330074),
            (4, 0.822091704371997),
            (7, 0.16964493912909306),
        ]);
        let answer = positive.solve(&a, &y).unwrap();
        // As for the LASSO above.
        assert!(
            distance(&answer.x, &expected) <= 1e-6,
            "{}",
            distance(&answer.x, &expected)
        );
    }

    /// The same matrix, labels `b = sign(y)` with `sign(0) = 1`, and scikit-learn's
    ///
    /// ```python
    /// lam = 0.2 * 0.5 * np.abs(A.T @ b).max()
    /// LogisticRegression(penalty='l1', C=1/lam, solver='liblinear', fit_intercept=False, tol=1e-14, max_iter=10**6).fit(A, b)
    /// ```
    ///
    /// whose objective there is 3.554100023420073.
    #[test]
    fn the_logistic_lasso_agrees_with_scikit_learn() {
        let (a, y) = problem();
        let labels: Vec<f64> = y.iter().map(|v| if *v >= 0.0 { 1.0 } else { -1.0 }).collect();
        assert_eq!(LogisticLasso::lambda_max(&a, &labels).unwrap(), 19.5);
        let solver = LogisticLasso {
            tolerance: 1e-15,
            ..LogisticLasso::new(Penalty::RatioOfMax(0.2))
        };
        let answer = solver.solve(&a, &labels).unwrap();
        assert_eq!(answer.support, [4, 7, 9, 10]);
        // Both objectives are within rounding, some ten terms, of the optimum.
        assert!(
            (answer.objective - 3.554100023420073).abs() <= 1e-13,
            "{}",
            answer.objective
        );
        let expected = dense(&[
            (4, 0.18244058694574666),
            (7, 0.054866980117513106),
            (9, -0.11834307891497214),
            (10, -0.10727224370780433),
        ]);
        // An objective within 1e-14 of the optimum, with curvatures above 1, bounds the distance by √(2e-14).
        assert!(
            distance(&answer.x, &expected) <= 2e-7,
            "{}",
            distance(&answer.x, &expected)
        );
    }

    /// The same problem with four groups of three, and skglm 0.5's
    ///
    /// ```python
    /// w = np.sqrt(3.0) * np.ones(4)
    /// lam = 0.3 * max(np.linalg.norm(A[:, 3*g:3*g+3].T @ y) / w[g] for g in range(4))
    /// GroupLasso(groups=3, alpha=lam/8, weights=w, fit_intercept=False, tol=1e-14, max_iter=10000, max_epochs=100000).fit(A, y)
    /// ```
    ///
    /// whose objective there is 117.63819110863417.
    #[test]
    fn the_group_lasso_agrees_with_skglm() {
        let (a, y) = problem();
        let solver = GroupLasso {
            tolerance: 1e-15,
            ..GroupLasso::new(Penalty::RatioOfMax(0.3), Grouping::Consecutive(3))
        };
        let largest = solver.lambda_max(&a, &y).unwrap();
        assert!((largest - 167.9573358524916).abs() <= 1e-12 * 168.0);
        let answer = solver.solve(&a, &y).unwrap();
        assert!(
            (answer.objective - 117.63819110863417).abs() <= 1e-12 * 118.0,
            "{}",
            answer.objective
        );
        let expected = dense(&[
            (3, 0.003969153724362838),
            (4, 0.16827184135222648),
            (5, -0.1022455650530458),
            (9, -0.16977281166861474),
            (10, -0.3674038661433709),
            (11, 0.013865076358966806),
        ]);
        assert_eq!(answer.support, [3, 4, 5, 9, 10, 11]);
        // As for the LASSO above.
        assert!(
            distance(&answer.x, &expected) <= 1e-6,
            "{}",
            distance(&answer.x, &expected)
        );
    }
}

pub(super) const ROWS: usize = 60;
pub(super) const COLUMNS: usize = 90;
pub(super) const NONZEROS: usize = 4;

pub(super) fn solver(entry: &SolverEntry) -> Box<dyn Solver> {
    let options = (entry.for_planted)(NONZEROS);
    entry
        .build(options.iter().map(|(name, value)| (*name, value.as_str())))
        .unwrap()
}

/// A Gaussian operator that every method can invert, and what it measures of a planted vector.
pub(super) fn instance() -> (DenseOperator, Vec<f64>, Vec<f64>) {
    let seed = Seed::root(20);
    let a = GaussianEnsemble {
        rows: ROWS,
        columns: COLUMNS,
    }
    .draw(&seed)
    .unwrap();
    let x = planted(COLUMNS, NONZEROS, &seed);
    let y = a.apply(&x).unwrap();
    (a, x, y)
}

/// The instance as the solver's model sees it: of the planted vector's absolute values, or of the signs of the
/// measurements.
fn instance_for(solver: &dyn Solver) -> (DenseOperator, Vec<f64>, Vec<f64>) {
    let (a, mut x, mut y) = instance();
    match solver.model() {
        Model::Linear => {}
        Model::NonnegativeLinear => {
            x.iter_mut().for_each(|v| *v = v.abs());
            y = a.apply(&x).unwrap();
        }
        Model::Labels => y.iter_mut().for_each(|v| *v = 1.0f64.copysign(*v)),
    }
    (a, x, y)
}

/// Entries whose data may be any numbers.
fn with_measurements() -> impl Iterator<Item = &'static SolverEntry> {
    SOLVERS.iter().filter(|entry| solver(entry).model() != Model::Labels)
}

pub(super) fn distance(u: &[f64], v: &[f64]) -> f64 {
    norm(&u.iter().zip(v).map(|(u, v)| u - v).collect::<Vec<_>>())
}

#[test]
fn every_name_is_unique_and_is_the_solver_s_own() {
    for (i, entry) in SOLVERS.iter().enumerate() {
        assert_eq!(solver(entry).name(), entry.name);
        assert!(SOLVERS[..i].iter().all(|other| other.name != entry.name));
    }
}

#[test]
fn a_planted_vector_is_recovered_from_a_stored_and_from_a_matrix_free_operator() {
    for entry in SOLVERS {
        let (a, x, y) = instance_for(solver(entry).as_ref());
        let free = MatrixFree::wrapping(&a);
        let stored = solver(entry).solve(&a, &y).unwrap();
        let wrapped = solver(entry).solve(&free, &y).unwrap();
        for answer in [&stored, &wrapped] {
            assert!(answer.status.is_success(), "{}: {}", entry.name, answer.status);
            // The project's criterion of success in a phase diagram; labels do not determine the vector.
            let recovered = distance(&answer.x, &x) <= 1e-4 * norm(&x);
            assert!(recovered || solver(entry).model() == Model::Labels, "{}", entry.name);
            assert!(answer.iterations > 0 && answer.applications > 0.0);
        }
        // Both stop within their own tolerance of the same point; 1e-8 is a hundred times the loosest of them.
        assert!(distance(&stored.x, &wrapped.x) <= 1e-8 * norm(&x), "{}", entry.name);
    }
}

#[test]
fn support_and_residual_are_those_of_the_answer() {
    for entry in SOLVERS {
        let (a, _, mut y) = instance_for(solver(entry).as_ref());
        if solver(entry).model() != Model::Labels {
            y.iter_mut()
                .enumerate()
                .for_each(|(i, v)| *v += 0.05 * ((7 * i) % 5) as f64);
        }
        let answer = solver(entry).solve(&a, &y).unwrap();
        let nonzeros: Vec<usize> = (0..COLUMNS).filter(|&j| answer.x[j] != 0.0).collect();
        assert_eq!(answer.support, nonzeros, "{}", entry.name);
        let residual = distance(&a.apply(&answer.x).unwrap(), &y);
        // Two evaluations of one residual: m + n roundings of entries of size ‖y‖.
        let rounding = (ROWS + COLUMNS) as f64 * f64::EPSILON * norm(&y);
        assert!(
            (residual - answer.residual_norm).abs() <= 4.0 * rounding,
            "{}",
            entry.name
        );
        assert!(answer.objective.is_finite());
    }
}

#[test]
fn a_right_hand_side_that_does_not_fit_is_refused() {
    let (a, _, y) = instance();
    for entry in SOLVERS {
        let solver = solver(entry);
        assert!(
            matches!(solver.solve(&a, &y[1..]), Err(Error::Shape { .. })),
            "{}",
            entry.name
        );
        for bad in [f64::NAN, f64::INFINITY] {
            let mut spoiled = y.clone();
            spoiled[3] = bad;
            let error = solver.solve(&a, &spoiled).unwrap_err();
            assert!(matches!(error, Error::NotFinite { index: 3, .. }), "{}", entry.name);
        }
    }
}

#[test]
fn zero_data_give_zero_and_end_well() {
    let (a, _, _) = instance();
    for entry in with_measurements() {
        let answer = solver(entry).solve(&a, &[0.0; ROWS]).unwrap();
        assert!(
            answer.x.iter().all(|&v| v == 0.0) && answer.support.is_empty(),
            "{}",
            entry.name
        );
        assert!(answer.status.is_success(), "{}: {}", entry.name, answer.status);
        assert_eq!((answer.objective, answer.residual_norm), (0.0, 0.0), "{}", entry.name);
        assert!(matches!(answer.relative_gap(), None | Some(0.0)), "{}", entry.name);
    }
}

#[test]
fn an_observer_sees_every_iteration_and_can_stop_after_the_first() {
    for entry in SOLVERS {
        let (a, _, y) = instance_for(solver(entry).as_ref());
        let watched = |last: usize| {
            let mut seen = Vec::new();
            let mut observer = |p: &Progress| {
                seen.push(p.iteration);
                p.iteration < last
            };
            let answer = solver(entry)
                .solve_watched(&a, &y, &mut Watch::new(&mut observer))
                .unwrap();
            (answer, seen)
        };
        let (whole, seen) = watched(usize::MAX);
        assert_eq!(seen, (1..=whole.iterations).collect::<Vec<_>>(), "{}", entry.name);
        assert_eq!(whole, solver(entry).solve(&a, &y).unwrap(), "{}", entry.name);
        let (cut, seen) = watched(1);
        assert_eq!((cut.iterations, seen), (1, vec![1]), "{}", entry.name);
        assert!(
            cut.status == Status::Stopped || whole.iterations == 1,
            "{}: {}",
            entry.name,
            cut.status
        );
    }
}

#[test]
fn answers_scale_with_the_data_bit_for_bit_at_powers_of_two_even_at_the_ends_of_the_range() {
    // The LASSO's absolute penalty scales too; its ratio does so by itself.
    for entry in with_measurements() {
        let (a, _, y) = instance_for(solver(entry).as_ref());
        let answer = solver(entry).solve(&a, &y).unwrap();
        for exponent in [-700, -3, 5, 700] {
            let factor = 2.0f64.powi(exponent);
            let scaled: Vec<f64> = y.iter().map(|v| v * factor).collect();
            let other = solver(entry).solve(&a, &scaled).unwrap();
            let expected: Vec<f64> = answer.x.iter().map(|v| v * factor).collect();
            assert_eq!(other.x, expected, "{} at 2^{exponent}", entry.name);
            assert_eq!(other.status, answer.status, "{} at 2^{exponent}", entry.name);
        }
    }
}

#[test]
fn many_right_hand_sides_are_solved_as_one_by_one() {
    for entry in SOLVERS {
        let solver = solver(entry);
        let (a, _, y) = instance_for(solver.as_ref());
        let rhs = DMatrix::from_fn(ROWS, 2, |i, j| if j == 0 { y[i] } else { y[ROWS - 1 - i] });
        let together = solver.solve_many(&a, &rhs).unwrap();
        assert_eq!(together.len(), 2);
        for (j, answer) in together.iter().enumerate() {
            assert_eq!(
                answer,
                &solver.solve(&a, rhs.column(j).as_slice()).unwrap(),
                "{}",
                entry.name
            );
        }
    }
}

#[test]
fn with_few_columns_the_sparsest_fit_is_the_one_found_by_trying_every_support() {
    let seed = Seed::root(21);
    let a = GaussianEnsemble { rows: 8, columns: 12 }.draw(&seed).unwrap();
    // Of one sign, so that it is also the sparsest nonnegative one.
    let x: Vec<f64> = planted(12, 2, &seed).iter().map(|v| v.abs()).collect();
    let y = a.apply(&x).unwrap();
    let (support, residual) = reference::exhaustive_l0(a.matrix(), &y, 2);
    assert!(residual <= 1e-12 * norm(&y));
    // A penalty leaves traces of other columns; message passing solves a penalised problem as well.
    let penalised = |entry: &&SolverEntry| {
        entry.options.iter().any(|o| o.name == "lambda-ratio") || ["amp", "vamp"].contains(&entry.name)
    };
    for entry in with_measurements().filter(|entry| !penalised(entry)) {
        let options = (entry.for_planted)(2);
        let solver = entry
            .build(options.iter().map(|(name, value)| (*name, value.as_str())))
            .unwrap();
        let answer = solver.solve(&a, &y).unwrap();
        let large: Vec<usize> = (0..12).filter(|&j| answer.x[j].abs() > 1e-6).collect();
        // The unit step need not contract on so few rows; then it must say so.
        assert!(
            large == support || !answer.status.is_success(),
            "{}: {large:?} {support:?}",
            entry.name
        );
        assert!(
            large == support || entry.name == "iht" || entry.name == "niht",
            "{}",
            entry.name
        );
    }
}

/// The answer's gap, and what it is relative to.
fn certified(answer: &Recovery) -> Option<(f64, f64)> {
    match answer.certificate {
        Certificate::DualityGap { gap, scale, .. } => Some((gap, scale)),
        _ => None,
    }
}

#[test]
fn an_optimum_does_not_depend_on_the_order_of_rows_and_columns() {
    for entry in SOLVERS {
        let solver = solver(entry);
        let (a, _, y) = instance_for(solver.as_ref());
        // Backwards, which keeps consecutive groups together.
        let turned = DMatrix::from_fn(ROWS, COLUMNS, |i, j| a.matrix()[(ROWS - 1 - i, COLUMNS - 1 - j)]);
        let backwards: Vec<f64> = y.iter().rev().copied().collect();
        let one = solver.solve(&a, &y).unwrap();
        let other = solver.solve(&DenseOperator::new(turned).unwrap(), &backwards).unwrap();
        // Which of two conditions for an end is met first may hang on the last digit.
        assert_eq!(one.status.is_success(), other.status.is_success(), "{}", entry.name);
        let (Some((gap, scale)), Some((other_gap, _))) = (certified(&one), certified(&other)) else {
            continue;
        };
        // Both values lie within their gaps above the optimum, and are sums of m + n rounded terms.
        let rounding = 4.0 * (ROWS + COLUMNS) as f64 * f64::EPSILON * scale;
        let difference = (one.objective - other.objective).abs();
        assert!(
            difference <= gap.max(other_gap) + rounding,
            "{}: {difference}",
            entry.name
        );
    }
}

#[test]
fn zero_and_repeated_columns_and_constant_data_end_honestly() {
    for entry in SOLVERS {
        let solver = solver(entry);
        let (a, _, y) = instance_for(solver.as_ref());
        let mut matrix = a.matrix().clone();
        matrix.column_mut(5).fill(0.0);
        let first = matrix.column(0).into_owned();
        (0..3).for_each(|j| matrix.set_column(30 + j, &first));
        let spoiled = DenseOperator::new(matrix).unwrap();
        for data in [y.as_slice(), &[1.0; ROWS]] {
            let answer = solver.solve(&spoiled, data).unwrap();
            assert_eq!(answer.x[5], 0.0, "{}", entry.name);
            assert!(
                answer.x.iter().all(|v| v.is_finite()) && answer.objective.is_finite(),
                "{}",
                entry.name
            );
            let Some((gap, scale)) = certified(&answer) else {
                continue;
            };
            assert!(gap >= 0.0, "{}: {gap}", entry.name);
            // The loosest tolerance among the options for planted vectors is 1e-8.
            assert!(
                !answer.status.is_success() || gap <= 1e-8 * scale,
                "{}: {gap} {}",
                entry.name,
                answer.status
            );
        }
    }
}
