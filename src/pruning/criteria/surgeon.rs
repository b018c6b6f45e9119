//! Optimal brain surgeon in blocks: the weights into one unit make up for those of them that go.

use super::CriterionInput;
use super::damage::rows_of;
use crate::error::{Error, Result};
use crate::linalg::cholesky::{inverse_diagonal, solve_positive_definite};
use crate::linalg::dense::gram;
use crate::linalg::{dot, norm};
use crate::linearize::{Biases, Linearisation, SlotFactors};
use crate::support::{Mask, Support};
use nalgebra::DMatrix;

/// Optimal brain surgeon (Hassibi & Stork, NeurIPS 1992) with a curvature in blocks.
///
/// A block is the set of kept weights into one unit (a row of a dense weight, the kernels of one channel). Its curvature
/// is the block of the Gauss-Newton matrix of the loss, `B = JᵀWJ / n + λ I` with λ the damping times the mean of its
/// diagonal. When the weights of a set Q go, the quadratic model of the loss is least where the rest R of the block moves
/// by `B_RR⁻¹ B_RQ θ_Q`; for one weight q it then has risen by `θ_q² / (2 [B⁻¹]_qq)`.
///
/// With much damping the order is that of magnitudes; with a diagonal `B` the score is that of optimal brain damage with
/// damping, above which it never lies, since the rest could stay where it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BrainSurgeon {
    /// λ as a multiple of the mean diagonal entry of a block, positive.
    pub damping: f64,
}

impl Default for BrainSurgeon {
    /// A damping of 0.01.
    fn default() -> Self {
        BrainSurgeon { damping: 0.01 }
    }
}

/// One block: its parameters, all kept, and its damped curvature; none where no sample sees any of them.
struct Block {
    parameters: Vec<usize>,
    curvature: Option<DMatrix<f64>>,
}

impl BrainSurgeon {
    /// A score for every parameter: `θ_q² / (2 [B⁻¹]_qq)` for kept weights, 0 elsewhere and in blocks without curvature.
    ///
    /// # Errors
    /// [`Error::Argument`] when the damping is not positive and finite; otherwise as
    /// [`Criterion::scores`](super::Criterion::scores).
    ///
    /// Cost: `C` backward passes over the samples, then `n k²` and about `k³` operations for each block of `k` weights
    /// (`n C k²` where positions share weights); samples at which a unit is switched off cost nothing.
    pub fn scores(&self, input: &CriterionInput<'_>) -> Result<Vec<f64>> {
        let mut scores = vec![0.0; input.theta.len()];
        self.for_each_block(input, |block| {
            let Some(curvature) = &block.curvature else {
                return Ok(());
            };
            for (&q, inverse) in block.parameters.iter().zip(inverse_diagonal(curvature)?) {
                let weight = f64::from(input.theta[q]);
                scores[q] = 0.5 * weight * weight / inverse;
            }
            Ok(())
        })?;
        Ok(scores)
    }

    /// The parameters after pruning down to `next`: zero where it prunes, and in every block the rest moved to where the
    /// quadratic model of the loss is least.
    ///
    /// # Errors
    /// [`Error::Argument`] when `next` keeps a weight that is pruned already; otherwise as [`BrainSurgeon::scores`].
    ///
    /// Cost: as [`BrainSurgeon::scores`].
    pub fn update(&self, input: &CriterionInput<'_>, next: &Mask) -> Result<Vec<f64>> {
        input.network.layout().check_mask(next)?;
        if next.and(input.mask)? != *next {
            return Err(Error::argument(
                "mask",
                "only weights that are left kept",
                "a pruned weight kept",
            ));
        }
        let mut theta = input.theta();
        self.for_each_block(input, |block| {
            let (rest, gone): (Vec<usize>, Vec<usize>) =
                (0..block.parameters.len()).partition(|&place| next.keeps(block.parameters[place]));
            let (Some(curvature), false, false) = (&block.curvature, rest.is_empty(), gone.is_empty()) else {
                return Ok(());
            };
            let among = DMatrix::from_fn(rest.len(), rest.len(), |i, j| curvature[(rest[i], rest[j])]);
            let pull: Vec<f64> = rest
                .iter()
                .map(|&i| {
                    let terms = gone
                        .iter()
                        .map(|&j| curvature[(i, j)] * f64::from(input.theta[block.parameters[j]]));
                    terms.sum()
                })
                .collect();
            for (&place, step) in rest.iter().zip(solve_positive_definite(&among, &pull)?) {
                theta[block.parameters[place]] += step;
            }
            Ok(())
        })?;
        next.apply(&mut theta)?;
        Ok(theta)
    }

    fn for_each_block(&self, input: &CriterionInput<'_>, mut visit: impl FnMut(Block) -> Result<()>) -> Result<()> {
        input.check()?;
        if !(self.damping > 0.0 && self.damping.is_finite()) {
            return Err(Error::argument("damping", "a positive number", self.damping));
        }
        let layout = input.network.layout();
        let kept: Vec<usize> = layout
            .weights()
            .indices()
            .iter()
            .copied()
            .filter(|&i| input.mask.keeps(i))
            .collect();
        if kept.is_empty() {
            return Ok(());
        }
        let at = Linearisation::new(input.network, &input.theta(), &input.training.inputs.convert())?;
        let jacobian = at.jacobian(&Support::new(kept, layout.len())?, rows_of(input.loss), Biases::Fixed)?;
        for slot in jacobian.slot_factors() {
            let is_weight = layout.weight_slots().any(|weight| weight.range == slot.parameters);
            for unit in (0..slot.outputs).filter(|_| is_weight) {
                let first = slot.parameters.start + unit * slot.inputs;
                let inputs: Vec<usize> = (0..slot.inputs).filter(|&i| input.mask.keeps(first + i)).collect();
                if inputs.is_empty() {
                    continue;
                }
                let curvature = self.damped(rows_into(&slot, unit, &inputs, jacobian.samples(), jacobian.classes()));
                let parameters = inputs.iter().map(|i| first + i).collect();
                visit(Block { parameters, curvature })?;
            }
        }
        Ok(())
    }

    /// `AᵀA + λ I`; none where A is zero.
    fn damped(&self, a: DMatrix<f64>) -> Option<DMatrix<f64>> {
        if a.nrows() == 0 {
            return None;
        }
        let mut curvature = gram(&a);
        let mean = curvature.trace() / curvature.nrows() as f64;
        for i in 0..curvature.nrows() {
            curvature[(i, i)] += self.damping * mean;
        }
        (mean > 0.0).then_some(curvature)
    }
}

/// A matrix whose Gram matrix is the Gauss-Newton block of the weights from `inputs` into a unit.
fn rows_into(slot: &SlotFactors<'_>, unit: usize, inputs: &[usize], samples: usize, classes: usize) -> DMatrix<f64> {
    let (signal, positions) = (slot.signal(unit), slot.positions);
    let scale = 1.0 / (samples as f64).sqrt();
    if positions == 1 {
        // The rows of one sample are multiples of its activations: one row has their length.
        let sizes = signal.chunks_exact(classes).map(|row| scale * norm(row)).enumerate();
        // Where the unit is switched off, nothing is seen of its weights.
        let seen: Vec<(usize, f64)> = sizes.filter(|(_, size)| *size > 0.0).collect();
        let mut entries = Vec::with_capacity(seen.len() * inputs.len());
        for &input in inputs {
            let activation = slot.activation(input);
            entries.extend(seen.iter().map(|&(sample, size)| size * activation[sample]));
        }
        return DMatrix::from_vec(seen.len(), inputs.len(), entries);
    }
    DMatrix::from_fn(samples * classes, inputs.len(), |row, j| {
        let activation = &slot.activation(inputs[j])[row / classes * positions..][..positions];
        scale * dot(&signal[row * positions..(row + 1) * positions], activation)
    })
}
