//! The connections of a layer one by one: which entry of its input feeds which entry of its output, through which weight.

use crate::networks::{Convolution, Dense, Layer, Pooling, Recurrent, Slot};

/// Calls `visit(weight, from, to)` for every connection of a layer, weights for which `keeps` is false left out. A
/// connection without a weight has none.
///
/// Layers that act entry by entry connect each entry with itself and are the caller's, as are those inside which there is
/// more than one step: residual layers, recurrent cells, attention and normalisations.
pub(super) fn for_each_edge(
    layer: &Layer,
    slots: &[Slot],
    keeps: impl Fn(usize) -> bool,
    mut visit: impl FnMut(Option<usize>, usize, usize),
) {
    match layer {
        Layer::Dense(dense) => dense_edges(dense, slots, keeps, visit),
        Layer::Embedding(embedding) => dense_edges(&embedding.0, slots, keeps, visit),
        Layer::Convolution(convolution) => convolution_edges(convolution, slots, keeps, visit),
        Layer::Pooling(pooling) => pooling_edges(pooling, |from, to| visit(None, from, to)),
        Layer::Interleave(interleave) => {
            for channel in 0..interleave.channels {
                for place in 0..interleave.positions {
                    let (from, to) = (
                        channel * interleave.positions + place,
                        place * interleave.channels + channel,
                    );
                    visit(None, from, to);
                }
            }
        }
        _ => {}
    }
}

fn dense_edges(
    dense: &Dense,
    slots: &[Slot],
    keeps: impl Fn(usize) -> bool,
    mut visit: impl FnMut(Option<usize>, usize, usize),
) {
    let start = slots[dense.weight].range.start;
    for unit in 0..dense.outputs {
        for input in 0..dense.inputs {
            let weight = start + unit * dense.inputs + input;
            if keeps(weight) {
                for place in 0..dense.positions {
                    visit(Some(weight), place * dense.inputs + input, place * dense.outputs + unit);
                }
            }
        }
    }
}

fn convolution_edges(
    convolution: &Convolution,
    slots: &[Slot],
    keeps: impl Fn(usize) -> bool,
    mut visit: impl FnMut(Option<usize>, usize, usize),
) {
    let (from, to, kernel) = (convolution.from, convolution.to, convolution.kernel);
    let mut weight = slots[convolution.weight].range.start;
    for unit in 0..to.channels {
        for place in 0..kernel * kernel {
            let (y, x) = (place / kernel, place % kernel);
            for channel in 0..from.channels {
                if keeps(weight) {
                    for pixel in 0..to.height * to.width {
                        let (row, column) = (pixel / to.width, pixel % to.width);
                        if let Some(source) = convolution.source(row, column, y, x) {
                            visit(Some(weight), source + channel, pixel * to.channels + unit);
                        }
                    }
                }
                weight += 1;
            }
        }
    }
}

/// `visit(from, to)` for every entry of every window.
pub(super) fn pooling_edges(pooling: &Pooling, mut visit: impl FnMut(usize, usize)) {
    let to = pooling.to();
    for out in 0..to.channels * to.height * to.width {
        for from in pooling.window(out) {
            visit(from, out);
        }
    }
}

/// The connections into the hidden state of one step: its inputs stand where they stand in the series, the hidden state of
/// step `t` at `steps · inputs + t · hidden`.
pub(super) fn recurrent_edges(
    cell: &Recurrent,
    step: usize,
    slots: &[Slot],
    keeps: impl Fn(usize) -> bool,
    mut visit: impl FnMut(usize, usize, usize),
) {
    let state = |step: usize| cell.steps * cell.inputs + step * cell.hidden;
    let mut block = |slot: usize, width: usize, first: usize| {
        let start = slots[slot].range.start;
        for unit in 0..cell.hidden {
            for input in 0..width {
                let weight = start + unit * width + input;
                if keeps(weight) {
                    visit(weight, first + input, state(step) + unit);
                }
            }
        }
    };
    block(cell.input_weight[step], cell.inputs, step * cell.inputs);
    if step > 0 {
        block(cell.hidden_weight[step - 1], cell.hidden, state(step - 1));
    }
}
