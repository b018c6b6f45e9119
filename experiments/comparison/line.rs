//! Rows of the columns that the tables of these experiments share.

use super::super::rows::row_of;
use super::DENSE;
use super::trial::{Trial, validation_accuracy};
use ticketsense::pruning::TrainingOutcome;
use ticketsense::table::{Column, Row, Value};
use ticketsense::{Mask, Result};

/// How many columns are shared.
pub const SHARED: usize = 12;

const COLUMNS: [Column; SHARED] = [
    Column::text(
        "part",
        "main: what is compared; pilot: dense networks that fix the margin; other parts are explained in the chapter.",
    ),
    Column::integer(
        "seed",
        "",
        "Number of the repetition; its arms share data, initial weights and order of data.",
    ),
    Column::text("arm", "What was trained, or who chose its mask."),
    Column::real(
        "density",
        "1",
        "Nominal fraction of the weights kept: arms of equal density are compared.",
    ),
    Column::integer("kept", "weights", "Weights that were trained, biases not counted."),
    Column::real(
        "effective_density",
        "1",
        "Fraction of the weights that is kept and lies on a path from an input to an output.",
    ),
    Column::real("learning_rate", "1", "Of the training."),
    Column::real(
        "validation_accuracy",
        "1",
        "Accuracy on the validation samples at the end.",
    ),
    Column::real("test_accuracy", "1", "Accuracy on the test samples at the end."),
    Column::real(
        "test_loss",
        "1",
        "Loss on the test samples at the end; empty after divergence.",
    ),
    Column::text("status", "How the training ended."),
    Column::real(
        "gradient_passes",
        "passes",
        "What it took to find the mask in passes over the training set, its own training apart.",
    ),
];

/// The shared columns, followed by those of one experiment; `ALL` is `SHARED + OWN`, or it does not compile.
pub const fn columns<const OWN: usize, const ALL: usize>(own: [Column; OWN]) -> [Column; ALL] {
    assert!(ALL == SHARED + OWN, "columns: ALL is SHARED + OWN");
    let mut all = [COLUMNS[0]; ALL];
    let mut place = 0;
    while place < ALL {
        all[place] = if place < SHARED {
            COLUMNS[place]
        } else {
            own[place - SHARED]
        };
        place += 1;
    }
    all
}

/// A row in the making; what is not said stays empty.
#[derive(Clone, Debug)]
pub struct Line {
    values: Vec<(&'static str, Value)>,
}

impl Line {
    /// A row of a part, seed, arm and nominal density.
    pub fn new(part: &str, seed: usize, arm: &str, density: f64) -> Self {
        Line {
            values: vec![
                ("part", part.into()),
                ("seed", seed.into()),
                ("arm", arm.into()),
                ("density", density.into()),
            ],
        }
    }

    /// The dense training of a trial, which no mask cost anything.
    ///
    /// # Errors
    /// As [`Line::masked`].
    pub fn dense(trial: &Trial, part: &str) -> Result<Self> {
        let dense = trial.round(0)?;
        let line = Line::new(part, trial.number, DENSE, 1.0).masked(trial, &dense.mask)?;
        Ok(line.trained(&dense.outcome, trial.rate()).cost(0.0))
    }

    /// A column of one experiment's own.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.values.push((name, value.into()));
        self
    }

    /// What of a mask is told.
    ///
    /// # Errors
    /// When the mask is of another network.
    pub fn masked(self, trial: &Trial, mask: &Mask) -> Result<Self> {
        let effective = trial.effective_density(mask)?;
        Ok(self.with("kept", trial.kept(mask)).with("effective_density", effective))
    }

    /// How a training went.
    pub fn trained(self, outcome: &TrainingOutcome, rate: f64) -> Self {
        self.with("learning_rate", rate)
            .with("validation_accuracy", validation_accuracy(outcome))
            .with("test_accuracy", outcome.test_accuracy)
            .with("test_loss", Some(outcome.test_loss).filter(|loss| loss.is_finite()))
            .with("status", outcome.status.as_str())
    }

    /// What the mask cost.
    pub fn cost(self, passes: f64) -> Self {
        self.with("gradient_passes", passes)
    }

    /// The row.
    ///
    /// # Errors
    /// When a value is of no column.
    pub fn row(&self, columns: &[Column]) -> Result<Row> {
        row_of(columns, &self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [Column; SHARED + 1] = columns([Column::real("noise", "1", "Own.")]);

    #[test]
    fn own_columns_follow_the_shared_ones_and_what_is_not_said_is_empty() {
        assert_eq!((OWN[0].name, OWN[SHARED].name), ("part", "noise"));
        let row = Line::new("main", 3, "imp", 0.1).with("noise", 0.5).row(&OWN).unwrap();
        assert_eq!(row.0[1], Value::Integer(3));
        assert_eq!((&row.0[4], &row.0[SHARED]), (&Value::Missing, &Value::Real(0.5)));
        assert!(Line::new("main", 3, "imp", 0.1).with("nois", 0.5).row(&OWN).is_err());
    }
}
