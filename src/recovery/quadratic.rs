//! A convex quadratic in few unknowns with separable penalties, minimised through its matrix.

use super::growing_gram::GrowingGram;
use crate::linalg::cholesky::solve_positive_definite;
use crate::linalg::dot;
use nalgebra::DMatrix;

/// Sweeps of coordinate descent between two rounds of Newton steps.
const SWEEPS: usize = 4;
/// Halvings of a Newton step that are tried.
const HALVINGS: usize = 8;
/// Rounds of sweeps and Newton steps before the caller looks at its whole problem again.
const ROUNDS: usize = 60;

/// `½xᵀGx − bᵀx + Σ pⱼ|xⱼ| + (μ/2)‖x‖²`, over all x or over `x ≥ 0`, with a positive semidefinite `G`.
#[derive(Debug)]
pub(super) struct Quadratic {
    /// `G`.
    pub matrix: GrowingGram,
    /// `b`.
    pub linear: Vec<f64>,
    /// `p`, not negative.
    pub penalties: Vec<f64>,
    /// `μ`, not negative.
    pub ridge: f64,
    /// Whether `x ≥ 0`.
    pub nonnegative: bool,
    /// The current point.
    pub x: Vec<f64>,
    /// `b − G x`, kept up to date.
    pub slopes: Vec<f64>,
}

impl Quadratic {
    /// No unknowns.
    pub fn empty(ridge: f64, nonnegative: bool) -> Self {
        Quadratic {
            matrix: GrowingGram::default(),
            linear: Vec::new(),
            penalties: Vec::new(),
            ridge,
            nonnegative,
            x: Vec::new(),
            slopes: Vec::new(),
        }
    }

    /// Recomputes the slopes from the point.
    pub fn refresh(&mut self) {
        let mut slopes = self.linear.clone();
        for (j, &v) in self.x.iter().enumerate() {
            if v != 0.0 {
                let column = self.matrix.column(j);
                slopes.iter_mut().zip(column).for_each(|(c, g)| *c -= v * g);
            }
        }
        self.slopes = slopes;
    }

    /// Whether nothing happens at zero for this unknown: neither a penalty nor a constraint.
    fn smooth(&self, j: usize) -> bool {
        self.penalties[j] == 0.0 && !self.nonnegative
    }

    /// The unknowns in which the objective is smooth at the point.
    fn face(&self) -> Vec<usize> {
        (0..self.x.len())
            .filter(|&j| self.x[j] != 0.0 || self.smooth(j))
            .collect()
    }

    /// Minimises until `done`; false when it ended without.
    pub fn minimise(&mut self, done: impl Fn(&Self) -> bool) -> bool {
        let everything: Vec<usize> = (0..self.x.len()).collect();
        for _ in 0..ROUNDS {
            let mut moved = self.sweep(&everything);
            let face = self.face();
            for _ in 1..SWEEPS {
                moved |= self.sweep(&face);
            }
            let mut improved = false;
            // Down to the minimiser of a face: every step but the last leaves it for a smaller one.
            for _ in 0..self.x.len() {
                match self.newton() {
                    Some(left_face) => {
                        improved = true;
                        if !left_face {
                            break;
                        }
                    }
                    None => break,
                }
            }
            if done(self) {
                return true;
            }
            if !moved && !improved {
                return false;
            }
        }
        false
    }

    /// One pass of exact minimisation in one unknown after the other; whether anything moved.
    fn sweep(&mut self, over: &[usize]) -> bool {
        let mut moved = false;
        for &j in over {
            let own = self.matrix.column(j)[j];
            let curvature = own + self.ridge;
            if curvature == 0.0 {
                continue;
            }
            let old = self.x[j];
            let new = self.threshold(j, self.slopes[j] + own * old) / curvature;
            let change = new - old;
            if change != 0.0 {
                self.x[j] = new;
                self.slopes
                    .iter_mut()
                    .zip(self.matrix.column(j))
                    .for_each(|(c, g)| *c -= change * g);
                moved = true;
            }
        }
        moved
    }

    /// The soft threshold of the unknown's penalty and constraint.
    fn threshold(&self, j: usize, free: f64) -> f64 {
        let size = free.abs() - self.penalties[j];
        if size <= 0.0 || (self.nonnegative && free < 0.0) {
            0.0
        } else {
            size.copysign(free)
        }
    }

    /// A Newton step on the face of the current signs, if one lowers the objective; true when it left the face.
    ///
    /// Where the step would change signs, the crossed unknowns stop at zero, and the best is taken of the full step, its
    /// halves and the first crossing: one step can leave many unknowns behind.
    fn newton(&mut self) -> Option<bool> {
        let face = self.face();
        if face.is_empty() {
            return None;
        }
        let penalty = |j: usize| self.penalties[j] * self.x[j].signum();
        let slope: Vec<f64> = face
            .iter()
            .map(|&j| self.slopes[j] - self.ridge * self.x[j] - if self.x[j] == 0.0 { 0.0 } else { penalty(j) })
            .collect();
        let mut matrix = self.matrix.lower_triangle(&face);
        let damp = |matrix: &mut DMatrix<f64>, by: f64| (0..face.len()).for_each(|i| matrix[(i, i)] += by);
        let size = matrix.diagonal().amax();
        // Dependent columns make the matrix singular. A trace of damping keeps the step a descent direction, and repeated
        // steps refine it away.
        damp(&mut matrix, self.ridge + 8.0 * face.len() as f64 * f64::EPSILON * size);
        let step = solve_positive_definite(&matrix, &slope).or_else(|_| {
            damp(&mut matrix, 1e-10 * size);
            solve_positive_definite(&matrix, &slope)
        });
        let step = step.ok()?;
        let start: Vec<f64> = face.iter().map(|&j| self.x[j]).collect();
        let smooth: Vec<bool> = face.iter().map(|&j| self.smooth(j)).collect();
        let crosses = |i: usize| !smooth[i] && (start[i] + step[i]) * start[i] <= 0.0;
        let first = (0..face.len())
            .filter(|&i| crosses(i))
            .map(|i| -start[i] / step[i])
            .fold(1.0f64, f64::min);
        let along = |t: f64| -> Vec<f64> {
            let go = |i: usize| {
                let moved = start[i] + t * step[i];
                if !smooth[i] && (moved * start[i] <= 0.0 || (crosses(i) && -start[i] / step[i] <= t)) {
                    0.0
                } else {
                    moved
                }
            };
            (0..face.len()).map(go).collect()
        };
        let halved = std::iter::successors(Some(1.0), |t| Some(0.5 * t))
            .take_while(|t| *t > first)
            .take(HALVINGS);
        let best = halved
            .chain([first])
            .map(|t| {
                let x = along(t);
                (self.change_of_objective(&face, &start, &x), x)
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(change, x)| *change < 0.0 && x.iter().all(|v| v.is_finite()));
        let (_, x) = best?;
        for (&j, v) in face.iter().zip(x) {
            self.x[j] = v;
        }
        self.refresh();
        Some(first < 1.0)
    }

    /// The objective at `to` minus that at `from`, in the unknowns `over` and with the others as they are.
    fn change_of_objective(&self, over: &[usize], from: &[f64], to: &[f64]) -> f64 {
        let difference: Vec<f64> = to.iter().zip(from).map(|(t, f)| t - f).collect();
        let mut image = vec![0.0; over.len()];
        for (&j, d) in over.iter().zip(&difference) {
            let column = self.matrix.column(j);
            image.iter_mut().zip(over).for_each(|(out, &i)| *out += d * column[i]);
        }
        let mut change = 0.5 * dot(&image, &difference);
        for (i, &j) in over.iter().enumerate() {
            change -= self.slopes[j] * difference[i];
            change += self.penalties[j] * (to[i].abs() - from[i].abs());
            change += 0.5 * self.ridge * difference[i] * (to[i] + from[i]);
        }
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    fn quadratic(penalties: Vec<f64>, nonnegative: bool) -> Quadratic {
        let mut q = Quadratic {
            matrix: GrowingGram::given(&dmatrix![2.0, 1.0; 1.0, 2.0]),
            linear: vec![3.0, -3.0],
            penalties,
            x: vec![0.0; 2],
            ..Quadratic::empty(0.0, nonnegative)
        };
        q.refresh();
        q
    }

    #[test]
    fn two_unknowns_have_their_closed_form() {
        let solved = |penalties: &[f64], nonnegative| {
            let mut q = quadratic(penalties.to_vec(), nonnegative);
            let settled = |q: &Quadratic| {
                (0..2).all(|j| q.x[j] == 0.0 || (q.slopes[j] - q.penalties[j] * q.x[j].signum()).abs() <= 1e-14)
            };
            assert!(q.minimise(settled));
            q.x
        };
        // G⁻¹(3, −3) = (3, −3); with a penalty 1 on both, G⁻¹(2, −2) = (2, −2).
        let near = |x: Vec<f64>, y: [f64; 2]| x.iter().zip(y).all(|(x, y)| (x - y).abs() <= 1e-13);
        assert!(near(solved(&[0.0, 0.0], false), [3.0, -3.0]));
        assert!(near(solved(&[1.0, 1.0], false), [2.0, -2.0]));
        // The second is held at 0 by its sign, and the first is (3 − 1)/2.
        assert!(near(solved(&[1.0, 1.0], true), [1.0, 0.0]));
        // Only the first is free: the second is 0 where |−3 − 1.5| ≤ 5.
        assert!(near(solved(&[0.0, 5.0], false), [1.5, 0.0]));
    }

    #[test]
    fn a_singular_matrix_still_gives_a_minimiser() {
        let mut q = Quadratic {
            matrix: GrowingGram::given(&dmatrix![1.0, 1.0; 1.0, 1.0]),
            linear: vec![4.0, 4.0],
            penalties: vec![0.0, 0.0],
            x: vec![0.0; 2],
            ..Quadratic::empty(0.0, false)
        };
        q.refresh();
        assert!(q.minimise(|q| q.slopes.iter().all(|c| c.abs() <= 1e-14)));
        assert!((q.x[0] + q.x[1] - 4.0).abs() <= 1e-13);
    }
}
