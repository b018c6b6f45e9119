//! Networks on the data: tickets and random masks of their counts, the learning rate of every batch size, the steps to a
//! target, accuracy against batch size, the noise scale on the way, and many orders of the data.

use super::{ACCURACY, ALONG, COLUMNS, DENSE, EPOCHS, MARGIN, ORDERS, RANDOM, RATE, STEPS, TICKET, UPDATES};
use crate::experiments::comparison::FIRST_TUNING;
use crate::experiments::rows::row_of;
use crate::experiments::tickets::{imp_run, samples, ticket_seed};
use ticketsense::harness::{Cell, Context, Scale};
use ticketsense::networks::{Initialisation, Network};
use ticketsense::pruning::controls::random_mask;
use ticketsense::pruning::{Criterion, ImpPlan, ImpSamples, Scope};
use ticketsense::table::{Row, Value};
use ticketsense::training::{Decay, NoiseScale, Optimiser, Trainer, TrainingPlan, TrainingState};
use ticketsense::{Error, Mask, Result, Seed};

/// Loss on the validation samples that counts as trained: about nine of ten digits are right there.
pub(super) const TARGET: f64 = 0.4;
/// Learning rates, in the order in which they are tried: from the middle outwards, so that bad ones are given up early.
const RATES: [f64; 12] = [
    0.32, 0.64, 0.16, 1.28, 0.08, 2.56, 0.453, 0.905, 0.226, 1.81, 0.113, 0.0566,
];
/// Batch size of the noise scale on the way, of the orders of the data, and of the training that finds tickets.
const BATCH: usize = 32;
/// Shares of the steps to the target at which the noise scale is measured.
const PROGRESS: [f64; 4] = [0.0, 0.25, 0.5, 1.0];

/// A mask by who chose it and in which round of pruning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arm {
    pub kind: &'static str,
    pub round: usize,
}

const fn arm(kind: &'static str, round: usize) -> Arm {
    Arm { kind, round }
}

/// The arms: three densities.
pub(super) const ARMS: [Arm; 5] = [
    arm(DENSE, 0),
    arm(TICKET, 2),
    arm(RANDOM, 2),
    arm(TICKET, 4),
    arm(RANDOM, 4),
];
/// The arms whose accuracy and whose spread are looked at: the dense network and the sparsest.
const FINAL_ARMS: [Arm; 3] = [ARMS[0], ARMS[3], ARMS[4]];

/// Batch sizes.
pub(super) fn batches(scale: Scale) -> &'static [usize] {
    scale.pick(
        &[8, 32, 128],
        &[4, 8, 16, 32, 64, 128, 256],
        &[4, 8, 16, 32, 64, 128, 256, 512],
    )
}

/// How tickets are found: iterative magnitude pruning by two fifths a round, half of that at the output.
pub(super) fn plan(scale: Scale) -> ImpPlan {
    ImpPlan {
        network: scale.pick("mlp:20", "mlp:30", "mlp:100").into(),
        initialisation: Initialisation::GLOROT,
        training: TrainingPlan {
            optimiser: descent(0.2),
            batch: BATCH,
            steps: scale.pick(150, 500, 1000),
            evaluate_every: 100,
            ..TrainingPlan::default()
        },
        rounds: 4,
        prune_fraction: 0.4,
        output_prune_fraction: Some(0.2),
        scope: Scope::Layerwise,
        criterion: Criterion::Magnitude,
        rewind_step: 0,
        ..ImpPlan::default()
    }
}

/// Plain descent, without momentum, which is what the theory is about.
fn descent(rate: f64) -> Optimiser {
    Optimiser::Sgd {
        learning_rate: rate,
        momentum: 0.0,
        nesterov: false,
        decay: Decay::None,
    }
}

/// What is trained for one number: network, data, first values, and the mask of every arm.
struct Subject {
    network: Network,
    samples: ImpSamples,
    initial: Vec<f32>,
    masks: Vec<(Arm, Mask)>,
    order: Seed,
}

impl Subject {
    fn new(context: &Context<'_>, number: usize) -> Result<Self> {
        let plan = plan(context.scale());
        let run = imp_run(context, &plan, number)?;
        let samples = samples(context)?;
        let network = plan.build_network(&samples.view())?;
        let seed = ticket_seed(context, number).stream("gradient-noise");
        let ranges = network.layout().weight_ranges();
        let mut masks = Vec::new();
        for arm in ARMS {
            let found = run.rounds.get(arm.round).ok_or_else(|| {
                Error::argument("rounds of pruning", format!("at least {}", arm.round), run.rounds.len())
            })?;
            let mask = if arm.kind == RANDOM {
                let counts: Vec<usize> = ranges.iter().map(|range| found.mask.kept_in(range.clone())).collect();
                let seed = seed.stream(format!("mask-of-round-{}", arm.round));
                random_mask(network.layout().len(), &ranges, &counts, &seed)?
            } else {
                found.mask.clone()
            };
            masks.push((arm, mask));
        }
        Ok(Subject {
            network,
            samples,
            initial: run.initial,
            masks,
            order: seed.stream("order"),
        })
    }

    fn mask(&self, arm: Arm) -> Result<&Mask> {
        self.masks
            .iter()
            .find(|(known, _)| *known == arm)
            .map(|(_, mask)| mask)
            .ok_or_else(|| Error::argument("arm", "a known one", format!("{arm:?}")))
    }

    fn density(&self, arm: Arm) -> Result<f64> {
        Ok(self.network.layout().density(self.mask(arm)?))
    }

    fn trainer(
        &self,
        arm: Arm,
        rate: f64,
        batch: usize,
        steps: usize,
        every: usize,
        order: &Seed,
    ) -> Result<Trainer<'_, f32>> {
        let plan = TrainingPlan {
            optimiser: descent(rate),
            batch,
            steps,
            evaluate_every: every,
            ..TrainingPlan::default()
        };
        let view = self.samples.view();
        Trainer::new(
            &self.network,
            plan,
            view.training,
            view.validation,
            self.mask(arm)?,
            order,
        )
    }

    /// Steps until the validation loss has fallen to [`TARGET`], between two evaluations by the straight line; none where
    /// it does not within `limit` steps.
    fn steps_to_target(&self, arm: Arm, rate: f64, batch: usize, limit: usize) -> Result<Option<f64>> {
        let every = (BATCH / batch).max(1);
        let trainer = self.trainer(arm, rate, batch, limit.max(1), every, &self.order)?;
        let mut state = trainer.start(&self.initial)?;
        trainer.advance(&mut state, limit, &mut |seen| seen.validation_loss > TARGET)?;
        Ok(crossing(&state))
    }

    /// Loss and accuracy on the test samples after so many steps.
    fn judged(&self, arm: Arm, rate: f64, batch: usize, steps: usize, order: &Seed) -> Result<(f64, f64)> {
        let trainer = self.trainer(arm, rate, batch, steps, steps, order)?;
        let state = trainer.run(&self.initial)?;
        let loss = trainer.plan().loss;
        let test = self.samples.view().test;
        let score = test.score(&self.network, self.mask(arm)?, &state.theta, loss)?;
        Ok((score.loss, score.accuracy))
    }

    /// Steps of so many passes over the training samples.
    fn steps_of(&self, passes: usize, batch: usize) -> usize {
        passes * self.samples.view().training.inputs.rows() / batch
    }

    fn line(&self, part: &'static str, number: usize, arm: Arm) -> Result<Vec<(&'static str, Value)>> {
        Ok(vec![
            ("part", part.into()),
            ("number", number.into()),
            ("mask", arm.kind.into()),
            ("round", arm.round.into()),
            ("density", self.density(arm)?.into()),
        ])
    }
}

/// The step at which the last of the evaluations fell to the target.
fn crossing(state: &TrainingState<f32>) -> Option<f64> {
    let last = state.history.last().filter(|e| e.validation_loss <= TARGET)?;
    let Some(before) = state.history.len().checked_sub(2).and_then(|i| state.history.get(i)) else {
        return Some(last.step as f64);
    };
    let share = (before.validation_loss - TARGET) / (before.validation_loss - last.validation_loss);
    Some(before.step as f64 + share * (last.step - before.step) as f64)
}

/// The most steps of a training towards the target.
fn limit(batch: usize) -> usize {
    600 + 40_000 / batch
}

/// The learning rate of an arm and a batch size that needs the fewest steps to the target in all over the pilot seeds, and
/// their mean; none where no rate reaches the target on all of them. A rate is given up once it has taken more steps than
/// the best one.
fn tuned(context: &Context<'_>, arm: Arm, batch: usize) -> Result<Option<(f64, f64)>> {
    let scale = context.scale();
    let pilots = scale.pick(2, 5, 10);
    let identity = format!(
        "{:?};arm={arm:?};batch={batch};target={TARGET};rates={RATES:?};pilots={pilots}",
        plan(scale)
    );
    let bytes = context.shared("gradient-noise-rate", &identity, |_| {
        let mut best: Option<(f64, f64)> = None;
        let subjects: Result<Vec<Subject>> = (0..pilots).map(|i| Subject::new(context, FIRST_TUNING + i)).collect();
        let subjects = subjects?;
        for rate in RATES {
            context.check()?;
            let mut total = Some(0.0);
            for subject in &subjects {
                let Some(so_far) = total else { break };
                let left = best.map_or(f64::INFINITY, |(_, least)| least - so_far);
                let limit = limit(batch).min(left.ceil() as usize);
                total = subject.steps_to_target(arm, rate, batch, limit)?.map(|s| so_far + s);
            }
            if let Some(total) = total
                && best.is_none_or(|(_, least)| total < least)
            {
                best = Some((rate, total));
            }
        }
        let (rate, total) = best.unwrap_or((f64::NAN, f64::NAN));
        Ok([rate, total / pilots as f64]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect())
    })?;
    let (values, _) = bytes.as_chunks::<8>();
    let [rate, steps] = values else {
        return Err(Error::shape("bytes of a tuned rate", 16, bytes.len()));
    };
    let (rate, steps) = (f64::from_le_bytes(*rate), f64::from_le_bytes(*steps));
    Ok(rate.is_finite().then_some((rate, steps)))
}

/// The tuned rate of an arm and a batch.
pub(super) fn rate(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let (kind, round) = (cell.text("mask")?, cell.integer("round")?);
    let arm = ARMS
        .into_iter()
        .find(|arm| arm.kind == kind && arm.round == round)
        .ok_or_else(|| Error::unknown("arm", kind, ARMS.iter().map(|arm| arm.kind)))?;
    let batch = cell.integer("batch")?;
    let found = tuned(context, arm, batch)?;
    let row = row_of(
        COLUMNS,
        &[
            ("part", RATE.into()),
            ("mask", arm.kind.into()),
            ("round", arm.round.into()),
            ("batch", batch.into()),
            ("step", found.map(|(rate, _)| rate).into()),
            ("steps_to_target", found.map(|(_, steps)| steps).into()),
        ],
    )?;
    Ok(vec![row])
}

/// The dense network's accuracy on a pilot seed, at the smallest batch: their spread is the margin.
pub(super) fn margin(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let scale = context.scale();
    let (number, batch) = (cell.integer("seed")?, batches(scale)[0]);
    let Some((rate, _)) = tuned(context, ARMS[0], batch)? else {
        return Ok(Vec::new());
    };
    let subject = Subject::new(context, number)?;
    let steps = subject.steps_of(passes(scale), batch);
    let (loss, accuracy) = subject.judged(ARMS[0], rate, batch, steps, &subject.order)?;
    let mut line = subject.line(MARGIN, number, ARMS[0])?;
    line.extend([
        ("batch", batch.into()),
        ("step", rate.into()),
        ("steps", steps.into()),
        ("loss", loss.into()),
        ("accuracy", accuracy.into()),
    ]);
    Ok(vec![row_of(COLUMNS, &line)?])
}

/// Passes over the data of the trainings of equal epochs.
fn passes(scale: Scale) -> usize {
    scale.pick(2, 10, 20)
}

/// Steps to the target and accuracies of one number, for all arms and batch sizes, and the noise scale on the way.
pub(super) fn steps(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let scale = context.scale();
    let number = cell.integer("seed")?;
    let subject = Subject::new(context, number)?;
    let mut rows = Vec::new();
    for arm in ARMS {
        for &batch in batches(scale) {
            context.check()?;
            let Some((rate, _)) = tuned(context, arm, batch)? else {
                continue;
            };
            let reached = subject.steps_to_target(arm, rate, batch, limit(batch))?;
            let mut line = subject.line(STEPS, number, arm)?;
            line.extend([
                ("batch", batch.into()),
                ("step", rate.into()),
                ("steps_to_target", reached.into()),
            ]);
            rows.push(row_of(COLUMNS, &line)?);
            if let (Some(reached), true) = (reached, batch == BATCH) {
                rows.extend(along(&subject, number, arm, rate, reached.ceil() as usize)?);
            }
            if !FINAL_ARMS.contains(&arm) {
                continue;
            }
            for (setting, steps) in [
                (EPOCHS, subject.steps_of(passes(scale), batch)),
                (UPDATES, scale.pick(40, 150, 400)),
            ] {
                let (loss, accuracy) = subject.judged(arm, rate, batch, steps, &subject.order)?;
                let mut line = subject.line(ACCURACY, number, arm)?;
                line.extend([
                    ("setting", setting.into()),
                    ("batch", batch.into()),
                    ("step", rate.into()),
                    ("steps", steps.into()),
                    ("loss", loss.into()),
                    ("accuracy", accuracy.into()),
                ]);
                rows.push(row_of(COLUMNS, &line)?);
            }
        }
    }
    Ok(rows)
}

/// The noise scale over all training samples, on the way to the target.
fn along(subject: &Subject, number: usize, arm: Arm, rate: f64, steps: usize) -> Result<Vec<Row>> {
    let trainer = subject.trainer(arm, rate, BATCH, steps.max(1), steps.max(1), &subject.order)?;
    let mut state = trainer.start(&subject.initial)?;
    let mut rows = Vec::new();
    for progress in PROGRESS {
        trainer.advance(&mut state, (progress * steps as f64).round() as usize, &mut |_| true)?;
        let examples = subject.samples.view().training;
        let loss = trainer.plan().loss;
        let noise = NoiseScale::exact_masked(&subject.network, &state.theta, examples, loss, subject.mask(arm)?)?;
        let mut line = subject.line(ALONG, number, arm)?;
        line.extend([
            ("batch", BATCH.into()),
            ("step", rate.into()),
            ("steps", state.step.into()),
            ("progress", progress.into()),
            ("measured_trace", noise.trace.into()),
            ("squared_gradient", noise.squared_gradient.into()),
            ("scale", noise.scale.into()),
        ]);
        rows.push(row_of(COLUMNS, &line)?);
    }
    Ok(rows)
}

/// Loss and accuracy of one number under many orders of the data: the same first values, masks and learning rate, that of
/// the dense network, for every arm.
pub(super) fn orders(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let scale = context.scale();
    let number = cell.integer("seed")?;
    let Some((rate, _)) = tuned(context, ARMS[0], BATCH)? else {
        return Ok(Vec::new());
    };
    let subject = Subject::new(context, number)?;
    let steps = scale.pick(60, 300, 1000);
    let mut rows = Vec::new();
    for arm in FINAL_ARMS {
        for order in 0..scale.pick(6, 30, 100) {
            context.check()?;
            let seed = subject.order.stream(format!("number-{order}"));
            let (loss, accuracy) = subject.judged(arm, rate, BATCH, steps, &seed)?;
            let mut line = subject.line(ORDERS, number, arm)?;
            line.extend([
                ("order", order.into()),
                ("batch", BATCH.into()),
                ("step", rate.into()),
                ("steps", steps.into()),
                ("loss", loss.into()),
                ("accuracy", accuracy.into()),
            ]);
            rows.push(row_of(COLUMNS, &line)?);
        }
    }
    Ok(rows)
}
