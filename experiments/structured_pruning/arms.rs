//! Who chooses what stays, and what is trained then.

use super::subject::Subject;
use std::ops::Range;
use ticketsense::networks::{Initialisation, Network};
use ticketsense::pruning::{Edge, Scope, UnitChoice, UnitNorm, keep_blocks, keep_highest, keep_of_every, kept_weights};
use ticketsense::theory::structured_cost::LayerCost;
use ticketsense::{Mask, Result};

/// Side of the blocks.
const BLOCK: usize = 4;

/// Rounds of the arms that do not prune at once; each keeps the same fraction.
const ROUNDS: i32 = 3;

/// The arms. Units, blocks and weights are ranked by magnitude after one dense training, and go at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// The units of largest Σ|w|, back at their initial weights.
    Units,
    /// The same units with their trained weights, trained on.
    UnitsTunedOn,
    /// A network of the same widths from fresh weights.
    Scratch,
    /// Blocks of weights at the counts of the units in every layer.
    Blocks,
    /// One of every so many neighbouring inputs.
    OneOfEvery,
    /// Single weights at the counts of the units in every layer: equal weights and equal multiply-adds.
    Weights,
    /// Single weights at one density in every layer, and the parameters of the smaller network.
    WeightsAtParameters,
    /// Single weights at one density in every layer, and the multiply-adds of the smaller network.
    WeightsAtMultiplyAdds,
    /// Units in three rounds of pruning with rewinding, not at once.
    UnitsInRounds,
    /// Single weights in three rounds of pruning with rewinding, to the counts of [`Arm::WeightsAtMultiplyAdds`].
    WeightsInRounds,
}

/// What is trained, and what is left of the network.
pub struct Made {
    pub network: Network,
    pub mask: Mask,
    pub values: Vec<f32>,
    pub kept: usize,
    pub effective_density: f64,
    pub parameters: usize,
    pub multiply_adds: usize,
    pub widths: Option<String>,
    pub passes: f64,
}

impl Arm {
    /// Every arm, in the order of the table.
    pub const ALL: [Arm; 10] = [
        Arm::Units,
        Arm::UnitsTunedOn,
        Arm::Scratch,
        Arm::Blocks,
        Arm::OneOfEvery,
        Arm::Weights,
        Arm::WeightsAtParameters,
        Arm::WeightsAtMultiplyAdds,
        Arm::UnitsInRounds,
        Arm::WeightsInRounds,
    ];

    /// The word in the table.
    pub fn name(self) -> &'static str {
        match self {
            Arm::Units => "units",
            Arm::UnitsTunedOn => "units-tuned-on",
            Arm::Scratch => "scratch",
            Arm::Blocks => "blocks",
            Arm::OneOfEvery => "one-of-every",
            Arm::Weights => "weights",
            Arm::WeightsAtParameters => "weights-at-parameters",
            Arm::WeightsAtMultiplyAdds => "weights-at-multiply-adds",
            Arm::UnitsInRounds => "units-in-rounds",
            Arm::WeightsInRounds => "weights-in-rounds",
        }
    }

    /// What is trained when one of `group` weights stays.
    pub fn make(self, subject: &Subject, group: usize) -> Result<Made> {
        let (choice, cost) = widest(subject, &subject.dense.theta, 1.0 / group as f64)?;
        let layout = subject.network.layout();
        let trained = &subject.dense.theta;
        let magnitudes: Vec<f64> = trained.iter().map(|v| f64::from(v.abs())).collect();
        let ranges: Vec<Range<usize>> = layout.weight_ranges();
        let unit_mask = subject.units.mask(&choice);
        let counts: Vec<usize> = ranges.iter().map(|range| unit_mask.kept_in(range.clone())).collect();
        let of_magnitude = |counts: &[usize]| keep_highest(&layout.full_mask(), &magnitudes, &ranges, counts);
        let mask = match self {
            Arm::Units | Arm::UnitsTunedOn | Arm::Scratch => return self.smaller(subject, &choice, cost, &unit_mask),
            Arm::UnitsInRounds => {
                let (choice, cost) = units_in_rounds(subject, group)?;
                return self.smaller(subject, &choice, cost, &subject.units.mask(&choice));
            }
            Arm::Blocks => keep_blocks(
                layout,
                &magnitudes,
                (BLOCK, BLOCK),
                &counts,
                Scope::Layerwise,
                Edge::Ragged,
            )?,
            Arm::OneOfEvery => keep_of_every(layout, &magnitudes, 1, group, Edge::Ragged)?,
            Arm::Weights => of_magnitude(&counts)?,
            Arm::WeightsAtParameters => {
                let biases = layout.len() - layout.prunable();
                let room = ((cost.weights + cost.biases) as usize).saturating_sub(biases);
                of_magnitude(&densest(&ranges, &vec![1; ranges.len()], room))?
            }
            Arm::WeightsAtMultiplyAdds | Arm::WeightsInRounds => {
                let uses: Vec<usize> = layout.weight_slots().map(|slot| slot.uses).collect();
                let counts = densest(&ranges, &uses, cost.multiply_adds as usize);
                match self {
                    Arm::WeightsInRounds => weights_in_rounds(subject, &ranges, &counts)?,
                    _ => of_magnitude(&counts)?,
                }
            }
        };
        let kept = kept_weights(&subject.network, &mask);
        Ok(Made {
            kept,
            effective_density: subject.effective_density(&mask)?,
            parameters: kept + layout.len() - layout.prunable(),
            multiply_adds: subject.network.multiply_adds(Some(&mask)),
            widths: None,
            passes: self.trainings() * subject.passes(),
            values: subject.initial.clone(),
            network: subject.network.clone(),
            mask,
        })
    }

    /// Trainings before what stays is known.
    fn trainings(self) -> f64 {
        match self {
            Arm::Scratch => 0.0,
            Arm::UnitsInRounds | Arm::WeightsInRounds => ROUNDS as f64,
            _ => 1.0,
        }
    }

    /// The smaller network, with the values that this arm begins with.
    fn smaller(self, subject: &Subject, choice: &UnitChoice, cost: LayerCost, unit_mask: &Mask) -> Result<Made> {
        let from = match self {
            Arm::UnitsTunedOn => &subject.dense.theta,
            _ => &subject.initial,
        };
        let small = subject.units.extract(from, choice)?;
        let values = match self {
            Arm::Scratch => small
                .network
                .initial(&subject.stream("scratch"), &Initialisation::GLOROT)?,
            _ => small.theta,
        };
        Ok(Made {
            kept: cost.weights as usize,
            effective_density: subject.effective_density(unit_mask)?,
            parameters: (cost.weights + cost.biases) as usize,
            multiply_adds: cost.multiply_adds as usize,
            widths: Some(subject.widths(choice)),
            passes: self.trainings() * subject.passes(),
            mask: small.network.layout().full_mask(),
            network: small.network,
            values,
        })
    }
}

/// The units of largest Σ|w| when every hidden width keeps the same fraction: the largest, in thousandths, at which at most
/// a `density` of the weights stays. Units that are already gone have weights of zero in `theta`.
fn widest(subject: &Subject, theta: &[f32], density: f64) -> Result<(UnitChoice, LayerCost)> {
    let scores = subject.units.norms(theta, UnitNorm::AbsoluteSum)?;
    let room = (subject.network.layout().prunable() as f64 * density).floor() as u64;
    let mut best = None;
    for thousandths in 1..=1000 {
        let counts = subject.units.counts_at(f64::from(thousandths) / 1000.0)?;
        let choice = subject.units.choose(&scores, &counts)?;
        let cost = subject.units.cost(&choice);
        if best.is_none() || cost.weights <= room {
            best = Some((choice, cost));
        } else {
            break;
        }
    }
    best.ok_or_else(|| ticketsense::Error::argument("widths", "at least one unit a layer", density))
}

/// Units that survive round after round, trained from the initial weights in each.
fn units_in_rounds(subject: &Subject, group: usize) -> Result<(UnitChoice, LayerCost)> {
    let at = |round: i32| (group as f64).powf(-f64::from(round) / f64::from(ROUNDS));
    let mut found = widest(subject, &subject.dense.theta, at(1))?;
    for round in 2..=ROUNDS {
        let trained = subject.train_mask(&subject.units.mask(&found.0))?;
        // The last round is the budget itself, whatever the rounding of roots.
        let density = if round == ROUNDS { 1.0 / group as f64 } else { at(round) };
        found = widest(subject, &trained.theta, density)?;
    }
    Ok(found)
}

/// Weights that survive round after round, trained from the initial values in each.
fn weights_in_rounds(subject: &Subject, ranges: &[Range<usize>], counts: &[usize]) -> Result<Mask> {
    let mut mask = subject.network.layout().full_mask();
    let mut theta = subject.dense.theta.clone();
    for round in 1..=ROUNDS {
        let share = f64::from(round) / f64::from(ROUNDS);
        let step = |(range, &count): (&Range<usize>, &usize)| match round {
            ROUNDS => count,
            _ => {
                let all = range.len() as f64;
                ((all * (count as f64 / all).powf(share)).round() as usize).max(count)
            }
        };
        let now: Vec<usize> = ranges.iter().zip(counts).map(step).collect();
        let scores: Vec<f64> = theta.iter().map(|v| f64::from(v.abs())).collect();
        mask = keep_highest(&mask, &scores, ranges, &now)?;
        if round < ROUNDS {
            theta = subject.train_mask(&mask)?.theta;
        }
    }
    Ok(mask)
}

/// Counts at one density in every layer, the largest in ten-thousandths whose weighted sum is at most `room`.
fn densest(ranges: &[Range<usize>], costs: &[usize], room: usize) -> Vec<usize> {
    let counts = |ten_thousandths: usize| -> Vec<usize> {
        ranges
            .iter()
            .map(|range| range.len() * ten_thousandths / 10_000)
            .collect()
    };
    let fits = |at: &usize| {
        counts(*at)
            .iter()
            .zip(costs)
            .map(|(count, cost)| count * cost)
            .sum::<usize>()
            <= room
    };
    counts((0..=10_000).take_while(fits).last().unwrap_or(0))
}
