//! Kernels over activations that stand feature by feature, a batch side by side in lanes: one load serves a surviving
//! weight for a whole batch.
//!
//! A row of lanes is an array `[T; W]`. A product over the survivors of a row keeps that row's lanes in registers, so a
//! survivor costs `W` multiply-adds whatever the shape of the layer: time follows density.

use crate::networks::real::Real;

/// Lanes that one strip holds.
pub(super) const STRIP: usize = 8;

/// One feature of `STRIP · K` samples.
pub(super) type Lanes<T, const K: usize> = [[T; STRIP]; K];

/// Numbers that begin on a cache line's boundary, seen as lanes of any width: a load that crosses a line costs two.
#[derive(Debug)]
pub(super) struct Buffer<T> {
    storage: Vec<T>,
    start: usize,
}

impl<T: Real> Buffer<T> {
    /// Zero everywhere.
    pub(super) fn clear(&mut self) {
        self.storage.fill(T::ZERO);
    }

    /// Room for so many features of `STRIP · strips` samples.
    pub(super) fn new(features: usize, strips: usize) -> Self {
        const LINE: usize = 64;
        let length = features * strips * STRIP;
        let storage = vec![T::ZERO; length + LINE / T::BYTES];
        let start = storage.as_ptr().align_offset(LINE).min(LINE / T::BYTES);
        Buffer { storage, start }
    }

    /// The first features, at this width.
    pub(super) fn lanes<const K: usize>(&self, features: usize) -> &[Lanes<T, K>] {
        self.flat::<K>(features).as_chunks().0.as_chunks().0
    }

    /// The same, to write to.
    pub(super) fn lanes_mut<const K: usize>(&mut self, features: usize) -> &mut [Lanes<T, K>] {
        self.flat_mut::<K>(features).as_chunks_mut().0.as_chunks_mut().0
    }

    fn flat<const K: usize>(&self, features: usize) -> &[T] {
        &self.storage[self.start..self.start + features * K * STRIP]
    }

    fn flat_mut<const K: usize>(&mut self, features: usize) -> &mut [T] {
        &mut self.storage[self.start..self.start + features * K * STRIP]
    }
}

/// The survivors of a layer's weights, row by row and feature by feature.
///
/// Places are relative, so that one list serves every position of a convolution: of the input to the first feature of
/// the window, of the cotangent to the first of the places that a feature has a part in.
#[derive(Debug, Default)]
pub(super) struct Survivors {
    /// Where each row's survivors begin among all, and the end.
    pub(super) starts: Vec<u32>,
    /// The place in the input that each survivor multiplies.
    pub(super) sources: Vec<u32>,
    /// Where each input feature's survivors begin, and the end.
    pub(super) feature_starts: Vec<u32>,
    /// Feature by feature: the place in the cotangent, and the number among all survivors.
    pub(super) targets: Vec<(u32, u32)>,
}

impl Survivors {
    /// The kept entries of a matrix of `columns` columns, row by row.
    ///
    /// `source` gives a column's place in the input, `target` for row and column the feature among `features` and the
    /// place in the cotangent.
    pub(super) fn new(
        columns: usize,
        keep: &[bool],
        features: usize,
        source: impl Fn(usize) -> usize,
        target: impl Fn(usize, usize) -> (usize, usize),
    ) -> Self {
        let mut survivors = Survivors::default();
        let mut entries = Vec::new();
        survivors.starts.push(0);
        for (row, bits) in keep.chunks_exact(columns).enumerate() {
            for (column, _) in bits.iter().enumerate().filter(|(_, keep)| **keep) {
                let (feature, place) = target(row, column);
                entries.push((feature, place as u32, survivors.sources.len() as u32));
                survivors.sources.push(source(column) as u32);
            }
            survivors.starts.push(survivors.sources.len() as u32);
        }
        entries.sort_by_key(|entry| entry.0);
        survivors.feature_starts = (0..=features)
            .map(|feature| entries.partition_point(|entry| entry.0 < feature) as u32)
            .collect();
        survivors.targets = entries.into_iter().map(|(_, place, number)| (place, number)).collect();
        survivors
    }
}

/// `a b + c`, in one rounding where that is one instruction.
#[inline(always)]
fn multiply_add<T: Real, const FUSED: bool>(a: T, b: T, c: T) -> T {
    if FUSED { a.fused(b, c) } else { a * b + c }
}

/// `sum ← sum + weight · x`.
#[inline(always)]
pub(super) fn add_multiple<T: Real, const K: usize, const FUSED: bool>(
    weight: T,
    x: &Lanes<T, K>,
    sum: &mut Lanes<T, K>,
) {
    for strip in 0..K {
        for lane in 0..STRIP {
            sum[strip][lane] = multiply_add::<T, FUSED>(weight, x[strip][lane], sum[strip][lane]);
        }
    }
}

/// Zero where the gate is not positive.
#[inline(always)]
pub(super) fn close<T: Real, const K: usize>(values: &mut Lanes<T, K>, gate: &Lanes<T, K>) {
    for (value, gate) in values.as_flattened_mut().iter_mut().zip(gate.as_flattened()) {
        let open = *value;
        *value = if *gate > T::ZERO { open } else { T::ZERO };
    }
}

/// Zero where the value is not positive.
#[inline(always)]
pub(super) fn rectify<T: Real, const K: usize>(values: &mut Lanes<T, K>) {
    for value in values.as_flattened_mut() {
        *value = if *value > T::ZERO { *value } else { T::ZERO };
    }
}

/// `Z ← W X + b 1ᵀ` over the survivors of `W`, or `max(0, Z)` where `rectify`.
pub(super) struct Forward<'a, T, const K: usize> {
    pub(super) survivors: &'a Survivors,
    pub(super) values: &'a [T],
    pub(super) bias: Option<&'a [T]>,
    pub(super) input: &'a [Lanes<T, K>],
    pub(super) output: &'a mut [Lanes<T, K>],
    pub(super) rectify: bool,
}

impl<T: Real, const K: usize> Forward<'_, T, K> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Survivors { starts, sources, .. } = self.survivors;
        for (row, out) in self.output.iter_mut().enumerate() {
            let span = starts[row] as usize..starts[row + 1] as usize;
            let mut sum = [[self.bias.map_or(T::ZERO, |b| b[row]); STRIP]; K];
            for (&source, &weight) in sources[span.clone()].iter().zip(&self.values[span]) {
                let x = &self.input[source as usize];
                add_multiple::<T, K, FUSED>(weight, x, &mut sum);
            }
            *out = sum;
            if self.rectify {
                rectify(out);
            }
        }
    }
}

/// `X̄ ← Wᵀ Z̄` over the survivors of `W`, and zero where the gate, if there is one, is not positive.
pub(super) struct PullBack<'a, T, const K: usize> {
    pub(super) survivors: &'a Survivors,
    pub(super) values: &'a [T],
    pub(super) delta: &'a [Lanes<T, K>],
    /// The first feature of the output.
    pub(super) first: usize,
    pub(super) gate: Option<&'a [Lanes<T, K>]>,
    pub(super) output: &'a mut [Lanes<T, K>],
}

impl<T: Real, const K: usize> PullBack<'_, T, K> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Survivors {
            feature_starts,
            targets,
            ..
        } = self.survivors;
        for (index, out) in self.output.iter_mut().enumerate() {
            let feature = self.first + index;
            let span = feature_starts[feature] as usize..feature_starts[feature + 1] as usize;
            let mut sum = [[T::ZERO; STRIP]; K];
            for &(place, number) in &targets[span] {
                let (weight, d) = (self.values[number as usize], &self.delta[place as usize]);
                add_multiple::<T, K, FUSED>(weight, d, &mut sum);
            }
            *out = sum;
            if let Some(gate) = self.gate {
                close(out, &gate[index]);
            }
        }
    }
}

/// `W̄ ← Z̄ Xᵀ` at the survivors of `W` alone; added to what is there when `ADD`.
pub(super) struct WeightGradient<'a, T, const K: usize> {
    pub(super) survivors: &'a Survivors,
    pub(super) input: &'a [Lanes<T, K>],
    pub(super) delta: &'a [Lanes<T, K>],
    pub(super) gradient: &'a mut [T],
    pub(super) add: bool,
}

impl<T: Real, const K: usize> WeightGradient<'_, T, K> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let Survivors { starts, sources, .. } = self.survivors;
        for (row, delta) in self.delta.iter().enumerate() {
            let span = starts[row] as usize..starts[row + 1] as usize;
            let (sources, gradient) = (&sources[span.clone()], &mut self.gradient[span]);
            let delta = *delta;
            let (groups, rest) = sources.as_chunks::<STRIP>();
            let (out, out_rest) = gradient.as_chunks_mut::<STRIP>();
            for (group, out) in groups.iter().zip(out) {
                let mut partial = [[T::ZERO; STRIP]; STRIP];
                for (partial, &source) in partial.iter_mut().zip(group) {
                    *partial = folded_product::<T, K, FUSED>(&delta, &self.input[source as usize]);
                }
                let sums = sums_of_rows(&partial);
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = if self.add { *out + sum } else { sum };
                }
            }
            if !rest.is_empty() {
                let mut partial = [[T::ZERO; STRIP]; STRIP];
                for (partial, &source) in partial.iter_mut().zip(rest) {
                    *partial = folded_product::<T, K, FUSED>(&delta, &self.input[source as usize]);
                }
                for (out, sum) in out_rest.iter_mut().zip(sums_of_rows(&partial)) {
                    *out = if self.add { *out + sum } else { sum };
                }
            }
        }
    }
}

/// `Σ` of the products of two rows of lanes, eight partial sums.
#[inline(always)]
fn folded_product<T: Real, const K: usize, const FUSED: bool>(x: &Lanes<T, K>, y: &Lanes<T, K>) -> [T; STRIP] {
    let mut sum = [T::ZERO; STRIP];
    for strip in 0..K {
        for lane in 0..STRIP {
            sum[lane] = multiply_add::<T, FUSED>(x[strip][lane], y[strip][lane], sum[lane]);
        }
    }
    sum
}

/// The sums of eight rows, each in the order of [`sum_of_row`].
#[inline(always)]
fn sums_of_rows<T: Real>(rows: &[[T; STRIP]; STRIP]) -> [T; STRIP] {
    // A transpose by interleaving, with an addition at every level: three operations a row instead of seven.
    let level = |a: &[T; 8], b: &[T; 8]| -> [T; 8] {
        let low = [a[0], b[0], a[1], b[1], a[4], b[4], a[5], b[5]];
        let high = [a[2], b[2], a[3], b[3], a[6], b[6], a[7], b[7]];
        let mut sum = [T::ZERO; 8];
        for lane in 0..8 {
            sum[lane] = low[lane] + high[lane];
        }
        sum
    };
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    let (a, b) = (level(r0, r2), level(r1, r3));
    let (c, d) = (level(r4, r6), level(r5, r7));
    // a = [0.0+0.2, 2.0+2.2, 0.1+0.3, 2.1+2.3 | the same of lanes 4 to 7].
    let (ab, cd) = (level(&a, &b), level(&c, &d));
    // ab = [sum of lanes 0 to 3 of rows 0, 1, 2, 3 | of lanes 4 to 7].
    let mut sums = [T::ZERO; 8];
    for lane in 0..4 {
        sums[lane] = ab[lane] + ab[lane + 4];
        sums[lane + 4] = cd[lane] + cd[lane + 4];
    }
    sums
}

/// The sum of one row.
#[inline(always)]
fn sum_of_row<T: Real>(row: &[T; STRIP]) -> T {
    let [a, b, c, d, e, f, g, h] = *row;
    ((a + c) + (b + d)) + ((e + g) + (f + h))
}

/// `b̄ ← Z̄ 1`; added to what is there when `add`.
pub(super) struct BiasGradient<'a, T, const K: usize> {
    pub(super) delta: &'a [Lanes<T, K>],
    pub(super) gradient: &'a mut [T],
    pub(super) add: bool,
}

impl<T: Real, const K: usize> BiasGradient<'_, T, K> {
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        for (delta, out) in self.delta.iter().zip(self.gradient) {
            let mut sum = [T::ZERO; STRIP];
            for strip in delta {
                for lane in 0..STRIP {
                    sum[lane] += strip[lane];
                }
            }
            let sum = sum_of_row(&sum);
            *out = if self.add { *out + sum } else { sum };
        }
    }
}

/// Kernels that choose the fused multiply-add by the instructions at hand.
macro_rules! dispatched {
    ($($kernel:ident),*) => {$(
        impl<T: crate::networks::Real, const K: usize> pulp::WithSimd for $kernel<'_, T, K> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: pulp::Simd>(self, _: S) {
                // Every instruction set beyond the scalar one that is dispatched to has the fused operation.
                if S::F32_LANES > 1 {
                    self.run::<true>();
                } else {
                    self.run::<false>();
                }
            }
        }
    )*};
}

dispatched!(Forward, PullBack, WeightGradient, BiasGradient);
pub(super) use dispatched;
