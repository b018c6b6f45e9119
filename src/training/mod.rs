//! Masked training with a named random stream, and checkpoints that resume to the same bits.

mod batches;
mod bundle;
mod checkpoint;
mod compact;
mod exchange;
mod mixing;
mod noise;
mod optimiser;
mod optimiser_words;
mod plan;
mod schedule;
mod targets;
mod teacher;
mod trainer;
mod validation;
mod words;

#[cfg(test)]
mod optimiser_tests;
#[cfg(test)]
mod tests;

pub(crate) use batches::Batches;
pub use bundle::Bundle;
pub use checkpoint::{get_history, put_history};
pub use mixing::Mixing;
pub use noise::{NoisePlan, NoiseScale};
pub use optimiser::{Decay, Moments, Optimiser};
pub use plan::TrainingPlan;
pub use schedule::{Schedule, Shape};
pub use targets::Distillation;
pub use trainer::{Evaluation, Examples, Trainer, TrainingState};
pub(crate) use words::Words;
