use super::tests::{gaussian, isotropic, plain_loss, seed};
use super::*;
use crate::outcome::Certainty;
use nalgebra::{DMatrix, dmatrix};
use proptest::prelude::*;

/// Every choice of k of m by a plain recursion.
fn all_choices(m: usize, k: usize) -> Vec<Vec<usize>> {
    let masks = (0_u32..1 << m).filter(|mask| mask.count_ones() as usize == k);
    masks
        .map(|mask| (0..m).filter(|i| mask >> i & 1 == 1).collect())
        .collect()
}

/// Whether two losses agree to the rounding of inverses with the condition numbers met here, at most about 1e6: `1e2 ε κ`.
fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e2 * f64::EPSILON * 1e6 * (1.0 + a.abs())
}

#[test]
fn traps_are_refused_or_answered() {
    let a = gaussian(5, 2, 0);
    let new = |a: &DMatrix<f64>, prior: &Prior, sigma| DesignProblem::new(a, prior, sigma, Criterion::A);
    for sigma in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(new(&a, &isotropic(1.0), sigma).is_err(), "{sigma}");
    }
    for precision in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(new(&a, &isotropic(precision), 1.0).is_err(), "{precision}");
        let precisions = vec![1.0, precision];
        assert!(new(&a, &Prior::Diagonal { precisions }, 1.0).is_err());
    }
    assert!(new(&a, &Prior::Diagonal { precisions: vec![1.0] }, 1.0).is_err());
    let mut bad = a.clone();
    bad[(3, 1)] = f64::NAN;
    assert!(new(&bad, &isotropic(1.0), 1.0).is_err());
    assert!(new(&DMatrix::zeros(0, 3), &isotropic(1.0), 1.0).is_err());
    assert!(new(&(&a * 1e200), &isotropic(1.0), 1.0).is_err());
    // One direction only: no choice has a finite loss under a flat prior.
    let thin = DMatrix::from_fn(5, 2, |i, _| i as f64);
    assert!(new(&thin, &Prior::Flat, 1.0).is_err());
    assert!(new(&thin, &isotropic(1.0), 1.0).is_ok());
    let methods: [&dyn RowSelector; 7] = [
        &Exhaustive::default(),
        &ForwardGreedy,
        &BackwardGreedy,
        &Exchange::from(RandomRows),
        &RoundedRelaxation::default(),
        &LargestNorms,
        &RandomRows,
    ];
    for criterion in Criterion::ALL {
        let flat = DesignProblem::new(&a, &Prior::Flat, 1.0, criterion).unwrap();
        let prior = DesignProblem::new(&a, &isotropic(2.0), 1.0, criterion).unwrap();
        for method in methods {
            assert!(method.select(&flat, 1, &seed()).is_err(), "{}", method.name());
            assert!(method.select(&flat, 6, &seed()).is_err(), "{}", method.name());
            assert!(method.select(&prior, 6, &seed()).is_err(), "{}", method.name());
            let none = method.select(&prior, 0, &seed()).unwrap();
            assert!(none.rows.is_empty());
            let exact = [1.0, -2.0 * 2.0_f64.ln(), 0.5][criterion as usize];
            assert!((none.loss - exact).abs() < 1e-15, "{} {criterion:?}", method.name());
            let all = method.select(&flat, 5, &seed()).unwrap();
            assert_eq!(all.rows, [0, 1, 2, 3, 4]);
        }
        assert!(prior.loss(&[0, 5]).is_err() && prior.loss(&[1, 1]).is_err());
    }
    let many = DesignProblem::new(&gaussian(40, 2, 1), &isotropic(1.0), 1.0, Criterion::A).unwrap();
    assert!(Exhaustive::default().select(&many, 20, &seed()).is_err());
    assert!(GivenRows(vec![0]).select(&many, 2, &seed()).is_err());
    assert!(
        Relaxation::solve(
            &many,
            3,
            RelaxationSettings {
                tolerance: 0.0,
                max_steps: 5
            }
        )
        .is_err()
    );
}

#[test]
fn zero_and_equal_rows_are_ties_that_are_told() {
    let a = dmatrix![1.0, 0.0; 0.0, 0.0; 1.0, 0.0; 0.0, 1.0; 0.0, 0.0];
    let problem = DesignProblem::new(&a, &isotropic(1.0), 1.0, Criterion::A).unwrap();
    let norms = LargestNorms.select(&problem, 2, &seed()).unwrap();
    assert_eq!((norms.rows.as_slice(), norms.alternatives), (&[0, 2][..], Some(2)));
    assert_eq!(LargestNorms.tied(&problem, 2).unwrap(), [0, 2, 3]);
    assert!(LargestNorms.tied(&problem, 3).unwrap().is_empty());
    assert_eq!(LargestNorms.tied(&problem, 4).unwrap(), [1, 4]);
    let best = Exhaustive::default().select(&problem, 2, &seed()).unwrap();
    assert_eq!((best.rows.as_slice(), best.alternatives), (&[0, 3][..], Some(1)));
    assert_eq!(ForwardGreedy.select(&problem, 2, &seed()).unwrap().rows, [0, 3]);
    assert_eq!(BackwardGreedy.select(&problem, 2, &seed()).unwrap().rows, [0, 3]);
    // Under a flat prior a start of two equal rows is completed.
    let flat = DesignProblem::new(&a, &Prior::Flat, 1.0, Criterion::A).unwrap();
    assert_eq!(flat.loss(&[0, 2]).unwrap(), f64::INFINITY);
    let found = Exchange::from(GivenRows(vec![0, 2])).select(&flat, 2, &seed()).unwrap();
    assert_eq!((found.rows.as_slice(), found.loss), (&[0, 3][..], 2.0));
}

#[test]
fn every_choice_of_orthonormal_rows_has_the_same_trace() {
    let q = crate::linalg::dense::thin_qr(&gaussian(9, 9, 2)).unwrap().q;
    let problem = DesignProblem::new(&q, &isotropic(1.0), 0.1, Criterion::A).unwrap();
    let best = Exhaustive::default().select(&problem, 4, &seed()).unwrap();
    assert_eq!(best.alternatives, Some(subsets(9, 4) - 1));
    assert!((best.loss - (4.0 / 101.0 + 5.0)).abs() < 1e-13);
    assert_eq!(best.rows, [0, 1, 2, 3]);
    assert_eq!(LargestNorms.tied(&problem, 4).unwrap().len(), 9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn bounds_and_searches_stand_in_order(
        entries in prop::collection::vec(-2.0_f64..2.0, 30), n in 1_usize..4, m in 4_usize..10, extra in 0_usize..3,
        which in 0_usize..3, flat in any::<bool>(), sigma in 0.05_f64..2.0,
    ) {
        let a = DMatrix::from_fn(m, n, |i, j| entries[i * 3 + j]);
        let criterion = Criterion::ALL[which];
        let k = (n + extra).min(m - 1);
        let prior = if flat { Prior::Flat } else { isotropic(0.7) };
        let Ok(problem) = DesignProblem::new(&a, &prior, sigma, criterion) else {
            return Ok(());
        };
        let best = Exhaustive::default().select(&problem, k, &seed()).unwrap();
        let mut plain = f64::INFINITY;
        for rows in all_choices(m, k) {
            plain = plain.min(plain_loss(&a, &vec![if flat { 0.0 } else { 0.7 }; n], sigma, criterion, &rows));
        }
        prop_assert!(close(best.loss, plain), "{} {plain}", best.loss);
        let relaxation = Relaxation::solve(&problem, k, RelaxationSettings::default()).unwrap();
        prop_assert!(relaxation.lower_bound <= best.loss, "{} {}", relaxation.lower_bound, best.loss);
        prop_assert!(relaxation.lower_bound <= relaxation.value);
        prop_assert!((relaxation.weights.iter().sum::<f64>() - k as f64).abs() < 1e-9);
        prop_assert!(relaxation.weights.iter().all(|w| (0.0..=1.0 + 1e-12).contains(w)));
        let scale = if criterion == Criterion::D { 1.0 } else { relaxation.value };
        // What the settings ask for, or what rounding leaves where the candidates are ill-conditioned.
        // E may end early at a double eigenvalue, a gap of thousandths.
        let gap = if criterion == Criterion::E { 1e-2 } else { 1e-4 };
        prop_assert!(relaxation.value - relaxation.lower_bound <= gap * scale, "{criterion:?} {relaxation:?}");
        for start in [&LargestNorms as &dyn RowSelector, &RandomRows, &ForwardGreedy, &RoundedRelaxation::default()] {
            let selection = start.select(&problem, k, &seed()).unwrap();
            prop_assert!(selection.loss >= best.loss - 1e-9 * (1.0 + best.loss.abs()));
            prop_assert_eq!(selection.rows.len(), k);
            let improved = Exchange::from(GivenRows(selection.rows.clone())).select(&problem, k, &seed()).unwrap();
            prop_assert!(improved.loss <= selection.loss);
            // A local optimum: no single exchange lowers the loss by more than rounding.
            for place in 0..k {
                for j in (0..m).filter(|j| !improved.rows.contains(j)) {
                    let mut rows = improved.rows.clone();
                    rows[place] = j;
                    let other = problem.loss(&rows).unwrap();
                    prop_assert!(other >= improved.loss - 1e-7 * (1.0 + improved.loss.abs()), "{other} {}", improved.loss);
                }
            }
            if let Certainty::Interval { lower, upper } = improved.certified(&relaxation).certainty {
                prop_assert!(lower <= best.loss && best.loss <= upper + 1e-9 * (1.0 + upper.abs()));
            }
        }
    }
}
