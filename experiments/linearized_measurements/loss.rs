//! The loss: one Gauss-Newton step of the cross-entropy beside least squares, in networks trained with cross-entropy.

use super::super::comparison::{DENSE, Line};
use super::subject::{Point, Subject};
use super::{DENSITY, IMP, LOSS, RANDOM, RATES, Sizes};
use ticketsense::Result;
use ticketsense::harness::Context;
use ticketsense::linearize::RowTransform;
use ticketsense::networks::Loss;
use ticketsense::pruning::RecoveredBy;
use ticketsense::pruning::controls::random_mask;

/// Rows and targets of the linear model, by the loss that they come from.
pub const ROWS: [(&str, RowTransform); 2] = [
    ("cross-entropy", RowTransform::CrossEntropy),
    ("squared", RowTransform::Centred),
];

/// The rows of one seed. The targets of the two losses differ in scale, C e_y − 1 against e_y − 1/C, and so does what an α
/// means: every α is tried for both.
pub fn lines(context: &Context<'_>, number: usize) -> Result<Vec<Line>> {
    let sizes = Sizes::of(context.scale());
    let subject = Subject::new(context, Loss::CrossEntropy, number)?;
    let trial = &subject.trial;
    let mut lines = vec![Line::new(LOSS, number, DENSE, 1.0).trained(&trial.round(0)?.outcome, RATES[0])];
    let dimension = trial.network.layout().len();
    let stream = trial.seed.stream("measurements").stream("random of the loss");
    let random = random_mask(dimension, &subject.layers, &subject.counts, &stream)?;
    for (arm, mask) in [(IMP, &subject.ticket), (RANDOM, &random)] {
        let (outcome, rate) = subject.best(mask)?;
        lines.push(
            Line::new(LOSS, number, arm, DENSITY)
                .masked(trial, mask)?
                .trained(&outcome, rate),
        );
    }
    let drawn = subject.draw(context, sizes.samples)?;
    for point in Point::ALL {
        for (arm, rows) in ROWS {
            let problem = subject.problem(point, &drawn, rows)?;
            let b = problem.right_hand_side(&drawn.labels)?;
            for &damping in sizes.loss_dampings {
                context.check()?;
                let answer = subject.recover(&problem, &b, RecoveredBy::NormalisedIht, damping)?;
                let line = |arm: &str| {
                    subject
                        .line(LOSS, arm)
                        .with("point", point.name())
                        .with("samples", sizes.samples)
                        .with("damping", damping)
                };
                let shuffle = format!("{arm} {} {damping}", point.name());
                lines.extend(subject.trained_lines(line, arm, &problem, &answer, &shuffle)?);
            }
        }
    }
    Ok(lines)
}
