//! Both methods in a linear model: elimination by magnitude, and hard thresholding with an adaptive step.

use super::super::comparison::Line;
use super::{COLUMNS, LINEAR, ORTHONORMAL};
use rand::RngExt;
use rand::seq::index::sample;
use rand_distr::StandardNormal;
use ticketsense::harness::{Cell, Context};
use ticketsense::linalg::dense::thin_qr;
use ticketsense::operators::{CorrelatedGaussianEnsemble, DenseOperator, MeasurementOperator};
use ticketsense::pruning::{BackwardElimination, EliminationProblem};
use ticketsense::recovery::{Groups, NormalisedIht, Solver};
use ticketsense::table::Row;
use ticketsense::{Result, Seed};

/// Unknowns, and how many of them are ±1 instead of 0.
pub const UNKNOWNS: usize = 60;
pub const NONZEROS: usize = 8;
/// Rounds of pruning: 18 % of what is left in each.
const ROUNDS: usize = 10;
/// Length of the noise beside columns of length 1.
const NOISE: f64 = 0.3;

/// A design of unit columns.
pub fn design(kind: &str, rows: usize, correlation: f64, seed: &Seed) -> Result<DenseOperator> {
    let ensemble = CorrelatedGaussianEnsemble {
        rows,
        columns: UNKNOWNS,
        correlation,
    };
    let mut matrix = ensemble.draw(seed)?.matrix().clone();
    if kind == ORTHONORMAL {
        return DenseOperator::new(thin_qr(&matrix)?.q);
    }
    for mut column in matrix.column_iter_mut() {
        let length = column.norm();
        column.unscale_mut(length);
    }
    DenseOperator::new(matrix)
}

/// What both methods find of one problem.
#[derive(Clone, Debug)]
pub struct Found {
    pub truth: Vec<usize>,
    pub imp: Vec<usize>,
    pub iht: Vec<usize>,
    pub imp_products: f64,
    pub iht_products: f64,
    pub settled: bool,
}

/// Draws a problem and gives it to both.
pub fn solve(kind: &str, rows: usize, correlation: f64, seed: &Seed) -> Result<Found> {
    let a = design(kind, rows, correlation, seed)?;
    let mut rng = seed.stream("signal").rng();
    let mut truth: Vec<usize> = sample(&mut rng, UNKNOWNS, NONZEROS).into_vec();
    truth.sort_unstable();
    let mut x = vec![0.0; UNKNOWNS];
    for &j in &truth {
        x[j] = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
    }
    let scale = NOISE / (rows as f64).sqrt();
    let mut b = a.apply(&x)?;
    for value in &mut b {
        let g: f64 = rng.sample(StandardNormal);
        *value += scale * g;
    }
    let imp = BackwardElimination::new(ROUNDS).run(&EliminationProblem {
        operator: &a,
        b: &b,
        prior: &[0.0; UNKNOWNS],
        alpha: 0.0,
        groups: &Groups::new(vec![0; UNKNOWNS], vec![NONZEROS])?,
    })?;
    // The columns have length 1 already. Two thousand steps cost more products than pruning ever takes here.
    let iht = NormalisedIht::new(NONZEROS).solve(&a, &b)?;
    Ok(Found {
        truth,
        imp: imp.support,
        iht: iht.support,
        imp_products: imp.applications,
        iht_products: iht.applications,
        settled: iht.status.is_success(),
    })
}

pub fn run(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let (kind, rows, correlation) = (cell.text("design")?, cell.integer("rows")?, cell.real("correlation")?);
    let trials = context.scale().pick(20, 400, 2000);
    let mut problems = Vec::with_capacity(trials);
    for t in 0..trials {
        context.check()?;
        problems.push(solve(kind, rows, correlation, &context.seed(cell).replicate(t as u64))?);
    }
    let count = |which: &dyn Fn(&Found) -> bool| problems.iter().filter(|p| which(p)).count();
    let mean = |value: &dyn Fn(&Found) -> f64| problems.iter().map(value).sum::<f64>() / trials as f64;
    let share =
        |found: &[usize], p: &Found| found.iter().filter(|j| p.truth.contains(j)).count() as f64 / NONZEROS as f64;
    let row = Line::new(LINEAR, 0, "both", NONZEROS as f64 / UNKNOWNS as f64)
        .with("design", kind)
        .with("correlation", correlation)
        .with("rows", rows)
        .with("trials", trials)
        .with("imp_exact", count(&|p| p.imp == p.truth))
        .with("iht_exact", count(&|p| p.iht == p.truth))
        .with("only_imp", count(&|p| p.imp == p.truth && p.iht != p.truth))
        .with("only_iht", count(&|p| p.imp != p.truth && p.iht == p.truth))
        .with("same_support", count(&|p| p.imp == p.iht))
        .with("imp_share", mean(&|p| share(&p.imp, p)))
        .with("iht_share", mean(&|p| share(&p.iht, p)))
        .with("imp_products", mean(&|p| p.imp_products))
        .with("iht_products", mean(&|p| p.iht_products))
        .with("iht_settled", count(&|p| p.settled));
    Ok(vec![row.row(&COLUMNS)?])
}
