//! The tangent kernel from the factors of the Jacobian.

use super::factors::Entry;
use super::jacobian::Jacobian;
use crate::linalg::gemm;

/// Rows of the kernel that are formed at a time.
const BLOCK: usize = 128;

/// Columns of weights with several positions that are formed at a time.
const COLUMNS: usize = 64;

/// The chosen columns that share one output unit.
struct Unit<'a> {
    signal: &'a [f64],
    activations: Vec<&'a [f64]>,
    /// Whether the unit's bias is chosen.
    bias: bool,
}

/// Adds `J_S J_Sᵀ` (before any projection of the biases) to the `nC × nC` matrix `kernel`, row by row; by symmetry only
/// entries up to the diagonal of each row need be right, and some beyond it are not touched.
///
/// Columns come in ascending order, so those of one unit stand together. Units that chose the same inputs (all of
/// them, when nothing is masked) share one Gram matrix and are summed in one product.
pub(super) fn accumulate(jacobian: &Jacobian, kernel: &mut [f64]) {
    let (n, classes) = (jacobian.samples(), jacobian.classes());
    let rows = n * classes;
    add_shared(jacobian, kernel);
    let mut groups: Vec<Vec<Unit<'_>>> = Vec::new();
    for unit in units(jacobian) {
        match groups.last_mut() {
            Some(group) if same_inputs(&group[0], &unit) => group.push(unit),
            _ => groups.push(vec![unit]),
        }
    }
    let mut gram = vec![0.0; n * n];
    let mut outer = vec![0.0; BLOCK.min(rows) * rows];
    for group in groups {
        // Inputs stacked one a row: inputs × n.
        let inputs = group[0].activations.concat();
        let offset = if group[0].bias { 1.0 } else { 0.0 };
        gram.fill(offset);
        let count = group[0].activations.len();
        if count > 0 {
            gemm(n, count, n, &inputs, true, &inputs, false, &mut gram, true);
        }
        // Signals with the units of a row together, so that every block of rows is one slice.
        let units = group.len();
        let mut signals = vec![0.0; rows * units];
        for (u, unit) in group.iter().enumerate() {
            for (row, value) in unit.signal.iter().enumerate() {
                signals[row * units + u] = *value;
            }
        }
        for start in (0..rows).step_by(BLOCK) {
            let end = (start + BLOCK).min(rows);
            let (own, before) = (&signals[start * units..end * units], &signals[..end * units]);
            let outer = &mut outer[..(end - start) * end];
            gemm(end - start, units, end, own, false, before, true, outer, false);
            for (r, outer) in (start..end).zip(outer.chunks_exact(end)) {
                let gram = &gram[r / classes * n..][..n];
                let kernel = &mut kernel[r * rows..][..end];
                let pairs = kernel.chunks_mut(classes).zip(outer.chunks(classes));
                for ((out, outer), g) in pairs.zip(gram) {
                    for (out, outer) in out.iter_mut().zip(outer) {
                        *out += outer * g;
                    }
                }
            }
        }
    }
}

/// The part of the live columns of weights that several positions share, formed a few at a time.
fn add_shared(jacobian: &Jacobian, kernel: &mut [f64]) {
    let rows = jacobian.samples() * jacobian.classes();
    let is_shared = |&c: &usize| {
        jacobian.is_live(c) && matches!(jacobian.entry(c), Entry::Weight(_, _, positions) if positions > 1)
    };
    let shared: Vec<usize> = (0..jacobian.columns.len()).filter(is_shared).collect();
    let mut block = vec![0.0; COLUMNS.min(shared.len()) * rows];
    for chunk in shared.chunks(COLUMNS) {
        let block = &mut block[..chunk.len() * rows];
        block.fill(0.0);
        for (column, &c) in block.chunks_exact_mut(rows).zip(chunk) {
            jacobian.factors.add_column(jacobian.columns[c], 1.0, column);
        }
        gemm(rows, chunk.len(), rows, block, true, block, false, kernel, true);
    }
}

/// The live columns of single positions, unit by unit. A unit's bias stands behind all weights of its layer and makes a unit of its own
/// when its weights do not end the list.
fn units<'a>(jacobian: &'a Jacobian) -> Vec<Unit<'a>> {
    let mut units: Vec<Unit<'a>> = Vec::new();
    for c in (0..jacobian.columns.len()).filter(|&c| jacobian.is_live(c)) {
        match jacobian.entry(c) {
            Entry::Constant => {}
            Entry::Weight(_, _, positions) if positions > 1 => {}
            Entry::Weight(signal, activation, _) => match units.last_mut() {
                Some(unit) if std::ptr::eq(unit.signal, signal) && !unit.bias => unit.activations.push(activation),
                _ => units.push(Unit {
                    signal,
                    activations: vec![activation],
                    bias: false,
                }),
            },
            Entry::Vector(signal) => units.push(Unit {
                signal,
                activations: Vec::new(),
                bias: true,
            }),
        }
    }
    units
}

fn same_inputs(a: &Unit<'_>, b: &Unit<'_>) -> bool {
    let equal = |(x, y): (&&[f64], &&[f64])| std::ptr::eq(*x, *y);
    a.bias == b.bias
        && a.activations.len() == b.activations.len()
        && a.activations.iter().zip(&b.activations).all(equal)
}
