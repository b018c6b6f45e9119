//! `depth-versus-width`: does depth cut a randomly pruned network off, along single paths and in full connection?

mod claims;
mod draw;
#[cfg(test)]
mod tests;

use super::rows::row_of;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::simulations::percolation::reach::reach_laws;
use ticketsense::simulations::percolation::{LayerMask, LayeredGraph};
use ticketsense::table::{Column, Row, Table};
use ticketsense::theory::path_survival::{disjoint_survival, log_mean_paths, paths_of_budget};
use ticketsense::{Error, Result};

/// The experiment.
#[derive(Debug)]
pub struct DepthVersusWidth;

/// One input and one output, through hidden layers of equal width: by law, by all edge subsets, by simulation.
const CONNECTION: &str = "connection";
/// The same number of weights at every depth, by law.
const BUDGET: &str = "budget";

/// w paths side by side, without a common unit inside.
const DISJOINT: &str = "disjoint";
/// Every unit joined to every unit of the next layer.
const FULL: &str = "full";

const COLUMNS: &[Column] = &[
    Column::text(
        "part",
        "connection: one input to one output at a width; budget: the widest network that a number of weights allows.",
    ),
    Column::text(
        "model",
        "disjoint: as many paths as the width, side by side; full: fully connected layers.",
    ),
    Column::real("keep", "", "Probability that a weight is kept, q."),
    Column::integer("hidden_layers", "layers", "Hidden layers, L."),
    Column::integer("width", "units", "Units of a hidden layer, or paths, w."),
    Column::integer("weights", "", "Weights before pruning."),
    Column::integer("budget", "", "Weights that were allowed."),
    Column::real(
        "exact",
        "",
        "Probability that the input is joined to the output: closed form, or chain of the reached count.",
    ),
    Column::real(
        "enumerated",
        "",
        "The same summed over all subsets of the weights, where these are at most 16.",
    ),
    Column::real(
        "log_mean_paths",
        "",
        "Natural logarithm of the mean number of paths that survive.",
    ),
    Column::integer("replicates", "", "Independent replicates of the simulation."),
    Column::integer("joined", "", "Those in which the input is joined to the output."),
];

/// Most weights whose subsets are enumerated.
const ENUMERATED: usize = 16;
const KEEPS: [f64; 3] = [0.3, 0.5, 0.8];
const WIDTHS: [usize; 5] = [1, 2, 3, 8, 20];
const DEPTHS: [usize; 5] = [1, 2, 4, 8, 16];
const BUDGETS: [usize; 2] = [400, 4000];
/// Hidden layers of the budget part, as far as there is a unit for each.
const BUDGET_DEPTHS: [usize; 10] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];

impl Experiment for DepthVersusWidth {
    fn id(&self) -> &'static str {
        "depth-versus-width"
    }

    fn question(&self) -> &'static str {
        "Does depth cut a randomly pruned network off, and is that paths or the drawing of disjoint ones?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, _scale: Scale) -> Vec<Cell> {
        let mut cells = Vec::new();
        for model in [DISJOINT, FULL] {
            for keep in KEEPS {
                let cell = |part: &'static str| {
                    Cell::new()
                        .problem("part", part)
                        .treatment("model", model)
                        .problem("keep", keep)
                };
                for width in WIDTHS {
                    cells.push(cell(CONNECTION).problem("width", width));
                }
                for budget in BUDGETS {
                    cells.push(cell(BUDGET).problem("budget", budget));
                }
            }
        }
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let (model, keep) = (cell.text("model")?, cell.real("keep")?);
        match cell.text("part")? {
            CONNECTION => {
                let width = cell.integer("width")?;
                let batches = context.scale().pick(20, 300, 5000);
                let rows = DEPTHS.iter().map(|&layers| {
                    context.check()?;
                    let seed = context.seed(cell).stream(format!("hidden-layers={layers}"));
                    let graph = graph(model, layers, width)?;
                    // The chains of disjoint paths begin at inputs of their own: the units of the first layer are one input.
                    let found = graph.percolate(keep, graph.widths()[0], batches, &seed)?;
                    row_of(
                        COLUMNS,
                        &[
                            ("part", CONNECTION.into()),
                            ("model", model.into()),
                            ("keep", keep.into()),
                            ("hidden_layers", layers.into()),
                            ("width", width.into()),
                            ("weights", graph.edges().into()),
                            ("exact", exact(model, keep, layers, width)?.into()),
                            ("enumerated", enumerated(&graph, model, keep)?.into()),
                            ("log_mean_paths", log_paths(model, keep, layers, width)?.into()),
                            ("replicates", found.replicates().into()),
                            ("joined", found.connected(layers + 1)?.into()),
                        ],
                    )
                });
                rows.collect()
            }
            BUDGET => {
                let budget = cell.integer("budget")?;
                let mut rows = Vec::new();
                for layers in BUDGET_DEPTHS {
                    let width = widest(model, budget, layers)?;
                    if width == 0 {
                        continue;
                    }
                    rows.push(row_of(
                        COLUMNS,
                        &[
                            ("part", BUDGET.into()),
                            ("model", model.into()),
                            ("keep", keep.into()),
                            ("hidden_layers", layers.into()),
                            ("width", width.into()),
                            ("weights", weights(model, layers, width).into()),
                            ("budget", budget.into()),
                            ("exact", exact(model, keep, layers, width)?.into()),
                            ("log_mean_paths", log_paths(model, keep, layers, width)?.into()),
                        ],
                    )?);
                }
                Ok(rows)
            }
            other => Err(Error::unknown("part", other, [CONNECTION, BUDGET])),
        }
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
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
}

/// Units a layer, from the input to the output; the two ends of disjoint paths stand for one input and one output.
fn widths(model: &str, layers: usize, width: usize) -> Vec<usize> {
    let mut widths = vec![width; layers + 2];
    if model == FULL {
        widths[0] = 1;
        widths[layers + 1] = 1;
    }
    widths
}

fn weights(model: &str, layers: usize, width: usize) -> usize {
    match model {
        FULL => 2 * width + (layers - 1) * width * width,
        _ => width * (layers + 1),
    }
}

/// The largest width that a budget allows; 0 where it allows none.
fn widest(model: &str, budget: usize, layers: usize) -> Result<usize> {
    if model == DISJOINT {
        return Ok(paths_of_budget(budget as u64, layers as u64)? as usize);
    }
    Ok((1..=budget)
        .take_while(|&width| weights(FULL, layers, width) <= budget)
        .last()
        .unwrap_or(0))
}

fn graph(model: &str, layers: usize, width: usize) -> Result<LayeredGraph> {
    let widths = widths(model, layers, width);
    if model == FULL {
        return LayeredGraph::full(&widths);
    }
    let straight = LayerMask::new(
        width,
        width,
        (0..width * width).map(|i| i % width == i / width).collect(),
    )?;
    LayeredGraph::of_masks(&vec![straight; layers + 1])
}

fn exact(model: &str, keep: f64, layers: usize, width: usize) -> Result<f64> {
    if model == DISJOINT {
        return disjoint_survival(keep, layers as u64, width as u64);
    }
    let laws = reach_laws(&widths(FULL, layers, width), 1, keep)?;
    Ok(laws[layers + 1][1])
}

fn log_paths(model: &str, keep: f64, layers: usize, width: usize) -> Result<f64> {
    let full = log_mean_paths(keep, layers as u64, width as u64)?;
    // w disjoint paths instead of w^L.
    Ok(match model {
        FULL => full,
        _ => full - (layers as f64 - 1.0) * (width as f64).ln(),
    })
}

/// The probability by every subset of the weights, layer after layer; none beyond [`ENUMERATED`].
fn enumerated(graph: &LayeredGraph, model: &str, keep: f64) -> Result<Option<f64>> {
    let edges = graph.edges();
    if edges > ENUMERATED {
        return Ok(None);
    }
    let widths = graph.widths();
    // All weights as (layer, from, to), in an order of its own.
    let mut list = Vec::with_capacity(edges);
    for (layer, pair) in widths.windows(2).enumerate() {
        for from in 0..pair[0] {
            for to in (0..pair[1]).filter(|&to| model == FULL || to == from) {
                list.push((layer, from, to));
            }
        }
    }
    if list.len() != edges {
        return Err(Error::shape("weights to enumerate", edges, list.len()));
    }
    let mut sum = 0.0;
    for kept in 0u32..1 << edges {
        let mut reached = vec![0u32; widths.len()];
        reached[0] = (1 << widths[0]) - 1;
        for (bit, &(layer, from, to)) in list.iter().enumerate() {
            if kept >> bit & 1 == 1 && reached[layer] >> from & 1 == 1 {
                reached[layer + 1] |= 1 << to;
            }
        }
        if reached[widths.len() - 1] != 0 {
            let count = kept.count_ones() as i32;
            sum += keep.powi(count) * (1.0 - keep).powi(edges as i32 - count);
        }
    }
    Ok(Some(sum))
}
