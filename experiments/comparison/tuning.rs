//! A learning rate for every arm and density, found in one budget for all.

use super::FIRST_TUNING;
use ticketsense::harness::Context;
use ticketsense::pruning::ImpPlan;
use ticketsense::{Error, Result};

/// The rates that every arm may choose from, and on how many seeds it chooses.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// What the results are kept under: the name of the experiment.
    pub kind: &'static str,
    /// The rates, in the order in which equals are preferred.
    pub rates: &'static [f64],
    /// Seeds, from [`FIRST_TUNING`] on.
    pub seeds: usize,
}

impl Tuning {
    /// The numbers of the seeds.
    pub fn numbers(&self) -> std::ops::Range<usize> {
        FIRST_TUNING..FIRST_TUNING + self.seeds
    }

    /// What one setting (arm, density, and everything else that its trainings depend on, in words) reaches at every rate
    /// on one seed, computed once for all cells. `prepare` makes what is trained, once for all rates; `accuracy` trains it
    /// at a rate and returns a validation accuracy.
    ///
    /// # Errors
    /// Those of `prepare` and `accuracy`.
    pub fn accuracies<T>(
        &self,
        context: &Context<'_>,
        setting: &str,
        number: usize,
        prepare: impl FnOnce() -> Result<T>,
        accuracy: impl Fn(&T, f64) -> Result<f64>,
    ) -> Result<Vec<f64>> {
        let identity = format!("{setting};seed={number};rates={:?}", self.rates);
        let kind = format!("{}-tuning", self.kind);
        let bytes = context.shared(&kind, &identity, |_| {
            let prepared = prepare()?;
            let mut bytes = Vec::new();
            for &rate in self.rates {
                context.check()?;
                bytes.extend(accuracy(&prepared, rate)?.to_le_bytes());
            }
            Ok(bytes)
        })?;
        let (values, rest) = bytes.as_chunks::<8>();
        if values.len() != self.rates.len() || !rest.is_empty() {
            let expected = 8 * self.rates.len();
            return Err(Error::shape("bytes of stored accuracies", expected, bytes.len()));
        }
        Ok(values.iter().map(|v| f64::from_le_bytes(*v)).collect())
    }

    /// The rate of highest mean validation accuracy over the seeds, the first of equals. `prepare` takes the number of a
    /// seed and makes what is trained, once for all rates; `accuracy` trains it at a rate.
    ///
    /// # Errors
    /// Those of `prepare` and `accuracy`; [`Error::Argument`] without rates or seeds.
    pub fn rate<T>(
        &self,
        context: &Context<'_>,
        setting: &str,
        prepare: impl Fn(usize) -> Result<T>,
        accuracy: impl Fn(&T, f64) -> Result<f64>,
    ) -> Result<f64> {
        let mut sums = vec![0.0; self.rates.len()];
        for number in self.numbers() {
            let found = self.accuracies(context, setting, number, || prepare(number), &accuracy)?;
            sums.iter_mut().zip(found).for_each(|(sum, value)| *sum += value);
        }
        best(self.rates, &sums)
            .filter(|_| self.seeds > 0)
            .ok_or_else(|| Error::argument("tuning", "at least one rate and one seed", self.seeds))
    }
}

/// What the trainings of an arm at the counts of a round of a plan depend on, in words.
pub fn setting(plan: &ImpPlan, arm: &str, round: usize) -> String {
    format!("{plan:?};arm={arm};round={round}")
}

/// The rate of the largest value, the first of equals.
fn best(rates: &[f64], values: &[f64]) -> Option<f64> {
    let mut best: Option<(f64, f64)> = None;
    for (&rate, &value) in rates.iter().zip(values) {
        if best.is_none_or(|(_, known)| value > known) {
            best = Some((rate, value));
        }
    }
    best.map(|(rate, _)| rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use ticketsense::data::DataChoice;
    use ticketsense::harness::figures::Figure;
    use ticketsense::harness::{Budget, Cell, Claim, Experiment, Scale, compute_table};
    use ticketsense::table::{Column, Row, Table};

    static PREPARED: AtomicUsize = AtomicUsize::new(0);
    static TRAINED: AtomicUsize = AtomicUsize::new(0);

    /// The same setting in each of three cells.
    struct Tuned;

    impl Experiment for Tuned {
        fn id(&self) -> &'static str {
            "tuned"
        }

        fn question(&self) -> &'static str {
            "How often is what a rate is chosen for made?"
        }

        fn columns(&self) -> &'static [Column] {
            const COLUMNS: &[Column] = &[Column::real("rate", "1", "That was chosen.")];
            COLUMNS
        }

        fn cells(&self, _: Scale) -> Vec<Cell> {
            (0..3usize).map(|number| Cell::new().problem("seed", number)).collect()
        }

        fn run(&self, _: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
            let tuning = Tuning {
                kind: "tuned",
                rates: &[1.0, 2.0, 3.0],
                seeds: 2,
            };
            let prepare = |number: usize| {
                PREPARED.fetch_add(1, Ordering::Relaxed);
                Ok(number - FIRST_TUNING)
            };
            // The first rate is the best of one seed alone, the second that of the mean.
            let rate = tuning.rate(context, "setting", prepare, |&seed, rate| {
                TRAINED.fetch_add(1, Ordering::Relaxed);
                Ok([[0.5, 0.9, 0.1], [0.9, 0.6, 0.1]][seed][rate as usize - 1])
            })?;
            Ok(vec![ticketsense::row![rate]])
        }

        fn claims(&self) -> &'static [Claim] {
            &[]
        }

        fn draw(&self, _: &Table) -> Result<Figure> {
            Err(Error::argument("figure", "none", "asked for"))
        }

        fn budget(&self) -> Budget {
            Budget {
                seconds: 1,
                memory_mb: 1,
            }
        }
    }

    #[test]
    fn what_a_rate_is_chosen_for_is_made_once_a_seed_and_trained_once_a_rate_for_all_cells() {
        let table = compute_table(&Tuned, Scale::Smoke, 0, &DataChoice::Digits).unwrap();
        assert!(table.iter().all(|row| row.real("rate").unwrap() == 2.0));
        assert_eq!(table.len(), 3);
        assert_eq!(PREPARED.load(Ordering::Relaxed), 2);
        assert_eq!(TRAINED.load(Ordering::Relaxed), 6);
    }

    #[test]
    fn the_first_of_the_best_rates_is_chosen() {
        assert_eq!(best(&[3e-3, 1e-2, 1e-3], &[0.5, 0.7, 0.7]), Some(1e-2));
        assert_eq!(best(&[3e-3, 1e-2], &[0.5, 0.5]), Some(3e-3));
        assert_eq!(best(&[], &[]), None);
    }
}
