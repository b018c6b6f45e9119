use super::*;
use crate::experiments::phase_transition::PhaseTransition;
use ticketsense::harness::Experiment;
use ticketsense::row;
use ticketsense::theory::basis_pursuit_success::success;

/// Counts as theory expects them, rounded to whole numbers: sizes 64 to 320 at the followed ratios, `shift` nonzeros off.
fn table(shift: i64, trials: u64) -> Table {
    let mut rows = Vec::new();
    for columns in [320u64, 160, 96, 64] {
        for delta in FOLLOWED {
            let m = (delta * columns as f64).round() as u64;
            let middle = transition(delta, Signs::Signed).unwrap().rho * m as f64;
            let reach = 0.6 * (columns as f64).sqrt() + 1.5;
            let (low, high) = ((middle - reach).max(1.0) as u64, ((middle + reach) as u64).min(m));
            for k in (low..=high).step_by(((high - low) / 12).max(1) as usize) {
                let exact = success(columns, m, k, Signs::Signed).unwrap().success;
                let at = k.saturating_add_signed(shift).clamp(1, m);
                let found = success(columns, m, at, Signs::Signed).unwrap().success;
                let successes = (found * trials as f64).round() as u64;
                rows.push(row![
                    "size",
                    "gaussian",
                    "basis-pursuit",
                    columns,
                    m,
                    k,
                    m as f64 / columns as f64,
                    k as f64 / m as f64,
                    trials,
                    successes,
                    0u64,
                    0u64,
                    0.0,
                    1.0,
                    exact
                ]);
            }
        }
    }
    Table::with_rows(PhaseTransition.columns(), rows).unwrap()
}

#[test]
fn counts_that_follow_the_exact_probability_uphold_the_claim() {
    let verdict = check(&table(0, 140)).unwrap();
    assert_eq!(verdict.decision, Decision::Holds, "{}", verdict.evidence);
}

#[test]
fn a_transition_that_lies_two_nonzeros_off_at_every_size_is_refuted_by_the_exact_law_alone() {
    // A shift that does not grow with n vanishes in the extrapolation: only the finite-size law can see it.
    for shift in [-2, 2] {
        let verdict = check(&table(shift, 140)).unwrap();
        assert_eq!(verdict.decision, Decision::Fails, "{}", verdict.evidence);
        assert!(verdict.counterexample.unwrap().contains("pooled"));
    }
}

#[test]
fn too_few_counts_near_the_transition_decide_nothing() {
    let whole = table(0, 140);
    let thin = whole.rows().iter().step_by(9).cloned().collect();
    let thin = Table::with_rows(PhaseTransition.columns(), thin).unwrap();
    assert!(matches!(check(&thin).unwrap().decision, Decision::Undecided { .. }));
}
