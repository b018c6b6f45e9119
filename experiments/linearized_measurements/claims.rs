//! The verdicts, fixed before the run: recovery in rounds of linearisation against its shuffle (T9) and against iterative
//! pruning (T10).

use super::super::comparison::{Assay, DENSE, Outcomes, Pair};
use super::super::tickets::{LEVEL, points};
use super::{DENSITY, IMP, RANDOM, ROUNDS, SHUFFLED};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::{Interval, NonInferiorityVerdict};
use ticketsense::table::Table;

pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "T9",
        name: "rounds-of-linearisation-beat-their-shuffle",
        statement: "At density 0.10, the mask recovered from labels in four rounds of linearisation at m ⊙ θ₀ trains to a \
                    higher test accuracy than the same mask shuffled within layers.",
        source: "The project's own question, raised by eight seeds of linearized-tickets; the shuffle is the control of \
                 Frankle, Dziugaite, Roy & Carbin, ICLR 2021",
        expected: Expected::Open,
        tolerance_rule: "Paired t interval over at least 20 new seeds at 0.05 against 0; undecided unless dense training \
                         reaches 0.9, random masks are worse than it by more than the margin, and iterative pruning beats \
                         random masks.",
        check: against_shuffle,
    },
    Claim {
        id: "T10",
        name: "rounds-of-linearisation-match-iterative-pruning",
        statement: "At density 0.10, the mask recovered from labels in four rounds of linearisation at m ⊙ θ₀ trains to a test \
                    accuracy that is not inferior to that of iterative magnitude pruning at the same counts.",
        source: "The project's own question",
        expected: Expected::Open,
        tolerance_rule: "The 95 % interval of the paired difference over at least 20 seeds lies above minus the margin, one \
                         standard deviation of dense pilots; guarded as T9.",
        check: against_imp,
    },
];

/// A dense network below this accuracy has not learnt the task.
const LEARNT: f64 = 0.9;

/// Whether the table can decide anything.
fn assay(table: &Table, outcomes: &Outcomes, name: &str) -> Result<Assay> {
    let refuse = |hypotheses: Vec<String>, why: String| Ok(Err(Box::new(Verdict::undecided(name, hypotheses, why))));
    for arm in [ROUNDS, SHUFFLED, IMP, RANDOM] {
        if !outcomes.has(arm, DENSITY) {
            return refuse(Vec::new(), format!("{arm} was trained on no seed"));
        }
    }
    let (margin, mut hypotheses) = match outcomes.assay(RANDOM, DENSITY)? {
        Err(undecided) => return Ok(Err(undecided)),
        Ok(found) => found,
    };
    let gain = Pair::new(IMP, RANDOM, DENSITY);
    hypotheses.push(format!(
        "iterative pruning against random masks: {}",
        points(&outcomes.difference(&gain)?)?
    ));
    hypotheses.push(format!(
        "64-50-30-10 on squared loss; α = {} of the mean squared column norm and all learning rates come from tuning seeds",
        damping(table)?
    ));
    let dense = outcomes.summary(DENSE, 1.0)?.mean;
    if dense < LEARNT {
        return refuse(
            hypotheses,
            format!("the task cannot tell: dense training reaches only {dense:.3}"),
        );
    }
    if outcomes.above(&[gain], 0.0)? != [true] {
        let why = "the task cannot tell: iterative pruning is not clear of random masks";
        return refuse(hypotheses, why.into());
    }
    Ok(Ok((margin, hypotheses)))
}

/// The α of the rounds.
fn damping(table: &Table) -> Result<String> {
    for r in table.iter() {
        if r.text("arm")? == ROUNDS
            && r.text("part")? == super::MAIN
            && let Some(damping) = r.optional_real("damping")?
        {
            return Ok(damping.to_string());
        }
    }
    Ok("-".into())
}

fn against_shuffle(table: &Table) -> Result<Verdict> {
    let name = "lower end of the 95 % interval of own mask minus shuffle";
    let outcomes = Outcomes::read(table)?;
    let hypotheses = match assay(table, &outcomes, name)? {
        Err(undecided) => return Ok(*undecided),
        Ok((_, hypotheses)) => hypotheses,
    };
    let gain = outcomes.difference(&Pair::new(ROUNDS, SHUFFLED, DENSITY))?;
    let Interval { lower, upper } = gain.interval(LEVEL)?;
    Ok(Verdict {
        decision: if lower > 0.0 {
            Decision::Holds
        } else if upper < 0.0 {
            Decision::Fails
        } else {
            Decision::Undecided {
                why: "the interval contains 0".into(),
            }
        },
        hypotheses,
        statistic: (name.into(), lower),
        tolerance: 0.0,
        evidence: format!(
            "Recovered in rounds minus its shuffle: {} over {} seeds.",
            points(&gain)?,
            gain.pairs
        ),
        counterexample: None,
    })
}

fn against_imp(table: &Table) -> Result<Verdict> {
    let name = "lower end of the 95 % interval of the difference from iterative pruning";
    let outcomes = Outcomes::read(table)?;
    let (margin, hypotheses) = match assay(table, &outcomes, name)? {
        Err(undecided) => return Ok(*undecided),
        Ok(found) => found,
    };
    let difference = outcomes.difference(&Pair::new(ROUNDS, IMP, DENSITY))?;
    Ok(Verdict {
        decision: match margin.judge(&difference)? {
            NonInferiorityVerdict::NonInferior => Decision::Holds,
            NonInferiorityVerdict::Inferior => Decision::Fails,
            NonInferiorityVerdict::Undecided => Decision::Undecided {
                why: "the interval contains the margin".into(),
            },
        },
        hypotheses,
        statistic: (name.into(), difference.interval(LEVEL)?.lower),
        tolerance: -margin.margin(),
        evidence: format!(
            "Recovered in rounds minus iterative pruning: {} over {} seeds; margin {:.2} points.",
            points(&difference)?,
            difference.pairs,
            100.0 * margin.margin()
        ),
        counterexample: None,
    })
}
