//! Iterative pruning with rewinding, as a value: a plan with an identity, and a run that can be stored and read back.

use super::criteria::{Criterion, CriterionInput};
use super::select::{LayerRate, Scope, prune_lowest};
use crate::error::{Error, Result};
use crate::networks::{Initialisation, Network};
use crate::outcome::Status;
use crate::seed::Seed;
use crate::support::Mask;
use crate::training::{Bundle, Evaluation, Examples, Trainer, TrainingPlan, get_history, put_history};
use serde_json::{Value, json};

/// What iterative pruning does: train, prune the weights of lowest score, rewind the survivors, repeat.
///
/// Each round trains from the rewound weights under the mask so far. The first round is dense. With `rewind_step = k`
/// the survivors go back to their values after `k` steps of the dense training, with fresh moments, and are trained for
/// the steps that remain, on the data order from step `k` on (Frankle et al., ICML 2020); `k = 0` is the original
/// procedure (Frankle & Carbin, ICLR 2019).
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
    /// Step of the dense training that survivors go back to.
    pub rewind_step: usize,
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
    /// Number of classes.
    pub classes: usize,
    /// Names the data set, its checksum, normalisation and split.
    pub identity: &'a str,
}

/// One round: the mask, how its training went, and what came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// 0 is the dense training.
    pub round: usize,
    /// Biases are always kept.
    pub mask: Mask,
    /// The training.
    pub outcome: TrainingOutcome,
}

/// What a finished training leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingOutcome {
    /// The trained parameters.
    pub theta: Vec<f32>,
    /// Evaluations on the validation samples.
    pub history: Vec<Evaluation>,
    /// How the training ended.
    pub status: Status,
    /// Steps that were trained here.
    pub steps: usize,
    /// Accuracy on the test samples at the end.
    pub test_accuracy: f64,
    /// Loss on the test samples at the end.
    pub test_loss: f64,
}

impl TrainingOutcome {
    /// The step of smallest validation loss, the first of equals; none when every loss was infinite.
    pub fn early_stop_step(&self) -> Option<usize> {
        let finite = self.history.iter().filter(|e| e.validation_loss.is_finite());
        finite
            .min_by(|a, b| a.validation_loss.total_cmp(&b.validation_loss))
            .map(|e| e.step)
    }
}

/// A whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct ImpRun {
    /// The initial parameters θ₀.
    pub initial: Vec<f32>,
    /// The parameters that survivors go back to; θ₀ when the rewind step is 0.
    pub rewind: Vec<f32>,
    /// Round 0 is dense; round `r` has been pruned `r` times.
    pub rounds: Vec<Round>,
}

impl ImpPlan {
    /// Every field by name, with the data and the random stream: two runs of equal identity are equal to the last bit.
    pub fn identity(&self, data: &ImpData<'_>, seed: &Seed) -> String {
        format!(
            "network={};initialisation={};{};rounds={};prune-fraction={};output-prune-fraction={};scope={};criterion={};\
             rewind-step={};data={};seed={}/{}",
            self.network,
            self.initialisation,
            self.training.identity(),
            self.rounds,
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
        Network::preset(&self.network, data.training.inputs.columns(), data.classes)
    }

    /// The weight layers with the fraction each loses in a round.
    ///
    /// # Errors
    /// [`Error::Argument`] when a fraction is outside `[0, 1)`.
    pub fn layer_rates(&self, network: &Network) -> Result<Vec<LayerRate>> {
        for (name, fraction) in [
            ("prune fraction", Some(self.prune_fraction)),
            ("output prune fraction", self.output_prune_fraction),
        ] {
            if let Some(fraction) = fraction.filter(|f| !(0.0..1.0).contains(f)) {
                return Err(Error::argument(name, "a number in [0, 1)", fraction));
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
        Ok(rates)
    }

    fn validate(&self) -> Result<()> {
        if self.rewind_step >= self.training.steps && self.rewind_step > 0 {
            return Err(Error::argument(
                "rewind step",
                format!("below the {} steps of a training", self.training.steps),
                self.rewind_step,
            ));
        }
        Ok(())
    }

    /// Runs it. The initial weights come from the stream `initial`, the data order from `training` of `seed`.
    ///
    /// `progress` is told each finished round and may end the run by returning false.
    ///
    /// # Errors
    /// [`Error::Argument`] on a plan out of range, [`Error::Interrupted`] when `progress` ends the run; otherwise as
    /// [`Trainer::run`].
    ///
    /// Cost: `rounds + 1` trainings.
    pub fn run(&self, data: &ImpData<'_>, seed: &Seed, progress: &mut dyn FnMut(&Round) -> bool) -> Result<ImpRun> {
        self.validate()?;
        let network = self.build_network(data)?;
        let rates = self.layer_rates(&network)?;
        let initial: Vec<f32> = network.initial(&seed.stream("initial"), &self.initialisation)?;
        let order = seed.stream("training");

        let mut rewind = initial.clone();
        let full = network.layout().full_mask();
        let mut rounds: Vec<Round> = Vec::with_capacity(self.rounds + 1);
        for round in 0..=self.rounds {
            let mask = match rounds.last() {
                None => full.clone(),
                Some(previous) => {
                    let input = CriterionInput {
                        network: &network,
                        theta: &previous.outcome.theta,
                        loss: self.training.loss,
                        training: data.training,
                        seed: seed.stream("criterion").replicate(round as u64),
                    };
                    prune_lowest(&previous.mask, &self.criterion.scores(&input)?, &rates, self.scope)?
                }
            };
            let outcome = if round == 0 && self.rewind_step > 0 {
                let trainer = self.trainer(&network, data, &mask, &order)?;
                let mut state = trainer.start(&initial)?;
                trainer.advance(&mut state, self.rewind_step, &mut |_| true)?;
                rewind.clone_from(&state.theta);
                trainer.advance(&mut state, usize::MAX, &mut |_| true)?;
                finish(&network, data, self, state, 0)?
            } else {
                let start = if round == 0 { 0 } else { self.rewind_step };
                self.train(&network, data, &mask, &rewind, start, &order)?
            };
            let finished = Round { round, mask, outcome };
            let go_on = progress(&finished);
            rounds.push(finished);
            if !go_on {
                return Err(Error::Interrupted);
            }
        }
        Ok(ImpRun {
            initial,
            rewind,
            rounds,
        })
    }

    fn trainer<'a>(
        &self,
        network: &'a Network,
        data: &ImpData<'a>,
        mask: &'a Mask,
        order: &Seed,
    ) -> Result<Trainer<'a, f32>> {
        Trainer::new(
            network,
            self.training.clone(),
            data.training,
            data.validation,
            mask,
            order,
        )
    }

    /// Trains one mask from given values, as a round of this plan would: from step `start` of the data order of `order`.
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
        let trainer = self.trainer(network, data, mask, order)?;
        let mut state = trainer.start_at(from, start)?;
        trainer.advance(&mut state, usize::MAX, &mut |_| true)?;
        finish(network, data, self, state, start)
    }
}

fn finish(
    network: &Network,
    data: &ImpData<'_>,
    plan: &ImpPlan,
    state: crate::training::TrainingState<f32>,
    start: usize,
) -> Result<TrainingOutcome> {
    // A training that blew up classifies at chance; judging its broken weights would only raise an error.
    let (test_accuracy, test_loss) = if state.status == Status::Diverged {
        (1.0 / data.classes as f64, f64::INFINITY)
    } else {
        (
            network.accuracy(&state.theta, data.test.inputs, data.test.labels)?,
            network.loss(&state.theta, data.test.inputs, data.test.labels, plan.training.loss)?,
        )
    };
    Ok(TrainingOutcome {
        test_accuracy,
        test_loss,
        steps: state.step - start,
        status: state.status,
        history: state.history,
        theta: state.theta,
    })
}

impl ImpRun {
    /// The run as the bytes of a safetensors file.
    ///
    /// # Errors
    /// As [`Bundle::to_bytes`].
    pub fn to_bytes(&self, identity: &str) -> Result<Vec<u8>> {
        let mut bundle = Bundle::new(json!({
            "kind": "iterative pruning run",
            "identity": identity,
            "rounds": self.rounds.iter().map(|r| json!({
                "status": r.outcome.status.as_str(),
                "steps": r.outcome.steps,
            })).collect::<Vec<_>>(),
        }));
        bundle.put("initial", &self.initial);
        bundle.put("rewind", &self.rewind);
        for r in &self.rounds {
            let mut part = Bundle::new(Value::Null);
            part.put("theta", &r.outcome.theta);
            part.put_bits("mask", r.mask.bits());
            part.put("test", &[r.outcome.test_accuracy, r.outcome.test_loss]);
            put_history(&mut part, &r.outcome.history);
            bundle.include(&format!("round{}.", r.round), &part);
        }
        bundle.to_bytes()
    }

    /// Reads back what [`ImpRun::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`Error::Format`] naming the field that does not fit.
    pub fn from_bytes(path: impl AsRef<std::path::Path>, bytes: &[u8]) -> Result<Self> {
        let path = path.as_ref();
        let bundle = Bundle::from_bytes(path, bytes)?;
        let described = bundle.field("rounds", "a list", Value::as_array)?;
        let mut rounds = Vec::with_capacity(described.len());
        for (round, description) in described.iter().enumerate() {
            let part = bundle.part(&format!("round{round}."));
            let test: Vec<f64> = part.get("test")?;
            let &[test_accuracy, test_loss] = &test[..] else {
                return Err(Error::format(
                    path,
                    format!("round {round}: test"),
                    "2 numbers",
                    test.len(),
                ));
            };
            let status = match description["status"].as_str() {
                Some("converged") => Status::Converged,
                Some("diverged") => Status::Diverged,
                other => {
                    let got = other.unwrap_or("nothing");
                    return Err(Error::format(
                        path,
                        format!("round {round}: status"),
                        "an ended training",
                        got,
                    ));
                }
            };
            let steps = description["steps"].as_u64().ok_or_else(|| {
                Error::format(path, format!("round {round}: steps"), "a count", &description["steps"])
            })?;
            rounds.push(Round {
                round,
                mask: Mask::from_bits(part.bits("mask")?),
                outcome: TrainingOutcome {
                    theta: part.get("theta")?,
                    history: get_history(&part)?,
                    status,
                    steps: steps as usize,
                    test_accuracy,
                    test_loss,
                },
            });
        }
        Ok(ImpRun {
            initial: bundle.get("initial")?,
            rewind: bundle.get("rewind")?,
            rounds,
        })
    }
}
