use super::*;
use proptest::prelude::*;

const BOTH: [Signs; 2] = [Signs::Signed, Signs::Nonnegative];

fn signs(nonnegative: bool) -> Signs {
    if nonnegative { Signs::Nonnegative } else { Signs::Signed }
}

fn volumes(columns: u64, nonzeros: u64, signs: Signs) -> Vec<f64> {
    let logarithms = ln_intrinsic_volumes(columns, nonzeros, signs).unwrap();
    logarithms.iter().map(|v| v.value.exp()).collect()
}

/// The largest error bound among the volumes, which bounds the relative error of any sum of them.
fn bound(columns: u64, nonzeros: u64, signs: Signs) -> f64 {
    let logarithms = ln_intrinsic_volumes(columns, nonzeros, signs).unwrap();
    logarithms.iter().fold(0.0, |bound, v| v.error.max(bound))
}

#[test]
fn angles_in_the_plane_and_in_space_are_the_elementary_ones() {
    use std::f64::consts::PI;
    // In space, {x₁ + |x₂| + |x₃| ≤ 0}: the cone over a square, with four facets of 60 degrees at angles of arccos(−1/3).
    let dihedral = (-1.0_f64 / 3.0).acos();
    let pyramid = vec![1.0 / 6.0, 1.0 - dihedral / PI, 1.0 / 3.0, dihedral / PI - 0.5];
    for (columns, signs, expected) in [
        (1, Signs::Signed, vec![0.5, 0.5]),
        (1, Signs::Nonnegative, vec![0.5, 0.5]),
        // A right angle, and half of one.
        (2, Signs::Signed, vec![0.25, 0.5, 0.25]),
        (2, Signs::Nonnegative, vec![0.375, 0.5, 0.125]),
        (3, Signs::Signed, pyramid),
    ] {
        let tolerance = bound(columns, 1, signs);
        for (got, expected) in volumes(columns, 1, signs).into_iter().zip(expected) {
            assert!(
                (got / expected - 1.0).abs() < tolerance,
                "{columns} {signs:?}: {got} {expected}"
            );
        }
    }
    // A half-space at full support.
    for signs in BOTH {
        assert_eq!(volumes(5, 5, signs)[..4], [0.0; 4]);
        assert!((volumes(5, 5, signs)[4] - 0.5).abs() < 1e-15 && (volumes(5, 5, signs)[5] - 0.5).abs() < 1e-15);
    }
}

#[test]
fn single_volumes_match_high_precision_up_to_a_million_dimensions() {
    // mpmath 1.4.1, 40 digits: ln v_j with the contour integral and the angle integral by its own quadratures.
    for (columns, nonzeros, j, nonnegative, exact) in [
        (6, 2, 3, false, 0.301_365_791_916_430_8_f64.ln()),
        (6, 2, 3, true, 0.328_532_770_062_687_9_f64.ln()),
        (50, 1, 0, false, -4.605_170_185_988_091),
        (50, 1, 5, false, -1.781_976_160_033_006),
        (50, 1, 20, true, -20.401_394_006_381_39),
        (50, 10, 50, false, -27.281_765_214_426_535),
        (50, 10, 30, true, -7.816_189_131_795_291),
        (50, 49, 49, true, -LN_2),
        (400, 60, 180, false, -3.685_411_696_739_795),
        (400, 60, 300, true, -172.279_136_725_948_5),
        (10_000, 1928, 5000, false, -4.831_015_593_681_023),
        (10_000, 1928, 4000, true, -4.627_080_559_236_07),
        (10_000, 100, 612, false, -4.149_678_514_065_344),
        (10_000, 100, 4000, false, -3_826.235_825_298_883),
        (10_000, 1, 50, false, -23.256_972_875_140_6),
        (10_000, 1, 3, true, -5.003_225_332_621_254),
        (10_000, 6000, 9000, false, -5.775_115_642_788_747),
        (10_000, 6000, 9990, true, -3_400.465_557_271_06),
        (1_000_000, 100_000, 300_000, false, -1_992.713_062_891_518_7),
    ] {
        let mut cone = DescentCone::new(columns, nonzeros, signs(nonnegative));
        let got = cone.ln_volume(j);
        // The stated bound, and the last digit of the table.
        let tolerance = got.error + f64::EPSILON * exact.abs();
        assert!(
            (got.value - exact).abs() < tolerance,
            "{columns} {nonzeros} {j}: {} {exact}",
            got.value
        );
        // Not far from the smallest bound that the size of the exponents allows.
        assert!(got.error < 2e-14 * (10.0 + columns as f64), "{}", got.error);
    }
}

#[test]
fn success_and_failure_match_high_precision() {
    // mpmath 1.4.1, 40 digits: both sums of the same volumes; agree with one to 1e-16.
    for (columns, rows, nonzeros, nonnegative, success_exact, failure_exact) in [
        (20, 10, 3, false, 0.828_862_656_350_983_1, 0.171_137_343_649_016_93),
        (20, 10, 3, true, 0.982_164_066_945_298_1, 0.017_835_933_054_701_98),
        (20, 5, 5, false, 6.458_302_550_333_285e-4, 0.999_354_169_744_966_7),
        (60, 30, 12, false, 0.505_067_344_242_916_1, 0.494_932_655_757_083_9),
        (60, 30, 20, true, 0.208_767_430_977_506_53, 0.791_232_569_022_493_5),
        (60, 40, 3, false, 0.999_999_999_999_789_5, 2.105_256_840_367_85e-13),
    ] {
        let got = success(columns, rows, nonzeros, signs(nonnegative)).unwrap();
        for (got, exact) in [(got.success, success_exact), (got.failure, failure_exact)] {
            assert!(
                (got / exact - 1.0_f64).abs() < 4e-14,
                "{columns} {rows} {nonzeros}: {got} {exact}"
            );
        }
        assert!(got.relative_error < 2e-13);
    }
}

#[test]
fn the_volumes_are_a_distribution_with_equal_weight_on_even_and_odd_indices() {
    for (columns, nonzeros) in [
        (1, 1),
        (2, 2),
        (3, 2),
        (7, 1),
        (30, 29),
        (200, 30),
        (500, 1),
        (500, 250),
        (500, 499),
    ] {
        for signs in BOTH {
            let v = volumes(columns, nonzeros, signs);
            let tolerance = 0.5 * bound(columns, nonzeros, signs);
            for parity in 0..2 {
                let sum: f64 = v.iter().skip(parity).step_by(2).sum();
                assert!((sum - 0.5).abs() < tolerance, "{columns} {nonzeros} {signs:?}: {sum}");
            }
            // A face of dimension below k − 1 does not exist, all others have a positive angle.
            let first = nonzeros as usize - 1;
            assert!(v[..first].iter().all(|v| *v == 0.0));
            // Far volumes may be below every double, never their logarithms.
            let logarithms = ln_intrinsic_volumes(columns, nonzeros, signs).unwrap();
            assert!(logarithms[first..].iter().all(|v| v.value.is_finite()));
        }
    }
}

#[test]
fn the_mean_of_the_volumes_is_the_statistical_dimension_by_its_own_quadrature() {
    // N − E dim of the face of the polar cone that holds the projection, from the law of the threshold τ* that minimises
    // dist²(g, τ∂f): P(τ* > x) by Gil-Pelaez inversion, then composite Gauss-Legendre over x; scipy 1.17, double precision.
    for (columns, nonzeros, nonnegative, exact) in [
        (6, 2, false, 3.410_474_838_135_937),
        (6, 2, true, 2.576_629_032_961_546_4),
        (40, 7, false, 18.226_695_515_298_79),
        (40, 7, true, 14.377_554_995_631_7),
        (300, 45, false, 127.770_044_617_874_38),
        (300, 45, true, 102.302_723_371_019_31),
    ] {
        let got = success(columns, 1, nonzeros, signs(nonnegative))
            .unwrap()
            .statistical_dimension;
        // The reference sums some 10⁴ numbers of size N.
        assert!(
            (got - exact).abs() < 1e-13 * columns as f64,
            "{columns} {nonzeros}: {got} {exact}"
        );
    }
}

#[test]
fn the_sums_over_a_window_are_those_over_all_volumes() {
    for (columns, rows, nonzeros) in [
        (300, 150, 58),
        (300, 150, 20),
        (300, 290, 20),
        (300, 60, 59),
        (300, 299, 1),
        (300, 1, 1),
    ] {
        for signs in BOTH {
            let all = ln_intrinsic_volumes(columns, nonzeros, signs).unwrap();
            let sum = |indices: &mut dyn Iterator<Item = usize>| {
                indices.fold(Logarithm::ZERO, |sum, j| sum.add(all[j])).value + LN_2
            };
            let below = sum(&mut (0..rows as usize).rev().step_by(2));
            let above = sum(&mut (rows as usize + 1..all.len()).step_by(2));
            let got = success(columns, rows, nonzeros, signs).unwrap();
            for (got, direct) in [(got.ln_success, below), (got.ln_failure, above)] {
                // What is left out is e^−35 of the sum, and a sum carries its terms' rounding.
                let tolerance = 4e-15 + 4.0 * f64::EPSILON * (300.0 + direct.abs());
                assert!(
                    (got - direct.min(0.0)).abs() < tolerance,
                    "{rows} {nonzeros} {signs:?}: {got} {direct}"
                );
            }
            let direct: f64 = all.iter().enumerate().map(|(j, v)| j as f64 * v.value.exp()).sum();
            assert!((got.statistical_dimension / direct - 1.0).abs() < bound(columns, nonzeros, signs));
        }
    }
}

#[test]
fn the_bounds_on_the_tails_hold_for_the_volumes_themselves() {
    for (columns, nonzeros) in [(2, 1), (10, 1), (10, 9), (150, 1), (150, 20), (150, 75), (150, 148)] {
        for signs in BOTH {
            let v = volumes(columns, nonzeros, signs);
            let tails = Tails::new(columns as usize, nonzeros as usize, signs);
            let dimension = success(columns, 0, nonzeros, signs).unwrap().statistical_dimension;
            assert!(tails.dimension_below <= dimension && dimension <= tails.dimension_above * (1.0 + 1e-12));
            let logarithms = ln_intrinsic_volumes(columns, nonzeros, signs).unwrap();
            for j in 0..v.len() {
                // In logarithms the bound is tested in the far tail too: no volume exceeds it, and the best is near.
                let (rate, constant) = tails.exponential_bound(j);
                let ln_above = logarithms[j..].iter().fold(Logarithm::ZERO, |sum, v| sum.add(*v)).value;
                assert!(
                    ln_above <= constant - rate * j as f64 + 1e-11,
                    "{columns} {nonzeros} {j}"
                );
                let below: f64 = v[..=j].iter().sum();
                let above: f64 = v[j..].iter().sum();
                // Sums of probabilities, rounded.
                assert!(below <= tails.ln_below(j).exp() + 1e-12, "{columns} {nonzeros} {j}");
                assert!(above <= tails.ln_above(j).exp() + 1e-12, "{columns} {nonzeros} {j}");
            }
        }
    }
}

#[test]
fn certain_cases_are_certain() {
    for signs in BOTH {
        for (rows, nonzeros, recovered) in [
            (0, 0, true),
            (4, 0, true),
            (9, 9, true),
            (9, 4, true),
            (0, 1, false),
            (3, 4, false),
        ] {
            let exact = success(9, rows, nonzeros, signs).unwrap();
            assert_eq!(exact.success, if recovered { 1.0 } else { 0.0 }, "{rows} {nonzeros}");
            assert_eq!(exact.success + exact.failure, 1.0);
            assert_eq!(exact.relative_error, 0.0);
        }
        // As many rows as nonzeros: possible, since a null space may miss a cone that is larger than a subspace.
        let tight = success(9, 4, 4, signs).unwrap();
        assert!(tight.success > 0.0 && tight.success < success(9, 5, 4, signs).unwrap().success);
        // At full support one row less leaves a line, which a half-space always holds.
        assert!(success(9, 8, 9, signs).unwrap().failure == 1.0);
    }
}

#[test]
fn sizes_that_do_not_fit_are_refused_by_name() {
    for (columns, rows, nonzeros, expected) in [
        (0, 0, 0, "columns"),
        (LARGEST_DIMENSION + 1, 1, 1, "columns"),
        (10, 11, 1, "rows"),
        (10, 1, 11, "nonzeros"),
    ] {
        match success(columns, rows, nonzeros, Signs::Signed) {
            Err(Error::Argument { name, .. }) => assert_eq!(name, expected),
            other => panic!("{other:?}"),
        }
    }
    assert!(ln_intrinsic_volumes(5, 0, Signs::Signed).is_err());
    for rows in [0, 10, 11] {
        assert!(even_odds_nonzeros(10, rows, Signs::Signed).is_err());
    }
}

#[test]
fn the_even_odds_point_lies_between_the_integers_that_enclose_it_and_tends_to_the_transition() {
    for signs in BOTH {
        for (columns, rows) in [
            (2, 1),
            (10, 1),
            (10, 5),
            (10, 9),
            (200, 20),
            (200, 100),
            (200, 190),
            (200, 199),
        ] {
            let point = even_odds_nonzeros(columns, rows, signs).unwrap();
            let at = |nonzeros: f64| success(columns, rows, nonzeros as u64, signs).unwrap().success;
            // An exact half may round to either side of it.
            assert!(at(point.floor()) >= 0.5 - 1e-13, "{columns} {rows} {signs:?} {point}");
            assert!(
                point.floor() + 1.0 > rows as f64 || at(point.floor() + 1.0) <= 0.5 + 1e-13,
                "{columns} {rows} {point}"
            );
        }
        let delta = 0.5;
        let limit = transition(delta, signs).unwrap().rho * delta;
        let gap = |columns: u64| {
            let point = even_odds_nonzeros(columns, columns / 2, signs).unwrap();
            (point / columns as f64 - limit).abs()
        };
        // The offset of the statistical dimension from its limit is bounded, so the gap falls like 1/N.
        let (coarse, fine) = (gap(100), gap(1600));
        assert!(fine < 0.1 * coarse && coarse < 0.02, "{coarse} {fine}");
    }
}

#[test]
fn the_calculator_answers_for_both_kinds_of_vectors() {
    let given = [("columns", "60"), ("rows", "30"), ("nonzeros", "12")];
    let signed = FORM.evaluate_text(&given).unwrap();
    let nonnegative = FORM
        .evaluate_text(&[&given[..], &[("nonnegative", "true")]].concat())
        .unwrap();
    for (answer, signs) in [(signed, Signs::Signed), (nonnegative, Signs::Nonnegative)] {
        let exact = success(60, 30, 12, signs).unwrap();
        assert_eq!(answer[0].value, super::super::Scalar::Real(exact.success));
        assert_eq!(answer[1].value, super::super::Scalar::Real(exact.failure));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_two_sums_add_to_one_and_order_as_they_must(
        columns in 3_u64..120, rows in 0.0_f64..1.0, nonzeros in 0.0_f64..1.0, nonnegative in any::<bool>(),
    ) {
        let rows = 1 + (rows * (columns - 2) as f64) as u64;
        let nonzeros = 1 + (nonzeros * (columns - 2) as f64) as u64;
        let signs = signs(nonnegative);
        let here = success(columns, rows, nonzeros, signs).unwrap();
        let slack = 1e-13;
        prop_assert!((here.success + here.failure - 1.0).abs() < slack);
        prop_assert!(success(columns, rows + 1, nonzeros, signs).unwrap().success >= here.success - slack);
        prop_assert!(success(columns, rows, nonzeros + 1, signs).unwrap().success <= here.success + slack);
        prop_assert!(success(columns + 1, rows, nonzeros, signs).unwrap().success <= here.success + slack);
        let helped = success(columns, rows, nonzeros, Signs::Nonnegative).unwrap();
        prop_assert!(helped.success >= success(columns, rows, nonzeros, Signs::Signed).unwrap().success - slack);
    }
}
