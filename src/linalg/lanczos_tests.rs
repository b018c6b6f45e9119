use super::*;
use crate::linalg::dense::{gram, product, singular_values, symmetric_eigenvalues};

fn diagonal(values: &[f64]) -> impl FnMut(&[f64], &mut [f64]) + '_ {
    move |x, y| y.iter_mut().zip(x).zip(values).for_each(|((y, x), d)| *y = d * x)
}

fn gaussian(rows: usize, columns: usize, number: u64) -> DMatrix<f64> {
    let mut rng = Seed::root(number).stream("matrix").rng();
    DMatrix::from_fn(rows, columns, |_, _| rng.sample(StandardNormal))
}

fn times(a: &DMatrix<f64>) -> impl FnMut(&[f64], &mut [f64]) + '_ {
    move |x, y| y.copy_from_slice((a * nalgebra::DVector::from_column_slice(x)).as_slice())
}

const ALL_STEPS: Lanczos = Lanczos {
    max_steps: 60,
    tolerance: 0.0,
};

#[test]
fn every_residual_interval_contains_an_eigenvalue_and_the_extremes_are_bounds() {
    let g = gram(&gaussian(40, 30, 1));
    let truth = symmetric_eigenvalues(&g).unwrap();
    let rounding = 100.0 * f64::EPSILON * truth[29];
    for max_steps in [1, 3, 8, 20] {
        let run = Lanczos {
            max_steps,
            tolerance: 0.0,
        };
        let found = run.symmetric(30, times(&g), &Seed::root(5)).unwrap();
        assert_eq!(found.steps, max_steps);
        for r in &found.ritz {
            let nearest = truth.iter().map(|t| (t - r.value).abs()).fold(f64::MAX, f64::min);
            assert!(nearest <= r.residual_norm + rounding, "{r:?} {nearest}");
        }
        assert!(found.largest().value <= truth[29] + rounding);
        assert!(found.smallest().value >= truth[0] - rounding);
    }
    let full = ALL_STEPS.symmetric(30, times(&g), &Seed::root(5)).unwrap();
    assert!((full.largest().value - truth[29]).abs() <= rounding);
    assert!((full.smallest().value - truth[0]).abs() <= rounding);
}

#[test]
fn a_cluster_at_the_top_is_found_to_its_width() {
    // Fifty values in [0, 1] and three within 1e-9 of 10: the top Ritz value cannot tell them apart and need not.
    let mut values: Vec<f64> = (0..50).map(|i| i as f64 / 49.0).collect();
    values.extend([10.0, 10.0 - 5e-10, 10.0 - 1e-9]);
    let found = Lanczos::default()
        .symmetric(53, diagonal(&values), &Seed::root(2))
        .unwrap();
    let top = found.largest();
    assert!(top.value <= 10.0 + 1e-13 && top.value >= 10.0 - 1e-9 - top.residual_norm);
    assert!(top.residual_norm <= 1e-8, "{top:?}");
}

#[test]
fn a_rank_one_map_is_exhausted_after_two_steps() {
    let direction = [3.0, 0.0, 4.0, 0.0, 0.0];
    let rank_one = |x: &[f64], y: &mut [f64]| {
        let c = dot(&direction, x);
        y.iter_mut().zip(&direction).for_each(|(y, d)| *y = c * d);
    };
    let found = ALL_STEPS.symmetric(5, rank_one, &Seed::root(3)).unwrap();
    assert!(found.invariant && found.steps == 2, "{found:?}");
    assert!((found.largest().value - 25.0).abs() <= 25.0 * 20.0 * f64::EPSILON);
    assert!(found.smallest().value.abs() <= 25.0 * 20.0 * f64::EPSILON);
}

#[test]
fn a_multiple_of_the_identity_stops_at_once_and_the_zero_map_too() {
    for c in [0.0, -2.0] {
        let found = ALL_STEPS.symmetric(4, diagonal(&[c, c, c, c]), &Seed::root(4)).unwrap();
        assert!(found.invariant && found.steps == 1, "{found:?}");
        assert!((found.largest().value - c).abs() <= 4.0 * f64::EPSILON);
    }
}

#[test]
fn more_steps_than_dimensions_give_the_whole_spectrum() {
    let values = [-3.0, 1.0, 7.0];
    let found = ALL_STEPS.symmetric(3, diagonal(&values), &Seed::root(6)).unwrap();
    assert_eq!(found.ritz.len(), 3);
    for (r, v) in found.ritz.iter().zip(values) {
        assert!((r.value - v).abs() <= 7.0 * 20.0 * f64::EPSILON);
    }
}

#[test]
fn the_seed_alone_decides_the_numbers() {
    let g = gram(&gaussian(12, 12, 2));
    let run = |s| ALL_STEPS.symmetric(12, times(&g), &Seed::root(s)).unwrap();
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).smallest_vector, run(2).smallest_vector);
}

#[test]
fn golub_kahan_finds_both_ends_of_the_singular_values_without_squaring() {
    for (rows, columns) in [(30, 20), (20, 30), (7, 1), (1, 7)] {
        let a = gaussian(rows, columns, 7);
        let at = a.transpose();
        let truth = singular_values(&a).unwrap();
        let found = ALL_STEPS
            .singular_values(rows, columns, times(&a), times(&at), &Seed::root(8))
            .unwrap();
        let rounding = 200.0 * f64::EPSILON * truth[0];
        assert!((found.largest().value - truth[0]).abs() <= rounding, "{rows}x{columns}");
        assert!((found.smallest().value - truth[truth.len() - 1]).abs() <= rounding);
        let few = Lanczos {
            max_steps: 4,
            tolerance: 0.0,
        };
        let bound = few
            .singular_values(rows, columns, times(&a), times(&at), &Seed::root(8))
            .unwrap();
        assert!(bound.largest().value <= truth[0] + rounding);
        assert!(bound.smallest().value >= truth[truth.len() - 1] - rounding);
    }
    // Condition 1e10: the eigenvalues of AᵀA would drown the small one in rounding.
    let ill = DMatrix::from_diagonal(&nalgebra::dvector![1.0, 0.5, 1e-10]);
    let found = ALL_STEPS
        .singular_values(3, 3, times(&ill), times(&ill), &Seed::root(9))
        .unwrap();
    assert!((found.smallest().value / 1e-10 - 1.0).abs() <= 1e-4, "{found:?}");
}

#[test]
fn a_rank_deficient_operator_shows_its_zero_singular_value() {
    let a = product(&gaussian(6, 2, 3), &gaussian(2, 5, 4)).unwrap();
    let at = a.transpose();
    let found = ALL_STEPS
        .singular_values(6, 5, times(&a), times(&at), &Seed::root(1))
        .unwrap();
    assert!(found.invariant && found.steps == 3, "{found:?}");
    assert!(found.smallest().value <= 1e-13 * found.largest().value);
}

#[test]
fn unusable_numbers_are_refused() {
    let none = Lanczos {
        max_steps: 0,
        tolerance: 0.0,
    };
    assert!(none.symmetric(2, diagonal(&[1.0, 1.0]), &Seed::root(0)).is_err());
    assert!(
        Lanczos::default()
            .symmetric(0, |_: &[f64], _: &mut [f64]| {}, &Seed::root(0))
            .is_err()
    );
    let bad = Lanczos::default().symmetric(2, |_: &[f64], y: &mut [f64]| y.fill(f64::NAN), &Seed::root(0));
    assert!(matches!(bad, Err(Error::NotFinite { .. })));
}

#[test]
fn a_map_that_is_not_symmetric_is_refused() {
    let a = gaussian(15, 15, 21);
    let found = ALL_STEPS.symmetric(15, times(&a), &Seed::root(1));
    assert!(matches!(found, Err(Error::Asymmetric { .. })), "{found:?}");
}
