//! The distribution of all eigenvalues of a symmetric map that is known only through products.
//!
//! For a unit vector v the measure `μ_v(x) = Σ_{λᵢ ≤ x} (uᵢᵀv)²` has the mean `#{λᵢ ≤ x}/n` over random directions v. Lanczos steps
//! from v give its Gauss rule: m nodes and weights that integrate polynomials of degree 2m − 1 exactly, and between which the
//! true measure is held by the theorem of Chebyshev, Markov and Stieltjes. So two errors are told apart: *truncation*, which
//! more steps cure and which is bounded for every probe, and *sampling*, which more probes cure and which Student's law bounds.

use super::dense::symmetric_eigen;
use super::lanczos::{Lanczos, random_unit, tridiagonal};
use super::symmetry::SymmetryTest;
use crate::error::{Error, Result};
use crate::outcome::{Certainty, Estimate};
use crate::seed::Seed;
use crate::statistics::{Interval, Summary};

/// Stochastic Lanczos quadrature: random directions, and Lanczos steps from each.
///
/// Source: Golub and Meurant, *Matrices, Moments and Quadrature*, 2010; Ubaru, Chen and Saad, SIAM J. Matrix Anal. Appl. 38, 2017;
/// Chen, Trogdon and Ubaru 2021 (arXiv:2105.06595) for the distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LanczosQuadrature {
    /// Steps from each direction, each a product; never more than the dimension are taken.
    pub steps: usize,
    /// Random directions, at least 2; intervals want 10.
    pub probes: usize,
}

impl Default for LanczosQuadrature {
    /// 80 steps from 10 directions.
    fn default() -> Self {
        LanczosQuadrature { steps: 80, probes: 10 }
    }
}

/// The Gauss rule of one direction, and the tridiagonal matrix behind it.
#[derive(Clone, Debug, PartialEq)]
struct Rule {
    alpha: Vec<f64>,
    beta: Vec<f64>,
    /// Whether the Krylov space was found invariant: the rule is then the measure itself.
    exact: bool,
    nodes: Vec<f64>,
    weights: Vec<f64>,
}

impl Rule {
    fn new(alpha: Vec<f64>, beta: Vec<f64>, exact: bool) -> Result<Self> {
        let (nodes, weights) = nodes_and_weights(&alpha, &beta)?;
        Ok(Rule {
            alpha,
            beta,
            exact,
            nodes,
            weights,
        })
    }

    fn sum(&self, f: impl Fn(f64) -> f64) -> f64 {
        self.nodes.iter().zip(&self.weights).map(|(&t, w)| w * f(t)).sum()
    }

    /// Nodes and weights of the Gauss-Radau rule with one node at `end`, below or above all others: one more row whose diagonal
    /// entry makes `end` an eigenvalue (Golub 1973).
    fn radau(&self, end: f64) -> Result<(Vec<f64>, Vec<f64>)> {
        let count = self.alpha.len();
        if self.exact {
            return Ok((self.nodes.clone(), self.weights.clone()));
        }
        // Pivots of T − end·I, the last of which gives the entry β²·[(T − end·I)⁻¹]_{mm}.
        let mut pivot = self.alpha[0] - end;
        for k in 1..count {
            pivot = self.alpha[k] - end - self.beta[k - 1].powi(2) / pivot;
        }
        let mut alpha = self.alpha.clone();
        alpha.push(end + self.beta[count - 1].powi(2) / pivot);
        nodes_and_weights(&alpha, &self.beta)
    }

    /// What the measure of `(−∞, x]` lies between.
    fn below(&self, x: f64) -> (f64, f64, f64) {
        let count = self.nodes.partition_point(|&t| t <= x);
        let sum = |n: usize| self.weights[..n].iter().sum::<f64>();
        if self.exact {
            return (sum(count), sum(count), sum(count));
        }
        // Between two nodes the true distribution has met the rule's value somewhere on either side of the neighbouring nodes.
        (
            sum(count.saturating_sub(1)),
            sum(count),
            sum((count + 1).min(self.nodes.len())).min(1.0),
        )
    }
}

fn nodes_and_weights(alpha: &[f64], beta: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
    let (values, vectors) = symmetric_eigen(&tridiagonal(alpha, beta))?;
    let weights = vectors.row(0).iter().map(|c| c * c).collect();
    Ok((values.iter().copied().collect(), weights))
}

/// The eigenvalue distribution of a map, as far as some random directions have seen it.
#[derive(Clone, Debug, PartialEq)]
pub struct SpectralDistribution {
    length: usize,
    rules: Vec<Rule>,
    applications: usize,
}

/// What the Gauss rules say of the spectrum, a fraction of it or a trace, and how far off they may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpectralBracket {
    /// The mean of the Gauss rules.
    pub value: f64,
    /// The mean of the bounds that truncation leaves: what infinitely many steps from the same directions would give lies in
    /// between, for certain up to rounding.
    pub truncation: Interval,
    /// Those bounds, widened by Student's law for the directions.
    pub interval: Interval,
}

impl LanczosQuadrature {
    /// The distribution of the eigenvalues of the symmetric map `apply(x, y): y ← A x` on `ℝ^length`.
    ///
    /// The map is put to [`SymmetryTest::SINGLE`] first.
    ///
    /// # Errors
    /// [`Error::Argument`] for no steps, fewer than two directions or length 0; [`Error::Asymmetric`] when the map is found not to
    /// be symmetric; [`Error::NotFinite`] when it returns a number that is not finite.
    ///
    /// Cost: `2 + steps · probes` products, and `steps² · length` operations and `steps · length` numbers a direction for full
    /// reorthogonalisation.
    ///
    /// ```
    /// use ticketsense::Seed;
    /// use ticketsense::linalg::spectral_distribution::LanczosQuadrature;
    /// let apply = |x: &[f64], y: &mut [f64]| (0..100).for_each(|i| y[i] = if i < 25 { -x[i] } else { x[i] });
    /// let found = LanczosQuadrature::default().distribution(100, apply, &Seed::root(0))?;
    /// let quarter = found.below(0.0, 0.05)?;
    /// assert!(quarter.interval.contains(0.25) && quarter.truncation.width() < 1e-12);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn distribution(
        &self,
        length: usize,
        mut apply: impl FnMut(&[f64], &mut [f64]),
        seed: &Seed,
    ) -> Result<SpectralDistribution> {
        if self.probes < 2 {
            return Err(Error::argument("directions", "at least 2", self.probes));
        }
        let lanczos = Lanczos {
            max_steps: self.steps,
            tolerance: 0.0,
        };
        lanczos.validate(length)?;
        let mut applications = SymmetryTest::SINGLE.check(length, &mut apply, seed)?.applications;
        let seed = seed.stream("spectral directions");
        let mut rules = Vec::with_capacity(self.probes);
        for probe in 0..self.probes {
            let start = random_unit(length, &seed.replicate(probe as u64));
            let found = lanczos.krylov(start, &mut apply)?;
            applications += found.alpha.len();
            rules.push(Rule::new(found.alpha, found.beta, found.invariant)?);
        }
        Ok(SpectralDistribution {
            length,
            rules,
            applications,
        })
    }
}

impl SpectralDistribution {
    /// The order of the map.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Products with the map.
    pub fn applications(&self) -> usize {
        self.applications
    }

    /// The smallest and the largest node of all rules: inside the spectrum's interval.
    pub fn range(&self) -> (f64, f64) {
        let nodes = || self.rules.iter().flat_map(|rule| rule.nodes.iter().copied());
        (
            nodes().fold(f64::INFINITY, f64::min),
            nodes().fold(f64::NEG_INFINITY, f64::max),
        )
    }

    /// The fraction of the eigenvalues at or below x; the interval misses it with probability `level` at most, as far as the
    /// means over directions are normal.
    ///
    /// # Errors
    /// [`Error::Argument`] for a point that is no number or a level outside `(0, 1)`.
    pub fn below(&self, x: f64, level: f64) -> Result<SpectralBracket> {
        if x.is_nan() {
            return Err(Error::argument("point of the distribution", "a number", x));
        }
        let bounds: Vec<(f64, f64, f64)> = self.rules.iter().map(|rule| rule.below(x)).collect();
        let mut found = around(&bounds, level)?;
        found.interval.lower = found.interval.lower.max(0.0);
        found.interval.upper = found.interval.upper.min(1.0);
        Ok(found)
    }

    /// The density of the eigenvalues at x, smoothed by a normal law of standard deviation `bandwidth`: the mean over directions
    /// with its standard error.
    ///
    /// # Errors
    /// [`Error::Argument`] for a bandwidth that is not positive and finite.
    pub fn density(&self, x: f64, bandwidth: f64) -> Result<Estimate<f64>> {
        if !(bandwidth > 0.0 && bandwidth.is_finite()) {
            return Err(Error::argument("bandwidth", "a positive finite number", bandwidth));
        }
        let height = (2.0 * std::f64::consts::PI).sqrt().recip() / bandwidth;
        self.mean_of(|t| height * (-0.5 * ((x - t) / bandwidth).powi(2)).exp())
    }

    /// `tr f(A)/n` by the Gauss rules, with its standard error over directions: exact in the steps for polynomials of degree
    /// below twice their number, and for other functions without a bound on the truncation.
    ///
    /// # Errors
    /// [`Error::NotFinite`] when f is not finite at a node.
    pub fn mean_of(&self, f: impl Fn(f64) -> f64) -> Result<Estimate<f64>> {
        let sums: Vec<f64> = self.rules.iter().map(|rule| rule.sum(&f)).collect();
        let found = Summary::of(&sums)?;
        let certainty = Certainty::Sampled {
            standard_error: found.standard_error(),
            replicates: sums.len(),
        };
        Ok(Estimate::new(found.mean, certainty, self.applications as f64))
    }

    /// `ln det(A + shift·I)` of a map whose eigenvalues are at least 0.
    ///
    /// The even derivatives of the logarithm are negative: its Gauss rules are upper bounds for their directions, and the
    /// Gauss-Radau rules with a node at 0 lower ones.
    ///
    /// # Errors
    /// [`Error::Argument`] for a shift that is not positive and finite, a level outside `(0, 1)`, or a node below 0 by more than
    /// rounding: the map is not positive semidefinite.
    pub fn log_determinant(&self, shift: f64, level: f64) -> Result<SpectralBracket> {
        self.bracket(shift, level, f64::ln)
    }

    /// `tr A(A + shift·I)⁻¹ = Σ λᵢ/(λᵢ + shift)` of a map whose eigenvalues are at least 0: how many of them exceed the shift,
    /// softly counted.
    ///
    /// # Errors
    /// As [`SpectralDistribution::log_determinant`].
    pub fn effective_dimension(&self, shift: f64, level: f64) -> Result<SpectralBracket> {
        // 1 − shift/(t + shift), whose even derivatives are negative too.
        self.bracket(shift, level, |t| 1.0 - shift / t)
    }

    /// The trace of `f(A + shift·I)` for f whose even derivatives are negative and odd ones positive.
    fn bracket(&self, shift: f64, level: f64, f: impl Fn(f64) -> f64) -> Result<SpectralBracket> {
        if !(shift > 0.0 && shift.is_finite()) {
            return Err(Error::argument("shift", "a positive finite number", shift));
        }
        let (least, most) = self.range();
        let rounding = 64.0 * f64::EPSILON * self.length as f64 * most.abs().max(least.abs());
        if least < -rounding {
            return Err(Error::argument("eigenvalues", "none below 0", least));
        }
        let at = |t: f64| f(t.max(0.0) + shift);
        let n = self.length as f64;
        let mut bounds = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            let gauss = n * rule.sum(at);
            // A node within rounding of 0 leaves no room below it: the rule already has one there.
            let lower = if rule.exact || rule.nodes[0] <= rounding {
                gauss
            } else {
                let (nodes, weights) = rule.radau(0.0)?;
                n * nodes.iter().zip(&weights).map(|(&t, w)| w * at(t)).sum::<f64>()
            };
            bounds.push((lower, gauss, gauss));
        }
        around(&bounds, level)
    }
}

/// The mean of values between bounds, each a lower bound, a value and an upper one.
fn around(bounds: &[(f64, f64, f64)], level: f64) -> Result<SpectralBracket> {
    let of = |take: fn(&(f64, f64, f64)) -> f64| Summary::of(&bounds.iter().map(take).collect::<Vec<f64>>());
    let (lower, value, upper) = (of(|b| b.0)?, of(|b| b.1)?, of(|b| b.2)?);
    Ok(SpectralBracket {
        value: value.mean,
        truncation: Interval {
            lower: lower.mean,
            upper: upper.mean,
        },
        interval: Interval {
            lower: lower.interval(level)?.lower,
            upper: upper.interval(level)?.upper,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(values: &[f64]) -> impl FnMut(&[f64], &mut [f64]) + '_ {
        move |x, y| y.iter_mut().zip(x).zip(values).for_each(|((y, x), d)| *y = d * x)
    }

    /// 200 eigenvalues: many small ones, a bulk and three outliers, as in the curvature of networks.
    fn spectrum() -> Vec<f64> {
        let mut values: Vec<f64> = (0..120).map(|i| 1e-3 * f64::from(i)).collect();
        values.extend((0..77).map(|i| 1.0 + 0.02 * f64::from(i)));
        values.extend([8.0, 13.0, 40.0]);
        values
    }

    /// The measure of one direction itself.
    fn measure(values: &[f64], start: &[f64], x: f64) -> f64 {
        let below = values.iter().zip(start).filter(|(v, _)| **v <= x);
        below.map(|(_, c)| c * c).sum()
    }

    #[test]
    fn the_measure_of_every_direction_lies_between_its_bounds() {
        let values = spectrum();
        let seed = Seed::root(1);
        for steps in [3, 8, 20, 60] {
            let method = LanczosQuadrature { steps, probes: 6 };
            let found = method.distribution(values.len(), times(&values), &seed).unwrap();
            let directions = seed.stream("spectral directions");
            for (probe, rule) in found.rules.iter().enumerate() {
                let start = random_unit(values.len(), &directions.replicate(probe as u64));
                for k in 0..400 {
                    let x = -1.0 + 0.1051 * f64::from(k);
                    let (lower, _, upper) = rule.below(x);
                    let truth = measure(&values, &start, x);
                    assert!(
                        lower - 1e-12 <= truth && truth <= upper + 1e-12,
                        "{steps} {x}: {lower} {truth} {upper}"
                    );
                }
                // 2m − 1 moments are exact.
                let moment = |power: i32| {
                    values
                        .iter()
                        .zip(&start)
                        .map(|(v, c)| (v / 40.0).powi(power) * c * c)
                        .sum::<f64>()
                };
                for power in 0..(2 * steps as i32).min(12) {
                    let found = rule.sum(|t| (t / 40.0).powi(power));
                    assert!((found - moment(power)).abs() < 1e-12, "{steps} {power}");
                }
                // And so are 2m with Radau's node, which is there.
                let (nodes, weights) = rule.radau(-0.5).unwrap();
                assert!(nodes.iter().any(|t| (t + 0.5).abs() < 1e-9), "{nodes:?}");
                for power in 0..(2 * steps as i32).min(12) + 1 {
                    let found: f64 = nodes
                        .iter()
                        .zip(&weights)
                        .map(|(t, w)| w * (t / 40.0).powi(power))
                        .sum();
                    assert!((found - moment(power)).abs() < 1e-12, "{steps} {power}");
                }
            }
        }
    }

    #[test]
    fn intervals_cover_the_fraction_and_the_traces_at_their_rate_or_better() {
        const RUNS: usize = 200;
        let values = spectrum();
        let n = values.len();
        let below = values.iter().filter(|v| **v <= 0.5).count() as f64 / n as f64;
        let logarithm: f64 = values.iter().map(|v| (v + 0.1).ln()).sum();
        let dimension: f64 = values.iter().map(|v| v / (v + 0.1)).sum();
        let method = LanczosQuadrature { steps: 25, probes: 10 };
        let mut missed = [0; 3];
        for run in 0..RUNS {
            let seed = Seed::root(2).stream(run.to_string());
            let found = method.distribution(n, times(&values), &seed).unwrap();
            let intervals = [
                (found.below(0.5, 0.1).unwrap().interval, below),
                (found.log_determinant(0.1, 0.1).unwrap().interval, logarithm),
                (found.effective_dimension(0.1, 0.1).unwrap().interval, dimension),
            ];
            for (missed, (interval, truth)) in missed.iter_mut().zip(intervals) {
                *missed += usize::from(!interval.contains(truth));
            }
        }
        // At most 20 expected; 20 + 3·√18 = 33 at a family of three.
        assert!(missed.iter().all(|m| *m <= 33), "{missed:?}");
    }

    #[test]
    fn gauss_and_radau_hold_the_logarithm_of_every_direction_between_them() {
        let values = spectrum();
        let method = LanczosQuadrature { steps: 6, probes: 8 };
        let seed = Seed::root(3);
        let found = method.distribution(values.len(), times(&values), &seed).unwrap();
        let directions = seed.stream("spectral directions");
        let truth: f64 = (0..8)
            .map(|probe| {
                let start = random_unit(values.len(), &directions.replicate(probe));
                values
                    .iter()
                    .zip(&start)
                    .map(|(v, c)| (v + 0.3).ln() * c * c)
                    .sum::<f64>()
            })
            .sum::<f64>()
            * values.len() as f64
            / 8.0;
        let bracket = found.log_determinant(0.3, 0.05).unwrap().truncation;
        assert!(bracket.lower < truth && truth < bracket.upper, "{bracket:?} {truth}");
        assert!(bracket.width() < 0.5 * truth.abs() + 40.0);
    }

    #[test]
    fn the_smoothed_density_integrates_to_one_and_an_invariant_space_is_exact() {
        let values = spectrum();
        let found = LanczosQuadrature { steps: 40, probes: 4 }
            .distribution(values.len(), times(&values), &Seed::root(4))
            .unwrap();
        let step = 0.05;
        let total: f64 = (-200..1200)
            .map(|k| step * found.density(f64::from(k) * step, 0.3).unwrap().value)
            .sum();
        // The trapezoidal rule of a normal law with steps of a sixth of its deviation.
        assert!((total - 1.0).abs() < 1e-9, "{total}");
        let two = [1.0, 1.0, 1.0, 3.0];
        let found = LanczosQuadrature::default()
            .distribution(4, times(&two), &Seed::root(5))
            .unwrap();
        assert!(found.rules.iter().all(|rule| rule.exact && rule.nodes.len() == 2));
        assert!(found.below(2.0, 0.05).unwrap().truncation.width() == 0.0);
        assert_eq!(found.applications(), 2 + 20);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let map = |x: &[f64], y: &mut [f64]| y.copy_from_slice(x);
        let ask = |steps, probes, length| LanczosQuadrature { steps, probes }.distribution(length, map, &Seed::root(0));
        assert!(ask(0, 3, 5).is_err() && ask(3, 1, 5).is_err() && ask(3, 3, 0).is_err());
        let found = ask(3, 3, 5).unwrap();
        assert!(found.below(f64::NAN, 0.05).is_err() && found.below(0.0, 1.5).is_err());
        assert!(found.density(0.0, 0.0).is_err() && found.log_determinant(0.0, 0.05).is_err());
        let negative = LanczosQuadrature { steps: 3, probes: 3 }
            .distribution(3, times(&[-1.0, 1.0, 2.0]), &Seed::root(0))
            .unwrap();
        assert!(
            negative
                .log_determinant(0.1, 0.05)
                .unwrap_err()
                .to_string()
                .contains("below 0")
        );
    }
}
