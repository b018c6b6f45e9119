//! Correlations of a stored matrix's columns, computed only where they may matter.
//!
//! Of every column j the correlation `aⱼᵀr_b` and slope `aⱼᵀu_b` are known at some earlier point b of the path. At the
//! end `r` of the line ahead, for any β and α,
//!
//! `|aⱼᵀr| ≤ |β aⱼᵀr_b + α aⱼᵀu_b| + ‖aⱼ‖ ‖r − β r_b − α u_b‖`,
//!
//! and while the right side is below λ the column cannot have met it: on the line `|aⱼᵀr| − λ` is convex and was not
//! positive at the start. β and α are those of the projection, the same for all columns of b, so that a bound costs a few
//! operations where a correlation costs `2m`. Since the residual turns slowly, a column far from the bound is looked at
//! again only after many breakpoints.

use super::homotopy::Place;
use super::inactive::{Line, Meeting, Parallel, meet};
use crate::linalg::columns::correlate;
use crate::linalg::norm;
use nalgebra::DMatrix;
use pulp::{Arch, Simd, WithSimd};

/// So many earlier points are kept; the columns of the one with the fewest are then looked at again.
const KEPT: usize = 48;
/// The point of a column whose correlation is not known.
const UNKNOWN: usize = KEPT;
/// A point's residual counts as a direction of its own when this much of its square is orthogonal to `u`.
const SEPARATE: f64 = 1e-8;

/// An earlier point: `r_b` and `u_b` with their inner products.
#[derive(Clone, Debug, Default)]
struct Point {
    residual: Vec<f64>,
    image: Vec<f64>,
    residual_square: f64,
    image_square: f64,
    /// `r_bᵀu_b / ‖u_b‖²`.
    along: f64,
    /// Columns known from here.
    columns: usize,
}

/// What a point says about another residual.
#[derive(Clone, Copy, Debug)]
struct View {
    beta: f64,
    alpha: f64,
    distance: f64,
}

const NOTHING: View = View {
    beta: 0.0,
    alpha: 0.0,
    distance: f64::INFINITY,
};

/// The columns, with what is known of each.
#[derive(Debug)]
pub(super) struct Lazy<'a> {
    columns: &'a [f64],
    rows: usize,
    norms: Vec<f64>,
    correlations: Vec<f64>,
    slopes: Vec<f64>,
    point_of: Vec<usize>,
    points: Vec<Point>,
    views: Vec<View>,
    /// How much farther the views look than the path has gone.
    beyond: f64,
    /// Looked at on the line ahead, and how far that has been gone.
    evaluated: Vec<usize>,
    gone: f64,
    pub parallel: Parallel,
    products: usize,
}

impl<'a> Lazy<'a> {
    /// The columns of this matrix. Cost: one pass.
    pub fn new(matrix: &'a DMatrix<f64>) -> Self {
        let (rows, columns) = matrix.shape();
        Lazy {
            columns: matrix.as_slice(),
            rows,
            norms: matrix.as_slice().chunks_exact(rows.max(1)).map(norm).collect(),
            correlations: vec![0.0; columns],
            slopes: vec![0.0; columns],
            point_of: vec![UNKNOWN; columns],
            points: Vec::new(),
            views: vec![NOTHING; KEPT + 1],
            beyond: 0.0,
            evaluated: Vec::new(),
            gone: 0.0,
            parallel: Parallel::new(columns),
            products: 0,
        }
    }

    /// The start at `x = 0`: all correlations, and slopes that nobody needs yet.
    pub fn start(&mut self, y: &[f64]) -> &[f64] {
        correlate(self.columns, y, &mut self.correlations);
        self.products += self.norms.len();
        let first = self.new_point(y, &vec![0.0; self.rows]);
        self.points[first].columns = self.norms.len();
        self.point_of.fill(first);
        self.views[first] = View {
            beta: 1.0,
            alpha: 0.0,
            distance: 0.0,
        };
        &self.correlations
    }

    /// Nothing is known of this column any more.
    pub fn forget(&mut self, j: usize) {
        let point = std::mem::replace(&mut self.point_of[j], UNKNOWN);
        if point != UNKNOWN {
            self.points[point].columns -= 1;
        }
    }

    /// Operator applications so far.
    pub fn applications(&self) -> f64 {
        self.products as f64 / self.norms.len().max(1) as f64
    }

    /// By how much a correlation outside the active columns exceeds λ at the point gone to: those not looked at do not.
    pub fn overshoot(&self, lambda: f64, places: &[Place]) -> f64 {
        let outside = self.evaluated.iter().filter(|&&j| places[j] != Place::Active);
        outside.fold(0.0, |worst: f64, &j| {
            worst.max((self.correlations[j] - self.gone * self.slopes[j]).abs() - lambda)
        })
    }

    /// The first column to meet λ before it falls by `limit`.
    pub fn first_to_meet(
        &mut self,
        line: &Line<'_>,
        limit: f64,
        places: &[Place],
        left: Option<(usize, f64)>,
    ) -> Meeting {
        self.evaluated.clear();
        let point = self.new_point(line.residual, line.image);
        let mut best = (limit, None);
        // Looked at before the bounds, so that the line is not taken to be longer than it is.
        if let Some(guess) = self.guess(line.lambda, best.0, places, left, point) {
            self.look_at(guess, point, line, places, left, &mut best);
        }
        let end: Vec<f64> = line
            .residual
            .iter()
            .zip(line.image)
            .map(|(r, u)| r - best.0 * u)
            .collect();
        self.view_all(&end);
        let lambda = line.lambda - best.0;
        self.beyond = best.0;
        self.views[point] = NOTHING;
        for (j, place) in places.iter().enumerate() {
            if *place == Place::Active || self.point_of[j] == point {
                continue;
            }
            let view = &self.views[self.point_of[j]];
            let estimate = view.beta * self.correlations[j] + view.alpha * self.slopes[j];
            // Not a number, of an unknown column of length 0, is no bound either.
            let excluded = estimate.abs() + self.norms[j] * view.distance < lambda;
            if !excluded {
                self.look_at(j, point, line, places, left, &mut best);
            }
        }
        self.views[point] = View {
            beta: 1.0,
            alpha: -self.beyond,
            distance: 0.0,
        };
        best
    }

    /// λ has fallen by so much.
    pub fn go(&mut self, fall: f64) {
        self.gone = fall;
        self.beyond -= fall;
    }

    /// The column that seems to meet λ first, and before it falls by `limit`.
    fn guess(
        &self,
        lambda: f64,
        limit: f64,
        places: &[Place],
        left: Option<(usize, f64)>,
        present: usize,
    ) -> Option<usize> {
        let (mut best, mut found) = (limit, None);
        for (j, place) in places.iter().enumerate() {
            let point = self.point_of[j];
            if *place != Place::Out || point == UNKNOWN || point == present || left.is_some_and(|(k, _)| k == j) {
                continue;
            }
            let (view, w) = (&self.views[point], self.slopes[j]);
            let c = view.beta * self.correlations[j] + view.alpha * w + self.beyond * w;
            let fall = ((lambda - c) / (1.0 - w).max(1e-3)).min((lambda + c) / (1.0 + w).max(1e-3));
            if fall < best {
                (best, found) = (fall, Some(j));
            }
        }
        found
    }

    /// Computes correlation and slope of a column at the present point, and its meeting with λ.
    fn look_at(
        &mut self,
        j: usize,
        point: usize,
        line: &Line<'_>,
        places: &[Place],
        left: Option<(usize, f64)>,
        best: &mut Meeting,
    ) {
        let column = &self.columns[j * self.rows..(j + 1) * self.rows];
        correlate(column, line.residual, &mut self.correlations[j..=j]);
        correlate(column, line.image, &mut self.slopes[j..=j]);
        self.products += 2;
        self.forget(j);
        self.point_of[j] = point;
        self.points[point].columns += 1;
        self.evaluated.push(j);
        if places[j] == Place::Out {
            let known = (j, self.correlations[j], self.slopes[j]);
            meet(known, line.lambda, left, &mut self.parallel, best);
        }
    }

    /// Keeps the present point, in the place of one without columns or, where there is none, of the one with the fewest.
    fn new_point(&mut self, residual: &[f64], image: &[f64]) -> usize {
        let fewest = (0..self.points.len()).min_by_key(|&b| self.points[b].columns);
        let place = match fewest {
            Some(b) if self.points.len() == KEPT || self.points[b].columns == 0 => b,
            _ => {
                self.points.push(Point::default());
                self.points.len() - 1
            }
        };
        let point = &mut self.points[place];
        if point.columns > 0 {
            point.columns = 0;
            for known in self.point_of.iter_mut().filter(|known| **known == place) {
                *known = UNKNOWN;
            }
        }
        point.residual.clear();
        point.residual.extend_from_slice(residual);
        point.image.clear();
        point.image.extend_from_slice(image);
        let product = |v: &[f64], w: &[f64]| {
            let mut sum = [0.0];
            correlate(v, w, &mut sum);
            sum[0]
        };
        let (residual_square, image_square) = (product(residual, residual), product(image, image));
        let cross = product(residual, image);
        point.residual_square = residual_square;
        point.image_square = image_square;
        point.along = if image_square > 0.0 { cross / image_square } else { 0.0 };
        place
    }

    /// What every point says about this residual. Cost: `10m` operations a point.
    fn view_all(&mut self, end: &[f64]) {
        let end_norm = norm(end);
        for (view, point) in self.views.iter_mut().zip(&self.points) {
            if point.columns > 0 {
                *view = point.view(end, end_norm);
            }
        }
    }
}

impl Point {
    /// The projection of a residual onto the span of `r_b` and `u_b`, through its difference from `r_b`, in which nothing
    /// large cancels.
    fn view(&self, end: &[f64], end_norm: f64) -> View {
        let [square, along_residual, along_image] = Arch::new().dispatch(Difference {
            end,
            residual: &self.residual,
            image: &self.image,
        });
        let (mut alpha, mut beta) = (0.0, 1.0);
        let mut rest = square;
        if self.image_square > 0.0 {
            alpha = along_image / self.image_square;
            rest -= alpha * along_image;
        }
        let separate = self.residual_square - self.along * self.along * self.image_square;
        if separate > SEPARATE * self.residual_square {
            let product = along_residual - self.along * along_image;
            let share = product / separate;
            rest -= share * product;
            beta += share;
            alpha -= share * self.along;
        }
        // Inner products of length m: of the squares that cancel, and of the correlations that the bound is made of.
        let unit = (end.len() + 8) as f64 * f64::EPSILON;
        let cancelled = rest.max(0.0) + 16.0 * unit * square;
        let sizes = beta.abs() * self.residual_square.sqrt() + alpha.abs() * self.image_square.sqrt() + end_norm;
        View {
            beta,
            alpha,
            distance: cancelled.sqrt() + unit * sizes,
        }
    }
}

/// `‖d‖²`, `dᵀr` and `dᵀu` for `d = end − r`, in one pass.
struct Difference<'v> {
    end: &'v [f64],
    residual: &'v [f64],
    image: &'v [f64],
}

impl WithSimd for Difference<'_> {
    type Output = [f64; 3];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f64; 3] {
        const LANES: usize = 8;
        let mut partial = [[0.0f64; LANES]; 3];
        let (ends, end) = self.end.as_chunks::<LANES>();
        let (residuals, residual) = self.residual.as_chunks::<LANES>();
        let (images, image) = self.image.as_chunks::<LANES>();
        for ((e, r), u) in ends.iter().zip(residuals).zip(images) {
            for lane in 0..LANES {
                let d = e[lane] - r[lane];
                partial[0][lane] += d * d;
                partial[1][lane] += d * r[lane];
                partial[2][lane] += d * u[lane];
            }
        }
        let mut sums = std::hint::black_box(partial).map(|lanes| lanes.iter().sum::<f64>());
        for ((e, r), u) in end.iter().zip(residual).zip(image) {
            let d = e - r;
            sums[0] += d * d;
            sums[1] += d * r;
            sums[2] += d * u;
        }
        sums
    }
}
