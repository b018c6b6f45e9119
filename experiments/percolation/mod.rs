//! Does the signal of one unit survive layered random pruning, and with what probability, to what depth?
//!
//! Five parts of one table. `threshold`: survival to depth 2L given survival to depth L, around the keep probability
//! where it is one half, on trees, in wide random wiring and, as a contrast, in local wiring. `survival`: trees, by
//! depth. `network`: survival and reached fraction in one and the same random wiring, simulated and from its exact law.
//! `finite-width`: the exact law of a narrow layer, drawn in grey. `pruned`: the masks of really pruned networks beside
//! random masks of the same counts, where no claim is made.

mod claims;
mod draw;
#[cfg(test)]
mod tests;

use crate::experiments::pruned_masks::{PrunedMask, pruned_network};
use crate::experiments::rows::{padded, row_of};
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::simulations::percolation::{
    LayeredNetwork, ReachKernel, SurvivalCounts, Wiring, connectivity, layer_masks, survival,
};
use ticketsense::table::{Column, Row, Table};
use ticketsense::theory::percolation::Offspring;
use ticketsense::{Error, Result, Seed, row};

pub(super) struct Percolation;

const COLUMNS: &[Column] = &[
    Column::text(
        "part",
        "Which measurement: threshold, survival, network, finite-width or pruned.",
    ),
    Column::text("model", "Where: tree, random (wiring) or neighbouring (wiring)."),
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
        "Replicates from one source that are alive at from_depth.",
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
        "Who chose the mask of a pruned network: ticket (iterative pruning) or random (same counts a layer).",
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
        cells
    }

    fn uses_data(&self) -> bool {
        true
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let scale = context.scale();
        let seed = context.seed(cell);
        let rows = match cell.text("part")? {
            "pruned" => return pruned_rows(cell, context),
            "threshold" => threshold_rows(cell, scale.pick(40, 250, 1000), context),
            "survival" => survival_rows(cell, scale.pick(500, 40_000, 1_000_000), &seed),
            "network" => network_rows(cell, scale.pick(60, 200, 2000), &seed),
            "finite-width" => finite_width_rows(cell),
            other => Err(Error::unknown(
                "part",
                other,
                ["threshold", "survival", "network", "finite-width", "pruned"],
            )),
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

fn alive(found: &SurvivalCounts, depth: usize) -> Result<usize> {
    found
        .alive(depth)
        .ok_or_else(|| Error::argument("depth", format!("at most {}", found.depth()), depth))
}

/// One pair of counts: replicates alive at `depth` and at `2 depth`.
fn alive_at(
    model: &str,
    fan_out: usize,
    keep: f64,
    width: usize,
    depth: usize,
    replicates: usize,
    seed: &Seed,
) -> Result<(usize, usize)> {
    let wiring = match model {
        "tree" => {
            let found = survival(
                Offspring::Binomial {
                    fan_out: fan_out as u64,
                    keep,
                },
                2 * depth,
                replicates,
                seed,
            )?;
            return Ok((alive(&found, depth)?, alive(&found, 2 * depth)?));
        }
        "random" => Wiring::Random,
        _ => Wiring::Neighbouring,
    };
    let network = LayeredNetwork {
        width,
        fan_out,
        keep,
        wiring,
    };
    let reached = network.reached(1, 2 * depth, replicates, seed)?;
    Ok((reached.connected(depth)?, reached.connected(2 * depth)?))
}

/// Counts around the keep probability at which half of the replicates alive at depth L are alive at depth 2L.
///
/// Where that is, no formula says: a pilot run bisects the whole interval of keep probabilities down to `1/(bL)`, on
/// random numbers of its own, and seven values are spread over four and a half times that width around its answer.
fn threshold_rows(cell: &Cell, per_layer: usize, context: &Context<'_>) -> Result<Vec<Row>> {
    let seed = context.seed(cell);
    let (model, fan_out, depth) = (cell.text("model")?, cell.integer("fan_out")?, cell.integer("depth")?);
    let layers = depth as f64;
    let width = match model {
        // The share of targets that collide is the population over the width, and a critical population that lives grows
        // like L: with the width ∝ L³/ln L collisions shift the threshold by the same ln L/L² as the finite depth does.
        "random" => (layers.powi(3) / layers.ln()).ceil() as usize,
        // No path gets around the ring.
        _ => fan_out * (2 * depth + 1),
    };
    let unit = 1.0 / (fan_out as f64 * layers);
    // Where the crossing is, a tree tells as well and without the cost of a flooded network.
    let pilot_model = if model == "neighbouring" { model } else { "tree" };
    let (mut low, mut high) = (0.0, 1.0);
    for step in 0.. {
        if high - low <= unit {
            break;
        }
        context.check()?;
        let middle = 0.5 * (low + high);
        let pilot = seed.stream("pilot").stream(step.to_string());
        let (before, after) = alive_at(pilot_model, fan_out, middle, width, depth, 20 * depth + 200, &pilot)?;
        if before > 0 && 2 * after >= before {
            high = middle;
        } else {
            low = middle;
        }
    }
    let mut rows = Vec::new();
    for step in -3..=3 {
        context.check()?;
        let keep = (0.5 * (low + high) + 0.75 * f64::from(step) * unit).clamp(0.0, 1.0);
        let replicates = per_layer * depth.max(50);
        let stream = seed.stream("count").stream(step.to_string());
        let (before, after) = alive_at(model, fan_out, keep, width, depth, replicates, &stream)?;
        let width = (model != "tree").then_some(width);
        rows.push(row![
            "threshold",
            model,
            "binomial",
            fan_out,
            keep,
            width,
            depth,
            2 * depth,
            before,
            after,
            None::<f64>,
            None::<f64>,
            None::<f64>,
            None::<f64>
        ]);
    }
    Ok(rows)
}

fn survival_rows(cell: &Cell, replicates: usize, seed: &Seed) -> Result<Vec<Row>> {
    let (law, fan_out, keep) = (cell.text("law")?, cell.integer("fan_out")?, cell.real("keep")?);
    let offspring = match law {
        "poisson" => Offspring::Poisson {
            mean: fan_out as f64 * keep,
        },
        _ => Offspring::Binomial {
            fan_out: fan_out as u64,
            keep,
        },
    };
    let found = survival(offspring, DEPTHS[DEPTHS.len() - 1], replicates, seed)?;
    let row = |depth: usize| {
        let alive = alive(&found, depth)?;
        Ok(row![
            "survival",
            "tree",
            law,
            fan_out,
            keep,
            None::<usize>,
            0usize,
            depth,
            replicates,
            alive,
            None::<f64>,
            None::<f64>,
            None::<f64>,
            None::<f64>
        ])
    };
    DEPTHS.into_iter().map(row).collect()
}

fn network_rows(cell: &Cell, replicates: usize, seed: &Seed) -> Result<Vec<Row>> {
    let (fan_out, keep, width) = (cell.integer("fan_out")?, cell.real("keep")?, cell.integer("width")?);
    let network = LayeredNetwork {
        width,
        fan_out,
        keep,
        wiring: Wiring::Random,
    };
    let reached = network.reached(1, NETWORK_DEPTH, replicates, seed)?;
    let alive = reached.connected(NETWORK_DEPTH)?;
    // The mean of fewer than two living replicates has no error.
    let fraction = if alive >= 2 {
        Some(reached.fraction_given_connected(NETWORK_DEPTH)?)
    } else {
        None
    };
    let error = fraction.as_ref().and_then(|f| match f.certainty {
        ticketsense::outcome::Certainty::Sampled { standard_error, .. } => Some(standard_error),
        _ => None,
    });
    let (exact_alive, exact_fraction) = exact_reach(width, fan_out, keep, NETWORK_DEPTH)?;
    Ok(vec![row![
        "network",
        "random",
        "binomial",
        fan_out,
        keep,
        width,
        0usize,
        NETWORK_DEPTH,
        replicates,
        alive,
        fraction.map(|f| f.value),
        error,
        exact_alive,
        exact_fraction
    ]])
}

/// Live paths and dead units of a really pruned network, round by round, beside its random twins.
fn pruned_rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let seed = cell.integer("seed")?;
    let pruned = pruned_network(context, seed, &context.seed(cell))?;
    let hidden: usize =
        pruned.network.dense_layers().map(|layer| layer.outputs).sum::<usize>() - pruned.network.classes();
    let row = |of: &PrunedMask| {
        let found = connectivity(&layer_masks(&pruned.network, &of.mask)?)?;
        row_of(
            COLUMNS,
            &[
                ("part", "pruned".into()),
                ("mask", of.kind.into()),
                ("seed", seed.into()),
                ("density", found.density().into()),
                ("effective_density", found.effective_density().into()),
                ("hidden_units", hidden.into()),
                ("dead_units", found.dead_hidden_units().into()),
                ("log_paths", found.log_paths.into()),
            ],
        )
    };
    pruned.masks.iter().map(row).collect()
}

/// The exact probability that one source reaches the layer at `depth`, and the mean fraction reached where it does.
fn exact_reach(width: usize, fan_out: usize, keep: f64, depth: usize) -> Result<(f64, Option<f64>)> {
    let kernel = ReachKernel::random_wiring(width, fan_out, keep)?;
    let mut law = vec![0.0; width + 1];
    law[1] = 1.0;
    for _ in 0..depth {
        law = kernel.step(&law)?;
    }
    let alive: f64 = law[1..].iter().sum();
    let units: f64 = law
        .iter()
        .enumerate()
        .map(|(count, weight)| count as f64 * weight)
        .sum();
    Ok((alive, (alive > 0.0).then(|| units / alive / width as f64)))
}

fn finite_width_rows(cell: &Cell) -> Result<Vec<Row>> {
    let (fan_out, width, depth) = (cell.integer("fan_out")?, cell.integer("width")?, NARROW.1);
    (1..50)
        .map(|step| {
            let keep = f64::from(step) / 50.0;
            let (alive, fraction) = exact_reach(width, fan_out, keep, depth)?;
            Ok(row![
                "finite-width",
                "random",
                "binomial",
                fan_out,
                keep,
                width,
                0usize,
                depth,
                None::<usize>,
                None::<usize>,
                None::<f64>,
                None::<f64>,
                alive,
                fraction
            ])
        })
        .collect()
}

/// One row, read.
#[derive(Clone, Debug)]
struct Point {
    model: String,
    law: String,
    fan_out: u64,
    keep: f64,
    width: Option<f64>,
    from_depth: u64,
    depth: u64,
    replicates: u64,
    alive: u64,
    fraction: Option<(f64, f64)>,
    exact_alive: Option<f64>,
    exact_fraction: Option<f64>,
}

impl Point {
    /// The rows of one part.
    fn read(table: &Table, part: &str) -> Result<Vec<Point>> {
        let mut points = Vec::new();
        for record in table.iter() {
            if record.text("part")? != part {
                continue;
            }
            let count = |name: &str| -> Result<u64> {
                let value = record.optional_real(name)?.unwrap_or(0.0);
                if value >= 0.0 {
                    Ok(value as u64)
                } else {
                    Err(Error::argument(name, "at least 0", value))
                }
            };
            let fraction = record
                .optional_real("fraction")?
                .zip(record.optional_real("fraction_error")?);
            points.push(Point {
                model: record.text("model")?.to_string(),
                law: record.text("law")?.to_string(),
                fan_out: count("fan_out")?,
                keep: record.real("keep")?,
                width: record.optional_real("width")?,
                from_depth: count("from_depth")?,
                depth: count("depth")?,
                replicates: count("replicates")?,
                alive: count("alive")?,
                fraction,
                exact_alive: record.optional_real("exact_alive")?,
                exact_fraction: record.optional_real("exact_fraction")?,
            });
        }
        Ok(points)
    }

    fn mean(&self) -> f64 {
        self.fan_out as f64 * self.keep
    }

    /// The law of the closed forms.
    fn law(&self) -> Offspring {
        match self.law.as_str() {
            "poisson" => Offspring::Poisson { mean: self.mean() },
            _ => Offspring::Binomial {
                fan_out: self.fan_out,
                keep: self.keep,
            },
        }
    }

    fn name(&self) -> String {
        let width = self.width.map_or(String::new(), |w| format!(", width {w}"));
        format!(
            "{} fan-out {}, keep {:.4}{width}, depth {}",
            self.law, self.fan_out, self.keep, self.depth
        )
    }
}
