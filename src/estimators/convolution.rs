//! Convolution layers: their singular values by frequency and the inner products of their columns by lag.

use super::isometry::Bracket;
use crate::error::Result;
use crate::linalg::complex;
use crate::operators::{CircularConvolution, Grid, MeasurementOperator, ZeroPaddedConvolution};
use crate::outcome::Estimate;

/// The singular values of a circular layer, frequency by frequency.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvolutionSpectrum {
    /// One of each two conjugate frequencies.
    pub frequencies: Vec<FrequencyBlock>,
}

/// The singular values of one transfer matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct FrequencyBlock {
    /// Turns over the whole grid, along columns and along rows.
    pub frequency: (usize, usize),
    /// How often its values are in the spectrum: twice, with its conjugate, or once where it is its own.
    pub multiplicity: usize,
    /// The `min(outputs, inputs)` singular values, descending.
    pub singular_values: Vec<f64>,
}

impl ConvolutionSpectrum {
    /// All `min(outputs, inputs) · N` singular values of the layer, descending.
    pub fn values(&self) -> Vec<f64> {
        let blocks = self.frequencies.iter();
        let mut all: Vec<f64> = blocks
            .flat_map(|block| {
                let values = block.singular_values.iter();
                values.flat_map(|value| std::iter::repeat_n(*value, block.multiplicity))
            })
            .collect();
        all.sort_by(|x, y| y.total_cmp(x));
        all
    }
}

/// The singular values of a circular convolution layer: those of its transfer matrices `ĥ(ω) ∈ ℂ^{outputs×inputs}`, over all
/// frequencies ω.
///
/// The layer is a matrix of circulant blocks; the Fourier basis diagonalises all of them at once. Real weights make
/// conjugate frequencies equal in their values, so that half of the decompositions do. Exact up to rounding, `64 ε` of the
/// largest for the transform and what a decomposition of one block takes. Cost: `N/2` decompositions of
/// `outputs × inputs` instead of one of `N outputs × N inputs`.
///
/// ```
/// use ticketsense::estimators::convolution_spectrum;
/// use ticketsense::operators::{CircularConvolution, Grid, KernelBank};
/// // The mean of two neighbours: |cos(ω/2)|.
/// let bank = KernelBank::new(1, 1, Grid::line(2), vec![0.5, 0.5])?;
/// let a = CircularConvolution::new(bank, Grid::line(4))?;
/// let values = convolution_spectrum(&a)?.value.values();
/// let half = 0.5f64.sqrt();
/// for (found, expected) in values.iter().zip([1.0, half, half, 0.0]) {
///     assert!((found - expected).abs() < 1e-15);
/// }
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// Source: Sedghi, Gupta & Long, *The Singular Values of Convolutional Layers*, ICLR 2019, Theorem 6.
///
/// # Errors
/// [`crate::Error::Numerical`] when an iteration fails; [`crate::Error::NotFinite`] when transfer values overflow.
pub fn convolution_spectrum(a: &CircularConvolution) -> Result<Estimate<ConvolutionSpectrum>> {
    let frequencies: Result<Vec<FrequencyBlock>> = a
        .transfer()
        .map(|(frequency, multiplicity, block)| {
            Ok(FrequencyBlock {
                frequency,
                multiplicity,
                singular_values: complex::singular_values(&block)?,
            })
        })
        .collect();
    let frequencies = frequencies?;
    Ok(Estimate::exact(ConvolutionSpectrum { frequencies }, 0.0))
}

/// Intervals that contain the singular values of a zero-padded layer, descending as they are.
///
/// The layer A is the part of a larger circular one, C, in the rows and columns of the signal; taking away r rows and
/// columns gives `σ_{j+r}(C) ≤ σ_j(A) ≤ σ_j(C)` (Thompson 1972). On the signal's own grid A differs from the circular layer
/// B in the outputs near a border only; with q the rank of the difference, `σ_{j+q}(B) ≤ σ_j(A) ≤ σ_{j−q}(B)` (Weyl). The
/// better of both, and 0 or the largest one where an index runs out. Cost: the spectra of two circular layers.
///
/// # Errors
/// As [`convolution_spectrum`] and [`CircularConvolution::new`].
pub fn zero_padding_brackets(a: &ZeroPaddedConvolution) -> Result<Vec<Bracket>> {
    let (bank, grid) = (a.bank(), a.grid());
    let embedding = a.embedding()?;
    let larger = convolution_spectrum(&embedding)?.value.values();
    let same = convolution_spectrum(&CircularConvolution::new(bank.clone(), grid)?)?
        .value
        .values();
    let channels = bank.outputs() + bank.inputs();
    let removed = channels * (embedding.grid().positions() - grid.positions());
    let rank = bank.outputs().min(bank.inputs()) * touched(grid, bank.size());
    let at = |values: &[f64], index: usize| values.get(index).copied().unwrap_or(0.0);
    let count = a.shape().smaller();
    Ok((0..count)
        .map(|j| Bracket {
            lower: at(&larger, j + removed).max(at(&same, j + rank)),
            upper: if j >= rank {
                at(&larger, j).min(at(&same, j - rank))
            } else {
                at(&larger, j)
            },
        })
        .collect())
}

/// Positions whose output reads across a border.
fn touched(grid: Grid, size: Grid) -> usize {
    let inner = |length: usize, size: usize| (length + 1).saturating_sub(size);
    grid.positions() - inner(grid.height, size.height) * inner(grid.width, size.width)
}

/// The inner products of the columns of a circular layer, `g_ij[τ] = Σ_o Σ_t a_oi[t] a_oj[t + τ]`, where `a_oi` is the folded
/// kernel: the whole Gram matrix, since a column of input i at s and one of input j at s′ have `g_ij[s − s′]`.
///
/// For one input `g_00` is the sum of the autocorrelations `r_o[τ]` of its kernels, and `r[0]` their energy. Several inputs
/// bring in cross-correlations.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelCorrelations {
    inputs: usize,
    grid: Grid,
    /// Lag fastest, then j, then i.
    lags: Vec<f64>,
}

impl KernelCorrelations {
    /// The correlations of a layer. Summed tap by tap: an inner product of k taps errs by `k ε` of the product of the two
    /// norms. Cost: `inputs² · outputs · taps²`, memory `8 N · inputs²` bytes.
    ///
    /// ```
    /// use ticketsense::estimators::KernelCorrelations;
    /// use ticketsense::operators::{CircularConvolution, Grid, KernelBank};
    /// let bank = KernelBank::stacked(&[vec![0.5, 0.5, 0.5, -0.5]])?;
    /// let r = KernelCorrelations::of(&CircularConvolution::new(bank, Grid::line(16))?);
    /// assert_eq!([0, 1, 2, 3].map(|lag| r.at(0, 0, (0, lag))), [1.0, 0.25, 0.0, -0.25]);
    /// assert_eq!((r.first_order(), r.second_order(), r.upper_bound(3)), (0.0, 0.25, 0.5));
    /// # Ok::<(), ticketsense::Error>(())
    /// ```
    pub fn of(a: &CircularConvolution) -> Self {
        let (bank, grid) = (a.bank(), a.grid());
        let (inputs, positions) = (bank.inputs(), grid.positions());
        let mut lags = vec![0.0; inputs * inputs * positions];
        for i in 0..inputs {
            for j in 0..inputs {
                let out = &mut lags[(i * inputs + j) * positions..][..positions];
                for output in 0..bank.outputs() {
                    for from in a.first_column(output, i) {
                        for to in a.first_column(output, j) {
                            let row = (to.row + grid.height - from.row) % grid.height;
                            let column = (to.column + grid.width - from.column) % grid.width;
                            out[row * grid.width + column] += from.value * to.value;
                        }
                    }
                }
            }
        }
        KernelCorrelations { inputs, grid, lags }
    }

    /// `g_ij[τ]` at a lag (rows, columns), each taken modulo the grid.
    ///
    /// # Panics
    /// When there is no such input.
    pub fn at(&self, i: usize, j: usize, lag: (usize, usize)) -> f64 {
        assert!(i < self.inputs && j < self.inputs, "correlation: inputs");
        let place = (lag.0 % self.grid.height) * self.grid.width + lag.1 % self.grid.width;
        self.of_pair(i, j)[place]
    }

    fn of_pair(&self, i: usize, j: usize) -> &[f64] {
        let positions = self.grid.positions();
        &self.lags[(i * self.inputs + j) * positions..][..positions]
    }

    /// The energy of an input's columns, `g_ii[0]`.
    fn energy(&self, i: usize) -> f64 {
        self.of_pair(i, i)[0]
    }

    /// The correlations of two different columns, each pair of inputs once: energies of both, and the lag's value.
    fn pairs(&self) -> impl Iterator<Item = (f64, f64, f64)> + '_ {
        (0..self.inputs).flat_map(move |i| {
            (i..self.inputs).flat_map(move |j| {
                let lags = self.of_pair(i, j).iter().skip(usize::from(i == j));
                lags.map(move |&g| (self.energy(i), self.energy(j), g))
            })
        })
    }

    /// `δ_1 = max_i |g_ii[0] − 1|`, exactly.
    pub fn first_order(&self) -> f64 {
        (0..self.inputs).fold(0.0, |m, i| m.max((self.energy(i) - 1.0).abs()))
    }

    /// `δ_2`, exactly: the largest distance from 1 of the two eigenvalues of `[p g; g q]` over all pairs of columns, and
    /// `max |g|` where all energies are 1. Equal to `δ_1` where there is one column alone.
    pub fn second_order(&self) -> f64 {
        let of_pair = |(p, q, g): (f64, f64, f64)| {
            let (middle, radius) = (0.5 * p + 0.5 * q - 1.0, (0.5 * (p - q)).hypot(g));
            middle.abs() + radius
        };
        self.pairs().map(of_pair).fold(self.first_order(), f64::max)
    }

    /// The extreme eigenvalues of the Gram matrices of all pairs of columns: `δ_2` after the scaling of the layer that makes
    /// it smallest is `(upper − lower)/(upper + lower)`, and the coherence where all energies are equal.
    pub fn pair_eigenvalues(&self) -> Bracket {
        let energies = || (0..self.inputs).map(|i| self.energy(i));
        let single = Bracket {
            lower: energies().fold(f64::INFINITY, f64::min),
            upper: energies().fold(0.0, f64::max),
        };
        self.pairs().fold(single, |bracket, (p, q, g)| {
            let (middle, radius) = (0.5 * p + 0.5 * q, (0.5 * (p - q)).hypot(g));
            Bracket {
                lower: bracket.lower.min(middle - radius),
                upper: bracket.upper.max(middle + radius),
            }
        })
    }

    /// An upper bound of `δ_k` by Gershgorin's discs: the largest `|g_ii[0] − 1|` plus the k − 1 largest `|g|` of the same
    /// column. With unit energies and one input that is the sum of the k − 1 largest autocorrelations. Orders from the
    /// number of columns on give the bound for all of them; order 0 gives 0.
    pub fn upper_bound(&self, order: usize) -> f64 {
        if order == 0 {
            return 0.0;
        }
        let of_column = |i: usize| {
            let others = (0..self.inputs).flat_map(|j| {
                let lags = self.of_pair(i, j).iter().skip(usize::from(i == j));
                lags.map(|g| g.abs())
            });
            let mut all: Vec<f64> = others.collect();
            all.sort_by(|x, y| y.total_cmp(x));
            let nearest: f64 = all.iter().take(order - 1).sum();
            (self.energy(i) - 1.0).abs() + nearest
        };
        (0..self.inputs).map(of_column).fold(0.0, f64::max)
    }

    /// The coherence `max |g_ij[τ]|/√(g_ii[0] g_jj[0])`; zero columns are left out.
    pub fn coherence(&self) -> f64 {
        let cosine = |(p, q, g): (f64, f64, f64)| {
            let lengths = if p == q { p } else { p.sqrt() * q.sqrt() };
            if lengths > 0.0 { g.abs() / lengths } else { 0.0 }
        };
        self.pairs().map(cosine).fold(0.0, f64::max).min(1.0)
    }
}

#[cfg(test)]
#[path = "convolution_tests.rs"]
mod tests;
