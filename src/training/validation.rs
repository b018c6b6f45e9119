//! The validation samples that a training watches, and one forward pass over them for loss and accuracy together.

use super::plan::TrainingPlan;
use super::trainer::Examples;
use crate::error::Result;
use crate::networks::{Array, Loss, Network, Real, Score, Workspace, argmax};
use crate::support::Mask;
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

    /// Loss and accuracy from one forward pass, which costs what the survivors of the mask cost where there are few.
    ///
    /// # Errors
    /// As [`Network::outputs`].
    pub fn score(&self, network: &Network, mask: &Mask, theta: &[T], loss: Loss) -> Result<Score> {
        score(network, mask, theta, &self.inputs, &self.targets, &self.labels, loss)
    }
}

impl<T: Real> Examples<'_, T> {
    /// Loss and accuracy of a network whose parameters are zero where the mask prunes, from one forward pass over the
    /// samples; where the mask leaves few weights it costs what they cost.
    ///
    /// # Errors
    /// As [`Network::outputs`] and [`Loss::targets`].
    pub fn score(&self, network: &Network, mask: &Mask, theta: &[T], loss: Loss) -> Result<Score> {
        self.check("samples")?;
        network.layout().check_mask(mask)?;
        let targets = self.loss_targets(loss, network.classes())?;
        Loss::Squared.targets::<T>(self.labels.into(), self.inputs.rows(), network.classes())?;
        score(network, mask, theta, self.inputs, &targets, self.labels, loss)
    }
}

/// Samples that go through a workspace together.
const BATCH: usize = 256;

fn score<T: Real>(
    network: &Network,
    mask: &Mask,
    theta: &[T],
    inputs: &Array<T>,
    targets: &Array<T>,
    labels: &[usize],
    loss: Loss,
) -> Result<Score> {
    // The workspace reads the class off the targets: where those are not the labels, it cannot tell.
    let told = || {
        targets
            .iter_rows()
            .zip(labels)
            .all(|(row, label)| argmax(row) == *label)
    };
    if Workspace::<T>::follows_density(network, mask) && told() {
        network.check(theta, inputs)?;
        let mut workspace = Workspace::new(network, mask, BATCH);
        let own = workspace.gather(theta);
        return Ok(workspace.score(&own, inputs, targets, loss));
    }
    let outputs = network.outputs(theta, inputs)?;
    let samples = labels.len() as f64;
    let right = outputs
        .iter_rows()
        .zip(labels)
        .filter(|(row, label)| argmax(row) == **label);
    Ok(Score {
        loss: loss.sum(outputs.as_slice(), targets.as_slice(), network.classes()) / samples,
        accuracy: right.count() as f64 / samples,
    })
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
    fn the_score_of_a_sparse_ticket_is_that_of_its_outputs() {
        let network = Network::preset("mlp:30", 12, 3).unwrap();
        let mut mask = network.layout().full_mask();
        for index in network.layout().weights().indices().iter().filter(|&&i| i % 9 != 0) {
            mask.set(*index, false);
        }
        assert!(Workspace::<f32>::follows_density(&network, &mask));
        let initialisation = "he:bias=0.1".parse().unwrap();
        let theta: Vec<f32> = network.initial_masked(&Seed::root(1), &initialisation, &mask).unwrap();
        let inputs = Array::from_fn(300, 12, |i, j| ((7 * i + 3 * j) % 11) as f32 / 5.0 - 1.0);
        let labels: Vec<usize> = (0..300).map(|i| (i * i) % 3).collect();
        for loss in Loss::ALL {
            let examples = Examples::labelled(&inputs, &labels);
            let score = examples.score(&network, &mask, &theta, loss).unwrap();
            let expected = network.loss(&theta, &inputs, &labels, loss).unwrap();
            // Sums of at most 12 and 30 products in single precision, in another order.
            assert!((score.loss - expected).abs() <= 100.0 * f64::from(f32::EPSILON) * (1.0 + expected));
            assert_eq!(score.accuracy, network.accuracy(&theta, &inputs, &labels).unwrap());
        }
        // Rows of targets whose largest entry is not the label: accuracy still goes by the label.
        let turned = Array::from_fn(300, 3, |i, c| if c == (labels[i] + 1) % 3 { 1.0 } else { 0.0 });
        let examples = Examples {
            targets: Some(&turned),
            ..Examples::labelled(&inputs, &labels)
        };
        let score = examples.score(&network, &mask, &theta, Loss::Squared).unwrap();
        assert_eq!(score.accuracy, network.accuracy(&theta, &inputs, &labels).unwrap());
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
                watched
                    .score(&network, &network.layout().full_mask(), &theta, loss)
                    .unwrap()
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
