//! The live columns of a Jacobian unit by unit, and inner products of whole units at a time.

use crate::error::{Error, Result};
use crate::linalg::gemm;
use crate::linearize::{Jacobian, SlotFactors};
use crate::operators::MeasurementOperator;
use nalgebra::DMatrix;

/// Slots whose weights are shared by several positions have their columns formed, up to this many entries (half a GiB).
const FORMED_ENTRIES: usize = 1 << 26;

/// The live columns of one unit.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    /// Number of the unit in its slot.
    pub output: usize,
    /// Where they start among the live columns of the slot.
    pub first: usize,
    /// The input of each, ascending.
    pub inputs: Vec<usize>,
    /// The column of the operator of each.
    pub columns: Vec<usize>,
    /// Its length.
    pub lengths: Vec<f64>,
}

/// One slot of parameters.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    pub factors: SlotFactors<'a>,
    /// Units with a live column.
    pub units: Vec<Unit>,
    /// Number of live columns.
    pub live: usize,
    /// Unit columns, one after another, where several positions share a weight.
    formed: Option<Vec<f64>>,
}

/// All slots that have a live column.
#[derive(Debug)]
pub(super) struct Units<'a> {
    jacobian: &'a Jacobian,
    pub slots: Vec<Slot<'a>>,
    pub zero: usize,
    samples: usize,
    classes: usize,
}

impl<'a> Units<'a> {
    /// Sorts the columns by slot and unit.
    pub fn new(jacobian: &'a Jacobian) -> Result<Self> {
        if jacobian.projection_rank() > 0 {
            return Err(Error::argument(
                "operator",
                "a Jacobian with fixed biases: the projection of free ones mixes the samples",
                format!("{} dimensions projected out", jacobian.projection_rank()),
            ));
        }
        let norms = jacobian.column_norms();
        let parameters = jacobian.parameters();
        let mut slots = Vec::new();
        let mut zero = norms.len();
        for factors in jacobian.slot_factors() {
            let first = parameters.partition_point(|&j| j < factors.parameters.start);
            let last = parameters.partition_point(|&j| j < factors.parameters.end);
            let mut units: Vec<Unit> = Vec::new();
            let mut live = 0;
            for column in (first..last).filter(|&c| norms[c] > 0.0) {
                let place = parameters[column] - factors.parameters.start;
                let (output, input) = (place / factors.inputs, place % factors.inputs);
                if units.last().is_none_or(|u| u.output != output) {
                    units.push(Unit {
                        output,
                        first: live,
                        inputs: Vec::new(),
                        columns: Vec::new(),
                        lengths: Vec::new(),
                    });
                }
                if let Some(unit) = units.last_mut() {
                    unit.inputs.push(input);
                    unit.columns.push(column);
                    unit.lengths.push(norms[column]);
                    live += 1;
                }
            }
            zero -= live;
            if live == 0 {
                continue;
            }
            let mut slot = Slot {
                factors,
                units,
                live,
                formed: None,
            };
            if slot.factors.positions > 1 && live * jacobian.shape().rows <= FORMED_ENTRIES {
                slot.formed = Some(formed(jacobian, &slot));
            }
            slots.push(slot);
        }
        Ok(Units {
            samples: jacobian.samples(),
            classes: jacobian.classes(),
            jacobian,
            slots,
            zero,
        })
    }

    /// Whether inner products of whole units can be taken for two slots: all but those of many shared weights.
    pub fn in_blocks(&self, a: usize, b: usize) -> bool {
        let ready = |s: usize| self.slots[s].factors.positions == 1 || self.slots[s].formed.is_some();
        ready(a) && ready(b)
    }

    /// Multiplications of one inner product: n by the factors, n C by the columns.
    pub fn depth(&self, a: usize, b: usize) -> usize {
        let single = |s: usize| self.slots[s].factors.positions == 1;
        if single(a) && single(b) {
            self.samples
        } else {
            self.samples * self.classes
        }
    }

    /// Rounding error of one cosine: a sum of n C products of four factors, and two lengths of such sums, all bounded by
    /// the lengths of the columns; positions add to each.
    pub fn cosine_error(&self) -> f64 {
        let positions = self.slots.iter().map(|s| s.factors.positions).max().unwrap_or(1);
        2.0 * (self.samples * self.classes + positions + 8) as f64 * f64::EPSILON
    }

    /// Rows whose inner products with [`Units::right`] are cosines: one a column of the unit.
    pub fn left(&self, a: usize, unit: usize, b: usize) -> Vec<f64> {
        let (slot, of) = (&self.slots[a], &self.slots[a].units[unit]);
        let depth = self.depth(a, b);
        let mut out = Vec::with_capacity(of.inputs.len() * depth);
        if depth == self.samples {
            for (&input, length) in of.inputs.iter().zip(&of.lengths) {
                out.extend(slot.factors.activation(input).iter().map(|v| v / length));
            }
        } else {
            self.push_columns(slot, of, 0..of.inputs.len(), &mut out);
        }
        out
    }

    /// Appends the rows of some columns of a unit of slot b, weighted for the unit of slot a.
    pub fn right(
        &self,
        a: usize,
        unit: usize,
        b: usize,
        other: usize,
        which: std::ops::Range<usize>,
        out: &mut Vec<f64>,
    ) {
        let (slot, of) = (&self.slots[b], &self.slots[b].units[other]);
        if self.depth(a, b) == self.samples {
            let weights = self.products(a, unit, b, other);
            for (&input, length) in of.inputs[which.clone()].iter().zip(&of.lengths[which]) {
                let activation = slot.factors.activation(input).iter();
                out.extend(activation.zip(&weights).map(|(a, w)| a * w / length));
            }
        } else {
            self.push_columns(slot, of, which, out);
        }
    }

    /// `Σ_c δ_sc δ'_sc` of two units of single positions, sample by sample.
    pub fn products(&self, a: usize, unit: usize, b: usize, other: usize) -> Vec<f64> {
        let signal = |s: usize, u: usize| self.slots[s].factors.signal(self.slots[s].units[u].output);
        let pairs = signal(a, unit)
            .chunks_exact(self.classes)
            .zip(signal(b, other).chunks_exact(self.classes));
        pairs.map(|(d, e)| d.iter().zip(e).map(|(d, e)| d * e).sum()).collect()
    }

    fn push_columns(&self, slot: &Slot<'_>, of: &Unit, which: std::ops::Range<usize>, out: &mut Vec<f64>) {
        let rows = self.samples * self.classes;
        if let Some(formed) = &slot.formed {
            out.extend_from_slice(&formed[(of.first + which.start) * rows..(of.first + which.end) * rows]);
            return;
        }
        for (&column, length) in of.columns[which.clone()].iter().zip(&of.lengths[which]) {
            let mut one = DMatrix::zeros(rows, 1);
            self.jacobian.columns_into(&[column], &mut one);
            out.extend(one.iter().map(|v| v / length));
        }
    }

    /// The cosine of two live columns, each a unit of a slot and a position in it.
    pub fn cosine(&self, (a, unit, i): (usize, usize, usize), (b, other, j): (usize, usize, usize)) -> f64 {
        let mut right = Vec::new();
        self.right(a, unit, b, other, j..j + 1, &mut right);
        let of = &self.slots[a].units[unit];
        if self.depth(a, b) == self.samples {
            let activation = self.slots[a].factors.activation(of.inputs[i]);
            crate::linalg::dot(activation, &right) / of.lengths[i]
        } else {
            let mut left = Vec::new();
            self.push_columns(&self.slots[a], of, i..i + 1, &mut left);
            crate::linalg::dot(&left, &right)
        }
    }

    /// Cosines of a unit's columns with stacked right rows, one row of `out` a column of the unit.
    pub fn cosines(&self, depth: usize, left: &[f64], right: &[f64], out: &mut Vec<f64>) {
        let (rows, columns) = (left.len() / depth, right.len() / depth);
        out.clear();
        out.resize(rows * columns, 0.0);
        gemm(rows, depth, columns, left, false, right, true, out, false);
    }
}

fn formed(jacobian: &Jacobian, slot: &Slot<'_>) -> Vec<f64> {
    let rows = jacobian.shape().rows;
    let mut out = Vec::with_capacity(slot.live * rows);
    for unit in &slot.units {
        let mut block = DMatrix::zeros(rows, unit.columns.len());
        jacobian.columns_into(&unit.columns, &mut block);
        for (column, length) in block.as_slice().chunks_exact(rows).zip(&unit.lengths) {
            out.extend(column.iter().map(|v| v / length));
        }
    }
    out
}
