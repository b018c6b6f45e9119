//! The table by (round, step): barriers of the copies and accuracies of the tickets, seed by seed.

use super::super::comparison::{Assay, DENSE, Outcomes, Pair};
use super::super::tickets::LEVEL;
use super::{BARRIER, PATH, SHUFFLE, arm_of};
use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::statistics::{Interval, NonInferiority, NonInferiorityVerdict, PairedComparison, Summary};
use ticketsense::table::Table;

/// Error barriers up to this are stable: the threshold of Frankle et al. (2020), two points of error.
pub const STABLE: f64 = 0.02;

/// A network and where its copies start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// Pruning rounds; 0 is the dense network.
    pub round: i64,
    /// Step.
    pub step: i64,
}

/// What two copies of one seed say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Between {
    /// Instability in test error.
    pub test: f64,
    /// Instability in training error.
    pub training: f64,
    /// Instability in training loss.
    pub loss: f64,
}

/// What is known of a property of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Its interval lies on the side of yes.
    Yes,
    /// Its interval lies on the side of no.
    No,
    /// Its interval holds the threshold.
    Open,
}

/// The mean path of a case: (α, training loss, test error).
pub type MeanPath = Vec<(f64, f64, f64)>;

/// Everything that is read off the table.
pub struct Copies {
    /// The learning rate of all trainings.
    pub rate: f64,
    /// Accuracies of tickets, dense networks and shuffled masks.
    pub outcomes: Outcomes,
    /// Copies by case and seed; without those that diverged.
    pub between: BTreeMap<Case, BTreeMap<i64, Between>>,
    densities: BTreeMap<i64, f64>,
    fractions: BTreeMap<i64, f64>,
    /// Sums over seeds along the drawn paths.
    paths: BTreeMap<Case, BTreeMap<u64, (f64, f64, usize)>>,
}

impl Copies {
    /// Reads the rows of every learning rate, in the order of the table.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn procedures(table: &Table) -> Result<Vec<Copies>> {
        let mut rates: Vec<f64> = Vec::new();
        for record in table.iter() {
            let rate = record.real("learning_rate")?;
            if !rates.contains(&rate) {
                rates.push(rate);
            }
        }
        rates.into_iter().map(|rate| Copies::read(table, rate)).collect()
    }

    /// Reads the rows of one learning rate.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn read(table: &Table, rate: f64) -> Result<Self> {
        let of_rate = table.iter().zip(table.rows());
        let of_rate = of_rate.filter(|(record, _)| record.real("learning_rate").is_ok_and(|r| r == rate));
        let table = &Table::with_rows(table.columns(), of_rate.map(|(_, row)| row.clone()).collect())?;
        let mut copies = Copies {
            rate,
            outcomes: Outcomes::read(table)?,
            between: BTreeMap::new(),
            densities: BTreeMap::new(),
            fractions: BTreeMap::new(),
            paths: BTreeMap::new(),
        };
        for record in table.iter() {
            let part = record.text("part")?;
            if part != BARRIER && part != PATH {
                continue;
            }
            let case = Case {
                round: record.integer("round")?,
                step: record.integer("rewind_step")?,
            };
            copies.fractions.insert(case.step, record.real("rewind_fraction")?);
            if part == PATH {
                let path = copies.paths.entry(case).or_default();
                let sums = path.entry(record.real("alpha")?.to_bits()).or_default();
                sums.0 += record.real("path_loss")?;
                sums.1 += record.real("path_error")?;
                sums.2 += 1;
                continue;
            }
            copies.densities.insert(case.round, record.real("density")?);
            let of_case = copies.between.entry(case).or_default();
            if let Some(test) = record.optional_real("test_barrier")? {
                let between = Between {
                    test,
                    training: record.real("training_barrier")?,
                    loss: record.real("loss_barrier")?,
                };
                of_case.insert(record.integer("seed")?, between);
            }
        }
        Ok(copies)
    }

    /// Rounds, the dense one first.
    pub fn rounds(&self) -> Vec<i64> {
        self.densities.keys().copied().collect()
    }

    /// Steps, zero first.
    pub fn steps(&self) -> Vec<i64> {
        self.fractions.keys().copied().collect()
    }

    /// The density of a round.
    pub fn density(&self, round: i64) -> f64 {
        self.densities.get(&round).copied().unwrap_or(f64::NAN)
    }

    /// A step as a percentage of training, in words.
    pub fn percent(&self, step: i64) -> String {
        let fraction = self.fractions.get(&step).copied().unwrap_or(f64::NAN);
        format!("{} %", (1e4 * fraction).round() / 100.0)
    }

    /// The tickets: every round but the dense one, at every step.
    pub fn tickets(&self) -> Vec<Case> {
        self.between.keys().copied().filter(|case| case.round > 0).collect()
    }

    /// One barrier of a case over its seeds.
    ///
    /// # Errors
    /// When every copy of the case diverged.
    pub fn barrier(&self, case: Case, of: impl Fn(&Between) -> f64) -> Result<Summary> {
        let values: Vec<f64> = self
            .between
            .get(&case)
            .into_iter()
            .flat_map(|m| m.values().map(&of))
            .collect();
        Summary::of(&values)
    }

    /// The accuracy of a ticket minus that of the dense network.
    ///
    /// # Errors
    /// When rows are missing.
    pub fn lost(&self, case: Case) -> Result<PairedComparison> {
        let pair = Pair::new(arm_of(case.step as usize), DENSE, self.density(case.round));
        self.outcomes.difference(&pair)
    }

    /// Whether the copies of a case are stable: the interval of their mean test barrier against two points.
    ///
    /// # Errors
    /// As [`Copies::barrier`].
    pub fn stable(&self, case: Case) -> Result<Shown> {
        let Interval { lower, upper } = self.barrier(case, |b| b.test)?.interval(LEVEL)?;
        Ok(match (upper < STABLE, lower > STABLE) {
            (true, _) => Shown::Yes,
            (_, true) => Shown::No,
            _ => Shown::Open,
        })
    }

    /// Whether the tickets of a case match the dense network.
    ///
    /// # Errors
    /// As [`Copies::lost`].
    pub fn matching(&self, case: Case, margin: &NonInferiority) -> Result<Shown> {
        Ok(match margin.judge(&self.lost(case)?)? {
            NonInferiorityVerdict::NonInferior => Shown::Yes,
            NonInferiorityVerdict::Inferior => Shown::No,
            NonInferiorityVerdict::Undecided => Shown::Open,
        })
    }

    /// The matching rate of stable tickets minus that of unstable ones, seed by seed: of every seed's tickets in `cases`, one
    /// is stable when its own barrier is at most two points, and matches when it is at most the margin below its own dense
    /// network. Seeds whose tickets are all stable, or none, say nothing.
    ///
    /// # Errors
    /// When rows are missing.
    pub fn by_seed(&self, cases: &[Case], margin: f64) -> Result<Vec<f64>> {
        let dense = self.outcomes.by_seed(DENSE, 1.0)?;
        let mut rates: BTreeMap<i64, [[f64; 2]; 2]> = BTreeMap::new();
        for &case in cases {
            let accuracies = self
                .outcomes
                .by_seed(&arm_of(case.step as usize), self.density(case.round))?;
            for (seed, between) in self.between.get(&case).into_iter().flatten() {
                if let (Some(ticket), Some(whole)) = (accuracies.get(seed), dense.get(seed)) {
                    let of_seed = rates.entry(*seed).or_default();
                    let stable = usize::from(between.test <= STABLE);
                    of_seed[stable][0] += 1.0;
                    of_seed[stable][1] += f64::from(u8::from(ticket - whole >= -margin));
                }
            }
        }
        let both = rates
            .values()
            .filter(|[unstable, stable]| unstable[0] > 0.0 && stable[0] > 0.0);
        Ok(both
            .map(|[unstable, stable]| stable[1] / stable[0] - unstable[1] / unstable[0])
            .collect())
    }

    /// The mean over seeds of the paths of a case; empty where none were kept.
    pub fn path(&self, case: Case) -> MeanPath {
        let points = self.paths.get(&case).into_iter().flatten();
        points
            .map(|(alpha, (loss, error, count))| {
                let n = *count as f64;
                (f64::from_bits(*alpha), loss / n, error / n)
            })
            .collect()
    }

    /// Whether a shuffled mask of a round does not match: where it does, any mask would do.
    ///
    /// # Errors
    /// When rows are missing.
    pub fn mask_matters(&self, round: i64, margin: &NonInferiority) -> Result<bool> {
        let lost = self
            .outcomes
            .difference(&Pair::new(SHUFFLE, DENSE, self.density(round)))?;
        Ok(margin.judge(&lost)? == NonInferiorityVerdict::Inferior)
    }

    /// Whether anything can be decided here.
    ///
    /// # Errors
    /// When rows are missing.
    pub fn assay(&self) -> Result<Assay> {
        let smallest = self.outcomes.densities(SHUFFLE).last().copied().unwrap_or(f64::NAN);
        self.outcomes.assay(SHUFFLE, smallest)
    }
}
