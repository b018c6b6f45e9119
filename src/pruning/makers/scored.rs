//! Masks by scores, of weights one by one or in patterns.

use super::{MadeMask, MaskRequest};
use crate::error::Result;
use crate::outcome::Status;
use crate::pruning::allocation::Allocation;
use crate::pruning::criteria::{Criterion, CriterionInput};
use crate::pruning::patterns::{Pattern, keep_blocks, keep_of_every};
use crate::pruning::scored::ScoredPruning;
use crate::pruning::select::Scope;

pub(super) fn make(request: &MaskRequest, criterion: Criterion, input: &CriterionInput<'_>) -> Result<MadeMask> {
    match request.pattern {
        Some(pattern) => in_pattern(request, criterion, pattern, input),
        None => one_by_one(request, criterion, input),
    }
}

fn one_by_one(request: &MaskRequest, criterion: Criterion, input: &CriterionInput<'_>) -> Result<MadeMask> {
    let layout = input.network.layout();
    let found = ScoredPruning {
        criterion,
        density: request.density(layout)?,
        allocation: request.allocation(),
        rounds: request.rounds.unwrap_or(1),
    }
    .prune(input)?;
    let asked = request.total(layout)?;
    let made = MadeMask::new(
        input.network,
        Some(found.mask),
        Status::SupportFull,
        found.gradient_passes,
    );
    Ok(MadeMask {
        asked: Some(asked),
        ..made
    })
}

fn in_pattern(
    request: &MaskRequest,
    criterion: Criterion,
    pattern: Pattern,
    input: &CriterionInput<'_>,
) -> Result<MadeMask> {
    request.require_change(criterion, input)?;
    let layout = input.network.layout();
    let scores = criterion.scores(input)?;
    let edge = request.edge();
    let mask = match pattern {
        Pattern::OfEvery { keep, of } => keep_of_every(layout, &scores, keep, of, edge)?,
        Pattern::Blocks { rows, columns } => {
            let (scope, counts) = match request.allocation() {
                Allocation::Global => {
                    // Together the layers have one budget, wherever it is written.
                    let mut counts = vec![0; layout.weight_slots().count()];
                    counts[0] = request.total(layout)?;
                    (Scope::Global, counts)
                }
                _ => (Scope::Layerwise, request.counts(layout)?),
            };
            keep_blocks(layout, &scores, (rows, columns), &counts, scope, edge)?
        }
    };
    let passes = criterion.gradient_passes(input.training.inputs.rows(), input.network.classes());
    Ok(MadeMask::new(input.network, Some(mask), Status::SupportFull, passes))
}
