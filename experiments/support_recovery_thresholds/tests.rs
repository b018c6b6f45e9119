use super::problem::{Sizes, predicted};
use super::pursuit::Setting;
use super::witness::{drawn_matrix, of_law, of_matrix};
use super::{COLUMNS, SupportRecoveryThresholds};
use nalgebra::DMatrix;
use ticketsense::Seed;
use ticketsense::harness::{Experiment, Verdict};
use ticketsense::operators::DenseOperator;
use ticketsense::recovery::{Lasso, Penalty, Solver};
use ticketsense::statistics::fisher_exact;
use ticketsense::table::{Row, Table, Value};

fn verdict(id: &str, rows: Vec<Row>) -> Verdict {
    let claim = SupportRecoveryThresholds.claims().iter().find(|c| c.id == id).unwrap();
    (claim.check)(&Table::with_rows(COLUMNS, rows).unwrap()).unwrap()
}

/// Counts that a logistic curve of width 0.05 in θ around `centre` gives, without chance.
fn curve(part: &str, rule: &str, drawn: &str, columns: usize, centre: f64, trials: usize) -> Vec<Row> {
    // Matching pursuit is also asked at θ = 1.
    let near = (-8..=8).map(|step| centre + 0.025 * f64::from(step));
    let thetas = near.chain([1.0]);
    let row = |theta: f64| {
        let share = 1.0 / (1.0 + ((centre - theta) / 0.05).exp());
        super::row_of(&[
            ("part", part.into()),
            ("rule", rule.into()),
            ("drawn", drawn.into()),
            ("columns", columns.into()),
            ("nonzeros", super::problem::nonzeros(rule, columns).unwrap().into()),
            ("rows", 100.into()),
            ("theta", theta.into()),
            ("theta_noisy", theta.into()),
            ("trials", trials.into()),
            ("successes", ((share * trials as f64).round() as usize).into()),
        ])
        .unwrap()
    };
    thetas.map(row).collect()
}

/// A whole table for the LASSO: 50 % points where `centre` puts them, and the law with some successes of 1000.
fn lasso(centre: impl Fn(&str, usize) -> f64, by_matrix: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for columns in [128, 256, 512, 1024, 2048] {
        for rule in super::RULES {
            rows.extend(curve("lasso", rule, "gram", columns, centre(rule, columns), 2000));
        }
    }
    for (drawn, successes) in [("gram", 500), ("matrix", by_matrix)] {
        let values = [
            ("part", Value::from("law")),
            ("rule", "sublinear".into()),
            ("drawn", drawn.into()),
            ("rows", 90.into()),
            ("trials", 1000.into()),
            ("successes", successes.into()),
        ];
        rows.push(super::row_of(&values).unwrap());
    }
    rows
}

fn sweep(success: impl Fn(f64, f64) -> usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for correlation in super::CORRELATIONS {
        for decibels in super::DECIBELS {
            let values = [
                ("part", Value::from("sweep")),
                ("rule", "sublinear".into()),
                ("drawn", "flat".into()),
                ("columns", 256.into()),
                ("correlation", correlation.into()),
                ("decibels", decibels.into()),
                ("trials", 200.into()),
                ("successes", success(correlation, decibels).into()),
            ];
            rows.push(super::row_of(&values).unwrap());
        }
    }
    rows
}

fn pursuit(centre: f64, success: impl Fn(f64, f64) -> usize) -> Vec<Row> {
    let mut rows = sweep(success);
    for columns in [128, 256, 512] {
        for rule in super::RULES {
            rows.extend(curve("pursuit", rule, "flat", columns, centre, 200));
        }
    }
    rows
}

#[test]
fn points_at_their_predictions_hold_in_the_limit_only_and_points_at_one_hold() {
    let found = verdict("H5", lasso(|rule, p| predicted(rule, p).unwrap(), 500));
    assert_eq!(found.decision.as_str(), "holds-under", "{found:?}");
    assert!(found.evidence.contains("5 of 5 above 1") && found.counterexample.is_some());
    let found = verdict("H5", lasso(|_, _| 1.0, 500));
    assert_eq!(found.decision.as_str(), "holds", "{found:?}");
}

#[test]
fn points_that_tend_elsewhere_refute_the_threshold() {
    // Twice the rows, as if the threshold were 4 k ln(p − k).
    let found = verdict("H5", lasso(|rule, p| 2.0 * predicted(rule, p).unwrap(), 500));
    assert_eq!(found.decision.as_str(), "fails", "{found:?}");
    let found = verdict("H5", lasso(|rule, p| predicted(rule, p).unwrap() - 0.1, 500));
    assert_eq!(found.decision.as_str(), "fails", "{found:?}");
}

#[test]
fn witnesses_of_two_laws_or_too_few_sizes_decide_nothing() {
    let prediction = |rule: &str, p: usize| predicted(rule, p).unwrap();
    assert_eq!(verdict("H5", lasso(prediction, 600)).decision.as_str(), "undecided");
    let mut two = lasso(prediction, 500);
    let place = COLUMNS.iter().position(|c| c.name == "columns").unwrap();
    two.retain(|r| r.0[place] == Value::Missing || r.0[place] == Value::from(128) || r.0[place] == Value::from(256));
    assert_eq!(verdict("H5", two).decision.as_str(), "undecided");
    for id in ["H5", "I7"] {
        assert_eq!(verdict(id, Vec::new()).decision.as_str(), "undecided");
    }
}

#[test]
fn matching_pursuit_is_judged_by_its_rows_its_noise_and_its_correlation() {
    let real = |correlation: f64, decibels: f64| if correlation > 0.6 || decibels < 8.0 { 4 } else { 196 };
    let found = verdict("I7", pursuit(0.6, real));
    assert_eq!(found.decision.as_str(), "holds-under", "{found:?}");
    // A turn above θ = 1: the rows do not suffice.
    assert_eq!(verdict("I7", pursuit(1.3, real)).decision.as_str(), "fails");
    // A turn at θ = 1 itself says nothing.
    assert_eq!(verdict("I7", pursuit(1.0, real)).decision.as_str(), "undecided");
    // Nothing breaks it: the claim would hold as worded.
    assert_eq!(verdict("I7", pursuit(0.6, |_, _| 198)).decision.as_str(), "holds");
    // Neither above nor below one half.
    assert_eq!(verdict("I7", pursuit(0.6, |_, _| 100)).decision.as_str(), "undecided");
}

#[test]
fn the_witness_of_a_matrix_says_what_the_solver_finds() {
    let (mut yes, mut no) = (0, 0);
    for number in 0..60 {
        let sizes = Sizes {
            columns: 30,
            nonzeros: 3,
            rows: 12 + number % 20,
        };
        let (x, z, epsilon) = drawn_matrix(sizes, &Seed::root(7).replicate(number as u64)).unwrap();
        let penalty = sizes.penalty();
        let witness = of_matrix(&x, &z, &epsilon, penalty).unwrap();
        let y: Vec<f64> = (0..sizes.rows)
            .map(|i| epsilon[i] + (0..3).map(|j| x[(i, j)] * z[j]).sum::<f64>())
            .collect();
        // The solver's objective is n times that of the witness.
        let solver = Lasso {
            tolerance: 1e-12,
            ..Lasso::new(Penalty::Absolute(penalty * sizes.rows as f64))
        };
        let answer = solver.solve(&DenseOperator::new(x).unwrap(), &y).unwrap();
        let found = answer.support == [0, 1, 2] && (0..3).all(|j| answer.x[j] * z[j] > 0.0);
        assert_eq!(found, witness.signs && witness.dual, "problem {number}");
        yes += usize::from(found);
        no += usize::from(!found);
    }
    assert!(yes > 5 && no > 5, "{yes} {no}");
}

#[test]
fn a_witness_without_its_matrix_has_the_same_law() {
    let sizes = Sizes {
        columns: 40,
        nonzeros: 6,
        rows: 55,
    };
    let (mut by_law, mut by_matrix) = ([0u32; 2], [0u32; 2]);
    for number in 0..1500 {
        let witness = of_law(sizes, &Seed::root(8).replicate(number)).unwrap();
        by_law[usize::from(!(witness.signs && witness.dual))] += 1;
        let (x, z, epsilon) = drawn_matrix(sizes, &Seed::root(9).replicate(number)).unwrap();
        let witness = of_matrix(&x, &z, &epsilon, sizes.penalty()).unwrap();
        by_matrix[usize::from(!(witness.signs && witness.dual))] += 1;
    }
    let test = fisher_exact([by_law, by_matrix]).unwrap();
    // With 1500 of each, shares that differ by 0.09 or more would be found nearly always.
    assert!(test.two_sided > 1e-3, "{by_law:?} {by_matrix:?}");
    assert!(by_law.iter().all(|c| *c > 300), "{by_law:?}");
    assert!(of_law(Sizes { rows: 6, ..sizes }, &Seed::root(1)).is_err());
}

#[test]
fn orthogonal_columns_have_the_witness_of_the_closed_form() {
    // X = √n I on n = 4 rows: ŵ = w + x_jᵀε/n − λz, dual = x_jᵀε/(nλ).
    let x = DMatrix::from_diagonal_element(4, 4, 2.0);
    let told = |epsilon: [f64; 4], penalty: f64| of_matrix(&x, &[1.0, -1.0], &epsilon, penalty).unwrap();
    let good = told([0.1, 0.1, 0.7, -0.7], 0.36);
    assert!(good.signs && good.dual);
    // 2·0.7/(4·0.34) > 1.
    let loose = told([0.1, 0.1, 0.7, -0.7], 0.34);
    assert!(loose.signs && !loose.dual);
    // 1 − 2·1.4/4 − 0.36 < 0.
    let turned = told([-1.4, 0.0, 0.0, 0.0], 0.36);
    assert!(!turned.signs && turned.dual);
}

#[test]
fn the_prediction_tends_to_one_in_the_sublinear_rule_only() {
    let at = |rule: &str, exponent: i32| predicted(rule, 10usize.pow(exponent as u32)).unwrap();
    for exponent in 2..9 {
        assert!(at("sublinear", exponent + 1) < at("sublinear", exponent));
    }
    assert!(at("sublinear", 9) < 1.08 && at("fixed", 9) > 1.5);
    assert_eq!(super::problem::nonzeros("sublinear", 64).unwrap(), 9);
    assert!(super::problem::nonzeros("linear", 64).is_err());
}

#[test]
fn pursuit_succeeds_with_many_rows_and_fails_with_noise_or_few() {
    let quiet = Setting {
        sizes: Sizes {
            columns: 40,
            nonzeros: 3,
            rows: 60,
        },
        correlation: 0.0,
        decibels: f64::INFINITY,
        decaying: false,
    };
    let count = |setting: Setting| {
        let seeds = (0..20).map(|i| Seed::root(3).replicate(i));
        seeds.filter(|seed| setting.succeeds(seed).unwrap()).count()
    };
    assert_eq!(count(quiet), 20);
    assert_eq!(
        count(Setting {
            decaying: true,
            ..quiet
        }),
        20
    );
    let loud = Setting {
        decibels: -20.0,
        ..quiet
    };
    assert_eq!(count(loud), 0);
    let short = Sizes { rows: 4, ..quiet.sizes };
    assert!(count(Setting { sizes: short, ..quiet }) < 5);
}
