//! `phase-transition`: when do OMP, iterative hard thresholding and basis pursuit recover a planted sparse vector?
//!
//! Three kinds of cells. A *map* cell fixes the measurement ratio δ = m/n at one size n and one solver, and counts
//! successes along ρ = k/m. A *size* cell fixes δ and n for basis pursuit alone and samples ρ finely around the
//! transition, so that the 50 % point can be followed as n grows. An *ensemble* cell follows basis pursuit through a matrix
//! of another law at one size.

mod claims;
mod draw;
mod problem;

use problem::Problem;
use ticketsense::Result;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table};
use ticketsense::theory::donoho_tanner::{Signs, transition};

/// Relative error below which a vector counts as recovered by a method that is not told how many nonzeros it has.
const SUCCESS: f64 = 1e-4;

/// The solvers of the map, in the order of the panels.
const SOLVERS: [&str; 8] = [
    "basis-pursuit",
    "amp",
    "omp",
    "subspace-pursuit",
    "cosamp",
    "htp",
    "niht",
    "iht",
];

/// The ensembles through which basis pursuit is compared at one size; the last two are outside the theory's reach.
const ENSEMBLES: [&str; 5] = ["gaussian", "rademacher", "partial-fourier", "correlated", "jacobian"];

/// Unknowns of that comparison: as many as the Jacobian's network has weights.
const ENSEMBLE_COLUMNS: usize = 144;

/// The measurement ratios at which the 50 % point is followed over sizes.
const FOLLOWED: [f64; 3] = [0.25, 0.5, 0.75];

const COLUMNS: &[Column] = &[
    Column::text(
        "part",
        "map: success over the plane at one size; size: basis pursuit near the transition at several; ensemble: basis \
         pursuit through other matrices.",
    ),
    Column::text(
        "ensemble",
        "Matrix: gaussian, rademacher, partial-fourier, correlated (neighbouring columns, 0.9) or jacobian (of a network).",
    ),
    Column::text("solver", "Recovery method."),
    Column::integer("columns", "", "Unknowns, n."),
    Column::integer("rows", "", "Measurements, m, nearest to δ n."),
    Column::integer(
        "nonzeros",
        "",
        "Nonzeros of the planted vector, k, nearest to ρ m; at least 1.",
    ),
    Column::real("delta", "", "Measurement ratio m/n as computed from the whole numbers."),
    Column::real(
        "rho",
        "",
        "Relative number of nonzeros k/m as computed from the whole numbers.",
    ),
    Column::integer("trials", "", "Independent matrices with planted vectors."),
    Column::integer(
        "successes",
        "",
        "Trials in which the vector is recovered: proven for basis pursuit, an error of at most 1e-4 for amp, the support of \
         the vector for methods that are told how large it is.",
    ),
    Column::integer(
        "undecided",
        "",
        "Trials of basis pursuit with neither proof: a dual vector, or a shorter vector with the same measurements.",
    ),
    Column::integer("diverged", "", "Trials in which the iterates grew without bound."),
    Column::real(
        "median_error",
        "",
        "Median relative ℓ₂ error ‖x̂ − x‖/‖x‖ over the trials; none for basis pursuit, whose success is proven without \
         solving for x̂.",
    ),
    Column::real(
        "mean_applications",
        "",
        "Mean number of products with the matrix or its transpose.",
    ),
    Column::real(
        "exact_success",
        "",
        "Exact probability that basis pursuit recovers the vector at this size through a Gaussian matrix; none for other solvers.",
    ),
];

/// The experiment.
pub struct PhaseTransition;

impl Experiment for PhaseTransition {
    fn id(&self) -> &'static str {
        "phase-transition"
    }

    fn question(&self) -> &'static str {
        "How many nonzeros can be recovered from how many measurements, by which method, and does theory predict it?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let map_size: usize = scale.pick(40, 200, 400);
        let steps: usize = scale.pick(4, 14, 24);
        let mut cells = Vec::new();
        // The largest first: a long cell at the end would leave the other cores idle.
        let sizes: &[usize] = scale.pick(&[48, 32, 24], &[320, 160, 96, 64], &[1600, 800, 400, 200, 100]);
        for &size in sizes {
            for delta in FOLLOWED {
                // The part is a treatment: a map cell of the same size and ratio has its own name.
                cells.push(
                    Cell::new()
                        .problem("size", size)
                        .problem("delta", delta)
                        .treatment("solver", "basis-pursuit"),
                );
            }
        }
        for ensemble in ENSEMBLES {
            for delta in FOLLOWED {
                let cell = Cell::new().problem("ensemble", ensemble).problem("delta", delta);
                cells.push(cell.treatment("solver", "basis-pursuit"));
            }
        }
        for i in 0..steps {
            let delta = rounded((i as f64 + 1.0) / (steps as f64 + 1.0));
            for solver in SOLVERS {
                cells.push(
                    Cell::new()
                        .problem("columns", map_size)
                        .problem("delta", delta)
                        .treatment("solver", solver),
                );
            }
        }
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let delta = cell.real("delta")?;
        let solver = cell.text("solver")?;
        let scale = context.scale();
        let seed = context.seed(cell);
        if let Ok(columns) = cell.integer("size") {
            let trials = scale.pick(20, 140, 400);
            let rows = nearest(delta * columns as f64);
            let ratio = rows as f64 / columns as f64;
            let middle = transition(ratio, Signs::Signed)?.rho * rows as f64;
            // The transition is about √n wide in k: sample every whole k within it, thinned to about thirteen points.
            let reach = 0.6 * (columns as f64).sqrt() + 1.5;
            let (low, high) = ((middle - reach).max(1.0), (middle + reach).min(rows as f64));
            let stride = nearest((high - low) / 12.0).max(1);
            let counts = (nearest(low)..=nearest(high)).step_by(stride);
            let problem = Problem {
                part: "size",
                ensemble: ENSEMBLES[0],
                solver,
                columns,
                rows,
                trials,
            };
            return counts.map(|nonzeros| problem.row(nonzeros, &seed, context)).collect();
        }
        if let Ok(ensemble) = cell.text("ensemble") {
            let rows = nearest(delta * ENSEMBLE_COLUMNS as f64);
            let middle = transition(delta, Signs::Signed)?.rho * rows as f64;
            let problem = Problem {
                part: "ensemble",
                ensemble,
                solver,
                columns: ENSEMBLE_COLUMNS,
                rows,
                trials: scale.pick(8, 40, 200),
            };
            // From far below, where matrices that are not incoherent turn, to above the Gaussian transition.
            let counts = (1..=12).map(|i| nearest(f64::from(i) / 9.0 * middle).max(1));
            let mut counts: Vec<usize> = counts.collect();
            counts.dedup();
            return counts
                .into_iter()
                .map(|nonzeros| problem.row(nonzeros, &seed, context))
                .collect();
        }
        let columns = cell.integer("columns")?;
        let rows = nearest(delta * columns as f64).max(1);
        let problem = Problem {
            part: "map",
            ensemble: ENSEMBLES[0],
            solver,
            columns,
            rows,
            trials: scale.pick(6, 16, 50),
        };
        let steps: usize = scale.pick(6, 16, 25);
        let mut counts: Vec<usize> = (1..=steps)
            .map(|i| nearest(i as f64 / steps as f64 * rows as f64).max(1))
            .collect();
        counts.dedup();
        counts
            .into_iter()
            .map(|nonzeros| problem.row(nonzeros, &seed, context))
            .collect()
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn draw(&self, table: &Table) -> Result<Figure> {
        draw::draw(table)
    }

    fn budget(&self) -> Budget {
        Budget {
            seconds: 35,
            memory_mb: 60,
        }
    }
}

/// The nearest whole number, halves up.
fn nearest(value: f64) -> usize {
    ticketsense::support::round_half_up(value)
}

/// Six decimals are enough to name a grid point.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
