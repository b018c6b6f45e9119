//! The number of samples: what is found from planted data and from labels, and how much two halves agree.

use super::super::comparison::Line;
use super::subject::{Drawn, Overlap, Point, Subject, live_weights};
use super::{DAMPING, FIRST_EXPLORED, SAMPLES, Sizes};
use ticketsense::Result;
use ticketsense::harness::Context;
use ticketsense::linalg::dense::symmetric_eigenvalues;
use ticketsense::linearize::RowTransform;
use ticketsense::networks::Loss;
use ticketsense::operators::MeasurementOperator;
use ticketsense::pruning::{RecoveredBy, SensingProblem};

/// The trained ticket's linear outputs, without damping.
pub const PLANTED: &str = "planted";
/// Labels, damped and not.
pub const LABELS: &str = "labels";
pub const UNDAMPED: &str = "labels-undamped";

/// The arm of two halves of the samples under one solver.
pub fn halves_of(solver: RecoveredBy) -> String {
    format!("halves-{solver}")
}

/// The rows of one seed at one number of samples.
pub fn lines(context: &Context<'_>, number: usize, count: usize) -> Result<Vec<Line>> {
    let sizes = Sizes::of(context.scale());
    let subject = Subject::new(context, Loss::Squared, number)?;
    let drawn = subject.draw(context, count)?;
    let planted = subject.ticket_weights()?;
    let weights = subject.trial.network.layout().prunable() as f64;
    let mut lines = Vec::new();
    for point in Point::ALL {
        context.check()?;
        let problem = subject.problem(point, &drawn, RowTransform::Centred)?;
        let live = live_weights(&problem, &subject.layers);
        let ranked = number == FIRST_EXPLORED && problem.operator().shape().rows <= sizes.ranked_rows;
        let rank = if ranked { Some(rank(&problem)?) } else { None };
        let line = |arm: &str| {
            subject
                .line(SAMPLES, arm)
                .with("point", point.name())
                .with("samples", count)
                .with("live_columns", live.iter().map(Vec::len).sum::<usize>())
                .with("rank_bound", problem.rank_bound())
                .with("rank", rank)
                .with("measurement_ratio", problem.rank_bound() as f64 / weights)
        };
        let b = problem.planted(&planted)?;
        let answer = subject.recover(&problem, &b, RecoveredBy::Omp, 0.0)?;
        let mut row = line(PLANTED)
            .with("damping", 0.0)
            .with("recovery", answer.status.as_str());
        if let Some(found) = &answer.ticket {
            row = row.with("kept", subject.kept(&found.mask));
            row = Overlap::of(&live, &found.mask, &subject.ticket)?.told(row);
        }
        lines.push(row);
        let b = problem.right_hand_side(&drawn.labels)?;
        for (arm, damping) in [(LABELS, DAMPING), (UNDAMPED, 0.0)] {
            if damping == 0.0 && point == Point::Trained {
                continue;
            }
            context.check()?;
            let answer = subject.recover(&problem, &b, RecoveredBy::Omp, damping)?;
            let shuffle = format!("{arm} {count} {}", point.name());
            let line = |arm: &str| line(arm).with("damping", damping);
            lines.extend(subject.trained_lines(line, arm, &problem, &answer, &shuffle)?);
        }
        if point == Point::Initial || sizes.halves_trained {
            let line = |arm: &str| line(arm).with("damping", DAMPING);
            lines.extend(halves(context, &subject, point, &drawn, line)?);
        }
    }
    Ok(lines)
}

/// How much the masks from two halves of the samples agree, for every solver, among the weights that are live in both.
fn halves(
    context: &Context<'_>,
    subject: &Subject,
    point: Point,
    drawn: &Drawn,
    line: impl Fn(&str) -> Line,
) -> Result<Vec<Line>> {
    let halves = drawn.halves()?;
    let mut problems = Vec::new();
    for half in &halves {
        let problem = subject.problem(point, half, RowTransform::Centred)?;
        let b = problem.right_hand_side(&half.labels)?;
        problems.push((problem, b));
    }
    let [(first, _), (second, _)] = &problems[..] else {
        return Ok(Vec::new());
    };
    let live = common(
        &live_weights(first, &subject.layers),
        &live_weights(second, &subject.layers),
    );
    let mut lines = Vec::new();
    for solver in RecoveredBy::ALL {
        context.check()?;
        let mut answers = Vec::new();
        for (problem, b) in &problems {
            answers.push(subject.recover(problem, b, solver, DAMPING)?);
        }
        let failed = answers.iter().find(|answer| answer.ticket.is_none());
        let status = failed.or(answers.first()).map_or("-", |answer| answer.status.as_str());
        let mut row = line(&halves_of(solver)).with("recovery", status);
        if let [Some(one), Some(two)] = [&answers[0].ticket, &answers[1].ticket] {
            row = Overlap::of(&live, &one.mask, &two.mask)?.told(row);
        }
        lines.push(row);
    }
    Ok(lines)
}

/// What two ascending lists share, layer by layer.
fn common(first: &[Vec<usize>], second: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let both = |(a, b): (&Vec<usize>, &Vec<usize>)| a.iter().copied().filter(|j| b.binary_search(j).is_ok()).collect();
    first.iter().zip(second).map(both).collect()
}

/// The number of singular values of A above `√(rows ε) σ_max`: what the eigenvalues of its tangent kernel tell from their
/// rounding.
fn rank(problem: &SensingProblem) -> Result<usize> {
    let kernel = problem.operator().tangent_kernel();
    let values = symmetric_eigenvalues(&kernel)?;
    let largest = values.last().copied().unwrap_or(0.0);
    let floor = kernel.nrows() as f64 * f64::EPSILON * largest;
    Ok(values.iter().filter(|value| **value > floor).count())
}
