//! The duality gap on a segment of the LASSO's path.
//!
//! Between two breakpoints the path is the line through the values `x` stored there, so that the residual `r = y − A x` is
//! a line in λ as well, and with the signs `s` of the segment's columns `S` so is the optimality error
//! `e = A_Sᵀr − λs`, which is 0 but for rounding. The excess `ω = max(0, ‖Aᵀr‖∞ − λ)` is convex in λ, and `ρ r` with
//! `ρ = λ/(λ + ω)` is feasible for the dual. By `‖y − ρr‖² = ‖A x‖² + 2(1 − ρ) xᵀAᵀr + (1 − ρ)²‖r‖²` the duality gap is
//!
//! `g(λ) = (1 − ρ) λ‖x‖₁ − ρ x_Sᵀe + ½(1 − ρ)²‖r‖²`,
//!
//! in which nothing large cancels. Without excess it is the quadratic `−x_Sᵀe` in λ, largest at an end of the segment or at
//! its vertex. With it, let `Ω` be the larger `ω` of the two ends, `K` the larger `ω/λ`, `Λ` the larger λ, `X` the larger
//! `‖x‖₁`, `R` the larger `‖r‖` and `Q` the larger `‖r‖/λ`; each of them bounds the same quantity between the ends. So
//!
//! `max g ≤ min(Ω, Λ K/(1 + K)) X + max(0, −x_Sᵀe) + ½ min(Ω Q, R K/(1 + K))²`.
//!
//! Both `e` and `ω` are measured at every breakpoint, with a residual that is computed from `x` anew for every segment.

/// One end of a segment, on the segment's columns.
#[derive(Debug)]
pub(super) struct Corner {
    pub lambda: f64,
    pub values: Vec<f64>,
    /// `A_Sᵀr − λs`.
    pub errors: Vec<f64>,
    /// A bound on `‖Aᵀr‖∞ − λ`, not negative.
    pub excess: f64,
    pub residual_norm: f64,
}

/// The bound on the duality gap between two corners, as derived at the top of this file.
pub(super) fn segment_gap(start: &Corner, end: &Corner, signs: &[f64]) -> f64 {
    // Where something has overflowed nothing is known.
    let finite = |c: &Corner| c.residual_norm.is_finite() && c.values.iter().chain(&c.errors).all(|v| v.is_finite());
    if !(finite(start) && finite(end)) {
        return f64::INFINITY;
    }
    let larger = |of: &dyn Fn(&Corner) -> f64| of(start).max(of(end));
    let over = |part: f64, lambda: f64| if part == 0.0 { 0.0 } else { part / lambda };
    let excess = larger(&|c| c.excess);
    let kappa = larger(&|c| over(c.excess, c.lambda));
    let shrink = if kappa.is_finite() { kappa / (1.0 + kappa) } else { 1.0 };
    let length = larger(&|c| c.values.iter().map(|v| v.abs()).sum());
    let residual = if excess == 0.0 {
        0.0
    } else {
        let quotient = larger(&|c| over(c.residual_norm, c.lambda));
        (excess * quotient).min(shrink * larger(&|c| c.residual_norm))
    };
    // The derivation takes the signs of x to be s: where rounding has carried a value across 0, λ‖x‖₁ is larger.
    let wrong = |c: &Corner| {
        let across = c.values.iter().zip(signs).filter(|(v, s)| **v * **s < 0.0);
        across.map(|(v, _)| v.abs()).sum::<f64>()
    };
    let across = 2.0 * start.lambda * larger(&wrong);
    // −xᵀe at x = x₀ + θ(x₁ − x₀) and e alike.
    let (mut constant, mut linear, mut square) = (0.0, 0.0, 0.0);
    let ends = start.values.iter().zip(&end.values);
    for ((x, x_end), (e, e_end)) in ends.zip(start.errors.iter().zip(&end.errors)) {
        let (dx, de) = (x_end - x, e_end - e);
        constant -= x * e;
        linear -= x * de + dx * e;
        square -= dx * de;
    }
    let mut quadratic = f64::max(constant, constant + linear + square).max(0.0);
    let vertex = -0.5 * linear / square;
    if square < 0.0 && (0.0..=1.0).contains(&vertex) {
        quadratic = quadratic.max(constant + 0.5 * vertex * linear);
    }
    let gap = excess.min(shrink * start.lambda) * length + quadratic + across + 0.5 * residual * residual;
    if gap.is_nan() { f64::INFINITY } else { gap }
}
