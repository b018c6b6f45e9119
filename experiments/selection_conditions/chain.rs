//! The chain of conditions on small matrices, by enumeration.

use super::ensembles::{find, stretch};
use super::{BATCH, ORDERS, UNIT, row_of};
use rand::RngExt;
use ticketsense::estimators::{
    Babel, ColumnGram, Estimator, Evidence, ExactRecovery, KernelConcentration, SignedSupports, exact_recovery_value,
    guarantees, irrepresentable_value,
};
use ticketsense::harness::{Cell, Context, Scale};
use ticketsense::linalg::norm;
use ticketsense::operators::{DenseOperator, MeasurementOperator};
use ticketsense::recovery::{BasisPursuit, Omp, Solver};
use ticketsense::table::{Row, Value};
use ticketsense::theory::coherence_bounds::largest_certifiable_order;
use ticketsense::{Error, Result, Seed};

/// Signed supports of one matrix and order that the solvers are run on, at most.
const TRIED: usize = 100;
/// Matrices of a batch whose kernel gets linear programs of its own for every order; the others keep those of order 1.
const JOINT: usize = 1;
/// Columns up to which it does: the two bases gain nothing by it, and their program is the largest.
const JOINT_COLUMNS: usize = 20;

pub(super) fn enumerate(cell: &Cell, replicates: usize, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let ensemble = find(cell.text("ensemble")?)?;
    let unit = cell.text("lengths")? == UNIT;
    let replicates = if ensemble.is_random() { replicates } else { 1 };
    let mut rows = Vec::new();
    for number in 0..replicates {
        context.check()?;
        let seed = seed.replicate(number as u64);
        let mut matrix = ensemble.draw(&seed)?;
        if !unit {
            stretch(&mut matrix, &seed);
        }
        let a = DenseOperator::new(matrix)?;
        let replicate = cell.integer("batch")? * BATCH + number;
        let joint = context.scale() != Scale::Smoke && number < JOINT && ensemble.columns <= JOINT_COLUMNS;
        rows.extend(matrix_rows(&a, joint, &seed)?.into_iter().map(|values| {
            let mut named = vec![
                ("part", Value::from("matrix")),
                ("family", ensemble.name.into()),
                ("lengths", cell.text("lengths")?.into()),
                ("replicate", replicate.into()),
            ];
            named.extend(values);
            row_of(&named)
        }));
    }
    rows.into_iter().collect()
}

type Named = Vec<(&'static str, Value)>;

fn matrix_rows(a: &DenseOperator, joint: bool, seed: &Seed) -> Result<Vec<Named>> {
    let shape = a.shape();
    let max_nonzeros = *ORDERS.end();
    let babel = Babel {
        max_order: shape.columns,
    };
    let babel = babel.estimate(a, seed)?.value;
    let known = guarantees(&Evidence {
        shape,
        babel: &babel,
        isometry: &[],
    });
    let certified = |name: &str| {
        let found = known.iter().find(|g| g.name == name).map(|g| g.largest_nonzeros);
        found.ok_or_else(|| Error::unknown("guarantee", name, known.iter().map(|g| g.name)))
    };
    let (by_coherence, by_babel) = (certified("coherence")?, certified("babel")?);
    // The exact recovery condition is about columns of one length.
    let gram = ColumnGram::of(a)?;
    let unit = gram.normalised();
    let concentration = KernelConcentration { max_nonzeros, joint }.estimate(a, seed)?.value;
    let mut out = Vec::new();
    for nonzeros in ORDERS {
        let exact = ExactRecovery {
            nonzeros,
            ..Default::default()
        };
        let exact = exact.of(&unit)?;
        let supports = SignedSupports {
            nonzeros,
            ..Default::default()
        };
        let counts = supports.estimate(a, seed)?.value;
        let own = own_conditions(&unit, nonzeros)?;
        let runs = run_solvers(a, &gram, &own.supports, seed)?;
        let yes = |b: bool| Value::from(usize::from(b));
        out.push(vec![
            ("rows", shape.rows.into()),
            ("columns", shape.columns.into()),
            ("nonzeros", nonzeros.into()),
            ("coherence", babel.coherence.value.into()),
            ("coherence_nonzeros", by_coherence.into()),
            (
                "welch_nonzeros",
                largest_certifiable_order(shape.rows as u64, shape.columns as u64)?.into(),
            ),
            ("by_coherence", yes(nonzeros <= by_coherence)),
            ("by_babel", yes(nonzeros <= by_babel)),
            ("by_exact_recovery", yes(exact.holding == exact.supports)),
            ("by_irrepresentable", yes(counts.irrepresentable == counts.total)),
            ("by_concentration", yes(nonzeros <= concentration.certified_nonzeros())),
            ("by_enumeration", yes(counts.all_recovered())),
            ("concentration", concentration.upper[nonzeros - 1].into()),
            ("supports", counts.supports.into()),
            ("supports_babel", own.babel.into()),
            ("supports_exact_recovery", exact.holding.into()),
            ("exact_recovery_refuted", exact.failing.into()),
            ("supports_recovered", counts.recovered_supports.into()),
            ("signed", counts.total.into()),
            ("signed_irrepresentable", counts.irrepresentable.into()),
            ("signed_recovered", counts.recovered.into()),
            ("signed_refuted", counts.not_recovered.into()),
            ("babel_broken", own.broken.into()),
            ("tried", runs.tried.into()),
            ("basis_missed", runs.basis_missed.into()),
            ("pursuit_tried", runs.pursuit_tried.into()),
            ("pursuit_missed", runs.pursuit_missed.into()),
        ]);
    }
    Ok(out)
}

/// Every support, and how many fulfil the Babel condition of their own columns.
struct Own {
    supports: Vec<Vec<usize>>,
    babel: usize,
    broken: usize,
}

fn own_conditions(gram: &ColumnGram, nonzeros: usize) -> Result<Own> {
    let mut own = Own {
        supports: subsets(gram.columns(), nonzeros),
        babel: 0,
        broken: 0,
    };
    // 2k − 1 cosines and as many sums.
    let slack = (2 * nonzeros) as f64 * (gram.cosine_error() + 2.0 * f64::EPSILON);
    for support in &own.supports {
        let sum = |j: usize| -> f64 {
            let others = support.iter().filter(|i| **i != j);
            others.map(|&i| gram.cosine(i, j).abs()).sum()
        };
        let (mut inside, mut outside) = (0.0f64, 0.0f64);
        for j in 0..gram.columns() {
            let largest = if support.contains(&j) {
                &mut inside
            } else {
                &mut outside
            };
            *largest = largest.max(sum(j));
        }
        // Tropp's bound μ_out/(1 − μ_in) of the exact recovery coefficient, for this support alone.
        if inside + outside + slack < 1.0 {
            own.babel += 1;
            let value = exact_recovery_value(gram, support)?;
            own.broken += usize::from(value.fails());
        }
    }
    Ok(own)
}

fn subsets(n: usize, k: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..k {
        let longer = |s: &Vec<usize>| {
            let s = s.clone();
            let from = s.last().map_or(0, |last| last + 1);
            (from..n).map(move |j| s.iter().copied().chain([j]).collect())
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

#[derive(Default)]
struct Runs {
    tried: usize,
    basis_missed: usize,
    pursuit_tried: usize,
    pursuit_missed: usize,
}

/// Basis pursuit on signed supports that are irrepresentable, and orthogonal matching pursuit where the exact recovery
/// condition holds, with magnitudes at random: the theorems tried on the solvers.
fn run_solvers(a: &DenseOperator, gram: &ColumnGram, supports: &[Vec<usize>], seed: &Seed) -> Result<Runs> {
    let unit = gram.normalised();
    let mut rng = seed.stream("magnitudes").rng();
    let mut runs = Runs::default();
    let stride = supports.len().div_ceil(TRIED);
    for support in supports.iter().skip(stride / 2).step_by(stride) {
        let mut planted = vec![0.0; a.shape().columns];
        let mut signs = Vec::new();
        for &j in support {
            let size = rng.random_range(0.5..2.0);
            let sign = if rng.random::<bool>() { 1.0 } else { -1.0 };
            signs.push(sign);
            planted[j] = sign * size;
        }
        let y = a.apply(&planted)?;
        if irrepresentable_value(gram, support, &signs)?.holds() {
            runs.tried += 1;
            let answer = BasisPursuit::default().solve(a, &y)?;
            let apart: Vec<f64> = answer.x.iter().zip(&planted).map(|(x, p)| x - p).collect();
            runs.basis_missed += usize::from(norm(&apart) > 1e-5 * norm(&planted));
        }
        if exact_recovery_value(&unit, support)?.holds() {
            runs.pursuit_tried += 1;
            let solver = Omp {
                max_support: Some(support.len()),
                ..Omp::default()
            };
            runs.pursuit_missed += usize::from(solver.solve(a, &y)?.support != *support);
        }
    }
    Ok(runs)
}
