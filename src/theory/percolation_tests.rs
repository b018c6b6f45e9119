use super::*;
use proptest::prelude::*;

fn binomial(fan_out: u64, keep: f64) -> Offspring {
    Offspring::Binomial { fan_out, keep }
}

#[test]
fn two_successors_have_the_elementary_root_from_the_threshold_to_one() {
    for exponent in 1..=15 {
        for keep in [0.5 + 10f64.powi(-exponent), 1.0 - 10f64.powi(-exponent)] {
            if keep <= 0.5 {
                continue;
            }
            let Survival { survival, extinction } = binomial(2, keep).survival().unwrap();
            // 2q − 1 and 1 − q are exact in floating point.
            let exact = (2.0 * keep - 1.0) / (keep * keep);
            let dies = ((1.0 - keep) / keep).powi(2);
            assert!((survival / exact - 1.0).abs() < 2e-15, "{keep}: {survival} {exact}");
            // ln e is of size 70 at most: its last bit is 1e-14 of e.
            assert!(
                (extinction / dies - 1.0).abs() < 2e-14 || survival <= 0.5,
                "{keep}: {extinction} {dies}"
            );
        }
    }
}

#[test]
fn the_roots_match_fifty_digit_ones() {
    // mpmath 1.4.1, 50 digits, findroot on the defining equation at the doubles given here.
    for (law, exact) in [
        (binomial(3, 0.5), 0.763_932_022_500_210_3),
        (binomial(10, 0.11), 0.194_328_053_312_630_73),
        (binomial(100, 0.010_000_1), 2.020_174_948_443_501e-5),
        (Offspring::Poisson { mean: 2.0 }, 0.796_812_130_020_02),
        (Offspring::Poisson { mean: 1.000_001 }, 1.999_997_333_171_911_6e-6),
        (Offspring::Poisson { mean: 1.5 }, 0.582_811_643_865_811_4),
    ] {
        let survival = law.survival().unwrap().survival;
        assert!((survival / exact - 1.0).abs() < 1e-14, "{law:?}: {survival} {exact}");
    }
}

#[test]
fn the_fraction_reached_is_not_the_survival_of_one_source() {
    // Fan-out 2, keep 0.55: the tree predicts survival 0.33 for one source; the layer is reached by another law.
    let survival = binomial(2, 0.55).survival().unwrap().survival;
    assert!((survival - 0.1 / 0.3025).abs() < 1e-14);
    let reached = reached_fraction(1.1).unwrap();
    assert!(reached < 0.18, "{reached}");
    let given = [("fan-out", "2"), ("keep", "0.55")];
    let answer = FORM.evaluate_text(&given).unwrap();
    assert_eq!(answer[0].value, super::super::Scalar::Real(survival));
    assert!(
        answer
            .iter()
            .any(|q| q.name == "reached_fraction" && q.value == super::super::Scalar::Real(reached))
    );
}

#[test]
fn nothing_survives_at_or_below_the_threshold() {
    for fan_out in [2, 4, 8, 1024] {
        assert_eq!(
            binomial(fan_out, 1.0 / fan_out as f64).survival().unwrap().survival,
            0.0
        );
        assert!(
            binomial(fan_out, 1.0 / fan_out as f64 * (1.0 + 1e-12))
                .survival()
                .unwrap()
                .survival
                > 0.0
        );
    }
    assert_eq!(binomial(1, 0.999).survival().unwrap().survival, 0.0);
    assert_eq!(binomial(1, 1.0).survival().unwrap().survival, 1.0);
    assert_eq!(
        binomial(5, 1.0).survival().unwrap(),
        Survival {
            survival: 1.0,
            extinction: 0.0
        }
    );
    assert_eq!(drop_threshold(4.0).unwrap(), 0.75);
    assert!(drop_threshold(0.5).is_err());
}

#[test]
fn a_finite_depth_matches_the_rational_iteration() {
    // Fan-out 2, keep 1/2: F(s) = s − s²/4, so 3/4, 39/64, 8463/16384.
    let law = binomial(2, 0.5);
    for (depth, exact) in [(0, 1.0), (1, 0.75), (2, 39.0 / 64.0), (3, 8463.0 / 16384.0)] {
        assert!((law.survival_to_depth(depth).unwrap() - exact).abs() < 1e-15);
    }
}

#[test]
fn at_the_threshold_survival_falls_like_two_over_depth_times_curvature() {
    // s_L f''L/2 → 1 with a correction of order ln L / L.
    for law in [binomial(2, 0.5), binomial(8, 0.125), Offspring::Poisson { mean: 1.0 }] {
        for depth in [1_000, 100_000] {
            let ratio = law.survival_to_depth(depth).unwrap() / law.critical_asymptote(depth).unwrap();
            let correction = (depth as f64).ln() / depth as f64;
            assert!((ratio - 1.0).abs() < 3.0 * correction, "{law:?} at {depth}: {ratio}");
        }
    }
    assert_eq!(binomial(4, 0.25).second_factorial_moment(), 1.0 - 0.25);
    assert!(binomial(4, 0.3).critical_asymptote(10).is_err());
}

#[test]
fn below_the_threshold_survival_falls_geometrically_to_the_smallest_double() {
    let law = binomial(4, 0.2);
    let [a, b] = [200, 201].map(|depth| law.survival_to_depth(depth).unwrap());
    assert!((b / a - 0.8).abs() < 1e-14);
    assert_eq!(law.survival_to_depth(1_000_000).unwrap(), 0.0);
    assert!((law.approach_ratio().unwrap() - 0.8).abs() < 1e-15);
}

#[test]
fn above_the_threshold_the_distance_shrinks_by_the_slope_there() {
    for law in [binomial(4, 0.5), Offspring::Poisson { mean: 1.7 }] {
        let limit = law.survival().unwrap().survival;
        let distance = |depth| law.survival_to_depth(depth).unwrap() - limit;
        let ratio = law.approach_ratio().unwrap();
        // At depth 12 the distance is about 1e-5, so that the quadratic term and the rounding are both below 1e-4.
        assert!((distance(13) / distance(12) / ratio - 1.0).abs() < 1e-2, "{law:?}");
        let deep = [20, 21].map(distance);
        assert!((deep[1] / deep[0] / ratio - 1.0).abs() < 1e-3, "{law:?}");
    }
}

#[test]
fn arguments_outside_their_domain_are_refused() {
    assert!(binomial(0, 0.5).survival().is_err());
    assert!(binomial(2, 1.5).survival().is_err());
    assert!(Offspring::Poisson { mean: f64::NAN }.survival().is_err());
    assert!(FORM.evaluate_text(&[("fan-out", "2.5"), ("keep", "0.5")]).is_err());
    assert!(
        FORM.evaluate_text(&[("fan-out", "2.5"), ("keep", "0.5"), ("law", "poisson")])
            .is_ok()
    );
}

proptest! {
    #[test]
    fn the_root_is_a_fixed_point_and_the_limit_of_the_iteration(fan_out in 1_u64..200, keep in 0.0_f64..1.0) {
        let law = binomial(fan_out, keep);
        let Survival { survival, extinction } = law.survival().unwrap();
        prop_assert!((survival + extinction - 1.0).abs() < 1e-15);
        prop_assert!((law.step(survival) - survival).abs() < 1e-15);
        // The iteration converges geometrically unless the slope is near 1.
        if law.approach_ratio().unwrap() < 0.99 {
            let limit = law.survival_to_depth(10_000).unwrap();
            prop_assert!((limit - survival).abs() < 1e-13, "{} {}", limit, survival);
        }
    }

    #[test]
    fn survival_never_rises_with_depth_and_never_exceeds_the_expected_number(
        fan_out in 1_u64..50, keep in 0.0_f64..1.0, depth in 0_u64..100,
    ) {
        let law = binomial(fan_out, keep);
        let here = law.survival_to_depth(depth).unwrap();
        prop_assert!(law.survival_to_depth(depth + 1).unwrap() <= here);
        prop_assert!(here <= law.subcritical_bound(depth).unwrap() * (1.0 + 1e-13));
        prop_assert!(here >= law.survival().unwrap().survival * (1.0 - 1e-14));
    }

    #[test]
    fn many_rare_edges_are_poisson(mean in 1.1_f64..4.0) {
        // The binomial root differs from the Poisson one by O(1/b).
        let exact = Offspring::Poisson { mean }.survival().unwrap().survival;
        let wide = binomial(1 << 40, mean / (1_u64 << 40) as f64).survival().unwrap().survival;
        prop_assert!((wide - exact).abs() < 1e-10);
    }
}
