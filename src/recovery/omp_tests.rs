use super::*;
use crate::linalg::norm;
use crate::operators::{Damped, DenseOperator, GaussianEnsemble};
use crate::recovery::{Certificate, reference};
use crate::seed::Seed;
use nalgebra::dmatrix;

#[test]
fn on_orthonormal_columns_it_keeps_the_largest_entries_with_their_margins() {
    let a = DenseOperator::new(DMatrix::identity(4, 4)).unwrap();
    let omp = Omp {
        max_support: Some(2),
        ..Omp::default()
    };
    let answer = omp.solve(&a, &[1.0, -4.0, 0.5, 2.0]).unwrap();
    assert_eq!(answer.x, [0.0, -4.0, 0.0, 2.0]);
    assert_eq!(answer.status, Status::SupportFull);
    let Certificate::OrderMargins { order, margins, .. } = answer.certificate else {
        panic!("certificate of OMP")
    };
    assert_eq!(order, [1, 3]);
    assert_eq!(margins, [0.5, 0.5]);
}

#[test]
fn a_tie_goes_to_the_smaller_index_with_margin_zero() {
    let a = DenseOperator::new(DMatrix::identity(3, 3)).unwrap();
    let answer = Omp::default().solve(&a, &[1.0, -1.0, 0.0]).unwrap();
    let Certificate::OrderMargins { order, margins, .. } = answer.certificate else {
        panic!("certificate of OMP")
    };
    assert_eq!((order, margins), (vec![0, 1], vec![0.0, 1.0]));
}

#[test]
fn selection_does_not_depend_on_column_lengths() {
    let a = DenseOperator::new(dmatrix![100.0, 0.001; 0.0, 0.001; 80.0, 0.0]).unwrap();
    let y = a.apply(&[0.0, 5.0]).unwrap();
    let answer = Omp::default().solve(&a, &y).unwrap();
    assert_eq!(answer.support, [1]);
}

#[test]
fn dependent_and_zero_columns_are_never_chosen() {
    // Column 1 is zero, column 2 repeats column 0, column 4 is the sum of columns 0 and 3.
    let a = dmatrix![1.0, 0.0, 1.0, 0.0, 1.0; 0.0, 0.0, 0.0, 1.0, 1.0; 0.0, 0.0, 0.0, 0.0, 0.0];
    let answer = Omp::default()
        .solve(&DenseOperator::new(a).unwrap(), &[3.0, 1.0, 1.0])
        .unwrap();
    assert_eq!(answer.status, Status::Exhausted);
    assert_eq!(answer.support, [0, 3]);
    assert!((answer.residual_norm - 1.0).abs() <= 4.0 * f64::EPSILON);
}

#[test]
fn more_nonzeros_than_the_rank_bound_are_unattainable_and_nothing_is_padded() {
    let a = GaussianEnsemble { rows: 4, columns: 9 }.draw(&Seed::root(1)).unwrap();
    let omp = |max_support, groups| Omp {
        max_support: Some(max_support),
        tolerance: 0.0,
        groups,
    };
    let y = [1.0, 2.0, 3.0, 4.0];
    let answer = omp(5, None).solve(&a, &y).unwrap();
    assert_eq!((answer.status, answer.support.len()), (Status::Unattainable, 0));
    let tight = Groups::new(vec![0; 9], vec![2]).unwrap();
    assert_eq!(omp(3, Some(tight)).solve(&a, &y).unwrap().status, Status::Unattainable);
    assert_eq!(omp(3, None).solve(&a, &y).unwrap().status, Status::SupportFull);
    // The damped stack has full column rank.
    let damped = Damped::new(&a, 0.1).unwrap();
    let data = damped.data(&y, &[1.0; 9]).unwrap();
    assert_eq!(omp(9, None).solve(&damped, &data).unwrap().support.len(), 9);
}

#[test]
fn budgets_are_kept_and_the_next_best_group_goes_on() {
    let a = DenseOperator::new(DMatrix::identity(5, 5)).unwrap();
    let omp = Omp {
        max_support: Some(3),
        tolerance: 0.0,
        groups: Some(Groups::new(vec![0, 0, 0, 1, 1], vec![1, 2]).unwrap()),
    };
    assert_eq!(omp.solve(&a, &[9.0, 8.0, 7.0, 2.0, 1.0]).unwrap().support, [0, 3, 4]);
}

#[test]
fn under_heavy_damping_it_keeps_the_largest_entries_of_the_prior_within_each_group() {
    let seed = Seed::root(12);
    let a = GaussianEnsemble { rows: 6, columns: 20 }.draw(&seed).unwrap();
    let prior = reference::normal_vector(20, &seed);
    let b = reference::normal_vector(6, &seed.stream("data"));
    let groups = Groups::new((0..20).map(|j| j % 2).collect(), vec![3, 5]).unwrap();
    let damped = Damped::new(&a, 1e10).unwrap();
    let omp = Omp {
        max_support: Some(8),
        tolerance: 0.0,
        groups: Some(groups.clone()),
    };
    let answer = omp.solve(&damped, &damped.data(&b, &prior).unwrap()).unwrap();
    assert_eq!(answer.support, groups.largest(8, |j| prior[j].abs(), |_| true));
    // The data pull each value by about ‖aⱼ‖‖b − Aϑ‖/α.
    assert!(answer.support.iter().all(|&j| (answer.x[j] - prior[j]).abs() <= 1e-7));
}

#[test]
fn it_agrees_with_a_textbook_pursuit_that_refits_by_singular_values() {
    for replicate in 0..20 {
        let seed = Seed::root(8).replicate(replicate);
        let a = GaussianEnsemble { rows: 15, columns: 40 }.draw(&seed).unwrap();
        let y = reference::normal_vector(15, &seed);
        let omp = Omp {
            max_support: Some(10),
            tolerance: 0.0,
            groups: None,
        };
        let answer = omp.solve(&a, &y).unwrap();
        let (order, x) = reference::omp(a.matrix(), &y, 10);
        let Certificate::OrderMargins {
            order: found, margins, ..
        } = &answer.certificate
        else {
            panic!("certificate of OMP")
        };
        assert_eq!(found, &order);
        assert!(margins.iter().all(|m| (0.0..=1.0).contains(m)));
        // Two backward stable least squares solvers: k ε κ(A_S), with κ below 1e3 for ten of fifteen rows.
        let tolerance = 10.0 * f64::EPSILON * 1e3 * norm(&x);
        assert!(answer.x.iter().zip(&x).all(|(u, v)| (u - v).abs() <= tolerance));
    }
}

/// The operator without its stored matrix, so that every correlation is computed in double precision.
fn unscreened(a: &DenseOperator) -> crate::operators::MatrixFree<'_> {
    use crate::operators::MatrixFree;
    MatrixFree::new(
        a.shape(),
        |x: &[f64], y: &mut [f64]| a.apply_into(x, y),
        |y: &[f64], x: &mut [f64]| a.adjoint_into(y, x),
    )
    .unwrap()
}

#[test]
fn screening_in_fixed_point_changes_no_pick_and_no_margin() {
    let (rows, columns) = (80, 1000);
    assert!(rows * columns >= SCREENED);
    for replicate in 0..4 {
        let seed = Seed::root(21).replicate(replicate);
        let mut matrix = GaussianEnsemble { rows, columns }.draw(&seed).unwrap().matrix().clone();
        // Lengths over six decades, a zero column, a repeated one, and pairs that differ in the last bits alone.
        for j in 0..columns {
            matrix.column_mut(j).scale_mut(10f64.powi((j % 7) as i32 - 3));
        }
        matrix.column_mut(3).fill(0.0);
        for j in (100..900).step_by(50) {
            let mut twin = matrix.column(j).into_owned();
            twin[0] *= 1.0 + 1e-9;
            matrix.set_column(j + 1, &twin);
        }
        let a = DenseOperator::new(matrix).unwrap();
        let y: Vec<f64> = if replicate % 2 == 0 {
            reference::normal_vector(rows, &seed)
        } else {
            // Measured by columns that have twins.
            let mut x = vec![0.0; columns];
            (100..900).step_by(100).for_each(|j| x[j] = 1.0);
            a.apply(&x).unwrap()
        };
        let omp = Omp {
            max_support: Some(40),
            tolerance: 0.0,
            groups: None,
        };
        let (screened, plain) = (omp.solve(&a, &y).unwrap(), omp.solve(&unscreened(&a), &y).unwrap());
        assert_eq!(screened.certificate, plain.certificate);
        assert_eq!((screened.x, screened.status), (plain.x, plain.status));
    }
}

#[test]
fn many_right_hand_sides_get_the_answers_of_one() {
    let seed = Seed::root(22);
    let a = GaussianEnsemble {
        rows: 70,
        columns: 1000,
    }
    .draw(&seed)
    .unwrap();
    let count = BLOCK + 3;
    let mut rhs = DMatrix::zeros(70, count);
    for t in 0..count {
        // Of every size, one of them zero.
        let y = reference::normal_vector(70, &seed.replicate(t as u64));
        let scale = if t == 5 { 0.0 } else { 10f64.powi(t as i32 - 30) };
        rhs.set_column(t, &(nalgebra::DVector::from_vec(y) * scale));
    }
    for max_support in [Some(12), Some(71)] {
        let omp = Omp {
            max_support,
            ..Omp::default()
        };
        for (t, answer) in omp.solve_many(&a, &rhs).unwrap().into_iter().enumerate() {
            let y = rhs.column(t).into_owned();
            assert_eq!(answer, omp.solve(&a, y.as_slice()).unwrap());
        }
    }
}

/// Picks by exact rational arithmetic would be the reference; here the next best, a residual by orthogonal projection in
/// twice the precision's worth of care: modified Gram-Schmidt applied three times.
#[test]
fn the_stated_rounding_covers_the_difference_to_scores_of_a_careful_projection() {
    for replicate in 0..10 {
        let seed = Seed::root(23).replicate(replicate);
        let mut matrix = GaussianEnsemble { rows: 12, columns: 30 }
            .draw(&seed)
            .unwrap()
            .matrix()
            .clone();
        // Nearly dependent columns make the residual inaccurate.
        let near = matrix.column(0) + 1e-5 * matrix.column(1);
        matrix.set_column(2, &near);
        let a = DenseOperator::new(matrix.clone()).unwrap();
        let y = matrix.column(0) + 0.5 * matrix.column(2) + 1e-3 * matrix.column(7);
        let omp = Omp {
            max_support: Some(6),
            tolerance: 0.0,
            groups: None,
        };
        let answer = omp.solve(&a, y.as_slice()).unwrap();
        let Certificate::OrderMargins {
            order,
            margins,
            uncertainties,
        } = answer.certificate
        else {
            panic!("certificate of OMP")
        };
        let uncertainties = uncertainties.unwrap();
        let mut basis: Vec<nalgebra::DVector<f64>> = Vec::new();
        let project = |basis: &[nalgebra::DVector<f64>], v: &nalgebra::DVector<f64>| {
            let mut v = v.clone();
            for _ in 0..3 {
                for q in basis {
                    let c = q.dot(&v);
                    v -= q * c;
                }
            }
            v
        };
        let y_norm = y.norm();
        for (step, &j) in order.iter().enumerate() {
            let r = project(&basis, &y);
            if r.norm() <= 1e-13 * y_norm {
                break;
            }
            let score = |i: usize| matrix.column(i).dot(&r).abs() / matrix.column(i).norm();
            let others = (0..30)
                .filter(|i| !order[..=step].contains(i))
                .map(score)
                .fold(0.0, f64::max);
            let margin = (score(j) - others) / score(j);
            // The reference rounds as well, at most as the bound allows for.
            let allowed = 2.0 * uncertainties[step];
            assert!(
                (margin - margins[step]).abs() <= allowed,
                "{step}: {margin} {} {allowed}",
                margins[step]
            );
            let q = project(&basis, &matrix.column(j).into_owned());
            basis.push(q.normalize());
        }
        assert!(uncertainties[0] <= 1e-13);
    }
}

#[test]
fn a_tie_is_within_its_uncertainty_and_a_clear_pick_is_not() {
    let a = DenseOperator::new(DMatrix::identity(3, 3)).unwrap();
    let answer = Omp::default().solve(&a, &[1.0, -1.0, 0.0]).unwrap();
    let Certificate::OrderMargins {
        margins, uncertainties, ..
    } = answer.certificate
    else {
        panic!("certificate of OMP")
    };
    let uncertainties = uncertainties.unwrap();
    assert!(margins[0] <= uncertainties[0] && margins[1] > uncertainties[1]);
}
