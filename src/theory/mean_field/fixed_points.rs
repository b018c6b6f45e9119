//! Where lengths and angles stand still, and how fast they come there.

use super::super::registry::{Argument, Arguments, ClosedForm, Domain, Quantity};
use super::super::special::bisect;
use super::MeanField;
use super::arguments::{BIAS_VARIANCE, WEIGHT_VARIANCE, nonlinearity};
use crate::error::Result;

/// Points of the scan a factor of ten.
const POINTS_A_DECADE: usize = 24;
/// Smallest positive variance of the scan.
const SMALLEST: f64 = 1e-12;
/// Largest variance of the scan for functions without a bound.
const LARGEST: f64 = 1e12;
/// Two sides of an equation are equal when they differ by this, relative to their size.
const ROUNDING: f64 = 64.0 * f64::EPSILON;

/// On which side of the edge of chaos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// χ₁ < 1: all inputs become one.
    Ordered,
    /// χ₁ = 1 up to rounding.
    Critical,
    /// χ₁ > 1: neighbouring inputs part.
    Chaotic,
}

impl Phase {
    fn of(factor: f64) -> Self {
        match factor - 1.0 {
            d if d.abs() <= ROUNDING => Phase::Critical,
            d if d < 0.0 => Phase::Ordered,
            _ => Phase::Chaotic,
        }
    }

    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Ordered => "ordered",
            Phase::Critical => "critical",
            Phase::Chaotic => "chaotic",
        }
    }
}

/// A variance that the map returns, and what is there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FixedPoint {
    /// q*.
    pub variance: f64,
    /// The slope of the map of variances there: stable below 1.
    pub slope: f64,
    /// χ₁ there.
    pub gradient_factor: f64,
    /// The phase by χ₁.
    pub phase: Phase,
    /// `ξ_q = −1/ln slope`: layers in which a deviation of the variance falls by e; none unless the slope is in (0, 1).
    pub variance_length: Option<f64>,
    /// c*: the correlation that all pairs of inputs approach, the largest stable fixed point of that map: 1 up to the edge of
    /// chaos, less beyond. None where the variance is 0.
    pub correlation: Option<f64>,
    /// The slope of the map of correlations at c*: χ₁ in the ordered phase.
    pub correlation_slope: Option<f64>,
    /// `ξ_c = −1/ln` of that slope; none at the edge of chaos, where the approach is algebraic.
    pub correlation_length: Option<f64>,
}

impl FixedPoint {
    /// Whether variances near it come nearer.
    pub fn is_stable(&self) -> bool {
        self.slope < 1.0
    }
}

/// Every fixed point of the map of variances.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedPoints {
    /// In ascending order.
    pub points: Vec<FixedPoint>,
    /// Whether every variance is one (ReLU and linear networks at their critical scale without biases); `points` then has the
    /// one at 1.
    pub every: bool,
    /// The range of variances, beside 0, that was searched.
    pub searched: (f64, f64),
}

impl FixedPoints {
    /// The fixed point that variances approach from a start: the next one above or below it, on the side to which the map
    /// moves it. None where they grow without bound.
    pub fn approached_from(&self, model: &MeanField, initial: f64) -> Option<&FixedPoint> {
        let next = model.next_variance(initial);
        if next >= initial {
            self.points.iter().find(|p| p.variance >= initial)
        } else {
            self.points.iter().rev().find(|p| p.variance <= initial)
        }
    }
}

impl MeanField {
    /// All fixed points of the map of variances with their slopes: a GELU network with `s` between 2 and 4 has a stable one
    /// and above it an unstable one, beyond which variances grow without bound, so that the answer depends on the start.
    ///
    /// Found by a scan of `s V(q) + σ_b² − q` on 24 points a decade, with every change of sign and, through the slope, every
    /// extremum between two points examined. ReLU and linear networks are solved in closed form.
    ///
    /// # Errors
    /// [`crate::Error::Argument`] as [`MeanField::validate`].
    ///
    /// Cost: some 500 Gaussian means.
    ///
    /// ```
    /// use ticketsense::theory::mean_field::{MeanField, Nonlinearity};
    /// let model = MeanField { nonlinearity: Nonlinearity::Gelu, density: 0.5, weight_variance: 5.0, bias_variance: 0.0 };
    /// let found = model.fixed_points()?;
    /// assert_eq!(found.points.iter().map(|p| p.is_stable()).collect::<Vec<_>>(), [true, false]);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn fixed_points(&self) -> Result<FixedPoints> {
        self.validate()?;
        if let Some(ratio) = self.nonlinearity.homogeneous() {
            return Ok(self.of_homogeneous(self.scale() * ratio));
        }
        let bound = self.scale() * self.nonlinearity.bound() + self.bias_variance;
        let largest = if bound.is_finite() {
            // Nothing above the bound is returned by the map.
            (bound * 1.01).max(10.0 * SMALLEST)
        } else {
            LARGEST
        };
        let excess = |q: f64| self.next_variance(q) - q;
        let mut variances = Vec::new();
        if self.bias_variance == 0.0 {
            variances.push(0.0);
        }
        let decades = (largest / SMALLEST).log10();
        let count = (decades * POINTS_A_DECADE as f64).ceil() as usize;
        let at = |i: usize| SMALLEST * 10f64.powf(decades * i as f64 / count as f64);
        let mut left = (at(0), excess(at(0)), self.variance_slope(at(0)));
        for i in 1..=count {
            let q = at(i);
            let right = (q, excess(q), self.variance_slope(q));
            self.between(left, right, &mut variances);
            left = right;
        }
        Ok(FixedPoints {
            points: variances.into_iter().map(|q| self.at(q)).collect(),
            every: false,
            searched: (SMALLEST, largest),
        })
    }

    /// The roots between two points, each with its excess and the slope of the map.
    fn between(&self, left: (f64, f64, f64), right: (f64, f64, f64), found: &mut Vec<f64>) {
        let excess = |q: f64| self.next_variance(q) - q;
        let crossing = |from: f64, to: f64, falls: bool| bisect(from, to, |q| (excess(q) > 0.0) == falls);
        let zero = |q: f64, value: f64| value.abs() <= ROUNDING * q;
        // A point of the scan that is a root belongs to the interval on its left.
        if zero(right.0, right.1) {
            found.push(right.0);
            return;
        }
        if zero(left.0, left.1) {
            return;
        }
        if (left.1 > 0.0) != (right.1 > 0.0) {
            found.push(crossing(left.0, right.0, left.1 > 0.0));
            return;
        }
        // Two roots, or one that is touched, hide behind an extremum towards zero.
        let (towards, away) = (left.2 < 1.0, right.2 > 1.0);
        let falls = left.1 > 0.0;
        if towards == falls && away == falls && (left.2 < 1.0) != (right.2 < 1.0) {
            let turn = bisect(left.0, right.0, |q| (self.variance_slope(q) < 1.0) == falls);
            let value = excess(turn);
            if zero(turn, value) {
                found.push(turn);
            } else if (value > 0.0) != falls {
                found.push(crossing(left.0, turn, falls));
                found.push(crossing(turn, right.0, !falls));
            }
        }
    }

    fn of_homogeneous(&self, factor: f64) -> FixedPoints {
        let critical = (factor - 1.0).abs() <= ROUNDING;
        let every = critical && self.bias_variance == 0.0;
        let variances = match self.bias_variance {
            _ if every => vec![1.0],
            0.0 => vec![0.0],
            b if factor < 1.0 && !critical => vec![b / (1.0 - factor)],
            _ => Vec::new(),
        };
        FixedPoints {
            points: variances.into_iter().map(|q| self.at(q)).collect(),
            every,
            searched: (0.0, f64::INFINITY),
        }
    }

    /// What is at a fixed point.
    fn at(&self, q: f64) -> FixedPoint {
        let (slope, factor) = (self.variance_slope(q), self.gradient_factor(q));
        let phase = Phase::of(factor);
        let length = |slope: f64| (slope > 0.0 && slope < 1.0).then(|| -slope.ln().recip());
        let correlation = (q > 0.0).then(|| match phase {
            Phase::Ordered | Phase::Critical => 1.0,
            Phase::Chaotic => self.chaotic_correlation(q),
        });
        let correlation_slope = correlation.map(|c| self.scale() * self.nonlinearity.slope_product_moment(q, c));
        FixedPoint {
            variance: q,
            slope,
            gradient_factor: factor,
            phase,
            variance_length: length(slope),
            correlation,
            correlation_slope,
            correlation_length: correlation_slope.filter(|_| phase != Phase::Critical).and_then(length),
        }
    }

    /// The fixed point below 1. The map is a power series in c with coefficients that are not negative (squares of Hermite
    /// coefficients), so it is convex on `[0, 1]`: with a slope above 1 at 1 it crosses the diagonal exactly once before.
    fn chaotic_correlation(&self, q: f64) -> f64 {
        let next = self.next_variance(q);
        let above = |c: f64| self.correlation_map(q, next, c) > c;
        if !above(0.0) {
            return 0.0;
        }
        bisect(0.0, 1.0, above)
    }
}

/// The closed form `mean-field`.
pub static FIXED_POINT_FORM: ClosedForm = ClosedForm {
    name: "mean-field",
    summary: "Fixed points of variance and correlation in a wide random network at a density.",
    arguments: &[
        nonlinearity("tanh"),
        Argument::required("density", "fraction of the weights kept", "1", Domain::FRACTION),
        WEIGHT_VARIANCE,
        BIAS_VARIANCE,
        Argument::optional(
            "initial",
            "variance from which the fixed point is approached",
            "variance",
            Domain::NONNEGATIVE,
            Some("1"),
        ),
    ],
    formula: "q = d s E phi(sqrt(q) z)^2 + b; chi_1 = d s E phi'(sqrt(q) z)^2; xi_c = -1/ln chi_1 in the ordered phase",
    source: "Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017, arXiv:1611.01232",
    claims: &["F7", "F8"],
    evaluate,
};

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let model = MeanField::asked(arguments)?;
    let found = model.fixed_points()?;
    let point = found.approached_from(&model, arguments.real("initial")?);
    let of = |take: &dyn Fn(&FixedPoint) -> Option<f64>| point.and_then(take).unwrap_or(f64::NAN);
    let listed: Vec<String> = found
        .points
        .iter()
        .map(|p| format!("{} (slope {:.6})", p.variance, p.slope))
        .collect();
    let all = match (found.every, listed.is_empty()) {
        (true, _) => "every variance".to_string(),
        (false, true) => "none: variances grow without bound".to_string(),
        (false, false) => listed.join(", "),
    };
    Ok(vec![
        Quantity::real(
            "value",
            of(&|p| Some(p.variance)),
            "variance approached from the start; none where it grows without bound",
        ),
        Quantity::text(
            "fixed_points",
            all,
            "all variances that the map returns, with its slope there: stable below 1",
        ),
        Quantity::real(
            "gradient_factor",
            of(&|p| Some(p.gradient_factor)),
            "chi_1: factor on squared gradients and small differences",
        ),
        Quantity::text(
            "phase",
            point.map_or("divergent", |p| p.phase.as_str()),
            "ordered, critical or chaotic, by chi_1",
        ),
        Quantity::real(
            "variance_length",
            of(&|p| p.variance_length),
            "layers in which a deviation of the variance falls by e",
        ),
        Quantity::real(
            "correlation",
            of(&|p| p.correlation),
            "correlation that pairs of inputs approach",
        ),
        Quantity::real(
            "correlation_length",
            of(&|p| p.correlation_length),
            "layers in which a deviation of the correlation falls by e; none at criticality",
        ),
    ])
}
