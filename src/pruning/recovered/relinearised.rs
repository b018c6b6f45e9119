//! Recovery in rounds: each linearises the network that the round before has pruned.

use super::{RecoveredBy, RecoveryRequest, SensingProblem};
use crate::error::{Error, Result};
use crate::linearize::RowTransform;
use crate::networks::{Array, Network};
use crate::outcome::Status;
use crate::support::Mask;

/// Sparse recovery by repeated linearisation at `m ⊙ θ₀`.
///
/// Round r of R linearises at `m_{r−1} ⊙ θ₀` (the first at θ₀) and keeps in layer ℓ, of n_ℓ weights, the
/// `n_ℓ^{1−r/R} k_ℓ^{r/R}` that the solver recovers among those that are left, rounded, the last `k_ℓ`. A linear model is
/// good near its point; steps to smaller networks stay nearer than one step from dense to sparse.
///
/// Source: the linearisation of [`SensingProblem`]; the schedule is the exponential one of Tanaka, Kunin, Yamins and
/// Ganguli, NeurIPS 2020.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::networks::{Array, Initialisation, Network};
/// use ticketsense::pruning::Relinearised;
/// let network = Network::preset("mlp:6", 4, 3)?;
/// let theta: Vec<f64> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let inputs = Array::from_fn(12, 4, |i, j| ((i * i * 3 + j * 5) as f64).sin());
/// let labels: Vec<usize> = (0..12).map(|i| i % 3).collect();
/// let found = Relinearised::default().mask(&network, &theta, &inputs, &labels, &[6, 5])?;
/// let mask = found.mask.expect("eleven weights can be told apart");
/// assert_eq!((mask.kept_in(0..24), mask.kept_in(30..48)), (6, 5));
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Relinearised {
    /// R, at least 1; one round is [`SensingProblem::recover`] itself.
    pub rounds: usize,
    /// The method of every round.
    pub solver: RecoveredBy,
    /// α as a multiple of the mean squared norm of the nonzero columns of a round.
    pub damping: f64,
}

impl Default for Relinearised {
    /// Four rounds of normalised iterative hard thresholding with damping 0.1.
    fn default() -> Self {
        Relinearised {
            rounds: 4,
            solver: RecoveredBy::NormalisedIht,
            damping: 0.1,
        }
    }
}

/// The answer of [`Relinearised`].
#[derive(Clone, Debug, PartialEq)]
pub struct RelinearisedMask {
    /// The mask with every bias kept; none where a round had no answer.
    pub mask: Option<Mask>,
    /// How the rounds ended, up to the first without an answer.
    pub statuses: Vec<Status>,
    /// Operator applications of all rounds, setting the problems up included.
    pub applications: f64,
}

impl Relinearised {
    /// Recovers `counts[ℓ]` weights of each layer from labels, with centred outputs.
    ///
    /// # Errors
    /// [`Error::Argument`] without a round; otherwise as [`SensingProblem::new`] and [`SensingProblem::recover`].
    ///
    /// Cost: R recoveries.
    pub fn mask(
        &self,
        network: &Network,
        theta: &[f64],
        inputs: &Array<f64>,
        labels: &Vec<usize>,
        counts: &[usize],
    ) -> Result<RelinearisedMask> {
        if self.rounds == 0 {
            return Err(Error::argument("rounds of linearisation", "at least 1", self.rounds));
        }
        let sizes: Vec<usize> = network.layout().weight_slots().map(|slot| slot.len()).collect();
        if sizes.len() != counts.len() {
            return Err(Error::shape("counts a layer", sizes.len(), counts.len()));
        }
        let mut mask = network.layout().full_mask();
        let mut found = RelinearisedMask {
            mask: None,
            statuses: Vec::new(),
            applications: 0.0,
        };
        for round in 1..=self.rounds {
            let mut point = theta.to_vec();
            mask.apply(&mut point)?;
            let problem = SensingProblem::new(network, &point, inputs, RowTransform::Centred)?.within(&mask)?;
            found.applications += problem.applications();
            let last = round == self.rounds;
            let share = round as f64 / self.rounds as f64;
            let room = problem.candidates_by_layer();
            let wanted = sizes.iter().zip(counts).zip(room).map(|((&size, &count), room)| {
                let between = (size as f64).powf(1.0 - share) * (count as f64).powf(share);
                // Zero and parallel columns go first, wherever the schedule stands.
                if last {
                    count
                } else {
                    (between.round() as usize).min(room).max(count)
                }
            });
            let wanted: Vec<usize> = wanted.collect();
            let b = problem.right_hand_side(labels)?;
            let request = RecoveryRequest {
                solver: self.solver,
                damping: self.damping,
                counts: &wanted,
            };
            let answer = problem.recover(&b, &request)?;
            found.applications += answer.applications;
            found.statuses.push(answer.status);
            let Some(ticket) = answer.ticket else {
                return Ok(found);
            };
            mask = ticket.mask;
        }
        found.mask = Some(mask);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::Initialisation;
    use crate::seed::Seed;

    fn problem() -> (Network, Vec<f64>, Array<f64>, Vec<usize>) {
        let network = Network::preset("mlp:9-7", 6, 3).unwrap();
        let theta = network.initial(&Seed::root(3), &Initialisation::HE).unwrap();
        let inputs = Array::from_fn(24, 6, |i, j| ((i * i * 3 + j * 5 + i * j) as f64).sin());
        let labels = (0..24).map(|i| (i * 7) % 3).collect();
        (network, theta, inputs, labels)
    }

    #[test]
    fn one_round_is_the_recovery_at_the_initial_weights() {
        let (network, theta, inputs, labels) = problem();
        for solver in RecoveredBy::ALL {
            let once = Relinearised {
                rounds: 1,
                solver,
                damping: 0.3,
            };
            let counts = [10, 12, 8];
            let found = once.mask(&network, &theta, &inputs, &labels, &counts).unwrap();
            let whole = SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred).unwrap();
            let b = whole.right_hand_side(&labels).unwrap();
            let request = RecoveryRequest {
                solver,
                damping: 0.3,
                counts: &counts,
            };
            let expected = whole.recover(&b, &request).unwrap().ticket.unwrap();
            assert_eq!(found.mask.unwrap(), expected.mask, "{solver}");
        }
    }

    #[test]
    fn later_rounds_choose_among_the_survivors_and_end_at_the_counts() {
        let (network, theta, inputs, labels) = problem();
        let counts = [6, 7, 5];
        let layers: Vec<_> = network.layout().weight_ranges();
        let found = Relinearised::default()
            .mask(&network, &theta, &inputs, &labels, &counts)
            .unwrap();
        let mask = found.mask.unwrap();
        assert_eq!(found.statuses.len(), 4);
        for (range, count) in layers.iter().zip(counts) {
            assert_eq!(mask.kept_in(range.clone()), count);
        }
        // The first of two rounds by hand.
        let two = Relinearised {
            rounds: 2,
            ..Relinearised::default()
        };
        let last = two
            .mask(&network, &theta, &inputs, &labels, &counts)
            .unwrap()
            .mask
            .unwrap();
        let whole = SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred).unwrap();
        let room = whole.candidates_by_layer();
        let between = |l: usize| ((layers[l].len() * counts[l]) as f64).sqrt().round() as usize;
        let halfway: Vec<usize> = (0..3).map(|l| between(l).min(room[l])).collect();
        let b = whole.right_hand_side(&labels).unwrap();
        let request = RecoveryRequest {
            solver: two.solver,
            damping: two.damping,
            counts: &halfway,
        };
        let first = whole.recover(&b, &request).unwrap().ticket.unwrap().mask;
        assert_eq!(last.and(&first).unwrap(), last);
    }

    #[test]
    fn one_budget_lets_layers_compete_and_a_mask_takes_candidates_away() {
        let (network, theta, inputs, labels) = problem();
        let whole = SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred).unwrap();
        let b = whole.right_hand_side(&labels).unwrap();
        let mut mask = network.layout().full_mask();
        for j in network.layout().slot("dense1.weight").unwrap().range.clone().skip(20) {
            mask.set(j, false);
        }
        let request = RecoveryRequest {
            solver: RecoveredBy::Omp,
            damping: 0.3,
            counts: &[25],
        };
        let global = whole.clone().with_one_budget();
        let ticket = global.recover(&b, &request).unwrap().ticket.unwrap();
        assert_eq!(
            network
                .layout()
                .weights()
                .indices()
                .iter()
                .filter(|&&j| ticket.mask.keeps(j))
                .count(),
            25
        );
        let within = global
            .within(&mask)
            .unwrap()
            .recover(&b, &request)
            .unwrap()
            .ticket
            .unwrap();
        assert_eq!(within.mask.and(&mask).unwrap(), within.mask);
        let none = RecoveryRequest {
            counts: &[21, 1, 1],
            ..request
        };
        let layer = whole.clone().within(&within.mask).unwrap();
        assert_eq!(layer.recover(&b, &none).unwrap().status, Status::Unattainable);
        let nothing = Relinearised {
            rounds: 0,
            ..Relinearised::default()
        };
        assert!(nothing.mask(&network, &theta, &inputs, &labels, &[1, 1, 1]).is_err());
    }
}
