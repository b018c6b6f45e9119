use super::*;
use crate::estimators::dual_bound::dual_bound;
use crate::estimators::search::search;
use crate::operators::DenseOperator;
use proptest::prelude::*;
use rand::RngExt;
use rand_distr::StandardNormal;

fn gaussian(m: usize, n: usize, seed: u64) -> DMatrix<f64> {
    let mut rng = Seed::root(seed).stream("isometry").rng();
    DMatrix::from_fn(m, n, |_, _| rng.sample::<f64, _>(StandardNormal) / (m as f64).sqrt())
}

fn profile_with(a: &DMatrix<f64>, order: usize, node_limit: u64) -> Vec<RestrictedIsometry> {
    let operator = DenseOperator::new(a.clone()).unwrap();
    let settings = RestrictedIsometryConstant {
        node_limit,
        ..RestrictedIsometryConstant::of_order(order)
    };
    settings.profile(&operator, &Seed::root(0)).unwrap().value
}

fn profile(a: &DMatrix<f64>, order: usize) -> Vec<RestrictedIsometry> {
    profile_with(a, order, 100_000)
}

fn supports(n: usize, k: usize) -> Vec<Vec<usize>> {
    (0..1usize << n)
        .filter(|bits| bits.count_ones() as usize == k)
        .map(|bits| (0..n).filter(|i| bits >> i & 1 == 1).collect())
        .collect()
}

/// Every support, a full factorisation each: the smallest and the largest eigenvalue.
fn brute_force(a: &DMatrix<f64>, k: usize) -> (f64, f64) {
    let g = gram(a);
    supports(a.ncols(), k)
        .iter()
        .fold((f64::MAX, f64::MIN), |(low, high), s| {
            let sub = DMatrix::from_fn(k, k, |i, j| g[(s[i], s[j])]);
            let values = symmetric_eigenvalues(&sub).unwrap();
            (low.min(values[0]), high.max(values[k - 1]))
        })
}

/// Rounding of the reference: a full factorisation of a k×k Gram matrix of that trace.
fn reference_error(a: &DMatrix<f64>, k: usize) -> f64 {
    (16 * k * k + a.nrows()) as f64 * f64::EPSILON * k as f64 * gram(a).diagonal().max()
}

fn consistent(found: &RestrictedIsometry, a: &DMatrix<f64>) {
    let k = found.order;
    let (low, high) = brute_force(a, k);
    let spare = reference_error(a, k);
    let delta = (high - 1.0).max(1.0 - low);
    assert!(
        found.lower <= delta + spare && delta <= found.upper + spare,
        "{delta} {found:?}"
    );
    assert!(found.lambda_max.lower <= high + spare && high <= found.lambda_max.upper + spare);
    assert!(found.lambda_min.lower <= low + spare && low <= found.lambda_min.upper + spare);
    if let Some(exact) = found.exact {
        assert!((exact - delta).abs() <= spare, "{exact} {delta}");
        assert!(found.lower <= exact && exact <= found.upper);
        // The two ends of the proof meet: slack 8 roundings, each 2 (k + 4) ε k (τ + d) with τ ≤ k d, and formation.
        let d = gram(a).diagonal().max();
        let width = (18 * (k + 4) * k * (k + 1) + 40 * k * k * k + 4 * a.nrows() * k) as f64 * f64::EPSILON * d;
        // Each end is a difference to 1, rounded and then moved outwards by one number.
        let ends = 4.0 * f64::EPSILON * (1.0 + delta);
        assert!(found.upper - found.lower <= width + ends, "{found:?}");
    }
    // The witness attains the lower bound.
    let s = found.witness.indices();
    assert_eq!(s.len(), k);
    let g = gram(&a.select_columns(s));
    let values = symmetric_eigenvalues(&g).unwrap();
    assert!((values[k - 1] - 1.0).max(1.0 - values[0]) >= found.lower - spare);
}

#[test]
fn orthonormal_columns_have_constant_zero_at_every_order() {
    for found in profile(&DMatrix::identity(9, 7), 7) {
        let exact = found.exact.unwrap();
        assert!(exact <= 1e-13, "{found:?}");
        assert!(found.upper <= 1e-12);
    }
}

#[test]
fn two_equal_columns_are_invisible_at_order_one_and_fatal_at_order_two() {
    let mut a = DMatrix::identity(5, 5);
    a.set_column(4, &a.column(1).into_owned());
    let found = profile(&a, 2);
    assert!(found[0].exact.unwrap() <= 1e-15);
    assert!((found[1].exact.unwrap() - 1.0).abs() <= 1e-14);
    assert_eq!(found[1].witness.indices(), [1, 4]);
}

#[test]
fn an_equiangular_frame_of_mercedes_lines_has_its_closed_form() {
    // Three unit vectors at 120 degrees: G = 3/2 I − ½ 11ᵀ on three columns: eigenvalues 3/2, 3/2, 0; pairs: 1 ± 1/2.
    let a = DMatrix::from_fn(2, 3, |i, j| {
        let t = j as f64 * 2.0 * std::f64::consts::PI / 3.0;
        if i == 0 { t.cos() } else { t.sin() }
    });
    let found = profile(&a, 3);
    assert!((found[1].exact.unwrap() - 0.5).abs() <= 1e-14);
    assert!((found[2].exact.unwrap() - 1.0).abs() <= 1e-14);
    assert!((found[2].lambda_max.upper - 1.5).abs() <= 1e-12);
}

/// The sharp example for orthogonal matching pursuit (Mo 2015): A with AᵀA = [[k/(k+1) I, 1/(k+1)], [·, (k+2)/(k+1)]].
#[test]
fn the_sharp_matching_pursuit_example_has_constant_one_over_the_root() {
    for k in 1..=6usize {
        let c = (k + 1) as f64;
        let g = DMatrix::from_fn(k + 1, k + 1, |i, j| match (i == j, i.max(j) == k) {
            (true, false) => k as f64 / c,
            (true, true) => (k as f64 + 2.0) / c,
            (false, true) => 1.0 / c,
            (false, false) => 0.0,
        });
        let a = g.clone().cholesky().unwrap().l().transpose();
        let found = &profile(&a, k + 1)[k];
        let expected = 1.0 / c.sqrt();
        assert!((found.exact.unwrap() - expected).abs() <= reference_error(&a, k + 1));
    }
}

#[test]
fn scaling_that_centres_the_spectrum_gives_the_rescaled_value() {
    let a = gaussian(8, 9, 4);
    let found = profile(&a, 3).pop().unwrap();
    let rescaled = found.rescaled();
    let scaled = profile(&(&a * rescaled.scale), 3).pop().unwrap();
    let exact = scaled.exact.unwrap();
    assert!(rescaled.lower <= exact + 1e-12 && exact <= rescaled.upper + 1e-12);
    assert!(exact <= found.exact.unwrap() + 1e-12);
}

#[test]
fn more_columns_than_rows_make_the_smallest_eigenvalue_exactly_zero() {
    let found = profile(&gaussian(3, 8, 5), 5);
    for r in &found[3..] {
        assert_eq!((r.lambda_min.lower, r.lambda_min.upper), (0.0, 0.0));
        assert!(r.lower >= 1.0 - 1e-15);
    }
}

#[test]
fn zero_and_huge_and_tiny_columns_keep_the_proofs_valid() {
    let mut a = gaussian(4, 7, 6);
    a.column_mut(2).fill(0.0);
    for i in 0..4 {
        a[(i, 5)] *= 1e8;
        a[(i, 6)] *= 1e-170;
    }
    for found in profile(&a, 4) {
        consistent(&found, &a);
    }
    let overflow = DenseOperator::new(DMatrix::from_element(2, 2, 1e200)).unwrap();
    let refused = RestrictedIsometryConstant::of_order(2).estimate(&overflow, &Seed::root(0));
    assert!(matches!(refused, Err(Error::Numerical { .. })));
}

#[test]
fn orders_without_meaning_are_refused() {
    let a = DenseOperator::new(gaussian(3, 4, 1)).unwrap();
    for order in [0, 5] {
        let refused = RestrictedIsometryConstant::of_order(order).estimate(&a, &Seed::root(0));
        assert!(matches!(refused, Err(Error::Argument { .. })));
    }
}

#[test]
fn an_interval_is_said_to_be_one_and_the_seed_decides_it() {
    let a = DenseOperator::new(gaussian(10, 30, 2)).unwrap();
    let settings = RestrictedIsometryConstant {
        order: 4,
        node_limit: 0,
        max_starts: 3,
    };
    let found = settings.estimate(&a, &Seed::root(7)).unwrap();
    assert!(found.value.exact.is_none());
    assert_eq!(found.certainty, found.value.certainty());
    assert!(matches!(found.certainty, Certainty::Interval { .. }));
    assert_eq!(found, settings.estimate(&a, &Seed::root(7)).unwrap());
    let exact = RestrictedIsometryConstant::of_order(4)
        .estimate(&a, &Seed::root(7))
        .unwrap();
    let value = exact.value.exact.unwrap();
    assert!(found.value.lower <= value && value <= found.value.upper);
}

#[test]
fn a_column_much_shorter_than_one_has_the_rounding_of_one() {
    let a = gaussian(1, 1, 8600);
    assert!(gram(&a)[(0, 0)] < 0.01);
    consistent(&profile(&a, 1)[0], &a);
}

/// Matrices on which a search can go wrong in different ways: independent entries, columns of very different lengths,
/// copied columns, and fewer rows than a support has columns.
fn awkward(kind: usize, m: usize, n: usize, seed: u64) -> DMatrix<f64> {
    let mut a = gaussian(m, n, seed);
    match kind % 4 {
        1 => (0..n).for_each(|j| a.column_mut(j).scale_mut(0.3 + j as f64 / 4.0)),
        2 => (0..n / 2).for_each(|j| a.set_column(n - 1 - j, &(a.column(j) * 0.75))),
        3 => a.iter_mut().for_each(|v| *v = v.signum() / (m as f64).sqrt()),
        _ => (),
    }
    a
}

#[test]
fn twenty_four_columns_at_order_five_agree_with_a_factorisation_of_every_support() {
    for seed in 0..2 {
        let a = gaussian(15, 24, seed);
        let found = profile(&a, 5);
        consistent(found.last().unwrap(), &a);
        assert!(found.iter().all(|r| r.exact.is_some()));
    }
}

#[test]
fn a_thousand_million_supports_are_proven_by_thousands_of_nodes() {
    let a = gaussian(50, 100, 11);
    let found = profile(&a, 6).pop().unwrap();
    assert!(found.exact.is_some() && found.nodes < 200_000, "{found:?}");
    // C(100, 6) = 1,192,052,400; no sample of them may do better than what is proven.
    let g = gram(&a);
    let mut rng = Seed::root(5).stream("supports").rng();
    for _ in 0..2_000 {
        let s = rand::seq::index::sample(&mut rng, 100, 6).into_vec();
        let values = symmetric_eigenvalues(&DMatrix::from_fn(6, 6, |i, j| g[(s[i], s[j])])).unwrap();
        assert!(values[5] <= found.lambda_max.upper && values[0] >= found.lambda_min.lower);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn search_and_bounds_agree_with_brute_force(
        kind in 0usize..4, m in 1usize..8, n in 1usize..11, limit in 0u64..60, seed in 0u64..10_000,
    ) {
        let a = awkward(kind, m, n, seed);
        let order = n.min(5);
        let exact = profile(&a, order);
        let interval = profile_with(&a, order, limit);
        for (e, i) in exact.iter().zip(&interval) {
            consistent(e, &a);
            consistent(i, &a);
            let value = e.exact.unwrap();
            prop_assert!(i.lower <= value && value <= i.upper, "{:?} {:?}", e, i);
        }
        for pair in exact.windows(2) {
            prop_assert!(pair[0].lower <= pair[1].upper && pair[0].exact.unwrap() <= pair[1].upper);
        }
        for pair in interval.windows(2) {
            prop_assert!(pair[0].lower <= pair[1].lower + reference_error(&a, order));
        }
    }

    #[test]
    fn deleting_a_column_never_raises_the_constant(kind in 0usize..4, m in 2usize..8, n in 5usize..10, seed in 0u64..10_000) {
        let a = awkward(kind, m, n, seed);
        let all = profile(&a, 4);
        let fewer = profile(&a.clone().remove_column(seed as usize % n), 4);
        for (more, less) in all.iter().zip(&fewer) {
            prop_assert!(less.lower <= more.upper, "{:?} {:?}", less, more);
            prop_assert!(less.exact.unwrap() <= more.exact.unwrap() + reference_error(&a, 4));
        }
    }

    #[test]
    fn a_poor_incumbent_is_repaired_by_the_search(kind in 0usize..4, seed in 0u64..200) {
        let a = awkward(kind, 6, 10, seed);
        let g = GramMatrix::new(&a).unwrap();
        let (low, high) = brute_force(&a, 4);
        for (end, truth) in [(End::Largest, high), (End::Smallest, -low)] {
            let start = Candidate { support: vec![0, 1, 2, 3], value: -1e3, error: 0.0 };
            let proof = search(&g, 4, end, 100.0, start, f64::INFINITY, 100_000).unwrap();
            let spare = reference_error(&a, 4);
            prop_assert!(proof.closed);
            prop_assert!((proof.best.value - truth).abs() <= spare);
            prop_assert!(proof.bound >= truth - spare);
        }
    }

    #[test]
    fn the_dual_bound_holds_and_adds_no_more_than_its_box_to_the_whole_spectrum(kind in 0usize..4, k in 2usize..5, seed in 0u64..10_000) {
        let a = awkward(kind, 6, 9, seed);
        let g = gram(&a);
        let (low, high) = brute_force(&a, k);
        for (sign, truth) in [(1.0, high), (-1.0, -low)] {
            if let Some(bound) = dual_bound(&(&g * sign), k).unwrap() {
                prop_assert!(bound >= truth - reference_error(&a, k), "{} {}", bound, truth);
                let whole = symmetric_eigenvalues(&(&g * sign)).unwrap()[8];
                // Any box adds at most k times its size to the whole spectrum: the smallest box tried is e⁻⁴ of the largest entry.
                let box_size = (0..9).flat_map(|j| (0..j).map(move |i| (i, j))).fold(0.0f64, |m, p| m.max(g[p].abs()));
                prop_assert!(bound <= whole + k as f64 * box_size, "{} {}", bound, whole);
            }
        }
    }
}
