//! Means over networks beside what theory says of them, written and read.

use super::COLUMNS;
use crate::experiments::rows::row_of;
use ticketsense::statistics::Summary;
use ticketsense::statistics::distributions::two_sided_student;
use ticketsense::table::{Record, Row, Table, Value};
use ticketsense::{Error, Result};

/// A sample's mean, its standard error and the skewness of one value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampled {
    pub value: f64,
    pub error: f64,
    pub skewness: f64,
    pub replicates: usize,
}

impl Sampled {
    pub(super) fn of(values: &[f64]) -> Result<Self> {
        let summary = Summary::of(values)?;
        let (mean, deviation) = (summary.mean, summary.standard_deviation);
        let third = values.iter().map(|v| (v - mean).powi(3)).sum::<f64>() / values.len() as f64;
        Ok(Sampled {
            value: mean,
            error: summary.standard_error(),
            skewness: if deviation > 0.0 {
                third / deviation.powi(3)
            } else {
                0.0
            },
            replicates: values.len(),
        })
    }

    fn entries(&self) -> [(&'static str, Value); 4] {
        [
            ("value", self.value.into()),
            ("value_error", self.error.into()),
            ("value_skewness", self.skewness.into()),
            ("replicates", self.replicates.into()),
        ]
    }
}

/// The row of one sample: what it is of, the sample, and the rest.
pub(super) fn sampled_row(
    axes: &[(&'static str, Value)],
    sample: &Sampled,
    rest: &[(&'static str, Value)],
) -> Result<Row> {
    let mut entries = axes.to_vec();
    entries.extend(sample.entries());
    entries.extend_from_slice(rest);
    let entries: Vec<(&str, Value)> = entries;
    row_of(COLUMNS, &entries)
}

/// One row of the parts that have a measure.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Observed {
    pub part: String,
    pub measure: String,
    pub nonlinearity: String,
    pub regime: String,
    pub lattice: String,
    pub ensemble: String,
    pub scaling: String,
    pub width: u64,
    pub density: f64,
    pub weight_variance: f64,
    pub bias_variance: f64,
    pub initial: f64,
    pub layer: u64,
    pub replicates: f64,
    pub value: Option<f64>,
    pub error: f64,
    pub skewness: f64,
    pub predicted: Option<f64>,
    pub rival: Option<f64>,
    pub width_term: Option<f64>,
    pub neglected: f64,
}

impl Observed {
    fn of(record: &Record<'_>) -> Result<Self> {
        let text = |name: &str| record.text(name).map(str::to_string);
        let real = |name: &str| Ok::<f64, Error>(record.optional_real(name)?.unwrap_or(0.0));
        Ok(Observed {
            part: text("part")?,
            measure: text("measure")?,
            nonlinearity: text("nonlinearity")?,
            regime: text("regime")?,
            lattice: text("lattice")?,
            ensemble: text("ensemble")?,
            scaling: text("scaling")?,
            width: real("width")? as u64,
            density: real("density")?,
            weight_variance: real("weight_variance")?,
            bias_variance: real("bias_variance")?,
            initial: real("initial")?,
            layer: real("layer")? as u64,
            replicates: real("replicates")?,
            value: record.optional_real("value")?,
            error: real("value_error")?,
            skewness: real("value_skewness")?,
            predicted: record.optional_real("predicted")?,
            rival: record.optional_real("rival")?,
            width_term: record.optional_real("width_term")?,
            neglected: real("neglected")?,
        })
    }

    /// The rows of a part.
    pub(super) fn read(table: &Table, part: &str) -> Result<Vec<Observed>> {
        let mut found = Vec::new();
        for record in table.iter() {
            if record.text("part")? == part {
                found.push(Observed::of(&record)?);
            }
        }
        Ok(found)
    }

    pub(super) fn name(&self) -> String {
        let words = [
            &self.nonlinearity,
            &self.regime,
            &self.lattice,
            &self.ensemble,
            &self.scaling,
        ];
        let words: Vec<&str> = words
            .into_iter()
            .map(String::as_str)
            .filter(|w| !w.is_empty())
            .collect();
        let width = if self.width > 0 {
            format!(", width {}", self.width)
        } else {
            String::new()
        };
        format!(
            "{} {}, density {}{width}, layer {}",
            self.measure,
            words.join(" "),
            self.density,
            self.layer
        )
    }

    /// ρσ_w².
    pub(super) fn scale(&self) -> f64 {
        self.density * self.weight_variance
    }

    /// This mean against a prediction for its own width.
    pub(super) fn against(&self, predicted: f64, neglected: f64, level: f64) -> Result<Option<Comparison>> {
        let Some(value) = self.value else { return Ok(None) };
        let skewness = self.skewness / self.replicates.sqrt();
        let reach = reach(level, self.replicates, skewness)?;
        Ok(reach.map(|reach| Comparison {
            name: self.name(),
            value,
            predicted,
            rival: self.rival,
            tolerance: reach * self.error + neglected,
        }))
    }

    fn same_but_width(&self, other: &Observed) -> bool {
        (
            &self.part,
            &self.measure,
            &self.nonlinearity,
            &self.regime,
            &self.lattice,
            &self.ensemble,
            &self.scaling,
        ) == (
            &other.part,
            &other.measure,
            &other.nonlinearity,
            &other.regime,
            &other.lattice,
            &other.ensemble,
            &other.scaling,
        ) && (self.density, self.weight_variance, self.layer) == (other.density, other.weight_variance, other.layer)
    }
}

/// How many standard errors a mean may be from the truth: Student's quantile, widened by the first term of Cornish and Fisher for the
/// skewness of the mean, `γ(t² − 1)/6`; none where that is more than half of it.
pub(super) fn reach(level: f64, replicates: f64, skewness: f64) -> Result<Option<f64>> {
    if replicates.is_nan() || replicates < 20.0 {
        return Ok(None);
    }
    let t = two_sided_student(level, replicates - 1.0)?;
    let more = skewness.abs() * (t * t - 1.0) / 6.0;
    Ok((more <= 0.5 * t).then_some(t + more))
}

/// One number beside its prediction.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    pub name: String,
    pub value: f64,
    pub predicted: f64,
    pub rival: Option<f64>,
    pub tolerance: f64,
}

impl Comparison {
    /// Distance from the prediction in tolerances; at most 1 where they agree.
    pub(super) fn distance(&self) -> f64 {
        (self.value - self.predicted).abs() / self.tolerance
    }

    /// Whether the wrong theory is outside the tolerance.
    pub(super) fn refutes_rival(&self) -> Option<bool> {
        self.rival.map(|rival| (self.value - rival).abs() > self.tolerance)
    }

    pub(super) fn told(&self) -> String {
        format!(
            "{}: {:.6} against {:.6}, tolerance {:.6}",
            self.name, self.value, self.predicted, self.tolerance
        )
    }
}

/// The values for infinite width from those at a width N and at 2N, against the prediction.
///
/// `m(N) = m + a/N + b/N²` gives `2m(2N) − m(N) = m − b/(2N²)`. The first bias is measured, `a/N ≈ 2(m(N) − m(2N))`; the second is
/// taken to be at most the square of the first over the size of the value, as for powers of `1 + a/N`; `more` is added to the
/// tolerance.
pub(super) fn limits(rows: &[Observed], level: f64, more: f64) -> Result<Vec<Comparison>> {
    let mut found = Vec::new();
    for narrow in rows {
        let wide = rows
            .iter()
            .find(|w| w.width == 2 * narrow.width && w.same_but_width(narrow));
        let Some((wide, (a, b))) = wide.and_then(|w| narrow.value.zip(w.value).map(|pair| (w, pair))) else {
            continue;
        };
        let Some(predicted) = narrow.predicted else { continue };
        let error = (narrow.error.powi(2) + 4.0 * wide.error.powi(2)).sqrt();
        let third = |o: &Observed| o.skewness / o.replicates.sqrt() * o.error.powi(3);
        let skewness = if error > 0.0 {
            (8.0 * third(wide) - third(narrow)) / error.powi(3)
        } else {
            0.0
        };
        let Some(reach) = reach(level, narrow.replicates.min(wide.replicates), skewness)? else {
            continue;
        };
        let bias = 2.0 * (a - b);
        found.push(Comparison {
            name: format!("{} and {}", narrow.name(), wide.width),
            value: 2.0 * b - a,
            predicted,
            rival: narrow.rival,
            tolerance: reach * error + bias * bias / predicted.abs().max(0.1) + more,
        });
    }
    Ok(found)
}

/// The worst of some comparisons in its tolerance, how many times the rival was refuted of how many it was tried, and the worst one
/// outside its tolerance.
pub(super) fn judged(comparisons: &[Comparison]) -> (f64, (usize, usize), Option<String>) {
    let (mut worst, mut rivals, mut outside) = (0.0f64, (0, 0), None);
    for comparison in comparisons {
        let distance = comparison.distance();
        // Not a number is no agreement.
        if distance.is_nan() || distance > worst.max(1.0) {
            outside = Some(comparison.told());
        }
        worst = if distance.is_nan() {
            f64::INFINITY
        } else {
            worst.max(distance)
        };
        if let Some(refuted) = comparison.refutes_rival() {
            rivals.1 += 1;
            rivals.0 += usize::from(refuted);
        }
    }
    (worst, rivals, outside)
}
