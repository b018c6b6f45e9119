//! What is claimed about masks of recurrent networks, and the checks, pure functions of the table.

use super::super::comparison::{DENSE, Outcomes, Pair, column_mean, listed, shown};
use super::super::tickets::{above, points};
use super::trained::arm;
use super::{TIED, UNTIED, WALKS};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::{BinomialCount, PairedComparison};
use ticketsense::table::Table;

/// Two routes to one probability may differ by so much: at most 64 products of sums of 16 terms.
const ROUNDING: f64 = 1e-12;
/// Networks whose numbers of weights differ by no more than this fraction are of equal size.
const EQUAL: f64 = 0.02;

pub(super) const CLAIMS: &[Claim] = &[
    Claim {
        id: "E3",
        name: "rnn-tied-untied",
        statement: "Through one random mask on n hidden units that every step uses, a signal that lasts n steps lasts for ever: the \
                    kept weights have a cycle. Through a fresh mask a step it dies at last, with the chain of the reached count, at \
                    the same density.",
        source: "levels of a directed graph without cycles; Markov chain of the reached count; lottery tickets in recurrent \
                 networks: Yu et al., ICLR 2020, arXiv:1906.02768",
        expected: Expected::Holds,
        tolerance_rule: "laws equal the sums over all 2^(n²) masks within 1e-12 for n <= 4; exact two-sided binomial tests of all \
                         simulated counts at 0.001 over the rows; tied counts are the same at all T >= n, untied laws fall at every \
                         step; each law must be refuted for the counts of the other",
        check: walks,
    },
    Claim {
        id: "E3a",
        name: "recurrent-tickets",
        statement: "Recurrent networks have tickets: the mask that iterative magnitude pruning finds, one for all steps, is more \
                    accurate than random masks of its counts.",
        source: "Yu et al., ICLR 2020, arXiv:1906.02768, for LSTMs",
        expected: Expected::Open,
        tolerance_rule: "Paired seeds, at least 20; Student tests one-sided at 0.025 over all densities together (Holm): shown where the \
                         difference is above zero, refuted where it is shown below the margin at every density. The margin is one \
                         standard deviation of the dense test accuracy, from pilot seeds used for nothing else. Nothing is decided \
                         where random masks are not worse than the dense network.",
        check: tickets,
    },
    Claim {
        id: "E3b",
        name: "sharing-at-equal-count",
        statement: "At equal numbers of kept weights, a ticket that shares its weights over the steps is more accurate than one with \
                    weights of each step's own.",
        source: "the comparison that equal density hides: an untied network has as many matrices as steps",
        expected: Expected::Open,
        tolerance_rule: "As E3a, over the pairs of rounds whose kept weights differ by at most 2 %; refuted where the untied ticket \
                         is shown to be more accurate at every one of them.",
        check: sharing,
    },
];

/// One probability of the table.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub cell: String,
    pub keep: f64,
    pub units: i64,
    pub steps: i64,
    pub exact: f64,
    pub lost: f64,
    pub enumerated: Option<f64>,
    pub replicates: u64,
    pub lasting: u64,
}

impl Case {
    /// The rows on random masks.
    pub(super) fn read(table: &Table) -> Result<Vec<Case>> {
        let rows = table.filter(|r| r.text("part").is_ok_and(|p| p == WALKS));
        let case = |r: ticketsense::table::Record<'_>| {
            Ok(Case {
                cell: r.text("arm")?.into(),
                keep: r.real("density")?,
                units: r.integer("units")?,
                steps: r.integer("steps")?,
                exact: r.real("exact")?,
                lost: r.real("lost")?,
                enumerated: r.optional_real("enumerated")?,
                replicates: r.integer("replicates")? as u64,
                lasting: r.integer("lasting")? as u64,
            })
        };
        rows.map(case).collect()
    }

    fn name(&self) -> String {
        format!(
            "{}, {} units, q = {:.4}, {} steps",
            self.cell, self.units, self.keep, self.steps
        )
    }
}

/// Cases of one cell, units and keep probability, by steps.
pub(super) fn groups(cases: &[Case]) -> Vec<Vec<&Case>> {
    let mut groups: Vec<Vec<&Case>> = Vec::new();
    for case in cases {
        let same = |g: &&mut Vec<&Case>| g[0].cell == case.cell && g[0].keep == case.keep && g[0].units == case.units;
        match groups.iter_mut().find(same) {
            Some(group) => group.push(case),
            None => groups.push(vec![case]),
        }
    }
    groups.iter_mut().for_each(|group| group.sort_by_key(|case| case.steps));
    groups
}

fn walks(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "largest distance of a law from the sum over all masks, in its tolerance";
    let cases = Case::read(table)?;
    let level = 1e-3 / cases.len().max(1) as f64;
    let (mut summed, mut worst, mut least) = (0, 0.0f64, (1.0f64, String::new()));
    let mut counterexample = None;
    let (mut rivals, mut refuted) = ([0usize; 2], [0usize; 2]);
    for case in &cases {
        if let Some(sum) = case.enumerated {
            summed += 1;
            let distance = (case.exact - sum).abs().max((case.exact + case.lost - 1.0).abs()) / ROUNDING;
            // Not a number is no agreement.
            if distance.is_nan() || distance > 1.0 {
                counterexample = Some(format!("{}: {} by law, {sum} over all masks", case.name(), case.exact));
            }
            worst = worst.max(distance);
        }
        let count = BinomialCount::new(case.lasting, case.replicates)?;
        let p = count.p_value(case.exact.clamp(0.0, 1.0))?;
        if p < least.0 {
            let told = format!(
                "{}: {} of {}, {:.6} by law",
                case.name(),
                case.lasting,
                case.replicates,
                case.exact
            );
            least = (p, told);
        }
        let other =
            |c: &&Case| c.cell != case.cell && c.keep == case.keep && c.units == case.units && c.steps == case.steps;
        if case.steps >= case.units
            && let Some(rival) = cases.iter().find(other)
        {
            let place = usize::from(case.cell == UNTIED);
            rivals[place] += 1;
            refuted[place] += usize::from(count.rejects(rival.exact.clamp(0.0, 1.0), level)?);
        }
    }
    if least.0 <= level {
        counterexample = Some(least.1.clone());
    }
    let (mut flat, mut falling) = (0, 0);
    for group in groups(&cases) {
        if group[0].cell == TIED {
            let late: Vec<&&Case> = group.iter().filter(|c| c.steps >= c.units).collect();
            for pair in late.windows(2) {
                flat += 1;
                let sums = (pair[0].enumerated, pair[1].enumerated);
                if pair[0].lasting != pair[1].lasting || pair[0].exact != pair[1].exact || sums.0 != sums.1 {
                    counterexample = Some(format!(
                        "{}: another probability than at {} steps",
                        pair[1].name(),
                        pair[0].steps
                    ));
                }
            }
        } else {
            for pair in group.windows(2) {
                falling += 1;
                if pair[1].lost <= pair[0].lost || pair[1].exact > pair[0].exact {
                    counterexample = Some(format!(
                        "{}: no less likely than at {} steps",
                        pair[1].name(),
                        pair[0].steps
                    ));
                }
            }
        }
    }
    let longest = cases.iter().map(|c| (c.units, c.steps)).max();
    let at = |cell: &str| {
        let of_cell = cases
            .iter()
            .filter(|c| Some((c.units, c.steps)) == longest && c.cell == cell);
        let words = of_cell.map(|c| format!("{:.3} at q = {:.3}", c.exact, c.keep));
        listed(words, ", ")
    };
    let mut hypotheses = vec![
        format!("{summed} probabilities equal the sum over all masks"),
        format!(
            "{} simulated counts agree with their law; the least likely has p = {:.4}",
            cases.len(),
            least.0
        ),
        format!(
            "{flat} times a tied mask is found to lose nothing between one number of steps and the next, both at least n"
        ),
        format!("{falling} steps of fresh masks, each less likely to be survived"),
        format!(
            "beyond n steps the untied law is refuted for tied counts {} of {} times, the tied law for untied counts {} of {} times",
            refuted[0], rivals[0], refuted[1], rivals[1]
        ),
    ];
    if let Some((units, steps)) = longest {
        hypotheses.push(format!(
            "{steps} steps of {units} units are survived tied with probability {}; untied with {}",
            at(TIED),
            at(UNTIED)
        ));
    }
    if summed == 0 || flat == 0 || falling == 0 {
        let why = "both cells are needed, at several numbers of steps and with all masks of some";
        return Ok(Verdict::undecided(STATISTIC, hypotheses, why));
    }
    let decision = match &counterexample {
        Some(_) => Decision::Fails,
        None if refuted.contains(&0) => Decision::Undecided {
            why: "too few replicates to tell tied from untied masks".into(),
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

fn in_words(densities: &[f64], flags: &[bool]) -> String {
    listed(shown(densities, flags).map(|density| format!("{density:.3}")), ", ")
}

/// What is decided when some items are shown and some refuted.
fn decide(shown: &[bool], refuted: &[bool], of_shown: String) -> Decision {
    if shown.iter().all(|&flag| flag) {
        Decision::Holds
    } else if shown.contains(&true) {
        Decision::HoldsUnder {
            condition: format!("density {of_shown}"),
        }
    } else if refuted.iter().all(|&flag| flag) {
        Decision::Fails
    } else {
        Decision::Undecided {
            why: "it is neither shown at any density nor refuted at all".into(),
        }
    }
}

/// How often trained masks carry a signal through all steps, ticket and random mask.
fn lasting(table: &Table, cell: &str, density: f64) -> Result<String> {
    let of = |kind: &str| column_mean(table, &arm(cell, kind), density, "lasts");
    let paths = |kind: &str| column_mean(table, &arm(cell, kind), density, "effective_density");
    Ok(format!(
        "{cell} at density {density:.3}: {:.2} and {:.2}, effective density {:.4} and {:.4}",
        of("imp")?,
        of("random")?,
        paths("imp")?,
        paths("random")?
    ))
}

fn tickets(table: &Table) -> Result<Verdict> {
    let outcomes = Outcomes::read(table)?;
    let (imp, random) = (arm(TIED, "imp"), arm(TIED, "random"));
    let densities = outcomes.densities(&imp);
    let Some(&smallest) = densities.last() else {
        return Ok(Verdict::undecided(
            "tickets",
            vec!["no rows".into()],
            "there is no ticket",
        ));
    };
    let (margin, mut hypotheses) = match outcomes.assay(&random, smallest)? {
        Ok(found) => found,
        Err(verdict) => return Ok(*verdict),
    };
    let pairs = |cell: &str| -> Vec<Pair> {
        let of_cell = outcomes.densities(&arm(cell, "imp"));
        let pair = |&d: &f64| Pair::new(arm(cell, "imp"), arm(cell, "random"), d);
        of_cell.iter().map(pair).collect()
    };
    let gains = pairs(TIED);
    let better = outcomes.above(&gains, 0.0)?;
    let turned: Vec<Pair> = gains.iter().map(Pair::turned).collect();
    let refuted = outcomes.above(&turned, -margin.margin())?;
    let beyond = outcomes.above(&gains, margin.margin())?;
    let (smallest_gain, _) = outcomes.extremes(&gains)?;
    let lost: Vec<Pair> = densities.iter().map(|&d| Pair::new(&imp, DENSE, d)).collect();
    hypotheses.push("random masks keep as many weights as the ticket in every matrix".into());
    hypotheses.push("the learning rate is chosen for every arm and density on pilot seeds of their own".into());
    hypotheses.push(format!(
        "how often the hidden weights of tickets and of random masks carry a signal through all steps: {}; {}",
        lasting(table, TIED, smallest)?,
        lasting(table, UNTIED, smallest)?
    ));
    Ok(Verdict {
        decision: decide(&better, &refuted, in_words(&densities, &better)),
        hypotheses,
        statistic: ("smallest mean gain over a random mask".into(), smallest_gain),
        tolerance: 0.0,
        evidence: format!(
            "A ticket gains over a random mask of its counts, one mask for all steps: {} (more than the margin at: {}); with weights \
             of each step's own: {}. Against the dense network the tied ticket gains {}.",
            outcomes.told(&gains)?,
            in_words(&densities, &beyond),
            outcomes.told(&pairs(UNTIED))?,
            outcomes.told(&lost)?
        ),
        counterexample: None,
    })
}

/// Rounds of both networks with as many kept weights: the density of the tied one, of the untied one, and the kept weights.
pub(super) fn equal_counts(table: &Table, outcomes: &Outcomes) -> Result<Vec<(f64, f64, f64)>> {
    let (tied, untied) = (arm(TIED, "imp"), arm(UNTIED, "imp"));
    let mut pairs = Vec::new();
    for density in outcomes.densities(&tied) {
        let kept = column_mean(table, &tied, density, "kept")?;
        for other in outcomes.densities(&untied) {
            let of_other = column_mean(table, &untied, other, "kept")?;
            if (kept - of_other).abs() <= EQUAL * kept {
                pairs.push((density, other, kept));
            }
        }
    }
    Ok(pairs)
}

/// `first − second` over common seeds, each arm at a density of its own.
pub(super) fn across(outcomes: &Outcomes, first: (&str, f64), second: (&str, f64)) -> Result<PairedComparison> {
    let (first, second) = (
        outcomes.by_seed(first.0, first.1)?,
        outcomes.by_seed(second.0, second.1)?,
    );
    let both = first.iter().filter_map(|(seed, a)| Some((*a, *second.get(seed)?)));
    let (a, b): (Vec<f64>, Vec<f64>) = both.unzip();
    PairedComparison::of(&a, &b)
}

fn told(differences: &[PairedComparison]) -> Result<String> {
    let words: Vec<String> = differences.iter().map(points).collect::<Result<_>>()?;
    Ok(words.join(", "))
}

fn sharing(table: &Table) -> Result<Verdict> {
    let outcomes = Outcomes::read(table)?;
    let (tied, untied) = (arm(TIED, "imp"), arm(UNTIED, "imp"));
    let densities = outcomes.densities(&tied);
    let nothing = |why: &str| Ok(Verdict::undecided("tickets", vec!["no rows".into()], why));
    let Some(&smallest) = densities.last() else {
        return nothing("there is no ticket");
    };
    let (_, mut hypotheses) = match outcomes.assay(&arm(TIED, "random"), smallest)? {
        Ok(found) => found,
        Err(verdict) => return Ok(*verdict),
    };
    let equal = equal_counts(table, &outcomes)?;
    if equal.is_empty() {
        return nothing("no two rounds keep equally many weights");
    }
    let difference = |&(density, other, _): &(f64, f64, f64)| across(&outcomes, (&tied, density), (&untied, other));
    let gained: Vec<PairedComparison> = equal.iter().map(difference).collect::<Result<_>>()?;
    let turned = |d: &PairedComparison| PairedComparison { mean: -d.mean, ..*d };
    let better = above(&gained, 0.0)?;
    let worse = above(&gained.iter().map(turned).collect::<Vec<_>>(), 0.0)?;
    let at_density: Vec<Pair> = densities.iter().map(|&d| Pair::new(&tied, &untied, d)).collect();
    let dense = across(&outcomes, (DENSE, 1.0), (&arm(UNTIED, DENSE), 1.0))?;
    let mut losses = Vec::new();
    for (cell, dense) in [(TIED, DENSE.to_string()), (UNTIED, arm(UNTIED, DENSE))] {
        let name = arm(cell, "imp");
        let of = densities.iter().map(|&d| across(&outcomes, (&name, d), (&dense, 1.0)));
        losses.push(told(&of.collect::<Result<Vec<_>>>()?)?);
    }
    hypotheses.push(format!(
        "kept weights of the pairs, the dense output layer with them: {}",
        listed(equal.iter().map(|(_, _, kept)| format!("{kept:.0}")), ", ")
    ));
    let of_equal: Vec<f64> = equal.iter().map(|(density, ..)| *density).collect();
    Ok(Verdict {
        decision: decide(
            &better,
            &worse,
            format!("{} of the tied network", in_words(&of_equal, &better)),
        ),
        hypotheses,
        statistic: (
            "smallest mean gain of the tied ticket at equal counts".into(),
            gained.iter().map(|d| d.mean).fold(f64::INFINITY, f64::min),
        ),
        tolerance: 0.0,
        evidence: format!(
            "At equal counts the tied ticket gains {} over the untied one, at tied densities {}. At equal density, where the untied \
             one has as many matrices as steps: {}. Dense against dense: {}. Against its own dense network a ticket gains, tied {}, \
             untied {}, at densities {}.",
            told(&gained)?,
            in_words(&of_equal, &vec![true; of_equal.len()]),
            outcomes.told(&at_density)?,
            points(&dense)?,
            losses[0],
            losses[1],
            in_words(&densities, &vec![true; densities.len()])
        ),
        counterexample: None,
    })
}
