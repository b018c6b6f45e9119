//! What coherence and restricted isometry constants certify, with the constants of the theorems.
//!
//! All are sufficient conditions over *every* vector with at most k nonzeros; none is necessary, and typical matrices
//! recover far more than any of them certifies. Order 1 says nothing: `δ₁ = 0` for every matrix with unit columns, even
//! one with two equal columns, so only constants of order 2 and more count. An order that is not an integer is rounded up.

use super::coherence::BabelFunction;
use super::isometry::RestrictedIsometry;
use crate::operators::Shape;

/// Which matrix a guarantee speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A itself.
    AsGiven,
    /// A with every column divided by its norm. Recovery of a support carries over to A for methods that normalise the
    /// columns. It carries over to basis pursuit where all columns have one length; otherwise what is certified is basis
    /// pursuit weighted by the column norms, `min Σ ‖aⱼ‖ |xⱼ|`, and plain basis pursuit may lose what that one finds.
    UnitColumns,
}

impl Subject {
    /// The words used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Subject::AsGiven => "as given",
            Subject::UnitColumns => "unit columns",
        }
    }
}

/// One theorem and how far it reaches for an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Guarantee {
    /// A short name.
    pub name: &'static str,
    /// The recovery methods it is about.
    pub method: &'static str,
    /// The sufficient condition for all vectors with at most k nonzeros.
    pub condition: &'static str,
    /// Where it is proven.
    pub source: &'static str,
    /// The matrix it speaks of.
    pub subject: Subject,
    /// The largest number of nonzeros k that is certified; 0 when none is.
    pub largest_nonzeros: usize,
    /// The same for the best multiple cA (see [`RestrictedIsometry::rescaled`]); none for conditions that do not depend
    /// on c.
    pub largest_nonzeros_rescaled: Option<usize>,
    /// The largest k that the evidence could have certified: beyond it nothing was examined.
    pub examined_up_to: usize,
}

impl Guarantee {
    /// Whether nothing is certified, not even a single nonzero, with or without rescaling.
    pub fn is_vacuous(&self) -> bool {
        self.largest_nonzeros.max(self.largest_nonzeros_rescaled.unwrap_or(0)) == 0
    }
}

/// What is known about an operator.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The size of the operator.
    pub shape: Shape,
    /// Coherence and Babel function.
    pub babel: &'a BabelFunction,
    /// Restricted isometry constants of any orders; their upper ends are used.
    pub isometry: &'a [RestrictedIsometry],
}

/// A sufficient condition on restricted isometry constants: `δ_order(k) < threshold(k)`.
struct IsometryTheorem {
    name: &'static str,
    method: &'static str,
    condition: &'static str,
    source: &'static str,
    order: fn(usize) -> usize,
    threshold: fn(usize) -> f64,
}

const ISOMETRY_THEOREMS: [IsometryTheorem; 7] = [
    IsometryTheorem {
        name: "basis-pursuit-2k",
        method: "basis pursuit",
        condition: "δ_2k < √2 − 1",
        source: "Candès 2008",
        order: |k| 2 * k,
        threshold: |_| std::f64::consts::SQRT_2 - 1.0,
    },
    IsometryTheorem {
        name: "basis-pursuit-k",
        method: "basis pursuit",
        condition: "δ_k < 1/3, k ≥ 2",
        source: "Cai & Zhang 2013",
        order: |k| k,
        threshold: |_| 1.0 / 3.0,
    },
    IsometryTheorem {
        name: "basis-pursuit-2k-sharp",
        method: "basis pursuit",
        condition: "δ_2k < 1/√2",
        source: "Cai & Zhang 2014",
        order: |k| 2 * k,
        threshold: |_| std::f64::consts::FRAC_1_SQRT_2,
    },
    IsometryTheorem {
        name: "iterative-hard-thresholding-3k",
        method: "unit-step IHT and HTP",
        condition: "δ_3k < 1/√3",
        source: "Foucart 2011",
        order: |k| 3 * k,
        threshold: |_| 1.0 / 3f64.sqrt(),
    },
    IsometryTheorem {
        name: "iterative-hard-thresholding-2k",
        method: "unit-step IHT",
        condition: "δ_2k < 0.3568",
        source: "Xie 2023",
        order: |k| 2 * k,
        threshold: |_| 0.3568,
    },
    IsometryTheorem {
        name: "hard-thresholding-pursuit-2k",
        method: "unit-step HTP",
        condition: "δ_2k < 0.3780",
        source: "Xie 2023",
        order: |k| 2 * k,
        threshold: |_| 0.3780,
    },
    IsometryTheorem {
        name: "matching-pursuit-k+1",
        method: "OMP",
        condition: "δ_{k+1} < 1/√(k+1)",
        source: "Mo 2015",
        order: |k| k + 1,
        threshold: |k| 1.0 / ((k + 1) as f64).sqrt(),
    },
];

/// The sharp bound on `δ_tk` for basis pursuit: `√((t−1)/t)` for `t ≥ 4/3` (Cai & Zhang 2014), `t/(4−t)` for
/// `0 < t < 4/3` with `tk ≥ 2` (Zhang & Li 2018).
///
/// ```
/// use ticketsense::estimators::sharp_isometry_bound;
/// assert!((sharp_isometry_bound(2.0) - 0.5f64.sqrt()).abs() < 1e-15);
/// assert!((sharp_isometry_bound(1.0) - 1.0 / 3.0).abs() < 1e-15);
/// ```
pub fn sharp_isometry_bound(t: f64) -> f64 {
    if 3.0 * t >= 4.0 {
        ((t - 1.0) / t).sqrt()
    } else {
        t / (4.0 - t)
    }
}

/// Every guarantee and the largest number of nonzeros that it certifies, in a fixed order.
pub fn guarantees(evidence: &Evidence<'_>) -> Vec<Guarantee> {
    let mut out = vec![by_coherence(evidence), by_babel(evidence)];
    out.extend(ISOMETRY_THEOREMS.iter().map(|t| by_isometry(evidence, t)));
    out.push(sharp(
        evidence,
        "basis-pursuit-tk",
        "δ_tk < √((t−1)/t) for some t ≥ 4/3",
        "Cai & Zhang 2014",
        |q, k| 3 * q >= 4 * k,
    ));
    out.push(sharp(
        evidence,
        "basis-pursuit-tk-small",
        "δ_tk < t/(4−t) for some t < 4/3, tk ≥ 2",
        "Zhang & Li 2018",
        |q, k| 3 * q < 4 * k,
    ));
    out
}

/// The methods that a condition on unit columns is about, for a matrix whose columns do or do not have one length.
pub(super) fn unit_column_methods(equal_lengths: bool) -> &'static str {
    if equal_lengths {
        "OMP and basis pursuit"
    } else {
        "OMP and norm-weighted basis pursuit"
    }
}

/// Whether the restricted isometry constants of order 1, which are the squared column norms, show one length up to the
/// rounding of normalising columns. Without them nothing is shown.
fn has_equal_lengths(evidence: &Evidence<'_>) -> bool {
    let rounding = 4.0 * (evidence.shape.rows + 8) as f64 * f64::EPSILON;
    let first = evidence.isometry.iter().find(|r| r.order == 1);
    first.is_some_and(|r| r.lambda_max.upper <= r.lambda_min.lower * (1.0 + rounding))
}

fn by_coherence(evidence: &Evidence<'_>) -> Guarantee {
    let n = evidence.shape.columns;
    let mu = evidence.babel.coherence.value + evidence.babel.coherence.error_bound;
    let certified = |k: usize| (2 * k - 1) as f64 * mu < 1.0;
    // (2k − 1)μ < 1 fails first at k = (1 + 1/μ)/2, give or take a rounding.
    let guess = (0.5 * (1.0 + 1.0 / mu)).min(n as f64) as usize + 1;
    Guarantee {
        name: "coherence",
        method: unit_column_methods(has_equal_lengths(evidence)),
        condition: "(2k − 1) μ < 1",
        source: "Tropp 2004; Donoho & Elad 2003",
        subject: Subject::UnitColumns,
        largest_nonzeros: if evidence.babel.coherence.zero_columns > 0 {
            0
        } else {
            (1..=guess.min(n)).rev().find(|&k| certified(k)).unwrap_or(0)
        },
        largest_nonzeros_rescaled: None,
        examined_up_to: n,
    }
}

fn by_babel(evidence: &Evidence<'_>) -> Guarantee {
    let n = evidence.shape.columns;
    let babel = evidence.babel;
    let certified = |k: usize| matches!((babel.upper(k - 1), babel.upper(k)), (Some(x), Some(y)) if x + y < 1.0);
    let examined = babel.values.len().min(n);
    Guarantee {
        name: "babel",
        method: unit_column_methods(has_equal_lengths(evidence)),
        condition: "μ₁(k−1) + μ₁(k) < 1",
        source: "Tropp 2004",
        subject: Subject::UnitColumns,
        largest_nonzeros: if babel.coherence.zero_columns > 0 {
            0
        } else {
            (1..=examined).rev().find(|&k| certified(k)).unwrap_or(0)
        },
        largest_nonzeros_rescaled: None,
        examined_up_to: examined,
    }
}

/// δ is nondecreasing in its order, so a constant of a larger order than needed serves too.
fn by_isometry(evidence: &Evidence<'_>, theorem: &IsometryTheorem) -> Guarantee {
    let n = evidence.shape.columns;
    let usable = || evidence.isometry.iter().filter(|r| r.order >= 2);
    let needed = |k: usize| (theorem.order)(k).max(2);
    let largest = |value: &dyn Fn(&RestrictedIsometry) -> f64| {
        let certified = |k: usize| usable().any(|r| r.order >= needed(k) && value(r) < (theorem.threshold)(k));
        (1..=n).rev().find(|&k| certified(k)).unwrap_or(0)
    };
    Guarantee {
        name: theorem.name,
        method: theorem.method,
        condition: theorem.condition,
        source: theorem.source,
        subject: Subject::AsGiven,
        largest_nonzeros: largest(&|r| r.upper),
        largest_nonzeros_rescaled: Some(largest(&|r| r.rescaled().upper)),
        examined_up_to: (1..=n)
            .rev()
            .find(|&k| usable().any(|r| r.order >= needed(k)))
            .unwrap_or(0),
    }
}

/// The family in t: every known order q serves every k with t = q/k in the range of the theorem.
fn sharp(
    evidence: &Evidence<'_>,
    name: &'static str,
    condition: &'static str,
    source: &'static str,
    in_range: fn(usize, usize) -> bool,
) -> Guarantee {
    let n = evidence.shape.columns;
    let usable = || evidence.isometry.iter().filter(|r| r.order >= 2);
    let applies = |r: &RestrictedIsometry, k: usize| in_range(r.order, k);
    let largest = |value: &dyn Fn(&RestrictedIsometry) -> f64| {
        let certified =
            |k: usize| usable().any(|r| applies(r, k) && value(r) < sharp_isometry_bound(r.order as f64 / k as f64));
        (1..=n).rev().find(|&k| certified(k)).unwrap_or(0)
    };
    Guarantee {
        name,
        method: "basis pursuit",
        condition,
        source,
        subject: Subject::AsGiven,
        largest_nonzeros: largest(&|r| r.upper),
        largest_nonzeros_rescaled: Some(largest(&|r| r.rescaled().upper)),
        examined_up_to: (1..=n).rev().find(|&k| usable().any(|r| applies(r, k))).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimators::{Babel, Estimator, RestrictedIsometryConstant};
    use crate::linalg::dense::gram;
    use crate::operators::{DenseOperator, MeasurementOperator};
    use crate::seed::Seed;
    use nalgebra::{DMatrix, DVector};
    use rand::RngExt;
    use rand_distr::StandardNormal;

    fn table(a: &DMatrix<f64>, order: usize) -> Vec<Guarantee> {
        let operator = DenseOperator::new(a.clone()).unwrap();
        let seed = Seed::root(0);
        let babel = Babel { max_order: order }.estimate(&operator, &seed).unwrap().value;
        let isometry = RestrictedIsometryConstant::of_order(order)
            .profile(&operator, &seed)
            .unwrap()
            .value;
        guarantees(&Evidence {
            shape: operator.shape(),
            babel: &babel,
            isometry: &isometry,
        })
    }

    fn of<'a>(table: &'a [Guarantee], name: &str) -> &'a Guarantee {
        table.iter().find(|g| g.name == name).unwrap()
    }

    fn unit_gaussian(m: usize, n: usize, seed: u64) -> DMatrix<f64> {
        let mut rng = Seed::root(seed).stream("guarantees").rng();
        let mut a = DMatrix::from_fn(m, n, |_, _| rng.sample::<f64, _>(StandardNormal));
        for mut c in a.column_iter_mut() {
            c.normalize_mut();
        }
        a
    }

    #[test]
    fn orthonormal_columns_certify_all_that_was_examined() {
        for g in table(&DMatrix::identity(8, 8), 6) {
            assert_eq!(g.largest_nonzeros, g.examined_up_to, "{g:?}");
            assert!(!g.is_vacuous());
        }
        let t = table(&DMatrix::identity(8, 8), 6);
        assert_eq!(of(&t, "basis-pursuit-2k").examined_up_to, 3);
        assert_eq!(of(&t, "iterative-hard-thresholding-3k").examined_up_to, 2);
        assert_eq!(of(&t, "matching-pursuit-k+1").examined_up_to, 5);
    }

    #[test]
    fn order_one_alone_certifies_nothing_by_isometry() {
        let t = table(&DMatrix::identity(4, 4), 1);
        for g in t.iter().filter(|g| g.subject == Subject::AsGiven) {
            assert!(g.is_vacuous() && g.examined_up_to == 0, "{g:?}");
        }
    }

    #[test]
    fn two_equal_columns_or_a_zero_column_certify_nothing_at_all() {
        let mut a = DMatrix::identity(6, 6);
        a.set_column(5, &a.column(0).into_owned());
        assert!(table(&a, 4).iter().all(Guarantee::is_vacuous));
        let mut a = DMatrix::identity(6, 6);
        a.column_mut(3).fill(0.0);
        assert!(table(&a, 4).iter().all(Guarantee::is_vacuous));
    }

    #[test]
    fn plain_basis_pursuit_is_certified_by_unit_columns_only_where_lengths_are_equal() {
        let methods = |a: &DMatrix<f64>| {
            let table = table(a, 2);
            [of(&table, "coherence").method, of(&table, "babel").method]
        };
        let unit = unit_gaussian(7, 9, 3);
        assert_eq!(methods(&(&unit * 3.0)), ["OMP and basis pursuit"; 2]);
        // A longer column is cheaper in ℓ₁, so plain basis pursuit may prefer it; coherence does not show that.
        let mut stretched = unit;
        stretched.column_mut(1).scale_mut(2.0);
        assert_eq!(methods(&stretched), ["OMP and norm-weighted basis pursuit"; 2]);
    }

    #[test]
    fn the_small_t_bound_at_order_two_is_the_coherence_condition() {
        for k in 2..200usize {
            let t = 2.0 / k as f64;
            let expected = 1.0 / (2 * k - 1) as f64;
            assert!((sharp_isometry_bound(t) / expected - 1.0).abs() <= 4.0 * f64::EPSILON);
        }
        // And so from constants of order 2 alone it certifies what coherence does, for unit columns.
        let mut met = 0;
        for seed in 0..20 {
            let t = table(&unit_gaussian(80, 6, seed), 2);
            let coherence = of(&t, "coherence").largest_nonzeros;
            if coherence >= 2 {
                assert_eq!(of(&t, "basis-pursuit-tk-small").largest_nonzeros, coherence);
                met += 1;
            }
        }
        assert!(met >= 5, "{met}");
    }

    #[test]
    fn the_two_branches_of_the_sharp_bound_are_the_published_values() {
        for (t, expected) in [
            (4.0 / 3.0, 0.5),
            (2.0, 0.707_106_781_186_547_5),
            (3.0, (2.0f64 / 3.0).sqrt()),
            (1.0, 1.0 / 3.0),
        ] {
            assert!((sharp_isometry_bound(t) - expected).abs() <= 1e-15);
        }
    }

    #[test]
    fn the_sharp_example_for_matching_pursuit_is_not_certified_and_a_little_less_is() {
        for k in 2..=5usize {
            for (shrink, certified) in [(1.0, false), (0.98, true)] {
                let c = (k + 1) as f64;
                let g = DMatrix::from_fn(k + 1, k + 1, |i, j| {
                    let sharp = match (i == j, i.max(j) == k) {
                        (true, false) => k as f64 / c,
                        (true, true) => (k as f64 + 2.0) / c,
                        (false, true) => 1.0 / c,
                        (false, false) => 0.0,
                    };
                    shrink * sharp + (1.0 - shrink) * f64::from(i == j)
                });
                let a = g.cholesky().unwrap().l().transpose();
                let found = of(&table(&a, k + 1), "matching-pursuit-k+1").largest_nonzeros;
                assert_eq!(found == k, certified, "{k} {shrink} {found}");
            }
        }
    }

    #[test]
    fn rescaling_certifies_a_multiple_of_an_orthonormal_matrix() {
        let t = table(&(DMatrix::identity(6, 6) * 3.0), 4);
        for g in t.iter().filter(|g| g.subject == Subject::AsGiven) {
            assert_eq!(g.largest_nonzeros, 0, "{g:?}");
            assert_eq!(g.largest_nonzeros_rescaled, Some(g.examined_up_to), "{g:?}");
            assert!(!g.is_vacuous());
        }
    }

    /// Tropp's exact recovery condition `max_{j∉S} ‖A_S⁺ a_j‖₁ < 1` over every support of k columns.
    fn exact_recovery_condition(a: &DMatrix<f64>, k: usize) -> bool {
        let n = a.ncols();
        (0..1usize << n).filter(|b| b.count_ones() as usize == k).all(|bits| {
            let s: Vec<usize> = (0..n).filter(|i| bits >> i & 1 == 1).collect();
            let sub = a.select_columns(&s);
            let Some(factor) = gram(&sub).cholesky() else {
                return false;
            };
            (0..n).filter(|j| !s.contains(j)).all(|j| {
                let rhs = DVector::from_iterator(k, s.iter().map(|&i| a.column(i).dot(&a.column(j))));
                factor.solve(&rhs).lp_norm(1) < 1.0
            })
        })
    }

    #[test]
    fn whatever_coherence_or_babel_certifies_satisfies_the_exact_recovery_condition() {
        let mut certified = 0;
        for seed in 0..60 {
            let a = unit_gaussian(80, 8, seed);
            let t = table(&a, 6);
            let (c, b) = (of(&t, "coherence").largest_nonzeros, of(&t, "babel").largest_nonzeros);
            assert!(b >= c.min(6), "Babel is at least as sharp");
            for k in 1..=b {
                assert!(exact_recovery_condition(&a, k), "seed {seed}, k {k}");
                certified += usize::from(k >= 2);
            }
        }
        assert!(
            certified > 5,
            "the test must meet certified cases beyond one nonzero: {certified}"
        );
    }
}
