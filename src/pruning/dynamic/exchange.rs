//! Which weights a layer gives up, and which it grows.

use crate::error::Result;
use crate::networks::Layout;
use crate::seed::Seed;
use crate::support::{Mask, largest_by, round_half_up};
use rand::seq::index::sample;
use std::ops::Range;

/// The layers of a network with the weights that were active so far.
#[derive(Clone, Debug)]
pub(super) struct Exchanger {
    layers: Vec<Range<usize>>,
    seen: Mask,
    weights: usize,
    unpruned: usize,
}

/// A mask after an exchange.
#[derive(Clone, Debug)]
pub(super) struct Exchanged {
    pub mask: Mask,
    /// The weights that stayed: no grown one, whether it was active before or not.
    pub kept: Mask,
    /// Given up in each layer.
    pub exchanged: Vec<usize>,
}

impl Exchanger {
    /// Begins with a mask.
    ///
    /// # Errors
    /// As [`Layout::check_mask`].
    pub fn new(layout: &Layout, mask: &Mask) -> Result<Self> {
        layout.check_mask(mask)?;
        Ok(Exchanger {
            layers: layout.weight_ranges(),
            seen: mask.clone(),
            weights: layout.prunable(),
            unpruned: layout.len() - layout.prunable(),
        })
    }

    /// The fraction of the weights that was active in any mask so far.
    pub fn ever_active(&self) -> f64 {
        if self.weights == 0 {
            return 1.0;
        }
        (self.seen.kept() - self.unpruned) as f64 / self.weights as f64
    }

    /// Exchanges a fraction of the active weights of every layer; grows by the size of the gradient where there is one,
    /// else at random. Ties by index.
    pub fn exchange(
        &mut self,
        mask: &Mask,
        theta: &[f32],
        fraction: f64,
        gradient: Option<&[f32]>,
        growth: &Seed,
    ) -> Exchanged {
        let (mut next, mut kept) = (mask.clone(), mask.clone());
        let mut exchanged = Vec::with_capacity(self.layers.len());
        for (number, range) in self.layers.iter().enumerate() {
            let active: Vec<usize> = range.clone().filter(|&i| mask.keeps(i)).collect();
            let count = round_half_up(fraction * active.len() as f64).min(range.len() - active.len());
            for i in largest_by(count, active, |i| -f64::from(theta[i].abs())) {
                next.set(i, false);
                kept.set(i, false);
            }
            let inactive: Vec<usize> = range.clone().filter(|&i| !next.keeps(i)).collect();
            let grown = match gradient {
                Some(gradient) => largest_by(count, inactive, |i| f64::from(gradient[i].abs())),
                None => {
                    let mut rng = growth.stream(number.to_string()).rng();
                    let chosen = sample(&mut rng, inactive.len(), count);
                    chosen.into_iter().map(|place| inactive[place]).collect()
                }
            };
            for i in grown {
                next.set(i, true);
                self.seen.set(i, true);
            }
            exchanged.push(count);
        }
        Exchanged {
            mask: next,
            kept,
            exchanged,
        }
    }
}
