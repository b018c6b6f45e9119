//! Small matrices with enumerated constants: errors against bounds, for random problems and for the worst that a search
//! finds.

use super::problems::{Answer, Norms, Problem, direction, gap, magnitudes, placed, scale_to, solve, stream};
use super::row_of;
use nalgebra::DMatrix;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use ticketsense::estimators::{RestrictedIsometry, RestrictedIsometryConstant};
use ticketsense::harness::{Cell, Context};
use ticketsense::linalg::dense::thin_qr;
use ticketsense::linalg::norm;
use ticketsense::operators::{DenseOperator, MeasurementOperator};
use ticketsense::table::Row;
use ticketsense::theory::stable_recovery::{
    Contraction, StableRecovery, basis_pursuit, hard_thresholding_pursuit, iterative_hard_thresholding,
};
use ticketsense::{Error, Result, Seed};

/// A kind of matrix, and the numbers of nonzeros tried on it.
#[derive(Debug)]
pub(super) struct Family {
    pub kind: &'static str,
    rows: usize,
    columns: usize,
    nonzeros: &'static [usize],
}

/// Few rows are missing, since so small matrices certify nothing else: δ of columns of a tight frame is at least the share of
/// rows that are missing, times the order.
pub(super) const MATRICES: [Family; 4] = [
    Family {
        kind: "tight",
        rows: 15,
        columns: 16,
        nonzeros: &[1, 2, 3, 4],
    },
    Family {
        kind: "tight",
        rows: 23,
        columns: 24,
        nonzeros: &[1, 2, 3],
    },
    Family {
        kind: "random",
        rows: 18,
        columns: 20,
        nonzeros: &[1, 2],
    },
    Family {
        kind: "random",
        rows: 21,
        columns: 24,
        nonzeros: &[1, 2],
    },
];

const SIGNALS: [&str; 3] = ["sparse", "flat", "power"];
const NOISES: [f64; 4] = [0.0, 0.01, 0.1, 0.5];

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    pub trials: u64,
    pub search: usize,
}

/// Rows of an orthogonal matrix: those that leave out the flat vector alone, or random ones.
fn drawn(family: &Family, seed: &Seed) -> Result<DMatrix<f64>> {
    let mut rng = stream(seed, "matrix", 0);
    let flat = family.kind == "tight";
    // The first columns are those that will be missing.
    let start = DMatrix::from_fn(family.columns, family.columns, |_, j| {
        if flat && j == 0 {
            1.0
        } else {
            rng.sample(StandardNormal)
        }
    });
    let orthogonal = thin_qr(&start)?.q;
    let missing = family.columns - family.rows;
    Ok(orthogonal.columns(missing, family.rows).transpose())
}

/// What is proven of a method on a matrix.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    Convex(StableRecovery),
    Iteration(Contraction),
}

impl Bound {
    /// The bound of the error of an answer, with what the solver fell short of: a gap makes the answer longer than the
    /// signal by as much at most, and a residual beyond the noise's norm widens the tube.
    pub(super) fn of(&self, problem: &Problem, nonzeros: usize, answer: &Answer) -> Result<f64> {
        let (norms, noise) = (Norms::of(&problem.signal, nonzeros), norm(&problem.noise));
        match self {
            Bound::Convex(constants) => {
                let root = (nonzeros as f64).sqrt();
                let reach = 0.5 * (noise + answer.recovery.residual_norm.max(noise));
                let length = norms.tail_l1 + 0.5 * gap(&answer.recovery);
                Ok(constants.compressibility * length / root + constants.noise * reach)
            }
            // The last iterate may be the one before the count.
            Bound::Iteration(contraction) => contraction.bound(
                answer.recovery.iterations.saturating_sub(1) as u32,
                nonzeros as u64,
                norms.head,
                (norms.tail_l2, norms.tail_l1),
                noise,
            ),
        }
    }
}

/// A matrix scaled for a method, with its constants.
pub(super) struct Instance {
    pub operator: DenseOperator,
    pub second: f64,
    pub third: Option<f64>,
    pub bound: Option<Bound>,
}

/// The constant of a multiple of the matrix, upper end: eigenvalues scale by the square.
fn scaled_constant(found: &RestrictedIsometry, scale: f64) -> f64 {
    let square = scale * scale;
    let outwards = 8.0 * f64::EPSILON;
    (square * found.lambda_max.upper - 1.0).max(1.0 - square * found.lambda_min.lower) + outwards
}

/// The scaling that makes the deciding constant smallest: δ_2k for basis pursuit, δ_3k for thresholding.
pub(super) fn instance(matrix: &DMatrix<f64>, method: &str, nonzeros: usize) -> Result<Instance> {
    let plain = DenseOperator::new(matrix.clone())?;
    let order = if method == "iht" || method == "htp" { 3 } else { 2 } * nonzeros;
    let profile = RestrictedIsometryConstant::of_order(order)
        .profile(&plain, &Seed::root(0))?
        .value;
    let (Some(last), Some(second)) = (profile.last(), profile.get(2 * nonzeros - 1)) else {
        return Err(Error::argument("order", "within the profile", order));
    };
    let scale = last.rescaled().scale;
    let operator = DenseOperator::new(matrix * scale)?;
    let (second, deciding) = (scaled_constant(second, scale), scaled_constant(last, scale));
    // The condition fails where the closed form refuses the constants.
    let bound = match method {
        "iht" => iterative_hard_thresholding(second.min(deciding), deciding).map(Bound::Iteration),
        "htp" => hard_thresholding_pursuit(second.min(deciding), deciding).map(Bound::Iteration),
        _ => basis_pursuit(deciding).map(Bound::Convex),
    };
    Ok(Instance {
        operator,
        second,
        third: (order == 3 * nonzeros).then_some(deciding),
        bound: bound.ok(),
    })
}

/// One problem and how near its error came to the bound.
struct Judged {
    problem: Problem,
    error: f64,
    bound: f64,
    tail: f64,
}

impl Judged {
    fn ratio(&self) -> f64 {
        // Nothing left to explain: an exact answer is no violation.
        if self.error == 0.0 {
            0.0
        } else {
            self.error / self.bound
        }
    }
}

fn judge(instance: &Instance, bound: Bound, method: &str, nonzeros: usize, problem: Problem) -> Result<Judged> {
    let answer = solve(&instance.operator, &problem, method, nonzeros, true)?;
    Ok(Judged {
        error: answer.error,
        // A noiseless sparse problem has bound 0: rounding of an answer of norm 1, through a matrix of condition below 10.
        bound: bound.of(&problem, nonzeros, &answer)? + 1e-12,
        tail: Norms::of(&problem.signal, nonzeros).tail_l1 / (nonzeros as f64).sqrt(),
        problem,
    })
}

/// Everything of one matrix and one method.
pub(super) fn rows(cell: &Cell, effort: &Effort, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let (place, method) = (cell.integer("matrix")?, cell.text("method")?);
    let Some(family) = MATRICES.get(place) else {
        return Err(Error::argument("matrix", format!("below {}", MATRICES.len()), place));
    };
    let matrix = drawn(family, seed)?;
    let mut rows = Vec::new();
    for &nonzeros in family.nonzeros {
        context.check()?;
        let instance = instance(&matrix, method, nonzeros)?;
        let facts = [
            ("matrix", family.kind.into()),
            ("number", cell.integer("number")?.into()),
            ("rows", family.rows.into()),
            ("columns", family.columns.into()),
            ("nonzeros", nonzeros.into()),
            ("second", instance.second.into()),
            ("third", instance.third.into()),
            ("certified", u64::from(instance.bound.is_some()).into()),
            ("method", method.into()),
        ];
        let Some(bound) = instance.bound else {
            rows.push(row_of(
                &[&facts[..], &[("part", "certified".into()), ("trials", 0.into())]].concat(),
            )?);
            continue;
        };
        // The two terms of the bound are attacked apart: the worst without noise, and the worst with some.
        let mut worst: [Option<Judged>; 2] = [None, None];
        for (kind, signal) in SIGNALS.into_iter().enumerate() {
            for (level, noise) in NOISES.into_iter().enumerate() {
                let mut group: Option<Judged> = None;
                for trial in 0..effort.trials {
                    let name = format!("{nonzeros} {kind} {level}");
                    let mut rng = stream(seed, &name, trial);
                    let sizes = magnitudes(signal, family.columns, nonzeros, &mut rng);
                    let problem = Problem {
                        signal: placed(sizes, &mut rng),
                        noise: direction(family.rows, noise, &mut rng),
                    };
                    let judged = judge(&instance, bound, method, nonzeros, problem)?;
                    if group.as_ref().is_none_or(|g| judged.ratio() > g.ratio()) {
                        group = Some(judged);
                    }
                }
                let Some(group) = group else { continue };
                let found = found_row("certified", signal, noise, effort.trials as usize, &group);
                rows.push(row_of(&[&facts[..], &found].concat())?);
                let worst = &mut worst[usize::from(noise > 0.0)];
                if worst.as_ref().is_none_or(|w| group.ratio() > w.ratio()) {
                    *worst = Some(group);
                }
            }
        }
        for (number, worst) in worst.into_iter().flatten().enumerate() {
            let start = worst.ratio();
            let mut rng = stream(seed, &format!("search {number}"), nonzeros as u64);
            let climbed = climb(
                &instance,
                bound,
                method,
                nonzeros,
                worst,
                effort.search,
                context,
                &mut rng,
            )?;
            let noise = norm(&climbed.problem.noise);
            let found = found_row("search", "searched", noise, effort.search, &climbed);
            rows.push(row_of(&[&facts[..], &found, &[("start", start.into())]].concat())?);
        }
    }
    Ok(rows)
}

fn found_row(
    part: &str,
    signal: &str,
    noise: f64,
    trials: usize,
    judged: &Judged,
) -> [(&'static str, ticketsense::table::Value); 8] {
    [
        ("part", part.into()),
        ("signal", signal.into()),
        ("noise", noise.into()),
        ("trials", trials.into()),
        ("error", judged.error.into()),
        ("bound", judged.bound.into()),
        ("ratio", judged.ratio().into()),
        ("tail", judged.tail.into()),
    ]
}

/// Random steps that raise error over bound, in signal and noise, shorter after every failure and longer after a success.
#[allow(clippy::too_many_arguments)]
fn climb(
    instance: &Instance,
    bound: Bound,
    method: &str,
    nonzeros: usize,
    start: Judged,
    steps: usize,
    context: &Context<'_>,
    rng: &mut impl Rng,
) -> Result<Judged> {
    let mut best = start;
    let mut size = 0.3;
    let shape = instance.operator.shape();
    for step in 0..steps {
        if step % 64 == 0 {
            context.check()?;
        }
        let mut problem = best.problem.clone();
        let noise = norm(&problem.noise);
        // Of three steps one moves the signal, one turns the noise, and one moves both and changes how much noise there is.
        if noise == 0.0 || step % 3 != 1 {
            let moved = direction(shape.columns, size, rng);
            problem.signal.iter_mut().zip(moved).for_each(|(x, d)| *x += d);
            scale_to(&mut problem.signal, 1.0);
        }
        if noise > 0.0 && step % 3 != 0 {
            let moved = direction(shape.rows, size * noise, rng);
            problem.noise.iter_mut().zip(moved).for_each(|(e, d)| *e += d);
            if step % 3 == 1 {
                scale_to(&mut problem.noise, noise);
            }
        }
        let judged = judge(instance, bound, method, nonzeros, problem)?;
        if judged.ratio() > best.ratio() {
            best = judged;
            size = (1.5 * size).min(1.0);
        } else {
            size = (0.97 * size).max(1e-3);
        }
    }
    Ok(best)
}
