//! The pairs of columns of two slots, one kind after the other: all of them by whole units, or a sample.

use super::hidden::HiddenLayer;
use super::jacobian_cosines::{JacobianCosines, PairKind, PairLaw};
use super::units::{Slot, Units};
use crate::error::Result;
use crate::linearize::Jacobian;
use crate::operators::MeasurementOperator;
use crate::outcome::Certainty;
use crate::seed::Seed;
use nalgebra::DMatrix;
use rand::RngExt;
use std::ops::Range;

/// Right-hand columns of one product.
const STACKED: usize = 1024;
/// Turns of the climb from one sampled pair.
const CLIMB: usize = 12;
/// Draws a pair that is asked for: most are wasted only where nearly all pairs are of another kind.
const TRIES: usize = 64;

/// Everything about the kinds of one examination.
pub(super) struct Examination<'a> {
    pub settings: JacobianCosines,
    pub hidden: Vec<HiddenLayer>,
    pub jacobian: &'a Jacobian,
    pub units: &'a Units<'a>,
}

/// Place of a column: slot, unit among those of the slot, position in the unit.
type Place = (usize, usize, usize);

impl Examination<'_> {
    fn slot(&self, s: usize) -> &Slot<'_> {
        &self.units.slots[s]
    }

    /// Units of the first slot are what the inputs of the second belong to, that many to a round; none without a link.
    fn link(&self, a: usize, b: usize) -> Option<usize> {
        let (first, second) = (&self.slot(a).factors.parameters, &self.slot(b).factors.parameters);
        let linked = |h: &&HiddenLayer| h.incoming == *first && h.outgoing == *second;
        self.hidden.iter().find(linked).map(|h| h.units)
    }

    fn kind(&self, x: Place, y: Place, link: Option<usize>) -> PairKind {
        let (u, v) = (&self.slot(x.0).units[x.1], &self.slot(y.0).units[y.1]);
        if x.0 != y.0 {
            return match link {
                Some(units) if v.inputs[y.2] % units == u.output => PairKind::Consecutive,
                _ => PairKind::Unrelated,
            };
        }
        if x.1 == y.1 {
            PairKind::SameUnit
        } else if u.inputs[x.2] == v.inputs[y.2] {
            PairKind::SameInput
        } else {
            PairKind::Unrelated
        }
    }

    /// Numbers of pairs of each kind, in the order of [`PairKind::ALL`].
    fn numbers(&self, a: usize, b: usize, link: Option<usize>) -> [u64; 4] {
        let choose_two = |k: u64| k * k.saturating_sub(1) / 2;
        let (first, second) = (self.slot(a), self.slot(b));
        if a == b {
            let same_unit = first.units.iter().map(|u| choose_two(u.inputs.len() as u64)).sum();
            let mut uses = vec![0u64; first.factors.inputs];
            first.units.iter().flat_map(|u| &u.inputs).for_each(|&i| uses[i] += 1);
            let same_input = uses.into_iter().map(choose_two).sum();
            return [
                same_unit,
                same_input,
                0,
                choose_two(first.live as u64) - same_unit - same_input,
            ];
        }
        let consecutive = link.map_or(0, |units| {
            let mut leaving = vec![0u64; units];
            let inputs = second.units.iter().flat_map(|u| &u.inputs);
            inputs.for_each(|i| leaving[i % units] += 1);
            let each = first.units.iter().map(|u| u.inputs.len() as u64 * leaving[u.output]);
            each.sum()
        });
        [0, 0, consecutive, first.live as u64 * second.live as u64 - consecutive]
    }

    /// The laws of every kind of pair of two slots, the first not after the second.
    pub fn pair_of_slots(&self, a: usize, b: usize, seed: &Seed) -> Result<Vec<PairLaw>> {
        let link = self.link(a, b);
        let numbers = self.numbers(a, b, link);
        let pairs: u64 = numbers.iter().sum();
        let depth = self.units.depth(a, b) as f64;
        let affordable =
            |pairs: u64| self.units.in_blocks(a, b) && pairs as f64 * depth <= self.settings.exhaustive_up_to;
        let mut tallies = [(); 4].map(|()| Tally::new(self.settings.bins));
        let mut exact = [false; 4];
        if affordable(pairs) {
            self.everything(a, b, link, &mut tallies);
            exact = [true; 4];
        } else {
            if numbers[0] > 0 && affordable(numbers[0]) {
                self.within_units(a, &mut tallies[0]);
                exact[0] = true;
            }
            if numbers[1] > 0 && affordable(numbers[1]) {
                self.within_inputs(a, &mut tallies[1]);
                exact[1] = true;
            }
            if let Some(units) = link.filter(|_| affordable(numbers[2])) {
                self.consecutive(a, b, units, &mut tallies[2]);
                exact[2] = true;
            }
        }
        let mut laws = Vec::new();
        for (k, kind) in PairKind::ALL.into_iter().enumerate().filter(|(k, _)| numbers[*k] > 0) {
            if !exact[k] {
                let name = format!("cosines {a} {b} {}", kind.as_str());
                self.sampled(a, b, link, kind, &seed.stream(name), &mut tallies[k])?;
            }
            let slots = (
                self.slot(a).factors.parameters.clone(),
                self.slot(b).factors.parameters.clone(),
            );
            laws.push(tallies[k].law(slots, kind, numbers[k], exact[k]));
        }
        Ok(laws)
    }

    /// Every pair of two slots.
    fn everything(&self, a: usize, b: usize, link: Option<usize>, tallies: &mut [Tally; 4]) {
        let depth = self.units.depth(a, b);
        let (mut right, mut cosines) = (Vec::new(), Vec::new());
        for (u, unit) in self.slot(a).units.iter().enumerate() {
            let left = self.units.left(a, u, b);
            let others = &self.slot(b).units;
            let mut next = if a == b { u } else { 0 };
            while next < others.len() {
                let start = next;
                let (mut tags, mut columns) = (Vec::new(), Vec::new());
                right.clear();
                while next < others.len() && (next == start || columns.len() + others[next].inputs.len() <= STACKED) {
                    let other = &others[next];
                    self.units.right(a, u, b, next, 0..other.inputs.len(), &mut right);
                    tags.extend(other.inputs.iter().map(|&i| link.map_or(i, |units| i % units)));
                    columns.extend_from_slice(&other.columns);
                    next += 1;
                }
                self.units.cosines(depth, &left, &right, &mut cosines);
                let own = if a == b && start == u { unit.inputs.len() } else { 0 };
                for (i, row) in cosines.chunks_exact(columns.len()).enumerate() {
                    let column = unit.columns[i];
                    let [same_unit, same_input, consecutive, unrelated] = tallies;
                    for (value, &other) in row.iter().zip(&columns).take(own).skip(i + 1) {
                        same_unit.add(*value, column, other);
                    }
                    let (tag, special) = match (a == b, link) {
                        (true, _) => (unit.inputs[i], same_input),
                        (false, Some(_)) => (unit.output, consecutive),
                        (false, None) => (usize::MAX, consecutive),
                    };
                    for ((value, &other), &shared) in row.iter().zip(&columns).zip(&tags).skip(own) {
                        if shared == tag {
                            special.add(*value, column, other);
                        } else {
                            unrelated.add(*value, column, other);
                        }
                    }
                }
            }
        }
    }

    fn within_units(&self, a: usize, tally: &mut Tally) {
        let depth = self.units.depth(a, a);
        let mut cosines = Vec::new();
        for (u, unit) in self.slot(a).units.iter().enumerate() {
            let left = self.units.left(a, u, a);
            let mut right = Vec::new();
            self.units.right(a, u, a, u, 0..unit.inputs.len(), &mut right);
            self.units.cosines(depth, &left, &right, &mut cosines);
            for (i, row) in cosines.chunks_exact(unit.inputs.len()).enumerate() {
                for (value, &column) in row.iter().zip(&unit.columns).skip(i + 1) {
                    tally.add(*value, unit.columns[i], column);
                }
            }
        }
    }

    /// Pairs of one input: for dense layers `Σ_s D_s(i, i') a_s(j)²` for all inputs of a pair of units at once.
    fn within_inputs(&self, a: usize, tally: &mut Tally) {
        let slot = self.slot(a);
        if slot.factors.positions > 1 {
            for (u, unit) in slot.units.iter().enumerate() {
                for (v, other) in slot.units.iter().enumerate().skip(u + 1) {
                    for (i, input) in unit.inputs.iter().enumerate() {
                        if let Ok(j) = other.inputs.binary_search(input) {
                            let cosine = self.units.cosine((a, u, i), (a, v, j));
                            tally.add(cosine, unit.columns[i], other.columns[j]);
                        }
                    }
                }
            }
            return;
        }
        let depth = self.units.depth(a, a);
        let squares: Vec<f64> = slot.factors.activations.iter().map(|v| v * v).collect();
        let mut inner = Vec::new();
        for (u, unit) in slot.units.iter().enumerate() {
            let others = &slot.units[u + 1..];
            let weights: Vec<f64> = (u + 1..slot.units.len())
                .flat_map(|v| self.units.products(a, u, a, v))
                .collect();
            self.units.cosines(depth, &weights, &squares, &mut inner);
            for (other, row) in others.iter().zip(inner.chunks_exact(slot.factors.inputs)) {
                let mut j = 0;
                for (i, &input) in unit.inputs.iter().enumerate() {
                    while j < other.inputs.len() && other.inputs[j] < input {
                        j += 1;
                    }
                    if j < other.inputs.len() && other.inputs[j] == input {
                        let cosine = row[input] / unit.lengths[i] / other.lengths[j];
                        tally.add(cosine, unit.columns[i], other.columns[j]);
                    }
                }
            }
        }
    }

    fn consecutive(&self, a: usize, b: usize, units: usize, tally: &mut Tally) {
        let depth = self.units.depth(a, b);
        let (mut right, mut cosines, mut columns) = (Vec::new(), Vec::new(), Vec::new());
        for (u, unit) in self.slot(a).units.iter().enumerate() {
            let left = self.units.left(a, u, b);
            right.clear();
            columns.clear();
            for (v, other) in self.slot(b).units.iter().enumerate() {
                for (j, _) in other
                    .inputs
                    .iter()
                    .enumerate()
                    .filter(|(_, i)| *i % units == unit.output)
                {
                    self.units.right(a, u, b, v, j..j + 1, &mut right);
                    columns.push(other.columns[j]);
                }
            }
            if columns.is_empty() {
                continue;
            }
            self.units.cosines(depth, &left, &right, &mut cosines);
            for (i, row) in cosines.chunks_exact(columns.len()).enumerate() {
                for (value, &column) in row.iter().zip(&columns) {
                    tally.add(*value, unit.columns[i], column);
                }
            }
        }
    }

    /// Independent pairs of uniform law among those of a kind, and climbs from the best.
    fn sampled(
        &self,
        a: usize,
        b: usize,
        link: Option<usize>,
        kind: PairKind,
        seed: &Seed,
        tally: &mut Tally,
    ) -> Result<()> {
        let mut rng = seed.rng();
        let mut best: Vec<(f64, Place, Place)> = Vec::new();
        let (first, second) = (self.slot(a), self.slot(b));
        let largest_unit = first.units.iter().map(|u| u.inputs.len()).max().unwrap_or(1);
        for _ in 0..self.settings.sampled_pairs * TRIES {
            let x = place(a, first, rng.random_range(0..first.live));
            let y = if kind == PairKind::SameUnit {
                (a, x.1, rng.random_range(0..first.units[x.1].inputs.len()))
            } else {
                place(b, second, rng.random_range(0..second.live))
            };
            if x == y || self.kind(x, y, link) != kind {
                continue;
            }
            // A pair of a unit of k columns comes up in proportion to 1/k; all are to come up alike.
            if kind == PairKind::SameUnit && rng.random_range(0..largest_unit) >= first.units[x.1].inputs.len() {
                continue;
            }
            let cosine = self.units.cosine(x, y);
            tally.add(cosine, first.units[x.1].columns[x.2], second.units[y.1].columns[y.2]);
            best.push((cosine.abs(), x, y));
            if best.len() == self.settings.sampled_pairs {
                break;
            }
        }
        best.sort_by(|p, q| q.0.total_cmp(&p.0));
        for (_, x, y) in best.into_iter().take(self.settings.climbs) {
            self.climb(x, y, link, kind, tally)?;
        }
        Ok(())
    }

    /// From a pair to the best partner of one of its columns, and on from there, while the cosine grows.
    fn climb(&self, x: Place, y: Place, link: Option<usize>, kind: PairKind, tally: &mut Tally) -> Result<()> {
        let (mut fixed, mut moving) = (x, y);
        let mut value = 0.0;
        for _ in 0..CLIMB {
            let unit = &self.slot(fixed.0).units[fixed.1];
            let mut column = DMatrix::zeros(self.jacobian.shape().rows, 1);
            self.jacobian.columns_into(&[unit.columns[fixed.2]], &mut column);
            column /= unit.lengths[fixed.2];
            let products = self.jacobian.adjoint(column.as_slice())?;
            let mut best = (value, moving);
            for (v, other) in self.slot(moving.0).units.iter().enumerate() {
                for (j, (&c, length)) in other.columns.iter().zip(&other.lengths).enumerate() {
                    let candidate = (moving.0, v, j);
                    let cosine = products[c].abs() / length;
                    let ordered = if fixed.0 <= moving.0 {
                        (fixed, candidate)
                    } else {
                        (candidate, fixed)
                    };
                    if cosine > best.0 && candidate != fixed && self.kind(ordered.0, ordered.1, link) == kind {
                        best = (cosine, candidate);
                    }
                }
            }
            if best.1 == moving && value > 0.0 {
                break;
            }
            value = best.0;
            let partner = self.slot(best.1.0).units[best.1.1].columns[best.1.2];
            tally.raise(value, unit.columns[fixed.2], partner);
            (fixed, moving) = (best.1, fixed);
        }
        Ok(())
    }
}

/// The place of the live column number `index` of a slot.
fn place(slot: usize, of: &Slot<'_>, index: usize) -> Place {
    let unit = of.units.partition_point(|u| u.first <= index) - 1;
    (slot, unit, index - of.units[unit].first)
}

/// Counts of one kind.
#[derive(Clone, Debug)]
struct Tally {
    counts: Vec<u64>,
    squares: f64,
    fourths: f64,
    largest: f64,
    pair: Option<(usize, usize)>,
}

impl Tally {
    fn new(bins: usize) -> Self {
        Tally {
            counts: vec![0; bins],
            squares: 0.0,
            fourths: 0.0,
            largest: 0.0,
            pair: None,
        }
    }

    fn add(&mut self, cosine: f64, first: usize, second: usize) {
        let size = cosine.abs().min(1.0);
        let last = self.counts.len() - 1;
        let bin = (size * self.counts.len() as f64) as usize;
        self.counts[bin.min(last)] += 1;
        let square = size * size;
        self.squares += square;
        self.fourths += square * square;
        self.raise(size, first, second);
    }

    fn raise(&mut self, cosine: f64, first: usize, second: usize) {
        if cosine > self.largest {
            self.largest = cosine.min(1.0);
            self.pair = Some((first.min(second), first.max(second)));
        }
    }

    fn examined(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn law(&self, slots: (Range<usize>, Range<usize>), kind: PairKind, pairs: u64, exact: bool) -> PairLaw {
        let examined = self.examined();
        let count = examined.max(1) as f64;
        let mean_square = self.squares / count;
        let variance = (self.fourths / count - mean_square * mean_square).max(0.0);
        let standard_error = if examined > 1 {
            (variance / (count - 1.0)).sqrt()
        } else {
            f64::INFINITY
        };
        PairLaw {
            slots,
            kind,
            pairs,
            examined,
            counts: self.counts.clone(),
            mean_square,
            certainty: if exact {
                Certainty::Exact
            } else {
                Certainty::Sampled {
                    standard_error,
                    replicates: examined as usize,
                }
            },
            largest: self.largest,
            largest_certainty: if exact { Certainty::Exact } else { Certainty::LowerBound },
            largest_pair: self.pair,
        }
    }
}
