//! A row of counts, read.

use ticketsense::table::Table;
use ticketsense::theory::percolation::Offspring;
use ticketsense::{Error, Result};

/// One row, read.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub model: String,
    pub law: String,
    pub fan_out: u64,
    pub keep: f64,
    pub width: Option<f64>,
    pub from_depth: u64,
    pub depth: u64,
    pub replicates: u64,
    pub alive: u64,
    pub fraction: Option<(f64, f64)>,
    /// None where the one source of a tree goes without saying.
    pub sources: Option<f64>,
    pub exact_alive: Option<f64>,
    pub exact_fraction: Option<f64>,
}

impl Point {
    /// The rows of one part.
    pub fn read(table: &Table, part: &str) -> Result<Vec<Point>> {
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
                sources: record.optional_real("sources")?,
                exact_alive: record.optional_real("exact_alive")?,
                exact_fraction: record.optional_real("exact_fraction")?,
            });
        }
        Ok(points)
    }

    pub fn mean(&self) -> f64 {
        self.fan_out as f64 * self.keep
    }

    /// The law of the closed forms.
    pub fn law(&self) -> Offspring {
        match self.law.as_str() {
            "poisson" => Offspring::Poisson { mean: self.mean() },
            _ => Offspring::Binomial {
                fan_out: self.fan_out,
                keep: self.keep,
            },
        }
    }

    pub fn name(&self) -> String {
        let width = self.width.map_or(String::new(), |w| format!(", width {w}"));
        let sources = self.sources.map_or(String::new(), |s| format!(", {s} sources"));
        format!(
            "{} {} fan-out {}, keep {:.4}{width}{sources}, depth {}",
            self.model, self.law, self.fan_out, self.keep, self.depth
        )
    }
}
