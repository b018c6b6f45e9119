use super::*;
use crate::operators::{DenseOperator, GaussianEnsemble, ScaledColumns};
use crate::recovery::reference::{normal_vector, planted};
use crate::recovery::{Omp, pursuit_reference};
use crate::seed::Seed;

fn order_of(answer: &Recovery) -> (&[usize], &[f64]) {
    match &answer.certificate {
        Certificate::OrderMargins { order, margins, .. } => (order, margins),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_takes_the_steps_of_trying_every_column() {
    let mut unlike_omp = 0;
    for replicate in 0..10 {
        let seed = Seed::root(1).replicate(replicate);
        let a = GaussianEnsemble { rows: 15, columns: 30 }.draw(&seed).unwrap();
        let y = normal_vector(15, &seed);
        let answer = OrthogonalLeastSquares {
            max_support: Some(8),
            ..OrthogonalLeastSquares::default()
        }
        .solve(&a, &y)
        .unwrap();
        let (order, x) = pursuit_reference::orthogonal_least_squares(a.matrix(), &y, 8);
        assert_eq!(order_of(&answer).0, order);
        assert_eq!(answer.status, Status::SupportFull);
        for (found, expected) in answer.x.iter().zip(&x) {
            // Eight of fifteen Gaussian columns chosen for independence: κ² stays below 1e3.
            assert!((found - expected).abs() <= 1e3 * 15.0 * f64::EPSILON * norm(&y));
        }
        let omp = Omp {
            max_support: Some(8),
            ..Omp::default()
        };
        unlike_omp += usize::from(order_of(&omp.solve(&a, &y).unwrap()).0 != order);
    }
    assert!(unlike_omp > 0);
}

#[test]
fn it_sees_what_a_column_adds_where_omp_sees_its_angle() {
    // Columns 1 and 2 after column 0: the residual is (0, 1, 1.2). Column 1 leans on column 0 and has the smaller angle with the
    // residual, but its part off column 0 points exactly there.
    let lean = 0.1f64;
    let direction = [1.0 / (1.0f64 + 1.44).sqrt(), 1.2 / (1.0f64 + 1.44).sqrt()];
    let rest = (1.0 - lean * lean).sqrt();
    let matrix = nalgebra::dmatrix![
        1.0, rest, 0.0;
        0.0, lean * direction[0], 0.0;
        0.0, lean * direction[1], 1.0];
    let a = DenseOperator::new(matrix).unwrap();
    let y = [-10.0, 1.0, 1.2];
    let two = OrthogonalLeastSquares {
        max_support: Some(2),
        ..OrthogonalLeastSquares::default()
    };
    let omp = Omp {
        max_support: Some(2),
        ..Omp::default()
    };
    let answer = two.solve(&a, &y).unwrap();
    assert_eq!(order_of(&answer).0, [0, 1]);
    assert!(answer.residual_norm <= 1e-13 * norm(&y));
    assert_eq!(order_of(&omp.solve(&a, &y).unwrap()).0, [0, 2]);
}

#[test]
fn a_column_nearly_in_the_span_is_judged_by_its_measured_distance() {
    // Column 1 is column 0 tilted by 1e-6: subtraction keeps its squared distance 1e-12 to four digits only, and its
    // score in the second step is exactly the residual's length along e₁.
    let tilt = 1e-6f64;
    let matrix = nalgebra::dmatrix![
        1.0, tilt.cos(), 0.0;
        0.0, tilt.sin(), 0.0;
        0.0, 0.0, 1.0];
    let a = DenseOperator::new(matrix).unwrap();
    let solver = OrthogonalLeastSquares::default();
    for (y, second) in [([-5.0, 1.0001, 1.0], 1), ([-5.0, 0.9999, 1.0], 2)] {
        let answer = solver.solve(&a, &y).unwrap();
        let (order, margins) = order_of(&answer);
        assert_eq!(order, [0, second, 3 - second]);
        // The correlation of column 1 is 1e-6 of the residual's size, so its rounding ε/1e-6 stands in the score.
        assert!((margins[1] - 1e-4).abs() <= 1e-7, "{margins:?}");
        assert!(answer.residual_norm <= 1e-8 * norm(&y));
    }
}

#[test]
fn dependent_and_zero_columns_are_never_chosen_and_the_search_ends_exhausted() {
    let base = GaussianEnsemble { rows: 6, columns: 3 }.draw(&Seed::root(2)).unwrap();
    let mut matrix = base.matrix().clone().insert_columns(3, 3, 0.0);
    let copy = matrix.column(0) * 2.0;
    let sum = matrix.column(0) - matrix.column(2) * 0.5;
    matrix.set_column(3, &copy);
    matrix.set_column(5, &sum);
    let a = DenseOperator::new(matrix).unwrap();
    let y = normal_vector(6, &Seed::root(3));
    let answer = OrthogonalLeastSquares::default().solve(&a, &y).unwrap();
    assert_eq!((answer.status, answer.support.len()), (Status::Exhausted, 3));
    assert!(!answer.support.contains(&4));
    let full = OrthogonalLeastSquares {
        max_support: Some(6),
        ..OrthogonalLeastSquares::default()
    };
    assert_eq!(full.solve(&a, &y).unwrap().status, Status::Unattainable);
}

#[test]
fn selection_does_not_depend_on_column_lengths_and_keeps_budgets() {
    let seed = Seed::root(4);
    let a = GaussianEnsemble { rows: 40, columns: 80 }.draw(&seed).unwrap();
    let y = a.apply(&planted(80, 9, &seed)).unwrap();
    let scaled = ScaledColumns::new(&a, (0..80).map(|j| 2f64.powi(j % 9 - 4)).collect()).unwrap();
    let solver = OrthogonalLeastSquares {
        groups: Some(Groups::new((0..80).map(|j| j % 4).collect(), vec![3, 0, 9, 1]).unwrap()),
        max_support: Some(12),
        ..OrthogonalLeastSquares::default()
    };
    let answer = solver.solve(&a, &y).unwrap();
    let other = solver.solve(&scaled, &y).unwrap();
    assert_eq!(order_of(&answer).0, order_of(&other).0);
    let count = |g| answer.support.iter().filter(|&&j| j % 4 == g).count();
    assert!(count(0) <= 3 && count(1) == 0 && count(3) <= 1);
}
