//! The claim about masks by design, read off the table.

use super::super::comparison::{Outcomes, Pair, listed, shown};
use super::super::tickets::points;
use super::arms::Arm;
use ticketsense::Result;
use ticketsense::harness::{Claim, Decision, Expected, Verdict};
use ticketsense::table::Table;

/// The claims of the experiment.
pub const CLAIMS: &[Claim] = &[Claim {
    id: "J5",
    name: "design-pruning",
    statement: "Weights chosen by A-, D- or Bayesian optimal design among the columns of the Jacobian train to a higher accuracy \
         than weights chosen at random, at equal counts in every layer.",
    source: "An open question of the review that these claims come from; Joshi & Boyd, IEEE Trans. Signal Process. 2009, for the \
         criteria",
    expected: Expected::Open,
    tolerance_rule: "Paired seeds, at least 20; one-sided Student tests at 0.025 over all designs and densities together (Holm). \
         It fails where every gain of every design over random masks is bounded below the margin, all intervals together: the \
         margin is one standard deviation of the dense test accuracy, from pilot seeds that are used for nothing else. \
         Undecided where random masks lose nothing against the dense network.",
    check: design_pruning,
}];

fn design_pruning(table: &Table) -> Result<Verdict> {
    let outcomes = Outcomes::read(table)?;
    let densities = outcomes.densities("random");
    let Some(&sparsest) = densities.last() else {
        return Ok(Verdict::undecided("densities", Vec::new(), "no random masks"));
    };
    let (margin, mut hypotheses) = match outcomes.assay("random", sparsest)? {
        Ok(assay) => assay,
        Err(verdict) => return Ok(*verdict),
    };
    let mut pairs = Vec::new();
    for &density in &densities {
        for design in Arm::designs() {
            if outcomes.has(design, density) {
                pairs.push(Pair::new(design, "random", density));
            }
        }
    }
    let won = outcomes.above(&pairs, 0.0)?;
    let (mut best, mut bound): (Option<(&Pair, _)>, f64) = (None, f64::NEG_INFINITY);
    for pair in &pairs {
        let gain = outcomes.difference(pair)?;
        // All intervals together: each at the level split over them.
        bound = bound.max(gain.interval(super::super::tickets::LEVEL / pairs.len() as f64)?.upper);
        if best
            .as_ref()
            .is_none_or(|(_, known): &(&Pair, ticketsense::statistics::PairedComparison)| gain.mean > known.mean)
        {
            best = Some((pair, gain));
        }
    }
    let Some((winner, gain)) = best else {
        return Ok(Verdict::undecided(
            "designs",
            hypotheses,
            "no mask by design was attainable",
        ));
    };
    let words = |flags: &[bool]| -> String {
        let parts = shown(&pairs, flags).map(|p| format!("{} at density {:.3}", p.first, p.density));
        listed(parts, ", ")
    };
    let losses: Vec<Pair> = pairs.iter().map(Pair::turned).collect();
    let lost = outcomes.above(&losses, 0.0)?;
    let mut beside = Vec::new();
    for rival in [
        "imp",
        "magnitude@trained",
        "damage@trained",
        "norms-prior@trained",
        "omp@initial",
    ] {
        if outcomes.has(rival, winner.density) {
            let pair = Pair::new(&winner.first, rival, winner.density);
            beside.push(format!("{} against {rival}", points(&outcomes.difference(&pair)?)?));
        }
    }
    hypotheses.push(
        "every mask has the counts of iterative pruning in every layer, and is trained from the initial weights".into(),
    );
    hypotheses.push(
        "a learning rate for every arm and density, chosen from the same rates on pilot seeds' validation samples"
            .into(),
    );
    hypotheses.push("on digits, this network, greedy designs".into());
    let decision = if won.contains(&true) {
        Decision::HoldsUnder { condition: words(&won) }
    } else if bound < margin.margin() {
        Decision::Fails
    } else {
        Decision::Undecided {
            why: format!(
                "no design is shown to beat random masks, and gains up to {:.2} points are not excluded",
                100.0 * bound
            ),
        }
    };
    Ok(Verdict {
        decision,
        hypotheses,
        statistic: (
            "largest mean gain in accuracy of a design over random masks".into(),
            gain.mean,
        ),
        tolerance: margin.margin(),
        evidence: format!(
            "Largest gain: {} at density {:.3}, {} over random masks; {}. Shown to beat random: {}; shown to lose to it: {}. All \
             gains together are below {:.2} points (margin {:.2}).",
            winner.first,
            winner.density,
            points(&gain)?,
            beside.join(", "),
            words(&won),
            words(&lost),
            100.0 * bound,
            100.0 * margin.margin()
        ),
        counterexample: None,
    })
}
