//! How the learning rate moves: a function of the step alone, so that a training can start, stop and rewind anywhere.

use super::words::Words;
use crate::error::{Error, Result};
use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

/// The factor on the learning rate of every step.
///
/// Step `t = 0, 1, …, T − 1` of a training of `T` steps has the rate `η · ramp(t) · shape(t)`. The ramp of a warm-up of
/// `w` steps is `(t + 1) / w` before step `w` and 1 from there on.
///
/// ```
/// use ticketsense::training::Schedule;
/// let schedule: Schedule = "steps:at=40+60,factor=0.1,warm-up=4".parse()?;
/// assert_eq!(schedule.factor(0, 100), 0.25);
/// assert_eq!(schedule.factor(39, 100), 1.0);
/// assert_eq!(schedule.factor(40, 100), 0.1);
/// assert_eq!("cosine".parse::<Schedule>()?.factor(50, 100), 0.5);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    /// Steps of linear growth before the shape begins; 0 for none.
    pub warm_up: usize,
    /// What follows.
    pub shape: Shape,
}

/// How the learning rate moves after the warm-up.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Shape {
    /// Always 1.
    #[default]
    Constant,
    /// `factor^(number of drops at or before step t)`.
    Steps {
        /// The steps of the drops, ascending.
        at: Vec<usize>,
        /// What a drop multiplies the rate with, in `(0, 1)`.
        factor: f64,
    },
    /// `floor + (1 − floor) · ½ (1 + cos(π u))` with `u = (t − w) / (T − w)` of the steps after the warm-up done
    /// (Loshchilov & Hutter, ICLR 2017, without restarts).
    Cosine {
        /// The factor towards which it falls, in `[0, 1]`.
        floor: f64,
    },
}

impl Schedule {
    /// Always 1.
    pub const CONSTANT: Schedule = Schedule {
        warm_up: 0,
        shape: Shape::Constant,
    };

    /// The factor of step `step`, counted from 0, of a training of `steps` steps; later steps have that of the last.
    pub fn factor(&self, step: usize, steps: usize) -> f64 {
        let step = step.min(steps.saturating_sub(1));
        let ramp = if step < self.warm_up {
            (step + 1) as f64 / self.warm_up as f64
        } else {
            1.0
        };
        ramp * match &self.shape {
            Shape::Constant => 1.0,
            Shape::Steps { at, factor } => {
                let drops = at.iter().filter(|drop| **drop <= step).count();
                factor.powi(i32::try_from(drops).unwrap_or(i32::MAX))
            }
            Shape::Cosine { floor } => {
                let (done, all) = (
                    step.saturating_sub(self.warm_up),
                    steps.saturating_sub(self.warm_up).max(1),
                );
                floor + (1.0 - floor) * 0.5 * (1.0 + (PI * done as f64 / all as f64).cos())
            }
        }
    }

    /// Refuses what is out of range for a training of `steps` steps.
    ///
    /// # Errors
    /// [`Error::Argument`] on a warm-up longer than the training, drops that do not ascend or are never reached, and
    /// factors outside their ranges.
    pub fn validate(&self, steps: usize) -> Result<()> {
        if self.warm_up > steps {
            return Err(Error::argument(
                "warm-up",
                format!("at most {steps} steps"),
                self.warm_up,
            ));
        }
        match &self.shape {
            Shape::Constant => Ok(()),
            Shape::Steps { at, factor } => {
                if at.is_empty() || at.windows(2).any(|pair| pair[0] >= pair[1]) {
                    return Err(Error::argument("steps of drops", "ascending steps", format!("{at:?}")));
                }
                if let Some(late) = at.iter().find(|drop| **drop >= steps) {
                    return Err(Error::argument(
                        "steps of drops",
                        format!("below the {steps} steps"),
                        late,
                    ));
                }
                if *factor > 0.0 && *factor < 1.0 {
                    return Ok(());
                }
                Err(Error::argument("factor of a drop", "a number in (0, 1)", factor))
            }
            Shape::Cosine { floor } => {
                if (0.0..=1.0).contains(floor) {
                    return Ok(());
                }
                Err(Error::argument("floor", "a number in [0, 1]", floor))
            }
        }
    }
}

impl fmt::Display for Schedule {
    /// What [`Schedule::from_str`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = ",";
        match &self.shape {
            Shape::Constant => {
                separator = ":";
                f.write_str("constant")?;
            }
            Shape::Steps { at, factor } => {
                let at: Vec<String> = at.iter().map(usize::to_string).collect();
                write!(f, "steps:at={},factor={factor}", at.join("+"))?;
            }
            Shape::Cosine { floor } => write!(f, "cosine:floor={floor}")?,
        }
        if self.warm_up > 0 {
            write!(f, "{separator}warm-up={}", self.warm_up)?;
        }
        Ok(())
    }
}

impl FromStr for Schedule {
    type Err = Error;

    /// `constant`, `steps:at=100+150,factor=0.1` (a tenth where no factor is given) or `cosine:floor=0.01` (0 where none
    /// is given), each with `warm-up=N`.
    fn from_str(text: &str) -> Result<Self> {
        let mut words = Words::split("schedule", text)?;
        let warm_up = words.take("warm-up", "a count")?.unwrap_or(0);
        let shape = match words.name {
            "constant" => Shape::Constant,
            "steps" => {
                let at: Option<Drops> = words.take("at", "steps joined by +")?;
                let Drops(at) = at.ok_or_else(|| words.refuse("steps:at=STEP+STEP"))?;
                let factor = words.number("factor", 0.1)?;
                Shape::Steps { at, factor }
            }
            "cosine" => Shape::Cosine {
                floor: words.number("floor", 0.0)?,
            },
            other => return Err(Error::unknown("schedule", other, ["constant", "steps", "cosine"])),
        };
        let known: &[&str] = match shape {
            Shape::Constant => &["warm-up"],
            Shape::Steps { .. } => &["at", "factor", "warm-up"],
            Shape::Cosine { .. } => &["floor", "warm-up"],
        };
        words.finish(known)?;
        Ok(Schedule { warm_up, shape })
    }
}

/// Steps joined by `+`.
struct Drops(Vec<usize>);

impl FromStr for Drops {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(Drops(
            text.split('+').map(str::parse).collect::<std::result::Result<_, _>>()?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(text: &str) -> Schedule {
        text.parse().unwrap()
    }

    #[test]
    fn the_constant_schedule_leaves_every_bit_of_the_rate() {
        for step in [0, 1, 57, 999, 1000, 5000] {
            assert_eq!(Schedule::default().factor(step, 1000).to_bits(), 1.0f64.to_bits());
        }
    }

    #[test]
    fn every_schedule_has_its_closed_form() {
        let drops = schedule("steps:at=3+7,factor=0.5");
        let expected = [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25];
        assert_eq!((0..10).map(|t| drops.factor(t, 10)).collect::<Vec<_>>(), expected);
        let ramp = schedule("constant:warm-up=4");
        assert_eq!([0, 1, 2, 3, 4].map(|t| ramp.factor(t, 10)), [0.25, 0.5, 0.75, 1.0, 1.0]);
        let cosine = schedule("cosine:floor=0.2,warm-up=2");
        for t in 2..12 {
            // cos(π u) = 1 − 2 sin²(π u / 2): the same number by another way, a few roundings of numbers up to π.
            let half = (PI * (t - 2) as f64 / 20.0).sin();
            let other = 1.0 - 0.8 * half * half;
            assert!((cosine.factor(t, 12) - other).abs() <= 16.0 * f64::EPSILON);
        }
        assert_eq!((cosine.factor(0, 12), cosine.factor(2, 12)), (0.5, 1.0));
    }

    #[test]
    fn after_the_warm_up_no_schedule_rises_and_none_leaves_its_floor() {
        for text in [
            "constant",
            "cosine",
            "cosine:floor=0.3,warm-up=9",
            "steps:at=20+21+70,factor=0.3,warm-up=5",
        ] {
            let schedule = schedule(text);
            let factors: Vec<f64> = (schedule.warm_up..120).map(|t| schedule.factor(t, 100)).collect();
            assert!(factors.windows(2).all(|pair| pair[1] <= pair[0]), "{text}");
            assert!(factors.iter().all(|factor| *factor > 0.0), "{text}");
            assert_eq!(factors[factors.len() - 1], schedule.factor(99, 100));
        }
    }

    #[test]
    fn every_schedule_reads_its_own_words_back_and_mistakes_are_named() {
        for text in [
            "constant",
            "constant:warm-up=3",
            "steps:at=3+7,factor=0.5,warm-up=2",
            "cosine:floor=0",
        ] {
            assert_eq!(schedule(text).to_string(), text);
        }
        assert_eq!(schedule("cosine"), schedule("cosine:floor=0"));
        for (text, words) in [
            ("cosin", "did you mean 'cosine'"),
            ("steps", "steps:at="),
            ("steps:at=3-7", "joined by +"),
            ("cosine:flor=1", "did you mean 'floor'"),
            ("cosine:floor=0,floor=1", "once"),
        ] {
            let refused = text.parse::<Schedule>().unwrap_err().to_string();
            assert!(refused.contains(words), "{text}: {refused}");
        }
        for text in [
            "constant:warm-up=101",
            "steps:at=7+7",
            "steps:at=100",
            "steps:at=7,factor=1",
            "steps:at=7,factor=0",
            "cosine:floor=-0.1",
            "cosine:floor=nan",
        ] {
            assert!(
                matches!(schedule(text).validate(100), Err(Error::Argument { .. })),
                "{text}"
            );
        }
    }
}
