//! The check of random matrices: how near the norm rule comes over norms and noise, and how much it shares with the best.

use super::claims::{LEVEL, at, part, values};
use super::{CLOSE, ENSEMBLES, NOISE};
use ticketsense::Result;
use ticketsense::harness::{Decision, Verdict};
use ticketsense::statistics::{BinomialCount, PairedComparison, median};
use ticketsense::table::{Record, Table};
use ticketsense::theory::mask_overlap::{LayerCounts, total_tails};

/// The ensembles that the verdict describes; the figure shows all.
const DESCRIBED: [&str; 3] = ["gaussian", "spread-2", "correlated"];

/// The overlap of the norm rule with the best choice of an ensemble: seen, its mean by chance, and the p-value.
fn overlap(rows: &[Record<'_>]) -> Result<(usize, f64, f64)> {
    let (mut seen, mut pairs, mut mean) = (0, Vec::new(), 0.0);
    for row in rows {
        let chosen = row.integer("chosen")? as usize;
        let counts = LayerCounts {
            weights: row.integer("rows")? as usize,
            first: chosen,
            second: chosen,
        };
        seen += row.integer("overlap")? as usize;
        mean += counts.chance_overlap()?.mean;
        pairs.push(counts);
    }
    Ok((seen, mean, total_tails(&pairs, seen)?.two_sided()))
}

/// One ensemble in words: trace ratio, overlap, rank, and how often the norm rule is worse than the mean of all choices.
fn described(rows: &[Record<'_>], name: &str, cells: usize) -> Result<String> {
    let (mut ratios, mut means, mut shares, mut worse) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for row in rows {
        let best = row.real("best")?;
        ratios.push(row.real("norm")? / best);
        means.push(row.real("average")? / best);
        shares.push(row.real("better_share")?);
        worse += u64::from(row.real("norm")? > row.real("average")?);
    }
    let (seen, chance, p_value) = overlap(rows)?;
    let count = BinomialCount::new(worse, rows.len() as u64)?;
    let interval = count.interval(LEVEL / cells as f64)?;
    let paired = PairedComparison::of(&ratios, &means)?.interval(LEVEL / cells as f64)?;
    let each = rows.len() as f64;
    Ok(format!(
        "{name}: median trace ratio {:.2}, largest {:.1}, {:.1} % of all choices better (median), {:.2} rows in common ({:.2} by \
         chance, p {}), worse than the mean of all choices in {:.1} % ({:.0} to {:.0} %; trace ratio {:+.2} to {:+.2})",
        median(&ratios)?,
        ratios.iter().copied().fold(0.0, f64::max),
        100.0 * median(&shares)?,
        seen as f64 / each,
        chance / each,
        match p_value < 1e-300 {
            true => "< 1e-300".to_string(),
            false => format!("= {p_value:.0e}"),
        },
        100.0 * count.proportion(),
        100.0 * interval.lower,
        100.0 * interval.upper,
        paired.lower,
        paired.upper,
    ))
}

pub(super) fn verdict_on_ensembles(table: &Table) -> Result<Verdict> {
    let statistic = "least share of matrices within 5 % of the least trace, over the settings";
    let hypotheses = vec![
        "12 Gaussian rows in 6 unknowns, 6 chosen, row norms spread by e^(spread·z), mean squared row norm 1"
            .to_string(),
        "Bayesian criterion with prior variance 1; every choice enumerated; no ties among the norms".to_string(),
    ];
    let rows = part(table, "noise")?;
    if rows.is_empty() {
        return Ok(Verdict::undecided(statistic, hypotheses, "no settings"));
    }
    let level = LEVEL / rows.len() as f64;
    let (mut close, mut far, mut least) = (0, 0, 1.0_f64);
    let mut turns = Vec::new();
    let mut counterexample: Option<(f64, String)> = None;
    for spread in values(&rows, "setting")? {
        // The least noise from which on every level is close.
        let mut from = None;
        for noise in values(&at(&rows, "setting", spread), "noise_ratio")? {
            for row in at(&at(&rows, "setting", spread), "noise_ratio", noise) {
                let count = BinomialCount::new(row.integer("close")? as u64, row.integer("matrices")? as u64)?;
                let interval = count.interval(level)?;
                least = least.min(count.proportion());
                if interval.lower > 0.5 {
                    close += 1;
                    from = from.or(Some(noise));
                } else {
                    from = None;
                }
                if interval.upper < 0.5 {
                    far += 1;
                    let ratio = row.real("median_ratio")?;
                    if counterexample.as_ref().is_none_or(|(most, _)| ratio > *most) {
                        let words = format!("spread {spread}, σ²/τ² = {noise}: median trace ratio {ratio:.2}");
                        counterexample = Some((ratio, words));
                    }
                }
            }
        }
        turns.push(match from {
            Some(noise) => format!("{noise} at spread {spread}"),
            None => format!("none tried at spread {spread}"),
        });
    }
    let decision = match (close, far) {
        (0, 0) => Decision::Undecided {
            why: "too few matrices to tell any setting".into(),
        },
        (0, _) => Decision::Fails,
        (_, 0) if close == rows.len() => Decision::Holds,
        (_, 0) => Decision::Undecided {
            why: format!("{} of {} settings cannot be told", rows.len() - close, rows.len()),
        },
        _ => Decision::HoldsUnder {
            condition: format!(
                "noise or unequal norms: most matrices are within 5 % from σ²/τ² = {} on, in units of the mean squared row norm",
                turns.join(", ")
            ),
        },
    };
    let mut words = Vec::new();
    let mut tied = Vec::new();
    let random = part(table, "ensemble")?;
    for name in ENSEMBLES {
        let mut of_name = Vec::new();
        let mut ties = 0;
        for row in &random {
            if row.text("ensemble")? == name {
                of_name.push(*row);
                ties += usize::from(row.integer("norm_ties")? > 0);
            }
        }
        if of_name.len() < 2 {
            continue;
        }
        if ties == 0 {
            if DESCRIBED.contains(&name) {
                words.push(described(&of_name, name, ENSEMBLES.len())?);
            }
            continue;
        }
        let mut spread = 1.0_f64;
        for row in &of_name {
            spread = spread.max(row.real("average")? / row.real("best")?);
        }
        tied.push(format!(
            "{name}: norms tie in {ties} of {}, row numbers choose; the mean of all choices is at most {spread:.6} of the least \
             trace",
            of_name.len()
        ));
    }
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), least),
        tolerance: 0.5,
        evidence: format!(
            "{close} of {} settings are within a factor of {CLOSE}, {far} are not. At σ²/τ² = {NOISE}, 7 of 14 rows in 7 unknowns: \
             {}. {}",
            rows.len(),
            words.join("; "),
            tied.join("; ")
        ),
        counterexample: counterexample.map(|(_, words)| words),
    })
}
