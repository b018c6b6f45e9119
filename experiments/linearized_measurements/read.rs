//! Values of the table, gathered for the figure.

use super::super::tickets::LEVEL;
use ticketsense::Result;
use ticketsense::harness::figures::{Colour, Series};
use ticketsense::statistics::Summary;
use ticketsense::table::{Record, Table};

/// An axis of numbers of a column, one place each.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    pub column: &'a str,
    pub numbers: &'a [f64],
    /// What intervals are cut to.
    pub range: (f64, f64),
    /// Moves the points aside, so that intervals of several series can be told apart.
    pub shift: f64,
}

impl<'a> Places<'a> {
    pub fn new(column: &'a str, numbers: &'a [f64]) -> Self {
        Places {
            column,
            numbers,
            range: (f64::NEG_INFINITY, f64::INFINITY),
            shift: 0.0,
        }
    }

    /// With intervals cut.
    pub fn within(self, least: f64, most: f64) -> Self {
        Places {
            range: (least, most),
            ..self
        }
    }

    /// As the `number`-th of some series.
    pub fn series(self, number: usize, of: usize) -> Self {
        Places {
            shift: 0.09 * (number as f64 - 0.5 * (of as f64 - 1.0)),
            ..self
        }
    }
}

/// Rows of one part, arm and point; without a point those of any.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    pub part: &'a str,
    pub arm: &'a str,
    pub point: Option<&'a str>,
}

impl<'a> Of<'a> {
    pub fn new(part: &'a str, arm: &'a str) -> Self {
        Of { part, arm, point: None }
    }

    pub fn at(self, point: &'a str) -> Self {
        Of {
            point: Some(point),
            ..self
        }
    }

    fn includes(&self, r: &Record<'_>) -> Result<bool> {
        if r.text("part")? != self.part || r.text("arm")? != self.arm {
            return Ok(false);
        }
        match self.point {
            Some(point) => Ok(r.text("point")? == point),
            None => Ok(true),
        }
    }

    /// The values of these rows, those of a column with one number alone where asked for.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn values(
        &self,
        table: &Table,
        only: Option<(&str, f64)>,
        value: impl Fn(&Record<'_>) -> Result<Option<f64>>,
    ) -> Result<Vec<f64>> {
        let mut found = Vec::new();
        for r in table.iter() {
            if !self.includes(&r)? {
                continue;
            }
            if let Some((column, number)) = only
                && r.optional_real(column)? != Some(number)
            {
                continue;
            }
            found.extend(value(&r)?);
        }
        Ok(found)
    }

    /// Means with their intervals at every place of an axis, joined.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn curve(
        &self,
        table: &Table,
        axis: &Places<'_>,
        label: &str,
        colour: Colour,
        value: impl Fn(&Record<'_>) -> Result<Option<f64>>,
    ) -> Result<Series> {
        let mut points = Vec::new();
        for (place, &number) in axis.numbers.iter().enumerate() {
            let values = self.values(table, Some((axis.column, number)), &value)?;
            let found = mean(&values, axis.range)?;
            points.extend(found.map(|(m, low, high)| (place as f64 + axis.shift, m, low, high)));
        }
        Ok(Series::measured(label, points).connected().colour(colour))
    }
}

/// The numbers of a column in the rows of a part, ascending.
pub fn places(table: &Table, part: &str, column: &str) -> Result<Vec<f64>> {
    let mut found = Vec::new();
    for r in table.iter() {
        if r.text("part")? == part {
            found.extend(r.optional_real(column)?);
        }
    }
    found.sort_by(f64::total_cmp);
    found.dedup();
    Ok(found)
}

/// A mean with the ends of its interval, cut to a range; the bare mean of a single value.
pub fn mean(values: &[f64], (least, most): (f64, f64)) -> Result<Option<(f64, f64, f64)>> {
    if values.is_empty() {
        return Ok(None);
    }
    let summary = Summary::of(values)?;
    if summary.count < 2 {
        return Ok(Some((summary.mean, summary.mean, summary.mean)));
    }
    let interval = summary.interval(LEVEL)?;
    Ok(Some((
        summary.mean,
        interval.lower.max(least),
        interval.upper.min(most),
    )))
}

/// An optional column.
pub fn column(name: &'static str) -> impl Fn(&Record<'_>) -> Result<Option<f64>> {
    move |r| r.optional_real(name)
}

/// The overlap between chance and full agreement.
pub fn normalised(r: &Record<'_>) -> Result<Option<f64>> {
    let parts = [
        r.optional_real("overlap")?,
        r.optional_real("chance")?,
        r.optional_real("reference")?,
    ];
    let [Some(overlap), Some(chance), Some(reference)] = parts else {
        return Ok(None);
    };
    Ok((reference > chance).then(|| (overlap - chance) / (reference - chance)))
}

/// The overlap minus chance.
pub fn excess(r: &Record<'_>) -> Result<Option<f64>> {
    Ok(match (r.optional_real("overlap")?, r.optional_real("chance")?) {
        (Some(overlap), Some(chance)) => Some(overlap - chance),
        _ => None,
    })
}
