//! Records every use of every parameter slot in a backward pass, sample by sample, and turns the records into factors.

use super::factors::{Block, Factors, Kind};
use crate::networks::{Array, Gradients, Mode, Network};

/// One use of a weight: the rows of both arrays are samples × positions.
#[derive(Debug)]
struct Use {
    input: Array<f64>,
    /// One array a class.
    signals: Vec<Array<f64>>,
    positions: usize,
}

/// What happened to one slot.
#[derive(Debug)]
enum Record {
    Product(Vec<Use>),
    /// Sums over the positions, entries a sample; one array a class.
    Sum(Vec<Array<f64>>),
}

/// Listens to one backward pass a class, in order. Every pass makes the same calls, so the k-th use of a slot in one
/// pass is the k-th in all.
#[derive(Debug)]
struct Recorder {
    slots: Vec<Option<Record>>,
    samples: usize,
    class: usize,
    /// Uses of each slot seen in this pass.
    seen: Vec<usize>,
}

impl Recorder {
    fn begin(&mut self, class: usize) {
        self.class = class;
        self.seen.fill(0);
    }
}

impl Gradients<Array<f64>> for Recorder {
    fn product(&mut self, slot: usize, signal: &Array<f64>, input: &Array<f64>, positions: usize) {
        let record = self.slots[slot].get_or_insert_with(|| Record::Product(Vec::new()));
        let Record::Product(uses) = record else { return };
        if self.class == 0 {
            uses.push(Use {
                input: input.clone(),
                signals: Vec::new(),
                positions,
            });
        }
        uses[self.seen[slot]].signals.push(signal.clone());
        self.seen[slot] += 1;
    }

    fn sum(&mut self, slot: usize, terms: Array<f64>, positions: usize) {
        let record = self.slots[slot].get_or_insert_with(|| Record::Sum(Vec::new()));
        let Record::Sum(classes) = record else { return };
        let entries = terms.columns();
        if classes.len() == self.class {
            classes.push(Array::zeros(self.samples, entries));
        }
        let sums = classes[self.class].as_mut_slice().chunks_exact_mut(entries);
        for (sum, places) in sums.zip(terms.as_slice().chunks_exact(positions * entries)) {
            for place in places.chunks_exact(entries) {
                for (sum, term) in sum.iter_mut().zip(place) {
                    *sum += term;
                }
            }
        }
    }
}

/// The outputs of a network and the factors of its Jacobian. Cost: one forward pass, and C backward passes.
pub(super) fn factors(network: &Network, theta: &[f64], inputs: &Array<f64>) -> (Array<f64>, Factors) {
    let (samples, classes) = (inputs.rows(), network.classes());
    let parameters = network.plain(theta);
    let tape = network.forward(&parameters, inputs.clone(), Mode::Evaluation);
    let slots = network.layout().slots();
    let mut recorder = Recorder {
        slots: slots.iter().map(|_| None).collect(),
        samples,
        class: 0,
        seen: vec![0; slots.len()],
    };
    for class in 0..classes {
        recorder.begin(class);
        let unit = Array::from_fn(samples, classes, |_, c| if c == class { 1.0 } else { 0.0 });
        network.pull_back(&parameters, &tape, unit, &mut recorder);
    }
    let mut blocks = Vec::new();
    for (slot, record) in slots.iter().zip(recorder.slots) {
        let kind = match record {
            None => continue,
            Some(Record::Sum(sums)) => Kind::Vector {
                signals: by_entry(&sums, samples),
            },
            Some(Record::Product(uses)) => product(&uses, samples, classes),
        };
        blocks.push(Block {
            range: slot.range.clone(),
            kind,
        });
    }
    let factors = Factors {
        blocks,
        samples,
        classes,
        parameters: theta.len(),
    };
    (tape.outputs().clone(), factors)
}

/// Entry by entry: for each, its signal at sample s and class c.
fn by_entry(classes: &[Array<f64>], samples: usize) -> Vec<f64> {
    let entries = classes.first().map_or(0, Array::columns);
    let mut out = Vec::with_capacity(entries * samples * classes.len());
    for entry in 0..entries {
        for sample in 0..samples {
            out.extend(classes.iter().map(|sums| sums.row(sample)[entry]));
        }
    }
    out
}

/// All uses of a weight side by side, as if they were positions of one.
fn product(uses: &[Use], samples: usize, classes: usize) -> Kind {
    let positions: usize = uses.iter().map(|u| u.positions).sum();
    let (inputs, outputs) = uses
        .first()
        .map_or((0, 0), |u| (u.input.columns(), u.signals[0].columns()));
    let mut activations = vec![0.0; inputs * samples * positions];
    let mut signals = vec![0.0; outputs * samples * classes * positions];
    let mut first = 0;
    for one in uses {
        for sample in 0..samples {
            for position in 0..one.positions {
                let row = sample * one.positions + position;
                let place = sample * positions + first + position;
                for (input, &a) in one.input.row(row).iter().enumerate() {
                    activations[input * samples * positions + place] = a;
                }
                for (class, signal) in one.signals.iter().enumerate() {
                    let place = (sample * classes + class) * positions + first + position;
                    for (output, &d) in signal.row(row).iter().enumerate() {
                        signals[output * samples * classes * positions + place] = d;
                    }
                }
            }
        }
        first += one.positions;
    }
    Kind::Weight {
        inputs,
        outputs,
        positions,
        activations,
        signals,
    }
}
