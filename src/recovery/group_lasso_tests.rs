use super::*;
use crate::operators::{DenseOperator, GaussianEnsemble};
use crate::outcome::Status;
use crate::recovery::Certificate;
use crate::recovery::{Lasso, lambda_max, reference};
use crate::seed::Seed;
use nalgebra::DMatrix;
use nalgebra::{DVector, dmatrix};
use proptest::prelude::*;

fn solver(penalty: Penalty, groups: Grouping, tolerance: f64) -> GroupLasso {
    GroupLasso {
        tolerance,
        ..GroupLasso::new(penalty, groups)
    }
}

/// Primal minus dual value at an answer, with nothing but loops over the entries, after checking feasibility.
fn gap_by_loops(a: &DMatrix<f64>, y: &[f64], lambda: f64, groups: &[Vec<usize>], answer: &Recovery) -> f64 {
    let Certificate::DualityGap { dual, .. } = &answer.certificate else {
        panic!("certificate of the group LASSO")
    };
    let (mut primal, mut dual_value) = (0.0, 0.0);
    for i in 0..a.nrows() {
        let fit: f64 = (0..a.ncols()).map(|j| a[(i, j)] * answer.x[j]).sum();
        primal += 0.5 * (y[i] - fit).powi(2);
        dual_value += 0.5 * y[i] * y[i] - 0.5 * (y[i] - dual[i]).powi(2);
    }
    for group in groups {
        let weight = (group.len() as f64).sqrt();
        primal += lambda * weight * group.iter().map(|&j| answer.x[j].powi(2)).sum::<f64>().sqrt();
        let correlation = |&j: &usize| a.column(j).iter().zip(dual).map(|(u, v)| u * v).sum::<f64>();
        let pull = group.iter().map(correlation).map(|c| c * c).sum::<f64>().sqrt();
        // Feasible but for the rounding of inner products of m terms.
        let rounding = 8.0 * a.nrows() as f64 * f64::EPSILON * a.norm() * norm(dual);
        assert!(pull <= lambda * weight + rounding, "{pull}");
    }
    assert!((primal - answer.objective).abs() <= 1e-12 * primal);
    primal - dual_value
}

#[test]
fn orthonormal_columns_give_the_block_soft_threshold() {
    let seed = Seed::root(41);
    let q = GaussianEnsemble { rows: 12, columns: 12 }
        .draw(&seed)
        .unwrap()
        .matrix()
        .clone()
        .qr()
        .q();
    let a = DenseOperator::new(q.columns(0, 9).into_owned()).unwrap();
    let y = reference::normal_vector(12, &seed);
    let labels = vec![2, 0, 2, 2, 0, 7, 7, 7, 7];
    let groups = Grouping::Labels(labels);
    let members = groups.members(9).unwrap();
    assert_eq!(members, [vec![1, 4], vec![0, 2, 3], vec![5, 6, 7, 8]]);
    let correlations = a.adjoint(&y).unwrap();
    let mut kept = 0;
    for lambda in [0.4, 0.9, 1.3] {
        let answer = solver(Penalty::Absolute(lambda), groups.clone(), 1e-15)
            .solve(&a, &y)
            .unwrap();
        let left: Vec<f64> = a.apply(&answer.x).unwrap().iter().zip(&y).map(|(f, y)| y - f).collect();
        let left = a.adjoint(&left).unwrap();
        for group in &members {
            // The optimality condition: A_gᵀr = λw x_g/‖x_g‖ up to the rounding of inner products of 12 terms, or within λw.
            let (x, weight) = (at(&answer.x, group), lambda * (group.len() as f64).sqrt());
            let pull = at(&left, group);
            let rounding = 64.0 * 12.0 * f64::EPSILON * norm(&y);
            let length = norm(&x);
            if length > 0.0 {
                let subgradient: Vec<f64> = x.iter().zip(&pull).map(|(x, c)| c - weight * x / length).collect();
                assert!(norm(&subgradient) <= rounding);
            } else {
                assert!(norm(&pull) <= weight + rounding);
            }
            let c = at(&correlations, group);
            let shrink = (1.0 - lambda * (group.len() as f64).sqrt() / norm(&c)).max(0.0);
            kept += usize::from(shrink > 0.0);
            for (&j, c) in group.iter().zip(c) {
                // Strong convexity with modulus 1: ‖x − x*‖² is at most twice the gap.
                let reach = (2.0 * 1e-15 * 0.5 * dot(&y, &y)).sqrt();
                assert!(
                    (answer.x[j] - shrink * c).abs() <= reach,
                    "{j}: {} {}",
                    answer.x[j],
                    shrink * c
                );
            }
        }
    }
    assert!(0 < kept && kept < 9, "{kept}");
}

#[test]
fn at_and_above_lambda_max_the_answer_is_zero_and_just_below_one_group_is_not() {
    let seed = Seed::root(42);
    let a = GaussianEnsemble { rows: 20, columns: 40 }.draw(&seed).unwrap();
    let y = reference::normal_vector(20, &seed);
    let groups = Grouping::Consecutive(4);
    let largest = GroupLasso::new(Penalty::RatioOfMax(1.0), groups.clone())
        .lambda_max(&a, &y)
        .unwrap();
    for penalty in [Penalty::Absolute(largest), Penalty::Absolute(3.0 * largest)] {
        let answer = solver(penalty, groups.clone(), 1e-14).solve(&a, &y).unwrap();
        assert_eq!((answer.support.len(), answer.status), (0, Status::Converged));
        assert_eq!(answer.relative_gap(), Some(0.0));
    }
    let answer = solver(Penalty::RatioOfMax(0.999), groups, 1e-14).solve(&a, &y).unwrap();
    assert_eq!(answer.support.len(), 4);
    assert_eq!(answer.support[0] / 4, answer.support[3] / 4);
}

#[test]
fn an_unpenalised_group_is_projected_out() {
    let seed = Seed::root(43);
    let a = GaussianEnsemble { rows: 14, columns: 12 }.draw(&seed).unwrap();
    let y = reference::normal_vector(14, &seed);
    let weighted = GroupLasso {
        weights: Some(vec![0.0, 1.0, 2.0, 1.0]),
        ..solver(Penalty::RatioOfMax(0.4), Grouping::Consecutive(3), 1e-12)
    };
    let answer = weighted.solve(&a, &y).unwrap();
    assert_eq!(answer.status, Status::Converged);
    let free = a.matrix().columns(0, 3).into_owned();
    let away = |v: &[f64]| -> Vec<f64> {
        let fit = &free * reference::least_squares(&free, v);
        v.iter().zip(fit.iter()).map(|(v, f)| v - f).collect()
    };
    let columns: Vec<DVector<f64>> = (3..12)
        .map(|j| DVector::from_vec(away(a.matrix().column(j).as_slice())))
        .collect();
    let left = DenseOperator::new(DMatrix::from_columns(&columns)).unwrap();
    let other = GroupLasso {
        weights: Some(vec![1.0, 2.0, 1.0]),
        ..weighted
    };
    let other = other.solve(&left, &away(&y)).unwrap();
    // Both objectives lie within their gaps of the common optimum.
    assert!((answer.objective - other.objective).abs() <= 2e-12 * 0.5 * dot(&y, &y));
}

#[test]
fn without_a_penalty_it_is_least_squares() {
    let seed = Seed::root(44);
    for (rows, columns) in [(20, 8), (8, 20)] {
        let a = GaussianEnsemble { rows, columns }.draw(&seed).unwrap();
        let y = reference::normal_vector(rows, &seed);
        let answer = solver(Penalty::Absolute(0.0), Grouping::Consecutive(3), 1e-12)
            .solve(&a, &y)
            .unwrap();
        let fit = reference::least_squares(a.matrix(), &y);
        let best = (DVector::from_column_slice(&y) - a.matrix() * fit).norm();
        assert_eq!(answer.status, Status::Converged);
        // ½(‖r‖² − best²) is at most 1e-12·½‖y‖².
        assert!(answer.residual_norm.powi(2) - best * best <= 1e-12 * dot(&y, &y));
    }
}

#[test]
fn zero_and_repeated_columns_within_a_group_are_no_obstacle() {
    let a = DenseOperator::new(dmatrix![1.0, 1.0, 0.0, 0.0; 0.0, 0.0, 0.0, 1.0]).unwrap();
    let tight = GroupLasso {
        weights: Some(vec![1.0, 1.0]),
        ..solver(Penalty::Absolute(1.0), Grouping::Consecutive(2), 1e-15)
    };
    let answer = tight.solve(&a, &[5.0, 3.0]).unwrap();
    assert_eq!(answer.status, Status::Converged);
    // By symmetry x₁ = x₂ = t with 5 − 2t = 1/√2; the zero column stays out.
    let t = 0.5 * (5.0 - 0.5f64.sqrt());
    assert!((answer.x[0] - t).abs() <= 1e-7 && (answer.x[1] - t).abs() <= 1e-7);
    assert_eq!(answer.x[2], 0.0);
    assert!((answer.x[3] - 2.0).abs() <= 1e-7);
}

#[test]
fn groups_and_weights_that_do_not_fit_are_refused() {
    let a = DenseOperator::new(DMatrix::identity(3, 3)).unwrap();
    let solve = |groups, weights: Option<Vec<f64>>| {
        let solver = GroupLasso {
            weights,
            ..GroupLasso::new(Penalty::Absolute(1.0), groups)
        };
        solver.solve(&a, &[1.0, 2.0, 3.0])
    };
    assert!(matches!(
        solve(Grouping::Consecutive(0), None),
        Err(Error::Argument { .. })
    ));
    assert!(matches!(
        solve(Grouping::Labels(vec![0, 1]), None),
        Err(Error::Shape { .. })
    ));
    let two = Grouping::Labels(vec![0, 9, 0]);
    assert!(matches!(solve(two.clone(), Some(vec![1.0])), Err(Error::Shape { .. })));
    assert!(matches!(
        solve(two.clone(), Some(vec![1.0, -1.0])),
        Err(Error::Argument { .. })
    ));
    assert!(matches!(
        solve(two, Some(vec![1.0, f64::NAN])),
        Err(Error::NotFinite { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_reported_gap_is_the_gap_and_meets_the_tolerance(
        number in 0u64..1_000_000,
        rows in 1usize..12,
        columns in 1usize..30,
        size in 1usize..6,
        ratio in 0.001f64..1.2,
    ) {
        let seed = Seed::root(number);
        let a = GaussianEnsemble { rows, columns }.draw(&seed).unwrap();
        let y = reference::normal_vector(rows, &seed);
        let groups = Grouping::Consecutive(size);
        let lambda = ratio * GroupLasso::new(Penalty::Absolute(0.0), groups.clone()).lambda_max(&a, &y).unwrap();
        let answer = solver(Penalty::Absolute(lambda), groups.clone(), 1e-10).solve(&a, &y).unwrap();
        let half_square = 0.5 * dot(&y, &y);
        let Certificate::DualityGap { gap, .. } = answer.certificate else { panic!("certificate") };
        prop_assert_eq!(answer.status, Status::Converged);
        let by_loops = gap_by_loops(a.matrix(), &y, lambda, &groups.members(columns).unwrap(), &answer);
        // By loops the gap is a difference of numbers of size ½‖y‖², each rounded about m + n times.
        prop_assert!((by_loops - gap).abs() <= 8.0 * (rows + columns) as f64 * f64::EPSILON * half_square);
        prop_assert!(gap <= 1e-10 * half_square);
    }

    #[test]
    fn groups_of_one_column_are_the_lasso(
        number in 0u64..1_000_000,
        rows in 1usize..12,
        columns in 1usize..30,
        ratio in 0.001f64..1.2,
    ) {
        let seed = Seed::root(number);
        let a = GaussianEnsemble { rows, columns }.draw(&seed).unwrap();
        let y = reference::normal_vector(rows, &seed);
        let lambda = ratio * lambda_max(&a, &y).unwrap();
        let answer = solver(Penalty::Absolute(lambda), Grouping::Consecutive(1), 1e-10).solve(&a, &y).unwrap();
        let lasso = Lasso { tolerance: 1e-10, ..Lasso::new(Penalty::Absolute(lambda)) };
        let other = lasso.solve(&a, &y).unwrap();
        prop_assert!((answer.objective - other.objective).abs() <= 1e-10 * dot(&y, &y));
    }
}
