use super::*;
use crate::linalg::dense::symmetric_eigenvalues;
use nalgebra::DVector;
use proptest::prelude::*;
use rand::RngExt;
use rand_distr::StandardNormal;

fn diagonal(values: &[f64]) -> impl FnMut(&[f64], &mut [f64]) + '_ {
    move |x, y| y.iter_mut().zip(x).zip(values).for_each(|((y, x), d)| *y = d * x)
}

fn times(a: &DMatrix<f64>) -> impl FnMut(&[f64], &mut [f64]) + '_ {
    move |x, y| y.copy_from_slice((a * DVector::from_column_slice(x)).as_slice())
}

fn symmetric(n: usize, number: u64) -> DMatrix<f64> {
    let mut rng = Seed::root(number).stream("matrix").rng();
    let g: DMatrix<f64> = DMatrix::from_fn(n, n, |_, _| rng.sample(StandardNormal));
    0.5 * (&g + g.transpose())
}

fn ask(smallest: usize, largest: usize, basis: usize) -> ThickRestart {
    ThickRestart {
        smallest,
        largest,
        basis,
        ..ThickRestart::default()
    }
}

fn values(pairs: &[RitzPair]) -> Vec<f64> {
    pairs.iter().map(|pair| pair.ritz.value).collect()
}

/// The wanted ends of the true spectrum, in the order of the answer.
fn ends(truth: &[f64], method: &ThickRestart) -> (Vec<f64>, Vec<f64>) {
    let low = truth.iter().copied().take(method.smallest).collect();
    let high = truth.iter().rev().copied().take(method.largest).collect();
    (low, high)
}

/// A residual of the tolerance moves an isolated eigenvalue by its square and any by no more than itself; rounding adds n ε.
fn assert_close(found: &[f64], expected: &[f64], bound: f64, name: &str) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= bound, "{name}: {found:?} {expected:?}");
    }
}

#[test]
fn both_ends_are_those_of_two_dense_routes() {
    for (number, n) in [1usize, 2, 3, 5, 12, 30, 61, 90].into_iter().enumerate() {
        let a = symmetric(n, number as u64);
        let truth = symmetric_eigenvalues(&a).unwrap();
        let mut second: Vec<f64> = a.clone().symmetric_eigenvalues().iter().copied().collect();
        second.sort_by(f64::total_cmp);
        let size = truth[0].abs().max(truth[n - 1].abs());
        let bound = (1e-10 + 50.0 * n as f64 * f64::EPSILON) * size;
        assert_close(&truth, &second, bound, "dense");
        #[cfg(feature = "lapack")]
        {
            let (third, _) = crate::linalg::lapack::symmetric_eigen(&a).unwrap();
            assert_close(&truth, third.as_slice(), bound, "lapack");
        }
        for method in [ask(3, 4, 16), ask(0, 2, 12), ask(2, 0, 12), ask(1, 1, 200)] {
            let found = method.extremes(n, times(&a), &Seed::root(7)).unwrap();
            assert_eq!(found.status, Status::Converged, "{n} {method:?}");
            assert_eq!(found.whole, n <= method.basis, "{n}");
            let (low, high) = ends(&second, &method);
            assert_close(&values(&found.smallest), &low, bound, "smallest");
            assert_close(&values(&found.largest), &high, bound, "largest");
            for pair in found.smallest.iter().chain(&found.largest) {
                let x = DVector::from_column_slice(&pair.vector);
                let residual = (&a * &x - pair.ritz.value * &x).norm();
                assert!((residual - pair.ritz.residual_norm).abs() <= 50.0 * n as f64 * f64::EPSILON * size);
                assert!((x.norm() - 1.0).abs() <= 1e-14 * n as f64);
            }
        }
    }
}

#[test]
fn multiple_and_clustered_eigenvalues_are_counted() {
    let bulk: Vec<f64> = (0..113).map(|i| f64::from(i) / 113.0).collect();
    let method = ask(2, 5, 24);
    let spectrum = |cluster: f64| [&bulk[..], &[10.0, 10.0, 10.0, -4.0, -4.0, 7.0, 7.0 - cluster]].concat();
    let mut truth = spectrum(1e-2);
    let found = method.extremes(truth.len(), diagonal(&truth), &Seed::root(3)).unwrap();
    truth.sort_by(f64::total_cmp);
    assert_eq!((found.status, found.whole), (Status::Converged, false));
    let (low, high) = ends(&truth, &method);
    assert_close(&values(&found.smallest), &low, 1e-8, "smallest");
    assert_close(&values(&found.largest), &high, 1e-8, "largest");
    // Vectors of one eigenvalue are orthogonal to each other.
    for (i, one) in found.largest.iter().enumerate() {
        for other in &found.largest[..i] {
            assert!(crate::linalg::dot(&one.vector, &other.vector).abs() <= 1e-12);
        }
    }
    // A cluster too narrow to be told apart in the products allowed: it is found to its width, or else not called converged.
    let truth = spectrum(1e-9);
    let found = method.extremes(truth.len(), diagonal(&truth), &Seed::root(3)).unwrap();
    let pair = &found.largest[3].ritz;
    assert!((pair.value - 7.0).abs() <= 1e-8 + pair.residual_norm);
    assert!(found.status != Status::Converged || (found.largest[4].ritz.value - 7.0).abs() <= 1e-8);
}

#[test]
fn the_zero_map_and_multiples_of_the_identity_are_found_at_once() {
    for c in [0.0, -2.0, 5.0] {
        for n in [1usize, 4, 50] {
            let map = vec![c; n];
            let found = ask(2, 3, 9).extremes(n, diagonal(&map), &Seed::root(1)).unwrap();
            assert_eq!(found.status, Status::Converged, "{c} {n}");
            assert_eq!((found.smallest.len(), found.largest.len()), (2.min(n), 3.min(n)));
            for pair in found.smallest.iter().chain(&found.largest) {
                assert!((pair.ritz.value - c).abs() <= 1e-14 && pair.ritz.residual_norm <= 1e-13);
            }
        }
    }
}

#[test]
fn what_has_not_converged_says_so_and_its_residuals_still_hold() {
    // Eigenvalues crowd at both ends: sixty products are not enough.
    let truth: Vec<f64> = (0..2000).map(|i| (f64::from(i) * 1e-3 * 1.5).cos()).collect();
    let hard = ThickRestart {
        max_products: 60,
        ..ask(2, 2, 20)
    };
    let found = hard.extremes(2000, diagonal(&truth), &Seed::root(2)).unwrap();
    assert_eq!((found.status, found.whole), (Status::IterationLimit, false));
    assert_eq!(found.applications, 2 + 60 + 4);
    for pair in found.smallest.iter().chain(&found.largest) {
        let (low, high) = pair.ritz.interval();
        assert!(truth.iter().any(|v| (low - 1e-13..=high + 1e-13).contains(v)));
        assert!(pair.ritz.residual_norm > 1e-9);
    }
}

#[test]
fn products_in_single_precision_stall_below_their_accuracy() {
    let a = symmetric(80, 4);
    let single = |x: &[f64], y: &mut [f64]| {
        times(&a)(x, y);
        y.iter_mut().for_each(|v| *v = f64::from(*v as f32));
    };
    let at = |tolerance| ThickRestart {
        tolerance,
        ..ask(1, 1, 30)
    };
    let fine = at(1e-11).extremes(80, single, &Seed::root(5)).unwrap();
    assert!(
        matches!(fine.status, Status::Stalled | Status::IterationLimit),
        "{:?}",
        fine.status
    );
    let coarse = at(1e-5).extremes(80, single, &Seed::root(5)).unwrap();
    assert_eq!(coarse.status, Status::Converged);
}

#[test]
fn unusable_questions_and_maps_are_refused() {
    let map = |x: &[f64], y: &mut [f64]| y.copy_from_slice(x);
    let none = |method: ThickRestart, length| {
        matches!(
            method.extremes(length, map, &Seed::root(0)),
            Err(Error::Argument { .. })
        )
    };
    assert!(none(ask(0, 0, 20), 9) && none(ask(1, 1, 4), 9) && none(ask(1, 1, 20), 0));
    assert!(none(
        ThickRestart {
            max_products: 0,
            ..ask(1, 1, 9)
        },
        9
    ));
    assert!(none(
        ThickRestart {
            tolerance: f64::NAN,
            ..ask(1, 1, 9)
        },
        9
    ));
    let bad = ask(1, 1, 9).extremes(9, |_: &[f64], y: &mut [f64]| y.fill(f64::NAN), &Seed::root(0));
    assert!(matches!(bad, Err(Error::NotFinite { .. })));
    let crooked = |x: &[f64], y: &mut [f64]| (0..9).for_each(|i| y[i] = x[(i + 1) % 9]);
    let bad = ask(1, 1, 9).extremes(9, crooked, &Seed::root(0));
    assert!(matches!(bad, Err(Error::Asymmetric { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Cauchy: `λ_k(A) ≤ λ_k(A_SS)` from below, and the reverse from above.
    #[test]
    fn the_ends_of_a_principal_submatrix_interlace_with_those_of_the_whole(
        number in 0u64..1000, n in 20usize..60, kept in 6usize..19,
    ) {
        let a = symmetric(n, number);
        let part = DMatrix::from_fn(kept, kept, |i, j| a[(i * n / kept, j * n / kept)]);
        let method = ask(3, 3, 16);
        let whole = method.extremes(n, times(&a), &Seed::root(number)).unwrap();
        let inner = method.extremes(kept, times(&part), &Seed::root(number)).unwrap();
        prop_assert!(whole.status.is_success() && inner.status.is_success());
        let slack = 1e-9 * a.norm();
        for k in 0..3 {
            prop_assert!(whole.smallest[k].ritz.value <= inner.smallest[k].ritz.value + slack);
            prop_assert!(whole.largest[k].ritz.value >= inner.largest[k].ritz.value - slack);
        }
    }
}
