//! The images `C b` of all candidates, followed through changes of rank one.

use super::criterion::Criterion;
use super::problem::DesignProblem;
use super::secular::Spectrum;
use crate::error::{Error, Result};
use crate::linalg::columns::correlate;
use crate::linalg::{dot, norm};
use nalgebra::DMatrix;

/// Changes after which the covariance is computed afresh whatever the check says.
const PERIOD: usize = 64;

/// `y ← y + αx`.
pub(super) fn axpy(alpha: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += alpha * x;
    }
}

/// `M ← M + sign · bbᵀ`.
pub(super) fn add_outer(m: &mut DMatrix<f64>, b: &[f64], sign: f64) {
    for (column, &scale) in m.as_mut_slice().chunks_exact_mut(b.len()).zip(b) {
        axpy(sign * scale, b, column);
    }
}

/// For the present rows S: `u_i = C b_i`, `h_i = b_iᵀ C b_i` and `‖u_i‖²` of every candidate `b_i = aᵢ/σ`.
///
/// A change costs `6mn` operations instead of the `2mn² + 2n³` of a fresh start (Sherman and Morrison).
#[derive(Debug)]
pub(super) struct Tracker<'a> {
    problem: &'a DesignProblem,
    chosen: Vec<bool>,
    information: DMatrix<f64>,
    images: DMatrix<f64>,
    leverages: Vec<f64>,
    squares: Vec<f64>,
    changes: usize,
    /// Losses found by an update.
    pub evaluations: u64,
}

impl<'a> Tracker<'a> {
    /// Starts from rows whose information is not singular.
    pub fn new(problem: &'a DesignProblem, rows: &[usize]) -> Result<Self> {
        let m = problem.candidates();
        let mut chosen = vec![false; m];
        for &i in rows {
            chosen[i] = true;
        }
        let mut tracker = Tracker {
            problem,
            chosen,
            information: DMatrix::zeros(0, 0),
            images: DMatrix::zeros(0, 0),
            leverages: vec![0.0; m],
            squares: vec![0.0; m],
            changes: 0,
            evaluations: 0,
        };
        tracker.refresh()?;
        Ok(tracker)
    }

    /// The chosen rows, ascending.
    pub fn rows(&self) -> Vec<usize> {
        (0..self.chosen.len()).filter(|&i| self.chosen[i]).collect()
    }

    fn image(&self, i: usize) -> &[f64] {
        let n = self.problem.unknowns();
        &self.images.as_slice()[i * n..(i + 1) * n]
    }

    fn refresh(&mut self) -> Result<()> {
        self.information = self.problem.information(&self.rows());
        let Some(covariance) = self.problem.covariance(&self.information)? else {
            return Err(Error::numerical(
                "covariance of the chosen rows",
                "singular to working precision",
            ));
        };
        self.images = self.problem.images(&covariance)?;
        for i in 0..self.chosen.len() {
            self.leverages[i] = dot(self.problem.sensor(i), self.image(i));
        }
        self.measure();
        self.changes = 0;
        Ok(())
    }

    fn measure(&mut self) {
        let n = self.problem.unknowns();
        for (square, image) in self.squares.iter_mut().zip(self.images.as_slice().chunks_exact(n)) {
            *square = dot(image, image);
        }
    }

    /// A bound, to first order, on the error of the leverage of candidate i: with the residual `r = M u − b` of its image,
    /// `|bᵀ(u − C b)| ≤ ‖C b‖ ‖r‖`.
    fn leverage_error(&self, i: usize) -> f64 {
        let (sensor, image) = (self.problem.sensor(i), self.image(i));
        let mut residual = vec![0.0; sensor.len()];
        // Symmetric: its columns are its rows.
        correlate(self.information.as_slice(), image, &mut residual);
        axpy(-1.0, sensor, &mut residual);
        norm(image) * norm(&residual)
    }

    /// Applies the change: candidate j joins (sign 1) or leaves (sign −1).
    fn change(&mut self, j: usize, sign: f64) -> Result<()> {
        let n = self.problem.unknowns();
        self.chosen[j] = sign > 0.0;
        if self.changes + 1 >= PERIOD {
            return self.refresh();
        }
        let pivot = 1.0 + sign * self.leverages[j];
        let image = self.image(j).to_vec();
        let mut cross = vec![0.0; self.chosen.len()];
        correlate(self.problem.sensors().as_slice(), &image, &mut cross);
        add_outer(&mut self.information, self.problem.sensor(j), sign);
        for (i, own) in self.images.as_mut_slice().chunks_exact_mut(n).enumerate() {
            let factor = sign * cross[i] / pivot;
            axpy(-factor, &image, own);
            self.leverages[i] -= factor * cross[i];
        }
        self.measure();
        self.changes += 1;
        Ok(())
    }

    /// By how much the loss falls where candidate i joins, in units that order the candidates; for E the loss itself, as a
    /// first key, and the fall of D as a second one, since one row seldom raises the smallest eigenvalue of many.
    fn gain(&self, i: usize, spectrum: Option<&Spectrum>) -> (f64, f64) {
        let pivot = 1.0 + self.leverages[i];
        match spectrum {
            Some(spectrum) => (spectrum.least_after(self.problem.sensor(i)), pivot),
            None if self.problem.criterion() == Criterion::D => (pivot, 0.0),
            None => (self.squares[i] / pivot, 0.0),
        }
    }

    /// Lets the candidate join whose loss is then least; ties, within rounding, by number.
    pub fn join_best(&mut self) -> Result<Option<usize>> {
        let spectrum = match self.problem.criterion() {
            Criterion::E => Some(Spectrum::of(&self.information)?),
            _ => None,
        };
        let mut best = self.best_to_join(spectrum.as_ref());
        if let Some(j) = best
            && self.changes > 0
            && self.leverage_error(j) > f64::EPSILON.sqrt() * (1.0 + self.leverages[j])
        {
            self.refresh()?;
            best = self.best_to_join(spectrum.as_ref());
        }
        if let Some(j) = best {
            self.change(j, 1.0)?;
        }
        Ok(best)
    }

    fn best_to_join(&mut self, spectrum: Option<&Spectrum>) -> Option<usize> {
        let width = self.tie_width();
        // An eigenvalue is known to the rounding of the largest one.
        let first_width = match spectrum {
            Some(spectrum) => {
                let largest = (0..self.chosen.len()).map(|i| norm(self.problem.sensor(i)).powi(2));
                (width * (self.information.trace() + largest.fold(0.0, f64::max)) / spectrum.values()[0]).min(0.5)
            }
            None => width,
        };
        let mut best: Option<(usize, (f64, f64))> = None;
        for i in 0..self.chosen.len() {
            if self.chosen[i] {
                continue;
            }
            let gain = self.gain(i, spectrum);
            self.evaluations += 1;
            let better = best.is_none_or(|(_, (first, second))| {
                gain.0 > first * (1.0 + first_width)
                    || (gain.0 >= first * (1.0 - first_width) && gain.1 > second * (1.0 + width))
            });
            if better {
                best = Some((i, gain));
            }
        }
        best.map(|(i, _)| i)
    }

    /// Lets the row leave whose loss is least missed; ties, within rounding, by number, the last first, so that of equal
    /// rows the first stay.
    pub fn leave_best(&mut self) -> Result<Option<usize>> {
        let mut best = self.best_to_leave()?;
        if let Some(j) = best
            && self.changes > 0
            && self.leverage_error(j) > f64::EPSILON.sqrt() * (1.0 - self.leverages[j]).abs()
        {
            self.refresh()?;
            best = self.best_to_leave()?;
        }
        if let Some(j) = best {
            self.change(j, -1.0)?;
        }
        Ok(best)
    }

    fn best_to_leave(&mut self) -> Result<Option<usize>> {
        let width = self.tie_width();
        let singular = self.problem.singular_pivot().powi(2);
        let mut best: Option<(usize, f64)> = None;
        for i in (0..self.chosen.len()).rev() {
            let pivot = 1.0 - self.leverages[i];
            // Only a flat prior lets a row be needed for the rank.
            if !self.chosen[i] || pivot <= singular {
                continue;
            }
            let cost = match self.problem.criterion() {
                Criterion::A => self.squares[i] / pivot,
                Criterion::D => 1.0 / pivot,
                Criterion::E => {
                    let mut without = self.information.clone();
                    add_outer(&mut without, self.problem.sensor(i), -1.0);
                    self.problem.loss_of(&without)?
                }
            };
            self.evaluations += 1;
            if best.is_none_or(|(_, least)| cost < least * (1.0 - width)) {
                best = Some((i, cost));
            }
        }
        Ok(best.map(|(i, _)| i))
    }

    /// Relative rounding of two gains from one covariance: sums of n products on each side, with room for eight.
    fn tie_width(&self) -> f64 {
        8.0 * (self.problem.unknowns() + 2) as f64 * f64::EPSILON
    }
}
