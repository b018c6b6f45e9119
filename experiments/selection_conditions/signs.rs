//! The LASSO on three columns, the third a mixture of the two that matter: its irrepresentable value depends on the signs.

use super::row_of;
use nalgebra::DMatrix;
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::estimators::{ColumnGram, irrepresentable_value};
use ticketsense::harness::{Cell, Context};
use ticketsense::operators::DenseOperator;
use ticketsense::recovery::{Lasso, Penalty, Solver};
use ticketsense::table::Row;
use ticketsense::{Result, Seed};

/// Standard deviation of the noise.
const NOISE: f64 = 0.5;
/// Trials in which the solver is run beside the witness.
const CHECKED: usize = 20;

/// What the LASSO makes of one problem.
struct Outcome {
    found: bool,
    thresholded: bool,
    disagrees: bool,
}

pub(super) fn recovery(cell: &Cell, trials: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let (value, rows) = (cell.real("value")?, cell.integer("rows")?);
    // Below its bound by the nonzeros, and above noise of σ/√n by a factor that grows.
    let penalty = (rows as f64).powf(-0.25);
    let mut out = Vec::new();
    for (name, signs) in [("equal", [1.0, 1.0]), ("opposite", [1.0, -1.0])] {
        let (mut successes, mut thresholded, mut disagreements) = (0, 0, 0);
        for trial in 0..trials {
            context.check()?;
            let outcome = attempt(
                value,
                rows,
                penalty,
                signs,
                trial < CHECKED,
                &seed.replicate(trial as u64),
            )?;
            successes += usize::from(outcome.found);
            thresholded += usize::from(outcome.thresholded);
            disagreements += usize::from(outcome.disagrees);
        }
        let mixed = 0.5 * value;
        let population = DMatrix::from_row_slice(3, 3, &[1.0, 0.0, mixed, 0.0, 1.0, mixed, mixed, mixed, 1.0]);
        let condition = irrepresentable_value(&ColumnGram::given(&population)?, &[0, 1], &signs)?;
        out.push(row_of(&[
            ("part", "signs".into()),
            ("family", format!("{value:.3}").into()),
            ("signs", name.into()),
            ("rows", rows.into()),
            ("columns", 3.into()),
            ("nonzeros", 2.into()),
            // Exactly what the design was made for: rounding must not push 1 over the edge.
            (
                "irrepresentable",
                if condition.value < 1e-12 { 0.0 } else { value }.into(),
            ),
            ("penalty", penalty.into()),
            ("trials", trials.into()),
            ("successes", successes.into()),
            ("thresholded", thresholded.into()),
            ("disagreements", disagreements.into()),
        ])?);
    }
    Ok(out)
}

/// `½n⁻¹‖y − Xw‖² + λ‖w‖₁` with the third column `½v(x₁ + x₂) + √(1 − ½v²) e`, by the primal-dual witness.
fn attempt(value: f64, rows: usize, penalty: f64, signs: [f64; 2], check: bool, seed: &Seed) -> Result<Outcome> {
    let mut rng = seed.stream("design").rng();
    let own = (1.0 - 0.5 * value * value).sqrt();
    let mut x = DMatrix::zeros(rows, 3);
    let mut y = vec![0.0; rows];
    for (i, y) in y.iter_mut().enumerate() {
        let [a, b, e, noise]: [f64; 4] = std::array::from_fn(|_| rng.sample(StandardNormal));
        x[(i, 0)] = a;
        x[(i, 1)] = b;
        x[(i, 2)] = 0.5 * value * (a + b) + own * e;
        *y = signs[0] * a + signs[1] * b + NOISE * noise;
    }
    let n = rows as f64;
    let inner = |i: usize, j: usize| x.column(i).dot(&x.column(j)) / n;
    let with = |i: usize| x.column(i).iter().zip(&y).map(|(x, y)| x * y).sum::<f64>() / n;
    // The minimiser on the two columns that matter, were its signs right.
    let (p, q, r) = (inner(0, 0), inner(0, 1), inner(1, 1));
    let right = [with(0) - penalty * signs[0], with(1) - penalty * signs[1]];
    let determinant = p * r - q * q;
    let w = [
        (r * right[0] - q * right[1]) / determinant,
        (p * right[1] - q * right[0]) / determinant,
    ];
    let left = with(2) - inner(2, 0) * w[0] - inner(2, 1) * w[1];
    let found = w[0] * signs[0] > 0.0 && w[1] * signs[1] > 0.0 && left.abs() < penalty;
    let gram = DMatrix::from_fn(3, 3, inner);
    let fit = gram.lu().solve(&nalgebra::DVector::from_fn(3, |i, _| with(i)));
    let thresholded = fit.is_some_and(|fit| fit[2].abs() < fit[0].abs().min(fit[1].abs()));
    let disagrees = check && {
        let solver = Lasso {
            tolerance: 1e-12,
            ..Lasso::new(Penalty::Absolute(n * penalty))
        };
        let answer = solver.solve(&DenseOperator::new(x)?, &y)?;
        let same = answer.support == [0, 1] && answer.x[0] * signs[0] > 0.0 && answer.x[1] * signs[1] > 0.0;
        same != found
    };
    Ok(Outcome {
        found,
        thresholded,
        disagrees,
    })
}
