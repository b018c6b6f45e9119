//! A table as paired accuracies: for each arm and density one value a seed.

use super::super::tickets::{LEAST_PAIRS, LEVEL, above, percent, points};
use super::{DENSE, MAIN, PILOT};
use std::collections::BTreeMap;
use ticketsense::harness::Verdict;
use ticketsense::statistics::{NonInferiority, NonInferiorityVerdict, PairedComparison, Summary};
use ticketsense::table::Table;
use ticketsense::{Error, Result};

/// What a statistic is called where there is none.
const NO_STATISTIC: &str = "paired seeds";

/// Two arms of one density.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The arm whose accuracy counts positively.
    pub first: String,
    /// The other one.
    pub second: String,
    /// Nominal density; [`DENSE`] is the same at every density.
    pub density: f64,
}

impl Pair {
    /// `first − second` at a density.
    pub fn new(first: impl Into<String>, second: impl Into<String>, density: f64) -> Self {
        Pair {
            first: first.into(),
            second: second.into(),
            density,
        }
    }

    /// The same the other way round.
    pub fn turned(&self) -> Self {
        Pair::new(&self.second, &self.first, self.density)
    }
}

/// The margin of non-inferiority with the hypotheses that hold for every comparison, or the verdict that nothing can be
/// decided.
pub type Assay = std::result::Result<(NonInferiority, Vec<String>), Box<Verdict>>;

/// Test accuracies of the main rows by arm, density and seed, and those of the pilots.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    /// Dense accuracies of the pilots.
    pub pilots: Vec<f64>,
    /// Trainings of main rows that diverged.
    pub diverged: usize,
    accuracies: BTreeMap<(String, u64), BTreeMap<i64, f64>>,
}

/// The mean of a column over the main rows of an arm at a density that have a value there.
///
/// # Errors
/// When a column is missing, or none of those rows has a value.
pub fn column_mean(table: &Table, arm: &str, density: f64, column: &str) -> Result<f64> {
    let (mut sum, mut count) = (0.0, 0);
    for record in table.iter() {
        let here = record.text("part")? == MAIN && record.text("arm")? == arm && record.real("density")? == density;
        if let (true, Some(value)) = (here, record.optional_real(column)?) {
            (sum, count) = (sum + value, count + 1);
        }
    }
    if count == 0 {
        let expected = format!("values of {column} for {arm} at density {density}");
        return Err(Error::shape("rows", expected, "none"));
    }
    Ok(sum / f64::from(count))
}

/// Positive numbers have the order of their bits.
fn key(arm: &str, density: f64) -> (String, u64) {
    (arm.to_string(), if arm == DENSE { 0 } else { density.to_bits() })
}

impl Outcomes {
    /// Reads the parts `main` and `pilot` of a table; rows without a test accuracy are arms that were unattainable.
    ///
    /// # Errors
    /// When a column is missing, or an arm stands twice for one seed and density.
    pub fn read(table: &Table) -> Result<Self> {
        Outcomes::read_part(table, MAIN)
    }

    /// As [`Outcomes::read`] with another part in the place of `main`.
    ///
    /// # Errors
    /// As [`Outcomes::read`].
    pub fn read_part(table: &Table, main: &str) -> Result<Self> {
        let mut outcomes = Outcomes::default();
        for record in table.iter() {
            let part = record.text("part")?;
            let Some(accuracy) = record.optional_real("test_accuracy")? else {
                continue;
            };
            if part == PILOT {
                outcomes.pilots.push(accuracy);
            }
            if part != main {
                continue;
            }
            outcomes.diverged += usize::from(record.text("status")? == "diverged");
            let (arm, density, seed) = (record.text("arm")?, record.real("density")?, record.integer("seed")?);
            let of_arm = outcomes.accuracies.entry(key(arm, density)).or_default();
            if of_arm.insert(seed, accuracy).is_some() {
                let what = format!("rows of arm {arm} at density {density} and seed {seed}");
                return Err(Error::shape(what, 1, 2));
            }
        }
        Ok(outcomes)
    }

    /// Whether there are rows of an arm at a density.
    pub fn has(&self, arm: &str, density: f64) -> bool {
        self.accuracies.contains_key(&key(arm, density))
    }

    /// The densities of an arm, largest first.
    pub fn densities(&self, arm: &str) -> Vec<f64> {
        let of_arm = self.accuracies.keys().filter(|(name, _)| name == arm);
        of_arm.rev().map(|(_, bits)| f64::from_bits(*bits)).collect()
    }

    /// The accuracies of an arm at a density, each with its seed.
    ///
    /// # Errors
    /// When there is no such arm.
    pub fn by_seed(&self, arm: &str, density: f64) -> Result<&BTreeMap<i64, f64>> {
        let missing = || Error::shape("rows", format!("an arm {arm} at density {density}"), "none");
        self.accuracies.get(&key(arm, density)).ok_or_else(missing)
    }

    /// The accuracies of an arm at a density, by seed.
    ///
    /// # Errors
    /// When there is no such arm.
    pub fn accuracies(&self, arm: &str, density: f64) -> Result<Vec<f64>> {
        Ok(self.by_seed(arm, density)?.values().copied().collect())
    }

    /// Mean and spread of an arm at a density.
    ///
    /// # Errors
    /// When there is no such arm.
    pub fn summary(&self, arm: &str, density: f64) -> Result<Summary> {
        Summary::of(&self.accuracies(arm, density)?)
    }

    /// `first − second` over the seeds that have both.
    ///
    /// # Errors
    /// When there is no such arm, or fewer than two seeds have both.
    pub fn difference(&self, pair: &Pair) -> Result<PairedComparison> {
        let second = self.by_seed(&pair.second, pair.density)?;
        let first = self.by_seed(&pair.first, pair.density)?;
        let both = first.iter().filter_map(|(seed, a)| Some((*a, *second.get(seed)?)));
        let (a, b): (Vec<f64>, Vec<f64>) = both.unzip();
        PairedComparison::of(&a, &b)
    }

    /// The differences of some pairs.
    ///
    /// # Errors
    /// As [`Outcomes::difference`].
    pub fn differences(&self, pairs: &[Pair]) -> Result<Vec<PairedComparison>> {
        pairs.iter().map(|pair| self.difference(pair)).collect()
    }

    /// The smallest and the largest mean difference of some pairs; infinite without any.
    ///
    /// # Errors
    /// As [`Outcomes::difference`].
    pub fn extremes(&self, pairs: &[Pair]) -> Result<(f64, f64)> {
        let differences = self.differences(pairs)?;
        let means = || differences.iter().map(|difference| difference.mean);
        Ok((
            means().fold(f64::INFINITY, f64::min),
            means().fold(f64::NEG_INFINITY, f64::max),
        ))
    }

    /// The differences of some pairs in words, each behind its density.
    ///
    /// # Errors
    /// As [`Outcomes::difference`].
    pub fn told(&self, pairs: &[Pair]) -> Result<String> {
        let mut words = Vec::new();
        for pair in pairs {
            words.push(format!("{:.3}: {}", pair.density, points(&self.difference(pair)?)?));
        }
        Ok(words.join("; "))
    }

    /// Which differences lie above a threshold, by Holm's procedure over all of them.
    ///
    /// # Errors
    /// As [`Outcomes::difference`].
    pub fn above(&self, pairs: &[Pair], threshold: f64) -> Result<Vec<bool>> {
        above(&self.differences(pairs)?, threshold)
    }

    /// The claim of non-inferiority that the pilots fix; nothing where they have no spread.
    pub fn margin(&self) -> Option<NonInferiority> {
        NonInferiority::with_margin_from(&self.pilots, LEVEL).ok()
    }

    /// Whether anything can be decided here. Nothing can with too few pairs or pilots, without a margin, or on a task
    /// that cannot tell: `bad` at `density` has to be worse than the dense network by more than the margin.
    ///
    /// # Errors
    /// When those rows are missing.
    pub fn assay(&self, bad: &str, density: f64) -> Result<Assay> {
        let pilots = self.pilots.len();
        let seeds = self.accuracies.get(&key(DENSE, 1.0)).map_or(0, BTreeMap::len);
        let refuse = |why: String| {
            let hypotheses = vec![format!("{seeds} seeds, {pilots} pilots")];
            Ok(Err(Box::new(Verdict::undecided(NO_STATISTIC, hypotheses, why))))
        };
        if seeds < LEAST_PAIRS || pilots < LEAST_PAIRS {
            return refuse(format!(
                "{seeds} paired seeds and {pilots} pilots, of {LEAST_PAIRS} needed"
            ));
        }
        // An arm may be unattainable on some seeds; what is left has to be enough.
        if let Some(((arm, bits), of_arm)) = self.accuracies.iter().find(|(_, of)| of.len() < LEAST_PAIRS) {
            let density = f64::from_bits(*bits);
            return refuse(format!(
                "{} seeds of {arm} at density {density:.3}, of {LEAST_PAIRS} needed",
                of_arm.len()
            ));
        }
        let Some(margin) = self.margin() else {
            return refuse("the dense pilots have no spread, so there is no margin".into());
        };
        let lost = self.difference(&Pair::new(bad, DENSE, density))?;
        if margin.judge(&lost)? != NonInferiorityVerdict::Inferior {
            return refuse(format!(
                "{bad} of density {density:.3} is not worse than the dense network ({}): the task cannot tell",
                points(&lost)?
            ));
        }
        let dense = self.summary(DENSE, 1.0)?;
        let hypotheses = vec![
            format!("{seeds} paired seeds: same data, same initial weights"),
            format!(
                "the dense network trains: test accuracy {}, {} of all trainings diverged",
                percent(dense.mean),
                self.diverged
            ),
            format!(
                "margin {} from {pilots} dense pilots that are used for nothing else",
                percent(margin.margin())
            ),
            format!(
                "the task tells networks apart: {bad} of density {density:.3} is worse than the dense network by {}",
                points(&lost)?
            ),
            "intervals are conditional on one test set".into(),
        ];
        Ok(Ok((margin, hypotheses)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::{Rule, table_of};
    use super::*;

    const RULE: Rule<'_> = &|arm, density| match (arm, density < 0.1) {
        ("random", true) => 0.7,
        ("random", false) => 0.95,
        _ => 0.97,
    };

    fn outcomes(seeds: usize) -> Outcomes {
        Outcomes::read(&table_of(seeds, 0.003, &["imp", "random"], &[0.2, 0.05], RULE)).unwrap()
    }

    #[test]
    fn accuracies_are_paired_by_seed_and_the_dense_network_stands_at_every_density() {
        let outcomes = outcomes(24);
        assert_eq!(outcomes.densities("imp"), [0.2, 0.05]);
        assert!(outcomes.has(DENSE, 0.2) && !outcomes.has("imp", 0.1));
        let lost = outcomes.difference(&Pair::new("random", DENSE, 0.05)).unwrap();
        assert_eq!(lost.pairs, 24);
        assert!((lost.mean + 0.27).abs() < 0.003);
        let pairs = [0.2, 0.05].map(|density| Pair::new("imp", "random", density));
        assert_eq!(outcomes.above(&pairs, 0.0).unwrap(), [true, true]);
        assert_eq!(outcomes.above(&pairs, 0.1).unwrap(), [false, true]);
        let turned = pairs.clone().map(|pair| pair.turned());
        assert_eq!(outcomes.above(&turned, -0.1).unwrap(), [true, false]);
        // The rule leads by 2 and by 27 points, to the noise of both.
        let (least, most) = outcomes.extremes(&pairs).unwrap();
        assert!((least - 0.02).abs() < 0.006 && (most - 0.27).abs() < 0.006);
        let told = outcomes.told(&pairs).unwrap();
        assert!(told.starts_with("0.200: +") && told.contains("; 0.050: +"), "{told}");
        assert!(outcomes.difference(&Pair::new("snip", DENSE, 0.05)).is_err());
    }

    #[test]
    fn too_few_seeds_and_a_task_that_cannot_tell_leave_everything_undecided() {
        assert!(outcomes(24).assay("random", 0.05).unwrap().is_ok());
        assert!(outcomes(LEAST_PAIRS - 1).assay("random", 0.05).unwrap().is_err());
        let easy = Outcomes::read(&table_of(24, 0.003, &["imp", "random"], &[0.05], &|_, _| 0.97)).unwrap();
        let refused = easy.assay("random", 0.05).unwrap().unwrap_err();
        assert!(refused.evidence.contains("cannot tell"), "{}", refused.evidence);
    }

    #[test]
    fn the_mean_of_a_column_is_over_the_main_rows_of_one_arm_and_density() {
        let table = table_of(3, 0.0, &["imp", "random"], &[0.2, 0.05], RULE);
        // Without noise the rule itself; the pilots of the dense network have their own part.
        assert!((column_mean(&table, "random", 0.05, "test_accuracy").unwrap() - 0.7).abs() < 1e-12);
        assert!((column_mean(&table, "random", 0.2, "test_accuracy").unwrap() - 0.95).abs() < 1e-12);
        assert!(column_mean(&table, "random", 0.1, "test_accuracy").is_err());
        assert!(column_mean(&table, "random", 0.2, "test_loss").is_err());
    }

    #[test]
    fn an_arm_that_stands_twice_is_refused() {
        let table = table_of(2, 0.003, &["imp"], &[0.05], RULE);
        let mut twice = table.rows().to_vec();
        twice.push(twice[1].clone());
        let columns = super::super::line::columns::<0, { super::super::SHARED }>([]);
        assert!(Outcomes::read(&Table::with_rows(&columns, twice).unwrap()).is_err());
    }
}
