//! What is claimed about the conditions, and the checks of the chain on small matrices, pure functions of the table.

use super::read::{LEVELS, matrices, place, total};
use super::selection;
use super::{ORDERS, UNIT, VARIED};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::table::{Record, Table};

pub(super) const CLAIMS: &[Claim] = &[
    Claim {
        id: "H1",
        name: "lasso-irrepresentable",
        statement: "The LASSO finds the signed support of large enough weights with probability tending to 1 where the \
                    irrepresentable value of the population is below 1, and with probability at most one half where it is not.",
        source: "Zhao & Yu, JMLR 2006; Meinshausen & Bühlmann 2006; Wainwright 2009; Fuchs 2004 for basis pursuit",
        expected: Expected::Holds,
        tolerance_rule: "Clopper-Pearson intervals at 0.001 shared by the designs: at the most rows the whole interval above 0.9 \
                         (below 1), or not above one half (1 and more)",
        check: selection::irrepresentable,
    },
    Claim {
        id: "H2",
        name: "coherence-stronger",
        statement: "Small coherence, (2k−1)μ < 1, implies the exact recovery condition for every support of order k, that the \
                    irrepresentable condition for all signs, and that recovery by basis pursuit; no converse is true.",
        source: "Donoho & Elad 2003; Tropp, IEEE Trans. Inf. Theory 2004, theorems 3.1, 3.3 and 3.5; Fuchs 2004",
        expected: Expected::HoldsUnder,
        tolerance_rule: "no case: every level is proven or refuted with rounding counted, by enumeration of all signed supports",
        check: chain,
    },
    Claim {
        id: "H3",
        name: "beta-min",
        statement: "In an orthogonal design the probability that the LASSO finds the signed support is a product of normal \
                    probabilities, and supports turn up at nonzeros of size σ(√(2 ln(p−k)) + √(2 ln k))/√n, which is \
                    σ√(2 ln p/n) for bounded k only.",
        source: "Wainwright 2009; Butucea, Ndaoud, Stepanova & Tsybakov, Ann. Statist. 2018, arXiv:1512.01832",
        expected: Expected::Holds,
        tolerance_rule: "exact binomial tests of the counts against the closed forms at 0.001 shared by all of them; the 50 % \
                         point over a threshold must come nearer to 1 with every size, or for the other threshold move away",
        check: selection::signal,
    },
    Claim {
        id: "H4",
        name: "glm-layer",
        statement: "For a generalised linear model it is the irrepresentable value by the Fisher information, not by the plain \
                    Gram matrix, that tells whether penalised maximum likelihood finds the signed support.",
        source: "Ravikumar, Wainwright & Lafferty, Ann. Statist. 2010; Lee, Sun & Taylor 2015",
        expected: Expected::HoldsUnder,
        tolerance_rule: "over designs on which the two values disagree, chosen before any outcome: the share in which the Fisher \
                         information is right, exact interval at 0.001 against one half; Gaussian values count as one where no difference is \
                         more than Student's quantile at 0.001, shared by the designs, of its standard errors",
        check: selection::fisher,
    },
    Claim {
        id: "I5",
        name: "coherence-erc",
        statement: "What (2k−1)μ < 1, the Babel function or the exact recovery condition certify, orthogonal matching pursuit and \
                    basis pursuit recover; and no matrix is certified beyond the order of √m by its coherence.",
        source: "Tropp, IEEE Trans. Inf. Theory 2004; Welch 1974; Juditsky & Nemirovski, Math. Program. 2011",
        expected: Expected::Holds,
        tolerance_rule: "no case: certificates are proven with rounding counted, and every signed support is decided by proof; the \
                         solvers must give the planted vector to 1e-5, and its support",
        check: certified,
    },
];

/// Cases in which one level is proven and the next is refuted.
fn broken(row: &Record<'_>) -> Result<i64> {
    let yes = |column: &str| -> Result<bool> { Ok(row.integer(column)? == 1) };
    let steps = [
        yes("by_coherence")? && !yes("by_babel")?,
        yes("by_babel")? && row.integer("exact_recovery_refuted")? > 0,
        yes("by_exact_recovery")? && !yes("by_irrepresentable")?,
        yes("by_irrepresentable")? && row.integer("signed_refuted")? > 0,
    ];
    let whole = steps.iter().filter(|b| **b).count() as i64;
    Ok(whole + row.integer("babel_broken")? + row.integer("basis_missed")?)
}

fn chain(table: &Table) -> Result<Verdict> {
    let statistic = "cases of a level whose next is refuted, columns of unit length";
    let hypotheses = vec![
        "matrices of six kinds, k = 1, 2, 3, every support and every sign".to_string(),
        "every level proven or refuted with rounding counted; what is within rounding counts as neither".to_string(),
        "basis pursuit run on irrepresentable signed supports, with other magnitudes".to_string(),
    ];
    let rows = matrices(table, UNIT)?;
    let varied = matrices(table, VARIED)?;
    let (mut cases, mut first) = (0, None);
    for row in &rows {
        let here = broken(row)?;
        cases += here;
        if here > 0 && first.is_none() {
            first = Some(place(row)?);
        }
    }
    let mut trap = (0, None);
    for row in &varied {
        if row.integer("by_coherence")? == 1 && row.integer("signed_refuted")? > 0 {
            trap.0 += 1;
            trap.1 = trap.1.or(Some(place(row)?));
        }
    }
    let mut counted = Vec::new();
    let mut strict = 0;
    let mut certified_beyond_one = 0;
    for k in ORDERS {
        let mut of_order = Vec::new();
        for row in &rows {
            if row.integer("nonzeros")? == k as i64 {
                of_order.push(*row);
            }
        }
        let counts: Result<Vec<i64>> = LEVELS.iter().map(|(_, column)| total(&of_order, column)).collect();
        let counts = counts?;
        strict += counts.windows(2).filter(|w| w[0] < w[1]).count();
        if k > 1 {
            certified_beyond_one += counts[0];
        }
        let words: Vec<String> = counts.iter().map(i64::to_string).collect();
        counted.push(format!("k = {k}: {} of {}", words.join(" ≤ "), of_order.len()));
    }
    let mut equal = (0, 0);
    for row in &rows {
        if row.text("family")? == "equal correlations" && row.integer("nonzeros")? > 1 {
            equal.0 += row.integer("by_irrepresentable")?;
            equal.1 += i64::from(row.integer("by_irrepresentable")? > row.integer("by_coherence")?);
        }
    }
    if certified_beyond_one == 0 || varied.is_empty() {
        let why = "no matrix whose coherence certifies two nonzeros, or none with varied lengths".to_string();
        return Ok(Verdict::undecided(statistic, hypotheses, why));
    }
    let decision = match (cases, trap.0) {
        (0, 0) => Decision::Holds,
        (0, _) => Decision::HoldsUnder {
            condition:
                "columns of one length: basis pursuit on columns of other lengths loses vectors that small coherence \
                        seems to certify"
                    .to_string(),
        },
        _ => Decision::Fails,
    };
    Ok(Verdict {
        counterexample: if cases > 0 { first } else { trap.1 },
        decision,
        hypotheses,
        statistic: (statistic.into(), cases as f64),
        tolerance: 0.0,
        evidence: format!(
            "matrices by coherence ≤ Babel ≤ exact recovery ≤ irrepresentable ≤ basis pursuit: {}. {strict} of these steps are \
             strict, so the converses fail; exact recovery and irrepresentable for all signs are one condition. Supports that \
             meet the exact recovery condition: {}, whose signs are all recovered: {} of {}; signed supports irrepresentable: \
             {}, recovered: {} of {}. Equal correlations, k > 1: irrepresentable in {} cases, {} of them beyond coherence. \
             Basis pursuit missed {} of {} irrepresentable ones. With varied lengths, small coherence and a vector lost: {} \
             of {} cases",
            counted.join("; "),
            total(&rows, "supports_exact_recovery")?,
            total(&rows, "supports_recovered")?,
            total(&rows, "supports")?,
            total(&rows, "signed_irrepresentable")?,
            total(&rows, "signed_recovered")?,
            total(&rows, "signed")?,
            equal.0,
            equal.1,
            total(&rows, "basis_missed")?,
            total(&rows, "tried")?,
            trap.0,
            varied.len()
        ),
    })
}

/// Ways to certify, with their columns.
pub(super) const CERTIFICATES: [(&str, &str); 5] = [
    ("coherence", "by_coherence"),
    ("Babel", "by_babel"),
    ("exact recovery", "by_exact_recovery"),
    ("kernel", "by_concentration"),
    ("enumeration", "by_enumeration"),
];

/// Matrices of a family with the largest k that each way certifies: up to it every order is.
pub(super) fn certified_nonzeros(rows: &[Record<'_>], family: &str) -> Result<Vec<[i64; CERTIFICATES.len()]>> {
    let mut numbers = Vec::new();
    for row in rows {
        if row.text("family")? == family && !numbers.contains(&row.integer("replicate")?) {
            numbers.push(row.integer("replicate")?);
        }
    }
    let mut out = Vec::new();
    for number in numbers {
        let mut each = [0; CERTIFICATES.len()];
        for k in ORDERS {
            for row in rows {
                let same = row.text("family")? == family
                    && row.integer("replicate")? == number
                    && row.integer("nonzeros")? == k as i64;
                for (largest, (_, column)) in each.iter_mut().zip(CERTIFICATES).filter(|_| same) {
                    if *largest == k as i64 - 1 && row.integer(column)? == 1 {
                        *largest = k as i64;
                    }
                }
            }
        }
        out.push(each);
    }
    Ok(out)
}

fn certified(table: &Table) -> Result<Verdict> {
    let statistic = "vectors lost that were certified, and orders certified beyond the Welch bound";
    let hypotheses = vec![
        "columns of unit length, k = 1, 2, 3, every signed support decided by proof".to_string(),
        "matching pursuit, told k, and basis pursuit run on certified signed supports with magnitudes in [1/2, 2]"
            .to_string(),
    ];
    let rows = matrices(table, UNIT)?;
    let (mut cases, mut first, mut behind, mut both) = (0, None, 0, 0);
    for row in &rows {
        let yes = |column: &str| -> Result<bool> { Ok(row.integer(column)? == 1) };
        let proven = yes("by_coherence")? || yes("by_babel")? || yes("by_exact_recovery")? || yes("by_concentration")?;
        let lost = i64::from(proven && row.integer("signed_refuted")? > 0)
            + row.integer("pursuit_missed")?
            + row.integer("basis_missed")?
            + i64::from(row.integer("coherence_nonzeros")? > row.integer("welch_nonzeros")?);
        cases += lost;
        behind += i64::from(yes("by_coherence")? && !yes("by_concentration")?);
        both += i64::from(yes("by_coherence")?);
        if lost > 0 && first.is_none() {
            first = Some(place(row)?);
        }
    }
    let (tried, pursuit_tried) = (total(&rows, "tried")?, total(&rows, "pursuit_tried")?);
    if both == 0 || tried == 0 || pursuit_tried == 0 {
        let why = "nothing was certified, or no solver was run".to_string();
        return Ok(Verdict::undecided(statistic, hypotheses, why));
    }
    let mut lists = Vec::new();
    for family in super::ensembles::ENSEMBLES {
        let matrices = certified_nonzeros(&rows, family.name)?;
        if matrices.is_empty() {
            continue;
        }
        let mean = |i: usize| matrices.iter().map(|m| m[i] as f64).sum::<f64>() / matrices.len() as f64;
        let words: Vec<String> = (0..CERTIFICATES.len()).map(|i| format!("{:.2}", mean(i))).collect();
        lists.push(format!("{} {}", family.name, words.join(", ")));
    }
    Ok(Verdict {
        decision: if cases > 0 { Decision::Fails } else { Decision::Holds },
        hypotheses,
        statistic: (statistic.into(), cases as f64),
        tolerance: 0.0,
        evidence: format!(
            "mean k ≤ 3 certified by coherence, Babel, exact recovery, kernel concentration, and in truth: {}. Matching pursuit \
             missed {} of {pursuit_tried}, basis pursuit {} of {tried}; what coherence certifies the kernel bound certifies too \
             in {} of {both} cases",
            lists.join("; "),
            total(&rows, "pursuit_missed")?,
            total(&rows, "basis_missed")?,
            both - behind
        ),
        counterexample: first,
    })
}
