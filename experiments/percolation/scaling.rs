//! Threshold and exponents from counts: finite-size scaling with free exponents, and spreading at the threshold.

use super::local::NEIGHBOURING;
use super::point::Point;
use nalgebra::{DMatrix, DVector};
use ticketsense::Result;
use ticketsense::statistics::{Interval, Summary};
use ticketsense::table::{Record, Table};

/// The survival from depth L to 2L at one keep probability, as the exponent that it looks like there: `−log₂ P`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Octave {
    pub layers: f64,
    pub keep: f64,
    pub exponent: f64,
    pub error: f64,
}

/// The octaves of a model.
pub(super) fn octaves(table: &Table, model: &str) -> Result<Vec<Octave>> {
    let points = Point::read(table, "scaling")?;
    let usable = points
        .iter()
        .filter(|p| p.model == model && p.alive > 0 && p.alive < p.replicates);
    Ok(usable
        .map(|p| {
            let (alive, all) = (p.alive as f64, p.replicates as f64);
            Octave {
                layers: p.from_depth as f64,
                keep: p.keep,
                exponent: -(alive / all).log2(),
                // Delta method.
                error: ((1.0 - alive / all) / alive).sqrt() / std::f64::consts::LN_2,
            }
        })
        .collect())
}

/// What vanishes slowest with the depth: `1/L` in directed percolation, where corrections are analytic, `ln L/L` on trees.
pub(super) fn correction(model: &str, layers: f64) -> f64 {
    match model == NEIGHBOURING {
        true => 1.0 / layers,
        false => layers.ln() / layers,
    }
}

/// Weighted least squares: coefficients and χ², or none where the columns are dependent.
fn least_squares(columns: &[Vec<f64>], values: &[f64], errors: &[f64]) -> Option<(DVector<f64>, f64)> {
    let (rows, count) = (values.len(), columns.len());
    let scaled = |column: &[f64]| column.iter().zip(errors).map(|(v, e)| v / e).collect::<Vec<f64>>();
    let columns: Vec<Vec<f64>> = columns.iter().map(|c| scaled(c)).collect();
    let values = scaled(values);
    // Columns of unit length keep the normal equations of these few smooth functions well within double precision.
    let norms: Vec<f64> = columns
        .iter()
        .map(|c| c.iter().map(|v| v * v).sum::<f64>().sqrt().max(f64::MIN_POSITIVE))
        .collect();
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let gram = DMatrix::from_fn(count, count, |i, j| {
        product(&columns[i], &columns[j]) / (norms[i] * norms[j])
    });
    let right = DVector::from_fn(count, |i, _| product(&columns[i], &values) / norms[i]);
    let mut found = gram.cholesky()?.solve(&right);
    (0..count).for_each(|i| found[i] /= norms[i]);
    let chi_square = (0..rows)
        .map(|row| {
            let fitted: f64 = (0..count).map(|i| found[i] * columns[i][row]).sum();
            (values[row] - fitted).powi(2)
        })
        .sum();
    Some((found, chi_square))
}

/// Values of the three numbers that are asked for; none is free.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    keep: Option<f64>,
    inverse: Option<f64>,
    exponent: Option<f64>,
}

/// A scaling law `exponent(q, L) = δ + a₁x + a₂x² + a₃x³ + (c₀ + c₁x)·correction(L)`, `x = (q − q_c) L^{1/ν}`, through octaves.
#[derive(Clone, Debug)]
pub(super) struct Scaling {
    pub keep: f64,
    /// 1/ν.
    pub inverse: f64,
    /// δ, a₁, a₂, a₃, c₀, c₁.
    pub coefficients: Vec<f64>,
    pub chi_square: f64,
    /// Octaves minus free numbers.
    pub degrees: usize,
}

/// Free numbers: two in x, six coefficients.
const FREE: usize = 8;

impl Scaling {
    pub(super) fn variable(&self, octave: &Octave) -> f64 {
        (octave.keep - self.keep) * octave.layers.powf(self.inverse)
    }

    /// The exponent without the corrections of finite depth.
    pub(super) fn at(&self, x: f64) -> f64 {
        let c = &self.coefficients;
        c[0] + x * (c[1] + x * (c[2] + x * c[3]))
    }

    /// What the correction takes away from an octave.
    pub(super) fn corrected(&self, model: &str, octave: &Octave) -> f64 {
        let (c, x) = (&self.coefficients, self.variable(octave));
        octave.exponent - (c[4] + c[5] * x) * correction(model, octave.layers)
    }
}

/// For given q_c and 1/ν everything else is linear.
fn inner(model: &str, octaves: &[Octave], keep: f64, inverse: f64, held: Option<f64>) -> Option<(Vec<f64>, f64)> {
    let x: Vec<f64> = octaves
        .iter()
        .map(|o| (o.keep - keep) * o.layers.powf(inverse))
        .collect();
    let small: Vec<f64> = octaves.iter().map(|o| correction(model, o.layers)).collect();
    let mut columns = vec![
        vec![1.0; x.len()],
        x.clone(),
        x.iter().map(|x| x * x).collect(),
        x.iter().map(|x| x * x * x).collect(),
        small.clone(),
        small.iter().zip(&x).map(|(c, x)| c * x).collect(),
    ];
    if held.is_some() {
        columns.remove(0);
    }
    let values: Vec<f64> = octaves.iter().map(|o| o.exponent - held.unwrap_or(0.0)).collect();
    let errors: Vec<f64> = octaves.iter().map(|o| o.error).collect();
    let (found, chi_square) = least_squares(&columns, &values, &errors)?;
    let coefficients = held.into_iter().chain(found.iter().copied()).collect();
    Some((coefficients, chi_square))
}

/// Numbers around a centre, or the one that is held.
fn places(held: Option<f64>, centre: f64, reach: f64) -> Vec<f64> {
    const SIDE: i32 = 3;
    match held {
        Some(value) => vec![value],
        None => (-SIDE..=SIDE)
            .map(|i| centre + reach * f64::from(i) / f64::from(SIDE))
            .collect(),
    }
}

/// The best fit with some numbers held, by grids that close in on their best place in q_c and 1/ν, where everything else is linear.
///
/// The valley in q_c is narrow and its place depends on 1/ν, so that it is first looked for at every 1/ν of a list.
fn best(model: &str, octaves: &[Octave], held: Held) -> Option<Scaling> {
    let keeps = octaves.iter().map(|o| o.keep);
    let (low, high) = (keeps.clone().fold(f64::INFINITY, f64::min), keeps.fold(0.0, f64::max));
    let mut found: Option<Scaling> = None;
    let mut look = |keep: f64, inverse: f64, least: &mut f64| -> bool {
        let fit = inner(model, octaves, keep, inverse, held.exponent);
        let Some((coefficients, chi_square)) = fit.filter(|(_, chi_square)| *chi_square < *least) else {
            return false;
        };
        *least = chi_square;
        if found.as_ref().is_none_or(|f| chi_square < f.chi_square) {
            found = Some(Scaling {
                keep,
                inverse,
                coefficients,
                chi_square,
                degrees: octaves.len().saturating_sub(FREE),
            });
        }
        true
    };
    let mut start = (f64::INFINITY, 0.5 * (low + high), 0.8);
    for inverse in held
        .inverse
        .map_or((3..=15).map(|i| 0.1 * f64::from(i)).collect(), |v| vec![v])
    {
        let (mut centre, mut reach, mut least) = (0.5 * (low + high), 0.5 * (high - low), f64::INFINITY);
        for _ in 0..12 {
            for keep in places(held.keep, centre, reach) {
                if look(keep, inverse, &mut least) {
                    centre = keep;
                }
            }
            reach *= 0.5;
        }
        if least < start.0 {
            start = (least, centre, inverse);
        }
    }
    let (mut least, mut centre) = (start.0, (start.1, start.2));
    let mut reach = (0.02 * (high - low), 0.1);
    // 0.75^50 of the first reach is below 1e-6 of it.
    for _ in 0..50 {
        let around = centre;
        for keep in places(held.keep, around.0, reach.0) {
            for inverse in places(held.inverse, around.1, reach.1) {
                if look(keep, inverse, &mut least) {
                    centre = (keep, inverse);
                }
            }
        }
        // Where the best place is at the rim the grid moves on before it closes in.
        let moved = |new: f64, old: f64, reach: f64| (new - old).abs() > 0.9 * reach;
        if !(moved(centre.0, around.0, reach.0) || moved(centre.1, around.1, reach.1)) {
            reach = (0.75 * reach.0, 0.75 * reach.1);
        }
    }
    found
}

/// The three numbers with profile-likelihood intervals.
#[derive(Clone, Debug)]
pub(super) struct Profiles {
    pub fit: Scaling,
    pub keep: Interval,
    /// ν, not its inverse.
    pub length: Interval,
    /// δ.
    pub exponent: Interval,
}

/// Fits the scaling law of a model; `z` standard errors are `χ² − χ²_min = z²`. None with too few octaves.
pub(super) fn profiles(table: &Table, model: &str, z: f64) -> Result<Option<Profiles>> {
    let octaves = octaves(table, model)?;
    if octaves.len() <= FREE {
        return Ok(None);
    }
    let Some(fit) = best(model, &octaves, Held::default()) else {
        return Ok(None);
    };
    let excess =
        |held: Held| best(model, &octaves, held).map_or(f64::INFINITY, |f| f.chi_square - fit.chi_square) - z * z;
    let ends = |estimate: f64, first: f64, hold: &dyn Fn(f64) -> Held| {
        let end = |side: f64| {
            let mut step = first;
            while excess(hold(estimate + side * step)) < 0.0 && step < 1e3 * first {
                step *= 2.0;
            }
            if step >= 1e3 * first {
                return side * f64::INFINITY;
            }
            let (mut inside, mut outside) = (0.0, step);
            for _ in 0..14 {
                let middle = 0.5 * (inside + outside);
                if excess(hold(estimate + side * middle)) < 0.0 {
                    inside = middle;
                } else {
                    outside = middle;
                }
            }
            estimate + side * outside
        };
        (end(-1.0), end(1.0))
    };
    let (lower, upper) = ends(fit.keep, 1e-3, &|keep| Held {
        keep: Some(keep),
        ..Held::default()
    });
    let keep = Interval { lower, upper };
    let (lower, upper) = ends(fit.inverse, 1e-2, &|inverse| Held {
        inverse: Some(inverse),
        ..Held::default()
    });
    let length = Interval {
        lower: if upper.is_finite() { 1.0 / upper } else { 0.0 },
        upper: if lower > 0.0 { 1.0 / lower } else { f64::INFINITY },
    };
    let (lower, upper) = ends(fit.coefficients[0], 1e-2, &|exponent| Held {
        exponent: Some(exponent),
        ..Held::default()
    });
    Ok(Some(Profiles {
        fit,
        keep,
        length,
        exponent: Interval { lower, upper },
    }))
}

/// Survival and reached units of one model at its threshold, summed over groups but for one.
#[derive(Clone, Debug)]
struct Group {
    number: i64,
    /// (depth, replicates, alive, reached).
    rows: Vec<[f64; 4]>,
}

/// Means over all groups and exponents from them.
#[derive(Clone, Debug)]
pub(super) struct Spreading {
    /// (depth, survival, its standard error, reached units a replicate, its standard error).
    pub means: Vec<[f64; 5]>,
    /// Survival falls like `L^(−δ)`: δ and its interval.
    pub survival: (f64, Interval),
    /// Reached units grow like `L^θ`: θ and its interval.
    pub reached: (f64, Interval),
}

/// Exponents of a model at its threshold by jackknife over independent groups; none with fewer than three of them or five depths.
pub(super) fn spreading(table: &Table, model: &str, level: f64) -> Result<Option<Spreading>> {
    let mut groups: Vec<Group> = Vec::new();
    let here =
        |r: &Record<'_>| r.text("part").is_ok_and(|p| p == "spreading") && r.text("model").is_ok_and(|m| m == model);
    for record in table.filter(here) {
        let number = record.integer("group")?;
        let mut row = [0.0; 4];
        for (place, name) in ["depth", "replicates", "alive", "reached"].into_iter().enumerate() {
            row[place] = record.integer(name)? as f64;
        }
        match groups.iter_mut().find(|g| g.number == number) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group {
                number,
                rows: vec![row],
            }),
        }
    }
    let depths = groups.first().map_or(0, |g| g.rows.len());
    if groups.len() < 3 || depths < 5 || groups.iter().any(|g| g.rows.len() != depths) {
        return Ok(None);
    }
    let share = |kept: &dyn Fn(usize) -> bool, depth: usize, column: usize| {
        let chosen = || {
            groups
                .iter()
                .enumerate()
                .filter(|(i, _)| kept(*i))
                .map(|(_, g)| g.rows[depth])
        };
        chosen().map(|row| row[column]).sum::<f64>() / chosen().map(|row| row[1]).sum::<f64>()
    };
    let layers: Vec<f64> = groups[0].rows.iter().map(|row| row[0]).collect();
    let mut means: Vec<[f64; 5]> = layers.iter().map(|&depth| [depth, 0.0, 0.0, 0.0, 0.0]).collect();
    let mut answers = Vec::new();
    for (column, place) in [(2, 1), (3, 3)] {
        for (depth, means) in means.iter_mut().enumerate() {
            let single: Vec<f64> = groups
                .iter()
                .map(|g| g.rows[depth][column] / g.rows[depth][1])
                .collect();
            means[place] = share(&|_| true, depth, column);
            means[place + 1] = Summary::of(&single)?.standard_error();
        }
        // The errors weight the depths only; that depths of a run are correlated is the jackknife's business.
        let errors: Vec<f64> = means.iter().map(|m| m[place + 1] / m[place]).collect();
        let slope = |kept: &dyn Fn(usize) -> bool| {
            let values: Vec<f64> = (0..depths).map(|depth| share(kept, depth, column).ln()).collect();
            let mut columns = vec![
                vec![1.0; depths],
                layers.iter().map(|l| l.ln()).collect(),
                layers.iter().map(|&l| correction(model, l)).collect(),
            ];
            if model != NEIGHBOURING {
                // 1/s_L = aL + b ln L + c: without c the logarithm alone bends the power at these depths by a tenth.
                columns.push(layers.iter().map(|l| l.recip()).collect());
            }
            least_squares(&columns, &values, &errors).map_or(f64::NAN, |(found, _)| found[1])
        };
        let all = slope(&|_| true);
        let count = groups.len() as f64;
        let pseudo: Vec<f64> = (0..groups.len())
            .map(|left| count * all - (count - 1.0) * slope(&|group| group != left))
            .collect();
        if pseudo.iter().any(|v| !v.is_finite()) {
            return Ok(None);
        }
        answers.push((all, Summary::of(&pseudo)?.interval(level)?));
    }
    let (survival, reached) = (answers[0], answers[1]);
    Ok(Some(Spreading {
        means,
        survival: (
            -survival.0,
            Interval {
                lower: -survival.1.upper,
                upper: -survival.1.lower,
            },
        ),
        reached,
    }))
}
