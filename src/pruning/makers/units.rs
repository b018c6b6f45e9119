//! Masks of whole units, at a density of weights.

use super::{KeptUnits, MadeMask, MaskMaker, MaskRequest};
use crate::error::{Error, Result};
use crate::networks::Network;
use crate::outcome::Status;
use crate::pruning::criteria::CriterionInput;
use crate::pruning::structured::{UnitChoice, UnitKind, Units};
use crate::support::Mask;

/// The kept fractions of a width that are tried: thousandths.
const GRID: usize = 1000;

/// The units of largest norm.
pub(super) fn make(request: &MaskRequest, kind: UnitKind, input: &CriterionInput<'_>) -> Result<MadeMask> {
    let units = Units::of(input.network);
    let free = units.prunable(kind)?;
    let mut theta = input.theta.to_vec();
    input.mask.apply(&mut theta)?;
    let scores = units.norms(&theta, request.norm())?;
    let density = request.density(input.network.layout())?;
    let (choice, mask) = widest(&units, &free, &scores, input.mask, density, input.network)?;
    let made = MadeMask::new(input.network, Some(mask), Status::SupportFull, 0.0);
    Ok(MadeMask {
        units: kept(&units, &choice),
        ..made
    })
}

/// The units of largest score when the widths of some families keep the same fraction: the largest, in thousandths, at
/// which at most a `density` of all weights stays.
///
/// # Errors
/// [`Error::Argument`] when one unit of every width keeps more.
pub(super) fn widest(
    units: &Units,
    free: &[usize],
    scores: &[Vec<f64>],
    left: &Mask,
    density: f64,
    network: &Network,
) -> Result<(UnitChoice, Mask)> {
    let layout = network.layout();
    // The rounding up of a product that is a whole number in exact terms takes no weight away.
    let room = (density * layout.prunable() as f64 * (1.0 + f64::EPSILON)).floor() as usize;
    let at = |thousandths: usize| -> Result<(UnitChoice, Mask, usize)> {
        let all = units.counts_at(thousandths as f64 / GRID as f64)?;
        let counts: Vec<usize> = units
            .families()
            .iter()
            .enumerate()
            .map(|(f, family)| if free.contains(&f) { all[f] } else { family.units })
            .collect();
        let choice = units.choose(scores, &counts)?;
        let mask = units.mask(&choice).and(left)?;
        let kept = layout.kept(&mask);
        Ok((choice, mask, kept))
    };
    let (choice, mask, least) = at(1)?;
    if least > room {
        let expected = format!(
            "at least {:.6}, which one unit of every width keeps of {}",
            least as f64 / layout.prunable() as f64,
            network.name()
        );
        return Err(Error::argument("density", expected, density));
    }
    // Wider choices contain narrower ones, so that what is kept never falls.
    let (mut best, mut fits, mut over) = ((choice, mask), 1, GRID + 1);
    while over - fits > 1 {
        let middle = (fits + over) / 2;
        let (choice, mask, kept) = at(middle)?;
        if kept <= room {
            (best, fits) = ((choice, mask), middle);
        } else {
            over = middle;
        }
    }
    Ok(best)
}

/// How many units of every family stay.
pub(super) fn kept(units: &Units, choice: &UnitChoice) -> Vec<KeptUnits> {
    let pairs = units.families().iter().zip(choice.counts());
    pairs
        .map(|(family, kept)| KeptUnits {
            kind: family.kind,
            producers: family.producers.clone(),
            units: family.units,
            kept,
        })
        .collect()
}

/// The families that the group LASSO may take from: those of one kind, or all that may go.
///
/// # Errors
/// [`Error::Argument`] naming maker and network when there are none.
pub(super) fn free_families(units: &Units, kind: Option<UnitKind>, network: &Network) -> Result<Vec<usize>> {
    if let Some(kind) = kind {
        return units.prunable(kind);
    }
    let families = units.families().iter().enumerate();
    let free: Vec<usize> = families
        .filter(|(_, family)| family.kept_whole.is_none())
        .map(|(f, _)| f)
        .collect();
    if free.is_empty() {
        return Err(Error::argument(
            format!("network of {}", MaskMaker::GroupLasso),
            "one with neurons, channels or heads that may go",
            network.name(),
        ));
    }
    Ok(free)
}

/// Refuses a network without units that the group LASSO could take.
pub(super) fn check_group_lasso(network: &Network, kind: Option<UnitKind>) -> Result<()> {
    let units = Units::of(network);
    free_families(&units, kind, network)?;
    let fed = units.fed_by_weights();
    let layout = network.layout();
    match layout.weights().indices().iter().find(|&&j| fed[j].is_none()) {
        None => Ok(()),
        Some(&j) => Err(Error::argument(
            format!("network of {}", MaskMaker::GroupLasso),
            "one whose every weight feeds a unit",
            format!("{} with {}", network.name(), layout.slot_of(j).name),
        )),
    }
}
