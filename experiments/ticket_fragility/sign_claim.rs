//! The claim about signs, read off the table.

use super::super::tickets::{LEAST_PAIRS, LEVEL, percent};
use super::SIGNS as PART;
use super::signs::SELECTIONS;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::{BootstrapKind, Interval, Summary, bootstrap_interval};
use ticketsense::table::Table;
use ticketsense::{Result, Seed};

/// A9.
pub const SIGNS: Claim = Claim {
    id: "A9",
    name: "sign-agreement",
    statement: "Kept weights have their initial sign after training more often than pruned ones, more often than half the \
                time, and more often than steps without any learning and the choice of large weights would make them.",
    source: "Zhou et al., NeurIPS 2019, arXiv:1905.01067; for the null model Sheppard 1899 and Owen 1956",
    expected: Expected::Open,
    tolerance_rule: "At least 20 networks; bootstrap intervals over networks (bias-corrected and accelerated, 4,000 resamples) of \
                     the mean excess of agreement over a null, at 0.05 over all densities and nulls together (Bonferroni), for \
                     weights chosen at once by their trained magnitude. Nulls: independent Gaussian steps at the measured \
                     correlation, E[Φ(ϱ|w|/√(1−ϱ²)) | kept] layer by layer; the very steps of training permuted among the \
                     weights of a layer; permuted among those of one input. It holds at a density where all excesses are \
                     positive, and fails where the first is nowhere positive.",
    check: sign_agreement,
};

/// The nulls: column, and what it is called.
pub const NULLS: [(&str, &str); 3] = [
    ("null_kept", "Gaussian steps"),
    ("null_permuted", "permuted steps"),
    ("null_by_input", "steps permuted within inputs"),
];

/// Values of one selection at one density, a network each.
pub struct Group {
    /// Nominal density, the mean over networks.
    pub density: f64,
    rows: Vec<Vec<f64>>,
}

/// The columns of a group, in their order.
const READ: [&str; 7] = [
    "agreement_kept",
    "agreement_pruned",
    "null_kept",
    "null_pruned",
    "null_permuted",
    "null_by_input",
    "correlation",
];

impl Group {
    /// The groups of a selection, the densest first.
    pub fn read(table: &Table, selection: &str) -> Result<Vec<Group>> {
        let mut groups: Vec<Group> = Vec::new();
        for record in table.iter() {
            if record.text("part")? != PART || record.text("selection")? != selection {
                continue;
            }
            let density = record.real("density")?;
            let values: Result<Vec<f64>> = READ.iter().map(|column| record.real(column)).collect();
            match groups.iter_mut().find(|group| group.density == density) {
                Some(group) => group.rows.push(values?),
                None => groups.push(Group {
                    density,
                    rows: vec![values?],
                }),
            }
        }
        groups.sort_by(|a, b| b.density.total_cmp(&a.density));
        Ok(groups)
    }

    /// One column, network by network.
    pub fn values(&self, column: &str) -> Vec<f64> {
        let place = READ.iter().position(|known| *known == column);
        place.map_or(Vec::new(), |place| self.rows.iter().map(|row| row[place]).collect())
    }

    /// `first − second`, network by network.
    pub fn excess(&self, first: &str, second: &str) -> Vec<f64> {
        let second = self.values(second);
        self.values(first).iter().zip(second).map(|(a, b)| a - b).collect()
    }

    /// The mean of a column.
    pub fn mean(&self, column: &str) -> Result<f64> {
        Ok(Summary::of(&self.values(column))?.mean)
    }
}

/// The mean of some values with its bootstrap interval over networks.
pub fn over_networks(values: &[f64], level: f64, name: &str) -> Result<(f64, Interval)> {
    let mean = |sample: &[f64]| sample.iter().sum::<f64>() / sample.len() as f64;
    let seed = Seed::root(0).stream("sign-agreement").stream(name);
    let kind = BootstrapKind::BiasCorrectedAccelerated;
    Ok((
        mean(values),
        bootstrap_interval(values, mean, kind, level, 4000, &seed)?,
    ))
}

fn in_words(mean: f64, interval: Interval) -> String {
    format!(
        "{:+.1} [{:+.1}, {:+.1}]",
        100.0 * mean,
        100.0 * interval.lower,
        100.0 * interval.upper
    )
}

fn sign_agreement(table: &Table) -> Result<Verdict> {
    let groups = Group::read(table, SELECTIONS[0])?;
    let networks = groups.iter().map(|group| group.rows.len()).min().unwrap_or(0);
    if networks < LEAST_PAIRS {
        return Ok(Verdict::undecided(
            "networks",
            vec![format!("{networks} networks")],
            format!("{networks} networks of {LEAST_PAIRS} needed"),
        ));
    }
    let level = LEVEL / (groups.len() * NULLS.len()) as f64;
    let (mut robust, mut against_first, mut nowhere) = (Vec::new(), Vec::new(), true);
    let (mut least, mut words) = (f64::INFINITY, Vec::new());
    let (mut above_pruned, mut above_half) = (0, 0);
    for group in &groups {
        let mut intervals = Vec::new();
        for (column, _) in NULLS {
            let name = format!("{column} {}", group.density);
            intervals.push(over_networks(&group.excess("agreement_kept", column), level, &name)?);
        }
        let of = |second: &str| {
            Ok(Summary::of(&group.excess("agreement_kept", second))?
                .interval(level)?
                .lower
                > 0.0)
        };
        above_pruned += usize::from(of("agreement_pruned")?);
        let kept = Summary::of(&group.values("agreement_kept"))?;
        above_half += usize::from(kept.interval(level)?.lower > 0.5);
        least = least.min(intervals[0].0);
        nowhere &= intervals[0].1.upper <= 0.0;
        if intervals[0].1.lower > 0.0 {
            against_first.push(group.density);
            if intervals.iter().all(|(_, interval)| interval.lower > 0.0) {
                robust.push(group.density);
            }
        }
        let excesses: Vec<String> = intervals
            .iter()
            .map(|&(mean, interval)| in_words(mean, interval))
            .collect();
        words.push(format!(
            "at density {:.3} kept weights agree in {}, pruned ones in {}, excess in points over {}",
            group.density,
            percent(kept.mean),
            percent(group.mean("agreement_pruned")?),
            excesses.join(", ")
        ));
    }
    let shown = |densities: &[f64]| -> String {
        let words: Vec<String> = densities.iter().map(|density| format!("{density:.3}")).collect();
        words.join(", ")
    };
    let mut hypotheses = vec![
        format!("{networks} networks, each a unit of the bootstrap: weights of one network depend on one another"),
        "weights of inputs that are zero in every sample never move, and are left out".into(),
        format!(
            "kept weights agree more often than pruned ones at {above_pruned} of {0} densities, and more often than half the \
             time at {above_half} of {0}",
            groups.len()
        ),
    ];
    let first = groups.first().map_or(Ok(f64::NAN), |group| group.mean("correlation"))?;
    hypotheses.push(format!("initial and trained weights correlate by {first:.2}"));
    let iterative = Group::read(table, SELECTIONS[1])?;
    let mut rounds = Vec::new();
    for group in &iterative {
        let (mean, interval) = over_networks(&group.excess("agreement_kept", "null_by_input"), level, "iterative")?;
        rounds.push(format!("{:.3}: {}", group.density, in_words(mean, interval)));
    }
    let decision = if robust.len() == groups.len() {
        Decision::Holds
    } else if !robust.is_empty() {
        Decision::HoldsUnder {
            condition: format!("densities {}, against all three nulls", shown(&robust)),
        }
    } else if !against_first.is_empty() {
        Decision::HoldsUnder {
            condition: format!(
                "densities {}, against Gaussian steps alone and not against permuted ones",
                shown(&against_first)
            ),
        }
    } else if nowhere {
        Decision::Fails
    } else {
        Decision::Undecided {
            why: "the excess over Gaussian steps is neither shown positive anywhere nor excluded everywhere".into(),
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: ("smallest mean excess of agreement over Gaussian steps".into(), least),
        tolerance: 0.0,
        evidence: format!(
            "Chosen at once: {} (Gaussian steps, permuted steps, steps permuted within inputs). Round by round, over steps \
             permuted within inputs: {}.",
            words.join("; "),
            rounds.join("; ")
        ),
        counterexample: None,
    })
}
