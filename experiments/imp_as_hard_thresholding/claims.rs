//! The claim that pruning is hard thresholding, read off the table.

use super::super::comparison::{Outcomes, Pair, column_mean};
use super::super::tickets::{LEVEL, points};
use super::network::{EACH, IMP, OWN, RANDOM, SPACED};
use super::{LINEAR, ORTHONORMAL};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::{BinomialCount, Interval, NonInferiority, holm};
use ticketsense::table::Table;

/// The claims of the experiment.
pub const CLAIMS: &[Claim] = &[Claim {
    id: "C15",
    name: "imp-as-hard-thresholding",
    statement: "Iterative magnitude pruning is not iterative hard thresholding: both find the same support where columns are \
                orthonormal, and part ways where columns are correlated, in a linear model and on the loss of a network.",
    source: "Blumensath & Davies 2009, 2010 and Jain, Tewari & Kar 2014 (iterative hard thresholding); Frankle & Carbin, ICLR \
             2019; backward elimination: Couvreur & Bresler 2000",
    expected: Expected::Holds,
    tolerance_rule: "Linear model: with orthonormal columns every support must be the same; at the strongest correlation the \
                     fraction of equal supports is judged against 0.9 by Clopper-Pearson intervals at 0.05 over both shapes \
                     together. Network: paired seeds, at least 20, accuracy of the masks of both methods at equal counts and \
                     gradients, Student tests at 0.05 over all densities and kinds of descent together (Holm); the \
                     masks of spaced thresholds decide. The claim fails \
                     where the supports agree under the strongest correlation in both shapes.",
    check: thresholding,
}];

/// Supports that agree as often as this count as the same.
const ALIKE: f64 = 0.9;

/// One design.
#[derive(Clone, Debug)]
pub struct Design {
    pub orthonormal: bool,
    pub correlation: f64,
    pub rows: i64,
    pub trials: u64,
    pub imp_exact: u64,
    pub iht_exact: u64,
    pub only_imp: u64,
    pub only_iht: u64,
    pub same: u64,
    pub shares: (f64, f64),
    pub products: (f64, f64),
    pub settled: u64,
}

impl Design {
    /// The designs of a table, in its order.
    pub fn read(table: &Table) -> Result<Vec<Self>> {
        let mut designs = Vec::new();
        for record in table.iter() {
            if record.text("part")? != LINEAR {
                continue;
            }
            let count = |column: &str| record.integer(column).map(|count| count as u64);
            designs.push(Design {
                orthonormal: record.text("design")? == ORTHONORMAL,
                correlation: record.real("correlation")?,
                rows: record.integer("rows")?,
                trials: count("trials")?,
                imp_exact: count("imp_exact")?,
                iht_exact: count("iht_exact")?,
                only_imp: count("only_imp")?,
                only_iht: count("only_iht")?,
                same: count("same_support")?,
                shares: (record.real("imp_share")?, record.real("iht_share")?),
                products: (record.real("imp_products")?, record.real("iht_products")?),
                settled: count("iht_settled")?,
            });
        }
        Ok(designs)
    }

    /// An interval for the fraction of equal supports.
    pub fn alike(&self, level: f64) -> Result<Interval> {
        BinomialCount::new(self.same, self.trials)?.interval(level)
    }

    /// The p-value of "neither method solves more problems", from those that one alone solves (McNemar, exact).
    fn p_value(&self) -> Result<f64> {
        match self.only_imp + self.only_iht {
            0 => Ok(1.0),
            alone => BinomialCount::new(self.only_imp, alone)?.p_value(0.5),
        }
    }
}

fn thresholding(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "fraction of equal supports at the strongest correlation, the larger of both shapes";
    let designs = Design::read(table)?;
    let correlated: Vec<&Design> = designs.iter().filter(|d| !d.orthonormal).collect();
    let strongest = correlated.iter().map(|d| d.correlation).fold(0.0, f64::max);
    let strong: Vec<&Design> = correlated
        .iter()
        .copied()
        .filter(|d| d.correlation == strongest)
        .collect();
    let orthonormal = designs.iter().find(|d| d.orthonormal);
    let (Some(orthonormal), true) = (orthonormal, strongest >= 0.9) else {
        let why = "no orthonormal design, or none with strong correlation";
        return Ok(Verdict::undecided(STATISTIC, vec!["none could be checked".into()], why));
    };
    let settled: u64 = designs.iter().map(|d| d.settled).sum();
    let all: u64 = designs.iter().map(|d| d.trials).sum();
    let mut hypotheses = vec![
        format!(
            "{} problems a design; hard thresholding ended by itself in {settled} of {all}, so that more budget would not move it",
            orthonormal.trials
        ),
        format!(
            "orthonormal columns: {} of {} supports are equal",
            orthonormal.same, orthonormal.trials
        ),
    ];
    let (mut alike, mut apart, mut largest) = (0, 0, 0.0_f64);
    for design in &strong {
        let interval = design.alike(LEVEL / strong.len() as f64)?;
        alike += usize::from(interval.lower > ALIKE);
        apart += usize::from(interval.upper < ALIKE);
        largest = largest.max(design.same as f64 / design.trials as f64);
    }
    // Which of the two solves more, over all correlated designs together.
    let p_values: Result<Vec<f64>> = correlated.iter().map(|d| d.p_value()).collect();
    let mut ahead = Vec::new();
    for (design, decision) in correlated.iter().zip(holm(&p_values?, LEVEL)?) {
        if decision.rejected {
            let name = if design.only_imp > design.only_iht {
                "pruning"
            } else {
                "thresholding"
            };
            ahead.push(format!("{name} at {} with {} rows", design.correlation, design.rows));
        }
    }
    let linear: Vec<String> = strong
        .iter()
        .map(|d| {
            format!(
                "{} rows, correlation {}: equal supports in {} of {}, pruning solves {}, thresholding {}, and they find \
                 {:.0} and {:.0} % of the support with {:.0} and {:.0} products",
                d.rows,
                d.correlation,
                d.same,
                d.trials,
                d.imp_exact,
                d.iht_exact,
                100.0 * d.shares.0,
                100.0 * d.shares.1,
                d.products.0,
                d.products.1
            )
        })
        .collect();
    let network = network(table, &mut hypotheses)?;
    let differs = apart == strong.len();
    let decision = if orthonormal.same < orthonormal.trials || alike == strong.len() {
        Decision::Fails
    } else if apart == 0 {
        Decision::Undecided {
            why: "too few problems to say how often the supports are equal".into(),
        }
    } else {
        match &network.found {
            Found::Differ if differs => Decision::Holds,
            found => Decision::HoldsUnder {
                condition: format!(
                    "a linear model with neighbours correlated by {strongest}{}; on the network {}",
                    if differs { "" } else { " in one of two shapes" },
                    found.words()
                ),
            },
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (STATISTIC.into(), largest),
        tolerance: ALIKE,
        evidence: format!(
            "{}. Solves more problems, all designs together: {}. {}",
            linear.join("; "),
            if ahead.is_empty() {
                "neither anywhere".into()
            } else {
                ahead.join(", ")
            },
            network.evidence
        ),
        counterexample: (orthonormal.same < orthonormal.trials).then(|| {
            format!(
                "orthonormal columns: {} of {} equal",
                orthonormal.same, orthonormal.trials
            )
        }),
    })
}

/// What the comparison on the network says.
enum Found {
    Differ,
    Alike,
    Open(String),
}

impl Found {
    fn words(&self) -> String {
        match self {
            Found::Differ => "the accuracies differ".into(),
            Found::Alike => "the accuracies agree within the margin".into(),
            Found::Open(why) => format!("undecided: {why}"),
        }
    }
}

struct OnNetwork {
    found: Found,
    evidence: String,
}

fn network(table: &Table, hypotheses: &mut Vec<String>) -> Result<OnNetwork> {
    let outcomes = Outcomes::read(table)?;
    let open = |why: String| OnNetwork {
        evidence: format!("Network: {why}."),
        found: Found::Open(why),
    };
    let densities = outcomes.densities(IMP);
    let Some(&smallest) = densities.last() else {
        return Ok(open("nothing was trained".into()));
    };
    let (margin, told): (NonInferiority, Vec<String>) = match outcomes.assay(RANDOM, smallest)? {
        Ok(assay) => assay,
        Err(verdict) => return Ok(open(verdict.evidence)),
    };
    hypotheses.extend(told);
    let pairs: Vec<Pair> = densities
        .iter()
        .flat_map(|&d| [SPACED, EACH, OWN].map(|arm| Pair::new(IMP, arm, d)))
        .collect();
    let (mut p_values, mut parts, mut within) = (Vec::new(), Vec::new(), true);
    for pair in &pairs {
        let difference = outcomes.difference(pair)?;
        let interval = difference.interval(LEVEL / pairs.len() as f64)?;
        within &= interval.lower > -margin.margin() && interval.upper < margin.margin();
        p_values.push(difference.p_value(0.0)?);
        parts.push(format!(
            "{} at density {:.3}: {}",
            pair.second,
            pair.density,
            points(&difference)?
        ));
    }
    let rejected: Vec<bool> = holm(&p_values, LEVEL)?.iter().map(|d| d.rejected).collect();
    let shown = rejected.iter().filter(|r| **r).count();
    // A threshold after every step may do badly for reasons of its own: what counts are masks of the spaced descent.
    let found = if pairs
        .iter()
        .zip(&rejected)
        .any(|(pair, shown)| *shown && pair.second == SPACED)
    {
        Found::Differ
    } else if within {
        Found::Alike
    } else {
        Found::Open("no difference to spaced thresholds is shown, and none above the margin is excluded".into())
    };
    let mut overlaps = Vec::new();
    for &density in &densities {
        for arm in [SPACED, EACH] {
            let of = |column| column_mean(table, arm, density, column);
            overlaps.push(format!(
                "{arm} at {density:.3}: {:.0} % (chance {:.0} %), {:.0} returns",
                100.0 * of("shared")?,
                100.0 * of("chance")?,
                of("returned")?
            ));
        }
    }
    Ok(OnNetwork {
        found,
        evidence: format!(
            "Network, lead of pruning over {} ({shown} of {} shown). Weights shared with the ticket: {}.",
            parts.join("; "),
            pairs.len(),
            overlaps.join("; ")
        ),
    })
}
