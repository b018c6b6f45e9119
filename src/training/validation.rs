//! The validation samples that a training watches, and one forward pass over them for loss and accuracy together.

use super::plan::TrainingPlan;
use super::trainer::Examples;
use crate::error::Result;
use crate::networks::{Array, Loss, Network, Real, Score, argmax};
use std::borrow::Cow;

/// Validation samples with their targets, formed once.
#[derive(Debug)]
pub(super) struct Watched<'a, T: Real> {
    inputs: Cow<'a, Array<T>>,
    labels: Vec<usize>,
    targets: Array<T>,
}

impl<'a, T: Real> Watched<'a, T> {
    /// The samples that a plan watches.
    ///
    /// # Errors
    /// As [`Loss::targets`].
    pub fn new(validation: Examples<'a, T>, plan: &TrainingPlan, classes: usize) -> Result<Self> {
        let targets = validation.loss_targets(plan.loss, classes)?;
        // A label that is no class is refused even where rows of targets stand for the labels.
        Loss::Squared.targets::<T>(validation.labels.into(), validation.inputs.rows(), classes)?;
        let all = validation.labels.len();
        let Some(count) = plan.validation_samples.filter(|count| *count < all) else {
            return Ok(Watched {
                inputs: Cow::Borrowed(validation.inputs),
                labels: validation.labels.to_vec(),
                targets,
            });
        };
        let chosen = first_of_every_class(validation.labels, classes, count);
        Ok(Watched {
            inputs: Cow::Owned(validation.inputs.select_rows(&chosen)?),
            labels: chosen.iter().map(|&i| validation.labels[i]).collect(),
            targets: targets.select_rows(&chosen)?,
        })
    }

    /// Loss and accuracy from one forward pass.
    ///
    /// # Errors
    /// As [`Network::outputs`].
    pub fn score(&self, network: &Network, theta: &[T], loss: Loss) -> Result<Score> {
        let outputs = network.outputs(theta, &self.inputs)?;
        let samples = self.labels.len() as f64;
        let right = outputs
            .iter_rows()
            .zip(&self.labels)
            .filter(|(row, label)| argmax(row) == **label);
        Ok(Score {
            loss: loss.sum(outputs.as_slice(), self.targets.as_slice(), network.classes()) / samples,
            accuracy: right.count() as f64 / samples,
        })
    }
}

/// `count` samples, the first of every class before the second of any: balanced without a random number. Ascending.
fn first_of_every_class(labels: &[usize], classes: usize, count: usize) -> Vec<usize> {
    let mut seen = vec![0usize; classes];
    let mut order: Vec<(usize, usize)> = Vec::with_capacity(labels.len());
    for (index, &label) in labels.iter().enumerate() {
        order.push((seen[label], index));
        seen[label] += 1;
    }
    order.sort_unstable();
    let mut chosen: Vec<usize> = order.into_iter().take(count).map(|(_, index)| index).collect();
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::Initialisation;
    use crate::seed::Seed;

    #[test]
    fn the_first_samples_of_every_class_are_chosen_in_turn() {
        let labels = [0, 0, 0, 1, 0, 2, 1, 0];
        assert_eq!(first_of_every_class(&labels, 3, 3), [0, 3, 5]);
        assert_eq!(first_of_every_class(&labels, 3, 5), [0, 1, 3, 5, 6]);
        assert_eq!(first_of_every_class(&labels, 3, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn one_pass_gives_the_loss_and_the_accuracy_that_two_passes_give() {
        let network = Network::preset("mlp:7", 4, 3).unwrap();
        let theta: Vec<f32> = network.initial(&Seed::root(1), &Initialisation::HE).unwrap();
        let inputs = Array::from_fn(600, 4, |i, j| ((7 * i + 3 * j) % 11) as f32 / 5.0 - 1.0);
        let labels: Vec<usize> = (0..600).map(|i| (i * i) % 3).collect();
        let examples = Examples::labelled(&inputs, &labels);
        for loss in Loss::ALL {
            let of = |plan: &TrainingPlan| {
                let watched = Watched::new(examples, plan, 3).unwrap();
                watched.score(&network, &theta, loss).unwrap()
            };
            let plan = TrainingPlan {
                loss,
                ..TrainingPlan::default()
            };
            let score = of(&plan);
            assert_eq!(score.loss, network.loss(&theta, &inputs, &labels, loss).unwrap());
            assert_eq!(score.accuracy, network.accuracy(&theta, &inputs, &labels).unwrap());
            let thinned = TrainingPlan {
                validation_samples: Some(90),
                ..plan.clone()
            };
            let chosen = first_of_every_class(&labels, 3, 90);
            let few = inputs.select_rows(&chosen).unwrap();
            let few_labels: Vec<usize> = chosen.iter().map(|&i| labels[i]).collect();
            let score = of(&thinned);
            assert_eq!(score.loss, network.loss(&theta, &few, &few_labels, loss).unwrap());
            assert_eq!(score.accuracy, network.accuracy(&theta, &few, &few_labels).unwrap());
            assert_eq!(
                of(&TrainingPlan {
                    validation_samples: Some(600),
                    ..plan.clone()
                }),
                of(&plan)
            );
        }
    }
}
