//! What is claimed of the noise of gradients, and the check of the critical batch, a pure function of the table.

use super::fits::{self, ArmKey, CriticalBatch, Steps, common};
use super::{DENSE, EPOCHS, GRADIENT, TICKET, UPDATES, spread};
use crate::experiments::tickets::{LEAST_PAIRS, LEVEL};
use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::distributions::two_sided_student;
use ticketsense::statistics::{NonInferiority, NonInferiorityVerdict, PairedComparison, Summary};
use ticketsense::table::{Record, Table};

pub(super) const CLAIMS: &[Claim] = &[
    Claim {
        id: "C6",
        name: "critical-batch",
        statement: "The batch size beyond which more samples stop paying depends on density: the noise scale of the gradient of \
                    linear regression is 1 + v tr(S)/|c|^2 on the kept features, and pruning moves it and the critical batch of \
                    networks.",
        source: "Isserlis 1918; McCandlish et al., arXiv:1812.06162; Shallue et al., arXiv:1811.03600; Lee et al., arXiv:2003.11316",
        expected: Expected::HoldsUnder,
        tolerance_rule: "means of the trace, of the squared gradient and of their difference by Student intervals at 0.001 over all \
                         of them; a fall or rise with density counts where it is as sure; networks: paired logarithms over at \
                         least 20 seeds at 0.05 over all comparisons, learning rates and margin from pilot seeds",
        check: critical,
    },
    Claim {
        id: "C7",
        name: "data-order-variance",
        statement: "Descent at a constant step rests at the mean squared error step v d/(b (2 - step (1 + (d+1)/b))), less for fewer \
                    kept weights d: sparse networks vary less over orders of the data than the dense one, and a ticket less than \
                    a random mask of its counts.",
        source: "Feuer & Weinstein 1985; its reading as a mark of winning tickets",
        expected: Expected::HoldsUnder,
        tolerance_rule: "simulated means by Student intervals at 0.001 over all rows; networks: logarithms of the variance of the \
                         test loss, plain and over the squared mean, and standard deviations of the accuracy over at least 30 \
                         orders, paired over at least 20 seeds, at 0.05 over all comparisons",
        check: spread::check,
    },
];

/// How many of some measured means lie outside their intervals, at 0.001 over all of them.
#[derive(Debug, Default)]
pub(super) struct Means {
    seen: Vec<(f64, f64, String)>,
}

impl Means {
    /// A mean with its standard error over so many replicates, the expected value, and what it is of.
    pub(super) fn add(&mut self, mean: f64, error: f64, replicates: i64, expected: f64, of: impl FnOnce() -> String) {
        self.seen.push((
            (mean - expected).abs() / error,
            replicates as f64 - 1.0,
            format!(
                "{}: {mean:.4} ± {error:.4} measured, {expected:.4} in closed form",
                of()
            ),
        ));
    }

    pub(super) fn count(&self) -> usize {
        self.seen.len()
    }

    /// The quantile that every distance is compared with.
    pub(super) fn quantile(&self, replicates: i64) -> Result<f64> {
        two_sided_student(1e-3 / self.seen.len().max(1) as f64, (replicates as f64 - 1.0).max(1.0))
    }

    /// The largest distance over its quantile, and the case beyond it, if there is one.
    pub(super) fn worst(&self) -> Result<(f64, Option<String>)> {
        let level = 1e-3 / self.seen.len().max(1) as f64;
        let mut worst = (0.0f64, None);
        for (distance, degrees, told) in &self.seen {
            let ratio = distance / two_sided_student(level, degrees.max(1.0))?;
            // Not a number is no agreement.
            if ratio.is_nan() || ratio > 1.0 {
                worst.1 = Some(told.clone());
            }
            worst.0 = worst.0.max(ratio);
        }
        Ok(worst)
    }
}

/// A measured noise scale.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    pub features: String,
    pub mask: String,
    pub trained: f64,
    pub density: f64,
    pub exact: f64,
    pub measured: f64,
    pub error: f64,
}

impl Scale {
    fn of(record: &Record<'_>) -> Result<Self> {
        let square = record.real("measured_square")?;
        Ok(Scale {
            features: record.text("features")?.into(),
            mask: record.text("mask")?.into(),
            trained: record.real("trained")?,
            density: record.real("density")?,
            exact: record.real("scale")?,
            measured: record.real("measured_trace")? / square,
            // Of a ratio of means, to first order.
            error: record.real("gap_error")? / square.abs(),
        })
    }

    pub(super) fn read(table: &Table) -> Result<Vec<Scale>> {
        table
            .filter(|r| r.text("part").is_ok_and(|p| p == GRADIENT))
            .map(|r| Scale::of(&r))
            .collect()
    }
}

fn critical(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "largest distance of a mean from its closed form, over its tolerance";
    let mut means = Means::default();
    let mut below = None;
    let mut fewest = i64::MAX;
    for record in table.filter(|r| r.text("part").is_ok_and(|p| p == GRADIENT)) {
        let replicates = record.integer("replicates")?;
        fewest = fewest.min(replicates);
        let case = Scale::of(&record)?;
        let name = |what: &str| {
            format!(
                "{what}, {} features, {} kept, density {}, trained {}",
                case.features, case.mask, case.density, case.trained
            )
        };
        for (mean, error, expected) in [
            ("measured_trace", "trace_error", record.real("trace")?),
            ("measured_square", "square_error", record.real("squared_gradient")?),
            ("gap", "gap_error", 0.0),
        ] {
            means.add(record.real(mean)?, record.real(error)?, replicates, expected, || {
                name(mean)
            });
        }
        // Sums of some hundred terms on either side.
        let least = record.real("least_scale")?;
        if case.exact.is_nan() || case.exact < least * (1.0 - 1e-12) {
            below = Some(name(&format!("noise scale {:.3} below {least:.3}", case.exact)));
        }
    }
    let (worst, outside) = means.worst()?;
    let scales = Scale::read(table)?;
    let quantile = means.quantile(fewest.min(1_000_000))?;
    let (falls, grows) = turns(&scales, quantile);
    let mut hypotheses = vec![format!(
        "{} means over gradients agree with their closed forms; the worst distance is {worst:.2} of its tolerance",
        means.count()
    )];
    for (word, turn) in [("falls", &falls), ("grows", &grows)] {
        hypotheses.extend(
            turn.iter()
                .map(|told| format!("the noise scale {word} with pruning: {told}")),
        );
    }
    let networks = Networks::read(table)?;
    let mut evidence = hypotheses.clone();
    evidence.extend(networks.short()?);
    hypotheses.extend(networks.told(table)?);
    if means.count() == 0 || fewest < 30 {
        return Ok(Verdict::undecided(
            STATISTIC,
            hypotheses,
            "too few gradients were drawn",
        ));
    }
    let counterexample = outside.or(below);
    let decision = match (&counterexample, &falls, &grows) {
        (Some(_), ..) => Decision::Fails,
        _ if networks.pairs() < LEAST_PAIRS => Decision::Undecided {
            why: format!("{} seeds of networks, fewer than {LEAST_PAIRS}", networks.pairs()),
        },
        (None, Some(_), Some(_)) => Decision::HoldsUnder {
            condition: format!(
                "the sign is that of the mask: pruning lowers the noise scale where it leaves the signal, and raises it where it \
                 loses signal that training has not lost; in networks {}",
                networks.summary()?
            ),
        },
        (None, Some(_), None) | (None, None, Some(_)) => Decision::Holds,
        (None, None, None) => Decision::Undecided {
            why: "no noise scale differs from that of the dense model beyond doubt".into(),
        },
    };
    Ok(Verdict {
        decision,
        evidence: format!("{}.", evidence.join("; ")),
        hypotheses,
        statistic: (STATISTIC.into(), worst),
        tolerance: 1.0,
        counterexample,
    })
}

/// The surest fall and the surest rise of the measured noise scale from the dense model to a pruned one.
fn turns(scales: &[Scale], quantile: f64) -> (Option<String>, Option<String>) {
    let [mut fall, mut rise]: [Option<(f64, String)>; 2] = [None, None];
    for pruned in scales.iter().filter(|s| s.density < 1.0) {
        let same = |s: &&Scale| s.features == pruned.features && s.mask == pruned.mask && s.trained == pruned.trained;
        let Some(dense) = scales.iter().filter(same).find(|s| s.density == 1.0) else {
            continue;
        };
        let distance = (pruned.measured - dense.measured) / pruned.error.hypot(dense.error);
        if distance.is_nan() || distance.abs() <= quantile {
            continue;
        }
        let told = format!(
            "{} features, {} kept, trained {}: {:.1} ± {:.1} at density 1, {:.1} ± {:.1} at {}",
            pruned.features,
            pruned.mask,
            pruned.trained,
            dense.measured,
            dense.error,
            pruned.measured,
            pruned.error,
            pruned.density
        );
        let best = if distance < 0.0 { &mut fall } else { &mut rise };
        if best.as_ref().is_none_or(|(most, _)| distance.abs() > *most) {
            *best = Some((distance.abs(), told));
        }
    }
    (fall.map(|f| f.1), rise.map(|r| r.1))
}

/// The word for an arm.
pub(super) fn words(arm: &ArmKey, density: Option<&f64>) -> String {
    match density.filter(|_| arm.1 != DENSE) {
        Some(density) => format!("{} at {density:.2}", arm.1),
        None => arm.1.clone(),
    }
}

/// Steps to the target and what the law makes of them.
pub(super) struct Networks {
    pub steps: Steps,
    pub fits: BTreeMap<ArmKey, BTreeMap<i64, CriticalBatch>>,
    /// Geometric mean of the noise scale on the way, by arm and number.
    pub noise: BTreeMap<ArmKey, BTreeMap<i64, f64>>,
}

impl Networks {
    pub(super) fn read(table: &Table) -> Result<Self> {
        let steps = Steps::read(table)?;
        let fits = steps.by_arm.keys().map(|arm| (arm.clone(), steps.fits(arm))).collect();
        let mut noise: BTreeMap<ArmKey, BTreeMap<i64, f64>> = BTreeMap::new();
        for (arm, by_number) in fits::along(table)? {
            for (number, places) in by_number {
                let mean = places.iter().map(|(_, scale)| scale.ln()).sum::<f64>() / places.len() as f64;
                if mean.is_finite() {
                    noise.entry(arm.clone()).or_default().insert(number, mean.exp());
                }
            }
        }
        Ok(Networks { steps, fits, noise })
    }

    fn dense(&self) -> Option<&BTreeMap<i64, CriticalBatch>> {
        self.fits.get(&(0, DENSE.to_string()))
    }

    /// Seeds that every arm has.
    fn pairs(&self) -> usize {
        let Some(dense) = self.dense() else { return 0 };
        let of = |fits: &BTreeMap<i64, CriticalBatch>| common(dense, fits).0.len();
        match self.fits.len() > 1 {
            true => self.fits.values().map(of).min().unwrap_or(0),
            false => 0,
        }
    }

    /// The paired logarithm of the ratio of a number of the law to that of the dense network, arm by arm.
    fn ratios(&self, of: impl Fn(&CriticalBatch) -> f64) -> Result<Vec<(ArmKey, PairedComparison)>> {
        let mut found = Vec::new();
        let Some(dense) = self.dense() else { return Ok(found) };
        for (arm, fits) in self.fits.iter().filter(|(arm, _)| arm.1 != DENSE) {
            let (first, second) = common(fits, dense);
            let logs = |fits: &[CriticalBatch]| fits.iter().map(|f| of(f).ln()).collect::<Vec<_>>();
            if first.len() > 1 {
                found.push((arm.clone(), PairedComparison::of(&logs(&first), &logs(&second))?));
            }
        }
        Ok(found)
    }

    fn level(&self) -> f64 {
        LEVEL / (2 * self.fits.len().max(2) - 2) as f64
    }

    fn factor(&self, comparison: &PairedComparison) -> Result<String> {
        let interval = comparison.interval(self.level())?;
        Ok(format!(
            "{:.2} [{:.2}, {:.2}]",
            comparison.mean.exp(),
            interval.lower.exp(),
            interval.upper.exp()
        ))
    }

    /// Which arms have another critical batch than the dense network, and which need other numbers of steps.
    fn summary(&self) -> Result<String> {
        let mut parts = Vec::new();
        for (what, ratios) in [
            ("the critical batch", self.ratios(|f| f.batch)?),
            ("the number of steps", self.ratios(|f| f.least_steps)?),
        ] {
            let mut moved = Vec::new();
            for (arm, comparison) in &ratios {
                let interval = comparison.interval(self.level())?;
                if !interval.contains(0.0) {
                    let word = words(arm, self.steps.density.get(arm));
                    moved.push(format!("{word} ({:.2} times)", comparison.mean.exp()));
                }
            }
            parts.push(match moved.is_empty() {
                true => format!("{what} is not moved beyond doubt"),
                false => format!("{what} is moved for {}", moved.join(", ")),
            });
        }
        Ok(parts.join(", and "))
    }

    /// The critical batches in one clause.
    fn short(&self) -> Result<Option<String>> {
        let mut parts = Vec::new();
        for (arm, fits) in self.fits.iter().filter(|(_, fits)| fits.len() > 1) {
            let logs: Vec<f64> = fits.values().map(|f| f.batch.ln()).collect();
            let summary = Summary::of(&logs)?;
            let interval = summary.interval(LEVEL)?;
            parts.push(format!(
                "{} {:.0} [{:.0}, {:.0}]",
                words(arm, self.steps.density.get(arm)),
                summary.mean.exp(),
                interval.lower.exp(),
                interval.upper.exp()
            ));
        }
        let short = format!("critical batches of networks by steps: {}", parts.join(", "));
        Ok((!parts.is_empty()).then_some(short))
    }

    /// What the networks say, in sentences.
    fn told(&self, table: &Table) -> Result<Vec<String>> {
        let mut told = Vec::new();
        for (arm, fits) in &self.fits {
            if fits.len() < 2 {
                continue;
            }
            let logs: Vec<f64> = fits.values().map(|f| f.batch.ln()).collect();
            let (mean, interval) = (Summary::of(&logs)?.mean, Summary::of(&logs)?.interval(LEVEL)?);
            let left = fits.values().map(|f| f.left).sum::<f64>() / fits.len() as f64;
            let noise = match self.noise.get(arm).map(|noise| {
                let logs: Vec<f64> = noise.values().map(|v| v.ln()).collect();
                Summary::of(&logs)
            }) {
                Some(summary) => format!(", noise scale on the way {:.1}", summary?.mean.exp()),
                None => String::new(),
            };
            told.push(format!(
                "{}: critical batch by steps {:.1} [{:.1}, {:.1}] over {} seeds, the law leaves {:.0} % of the steps{noise}",
                words(arm, self.steps.density.get(arm)),
                mean.exp(),
                interval.lower.exp(),
                interval.upper.exp(),
                fits.len(),
                100.0 * left
            ));
        }
        for (what, ratios) in [
            (
                "critical batch over that of the dense network",
                self.ratios(|f| f.batch)?,
            ),
            ("steps over those of the dense network", self.ratios(|f| f.least_steps)?),
        ] {
            for (arm, comparison) in ratios {
                let word = words(&arm, self.steps.density.get(&arm));
                told.push(format!("{what}, {word}: {}", self.factor(&comparison)?));
            }
        }
        if self.steps.missed > 0 {
            told.push(format!("{} trainings did not reach the target", self.steps.missed));
        }
        told.extend(generalisation(table)?);
        Ok(told)
    }
}

/// The other critical batch: the first at which the accuracy on test samples is shown to lie more than the margin below that
/// of the smallest.
fn generalisation(table: &Table) -> Result<Vec<String>> {
    let pilots = fits::pilots(table)?;
    if pilots.len() < 2 {
        return Ok(Vec::new());
    }
    let margin = NonInferiority::with_margin_from(&pilots, LEVEL)?;
    let mut told = Vec::new();
    for setting in [EPOCHS, UPDATES] {
        for (arm, by_batch) in fits::accuracies(table, setting)? {
            let Some(first) = by_batch.values().next() else {
                continue;
            };
            let mut worse = None;
            let mut last = None;
            for (batch, accuracies) in by_batch.iter().skip(1) {
                let (large, small) = common(accuracies, first);
                if large.len() < 2 {
                    continue;
                }
                match margin.judge(&PairedComparison::of(&large, &small)?)? {
                    NonInferiorityVerdict::Inferior => worse = worse.or(Some(*batch)),
                    NonInferiorityVerdict::NonInferior if worse.is_none() => last = Some(*batch),
                    _ => {}
                }
            }
            let name = if arm.1 == TICKET || arm.1 == DENSE {
                arm.1.clone()
            } else {
                format!("{} mask", arm.1)
            };
            told.push(format!(
                "test accuracy at {}, {name}: {}{}",
                setting.replace('-', " "),
                match worse {
                    Some(batch) => format!("degrades at a batch of {batch}"),
                    None => "degrades at none".into(),
                },
                last.map_or(String::new(), |batch| format!(", shown not to up to {batch}"))
            ));
        }
    }
    told.push(format!(
        "margin of accuracy {:.2} points, from pilot seeds",
        100.0 * margin.margin()
    ));
    Ok(told)
}
