//! What of a masked network is left before it is trained: paths, scale, and the tangent kernel.

use super::ticket::Ticket;
use ticketsense::linearize::{Biases, Linearisation, RowTransform};
use ticketsense::simulations::percolation::{connectivity, layer_masks};
use ticketsense::{Mask, Result, Support};

/// Samples of the tangent kernel.
const SAMPLES: usize = 40;

/// The state of `m ⊙ θ₀`.
#[derive(Clone, Copy, Debug)]
pub struct Anatomy {
    pub effective_density: f64,
    pub dead_units: usize,
    pub inherited_gain: f64,
    pub kernel_rank: f64,
}

impl Anatomy {
    /// Examines a mask over the initial weights.
    pub fn of(ticket: &Ticket, mask: &Mask) -> Result<Self> {
        let network = &ticket.trial.network;
        let mut theta: Vec<f64> = ticket.trial.run.initial.iter().map(|&v| f64::from(v)).collect();
        mask.apply(&mut theta)?;
        let mut gain = 1.0;
        for slot in network.layout().weight_slots() {
            let energy: f64 = theta[slot.range.clone()].iter().map(|w| w * w).sum();
            // ρσ_w²/2 with σ_w² the mean square of the kept weights times the fan-in.
            gain *= energy / (2.0 * slot.shape[0] as f64);
        }
        let found = connectivity(&layer_masks(network, mask)?)?;
        Ok(Anatomy {
            effective_density: found.effective_density(),
            dead_units: found.dead_hidden_units(),
            inherited_gain: gain,
            kernel_rank: kernel_rank(ticket, mask, &theta)?,
        })
    }
}

/// `(tr K)²/tr K²` of the kernel `K = A Aᵀ` in the kept weights, outputs centred and biases free.
fn kernel_rank(ticket: &Ticket, mask: &Mask, theta: &[f64]) -> Result<f64> {
    let rows: Vec<usize> = (0..SAMPLES.min(ticket.samples.rows())).collect();
    let weights = ticket.trial.network.layout().weights();
    let kept: Vec<usize> = weights.indices().iter().copied().filter(|&j| mask.keeps(j)).collect();
    let at = Linearisation::new(&ticket.trial.network, theta, &ticket.samples.select_rows(&rows)?)?;
    let support = Support::new(kept, theta.len())?;
    Ok(at
        .jacobian(&support, RowTransform::Centred, Biases::Free)?
        .kernel_participation())
}
