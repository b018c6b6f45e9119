//! The damping α: what masks recovered with it train to, and what it takes before anything can be certified.

use super::super::comparison::Line;
use super::certificate::LiveGram;
use super::subject::{Point, Subject};
use super::{CERTIFICATE, DAMPED, OMP, Sizes};
use ticketsense::Result;
use ticketsense::harness::Context;
use ticketsense::linalg::norm;
use ticketsense::linearize::RowTransform;
use ticketsense::networks::Loss;
use ticketsense::operators::MeasurementOperator;
use ticketsense::pruning::{RecoveredBy, SensingProblem};

/// The rows of one seed: pursuit from labels at θ₀ for every α.
pub fn lines(context: &Context<'_>, number: usize) -> Result<Vec<Line>> {
    let sizes = Sizes::of(context.scale());
    let subject = Subject::new(context, Loss::Squared, number)?;
    let drawn = subject.draw(context, sizes.samples)?;
    let problem = subject.problem(Point::Initial, &drawn, RowTransform::Centred)?;
    let b = problem.right_hand_side(&drawn.labels)?;
    let mut lines = Vec::new();
    for &damping in sizes.dampings {
        context.check()?;
        let line = |arm: &str| {
            subject
                .line(DAMPED, arm)
                .with("point", Point::Initial.name())
                .with("samples", sizes.samples)
                .with("damping", damping)
        };
        let answer = subject.recover(&problem, &b, RecoveredBy::Omp, damping)?;
        lines.extend(subject.trained_lines(line, OMP, &problem, &answer, &format!("damping {damping}"))?);
    }
    Ok(lines)
}

/// Larger Gram matrices are not formed: with its columns it would take more than half a gigabyte.
const MOST_COLUMNS: usize = 6000;

/// The certificates of one seed at θ₀ for every α and beyond, for all supports and for the ticket's; none for networks with
/// too many live weights.
pub fn certificates(context: &Context<'_>, number: usize) -> Result<Vec<Line>> {
    let sizes = Sizes::of(context.scale());
    let subject = Subject::new(context, Loss::Squared, number)?;
    let drawn = subject.draw(context, sizes.samples)?;
    let problem = subject.problem(Point::Initial, &drawn, RowTransform::Centred)?;
    let planted = subject.ticket_weights()?;
    if problem.candidates().iter().filter(|live| **live).count() > MOST_COLUMNS {
        return Ok(Vec::new());
    }
    let live = LiveGram::new(&problem);
    let mut lines = Vec::new();
    for &damping in sizes.dampings.iter().chain(sizes.certified_dampings) {
        context.check()?;
        let alpha = damping * problem.mean_square_norm();
        let uniform = live.uniform(alpha)?;
        let ticket = live.on_support(alpha, |j| subject.ticket.keeps(j))?;
        let reference = live.parameters.iter().filter(|&&j| subject.ticket.keeps(j)).count();
        lines.push(
            subject
                .line(CERTIFICATE, OMP)
                .with("point", Point::Initial.name())
                .with("samples", sizes.samples)
                .with("damping", damping)
                .with("live_columns", live.parameters.len())
                .with("rank_bound", problem.rank_bound())
                .with("reference", reference)
                .with("coherence", uniform.coherence)
                .with("coherence_order", uniform.coherence_order)
                .with("babel_order", uniform.babel_order)
                .with("recovery_value", ticket.recovery_value)
                .with("smallest_eigenvalue", ticket.smallest_eigenvalue)
                .with("prior_error", prior_error(&problem, &live.parameters, &planted, alpha)?),
        );
    }
    Ok(lines)
}

/// `√α‖θ − ϑ‖ / ‖[A; √α I] θ‖` over the live weights: a certificate speaks of the data `[A; √α I] θ`, and those of the
/// problem are `[Aθ; √α ϑ]`.
fn prior_error(problem: &SensingProblem, live: &[usize], theta: &[f64], alpha: f64) -> Result<f64> {
    let point = problem.linearisation().theta();
    let away: Vec<f64> = live.iter().map(|&j| theta[j] - point[j]).collect();
    let own: Vec<f64> = live.iter().map(|&j| theta[j]).collect();
    let columns = problem.operator().parameters().iter().zip(problem.candidates());
    let kept: Vec<f64> = columns.map(|(&j, live)| if *live { theta[j] } else { 0.0 }).collect();
    let seen = norm(&problem.operator().apply(&kept)?);
    let root = alpha.sqrt();
    Ok(root * norm(&away) / seen.hypot(root * norm(&own)))
}
