use super::*;
use crate::linalg::norm;
use crate::operators::{DenseOperator, GaussianEnsemble};
use crate::outcome::Status;
use crate::recovery::Certificate;
use crate::recovery::reference;
use crate::seed::Seed;
use nalgebra::DMatrix;
use nalgebra::{DVector, dmatrix};
use proptest::prelude::*;

fn solver(penalty: Penalty, tolerance: f64) -> LogisticLasso {
    LogisticLasso {
        tolerance,
        ..LogisticLasso::new(penalty)
    }
}

/// A Gaussian operator and labels that follow three of its columns, with noise.
fn instance(rows: usize, columns: usize, seed: &Seed) -> (DenseOperator, Vec<f64>) {
    let a = GaussianEnsemble { rows, columns }.draw(seed).unwrap();
    let mut x = vec![0.0; columns];
    x.iter_mut().take(3).for_each(|v| *v = 3.0);
    let fit = a.apply(&x).unwrap();
    let noise = reference::normal_vector(rows, seed);
    (a, fit.iter().zip(noise).map(|(f, e)| 1.0f64.copysign(f + e)).collect())
}

/// Primal minus dual value at an answer by plain formulas, after checking feasibility.
fn gap_by_loops(a: &DMatrix<f64>, y: &[f64], lambda: f64, answer: &Recovery) -> f64 {
    let Certificate::DualityGap { dual, .. } = &answer.certificate else {
        panic!("certificate of the logistic LASSO")
    };
    let (mut primal, mut entropy) = (0.0, 0.0);
    for i in 0..a.nrows() {
        let fit: f64 = (0..a.ncols()).map(|j| a[(i, j)] * answer.x[j]).sum();
        primal += (1.0 + (-y[i] * fit).exp()).ln();
        let doubt = dual[i] * y[i];
        assert!((0.0..=1.0).contains(&doubt));
        for part in [doubt, 1.0 - doubt] {
            entropy -= if part > 0.0 { part * part.ln() } else { 0.0 };
        }
    }
    for j in 0..a.ncols() {
        primal += lambda * answer.x[j].abs();
        let correlation: f64 = (0..a.nrows()).map(|i| a[(i, j)] * dual[i]).sum();
        let rounding = 4.0 * a.nrows() as f64 * f64::EPSILON * a.column(j).norm() * norm(dual);
        assert!(correlation.abs() <= lambda + rounding, "column {j}: {correlation}");
    }
    assert!((primal - answer.objective).abs() <= 1e-12 * primal);
    primal - entropy
}

#[test]
fn one_measurement_a_column_and_one_column_have_their_closed_forms() {
    let lambda = 0.2;
    let identity = DenseOperator::new(DMatrix::identity(3, 3)).unwrap();
    let answer = solver(Penalty::Absolute(lambda), 1e-15)
        .solve(&identity, &[1.0, -1.0, 1.0])
        .unwrap();
    assert_eq!(answer.status, Status::Converged);
    // ½·0.16·(x − x*)² is at most the gap, near the optimum.
    let reach = (2.0 * 1e-15 * 3.0 / 0.1f64).sqrt();
    for (x, sign) in answer.x.iter().zip([1.0, -1.0, 1.0]) {
        assert!((x - sign * ((1.0 - lambda) / lambda).ln()).abs() <= reach);
    }
    // Three labels of one sign and one of the other: 3θ − (1 − θ) = λ, x = log((1 − θ)/θ).
    let ones = DenseOperator::new(DMatrix::from_element(4, 1, 1.0)).unwrap();
    let answer = solver(Penalty::Absolute(lambda), 1e-15)
        .solve(&ones, &[1.0, 1.0, -1.0, 1.0])
        .unwrap();
    let doubt: f64 = (1.0 + lambda) / 4.0;
    assert!((answer.x[0] - ((1.0 - doubt) / doubt).ln()).abs() <= reach);
}

#[test]
fn at_and_above_lambda_max_the_answer_is_zero_and_just_below_it_is_not() {
    let (a, y) = instance(30, 50, &Seed::root(51));
    let largest = LogisticLasso::lambda_max(&a, &y).unwrap();
    for penalty in [Penalty::Absolute(largest), Penalty::RatioOfMax(2.0)] {
        let answer = solver(penalty, 1e-14).solve(&a, &y).unwrap();
        assert_eq!((answer.support.len(), answer.status), (0, Status::Converged));
        assert_eq!(answer.relative_gap(), Some(0.0));
        // Equal doubts of one half.
        assert!((answer.objective - 30.0 * 2f64.ln()).abs() <= 1e-13);
    }
    let answer = solver(Penalty::RatioOfMax(0.999), 1e-14).solve(&a, &y).unwrap();
    assert_eq!(answer.support.len(), 1);
}

#[test]
fn it_agrees_with_plain_proximal_gradient_steps() {
    let (a, y) = instance(40, 12, &Seed::root(52));
    let lambda = 0.1 * LogisticLasso::lambda_max(&a, &y).unwrap();
    let answer = solver(Penalty::Absolute(lambda), 1e-15).solve(&a, &y).unwrap();
    // The second derivative of the loss is at most ¼‖A‖².
    let step = 4.0 / a.matrix().clone().svd(false, false).singular_values[0].powi(2);
    let mut x = DVector::zeros(12);
    for _ in 0..20_000 {
        let fit = a.matrix() * &x;
        let pull = DVector::from_iterator(40, fit.iter().zip(&y).map(|(f, y)| y / (1.0 + (y * f).exp())));
        x = (x + a.matrix().transpose() * pull * step).map(|v: f64| (v.abs() - step * lambda).max(0.0) * v.signum());
    }
    // A gap of 1e-15·m log 2 bounds ½μ‖x − x*‖² with the least curvature μ of the loss, above 1e-3 here.
    let tolerance = 2.0 * (2.0 * 1e-15 * 40.0 / 1e-3f64).sqrt();
    assert!(answer.x.iter().zip(x.iter()).all(|(u, v)| (u - v).abs() <= tolerance));
}

#[test]
fn separable_labels_converge_for_every_penalty_and_without_one_to_the_infimum() {
    let seed = Seed::root(53);
    // More columns than rows: every labelling is separable.
    let a = GaussianEnsemble { rows: 20, columns: 60 }.draw(&seed).unwrap();
    let y: Vec<f64> = reference::normal_vector(20, &seed)
        .iter()
        .map(|v| 1.0f64.copysign(*v))
        .collect();
    for ratio in [1e-2, 1e-5, 1e-9, 0.0] {
        let answer = solver(Penalty::RatioOfMax(ratio), 1e-9).solve(&a, &y).unwrap();
        assert_eq!(answer.status, Status::Converged, "{ratio}");
        assert!(answer.relative_gap().unwrap() <= 1e-9 && answer.x.iter().all(|v| v.is_finite()));
    }
    let answer = solver(Penalty::Absolute(0.0), 1e-9).solve(&a, &y).unwrap();
    assert!(answer.objective <= 1e-9 * 20.0 * 2f64.ln());
    // Nothing can prove a loss of exactly 0.
    let exact = LogisticLasso {
        max_iterations: 20,
        ..solver(Penalty::Absolute(0.0), 0.0)
    };
    let answer = exact.solve(&a, &y).unwrap();
    assert!(!answer.status.is_success() && answer.x.iter().all(|v| v.is_finite()));
}

#[test]
fn without_a_penalty_overlapping_labels_have_their_likelihood_equations_solved() {
    let (a, y) = instance(60, 4, &Seed::root(54));
    let answer = solver(Penalty::Absolute(0.0), 1e-12).solve(&a, &y).unwrap();
    assert_eq!(answer.status, Status::Converged);
    let fit = a.apply(&answer.x).unwrap();
    let pull: Vec<f64> = fit.iter().zip(&y).map(|(f, y)| y / (1.0 + (y * f).exp())).collect();
    // Up to the rounding of sums of 60 terms of size 1, whose factors are margins of a few ten roundings.
    assert!(
        a.adjoint(&pull)
            .unwrap()
            .iter()
            .all(|c| c.abs() <= 64.0 * 60.0 * f64::EPSILON * 60.0)
    );
}

#[test]
fn labels_other_than_plus_and_minus_one_are_refused_and_one_class_is_not() {
    let a = DenseOperator::new(dmatrix![1.0, 2.0; 3.0, -1.0]).unwrap();
    for bad in [0.0, 2.0, -1.5] {
        let error = solver(Penalty::Absolute(1.0), 1e-8).solve(&a, &[1.0, bad]).unwrap_err();
        assert!(error.to_string().contains("label 1"), "{error}");
    }
    let answer = solver(Penalty::RatioOfMax(0.1), 1e-8).solve(&a, &[1.0, 1.0]).unwrap();
    assert_eq!(answer.status, Status::Converged);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_reported_gap_is_the_gap_and_meets_the_tolerance(
        number in 0u64..1_000_000,
        rows in 1usize..30,
        columns in 1usize..30,
        ratio in 0.001f64..1.2,
    ) {
        let (a, y) = instance(rows, columns.max(3), &Seed::root(number));
        let lambda = ratio * LogisticLasso::lambda_max(&a, &y).unwrap();
        let answer = solver(Penalty::Absolute(lambda), 1e-10).solve(&a, &y).unwrap();
        prop_assert_eq!(answer.status, Status::Converged);
        let Certificate::DualityGap { gap, scale, .. } = answer.certificate else { panic!("certificate") };
        prop_assert!(gap <= 1e-10 * scale);
        let by_loops = gap_by_loops(a.matrix(), &y, lambda, &answer);
        // By loops the gap is a difference of sums of m + n terms, the larger of them at most the scale.
        prop_assert!((by_loops - gap).abs() <= 8.0 * (rows + columns + 3) as f64 * f64::EPSILON * scale);
    }
}
