//! A training that also learns from a trained network.

use super::targets::Distillation;
use super::trainer::Trainer;
use crate::error::Result;
use crate::files::sha256_hex;
use crate::networks::{Array, Loss, Network, Real};

/// The teacher of a training.
#[derive(Debug)]
pub(super) struct Teaching<'a, T: Real> {
    network: &'a Network,
    theta: &'a [T],
    distillation: Distillation,
    /// The numbers of the distillation and the checksum of the teacher.
    pub identity: String,
}

impl<T: Real> Teaching<'_, T> {
    /// Mixes what the teacher says of some inputs into their targets.
    pub fn teach(&self, loss: Loss, inputs: &Array<T>, targets: &mut Array<T>) -> Result<()> {
        let outputs = self.network.outputs(self.theta, inputs)?;
        self.distillation.teach(loss, targets, &outputs)
    }
}

impl<'a, T: Real> Trainer<'a, T> {
    /// The same training with the outputs of `teacher`, at its parameters `theta`, in the targets: see [`Distillation`].
    ///
    /// Without mixing the teacher is asked once for the whole training set, else once a batch. Its checksum is part of
    /// what a checkpoint must agree with. A training has at most one teacher.
    ///
    /// # Errors
    /// [`crate::Error::Argument`] on numbers out of range or a second teacher; [`crate::Error::Shape`] or
    /// [`crate::Error::NotFinite`] when the teacher does not fit the data or the classes.
    pub fn taught_by(mut self, teacher: &'a Network, theta: &'a [T], distillation: Distillation) -> Result<Self> {
        distillation.validate()?;
        if self.teacher.is_some() {
            return Err(crate::Error::argument("teacher", "at most one", 2));
        }
        let mut bytes = Vec::with_capacity(theta.len() * T::BYTES);
        theta.iter().for_each(|value| value.push_bytes(&mut bytes));
        let teaching = Teaching {
            network: teacher,
            theta,
            distillation,
            identity: format!(
                "{},network={},theta={}",
                distillation,
                teacher.name(),
                sha256_hex(&bytes)
            ),
        };
        if self.plan.mixing.is_none() {
            teaching.teach(self.plan.loss, self.training.inputs, &mut self.targets)?;
        } else {
            // What would be refused in the first step is refused here.
            let first = self.training.inputs.rows_between(0..1);
            teaching.teach(self.plan.loss, &first, &mut self.targets.rows_between(0..1))?;
        }
        self.teacher = Some(teaching);
        Ok(self)
    }
}
