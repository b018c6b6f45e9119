//! A convex quadratic in few blocks of unknowns with a Euclidean norm on each, minimised through its matrix.

use super::growing_gram::GrowingGram;
use crate::error::Result;
use crate::linalg::cholesky::solve_positive_definite;
use crate::linalg::dense::symmetric_eigen;
use crate::linalg::{dot, norm};
use nalgebra::{DMatrix, DVector};
use std::ops::Range;

/// Sweeps over the blocks between two rounds of Newton steps, each of which costs as much as many sweeps.
const SWEEPS: usize = 12;
/// Newton steps in a round, besides those that lead a block to zero.
const STEPS: usize = 5;
/// Halvings of a Newton step that are tried.
const HALVINGS: usize = 8;
/// Rounds of sweeps and Newton steps before the caller looks at its whole problem again.
const ROUNDS: usize = 60;

/// One block of unknowns.
#[derive(Debug)]
pub(super) struct Block {
    /// Its places among the unknowns.
    pub range: Range<usize>,
    /// The factor τ of its norm.
    pub penalty: f64,
    eigenvalues: DVector<f64>,
    eigenvectors: DMatrix<f64>,
}

/// `½xᵀGx − bᵀx + Σ τ_g‖x_g‖₂` with a positive semidefinite `G`.
#[derive(Debug)]
pub(super) struct GroupQuadratic {
    /// `G`.
    pub matrix: GrowingGram,
    /// `b`.
    pub linear: Vec<f64>,
    /// The blocks, consecutive.
    pub blocks: Vec<Block>,
    /// The current point.
    pub x: Vec<f64>,
    /// `b − G x`, kept up to date.
    pub slopes: Vec<f64>,
}

impl GroupQuadratic {
    /// No unknowns.
    pub fn empty() -> Self {
        GroupQuadratic {
            matrix: GrowingGram::default(),
            linear: Vec::new(),
            blocks: Vec::new(),
            x: Vec::new(),
            slopes: Vec::new(),
        }
    }

    /// Declares the next `length` unknowns, of which the matrix knows already, a block.
    ///
    /// # Errors
    /// When the eigenvalues of the block's matrix do not converge.
    pub fn append(&mut self, length: usize, penalty: f64) -> Result<()> {
        let start = self.blocks.last().map_or(0, |b| b.range.end);
        let (eigenvalues, eigenvectors) = symmetric_eigen(&self.own(&(start..start + length)))?;
        self.blocks.push(Block {
            range: start..start + length,
            penalty,
            eigenvalues,
            eigenvectors,
        });
        Ok(())
    }

    /// The matrix of the unknowns in a range.
    fn own(&self, range: &Range<usize>) -> DMatrix<f64> {
        let (start, length) = (range.start, range.len());
        DMatrix::from_fn(length, length, |i, j| self.matrix.column(start + j)[start + i])
    }

    /// Recomputes the slopes from the point.
    pub fn refresh(&mut self) {
        self.slopes.clone_from(&self.linear);
        let everything = 0..self.x.len();
        let minus: Vec<f64> = self.x.iter().map(|v| -v).collect();
        self.add_columns(everything, &minus);
    }

    /// `slopes ← slopes + G t`, for `t` on a range of unknowns.
    fn add_columns(&mut self, range: Range<usize>, t: &[f64]) {
        for (j, &v) in range.zip(t) {
            if v != 0.0 {
                self.slopes
                    .iter_mut()
                    .zip(self.matrix.column(j))
                    .for_each(|(c, g)| *c += v * g);
            }
        }
    }

    /// The blocks in which the objective is smooth at the point.
    fn face(&self) -> Vec<usize> {
        let smooth = |b: &Block| b.penalty == 0.0 || self.x[b.range.clone()].iter().any(|v| *v != 0.0);
        (0..self.blocks.len()).filter(|&b| smooth(&self.blocks[b])).collect()
    }

    /// Minimises until `done`; false when it ended without.
    pub fn minimise(&mut self, done: impl Fn(&Self) -> bool) -> bool {
        let everything: Vec<usize> = (0..self.blocks.len()).collect();
        for _ in 0..ROUNDS {
            let mut moved = self.sweep(&everything);
            let face = self.face();
            for _ in 1..SWEEPS {
                moved |= self.sweep(&face);
            }
            if done(self) {
                return true;
            }
            // Every step but the last few leads a block to zero.
            let mut steps = 0;
            for _ in 0..STEPS + face.len() {
                match self.newton() {
                    Some(stopped) => steps += usize::from(!stopped),
                    None => break,
                }
                moved = true;
                if done(self) {
                    return true;
                }
                if steps == STEPS {
                    break;
                }
            }
            if !moved {
                return false;
            }
        }
        false
    }

    /// One pass of exact minimisation in one block after the other; whether anything moved.
    fn sweep(&mut self, over: &[usize]) -> bool {
        let mut moved = false;
        for &b in over {
            let block = &self.blocks[b];
            let range = block.range.clone();
            let old = DVector::from_column_slice(&self.x[range.clone()]);
            let free = self.own(&range) * &old + DVector::from_column_slice(&self.slopes[range.clone()]);
            let new = block.minimiser(&free);
            if new != old {
                self.x[range.clone()].copy_from_slice(new.as_slice());
                let back: Vec<f64> = old.iter().zip(new.iter()).map(|(o, n)| o - n).collect();
                self.add_columns(range, &back);
                moved = true;
            }
        }
        moved
    }

    /// A Newton step in the blocks that are not zero, if one lowers the objective; true when it led a block to zero.
    ///
    /// There the norm is smooth, with the second derivative `(I − uuᵀ)/‖x_g‖`, `u = x_g/‖x_g‖`.
    fn newton(&mut self) -> Option<bool> {
        let face = self.face();
        let places: Vec<usize> = face.iter().flat_map(|&b| self.blocks[b].range.clone()).collect();
        if places.is_empty() {
            return None;
        }
        let order = places.len();
        let mut matrix = self.matrix.lower_triangle(&places);
        let size = matrix.diagonal().amax();
        let mut slope: Vec<f64> = places.iter().map(|&i| self.slopes[i]).collect();
        let mut start = 0;
        for &b in &face {
            let block = &self.blocks[b];
            let x = &self.x[block.range.clone()];
            let length = norm(x);
            if block.penalty > 0.0 {
                let bend = block.penalty / length;
                for (i, xi) in x.iter().enumerate() {
                    slope[start + i] -= bend * xi;
                    for (j, xj) in x.iter().enumerate() {
                        let own = if i == j { 1.0 } else { 0.0 };
                        matrix[(start + i, start + j)] += bend * (own - (xi / length) * (xj / length));
                    }
                }
            }
            start += x.len();
        }
        // Dependent columns make the matrix singular; repeated steps refine the damping away.
        let damp = |matrix: &mut DMatrix<f64>, by: f64| (0..order).for_each(|i| matrix[(i, i)] += by);
        damp(&mut matrix, 8.0 * order as f64 * f64::EPSILON * size);
        let step = solve_positive_definite(&matrix, &slope).or_else(|_| {
            damp(&mut matrix, 1e-10 * size);
            solve_positive_definite(&matrix, &slope)
        });
        let step = step.ok()?;
        // Where a block would turn round, it may stop at zero.
        let mut start = 0;
        let turns: Vec<(Range<usize>, f64)> = face
            .iter()
            .map(|&b| {
                let x = &self.x[self.blocks[b].range.clone()];
                let own = start..start + x.len();
                start = own.end;
                let along = dot(x, &step[own.clone()]);
                let turns = self.blocks[b].penalty > 0.0 && along < 0.0;
                (own, if turns { -dot(x, x) / along } else { f64::INFINITY })
            })
            .collect();
        let first = turns.iter().map(|(_, t)| *t).fold(1.0, f64::min);
        let stopping = |t: f64| -> Vec<f64> {
            let mut moved: Vec<f64> = step.iter().map(|d| t * d).collect();
            for (own, _) in turns.iter().filter(|(_, turn)| *turn <= t) {
                for i in own.clone() {
                    moved[i] = -self.x[places[i]];
                }
            }
            moved
        };
        let halved = std::iter::successors(Some(1.0), |t| Some(0.5 * t))
            .take_while(|t| *t > first)
            .take(HALVINGS);
        let image = self.image(&places, &step);
        let mut best: Option<(f64, Vec<f64>, bool)> = None;
        for t in halved.chain([first, 0.5 * first]) {
            let moved: Vec<f64> = step.iter().map(|d| t * d).collect();
            let scaled: Vec<f64> = image.iter().map(|v| t * v).collect();
            let mut tried = vec![(self.change_of_objective(&face, &places, &moved, &scaled), moved, false)];
            if first <= t && turns.iter().any(|(_, turn)| *turn <= t) {
                let moved = stopping(t);
                let image = self.image(&places, &moved);
                tried.push((self.change_of_objective(&face, &places, &moved, &image), moved, true));
            }
            for candidate in tried {
                if best.as_ref().is_none_or(|best| candidate.0 < best.0) {
                    best = Some(candidate);
                }
            }
        }
        let (_, moved, stopped) =
            best.filter(|(change, moved, _)| *change < 0.0 && moved.iter().all(|d| d.is_finite()))?;
        for (&i, d) in places.iter().zip(moved) {
            self.x[i] += d;
        }
        self.refresh();
        Some(stopped)
    }

    /// `G t` at `places`, for `t` there.
    fn image(&self, places: &[usize], t: &[f64]) -> Vec<f64> {
        let mut image = vec![0.0; places.len()];
        for (&j, d) in places.iter().zip(t) {
            let column = self.matrix.column(j);
            image.iter_mut().zip(places).for_each(|(out, &i)| *out += d * column[i]);
        }
        image
    }

    /// By how much the objective changes when the unknowns at `places`, those of the blocks `face`, move so far; `image`
    /// is `G` times that.
    fn change_of_objective(&self, face: &[usize], places: &[usize], moved: &[f64], image: &[f64]) -> f64 {
        let linear: f64 = places.iter().zip(moved).map(|(&i, d)| self.slopes[i] * d).sum();
        let mut change = 0.5 * dot(image, moved) - linear;
        let mut start = 0;
        for &b in face {
            let block = &self.blocks[b];
            let x = &self.x[block.range.clone()];
            let d = &moved[start..start + x.len()];
            let to: Vec<f64> = x.iter().zip(d).map(|(x, d)| x + d).collect();
            let lengths = norm(&to) + norm(x);
            if block.penalty > 0.0 && lengths > 0.0 {
                // ‖x + d‖ − ‖x‖ without cancellation.
                change += block.penalty * (2.0 * dot(x, d) + dot(d, d)) / lengths;
            }
            start += x.len();
        }
        change
    }
}

impl Block {
    /// The minimiser of `½xᵀGx − bᵀx + τ‖x‖` over this block: 0 where `‖b‖ ≤ τ`.
    ///
    /// With the eigenvalues `d` of the block's matrix and `β = Vᵀb`, its length ρ is the root of
    /// `Σ βᵢ²/(dᵢρ + τ)² = 1`, whose left side falls with ρ.
    fn minimiser(&self, b: &DVector<f64>) -> DVector<f64> {
        let tau = self.penalty;
        let d = &self.eigenvalues;
        let cut = 16.0 * d.len() as f64 * f64::EPSILON * d.amax();
        if let [b] = b.as_slice() {
            let size = (b.abs() - tau).max(0.0);
            let x = if d[0] > 0.0 { size.copysign(*b) / d[0] } else { 0.0 };
            return DVector::from_element(1, if x == 0.0 { 0.0 } else { x });
        }
        let mut beta = self.eigenvectors.tr_mul(b);
        // Along a null vector of the matrix b vanishes too, but for rounding.
        for (beta, d) in beta.iter_mut().zip(d.iter()) {
            if *d <= cut {
                *beta = 0.0;
            }
        }
        let zero = || DVector::zeros(b.len());
        if tau == 0.0 {
            let fit = beta.zip_map(d, |b, d| if d > cut { b / d } else { 0.0 });
            return &self.eigenvectors * fit;
        }
        if beta.norm() <= tau {
            return zero();
        }
        let at = |rho: f64| -> (f64, f64) {
            let (mut value, mut derivative) = (0.0, 0.0);
            for (b, d) in beta.iter().zip(d.iter()).filter(|(b, _)| **b != 0.0) {
                let below = d * rho + tau;
                let term = (b / below).powi(2);
                value += term;
                derivative -= 2.0 * d * term / below;
            }
            (value, derivative)
        };
        // Every eigenvalue that counts exceeds the cut: here the left side is at most ‖β‖²/(dρ)² = 1.
        let least = d.iter().copied().filter(|d| *d > cut).fold(f64::INFINITY, f64::min);
        let (mut low, mut high) = (0.0, beta.norm() / least);
        let mut rho = 0.0;
        for _ in 0..200 {
            let (value, derivative) = at(rho);
            if value > 1.0 {
                low = rho;
            } else {
                high = rho;
            }
            // Newton's step for 1/√(left side), which is nearly linear in ρ.
            let next = rho + 2.0 * value * (1.0 - value.sqrt()) / derivative;
            let next = if next > low && next < high {
                next
            } else {
                0.5 * (low + high)
            };
            if (next - rho).abs() <= 2.0 * f64::EPSILON * rho {
                break;
            }
            rho = next;
        }
        &self.eigenvectors * beta.zip_map(d, |b, d| rho * b / (d * rho + tau))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    #[test]
    fn a_block_s_minimiser_meets_its_optimality_condition() {
        for (matrix, b) in [
            (dmatrix![2.0, 1.0; 1.0, 3.0], [4.0, -1.0]),
            (dmatrix![1e6, 0.0; 0.0, 1e-3], [10.0, 2.0]),
            (dmatrix![1.0, 1.0; 1.0, 1.0], [3.0, 3.0]),
        ] {
            let mut q = GroupQuadratic {
                matrix: GrowingGram::given(&matrix),
                ..GroupQuadratic::empty()
            };
            q.append(2, 1.5).unwrap();
            let b = DVector::from_column_slice(&b);
            let x = q.blocks[0].minimiser(&b);
            let left = &b - &matrix * &x - 1.5 * &x / x.norm();
            // The length is found to rounding, which the largest eigenvalue magnifies.
            assert!(
                left.norm() <= 32.0 * f64::EPSILON * (b.norm() + matrix.norm() * x.norm()),
                "{left}"
            );
        }
    }

    #[test]
    fn a_block_within_its_penalty_is_zero_and_one_without_penalty_is_least_squares() {
        let mut q = GroupQuadratic {
            matrix: GrowingGram::given(&dmatrix![2.0, 0.0, 0.0; 0.0, 4.0, 0.0; 0.0, 0.0, 5.0]),
            linear: vec![3.0, 4.0, 10.0],
            x: vec![0.0; 3],
            ..GroupQuadratic::empty()
        };
        q.append(2, 5.0).unwrap();
        q.append(1, 0.0).unwrap();
        q.refresh();
        q.minimise(|q| q.slopes[2] == 0.0);
        assert_eq!(q.x, [0.0, 0.0, 2.0]);
    }
}
