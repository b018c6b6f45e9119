//! `thresholding`: what do soft, block and hard thresholding do to the values that they keep?
//!
//! Three kinds of cells. *Scalar* cells threshold one noisy number many times, *group* cells apply the proximal map of
//! the group penalty to random groups, *path* cells follow the LASSO and magnitude pruning with refits over one linear
//! model after another.

mod claims;
mod draw;
mod groups;
mod paths;
mod scalar;
#[cfg(test)]
mod tests;

use super::rows;
use ticketsense::harness::figures::Figure;
use ticketsense::harness::{Budget, Cell, Claim, Context, Experiment, Scale};
use ticketsense::table::{Column, Row, Table, Value};
use ticketsense::{Error, Result};

const COLUMNS: &[Column] = &[
    Column::text(
        "part",
        "scalar: one noisy number; group: random groups; field: the maps in the plane; paths: many linear models; size: \
         their supports by size; weights: the paths of one of them.",
    ),
    Column::text(
        "estimator",
        "soft or hard; group or l1 (field); lasso or pruning (weights).",
    ),
    Column::real(
        "threshold",
        "noise standard deviations",
        "The threshold λ of a noisy number.",
    ),
    Column::real("mean", "noise standard deviations", "The true value θ."),
    Column::integer("trials", "", "Noisy observations."),
    Column::integer("kept", "", "Estimates that are not zero; groups that are kept."),
    Column::real("bias", "", "Mean of estimate minus true value."),
    Column::real("bias_error", "", "Standard error of that mean."),
    Column::real("risk", "", "Mean squared error."),
    Column::real("risk_error", "", "Standard error of the mean squared error."),
    Column::integer("group_size", "", "Coordinates in a group."),
    Column::integer("groups", "", "Groups to which the map was applied."),
    Column::integer(
        "mixed",
        "",
        "Groups with some but not all coordinates set to zero by the block threshold.",
    ),
    Column::integer(
        "mixed_l1",
        "",
        "The same for the threshold of each coordinate by itself.",
    ),
    Column::integer("unshrunk", "", "Kept groups whose norm did not fall."),
    Column::real(
        "residual",
        "",
        "Largest subgradient residual, over the norm of the group.",
    ),
    Column::real(
        "deviation",
        "",
        "Largest distance from the minimiser found by majorisation, over the norm of the group.",
    ),
    Column::real(
        "shrinkage",
        "",
        "Largest distance of the loss of norm of a kept group from the threshold, over the norm of the group.",
    ),
    Column::real("from_x", "thresholds", "First coordinate before the map."),
    Column::real("from_y", "thresholds", "Second coordinate before the map."),
    Column::real("to_x", "thresholds", "First coordinate after the map."),
    Column::real("to_y", "thresholds", "Second coordinate after the map."),
    Column::real("correlation", "", "Correlation of neighbouring features."),
    Column::integer(
        "problems",
        "",
        "Linear models; for a size, those whose LASSO path has a support of that size.",
    ),
    Column::integer(
        "supports",
        "",
        "Solutions of the LASSO whose weights were compared with least squares.",
    ),
    Column::real(
        "identity",
        "",
        "Largest deviation from the closed form, over what rounding and the duality gap allow.",
    ),
    Column::real(
        "relative",
        "",
        "Largest deviation from the closed form, over the size of the weights.",
    ),
    Column::integer("exact", "", "Solutions whose deviation rounding alone allows."),
    Column::integer(
        "signs_differ",
        "",
        "Solutions in which least squares on the same support has another sign somewhere.",
    ),
    Column::integer(
        "lasso_true",
        "",
        "Models whose LASSO path passes through the planted support.",
    ),
    Column::integer(
        "pruning_true",
        "",
        "Models whose pruning path passes through the planted support.",
    ),
    Column::integer("size", "", "Features kept."),
    Column::integer(
        "different",
        "",
        "Models in which both paths have a support of that size, and not the same one.",
    ),
    Column::integer(
        "doubtful",
        "",
        "Models with a tie within rounding at that size, not counted as different.",
    ),
    Column::integer("feature", "", "Number of a feature."),
    Column::integer("planted", "", "1 where the feature has a nonzero weight in the model."),
    Column::real(
        "abscissa",
        "",
        "λ/λ_max on the path of the LASSO, features kept on that of pruning.",
    ),
    Column::real("weight", "", "Weight at that place of the path."),
];

/// The thresholds of the noisy number.
const THRESHOLDS: [f64; 4] = [0.5, 1.0, 2.0, 3.0];
/// The sizes of the random groups.
const GROUP_SIZES: [usize; 5] = [1, 2, 5, 20, 100];
/// Correlations of neighbouring features.
const CORRELATIONS: [f64; 5] = [0.0, 0.3, 0.6, 0.8, 0.95];
/// The correlation of the model whose paths are drawn.
const DRAWN: f64 = 0.8;

fn row_of(values: &[(&str, Value)]) -> Result<Row> {
    rows::row_of(COLUMNS, values)
}

/// The experiment.
pub struct Thresholding;

impl Experiment for Thresholding {
    fn id(&self) -> &'static str {
        "thresholding"
    }

    fn question(&self) -> &'static str {
        "What do soft, block and hard thresholding do to the values that they keep?"
    }

    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }

    fn cells(&self, scale: Scale) -> Vec<Cell> {
        let part = |name: &str| Cell::new().problem("part", name);
        let batches: usize = scale.pick(1, 4, 16);
        let mut cells = Vec::new();
        for correlation in CORRELATIONS {
            cells.push(part("paths").problem("correlation", correlation));
        }
        cells.extend(THRESHOLDS.map(|threshold| part("scalar").problem("threshold", threshold)));
        for size in GROUP_SIZES {
            cells.extend((0..batches).map(|batch| part("group").problem("size", size).problem("batch", batch)));
        }
        cells.push(part("field"));
        cells
    }

    fn run(&self, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
        let seed = context.seed(cell);
        let scale = context.scale();
        match cell.text("part")? {
            "scalar" => scalar::rows(
                cell.real("threshold")?,
                scale.pick(40_000, 1_000_000, 10_000_000),
                scale.pick(1.0, 0.5, 0.25),
                context,
                &seed,
            ),
            "group" => groups::rows(cell.integer("size")?, scale.pick(200, 2000, 10_000), &seed),
            "field" => groups::field(),
            "paths" => paths::rows(cell.real("correlation")?, scale.pick(12, 200, 2000), context, &seed),
            other => Err(Error::unknown("part", other, ["scalar", "group", "field", "paths"])),
        }
    }

    fn claims(&self) -> &'static [Claim] {
        claims::CLAIMS
    }

    fn draw(&self, table: &Table) -> Result<Figure> {
        draw::figure(table)
    }

    fn budget(&self) -> Budget {
        Budget {
            seconds: 4,
            memory_mb: 90,
        }
    }
}
