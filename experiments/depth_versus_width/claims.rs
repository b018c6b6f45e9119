//! What is claimed about paths, depth and width, and the checks, pure functions of the table.

use super::{BUDGET, CONNECTION, DISJOINT, FULL};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::BinomialCount;
use ticketsense::table::{Record, Table};
use ticketsense::theory::path_survival::disjoint_survival;

pub(super) const CLAIMS: &[Claim] = &[
    Claim {
        id: "E1",
        name: "path-survival",
        statement: "A path through L hidden layers survives random pruning with probability q^(L+1), one of w disjoint paths with \
                    1-(1-q^(L+1))^w, and one input is joined to one output of a fully connected network with the probability \
                    of the chain in which j reached units reach Binomial(w, 1-(1-q)^j) next.",
        source: "elementary; Markov chain of the reached count",
        expected: Expected::Holds,
        tolerance_rule: "sums over all subsets of at most 16 weights within 4 eps a subset; exact two-sided binomial tests of \
                         simulated counts at 0.001 over the rows of the table; two rivals must be refuted in full connection: \
                         the law of disjoint paths, and the mean number of surviving paths cut at 1",
        check: survival,
    },
    Claim {
        id: "E2",
        name: "depth-versus-width",
        statement: "With a fixed number of weights, a deeper network is steeply less likely to stay joined under random pruning.",
        source: "arithmetic of disjoint paths; its failure in full connection by the chain of the reached count",
        expected: Expected::HoldsUnder,
        tolerance_rule: "exact probabilities, none: they must fall with depth at every step along disjoint paths; a network of full \
                         connection refutes 'steeply' where it loses less than a tenth of its probability while disjoint paths \
                         of the same budget, keep probability and depths lose more than half",
        check: budget,
    },
];

/// One probability of the table.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub model: String,
    pub keep: f64,
    pub layers: u64,
    pub width: u64,
    pub budget: Option<i64>,
    pub exact: f64,
    pub enumerated: Option<f64>,
    pub log_mean_paths: f64,
    pub weights: u64,
    pub counts: Option<(u64, u64)>,
}

impl Case {
    fn of(record: &Record<'_>) -> Result<Self> {
        let optional = |name: &str| record.optional_real(name).map(|v| v.map(|v| v as u64));
        let counts = optional("joined")?.zip(optional("replicates")?);
        Ok(Case {
            model: record.text("model")?.into(),
            keep: record.real("keep")?,
            layers: record.integer("hidden_layers")? as u64,
            width: record.integer("width")? as u64,
            budget: record.optional_real("budget")?.map(|b| b as i64),
            exact: record.real("exact")?,
            enumerated: record.optional_real("enumerated")?,
            log_mean_paths: record.real("log_mean_paths")?,
            weights: record.integer("weights")? as u64,
            counts,
        })
    }

    /// The rows of a part.
    pub(super) fn read(table: &Table, part: &'static str) -> Result<Vec<Case>> {
        table
            .filter(|r| r.text("part").is_ok_and(|p| p == part))
            .map(|r| Case::of(&r))
            .collect()
    }

    fn name(&self) -> String {
        format!(
            "{}, q = {}, {} hidden layers of {}",
            self.model, self.keep, self.layers, self.width
        )
    }
}

fn survival(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "largest distance from the sum over all subsets, in its tolerance";
    let level = 1e-3 / table.len().max(1) as f64;
    let cases = Case::read(table, CONNECTION)?;
    let (mut worst, mut summed, mut tested, mut least) = (0.0f64, 0, 0, (1.0f64, String::new()));
    let mut counterexample = None;
    let (mut rivals, mut refuted) = ([0; 2], [0; 2]);
    for case in &cases {
        if let Some(sum) = case.enumerated {
            summed += 1;
            let tolerance = 4.0 * f64::EPSILON * 2f64.powi(case.weights as i32).max(16.0);
            let distance = (case.exact - sum).abs() / tolerance;
            // Not a number is no agreement.
            if distance.is_nan() || distance > 1.0 {
                counterexample = Some(format!("{}: {} by law, {sum} by subsets", case.name(), case.exact));
            }
            worst = worst.max(distance);
        }
        let Some((joined, replicates)) = case.counts else {
            continue;
        };
        let count = BinomialCount::new(joined, replicates)?;
        tested += 1;
        let p = count.p_value(case.exact.clamp(0.0, 1.0))?;
        if p < least.0 {
            least = (
                p,
                format!(
                    "{}: {joined} of {replicates} joined, {:.6} by law",
                    case.name(),
                    case.exact
                ),
            );
        }
        if case.model == FULL && case.width > 1 && case.layers > 1 {
            let disjoint = disjoint_survival(case.keep, case.layers, case.width)?;
            for (place, rival) in [disjoint, case.log_mean_paths.exp().min(1.0)].into_iter().enumerate() {
                rivals[place] += 1;
                refuted[place] += usize::from(count.rejects(rival, level)?);
            }
        }
    }
    if least.0 <= level {
        counterexample = Some(least.1.clone());
    }
    let hypotheses = vec![
        format!("{summed} probabilities equal the sum over all subsets of their weights"),
        format!(
            "{tested} simulated counts agree with their law; the least likely has p = {:.3}",
            least.0
        ),
        format!(
            "the law of disjoint paths is refuted in full connection {} of {} times",
            refuted[0], rivals[0]
        ),
        format!(
            "the mean number of surviving paths, cut at 1, is refuted {} of {} times",
            refuted[1], rivals[1]
        ),
    ];
    if summed == 0 || tested == 0 {
        return Ok(Verdict::undecided(
            STATISTIC,
            hypotheses,
            "nothing was enumerated or simulated",
        ));
    }
    let decision = match &counterexample {
        Some(_) => Decision::Fails,
        None if refuted.contains(&0) => Decision::Undecided {
            why: "too few replicates to tell the law from its rivals".into(),
        },
        None => Decision::Holds,
    };
    Ok(Verdict {
        decision,
        evidence: format!("{}.", hypotheses.join("; ")),
        hypotheses,
        statistic: (STATISTIC.into(), worst),
        tolerance: 1.0,
        counterexample,
    })
}

fn budget(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "largest factor by which disjoint paths fall where full connection loses less than a tenth";
    let cases = Case::read(table, BUDGET)?;
    let groups = groups(&cases);
    let (mut steps, mut rising, mut refuting): (usize, Option<String>, Option<(f64, String)>) = (0, None, None);
    let mut narrow = None;
    for group in groups.iter().filter(|g| g[0].model == DISJOINT) {
        for pair in group.windows(2) {
            steps += 1;
            if pair[1].exact >= pair[0].exact && pair[0].exact < 1.0 {
                rising = Some(format!("{} is no less likely than {}", pair[1].name(), pair[0].name()));
            }
        }
    }
    for full in groups.iter().filter(|g| g[0].model == FULL) {
        let same =
            |g: &&Vec<&Case>| g[0].model == DISJOINT && g[0].keep == full[0].keep && g[0].budget == full[0].budget;
        let Some(disjoint) = groups.iter().find(same) else {
            continue;
        };
        let first = full[0];
        for deep in full.iter().skip(1) {
            let paths: Vec<&&Case> = disjoint
                .iter()
                .filter(|c| c.layers == first.layers || c.layers == deep.layers)
                .collect();
            let [near, far] = paths[..] else { continue };
            let (kept, left) = (deep.exact / first.exact, far.exact / near.exact);
            if kept > 0.9 && left < 0.5 && refuting.as_ref().is_none_or(|(most, _)| near.exact / far.exact > *most) {
                let told = format!(
                    "q = {}, {} weights, {} to {} hidden layers: full connection keeps {:.1} % of its probability at mean degree {:.1}, \
                     disjoint paths {:.2} %",
                    deep.keep,
                    deep.budget.unwrap_or(0),
                    first.layers,
                    deep.layers,
                    100.0 * kept,
                    deep.keep * deep.width as f64,
                    100.0 * left
                );
                refuting = Some((near.exact / far.exact, told));
            }
            // Where the mean degree nears 1, depth does cut full connection off.
            if deep.keep * deep.width as f64 <= 1.5 && kept < 0.5 {
                narrow = Some(format!(
                    "q = {}, {} layers of {}: {:.1} % left",
                    deep.keep,
                    deep.layers,
                    deep.width,
                    100.0 * kept
                ));
            }
        }
    }
    let mut hypotheses = vec![format!(
        "{steps} steps in depth along disjoint paths, each less likely than the one before"
    )];
    hypotheses.extend(refuting.iter().map(|(_, told)| told.clone()));
    hypotheses.extend(
        narrow
            .iter()
            .map(|told| format!("with a mean degree of 1.5 or less depth cuts off: {told}")),
    );
    if steps == 0 {
        return Ok(Verdict::undecided(
            STATISTIC,
            hypotheses,
            "no budget was divided at two depths",
        ));
    }
    let (decision, counterexample) = match (&rising, &refuting) {
        (Some(case), _) => (Decision::Fails, Some(case.clone())),
        (None, None) => (Decision::Holds, None),
        (None, Some((_, told))) => (
            Decision::HoldsUnder {
                condition: "disjoint paths, or layers so narrow that a unit keeps about one weight; in full connection with a mean \
                            degree well above 1 depth is nearly free"
                    .into(),
            },
            Some(told.clone()),
        ),
    };
    Ok(Verdict {
        decision,
        evidence: format!("{}.", hypotheses.join("; ")),
        hypotheses,
        statistic: (STATISTIC.into(), refuting.map_or(1.0, |(most, _)| most)),
        tolerance: 2.0,
        counterexample,
    })
}

/// Cases of one model, keep probability and budget, by depth.
pub(super) fn groups(cases: &[Case]) -> Vec<Vec<&Case>> {
    let mut groups: Vec<Vec<&Case>> = Vec::new();
    for case in cases {
        let same =
            |g: &&mut Vec<&Case>| g[0].model == case.model && g[0].keep == case.keep && g[0].budget == case.budget;
        match groups.iter_mut().find(same) {
            Some(group) => group.push(case),
            None => groups.push(vec![case]),
        }
    }
    groups
        .iter_mut()
        .for_each(|group| group.sort_by_key(|case| case.layers));
    groups
}
