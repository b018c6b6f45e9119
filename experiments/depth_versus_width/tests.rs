use super::super::doctoring::{self, doctored, doctored_once, is, only};
use super::*;
use ticketsense::data::DataChoice;
use ticketsense::harness::{Decision, Verdict, compute_table};
use ticketsense::table::Value;

fn verdict(id: &str, table: &Table) -> Verdict {
    doctoring::verdict(&DepthVersusWidth, id, table)
}

fn smoke() -> Table {
    compute_table(&DepthVersusWidth, Scale::Smoke, 0, &DataChoice::Digits).unwrap()
}

#[test]
fn a_small_run_decides_both_claims_as_theory_does() {
    let table = smoke();
    assert_eq!(verdict("E1", &table).decision, Decision::Holds);
    let depth = verdict("E2", &table);
    assert!(matches!(depth.decision, Decision::HoldsUnder { .. }), "{depth:?}");
    assert!(depth.counterexample.unwrap().contains("full connection keeps"));
    draw::draw(&table).unwrap().to_svg().unwrap();
}

#[test]
fn a_wrong_law_or_count_makes_path_survival_fail_and_no_rival_refuted_leaves_it_open() {
    let table = smoke();
    let enumerated = |r: &ticketsense::table::Record<'_>| r.optional_real("enumerated").is_ok_and(|v| v.is_some());
    let off = doctored_once(
        &table,
        "exact",
        |v| match v {
            Value::Real(exact) => Value::Real(exact + 1e-9),
            other => panic!("{other:?}"),
        },
        enumerated,
    );
    assert_eq!(verdict("E1", &off).decision, Decision::Fails);
    let simulated = |r: &ticketsense::table::Record<'_>| is(r, "model", FULL) && r.integer("width").unwrap() == 20;
    let off = doctored(&table, "joined", |_| 3.into(), simulated);
    let found = verdict("E1", &off);
    assert_eq!(found.decision, Decision::Fails);
    assert!(found.counterexample.unwrap().contains("joined"));
    let narrow = only(&table, |r| r.integer("width").unwrap() == 1);
    assert!(matches!(verdict("E1", &narrow).decision, Decision::Undecided { .. }));
    let nothing = only(&table, |r| is(r, "part", BUDGET));
    assert!(matches!(verdict("E1", &nothing).decision, Decision::Undecided { .. }));
}

#[test]
fn depth_holds_along_disjoint_paths_alone_and_fails_where_they_do_not_fall() {
    let table = smoke();
    let disjoint = only(&table, |r| is(r, "model", DISJOINT));
    assert_eq!(verdict("E2", &disjoint).decision, Decision::Holds);
    let flat = doctored(
        &table,
        "exact",
        |_| Value::Real(0.5),
        |r| is(r, "model", DISJOINT) && is(r, "part", BUDGET),
    );
    assert_eq!(verdict("E2", &flat).decision, Decision::Fails);
    let nothing = only(&table, |r| is(r, "part", CONNECTION));
    assert!(matches!(verdict("E2", &nothing).decision, Decision::Undecided { .. }));
}

#[test]
fn widths_fill_their_budget_and_no_more() {
    for budget in BUDGETS {
        for layers in BUDGET_DEPTHS {
            for model in [DISJOINT, FULL] {
                let width = widest(model, budget, layers).unwrap();
                assert!(width == 0 || weights(model, layers, width) <= budget);
                assert!(weights(model, layers, width + 1) > budget, "{model} {budget} {layers}");
                if width > 0 && width < 50 {
                    assert_eq!(
                        graph(model, layers, width).unwrap().edges(),
                        weights(model, layers, width)
                    );
                }
            }
        }
    }
}
