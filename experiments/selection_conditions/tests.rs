use super::ensembles::ENSEMBLES;
use super::{COLUMNS, ORDERS, SelectionConditions, UNIT, VALUES, VARIED, row_of};
use ticketsense::Seed;
use ticketsense::estimators::{Coherence, Estimator};
use ticketsense::harness::{Experiment, Verdict};
use ticketsense::operators::DenseOperator;
use ticketsense::table::{Row, Table, Value};
use ticketsense::theory::beta_min::OrthogonalDesign;

fn verdict(id: &str, rows: Vec<Row>) -> Verdict {
    let claim = SelectionConditions.claims().iter().find(|c| c.id == id).unwrap();
    (claim.check)(&Table::with_rows(COLUMNS, rows).unwrap()).unwrap()
}

fn decided(id: &str, rows: Vec<Row>) -> &'static str {
    verdict(id, rows).decision.as_str()
}

/// A row with some values replaced.
fn with(values: &[(&'static str, Value)], changed: &[(&'static str, Value)]) -> Row {
    let mut all = values.to_vec();
    for (name, value) in changed {
        all.retain(|(n, _)| n != name);
        all.push((name, value.clone()));
    }
    row_of(&all).unwrap()
}

/// A matrix that is certified on every level.
fn certified(lengths: &'static str, replicate: usize, nonzeros: usize) -> Vec<(&'static str, Value)> {
    let ones = [
        "by_coherence",
        "by_babel",
        "by_exact_recovery",
        "by_irrepresentable",
        "by_concentration",
        "by_enumeration",
    ];
    let tens = [
        "supports",
        "supports_babel",
        "supports_exact_recovery",
        "supports_recovered",
        "signed",
        "signed_irrepresentable",
        "signed_recovered",
        "tried",
        "pursuit_tried",
        "welch_nonzeros",
    ];
    let zeros = [
        "exact_recovery_refuted",
        "signed_refuted",
        "babel_broken",
        "basis_missed",
        "pursuit_missed",
    ];
    let mut values = vec![
        ("part", Value::from("matrix")),
        ("family", "gaussian".into()),
        ("lengths", lengths.into()),
        ("replicate", replicate.into()),
        ("rows", 12.into()),
        ("columns", 18.into()),
        ("nonzeros", nonzeros.into()),
        ("coherence_nonzeros", 3.into()),
    ];
    values.extend(ones.map(|name| (name, 1.into())));
    values.extend(tens.map(|name| (name, 10.into())));
    values.extend(zeros.map(|name| (name, 0.into())));
    values
}

/// Good matrices of both kinds and one more of the given kind with some values replaced.
fn matrices(lengths: &'static str, changed: &[(&'static str, Value)]) -> Vec<Row> {
    let mut rows = Vec::new();
    for nonzeros in ORDERS {
        for own in [UNIT, VARIED] {
            rows.push(with(&certified(own, 0, nonzeros), &[]));
        }
    }
    rows.push(with(&certified(lengths, 1, 2), changed));
    rows
}

#[test]
fn a_chain_without_breaks_holds_and_stretched_columns_that_break_it_make_it_hold_for_unit_ones() {
    assert_eq!(decided("H2", matrices(UNIT, &[])), "holds");
    let lost = [("signed_refuted", Value::from(3)), ("by_enumeration", 0.into())];
    let found = verdict("H2", matrices(VARIED, &lost));
    assert_eq!(found.decision.as_str(), "holds-under");
    assert!(found.counterexample.unwrap().contains("k = 2"));
}

#[test]
fn every_level_that_the_next_refutes_refutes_the_chain() {
    let breaks: [&[(&'static str, Value)]; 5] = [
        &[("by_babel", Value::Integer(0))],
        &[("exact_recovery_refuted", Value::Integer(1))],
        &[("signed_refuted", Value::Integer(1))],
        &[("babel_broken", Value::Integer(1))],
        &[("basis_missed", Value::Integer(1))],
    ];
    for changed in breaks {
        let found = verdict("H2", matrices(UNIT, changed));
        assert_eq!(found.decision.as_str(), "fails", "{changed:?}");
        assert!(found.counterexample.unwrap().contains("number 1"));
    }
    let none = [("by_irrepresentable", Value::Integer(0))];
    assert_eq!(decided("H2", matrices(UNIT, &none)), "fails");
    assert_eq!(decided("H2", Vec::new()), "undecided");
}

#[test]
fn a_certified_vector_that_is_lost_refutes_the_certificates() {
    assert_eq!(decided("I5", matrices(UNIT, &[])), "holds");
    for changed in ["signed_refuted", "pursuit_missed", "basis_missed"] {
        assert_eq!(
            decided("I5", matrices(UNIT, &[(changed, 1.into())])),
            "fails",
            "{changed}"
        );
    }
    let beyond = [("coherence_nonzeros", Value::Integer(11))];
    assert_eq!(decided("I5", matrices(UNIT, &beyond)), "fails");
    // What is lost on stretched columns says nothing about the theorems.
    assert_eq!(
        decided("I5", matrices(VARIED, &[("signed_refuted", 1.into())])),
        "holds"
    );
    assert_eq!(decided("I5", Vec::new()), "undecided");
}

fn signs(successes: impl Fn(f64) -> usize, disagreements: usize) -> Vec<Row> {
    let row = |value: f64, signs: &'static str| {
        let own = if signs == "equal" { value } else { 0.0 };
        row_of(&[
            ("part", "signs".into()),
            ("signs", signs.into()),
            ("rows", 6400.into()),
            ("irrepresentable", own.into()),
            ("trials", 300.into()),
            ("successes", successes(own).into()),
            ("thresholded", 300.into()),
            ("disagreements", disagreements.into()),
        ])
        .unwrap()
    };
    VALUES
        .iter()
        .flat_map(|&v| [row(v, "equal"), row(v, "opposite")])
        .collect()
}

#[test]
fn probabilities_on_the_right_sides_of_one_hold_and_on_the_wrong_ones_fail() {
    let right = |value: f64| match value {
        v if v < 1.0 => 298,
        1.0 => 150,
        _ => 3,
    };
    assert_eq!(decided("H1", signs(right, 0)), "holds");
    assert_eq!(decided("H1", signs(right, 1)), "undecided");
    assert_eq!(
        decided("H1", signs(|v| if v > 1.0 { 290 } else { right(v) }, 0)),
        "fails"
    );
    assert_eq!(
        decided("H1", signs(|v| if v < 1.0 { 150 } else { right(v) }, 0)),
        "fails"
    );
    assert_eq!(
        decided("H1", signs(|v| if v < 1.0 { 272 } else { right(v) }, 0)),
        "undecided"
    );
    assert_eq!(decided("H1", Vec::new()), "undecided");
}

fn signal(share: impl Fn(f64) -> f64) -> Vec<Row> {
    let design = OrthogonalDesign::new(64, 6).unwrap();
    let mut rows = super::signal::thresholds().unwrap();
    for signal in super::signal::SIGNALS {
        let (cut, probability) = design.best_cut(signal);
        let largest = design.largest_recovery(signal);
        rows.push(
            row_of(&[
                ("part", "signal".into()),
                ("family", "best".into()),
                ("signal", signal.into()),
                ("penalty", cut.into()),
                ("trials", 400.into()),
                ("successes", ((400.0 * share(probability)).round() as usize).into()),
                ("thresholded", ((400.0 * largest).round() as usize).into()),
                ("probability", probability.into()),
                ("largest_probability", largest.into()),
            ])
            .unwrap(),
        );
    }
    rows
}

#[test]
fn counts_of_the_products_hold_and_others_fail() {
    assert_eq!(decided("H3", signal(|p| p)), "holds");
    let found = verdict("H3", signal(|p| 0.8 * p));
    assert_eq!(found.decision.as_str(), "fails");
    assert!(found.counterexample.unwrap().contains("expected share"));
    // The other threshold in the place of the right one.
    let mut swapped = signal(|p| p);
    let place = |name: &str| COLUMNS.iter().position(|c| c.name == name).unwrap();
    for row in &mut swapped {
        row.0.swap(place("threshold"), place("bounded"));
    }
    assert_eq!(decided("H3", swapped), "fails");
    assert_eq!(decided("H3", Vec::new()), "undecided");
}

/// Designs on which the two values disagree, of which `right` of 40 go with the Fisher information; and others on which
/// both agree, `easy` of 40 found.
/// The differences of the Gaussian ones are −0.02.
fn logistic(right: usize, easy: usize, gaussian_disagree: bool, error: f64) -> Vec<Row> {
    let row = |family: &str, chosen: &str, values: [f64; 2], found: bool| {
        row_of(&[
            ("part", "logistic".into()),
            ("family", family.into()),
            ("chosen", chosen.into()),
            ("irrepresentable", values[0].into()),
            ("unweighted", values[1].into()),
            ("difference", (values[0] - values[1]).into()),
            ("difference_error", error.into()),
            ("trials", 5.into()),
            ("successes", if found { 5 } else { 1 }.into()),
        ])
        .unwrap()
    };
    let mut rows = Vec::new();
    for i in 0..40 {
        let (fisher, plain) = if i % 2 == 0 { (1.3, 0.7) } else { (0.7, 1.3) };
        rows.push(row(
            "rectified",
            "discordant",
            [fisher, plain],
            (fisher < 1.0) == (i < right),
        ));
        rows.push(row("gaussian", "any", [0.5, 0.52], i < easy));
    }
    if gaussian_disagree {
        rows.push(row("gaussian", "discordant", [1.3, 0.7], false));
    }
    rows
}

#[test]
fn whichever_value_is_right_more_often_wins() {
    assert_eq!(decided("H4", logistic(36, 40, false, 0.01)), "holds-under");
    assert_eq!(decided("H4", logistic(36, 40, true, 0.01)), "holds");
    // Twenty standard errors are no sampling.
    assert_eq!(decided("H4", logistic(36, 40, false, 0.001)), "holds");
    assert_eq!(decided("H4", logistic(4, 40, false, 0.01)), "fails");
    assert_eq!(decided("H4", logistic(22, 40, false, 0.01)), "undecided");
    // Where nothing is found anyway, losing is no evidence.
    assert_eq!(decided("H4", logistic(36, 10, false, 0.01)), "undecided");
    assert_eq!(decided("H4", Vec::new()), "undecided");
}

#[test]
fn ensembles_have_unit_columns_and_the_coherence_that_they_are_known_for() {
    for ensemble in ENSEMBLES {
        let a = ensemble.draw(&Seed::root(4)).unwrap();
        assert_eq!(a.shape(), (ensemble.rows, ensemble.columns));
        assert!(
            a.column_iter().all(|c| (c.norm() - 1.0).abs() < 1e-14),
            "{}",
            ensemble.name
        );
        let a = DenseOperator::new(a).unwrap();
        let mu = Coherence.estimate(&a, &Seed::root(0)).unwrap().value.value;
        match ensemble.name {
            "two bases" => assert!((mu - 0.25).abs() < 1e-15),
            "equal correlations" => {
                let gram = a.matrix().transpose() * a.matrix();
                for i in 0..ensemble.columns {
                    for j in 0..i {
                        assert!((gram[(i, j)] - mu).abs() < 1e-14);
                    }
                }
            }
            _ => assert!(mu > 0.0 && mu < 1.0),
        }
    }
}
