use super::{COLUMNS, JacobianSensing, designs, linear_model, row_of, states};
use ticketsense::Seed;
use ticketsense::harness::{Decision, Experiment, Verdict};
use ticketsense::networks::{Initialisation, Network};
use ticketsense::table::{Row, Table, Value};

fn verdict(id: &str, rows: Vec<Row>) -> Verdict {
    let claim = JacobianSensing.claims().iter().find(|c| c.id == id).unwrap();
    (claim.check)(&Table::with_rows(COLUMNS, rows).unwrap()).unwrap()
}

fn set(rows: &mut [Row], column: &str, value: impl Into<Value>) {
    let place = COLUMNS.iter().position(|c| c.name == column).unwrap();
    let value = value.into();
    rows.iter_mut().for_each(|row| row.0[place] = value.clone());
}

fn errors() -> Vec<Row> {
    let nets = linear_model::ERROR_NETWORKS;
    let each = nets.map(|(activation, layers)| linear_model::error(activation, layers, 20, &Seed::root(1)).unwrap());
    each.into_iter().flatten().collect()
}

fn reversals(activation: &str) -> Vec<Row> {
    linear_model::reversal(activation, 3, 40, 3, &Seed::root(2)).unwrap()
}

fn jacobian(certified: usize, isometry: f64) -> Row {
    row_of(&[
        ("part", "operator".into()),
        ("operator", "jacobian".into()),
        ("number", 0usize.into()),
        ("zero", 0usize.into()),
        ("merged", 0usize.into()),
        ("hidden", 10usize.into()),
        ("null_units", 10usize.into()),
        ("merged_coherence", isometry.into()),
        ("isometry", isometry.into()),
        ("certified", certified.into()),
    ])
    .unwrap()
}

#[test]
fn the_linear_model_fails_at_a_tenth_of_the_weights_and_is_exact_for_a_linear_network() {
    let rows = errors();
    assert_eq!(verdict("I1", rows.clone()).decision, Decision::Fails);
    let table = Table::with_rows(COLUMNS, rows).unwrap();
    for row in table.iter() {
        if row.integer("layers").unwrap() == 1 {
            // Sums of eight products: some ten roundings.
            assert!(row.real("mean").unwrap() <= 1e-14);
        }
    }
}

#[test]
fn small_errors_would_uphold_the_linear_model_and_a_broken_identity_would_decide_nothing() {
    let mut rows = errors();
    let errors_only: Vec<usize> = (0..rows.len())
        .filter(|&i| rows[i].0[0] == Value::from("error"))
        .collect();
    for &i in &errors_only {
        for column in ["mean", "of_change"] {
            set(&mut rows[i..=i], column, 0.01);
        }
        for column in ["standard_error", "of_change_error"] {
            set(&mut rows[i..=i], column, 0.001);
        }
    }
    assert_eq!(verdict("I1", rows.clone()).decision, Decision::Holds);
    let euler = rows.iter().position(|r| r.0[0] == Value::from("euler")).unwrap();
    set(&mut rows[euler..=euler], "mean", 1e-9);
    assert_eq!(verdict("I1", rows).decision.as_str(), "undecided");
}

#[test]
fn relu_means_lie_on_the_line_and_the_wrong_line_is_refuted() {
    let rows = reversals("relu");
    assert_eq!(verdict("I13", rows.clone()).decision, Decision::Holds);
    // The coefficient of another depth.
    let mut wrong = rows.clone();
    set(&mut wrong, "layers", 2usize);
    assert_eq!(verdict("I13", wrong).decision, Decision::Fails);
    // Tanh networks do not follow the line.
    let mut tanh = reversals("tanh");
    set(&mut tanh, "activation", "relu");
    assert_eq!(verdict("I13", tanh).decision, Decision::Fails);
    let mut few = rows;
    set(&mut few, "networks", 29usize);
    assert_eq!(verdict("I13", few).decision.as_str(), "undecided");
}

#[test]
fn a_certificate_for_two_nonzeros_would_change_the_verdict() {
    assert_eq!(verdict("I8", vec![jacobian(1, 0.98)]).decision.as_str(), "holds-under");
    assert_eq!(
        verdict("I8", vec![jacobian(1, 0.98), jacobian(2, 0.3)]).decision,
        Decision::Holds
    );
    assert_eq!(verdict("I8", vec![jacobian(1, 0.5)]).decision.as_str(), "undecided");
    assert_eq!(verdict("I8", Vec::new()).decision.as_str(), "undecided");
}

fn state(coherence: f64) -> Row {
    row_of(&[
        ("part", "state".into()),
        ("network", "mlp:60-30".into()),
        ("step", 100usize.into()),
        ("mask", "random".into()),
        ("density", 0.02.into()),
        ("columns", 120usize.into()),
        ("zero", 100usize.into()),
        ("merged", 10usize.into()),
        ("hidden", 90usize.into()),
        ("null_units", 50usize.into()),
        ("silent", 30usize.into()),
        ("merged_coherence", coherence.into()),
    ])
    .unwrap()
}

#[test]
fn a_pruned_network_of_small_coherence_would_leave_room_for_a_guarantee() {
    let ask = |coherence: f64| verdict("I8", vec![jacobian(1, 0.98), state(0.999), state(coherence)]);
    assert_eq!(ask(0.8).decision.as_str(), "holds-under");
    let found = ask(0.6);
    assert_eq!(found.decision.as_str(), "undecided");
    assert!(
        found.evidence.contains("mask random at density 0.02"),
        "{}",
        found.evidence
    );
}

#[test]
fn scaling_the_first_weights_of_a_relu_network_moves_no_cosine_and_no_zero_column() {
    let of = |word: &str| {
        let design = designs::DESIGNS.iter().find(|d| d.word == word).unwrap();
        let all = (0..5).map(|n| designs::quantities(design, &Seed::root(3).replicate(n)).unwrap());
        all.collect::<Vec<_>>()
    };
    // Powers of two: every product scales without rounding.
    assert_eq!(of("base"), of("2σ"));
    assert_eq!(of("base"), of("½σ"));
    assert_ne!(of("tanh"), of("tanh 3σ"));
}

#[test]
fn masks_keep_their_share_of_every_layer_and_magnitude_keeps_the_largest() {
    let network = Network::preset("mlp:10-6:no-bias", 8, 4).unwrap();
    let theta: Vec<f64> = network.initial(&Seed::root(1), &Initialisation::HE).unwrap();
    for kind in states::MASKS {
        let mask = states::mask(&network, &theta, kind, 0.25, &Seed::root(2)).unwrap();
        for slot in network.layout().weight_slots() {
            assert_eq!(mask.kept_in(slot.range.clone()), slot.len() / 4);
            let (kept, gone): (Vec<usize>, Vec<usize>) = slot.range.clone().partition(|&i| mask.keeps(i));
            let least = kept.iter().map(|&i| theta[i].abs()).fold(f64::INFINITY, f64::min);
            let most = gone.iter().map(|&i| theta[i].abs()).fold(0.0, f64::max);
            assert_eq!(least >= most, kind == "magnitude");
        }
    }
}
