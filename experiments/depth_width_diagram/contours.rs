//! The 50 % points of the table: the contours over depth and width.

use std::collections::BTreeMap;
use ticketsense::Result;
use ticketsense::statistics::logistic::Point;
use ticketsense::statistics::{HalfPoint, Interval, ThresholdFit, fit_threshold};
use ticketsense::table::Table;

/// A point of the plane at one ratio, for one solver; the ratio in thousandths, so that it can be a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub solver: String,
    pub ratio: i64,
    pub layers: i64,
    pub width: i64,
}

/// The number of nonzeros, over rows, at which half of the planted vectors are recovered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Contour {
    /// The 50 % point of k/m; none where no measured k is on its other side.
    pub half: Option<f64>,
    /// Its interval: 0 or infinite where the data do not bound it.
    pub interval: Interval,
}

/// The contour of an operator at every place. The logistic curve is fitted in `ln(k/m)`: the share is 1 at k = 0, and
/// transitions of small problems are wide.
pub(super) fn contours(table: &Table, operator: &str, level: f64) -> Result<BTreeMap<Place, Contour>> {
    let mut counts: BTreeMap<Place, Vec<Point>> = BTreeMap::new();
    for row in table.iter() {
        if row.text("operator")? != operator {
            continue;
        }
        let place = Place {
            solver: row.text("solver")?.into(),
            ratio: (1000.0 * row.real("ratio")?).round() as i64,
            layers: row.integer("layers")?,
            width: row.integer("width")?,
        };
        counts.entry(place).or_default().push(Point {
            x: (row.integer("nonzeros")? as f64 / row.integer("rows")? as f64).ln(),
            successes: row.integer("successes")?.unsigned_abs(),
            trials: row.integer("trials")?.unsigned_abs(),
        });
    }
    let mut found = BTreeMap::new();
    for (place, points) in counts {
        let fit = fit_threshold(&points, level)?;
        found.insert(place, contour(&fit));
    }
    Ok(found)
}

fn contour(fit: &ThresholdFit) -> Contour {
    // Success must fall with k; a curve that rises is a flat one seen through noise.
    let falls = match fit.half {
        HalfPoint::Fitted { slope, .. } => slope < 0.0,
        HalfPoint::Gap { rising, .. } => !rising,
        _ => false,
    };
    Contour {
        half: fit.point().filter(|_| falls).map(f64::exp),
        interval: Interval {
            lower: fit.interval.lower.exp(),
            upper: fit.interval.upper.exp(),
        },
    }
}
