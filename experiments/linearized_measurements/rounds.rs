//! Recovery in rounds of linearisation, on seeds of its own: pilots that choose α and rates, and what the verdicts compare.

use super::super::comparison::{DENSE, FIRST_TUNING, Line, MAIN, PILOT, Trial, Tuning, validation_accuracy};
use super::subject::{Drawn, Overlap, Point, Subject, live_weights};
use super::{
    DAMPING, DENSITY, FIRST, IMP, MAGNITUDE, OMP, RANDOM, RATES, ROUNDS, SHUFFLED, Sizes, TUNING, deciles, plan,
    rounds_of,
};
use ticketsense::harness::Context;
use ticketsense::linearize::RowTransform;
use ticketsense::networks::Loss;
use ticketsense::pruning::controls::random_mask;
use ticketsense::pruning::{ImpPlan, RecoveredBy, Relinearised, RelinearisedMask, keep_highest};
use ticketsense::{Error, Mask, Result};

/// A dense network that fixes the margin.
pub fn pilot(context: &Context<'_>, number: usize) -> Result<Vec<Line>> {
    let dense = ImpPlan {
        rounds: 0,
        ..plan(context.scale(), Loss::Squared)
    };
    let trial = Trial::new(context, &dense, number)?;
    Ok(vec![
        Line::new(PILOT, number, DENSE, 1.0).trained(&trial.round(0)?.outcome, RATES[0]),
    ])
}

fn recovered(subject: &Subject, drawn: &Drawn, damping: f64) -> Result<RelinearisedMask> {
    let method = Relinearised {
        damping,
        ..Relinearised::default()
    };
    let theta = subject.theta(Point::Initial)?;
    method.mask(
        &subject.trial.network,
        &theta,
        &drawn.inputs,
        &drawn.labels,
        &subject.counts,
    )
}

fn shuffled(subject: &Subject, mask: &Mask) -> Result<Mask> {
    subject.shuffle(mask, ROUNDS)
}

fn random(subject: &Subject) -> Result<Mask> {
    let stream = subject.trial.seed.stream("measurements").stream(RANDOM);
    random_mask(
        subject.trial.network.layout().len(),
        &subject.layers,
        &subject.counts,
        &stream,
    )
}

/// What a damping and a rate reach on a tuning seed: the mask in rounds and its shuffle; NaN where there is no mask.
type Attempt = [f64; 4];

fn attempts(context: &Context<'_>, number: usize) -> Result<Vec<Attempt>> {
    let scale = context.scale();
    let sizes = Sizes::of(scale);
    let identity = format!(
        "plan={:?};seed={number};samples={};dampings={:?};rates={RATES:?}",
        plan(scale, Loss::Squared),
        sizes.samples,
        sizes.round_dampings
    );
    let bytes = context.shared("linearized-measurements-rounds", &identity, |_| {
        let subject = Subject::new(context, Loss::Squared, number)?;
        let drawn = subject.draw(context, sizes.samples)?;
        let mut bytes = Vec::new();
        for &damping in sizes.round_dampings {
            context.check()?;
            let mask = recovered(&subject, &drawn, damping)?.mask;
            for rate in RATES {
                let mut reached = [f64::NAN; 2];
                if let Some(mask) = &mask {
                    for (reached, mask) in reached.iter_mut().zip([mask, &shuffled(&subject, mask)?]) {
                        let outcome = subject.trial.train(mask, &subject.trial.run.initial, 0, rate)?;
                        *reached = validation_accuracy(&outcome);
                    }
                }
                bytes.extend(
                    [damping, rate, reached[0], reached[1]]
                        .iter()
                        .flat_map(|v| v.to_le_bytes()),
                );
            }
        }
        Ok(bytes)
    })?;
    let numbers: Vec<f64> = bytes
        .as_chunks::<8>()
        .0
        .iter()
        .map(|b| f64::from_le_bytes(*b))
        .collect();
    let (attempts, rest) = numbers.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(Error::shape("stored numbers of a tuning seed", "fours", numbers.len()));
    }
    Ok(attempts.to_vec())
}

/// The rows of a tuning seed.
pub fn tuning(context: &Context<'_>, number: usize) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for [damping, rate, own, other] in attempts(context, number)? {
        for (arm, reached) in [(ROUNDS, own), (SHUFFLED, other)] {
            lines.push(
                Line::new(TUNING, number, arm, DENSITY)
                    .with("damping", damping)
                    .with("learning_rate", rate)
                    .with("validation_accuracy", Some(reached).filter(|v| v.is_finite())),
            );
        }
    }
    Ok(lines)
}

/// What the tuning seeds chose: α and the rate of the mask, and the rate of its shuffle at that α.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    pub damping: f64,
    pub own: f64,
    pub shuffled: f64,
}

/// The highest sums over the seeds, the first of equals.
///
/// # Errors
/// When no attempt reached anything.
pub fn choice(seeds: &[Vec<Attempt>]) -> Result<Choice> {
    let mut sums: Vec<Attempt> = seeds.first().cloned().unwrap_or_default();
    for attempts in seeds.iter().skip(1) {
        for (sum, attempt) in sums.iter_mut().zip(attempts) {
            (2..4).for_each(|column| sum[column] += attempt[column]);
        }
    }
    let best = |damping: Option<f64>, column: usize| {
        let of = sums.iter().filter(|sum| damping.is_none_or(|d| sum[0] == d));
        of.filter(|sum| sum[column].is_finite())
            .fold(None::<&Attempt>, |best, sum| match best {
                Some(best) if sum[column] <= best[column] => Some(best),
                _ => Some(sum),
            })
    };
    let none = || Error::argument("tuning seeds", "a mask on all of them", seeds.len());
    let own = best(None, 2).ok_or_else(none)?;
    let other = best(Some(own[0]), 3).ok_or_else(none)?;
    Ok(Choice {
        damping: own[0],
        own: own[1],
        shuffled: other[1],
    })
}

/// The rows of a main seed.
pub fn lines(context: &Context<'_>, number: usize) -> Result<Vec<Line>> {
    let scale = context.scale();
    let sizes = Sizes::of(scale);
    let tuned = FIRST_TUNING..FIRST_TUNING + sizes.tuning;
    let chosen: Result<Vec<_>> = tuned.map(|number| attempts(context, number)).collect();
    let choice = choice(&chosen?)?;
    let rates = Tuning {
        kind: "linearized-measurements",
        rates: &RATES,
        seeds: sizes.tuning,
    };
    let subject = Subject::new(context, Loss::Squared, number)?;
    let trial = &subject.trial;
    let dense = trial.passes(trial.plan.training.steps);
    let mut lines = vec![Line::new(MAIN, number, DENSE, 1.0).trained(&trial.round(0)?.outcome, RATES[0])];
    let rounds = rounds_of(scale);
    let mask_of = |arm: &str, subject: &Subject| match arm {
        IMP => Ok((subject.ticket.clone(), rounds as f64 * dense)),
        _ => random(subject).map(|mask| (mask, 0.0)),
    };
    for arm in [IMP, RANDOM] {
        let setting = format!("arm={arm};plan={:?}", trial.plan);
        let prepare = |number| {
            let pilot = Subject::new(context, Loss::Squared, number)?;
            let mask = mask_of(arm, &pilot)?.0;
            Ok((pilot.trial, mask))
        };
        let rate = rates.rate(context, &setting, prepare, |(trial, mask), rate| {
            trial.validated(mask, &trial.run.initial, rate)
        })?;
        let (mask, passes) = mask_of(arm, &subject)?;
        let outcome = trial.train(&mask, &trial.run.initial, 0, rate)?;
        lines.push(
            subject
                .line(MAIN, arm)
                .masked(trial, &mask)?
                .trained(&outcome, rate)
                .cost(passes),
        );
    }
    let drawn = subject.draw(context, sizes.samples)?;
    context.check()?;
    let found = context.time(ROUNDS, || recovered(&subject, &drawn, choice.damping))?;
    let line = |arm: &str| {
        subject
            .line(MAIN, arm)
            .with("samples", sizes.samples)
            .with("damping", choice.damping)
            .with("recovery", found.statuses.last().map_or("-", |status| status.as_str()))
    };
    // A product is at most one forward and backward pass over the samples, a linearisation one backward pass a class.
    let linearisations = (Relinearised::default().rounds * trial.network.classes()) as f64;
    let share = sizes.samples as f64 / trial.samples.view().training.inputs.rows() as f64;
    let cost = (found.applications + linearisations) * share;
    let problem = subject.problem(Point::Initial, &drawn, RowTransform::Centred)?;
    let live = live_weights(&problem, &subject.layers);
    let theta = subject.theta(Point::Initial)?;
    let mut counted = Vec::new();
    match &found.mask {
        None => lines.push(line(ROUNDS).cost(cost)),
        Some(mask) => {
            let other = shuffled(&subject, mask)?;
            for (arm, mask, rate) in [(ROUNDS, mask, choice.own), (SHUFFLED, &other, choice.shuffled)] {
                let outcome = trial.train(mask, &trial.run.initial, 0, rate)?;
                let row = Overlap::of(&live, mask, &subject.ticket)?.told(line(arm));
                lines.push(row.masked(trial, mask)?.trained(&outcome, rate).cost(cost));
            }
            counted.push((ROUNDS, mask.clone()));
        }
    }
    let scores: Vec<f64> = theta.iter().map(|v| v.abs()).collect();
    let full = trial.network.layout().full_mask();
    counted.push((
        MAGNITUDE,
        keep_highest(&full, &scores, &subject.layers, &subject.counts)?,
    ));
    if number < FIRST + sizes.pursued {
        let b = problem.right_hand_side(&drawn.labels)?;
        let answer = subject.recover(&problem, &b, RecoveredBy::Omp, DAMPING)?;
        counted.extend(answer.ticket.map(|found| (OMP, found.mask)));
    }
    for (arm, mask) in &counted {
        lines.extend(deciles::lines(&subject, arm, mask, &live, &theta)?);
    }
    Ok(lines)
}
