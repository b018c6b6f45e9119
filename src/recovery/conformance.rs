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
}

const ROWS: usize = 60;
const COLUMNS: usize = 90;
const NONZEROS: usize = 4;

fn solver(entry: &SolverEntry) -> Box<dyn Solver> {
    let options = (entry.for_planted)(NONZEROS);
    entry
        .build(options.iter().map(|(name, value)| (*name, value.as_str())))
        .unwrap()
}

/// A Gaussian operator that every method can invert, and what it measures of a planted vector.
fn instance() -> (DenseOperator, Vec<f64>, Vec<f64>) {
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

fn distance(u: &[f64], v: &[f64]) -> f64 {
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
    let (a, x, y) = instance();
    let free = MatrixFree::wrapping(&a);
    for entry in SOLVERS {
        let stored = solver(entry).solve(&a, &y).unwrap();
        let wrapped = solver(entry).solve(&free, &y).unwrap();
        for answer in [&stored, &wrapped] {
            assert!(answer.status.is_success(), "{}: {}", entry.name, answer.status);
            // The project's criterion of success in a phase diagram.
            assert!(distance(&answer.x, &x) <= 1e-4 * norm(&x), "{}", entry.name);
            assert!(answer.iterations > 0 && answer.applications > 0.0);
        }
        // Both stop within their own tolerance of the same point; 1e-8 is a hundred times the loosest of them.
        assert!(distance(&stored.x, &wrapped.x) <= 1e-8 * norm(&x), "{}", entry.name);
    }
}

#[test]
fn support_and_residual_are_those_of_the_answer() {
    let (a, _, mut y) = instance();
    y.iter_mut()
        .enumerate()
        .for_each(|(i, v)| *v += 0.05 * ((7 * i) % 5) as f64);
    for entry in SOLVERS {
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
    for entry in SOLVERS {
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
    let (a, _, y) = instance();
    for entry in SOLVERS {
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
    let (a, _, y) = instance();
    // The LASSO's absolute penalty scales too; its ratio does so by itself.
    for entry in SOLVERS {
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
    let (a, _, y) = instance();
    let rhs = DMatrix::from_fn(ROWS, 2, |i, j| if j == 0 { y[i] } else { y[ROWS - 1 - i] });
    for entry in SOLVERS {
        let solver = solver(entry);
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
    let x = planted(12, 2, &seed);
    let y = a.apply(&x).unwrap();
    let (support, residual) = reference::exhaustive_l0(a.matrix(), &y, 2);
    assert!(residual <= 1e-12 * norm(&y));
    // What these promise is an optimum of their penalised objective, whose support is another.
    let penalised = ["lasso", "amp", "vamp"];
    for entry in SOLVERS.iter().filter(|entry| !penalised.contains(&entry.name)) {
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

#[test]
fn the_order_of_the_columns_does_not_matter() {
    let (a, x, y) = instance();
    // 90 and 37 have no common factor.
    let place: Vec<usize> = (0..COLUMNS).map(|j| (37 * j + 11) % COLUMNS).collect();
    let permuted = DenseOperator::new(a.matrix().select_columns(&place)).unwrap();
    for entry in SOLVERS {
        let (one, other) = (
            solver(entry).solve(&a, &y).unwrap(),
            solver(entry).solve(&permuted, &y).unwrap(),
        );
        let back: Vec<f64> = place.iter().map(|&j| one.x[j]).collect();
        // As for a stored and a matrix-free operator: both stop within their own tolerance of one point.
        assert!(distance(&other.x, &back) <= 1e-8 * norm(&x), "{}", entry.name);
    }
}

#[test]
fn repeated_zero_and_dependent_columns_with_constant_data_give_finite_honest_answers() {
    let (base, _, _) = instance();
    let mut matrix = base.matrix().columns(0, 12).into_owned();
    matrix.column_mut(2).fill(0.0);
    let (copy, sum) = (matrix.column(0) * -2.0, matrix.column(1) + matrix.column(3));
    matrix.set_column(5, &copy);
    matrix.set_column(7, &sum);
    matrix.column_mut(11).fill(0.0);
    let a = DenseOperator::new(matrix).unwrap();
    let y = vec![0.7; ROWS];
    for entry in SOLVERS {
        let answer = solver(entry).solve(&a, &y).unwrap();
        assert!(answer.x.iter().all(|v| v.is_finite()), "{}", entry.name);
        assert!(answer.x[2] == 0.0 && answer.x[11] == 0.0, "{}", entry.name);
        let residual = distance(&a.apply(&answer.x).unwrap(), &y);
        // Constant data are no combination of these columns: nobody may claim to have reached them, or basis pursuit to
        // have met its constraint.
        assert!(residual > 0.1 * norm(&y), "{}", entry.name);
        assert!(answer.status != Status::ResidualReached, "{}", entry.name);
        assert!(
            residual <= norm(&y) || !answer.status.is_success(),
            "{}: {residual} {}",
            entry.name,
            answer.status
        );
    }
}

#[test]
fn more_nonzeros_than_rows_are_unattainable_for_whoever_fits_them_by_least_squares() {
    let seed = Seed::root(22);
    let a = GaussianEnsemble { rows: 5, columns: 9 }.draw(&seed).unwrap();
    let y = reference::normal_vector(5, &seed);
    for entry in SOLVERS {
        let options = (entry.for_planted)(6);
        if !options.iter().any(|(name, _)| *name == "max-support") {
            continue;
        }
        let given = options.iter().map(|(name, value)| (*name, value.as_str()));
        let answer = entry.build(given).unwrap().solve(&a, &y).unwrap();
        assert!(answer.x.iter().all(|v| v.is_finite()), "{}", entry.name);
        // Thresholding without a fit asks for no independence.
        let thresholding = ["iht", "niht"].contains(&entry.name);
        assert!(
            thresholding || (answer.status == Status::Unattainable && answer.support.is_empty()),
            "{}: {}",
            entry.name,
            answer.status
        );
    }
}

#[test]
fn the_residual_of_a_fit_is_orthogonal_to_its_columns() {
    let (a, _, _) = instance();
    let y = reference::normal_vector(ROWS, &Seed::root(23));
    for name in ["omp", "ols", "htp", "subspace-pursuit"] {
        let answer = solver(find(name).unwrap()).solve(&a, &y).unwrap();
        assert_eq!(answer.support.len(), NONZEROS, "{name}");
        let r: Vec<f64> = a.apply(&answer.x).unwrap().iter().zip(&y).map(|(f, y)| y - f).collect();
        for &j in &answer.support {
            // Four Gaussian columns of 60 entries have a condition below 3: 2m roundings of size ‖y‖ and the solve's.
            let correlation: f64 = a.matrix().column(j).iter().zip(&r).map(|(a, r)| a * r).sum();
            let bound = 4.0 * ROWS as f64 * f64::EPSILON * norm(&y);
            assert!(correlation.abs() <= bound, "{name}: {correlation:e}");
        }
    }
}
