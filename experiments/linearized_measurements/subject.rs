//! One seed: the run of iterative pruning, the samples, the linear model at a point, and how masks are trained and counted.

use super::super::comparison::{Line, Trial, validation_accuracy};
use super::{DENSITY, RATES, plan, rounds_of};
use std::ops::Range;
use ticketsense::harness::Context;
use ticketsense::linearize::RowTransform;
use ticketsense::networks::{Array, Loss};
use ticketsense::pruning::controls::shuffle_within_layers;
use ticketsense::pruning::{Recovered, RecoveredBy, RecoveryRequest, SensingProblem, TrainingOutcome, kept_weights};
use ticketsense::theory::mask_overlap::{LayerCounts, chance_overlap};
use ticketsense::{Mask, Result};

/// Where the network is linearised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// θ₀.
    Initial,
    /// θ_T, after the dense training.
    Trained,
}

impl Point {
    pub const ALL: [Point; 2] = [Point::Initial, Point::Trained];

    /// The word in the table.
    pub fn name(self) -> &'static str {
        match self {
            Point::Initial => "initial",
            Point::Trained => "trained",
        }
    }
}

/// Samples on which the network is linearised.
#[derive(Clone, Debug)]
pub struct Drawn {
    pub inputs: Array<f64>,
    pub labels: Vec<usize>,
}

impl Drawn {
    /// The two halves: samples by class, dealt alternately.
    pub fn halves(&self) -> Result<[Drawn; 2]> {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        order.sort_by_key(|&i| (self.labels[i], i));
        let half = |first: usize| -> Result<Drawn> {
            let rows: Vec<usize> = order.iter().copied().skip(first).step_by(2).collect();
            Ok(Drawn {
                inputs: self.inputs.select_rows(&rows)?,
                labels: rows.iter().map(|&i| self.labels[i]).collect(),
            })
        };
        Ok([half(0)?, half(1)?])
    }
}

/// How many weights two masks share among some, and how many they would by chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    pub shared: usize,
    /// Hypergeometric in each group.
    pub chance: f64,
    /// Weights of the mask, and of its reference.
    pub own: usize,
    pub reference: usize,
}

impl Overlap {
    /// Counts within groups of weights; chance is that of masks with both counts of every group.
    ///
    /// # Errors
    /// As [`chance_overlap`].
    pub fn of(groups: &[Vec<usize>], mask: &Mask, reference: &Mask) -> Result<Self> {
        let kept = |of: &Mask, group: &[usize]| group.iter().filter(|&&j| of.keeps(j)).count();
        let counts: Vec<LayerCounts> = groups
            .iter()
            .map(|group| LayerCounts {
                weights: group.len(),
                first: kept(mask, group),
                second: kept(reference, group),
            })
            .collect();
        let both = |group: &Vec<usize>| group.iter().filter(|&&j| mask.keeps(j) && reference.keeps(j)).count();
        Ok(Overlap {
            shared: groups.iter().map(both).sum(),
            chance: chance_overlap(&counts)?.mean,
            own: counts.iter().map(|c| c.first).sum(),
            reference: counts.iter().map(|c| c.second).sum(),
        })
    }

    /// Its columns.
    pub fn told(&self, line: Line) -> Line {
        line.with("overlap", self.shared)
            .with("chance", self.chance)
            .with("reference", self.reference)
    }
}

/// The flat indices of the candidates of a problem, layer by layer.
pub fn live_weights(problem: &SensingProblem, layers: &[Range<usize>]) -> Vec<Vec<usize>> {
    let columns = problem.operator().parameters().iter().zip(problem.candidates());
    let live: Vec<usize> = columns.filter(|(_, candidate)| **candidate).map(|(&j, _)| j).collect();
    let within = |layer: &Range<usize>| live.iter().copied().filter(|j| layer.contains(j)).collect();
    layers.iter().map(within).collect()
}

/// Everything that belongs to one seed.
pub struct Subject {
    pub trial: Trial,
    /// The mask of iterative pruning at the density.
    pub ticket: Mask,
    /// Its weights in every layer.
    pub counts: Vec<usize>,
    pub layers: Vec<Range<usize>>,
    last: usize,
}

impl Subject {
    /// The `number`-th seed, trained on a loss.
    ///
    /// # Errors
    /// As [`Trial::new`].
    pub fn new(context: &Context<'_>, loss: Loss, number: usize) -> Result<Self> {
        let trial = Trial::new(context, &plan(context.scale(), loss), number)?;
        let last = rounds_of(context.scale());
        let ticket = trial.round(last)?.mask.clone();
        Ok(Subject {
            counts: trial.counts(&ticket),
            layers: trial.layers(),
            ticket,
            last,
            trial,
        })
    }

    /// A row in the making.
    pub fn line(&self, part: &str, arm: &str) -> Line {
        Line::new(part, self.trial.number, arm, DENSITY)
    }

    /// Stratified training samples; fewer of them lie within more.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn draw(&self, context: &Context<'_>, count: usize) -> Result<Drawn> {
        let dataset = context.data()?;
        let chosen = dataset.stratified(count, &self.trial.seed.stream("measurements"))?;
        Ok(Drawn {
            inputs: dataset.batch(&chosen)?,
            labels: dataset.labels_of(&chosen)?,
        })
    }

    /// The parameters at a point.
    ///
    /// # Errors
    /// As [`Trial::trained`].
    pub fn theta(&self, point: Point) -> Result<Vec<f64>> {
        Ok(wide(match point {
            Point::Initial => &self.trial.run.initial,
            Point::Trained => self.trial.trained()?,
        }))
    }

    /// The trained weights of the ticket, 0 where pruned.
    ///
    /// # Errors
    /// As [`Trial::round`].
    pub fn ticket_weights(&self) -> Result<Vec<f64>> {
        let mut theta = wide(&self.trial.round(self.last)?.outcome.theta);
        self.ticket.apply(&mut theta)?;
        Ok(theta)
    }

    /// The linear model at a point as a sensing problem.
    ///
    /// # Errors
    /// As [`SensingProblem::new`].
    pub fn problem(&self, point: Point, drawn: &Drawn, rows: RowTransform) -> Result<SensingProblem> {
        SensingProblem::new(&self.trial.network, &self.theta(point)?, &drawn.inputs, rows)
    }

    /// Recovers at the ticket's counts.
    ///
    /// # Errors
    /// As [`SensingProblem::recover`].
    pub fn recover(&self, problem: &SensingProblem, b: &[f64], solver: RecoveredBy, damping: f64) -> Result<Recovered> {
        let request = RecoveryRequest {
            solver,
            damping,
            counts: &self.counts,
        };
        problem.recover(b, &request)
    }

    /// A mask shuffled within layers; the name is that of its random stream.
    ///
    /// # Errors
    /// As [`shuffle_within_layers`].
    pub fn shuffle(&self, mask: &Mask, name: &str) -> Result<Mask> {
        shuffle_within_layers(mask, &self.layers, &self.trial.seed.stream("measurements").stream(name))
    }

    /// Trains `m ⊙ θ₀` at every learning rate and keeps the training of highest validation accuracy, the first of equals.
    ///
    /// # Errors
    /// As [`Trial::train`].
    pub fn best(&self, mask: &Mask) -> Result<(TrainingOutcome, f64)> {
        let train = |rate: f64| self.trial.train(mask, &self.trial.run.initial, 0, rate);
        let mut best = (train(RATES[0])?, RATES[0]);
        for rate in RATES.into_iter().skip(1) {
            let outcome = train(rate)?;
            if validation_accuracy(&outcome) > validation_accuracy(&best.0) {
                best = (outcome, rate);
            }
        }
        Ok(best)
    }

    /// Weights that a mask keeps.
    pub fn kept(&self, mask: &Mask) -> usize {
        kept_weights(&self.trial.network, mask)
    }

    /// The rows of a recovered mask, trained, and of its shuffle, trained. Without a mask of the ticket's counts there is one
    /// row that says why: nothing is padded, and masks of fewer weights are not compared.
    ///
    /// # Errors
    /// As [`Subject::best`].
    pub fn trained_lines(
        &self,
        line: impl Fn(&str) -> Line,
        arm: &str,
        problem: &SensingProblem,
        answer: &Recovered,
        shuffle: &str,
    ) -> Result<Vec<Line>> {
        let own = line(arm).with("recovery", answer.status.as_str());
        let Some(found) = &answer.ticket else {
            return Ok(vec![own]);
        };
        if self.kept(&found.mask) != self.counts.iter().sum::<usize>() {
            return Ok(vec![own.with("kept", self.kept(&found.mask))]);
        }
        let live = live_weights(problem, &self.layers);
        let (outcome, rate) = self.best(&found.mask)?;
        let own = Overlap::of(&live, &found.mask, &self.ticket)?.told(own);
        let other = self.shuffle(&found.mask, shuffle)?;
        let (shuffled, other_rate) = self.best(&other)?;
        Ok(vec![
            own.masked(&self.trial, &found.mask)?.trained(&outcome, rate),
            line(&shuffled_name(arm))
                .masked(&self.trial, &other)?
                .trained(&shuffled, other_rate),
        ])
    }
}

/// The arm that shuffles another one's mask within layers.
pub fn shuffled_name(arm: &str) -> String {
    format!("{arm}-shuffled")
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}
