//! The primal-dual witness: whether the LASSO's answer has the planted signed support, without solving for it.
//!
//! With the support S, signs z and noise ε, let `ŵ_S = w_S + G⁻¹(X_Sᵀε − nλz)`, `G = X_SᵀX_S`, and the dual on the other
//! columns `X_Tᵀ(X_S G⁻¹z + Π⊥ε/(nλ))`. The LASSO has one answer, and that has exactly these signs, where sign(ŵ_S) = z and
//! every entry of the dual is below 1 in size (Wainwright 2009, Lemma 3).

use super::problem::{NOISE, Sizes, predicted};
use super::row_of;
use nalgebra::DMatrix;
use rand::RngExt;
use rand_distr::{ChiSquared, Distribution, StandardNormal};
use ticketsense::harness::{Cell, Context};
use ticketsense::linalg::cholesky::UpdatableCholesky;
use ticketsense::linalg::dense::gram;
use ticketsense::linalg::dot;
use ticketsense::operators::{DenseOperator, MeasurementOperator};
use ticketsense::table::Row;
use ticketsense::{Error, Result, Seed};

/// What the witness says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    pub signs: bool,
    pub dual: bool,
}

fn normal(rng: &mut impl rand::Rng) -> f64 {
    rng.sample(StandardNormal)
}

fn signs(count: usize, rng: &mut impl rand::Rng) -> Vec<f64> {
    (0..count)
        .map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 })
        .collect()
}

/// The witness for a drawn matrix whose first columns are the support, for weights `z` and noise `epsilon`.
pub(super) fn of_matrix(x: &DMatrix<f64>, z: &[f64], epsilon: &[f64], penalty: f64) -> Result<Witness> {
    let (rows, k) = (x.nrows(), z.len());
    let scale = rows as f64 * penalty;
    let on = DenseOperator::new(x.columns(0, k).into_owned())?;
    let g = gram(on.matrix());
    let mut factor = UpdatableCholesky::with_capacity(k);
    for j in 0..k {
        let cross: Vec<f64> = (0..j).map(|i| g[(i, j)]).collect();
        if !factor.append(&cross, g[(j, j)], f64::EPSILON).accepted {
            return Err(Error::numerical(
                "witness",
                "columns on the support that depend on each other",
            ));
        }
    }
    let correlations = on.adjoint(epsilon)?;
    let mut change: Vec<f64> = correlations.iter().zip(z).map(|(c, z)| c - scale * z).collect();
    factor.solve_in_place(&mut change);
    let mut explained = correlations;
    factor.solve_in_place(&mut explained);
    let mut by_signs = z.to_vec();
    factor.solve_in_place(&mut by_signs);
    // X_S G⁻¹z + (ε − X_S G⁻¹X_Sᵀε)/(nλ).
    let mixed: Vec<f64> = by_signs.iter().zip(&explained).map(|(s, e)| s - e / scale).collect();
    let mut v = on.apply(&mixed)?;
    v.iter_mut().zip(epsilon).for_each(|(v, e)| *v += e / scale);
    let dual = DenseOperator::new(x.clone())?.adjoint(&v)?;
    Ok(Witness {
        signs: z.iter().zip(&change).all(|(z, c)| (z + c) * z > 0.0),
        dual: dual[k..].iter().all(|d| d.abs() < 1.0),
    })
}

/// A witness with the law of one for a matrix of independent standard normal entries, without the matrix.
///
/// All that the witness asks of the columns on the support is `G = RᵀR`, with R triangular, independent normal above the
/// diagonal and χ on it (Bartlett); of the noise, k normals and the χ² of the rest. Given these the dual on the other
/// columns is independent normal. Cost: k²/2 + p normals instead of n p.
pub(super) fn of_law(sizes: Sizes, seed: &Seed) -> Result<Witness> {
    let Sizes {
        columns,
        nonzeros: k,
        rows,
    } = sizes;
    if rows <= k {
        return Err(Error::argument("rows", format!("more than the {k} nonzeros"), rows));
    }
    let chi_square = |degrees: usize, rng: &mut _| -> Result<f64> {
        let law = ChiSquared::new(degrees as f64).map_err(|e| Error::numerical("χ² law", e.to_string()))?;
        Ok(law.sample(rng))
    };
    let mut rng = seed.rng();
    let z = signs(k, &mut rng);
    let scale = rows as f64 * sizes.penalty();
    // R by columns, and a = R⁻ᵀz on the way.
    let mut r: Vec<Vec<f64>> = Vec::with_capacity(k);
    let mut a: Vec<f64> = Vec::with_capacity(k);
    for (j, sign) in z.iter().enumerate() {
        let mut column: Vec<f64> = (0..j).map(|_| normal(&mut rng)).collect();
        let diagonal = chi_square(rows - j, &mut rng)?.sqrt();
        a.push((sign - dot(&column, &a)) / diagonal);
        column.push(diagonal);
        r.push(column);
    }
    // δ = R⁻¹(σ g − nλ a).
    let mut change: Vec<f64> = a.iter().map(|a| NOISE * normal(&mut rng) - scale * a).collect();
    for j in (0..k).rev() {
        let value = change[j] / r[j][j];
        change[j] = value;
        change[..j].iter_mut().zip(&r[j]).for_each(|(c, r)| *c -= value * r);
    }
    let rest = NOISE * NOISE * chi_square(rows - k, &mut rng)?;
    let length = (dot(&a, &a) + rest / (scale * scale)).sqrt();
    let dual = (k..columns).all(|_| length * normal(&mut rng).abs() < 1.0);
    Ok(Witness {
        signs: z.iter().zip(&change).all(|(z, c)| (z + c) * z > 0.0),
        dual,
    })
}

/// A whole problem, and its witness.
pub(super) fn drawn_matrix(sizes: Sizes, seed: &Seed) -> Result<(DMatrix<f64>, Vec<f64>, Vec<f64>)> {
    let mut rng = seed.rng();
    let x = DMatrix::from_fn(sizes.rows, sizes.columns, |_, _| normal(&mut rng));
    let z = signs(sizes.nonzeros, &mut rng);
    let epsilon: Vec<f64> = (0..sizes.rows).map(|_| NOISE * normal(&mut rng)).collect();
    Ok((x, z, epsilon))
}

fn counted(
    part: &str,
    rule: &str,
    drawn: &str,
    sizes: Sizes,
    trials: usize,
    mut one: impl FnMut(usize) -> Result<Witness>,
) -> Result<Row> {
    let [mut successes, mut wrong_sign, mut not_dual] = [0usize; 3];
    for trial in 0..trials {
        let witness = one(trial)?;
        successes += usize::from(witness.signs && witness.dual);
        wrong_sign += usize::from(!witness.signs);
        not_dual += usize::from(!witness.dual);
    }
    row_of(&[
        ("part", part.into()),
        ("rule", rule.into()),
        ("drawn", drawn.into()),
        ("columns", sizes.columns.into()),
        ("nonzeros", sizes.nonzeros.into()),
        ("rows", sizes.rows.into()),
        ("theta", sizes.theta()?.into()),
        ("theta_noisy", sizes.theta_noisy()?.into()),
        ("penalty", sizes.penalty().into()),
        ("correlation", 0.0.into()),
        (
            "decibels",
            (10.0 * (sizes.nonzeros as f64 / (NOISE * NOISE)).log10()).into(),
        ),
        ("trials", trials.into()),
        ("successes", successes.into()),
        ("wrong_sign", wrong_sign.into()),
        ("not_dual", not_dual.into()),
    ])
}

/// Recovery by the LASSO at one size and number of rows.
pub(super) fn recovery(cell: &Cell, trials: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let (rule, columns) = (cell.text("rule")?, cell.integer("columns")?);
    let sizes = Sizes::at(rule, columns, cell.real("around")? * predicted(rule, columns)?)?;
    let row = counted("lasso", rule, "gram", sizes, trials, |trial| {
        context.check()?;
        of_law(sizes, &seed.replicate(trial as u64))
    })?;
    Ok(vec![row])
}

/// The size at which both ways to draw a witness are compared.
const COMPARED: usize = 64;

/// The same by either way to draw the witness, each from its own stream.
pub(super) fn laws(cell: &Cell, trials: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let drawn = cell.text("drawn")?;
    let sizes = Sizes::at(
        "sublinear",
        COMPARED,
        cell.real("around")? * predicted("sublinear", COMPARED)?,
    )?;
    let seed = seed.stream(drawn);
    let row = counted("law", "sublinear", drawn, sizes, trials, |trial| {
        context.check()?;
        let seed = seed.replicate(trial as u64);
        if drawn == "gram" {
            return of_law(sizes, &seed);
        }
        let (x, z, epsilon) = drawn_matrix(sizes, &seed)?;
        of_matrix(&x, &z, &epsilon, sizes.penalty())
    })?;
    Ok(vec![row])
}
