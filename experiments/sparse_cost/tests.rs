use super::super::doctoring::{self, doctored_once, only};
use super::forward::{Compressed, Counting};
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, Verdict, compute_table};
use ticketsense::networks::{
    Activation, Array, ImageShape, Initialisation, Network, NetworkBuilder, Padding, PoolingKind,
};
use ticketsense::pruning::controls::random_mask;
use ticketsense::table::{Record, Value};
use ticketsense::{Mask, Seed};

fn verdict(id: &str, table: &Table) -> Verdict {
    doctoring::verdict(&SparseCost, id, table)
}

fn smoke() -> Table {
    compute_table(&SparseCost, Scale::Smoke, 0, &DataChoice::Digits).unwrap()
}

fn one_more(value: &Value) -> Value {
    match value {
        Value::Integer(count) => Value::Integer(count + 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn compressed_rows_hold_what_the_mask_keeps_and_nothing_else() {
    let mask = Mask::from_bits(vec![true, false, true, false, false, false, true, true]);
    let theta: Vec<f32> = (1..=8).map(|v| v as f32).collect();
    let rows = Compressed::new(&theta, &mask, 2, 2, 3);
    assert_eq!(rows.row(0).collect::<Vec<_>>(), [(0, 3.0)]);
    assert_eq!(rows.row(1).collect::<Vec<_>>(), [(1, 7.0), (2, 8.0)]);
    // Three values, three columns, three starts, of 32 bits.
    assert_eq!((rows.bits(), rows.starts()), (9 * 32, 3));
}

#[test]
fn a_pass_by_hand_is_counted_right() {
    // Two inputs, two hidden units, one output; one hidden weight is pruned.
    let network = Network::preset("mlp:2", 2, 1).unwrap();
    let theta = [1.0, 2.0, 3.0, 4.0, 0.5, -20.0, 5.0, 6.0, 0.25];
    let mut mask = network.layout().full_mask();
    mask.set(1, false);
    let (outputs, count) = Counting::new(&network, &theta, &mask).forward(&[1.0, 1.0]).unwrap();
    // (1 + 0.5)+ = 1.5 and (3 + 4 - 20)+ = 0; 5 · 1.5 + 6 · 0 + 0.25.
    assert_eq!(outputs[0].value, 7.75);
    assert_eq!((count.products, count.sums), (5, 5));
}

#[test]
fn strided_and_padded_convolutions_and_maxima_agree_with_the_network_within_the_bound() {
    let image = ImageShape {
        channels: 1,
        height: 7,
        width: 6,
    };
    let network = NetworkBuilder::new("small", image)
        .and_then(|b| b.convolution(4, 3, 2, Padding::Zero(2)))
        .map(|b| b.activation(Activation::Relu))
        .and_then(|b| b.pool(PoolingKind::Largest, 1, 2))
        .and_then(|b| b.convolution(3, 2, 1, Padding::Zero(0)))
        .map(|b| b.activation(Activation::Relu))
        .and_then(|b| b.dense(5))
        .and_then(|b| b.build())
        .unwrap();
    let seed = Seed::root(3);
    let layers: Vec<_> = network.layout().weight_ranges();
    let counts: Vec<usize> = layers.iter().map(|range| range.len() / 2).collect();
    let mask = random_mask(network.layout().len(), &layers, &counts, &seed).unwrap();
    let mut theta: Vec<f32> = network.initial(&seed, &Initialisation::HE).unwrap();
    mask.apply(&mut theta).unwrap();
    let sample: Vec<f32> = (0..42).map(|i| ((i * 13) % 17) as f32 / 8.0 - 1.0).collect();
    let (outputs, count) = Counting::new(&network, &theta, &mask).forward(&sample).unwrap();
    let exact: Vec<f64> = theta.iter().map(|&v| f64::from(v)).collect();
    let input = Array::from_fn(1, 42, |_, j| f64::from(sample[j]));
    let expected = network.outputs(&exact, &input).unwrap();
    for (own, library) in outputs.iter().zip(expected.as_slice()) {
        assert!((own.value - library).abs() <= own.error, "{own:?} {library}");
        // The bound is one of rounding, not of anything that could hide a wrong weight.
        assert!(own.error < 1e-11 * (1.0 + library.abs()), "{own:?}");
    }
    assert_eq!(count.products, network.multiply_adds(Some(&mask)));
}

#[test]
fn one_operation_more_or_less_refutes_the_count() {
    let table = smoke();
    match verdict("B4", &table).decision {
        Decision::HoldsUnder { condition } => assert!(condition.contains("magnitude mask"), "{condition}"),
        other => panic!("{other:?}"),
    }
    let is_pruned = |record: &Record<'_>| {
        record.text("part").unwrap() == OPERATIONS && record.real("largest_layer_density").unwrap() < 0.25
    };
    for column in [
        "products",
        "sums",
        "multiply_adds",
        "kernel_multiply_adds",
        "compressed_bits",
    ] {
        let verdict = verdict("B4", &doctored_once(&table, column, one_more, is_pruned));
        assert_eq!(verdict.decision, Decision::Fails, "{column}");
        assert!(verdict.counterexample.is_some());
    }
    for wrong in [1.5, f64::NAN] {
        let table = doctored_once(&table, "deviation", |_| wrong.into(), is_pruned);
        assert_eq!(verdict("B4", &table).decision, Decision::Fails, "{wrong}");
    }
}

#[test]
fn without_convolutions_the_share_of_operations_is_the_density() {
    let table = smoke();
    let dense = only(&table, |r| r.text("network").unwrap() == "perceptron");
    assert_eq!(verdict("B4", &dense).decision, Decision::Holds);
    let empty = only(&table, |r| r.text("part").unwrap() == STRUCTURED);
    assert_eq!(verdict("B4", &empty).decision.as_str(), "undecided");
}

#[test]
fn one_parameter_more_refutes_the_law_of_widths() {
    let table = smoke();
    assert_eq!(verdict("B6", &table).decision, Decision::Holds);
    for place in ["interior", "end", "kept", "biases", "normalisation"] {
        let of_place = |r: &Record<'_>| r.text("part").unwrap() == STRUCTURED && r.text("place").unwrap() == place;
        let verdict = verdict("B6", &doctored_once(&table, "parameters", one_more, of_place));
        assert_eq!(verdict.decision, Decision::Fails, "{place}");
    }
    // A prediction that follows a wrong count does not save it: the law itself stands against it.
    let of_interior =
        |r: &Record<'_>| r.text("place").unwrap() == "interior" && r.real("kept_fraction").unwrap() == 0.5;
    let both = ["parameters", "predicted_parameters", "predicted_multiply_adds"];
    let mut wrong = table.clone();
    for column in both {
        wrong = doctored_once(&wrong, column, one_more, of_interior);
    }
    assert_eq!(verdict("B6", &wrong).decision, Decision::Fails);
}

#[test]
fn a_shortcut_of_another_width_must_be_refused() {
    let table = smoke();
    let is_torn =
        |r: &Record<'_>| r.text("part").unwrap() == STRUCTURED && r.optional_real("refused").unwrap() == Some(1.0);
    let built = only(&table, |r| !is_torn(r));
    assert_eq!(verdict("B6", &built).decision.as_str(), "undecided");
    let plain = doctored_once(&table, "network", |_| "plain".into(), is_torn);
    assert_eq!(verdict("B6", &plain).decision, Decision::Fails);
    let torn = doctored_once(
        &table,
        "network",
        |_| "residual, one end of a branch alone".into(),
        |r| r.text("place").unwrap() == "interior" && r.real("kept_fraction").unwrap() == 0.5,
    );
    assert_eq!(verdict("B6", &torn).decision, Decision::Fails);
}

#[test]
fn masks_of_the_largest_values_keep_more_of_what_is_used_often() {
    let table = smoke();
    let mut seen = 0;
    for record in table.filter(|r| r.text("mask").is_ok_and(|mask| mask == "magnitude")) {
        let share = record.real("multiply_adds").unwrap() / record.real("full_multiply_adds").unwrap();
        let density = record.real("density").unwrap();
        if density < 1.0 {
            // He's law gives the first layer, which has few inputs and many positions, the largest weights.
            assert!(share > density, "{share} {density}");
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn times_without_a_density_are_refused_and_others_are_drawn() {
    use ticketsense::table::{Column, Row};
    let columns = [
        Column::text("cell", ""),
        Column::text("name", ""),
        Column::real("seconds", "s", ""),
    ];
    let table = |names: &[&str]| {
        let row = |name: &&str| Row(vec!["c".into(), (*name).into(), 0.5.into()]);
        Table::with_rows(&columns, names.iter().map(row).collect()).unwrap()
    };
    let step = [
        "training step, batch of 60 at density 1",
        "training step, batch of 60 at density 0.1",
    ];
    assert!(
        measured::draw(&table(&step))
            .unwrap()
            .to_svg()
            .unwrap()
            .contains("training step")
    );
    assert!(measured::draw(&table(&["step"])).is_err());
    assert!(measured::draw(&table(&["step at density x"])).is_err());
}
