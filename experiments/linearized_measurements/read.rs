//! Values of the table, gathered for the figure.

use super::super::comparison::mean_series;
use super::super::tickets::LEVEL;
use ticketsense::Result;
use ticketsense::harness::figures::{Colour, Series};
use ticketsense::statistics::Summary;
use ticketsense::table::{Record, Table};

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

    /// Means with their intervals at every place of an axis of numbers, joined.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn curve(
        &self,
        table: &Table,
        (column, places): (&str, &[f64]),
        label: &str,
        colour: Colour,
        value: impl Fn(&Record<'_>) -> Result<Option<f64>>,
    ) -> Result<Series> {
        let mut groups = Vec::new();
        for (place, &number) in places.iter().enumerate() {
            groups.push((place as f64, self.values(table, Some((column, number)), &value)?));
        }
        Ok(mean_series(label, &groups)?.colour(colour))
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
