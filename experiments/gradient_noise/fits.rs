//! What is read off the rows of networks: critical batch sizes, noise scales on the way, accuracy by batch size, and the
//! spread over orders of the data.

use super::{ACCURACY, ALONG, MARGIN, ORDERS, STEPS};
use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::statistics::Summary;
use ticketsense::table::{Record, Table};

/// A mask as the table names it: who chose it, and after how many rounds.
pub(super) type ArmKey = (i64, String);

fn key(record: &Record<'_>) -> Result<ArmKey> {
    Ok((record.integer("round")?, record.text("mask")?.to_string()))
}

/// The law `steps = least·(1 + batch/b)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct CriticalBatch {
    /// Steps of batches without limit.
    pub least_steps: f64,
    /// The batch that needs twice as many.
    pub batch: f64,
    /// Root mean square of what the law leaves over of ln steps.
    pub left: f64,
}

/// Fits the law to (batch, steps) by least squares of ln steps, for steps scatter in proportion to their number; none with
/// fewer than three batches. Over ln batch from 0.01 to 10⁶ the one parameter that is not linear is searched on a grid and
/// then by golden sections.
pub(super) fn critical_batch(points: &[(f64, f64)]) -> Option<CriticalBatch> {
    if points.len() < 3 || points.iter().any(|(b, s)| !(*b > 0.0 && *s > 0.0)) {
        return None;
    }
    let count = points.len() as f64;
    let at = |log: f64| {
        let shape = |b: f64| (log.exp() / b).ln_1p();
        let level = points.iter().map(|(b, s)| s.ln() - shape(*b)).sum::<f64>() / count;
        let squares = points
            .iter()
            .map(|(b, s)| (s.ln() - shape(*b) - level).powi(2))
            .sum::<f64>();
        (squares, level)
    };
    let (low, high, cells) = (0.01f64.ln(), 1e6f64.ln(), 200);
    let width = (high - low) / cells as f64;
    let mut best = (f64::INFINITY, low);
    for i in 0..=cells {
        let log = low + i as f64 * width;
        let (squares, _) = at(log);
        if squares < best.0 {
            best = (squares, log);
        }
    }
    let (mut a, mut b) = (best.1 - width, best.1 + width);
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    for _ in 0..60 {
        let (left, right) = (b - golden * (b - a), a + golden * (b - a));
        if at(left).0 < at(right).0 {
            b = right;
        } else {
            a = left;
        }
    }
    let log = 0.5 * (a + b);
    let (squares, level) = at(log);
    Some(CriticalBatch {
        least_steps: level.exp(),
        batch: log.exp(),
        left: (squares / count).sqrt(),
    })
}

/// Steps to the target: by arm, number and batch.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub by_arm: BTreeMap<ArmKey, Places>,
    pub density: BTreeMap<ArmKey, f64>,
    /// Trainings that did not reach the target.
    pub missed: usize,
}

impl Steps {
    pub(super) fn read(table: &Table) -> Result<Self> {
        let mut found = Steps::default();
        for record in table.filter(|r| r.text("part").is_ok_and(|p| p == STEPS)) {
            let arm = key(&record)?;
            found.density.insert(arm.clone(), record.real("density")?);
            let Some(steps) = record.optional_real("steps_to_target")? else {
                found.missed += 1;
                continue;
            };
            let by_number = found.by_arm.entry(arm).or_default();
            let points = by_number.entry(record.integer("number")?).or_default();
            points.push((record.integer("batch")? as f64, steps));
        }
        Ok(found)
    }

    /// The law of every number of an arm whose steps were measured at all batch sizes that any number has.
    pub(super) fn fits(&self, arm: &ArmKey) -> BTreeMap<i64, CriticalBatch> {
        let Some(by_number) = self.by_arm.get(arm) else {
            return BTreeMap::new();
        };
        let most = by_number.values().map(Vec::len).max().unwrap_or(0);
        let whole = by_number.iter().filter(|(_, points)| points.len() == most);
        whole
            .filter_map(|(number, points)| Some((*number, critical_batch(points)?)))
            .collect()
    }

    /// Geometric means of the steps over numbers, by batch, with the 95 % interval over numbers.
    pub(super) fn means(&self, arm: &ArmKey) -> Result<Vec<(f64, f64, f64, f64)>> {
        let mut by_batch: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for points in self.by_arm.get(arm).into_iter().flat_map(|n| n.values()) {
            for (batch, steps) in points {
                by_batch.entry(*batch as u64).or_default().push(steps.ln());
            }
        }
        let mut means = Vec::new();
        for (batch, logs) in by_batch.into_iter().filter(|(_, logs)| logs.len() > 1) {
            let summary = Summary::of(&logs)?;
            let interval = summary.interval(0.05)?;
            means.push((
                batch as f64,
                summary.mean.exp(),
                interval.lower.exp(),
                interval.upper.exp(),
            ));
        }
        Ok(means)
    }
}

/// Pairs of numbers by seed: (batch, steps) or (progress, noise scale).
pub(super) type Places = BTreeMap<i64, Vec<(f64, f64)>>;

/// The noise scale on the way: by arm, number and progress.
pub(super) fn along(table: &Table) -> Result<BTreeMap<ArmKey, Places>> {
    let mut found: BTreeMap<ArmKey, Places> = BTreeMap::new();
    for record in table.filter(|r| r.text("part").is_ok_and(|p| p == ALONG)) {
        let by_number = found.entry(key(&record)?).or_default();
        let place = (record.real("progress")?, record.real("scale")?);
        by_number.entry(record.integer("number")?).or_default().push(place);
    }
    Ok(found)
}

/// Values of one number of an arm, in the order of the table.
pub(super) type ByNumber = BTreeMap<ArmKey, BTreeMap<i64, Vec<f64>>>;

/// Losses and accuracies over orders of the data.
pub(super) fn orders(table: &Table) -> Result<[ByNumber; 2]> {
    let mut found = [ByNumber::new(), ByNumber::new()];
    for record in table.filter(|r| r.text("part").is_ok_and(|p| p == ORDERS)) {
        for (values, column) in found.iter_mut().zip(["loss", "accuracy"]) {
            let by_number = values.entry(key(&record)?).or_default();
            by_number
                .entry(record.integer("number")?)
                .or_default()
                .push(record.real(column)?);
        }
    }
    Ok(found)
}

/// Values by batch and number.
pub(super) type ByBatch = BTreeMap<i64, BTreeMap<i64, f64>>;

/// Accuracies by arm and batch, number by number, in one setting.
pub(super) fn accuracies(table: &Table, setting: &str) -> Result<BTreeMap<ArmKey, ByBatch>> {
    let mut found: BTreeMap<ArmKey, ByBatch> = BTreeMap::new();
    for record in table.filter(|r| r.text("part").is_ok_and(|p| p == ACCURACY)) {
        if record.text("setting")? == setting {
            let by_batch = found.entry(key(&record)?).or_default();
            let by_number = by_batch.entry(record.integer("batch")?).or_default();
            by_number.insert(record.integer("number")?, record.real("accuracy")?);
        }
    }
    Ok(found)
}

/// Accuracies of the dense network on pilot seeds.
pub(super) fn pilots(table: &Table) -> Result<Vec<f64>> {
    table
        .filter(|r| r.text("part").is_ok_and(|p| p == MARGIN))
        .map(|r| r.real("accuracy"))
        .collect()
}

/// Values of two arms on the numbers that both have.
pub(super) fn common<V: Copy>(first: &BTreeMap<i64, V>, second: &BTreeMap<i64, V>) -> (Vec<V>, Vec<V>) {
    first
        .iter()
        .filter_map(|(number, value)| Some((*value, *second.get(number)?)))
        .unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_of_the_law_gives_its_own_numbers_back() {
        for (least, critical) in [(40.0, 25.0), (7.5, 0.3), (3.0, 3000.0)] {
            let points = [4.0, 8.0, 32.0, 128.0, 256.0].map(|b: f64| (b, least * (1.0 + critical / b)));
            let fit = critical_batch(&points).unwrap();
            // A golden section ends where squares of differences round: half the digits.
            assert!((fit.batch / critical - 1.0).abs() < 1e-6, "{fit:?}");
            assert!((fit.least_steps / least - 1.0).abs() < 1e-6);
            assert!(fit.left < 1e-7);
        }
        assert_eq!(critical_batch(&[(4.0, 3.0), (8.0, 2.0)]), None);
        // Steps that do not fall with the batch have no critical batch: the fit goes to its lower end.
        let flat = critical_batch(&[(4.0, 50.0), (8.0, 50.0), (64.0, 50.0)]).unwrap();
        assert!(flat.batch < 0.02);
    }
}
