//! What every method without a penalty must do besides: those that pick columns, threshold, or pass messages.

use super::conformance::{COLUMNS, NONZEROS, ROWS, distance, instance, solver};
use super::*;
use crate::linalg::norm;
use crate::operators::{DenseOperator, GaussianEnsemble};
use crate::seed::Seed;

/// The solvers of squared residuals whose options bound the support or a noise level instead of weighing a penalty.
fn pursuits() -> impl Iterator<Item = &'static SolverEntry> {
    SOLVERS
        .iter()
        .filter(|entry| entry.options.iter().any(|o| o.name == "max-support") || ["amp", "vamp"].contains(&entry.name))
}

#[test]
fn the_order_of_the_columns_does_not_matter() {
    let (a, x, y) = instance();
    // 90 and 37 have no common factor.
    let place: Vec<usize> = (0..COLUMNS).map(|j| (37 * j + 11) % COLUMNS).collect();
    let permuted = DenseOperator::new(a.matrix().select_columns(&place)).unwrap();
    for entry in pursuits() {
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
    for entry in pursuits() {
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
    for entry in pursuits() {
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

#[test]
fn a_support_that_cannot_be_independent_is_fitted_as_well_as_its_span_allows() {
    let (base, _, _) = instance();
    let mut matrix = base.matrix().columns(0, 12).into_owned();
    let (copy, sum) = (matrix.column(0) * -2.0, matrix.column(1) + matrix.column(3));
    matrix.set_column(5, &copy);
    matrix.set_column(7, &sum);
    matrix.column_mut(2).fill(0.0);
    matrix.column_mut(11).fill(0.0);
    // Ten columns are not zero, and these eight of them span the rest.
    let independent = matrix.select_columns(&[0, 1, 3, 4, 6, 8, 9, 10]);
    let a = DenseOperator::new(matrix).unwrap();
    let y = reference::normal_vector(ROWS, &Seed::root(24));
    let best = &independent * reference::least_squares(&independent, &y);
    let least = distance(best.as_slice(), &y);
    for name in ["omp", "ols", "htp", "cosamp", "subspace-pursuit"] {
        let given = [("max-support", "10")];
        let answer = find(name).unwrap().build(given).unwrap().solve(&a, &y).unwrap();
        assert!(answer.x.iter().all(|v| v.is_finite()), "{name}");
        assert!(answer.x[2] == 0.0 && answer.x[11] == 0.0, "{name}");
        assert_eq!(answer.support.len(), 8, "{name}: {:?}", answer.support);
        // Eight Gaussian columns of 60 entries have a condition below 10: sums of 60 terms in each of eight values.
        let bound = 8.0 * ROWS as f64 * 10.0 * f64::EPSILON * norm(&y);
        assert!((answer.residual_norm - least).abs() <= bound, "{name}");
        assert!(
            answer.residual_norm > 0.1 * norm(&y) && answer.status != Status::ResidualReached,
            "{name}"
        );
    }
}

#[test]
fn an_operator_far_longer_than_one_is_inverted_or_said_to_diverge() {
    let (a, x, y) = instance();
    let long = DenseOperator::new(a.matrix() * 4.0).unwrap();
    for entry in pursuits() {
        let answer = solver(entry).solve(&long, &y).unwrap();
        assert!(answer.x.iter().all(|v| v.is_finite()), "{}", entry.name);
        // The unit step is for operators near length 1.
        if entry.name == "iht" {
            assert_eq!(answer.status, Status::Diverged);
            continue;
        }
        assert!(answer.status.is_success(), "{}: {}", entry.name, answer.status);
        let scaled: Vec<f64> = answer.x.iter().map(|v| 4.0 * v).collect();
        // The project's criterion of success in a phase diagram.
        assert!(distance(&scaled, &x) <= 1e-4 * norm(&x), "{}", entry.name);
    }
}
