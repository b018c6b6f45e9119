//! The claim that nothing but training finds a ticket, read off the table.

use super::super::comparison::{self, DENSE, Outcomes, Pair, shown};
use super::super::tickets::points;
use super::arms::{Method, TREATED, UNTRAINED};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::PairedComparison;
use ticketsense::table::Table;

/// The claims of the experiment.
pub const CLAIMS: &[Claim] = &[Claim {
    id: "A11",
    name: "no-shortcut",
    statement: "No mask that is chosen before training, by SNIP, GraSP, SynFlow, initial magnitudes or chance, trains as well \
         as the mask of iterative magnitude pruning with as many weights, at densities of at most 0.1.",
    source: "Frankle et al., ICLR 2021, arXiv:2009.08576; Su et al., NeurIPS 2020, arXiv:2009.11094; Sreenivasan et al., \
         NeurIPS 2022, arXiv:2202.12002",
    expected: Expected::HoldsUnder,
    tolerance_rule: "Paired seeds, at least 20; Student tests one-sided at 0.025 over all methods and densities together \
         (Holm). It fails where a method is shown to be worse than iterative pruning by less than the margin, one standard \
         deviation of the dense test accuracy from pilot seeds that are used for nothing else. It holds at the densities \
         where every method is shown to be worse by more. Learning rates are chosen for every arm and density from the same \
         rates, on the validation accuracy of seeds that are used for nothing else.",
    check: no_shortcut,
}];

/// The largest density that the claim speaks of.
const LARGEST: f64 = 0.1;

/// The densities of the claim, largest first.
pub fn claimed(outcomes: &Outcomes) -> Vec<f64> {
    let all = outcomes.densities(Method::Imp.name());
    all.into_iter().filter(|&density| density <= LARGEST).collect()
}

fn no_shortcut(table: &Table) -> Result<Verdict> {
    let outcomes = Outcomes::read(table)?;
    let densities = claimed(&outcomes);
    let Some(&smallest) = densities.last() else {
        let hypotheses = vec![format!("{} rows", table.len())];
        return Ok(Verdict::undecided(
            "paired seeds",
            hypotheses,
            "no density of at most 0.1",
        ));
    };
    let (margin, mut hypotheses) = match outcomes.assay(Method::RandomUniform.name(), smallest)? {
        Ok(assay) => assay,
        Err(verdict) => return Ok(*verdict),
    };
    let (imp, delta) = (Method::Imp.name(), margin.margin());
    let cases: Vec<(Method, f64)> = densities
        .iter()
        .flat_map(|&density| UNTRAINED.map(|method| (method, density)))
        .collect();
    let pairs: Vec<Pair> = cases
        .iter()
        .map(|(method, density)| Pair::new(method.name(), imp, *density))
        .collect();
    let turned: Vec<Pair> = pairs.iter().map(Pair::turned).collect();
    let matching = outcomes.above(&pairs, -delta)?;
    let behind = outcomes.above(&turned, delta)?;
    let chosen = |flags: &[bool], density: f64| -> Vec<&'static str> {
        let found = shown(&cases, flags).filter(|(_, at)| *at == density);
        found.map(|(method, _)| method.name()).collect()
    };
    let listed = |flags: &[bool]| -> String {
        let parts = densities.iter().map(|&density| (density, chosen(flags, density)));
        let parts = parts
            .filter(|(_, methods)| !methods.is_empty())
            .map(|(density, methods)| match methods.len() == UNTRAINED.len() {
                true => format!("all at density {density:.3}"),
                false => format!("{} at density {density:.3}", methods.join(", ")),
            });
        comparison::listed(parts, "; ")
    };
    let complete: Vec<String> = densities
        .iter()
        .filter(|&&density| chosen(&behind, density).len() == UNTRAINED.len())
        .map(|density| format!("{density:.3}"))
        .collect();
    // The nearest to iterative pruning, over all densities and at each.
    let mut gap = f64::NEG_INFINITY;
    let mut told = Vec::new();
    for &density in &densities {
        let mut nearest: Option<(&Pair, PairedComparison)> = None;
        for pair in pairs.iter().filter(|pair| pair.density == density) {
            let difference = outcomes.difference(pair)?;
            if nearest.as_ref().is_none_or(|(_, best)| difference.mean > best.mean) {
                nearest = Some((pair, difference));
            }
        }
        if let Some((pair, difference)) = nearest {
            told.push(format!(
                "{} at density {density:.3}, {}",
                pair.first,
                points(&difference)?
            ));
            gap = gap.max(difference.mean);
        }
    }
    for &density in &densities {
        let lost = outcomes.difference(&Pair::new(imp, DENSE, density))?;
        let rewound = outcomes.difference(&Pair::new(Method::ImpRewound.name(), imp, density))?;
        hypotheses.push(format!(
            "the reference at density {density:.3}: iterative pruning against the dense network {}, rewinding to a twentieth of \
             training {} on top",
            points(&lost)?,
            points(&rewound)?
        ));
    }
    let decision = if matching.contains(&true) {
        Decision::Fails
    } else if !complete.is_empty() {
        Decision::HoldsUnder {
            condition: format!("on this network and these data, at density {}", complete.join(" and ")),
        }
    } else {
        Decision::Undecided {
            why: format!(
                "no method is shown to come within {:.2} points of iterative pruning, and not all are shown to stay behind by \
                 more",
                100.0 * delta
            ),
        }
    };
    let counterexample = matching.contains(&true).then(|| {
        format!(
            "within {:.2} points of iterative pruning: {}",
            100.0 * delta,
            listed(&matching)
        )
    });
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (
            "largest mean difference of a method before training to iterative pruning".into(),
            gap,
        ),
        tolerance: -delta,
        evidence: format!(
            "Nearest to iterative pruning: {}. Shown to be behind by more than the margin: {}; shown to be within it: {}. {}",
            told.join("; "),
            listed(&behind),
            listed(&matching),
            structure(&outcomes, delta)?,
        ),
        counterexample,
    })
}

/// What the places of the kept weights and their initial values are worth to each method at every density, in words.
fn structure(outcomes: &Outcomes, delta: f64) -> Result<String> {
    let densities = outcomes.densities(Method::Imp.name());
    let cases: Vec<(Method, f64)> = TREATED
        .into_iter()
        .flat_map(|method| densities.iter().map(move |&density| (method, density)))
        .collect();
    let named = |flags: &[bool]| -> String {
        let of = |method: Method| -> Option<String> {
            let found = shown(&cases, flags).filter(|(m, _)| *m == method);
            let at: Vec<String> = found.map(|(_, density)| format!("{density:.3}")).collect();
            (!at.is_empty()).then(|| format!("{} at {}", method.name(), at.join(", ")))
        };
        comparison::listed(TREATED.into_iter().filter_map(of), ", ")
    };
    let mut sentences = Vec::new();
    for (treatment, words) in [
        ("shuffled", "Shuffled within layers"),
        ("fresh", "With fresh initial values"),
    ] {
        let loss = |(method, density): &(Method, f64)| {
            Pair::new(method.name(), format!("{}:{treatment}", method.name()), *density)
        };
        let losses: Vec<Pair> = cases.iter().map(loss).collect();
        let gains: Vec<Pair> = losses.iter().map(Pair::turned).collect();
        sentences.push(format!(
            "{words}, these masks are shown to lose: {}; to lose nothing beyond the margin: {}.",
            named(&outcomes.above(&losses, 0.0)?),
            named(&outcomes.above(&gains, -delta)?),
        ));
    }
    Ok(sentences.join(" "))
}
