use super::{COLUMNS, GROUP_SIZES, Thresholding, groups, paths};
use ticketsense::Seed;
use ticketsense::harness::{Decision, Experiment, Verdict};
use ticketsense::table::{Row, Table, Value};
use ticketsense::theory::thresholding::{hard, soft};

fn verdict(id: &str, rows: Vec<Row>) -> Verdict {
    let claim = Thresholding.claims().iter().find(|c| c.id == id).unwrap();
    (claim.check)(&Table::with_rows(COLUMNS, rows).unwrap()).unwrap()
}

fn set(row: &mut Row, column: &str, value: impl Into<Value>) {
    let place = COLUMNS.iter().position(|c| c.name == column).unwrap();
    row.0[place] = value.into();
}

/// Means exactly as the closed forms say, with the errors that a million trials have.
fn scalars() -> Vec<Row> {
    let mut rows = Vec::new();
    for threshold in [1.0, 2.0] {
        for mean in [0.0, 1.0, 2.0, 8.0] {
            for (name, form) in [("soft", soft(mean, threshold)), ("hard", hard(mean, threshold))] {
                let form = form.unwrap();
                rows.push(
                    super::row_of(&[
                        ("part", "scalar".into()),
                        ("estimator", name.into()),
                        ("threshold", threshold.into()),
                        ("mean", mean.into()),
                        ("trials", 1_000_000.into()),
                        ("bias", form.bias.into()),
                        ("bias_error", (1e-3 * form.variance.sqrt()).into()),
                        ("risk", form.risk.into()),
                        ("risk_error", 2e-3.into()),
                    ])
                    .unwrap(),
                );
            }
        }
    }
    rows
}

fn all_groups() -> Vec<Row> {
    let each = GROUP_SIZES.map(|size| groups::rows(size, 100, &Seed::root(1)).unwrap());
    each.into_iter().flatten().collect()
}

/// A row of paths and one of a size.
fn compared(identity: f64, different: i64) -> Vec<Row> {
    vec![
        super::row_of(&[
            ("part", "paths".into()),
            ("correlation", 0.8.into()),
            ("problems", 10.into()),
            ("supports", 600.into()),
            ("identity", identity.into()),
            ("relative", 1e-15.into()),
            ("exact", 600.into()),
            ("signs_differ", 0.into()),
        ])
        .unwrap(),
        super::row_of(&[
            ("part", "size".into()),
            ("correlation", 0.8.into()),
            ("size", 4.into()),
            ("problems", 10.into()),
            ("different", different.into()),
            ("doubtful", 0.into()),
        ])
        .unwrap(),
    ]
}

#[test]
fn right_tables_are_decided_as_the_theory_says() {
    let eighth = verdict("C8", scalars());
    assert_eq!(eighth.decision.as_str(), "holds-under", "{eighth:?}");
    assert_eq!(verdict("C9", all_groups()).decision, Decision::Holds);
    assert_eq!(verdict("C10", compared(0.01, 3)).decision, Decision::Holds);
}

#[test]
fn a_hard_threshold_without_any_bias_or_a_soft_one_that_shrinks_less_refutes_the_closed_forms() {
    let mut unbiased = scalars();
    for row in &mut unbiased {
        if row.0[1] == Value::from("hard") {
            set(row, "bias", 0.0);
        }
    }
    assert_eq!(verdict("C8", unbiased).decision, Decision::Fails);
    let mut shrunk = scalars();
    set(&mut shrunk[6], "bias", -0.99);
    assert_eq!(verdict("C8", shrunk).decision, Decision::Fails);
    let mut lost = scalars();
    set(&mut lost[0], "risk", f64::NAN);
    assert_eq!(verdict("C8", lost).decision, Decision::Fails);
}

#[test]
fn too_few_trials_decide_nothing() {
    let mut blunt = scalars();
    for row in &mut blunt {
        set(row, "bias_error", 10.0);
        set(row, "risk_error", 10.0);
    }
    assert_eq!(verdict("C8", blunt).decision.as_str(), "undecided");
    let mut rare = scalars();
    for row in &mut rare {
        set(row, "trials", 100);
    }
    assert_eq!(verdict("C8", rare).decision.as_str(), "undecided");
    for id in ["C8", "C9", "C10"] {
        assert_eq!(verdict(id, Vec::new()).decision.as_str(), "undecided");
    }
}

#[test]
fn the_bias_of_hard_thresholding_is_small_beyond_the_stated_distance_and_not_before() {
    let distance = super::claims::harmless_distance(&[2.0]).unwrap();
    assert!(hard(2.0 + distance, 2.0).unwrap().bias.abs() < 0.01);
    assert!(hard(2.0 + distance - 0.02, 2.0).unwrap().bias.abs() >= 0.01);
}

#[test]
fn a_residual_a_partly_zero_group_or_a_group_without_shrinkage_refutes_the_block_threshold() {
    for (column, value) in [
        ("residual", Value::from(1e-6)),
        ("deviation", Value::from(f64::NAN)),
        ("mixed", Value::from(1)),
        ("unshrunk", Value::from(1)),
    ] {
        let mut rows = all_groups();
        set(&mut rows[2], column, value);
        assert_eq!(verdict("C9", rows).decision, Decision::Fails, "{column}");
    }
}

#[test]
fn keeping_a_group_unchanged_leaves_a_residual_of_the_threshold() {
    let w = [3.0, 4.0];
    // The gradient of the penalty alone is left, of length λ.
    assert!((groups::subgradient_residual(&w, &w, 2.0) - 2.0).abs() < 1e-15);
    let x = groups::block_threshold(&w, 2.0).unwrap();
    assert!(groups::subgradient_residual(&x, &w, 2.0) < 1e-15 * 5.0);
    assert_eq!(groups::subgradient_residual(&[0.0, 0.0], &w, 6.0), 0.0);
    assert_eq!(groups::subgradient_residual(&[0.0, 0.0], &w, 4.5), 0.5);
}

#[test]
fn a_broken_identity_refutes_and_equal_supports_leave_the_paths_undecided() {
    for broken in [1.1, f64::NAN] {
        assert_eq!(verdict("C10", compared(broken, 3)).decision, Decision::Fails);
    }
    assert_eq!(verdict("C10", compared(0.01, 0)).decision.as_str(), "undecided");
}

#[test]
fn the_identity_sees_a_wrong_penalty_and_the_paths_end_as_they_must() {
    let model = paths::model(0.8, &Seed::root(5)).unwrap();
    let path = paths::lasso_path(&model).unwrap();
    let mut solution = path.into_iter().find(|s| s.support.len() == 4).unwrap();
    assert!(solution.certain);
    assert!(paths::compare(&model, &solution).unwrap().over_bound <= 1.0);
    solution.lambda *= 1.01;
    assert!(paths::compare(&model, &solution).unwrap().over_bound > 100.0);
    let pruned = paths::pruning_path(&model).unwrap();
    let sizes: Vec<usize> = pruned.iter().map(|p| p.support.len()).collect();
    assert_eq!(sizes, (1..=16).rev().collect::<Vec<_>>());
    for pair in pruned.windows(2) {
        assert!(pair[1].support.iter().all(|j| pair[0].support.contains(j)));
    }
}

#[test]
fn uncorrelated_features_of_equal_norm_are_kept_in_the_same_order_by_both_paths() {
    // On orthogonal columns both keep the largest correlations with y.
    let hadamard = nalgebra::DMatrix::from_fn(16, 16, |i: usize, j: usize| {
        if (i & j).count_ones().is_multiple_of(2) {
            1.0
        } else {
            -1.0
        }
    });
    let x = ticketsense::operators::DenseOperator::new(hadamard).unwrap();
    let y: Vec<f64> = (0..16).map(|i| f64::from((7 * i * i + 3 * i) % 23) - 9.0).collect();
    let model = paths::Model { x, y, planted: vec![0] };
    let pruned = paths::pruning_path(&model).unwrap();
    let mut seen = 0;
    for solution in paths::lasso_path(&model).unwrap() {
        if let Some(kept) = pruned.iter().find(|p| p.support.len() == solution.support.len()) {
            assert_eq!(kept.support, solution.support);
            seen += 1;
        }
    }
    assert!(seen > 10);
}
