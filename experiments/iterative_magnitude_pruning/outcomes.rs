//! The table as paired outcomes: for each branch and round the main seeds in one order.

use super::super::tickets::{LEVEL, above};
use super::{DENSE, MAIN, PILOT, TICKET};
use std::collections::BTreeMap;
use ticketsense::statistics::{NonInferiority, PairedComparison, Summary};
use ticketsense::table::Table;
use ticketsense::{Error, Result};

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Accuracy on the test samples.
    Accuracy,
    /// Step of smallest validation loss.
    EarlyStop,
}

/// Density, accuracy and early-stop step of each seed.
type BySeed = BTreeMap<i64, (f64, f64, f64)>;

#[derive(Debug, Default)]
struct Branch {
    density: f64,
    accuracy: Vec<f64>,
    early_stop: Vec<f64>,
}

/// The rows of the main seeds by branch and round, and the pilots' dense accuracies.
#[derive(Debug)]
pub struct Outcomes {
    /// Number of main seeds.
    pub pairs: usize,
    /// Trainings that diverged.
    pub diverged: usize,
    /// Dense test accuracies of the pilots.
    pub pilots: Vec<f64>,
    branches: BTreeMap<(String, i64), Branch>,
}

impl Outcomes {
    /// Reads a table.
    ///
    /// # Errors
    /// When a branch lacks a seed that another has, or a column is missing.
    pub fn read(table: &Table) -> Result<Self> {
        let mut branches: BTreeMap<(String, i64), BySeed> = BTreeMap::new();
        let (mut pilots, mut diverged) = (Vec::new(), 0);
        for record in table.iter() {
            let accuracy = record.real("test_accuracy")?;
            match record.text("role")? {
                MAIN => {}
                PILOT => {
                    pilots.push(accuracy);
                    continue;
                }
                other => return Err(Error::unknown("role", other, [MAIN, PILOT])),
            }
            diverged += usize::from(record.text("status")? == "diverged");
            // A training whose every validation loss was infinite never was at its best before the end.
            let early_stop = match record.optional_real("early_stop_step")? {
                Some(step) => step,
                None => record.real("steps")?,
            };
            let key = (record.text("branch")?.to_string(), record.integer("round")?);
            let row = (record.real("density")?, accuracy, early_stop);
            branches.entry(key).or_default().insert(record.integer("seed")?, row);
        }
        let dense = (DENSE.to_string(), 0);
        let seeds: Vec<i64> = branches
            .get(&dense)
            .map(|of| of.keys().copied().collect())
            .unwrap_or_default();
        let mut read = BTreeMap::new();
        for (key, of_seed) in branches {
            if !of_seed.keys().eq(seeds.iter()) {
                let expected = format!("the {} seeds of the dense network", seeds.len());
                return Err(Error::shape(
                    format!("branch {} of round {}", key.0, key.1),
                    expected,
                    of_seed.len(),
                ));
            }
            let branch = Branch {
                density: of_seed.values().map(|row| row.0).sum::<f64>() / seeds.len() as f64,
                accuracy: of_seed.values().map(|row| row.1).collect(),
                early_stop: of_seed.values().map(|row| row.2).collect(),
            };
            read.insert(key, branch);
        }
        Ok(Outcomes {
            pairs: seeds.len(),
            diverged,
            pilots,
            branches: read,
        })
    }

    /// The pruned rounds, in order.
    pub fn rounds(&self) -> Vec<i64> {
        let tickets = self.branches.keys().filter(|(branch, _)| branch == TICKET);
        tickets.map(|(_, round)| *round).collect()
    }

    /// The last round, of smallest density.
    ///
    /// # Errors
    /// When there is no pruned round.
    pub fn last_round(&self) -> Result<i64> {
        let last = self.rounds().last().copied();
        last.ok_or_else(|| Error::shape("pruned rounds", "at least one", 0))
    }

    fn branch(&self, branch: &str, round: i64) -> Result<&Branch> {
        let round = if branch == DENSE { 0 } else { round };
        self.branches
            .get(&(branch.to_string(), round))
            .ok_or_else(|| Error::shape("rows", format!("a branch {branch} in round {round}"), "none"))
    }

    /// The mean density of a branch in a round.
    ///
    /// # Errors
    /// When there is no such branch.
    pub fn density(&self, branch: &str, round: i64) -> Result<f64> {
        Ok(self.branch(branch, round)?.density)
    }

    /// One value a main seed. The dense network is the same in every round.
    ///
    /// # Errors
    /// When there is no such branch.
    pub fn values(&self, outcome: Outcome, branch: &str, round: i64) -> Result<&[f64]> {
        let branch = self.branch(branch, round)?;
        Ok(match outcome {
            Outcome::Accuracy => &branch.accuracy,
            Outcome::EarlyStop => &branch.early_stop,
        })
    }

    /// Mean and spread of a branch in a round.
    ///
    /// # Errors
    /// When there is no such branch.
    pub fn summary(&self, outcome: Outcome, branch: &str, round: i64) -> Result<Summary> {
        Summary::of(self.values(outcome, branch, round)?)
    }

    /// `first − second` in a round, seed by seed.
    ///
    /// # Errors
    /// When there is no such branch, or fewer than two seeds.
    pub fn difference(&self, outcome: Outcome, first: &str, second: &str, round: i64) -> Result<PairedComparison> {
        PairedComparison::of(
            self.values(outcome, first, round)?,
            self.values(outcome, second, round)?,
        )
    }

    /// The claim of non-inferiority whose margin the pilots fix; nothing where they have no spread.
    pub fn margin(&self) -> Option<NonInferiority> {
        NonInferiority::with_margin_from(&self.pilots, LEVEL).ok()
    }

    /// The rounds in which `first − second` lies above a threshold, by Holm's procedure over all rounds given.
    ///
    /// # Errors
    /// As [`Outcomes::difference`].
    pub fn above(
        &self,
        outcome: Outcome,
        first: &str,
        second: &str,
        threshold: f64,
        rounds: &[i64],
    ) -> Result<Vec<i64>> {
        let differences: Result<Vec<_>> = rounds
            .iter()
            .map(|&round| self.difference(outcome, first, second, round))
            .collect();
        let rejected = rounds
            .iter()
            .zip(above(&differences?, threshold)?)
            .filter(|(_, above)| *above);
        Ok(rejected.map(|(round, _)| *round).collect())
    }
}
