//! The 50 % points of the table, and how they move with the size.

use super::problem::predicted;
use ticketsense::Result;
use ticketsense::statistics::logistic::Point;
use ticketsense::statistics::{Interval, WeightedLine, fit_threshold};
use ticketsense::table::{Record, Table};

/// The level whose normal interval is one standard error to each side.
const ONE_SIGMA: f64 = 0.317_310_507_862_914_1;

/// Rows so near to the 50 % point of all rows, relative to it, enter the final fit.
const MIDDLE: f64 = 0.16;

/// The 50 % point of one size.
#[derive(Clone, Debug)]
pub(super) struct Half {
    pub columns: f64,
    pub nonzeros: f64,
    /// In units of θ.
    pub point: f64,
    /// Half the width of the profile interval of one standard error.
    pub error: f64,
    /// The 95 % profile interval.
    pub interval: Interval,
}

/// The rows of one series: a part, a rule, and a kind of witness or magnitudes.
pub(super) fn series<'a>(table: &'a Table, part: &str, rule: &str, drawn: &str) -> Result<Vec<Record<'a>>> {
    let mut rows = Vec::new();
    for row in table.iter() {
        if row.text("part")? == part && row.text("rule")? == rule && row.text("drawn")? == drawn {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The 50 % points in the column `control`, by size; a size whose point is not bounded is left out.
pub(super) fn halves(table: &Table, part: &str, rule: &str, drawn: &str, control: &str) -> Result<Vec<Half>> {
    let rows = series(table, part, rule, drawn)?;
    let mut sizes: Vec<i64> = Vec::new();
    for row in &rows {
        sizes.push(row.integer("columns")?);
    }
    sizes.sort_unstable();
    sizes.dedup();
    let mut all = Vec::new();
    for columns in sizes {
        let (mut points, mut nonzeros) = (Vec::new(), f64::NAN);
        for row in &rows {
            if row.integer("columns")? == columns {
                nonzeros = row.real("nonzeros")?;
                points.push(Point {
                    x: row.real(control)?,
                    successes: row.integer("successes")? as u64,
                    trials: row.integer("trials")? as u64,
                });
            }
        }
        if points.len() < 2 {
            continue;
        }
        let Some(first) = fit_threshold(&points, ONE_SIGMA)?.point() else {
            continue;
        };
        // The curve leaves zero faster than it reaches one, unlike a logistic: only its middle is fitted.
        points.retain(|p| (p.x / first - 1.0).abs() <= MIDDLE);
        if points.len() < 3 {
            continue;
        }
        let narrow = fit_threshold(&points, ONE_SIGMA)?;
        let error = 0.5 * narrow.interval.width();
        if let Some(point) = narrow.point().filter(|_| error.is_finite() && error > 0.0) {
            all.push(Half {
                columns: columns as f64,
                nonzeros,
                point,
                error,
                interval: fit_threshold(&points, 0.05)?.interval,
            });
        }
    }
    Ok(all)
}

/// The weighted line of the 50 % points over a variable of the size; nothing from fewer than three sizes.
pub(super) fn line(halves: &[Half], variable: impl Fn(&Half) -> Result<f64>) -> Result<Option<WeightedLine>> {
    if halves.len() < 3 {
        return Ok(None);
    }
    let x: Vec<f64> = halves.iter().map(variable).collect::<Result<_>>()?;
    let y: Vec<f64> = halves.iter().map(|h| h.point).collect();
    let errors: Vec<f64> = halves.iter().map(|h| h.error).collect();
    WeightedLine::of(&x, &y, &errors).map(Some)
}

/// How far from 1 the finite size is predicted to put the LASSO's 50 % point.
pub(super) fn excess(rule: &str) -> impl Fn(&Half) -> Result<f64> {
    move |half| Ok(predicted(rule, half.columns as usize)? - 1.0)
}

/// `1/ln(p−k)`, the variable of the asymptotic theory.
pub(super) fn inverse_logarithm(half: &Half) -> Result<f64> {
    Ok(1.0 / (half.columns - half.nonzeros).ln())
}
