//! What every comparison of trained networks needs before it may be decided, and how it is told.

use super::super::tickets::{LEAST_PAIRS, percent, points};
use super::outcomes::{Outcome, Outcomes};
use super::{DENSE, TICKET};
use ticketsense::Result;
use ticketsense::harness::{Decision, Verdict};
use ticketsense::statistics::{NonInferiority, NonInferiorityVerdict, PairedComparison};
use ticketsense::table::Table;

/// Enough pairs, a margin, and a task that tells good networks from bad ones.
pub struct Assay {
    /// The paired outcomes.
    pub outcomes: Outcomes,
    /// The claim of non-inferiority that the pilots fix.
    pub margin: NonInferiority,
    hypotheses: Vec<String>,
}

impl Assay {
    /// The assay, or the verdict that nothing can be decided.
    pub fn new(table: &Table) -> Result<std::result::Result<Self, Box<Verdict>>> {
        let outcomes = Outcomes::read(table)?;
        let undecided = |why: String| {
            Ok(Err(Box::new(Verdict {
                decision: Decision::Undecided { why: why.clone() },
                hypotheses: vec![format!("{} paired seeds", outcomes.pairs)],
                statistic: ("paired seeds".into(), outcomes.pairs as f64),
                tolerance: LEAST_PAIRS as f64,
                evidence: format!("Nothing is decided: {why}."),
                counterexample: None,
            })))
        };
        if outcomes.pairs < LEAST_PAIRS || outcomes.pilots.len() < LEAST_PAIRS {
            return undecided(format!(
                "{} paired seeds and {} pilots, of {LEAST_PAIRS} needed",
                outcomes.pairs,
                outcomes.pilots.len()
            ));
        }
        let Some(margin) = outcomes.margin() else {
            return undecided("the dense pilots have no spread, so there is no margin".into());
        };
        // A task on which a random mask of the smallest density does as well cannot tell good networks from bad ones.
        let last = outcomes.last_round()?;
        let random = outcomes.difference(Outcome::Accuracy, "random", DENSE, last)?;
        if margin.judge(&random)? != NonInferiorityVerdict::Inferior {
            return undecided(format!(
                "a random mask of density {:.3} is not worse than the dense network ({}): the task cannot tell",
                outcomes.density("random", last)?,
                points(&random)?
            ));
        }
        let alike = outcomes
            .above(Outcome::Accuracy, "shuffle", "random", 0.0, &outcomes.rounds())?
            .len()
            + outcomes
                .above(Outcome::Accuracy, "random", "shuffle", 0.0, &outcomes.rounds())?
                .len();
        let dense = outcomes.summary(Outcome::Accuracy, DENSE, 0)?;
        let hypotheses = vec![
            format!(
                "{} paired seeds: same data, same initial weights, same order of data",
                outcomes.pairs
            ),
            format!(
                "the dense network trains: test accuracy {}, {} of all trainings diverged",
                percent(dense.mean),
                outcomes.diverged
            ),
            format!(
                "margin {} from {} pilots that are used for nothing else",
                percent(margin.margin()),
                outcomes.pilots.len()
            ),
            format!(
                "the task tells networks apart: a random mask of the smallest density is worse by {}",
                points(&random)?
            ),
            format!("two controls of equal law (mask shuffled, random mask) differ at {alike} densities"),
            "intervals are conditional on one test set".into(),
        ];
        Ok(Ok(Assay {
            outcomes,
            margin,
            hypotheses,
        }))
    }

    /// The ticket's density in a round.
    pub fn density(&self, round: i64) -> Result<f64> {
        self.outcomes.density(TICKET, round)
    }

    /// The rounds whose ticket has at most, or less than, a density.
    pub fn rounds_where(&self, keep: impl Fn(f64) -> bool) -> Result<Vec<i64>> {
        let mut rounds = Vec::new();
        for round in self.outcomes.rounds() {
            if keep(self.density(round)?) {
                rounds.push(round);
            }
        }
        Ok(rounds)
    }

    /// Accuracy of `first − second` in a round.
    pub fn accuracy(&self, first: &str, second: &str, round: i64) -> Result<PairedComparison> {
        self.outcomes.difference(Outcome::Accuracy, first, second, round)
    }

    /// The rounds in which a branch is shown to be non-inferior to a reference.
    pub fn non_inferior(&self, branch: &str, reference: &str, rounds: &[i64]) -> Result<Vec<i64>> {
        self.outcomes
            .above(Outcome::Accuracy, branch, reference, -self.margin.margin(), rounds)
    }

    /// The rounds in which `first` is shown to be better than `second`.
    pub fn better(&self, first: &str, second: &str, rounds: &[i64]) -> Result<Vec<i64>> {
        self.outcomes.above(Outcome::Accuracy, first, second, 0.0, rounds)
    }

    /// The densities of some rounds, in words; many neighbours as a range.
    pub fn densities(&self, rounds: &[i64]) -> Result<String> {
        let word = |&round: &i64| Ok(format!("{:.3}", self.density(round)?));
        match rounds {
            [] => Ok("none".into()),
            [first, .., last] if rounds.len() > 2 && last - first + 1 == rounds.len() as i64 => {
                Ok(format!("{} to {}", word(last)?, word(first)?))
            }
            _ => Ok(rounds.iter().map(word).collect::<Result<Vec<String>>>()?.join(", ")),
        }
    }

    /// The smallest density among some rounds, in words.
    pub fn smallest(&self, rounds: &[i64]) -> Result<String> {
        rounds
            .last()
            .map_or(Ok("none".into()), |&r| Ok(format!("{:.3}", self.density(r)?)))
    }

    /// A verdict with the hypotheses of the assay.
    pub fn verdict(self, decision: Decision, statistic: (String, f64), tolerance: f64, evidence: String) -> Verdict {
        Verdict {
            decision,
            hypotheses: self.hypotheses,
            statistic,
            tolerance,
            evidence,
            counterexample: None,
        }
    }
}
