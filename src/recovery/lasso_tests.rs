use super::*;
use crate::error::Error;
use crate::operators::{DenseOperator, GaussianEnsemble};
use crate::recovery::reference;
use crate::seed::Seed;
use nalgebra::{DMatrix, dmatrix};
use proptest::prelude::*;

/// The duality gap at an answer, with nothing but loops over the entries.
fn gap_by_loops(a: &DMatrix<f64>, y: &[f64], lambda: f64, answer: &Recovery) -> f64 {
    let Certificate::DualityGap { dual, .. } = &answer.certificate else {
        panic!("certificate of the LASSO")
    };
    let (m, n) = a.shape();
    let mut primal = 0.0;
    let mut dual_value = 0.0;
    for i in 0..m {
        let mut fit = 0.0;
        for j in 0..n {
            fit += a[(i, j)] * answer.x[j];
        }
        primal += 0.5 * (y[i] - fit) * (y[i] - fit);
        dual_value += 0.5 * y[i] * y[i] - 0.5 * (y[i] - dual[i]) * (y[i] - dual[i]);
    }
    for j in 0..n {
        primal += lambda * answer.x[j].abs();
        let mut correlation = 0.0;
        for i in 0..m {
            correlation += a[(i, j)] * dual[i];
        }
        // Feasible but for the rounding of an inner product of m terms.
        let size = a.column(j).norm() * norm(dual);
        assert!(
            correlation.abs() <= lambda + 4.0 * m as f64 * f64::EPSILON * size,
            "column {j}: {correlation}"
        );
    }
    assert!((primal - answer.objective).abs() <= 1e-12 * primal.max(1e-300));
    primal - dual_value
}

fn lasso(penalty: Penalty, tolerance: f64) -> Lasso {
    Lasso {
        tolerance,
        ..Lasso::new(penalty)
    }
}

#[test]
fn orthonormal_columns_give_the_soft_threshold() {
    let a = DenseOperator::new(DMatrix::identity(4, 4)).unwrap();
    let answer = Lasso::new(Penalty::Absolute(0.75))
        .solve(&a, &[1.0, -4.0, 0.5, 2.0])
        .unwrap();
    assert_eq!(answer.x, [0.25, -3.25, 0.0, 1.25]);
    assert_eq!(answer.status, Status::Converged);
}

#[test]
fn at_and_above_lambda_max_the_answer_is_zero_and_just_below_it_is_not() {
    let seed = Seed::root(5);
    let a = GaussianEnsemble { rows: 20, columns: 40 }.draw(&seed).unwrap();
    let y = reference::normal_vector(20, &seed);
    let largest = lambda_max(&a, &y).unwrap();
    for penalty in [
        Penalty::Absolute(largest),
        Penalty::Absolute(3.0 * largest),
        Penalty::RatioOfMax(1.0),
    ] {
        let answer = lasso(penalty, 1e-14).solve(&a, &y).unwrap();
        assert_eq!((answer.support.len(), answer.status), (0, Status::Converged));
        assert_eq!(answer.relative_gap(), Some(0.0));
    }
    let answer = lasso(Penalty::RatioOfMax(0.999), 1e-14).solve(&a, &y).unwrap();
    assert_eq!(answer.support.len(), 1);
}

#[test]
fn without_a_penalty_it_is_least_squares_tall_and_wide() {
    let seed = Seed::root(6);
    for (rows, columns) in [(30, 8), (8, 30)] {
        let a = GaussianEnsemble { rows, columns }.draw(&seed).unwrap();
        let y = reference::normal_vector(rows, &seed);
        let answer = lasso(Penalty::Absolute(0.0), 1e-12).solve(&a, &y).unwrap();
        let fit = reference::least_squares(a.matrix(), &y);
        let best = (nalgebra::DVector::from_column_slice(&y) - a.matrix() * fit).norm();
        assert_eq!(answer.status, Status::Converged);
        // Both residuals are within m ε κ ‖y‖ of the smallest; κ below 1e3 here.
        assert!((answer.residual_norm - best).abs() <= 30.0 * f64::EPSILON * 1e3 * norm(&y));
        assert!(answer.relative_gap().unwrap() <= 1e-12);
    }
}

#[test]
fn zero_columns_stay_out_and_repeated_columns_share_one_optimum() {
    let seed = Seed::root(7);
    let single = GaussianEnsemble { rows: 15, columns: 10 }.draw(&seed).unwrap();
    let y = reference::normal_vector(15, &seed);
    let mut doubled = DMatrix::zeros(15, 21);
    for j in 0..10 {
        doubled.set_column(2 * j, &single.matrix().column(j));
        doubled.set_column(2 * j + 1, &single.matrix().column(j));
    }
    let doubled = DenseOperator::new(doubled).unwrap();
    let solver = lasso(Penalty::RatioOfMax(0.05), 1e-12);
    let (one, two) = (solver.solve(&single, &y).unwrap(), solver.solve(&doubled, &y).unwrap());
    assert_eq!(two.status, Status::Converged);
    assert_eq!(two.x[20], 0.0);
    // Both objectives lie within their gaps above the common optimum.
    assert!((one.objective - two.objective).abs() <= 2e-12 * 0.5 * dot(&y, &y));
    for j in 0..10 {
        assert!(two.x[2 * j] * two.x[2 * j + 1] >= 0.0);
    }
}

#[test]
fn a_warm_start_ends_at_the_same_certified_point_in_fewer_gradients() {
    let seed = Seed::root(9);
    let a = GaussianEnsemble { rows: 60, columns: 300 }.draw(&seed).unwrap();
    let y = reference::normal_vector(60, &seed);
    let cold = lasso(Penalty::RatioOfMax(0.1), 1e-12);
    let first = cold.solve(&a, &y).unwrap();
    let warm = Lasso {
        start: Some(first.x.clone()),
        ..cold.clone()
    };
    let again = warm.solve(&a, &y).unwrap();
    assert!(again.iterations < first.iterations);
    assert!((again.objective - first.objective).abs() <= 2e-12 * 0.5 * dot(&y, &y));
    // A far start changes nothing either.
    let far = Lasso {
        start: Some(reference::normal_vector(300, &seed)),
        ..cold
    };
    let answer = far.solve(&a, &y).unwrap();
    assert_eq!(answer.status, Status::Converged);
    assert!((answer.objective - first.objective).abs() <= 2e-12 * 0.5 * dot(&y, &y));
}

#[test]
fn it_agrees_with_plain_proximal_gradient_steps() {
    let seed = Seed::root(10);
    let a = GaussianEnsemble { rows: 20, columns: 12 }.draw(&seed).unwrap();
    let y = reference::normal_vector(20, &seed);
    let lambda = 0.2 * lambda_max(&a, &y).unwrap();
    let answer = lasso(Penalty::Absolute(lambda), 1e-15).solve(&a, &y).unwrap();
    // The reference contracts by 1 − 1/κ(AᵀA) a step; κ is below 100 here, so 10⁴ steps leave rounding only.
    let slow = reference::ista(a.matrix(), &y, lambda, 10_000);
    // A gap of 1e-15·½‖y‖² bounds ½λ_min‖x − x*‖², with λ_min(AᵀA) above 1/100.
    let tolerance = (1e-15 * dot(&y, &y) * 100.0).sqrt() * 2.0;
    assert!(answer.x.iter().zip(&slow).all(|(u, v)| (u - v).abs() <= tolerance));
}

#[test]
fn coherent_columns_and_small_penalties_converge_to_their_tolerance() {
    let seed = Seed::root(11);
    let noise = GaussianEnsemble { rows: 50, columns: 120 }.draw(&seed).unwrap();
    // Neighbours correlate by 0.95.
    let mut a = noise.matrix().clone();
    for j in 1..120 {
        let column = a.column(j - 1) * 0.95 + noise.matrix().column(j) * (1.0f64 - 0.95 * 0.95).sqrt();
        a.set_column(j, &column);
    }
    let a = DenseOperator::new(a).unwrap();
    let y = reference::normal_vector(50, &seed);
    for ratio in [0.3, 0.03, 1e-3, 1e-5] {
        let answer = lasso(Penalty::RatioOfMax(ratio), 1e-10).solve(&a, &y).unwrap();
        assert_eq!(answer.status, Status::Converged, "{ratio}");
        let lambda = ratio * lambda_max(&a, &y).unwrap();
        assert!(gap_by_loops(a.matrix(), &y, lambda, &answer) <= 1.01e-10 * 0.5 * dot(&y, &y));
    }
}

#[test]
fn penalties_that_are_not_numbers_and_misfitting_starts_are_refused() {
    let a = DenseOperator::new(dmatrix![1.0, 2.0]).unwrap();
    for penalty in [
        Penalty::Absolute(-1.0),
        Penalty::RatioOfMax(f64::NAN),
        Penalty::Absolute(f64::INFINITY),
    ] {
        assert!(matches!(
            Lasso::new(penalty).solve(&a, &[1.0]),
            Err(Error::Argument { .. })
        ));
    }
    let bad = Lasso {
        start: Some(vec![1.0]),
        ..Lasso::new(Penalty::Absolute(1.0))
    };
    assert!(matches!(bad.solve(&a, &[1.0]), Err(Error::Shape { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_reported_gap_is_the_gap_and_meets_the_tolerance(
        number in 0u64..1_000_000,
        rows in 1usize..12,
        columns in 1usize..30,
        ratio in 0.001f64..1.2,
    ) {
        let seed = Seed::root(number);
        let a = GaussianEnsemble { rows, columns }.draw(&seed).unwrap();
        let y = reference::normal_vector(rows, &seed);
        let lambda = ratio * lambda_max(&a, &y).unwrap();
        let answer = lasso(Penalty::Absolute(lambda), 1e-10).solve(&a, &y).unwrap();
        let half_square = 0.5 * dot(&y, &y);
        let Certificate::DualityGap { gap, scale, .. } = answer.certificate else { panic!("certificate") };
        prop_assert_eq!(answer.status, Status::Converged);
        prop_assert!((scale / half_square - 1.0).abs() <= 1e-14);
        let by_loops = gap_by_loops(a.matrix(), &y, lambda, &answer);
        // By loops the gap is a difference of numbers of size ½‖y‖², each rounded about m + n times.
        prop_assert!((by_loops - gap).abs() <= 4.0 * (rows + columns) as f64 * f64::EPSILON * half_square);
        prop_assert!(gap <= 1e-10 * half_square);
    }
}

#[test]
fn the_reported_gap_is_the_gap_on_the_way_as_well() {
    // At the optimum every way to compute the gap gives zero: stopped early it is large, and each of its parts counts.
    for (limit, ratio) in [(1, 0.3), (2, 0.05), (3, 0.01)] {
        let seed = Seed::root(31).replicate(limit as u64);
        let a = GaussianEnsemble { rows: 60, columns: 600 }.draw(&seed).unwrap();
        let y = reference::normal_vector(60, &seed);
        let lambda = ratio * lambda_max(&a, &y).unwrap();
        let solver = Lasso {
            max_iterations: limit,
            ..lasso(Penalty::Absolute(lambda), 0.0)
        };
        let answer = solver.solve(&a, &y).unwrap();
        let Certificate::DualityGap { gap, .. } = answer.certificate else {
            panic!("certificate of the LASSO")
        };
        let half_square = 0.5 * dot(&y, &y);
        assert!(gap > 1e-4 * half_square, "{limit}: {gap}");
        let by_loops = gap_by_loops(a.matrix(), &y, lambda, &answer);
        assert!((by_loops - gap).abs() <= 4.0 * 660.0 * f64::EPSILON * half_square);
    }
}
