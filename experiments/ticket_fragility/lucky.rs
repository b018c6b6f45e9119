//! Random weights against a given support, with signs and with a threshold; units that look for a candidate.

use super::super::rows::row_of;
use super::{COLUMNS, LUCKY};
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::harness::Context;
use ticketsense::table::{Row, Value};
use ticketsense::theory::lucky_support::{
    ln_largest_set, own_pools, shared_pool, some_set_as_if_independent, threshold_set,
};
use ticketsense::theory::special::normal_probability;
use ticketsense::{Error, Result, Seed};

/// The cells: laws of weights, and the two kinds of pools.
pub const CASES: [&str; 4] = [NORMAL, CORRELATED, OWN, SHARED];
pub const NORMAL: &str = "normal";
pub const CORRELATED: &str = "correlated";
pub const OWN: &str = "own pools";
pub const SHARED: &str = "shared pool";
pub const LARGEST: &str = "largest";
pub const SIGNED: &str = "signed";
pub const THRESHOLD: &str = "threshold";

/// Numbers of weights; supports of 1 to the second number have a probability of at least 1e-5, with signs too.
const WEIGHTS: [(usize, usize, usize); 2] = [(12, 6, 6), (20, 5, 4)];
/// The correlation of any two weights of the exchangeable law.
const COMMON: f64 = 0.5;
/// A weight exceeds the threshold with the probability at which a support of four of twelve is most likely.
const EXCEEDING: (usize, usize) = (12, 4);

const UNITS: usize = 5;
const ADEQUATE: f64 = 0.1;
const CANDIDATES: [usize; 6] = [5, 10, 20, 30, 45, 60];
const SHARED_UNITS: usize = 4;
const SHARED_ADEQUATE: f64 = 0.2;
const SHARED_CANDIDATES: [usize; 5] = [4, 8, 12, 20, 30];

/// The rows of one case.
pub fn rows(case: &str, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let trials = context.scale().pick(20_000, 1_000_000, 10_000_000);
    match case {
        NORMAL | CORRELATED => supports(case, trials, context, seed),
        OWN => pools(trials, context, seed),
        SHARED => pool(trials, context, seed),
        other => Err(Error::unknown("case", other, CASES)),
    }
}

fn line(values: &[(&'static str, Value)], trials: usize, successes: usize, expected: f64) -> Result<Row> {
    let mut all: Vec<(&str, Value)> = vec![
        ("part", LUCKY.into()),
        ("trials", trials.into()),
        ("successes", successes.into()),
        ("expected", expected.into()),
    ];
    all.extend(values.iter().cloned());
    row_of(COLUMNS, &all)
}

/// How often the k largest of some weights are the first k, for every k of the same draws; how often with positive signs;
/// how often exactly the first four of twelve exceed the threshold.
fn supports(law: &str, trials: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let shared = if law == CORRELATED { COMMON } else { 0.0_f64 };
    let (exceed_of, exceed_first) = EXCEEDING;
    let exceed = exceed_first as f64 / exceed_of as f64;
    // 2Φ(−t) = π, by bisection.
    let threshold = ticketsense::theory::special::bisect(0.0, 10.0, |t| 2.0 * normal_probability(-t) > exceed);
    for (weights, most, most_signed) in WEIGHTS {
        let mut rng = seed.stream(weights.to_string()).rng();
        let (mut largest, mut signed, mut exceeding) = (vec![0; most + 1], vec![0; most + 1], 0);
        let mut draw = vec![0.0_f64; weights];
        for trial in 0..trials {
            if trial % 65_536 == 0 {
                context.check()?;
            }
            let common: f64 = rng.sample(StandardNormal);
            for w in &mut draw {
                let own: f64 = rng.sample(StandardNormal);
                *w = (1.0 - shared).sqrt() * own + shared.sqrt() * common;
            }
            for k in 1..=most {
                let least = draw[..k].iter().map(|w| w.abs()).fold(f64::INFINITY, f64::min);
                let rest = draw[k..].iter().map(|w| w.abs()).fold(0.0, f64::max);
                if least > rest {
                    largest[k] += 1;
                    signed[k] += usize::from(draw[..k].iter().all(|w| *w > 0.0));
                }
            }
            let above = |w: &f64| w.abs() > threshold;
            exceeding += usize::from(
                weights == exceed_of
                    && draw[..exceed_first].iter().all(above)
                    && !draw[exceed_first..].iter().any(above),
            );
        }
        for k in 1..=most {
            let (n, few) = (weights as u64, k as u64);
            let about = |case: &'static str| -> Vec<(&'static str, Value)> {
                vec![
                    ("case", case.into()),
                    ("law", law.into()),
                    ("weights", weights.into()),
                    ("nonzeros", k.into()),
                    (
                        "as_if_independent",
                        some_set_as_if_independent(n, few).unwrap_or(f64::NAN).into(),
                    ),
                ]
            };
            rows.push(line(
                &about(LARGEST),
                trials,
                largest[k],
                ln_largest_set(n, few, false)?.exp(),
            )?);
            if k <= most_signed {
                rows.push(line(
                    &about(SIGNED),
                    trials,
                    signed[k],
                    ln_largest_set(n, few, true)?.exp(),
                )?);
            }
        }
        if weights == exceed_of {
            let about = [
                ("case", THRESHOLD.into()),
                ("law", law.into()),
                ("weights", weights.into()),
                ("nonzeros", exceed_first.into()),
                ("probability", exceed.into()),
            ];
            let expected = threshold_set(weights as u64, exceed_first as u64, exceed)?;
            rows.push(line(&about, trials, exceeding, expected)?);
        }
    }
    Ok(rows)
}

fn about_pool(case: &'static str, units: usize, candidates: usize, adequate: f64) -> [(&'static str, Value); 4] {
    [
        ("case", case.into()),
        ("units", units.into()),
        ("candidates", candidates.into()),
        ("probability", adequate.into()),
    ]
}

/// Every unit looks through its own candidates until one is adequate; all numbers of candidates from the same draws.
fn pools(trials: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let mut rng = seed.rng();
    let most = CANDIDATES[CANDIDATES.len() - 1];
    let mut successes = [0; CANDIDATES.len()];
    for trial in 0..trials {
        if trial % 65_536 == 0 {
            context.check()?;
        }
        let mut needed = 0;
        for _ in 0..UNITS {
            let mut looked = 1;
            while looked <= most && rng.random::<f64>() >= ADEQUATE {
                looked += 1;
            }
            needed = needed.max(looked);
        }
        for (count, &candidates) in successes.iter_mut().zip(&CANDIDATES) {
            *count += usize::from(needed <= candidates);
        }
    }
    let row = |(&candidates, &successes): (&usize, &usize)| {
        let expected = own_pools(UNITS as u64, candidates as u64, ADEQUATE)?;
        line(
            &about_pool(OWN, UNITS, candidates, ADEQUATE),
            trials,
            successes,
            expected,
        )
    };
    CANDIDATES.iter().zip(&successes).map(row).collect()
}

/// Candidates come one by one, and each serves one unit at most.
fn pool(trials: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let mut rng = seed.rng();
    let most = SHARED_CANDIDATES[SHARED_CANDIDATES.len() - 1];
    let mut successes = [0; SHARED_CANDIDATES.len()];
    for trial in 0..trials {
        if trial % 65_536 == 0 {
            context.check()?;
        }
        let mut served = [false; SHARED_UNITS];
        let mut looked = 0;
        while looked < most && served != [true; SHARED_UNITS] {
            looked += 1;
            let unit = (rng.random::<f64>() / SHARED_ADEQUATE) as usize;
            if let Some(place) = served.get_mut(unit) {
                *place = true;
            }
        }
        for (count, &candidates) in successes.iter_mut().zip(&SHARED_CANDIDATES) {
            *count += usize::from(served == [true; SHARED_UNITS] && looked <= candidates);
        }
    }
    let row = |(&candidates, &successes): (&usize, &usize)| {
        let expected = shared_pool(SHARED_UNITS as u64, candidates as u64, SHARED_ADEQUATE)?;
        line(
            &about_pool(SHARED, SHARED_UNITS, candidates, SHARED_ADEQUATE),
            trials,
            successes,
            expected,
        )
    };
    SHARED_CANDIDATES.iter().zip(&successes).map(row).collect()
}
