//! The size of nonzeros in an orthogonal design: the LASSO on Hadamard's columns, and the closed form at any size.

use super::row_of;
use nalgebra::DMatrix;
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::harness::{Cell, Context};
use ticketsense::operators::{DenseOperator, MeasurementOperator};
use ticketsense::recovery::{Lasso, Penalty, Solver};
use ticketsense::support::largest_by;
use ticketsense::table::Row;
use ticketsense::theory::beta_min::OrthogonalDesign;
use ticketsense::{Result, Seed};

/// Sizes of the nonzeros over σ/√n.
pub(super) const SIGNALS: [f64; 9] = [1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0];
/// Rows and columns.
const ORDER: usize = 64;
const NONZEROS: usize = 6;
/// Standard deviation of the noise: any, the rest is in its units.
const NOISE: f64 = 0.7;
/// Penalties: the best for the size of the nonzeros, and one for all.
pub(super) const PENALTIES: [&str; 2] = ["best", "fixed"];
const FIXED: f64 = 3.0;

pub(super) fn recovery(cell: &Cell, trials: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let signal = cell.real("signal")?;
    let design = OrthogonalDesign::new(ORDER as u64, NONZEROS as u64)?;
    // Columns of squared length n, as the scaling by n asks.
    let x = DMatrix::from_fn(
        ORDER,
        ORDER,
        |i, j| if (i & j).count_ones() % 2 == 1 { -1.0 } else { 1.0 },
    );
    let x = DenseOperator::new(x)?;
    let unit = NOISE / (ORDER as f64).sqrt();
    let mut out = Vec::new();
    for name in PENALTIES {
        let penalty = if name == "best" {
            design.best_cut(signal).0
        } else {
            FIXED
        };
        let (mut successes, mut thresholded) = (0, 0);
        for trial in 0..trials {
            context.check()?;
            // Every penalty has problems of its own, so that the counts are independent.
            let mut rng = seed.stream(name).replicate(trial as u64).rng();
            let mut support = rand::seq::index::sample(&mut rng, ORDER, NONZEROS).into_vec();
            support.sort_unstable();
            let mut w = vec![0.0; ORDER];
            for &j in &support {
                w[j] = if rng.random::<bool>() {
                    signal * unit
                } else {
                    -signal * unit
                };
            }
            let mut y = x.apply(&w)?;
            y.iter_mut()
                .for_each(|v| *v += NOISE * rng.sample::<f64, _>(StandardNormal));
            let solver = Lasso {
                tolerance: 1e-10,
                ..Lasso::new(Penalty::Absolute(ORDER as f64 * penalty * unit))
            };
            let answer = solver.solve(&x, &y)?;
            let signs = support.iter().all(|&j| answer.x[j] * w[j] > 0.0);
            successes += usize::from(answer.support == support && signs);
            let fit = x.adjoint(&y)?;
            let mut largest = largest_by(NONZEROS, 0..ORDER, |j| fit[j].abs());
            largest.sort_unstable();
            thresholded += usize::from(largest == support);
        }
        out.push(row_of(&[
            ("part", "signal".into()),
            ("family", name.into()),
            ("rows", ORDER.into()),
            ("columns", ORDER.into()),
            ("nonzeros", NONZEROS.into()),
            ("signal", signal.into()),
            ("penalty", penalty.into()),
            ("trials", trials.into()),
            ("successes", successes.into()),
            ("thresholded", thresholded.into()),
            ("probability", design.signed_recovery(signal, penalty).into()),
            ("largest_probability", design.largest_recovery(signal).into()),
        ])?);
    }
    Ok(out)
}

/// The closed form for p up to 2⁴⁸, with k = √p and k = 4.
pub(super) fn thresholds() -> Result<Vec<Row>> {
    let mut out = Vec::new();
    for exponent in [8u32, 12, 16, 20, 24, 32, 40, 48] {
        let columns = 1u64 << exponent;
        for (name, nonzeros) in [("k = √p", 1u64 << (exponent / 2)), ("k = 4", 4)] {
            let design = OrthogonalDesign::new(columns, nonzeros)?;
            out.push(row_of(&[
                ("part", "threshold".into()),
                ("family", name.into()),
                ("columns", columns.into()),
                ("nonzeros", nonzeros.into()),
                ("half_point", design.half_point().into()),
                ("threshold", design.threshold().into()),
                ("bounded", design.bounded_threshold().into()),
            ])?);
        }
    }
    Ok(out)
}
