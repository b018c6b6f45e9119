//! Hard thresholding step by step: certified matrices, where every step must shrink the error, and others.

use super::matrices::{COLUMNS, draw};
use super::row_of;
use nalgebra::DMatrix;
use rand::RngExt;
use rand::seq::index::sample;
use ticketsense::estimators::{RestrictedIsometry, RestrictedIsometryConstant};
use ticketsense::harness::{Cell, Context, Scale};
use ticketsense::linalg::dense::{product, thin_svd, transpose_product};
use ticketsense::linalg::norm;
use ticketsense::operators::{DenseOperator, MeasurementOperator};
use ticketsense::outcome::Status;
use ticketsense::recovery::{HardThresholdingPursuit, IterativeHardThresholding, NormalisedIht, Solver};
use ticketsense::support::largest_by;
use ticketsense::table::Row;
use ticketsense::{Result, Seed};

pub(super) const METHODS: [&str; 3] = ["iht", "htp", "niht"];
/// Steps that are looked at one by one, and steps that a run may take.
const FOLLOWED: usize = 40;
const MOST_STEPS: usize = 2_000;
/// Below this part of ‖x‖ an error is not followed: what rounding adds to a factor is then 1e-8 at most.
const FLOOR: f64 = 1e-7;
/// Relative error that counts as found.
const FOUND: f64 = 1e-8;

pub(super) fn sizes(scale: Scale) -> Vec<(&'static str, usize)> {
    let all = [
        ("flat", 15),
        ("flat", 14),
        ("projection", 15),
        ("projection", 12),
        ("gaussian", 8),
    ];
    let kept = scale.pick(&[0usize, 4][..], &[0, 1, 2, 3, 4], &[0, 1, 2, 3, 4]);
    kept.iter().map(|&i| all[i]).collect()
}

pub(super) fn rows(
    cell: &Cell,
    matrices: usize,
    trials: usize,
    context: &Context<'_>,
    seed: &Seed,
) -> Result<Vec<Row>> {
    let (family, rows) = (cell.text("family")?, cell.integer("rows")?);
    let mut out = Vec::new();
    for number in 0..matrices {
        let own = seed.replicate(number as u64);
        let unit = draw(family, rows, &own)?;
        let constants = RestrictedIsometryConstant::of_order(8).profile(&unit, &own)?.value;
        // Gaussian matrices are taken as they are: what the unit step does without a certificate.
        let as_given = family == "gaussian";
        for nonzeros in if as_given { [2, 4] } else { [1, 2] } {
            context.check()?;
            // The scale at which the constant of order 3k is least; the unit step depends on it.
            let scale = match constants.iter().find(|c| c.order == 3 * nonzeros) {
                Some(triple) if !as_given => triple.rescaled().scale,
                _ => 1.0,
            };
            let a = DenseOperator::new(unit.matrix() * scale)?;
            let [double, triple] = [2, 3].map(|times| at_scale(&constants, times * nonzeros, scale));
            let planted = plants(nonzeros, trials, &own);
            for method in METHODS {
                let factor = factor(method, double, triple);
                let mut seen = Seen::default();
                for plant in &planted {
                    seen.solve(&a, method, nonzeros, plant)?;
                    if factor.is_some() {
                        seen.follow(&a, method, nonzeros, plant)?;
                    }
                }
                out.push(row_of(&[
                    ("part", "iteration".into()),
                    ("family", family.into()),
                    ("rows", rows.into()),
                    ("columns", COLUMNS.into()),
                    ("number", number.into()),
                    ("nonzeros", nonzeros.into()),
                    ("isometry_double", double.into()),
                    ("isometry_triple", triple.into()),
                    ("method", method.into()),
                    ("factor", factor.into()),
                    ("worst", factor.map(|_| seen.worst).into()),
                    ("trials", planted.len().into()),
                    ("successes", seen.successes.into()),
                    ("diverged", seen.diverged.into()),
                    ("steps", seen.steps.into()),
                ])?);
            }
        }
    }
    Ok(out)
}

/// The upper end of the constant of an order for `scale · A`.
fn at_scale(constants: &[RestrictedIsometry], order: usize, scale: f64) -> Option<f64> {
    let found = constants.iter().find(|c| c.order == order)?;
    let square = scale * scale;
    Some((square * found.lambda_max.upper - 1.0).max(1.0 - square * found.lambda_min.lower))
}

/// The factor by which each unit step shrinks the error where it is certified to, `δ_3k < 1/√3` (Foucart 2011).
fn factor(method: &str, double: Option<f64>, triple: Option<f64>) -> Option<f64> {
    let (double, triple) = (double?, triple?);
    let factor = match method {
        "iht" => 3f64.sqrt() * triple,
        "htp" if double < 1.0 => (2.0 * triple * triple / (1.0 - double * double)).sqrt(),
        _ => return None,
    };
    (factor < 1.0).then_some(factor)
}

/// A vector to be found, and one with as many nonzeros to start from.
struct Plant {
    x: Vec<f64>,
    start: Vec<f64>,
}

/// Flat, decaying and random magnitudes in turn; the start is zero, or somewhere else altogether.
fn plants(nonzeros: usize, trials: usize, seed: &Seed) -> Vec<Plant> {
    let mut rng = seed.stream("planted").rng();
    let mut sparse = |trial: usize, size: f64| {
        let mut x = vec![0.0; COLUMNS];
        for (place, j) in sample(&mut rng, COLUMNS, nonzeros).into_iter().enumerate() {
            let sign = if rng.random::<bool>() { size } else { -size };
            x[j] = sign
                * match trial % 3 {
                    0 => 1.0,
                    1 => 0.5f64.powi(4 * place as i32),
                    _ => rng.sample::<f64, _>(rand_distr::StandardNormal).abs(),
                };
        }
        x
    };
    let mut plant = |trial: usize| Plant {
        x: sparse(trial, 1.0),
        start: sparse(0, if trial.is_multiple_of(2) { 0.0 } else { 3.0 }),
    };
    (0..trials).map(&mut plant).collect()
}

/// What a method did on one matrix.
#[derive(Default)]
struct Seen {
    worst: f64,
    successes: usize,
    diverged: usize,
    steps: usize,
}

impl Seen {
    /// The solver from zero.
    fn solve(&mut self, a: &DenseOperator, method: &str, nonzeros: usize, plant: &Plant) -> Result<()> {
        let iht = IterativeHardThresholding {
            tolerance: 1e-12,
            max_iterations: MOST_STEPS,
            ..IterativeHardThresholding::new(nonzeros)
        };
        let htp = HardThresholdingPursuit {
            unit_step: true,
            ..HardThresholdingPursuit::new(nonzeros)
        };
        let niht = NormalisedIht {
            tolerance: 1e-12,
            max_iterations: MOST_STEPS,
            ..NormalisedIht::new(nonzeros)
        };
        let solver: &dyn Solver = match method {
            "iht" => &iht,
            "htp" => &htp,
            _ => &niht,
        };
        let found = solver.solve(a, &a.apply(&plant.x)?)?;
        self.successes += usize::from(distance(&found.x, &plant.x) <= FOUND * norm(&plant.x));
        self.diverged += usize::from(found.status == Status::Diverged);
        self.steps = self.steps.max(found.iterations);
        Ok(())
    }

    /// The iteration as it is defined, written out, from the plant's own start: the error of each step over that before.
    fn follow(&mut self, a: &DenseOperator, method: &str, nonzeros: usize, plant: &Plant) -> Result<()> {
        let y = a.apply(&plant.x)?;
        let mut x = plant.start.clone();
        let mut error = distance(&x, &plant.x);
        for _ in 0..FOLLOWED {
            if error <= FLOOR * norm(&plant.x) {
                break;
            }
            let residual: Vec<f64> = y.iter().zip(a.apply(&x)?).map(|(y, p)| y - p).collect();
            let moved: Vec<f64> = a.adjoint(&residual)?.iter().zip(&x).map(|(g, x)| g + x).collect();
            let support = largest_by(nonzeros, 0..COLUMNS, |j| moved[j].abs());
            x = vec![0.0; COLUMNS];
            if method == "iht" {
                support.iter().for_each(|&j| x[j] = moved[j]);
            } else {
                for (&j, value) in support.iter().zip(least_squares(a, &support, &y)?) {
                    x[j] = value;
                }
            }
            let next = distance(&x, &plant.x);
            self.worst = self.worst.max(next / error);
            error = next;
        }
        Ok(())
    }
}

/// `A_S⁺ y` by the singular values of a few independent columns.
fn least_squares(a: &DenseOperator, support: &[usize], y: &[f64]) -> Result<Vec<f64>> {
    let svd = thin_svd(&a.matrix().select_columns(support))?;
    let mut rotated = transpose_product(&svd.u, &DMatrix::from_column_slice(y.len(), 1, y))?;
    for (value, size) in rotated.iter_mut().zip(&svd.singular_values) {
        *value /= size;
    }
    Ok(product(&svd.v, &rotated)?.as_slice().to_vec())
}

fn distance(x: &[f64], y: &[f64]) -> f64 {
    norm(&x.iter().zip(y).map(|(x, y)| x - y).collect::<Vec<_>>())
}
