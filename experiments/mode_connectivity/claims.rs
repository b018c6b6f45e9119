//! The claim about stability, read off the table.

use super::super::tickets::{LEVEL, points};
use super::outcomes::{Case, Copies, STABLE, Shown};
use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::{NonInferiority, Summary, fisher_exact};
use ticketsense::table::Table;

/// The claims of the experiment.
pub const CLAIMS: &[Claim] = &[Claim {
    id: "A13",
    name: "linear-mode-connectivity",
    statement: "Tickets of iterative magnitude pruning match the dense network only where they are stable: where two copies \
         trained from the common values on different orders of the data are joined by a straight path without a barrier.",
    source: "Frankle, Dziugaite, Roy & Carbin, ICML 2020, arXiv:1912.05671",
    expected: Expected::Open,
    tolerance_rule: "Fixed before the run: a case (learning rate, step t, density) is stable when the 95 % interval of its mean instability, the \
         largest test error on the path minus the mean of its ends, lies below 2 points, the threshold of the source, and \
         unstable when it lies above; it matches when it is non-inferior to the dense network within one standard deviation of \
         dense pilots, and does not when it is inferior. Cases that are neither are left out. Fisher's exact test of the two by \
         two table, one-sided at 0.05: the claim holds where the test rejects and no unstable case matches, with a condition \
         where some do, and fails where it does not reject although the margins would have allowed it and unstable cases do match. Cases share their seeds, \
         so the difference of matching rates is also taken seed by seed, over all tickets and within densities.",
    check: stability,
}];

/// Cases by stability (rows) and matching (columns), yes first; the others are left out.
#[derive(Debug, Default)]
struct Crossed {
    counts: [[u32; 2]; 2],
    /// Cases of which either is open.
    open: usize,
    /// Those that are unstable and match, in words.
    against: Vec<String>,
}

impl Crossed {
    fn add(&mut self, copies: &Copies, case: Case, margin: &NonInferiority) -> Result<()> {
        let place = |shown: Shown| match shown {
            Shown::Yes => Some(0),
            Shown::No => Some(1),
            Shown::Open => None,
        };
        let (stable, matching) = (place(copies.stable(case)?), place(copies.matching(case, margin)?));
        let Some((row, column)) = stable.zip(matching) else {
            self.open += 1;
            return Ok(());
        };
        self.counts[row][column] += 1;
        if (row, column) == (1, 0) {
            self.against.push(format!(
                "density {:.3} from {} at rate {}: instability {:.1} points, ticket minus dense {}",
                copies.density(case.round),
                copies.percent(case.step),
                copies.rate,
                100.0 * copies.barrier(case, |b| b.test)?.mean,
                points(&copies.lost(case)?)?
            ));
        }
        Ok(())
    }

    fn words(&self) -> String {
        let [[both, stable_only], [matching_only, neither]] = self.counts;
        format!(
            "stable and matching {both}, stable and not {stable_only}, unstable and matching {matching_only}, neither {neither}, \
             open {}",
            self.open
        )
    }
}

/// The smallest one-sided p-value that a table with these margins could have.
fn least_p(counts: [[u32; 2]; 2]) -> Result<f64> {
    let [[a, b], [c, d]] = counts;
    let most = (a + b).min(a + c);
    Ok(fisher_exact([[most, a + b - most], [a + c - most, d + most - a]])?.greater)
}

/// A mean over seeds in words.
fn rates(differences: &[f64]) -> Result<(String, Option<f64>)> {
    if differences.len() < 2 {
        return Ok((format!("{} seeds with both kinds", differences.len()), None));
    }
    let summary = Summary::of(differences)?;
    let interval = summary.interval(LEVEL)?;
    let words = format!(
        "{:+.2} [{:+.2}, {:+.2}] over {} seeds",
        summary.mean, interval.lower, interval.upper, summary.count
    );
    Ok((words, Some(interval.lower)))
}

fn stability(table: &Table) -> Result<Verdict> {
    let mut hypotheses = Vec::new();
    let (mut all, mut hard) = (Crossed::default(), Crossed::default());
    let (mut pooled, mut dense) = (Vec::new(), Vec::new());
    let mut within: BTreeMap<i64, (f64, Vec<f64>)> = BTreeMap::new();
    for copies in Copies::procedures(table)? {
        let (margin, checked) = match copies.assay()? {
            Ok(assay) => assay,
            Err(verdict) => return Ok(*verdict),
        };
        hypotheses.extend(checked.into_iter().map(|what| format!("rate {}: {what}", copies.rate)));
        let tickets = copies.tickets();
        for &case in &tickets {
            all.add(&copies, case, &margin)?;
            if copies.mask_matters(case.round, &margin)? {
                hard.add(&copies, case, &margin)?;
            }
        }
        pooled.extend(copies.by_seed(&tickets, margin.margin())?);
        for round in copies.rounds().into_iter().filter(|round| *round > 0) {
            let cases: Vec<Case> = tickets.iter().copied().filter(|case| case.round == round).collect();
            let of_round = within
                .entry(round)
                .or_insert_with(|| (copies.density(round), Vec::new()));
            of_round.1.extend(copies.by_seed(&cases, margin.margin())?);
        }
        let means: Result<Vec<String>> = copies
            .steps()
            .into_iter()
            .map(|step| {
                let mean = copies.barrier(Case { round: 0, step }, |b| b.test)?.mean;
                Ok(format!("{:.1} from {}", 100.0 * mean, copies.percent(step)))
            })
            .collect();
        dense.push(format!("at rate {} {}", copies.rate, means?.join(", ")));
    }
    hypotheses.push(format!(
        "stable: mean instability in test error below {:.0} points; a case is a learning rate, a step and a density",
        100.0 * STABLE
    ));
    hypotheses.push(
        "one learning rate for every density of a procedure, as in the source: stability belongs to a procedure".into(),
    );
    let mut by_density = Vec::new();
    let mut held = 0;
    for (density, differences) in within.values() {
        let (words, lower) = rates(differences)?;
        held += usize::from(lower.is_some_and(|lower| lower > 0.0));
        by_density.push(format!("{density:.3}: {words}"));
    }
    let evidence = format!(
        "Cases: {}. Of those at densities where a shuffled mask does not match: {}. Mean instability of the dense network in points \
         of test error: {}. Matching rate of stable minus unstable tickets, seed by seed: {}; within densities {}.",
        all.words(),
        hard.words(),
        dense.join("; "),
        rates(&pooled)?.0,
        by_density.join("; ")
    );
    let (p, decision) = decide(&all, held)?;
    Ok(Verdict {
        counterexample: all.against.first().filter(|_| decision == Decision::Fails).cloned(),
        decision,
        hypotheses,
        statistic: ("one-sided p-value of Fisher's exact test".into(), p),
        tolerance: LEVEL,
        evidence,
    })
}

/// The decision from the table of cases, and in how many densities stable tickets match more often seed by seed.
fn decide(all: &Crossed, held: usize) -> Result<(f64, Decision)> {
    let [[both, stable_only], [matching_only, neither]] = all.counts;
    let none = |why: &str| Ok((f64::NAN, Decision::Undecided { why: why.into() }));
    if both + stable_only == 0 {
        return none("no case is shown to be stable");
    }
    if matching_only + neither == 0 {
        return none("no case is shown to be unstable: nothing can match in spite of it");
    }
    if both + matching_only == 0 {
        return none("no case is shown to match");
    }
    if stable_only + neither == 0 && matching_only == 0 {
        return none("every case matches");
    }
    let p = fisher_exact(all.counts)?.greater;
    let decision = if p < LEVEL && matching_only == 0 && held > 0 {
        Decision::Holds
    } else if p < LEVEL {
        let mut conditions = Vec::new();
        if matching_only > 0 {
            conditions.push(format!(
                "as a tendency: {matching_only} unstable cases match all the same"
            ));
        }
        if held == 0 {
            conditions.push(
                "across densities: at one density stable tickets are not shown to match more often than unstable ones"
                    .into(),
            );
        }
        let condition = conditions.join("; ");
        Decision::HoldsUnder { condition }
    } else if matching_only > 0 && least_p(all.counts)? < LEVEL {
        Decision::Fails
    } else {
        let why = "too few decided cases: no table with these margins could have been significant".into();
        Decision::Undecided { why }
    };
    Ok((p, decision))
}
