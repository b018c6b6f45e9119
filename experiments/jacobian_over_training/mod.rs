//! `jacobian-over-training`: the linear model at the steps that tickets are rewound to, beside the stability of training
//! from there. Does the Jacobian become a good measurement matrix when rewinding starts to work?

mod claims;
mod draw;
mod measured;
#[cfg(test)]
mod tests;

use super::comparison::{DENSE, Line, MAIN, SHARED, columns};
use super::rewinding;
use ticketsense::Result;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table};

/// The experiment.
#[derive(Debug)]
pub struct JacobianOverTraining;

/// The ticket of iterative pruning, rewound to the step.
const TICKET: &str = "ticket";
/// The mask that hard thresholding recovers from labels on the network linearised at the step.
const RECOVERED: &str = "recovered";
/// That mask shuffled within layers.
const SHUFFLED: &str = "shuffled";

/// Steps as fractions of training.
const FRACTIONS: [f64; 4] = [0.0, 0.01, 0.05, 0.2];

const COLUMNS: [Column; SHARED + 12] = columns([
    Column::integer(
        "step",
        "steps",
        "Step t of the dense training that the network was linearised at.",
    ),
    Column::real("fraction", "1", "The same as a fraction of training."),
    Column::integer(
        "live_columns",
        "",
        "Weights whose column is neither zero nor parallel to an earlier one.",
    ),
    Column::real(
        "kernel_rank",
        "",
        "Participation ratio (tr K)²/tr K² of the tangent kernel, outputs centred and biases free.",
    ),
    Column::real("root_mean_square_cosine", "1", "Of 300 live columns drawn at random."),
    Column::real(
        "largest_cosine",
        "1",
        "Of the same columns: a lower bound of the coherence.",
    ),
    Column::real(
        "planted_found",
        "1",
        "Fraction of the ticket's weights that pursuit finds again from their linear outputs, without damping.",
    ),
    Column::integer("overlap", "", "Weights that the recovered mask shares with the ticket."),
    Column::real(
        "chance",
        "",
        "Mean of that for random masks of the same counts, hypergeometric.",
    ),
    Column::real(
        "linearisation_error",
        "1",
        "‖f(m⊙θ_t) − f_lin(m⊙θ_t)‖ / ‖f(m⊙θ_t) − f(θ_t)‖ for the ticket's mask.",
    ),
    Column::real(
        "dense_barrier",
        "1",
        "Instability of the dense network from θ_t: largest test error between two copies minus the mean of their own.",
    ),
    Column::real("ticket_barrier", "1", "The same for the ticket from m ⊙ θ_t."),
]);

/// The round whose ticket is compared.
fn round(scale: Scale) -> usize {
    scale.pick(2, 6, 12)
}

/// Stratified training samples of the linearisation.
fn samples(scale: Scale) -> usize {
    scale.pick(40, 150, 300)
}

impl Experiment for JacobianOverTraining {
    fn id(&self) -> &'static str {
        "jacobian-over-training"
    }

    fn question(&self) -> &'static str {
        "Does the Jacobian become a good measurement matrix at the steps from which rewinding works?"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let mut cells = Vec::new();
        for number in 0..scale.pick(2usize, 20, 40) {
            let step = |t: f64| rewinding::rewind_step(scale, t);
            cells.extend(FRACTIONS.map(|t| Cell::new().problem("seed", number).treatment("step", step(t))));
        }
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let lines = measured::lines(context, cell.integer("seed")?, cell.integer("step")?)?;
        lines.iter().map(|line| line.row(&COLUMNS)).collect()
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn draw(&self, table: &Table) -> Result<Figure> {
        draw::draw(table)
    }

    fn budget(&self) -> Budget {
        Budget {
            seconds: 60,
            memory_mb: 150,
        }
    }

    fn uses_data(&self) -> bool {
        true
    }
}
