//! Whether basis pursuit finds a known vector again, proven either way.

use super::common::{check_positive, column_cost, scatter};
use super::working_set::{WorkingSet, next_stage};
use crate::error::Result;
use crate::linalg::cholesky::UpdatableCholesky;
use crate::linalg::columns::{accumulate, correlate};
use crate::linalg::dense::{ThinQr, gram, product, thin_qr, transpose_product};
use crate::linalg::norm;
use crate::operators::{MeasurementOperator, check_vector};
use nalgebra::DMatrix;

/// A column nearer than this to the span of those before it, relative to its length, depends on them.
const DEPENDENT: f64 = 1e-8;
/// How far below 1 a dual vector is looked for: first comfortably, then nearly as close as can be told.
const MARGINS: [f64; 2] = [1e-3, 1e-7];

/// What basis pursuit does with the measurements `A x` of a known vector x.
#[derive(Clone, Debug, PartialEq)]
pub enum PlantedVerdict {
    /// x is the only solution.
    Recovered {
        /// `ν`, of length m: `aⱼᵀν = sign xⱼ` on the support up to the rounding that `margin` allows for.
        dual: Vec<f64>,
        /// `1 − max |aⱼᵀν|` off the support, less every rounding: positive.
        margin: f64,
    },
    /// x is not a solution.
    Beaten {
        /// A vector with the same measurements, up to rounding that `by` allows for, and a smaller ℓ₁ norm.
        better: Vec<f64>,
        /// By how much smaller at least, relative to `‖x‖₁`: positive.
        by: f64,
    },
    /// Neither could be shown: ties, or a margin within rounding.
    Undecided,
}

/// A verdict and its cost.
#[derive(Clone, Debug, PartialEq)]
pub struct PlantedAnswer {
    /// The verdict with its proof.
    pub verdict: PlantedVerdict,
    /// Full gradients.
    pub iterations: usize,
    /// Operator applications.
    pub applications: f64,
}

/// Decides whether basis pursuit recovers a planted vector x from `A x`.
///
/// With `S` its support and `s` its signs, x is the unique minimiser if and only if the columns of `S` are independent and
/// some `ν` has `A_Sᵀν = s` and `|aⱼᵀν| < 1` elsewhere. Of these the shortest with `|aⱼᵀν| ≤ t` is
/// `ν = A_S(A_SᵀA_S)⁻¹s − P A z`, `P` the projection off the span of `A_S`, where z minimises
/// `½‖P A z‖² − cᵀz + t‖z‖₁`, `c` the correlations of the first term. That is a LASSO but for its linear term, and is
/// solved as one, with the penalty falling in stages to t just below 1. Where there is no such `ν` its objective has no
/// minimum: it falls along a flat direction, which mends x to a shorter vector with the same measurements.
///
/// Both verdicts count rounding, the second for an operator of full row rank: the dual vector is moved onto `A_Sᵀν = s` by
/// at most `‖s − A_Sᵀν‖ ‖R⁻¹‖_F`, and the mended vector onto `A x` by at most `√n ‖A d‖/σ_min(A)` in ℓ₁, with a σ_min that
/// a Cholesky factorisation of `AAᵀ − βI` shows.
///
/// Cost: about ten adjoints, `4mk²` for a basis of the k columns, and `2mw²` for the w columns that come near the bound;
/// `m²n` more where x is beaten. Much less than the path of basis pursuit itself. Source: Foucart and Rauhut (2013),
/// theorem 4.26 and corollary 4.28 (duality); Osborne, Presnell and Turlach (2000) for the LASSO.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::operators::DenseOperator;
/// use ticketsense::recovery::{PlantedTest, PlantedVerdict};
/// // y = x₁ + 2x₂: a unit of y is cheapest through the second column.
/// let a = DenseOperator::new(dmatrix![1.0, 2.0])?;
/// let of = |x: [f64; 2]| PlantedTest::default().run(&a, &x).map(|answer| answer.verdict);
/// assert!(matches!(of([0.0, 1.0])?, PlantedVerdict::Recovered { margin, .. } if (margin - 0.5).abs() < 1e-9));
/// assert!(matches!(of([1.0, 0.0])?, PlantedVerdict::Beaten { by, .. } if (by - 0.5).abs() < 1e-9));
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PlantedTest {
    /// The most full gradients.
    pub max_iterations: usize,
}

impl Default for PlantedTest {
    /// At most 200 full gradients.
    fn default() -> Self {
        PlantedTest { max_iterations: 200 }
    }
}

/// The columns of the support, `A_S = Q R`.
struct Span {
    support: Vec<usize>,
    signs: Vec<f64>,
    /// An orthonormal basis of their span.
    q: DMatrix<f64>,
    r: UpdatableCholesky,
    /// `‖R⁻¹‖_F`, at least `1/σ_min(A_S)`.
    inverse: f64,
}

impl Span {
    /// The columns `support`, or the entries of a combination of them that is 0.
    fn new(
        a: &dyn MeasurementOperator,
        support: Vec<usize>,
        signs: Vec<f64>,
    ) -> Result<std::result::Result<Self, Vec<(usize, f64)>>> {
        let rows = a.shape().rows;
        let count = support.len().min(rows + 1);
        let mut columns = DMatrix::zeros(rows, count);
        a.columns_into(&support[..count], &mut columns);
        let ThinQr { q, r: upper } = thin_qr(&columns)?;
        let mut r = UpdatableCholesky::with_capacity(count);
        let mut square = 0.0;
        for (j, column) in columns.as_slice().chunks_exact(rows).enumerate() {
            let entries = &upper.as_slice()[j * upper.nrows()..];
            if j >= rows || entries[j].abs() <= DEPENDENT * norm(column) {
                let mut others = entries[..j].to_vec();
                r.solve_upper(&mut others);
                let combination = support.iter().copied().zip(others.iter().map(|w| -w));
                return Ok(Err(combination.chain([(support[j], 1.0)]).collect()));
            }
            r.push(&entries[..=j]);
            square += r.last_of_inverse_square();
        }
        Ok(Ok(Span {
            support,
            signs,
            q,
            r,
            inverse: square.sqrt(),
        }))
    }

    /// `A_S(A_SᵀA_S)⁻¹s`, the shortest vector with the right correlations on the support.
    fn shortest_dual(&self) -> Vec<f64> {
        let mut coordinates = self.signs.clone();
        self.r.solve_lower(&mut coordinates);
        let mut out = vec![0.0; self.q.nrows()];
        accumulate(self.q.as_slice(), &coordinates, &mut out);
        out
    }

    /// A combination of projected columns with what it takes of those of the support to be one of the columns themselves.
    fn completed(&self, a: &dyn MeasurementOperator, direction: Vec<(usize, f64)>) -> Vec<(usize, f64)> {
        let (columns, values): (Vec<usize>, Vec<f64>) = direction.iter().copied().unzip();
        let mut image = vec![0.0; self.q.nrows()];
        a.apply_sparse_into(&columns, &values, &mut image);
        let mut on_support = vec![0.0; self.support.len()];
        correlate(self.q.as_slice(), &image, &mut on_support);
        self.r.solve_upper(&mut on_support);
        let others = self.support.iter().copied().zip(on_support.iter().map(|w| -w));
        direction.into_iter().chain(others).collect()
    }

    /// `v ← v − Q Qᵀv` for every column v; what is left of a column within the span is rounding, and becomes 0.
    fn project(&self, block: &mut DMatrix<f64>) -> Result<()> {
        let inside = transpose_product(&self.q, block)?;
        let part = product(&self.q, &inside)?;
        for (mut column, part) in block.column_iter_mut().zip(part.column_iter()) {
            let length = column.norm();
            column -= part;
            if column.norm() <= DEPENDENT * length {
                column.fill(0.0);
            }
        }
        Ok(())
    }
}

impl PlantedTest {
    /// The verdict for x.
    ///
    /// # Errors
    /// When x does not fit the operator or is not finite, and when the operator gives what is not finite.
    pub fn run(&self, a: &dyn MeasurementOperator, planted: &[f64]) -> Result<PlantedAnswer> {
        let shape = a.shape();
        check_vector("planted", planted, shape.columns)?;
        check_positive("max-iterations", self.max_iterations)?;
        let support: Vec<usize> = (0..shape.columns).filter(|&j| planted[j] != 0.0).collect();
        let signs = support.iter().map(|&j| planted[j].signum()).collect();
        let norms = a.column_norms();
        let mut applications = 1.0 + column_cost(shape, support.len());
        let (iterations, verdict) = match Span::new(a, support, signs)? {
            Ok(span) => self.search(a, planted, &span, &norms, &mut applications)?,
            Err(mut combination) => {
                let along = |c: &[(usize, f64)]| c.iter().map(|&(j, v)| planted[j].signum() * v).sum::<f64>();
                if along(&combination) > 0.0 {
                    combination.iter_mut().for_each(|(_, v)| *v = -*v);
                }
                applications += 2.0;
                (0, beaten(a, planted, &combination, &norms)?)
            }
        };
        Ok(PlantedAnswer {
            verdict,
            iterations,
            applications,
        })
    }

    fn search(
        &self,
        a: &dyn MeasurementOperator,
        planted: &[f64],
        span: &Span,
        norms: &[f64],
        applications: &mut f64,
    ) -> Result<(usize, PlantedVerdict)> {
        let shape = a.shape();
        let start = span.shortest_dual();
        let mut set = WorkingSet::of_rank(shape.rows, shape.rows - span.support.len(), shape.columns);
        let mut dual = DMatrix::from_column_slice(shape.rows, 1, &start);
        let mut c = vec![0.0; shape.columns];
        let mut margins = MARGINS.iter();
        let mut target = 1.0 - margins.next().copied().unwrap_or(0.0);
        let mut stage = f64::INFINITY;
        // Whether the last step ended at the minimiser over all columns.
        let mut solved = false;
        for iteration in 0..self.max_iterations {
            a.adjoint_into(dual.as_slice(), &mut c);
            *applications += 1.0;
            if let Some(verdict) = recovered(planted, span, norms, dual.as_slice(), &c) {
                return Ok((iteration + 1, verdict));
            }
            if solved {
                return Ok((iteration + 1, PlantedVerdict::Undecided));
            }
            let outside = (0..shape.columns).filter(|&j| planted[j] == 0.0 && !set.contains(j));
            let nonzeros = set.nonzeros().0.len();
            let (new, next) = next_stage(&c, outside, nonzeros, target, stage);
            stage = next;
            let mut block = DMatrix::zeros(shape.rows, new.len());
            a.columns_into(&new, &mut block);
            let mut linear = vec![0.0; new.len()];
            correlate(block.as_slice(), &start, &mut linear);
            span.project(&mut block)?;
            set.append(&block, &new, &vec![0.0; new.len()], &linear)?;
            *applications += column_cost(shape, new.len());
            let settled = if stage > target {
                set.minimise(stage, f64::INFINITY)
            } else {
                set.follow(stage)
            };
            let escape = set.escape();
            // Where a walk is lost it was, as a rule, on its way to infinity.
            let lost = escape.is_none() && !settled && stage == target;
            let far = || {
                let (columns, values) = set.nonzeros();
                columns.into_iter().zip(values).collect()
            };
            if let Some(direction) = escape.or_else(|| lost.then(far)) {
                *applications += 2.0 + column_cost(shape, direction.len());
                let verdict = beaten(a, planted, &span.completed(a, direction), norms)?;
                let Some(margin) = margins.next().filter(|_| verdict == PlantedVerdict::Undecided && !lost) else {
                    return Ok((iteration + 1, verdict));
                };
                target = 1.0 - margin;
            }
            solved = settled && stage == target && new.is_empty();
            let (columns, values) = set.nonzeros();
            a.apply_sparse_into(&columns, &values, dual.as_mut_slice());
            *applications += column_cost(shape, columns.len());
            span.project(&mut dual)?;
            dual.iter_mut().zip(&start).for_each(|(d, s)| *d = s - *d);
        }
        Ok((self.max_iterations, PlantedVerdict::Undecided))
    }
}

/// The verdict that a dual vector with the correlations `c` proves, if it does.
fn recovered(planted: &[f64], span: &Span, norms: &[f64], dual: &[f64], c: &[f64]) -> Option<PlantedVerdict> {
    // An inner product of length m rounds by at most this multiple of the lengths.
    let rounding = dual.len() as f64 * f64::EPSILON * norm(dual);
    let missed = span.support.iter().zip(&span.signs).map(|(&j, s)| {
        let miss = (s - c[j]).abs() + rounding * norms[j];
        miss * miss
    });
    let moved = missed.sum::<f64>().sqrt() * span.inverse;
    let off = (0..c.len()).filter(|&j| planted[j] == 0.0);
    let largest = off
        .map(|j| c[j].abs() + (rounding + moved) * norms[j])
        .fold(0.0, f64::max);
    (largest < 1.0).then(|| PlantedVerdict::Recovered {
        dual: dual.to_vec(),
        margin: 1.0 - largest,
    })
}

/// The verdict that a direction d with `A d = 0` up to rounding proves.
fn beaten(
    a: &dyn MeasurementOperator,
    planted: &[f64],
    direction: &[(usize, f64)],
    norms: &[f64],
) -> Result<PlantedVerdict> {
    let shape = a.shape();
    let (columns, values): (Vec<usize>, Vec<f64>) = direction.iter().copied().unzip();
    // As far as the first nonzero of x that it makes 0: up to there the norm falls in a line.
    let stops = direction.iter().filter(|&&(j, v)| planted[j] * v < 0.0);
    let far = stops
        .map(|&(j, v)| planted[j].abs() / v.abs())
        .fold(f64::INFINITY, f64::min);
    let slope: f64 = direction
        .iter()
        .map(|&(j, v)| {
            if planted[j] == 0.0 {
                v.abs()
            } else {
                v * planted[j].signum()
            }
        })
        .sum();
    if far == f64::INFINITY || slope >= 0.0 {
        return Ok(PlantedVerdict::Undecided);
    }
    let mut image = vec![0.0; shape.rows];
    a.apply_sparse_into(&columns, &values, &mut image);
    let terms: f64 = direction.iter().map(|&(j, v)| v.abs() * norms[j]).sum();
    let left = norm(&image) + (direction.len() + 1) as f64 * f64::EPSILON * terms;
    let Some(sigma) = proven_smallest_singular_value(a) else {
        return Ok(PlantedVerdict::Undecided);
    };
    let total: f64 = values.iter().map(|v| v.abs()).sum();
    let rounding = (direction.len() + 1) as f64 * f64::EPSILON * total;
    let gain = far * (-slope - rounding - (shape.columns as f64).sqrt() * left / sigma);
    let length: f64 = planted.iter().map(|v| v.abs()).sum();
    if gain <= 4.0 * f64::EPSILON * length {
        return Ok(PlantedVerdict::Undecided);
    }
    let moved = scatter(shape.columns, &columns, &values);
    Ok(PlantedVerdict::Beaten {
        better: planted.iter().zip(moved).map(|(x, d)| x + far * d).collect(),
        by: gain / length,
    })
}

/// A proven lower bound of the smallest singular value of a matrix with at most as many rows as columns, if one above 1e-5
/// of the longest can be shown: `AAᵀ − βI` has a Cholesky factor, which roundings move by less than half of β.
pub(crate) fn proven_smallest_singular_value(a: &dyn MeasurementOperator) -> Option<f64> {
    let mut outer = gram(&a.to_dense().transpose());
    let (rows, columns) = (outer.nrows() as f64, a.shape().columns as f64);
    let longest = outer.diagonal().amax();
    let beta = (1e-10 + 8.0 * rows * (rows + columns) * f64::EPSILON) * longest;
    (0..outer.nrows()).for_each(|i| outer[(i, i)] -= beta);
    UpdatableCholesky::of(&outer, 0.0).map(|_| (0.5 * beta).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{DenseOperator, GaussianEnsemble, RademacherEnsemble};
    use crate::recovery::{BasisPursuit, Solver, reference};
    use crate::seed::Seed;

    fn verdict(a: &dyn MeasurementOperator, planted: &[f64]) -> PlantedVerdict {
        PlantedTest::default().run(a, planted).unwrap().verdict
    }

    /// Checks a proof with sums of its own; true when x is recovered.
    fn checked(a: &DenseOperator, planted: &[f64]) -> bool {
        let correlation =
            |j: usize, dual: &[f64]| a.matrix().column(j).iter().zip(dual).map(|(a, v)| a * v).sum::<f64>();
        match verdict(a, planted) {
            PlantedVerdict::Recovered { dual, margin } => {
                assert!(margin > 0.0);
                for (j, &x) in planted.iter().enumerate() {
                    let c = correlation(j, &dual);
                    if x == 0.0 {
                        assert!(c.abs() <= 1.0 - margin);
                    } else {
                        assert!((c - x.signum()).abs() <= 1e-8, "{c}");
                    }
                }
                true
            }
            PlantedVerdict::Beaten { better, by } => {
                let length = |x: &[f64]| x.iter().map(|v| v.abs()).sum::<f64>();
                assert!(by > 0.0 && length(&better) <= length(planted) * (1.0 - by) * (1.0 + 1e-12));
                let (one, other) = (a.apply(planted).unwrap(), a.apply(&better).unwrap());
                let apart: f64 = one.iter().zip(&other).map(|(u, v)| (u - v).powi(2)).sum();
                assert!(apart.sqrt() <= 1e-10 * norm(&one));
                false
            }
            PlantedVerdict::Undecided => panic!("undecided"),
        }
    }

    #[test]
    fn around_the_transition_it_says_what_basis_pursuit_does() {
        for signs in [false, true] {
            let mut recovered = 0;
            for replicate in 0..60 {
                let seed = Seed::root(11).replicate(replicate);
                let (rows, columns) = (24, 48);
                let a = if signs {
                    RademacherEnsemble { rows, columns }.draw(&seed).unwrap()
                } else {
                    GaussianEnsemble { rows, columns }.draw(&seed).unwrap()
                };
                let planted = reference::planted(columns, 3 + (replicate % 12) as usize, &seed);
                let answer = BasisPursuit {
                    tolerance: 1e-10,
                    ..BasisPursuit::default()
                };
                let answer = answer.solve(&a, &a.apply(&planted).unwrap()).unwrap();
                let apart: f64 = answer.x.iter().zip(&planted).map(|(u, v)| (u - v).powi(2)).sum();
                let found = checked(&a, &planted);
                assert_eq!(found, apart.sqrt() <= 1e-6 * norm(&planted), "{replicate}");
                recovered += usize::from(found);
            }
            assert!((10..50).contains(&recovered), "{recovered}");
        }
    }

    #[test]
    fn dependent_columns_on_the_support_are_beaten_or_tie() {
        let a = DenseOperator::new(nalgebra::dmatrix![1.0, 2.0, 1.0; 0.0, 0.0, 1.0]).unwrap();
        // 1 through the first costs 1, through the second one half.
        assert!(!checked(&a, &[1.0, 1.0, 0.0]));
        // The first and the third are the same: every mixture is as short.
        let same = DenseOperator::new(nalgebra::dmatrix![1.0, 2.0, 1.0; 0.0, 1.0, 0.0]).unwrap();
        assert_eq!(verdict(&same, &[1.0, 0.0, 1.0]), PlantedVerdict::Undecided);
        // More nonzeros than rows.
        let wide = GaussianEnsemble { rows: 4, columns: 9 }.draw(&Seed::root(1)).unwrap();
        assert!(!checked(&wide, &reference::planted(9, 7, &Seed::root(2))));
    }

    #[test]
    fn a_zero_vector_is_recovered_and_a_tie_is_left_open() {
        let a = GaussianEnsemble { rows: 5, columns: 9 }.draw(&Seed::root(1)).unwrap();
        assert_eq!(
            verdict(&a, &[0.0; 9]),
            PlantedVerdict::Recovered {
                dual: vec![0.0; 5],
                margin: 1.0
            }
        );
        let twins = DenseOperator::new(nalgebra::dmatrix![1.0, -1.0, 0.0; 0.0, 0.0, 1.0]).unwrap();
        assert_eq!(verdict(&twins, &[1.0, 0.0, 0.0]), PlantedVerdict::Undecided);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let a = GaussianEnsemble { rows: 5, columns: 9 }.draw(&Seed::root(1)).unwrap();
        assert!(PlantedTest::default().run(&a, &[1.0; 8]).is_err());
        assert!(PlantedTest::default().run(&a, &[f64::NAN; 9]).is_err());
        assert!(PlantedTest { max_iterations: 0 }.run(&a, &[1.0; 9]).is_err());
    }
}
