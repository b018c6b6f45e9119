use super::super::comparison::{Line, tables};
use super::certificate::LiveGram;
use super::claims::CLAIMS;
use super::deciles::{GROUPS, grouped};
use super::draw::best_damping;
use super::rounds::{Choice, choice};
use super::subject::{Overlap, Point};
use super::*;
use std::sync::LazyLock;
use ticketsense::data::DataChoice;
use ticketsense::estimators::{Babel, ColumnGram, Estimator, exact_recovery_value};
use ticketsense::harness::{Verdict, compute_table};
use ticketsense::linearize::RowTransform;
use ticketsense::networks::{Array, Network};
use ticketsense::operators::{Damped, MeasurementOperator, Restricted};
use ticketsense::pruning::SensingProblem;
use ticketsense::{Mask, Seed, Support};

/// A table in which recovery in rounds reaches `own`, its shuffle `other`, iterative pruning 0.95, random masks `random`.
fn table(seeds: usize, dense: f64, [own, other, random]: [f64; 3]) -> Table {
    let rule = |arm: &str, _: f64| match arm {
        ROUNDS => own,
        SHUFFLED => other,
        IMP => 0.95,
        RANDOM => random,
        _ => dense,
    };
    let lines = tables::lines_of(seeds, 0.003, &[ROUNDS, SHUFFLED, IMP, RANDOM], &[DENSITY], &rule);
    let rows = lines.iter().map(|line| line.row(&COLUMNS).unwrap());
    Table::with_rows(&COLUMNS, rows.collect()).unwrap()
}

fn verdict(id: &str, table: &Table) -> Verdict {
    let claim = CLAIMS.iter().find(|claim| claim.id == id).unwrap();
    (claim.check)(table).unwrap()
}

fn decided(id: &str, table: &Table) -> &'static str {
    verdict(id, table).decision.as_str()
}

#[test]
fn a_gain_over_the_shuffle_or_a_loss_decides_the_first_claim() {
    assert_eq!(decided("T9", &table(24, 0.97, [0.87, 0.75, 0.75])), "holds");
    assert_eq!(decided("T9", &table(24, 0.97, [0.75, 0.87, 0.75])), "fails");
    // Equal means: the noise of the two arms differs.
    let equal = table(24, 0.97, [0.8, 0.8, 0.75]);
    assert_eq!(decided("T9", &equal), "undecided");
}

#[test]
fn the_margin_of_the_pilots_decides_the_second_claim() {
    assert_eq!(decided("T10", &table(24, 0.97, [0.95, 0.75, 0.75])), "holds");
    assert_eq!(decided("T10", &table(24, 0.97, [0.87, 0.75, 0.75])), "fails");
    let margin = -verdict("T10", &table(24, 0.97, [0.95, 0.75, 0.75])).tolerance;
    let near = table(24, 0.97, [0.95 - margin, 0.75, 0.75]);
    assert_eq!(decided("T10", &near), "undecided");
}

#[test]
fn a_task_that_cannot_tell_and_too_few_seeds_decide_nothing() {
    for bad in [
        table(19, 0.97, [0.87, 0.75, 0.75]),
        // A dense network that has not learnt, random masks as good as it, and random masks as good as iterative pruning.
        table(24, 0.85, [0.87, 0.75, 0.75]),
        table(24, 0.97, [0.87, 0.75, 0.97]),
        table(24, 0.97, [0.87, 0.75, 0.95]),
    ] {
        for claim in CLAIMS {
            assert_eq!(decided(claim.id, &bad), "undecided", "{}", claim.id);
        }
    }
    let lines = tables::lines_of(24, 0.003, &[IMP, RANDOM], &[DENSITY], &|_, _| 0.9);
    let rows = lines.iter().map(|line| line.row(&COLUMNS).unwrap()).collect();
    let without = Table::with_rows(&COLUMNS, rows).unwrap();
    assert_eq!(decided("T9", &without), "undecided");
}

fn small_problem() -> SensingProblem {
    let network = Network::preset("mlp:7-6", 5, 3).unwrap();
    let theta: Vec<f64> = network.initial(&Seed::root(4), &Initialisation::HE).unwrap();
    let inputs = Array::from_fn(30, 5, |i, j| ((i * i * 3 + j * 5 + i * j) as f64).sin());
    SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred).unwrap()
}

#[test]
fn certificates_are_those_of_the_stacked_operator_formed_in_full() {
    let problem = small_problem();
    let live = LiveGram::new(&problem);
    let candidates = problem.candidates().iter().enumerate();
    let places: Vec<usize> = candidates.filter(|(_, live)| **live).map(|(c, _)| c).collect();
    let count = places.len();
    assert!(count > 40 && count == live.parameters.len());
    let support = Support::new(places, problem.operator().shape().columns).unwrap();
    let restricted = Restricted::new(problem.operator(), support).unwrap();
    for damping in [0.0, 0.3, 30.0, 3000.0] {
        let alpha = damping * problem.mean_square_norm();
        let stacked = Damped::new(&restricted, alpha).unwrap();
        let full = Babel { max_order: count }
            .estimate(&stacked, &Seed::root(0))
            .unwrap()
            .value;
        let found = live.uniform(alpha).unwrap();
        // A cosine errs by rows · ε in either way of computing it.
        let rounding = 2.0 * full.coherence.error_bound;
        assert!((found.coherence - full.coherence.value).abs() <= rounding, "{damping}");
        let at = |k: usize| full.at(k).unwrap();
        let order = (1..=count).take_while(|&k| at(k - 1) + at(k) < 1.0).count();
        assert_eq!(found.babel_order, order, "{damping}");
        assert!(found.babel_order >= found.coherence_order);
        // One support, against the estimator with proven bounds.
        let chosen: Vec<usize> = (0..count).step_by(9).collect();
        let keeps = |j: usize| chosen.iter().any(|&c| live.parameters[c] == j);
        let value = live.on_support(alpha, keeps).unwrap();
        let proven = exact_recovery_value(&ColumnGram::of(&stacked).unwrap().normalised(), &chosen).unwrap();
        let slack = 1e-9 * proven.upper;
        let found = value.recovery_value.unwrap();
        assert!(
            found >= proven.lower - slack && found <= proven.upper + slack,
            "{damping}: {found} against {proven:?}"
        );
        assert!(value.smallest_eigenvalue > 0.0 && value.smallest_eigenvalue <= 1.0);
    }
    // Orders must not all be the same, or nothing was tested.
    let orders = [0.0, 3000.0].map(|damping| live.uniform(damping * problem.mean_square_norm()).unwrap().babel_order);
    assert!(orders[1] > orders[0] + 5, "{orders:?}");
}

#[test]
fn a_support_of_dependent_columns_has_no_recovery_value() {
    let problem = small_problem();
    let live = LiveGram::new(&problem);
    // Thirty samples of three classes measure at most 60 things, less what the biases explain.
    assert!(problem.rank_bound() <= 60 && live.parameters.len() > 60);
    let all = live.on_support(0.0, |_| true).unwrap();
    assert!(all.smallest_eigenvalue.abs() < 1e-10);
    assert_eq!(all.recovery_value, None);
    assert!(live.on_support(1.0, |_| false).is_err());
}

#[test]
fn a_mask_of_the_largest_weights_overlaps_as_chance_within_deciles_and_more_without() {
    let theta: Vec<f64> = (0..40)
        .map(|j| if j % 2 == 0 { j as f64 } else { -(j as f64) })
        .collect();
    let live = vec![(0..20).collect::<Vec<usize>>(), (20..40).collect()];
    let groups = grouped(&live, &theta);
    assert_eq!(groups.len(), GROUPS);
    assert_eq!(groups[0], [vec![0, 1], vec![20, 21]]);
    assert_eq!(groups[9], [vec![18, 19], vec![38, 39]]);
    let mut largest = Mask::empty(40);
    let mut reference = Mask::empty(40);
    [18, 19, 38, 39].iter().for_each(|&j| largest.set(j, true));
    [3, 19, 38, 39].iter().for_each(|&j| reference.set(j, true));
    let all = Overlap::of(&live, &largest, &reference).unwrap();
    assert_eq!((all.shared, all.own, all.reference), (3, 4, 4));
    // Two of twenty against two of twenty, twice.
    assert!((all.chance - 0.4).abs() < 1e-12);
    for group in &groups {
        let within = Overlap::of(group, &largest, &reference).unwrap();
        assert!((within.shared as f64 - within.chance).abs() < 1e-12);
    }
}

#[test]
fn the_highest_sum_over_tuning_seeds_chooses_the_damping_and_both_rates() {
    let seeds = [
        vec![
            [0.1, 3e-3, 0.5, 0.9],
            [0.1, 1e-2, 0.6, 0.4],
            [1.0, 3e-3, 0.9, 0.2],
            [1.0, 1e-2, 0.7, 0.6],
        ],
        vec![
            [0.1, 3e-3, 0.5, 0.9],
            [0.1, 1e-2, 0.6, 0.4],
            [1.0, 3e-3, 0.6, 0.3],
            [1.0, 1e-2, 0.8, 0.1],
        ],
    ];
    let expected = Choice {
        damping: 1.0,
        own: 3e-3,
        shuffled: 1e-2,
    };
    assert_eq!(choice(&seeds).unwrap(), expected);
    assert!(choice(&[vec![[1.0, 1e-2, f64::NAN, f64::NAN]]]).is_err());
    assert!(choice(&[]).is_err());
}

static SMOKE: LazyLock<Table> =
    LazyLock::new(|| compute_table(&LinearizedMeasurements, Scale::Smoke, 0, &DataChoice::Digits).unwrap());

#[test]
fn every_part_of_the_smoke_table_has_its_rows_and_too_few_seeds_decide_nothing() {
    let parts = |part: &str| SMOKE.iter().filter(|r| r.text("part").unwrap() == part).count();
    let sizes = Sizes::of(Scale::Smoke);
    assert_eq!(parts(MAIN), 5 * sizes.seeds);
    assert_eq!(parts(PILOT), sizes.seeds);
    assert_eq!(parts(DECILES), 11 * (2 * sizes.seeds + sizes.pursued));
    assert_eq!(
        parts(CERTIFICATE),
        sizes.dampings.len() + sizes.certified_dampings.len()
    );
    assert!(parts(SAMPLES) > 0 && parts(LOSS) > 0 && parts(DAMPED) > 0 && parts(TUNING) > 0);
    for claim in CLAIMS {
        assert_eq!((claim.check)(&SMOKE).unwrap().decision.as_str(), "undecided");
    }
}

#[test]
fn what_is_unattainable_has_a_row_without_a_mask() {
    let mut unattainable = 0;
    for r in SMOKE.iter().filter(|r| r.text("part").unwrap() == SAMPLES) {
        let missing = r.text("recovery").unwrap() == "unattainable";
        unattainable += usize::from(missing);
        if missing {
            for column in ["kept", "overlap", "test_accuracy"] {
                assert_eq!(r.optional_real(column).unwrap(), None);
            }
        }
        let (bound, live) = (r.integer("rank_bound").unwrap(), r.integer("live_columns").unwrap());
        assert!(bound <= live);
        if let Some(rank) = r.optional_real("rank").unwrap() {
            assert!(rank > 0.0 && rank <= bound as f64, "rank {rank} of at most {bound}");
        }
    }
    // Ten samples measure at most 90 things, and 99 weights are asked for.
    assert!(unattainable > 0);
}

#[test]
fn deciles_add_up_to_the_whole() {
    for arm in [MAGNITUDE, ROUNDS, OMP] {
        let rows: Vec<_> = SMOKE
            .iter()
            .filter(|r| r.text("part").unwrap() == DECILES && r.text("arm").unwrap() == arm)
            .collect();
        let seed = rows[0].integer("seed").unwrap();
        for column in ["overlap", "own", "weights", "reference"] {
            let (mut whole, mut sum) = (0, 0);
            for r in rows.iter().filter(|r| r.integer("seed").unwrap() == seed) {
                let value = r.integer(column).unwrap();
                match r.optional_real("decile").unwrap() {
                    None => whole = value,
                    Some(_) => sum += value,
                }
            }
            assert_eq!(whole, sum, "{arm} {column}");
        }
    }
}

#[test]
fn the_damping_of_the_best_validation_accuracy_is_shown() {
    let row = |damping: f64, validation: f64| {
        Line::new(LOSS, FIRST_EXPLORED, "squared", DENSITY)
            .with("point", "initial")
            .with("damping", damping)
            .with("validation_accuracy", validation)
            .with("test_accuracy", 1.0 - validation)
            .row(&COLUMNS)
            .unwrap()
    };
    let rows = vec![row(0.1, 0.5), row(1.0, 0.8), row(10.0, 0.8)];
    let table = Table::with_rows(&COLUMNS, rows).unwrap();
    assert_eq!(best_damping(&table, "squared", Point::Initial).unwrap(), Some(1.0));
    assert_eq!(best_damping(&table, "squared", Point::Trained).unwrap(), None);
}

#[test]
fn the_figure_is_drawn_from_the_smoke_table() {
    let svg = LinearizedMeasurements.draw(&SMOKE).unwrap().to_svg().unwrap();
    assert!(svg.contains("what a certificate costs"));
}
