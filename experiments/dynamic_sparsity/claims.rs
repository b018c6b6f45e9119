//! The claims, and the check of those about independent pruning and regrowth.

use super::CYCLES;
use super::cycles::{ACTIVE, EXPLORED, FEW, VARIANCE};
use super::trained_claims::{beats_static, scratch};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::BinomialCount;
use ticketsense::statistics::binomial::power;
use ticketsense::statistics::distributions::two_sided_normal;
use ticketsense::table::{Record, Table};
use ticketsense::theory::dynamic_sparsity::{Protocol, explored, stationary_variance};

/// The claims of the experiment.
pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "C12",
        name: "dst-equilibrium",
        statement: "Pruning active weights with probability p = r(1-d)/(d(1-r)) and regrowing inactive ones with probability r \
             in every cycle holds the density d.",
        source: "two-state Markov chain; Mocanu et al. 2018 (SET) and Bellec et al. 2018 (DeepR) for the cycles",
        expected: Expected::HoldsUnder,
        tolerance_rule: "Exact two-sided binomial tests of every count against its closed form, and of the last densities against \
             the one to hold, each at 0.001 over the rows of the simulation; a protocol that does not hold the density must be \
             rejected, with the power printed. Variances within z sqrt(2/(T-1)) of d(1-d)/N, z at the same level.",
        check: equilibrium,
    },
    Claim {
        id: "C13",
        name: "dst-beats-static",
        statement: "Exchanging weights during training (SET, RigL) reaches a higher accuracy than a fixed random mask of equal \
             density in equal steps.",
        source: "Mocanu et al. 2018; Evci et al., ICML 2020, arXiv:1911.11134; Liu et al., ICML 2021, arXiv:2102.02887",
        expected: Expected::Open,
        tolerance_rule: "Paired seeds, at least 20; Student tests one-sided at 0.025 over both methods and all densities together \
             (Holm). It fails where no gain is shown and every gain is bounded below the margin, all intervals together: one \
             standard deviation of the dense accuracy, from pilot seeds that are used for nothing else.",
        check: beats_static,
    },
    Claim {
        id: "C14",
        name: "dense-to-sparse-vs-scratch",
        statement: "Random sparse networks trained from scratch do worse than tickets of their counts because they lie below the \
             percolation threshold or start badly calibrated.",
        source: "the reason has no source; Evci et al., AAAI 2022, arXiv:2010.03533 and Gadhikar et al., ICML 2023, \
             arXiv:2210.02412 on what is left after calibration",
        expected: Expected::Fails,
        tolerance_rule: "Densities above the threshold: mean degree above 1 in every layer and at least 95 % of the kept weights \
             on a path. Differences of the ticket to the scratch networks, calibrated or not, one-sided at 0.025 over all \
             densities together (Holm). The reason fails where a difference remains above the threshold after calibration, and \
             holds where all those differences are bounded below the margin.",
        check: scratch,
    },
];

/// What the chance of a wrong rejection is over all rows.
const FAMILY_LEVEL: f64 = 1e-3;

/// One row of the simulation.
pub struct Counted {
    pub protocol: Protocol,
    pub rule: Protocol,
    pub quantity: String,
    pub density: f64,
    pub regrow: f64,
    pub prune: f64,
    pub cycle: usize,
    pub count: Option<u64>,
    pub trials: u64,
    pub value: Option<f64>,
}

impl Counted {
    fn of(record: &Record<'_>) -> Result<Self> {
        Ok(Counted {
            protocol: Protocol::from_name(record.text("arm")?)?,
            rule: Protocol::from_name(record.text("rule")?)?,
            quantity: record.text("quantity")?.to_string(),
            density: record.real("density")?,
            regrow: record.real("regrow")?,
            prune: record.real("prune")?,
            cycle: record.integer("cycle")? as usize,
            count: record.optional_real("count")?.map(|count| count as u64),
            trials: record.integer("trials")? as u64,
            value: record.optional_real("value")?,
        })
    }

    /// The rows of a table.
    pub fn read(table: &Table) -> Result<Vec<Self>> {
        let mut rows = Vec::new();
        for record in table.iter() {
            if record.text("part")? == CYCLES {
                rows.push(Counted::of(&record)?);
            }
        }
        Ok(rows)
    }

    /// The probability of what is counted.
    pub fn predicted(&self) -> Result<f64> {
        if self.quantity == EXPLORED {
            return explored(self.regrow, self.cycle);
        }
        let mut density = 0.0;
        for _ in 0..self.cycle {
            density = self.protocol.next_density(density, self.prune, self.regrow)?;
        }
        Ok(density)
    }

    fn name(&self) -> String {
        format!(
            "{} of {} at the rate for {}, d = {}, r = {}, cycle {}",
            self.quantity,
            self.protocol.as_str(),
            self.rule.as_str(),
            self.density,
            self.regrow,
            self.cycle
        )
    }
}

fn equilibrium(table: &Table) -> Result<Verdict> {
    const STATISTIC: &str = "smallest p-value of a count against its closed form";
    let rows = Counted::read(table)?;
    let level = FAMILY_LEVEL / rows.len().max(1) as f64;
    let z = two_sided_normal(level)?;
    let seeds_rule = Protocol::PruneThenRegrow;
    let (mut least, mut wrong, mut counts, mut variances) = (1.0_f64, None, 0, 0);
    let (mut held, mut told, mut missed, mut weakest) = (0, 0, Vec::new(), 1.0_f64);
    let (mut other_held, mut other_rows, mut evidence) = (0, 0, Vec::new());
    for row in &rows {
        if row.quantity == VARIANCE {
            let fixed = row.protocol.fixed_point(row.prune, row.regrow)?.unwrap_or(f64::NAN);
            let ratio = row.value.unwrap_or(f64::NAN) / stationary_variance(fixed, FEW)?;
            variances += 1;
            let within = (ratio - 1.0).abs() <= z * (2.0 / (row.trials as f64 - 1.0)).sqrt();
            // A value that is no number is not within.
            if !within {
                wrong.get_or_insert_with(|| format!("{}: {ratio:.3} of the closed form", row.name()));
            }
            continue;
        }
        let count = BinomialCount::new(row.count.unwrap_or(u64::MAX), row.trials)?;
        let p_value = count.p_value(row.predicted()?)?;
        counts += 1;
        least = least.min(p_value);
        if p_value < level {
            wrong.get_or_insert_with(|| {
                format!(
                    "{}: {:.5}, predicted {:.5}",
                    row.name(),
                    count.proportion(),
                    row.predicted().unwrap_or(f64::NAN)
                )
            });
        }
        let same = |other: &&Counted| {
            (other.protocol, other.rule, &other.quantity) == (row.protocol, row.rule, &row.quantity)
                && (other.density, other.regrow) == (row.density, row.regrow)
        };
        let last = rows.iter().filter(same).all(|other| other.cycle <= row.cycle);
        if row.quantity != ACTIVE || !last {
            continue;
        }
        let rejected = count.rejects(row.density, level)?;
        let own = row.protocol == row.rule;
        if row.rule != seeds_rule {
            other_rows += 1;
            other_held += usize::from(own != rejected);
            continue;
        }
        let found = format!("{} ends at {:.4}", row.protocol.as_str(), count.proportion());
        if own && rejected {
            wrong
                .get_or_insert_with(|| format!("{}: {:.5} instead of {}", row.name(), count.proportion(), row.density));
        } else if own {
            held += 1;
        } else {
            let truth = row.protocol.fixed_point(row.prune, row.regrow)?.unwrap_or(f64::NAN);
            weakest = weakest.min(power(row.density, truth, row.trials, level)?);
            if rejected {
                told += 1;
            } else {
                missed.push(row.name());
            }
            evidence.push(format!("d = {}, r = {}: {found}", row.density, row.regrow));
        }
    }
    let hypotheses = vec![
        format!("{counts} counts and {variances} variances, each judged at {level:.1e}"),
        format!(
            "the formula holds its density under {} in {held} of {held} settings, and is rejected under the two other protocols \
             in {told} of {} cases; smallest power of that rejection {weakest:.4}",
            seeds_rule.as_str(),
            told + missed.len()
        ),
        format!(
            "the formulas of the other protocols hold where they should and nowhere else in {other_held} of {other_rows} cases"
        ),
        "every regrowth probability is one that the density allows: r at most d".into(),
    ];
    if held == 0 && wrong.is_none() {
        return Ok(Verdict::undecided(STATISTIC, hypotheses, "no cycles were simulated"));
    }
    let decision = if wrong.is_some() {
        Decision::Fails
    } else if !missed.is_empty() || weakest < 0.99 {
        Decision::Undecided {
            why: format!(
                "too few weights to tell the protocols apart (power {weakest:.3}): {}",
                missed.join("; ")
            ),
        }
    } else {
        Decision::HoldsUnder {
            condition: "a cycle prunes first and then regrows every weight that is inactive by then, those just pruned included, \
                        with r at most d"
                .into(),
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (STATISTIC.into(), least),
        tolerance: level,
        evidence: format!("At the rate of the formula, {}.", evidence.join("; ")),
        counterexample: wrong,
    })
}
