//! Two products at a time over the survivors of a layer, and what is done entry by entry.

use crate::networks::real::Real;
use crate::networks::workspace::lanes::{Lanes, STRIP, Survivors, add_multiple, dispatched};
use pulp::Arch;

/// `Ż ← W Ẋ + V X + v 1ᵀ` over the survivors.
pub(super) struct TangentForward<'a, T, const K: usize> {
    pub(super) survivors: &'a Survivors,
    pub(super) weights: &'a [T],
    pub(super) directions: &'a [T],
    pub(super) bias: Option<&'a [T]>,
    pub(super) tangent: &'a [Lanes<T, K>],
    pub(super) input: &'a [Lanes<T, K>],
    pub(super) output: &'a mut [Lanes<T, K>],
}

impl<T: Real, const K: usize> TangentForward<'_, T, K> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Survivors { starts, sources, .. } = self.survivors;
        for (row, out) in self.output.iter_mut().enumerate() {
            let span = starts[row] as usize..starts[row + 1] as usize;
            let mut sum = [[self.bias.map_or(T::ZERO, |b| b[row]); STRIP]; K];
            let pairs = self.weights[span.clone()].iter().zip(&self.directions[span.clone()]);
            for (&source, (&weight, &direction)) in sources[span].iter().zip(pairs) {
                add_multiple::<T, K, FUSED>(weight, &self.tangent[source as usize], &mut sum);
                add_multiple::<T, K, FUSED>(direction, &self.input[source as usize], &mut sum);
            }
            *out = sum;
        }
    }
}

/// `Ẋ ← Wᵀ Ż + Vᵀ Z` over the survivors, for cotangents Z and their tangents.
pub(super) struct TangentPullBack<'a, T, const K: usize> {
    pub(super) survivors: &'a Survivors,
    pub(super) weights: &'a [T],
    pub(super) directions: &'a [T],
    pub(super) tangent: &'a [Lanes<T, K>],
    pub(super) delta: &'a [Lanes<T, K>],
    pub(super) output: &'a mut [Lanes<T, K>],
}

impl<T: Real, const K: usize> TangentPullBack<'_, T, K> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Survivors {
            feature_starts,
            targets,
            ..
        } = self.survivors;
        for (feature, out) in self.output.iter_mut().enumerate() {
            let span = feature_starts[feature] as usize..feature_starts[feature + 1] as usize;
            let mut sum = [[T::ZERO; STRIP]; K];
            for &(place, number) in &targets[span] {
                let (place, number) = (place as usize, number as usize);
                add_multiple::<T, K, FUSED>(self.weights[number], &self.tangent[place], &mut sum);
                add_multiple::<T, K, FUSED>(self.directions[number], &self.delta[place], &mut sum);
            }
            *out = sum;
        }
    }
}

dispatched!(TangentForward, TangentPullBack);

/// `out ← factor ∘ out`.
pub(super) fn multiply<T: Real>(arch: Arch, factor: &[T], out: &mut [T]) {
    arch.dispatch(|| {
        for (o, f) in out.iter_mut().zip(factor) {
            *o *= *f;
        }
    });
}

/// `out ← max(0, out)`.
pub(super) fn rectify<T: Real>(arch: Arch, out: &mut [T]) {
    arch.dispatch(|| {
        for o in out.iter_mut() {
            *o = if *o > T::ZERO { *o } else { T::ZERO };
        }
    });
}

/// Zero where the gate is not positive.
pub(super) fn close<T: Real>(arch: Arch, gate: &[T], out: &mut [T]) {
    arch.dispatch(|| {
        for (o, &g) in out.iter_mut().zip(gate) {
            *o = if g > T::ZERO { *o } else { T::ZERO };
        }
    });
}

/// `out ← out + x ∘ y`.
pub(super) fn add_products<T: Real>(arch: Arch, x: &[T], y: &[T], out: &mut [T]) {
    arch.dispatch(|| {
        for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
            *o += x * y;
        }
    });
}

/// Adds every row to `sum`.
pub(super) fn add_rows<T: Real>(arch: Arch, rows: &[T], sum: &mut [T]) {
    arch.dispatch(|| {
        for row in rows.chunks_exact(sum.len()) {
            for (s, v) in sum.iter_mut().zip(row) {
                *s += *v;
            }
        }
    });
}
