//! The ladder of targets and its ceiling.

use super::DENSITIES;
use super::masks::{Maker, Masked, Point, Rung};
use ticketsense::Result;
use ticketsense::harness::Context;
use ticketsense::pruning::{RecoveredBy, RecoveryRequest};

impl Maker<'_> {
    /// The overlap with the ticket that iterative pruning finds at the primary density from the same initial weights on
    /// another order of the data.
    pub fn ceiling(&mut self, context: &Context<'_>) -> Result<usize> {
        let mask = self.reordered(DENSITIES[0], context)?;
        Ok(self.overlap(&mask, DENSITIES[0])?.0)
    }

    /// OMP at θ₀ on targets from planted data to labels, at the primary density; and the agreement of the masks from two
    /// halves of the samples.
    pub fn ladder(&mut self, damping: f64) -> Result<Vec<Rung>> {
        let ticket = self.ticket;
        let counts = ticket.counts(DENSITIES[0])?;
        let widen = |values: &[f32]| -> Vec<f64> { values.iter().map(|&v| f64::from(v)).collect() };
        let sparse = widen(&ticket.trial.round(ticket.rounds(DENSITIES[0]))?.outcome.theta);
        let dense = self.theta(Point::Trained)?;
        let of_ticket = ticket.trial.network.outputs(&sparse, &ticket.samples)?;
        let of_dense = ticket.trial.network.outputs(&dense, &ticket.samples)?;
        let problem = self.problem(Point::Initial)?;
        let targets = [
            ("R0 planted, undamped", 0.0, problem.planted(&sparse)?),
            ("R0 planted", damping, problem.planted(&sparse)?),
            ("R1 ticket outputs", damping, problem.right_hand_side(&of_ticket)?),
            ("R2 dense outputs", damping, problem.right_hand_side(&of_dense)?),
            ("R3 labels", damping, problem.right_hand_side(&ticket.labels)?),
        ];
        let mut rungs = Vec::new();
        for (name, damping, b) in targets {
            let masked = self
                .recovered(Point::Initial, &b, RecoveredBy::Omp, damping, &counts)?
                .0;
            let overlap = match &masked.mask {
                Some(mask) => Some(self.overlap(mask, DENSITIES[0])?),
                None => None,
            };
            rungs.push((name, damping, masked, overlap));
        }
        let mut halves = Vec::new();
        // Samples by class, dealt alternately: both halves hold every class.
        let mut order: Vec<usize> = (0..ticket.labels.len()).collect();
        order.sort_by_key(|&i| (ticket.labels[i], i));
        for half in 0..2 {
            let rows: Vec<usize> = order.iter().copied().skip(half).step_by(2).collect();
            let labels: Vec<usize> = rows.iter().map(|&i| ticket.labels[i]).collect();
            let problem = self.problem_on(Point::Initial, &ticket.samples.select_rows(&rows)?)?;
            let b = problem.right_hand_side(&labels)?;
            let request = RecoveryRequest {
                solver: RecoveredBy::Omp,
                damping,
                counts: &counts,
            };
            halves.push(problem.recover(&b, &request)?);
        }
        if let (Some(a), Some(b)) = (&halves[0].ticket, &halves[1].ticket) {
            let overlap = self.overlap_of(&a.mask, &b.mask)?;
            let masked = Masked {
                kept: Some(counts.iter().sum()),
                status: halves[0].status.as_str(),
                ..Masked::default()
            };
            rungs.push(("split-half", damping, masked, Some(overlap)));
        }
        Ok(rungs)
    }
}
