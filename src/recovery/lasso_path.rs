//! The LASSO for every penalty at once: `x(λ) = argmin ½‖y − A x‖₂² + λ‖x‖₁` from `λ_max = ‖Aᵀy‖∞` down.

use super::common::{SafeRange, check_positive, check_tolerance};
use super::homotopy::{Event, Homotopy, Next};
use super::segment_gap::{Corner, segment_gap};
use super::{Penalty, check_right_hand_side};
use crate::error::{Error, Result};
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Progress, Status, Watch};

/// A gap beyond the tolerance must grow by this factor before the columns are factorised once more.
const GROWTH: f64 = 10.0;
/// So many moves at one λ, for every row, are a tie without end.
const MOVES: usize = 10;

/// The LASSO's whole solution path down to a smallest penalty, piecewise linear in λ and followed exactly.
///
/// The path is followed breakpoint by breakpoint with an up- and down-dated Cholesky factor. Of a large stored matrix only
/// the columns that may join are looked at: the others are excluded by a bound from an earlier look. On every segment
/// the largest duality gap is bounded from the optimality errors measured at its two ends; where that exceeds the
/// tolerance, the active columns are factorised anew; where that does not help, again once the gap has grown tenfold.
///
/// Several columns may meet λ at once (matrices of signs, repeated columns). They join one after the other at that λ, those
/// that would move against their sign are dropped again, and a column that depends on the active ones stays out: the
/// minimiser is then not unique, the path is one of them, and [`Path::dependent`] names the column.
///
/// At `λ = 0` the dual constraint `Aᵀθ = 0` can hold only up to the rounding of the products, and counts as met there.
///
/// Cost a breakpoint with k active columns: `4mk + k²` operations, and the columns looked at, or for other operators one
/// adjoint. Sources: Osborne, Presnell and Turlach (2000); Efron, Hastie, Johnstone and Tibshirani (2004); Mairal and Yu
/// (2012) for the gap along a path.
///
/// ```
/// use nalgebra::DMatrix;
/// use ticketsense::operators::DenseOperator;
/// use ticketsense::recovery::{LassoPath, Penalty};
/// // On orthonormal columns the path is the soft threshold of y.
/// let a = DenseOperator::new(DMatrix::identity(3, 3))?;
/// let path = LassoPath::new(Penalty::Absolute(0.25)).solve(&a, &[3.0, -1.5, 0.5])?;
/// let lambdas: Vec<f64> = path.breakpoints.iter().map(|b| b.lambda).collect();
/// assert_eq!(lambdas, [3.0, 1.5, 0.5, 0.25]);
/// assert_eq!(path.at(1.0)?, (vec![0, 1], vec![2.0, -0.5]));
/// assert_eq!(path.worst_gap(), 0.0);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LassoPath {
    /// Where the path ends.
    pub smallest: Penalty,
    /// The duality gap allowed on any segment, relative to `½‖y‖²`, in `[0, 1)`.
    pub tolerance: f64,
    /// The most segments.
    pub max_segments: usize,
}

/// What happens at a breakpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathEvent {
    /// A column becomes active, with value 0 here.
    Joined,
    /// A nonzero has become 0.
    Dropped,
    /// A column meets λ and depends on the active ones: it stays out until one of them is dropped.
    Refused,
    /// The path ends.
    Ended,
}

impl PathEvent {
    /// The word used in reports and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            PathEvent::Joined => "joined",
            PathEvent::Dropped => "dropped",
            PathEvent::Refused => "refused",
            PathEvent::Ended => "ended",
        }
    }
}

/// A penalty at which the path turns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Breakpoint {
    /// The penalty.
    pub lambda: f64,
    /// What happens here.
    pub event: PathEvent,
    /// The column to which it happens, and its sign, 1 or −1.
    pub column: Option<(usize, f64)>,
    /// Active columns below here.
    pub nonzeros: usize,
    /// `‖y − A x‖₂` here.
    pub residual_norm: f64,
    /// A bound on the duality gap everywhere on the segment that ends here.
    pub segment_gap: f64,
}

/// Why a path ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathEnd {
    /// The smallest penalty is reached.
    Reached,
    /// The segments were used up.
    SegmentLimit,
    /// The caller asked to stop.
    Stopped,
    /// Columns joined and left at one λ without end.
    Tied {
        /// The column that moved last.
        column: usize,
    },
}

/// The solution path of the LASSO.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The breakpoints, λ falling; the first is where the path leaves 0, the last where it ends. Several may share one λ.
    pub breakpoints: Vec<Breakpoint>,
    /// Why it ended.
    pub end: PathEnd,
    /// Columns that met λ without joining, each with the λ of the first time: they depend on the active ones, and the
    /// minimiser is not unique there.
    pub dependent: Vec<(usize, f64)>,
    /// `½‖y‖²`, to which the tolerance refers.
    pub scale: f64,
    /// The duality gap allowed, relative to the scale.
    pub tolerance: f64,
    /// How often the active columns were factorised anew because a segment's gap exceeded the tolerance.
    pub factorisations: usize,
    /// Operator applications spent.
    pub applications: f64,
    relative_gap: f64,
    /// The values at all breakpoints, on the columns active below each.
    values: Vec<f64>,
    /// Where those of a breakpoint begin.
    starts: Vec<usize>,
}

impl Path {
    /// The largest duality gap on any segment.
    pub fn worst_gap(&self) -> f64 {
        self.breakpoints.iter().fold(0.0, |worst, b| worst.max(b.segment_gap))
    }

    /// [`Path::worst_gap`] relative to `½‖y‖²`, also where these themselves are too small to be numbers; 0 for a gap of 0
    /// whatever the scale.
    pub fn relative_gap(&self) -> f64 {
        self.relative_gap
    }

    /// `Converged` where the smallest penalty is reached and no segment's gap exceeds the tolerance, `Stalled` where one
    /// does or columns are tied without end.
    pub fn status(&self) -> Status {
        match self.end {
            PathEnd::Reached if self.relative_gap <= self.tolerance => Status::Converged,
            PathEnd::Reached | PathEnd::Tied { .. } => Status::Stalled,
            PathEnd::SegmentLimit => Status::IterationLimit,
            PathEnd::Stopped => Status::Stopped,
        }
    }

    /// The nonzeros at λ: positions, ascending, and values. Cost: the breakpoints above λ, and the nonzeros.
    ///
    /// # Errors
    /// [`Error::Argument`] where the path does not reach down to λ, or λ is not a number.
    pub fn at(&self, lambda: f64) -> Result<(Vec<usize>, Vec<f64>)> {
        let lowest = self.breakpoints.last().map_or(f64::INFINITY, |b| b.lambda);
        if lambda.is_nan() || lambda < lowest {
            return Err(Error::argument(
                "lambda",
                format!("a number ≥ {lowest}, where the path ends"),
                lambda,
            ));
        }
        let above = self.breakpoints.partition_point(|b| b.lambda >= lambda);
        let Some(i) = above.checked_sub(1) else {
            return Ok((Vec::new(), Vec::new()));
        };
        let mut active: Vec<usize> = Vec::new();
        for breakpoint in &self.breakpoints[..=i] {
            follow(&mut active, breakpoint);
        }
        let mut values = self.values_of(i).to_vec();
        if let Some(next) = self.breakpoints.get(above) {
            let share = (self.breakpoints[i].lambda - lambda) / (self.breakpoints[i].lambda - next.lambda);
            let mut ends = self.values_of(above).to_vec();
            match (next.event, next.column) {
                (PathEvent::Joined, _) => ends.truncate(active.len()),
                (PathEvent::Dropped, Some((j, _))) => {
                    if let Some(position) = active.iter().position(|&k| k == j) {
                        ends.insert(position, 0.0);
                    }
                }
                _ => {}
            }
            values
                .iter_mut()
                .zip(ends)
                .for_each(|(x, end)| *x += share * (end - *x));
        }
        let mut nonzeros: Vec<(usize, f64)> = active.into_iter().zip(values).filter(|(_, v)| *v != 0.0).collect();
        nonzeros.sort_unstable_by_key(|(j, _)| *j);
        Ok(nonzeros.into_iter().unzip())
    }

    fn values_of(&self, i: usize) -> &[f64] {
        let end = self.starts.get(i + 1).copied().unwrap_or(self.values.len());
        &self.values[self.starts[i]..end]
    }

    fn record(&mut self, breakpoint: Breakpoint, values: &[f64]) {
        self.breakpoints.push(breakpoint);
        self.starts.push(self.values.len());
        self.values.extend_from_slice(values);
    }
}

/// Takes the event of a breakpoint, in the order in which the values are stored.
fn follow(active: &mut Vec<usize>, breakpoint: &Breakpoint) {
    match (breakpoint.event, breakpoint.column) {
        (PathEvent::Joined, Some((j, _))) => active.push(j),
        (PathEvent::Dropped, Some((j, _))) => active.retain(|&k| k != j),
        _ => {}
    }
}

impl LassoPath {
    /// The path down to this penalty, with gaps of at most `1e-10 · ½‖y‖²` and at most 100,000 segments.
    pub fn new(smallest: Penalty) -> Self {
        LassoPath {
            smallest,
            tolerance: 1e-10,
            max_segments: 100_000,
        }
    }

    /// Follows the path for one right-hand side.
    ///
    /// # Errors
    /// When the numbers of this struct, the operator or `y` are unusable; how the path ended is [`Path::end`].
    pub fn solve(&self, a: &dyn MeasurementOperator, y: &[f64]) -> Result<Path> {
        self.solve_watched(a, y, &mut Watch::none())
    }

    /// As [`LassoPath::solve`], reporting every segment to `watch`: the objective is that of the LASSO at its end.
    ///
    /// # Errors
    /// As [`LassoPath::solve`].
    pub fn solve_watched(&self, a: &dyn MeasurementOperator, y: &[f64], watch: &mut Watch<'_>) -> Result<Path> {
        check_right_hand_side(a, y)?;
        check_tolerance(self.tolerance)?;
        check_positive("max-segments", self.max_segments)?;
        let (name, value) = match self.smallest {
            Penalty::Absolute(lambda) => ("lambda", lambda),
            Penalty::RatioOfMax(ratio) => ("lambda-ratio", ratio),
        };
        if !(value.is_finite() && value >= 0.0) {
            return Err(Error::argument(name, "a finite number ≥ 0", value));
        }
        let range = SafeRange::of(y);
        let scaled = range.down(y);
        let mut observer = |p: &Progress| {
            watch.tell(&Progress {
                objective: range.raise(p.objective, 2),
                ..*p
            })
        };
        let path = Homotopy::new(a, &scaled);
        let mut path = self.follow(a, &scaled, range.factor(), path, &mut Watch::new(&mut observer));
        let up = |v: &mut f64, degree: i32| *v = range.raise(*v, degree);
        for breakpoint in &mut path.breakpoints {
            up(&mut breakpoint.lambda, 1);
            up(&mut breakpoint.residual_norm, 1);
            up(&mut breakpoint.segment_gap, 2);
        }
        path.values.iter_mut().for_each(|v| up(v, 1));
        path.dependent.iter_mut().for_each(|(_, lambda)| up(lambda, 1));
        up(&mut path.scale, 2);
        Ok(path)
    }

    /// Follows the path from its start; `factor` is what `y` has been scaled by.
    fn follow(
        &self,
        a: &dyn MeasurementOperator,
        y: &[f64],
        factor: f64,
        mut point: Homotopy<'_>,
        watch: &mut Watch<'_>,
    ) -> Path {
        let scale = 0.5 * dot(y, y);
        let smallest = match self.smallest {
            Penalty::Absolute(lambda) => lambda * factor,
            Penalty::RatioOfMax(ratio) => ratio * point.lambda_max,
        };
        let mut path = Path {
            breakpoints: Vec::new(),
            end: PathEnd::Reached,
            dependent: Vec::new(),
            scale,
            tolerance: self.tolerance,
            factorisations: 0,
            applications: 0.0,
            relative_gap: 0.0,
            values: Vec::new(),
            starts: Vec::new(),
        };
        let mut last = Breakpoint {
            lambda: smallest,
            event: PathEvent::Ended,
            column: None,
            nonzeros: 0,
            residual_norm: norm(y),
            segment_gap: 0.0,
        };
        if smallest >= point.lambda_max {
            path.applications = point.applications();
            path.record(last, &[]);
            return path;
        }
        last.lambda = point.lambda_max;
        last.event = PathEvent::Joined;
        last.column = point.active.first().copied().zip(point.signs.first().copied());
        last.nonzeros = point.active.len();
        path.record(last, &point.values);
        point.renew_always();
        let norms = a.column_norms();
        path.applications = 1.0;
        let mut start = Corner {
            lambda: point.lambda,
            values: point.values.clone(),
            errors: vec![point.last_error()],
            excess: 0.0,
            residual_norm: norm(y),
        };
        // A gap that a new factorisation could not lower is not worth another until it has grown.
        let mut allowed = self.tolerance * scale;
        let mut idle = 0;
        path.end = loop {
            let (next, fall) = point.advance(smallest);
            let signs = point.signs.clone();
            let mut end = self.corner(a, y, &norms, &mut point, next);
            let mut gap = segment_gap(&start, &end, &signs);
            if gap > allowed {
                point.factorise_anew(next);
                path.factorisations += 1;
                end = self.corner(a, y, &norms, &mut point, next);
                gap = segment_gap(&start, &end, &signs);
                allowed = allowed.max(GROWTH * gap);
            }
            let column = match next {
                Next::Join(j, sign) => Some((j, sign)),
                Next::Drop(i) => Some((point.active[i], point.signs[i])),
                Next::Reached => None,
            };
            let event = match point.turn(next) {
                Event::Joined => PathEvent::Joined,
                Event::Dropped => PathEvent::Dropped,
                Event::Refused => PathEvent::Refused,
                Event::Reached => PathEvent::Ended,
            };
            match (event, column, next) {
                (PathEvent::Joined, ..) => end.errors.push(point.last_error()),
                (PathEvent::Dropped, _, Next::Drop(i)) => {
                    end.errors.remove(i);
                }
                (PathEvent::Refused, Some((j, _)), _) if path.dependent.iter().all(|(k, _)| *k != j) => {
                    path.dependent.push((j, point.lambda));
                }
                _ => {}
            }
            end.values.clone_from(&point.values);
            let breakpoint = Breakpoint {
                lambda: point.lambda,
                event,
                column,
                nonzeros: point.active.len(),
                residual_norm: end.residual_norm,
                segment_gap: gap,
            };
            path.record(breakpoint, &point.values);
            if gap > 0.0 {
                path.relative_gap = path.relative_gap.max(gap / scale);
            }
            let length: f64 = point.values.iter().map(|v| v.abs()).sum();
            let go_on = watch.tell(&Progress {
                iteration: path.breakpoints.len() - 1,
                objective: 0.5 * end.residual_norm * end.residual_norm + point.lambda * length,
                nonzeros: point.active.len(),
            });
            start = end;
            idle = if fall > 0.0 { 0 } else { idle + 1 };
            match column {
                None => break PathEnd::Reached,
                _ if !go_on => break PathEnd::Stopped,
                Some((column, _)) if idle > MOVES * (y.len() + 10) => break PathEnd::Tied { column },
                _ if path.breakpoints.len() > self.max_segments => break PathEnd::SegmentLimit,
                _ => {}
            }
        };
        for (j, lambda) in point.parallel() {
            if path.dependent.iter().all(|(k, _)| k != j) {
                path.dependent.push((*j, *lambda));
            }
        }
        path.dependent.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        path.applications += point.applications();
        path
    }

    /// Measures the present point, before its event.
    fn corner(
        &self,
        a: &dyn MeasurementOperator,
        y: &[f64],
        norms: &[f64],
        point: &mut Homotopy<'_>,
        next: Next,
    ) -> Corner {
        let errors = point.measure(next);
        let largest = errors.iter().fold(0.0f64, |m, e| m.max(e.abs()));
        let mut corner = Corner {
            lambda: point.lambda,
            values: point.values.clone(),
            excess: point.overshoot().max(largest),
            errors,
            residual_norm: norm(&point.residual),
        };
        if next == Next::Reached {
            let mut correlations = vec![0.0; norms.len()];
            a.adjoint_into(&point.residual, &mut correlations);
            let all = correlations.iter().fold(0.0f64, |m, c| m.max(c.abs()));
            corner.excess = (all - point.lambda).max(largest).max(0.0);
            // A residual is a sum of products of this size, each rounded; m of them meet in an inner product.
            let terms = point.active.iter().zip(&point.values);
            let size = norm(y) + terms.map(|(&j, v)| v.abs() * norms[j]).sum::<f64>();
            let rounding = 64.0 * y.len() as f64 * f64::EPSILON * size;
            let stationary = || correlations.iter().zip(norms).all(|(c, n)| c.abs() <= rounding * n);
            if point.lambda == 0.0 && stationary() {
                corner.excess = 0.0;
            }
        }
        corner
    }
}

#[cfg(test)]
#[path = "lasso_path_tests.rs"]
mod tests;
