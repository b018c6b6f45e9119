//! Absolute weights as the flow meets them: run by run, a run being neighbours that read neighbours of the input.

use crate::networks::Slot;
use crate::pruning::remaining::Remaining;

/// Where a run stands: `row` counts the runs of a slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub slot: usize,
    pub row: usize,
}

/// Absolute weights, of which every kind gives the same numbers to the last bit: what is not there is exactly zero, and
/// sums keep the order of [`Weights::dot`].
pub(super) trait Weights {
    /// `Σ |w_i| x_i` over a run: eight partial sums over the entries of equal index modulo 8, and what is left over one by
    /// one.
    fn dot(&self, run: Run, x: &[f64]) -> f64;

    /// Makes the scores of a run of so many weights zero.
    fn clear(&self, run: Run, width: usize, scores: &mut [f64]);

    /// Adds `|w_i| s` to what goes on to the layer before, where that is wanted, and `|w_i| s x_i` to the scores, or when
    /// `FIRST` writes it there.
    fn share<const FIRST: bool>(
        &self,
        run: Run,
        signal: f64,
        x: &[f64],
        before: Option<&mut [f64]>,
        scores: &mut [f64],
    );
}

/// A score that is written, or added to: the same where it was zero.
#[inline(always)]
fn put<const FIRST: bool>(score: &mut f64, share: f64) {
    *score = if FIRST { share } else { *score + share };
}

/// Partial sums that a sum over a run is split into.
const LANES: usize = 8;

/// Every weight of a network, and a score for every parameter.
#[derive(Debug)]
pub(super) struct Every<'a> {
    pub slots: &'a [Slot],
    pub theta: &'a [f32],
}

impl Every<'_> {
    fn first(&self, run: Run, width: usize) -> usize {
        self.slots[run.slot].range.start + run.row * width
    }
}

impl Weights for Every<'_> {
    #[inline]
    fn dot(&self, run: Run, x: &[f64]) -> f64 {
        let first = self.first(run, x.len());
        let (weights, rest) = self.theta[first..first + x.len()].as_chunks::<LANES>();
        let (x, rest_of_x) = x.as_chunks::<LANES>();
        let mut sums = [0.0; LANES];
        for (w, x) in weights.iter().zip(x) {
            for lane in 0..LANES {
                sums[lane] += f64::from(w[lane].abs()) * x[lane];
            }
        }
        let tail = rest.iter().zip(rest_of_x).map(|(w, x)| f64::from(w.abs()) * x);
        sums.iter().sum::<f64>() + tail.sum::<f64>()
    }

    fn clear(&self, run: Run, width: usize, scores: &mut [f64]) {
        let first = self.first(run, width);
        scores[first..first + width].fill(0.0);
    }

    #[inline]
    fn share<const FIRST: bool>(
        &self,
        run: Run,
        signal: f64,
        x: &[f64],
        before: Option<&mut [f64]>,
        scores: &mut [f64],
    ) {
        let first = self.first(run, x.len());
        let own = first..first + x.len();
        let entries = self.theta[own.clone()].iter().zip(x).zip(&mut scores[own]);
        match before {
            None => entries.for_each(|((w, x), score)| put::<FIRST>(score, f64::from(w.abs()) * signal * x)),
            Some(before) => {
                for (((w, x), score), before) in entries.zip(before) {
                    let share = f64::from(w.abs()) * signal;
                    *before += share;
                    put::<FIRST>(score, share * x);
                }
            }
        }
    }
}

/// The weights that are left, and a score for each of them.
impl Weights for Remaining {
    #[inline]
    fn dot(&self, run: Run, x: &[f64]) -> f64 {
        let (span, first) = self.run(run.slot, run.row);
        let entries = &self.entries()[span];
        let edge = first + (x.len() - x.len() % LANES) as u32;
        let left_over = entries.iter().rev().take_while(|entry| entry.index >= edge).count();
        let (in_lanes, rest) = entries.split_at(entries.len() - left_over);
        let mut sums = [0.0; LANES];
        for entry in in_lanes {
            let place = (entry.index - first) as usize;
            sums[place % LANES] += f64::from(entry.size) * x[place];
        }
        let tail = rest
            .iter()
            .map(|entry| f64::from(entry.size) * x[(entry.index - first) as usize]);
        sums.iter().sum::<f64>() + tail.sum::<f64>()
    }

    fn clear(&self, run: Run, _: usize, scores: &mut [f64]) {
        scores[self.run(run.slot, run.row).0].fill(0.0);
    }

    #[inline]
    fn share<const FIRST: bool>(
        &self,
        run: Run,
        signal: f64,
        x: &[f64],
        before: Option<&mut [f64]>,
        scores: &mut [f64],
    ) {
        let (span, first) = self.run(run.slot, run.row);
        let entries = self.entries()[span.clone()].iter().zip(&mut scores[span]);
        match before {
            None => {
                for (entry, score) in entries {
                    let x = x[(entry.index - first) as usize];
                    put::<FIRST>(score, f64::from(entry.size) * signal * x);
                }
            }
            Some(before) => {
                for (entry, score) in entries {
                    let place = (entry.index - first) as usize;
                    let share = f64::from(entry.size) * signal;
                    before[place] += share;
                    put::<FIRST>(score, share * x[place]);
                }
            }
        }
    }
}
