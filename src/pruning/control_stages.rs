//! Controls kept as they end: their counts and curves, not their weights.

use super::branch::Control;
use super::imp::{ImpData, ImpPlan};
use super::mask_report::MaskReport;
use super::run::{ImpRun, TrainingOutcome};
use super::stages::{Keeper, read};
use crate::error::Result;
use crate::seed::Seed;
use crate::training::Bundle;
use serde_json::json;
use std::path::Path;

impl Control {
    /// As [`Control::train`], unless the keeper has the outcome already: what there is to say of its mask, and the outcome
    /// with an empty list of parameters, of which no more than the counts and curves are kept.
    ///
    /// # Errors
    /// As [`Control::train`], and what the keeper refuses. What it gives back damaged, or of another run, is computed
    /// again.
    pub fn train_kept(
        self,
        plan: &ImpPlan,
        data: &ImpData<'_>,
        seed: &Seed,
        run: &ImpRun,
        round: usize,
        keeper: &mut dyn Keeper,
    ) -> Result<(MaskReport, TrainingOutcome)> {
        // A colon is no part of a file name everywhere.
        let name = format!("round-{round:02}.{self}").replace(':', "-");
        let identity = format!("{};control={self};round={round}", plan.shared_identity(data, seed));
        if let Some(found) = read(keeper, &name)?.and_then(|bundle| outcome_of(&bundle, &name, &identity)) {
            return Ok(found);
        }
        let trained = self.train(plan, data, seed, run, round)?;
        let report = MaskReport::of(&trained.network, &trained.mask)?;
        let mut outcome = trained.outcome;
        outcome.theta = Vec::new();
        let mut bundle = Bundle::new(json!({
            "kind": "control of iterative pruning",
            "identity": identity,
            "mask": report.describe(),
            "outcome": outcome.describe(),
        }));
        outcome.put(&mut bundle);
        keeper.keep(&name, &bundle.to_bytes()?)?;
        Ok((report, outcome))
    }
}

fn outcome_of(bundle: &Bundle, name: &str, identity: &str) -> Option<(MaskReport, TrainingOutcome)> {
    if bundle.description()["identity"] != identity {
        return None;
    }
    let report = MaskReport::get(&bundle.description()["mask"])?;
    let outcome = TrainingOutcome::get(Path::new(name), name, &bundle.description()["outcome"], bundle).ok()?;
    Some((report, outcome))
}
