//! The verdicts: how many samples a row needs (T4), masks against their shuffles (T5) and against iterative pruning (T6).

use super::super::comparison::{Outcomes, Pair, shown};
use super::super::tickets::LEVEL;
use super::planted::{FRACTIONS, GAUSSIAN, HIDDEN};
use super::{CASCADE, IMP, PLANTED, RANDOM, SHUFFLED};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::logistic::Point;
use ticketsense::statistics::{BinomialCount, Interval, NonInferiorityVerdict, fit_threshold};
use ticketsense::table::Table;

pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "T4",
        name: "real-inputs-need-more-samples",
        statement: "Orthogonal matching pursuit finds a sparse row of a layer from fewer samples when its inputs are Gaussian than when they are \
                    what the second layer of a trained network sees, at equal fan-in and number of nonzeros.",
        source: "The project's own question; Aghasi et al., NeurIPS 2017, assume Gaussian inputs for their sample counts",
        expected: Expected::Open,
        tolerance_rule: "Logistic fits of the recovered fraction over samples per input; the 95 % profile intervals of \
                         the two 50 % points must not meet, for every fraction of nonzeros (level divided by their \
                         number). Where exact intervals stay below one half throughout, the point lies beyond the range.",
        check: samples_needed,
    },
    Claim {
        id: "T5",
        name: "layer-wise-masks-beat-their-shuffle",
        statement: "Masks that layer-wise recovery finds in the trained network train to a higher test accuracy from the \
                    initial weights than their own shuffles within layers.",
        source: "The project's own question; Aghasi et al., NeurIPS 2017, for the method",
        expected: Expected::Open,
        tolerance_rule: "Paired differences over at least 20 seeds, Holm over the densities at 0.05, two-sided; learning rates \
                         tuned per arm and density in one budget.",
        check: against_shuffle,
    },
    Claim {
        id: "T6",
        name: "layer-wise-masks-match-iterative-pruning",
        statement: "Masks that layer-wise recovery finds in the trained network train to a test accuracy that is not inferior \
                    to that of iterative magnitude pruning at the same counts.",
        source: "The project's own question",
        expected: Expected::Open,
        tolerance_rule: "Non-inferiority at every density, the margin one standard deviation of dense pilots.",
        check: against_imp,
    },
];

/// An interval for the samples per input at which half of the rows are found, by kind of inputs and fraction of nonzeros;
/// without an upper end where fewer than half are found for every number of samples, and none where nothing can be said.
pub fn half(table: &Table, inputs: &str, fraction: f64, level: f64) -> Result<Option<Interval>> {
    let mut points = Vec::new();
    for r in table.iter() {
        if r.text("part")? == PLANTED && r.text("arm")? == inputs && r.real("density")? == fraction {
            points.push(Point {
                x: r.real("samples")? / r.real("fan_in")?,
                successes: r.integer("recovered")? as u64,
                trials: r.integer("trials")? as u64,
            });
        }
    }
    if points.len() < 3 {
        return Ok(None);
    }
    let mut never = true;
    for point in &points {
        let found = BinomialCount::new(point.successes, point.trials)?;
        never &= found.interval(level / points.len() as f64)?.upper < 0.5;
    }
    if never {
        let most = points.iter().map(|p| p.x).fold(0.0, f64::max);
        return Ok(Some(Interval {
            lower: most,
            upper: f64::INFINITY,
        }));
    }
    let fit = fit_threshold(&points, level)?;
    let bounded = fit.interval.lower.is_finite() && fit.interval.upper.is_finite();
    Ok(fit.point().filter(|_| bounded).map(|_| fit.interval))
}

/// An interval in words.
fn range(interval: &Interval) -> String {
    if interval.upper.is_finite() {
        format!("[{:.2}, {:.2}]", interval.lower, interval.upper)
    } else {
        format!("more than {:.2}", interval.lower)
    }
}

fn samples_needed(table: &Table) -> Result<Verdict> {
    let level = LEVEL / FRACTIONS.len() as f64;
    let hypotheses = vec![
        "orthogonal matching pursuit told the number of nonzeros, weights ±1, no noise".to_string(),
        "every row has inputs of its own; those of trained networks are drawn without replacement from the training samples"
            .into(),
    ];
    let name = "smallest gap between the intervals, samples per input";
    let (mut later, mut sooner, mut words, mut smallest) = (Vec::new(), 0, Vec::new(), f64::INFINITY);
    for fraction in FRACTIONS {
        let (Some(drawn), Some(real)) = (
            half(table, GAUSSIAN, fraction, level)?,
            half(table, HIDDEN, fraction, level)?,
        ) else {
            let why = format!("the 50 % points at {fraction} nonzeros per input are not bounded");
            return Ok(Verdict::undecided(name, hypotheses, why));
        };
        smallest = smallest.min(real.lower - drawn.upper);
        if real.lower > drawn.upper {
            later.push(fraction.to_string());
        }
        sooner += usize::from(real.upper < drawn.lower);
        words.push(format!("{fraction}: {} against {}", range(&real), range(&drawn)));
    }
    let decision = if later.len() == FRACTIONS.len() {
        Decision::Holds
    } else if sooner > 0 && later.is_empty() {
        Decision::Fails
    } else if later.is_empty() {
        Decision::Undecided {
            why: "the intervals meet".into(),
        }
    } else {
        Decision::HoldsUnder {
            condition: format!("nonzeros per input of {}", later.join(" or ")),
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (name.into(), smallest),
        tolerance: 0.0,
        evidence: format!(
            "Samples per input at which half of the rows are found, what a trained layer sees against Gaussian inputs: {}.",
            words.join("; ")
        ),
        counterexample: None,
    })
}

/// The pairs of layer-wise masks and another arm at every density.
fn pairs(outcomes: &Outcomes, other: &str) -> Vec<Pair> {
    let densities = outcomes.densities(CASCADE).into_iter();
    densities.map(|density| Pair::new(CASCADE, other, density)).collect()
}

fn smallest_density(outcomes: &Outcomes) -> f64 {
    outcomes.densities(RANDOM).last().copied().unwrap_or(1.0)
}

fn against_shuffle(table: &Table) -> Result<Verdict> {
    let outcomes = Outcomes::read(table)?;
    let hypotheses = match outcomes.assay(RANDOM, smallest_density(&outcomes))? {
        Err(undecided) => return Ok(*undecided),
        Ok((_, hypotheses)) => hypotheses,
    };
    let gains = pairs(&outcomes, SHUFFLED);
    let losses: Vec<Pair> = gains.iter().map(Pair::turned).collect();
    let better = outcomes.above(&gains, 0.0)?;
    let worse = outcomes.above(&losses, 0.0)?;
    let of = |which: &[bool]| -> Vec<String> {
        let densities = shown(&gains, which).map(|pair| format!("{:.3}", pair.density));
        densities.collect()
    };
    let (least, _) = outcomes.extremes(&gains)?;
    let decision = if better.iter().all(|b| *b) {
        Decision::Holds
    } else if better.contains(&true) {
        Decision::HoldsUnder {
            condition: format!("density {}", of(&better).join(" or ")),
        }
    } else if worse.contains(&true) {
        Decision::Fails
    } else {
        Decision::Undecided {
            why: "no difference is clear of zero".into(),
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: ("smallest mean difference".into(), least),
        tolerance: 0.0,
        evidence: format!("Own mask minus its shuffle: {}.", outcomes.told(&gains)?),
        counterexample: of(&worse)
            .first()
            .map(|density| format!("its shuffle trains better at density {density}")),
    })
}

fn against_imp(table: &Table) -> Result<Verdict> {
    let outcomes = Outcomes::read(table)?;
    let (margin, hypotheses) = match outcomes.assay(RANDOM, smallest_density(&outcomes))? {
        Err(undecided) => return Ok(*undecided),
        Ok(found) => found,
    };
    let compared = pairs(&outcomes, IMP);
    let flags = outcomes.above(&compared, -margin.margin())?;
    let (mut inferior, mut least) = (Vec::new(), f64::INFINITY);
    for pair in &compared {
        let difference = outcomes.difference(pair)?;
        least = least.min(difference.interval(LEVEL)?.lower);
        if margin.judge(&difference)? == NonInferiorityVerdict::Inferior {
            inferior.push(format!("{:.3}", pair.density));
        }
    }
    let matching = shown(&compared, &flags).map(|pair| format!("{:.3}", pair.density));
    let matching: Vec<String> = matching.collect();
    let decision = if flags.iter().all(|s| *s) {
        Decision::Holds
    } else if !matching.is_empty() {
        Decision::HoldsUnder {
            condition: format!("density {}", matching.join(" or ")),
        }
    } else if !inferior.is_empty() {
        Decision::Fails
    } else {
        Decision::Undecided {
            why: "the intervals contain the margin".into(),
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: ("smallest lower end of an interval".into(), least),
        tolerance: -margin.margin(),
        evidence: format!(
            "Layer-wise mask minus iterative pruning: {}.",
            outcomes.told(&compared)?
        ),
        counterexample: inferior.first().map(|density| format!("inferior at density {density}")),
    })
}
