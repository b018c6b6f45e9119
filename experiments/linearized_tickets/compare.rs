//! The comparison: every arm's mask for one seed, trained and tested once.

use super::anatomy::Anatomy;
use super::line::Line;
use super::masks::{Arm, Maker, Point};
use super::pilot::choose;
use super::ticket::Ticket;
use super::{DENSITIES, FIRST, RATE, Sizes, arms, reinitialised, shuffled};
use ticketsense::Result;
use ticketsense::harness::Context;
use ticketsense::pruning::RecoveredBy;
use ticketsense::table::Row;

/// The rows of a main cell.
pub fn rows(number: usize, context: &Context<'_>, sizes: Sizes) -> Result<Vec<Row>> {
    let mut choices = Vec::new();
    for density in DENSITIES {
        for arm in arms(density, context.scale()) {
            choices.push((arm, density, choose(arm, density, context, sizes)?));
        }
    }
    let ticket = Ticket::new(context, number, sizes)?;
    let mut maker = Maker::new(&ticket);
    let dense = &ticket.trial.round(0)?.outcome;
    let mut rows = vec![
        Line::new("main", number, "dense", 1.0, "own")
            .tuned(None, RATE)
            .validated(Ticket::validation(dense))
            .tested(dense.test_accuracy)
            .row(),
    ];
    let climbs = number < FIRST + sizes.ladder_seeds;
    let ceiling = if climbs { Some(maker.ceiling(context)?) } else { None };
    let fresh = ticket.trial.fresh()?;
    for (arm, density, choice) in &choices {
        context.check()?;
        let (arm, density) = (*arm, *density);
        if arm.is_slow() && number >= FIRST + sizes.slow_seeds {
            continue;
        }
        let masked = context.time(&arm.name(), || maker.make(arm, density, choice.damping, context))?;
        let damping = arm.is_damped().then_some(choice.damping);
        let line = Line::new("main", number, &arm.name(), density, "own").tuned(damping, choice.own);
        let Some(mask) = &masked.mask else {
            rows.push(line.made(&masked).row());
            continue;
        };
        let outcome = ticket.train(mask, choice.own)?;
        let reference = ceiling.filter(|_| density == DENSITIES[0]);
        rows.push(
            line.made(&masked)
                .against(maker.overlap(mask, density)?, reference)
                .linear(maker.linearisation_error(mask)?)
                .examined(Anatomy::of(&ticket, mask)?)
                .validated(Ticket::validation(&outcome))
                .tested(outcome.test_accuracy)
                .row(),
        );
        if shuffled(arm, density) {
            let other = ticket.shuffle(mask, arm, density)?;
            let outcome = ticket.train(&other, choice.shuffled)?;
            let mut line = Line::new("main", number, &arm.name(), density, "shuffled").tuned(damping, choice.shuffled);
            line.kept = Some(ticket.trial.kept(&other));
            rows.push(
                line.validated(Ticket::validation(&outcome))
                    .tested(outcome.test_accuracy)
                    .row(),
            );
        }
        if reinitialised(arm, density) {
            let outcome = ticket.trial.train(mask, &fresh, 0, choice.fresh)?;
            let mut line = Line::new("main", number, &arm.name(), density, "fresh").tuned(damping, choice.fresh);
            line.kept = Some(ticket.trial.kept(mask));
            rows.push(
                line.validated(Ticket::validation(&outcome))
                    .tested(outcome.test_accuracy)
                    .row(),
            );
        }
    }
    if let Some(ceiling) = ceiling {
        let chosen = choices.iter().find(|(arm, density, _)| {
            *arm == Arm::Recovered(RecoveredBy::Omp, Point::Initial) && *density == DENSITIES[0]
        });
        let damping = chosen.map_or(1.0, |c| c.2.damping);
        for (name, damping, masked, reference) in maker.ladder(damping)? {
            let mut line = Line::new("ladder", number, name, DENSITIES[0], "own").made(&masked);
            line.damping = Some(damping);
            rows.push(match reference {
                Some(overlap) => line.against(overlap, (name != "split-half").then_some(ceiling)).row(),
                None => line.row(),
            });
        }
    }
    Ok(rows)
}
