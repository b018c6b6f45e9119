//! A sparse point with its residual, and what moves between two of them.

use super::common::{residual_into, scatter};
use super::{Certificate, Recovery};
use crate::linalg::{dot, norm};
use crate::operators::MeasurementOperator;
use crate::outcome::{Progress, Status};

/// A sparse iterate with its residual `y − A x`.
#[derive(Clone, Debug)]
pub(super) struct Iterate {
    /// Positions of the nonzeros, ascending.
    pub support: Vec<usize>,
    /// The values there, none of them 0.
    pub values: Vec<f64>,
    /// The residual.
    pub r: Vec<f64>,
}

impl Iterate {
    /// The point 0.
    pub fn zero(y: &[f64]) -> Self {
        Iterate {
            support: Vec::new(),
            values: Vec::new(),
            r: y.to_vec(),
        }
    }

    /// Moves to the entries of `dense` on `support` that are not zero, with the residual from scratch.
    pub fn set(&mut self, a: &dyn MeasurementOperator, y: &[f64], support: &[usize], dense: &[f64]) {
        self.support.clear();
        self.support.extend(support.iter().filter(|&&j| dense[j] != 0.0));
        self.values.clear();
        self.values.extend(self.support.iter().map(|&j| dense[j]));
        residual_into(a, y, &self.support, &self.values, &mut self.r);
    }

    /// Moves to another point, keeping the memory.
    pub fn copy_from(&mut self, other: &Iterate) {
        self.support.clone_from(&other.support);
        self.values.clone_from(&other.values);
        self.r.clone_from(&other.r);
    }

    /// `dense ← dense + x`.
    pub fn add_to(&self, dense: &mut [f64]) {
        for (&j, &v) in self.support.iter().zip(&self.values) {
            dense[j] += v;
        }
    }

    /// `½‖y − A x‖²`.
    pub fn objective(&self) -> f64 {
        0.5 * dot(&self.r, &self.r)
    }

    /// What an observer is told at this point.
    pub fn progress(&self, iteration: usize) -> Progress {
        Progress {
            iteration,
            objective: self.objective(),
            nonzeros: self.support.len(),
        }
    }

    /// The answer at this point.
    pub fn into_recovery(self, columns: usize, status: Status, iterations: usize, applications: f64) -> Recovery {
        let residual_norm = norm(&self.r);
        Recovery {
            x: scatter(columns, &self.support, &self.values),
            support: self.support,
            status,
            iterations,
            applications,
            objective: 0.5 * residual_norm * residual_norm,
            residual_norm,
            certificate: Certificate::None,
        }
    }
}

/// The difference of two iterates, as a sparse vector whose memory is used again.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Positions in either support, ascending.
    pub support: Vec<usize>,
    /// The differences there.
    pub values: Vec<f64>,
}

impl Difference {
    /// Takes `later − earlier`, and returns its length.
    pub fn take(&mut self, later: &Iterate, earlier: &Iterate) -> f64 {
        let (mut i, mut j) = (0, 0);
        self.support.clear();
        self.values.clear();
        while i < later.support.len() || j < earlier.support.len() {
            let here = later.support.get(i).copied().unwrap_or(usize::MAX);
            let there = earlier.support.get(j).copied().unwrap_or(usize::MAX);
            let mut value = 0.0;
            if here <= there {
                value += later.values[i];
                i += 1;
            }
            if there <= here {
                value -= earlier.values[j];
                j += 1;
            }
            self.support.push(here.min(there));
            self.values.push(value);
        }
        norm(&self.values)
    }
}
