//! A small problem that every test of a training here can learn.

use super::imp::ImpData;
use crate::networks::Array;
use crate::training::Examples;

/// Three classes that one coordinate each tells apart; every split is the whole.
pub(super) struct SmallSamples {
    pub inputs: Array<f32>,
    pub labels: Vec<usize>,
}

impl SmallSamples {
    /// `samples` rows of `features`, of which `shift` is taken off everywhere.
    pub fn new(samples: usize, features: usize, shift: f32) -> Self {
        let labels: Vec<usize> = (0..samples).map(|i| i % 3).collect();
        let inputs = Array::from_fn(samples, features, |i, j| {
            ((i * 7 + j * 5) % 11) as f32 / 11.0 - shift + if labels[i] == j { 1.0 } else { 0.0 }
        });
        SmallSamples { inputs, labels }
    }

    pub fn view(&self) -> ImpData<'_> {
        let examples = Examples::labelled(&self.inputs, &self.labels);
        ImpData {
            training: examples,
            validation: examples,
            test: examples,
            shape: self.inputs.columns().into(),
            classes: 3,
            identity: "small",
        }
    }
}
