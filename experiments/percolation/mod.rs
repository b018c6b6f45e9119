//! Does the signal of one unit survive layered random pruning, and with what probability, to what depth?
//!
//! Parts of one table. `threshold`: survival to depth 2L given survival to depth L, around the keep probability
//! where it is one half, on trees, in wide random wiring and, as a contrast, in local wiring. `survival`: trees, by
//! depth. `network`: survival and reached fraction in one and the same random wiring, simulated and from its exact law.
//! `finite-width`: the exact law of a narrow layer, drawn in grey. `connection`, `drift`, `lifetime`: networks of finite width, where
//! the threshold is only a crossover. `ring`, `local`, `scaling`, `spreading`: local wiring, which is directed percolation.
//! `pruned`, `criteria`: the masks of really pruned networks beside random masks of the same counts, where no claim is made.

mod claims;
mod criteria;
mod draw;
mod draw_finite;
#[cfg(test)]
mod finite_tests;
mod local;
mod local_claim;
mod narrow;
mod narrow_claim;
mod point;
mod scaling;
#[cfg(test)]
mod tests;
mod threshold;
mod wide;

use crate::experiments::rows::padded;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table};
use ticketsense::{Error, Result};

pub(super) struct Percolation;

const COLUMNS: &[Column] = &[
    Column::text(
        "part",
        "Which measurement: threshold, survival, network, finite-width, connection, drift, lifetime, ring, local, scaling, \
         spreading, pruned or criteria.",
    ),
    Column::text(
        "model",
        "Where: tree, random (wiring), full (connection) or neighbouring (wiring).",
    ),
    Column::text("law", "Law of the number of kept edges of a unit: binomial or poisson."),
    Column::integer(
        "fan_out",
        "units",
        "Potential successors of a unit, b; a Poisson number has the mean fan_out times keep.",
    ),
    Column::real("keep", "", "Probability that an edge is kept, q."),
    Column::integer("width", "units", "Units a layer; none on a tree."),
    Column::integer(
        "from_depth",
        "layers",
        "Depth to which the counted replicates are known to be alive.",
    ),
    Column::integer("depth", "layers", "Depth at which they are counted."),
    Column::integer(
        "replicates",
        "",
        "Replicates that are alive at from_depth, from one source where none are named.",
    ),
    Column::integer("alive", "", "Those of them that are alive at depth."),
    Column::real(
        "fraction",
        "",
        "Mean fraction of the layer reached, over the living replicates.",
    ),
    Column::real("fraction_error", "", "Standard error of that mean."),
    Column::real(
        "exact_alive",
        "",
        "Exact probability of being alive at this width and depth.",
    ),
    Column::real(
        "exact_fraction",
        "",
        "Exact mean of the fraction reached, given that any of it is.",
    ),
    Column::text(
        "mask",
        "Who chose the mask of a pruned network: ticket (iterative pruning), random (same counts a layer), a criterion, or \
         random for it.",
    ),
    Column::integer("seed", "", "Number of the pruned network."),
    Column::real("density", "", "Fraction of its weights that is kept."),
    Column::real(
        "effective_density",
        "",
        "Fraction of its weights that is kept and lies on a path from an input to an output.",
    ),
    Column::integer("hidden_units", "units", "Its hidden units."),
    Column::integer(
        "dead_units",
        "units",
        "Those of them on no path from an input to an output.",
    ),
    Column::real(
        "log_paths",
        "",
        "Natural logarithm of the number of its paths; -inf for none.",
    ),
    Column::integer(
        "sources",
        "units",
        "Units of the first layer from which the signal starts.",
    ),
    Column::integer(
        "reached",
        "units",
        "Reached units of the layer, summed over the replicates.",
    ),
    Column::integer("group", "", "Number of an independent group of replicates."),
    Column::real(
        "median_depth",
        "layers",
        "Exact depth at which half of all networks are cut off, from a full first layer.",
    ),
    Column::real(
        "extinction",
        "",
        "Exact probability a layer to be cut off, of networks that have long been connected.",
    ),
    Column::real(
        "action",
        "",
        "Least cost of cutting a wide layer off, by large deviations: growth of the logarithm of the lifetime per unit of width.",
    ),
    Column::text(
        "beside",
        "The criterion at whose counts a layer a random mask was drawn.",
    ),
    Column::integer(
        "reached_units",
        "units",
        "Hidden units and outputs on a path of kept weights from some input.",
    ),
    Column::integer(
        "unit_paths",
        "",
        "Paths from inputs to outputs without a common unit, as many as there are.",
    ),
    Column::integer(
        "weight_paths",
        "",
        "Paths from inputs to outputs without a common weight, as many as there are.",
    ),
];

const FAN_OUTS: [usize; 3] = [2, 3, 8];
/// Depths at which the survival on trees is counted.
const DEPTHS: [usize; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 500];
/// Layers of the networks whose reached fraction is measured: at the least mean used, 1.5, one unit has grown to a
/// settled fraction after some 20 layers, and the distance left shrinks by a factor below 0.7 a layer.
const NETWORK_DEPTH: usize = 100;
/// Width and depth of the narrow network that is drawn in grey.
const NARROW: (usize, usize) = (16, 500);

impl Experiment for Percolation {
    fn id(&self) -> &'static str {
        "percolation"
    }

    fn question(&self) -> &'static str {
        "When does a signal survive layered random pruning?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let part = |name: &str| Cell::new().problem("part", name);
        let mut cells = Vec::new();
        let trees: &[usize] = scale.pick(
            &[10, 20, 40],
            &[10, 20, 50, 100, 200, 500],
            &[10, 20, 50, 100, 200, 500, 1000],
        );
        let wired: &[usize] = scale.pick(&[10, 14, 20], &[10, 14, 20, 28, 40], &[10, 14, 20, 28, 40, 56, 80]);
        let local: &[usize] = scale.pick(&[10, 20, 40], &[10, 20, 40, 80], &[10, 20, 40, 80, 160]);
        let models = [
            ("tree", &FAN_OUTS[..], trees),
            ("random", &FAN_OUTS[..], wired),
            ("neighbouring", &[2usize], local),
        ];
        for (model, fan_outs, depths) in models {
            for &fan_out in fan_outs {
                for &depth in depths {
                    cells.push(
                        part("threshold")
                            .problem("model", model)
                            .problem("fan_out", fan_out)
                            .problem("depth", depth),
                    );
                }
            }
        }
        let sweep: Vec<f64> = (1..20).map(|i| f64::from(i) / 20.0).collect();
        let means = [0.6, 0.8, 1.0, 1.2, 1.5, 1.8];
        for (law, fan_out) in [("binomial", 2usize), ("binomial", 3), ("binomial", 8), ("poisson", 1)] {
            let keeps = match (law, fan_out) {
                ("binomial", 2) => sweep.clone(),
                (_, fan_out) => means.map(|mean| mean / fan_out as f64).to_vec(),
            };
            for keep in keeps {
                cells.push(
                    part("survival")
                        .problem("law", law)
                        .problem("fan_out", fan_out)
                        .problem("keep", keep),
                );
            }
        }
        for fan_out in FAN_OUTS {
            for mean in [0.8, 1.5, 1.75] {
                for width in scale.pick([128usize, 256, 512], [512, 1024, 2048], [512, 1024, 2048]) {
                    let cell = part("network").problem("fan_out", fan_out);
                    cells.push(cell.problem("keep", mean / fan_out as f64).problem("width", width));
                }
            }
        }
        cells.push(
            part("finite-width")
                .problem("fan_out", 2usize)
                .problem("width", NARROW.0),
        );
        for seed in 0..scale.pick(2usize, 8, 20) {
            cells.push(part("pruned").problem("seed", seed));
        }
        cells.extend(narrow::cells(scale));
        cells.extend(local::cells(scale));
        cells.extend(criteria::cells(scale));
        cells
    }

    fn uses_data(&self) -> bool {
        true
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let scale = context.scale();
        let seed = context.seed(cell);
        let rows = match cell.text("part")? {
            "pruned" => return criteria::pruned_rows(cell, context),
            "criteria" => return criteria::rows(cell, context),
            "connection" => return narrow::connection_rows(cell, context),
            "drift" => return narrow::drift_rows(cell, context),
            "lifetime" => return narrow::lifetime_rows(cell, context),
            "ring" => return local::ring_rows(cell, context),
            "local" => return local::local_rows(cell, context),
            "scaling" => return local::scaling_rows(cell, context),
            "spreading" => return local::spreading_rows(cell, context),
            "threshold" => wide::threshold_rows(cell, scale.pick(40, 250, 1000), context),
            "survival" => wide::survival_rows(cell, scale.pick(500, 40_000, 1_000_000), &seed),
            "network" => wide::network_rows(cell, scale.pick(60, 200, 2000), &seed),
            "finite-width" => wide::finite_width_rows(cell),
            other => Err(Error::argument("part", "a part of the experiment", other)),
        };
        Ok(rows?.into_iter().map(|row| padded(COLUMNS, row)).collect())
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn draw(&self, table: &Table) -> Result<Figure> {
        draw::figure(table)
    }

    fn budget(&self) -> Budget {
        Budget {
            seconds: 25,
            memory_mb: 150,
        }
    }
}
