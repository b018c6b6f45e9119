//! What is claimed about the Jacobian as a measurement matrix, and the checks, pure functions of the table.

use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::distributions::{two_sided_normal, two_sided_student};
use ticketsense::statistics::fisher_exact;
use ticketsense::table::{Record, Table};
use ticketsense::theory::linearised_pruning::sign_reversal;

pub(super) const CLAIMS: &[Claim] = &[
    Claim {
        id: "I1",
        name: "linearised-recovery",
        statement: "A sparse network solves the linear system y = J theta of the network linearised at its initial weights: \
                    the linear model stands for the network when 90 % of the weights are zero.",
        source: "Taylor's theorem; Euler's identity for homogeneous functions, which gives the system y + (L-1) f = J theta",
        expected: Expected::Fails,
        tolerance_rule: "the mean relative error at density 0.1, over the output and over its change, against 10 %, by Student \
                         intervals at 0.001 over the means compared; Euler's identity for ReLU to 1e-12, some hundred \
                         rounded products",
        check: linearised_recovery,
    },
    Claim {
        id: "I8",
        name: "jacobian-rip",
        statement: "Coherence and restricted isometry certify sparse recovery through the Jacobian of a network.",
        source: "Tropp 2004; Candes 2008; Cai & Zhang 2014; Foucart 2011; Mo 2015 for the guarantees",
        expected: Expected::HoldsUnder,
        tolerance_rule: "exact coherence and Babel function of the unit columns after zero columns are dropped and parallel ones \
                         merged; the restricted isometry constant of order 2, which for unit columns is the coherence, is a \
                         lower bound of all higher ones, so above 1/sqrt(2) no guarantee holds for two nonzeros; networks of \
                         the data, trained and pruned ones too, are judged by that bound",
        check: certificates,
    },
    Claim {
        id: "I13",
        name: "linear-sign-reversal",
        statement: "Under a random mask of density rho, the linear model of a bias-free ReLU network with L weight layers \
                    answers 1 - L(1 - rho) times the original output in the mean: the opposite one below rho = 1 - 1/L.",
        source: "Euler's identity J theta = L f for functions that are homogeneous of degree L",
        expected: Expected::Holds,
        tolerance_rule: "z standard errors of the mean over networks, z two-sided at 0.001 over the means compared, at least 30 \
                         networks; 1e-10 where the mask is not random; the mean is unbiased for every network, so no term is \
                         added",
        check: reversal,
    },
];

const LEVEL: f64 = 1e-3;
/// The relative error below which the linear model would stand for the network.
const SMALL_ERROR: f64 = 0.1;
/// Euler's identity in floating point.
const EULER: f64 = 1e-12;
/// The largest threshold of a guarantee for two nonzeros: `δ_4 < 1/√2`.
const LARGEST_THRESHOLD: f64 = std::f64::consts::FRAC_1_SQRT_2;
/// Rounding of a mean that is not random.
const ROUNDING: f64 = 1e-10;
const LEAST_NETWORKS: i64 = 30;

pub(super) fn part<'a>(table: &'a Table, name: &'static str) -> Vec<Record<'a>> {
    table.filter(move |r| r.text("part").is_ok_and(|p| p == name)).collect()
}

fn linearised_recovery(table: &Table) -> Result<Verdict> {
    let statistic = "smallest mean relative error at density 0.1";
    let hypotheses = vec![
        "networks that are not linear in their weights: ReLU and tanh with 2 and 3 weight layers, no biases".into(),
        "linearised at random initial weights; the smallest weights go first, or random ones".into(),
    ];
    let (mut relu, mut tanh) = (0.0f64, f64::INFINITY);
    for row in part(table, "euler") {
        match row.text("activation")? {
            "relu" => relu = relu.max(row.real("mean")?),
            _ => tanh = tanh.min(row.real("mean")?),
        }
    }
    let errors = part(table, "error");
    let nonlinear: Vec<&Record<'_>> = errors
        .iter()
        .filter(|r| r.integer("layers").is_ok_and(|l| l > 1))
        .collect();
    let (mut sparse, mut dense) = (Vec::new(), Vec::new());
    for row in &nonlinear {
        let pairs = [("mean", "standard_error"), ("of_change", "of_change_error")];
        for (mean, error) in pairs {
            let found = (row.real(mean)?, row.real(error)?, row.integer("networks")?);
            if row.real("density")? == 0.1 {
                let words = format!(
                    "{}, L = {}, {} first",
                    row.text("activation")?,
                    row.integer("layers")?,
                    row.text("removed")?
                );
                sparse.push((found, words));
            } else if row.real("density")? == 0.9 && row.text("removed")? == "smallest" && mean == "mean" {
                dense.push(found.0);
            }
        }
    }
    if sparse.is_empty() || sparse.iter().any(|((_, _, networks), _)| *networks < 3) {
        return Ok(Verdict::undecided(statistic, hypotheses, "fewer than three networks"));
    }
    let level = LEVEL / sparse.len() as f64;
    let (mut all_large, mut all_small) = (true, true);
    for ((mean, error, networks), _) in &sparse {
        let half = two_sided_student(level, (*networks - 1) as f64)? * error;
        all_large &= mean - half > SMALL_ERROR;
        all_small &= mean + half < SMALL_ERROR;
    }
    let Some(((smallest, ..), where_smallest)) = sparse.iter().min_by(|a, b| a.0.0.total_cmp(&b.0.0)) else {
        return Ok(Verdict::undecided(statistic, hypotheses, "no error at density 0.1"));
    };
    let decision = if relu.is_nan() || relu > EULER {
        Decision::Undecided {
            why: format!("Euler's identity is missed for ReLU, by {relu:e}"),
        }
    } else if all_large {
        Decision::Fails
    } else if all_small {
        Decision::Holds
    } else {
        Decision::Undecided {
            why: format!("an error at density 0.1 is not clearly on one side of {SMALL_ERROR}"),
        }
    };
    let fails = decision == Decision::Fails;
    let worst_dense = dense.iter().fold(0.0f64, |m, v| m.max(*v));
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), *smallest),
        tolerance: SMALL_ERROR,
        evidence: format!(
            "With a tenth of the weights left the mean relative error is at least {smallest:.2}; with the smallest tenth \
             gone it is at most {worst_dense:.3} of the output. J theta = L f to {relu:.0e} for ReLU; tanh misses it by at \
             least {tanh:.2}"
        ),
        counterexample: fails.then(|| format!("{where_smallest}: relative error {smallest:.2}, the smallest of all")),
    })
}

fn certificates(table: &Table) -> Result<Verdict> {
    let statistic = "most nonzeros certified on a Jacobian";
    let hypotheses = vec![
        "bias-free ReLU networks with one hidden layer at random initial weights, Gaussian inputs".into(),
        "bias-free ReLU networks of the data, perceptrons and a convolution, along training and under masks of the largest \
         and of random weights"
            .into(),
        "worst case over all vectors; zero columns dropped, parallel columns merged, columns at unit norm".into(),
    ];
    let rows = part(table, "operator");
    let jacobians: Vec<&Record<'_>> = rows
        .iter()
        .filter(|r| r.text("operator").is_ok_and(|o| o == "jacobian"))
        .collect();
    let (mut certified, mut isometry, mut coherence) = (0, f64::INFINITY, (f64::INFINITY, 0.0f64));
    let (mut zero, mut merged, mut hidden, mut null_units) = (0, 0, 0, 0);
    for row in &jacobians {
        certified = certified.max(row.integer("certified")?);
        isometry = isometry.min(row.real("isometry")?);
        let value = row.real("merged_coherence")?;
        coherence = (coherence.0.min(value), coherence.1.max(value));
        zero += row.integer("zero")?;
        merged += row.integer("merged")?;
        hidden += row.integer("hidden")?;
        null_units += row.integer("null_units")?;
    }
    if jacobians.is_empty() {
        return Ok(Verdict::undecided(statistic, hypotheses, "no Jacobian was examined"));
    }
    let states = States::of(table)?;
    isometry = isometry.min(states.least);
    let decision = if certified >= 2 {
        Decision::Holds
    } else if isometry > LARGEST_THRESHOLD {
        Decision::HoldsUnder {
            condition: "a single nonzero, on columns that are neither zero nor parallel".into(),
        }
    } else {
        Decision::Undecided {
            why: "the restricted isometry constant of order 2 leaves room for a guarantee of higher order".into(),
        }
    };
    let mut gaussian = Vec::new();
    for row in rows
        .iter()
        .filter(|r| r.text("operator").is_ok_and(|o| o == "gaussian"))
    {
        gaussian.push(row.real("coherence")?);
    }
    let gaussian = gaussian.iter().fold(0.0f64, |m, v| m.max(*v));
    let reach = |operator: &str, solver: &str| half_recovered(table, operator, solver);
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (statistic.into(), certified as f64),
        tolerance: 1.0,
        evidence: format!(
            "Coherence {:.3} to {:.3} over {} Jacobians ({zero} zero and {merged} parallel columns; Gaussian at most \
             {gaussian:.2}); {null_units} of {hidden} hidden units give a null direction. Half of the planted vectors are \
             recovered up to k = {} (basis pursuit) and {} (OMP) through J, {} and {} through its spectral surrogate, {} and \
             {} through a Gaussian matrix{}{}",
            coherence.0,
            coherence.1,
            jacobians.len(),
            reach("jacobian", "basis-pursuit")?,
            reach("jacobian", "omp")?,
            reach("surrogate", "basis-pursuit")?,
            reach("surrogate", "omp")?,
            reach("gaussian", "basis-pursuit")?,
            reach("gaussian", "omp")?,
            if spectrum_refuted(table)? {
                ": the spectrum alone does not decide"
            } else {
                "; too few trials tell J from its surrogate"
            },
            states.words(),
        ),
        counterexample: None,
    })
}

/// The networks of the data.
struct States {
    count: usize,
    /// States whose columns are all zero, or parallel to one.
    empty: usize,
    /// The smallest coherence of merged columns, or a lower bound of it, and where it is.
    least: f64,
    place: String,
    null_units: i64,
    silent: i64,
    hidden: i64,
}

impl States {
    fn of(table: &Table) -> Result<Self> {
        let mut states = States {
            count: 0,
            empty: 0,
            least: f64::INFINITY,
            place: String::new(),
            null_units: 0,
            silent: 0,
            hidden: 0,
        };
        for row in part(table, "state") {
            // One column or none is no measurement matrix.
            if row.integer("columns")? - row.integer("zero")? - row.integer("merged")? < 2 {
                states.empty += 1;
                continue;
            }
            states.count += 1;
            states.null_units += row.integer("null_units")?;
            states.silent += row.integer("silent")?;
            states.hidden += row.integer("hidden")?;
            let value = row.real("merged_coherence")?;
            if value < states.least {
                states.least = value;
                states.place = format!(
                    "{} after {} steps, mask {} at density {:.2}",
                    row.text("network")?,
                    row.integer("step")?,
                    row.text("mask")?,
                    row.real("density")?
                );
            }
        }
        Ok(states)
    }

    fn words(&self) -> String {
        if self.count == 0 {
            return String::new();
        }
        format!(
            ". In {} states of networks of the data ({} more have no two columns) the coherence of merged columns is at least {:.4} ({}); {} of {} units give \
             a null direction and {} more are silent",
            self.count, self.empty, self.least, self.place, self.null_units, self.hidden, self.silent
        )
    }
}

/// Whether basis pursuit tells the Jacobian from its spectral surrogate at some number of nonzeros: Fisher's exact test
/// at 0.001 over the numbers examined.
fn spectrum_refuted(table: &Table) -> Result<bool> {
    let (jacobian, surrogate) = (
        recovered(table, "jacobian", "basis-pursuit")?,
        recovered(table, "surrogate", "basis-pursuit")?,
    );
    for ((_, a, m), (_, b, n)) in jacobian.iter().zip(&surrogate) {
        let counts = [[*a, m - a], [*b, n - b]].map(|row| row.map(|v| u32::try_from(v).unwrap_or(u32::MAX)));
        if fisher_exact(counts)?.two_sided < LEVEL / jacobian.len() as f64 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Successes and trials by number of nonzeros, over all networks.
pub(super) fn recovered(table: &Table, operator: &str, solver: &str) -> Result<Vec<(i64, u64, u64)>> {
    let mut counts = std::collections::BTreeMap::new();
    for row in part(table, "recovery") {
        if row.text("operator")? == operator && row.text("solver")? == solver {
            let entry = counts.entry(row.integer("nonzeros")?).or_insert((0u64, 0u64));
            entry.0 += row.integer("successes")?.unsigned_abs();
            entry.1 += row.integer("trials")?.unsigned_abs();
        }
    }
    Ok(counts
        .into_iter()
        .map(|(k, (successes, trials))| (k, successes, trials))
        .collect())
}

/// The largest examined number of nonzeros up to which at least half of the planted vectors are recovered; 0 for none.
fn half_recovered(table: &Table, operator: &str, solver: &str) -> Result<i64> {
    let counts = recovered(table, operator, solver)?;
    Ok(counts
        .iter()
        .take_while(|(_, s, t)| 2 * s >= *t)
        .last()
        .map_or(0, |(k, ..)| *k))
}

fn reversal(table: &Table) -> Result<Verdict> {
    let statistic = "largest distance of a mean coefficient from the line, in allowed distances";
    let hypotheses = vec![
        "ReLU networks without biases, L = 2, 3, 5".into(),
        "masks that keep each weight independently, independent of the weights".into(),
    ];
    let rows = part(table, "reversal");
    if rows.is_empty() {
        return Ok(Verdict::undecided(statistic, hypotheses, "no coefficient was measured"));
    }
    let z = two_sided_normal(LEVEL / rows.len() as f64)?;
    let (mut worst, mut where_worst, mut compared, mut tanh_missed) = (0.0f64, None, 0, 0);
    for row in &rows {
        let networks = row.integer("networks")?;
        if networks < LEAST_NETWORKS {
            return Ok(Verdict::undecided(
                statistic,
                hypotheses,
                format!("{networks} networks, fewer than {LEAST_NETWORKS}"),
            ));
        }
        let (layers, density) = (row.integer("layers")?, row.real("density")?);
        let line = sign_reversal(density, layers as u32)?;
        let distance = (row.real("mean")? - line).abs() / (z * row.real("standard_error")? + ROUNDING);
        if row.text("activation")? != "relu" {
            tanh_missed += usize::from(distance > 1.0);
            continue;
        }
        compared += 1;
        if distance.is_nan() || distance > worst {
            worst = if distance.is_nan() { f64::INFINITY } else { distance };
            where_worst = Some(format!(
                "L = {layers}, density {density}: mean {} against {line}",
                row.real("mean")?
            ));
        }
    }
    let holds = worst <= 1.0;
    Ok(Verdict {
        decision: if compared == 0 {
            Decision::Undecided {
                why: "no ReLU network".into(),
            }
        } else if holds {
            Decision::Holds
        } else {
            Decision::Fails
        },
        hypotheses,
        statistic: (statistic.into(), worst),
        tolerance: 1.0,
        evidence: format!(
            "{compared} means of ReLU networks lie within {worst:.2} allowed distances of 1 - L(1 - rho); tanh networks miss \
             the line in {tanh_missed} of {} means",
            rows.len() - compared
        ),
        counterexample: if holds { None } else { where_worst },
    })
}
