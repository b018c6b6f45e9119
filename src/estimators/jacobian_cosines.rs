//! The law of the cosines between the columns of a Jacobian, by layer and by what two weights share.

use super::hidden::{HiddenLayer, hidden_layers};
use super::units::{Slot, Units};
use crate::error::{Error, Result};
use crate::linearize::Jacobian;
use crate::networks::Network;
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

/// What two parameters share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PairKind {
    /// The unit that both lead into: the same signals.
    SameUnit,
    /// The input that both lead from, into different units: the same activations.
    SameInput,
    /// One leads into the hidden unit that the other leads from.
    Consecutive,
    /// Nothing of these.
    Unrelated,
}

impl PairKind {
    /// All kinds, in order.
    pub const ALL: [PairKind; 4] = [
        PairKind::SameUnit,
        PairKind::SameInput,
        PairKind::Consecutive,
        PairKind::Unrelated,
    ];

    /// The word used in reports and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            PairKind::SameUnit => "same-unit",
            PairKind::SameInput => "same-input",
            PairKind::Consecutive => "consecutive",
            PairKind::Unrelated => "unrelated",
        }
    }
}

/// The cosines between nonzero columns of a Jacobian, for every two slots of parameters and every kind of pair.
///
/// A dense layer's column (i, j) is `Σ_s e_s ⊗ δ_s(i) a_s(j)`, so that `⟨(i, j), (i', j')⟩ = Σ_s D_s(i, i') a_s(j) a_s(j')` with
/// `D_s(i, i') = ⟨δ_s(i), δ_s(i')⟩`: all pairs of the columns of two units are one product of matrices with n columns, and
/// not n C, after D. Convolutions have their columns formed.
///
/// A kind is examined pair by pair when that costs at most `exhaustive_up_to` multiplications, and by a random sample
/// otherwise; pairs of one unit, of one input and consecutive ones have a cheaper way of their own, so that they are exact at sizes where
/// unrelated pairs are sampled. Source: the factors of a Jacobian are those of backpropagation; see
/// [`crate::linearize::SlotFactors`].
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::estimators::{JacobianCosines, PairKind};
/// use ticketsense::linearize::{Biases, Linearisation, RowTransform};
/// use ticketsense::networks::{Array, Initialisation, Network};
/// let network = Network::preset("mlp:6:no-bias", 4, 3)?;
/// let theta: Vec<f64> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let inputs = Array::from_fn(20, 4, |i, j| ((i * 3 + 5 * j) as f64).sin());
/// let at = Linearisation::new(&network, &theta, &inputs)?;
/// let a = at.jacobian(&network.layout().weights(), RowTransform::Identity, Biases::Fixed)?;
/// let law = JacobianCosines::default().examine(&network, &a, &Seed::root(0))?;
/// // Weights of two output units have their derivatives in different rows.
/// let last = law.laws.iter().rfind(|l| l.kind == PairKind::SameInput).unwrap();
/// assert_eq!((last.slots.0.clone(), last.largest), (24..42, 0.0));
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JacobianCosines {
    /// Bins of |cosine|, from 1 to 100,000; the last one holds 1 too.
    pub bins: usize,
    /// The most multiplications for which one kind of pair of two slots is examined in full.
    pub exhaustive_up_to: f64,
    /// Pairs of a kind that are sampled otherwise, with replacement; at least 2.
    pub sampled_pairs: usize,
    /// Sampled pairs from which a climb searches for the largest cosine of their kind; each costs some adjoints.
    pub climbs: usize,
}

impl Default for JacobianCosines {
    /// 50 bins; about a second a kind, or 20,000 pairs and 4 climbs.
    fn default() -> Self {
        JacobianCosines {
            bins: 50,
            exhaustive_up_to: 2e10,
            sampled_pairs: 20_000,
            climbs: 4,
        }
    }
}

/// The cosines of one kind of pairs between two slots.
#[derive(Clone, Debug, PartialEq)]
pub struct PairLaw {
    /// Parameters of the two slots, the first one first.
    pub slots: (Range<usize>, Range<usize>),
    /// What two parameters share.
    pub kind: PairKind,
    /// Number of pairs of nonzero columns.
    pub pairs: u64,
    /// Pairs examined: all, or a sample with replacement.
    pub examined: u64,
    /// Examined pairs by |cosine|: bin b of B holds `b/B ≤ |cosine| < (b + 1)/B`.
    pub counts: Vec<u64>,
    /// Mean square of the cosines.
    pub mean_square: f64,
    /// Exact, or sampled with its standard error.
    pub certainty: Certainty,
    /// The largest |cosine| found.
    pub largest: f64,
    /// Exact, or a lower bound.
    pub largest_certainty: Certainty,
    /// Columns of the operator that attain it.
    pub largest_pair: Option<(usize, usize)>,
}

/// The cosines of every kind of pair.
#[derive(Clone, Debug, PartialEq)]
pub struct JacobianCosineLaw {
    /// Ascending by slots and kind; kinds without a pair are left out.
    pub laws: Vec<PairLaw>,
    /// Number of zero columns, left out.
    pub zero_columns: usize,
    /// Rounding error of a cosine.
    pub error_bound: f64,
}

impl JacobianCosines {
    /// Examines the columns of a Jacobian of `network`.
    ///
    /// Cost: `n` multiplications a pair of dense columns and `n C` one of a convolution, up to the limit; memory: the
    /// columns of the convolutions, and some megabytes.
    ///
    /// # Errors
    /// [`Error::Argument`] for numbers out of range, a Jacobian with projected biases, or one of another network.
    pub fn examine(&self, network: &Network, jacobian: &Jacobian, seed: &Seed) -> Result<JacobianCosineLaw> {
        if !(1..=100_000).contains(&self.bins) {
            return Err(Error::argument("bins", "an integer in 1..=100000", self.bins));
        }
        if self.sampled_pairs < 2 {
            return Err(Error::argument("sampled pairs", "at least 2", self.sampled_pairs));
        }
        if self.exhaustive_up_to.is_nan() {
            return Err(Error::argument("exhaustive_up_to", "a number", self.exhaustive_up_to));
        }
        let fits = |j: &usize| *j < network.layout().len();
        if !jacobian.parameters().iter().all(fits) || jacobian.classes() != network.classes() {
            let got = format!("{} of another network", jacobian.shape());
            return Err(Error::argument("operator", "a Jacobian of the network", got));
        }
        let units = Units::new(jacobian)?;
        let mut examination = Examination {
            settings: *self,
            hidden: hidden_layers(network),
            jacobian,
            units: &units,
        };
        let mut laws = Vec::new();
        for a in 0..units.slots.len() {
            for b in a..units.slots.len() {
                laws.extend(examination.pair_of_slots(a, b, seed)?);
            }
        }
        Ok(JacobianCosineLaw {
            laws,
            zero_columns: units.zero,
            error_bound: units.cosine_error(),
        })
    }
}

/// Everything about the kinds of one examination.
struct Examination<'a> {
    settings: JacobianCosines,
    hidden: Vec<HiddenLayer>,
    jacobian: &'a Jacobian,
    units: &'a Units<'a>,
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

    fn pair_of_slots(&mut self, a: usize, b: usize, seed: &Seed) -> Result<Vec<PairLaw>> {
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

#[cfg(test)]
#[path = "jacobian_cosines_tests.rs"]
mod tests;
