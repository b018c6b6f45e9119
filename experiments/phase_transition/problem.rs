//! One planted problem: a matrix of an ensemble, spikes, a solver, and how near it comes.

use super::{ENSEMBLES, SOLVERS, SUCCESS};
use nalgebra::DMatrix;
use rand::RngExt;
use ticketsense::harness::Context;
use ticketsense::linalg::norm;
use ticketsense::linearize::{Biases, Linearisation, RowTransform};
use ticketsense::networks::{Array, Initialisation, Network};
use ticketsense::operators::{
    CorrelatedGaussianEnsemble, DenseOperator, GaussianEnsemble, MeasurementOperator, PartialFourierEnsemble,
    RademacherEnsemble,
};
use ticketsense::outcome::Status;
use ticketsense::recovery::{
    ApproximateMessagePassing, Cosamp, HardThresholdingPursuit, IterativeHardThresholding, NormalisedIht, Omp,
    PlantedTest, PlantedVerdict, Solver, SubspacePursuit,
};
use ticketsense::table::Row;
use ticketsense::theory::basis_pursuit_success::success;
use ticketsense::theory::donoho_tanner::Signs;
use ticketsense::{Error, Result, Seed, row};

/// Features and classes of the network whose Jacobian measures.
const INPUTS: usize = 8;
const CLASSES: usize = 4;

/// What became of one planted vector.
struct Trial {
    /// Whether it is recovered; none where a proof was asked for and neither side has one.
    recovered: Option<bool>,
    /// The relative error of an answer, where there is one.
    error: Option<f64>,
    diverged: bool,
    applications: f64,
}

/// One size, one law of the matrix and one solver.
pub(super) struct Problem<'a> {
    pub part: &'a str,
    pub ensemble: &'a str,
    pub solver: &'a str,
    pub columns: usize,
    pub rows: usize,
    pub trials: usize,
}

impl Problem<'_> {
    pub fn row(&self, nonzeros: usize, seed: &Seed, context: &Context<'_>) -> Result<Row> {
        context.check()?;
        let seed = seed.stream(format!("nonzeros={nonzeros}"));
        let (mut successes, mut undecided, mut diverged, mut applications) = (0usize, 0usize, 0usize, 0.0);
        let mut errors = Vec::with_capacity(self.trials);
        for trial in 0..self.trials {
            let trial = self.trial(nonzeros, &seed.replicate(trial as u64))?;
            successes += usize::from(trial.recovered == Some(true));
            undecided += usize::from(trial.recovered.is_none());
            diverged += usize::from(trial.diverged);
            applications += trial.applications;
            errors.extend(trial.error);
        }
        errors.sort_by(f64::total_cmp);
        let median = (!errors.is_empty()).then(|| 0.5 * (errors[(errors.len() - 1) / 2] + errors[errors.len() / 2]));
        let exact = if self.solver == "basis-pursuit" && self.ensemble == ENSEMBLES[0] {
            let [columns, rows, nonzeros] = [self.columns, self.rows, nonzeros].map(|v| v as u64);
            Some(success(columns, rows, nonzeros, Signs::Signed)?.success)
        } else {
            None
        };
        Ok(row![
            self.part,
            self.ensemble,
            self.solver,
            self.columns,
            self.rows,
            nonzeros,
            self.rows as f64 / self.columns as f64,
            nonzeros as f64 / self.rows as f64,
            self.trials,
            successes,
            undecided,
            diverged,
            median,
            applications / self.trials as f64,
            exact,
        ])
    }

    /// A matrix of the ensemble.
    fn matrix(&self, seed: &Seed) -> Result<DenseOperator> {
        let (rows, columns) = (self.rows, self.columns);
        match self.ensemble {
            "gaussian" => GaussianEnsemble { rows, columns }.draw(seed),
            "rademacher" => RademacherEnsemble { rows, columns }.draw(seed),
            "partial-fourier" => stored(&PartialFourierEnsemble { rows, columns }.draw(seed)?),
            "correlated" => CorrelatedGaussianEnsemble {
                rows,
                columns,
                correlation: 0.9,
            }
            .draw(seed),
            "jacobian" => jacobian(rows, columns, seed),
            other => Err(Error::unknown("ensemble", other, ENSEMBLES)),
        }
    }

    /// One planted problem: ±1 spikes at random places.
    fn trial(&self, nonzeros: usize, seed: &Seed) -> Result<Trial> {
        let a = self.matrix(seed)?;
        let mut rng = seed.stream("planted").rng();
        let mut planted = vec![0.0; self.columns];
        for index in rand::seq::index::sample(&mut rng, self.columns, nonzeros) {
            planted[index] = if rng.random::<bool>() { 1.0 } else { -1.0 };
        }
        if self.solver == "basis-pursuit" {
            // Its answer is the planted vector or not by a theorem, whose witness either way is found sooner than the answer.
            let answer = PlantedTest::default().run(&a, &planted)?;
            let recovered = match answer.verdict {
                PlantedVerdict::Recovered { .. } => Some(true),
                PlantedVerdict::Beaten { .. } => Some(false),
                PlantedVerdict::Undecided => None,
            };
            return Ok(Trial {
                recovered,
                error: None,
                diverged: false,
                applications: answer.applications,
            });
        }
        let y = a.apply(&planted)?;
        let solver: Box<dyn Solver> = match self.solver {
            "amp" => Box::new(ApproximateMessagePassing {
                max_iterations: 300,
                tolerance: 1e-6,
                ..ApproximateMessagePassing::default()
            }),
            "subspace-pursuit" => Box::new(SubspacePursuit::new(nonzeros)),
            "cosamp" => Box::new(Cosamp {
                max_iterations: 50,
                ..Cosamp::new(nonzeros)
            }),
            "htp" => Box::new(HardThresholdingPursuit::new(nonzeros)),
            "omp" => Box::new(Omp {
                max_support: Some(nonzeros),
                ..Omp::default()
            }),
            "niht" => Box::new(NormalisedIht {
                max_iterations: 200,
                tolerance: 1e-6,
                ..NormalisedIht::new(nonzeros)
            }),
            "iht" => Box::new(IterativeHardThresholding {
                max_iterations: 150,
                tolerance: 1e-6,
                ..IterativeHardThresholding::new(nonzeros)
            }),
            other => return Err(Error::unknown("method", other, SOLVERS)),
        };
        let answer = solver.solve(&a, &y)?;
        let difference: Vec<f64> = answer.x.iter().zip(&planted).map(|(a, b)| a - b).collect();
        let error = norm(&difference) / norm(&planted);
        // A method that is told k has recovered the vector when it has the support: least squares then has the values. The
        // support of one that is not told comes with small entries, and says less than its error.
        let recovered = if self.solver == "amp" {
            error <= SUCCESS
        } else {
            answer.support.iter().all(|&j| planted[j] != 0.0) && answer.support.len() == nonzeros
        };
        Ok(Trial {
            recovered: Some(recovered),
            error: Some(error),
            diverged: answer.status == Status::Diverged,
            applications: answer.applications,
        })
    }
}

/// The entries of an operator.
fn stored(a: &dyn MeasurementOperator) -> Result<DenseOperator> {
    let shape = a.shape();
    let all: Vec<usize> = (0..shape.columns).collect();
    let mut matrix = DMatrix::zeros(shape.rows, shape.columns);
    a.columns_into(&all, &mut matrix);
    DenseOperator::new(matrix)
}

/// The Jacobian of a bias-free tanh network with one hidden layer at random weights, on Gaussian inputs, its columns scaled
/// to length 1: four rows a sample, twelve columns a hidden unit.
fn jacobian(rows: usize, columns: usize, seed: &Seed) -> Result<DenseOperator> {
    let hidden = columns / (INPUTS + CLASSES);
    let network = Network::preset(&format!("mlp:{hidden}:tanh:no-bias"), INPUTS, CLASSES)?;
    let theta: Vec<f64> = network.initial(&seed.stream("weights"), &Initialisation::GLOROT)?;
    let mut rng = seed.stream("inputs").rng();
    let inputs = Array::from_fn(rows / CLASSES, INPUTS, |_, _| rng.sample(rand_distr::StandardNormal));
    let mut matrix = Linearisation::new(&network, &theta, &inputs)?
        .jacobian(&network.layout().weights(), RowTransform::Identity, Biases::Fixed)?
        .to_dense();
    if matrix.shape() != (rows, columns) {
        return Err(Error::shape(
            "Jacobian",
            format!("{rows}×{columns}"),
            format!("{}×{}", matrix.nrows(), matrix.ncols()),
        ));
    }
    matrix.column_iter_mut().for_each(|mut column| {
        column.normalize_mut();
    });
    DenseOperator::new(matrix)
}
