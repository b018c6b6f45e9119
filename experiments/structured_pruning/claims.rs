//! The claims about whole units, read off the table.

use super::super::comparison::{self, Outcomes, Pair, shown};
use super::super::tickets::points;
use super::subject::Kind;
use super::{Arm, parts};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::NonInferiority;
use ticketsense::table::Table;

/// The claims of the experiment.
pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "B7",
        name: "structured-vs-unstructured",
        statement: "At equal multiply-adds, single weights chosen by magnitude train to at least the accuracy of whole units \
             chosen by magnitude.",
        source: "Li et al., ICLR 2017, arXiv:1608.08710; Mao et al. 2017, arXiv:1705.08922; Liu et al., ICLR 2019, \
             arXiv:1810.05270",
        expected: Expected::Open,
        tolerance_rule: "Paired seeds, at least 20; one-sided Student tests at 0.025 that weights are worse by less than the \
             margin, over all densities of both networks together (Holm), pruned at once at equal counts in every layer, and in three \
             rounds at equal multiply-adds. It fails where units are shown to be better and \
             weights nowhere. The margin is one standard deviation of the dense test accuracy of each network, from pilot seeds \
             that are used for nothing else. Undecided where a small network from scratch loses nothing.",
        check: structured_vs_unstructured,
    },
    Claim {
        id: "B7a",
        name: "units-or-scratch",
        statement: "Whole units that pruning chose, reset to their initial weights or trained on from their trained ones, add \
             nothing to a network of the same widths trained from fresh weights.",
        source: "Liu, Sun, Zhou, Huang & Darrell, ICLR 2019, arXiv:1810.05270",
        expected: Expected::Open,
        tolerance_rule: "Paired seeds, at least 20; one-sided Student tests at 0.025 that scratch is worse by less than the \
             margin, over both starts, all densities and both networks together (Holm). It holds where all are shown, and fails \
             where none is and some units are shown to be better. Margin and assay as in B7.",
        check: units_or_scratch,
    },
];

/// One network's rows.
struct Subject {
    kind: Kind,
    outcomes: Outcomes,
    margin: NonInferiority,
    densities: Vec<f64>,
}

/// The networks that can tell, with their hypotheses, and why others cannot.
fn subjects(table: &Table) -> Result<(Vec<Subject>, Vec<String>, Vec<String>)> {
    let (mut subjects, mut hypotheses, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for kind in Kind::ALL {
        let outcomes = read(table, kind)?;
        let densities = outcomes.densities(Arm::Scratch.name());
        let Some(&sparsest) = densities.last() else {
            continue;
        };
        match outcomes.assay(Arm::Scratch.name(), sparsest)? {
            Ok((margin, found)) => {
                hypotheses.extend(found.into_iter().map(|text| format!("{}: {text}", kind.as_str())));
                subjects.push(Subject {
                    kind,
                    outcomes,
                    margin,
                    densities,
                });
            }
            Err(verdict) => reasons.push(format!("{}: {}", kind.as_str(), verdict.evidence)),
        }
    }
    hypotheses
        .push("one training before pruning, ranked by magnitude, every hidden width cut by the same fraction".into());
    hypotheses.push(
        "a learning rate for every arm and density, chosen from the same rates on pilot seeds' validation samples"
            .into(),
    );
    hypotheses.push("on digits, these two networks".into());
    Ok((subjects, hypotheses, reasons))
}

/// The main rows of a network, with its own pilots.
pub fn read(table: &Table, kind: Kind) -> Result<Outcomes> {
    let (main, pilot) = parts(kind);
    let mut outcomes = Outcomes::read_part(table, main)?;
    outcomes.pilots.clear();
    for record in table.iter() {
        if record.text("part")? == pilot {
            outcomes.pilots.extend(record.optional_real("test_accuracy")?);
        }
    }
    Ok(outcomes)
}

/// What is compared on one network at one density.
struct Case<'a> {
    subject: &'a Subject,
    pair: Pair,
}

impl Case<'_> {
    fn words(&self) -> String {
        format!(
            "{} − {}, {} at {:.3}",
            self.pair.first,
            self.pair.second,
            self.subject.kind.as_str(),
            self.pair.density
        )
    }
}

/// Whether `first` is worse than `second` by less than the margin, is better, and `second` is better, case by case, each
/// question over all cases together.
fn judged(cases: &[Case<'_>]) -> Result<[Vec<bool>; 3]> {
    let mut shifted = [Vec::new(), Vec::new(), Vec::new()];
    for case in cases {
        let (outcomes, margin) = (&case.subject.outcomes, case.subject.margin.margin());
        let forth = outcomes.difference(&case.pair)?;
        let back = outcomes.difference(&case.pair.turned())?;
        for (all, (difference, threshold)) in shifted.iter_mut().zip([(forth, -margin), (forth, 0.0), (back, 0.0)]) {
            // Margins differ from network to network: each difference is moved by its own.
            let mut moved = difference;
            moved.mean -= threshold;
            all.push(moved);
        }
    }
    let judge = |all: &Vec<_>| super::super::tickets::above(all, 0.0);
    Ok([judge(&shifted[0])?, judge(&shifted[1])?, judge(&shifted[2])?])
}

fn listed(cases: &[Case<'_>], which: &[bool]) -> String {
    comparison::listed(shown(cases, which).map(Case::words), "; ")
}

/// Every difference in words, those of one pair together.
fn told(cases: &[Case<'_>]) -> Result<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut last = None;
    for case in cases {
        let difference = points(&case.subject.outcomes.difference(&case.pair)?)?;
        let told = format!("{difference} at {:.3}", case.pair.density);
        let now = (&case.pair.first, &case.pair.second, case.subject.kind);
        match parts.last_mut().filter(|_| last == Some(now)) {
            Some(part) => part.push_str(&format!(", {told}")),
            None => parts.push(format!("{} − {}, {}: {told}", now.0, now.1, now.2.as_str())),
        }
        last = Some(now);
    }
    Ok(parts.join("; "))
}

/// The verdict over cases of `first − second`: at least as good everywhere, somewhere, or nowhere.
fn verdict(
    statistic: &str,
    cases: &[Case<'_>],
    mut hypotheses: Vec<String>,
    reasons: &[String],
    beside: String,
) -> Result<Verdict> {
    hypotheses.extend(reasons.iter().map(|reason| format!("not judged: {reason}")));
    let (mut least, mut tolerance) = (f64::INFINITY, 0.0f64);
    for case in cases {
        least = least.min(case.subject.outcomes.difference(&case.pair)?.mean);
        tolerance = tolerance.max(case.subject.margin.margin());
    }
    let [at_least, better, worse] = judged(cases)?;
    let decision = if at_least.iter().all(|shown| *shown) && reasons.is_empty() {
        Decision::Holds
    } else if at_least.contains(&true) {
        Decision::HoldsUnder {
            condition: listed(cases, &at_least),
        }
    } else if worse.contains(&true) {
        Decision::Fails
    } else {
        Decision::Undecided {
            why: "neither side is shown to be at least as good as the other".into(),
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), least),
        tolerance,
        evidence: format!(
            "{}. The first is shown to be better: {}; the second: {}.{beside}",
            told(cases)?,
            listed(cases, &better),
            listed(cases, &worse)
        ),
        counterexample: None,
    })
}

fn cases<'a>(subjects: &'a [Subject], pairs: &[(Arm, Arm)]) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    for subject in subjects {
        for &(first, second) in pairs {
            for &density in &subject.densities {
                cases.push(Case {
                    subject,
                    pair: Pair::new(first.name(), second.name(), density),
                });
            }
        }
    }
    cases
}

fn structured_vs_unstructured(table: &Table) -> Result<Verdict> {
    let (subjects, hypotheses, reasons) = subjects(table)?;
    if subjects.is_empty() {
        return Ok(Verdict::undecided("paired seeds", hypotheses, reasons.join("; ")));
    }
    let others = cases(
        &subjects,
        &[
            (Arm::WeightsAtParameters, Arm::Units),
            (Arm::WeightsAtMultiplyAdds, Arm::Units),
            (Arm::Blocks, Arm::Units),
            (Arm::OneOfEvery, Arm::Units),
        ],
    );
    let beside = format!(" Beside it, not judged: {}.", told(&others)?);
    let cases = cases(
        &subjects,
        &[(Arm::Weights, Arm::Units), (Arm::WeightsInRounds, Arm::UnitsInRounds)],
    );
    verdict(
        "smallest mean gain in accuracy of weights over units",
        &cases,
        hypotheses,
        &reasons,
        beside,
    )
}

fn units_or_scratch(table: &Table) -> Result<Verdict> {
    let (subjects, hypotheses, reasons) = subjects(table)?;
    if subjects.is_empty() {
        return Ok(Verdict::undecided("paired seeds", hypotheses, reasons.join("; ")));
    }
    let cases = cases(
        &subjects,
        &[(Arm::Scratch, Arm::Units), (Arm::Scratch, Arm::UnitsTunedOn)],
    );
    verdict(
        "smallest mean gain in accuracy of scratch over units",
        &cases,
        hypotheses,
        &reasons,
        String::new(),
    )
}
