//! The table as paired accuracies: for each part, branch, round and rewind step the main seeds in one order.

use super::super::tickets::{LEAST_PAIRS, LEVEL, above, percent, points};
use super::{DENSE, LAYERS, NONE, PILOT, SHUFFLE, SWEEP, TICKET};
use std::collections::BTreeMap;
use ticketsense::harness::Verdict;
use ticketsense::statistics::{NonInferiority, NonInferiorityVerdict, PairedComparison};
use ticketsense::table::Table;
use ticketsense::{Error, Result};

/// What a statistic is called where there is none.
const NO_STATISTIC: &str = "paired seeds";

#[derive(Debug, Default)]
struct Branch {
    density: f64,
    accuracy: Vec<f64>,
}

/// Branch, round, rewind step.
type Key = (String, i64, i64);

/// One part of the table, seeds in one order.
#[derive(Debug, Default)]
struct Part {
    branches: BTreeMap<Key, Branch>,
    /// Branches in the order of the table.
    names: Vec<String>,
    seeds: usize,
}

impl Part {
    fn read(table: &Table, part: &str) -> Result<Self> {
        let mut rows: BTreeMap<Key, BTreeMap<i64, (f64, f64)>> = BTreeMap::new();
        let (mut names, mut seeds) = (Vec::new(), BTreeMap::new());
        for record in table.iter() {
            if record.text("part")? != part {
                continue;
            }
            let (branch, seed) = (record.text("branch")?.to_string(), record.integer("seed")?);
            if !names.contains(&branch) {
                names.push(branch.clone());
            }
            seeds.insert(seed, ());
            let key = (branch, record.integer("round")?, record.integer("rewind_step")?);
            let values = (record.real("density")?, record.real("test_accuracy")?);
            rows.entry(key).or_default().insert(seed, values);
        }
        let mut branches = BTreeMap::new();
        for (key, of_seed) in rows {
            if !of_seed.keys().eq(seeds.keys()) {
                return Err(Error::shape(
                    format!("branch {} of round {} rewound to {}", key.0, key.1, key.2),
                    format!("the {} seeds of its part", seeds.len()),
                    of_seed.len(),
                ));
            }
            let branch = Branch {
                density: of_seed.values().map(|v| v.0).sum::<f64>() / seeds.len() as f64,
                accuracy: of_seed.values().map(|v| v.1).collect(),
            };
            branches.insert(key, branch);
        }
        Ok(Part {
            branches,
            names,
            seeds: seeds.len(),
        })
    }

    fn branch(&self, branch: &str, round: i64, rewind: i64) -> Result<&Branch> {
        self.branches.get(&(branch.to_string(), round, rewind)).ok_or_else(|| {
            Error::shape(
                "rows",
                format!("a branch {branch} in round {round} at step {rewind}"),
                "none",
            )
        })
    }
}

/// A ticket of the sweep: the round and the step that its survivors were rewound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Pruning rounds.
    pub round: i64,
    /// Step.
    pub rewind: i64,
}

/// The margin and the hypotheses that hold for every comparison, or the verdict that nothing can be decided.
pub type Assay = std::result::Result<(NonInferiority, Vec<String>), Box<Verdict>>;

/// Accuracies seed by seed, and the margin that the pilots fix.
#[derive(Debug)]
pub struct Outcomes {
    sweep: Part,
    layers: Part,
    /// Dense accuracies of the pilots.
    pub pilots: Vec<f64>,
    /// Trainings that diverged.
    pub diverged: usize,
    fractions: BTreeMap<i64, f64>,
}

impl Outcomes {
    /// Reads a table.
    ///
    /// # Errors
    /// When a branch lacks a seed that another has, or a column is missing.
    pub fn read(table: &Table) -> Result<Self> {
        let (mut pilots, mut diverged, mut fractions) = (Vec::new(), 0, BTreeMap::new());
        for record in table.iter() {
            diverged += usize::from(record.text("status")? == "diverged");
            if record.text("part")? == PILOT {
                pilots.push(record.real("test_accuracy")?);
            }
            fractions.insert(record.integer("rewind_step")?, record.real("rewind_fraction")?);
        }
        Ok(Outcomes {
            sweep: Part::read(table, SWEEP)?,
            layers: Part::read(table, LAYERS)?,
            pilots,
            diverged,
            fractions,
        })
    }

    /// Seeds of the sweep.
    pub fn pairs(&self) -> usize {
        self.sweep.seeds
    }

    /// Rounds with tickets, in order.
    pub fn rounds(&self) -> Vec<i64> {
        self.rounds_of(TICKET)
    }

    /// Rounds whose tickets are compared with shuffled masks, in order.
    pub fn compared(&self) -> Vec<i64> {
        self.rounds_of(SHUFFLE)
    }

    fn rounds_of(&self, branch: &str) -> Vec<i64> {
        let keys = self.sweep.branches.keys();
        keys.filter(|(name, _, rewind)| name == branch && *rewind == 0)
            .map(|(_, round, _)| *round)
            .collect()
    }

    /// Rewind steps, zero first.
    pub fn rewinds(&self) -> Vec<i64> {
        let last = self.compared().last().copied();
        let keys = self.sweep.branches.keys();
        keys.filter(|(name, round, _)| name == TICKET && Some(*round) == last)
            .map(|(_, _, rewind)| *rewind)
            .collect()
    }

    /// A rewind step as a percentage of training, in words.
    pub fn percent(&self, rewind: i64) -> String {
        let fraction = self.fractions.get(&rewind).copied().unwrap_or(f64::NAN);
        format!("{} %", (1e4 * fraction).round() / 100.0)
    }

    /// The mean density of the tickets of a case.
    ///
    /// # Errors
    /// When there is no such case.
    pub fn density(&self, case: Case) -> Result<f64> {
        Ok(self.sweep.branch(TICKET, case.round, case.rewind)?.density)
    }

    /// Accuracies of a branch of the sweep. The dense network is the same in every case.
    ///
    /// # Errors
    /// When there is no such branch.
    pub fn accuracies(&self, branch: &str, case: Case) -> Result<&[f64]> {
        let case = if branch == DENSE {
            Case { round: 0, rewind: 0 }
        } else {
            case
        };
        Ok(&self.sweep.branch(branch, case.round, case.rewind)?.accuracy)
    }

    /// What tickets, or shuffled masks, gain from rewinding: accuracy minus that from initial weights in the same round.
    ///
    /// # Errors
    /// When there is no such branch, or fewer than two seeds.
    pub fn gain(&self, branch: &str, case: Case) -> Result<PairedComparison> {
        let base = Case { rewind: 0, ..case };
        PairedComparison::of(self.accuracies(branch, case)?, self.accuracies(branch, base)?)
    }

    /// `first − second` in one case.
    ///
    /// # Errors
    /// When there is no such branch, or fewer than two seeds.
    pub fn difference(&self, first: &str, second: &str, case: Case) -> Result<PairedComparison> {
        PairedComparison::of(self.accuracies(first, case)?, self.accuracies(second, case)?)
    }

    /// Every compared round at every rewind step but zero.
    pub fn cases(&self) -> Vec<Case> {
        let rewinds = self.rewinds();
        let later = rewinds.iter().copied().filter(|&rewind| rewind > 0);
        later
            .flat_map(|rewind| self.compared().into_iter().map(move |round| Case { round, rewind }))
            .collect()
    }

    /// The cases for which the differences lie above a threshold, together (Holm).
    ///
    /// # Errors
    /// As those of `difference`.
    pub fn shown(
        &self,
        cases: &[Case],
        threshold: f64,
        difference: impl Fn(Case) -> Result<PairedComparison>,
    ) -> Result<Vec<Case>> {
        let differences: Result<Vec<_>> = cases.iter().map(|&case| difference(case)).collect();
        let shown = above(&differences?, threshold)?;
        Ok(cases
            .iter()
            .zip(shown)
            .filter(|(_, shown)| *shown)
            .map(|(case, _)| *case)
            .collect())
    }

    /// The slots of the layers that were rewound one at a time, from input to output.
    pub fn layer_names(&self) -> Vec<&str> {
        let names = self.layers.names.iter().map(String::as_str);
        names.filter(|name| ![NONE, super::ALL].contains(name)).collect()
    }

    fn layer_values(&self, branch: &str) -> Result<(&Key, &Branch)> {
        let found = self.layers.branches.iter().find(|((name, _, _), _)| name == branch);
        found.ok_or_else(|| Error::shape("rows", format!("a branch {branch} among the layers"), "none"))
    }

    /// Accuracy with one layer rewound (or `all`) minus that of the ticket of initial weights.
    ///
    /// # Errors
    /// When there is no such branch, or fewer than two seeds.
    pub fn layer_effect(&self, branch: &str) -> Result<PairedComparison> {
        self.layer_difference(branch, NONE)
    }

    /// Accuracy with one layer rewound minus that with another.
    ///
    /// # Errors
    /// When there is no such branch, or fewer than two seeds.
    pub fn layer_difference(&self, first: &str, second: &str) -> Result<PairedComparison> {
        PairedComparison::of(
            &self.layer_values(first)?.1.accuracy,
            &self.layer_values(second)?.1.accuracy,
        )
    }

    /// The density and rewind step of the part on layers.
    ///
    /// # Errors
    /// When the part is empty.
    pub fn layer_case(&self) -> Result<(f64, i64)> {
        let ((_, _, rewind), branch) = self.layer_values(super::ALL)?;
        Ok((branch.density, *rewind))
    }

    /// The claim of non-inferiority that the pilots fix; nothing where they have no spread.
    pub fn margin(&self) -> Option<NonInferiority> {
        NonInferiority::with_margin_from(&self.pilots, LEVEL).ok()
    }

    /// Whether anything can be decided here. Nothing can with too few pairs, without a margin, or on a task that cannot
    /// tell a good mask from a shuffled one.
    ///
    /// # Errors
    /// When rows are missing.
    pub fn assay(&self) -> Result<Assay> {
        let (pairs, pilots) = (self.pairs(), self.pilots.len());
        let refuse = |why: String| {
            let hypotheses = vec![format!("{pairs} paired seeds, {pilots} pilots")];
            Ok(Err(Box::new(Verdict::undecided(NO_STATISTIC, hypotheses, why))))
        };
        if pairs < LEAST_PAIRS || pilots < LEAST_PAIRS {
            return refuse(format!(
                "{pairs} paired seeds and {pilots} pilots, of {LEAST_PAIRS} needed"
            ));
        }
        let Some(margin) = self.margin() else {
            return refuse("the dense pilots have no spread, so there is no margin".into());
        };
        let Some(&last) = self.compared().last() else {
            return refuse("there is no ticket beside a shuffled mask".into());
        };
        let smallest = Case { round: last, rewind: 0 };
        let shuffled = self.difference(SHUFFLE, DENSE, smallest)?;
        if margin.judge(&shuffled)? != NonInferiorityVerdict::Inferior {
            return refuse(format!(
                "a shuffled mask of density {:.3} is not worse than the dense network ({}): the task cannot tell",
                self.density(smallest)?,
                points(&shuffled)?
            ));
        }
        let hypotheses = vec![
            format!("{pairs} paired seeds: same data, same initial weights, same order of data"),
            format!("{} of all trainings diverged", self.diverged),
            format!("margin {} from {pilots} dense pilots that are used for nothing else", percent(margin.margin())),
            format!(
                "the task tells networks apart: a shuffled mask of the smallest density is worse than the dense network by {}",
                points(&shuffled)?
            ),
            "a rewound ticket is trained for the steps that remain: none sees more batches than the ticket of initial weights"
                .into(),
            "intervals are conditional on one test set".into(),
        ];
        Ok(Ok((margin, hypotheses)))
    }
}
