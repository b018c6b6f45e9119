//! Orthogonal matching pursuit for all units of a layer at once, through one Gram matrix.

use super::layer::{DEPENDENT, LayerSensing, subtract_scaled};
use crate::linalg::cholesky::UpdatableCholesky;
use crate::linalg::dot;
use crate::outcome::Status;
use nalgebra::DMatrix;

/// One unit on its way.
struct Pursuit<'a> {
    target: &'a [f64],
    /// `Âᵀz`, on unit columns.
    right: &'a [f64],
    length: f64,
    order: Vec<usize>,
    factor: UpdatableCholesky,
    /// `Âᵀr`.
    correlations: Vec<f64>,
    usable: Vec<bool>,
    /// The residual is rounding.
    explained: bool,
}

impl<'a> Pursuit<'a> {
    fn new(target: &'a [f64], right: &'a [f64], length: f64) -> Self {
        Pursuit {
            target,
            right,
            length,
            order: Vec::new(),
            factor: UpdatableCholesky::new(),
            correlations: right.to_vec(),
            usable: vec![true; right.len()],
            explained: length == 0.0,
        }
    }

    /// The usable column of largest correlation, ties by index; none when all that is left is rounding.
    fn best(&self) -> Option<(usize, f64)> {
        // A correlation is a sum of as many products as there are samples, corrected by one for every chosen column.
        let terms = (self.target.len() + 2 * self.order.len()) as f64;
        let noise = 8.0 * terms.sqrt() * f64::EPSILON * self.length;
        let mut best: Option<(usize, f64)> = None;
        for (c, correlation) in self.correlations.iter().enumerate() {
            let score = correlation.abs();
            if self.usable[c] && score > best.map_or(noise, |(_, leader)| leader) {
                best = Some((c, score));
            }
        }
        best.filter(|_| !self.explained)
    }

    /// Takes a column unless it depends on the chosen ones, and fits anew.
    fn take(&mut self, layer: &LayerSensing, c: usize) -> bool {
        self.usable[c] = false;
        let gram = layer.gram();
        let cross: Vec<f64> = self.order.iter().map(|&i| gram[(i, c)]).collect();
        if !self.factor.append(&cross, gram[(c, c)], DEPENDENT).accepted {
            return false;
        }
        self.order.push(c);
        let mut values: Vec<f64> = self.order.iter().map(|&i| self.right[i]).collect();
        self.factor.solve_in_place(&mut values);
        let mut residual = self.target.to_vec();
        self.correlations.copy_from_slice(self.right);
        for (&i, &v) in self.order.iter().zip(&values) {
            subtract_scaled(v, layer.unit().column(i).as_slice(), &mut residual);
            subtract_scaled(v, gram.column(i).as_slice(), &mut self.correlations);
        }
        let floor = 16.0 * (self.order.len() + 1) as f64 * f64::EPSILON * self.length;
        self.explained = dot(&residual, &residual).sqrt() <= floor;
        true
    }
}

/// The units of a layer.
pub(super) struct Pursuits<'a> {
    layer: &'a LayerSensing,
    units: Vec<Pursuit<'a>>,
}

impl<'a> Pursuits<'a> {
    pub fn new(
        layer: &'a LayerSensing,
        targets: &'a DMatrix<f64>,
        right: &'a DMatrix<f64>,
        lengths: &'a [f64],
    ) -> Self {
        let samples = layer.samples();
        let live = layer.live().len();
        let unit = |u: usize| {
            let right = &right.as_slice()[u * live..(u + 1) * live];
            Pursuit::new(&targets.as_slice()[u * samples..(u + 1) * samples], right, lengths[u])
        };
        Pursuits {
            layer,
            units: (0..lengths.len()).map(unit).collect(),
        }
    }

    /// Picks until `count` are taken, at most `budgets[u]` in unit u.
    pub fn run(&mut self, budgets: &[usize], count: usize) -> Status {
        let mut heads: Vec<Option<(usize, f64)>> = self.units.iter().map(Pursuit::best).collect();
        let mut taken = 0;
        while taken < count {
            let mut leader: Option<(usize, usize, f64)> = None;
            for (u, head) in heads.iter().enumerate() {
                if let Some((c, score)) = head.filter(|_| self.units[u].order.len() < budgets[u])
                    && leader.is_none_or(|(_, _, best)| score > best)
                {
                    leader = Some((u, c, score));
                }
            }
            let Some((u, c, _)) = leader else {
                let open = |u: &usize| self.units[*u].order.len() < budgets[*u];
                let explained = (0..self.units.len()).filter(open).all(|u| self.units[u].explained);
                return if explained {
                    Status::ResidualReached
                } else {
                    Status::Exhausted
                };
            };
            taken += usize::from(self.units[u].take(self.layer, c));
            heads[u] = self.units[u].best();
        }
        Status::SupportFull
    }

    /// The chosen columns of every unit, in the order of the picks.
    pub fn chosen(self) -> Vec<Vec<usize>> {
        self.units.into_iter().map(|unit| unit.order).collect()
    }
}
