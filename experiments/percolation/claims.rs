//! What is claimed about the survival of a signal, and the checks, pure functions of the table.

use super::point::Point;
use super::{local_claim, narrow_claim, threshold};
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::statistics::BinomialCount;
use ticketsense::table::Table;
use ticketsense::theory::percolation::{Offspring, reached_fraction};
use ticketsense::theory::special::normal_probability;

pub(super) const CLAIMS: &[Claim] = &[
    Claim {
        id: "F1",
        name: "percolation-threshold",
        statement: "A signal survives layered random pruning for ever with positive probability exactly while the dropped \
                    fraction is below 1 - 1/b, b the fan-out.",
        source: "Harris, The Theory of Branching Processes, 1963; Athreya & Ney, Branching Processes, 1972",
        expected: Expected::HoldsUnder,
        tolerance_rule: "50 % points of logistic fits to P(alive at 2L | alive at L), which tends to 1/(1 + exp(-(bq-1)L)); \
                         they are regressed on ln(L)/L^2, the order of the next term, and the intercept must lie within \
                         z standard errors of 1/b, z two-sided at 0.001 over the rows of the table",
        check: threshold::threshold,
    },
    Claim {
        id: "F2",
        name: "percolation-survival",
        statement: "One source survives with the largest root of x = 1-(1-qx)^b (law of the out-degree); the fraction of a \
                    layer reached, where any is, is the root of y = 1-exp(-bqy) (law of the in-degree): the same \
                    threshold, different values.",
        source: "Harris 1963; Athreya & Ney 1972",
        expected: Expected::Holds,
        tolerance_rule: "exact two-sided binomial tests of counts, normal tests of means, each at 0.001 over the rows of the \
                         table; the exact laws at finite width, extrapolated in 1/width over three doublings, must meet \
                         the roots to within the last change of the extrapolation; each law must be refuted where the \
                         other one rules",
        check: survival,
    },
    Claim {
        id: "F3",
        name: "percolation-depth",
        statement: "The survival to depth L obeys s(L+1) = F(s(L)), s(0) = 1: geometric decay below the threshold, \
                    2/(L f''(1)) at it, geometric approach to a positive limit above it.",
        source: "Kolmogorov 1938; Athreya & Ney 1972, chapter I.9",
        expected: Expected::Holds,
        tolerance_rule: "exact two-sided binomial tests at 0.001 over the rows of the table; the three asymptotic laws against \
                         the iterated closed form within the remainder of their second-order expansion; mean^L, 1/(L f''(1)) and \
                         the limit itself must be refuted at finite depth",
        check: depth,
    },
    Claim {
        id: "F4",
        name: "percolation-finite-width",
        statement: "A network of finite width is connected or cut on either side of a sharp transition at the threshold of one \
                    kept edge a unit, at whatever depth.",
        source: "Darroch & Seneta 1965 (lifetimes of finite chains); Nasell, Extinction and Quasi-stationarity, 2011",
        expected: Expected::Fails,
        tolerance_rule: "exact two-sided binomial tests of every simulated count against the chain of the reached count, at 0.001 \
                         over the rows of the table; 50 % points of logistic fits with profile-likelihood errors on those of \
                         the chain, at the same level: a transition at a fixed place has slope 0, the chain slope 1; growth of the exact \
                         median depth with the width, extrapolated over two doublings, within its own last change",
        check: narrow_claim::finite_width,
    },
    Claim {
        id: "F5",
        name: "percolation-local",
        statement: "Local wiring, where the targets of a unit are neighbours, has the threshold 1 - 1/b of the tree.",
        source: "Hinrichsen, Advances in Physics 49, 2000; Jensen, Journal of Physics A 32, 1999 (0.644700185(5), exponents of \
                 directed percolation)",
        expected: Expected::Fails,
        tolerance_rule: "profile-likelihood interval, at 0.001 over the rows of the table, of the threshold in a finite-size scaling \
                         law with free exponents and corrections; exact binomial bound on survival at keep 0.55 and depth 400; \
                         simulated counts on narrow rings against the exact law of the reached set; exponents by \
                         Student intervals of jackknife values over independent groups",
        check: local_claim::local,
    },
];

/// The level of one comparison: 0.001 in all, split over every row of the table.
pub(super) fn level(table: &Table) -> f64 {
    FAMILY_LEVEL / table.len().max(1) as f64
}

pub(super) const FAMILY_LEVEL: f64 = 1e-3;

/// Comparisons of measured with predicted values: how many, and the least likely one.
#[derive(Default)]
pub(super) struct Comparisons {
    pub made: usize,
    pub worst: Option<(f64, String)>,
}

impl Comparisons {
    fn note(&mut self, p_value: f64, name: impl FnOnce() -> String) {
        self.made += 1;
        if self.worst.as_ref().is_none_or(|(least, _)| p_value < *least) {
            self.worst = Some((p_value, name()));
        }
    }

    pub fn count(&mut self, point: &Point, probability: f64) -> Result<()> {
        let count = BinomialCount::new(point.alive, point.replicates)?;
        let name = || {
            format!(
                "{}: {} of {} alive, predicted {probability:.6}",
                point.name(),
                point.alive,
                point.replicates
            )
        };
        self.note(count.p_value(probability)?, name);
        Ok(())
    }

    pub fn least(&self) -> f64 {
        self.worst.as_ref().map_or(1.0, |(p, _)| *p)
    }
}

pub(super) fn refutes(point: &Point, rival: f64, level: f64) -> Result<bool> {
    BinomialCount::new(point.alive, point.replicates)?.rejects(rival.clamp(0.0, 1.0), level)
}

/// What is left of a finite-depth value beyond its limit may not matter for the test of the limit.
const SETTLED: f64 = 1e-9;
/// A mean is judged from as many replicates as make its law normal.
const LEAST_REPLICATES: u64 = 30;

fn survival(table: &Table) -> Result<Verdict> {
    let level = level(table);
    let mut comparisons = Comparisons::default();
    let mut failure = None;
    // How often each law was put in the other one's place, and refuted there.
    let (mut out_rivals, mut out_refuted, mut in_rivals, mut in_refuted) = (0, 0, 0, 0);
    let (mut closed, mut fractions) = (0, 0);
    for point in Point::read(table, "survival")? {
        let limit = point.law().survival()?.survival;
        let settled = (point.law().survival_to_depth(point.depth)? - limit).abs() <= SETTLED;
        if !settled || point.replicates == 0 {
            continue;
        }
        comparisons.count(&point, limit)?;
        if point.law == "binomial" && limit > 0.0 {
            out_rivals += 1;
            out_refuted += usize::from(refutes(&point, reached_fraction(point.mean())?, level)?);
        }
        if point.law == "binomial" && point.fan_out == 2 && point.keep > 0.5 {
            closed += 1;
            let root = (2.0 * point.keep - 1.0) / (point.keep * point.keep);
            if (root - limit).abs() > 1e-12 * root {
                failure = Some(format!(
                    "keep {}: the root is {limit}, (2q-1)/q^2 is {root}",
                    point.keep
                ));
            }
        }
    }
    let networks = Point::read(table, "network")?;
    for point in networks.iter().filter(|p| p.replicates > 0) {
        if let Some(exact) = point.exact_alive {
            comparisons.count(point, exact.clamp(0.0, 1.0))?;
        }
        if let (Some((mean, error)), Some(exact)) = (point.fraction, point.exact_fraction)
            && point.alive >= LEAST_REPLICATES
            && error > 0.0
        {
            let tail = |truth: f64| 2.0 * normal_probability(-((mean - truth) / error).abs());
            comparisons.note(tail(exact), || {
                format!("{}: fraction {mean:.5} ± {error:.5}, exact {exact:.5}", point.name())
            });
            fractions += 1;
            in_rivals += 1;
            in_refuted += usize::from(tail(point.law().survival()?.survival) <= level);
        }
    }
    let (limits, gap, beyond) = extrapolations(&networks)?;
    failure = failure.or(beyond);
    let hypotheses = vec![
        format!(
            "{} counts and means tested, {fractions} of them reached fractions",
            comparisons.made
        ),
        format!("{closed} roots for fan-out 2 equal (2q-1)/q^2 to 1e-12"),
        format!("{limits} exact laws at finite width extrapolate to the roots, to within {gap:.1e} at most"),
        format!("the Poisson root put in the place of the out-degree's is refuted {out_refuted} of {out_rivals} times"),
        format!(
            "the out-degree's root put in the place of the Poisson one is refuted {in_refuted} of {in_rivals} times"
        ),
    ];
    let adjusted = comparisons.least() * table.len() as f64;
    let counterexample = match &comparisons.worst {
        Some((p, name)) if *p <= level => Some(name.clone()),
        _ => failure,
    };
    let why = if comparisons.made == 0 || fractions == 0 || limits == 0 {
        Some("no settled count, no reached fraction or no three widths to extrapolate".to_string())
    } else if out_refuted == 0 || in_refuted == 0 {
        Some("too few replicates to tell the two laws apart".to_string())
    } else {
        None
    };
    let decision = match (&counterexample, why) {
        (Some(_), _) => Decision::Fails,
        (None, Some(why)) => Decision::Undecided { why },
        (None, None) => Decision::Holds,
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (
            "smallest p-value times the number of comparisons".into(),
            adjusted.min(1.0),
        ),
        tolerance: FAMILY_LEVEL,
        evidence: format!(
            "{} comparisons, smallest p-value {:.2e} against {level:.1e}; survival refutes the in-degree law in {out_refuted} of \
             {out_rivals} cases, the reached fraction refutes the out-degree law in {in_refuted} of {in_rivals}.",
            comparisons.made,
            comparisons.least()
        ),
        counterexample,
    })
}

/// Extrapolates the exact laws of three doubling widths W, 2W, 4W to infinite width: `2s(2W) − s(W)` has lost its 1/W
/// term, and its own last change bounds what is left, a third of it when the rest is 1/W².
///
/// Returns how many were compared with the roots, the largest distance, and the first that lies beyond.
fn extrapolations(networks: &[Point]) -> Result<(usize, f64, Option<String>)> {
    let (mut compared, mut largest, mut beyond) = (0, 0.0f64, None);
    let mut keys: Vec<(u64, f64)> = networks.iter().map(|p| (p.fan_out, p.keep)).collect();
    keys.dedup();
    for (fan_out, keep) in keys {
        let mut group: Vec<&Point> = networks
            .iter()
            .filter(|p| p.fan_out == fan_out && p.keep == keep)
            .collect();
        group.sort_by(|a, b| a.width.unwrap_or(0.0).total_cmp(&b.width.unwrap_or(0.0)));
        let [.., a, b, c] = group[..] else { continue };
        let doubling = |x: &Point, y: &Point| x.width.zip(y.width).is_some_and(|(x, y)| y == 2.0 * x);
        if !(doubling(a, b) && doubling(b, c)) || a.mean() <= 1.0 {
            continue;
        }
        let roots = [
            (
                a.law().survival()?.survival,
                [a, b, c].map(|p| p.exact_alive),
                "survival",
            ),
            (
                reached_fraction(a.mean())?,
                [a, b, c].map(|p| p.exact_fraction),
                "reached fraction",
            ),
        ];
        for (root, values, what) in roots {
            let [Some(first), Some(second), Some(third)] = values else {
                continue;
            };
            let (coarse, fine) = (2.0 * second - first, 2.0 * third - second);
            let distance = (fine - root).abs();
            compared += 1;
            largest = largest.max(distance);
            if distance > (fine - coarse).abs() + SETTLED {
                beyond = beyond.or(Some(format!(
                    "fan-out {fan_out}, keep {keep:.4}: {what} at infinite width {fine:.6}, root {root:.6}"
                )));
            }
        }
    }
    Ok((compared, largest, beyond))
}

fn depth(table: &Table) -> Result<Verdict> {
    let level = level(table);
    let mut comparisons = Comparisons::default();
    // (name, times refuted, times tried) of three wrong laws.
    let mut rivals = [
        ("mean^L", 0, 0),
        ("1/(L f''(1))", 0, 0),
        ("the limit at every depth", 0, 0),
    ];
    let mut laws: Vec<Offspring> = Vec::new();
    for point in Point::read(table, "survival")?
        .iter()
        .filter(|p| p.replicates > 0 && p.depth > 0)
    {
        let law = point.law();
        comparisons.count(point, law.survival_to_depth(point.depth)?)?;
        if !laws.contains(&law) {
            laws.push(law);
        }
        let (which, wrong) = match regime(law) {
            Regime::Below => (0, law.mean().powf(point.depth as f64)),
            Regime::At => (1, 0.5 * law.critical_asymptote(point.depth)?),
            Regime::Above => (2, law.survival()?.survival),
        };
        rivals[which].1 += usize::from(refutes(point, wrong, level)?);
        rivals[which].2 += 1;
    }
    let mut hypotheses = vec![format!("{} counts tested against the iteration", comparisons.made)];
    let mut failure = None;
    let mut regimes = [0; 3];
    for law in laws {
        let (regime, deviation, bound) = asymptotics(law)?;
        regimes[regime as usize] += 1;
        if deviation > bound {
            failure = Some(format!(
                "{law:?}: {deviation:.2e} from its asymptotic law, at most {bound:.2e} expected"
            ));
        }
    }
    hypotheses.push(format!(
        "asymptotic laws met within their remainders: {} below the threshold, {} at it, {} above",
        regimes[0], regimes[1], regimes[2]
    ));
    for (name, refuted, tried) in rivals {
        hypotheses.push(format!("wrong law {name} refuted {refuted} of {tried} times"));
    }
    let counterexample = match &comparisons.worst {
        Some((p, name)) if *p <= level => Some(name.clone()),
        _ => failure,
    };
    let decision = if counterexample.is_some() {
        Decision::Fails
    } else if let Some((name, ..)) = rivals.iter().find(|(_, refuted, _)| *refuted == 0) {
        Decision::Undecided {
            why: format!("no count refutes the wrong law {name}: too few replicates"),
        }
    } else {
        Decision::Holds
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (
            "smallest p-value times the number of comparisons".into(),
            (comparisons.least() * table.len() as f64).min(1.0),
        ),
        tolerance: FAMILY_LEVEL,
        evidence: format!(
            "{} counts down to depth 500, smallest p-value {:.2e} against {level:.1e}; {}.",
            comparisons.made,
            comparisons.least(),
            rivals
                .map(|(name, refuted, tried)| format!("{name} refuted in {refuted} of {tried}"))
                .join(", ")
        ),
        counterexample,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Regime {
    Below,
    At,
    Above,
}

pub(super) fn regime(law: Offspring) -> Regime {
    // A keep probability of 1/b that was rounded to a double is at the threshold to within its last bits.
    match law.mean() - 1.0 {
        margin if margin.abs() < 1e-12 => Regime::At,
        margin if margin < 0.0 => Regime::Below,
        _ => Regime::Above,
    }
}

/// How far the iterated closed form is from its asymptotic law, and the remainder that theory allows.
///
/// With `F(s) = ms − θ`, `0 ≤ θ ≤ f''(1)s²/2`: below the threshold `ln(s_{2L}/s_L)/L − ln m` is at most
/// `f''(1)s_L/(2mL(1−m))` in size up to second order, doubled here for the logarithm. At it `1/s_L − f''(1)L/2` grows by
/// at most `f''(1)/2 · 1/L'` a layer, which leaves `(ln L + 1 + 2/f''(1))/L` of relative deviation. Above it the ratio of
/// successive distances differs from `F'` at the limit by at most `f''(1)/2` times the distance (mean value theorem).
pub(super) fn asymptotics(law: Offspring) -> Result<(Regime, f64, f64)> {
    let moment = law.second_factorial_moment();
    let regime = regime(law);
    let (deviation, bound) = match regime {
        Regime::Below => {
            // Deep enough for the law to show, and far from underflow.
            let layers = (20.0 / -law.mean().ln()).ceil().max(1.0);
            let (near, far) = (
                law.survival_to_depth(layers as u64)?,
                law.survival_to_depth(2 * layers as u64)?,
            );
            let deviation = ((far / near).ln() / layers - law.mean().ln()).abs();
            (
                deviation,
                moment * near / (law.mean() * (1.0 - law.mean()) * layers) + 1e-12,
            )
        }
        Regime::At => {
            let layers: u64 = 1 << 16;
            let length = layers as f64;
            let product = law.survival_to_depth(layers)? / law.critical_asymptote(layers)?;
            ((product - 1.0).abs(), (length.ln() + 1.0 + 2.0 / moment) / length)
        }
        Regime::Above => {
            let (limit, ratio) = (law.survival()?.survival, law.approach_ratio()?);
            // Half way, on a logarithmic scale, between the start and the rounding of the distance.
            let layers = (0.5 * f64::EPSILON.ln() / ratio.max(1e-12).ln()).clamp(1.0, 1e5) as u64;
            let distance = law.survival_to_depth(layers)? - limit;
            let next = law.survival_to_depth(layers + 1)? - limit;
            // Each distance is off by a few roundings of a number near 1.
            let rounding = 8.0 * f64::EPSILON / distance.max(f64::EPSILON);
            (
                (next / distance.max(f64::EPSILON) - ratio).abs(),
                0.5 * moment * distance.max(0.0) + rounding,
            )
        }
    };
    Ok((regime, deviation, bound))
}
