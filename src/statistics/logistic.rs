//! The location of a threshold from success counts: a logistic curve and its 50 % point.

use super::distributions::two_sided_normal;
use super::{Interval, require_level};
use crate::error::{Error, Result};
use crate::theory::special::bisect;

/// Successes and trials at one value of a control variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The control variable.
    pub x: f64,
    /// Successes.
    pub successes: u64,
    /// Trials.
    pub trials: u64,
}

/// Where success and failure are equally likely, as far as the counts can say.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum HalfPoint {
    /// The maximum-likelihood curve `1/(1 + e^{−(intercept + slope·x)})` and its 50 % point.
    Fitted {
        /// The 50 % point, `−intercept/slope`; infinite for a flat curve.
        point: f64,
        /// Height of the logit at x = 0.
        intercept: f64,
        /// Slope of the logit.
        slope: f64,
        /// Twice the log-likelihood missing to one free probability a point.
        deviance: f64,
    },
    /// Successes and failures are separated: the likelihood rises for ever with the slope, and every point of the gap is
    /// as good as any other. The two ends are equal when they meet at one mixed point.
    Gap {
        /// Last x on the lower side.
        below: f64,
        /// First x on the upper side.
        above: f64,
        /// Whether successes lie on the upper side.
        rising: bool,
    },
    /// Every trial succeeded: the point is not between the measured values.
    AllSucceeded,
    /// Every trial failed: the point is not between the measured values.
    AllFailed,
}

/// A threshold with its profile-likelihood interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThresholdFit {
    /// The 50 % point.
    pub half: HalfPoint,
    /// All points that a likelihood-ratio test at the level does not reject; the whole line where even a flat curve is not
    /// rejected, because then the data do not bound it.
    pub interval: Interval,
}

impl ThresholdFit {
    /// One number for the point: the fitted one, or the middle of the gap.
    pub fn point(&self) -> Option<f64> {
        match self.half {
            HalfPoint::Fitted { point, .. } => point.is_finite().then_some(point),
            HalfPoint::Gap { below, above, .. } => Some(0.5 * below + 0.5 * above),
            HalfPoint::AllSucceeded | HalfPoint::AllFailed => None,
        }
    }
}

/// Fits a logistic curve to counts and finds its 50 % point with the interval of its profile likelihood.
///
/// With c the 50 % point the model is `logit = b(x − c)`; the profile `max_b ℓ(b, c)` is compared with the maximum, and
/// the interval is where twice the difference is at most the χ²₁ quantile. It is bounded exactly when the test of a flat
/// curve rejects. Cost: about 200 one-dimensional maximisations of 100 evaluations each.
///
/// ```
/// use ticketsense::statistics::{fit_threshold, logistic::Point};
/// let points = [(0.2, 3), (0.4, 22), (0.6, 49)].map(|(x, successes)| Point { x, successes, trials: 50 });
/// let fit = fit_threshold(&points, 0.05)?;
/// assert!(fit.interval.contains(0.41) && fit.interval.width() < 0.1);
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] for fewer than two different x with trials, more successes than trials or a level outside
/// `(0, 1)`; [`Error::NotFinite`] for x.
pub fn fit_threshold(points: &[Point], level: f64) -> Result<ThresholdFit> {
    require_level(level)?;
    for (index, point) in points.iter().enumerate() {
        if !point.x.is_finite() {
            return Err(Error::NotFinite {
                what: "control variable".into(),
                index,
                value: point.x,
            });
        }
        if point.successes > point.trials {
            return Err(Error::argument(
                "successes",
                format!("at most {} trials", point.trials),
                point.successes,
            ));
        }
    }
    let used: Vec<Point> = points.iter().filter(|point| point.trials > 0).copied().collect();
    let lowest = used.iter().map(|p| p.x).fold(f64::INFINITY, f64::min);
    let highest = used.iter().map(|p| p.x).fold(f64::NEG_INFINITY, f64::max);
    if lowest.partial_cmp(&highest) != Some(std::cmp::Ordering::Less) {
        return Err(Error::argument(
            "points",
            "trials at two different values at least",
            used.len(),
        ));
    }
    // The range becomes [−1, 1], so that slopes are of the size of logits.
    let (centre, scale) = (0.5 * lowest + 0.5 * highest, 0.5 * highest - 0.5 * lowest);
    let data = Data {
        points: used
            .iter()
            .map(|p| Point {
                x: (p.x - centre) / scale,
                ..*p
            })
            .collect(),
    };
    let whole_line = Interval {
        lower: f64::NEG_INFINITY,
        upper: f64::INFINITY,
    };
    let (successes, failures) = data.totals();
    if successes == 0 || failures == 0 {
        let half = if failures == 0 {
            HalfPoint::AllSucceeded
        } else {
            HalfPoint::AllFailed
        };
        return Ok(ThresholdFit {
            half,
            interval: whole_line,
        });
    }

    let (half, best, start) = match data.gap() {
        Some((below, above, rising)) => {
            let unscaled = |x: f64| centre + scale * x;
            let half = HalfPoint::Gap {
                below: unscaled(below),
                above: unscaled(above),
                rising,
            };
            // Inside the gap, or at the one mixed point, only that point's own entropy is missing.
            (half, data.gap_likelihood(below, above), 0.5 * (below + above))
        }
        None => {
            let (intercept, slope) = data.fit();
            let point = -intercept / slope;
            let best = data.likelihood(|x| intercept + slope * x);
            let half = HalfPoint::Fitted {
                point: centre + scale * point,
                intercept: intercept - slope / scale * centre,
                slope: slope / scale,
                deviance: (2.0 * (data.saturated() - best)).max(0.0),
            };
            (half, best, point)
        }
    };
    let quantile = two_sided_normal(level)?.powi(2);
    let rate = successes as f64 / (successes + failures) as f64;
    let flat = data.likelihood(|_| (rate / (1.0 - rate)).ln());
    if 2.0 * (best - flat) <= quantile || !start.is_finite() {
        return Ok(ThresholdFit {
            half,
            interval: whole_line,
        });
    }
    let inside = |c: f64| 2.0 * (best - data.profile(c)) <= quantile;
    // Since a flat curve is rejected the accepted points are one bounded interval around the start.
    let end = |direction: f64| {
        let mut step = 1.0;
        while inside(start + direction * step) && step < 1e12 {
            step *= 2.0;
        }
        centre + scale * (start + direction * bisect(0.0, step, |s| inside(start + direction * s)))
    };
    Ok(ThresholdFit {
        half,
        interval: Interval {
            lower: end(-1.0),
            upper: end(1.0),
        },
    })
}

/// Counts with the control variable scaled to `[−1, 1]`.
struct Data {
    points: Vec<Point>,
}

/// `ln(1 + e^v)` without overflow.
fn softplus(v: f64) -> f64 {
    v.max(0.0) + (-v.abs()).exp().ln_1p()
}

fn logistic(v: f64) -> f64 {
    if v >= 0.0 {
        1.0 / (1.0 + (-v).exp())
    } else {
        v.exp() / (1.0 + v.exp())
    }
}

/// `k ln(k/n) + (n−k) ln(1 − k/n)`, the largest log-likelihood of k successes in n trials.
fn own_likelihood(successes: u64, trials: u64) -> f64 {
    let term = |count: u64| {
        if count == 0 {
            0.0
        } else {
            count as f64 * (count as f64 / trials as f64).ln()
        }
    };
    term(successes) + term(trials - successes)
}

impl Data {
    fn totals(&self) -> (u64, u64) {
        let sum = |f: fn(&Point) -> u64| self.points.iter().map(f).sum();
        (sum(|p| p.successes), sum(|p| p.trials - p.successes))
    }

    fn likelihood(&self, logit: impl Fn(f64) -> f64) -> f64 {
        let term = |p: &Point| {
            let v = logit(p.x);
            -(p.successes as f64 * softplus(-v) + (p.trials - p.successes) as f64 * softplus(v))
        };
        self.points.iter().map(term).sum()
    }

    fn saturated(&self) -> f64 {
        self.points.iter().map(|p| own_likelihood(p.successes, p.trials)).sum()
    }

    /// The gap between failures and successes, where they do not overlap (touching at one value included).
    fn gap(&self) -> Option<(f64, f64, bool)> {
        let ends = |with: fn(&Point) -> bool| {
            let xs = self.points.iter().filter(|p| with(p)).map(|p| p.x);
            xs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                (low.min(x), high.max(x))
            })
        };
        let successes = ends(|p| p.successes > 0);
        let failures = ends(|p| p.successes < p.trials);
        if failures.1 <= successes.0 {
            Some((failures.1, successes.0, true))
        } else if successes.1 <= failures.0 {
            Some((successes.1, failures.0, false))
        } else {
            None
        }
    }

    /// The supremum of the likelihood for separated data: what the mixed value, if any, cannot explain.
    fn gap_likelihood(&self, below: f64, above: f64) -> f64 {
        if below < above {
            return 0.0;
        }
        let mixed = self.points.iter().filter(|p| p.x == below);
        let (successes, trials) = mixed.fold((0, 0), |(s, n), p| (s + p.successes, n + p.trials));
        own_likelihood(successes, trials)
    }

    /// The maximum-likelihood intercept and slope of data that overlap: Newton's method on a strictly concave function,
    /// with halved steps where a full one overshoots.
    fn fit(&self) -> (f64, f64) {
        let (mut a, mut b) = (0.0, 0.0);
        let mut best = self.likelihood(|_| 0.0);
        for _ in 0..200 {
            let [mut ga, mut gb, mut haa, mut hab, mut hbb] = [0.0; 5];
            for p in &self.points {
                let probability = logistic(a + b * p.x);
                let residual = p.successes as f64 - p.trials as f64 * probability;
                let weight = p.trials as f64 * probability * (1.0 - probability);
                ga += residual;
                gb += residual * p.x;
                haa += weight;
                hab += weight * p.x;
                hbb += weight * p.x * p.x;
            }
            let determinant = haa * hbb - hab * hab;
            let (da, db) = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant);
            if !(da.is_finite() && db.is_finite()) {
                break;
            }
            let mut factor = 1.0;
            let accepted = loop {
                let (ta, tb) = (a + factor * da, b + factor * db);
                let there = self.likelihood(|x| ta + tb * x);
                // Equal up to rounding counts: the last steps are below what the likelihood resolves.
                if there >= best - 1e-14 * (1.0 + best.abs()) {
                    (a, b, best) = (ta, tb, there);
                    break true;
                }
                factor *= 0.5;
                if factor < 1e-10 {
                    break false;
                }
            };
            let small = (da.abs() + db.abs()) * factor <= 1e-14 * (1.0 + a.abs() + b.abs());
            if !accepted || small {
                break;
            }
        }
        (a, b)
    }

    /// `max_b ℓ(b(x − c))`: the derivative in b falls, so its zero is bisected; slopes beyond 2⁶⁰ change no logit but that
    /// at c itself.
    fn profile(&self, c: f64) -> f64 {
        let derivative = |b: f64| -> f64 {
            let term = |p: &Point| (p.x - c) * (p.successes as f64 - p.trials as f64 * logistic(b * (p.x - c)));
            self.points.iter().map(term).sum()
        };
        let direction = if derivative(0.0) >= 0.0 { 1.0 } else { -1.0 };
        let mut reach = 1.0;
        while reach < 2f64.powi(60) && direction * derivative(direction * reach) > 0.0 {
            reach *= 2.0;
        }
        let b = direction * bisect(0.0, reach, |b| direction * derivative(direction * b) > 0.0);
        self.likelihood(|x| b * (x - c))
    }
}

#[cfg(test)]
#[path = "logistic_tests.rs"]
mod tests;
