//! Which Gram matrix says whether the logistic LASSO finds the signed support of its teacher?

use super::{BATCH, row_of};
use nalgebra::DMatrix;
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::estimators::{ColumnGram, irrepresentable_value};
use ticketsense::harness::{Cell, Context};
use ticketsense::operators::{DenseOperator, MeasurementOperator};
use ticketsense::recovery::{LogisticLasso, Penalty, Solver};
use ticketsense::statistics::Summary;
use ticketsense::table::Row;
use ticketsense::{Result, Seed};

/// Inputs of the teacher: Gaussian, or what a hidden layer of rectifiers makes of a Gaussian.
pub(super) const FAMILIES: [&str; 2] = ["gaussian", "rectified"];
const COLUMNS: usize = 5;
const NONZEROS: usize = 2;
/// Size of the teacher's weights, for inputs of mean square 1.
const SIZE: f64 = 3.0;
/// Rows behind a population's Gram matrix.
const POPULATION: usize = 4000;
/// Parts of it for a standard error.
pub(super) const PARTS: usize = 10;
/// Rows of one problem.
const ROWS: usize = 4000;
/// Problems a design.
const REPEATED: usize = 5;
/// Penalties over the number of rows; one that finds the signed support is enough.
const PENALTIES: [f64; 3] = [0.03, 0.02, 0.012];
/// How far both values of a discordant design lie from 1.
const APART: f64 = 0.1;
/// Designs that are looked at for a discordant one.
const LOOKED_AT: usize = 100;

/// A design: how inputs are made, and the teacher.
struct Design {
    rectified: bool,
    mixing: DMatrix<f64>,
    scales: Vec<f64>,
    weights: Vec<f64>,
}

impl Design {
    fn draw(rectified: bool, seed: &Seed) -> Self {
        let mut rng = seed.stream("teacher").rng();
        let mixing = DMatrix::from_fn(COLUMNS, COLUMNS, |_, _| rng.sample::<f64, _>(StandardNormal));
        let mut weights = vec![0.0; COLUMNS];
        for w in &mut weights[..NONZEROS] {
            *w = if rng.random::<bool>() { SIZE } else { -SIZE };
        }
        // The mean square of bᵀz is ‖b‖², half that of its positive part.
        let share = if rectified { 0.5 } else { 1.0 };
        let scales = mixing
            .row_iter()
            .map(|b| 1.0 / (share * b.norm_squared()).sqrt())
            .collect();
        Design {
            rectified,
            mixing,
            scales,
            weights,
        }
    }

    fn inputs(&self, rows: usize, seed: &Seed) -> Result<DenseOperator> {
        let mut rng = seed.stream("inputs").rng();
        let z = DMatrix::from_fn(COLUMNS, rows, |_, _| rng.sample::<f64, _>(StandardNormal));
        let mut x = (&self.mixing * z).transpose();
        for (mut column, scale) in x.column_iter_mut().zip(&self.scales) {
            column.iter_mut().for_each(|v| {
                let kept = if self.rectified { v.max(0.0) } else { *v };
                *v = scale * kept;
            });
        }
        DenseOperator::new(x)
    }

    /// The irrepresentable value by the Fisher information at the teacher, and by the plain Gram matrix.
    fn values(&self, seed: &Seed) -> Result<[f64; 2]> {
        self.values_on(self.inputs(POPULATION, seed)?)
    }

    fn values_on(&self, x: DenseOperator) -> Result<[f64; 2]> {
        let variance = |t: f64| 0.25 / (0.5 * t).cosh().powi(2);
        let weights: Vec<f64> = x.apply(&self.weights)?.into_iter().map(variance).collect();
        let support: Vec<usize> = (0..NONZEROS).collect();
        let signs: Vec<f64> = self.weights[..NONZEROS].iter().map(|w| w.signum()).collect();
        let value = |gram: &ColumnGram| irrepresentable_value(gram, &support, &signs).map(|v| v.value);
        Ok([
            value(&ColumnGram::weighted(&x, &weights)?)?,
            value(&ColumnGram::of(&x)?)?,
        ])
    }

    /// The difference of the two values on independent parts of a population: its mean and the standard error of that.
    fn difference(&self, seed: &Seed) -> Result<(f64, f64)> {
        let each: Result<Vec<f64>> = (0..PARTS)
            .map(|part| {
                let x = self.inputs(POPULATION / PARTS, &seed.replicate(part as u64))?;
                self.values_on(x).map(|[fisher, plain]| fisher - plain)
            })
            .collect();
        let summary = Summary::of(&each?)?;
        Ok((summary.mean, summary.standard_error()))
    }

    /// Whether some penalty finds the signed support from fresh rows.
    fn found(&self, seed: &Seed) -> Result<bool> {
        let x = self.inputs(ROWS, seed)?;
        let mut rng = seed.stream("labels").rng();
        let odds = x.apply(&self.weights)?;
        let labels: Vec<f64> = odds
            .iter()
            .map(|t| {
                if rng.random::<f64>() < 1.0 / (1.0 + (-t).exp()) {
                    1.0
                } else {
                    -1.0
                }
            })
            .collect();
        for penalty in PENALTIES {
            let answer = LogisticLasso::new(Penalty::Absolute(penalty * ROWS as f64)).solve(&x, &labels)?;
            let agree = |(x, w): (&f64, &f64)| (x * w > 0.0) || (*x == 0.0 && *w == 0.0);
            if answer.x.iter().zip(&self.weights).all(agree) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn discordant([fisher, plain]: [f64; 2]) -> bool {
    (fisher < 1.0) != (plain < 1.0) && (fisher - 1.0).abs() > APART && (plain - 1.0).abs() > APART
}

pub(super) fn designs(cell: &Cell, count: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let family = cell.text("family")?;
    let (mut any, mut apart) = (Vec::new(), Vec::new());
    for number in 0..LOOKED_AT {
        if any.len() == count && apart.len() == count {
            break;
        }
        context.check()?;
        let seed = seed.replicate(number as u64);
        let design = Design::draw(family == "rectified", &seed);
        let values = design.values(&seed.stream("population"))?;
        // Chosen by the two values alone, before any outcome is known.
        if any.len() < count {
            any.push((design, values, seed));
        } else if discordant(values) && apart.len() < count {
            apart.push((design, values, seed));
        }
    }
    let mut out = Vec::new();
    for (chosen, designs) in [("any", any), ("discordant", apart)] {
        for (number, (design, [fisher, plain], seed)) in designs.into_iter().enumerate() {
            let mut successes = 0usize;
            for problem in 0..REPEATED {
                context.check()?;
                let seed = seed.stream("problem").replicate(problem as u64);
                successes += usize::from(design.found(&seed)?);
            }
            let (difference, error) = design.difference(&seed.stream("parts"))?;
            out.push(row_of(&[
                ("part", "logistic".into()),
                ("family", family.into()),
                ("chosen", chosen.into()),
                ("replicate", (cell.integer("batch")? * BATCH + number).into()),
                ("rows", ROWS.into()),
                ("columns", COLUMNS.into()),
                ("nonzeros", NONZEROS.into()),
                ("irrepresentable", fisher.into()),
                ("unweighted", plain.into()),
                ("difference", difference.into()),
                ("difference_error", error.into()),
                ("trials", REPEATED.into()),
                ("successes", successes.into()),
            ])?);
        }
    }
    Ok(out)
}
