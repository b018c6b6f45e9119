//! Orthogonal matching pursuit on planted supports.

use super::problem::Sizes;
use super::{SWEPT, row_of};
use nalgebra::DMatrix;
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::harness::{Cell, Context};
use ticketsense::operators::{DenseOperator, MeasurementOperator};
use ticketsense::recovery::{Omp, Solver};
use ticketsense::table::Row;
use ticketsense::{Result, Seed};

/// Largest over smallest magnitude where magnitudes decay, geometrically.
const DECAY: f64 = 10.0;

/// What is planted and how it is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub sizes: Sizes,
    pub correlation: f64,
    /// Signal-to-noise ratio in decibels, infinite without noise.
    pub decibels: f64,
    pub decaying: bool,
}

impl Setting {
    /// σ² for `10 log₁₀(k/σ²)` decibels.
    fn noise_variance(&self) -> f64 {
        self.sizes.nonzeros as f64 * 10.0f64.powf(-0.1 * self.decibels)
    }

    /// Whether matching pursuit, told the number of nonzeros, finds exactly the planted support.
    pub(super) fn succeeds(&self, seed: &Seed) -> Result<bool> {
        let Sizes {
            columns,
            nonzeros,
            rows,
        } = self.sizes;
        let mut rng = seed.stream("matrix").rng();
        let mut x = DMatrix::from_fn(rows, columns, |_, _| rng.sample::<f64, _>(StandardNormal));
        if self.correlation > 0.0 {
            let fresh = (1.0 - self.correlation * self.correlation).sqrt();
            for j in 1..columns {
                for i in 0..rows {
                    x[(i, j)] = self.correlation * x[(i, j - 1)] + fresh * x[(i, j)];
                }
            }
        }
        let x = DenseOperator::new(x)?;
        let mut rng = seed.stream("weights").rng();
        let mut planted = rand::seq::index::sample(&mut rng, columns, nonzeros).into_vec();
        let mut w = vec![0.0; columns];
        for (place, &j) in planted.iter().enumerate() {
            let sign = if rng.random::<bool>() { 1.0 } else { -1.0 };
            let share = place as f64 / (nonzeros - 1).max(1) as f64;
            w[j] = if self.decaying { sign * DECAY.powf(-share) } else { sign };
        }
        planted.sort_unstable();
        let mut y = x.apply(&w)?;
        let deviation = self.noise_variance().sqrt();
        let mut rng = seed.stream("noise").rng();
        y.iter_mut()
            .for_each(|v| *v += deviation * rng.sample::<f64, _>(StandardNormal));
        let solver = Omp {
            max_support: Some(nonzeros),
            ..Omp::default()
        };
        Ok(solver.solve(&x, &y)?.support == planted)
    }

    fn row(&self, part: &str, rule: &str, trials: usize, context: &Context<'_>, seed: &Seed) -> Result<Row> {
        let mut successes = 0usize;
        for trial in 0..trials {
            context.check()?;
            successes += usize::from(self.succeeds(&seed.replicate(trial as u64))?);
        }
        row_of(&[
            ("part", part.into()),
            ("rule", rule.into()),
            ("drawn", if self.decaying { "decaying" } else { "flat" }.into()),
            ("columns", self.sizes.columns.into()),
            ("nonzeros", self.sizes.nonzeros.into()),
            ("rows", self.sizes.rows.into()),
            ("theta", self.sizes.theta()?.into()),
            ("correlation", self.correlation.into()),
            ("decibels", self.decibels.into()),
            ("trials", trials.into()),
            ("successes", successes.into()),
        ])
    }
}

/// Without noise on independent columns.
pub(super) fn recovery(cell: &Cell, trials: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let rule = cell.text("rule")?;
    let setting = Setting {
        sizes: Sizes::at(rule, cell.integer("columns")?, cell.real("theta")?)?,
        correlation: 0.0,
        decibels: f64::INFINITY,
        decaying: cell.text("magnitudes")? == "decaying",
    };
    Ok(vec![setting.row("pursuit", rule, trials, context, seed)?])
}

/// One signal-to-noise ratio and correlation.
pub(super) fn sweep(cell: &Cell, trials: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let setting = Setting {
        sizes: Sizes::at("sublinear", cell.integer("columns")?, SWEPT)?,
        correlation: cell.real("correlation")?,
        decibels: cell.real("decibels")?,
        decaying: false,
    };
    Ok(vec![setting.row("sweep", "sublinear", trials, context, seed)?])
}
