use super::*;
use crate::Seed;
use crate::statistics::BinomialCount;
use proptest::prelude::*;
use rand::RngExt;

fn points(counts: &[(f64, u64, u64)]) -> Vec<Point> {
    counts
        .iter()
        .map(|&(x, successes, trials)| Point { x, successes, trials })
        .collect()
}

#[test]
fn the_fit_and_its_profile_interval_match_forty_digit_ones() {
    // mpmath 1.4.1, 40 digits: findroot on the score equations, and on twice the profile difference less the quantile.
    let data = points(&[
        (0.1, 0, 50),
        (0.2, 3, 50),
        (0.3, 9, 50),
        (0.4, 22, 50),
        (0.5, 37, 50),
        (0.6, 49, 50),
    ]);
    let fit = fit_threshold(&data, 0.05).unwrap();
    let HalfPoint::Fitted {
        point,
        intercept,
        slope,
        deviance,
    } = fit.half
    else {
        panic!("{fit:?}")
    };
    for (got, want, tolerance) in [
        // Newton converges to rounding; the ends resolve a likelihood of size 130 to 1e-13 over a slope of about 100.
        (point, 0.411_480_962_431_036_8, 1e-11),
        (intercept, -6.104_266_654_223_672_5, 1e-11),
        (slope, 14.834_870_167_891_989, 1e-11),
        (deviance, 3.921_402_910_744_116, 1e-11),
        (fit.interval.lower, 0.388_359_656_804_780_63, 1e-11),
        (fit.interval.upper, 0.435_025_147_014_013_35, 1e-11),
    ] {
        assert!((got / want - 1.0).abs() < tolerance, "{got} {want}");
    }
    assert_eq!(fit.point(), Some(point));
}

#[test]
fn separated_counts_give_the_gap_and_a_bounded_interval_around_it() {
    let fit = fit_threshold(
        &points(&[(0.1, 0, 50), (0.2, 0, 50), (0.3, 50, 50), (0.4, 50, 50)]),
        0.05,
    )
    .unwrap();
    let HalfPoint::Gap { below, above, rising } = fit.half else {
        panic!("{fit:?}")
    };
    assert!((below - 0.2).abs() < 1e-15 && (above - 0.3).abs() < 1e-15 && rising);
    assert_eq!(fit.point(), Some(0.5 * below + 0.5 * above));
    // Every point inside the gap has likelihood 1 in the limit; at c = 0.2 itself the fifty failures there cost
    // 2·50·ln 2, far beyond the quantile. So the interval is the gap.
    assert!(
        (fit.interval.lower - 0.2).abs() < 1e-12 && (fit.interval.upper - 0.3).abs() < 1e-12,
        "{fit:?}"
    );
    let falling = fit_threshold(&points(&[(1.0, 9, 9), (2.0, 0, 9)]), 0.05).unwrap();
    assert!(matches!(falling.half, HalfPoint::Gap { rising: false, .. }));
}

#[test]
fn few_separated_trials_leave_the_point_outside_the_gap_possible() {
    // Two trials a side: a point at the last failure costs 2·2·ln 2 = 2.8 < 3.84, so the interval is wider than the gap.
    let fit = fit_threshold(&points(&[(0.0, 0, 2), (0.2, 0, 2), (0.3, 2, 2), (1.0, 2, 2)]), 0.05).unwrap();
    assert!(fit.interval.lower < 0.2 && fit.interval.upper > 0.3, "{fit:?}");
    assert!(fit.interval.lower.is_finite() && fit.interval.upper.is_finite());
}

#[test]
fn counts_that_touch_at_one_mixed_value_have_their_point_there() {
    let fit = fit_threshold(&points(&[(0.1, 0, 40), (0.2, 13, 40), (0.3, 40, 40)]), 0.05).unwrap();
    let HalfPoint::Gap { below, above, .. } = fit.half else {
        panic!("{fit:?}")
    };
    assert_eq!(below, above);
    assert!((below - 0.2).abs() < 1e-15);
    assert!(fit.interval.contains(0.2) && fit.interval.width() < 0.2, "{fit:?}");
}

#[test]
fn all_or_nothing_and_flat_counts_do_not_bound_the_point() {
    let all = fit_threshold(&points(&[(0.1, 5, 5), (0.2, 5, 5)]), 0.05).unwrap();
    assert_eq!(all.half, HalfPoint::AllSucceeded);
    let none = fit_threshold(&points(&[(0.1, 0, 5), (0.2, 0, 5)]), 0.05).unwrap();
    assert_eq!((none.half, none.point()), (HalfPoint::AllFailed, None));
    let flat = fit_threshold(&points(&[(0.1, 3, 10), (0.2, 4, 10), (0.3, 3, 10)]), 0.05).unwrap();
    for fit in [all, none, flat] {
        assert_eq!(
            fit.interval,
            Interval {
                lower: f64::NEG_INFINITY,
                upper: f64::INFINITY
            }
        );
    }
}

#[test]
fn bad_input_is_refused() {
    assert!(fit_threshold(&points(&[(0.1, 1, 2)]), 0.05).is_err());
    assert!(fit_threshold(&points(&[(0.1, 1, 2), (0.1, 1, 2)]), 0.05).is_err());
    assert!(fit_threshold(&points(&[(0.1, 1, 2), (0.2, 0, 0)]), 0.05).is_err());
    assert!(fit_threshold(&points(&[(0.1, 3, 2), (0.2, 1, 2)]), 0.05).is_err());
    assert!(fit_threshold(&points(&[(f64::NAN, 1, 2), (0.2, 1, 2)]), 0.05).is_err());
    assert!(fit_threshold(&points(&[(0.1, 1, 2), (0.2, 1, 2)]), 1.0).is_err());
    assert!(fit_threshold(&[], 0.05).is_err());
}

#[test]
fn the_true_point_is_covered_as_often_as_promised() {
    let seed = Seed::root(0).stream("logistic coverage");
    let trials = 600;
    let covered = (0..trials)
        .filter(|&t| {
            let mut rng = seed.replicate(t).rng();
            let data: Vec<Point> = (0..8)
                .map(|i| {
                    let x = 0.3 + 0.05 * f64::from(i);
                    let probability = logistic(20.0 * (x - 0.47));
                    let successes = (0..60).filter(|_| rng.random::<f64>() < probability).count() as u64;
                    Point {
                        x,
                        successes,
                        trials: 60,
                    }
                })
                .collect();
            fit_threshold(&data, 0.1).unwrap().interval.contains(0.47)
        })
        .count() as u64;
    // The likelihood ratio is χ²₁ up to O(1/trials); the exact test of coverage 0.9 at level 1e-3.
    let count = BinomialCount::new(covered, trials).unwrap();
    assert!(!count.rejects(0.9, 1e-3).unwrap(), "{covered} of {trials}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_counts_give_a_finite_point_or_say_why_not(
        counts in prop::collection::vec((0_u64..=8, 0_u64..=8), 2..7), shift in -1e3_f64..1e3, scale in 1e-3_f64..1e3,
    ) {
        let data: Vec<Point> = counts
            .iter()
            .enumerate()
            .map(|(i, &(a, b))| Point { x: shift + scale * i as f64, successes: a, trials: a + b })
            .collect();
        if let Ok(fit) = fit_threshold(&data, 0.05) {
            prop_assert!(fit.interval.lower <= fit.interval.upper);
            if let Some(point) = fit.point() {
                prop_assert!(fit.interval.contains(point), "{:?}", fit);
            }
        }
    }

    #[test]
    fn swapping_successes_and_failures_keeps_the_point(successes in prop::collection::vec(1_u64..20, 4..7)) {
        let build = |swap: bool| -> Vec<Point> {
            let count = |s: u64| if swap { 20 - s } else { s };
            successes.iter().enumerate().map(|(i, &s)| Point { x: i as f64, successes: count(s), trials: 20 }).collect()
        };
        let [one, other] = [false, true].map(|swap| fit_threshold(&build(swap), 0.05).unwrap());
        if let (Some(a), Some(b)) = (one.point(), other.point())
            && one.interval.width().is_finite()
        {
            prop_assert!((a - b).abs() < 1e-6 * (1.0 + a.abs()), "{} {}", a, b);
            prop_assert!((one.interval.lower - other.interval.lower).abs() < 1e-6 * (1.0 + one.interval.lower.abs()));
        }
    }
}
