//! One seed at one step: the linear model there, what is recovered from it, and how stable training is.

use super::super::comparison::Trial;
use super::super::rewinding;
use super::{DENSE, Line, MAIN, RECOVERED, SHUFFLED, TICKET, round, samples};
use ticketsense::estimators::{CosineHistogram, Estimator};
use ticketsense::harness::Context;
use ticketsense::linearize::RowTransform;
use ticketsense::operators::{MeasurementOperator, Restricted};
use ticketsense::pruning::controls::shuffle_within_layers;
use ticketsense::pruning::{PathErrors, RecoveredBy, RecoveryRequest, SensingProblem, train_siblings};
use ticketsense::theory::mask_overlap::{LayerCounts, chance_overlap};
use ticketsense::{Mask, Result, Seed, Support};

/// Columns whose cosines are looked at.
const COLUMNS: usize = 300;
/// Points of a path between two copies.
const POINTS: usize = 31;
/// α over the mean squared column norm, for the recovery from labels.
const DAMPING: f64 = 0.1;

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// The rows of a cell.
pub fn lines(context: &Context<'_>, number: usize, step: usize) -> Result<Vec<Line>> {
    let scale = context.scale();
    let plan = rewinding::plan(scale, step);
    let trial = Trial::new(context, &plan, number)?;
    let rate = plan.training.optimiser.learning_rate();
    let found = trial.round(round(scale))?;
    let (ticket, density) = (&found.mask, trial.density(&found.mask));
    let dataset = context.data()?;
    let chosen = dataset.stratified(samples(scale), &trial.seed.stream("samples over training"))?;
    let (inputs, labels) = (dataset.batch(&chosen)?, dataset.labels_of(&chosen)?);
    let point = wide(&trial.run.rewind);
    let problem = SensingProblem::new(&trial.network, &point, &inputs, RowTransform::CrossEntropy)?;
    let counts = trial.counts(ticket);
    let request = |solver, damping| RecoveryRequest {
        solver,
        damping,
        counts: &counts,
    };
    // The trained weights of the ticket, seen through the linear model alone.
    let mut planted = wide(&found.outcome.theta);
    ticket.apply(&mut planted)?;
    let answer = problem.recover(&problem.planted(&planted)?, &request(RecoveredBy::Omp, 0.0))?;
    let again = answer.ticket.map(|answer| shared(&trial, &answer.mask, ticket));
    let b = problem.right_hand_side(&labels)?;
    let answer = problem.recover(&b, &request(RecoveredBy::NormalisedIht, DAMPING))?;
    let mask = answer.ticket.map(|answer| answer.mask);
    let (rms, largest) = cosines(&problem, &trial.seed.stream("cosines over training"))?;
    let mut kept = point.clone();
    ticket.apply(&mut kept)?;
    let error = problem.linearisation().relative_error(&kept)?;
    let full = trial.network.layout().full_mask();
    let at = |arm: &str, density: f64| {
        Line::new(MAIN, number, arm, density)
            .with("step", step)
            .with("fraction", step as f64 / plan.training.steps as f64)
    };
    let mut lines = vec![
        at(DENSE, 1.0)
            .trained(&trial.round(0)?.outcome, rate)
            .with("live_columns", problem.candidates().iter().filter(|c| **c).count())
            .with("kernel_rank", problem.operator().kernel_participation())
            .with("root_mean_square_cosine", rms)
            .with("largest_cosine", largest)
            .with("dense_barrier", barrier(&trial, &full, step)?),
        at(TICKET, density)
            .masked(&trial, ticket)?
            .trained(&found.outcome, rate)
            .with(
                "planted_found",
                again.map(|again| again as f64 / ticket_weights(&counts)),
            )
            .with("linearisation_error", Some(error).filter(|error| error.is_finite()))
            .with("ticket_barrier", barrier(&trial, ticket, step)?),
    ];
    let Some(mask) = mask else {
        return Ok(lines);
    };
    let own = trial.counts(&mask);
    let layers = trial.layers();
    let chance: Vec<LayerCounts> = layers
        .iter()
        .zip(own.iter().zip(&counts))
        .map(|(range, (&first, &second))| LayerCounts {
            weights: range.len(),
            first,
            second,
        })
        .collect();
    let outcome = trial.train(&mask, &trial.run.rewind, step, rate)?;
    lines.push(
        at(RECOVERED, density)
            .masked(&trial, &mask)?
            .trained(&outcome, rate)
            .with("overlap", shared(&trial, &mask, ticket))
            .with("chance", chance_overlap(&chance)?.mean),
    );
    let other = shuffle_within_layers(&mask, &layers, &trial.seed.stream("shuffle over training"))?;
    let outcome = trial.train(&other, &trial.run.rewind, step, rate)?;
    lines.push(at(SHUFFLED, density).masked(&trial, &other)?.trained(&outcome, rate));
    Ok(lines)
}

fn ticket_weights(counts: &[usize]) -> f64 {
    counts.iter().sum::<usize>() as f64
}

/// Weights that two masks share.
fn shared(trial: &Trial, first: &Mask, second: &Mask) -> usize {
    let both = |j: &usize| first.keeps(*j) && second.keeps(*j);
    trial.layers().into_iter().flatten().filter(both).count()
}

/// Root mean square and largest size of the cosines between candidate columns drawn at random.
fn cosines(problem: &SensingProblem, seed: &Seed) -> Result<(f64, f64)> {
    use rand::seq::SliceRandom;
    let candidates = problem.candidates().iter().enumerate();
    let mut places: Vec<usize> = candidates.filter(|(_, live)| **live).map(|(j, _)| j).collect();
    places.shuffle(&mut seed.rng());
    places.truncate(COLUMNS);
    places.sort_unstable();
    let operator = problem.operator();
    let support = Support::new(places, operator.shape().columns)?;
    let law = CosineHistogram::new(1).estimate(&Restricted::new(operator, support)?, seed)?;
    let group = law.value.groups.first();
    Ok(group.map_or((0.0, 0.0), |found| (found.root_mean_square, found.largest)))
}

/// The instability of training a mask from the step's values; none where a copy diverged.
fn barrier(trial: &Trial, mask: &Mask, step: usize) -> Result<Option<f64>> {
    let siblings = train_siblings(
        &trial.plan,
        &trial.network,
        &trial.samples.view(),
        mask,
        &trial.run.rewind,
        step,
        POINTS,
        &trial.seed.stream("siblings"),
    )?;
    let test = siblings.test.as_ref().map(PathErrors::error_barrier).transpose()?;
    Ok(test.map(|barrier| barrier.over_mean))
}
