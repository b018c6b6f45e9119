//! Masked training with a named random stream, and checkpoints that resume to the same bits.

mod bundle;
mod optimiser;
mod optimiser_words;
mod trainer;

#[cfg(test)]
mod optimiser_tests;
#[cfg(test)]
mod tests;

pub use bundle::Bundle;
pub use optimiser::{Decay, Moments, Optimiser};
pub use trainer::{Evaluation, Examples, Trainer, TrainingPlan, TrainingState, get_history, put_history};
