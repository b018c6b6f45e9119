use super::super::doctoring::{self, doctored, is, only};
use super::*;
use ticketsense::data::{DataChoice, SequenceTask};
use ticketsense::harness::{Decision, Verdict, compute_table};
use ticketsense::table::Record;

fn verdict(id: &str, table: &Table) -> Verdict {
    doctoring::verdict(&ConvolutionSensing, id, table)
}

fn without(table: &Table, part: &str) -> Table {
    only(table, |record| !is(record, "part", part))
}

fn smoke() -> Table {
    compute_table(&ConvolutionSensing, Scale::Smoke, 0, &DataChoice::Digits).unwrap()
}

#[test]
fn the_smoke_run_decides_both_claims_and_draws() {
    let table = smoke();
    let circulant = verdict("I9", &table);
    assert_eq!(circulant.decision.as_str(), "holds-under", "{circulant:?}");
    // Every exception is met, with and without unit energies.
    for regime in ["double", "wrapped", "padded"] {
        assert!(
            circulant.evidence.contains(&format!("{regime}, unit energy")),
            "{circulant:?}"
        );
    }
    assert!(circulant.evidence.contains("clear, other energies"));
    assert_eq!(verdict("I10", &table).decision, Decision::Fails);
    let svg = draw::figure(&table).unwrap().to_svg().unwrap();
    assert!(svg.contains("autocorrelation"));
}

#[test]
fn one_wrong_singular_value_or_constant_refutes_the_theorem() {
    let table = smoke();
    for part in ["spectrum", "padding"] {
        let column = if part == "spectrum" { "deviation" } else { "outside" };
        for wrong in [1e-9, f64::NAN] {
            let table = doctored(&table, column, |_| wrong.into(), |r| is(r, "part", part));
            let verdict = verdict("I9", &table);
            assert_eq!(verdict.decision, Decision::Fails, "{part} {wrong}");
            assert!(verdict.counterexample.is_some());
        }
    }
    for regime in ["clear", "wrapped"] {
        for order in 1..=3 {
            // Above what any formula says, by a little.
            let exact = |r: &Record<'_>| (r.real("folded").unwrap() + 1e-9).into();
            let of_order = |r: &Record<'_>| is(r, "regime", regime) && r.integer("order").unwrap() == order;
            let table = doctored(&table, "exact", exact, of_order);
            assert_eq!(verdict("I9", &table).decision, Decision::Fails, "{regime} {order}");
        }
    }
    let stated = |r: &Record<'_>| (r.real("exact").unwrap() + 0.1).into();
    let clear = |r: &Record<'_>| is(r, "regime", "clear") && r.integer("unit").unwrap() == 1;
    let table = doctored(&table, "stated", stated, clear);
    assert_eq!(verdict("I9", &table).decision, Decision::Fails);
}

#[test]
fn without_exceptions_the_theorem_needs_no_condition() {
    let table = smoke();
    let stated = |r: &Record<'_>| r.real("exact").unwrap().into();
    let agreeing = doctored(&table, "stated", stated, |r| is(r, "part", "isometry"));
    assert_eq!(verdict("I9", &agreeing).decision, Decision::Holds);
    for part in ["spectrum", "isometry"] {
        assert_eq!(verdict("I9", &without(&table, part)).decision.as_str(), "undecided");
    }
}

#[test]
fn the_rule_holds_where_it_is_best_everywhere_and_only_there() {
    let table = smoke();
    let flat = |r: &Record<'_>| is(r, "part", "removal") && r.text("removed").unwrap() == r.text("case").unwrap();
    let named = doctored(&table, "delta", |_| 0.01.into(), flat);
    let verdict_named = verdict("I10", &named);
    assert_eq!(verdict_named.decision.as_str(), "holds-under", "{verdict_named:?}");
    let of_rule = |r: &Record<'_>| is(r, "part", "sweep") && is(r, "rule", removal::RULES[0]);
    let trials = |r: &Record<'_>| r.integer("trials").unwrap().into();
    let both = doctored(&named, "agree", trials, of_rule);
    assert_eq!(verdict("I10", &both).decision, Decision::Holds);
    let swept = doctored(&table, "agree", trials, |r| of_rule(r) && is(r, "layout", "stack"));
    assert_eq!(verdict("I10", &swept).decision.as_str(), "holds-under");
    let chance = |r: &Record<'_>| (r.integer("trials").unwrap() / 4).into();
    let blind = doctored(&table, "agree", chance, of_rule);
    assert_eq!(verdict("I10", &blind).decision.as_str(), "undecided");
    for part in ["removal", "sweep"] {
        assert_eq!(verdict("I10", &without(&table, part)).decision.as_str(), "undecided");
    }
}

#[test]
fn named_removals_are_what_lags_by_hand_say() {
    let rows = removal::named("flat").unwrap();
    let table = Table::with_rows(COLUMNS, rows).unwrap();
    let delta = |layout: &str, removed: &str| {
        let mut rows = table.filter(|r| is(r, "layout", layout) && is(r, "removed", removed));
        rows.next().unwrap().real("delta").unwrap()
    };
    let root = 20f64.sqrt();
    // Blocks: binomial and box overlap by 8/(2√20); without one of them flat overlaps the other, or the other itself.
    let pair = 8.0 / (2.0 * root);
    for (removed, expected) in [
        ("none", pair),
        ("flat", pair),
        ("binomial", 0.75),
        ("box", 7.0 / (2.0 * root)),
    ] {
        assert!((delta("blocks", removed) - expected).abs() < 1e-12, "{removed}");
    }
    // Stack: lag 1 of the mean autocorrelation; 1/4 for flat and 3/4 for both others.
    for (removed, expected) in [("none", 1.75 / 3.0), ("flat", 0.75), ("binomial", 0.5), ("box", 0.5)] {
        assert!((delta("stack", removed) - expected).abs() < 1e-12, "{removed}");
    }
}

#[test]
fn data_without_images_leave_the_trained_part_empty() {
    let sentences = DataChoice::Sequences(SequenceTask::ALL[0]);
    let table = compute_table(&ConvolutionSensing, Scale::Smoke, 0, &sentences).unwrap();
    assert!(table.iter().all(|r| !is(&r, "case", "trained layer")));
}

#[test]
fn the_operators_are_the_convolutions_of_networks() {
    use ticketsense::Seed;
    use ticketsense::networks::{Array, ImageShape, Initialisation, NetworkBuilder, Padding};
    use ticketsense::operators::{CircularConvolution, Grid, KernelBank, MeasurementOperator, ZeroPaddedConvolution};
    let (inputs, outputs, grid) = (2, 3, Grid { height: 5, width: 4 });
    let image = ImageShape {
        channels: inputs,
        height: grid.height,
        width: grid.width,
    };
    for padding in [Padding::Circular(1), Padding::Zero(1)] {
        let network = NetworkBuilder::new("one", image)
            .and_then(|b| b.convolution(outputs, 3, 1, padding))
            .and_then(|b| b.dense(60))
            .and_then(|b| b.build())
            .unwrap();
        let mut theta: Vec<f64> = network.initial(&Seed::root(2), &Initialisation::HE).unwrap();
        let slots: Vec<_> = network.layout().weight_ranges();
        // The last layer shows what the first one makes.
        for (i, weight) in theta[slots[1].clone()].iter_mut().enumerate() {
            *weight = f64::from(u8::from(i / 60 == i % 60));
        }
        let weights = &theta[slots[0].clone()];
        // From input channels fastest to input channels before the kernel.
        let at = |i: usize| (i / 18 * 9 + i % 9) * inputs + i / 9 % inputs;
        let values = (0..weights.len()).map(|i| weights[at(i)]).collect();
        let bank = KernelBank::new(outputs, inputs, Grid::square(3), values).unwrap();
        let x: Vec<f64> = (0..40).map(|i| ((i * 17) % 13) as f64 - 6.0).collect();
        let y = match padding {
            Padding::Circular(_) => CircularConvolution::new(bank, grid).unwrap().apply(&x).unwrap(),
            Padding::Zero(_) => ZeroPaddedConvolution::new(bank, grid).unwrap().apply(&x).unwrap(),
        };
        let expected = network.outputs(&theta, &Array::new(1, 40, x).unwrap()).unwrap();
        // The layers of networks go pixel after pixel, operators channel after channel.
        for (i, expected) in expected.as_slice().iter().enumerate() {
            let found = y[i % outputs * grid.positions() + i / outputs];
            // Sums of 18 products of weights below 2 and values up to 6, through transforms of at most 42 places.
            assert!((found - expected).abs() <= 1e-12, "{padding:?} {found} {expected}");
        }
    }
}
