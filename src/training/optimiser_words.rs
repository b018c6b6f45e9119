//! Optimisers as words: what stands on the command line and in the identity of a run.

use super::optimiser::{Decay, Optimiser};
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
        let (name, numbers) = text
            .split_once(':')
            .map_or((text, None), |(name, rest)| (name, Some(rest)));
        let mut optimiser = match name {
            "sgd" | "momentum" => Optimiser::sgd(f64::NAN),
            "nesterov" => Optimiser::sgd(f64::NAN).looking_ahead(true),
            "gradient-descent" => Optimiser::sgd(f64::NAN).with_momentum(0.0),
            "adam" => Optimiser::adam(f64::NAN),
            "adamw" => Optimiser::adam(f64::NAN).with_decay(Decay::Decoupled(ADAMW_DECAY)),
            _ => return Err(Error::unknown("optimiser", name, NAMES)),
        };
        let mut rate = learning_rate.into();
        let mut seen: Vec<&str> = Vec::new();
        for assignment in numbers.iter().flat_map(|numbers| numbers.split(',')) {
            let refuse = |expected: &str| Error::argument("optimiser", expected, text);
            let (key, value) = assignment
                .split_once('=')
                .ok_or_else(|| refuse("NAME:NUMBER=VALUE,NUMBER=VALUE"))?;
            // The two decays exclude each other, so they count as one.
            let once = if key == "decoupled-decay" { "weight-decay" } else { key };
            if seen.contains(&once) || (key == "learning-rate" && rate.is_some()) {
                return Err(refuse(&format!("{once} once")));
            }
            seen.push(once);
            if key == "nesterov" && matches!(optimiser, Optimiser::Sgd { .. }) {
                let flag = value.parse().map_err(|_| refuse("nesterov=true or nesterov=false"))?;
                optimiser = optimiser.looking_ahead(flag);
                continue;
            }
            let number: f64 = value.parse().map_err(|_| refuse(&format!("a number as {key}")))?;
            let decay = |some: fn(f64) -> Decay| if number == 0.0 { Decay::None } else { some(number) };
            match (key, &mut optimiser) {
                ("learning-rate", _) => rate = Some(number),
                ("weight-decay", _) => optimiser = optimiser.with_decay(decay(Decay::Penalty)),
                ("decoupled-decay", _) => optimiser = optimiser.with_decay(decay(Decay::Decoupled)),
                ("momentum", Optimiser::Sgd { momentum, .. }) => *momentum = number,
                ("beta1", Optimiser::Adam { beta1, .. }) => *beta1 = number,
                ("beta2", Optimiser::Adam { beta2, .. }) => *beta2 = number,
                ("epsilon", Optimiser::Adam { epsilon, .. }) => *epsilon = number,
                (_, Optimiser::Sgd { .. }) => {
                    let known = [
                        "learning-rate",
                        "momentum",
                        "nesterov",
                        "weight-decay",
                        "decoupled-decay",
                    ];
                    return Err(Error::unknown("number of sgd", key, known));
                }
                (_, Optimiser::Adam { .. }) => {
                    let known = [
                        "learning-rate",
                        "beta1",
                        "beta2",
                        "epsilon",
                        "weight-decay",
                        "decoupled-decay",
                    ];
                    return Err(Error::unknown("number of adam", key, known));
                }
            }
        }
        let rate = rate.ok_or_else(|| Error::argument("optimiser", "a learning-rate", text))?;
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
