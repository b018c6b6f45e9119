//! What survivors of a pruning start from and how they are trained.

use crate::error::{Error, Result};
use crate::training::Words;
use std::fmt;
use std::str::FromStr;

/// How the survivors of a pruning are trained again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retraining {
    /// Weights and schedule go back to the rewind step (Frankle & Carbin, ICLR 2019; Frankle et al., ICML 2020).
    #[default]
    WeightRewinding,
    /// The weights stay as they were trained; the schedule of the learning rate and the data order go back to the rewind
    /// step (Renda, Frankle & Carbin, ICLR 2020).
    LearningRateRewinding,
    /// The weights stay as they were trained, and so does the learning rate of the last step, for so many steps more of
    /// the data order (Han, Pool, Tran & Dally, NeurIPS 2015).
    FineTuning {
        /// Steps a round, at least 1.
        steps: usize,
    },
}

impl fmt::Display for Retraining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Retraining::WeightRewinding => f.write_str("weight-rewinding"),
            Retraining::LearningRateRewinding => f.write_str("learning-rate-rewinding"),
            Retraining::FineTuning { steps } => write!(f, "fine-tuning:steps={steps}"),
        }
    }
}

impl FromStr for Retraining {
    type Err = Error;

    /// `weight-rewinding`, `learning-rate-rewinding` or `fine-tuning:steps=N`.
    fn from_str(text: &str) -> Result<Self> {
        let mut words = Words::split("retraining", text)?;
        let known: &[&str] = if words.name == "fine-tuning" {
            &["steps"]
        } else {
            &["none"]
        };
        let retraining = match words.name {
            "weight-rewinding" => Retraining::WeightRewinding,
            "learning-rate-rewinding" => Retraining::LearningRateRewinding,
            "fine-tuning" => {
                let steps = words.take("steps", "a count")?;
                let steps = steps.ok_or_else(|| words.refuse("fine-tuning:steps=N"))?;
                Retraining::FineTuning { steps }
            }
            other => {
                let names = ["weight-rewinding", "learning-rate-rewinding", "fine-tuning"];
                return Err(Error::unknown("retraining", other, names));
            }
        };
        words.finish(known)?;
        Ok(retraining)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_retraining_reads_its_own_words_back_and_mistakes_are_named() {
        for text in ["weight-rewinding", "learning-rate-rewinding", "fine-tuning:steps=40"] {
            assert_eq!(text.parse::<Retraining>().unwrap().to_string(), text);
        }
        for (text, words) in [
            ("weight-rewindin", "did you mean 'weight-rewinding'"),
            ("fine-tuning", "fine-tuning:steps=N"),
            ("fine-tuning:step=3", "fine-tuning:steps=N"),
            ("fine-tuning:steps=-3", "a count as steps"),
            ("weight-rewinding:steps=3", "steps"),
        ] {
            let refused = text.parse::<Retraining>().unwrap_err().to_string();
            assert!(refused.contains(words), "{text}: {refused}");
        }
    }
}
