//! `ticket-fragility`: what noise on its initial weights does to a ticket, whether the signs of its weights were right from
//! the start, and how likely random weights are a given ticket.

mod claims;
mod draw;
mod lucky;
mod lucky_claim;
mod noise;
mod sign_claim;
mod signs;
#[cfg(test)]
mod tests;

use super::comparison::{FIRST_PILOT, MAIN, PILOT, SHARED, columns, part_cells};
use super::tickets;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::pruning::ImpPlan;
use ticketsense::table::{Column, Row, Table};
use ticketsense::{Error, Result};

/// The experiment.
#[derive(Debug)]
pub struct TicketFragility;

/// Signs of initial and trained weights.
const SIGNS: &str = "signs";
/// Random weights against a given support, and redundancy.
const LUCKY: &str = "lucky";

const OWN: usize = 21;
const COLUMNS: &[Column] = &columns::<OWN, { SHARED + OWN }>([
    Column::real(
        "tau",
        "1",
        "Size of the noise in standard deviations of the layer's initial weights.",
    ),
    Column::real(
        "flipped",
        "1",
        "Fraction of the kept weights whose sign the noise flipped.",
    ),
    Column::text(
        "selection",
        "Who kept the weights: one-shot (of the dense training) or iterative.",
    ),
    Column::real(
        "correlation",
        "1",
        "Of initial and trained weights, about zero, averaged over layers by their kept weights.",
    ),
    Column::real(
        "agreement_kept",
        "1",
        "Fraction of kept weights that have their initial sign after training.",
    ),
    Column::real("agreement_pruned", "1", "The same of the weights pruned here."),
    Column::real(
        "null_kept",
        "1",
        "What kept weights would have had they moved by independent Gaussian steps.",
    ),
    Column::real("null_pruned", "1", "The same of the weights pruned here."),
    Column::real(
        "null_permuted",
        "1",
        "What kept weights would have with the very steps of training, permuted among the weights of a layer.",
    ),
    Column::real(
        "null_by_input",
        "1",
        "The same with steps permuted among the weights of one input.",
    ),
    Column::text("case", "largest, signed, threshold, own pools or shared pool."),
    Column::text(
        "law",
        "Of the weights: normal (independent) or correlated (exchangeable).",
    ),
    Column::integer("weights", "weights", "Number of weights."),
    Column::integer("nonzeros", "weights", "Size of the given support."),
    Column::integer("units", "units", "Units of the target."),
    Column::integer("candidates", "candidates", "Candidates of a unit, or of all."),
    Column::real(
        "probability",
        "1",
        "That a weight exceeds the threshold, or a candidate is adequate.",
    ),
    Column::integer("trials", "draws", "Independent draws."),
    Column::integer("successes", "draws", "Draws in which it happened."),
    Column::real("expected", "1", "The closed form."),
    Column::real(
        "as_if_independent",
        "1",
        "What the supports of one draw would give as independent chances.",
    ),
]);

fn plan(scale: Scale) -> ImpPlan {
    ImpPlan {
        rounds: scale.pick(4, 8, 16),
        ..tickets::plan(scale)
    }
}

/// The rounds whose tickets are given noise.
fn rounds(scale: Scale) -> &'static [usize] {
    scale.pick(&[4], &[5, 8], &[8, 12, 16])
}

impl Experiment for TicketFragility {
    fn id(&self) -> &'static str {
        "ticket-fragility"
    }

    fn question(&self) -> &'static str {
        "How much noise on its initial weights does a ticket bear, were its signs right from the start, and is it luck?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let mut cells = Vec::new();
        for number in 0..scale.pick(2, 24, 40) {
            cells.extend(
                [MAIN, SIGNS]
                    .into_iter()
                    .flat_map(|part| part_cells(part, number..number + 1)),
            );
        }
        cells.extend(part_cells(PILOT, FIRST_PILOT..FIRST_PILOT + scale.pick(2, 24, 40)));
        for case in lucky::CASES {
            cells.push(Cell::new().problem("case", case).treatment("part", LUCKY));
        }
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        match cell.text("part")? {
            LUCKY => lucky::rows(cell.text("case")?, context, &context.seed(cell)),
            MAIN => noise::main(context, cell.integer("seed")?),
            PILOT => noise::pilot(context, cell.integer("seed")?),
            SIGNS => signs::rows(context, cell.integer("seed")?),
            other => Err(Error::unknown("part", other, [MAIN, PILOT, SIGNS, LUCKY])),
        }
    }

    fn claims(&self) -> &'static [Claim] {
        const CLAIMS: &[Claim] = &[claims::NOISE, sign_claim::SIGNS, lucky_claim::LUCKY];
        CLAIMS
    }

    fn draw(&self, table: &Table) -> Result<Figure> {
        draw::draw(table)
    }

    fn budget(&self) -> Budget {
        Budget {
            seconds: 15,
            memory_mb: 60,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}
