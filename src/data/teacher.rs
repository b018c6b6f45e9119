//! Synthetic data from a sparse teacher: Gaussian inputs, labelled by a random network of which only some weights are
//! kept, so that the support to be found is known.

use super::content::{Content, RawValues, Splits};
use super::dataset::Dataset;
use super::normalisation::Normalisation;
use crate::error::{Error, Result};
use crate::networks::{Array, Fan, ImageShape, Initialisation, Network, SlotKind};
use crate::seed::Seed;
use crate::support::{Density, Mask};
use rand::RngExt;
use rand_distr::StandardNormal;

/// The most input values that are drawn: 2 GiB of them, and twice that while the teacher labels them.
const MAXIMUM_VALUES: usize = 1 << 29;

/// How to draw a teacher and its data.
#[derive(Clone, Debug, PartialEq)]
pub struct Teacher {
    /// The teacher's architecture; its inputs and classes are those of the data.
    pub network: Network,
    /// The fraction of every weight slot that is kept, [`Density::kept_of`] weights at random positions.
    pub density: Density,
    /// Training samples.
    pub train: usize,
    /// Validation samples; may be 0.
    pub validation: usize,
    /// Test samples; may be 0.
    pub test: usize,
}

/// Data with the network that labelled them.
#[derive(Clone, Debug)]
pub struct Taught {
    /// Inputs `N(0, I)` and labels: the class of the largest output, the first of equals.
    pub dataset: Dataset,
    /// The teacher's outputs, samples × classes: targets for regression.
    pub outputs: Array<f64>,
    /// The teacher's parameters, in the layout of its network; pruned weights are exactly zero.
    pub theta: Vec<f64>,
    /// The kept parameters: the support that a student may look for.
    pub mask: Mask,
}

impl Teacher {
    /// Draws teacher and data.
    ///
    /// Kept weights are normal with variance 2 over the number of kept inputs of their unit, so that outputs are of
    /// order 1 at every density. Where the last layer has biases they centre each output over the training inputs, which
    /// spreads the labels over the classes; without biases some classes may stay empty. The three draws (mask, weights,
    /// inputs) have streams of their own: the same seed gives the same inputs to every teacher of as many inputs, and more
    /// samples extend them.
    ///
    /// # Errors
    /// [`Error::Argument`] without training samples, with more than 2²⁹ input values, or at a density that keeps no weight of some layer.
    ///
    /// Cost: one forward pass of all samples.
    ///
    /// ```
    /// use ticketsense::data::Teacher;
    /// use ticketsense::networks::Network;
    /// use ticketsense::{Density, Seed};
    /// let teacher = Teacher {
    ///     network: Network::preset("mlp:20", 10, 3)?,
    ///     density: Density::new(0.2)?,
    ///     train: 100,
    ///     validation: 0,
    ///     test: 50,
    /// };
    /// let taught = teacher.draw(&Seed::root(0))?;
    /// assert_eq!(taught.dataset.samples(), 150);
    /// assert_eq!(teacher.network.layout().density(&taught.mask), 0.2);
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn draw(&self, seed: &Seed) -> Result<Taught> {
        let samples = self.samples()?;
        let stream = seed.stream("teacher");
        let mask = self.draw_mask(&stream.stream("mask"))?;
        let scaling = Initialisation {
            fan: Fan::Kept,
            ..Initialisation::HE
        };
        let mut theta: Vec<f64> = self
            .network
            .initial_masked(&stream.stream("weights"), &scaling, &mask)?;
        let mut rng = stream.stream("inputs").rng();
        let features = self.network.inputs();
        let inputs: Vec<f32> = (0..samples * features).map(|_| rng.sample(StandardNormal)).collect();
        let batch = Array::new(samples, features, inputs.iter().map(|&v| f64::from(v)).collect())?;
        let mut outputs = self.network.outputs(&theta, &batch)?;
        if let Some(bias) = self.network.dense_layers().last().and_then(|d| d.bias) {
            let slot = self.network.layout().slots()[bias].range.clone();
            for (class, index) in slot.enumerate() {
                let mean = outputs.iter_rows().take(self.train).map(|row| row[class]).sum::<f64>() / self.train as f64;
                theta[index] -= mean;
            }
            outputs = self.network.outputs(&theta, &batch)?;
        }
        let labels = outputs.iter_rows().map(first_largest).collect();
        let validation = self.train + self.validation;
        let content = Content {
            name: format!("teacher {} at density {}", self.network.name(), self.density),
            image: ImageShape {
                channels: 1,
                height: 1,
                width: features,
            },
            classes: self.network.classes(),
            values: RawValues::Reals(&inputs),
            labels,
            splits: Splits {
                train: (0..self.train).collect(),
                validation: (self.train..validation).collect(),
                test: (validation..samples).collect(),
            },
        };
        Ok(Taught {
            dataset: Dataset::new(content, Normalisation::Raw)?,
            outputs,
            theta,
            mask,
        })
    }

    fn samples(&self) -> Result<usize> {
        if self.train == 0 {
            return Err(Error::argument("training samples of a teacher", "at least 1", 0));
        }
        let parts = [self.validation, self.test];
        let total = parts.iter().try_fold(self.train, |sum, &part| sum.checked_add(part));
        let fits = |n: &usize| {
            n.checked_mul(self.network.inputs())
                .is_some_and(|v| v <= MAXIMUM_VALUES)
        };
        total.filter(fits).ok_or_else(|| {
            let got = format!("{} + {} + {} samples", self.train, self.validation, self.test);
            Error::argument(
                "data of a teacher",
                format!("at most {MAXIMUM_VALUES} input values"),
                got,
            )
        })
    }

    fn draw_mask(&self, seed: &Seed) -> Result<Mask> {
        let layout = self.network.layout();
        let mut mask = layout.full_mask();
        for slot in layout.slots().iter().filter(|s| s.kind == SlotKind::Weight) {
            let kept = self.density.kept_of(slot.len());
            if kept == 0 {
                let expected = format!("at least one of the {} weights of {} kept", slot.len(), slot.name);
                return Err(Error::argument("density of a teacher", expected, self.density));
            }
            slot.range.clone().for_each(|index| mask.set(index, false));
            let mut rng = seed.stream(&slot.name).rng();
            for position in rand::seq::index::sample(&mut rng, slot.len(), kept) {
                mask.set(slot.range.start + position, true);
            }
        }
        Ok(mask)
    }
}

fn first_largest(row: &[f64]) -> usize {
    (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Split;

    fn teacher(network: &str, density: f64) -> Teacher {
        Teacher {
            network: Network::preset(network, 12, 4).unwrap(),
            density: Density::new(density).unwrap(),
            train: 300,
            validation: 40,
            test: 60,
        }
    }

    #[test]
    fn every_layer_keeps_exactly_its_share_and_the_rest_is_zero() {
        let wanted = teacher("mlp:10-6", 0.25);
        let taught = wanted.draw(&Seed::root(1)).unwrap();
        for slot in wanted.network.layout().weight_slots() {
            assert_eq!(taught.mask.kept_in(slot.range.clone()), slot.len() / 4);
            for index in slot.range.clone() {
                assert_eq!(taught.theta[index] != 0.0, taught.mask.keeps(index));
            }
        }
    }

    #[test]
    fn labels_are_the_largest_output_of_the_returned_parameters() {
        let wanted = teacher("mlp:10", 0.5);
        let taught = wanted.draw(&Seed::root(2)).unwrap();
        let set = &taught.dataset;
        let test = set.split(Split::Test);
        let inputs = Array::new(test.len(), 12, set.rows::<f64>(test).unwrap()).unwrap();
        let labels = set.labels_of(test).unwrap();
        assert_eq!(wanted.network.accuracy(&taught.theta, &inputs, &labels).unwrap(), 1.0);
        let outputs = wanted.network.outputs(&taught.theta, &inputs).unwrap();
        // The same parameters and inputs, in another batch: products may be summed in another order.
        for (row, &i) in outputs.iter_rows().zip(test) {
            for (a, b) in row.iter().zip(taught.outputs.row(i)) {
                assert!((a - b).abs() <= 100.0 * f64::EPSILON * (1.0 + b.abs()));
            }
        }
        assert_eq!(Split::ALL.map(|s| set.split(s).len()), [300, 40, 60]);
    }

    #[test]
    fn output_biases_centre_the_outputs_over_the_training_inputs() {
        let taught = teacher("mlp:10", 0.5).draw(&Seed::root(3)).unwrap();
        for class in 0..4 {
            let mean = taught.outputs.iter_rows().take(300).map(|row| row[class]).sum::<f64>() / 300.0;
            // 300 outputs of order 1 are summed twice.
            assert!(mean.abs() <= 2.0 * 300.0 * f64::EPSILON, "{mean}");
        }
        let train: Vec<usize> = taught.dataset.split(Split::Train).to_vec();
        assert!(taught.dataset.class_counts(&train).unwrap().iter().all(|&n| n > 0));
    }

    #[test]
    fn more_samples_extend_the_inputs_and_another_seed_changes_everything() {
        let few = teacher("linear:no-bias", 0.5);
        let more = Teacher {
            test: 100,
            ..few.clone()
        };
        let (a, b) = (few.draw(&Seed::root(4)).unwrap(), more.draw(&Seed::root(4)).unwrap());
        assert_eq!(a.dataset.inputs(), &b.dataset.inputs()[..400 * 12]);
        assert_eq!((&a.theta, a.dataset.labels()), (&b.theta, &b.dataset.labels()[..400]));
        let other = few.draw(&Seed::root(5)).unwrap();
        assert_ne!(a.mask, other.mask);
        assert_ne!(a.dataset.checksum(), other.dataset.checksum());
    }

    #[test]
    fn a_teacher_without_weights_or_samples_is_refused() {
        let error = teacher("mlp:10", 0.001).draw(&Seed::root(0)).unwrap_err().to_string();
        assert!(error.contains("dense0.weight"), "{error}");
        let untrained = Teacher {
            train: 0,
            ..teacher("mlp:10", 0.5)
        };
        assert!(untrained.draw(&Seed::root(0)).is_err());
        let endless = Teacher {
            test: usize::MAX,
            ..teacher("mlp:10", 0.5)
        };
        assert!(endless.draw(&Seed::root(0)).is_err());
    }
}
