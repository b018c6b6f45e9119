//! Iterative pruning with rewinding, as a value: a plan with an identity, and a run that can be stored and read back.

use super::criteria::{Criterion, CriterionInput};
use super::retraining::Retraining;
use super::run::{ImpRun, Round, TrainingOutcome, emptied};
use super::select::{LayerRate, Scope, prune_lowest};
use super::stages::{Keeper, NotKept, Stage};
use crate::error::{Error, Result};
use crate::networks::{Initialisation, InputShape, Loss, Network, SlotKind};
use crate::outcome::Status;
use crate::seed::Seed;
use crate::support::Mask;
use crate::training::{Distillation, Examples, Schedule, Trainer, TrainingPlan, TrainingState};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What iterative pruning does: train, prune the weights of lowest score, rewind the survivors, repeat.
///
/// The first round is dense; each later one trains the survivors as [`Retraining`] says, with fresh moments. By default
/// they go back to their values after `rewind_step = k` steps of the dense training and are trained for the steps that
/// remain, on the data order from step `k` on (Frankle et al., ICML 2020); `k = 0` is the original procedure (Frankle &
/// Carbin, ICLR 2019). One round is pruning at once.
#[derive(Clone, Debug, PartialEq)]
pub struct ImpPlan {
    /// The network, as [`Network::preset`] reads it.
    pub network: String,
    /// The law of the initial weights.
    pub initialisation: Initialisation,
    /// Every training of the run.
    pub training: TrainingPlan,
    /// Pruning rounds after the dense training.
    pub rounds: usize,
    /// Fraction of the *remaining* weights pruned in a round, in `[0, 1)`.
    pub prune_fraction: f64,
    /// The same for the output layer, which then is a scope of its own; `None` treats it like the others.
    pub output_prune_fraction: Option<f64>,
    /// Over which weights the scores compete.
    pub scope: Scope,
    /// What decides who stays.
    pub criterion: Criterion,
    /// Step of the dense training that survivors, or the schedule, go back to.
    pub rewind_step: usize,
    /// What survivors start from and how long they are trained.
    pub retraining: Retraining,
    /// Fractions of single layers by slot name, such as `dense0.weight`, before the two fractions above. Under
    /// [`Scope::Global`] layers of equal fraction compete with each other.
    pub layer_prune_fractions: BTreeMap<String, f64>,
    /// Whether every training after the first learns from the trained dense network as well.
    pub distillation: Option<Distillation>,
}

impl Default for ImpPlan {
    /// Frankle & Carbin's procedure for LeNet-300-100: Glorot, layerwise magnitude, 20 % a round and 10 % at the output.
    fn default() -> Self {
        ImpPlan {
            network: "lenet-300-100".into(),
            initialisation: Initialisation::GLOROT,
            training: TrainingPlan::default(),
            rounds: 10,
            prune_fraction: 0.2,
            output_prune_fraction: Some(0.1),
            scope: Scope::Layerwise,
            criterion: Criterion::Magnitude,
            rewind_step: 0,
            retraining: Retraining::WeightRewinding,
            layer_prune_fractions: BTreeMap::new(),
            distillation: None,
        }
    }
}

/// The samples of a run, and a name that changes when they do.
#[derive(Clone, Copy, Debug)]
pub struct ImpData<'a> {
    /// Trained on.
    pub training: Examples<'a, f32>,
    /// Watched during training.
    pub validation: Examples<'a, f32>,
    /// Judged once a round, at the end.
    pub test: Examples<'a, f32>,
    /// What a sample is.
    pub shape: InputShape,
    /// Number of classes.
    pub classes: usize,
    /// Names the data set, its checksum, normalisation and split.
    pub identity: &'a str,
}

impl ImpPlan {
    /// Every field by name, with the data and the random stream: two runs of equal identity are equal to the last bit.
    ///
    /// A field that came later is named only where it changes something, so that it renames no old run.
    pub fn identity(&self, data: &ImpData<'_>, seed: &Seed) -> String {
        self.identity_of_rounds(Some(self.rounds), data, seed)
    }

    /// The identity without the number of rounds: plans that share it share every round that both have.
    pub fn shared_identity(&self, data: &ImpData<'_>, seed: &Seed) -> String {
        self.identity_of_rounds(None, data, seed)
    }

    fn identity_of_rounds(&self, rounds: Option<usize>, data: &ImpData<'_>, seed: &Seed) -> String {
        let mut later = String::new();
        let mut add = |name: &str, value: String| {
            let _ = write!(later, ";{name}={value}");
        };
        if self.retraining != Retraining::WeightRewinding {
            add("retraining", self.retraining.to_string());
        }
        if !self.layer_prune_fractions.is_empty() {
            let fractions = self.layer_prune_fractions.iter();
            let fractions: Vec<String> = fractions.map(|(name, fraction)| format!("{name}:{fraction}")).collect();
            add("layer-prune-fractions", fractions.join("+"));
        }
        if let Some(distillation) = self.distillation {
            add("distillation", distillation.to_string());
        }
        format!(
            "network={};initialisation={};{};rounds={};prune-fraction={};output-prune-fraction={};scope={};criterion={};\
             rewind-step={}{later};data={};seed={}/{}",
            self.network,
            self.initialisation,
            self.training.identity(),
            rounds.map_or("any".into(), |rounds| rounds.to_string()),
            self.prune_fraction,
            self.output_prune_fraction
                .map_or("as-the-others".into(), |f| f.to_string()),
            self.scope.as_str(),
            self.criterion,
            self.rewind_step,
            data.identity,
            crate::files::hex(&seed.key()),
            seed.replicate_number()
        )
    }

    /// The network of this plan for some data.
    ///
    /// # Errors
    /// As [`Network::preset`].
    pub fn build_network(&self, data: &ImpData<'_>) -> Result<Network> {
        Network::preset(&self.network, data.shape, data.classes)
    }

    /// The weight layers with the fraction each loses in a round.
    ///
    /// # Errors
    /// [`Error::Argument`] when a fraction is outside `[0, 1)` or of a layer that is not pruned, [`Error::Unknown`] when
    /// there is no such layer.
    pub fn layer_rates(&self, network: &Network) -> Result<Vec<LayerRate>> {
        for (name, fraction) in [
            ("prune fraction", Some(self.prune_fraction)),
            ("output prune fraction", self.output_prune_fraction),
        ] {
            if let Some(fraction) = fraction.filter(|f| !(0.0..1.0).contains(f)) {
                return Err(Error::argument(name, "a number in [0, 1)", fraction));
            }
        }
        for (name, fraction) in &self.layer_prune_fractions {
            let weights = network.layout().weight_slots();
            if network.layout().slot(name)?.kind != SlotKind::Weight {
                let names: Vec<&str> = weights.map(|slot| slot.name.as_str()).collect();
                return Err(Error::argument("layer prune fraction", names.join(", "), name));
            }
            if !(0.0..1.0).contains(fraction) {
                let what = format!("prune fraction of {name}");
                return Err(Error::argument(what, "a number in [0, 1)", fraction));
            }
        }
        let mut rates: Vec<LayerRate> = network
            .layout()
            .weight_slots()
            .map(|slot| LayerRate {
                range: slot.range.clone(),
                prune_fraction: self.prune_fraction,
            })
            .collect();
        if let (Some(last), Some(fraction)) = (rates.last_mut(), self.output_prune_fraction) {
            last.prune_fraction = fraction;
        }
        for (rate, slot) in rates.iter_mut().zip(network.layout().weight_slots()) {
            if let Some(fraction) = self.layer_prune_fractions.get(&slot.name) {
                rate.prune_fraction = *fraction;
            }
        }
        Ok(rates)
    }

    /// Refuses what is out of range, whatever the network and the data.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the field.
    pub fn validate(&self) -> Result<()> {
        if self.rewind_step >= self.training.steps && self.rewind_step > 0 {
            return Err(Error::argument(
                "rewind step",
                format!("below the {} steps of a training", self.training.steps),
                self.rewind_step,
            ));
        }
        if let Retraining::FineTuning { steps } = self.retraining {
            let instead = |name: &str, expected: &str, got: usize| Err(Error::argument(name, expected, got));
            if steps == 0 {
                return instead("steps of fine-tuning", "at least 1", steps);
            }
            if self.rewind_step > 0 {
                return instead("rewind step", "0, since fine-tuning rewinds nothing", self.rewind_step);
            }
        }
        self.distillation
            .map_or(Ok(()), |distillation| distillation.validate())?;
        self.training.validate()
    }

    /// How the survivors of a pruning are trained: the plan, and the step that they start at.
    pub fn retraining_plan(&self) -> (TrainingPlan, usize) {
        let training = self.training.clone();
        match self.retraining {
            Retraining::WeightRewinding | Retraining::LearningRateRewinding => (training, self.rewind_step),
            Retraining::FineTuning { steps } => {
                let plan = TrainingPlan {
                    optimiser: training.optimiser_at(training.steps.saturating_sub(1)),
                    schedule: Schedule::CONSTANT,
                    steps: training.steps + steps,
                    ..training
                };
                (plan, self.training.steps)
            }
        }
    }

    /// Runs it. The initial weights come from the stream `initial`, the data order and the mixing from `training` of
    /// `seed`.
    ///
    /// `progress` is told each finished round and may end the run by returning false. A run whose training diverged so
    /// that its weights cannot be ranked, or cannot teach, has no further rounds.
    ///
    /// # Errors
    /// [`Error::Argument`] on a plan out of range, [`Error::Interrupted`] when `progress` ends the run; otherwise as
    /// [`Trainer::run`].
    ///
    /// Cost: `rounds + 1` trainings.
    pub fn run(&self, data: &ImpData<'_>, seed: &Seed, progress: &mut dyn FnMut(&Round) -> bool) -> Result<ImpRun> {
        self.run_kept(data, seed, &mut NotKept, progress)
    }

    /// As [`ImpPlan::run`], with every finished round kept as it ends and taken up again by the next run of this plan,
    /// whatever its number of rounds; a training that is interrupted goes on at its last checkpoint. The run is the same
    /// to the last bit.
    ///
    /// # Errors
    /// As [`ImpPlan::run`], and what the keeper refuses. What it gives back damaged, or of another plan, is computed again.
    pub fn run_kept(
        &self,
        data: &ImpData<'_>,
        seed: &Seed,
        keeper: &mut dyn Keeper,
        progress: &mut dyn FnMut(&Round) -> bool,
    ) -> Result<ImpRun> {
        self.validate()?;
        let network = self.build_network(data)?;
        self.criterion.check(&network)?;
        let rates = self.layer_rates(&network)?;
        let initial: Vec<f32> = network.initial(&seed.stream("initial"), &self.initialisation)?;
        let order = seed.stream("training");
        let identity = self.shared_identity(data, seed);
        let mut rewind = initial.clone();
        let mut rounds: Vec<Round> = Vec::with_capacity(self.rounds + 1);
        for round in 0..=self.rounds {
            let stage = Stage::new(round, &identity);
            let finished = match stage.load(keeper, network.layout().len())? {
                Some((finished, kept_rewind)) => {
                    rewind = kept_rewind.unwrap_or(rewind);
                    finished
                }
                None => {
                    let (mask, state, first) = match rounds.last() {
                        None => {
                            let mask = network.layout().full_mask();
                            let trainer = self.trainer(&self.training, &network, data, &mask, &order, None)?;
                            let at = (self.rewind_step > 0).then_some(self.rewind_step);
                            let (state, seen) = stage.train(keeper, &trainer, &initial, 0, at)?;
                            rewind = seen.unwrap_or(rewind);
                            (mask, state, 0)
                        }
                        Some(previous) => {
                            let input = CriterionInput {
                                network: &network,
                                theta: &previous.outcome.theta,
                                mask: &previous.mask,
                                initial: &initial,
                                loss: self.training.loss,
                                training: data.training,
                                seed: seed.stream("criterion").replicate(round as u64),
                            };
                            let scores = self.criterion.scores(&input)?;
                            let mask = prune_lowest(&previous.mask, &scores, &rates, self.scope)?;
                            let (plan, first) = self.retraining_plan();
                            let teacher = rounds.first().map(|dense| (&network, &dense.outcome.theta[..]));
                            let trainer = self.trainer(&plan, &network, data, &mask, &order, teacher)?;
                            let from = match self.retraining {
                                Retraining::WeightRewinding => &rewind,
                                _ => &previous.outcome.theta,
                            };
                            let state = stage.train(keeper, &trainer, from, first, None)?.0;
                            (mask, state, first)
                        }
                    };
                    let finished = Round {
                        round,
                        emptied: emptied(network.layout(), &mask),
                        outcome: finish(&network, &mask, data, self.training.loss, state, first)?,
                        mask,
                    };
                    stage.keep(keeper, &finished, (round == 0).then_some(&rewind[..]))?;
                    finished
                }
            };
            let go_on = progress(&finished);
            rounds.push(finished);
            if !go_on {
                return Err(Error::Interrupted);
            }
            if rounds.last().is_some_and(|last| self.leads_nowhere(last, &rewind)) {
                break;
            }
        }
        Ok(ImpRun {
            initial,
            rewind,
            rounds,
        })
    }

    /// Whether no round can follow: weights that are no numbers have no order, teach nothing and start nothing.
    fn leads_nowhere(&self, round: &Round, rewind: &[f32]) -> bool {
        let broken = |values: &[f32]| values.iter().any(|v| !v.is_finite());
        let rewinds = self.retraining == Retraining::WeightRewinding;
        let teaches = round.round == 0 && self.distillation.is_some();
        let needed = self.criterion != Criterion::Random || !rewinds || teaches;
        (needed && broken(&round.outcome.theta)) || (rewinds && broken(rewind))
    }

    fn trainer<'a>(
        &self,
        plan: &TrainingPlan,
        network: &'a Network,
        data: &ImpData<'a>,
        mask: &'a Mask,
        order: &Seed,
        teacher: Option<(&'a Network, &'a [f32])>,
    ) -> Result<Trainer<'a, f32>> {
        let trainer = Trainer::new(network, plan.clone(), data.training, data.validation, mask, order)?;
        match (self.distillation, teacher) {
            (Some(distillation), Some((teacher, theta))) => trainer.taught_by(teacher, theta, distillation),
            _ => Ok(trainer),
        }
    }

    /// Trains one mask from given values, as the dense round of this plan would: from step `start` of the data order of
    /// `order`.
    ///
    /// # Errors
    /// As [`Trainer::run`].
    pub fn train(
        &self,
        network: &Network,
        data: &ImpData<'_>,
        mask: &Mask,
        from: &[f32],
        start: usize,
        order: &Seed,
    ) -> Result<TrainingOutcome> {
        self.train_as(&self.training, network, data, mask, from, start, order, None)
    }

    /// Trains one mask from given values, as a later round of this plan would; `teacher` is the network of the dense
    /// training with its parameters, heard only where the plan distils.
    ///
    /// # Errors
    /// As [`Trainer::run`] and [`Trainer::taught_by`].
    pub fn retrain(
        &self,
        network: &Network,
        data: &ImpData<'_>,
        mask: &Mask,
        from: &[f32],
        order: &Seed,
        teacher: (&Network, &[f32]),
    ) -> Result<TrainingOutcome> {
        let (plan, start) = self.retraining_plan();
        self.train_as(&plan, network, data, mask, from, start, order, Some(teacher))
    }

    /// As [`ImpPlan::train`] for another plan of training, with the teacher that [`ImpPlan::retrain`] has.
    #[expect(clippy::too_many_arguments, reason = "what a training is made of")]
    pub(super) fn train_as(
        &self,
        plan: &TrainingPlan,
        network: &Network,
        data: &ImpData<'_>,
        mask: &Mask,
        from: &[f32],
        start: usize,
        order: &Seed,
        teacher: Option<(&Network, &[f32])>,
    ) -> Result<TrainingOutcome> {
        let trainer = self.trainer(plan, network, data, mask, order, teacher)?;
        let mut state = trainer.start_at(from, start)?;
        trainer.advance(&mut state, usize::MAX, &mut |_| true)?;
        finish(network, mask, data, self.training.loss, state, start)
    }
}

/// Judges a training at its end, once, on the test samples.
pub(super) fn finish(
    network: &Network,
    mask: &Mask,
    data: &ImpData<'_>,
    loss: Loss,
    state: TrainingState<f32>,
    start: usize,
) -> Result<TrainingOutcome> {
    // A training that blew up classifies at chance; judging its broken weights would only raise an error.
    let (test_accuracy, test_loss) = if state.status == Status::Diverged {
        (1.0 / data.classes as f64, f64::INFINITY)
    } else {
        let test = Examples::labelled(data.test.inputs, data.test.labels);
        let score = test.score(network, mask, &state.theta, loss)?;
        (score.accuracy, score.loss)
    };
    Ok(TrainingOutcome {
        test_accuracy,
        test_loss,
        steps: state.step - start,
        status: state.status,
        diverged_at: state.diverged_at,
        history: state.history,
        theta: state.theta,
    })
}
