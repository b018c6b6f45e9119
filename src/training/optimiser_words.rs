//! Optimisers as words: what stands on the command line and in the identity of a run.

use super::optimiser::{Decay, Optimiser};
use super::words::Words;
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// Decoupled decay of `adamw` where none is given: the constant of its authors' experiments and of common libraries.
const ADAMW_DECAY: f64 = 0.01;

/// The words that an optimiser begins with.
const NAMES: [&str; 6] = ["adam", "adamw", "sgd", "momentum", "nesterov", "gradient-descent"];

impl Optimiser {
    /// An optimiser by name, with any of its numbers behind a colon: `sgd`, `nesterov:momentum=0.95`,
    /// `adam:beta2=0.99,weight-decay=0.0001`.
    ///
    /// `sgd` and `momentum` are gradient descent with momentum 0.9, `nesterov` looks ahead, `gradient-descent` has no
    /// momentum, `adam` has its published constants, `adamw` adds decoupled decay 0.01. Numbers: `learning-rate` (where
    /// `learning_rate` is none), `momentum`, `beta1`, `beta2`, `epsilon`, and one of `weight-decay` and
    /// `decoupled-decay`, 0 for none.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name, [`Error::Argument`] on a number out of range, given twice or not at
    /// all.
    pub fn named(text: &str, learning_rate: impl Into<Option<f64>>) -> Result<Self> {
        let mut words = Words::split("optimiser", text)?;
        let mut optimiser = match words.name {
            "sgd" | "momentum" => Optimiser::sgd(f64::NAN),
            "nesterov" => Optimiser::sgd(f64::NAN).looking_ahead(true),
            "gradient-descent" => Optimiser::sgd(f64::NAN).with_momentum(0.0),
            "adam" => Optimiser::adam(f64::NAN),
            "adamw" => Optimiser::adam(f64::NAN).with_decay(Decay::Decoupled(ADAMW_DECAY)),
            name => return Err(Error::unknown("optimiser", name, NAMES)),
        };
        let rate = match (words.take("learning-rate", "a number")?, learning_rate.into()) {
            (Some(_), Some(_)) => return Err(words.refuse("learning-rate once")),
            (given, other) => given.or(other).ok_or_else(|| words.refuse("a learning-rate"))?,
        };
        let known: &[&str] = match &mut optimiser {
            Optimiser::Sgd { momentum, nesterov, .. } => {
                *momentum = words.number("momentum", *momentum)?;
                *nesterov = words.take("nesterov", "true or false")?.unwrap_or(*nesterov);
                &[
                    "learning-rate",
                    "momentum",
                    "nesterov",
                    "weight-decay",
                    "decoupled-decay",
                ]
            }
            Optimiser::Adam {
                beta1, beta2, epsilon, ..
            } => {
                *beta1 = words.number("beta1", *beta1)?;
                *beta2 = words.number("beta2", *beta2)?;
                *epsilon = words.number("epsilon", *epsilon)?;
                &[
                    "learning-rate",
                    "beta1",
                    "beta2",
                    "epsilon",
                    "weight-decay",
                    "decoupled-decay",
                ]
            }
        };
        let unless_zero =
            |strength: f64, decay: fn(f64) -> Decay| if strength == 0.0 { Decay::None } else { decay(strength) };
        match (
            words.take("weight-decay", "a number")?,
            words.take("decoupled-decay", "a number")?,
        ) {
            (None, None) => {}
            (Some(strength), None) => optimiser = optimiser.with_decay(unless_zero(strength, Decay::Penalty)),
            (None, Some(strength)) => optimiser = optimiser.with_decay(unless_zero(strength, Decay::Decoupled)),
            (Some(_), Some(_)) => return Err(words.refuse("one of weight-decay and decoupled-decay")),
        }
        words.finish(known)?;
        let optimiser = optimiser.at_rate(rate);
        optimiser.validate()?;
        Ok(optimiser)
    }

    fn looking_ahead(mut self, flag: bool) -> Self {
        if let Optimiser::Sgd { nesterov, .. } = &mut self {
            *nesterov = flag;
        }
        self
    }

    fn with_momentum(mut self, number: f64) -> Self {
        if let Optimiser::Sgd { momentum, .. } = &mut self {
            *momentum = number;
        }
        self
    }
}

impl fmt::Display for Optimiser {
    /// What [`Optimiser::named`] reads; numbers that change nothing are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Optimiser::Sgd {
                learning_rate,
                momentum,
                nesterov,
                ..
            } => {
                write!(f, "sgd:learning-rate={learning_rate},momentum={momentum}")?;
                if *nesterov {
                    f.write_str(",nesterov=true")?;
                }
            }
            Optimiser::Adam {
                learning_rate,
                beta1,
                beta2,
                epsilon,
                ..
            } => write!(
                f,
                "adam:learning-rate={learning_rate},beta1={beta1},beta2={beta2},epsilon={epsilon}"
            )?,
        }
        match self.decay() {
            Decay::None => Ok(()),
            Decay::Penalty(strength) => write!(f, ",weight-decay={strength}"),
            Decay::Decoupled(strength) => write!(f, ",decoupled-decay={strength}"),
        }
    }
}

impl FromStr for Optimiser {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Optimiser::named(text, None)
    }
}
