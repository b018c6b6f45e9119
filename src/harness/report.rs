//! The ledger: what the claims say, what was found, and whether the two agree.

use crate::error::{Error, Result};
use crate::harness::experiment::{Claim, Decision, Experiment, Verdict};
use crate::harness::provenance::to_pretty_json;
use crate::table::Table;
use serde_json::{Value, json};

/// A claim with its verdict.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The experiment that the claim belongs to.
    pub experiment: &'static str,
    /// The claim.
    pub claim: &'static Claim,
    /// What its check said.
    pub verdict: Verdict,
}

/// Judges every claim of an experiment on a table: a pure function of the table.
///
/// # Errors
/// Those of a check, with the claim's name; a verdict that lists no hypotheses is refused, since it says nothing.
pub fn judge(experiment: &dyn Experiment, table: &Table) -> Result<Vec<Judged>> {
    let experiment_id = experiment.id();
    let judge_one = |claim: &'static Claim| -> Result<Judged> {
        let name = || format!("{experiment_id}, claim {} {}", claim.id, claim.name);
        let verdict = (claim.check)(table).map_err(|e| Error::numerical(name(), e.to_string()))?;
        if verdict.hypotheses.is_empty() {
            return Err(Error::numerical(name(), "its verdict lists no hypotheses"));
        }
        Ok(Judged {
            experiment: experiment_id,
            claim,
            verdict,
        })
    };
    experiment.claims().iter().map(judge_one).collect()
}

impl Judged {
    /// A claim whose experiment has no table yet.
    pub fn without_table(experiment: &'static str, claim: &'static Claim, why: String) -> Self {
        Judged {
            experiment,
            claim,
            verdict: Verdict {
                decision: Decision::Undecided { why },
                hypotheses: Vec::new(),
                statistic: (String::new(), f64::NAN),
                tolerance: f64::NAN,
                evidence: String::new(),
                counterexample: None,
            },
        }
    }

    /// Whether a decided verdict contradicts what the theory expects.
    pub fn is_surprising(&self) -> bool {
        self.claim.expected.contradicted_by(&self.verdict.decision)
    }

    /// The verdict in words: *holds*, *holds under …*, *fails*, *undecided: …*.
    pub fn words(&self) -> String {
        match &self.verdict.decision {
            Decision::HoldsUnder { condition } => format!("holds under {condition}"),
            Decision::Undecided { why } => format!("undecided: {why}"),
            decision => decision.as_str().to_string(),
        }
    }

    /// One JSON object; numbers that are not finite are null.
    pub fn to_json(&self) -> Value {
        let finite = |x: f64| if x.is_finite() { json!(x) } else { Value::Null };
        let (condition, why) = match &self.verdict.decision {
            Decision::HoldsUnder { condition } => (Some(condition), None),
            Decision::Undecided { why } => (None, Some(why)),
            _ => (None, None),
        };
        json!({
            "id": self.claim.id,
            "name": self.claim.name,
            "experiment": self.experiment,
            "statement": self.claim.statement,
            "source": self.claim.source,
            "expected": self.claim.expected.as_str(),
            "verdict": self.verdict.decision.as_str(),
            "condition": condition,
            "why": why,
            "as_expected": !self.is_surprising(),
            "statistic": finite(self.verdict.statistic.1),
            "statistic_name": self.verdict.statistic.0,
            "tolerance": finite(self.verdict.tolerance),
            "tolerance_rule": self.claim.tolerance_rule,
            "hypotheses": self.verdict.hypotheses,
            "evidence": self.verdict.evidence,
            "counterexample": self.verdict.counterexample,
        })
    }
}

/// The content of `verdicts.json`.
pub(crate) fn verdicts_json(experiment: &str, judged: &[Judged]) -> Result<String> {
    let claims: Vec<Value> = judged.iter().map(Judged::to_json).collect();
    to_pretty_json(&json!({ "experiment": experiment, "claims": claims }))
}

/// The ledger as text: one line a claim, aligned, and the evidence below it.
pub fn ledger(judged: &[Judged]) -> String {
    if judged.is_empty() {
        return String::from("No claims.\n");
    }
    let mut lines: Vec<[String; 5]> =
        vec![["claim", "verdict", "expected", "statistic", "tolerance"].map(str::to_string)];
    for j in judged {
        let statistic = if j.verdict.statistic.0.is_empty() {
            String::from("-")
        } else {
            format!("{} = {}", j.verdict.statistic.0, short(j.verdict.statistic.1))
        };
        let mark = if j.is_surprising() { "  (!)" } else { "" };
        lines.push([
            format!("{} {}", j.claim.id, j.claim.name),
            format!("{}{mark}", j.verdict.decision.as_str()),
            j.claim.expected.as_str().to_string(),
            statistic,
            short(j.verdict.tolerance),
        ]);
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let padded: Vec<String> = line
            .iter()
            .zip(widths)
            .map(|(field, width)| format!("{field}{}", " ".repeat(width - field.chars().count())))
            .collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
        if let Some(j) = number.checked_sub(1).map(|n| &judged[n]) {
            for sentence in details(j) {
                text.push_str(&format!("    {sentence}\n"));
            }
        }
    }
    text
}

fn details(j: &Judged) -> Vec<String> {
    let mut sentences = Vec::new();
    match &j.verdict.decision {
        Decision::HoldsUnder { condition } => sentences.push(format!("under: {condition}")),
        Decision::Undecided { why } => sentences.push(format!("why: {why}")),
        Decision::Holds | Decision::Fails => {}
    }
    if !j.verdict.evidence.is_empty() {
        sentences.push(j.verdict.evidence.clone());
    }
    if let Some(case) = &j.verdict.counterexample {
        sentences.push(format!("counterexample: {case}"));
    }
    sentences
}

/// A number with four significant digits, for people.
fn short(value: f64) -> String {
    if !value.is_finite() {
        return String::from(if value.is_nan() { "-" } else { "unbounded" });
    }
    let size = value.abs();
    if value == 0.0 || (1e-3..1e5).contains(&size) {
        let decimals = if size >= 1.0 {
            3usize.saturating_sub(size.log10() as usize)
        } else {
            5
        };
        let text = format!("{value:.decimals$}");
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
            false => text,
        }
    } else {
        format!("{value:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::experiment::Expected;

    fn undecided(_: &Table) -> Result<Verdict> {
        unreachable!("never judged here")
    }

    static CLAIM: Claim = Claim {
        id: "Z1",
        name: "zebra",
        statement: "Zebras have stripes.",
        source: "observation",
        expected: Expected::Holds,
        tolerance_rule: "none",
        check: undecided,
    };

    fn judged(decision: Decision, statistic: f64) -> Judged {
        Judged {
            experiment: "zoo",
            claim: &CLAIM,
            verdict: Verdict {
                decision,
                hypotheses: vec!["daylight".into()],
                statistic: ("stripes".into(), statistic),
                tolerance: 0.5,
                evidence: "Seen.".into(),
                counterexample: None,
            },
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_null_in_json() {
        let json = judged(Decision::Holds, f64::INFINITY).to_json();
        assert!(json["statistic"].is_null());
        assert_eq!(json["tolerance"], 0.5);
        assert_eq!(json["verdict"], "holds");
    }

    #[test]
    fn a_decided_verdict_against_the_expectation_is_marked_and_an_undecided_one_is_not() {
        let fails = judged(Decision::Fails, 1.0);
        let open = judged(Decision::Undecided { why: "few".into() }, 1.0);
        assert!(fails.is_surprising() && !open.is_surprising());
        let text = ledger(&[fails, open]);
        assert_eq!(text.matches("(!)").count(), 1, "{text}");
        assert!(text.contains("why: few"), "{text}");
    }

    #[test]
    fn short_numbers_keep_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1234.56, "1235"),
            (0.123456, "0.12346"),
            (-2.5, "-2.5"),
            (3.2e-13, "3.20e-13"),
            (100000.0, "1.00e5"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
