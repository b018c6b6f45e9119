//! What a training needs whose mask changes on the way: another mask for a state, and the gradient of pruned weights.

use super::batches::Batches;
use super::trainer::{Trainer, TrainingState};
use crate::error::{Error, Result};
use crate::networks::{Real, Workspace};

impl<T: Real> Trainer<'_, T> {
    /// Takes over a state that was trained under another mask: parameters and moments become exactly zero where the mask
    /// of this trainer prunes. A weight that the other mask pruned therefore starts at zero with fresh moments, while the
    /// count of steps that Adam's corrections see goes on.
    ///
    /// # Errors
    /// [`Error::Shape`] when the state belongs to another network or optimiser.
    pub fn take_over(&self, state: &mut TrainingState<T>) -> Result<()> {
        let expected = (self.mask.dimension(), self.plan.optimiser.moments() > 1);
        let got = (state.moments.first.len(), !state.moments.second.is_empty());
        if got != expected {
            let show =
                |(length, second): (usize, bool)| format!("{length} weights with {} moments", 1 + u8::from(second));
            return Err(Error::shape("moments of a state", show(expected), show(got)));
        }
        self.mask.apply(&mut state.theta)?;
        self.mask.apply(&mut state.moments.first)?;
        if expected.1 {
            self.mask.apply(&mut state.moments.second)?;
        }
        Ok(())
    }

    /// The gradient of the loss in every parameter, pruned ones included, on the batch that the next step takes: how much
    /// each weight asks to be grown (Evci et al., ICML 2020).
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::NotFinite`] on parameters that do not fit; otherwise as [`Trainer::advance`].
    ///
    /// Cost: one dense gradient of a batch.
    pub fn dense_gradient(&self, state: &TrainingState<T>) -> Result<Vec<T>> {
        self.network.check(&state.theta, self.training.inputs)?;
        let full = self.network.layout().full_mask();
        let mut workspace = Workspace::new(self.network, &full, self.plan.batch);
        let mut gradient = vec![T::ZERO; state.theta.len()];
        Batches::new(self)?.loss_and_gradient(state.step, &state.theta, &mut workspace, &mut gradient)?;
        Ok(gradient)
    }
}
