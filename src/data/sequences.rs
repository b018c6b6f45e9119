//! Sentences made by the program, each task asking for one faculty of a network on sequences.
//!
//! Every task draws 6,000 sentences from streams of its own name, so that it is the same data set everywhere; of ten
//! sentences two test and one validates.

use super::content::{Content, RawValues, Splits};
use super::dataset::Dataset;
use super::normalisation::Normalisation;
use crate::error::{Error, Result};
use crate::networks::ImageShape;
use crate::seed::Seed;
use rand::{Rng, RngExt};
use std::fmt;
use std::str::FromStr;

/// Sentences of a task.
const SAMPLES: usize = 6000;
/// Classes of the first two tasks: their tokens.
const TOKENS: u8 = 4;
/// Places of a sentence in the first two tasks.
const LENGTH: usize = 12;
/// Pairs of key and value in [`SequenceTask::Recall`], and the different keys and values.
const PAIRS: usize = 3;
const KEYS: u8 = 6;
const VALUES: u8 = 4;

/// What the class of a sentence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SequenceTask {
    /// The first of twelve tokens: it must be carried to the end.
    First,
    /// The token that stands most often among twelve, where one does: places do not matter, counts do.
    Majority,
    /// Three pairs of a key and a value with different keys, then one of the keys: the value that stood behind it.
    Recall,
}

impl SequenceTask {
    /// Every task.
    pub const ALL: [SequenceTask; 3] = [SequenceTask::First, SequenceTask::Majority, SequenceTask::Recall];

    /// The name as a data set.
    pub const fn as_str(self) -> &'static str {
        match self {
            SequenceTask::First => "sequences:first",
            SequenceTask::Majority => "sequences:majority",
            SequenceTask::Recall => "sequences:recall",
        }
    }

    /// Places of a sentence.
    pub fn length(self) -> usize {
        match self {
            SequenceTask::First | SequenceTask::Majority => LENGTH,
            SequenceTask::Recall => 2 * PAIRS + 1,
        }
    }

    /// Different tokens.
    pub fn vocabulary(self) -> usize {
        usize::from(match self {
            SequenceTask::First | SequenceTask::Majority => TOKENS,
            SequenceTask::Recall => KEYS + VALUES,
        })
    }

    /// Number of classes.
    pub fn classes(self) -> usize {
        usize::from(match self {
            SequenceTask::First | SequenceTask::Majority => TOKENS,
            SequenceTask::Recall => VALUES,
        })
    }

    /// One sentence with its class.
    fn draw(self, rng: &mut impl Rng) -> (Vec<u8>, usize) {
        match self {
            SequenceTask::First => {
                let sentence: Vec<u8> = (0..LENGTH).map(|_| rng.random_range(0..TOKENS)).collect();
                let class = usize::from(sentence[0]);
                (sentence, class)
            }
            SequenceTask::Majority => loop {
                let sentence: Vec<u8> = (0..LENGTH).map(|_| rng.random_range(0..TOKENS)).collect();
                if let Some(class) = majority(&sentence) {
                    return (sentence, class);
                }
            },
            SequenceTask::Recall => {
                let mut keys: Vec<u8> = (0..KEYS).collect();
                let mut sentence = Vec::with_capacity(self.length());
                for pair in 0..PAIRS {
                    // The first PAIRS places of a shuffle.
                    let other = rng.random_range(pair..keys.len());
                    keys.swap(pair, other);
                    sentence.extend([keys[pair], KEYS + rng.random_range(0..VALUES)]);
                }
                let asked = rng.random_range(0..PAIRS);
                sentence.push(keys[asked]);
                let class = usize::from(sentence[2 * asked + 1] - KEYS);
                (sentence, class)
            }
        }
    }
}

/// The token that stands more often than every other.
fn majority(sentence: &[u8]) -> Option<usize> {
    let mut counts = [0usize; TOKENS as usize];
    for &token in sentence {
        counts[usize::from(token)] += 1;
    }
    let top = counts.iter().copied().max()?;
    let mut leaders = (0..counts.len()).filter(|&token| counts[token] == top);
    let first = leaders.next();
    first.filter(|_| leaders.next().is_none())
}

impl fmt::Display for SequenceTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SequenceTask {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        SequenceTask::ALL
            .into_iter()
            .find(|task| task.as_str() == word)
            .ok_or_else(|| Error::unknown("sequence task", word, SequenceTask::ALL.map(SequenceTask::as_str)))
    }
}

/// The sentences of a task.
///
/// ```
/// use ticketsense::data::{sequences, SequenceTask};
/// let set = sequences::load(SequenceTask::Recall)?;
/// assert_eq!((set.samples(), set.features(), set.classes()), (6000, 7, 4));
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// None, as the tests show; those of [`Dataset::new`] otherwise.
pub fn load(task: SequenceTask) -> Result<Dataset> {
    let mut rng = Seed::root(0).stream(task.as_str()).rng();
    let (mut values, mut labels) = (Vec::with_capacity(SAMPLES * task.length()), Vec::with_capacity(SAMPLES));
    for _ in 0..SAMPLES {
        let (sentence, class) = task.draw(&mut rng);
        values.extend(sentence);
        labels.push(class);
    }
    let content = Content {
        name: task.to_string(),
        image: ImageShape {
            channels: 1,
            height: 1,
            width: task.length(),
        },
        classes: task.classes(),
        values: RawValues::Tokens {
            values: &values,
            vocabulary: task.vocabulary(),
        },
        labels,
        splits: Splits::by_number(SAMPLES),
    };
    Dataset::new(content, Normalisation::Raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Split;

    #[test]
    fn the_class_of_every_sentence_is_what_its_task_says() {
        for task in SequenceTask::ALL {
            let set = load(task).unwrap();
            let every: Vec<usize> = (0..set.samples()).collect();
            let rows: Vec<f32> = set.rows(&every).unwrap();
            for (sentence, &label) in rows.chunks_exact(task.length()).zip(set.labels()) {
                let sentence: Vec<usize> = sentence.iter().map(|&v| v as usize).collect();
                let expected = match task {
                    SequenceTask::First => sentence[0],
                    SequenceTask::Majority => {
                        let count = |t: usize| sentence.iter().filter(|&&s| s == t).count();
                        let best = (0..4).max_by_key(|&t| count(t)).unwrap();
                        assert_eq!((0..4).filter(|&t| count(t) == count(best)).count(), 1);
                        best
                    }
                    SequenceTask::Recall => {
                        let places: Vec<usize> = (0..3).filter(|p| sentence[2 * p] == sentence[6]).collect();
                        assert_eq!(places.len(), 1, "{sentence:?}");
                        sentence[2 * places[0] + 1] - 6
                    }
                };
                assert_eq!(label, expected, "{task}: {sentence:?}");
            }
        }
    }

    #[test]
    fn classes_are_balanced_and_no_class_can_be_guessed_from_its_share() {
        for task in SequenceTask::ALL {
            let set = load(task).unwrap();
            let counts = set.class_counts(set.split(Split::Train)).unwrap();
            let samples: usize = counts.iter().sum();
            assert_eq!(samples, 4200);
            for count in counts {
                // Binomial with a quarter each: five standard deviations of √(4200 · 3/16).
                assert!(
                    (count as f64 - 1050.0).abs() <= 5.0 * 787.5f64.sqrt(),
                    "{task}: {count}"
                );
            }
        }
    }

    #[test]
    fn the_data_repeat_and_names_are_read_back() {
        for task in SequenceTask::ALL {
            assert_eq!(load(task).unwrap(), load(task).unwrap());
            assert_eq!(task.as_str().parse::<SequenceTask>().unwrap(), task);
        }
        let error = "sequences:frist".parse::<SequenceTask>().unwrap_err().to_string();
        assert!(error.contains("sequences:first"), "{error}");
    }
}
