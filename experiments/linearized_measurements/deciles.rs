//! Overlaps with the ticket by decile of |θ₀|: is a mask near the ticket in more than its preference for large weights?

use super::super::comparison::Line;
use super::DECILES;
use super::subject::{Overlap, Subject};
use ticketsense::{Mask, Result};

/// How many groups.
pub const GROUPS: usize = 10;

/// The live weights of every layer in ten groups of ascending size of their value, as equal as can be: group g of layer ℓ
/// stands at `[g][ℓ]`.
pub fn grouped(live: &[Vec<usize>], theta: &[f64]) -> Vec<Vec<Vec<usize>>> {
    let mut groups = vec![Vec::new(); GROUPS];
    for layer in live {
        let mut order = layer.clone();
        order.sort_by(|&i, &j| theta[i].abs().total_cmp(&theta[j].abs()).then(i.cmp(&j)));
        for (g, group) in groups.iter_mut().enumerate() {
            let ends = [g, g + 1].map(|edge| edge * order.len() / GROUPS);
            let mut members = order[ends[0]..ends[1]].to_vec();
            members.sort_unstable();
            group.push(members);
        }
    }
    groups
}

/// A row for every decile, after one for all weights together.
pub fn lines(subject: &Subject, arm: &str, mask: &Mask, live: &[Vec<usize>], theta: &[f64]) -> Result<Vec<Line>> {
    let all = Overlap::of(live, mask, &subject.ticket)?;
    let row = |overlap: &Overlap| overlap.told(subject.line(DECILES, arm)).with("own", overlap.own);
    let mut lines = vec![row(&all).with("weights", live.iter().map(Vec::len).sum::<usize>())];
    for (g, layers) in grouped(live, theta).iter().enumerate() {
        let within = Overlap::of(layers, mask, &subject.ticket)?;
        lines.push(
            row(&within)
                .with("decile", g + 1)
                .with("weights", layers.iter().map(Vec::len).sum::<usize>()),
        );
    }
    Ok(lines)
}
