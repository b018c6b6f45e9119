//! Backward elimination by magnitude: what iterative magnitude pruning is in a linear model.

use crate::error::{Error, Result};
use crate::linalg::{dot, norm};
use crate::operators::{MeasurementOperator, Restricted, check_vector};
use crate::outcome::Status;
use crate::recovery::Groups;
use crate::support::{Support, largest_by, round_half_up};

/// Backward elimination by magnitude for
///
/// > minimise ½‖A x − b‖² + (α/2)‖x − ϑ‖² over vectors with at most `k_g` nonzeros in group g.
///
/// It fits all columns, keeps the largest `|x_j|` of each group, fits those, and so on: after round r of R group g, of
/// `n_g` columns, keeps `n_g (k_g/n_g)^{r/R}`, rounded, and in the end exactly `k_g`, on which it fits once more. A
/// dropped column never returns: this is train, prune, rewind and repeat where training is a least squares problem, and
/// no iterative hard thresholding. One round is magnitude pruning of the dense fit; as many rounds as columns drop them
/// about one at a time.
///
/// A fit is conjugate gradients on the normal equations (CGLS) from `x_S = ϑ_S`. Where the columns are dependent and
/// α = 0 it ends, as gradient descent from there would, at the solution nearest to `ϑ_S`.
///
/// Sources: Frankle and Carbin (ICLR 2019) for the procedure; Couvreur and Bresler (2000) for backward elimination, which
/// drops the column that costs the fit least instead of the smallest coefficient: the same for orthonormal columns.
///
/// ```
/// use nalgebra::dmatrix;
/// use ticketsense::operators::DenseOperator;
/// use ticketsense::pruning::{BackwardElimination, EliminationProblem};
/// use ticketsense::recovery::Groups;
/// let a = DenseOperator::new(dmatrix![1.0, 0.0, 0.6; 0.0, 1.0, 0.8; 0.0, 0.0, 0.1])?;
/// let groups = Groups::new(vec![0; 3], vec![2])?;
/// let problem = EliminationProblem {
///     operator: &a, b: &[3.0, 1.0, 0.0], prior: &[0.0; 3], alpha: 0.0, groups: &groups,
/// };
/// let answer = BackwardElimination::new(1).run(&problem)?;
/// assert_eq!(answer.support, [0, 1]);
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BackwardElimination {
    /// Rounds of pruning, at least 1.
    pub rounds: usize,
    /// A fit is done when its gradient is below this fraction of that at `x = 0`; in `(0, 1)`.
    pub tolerance: f64,
    /// The most steps of conjugate gradients a fit, at least 1.
    pub max_iterations: usize,
}

/// What is eliminated from.
#[derive(Clone, Copy, Debug)]
pub struct EliminationProblem<'a> {
    /// A.
    pub operator: &'a dyn MeasurementOperator,
    /// The data, of length m.
    pub b: &'a [f64],
    /// ϑ, of length n: where every fit begins and what the damping pulls to.
    pub prior: &'a [f64],
    /// α, finite and not negative.
    pub alpha: f64,
    /// The group of every column with the number that it keeps.
    pub groups: &'a Groups,
}

/// What is left.
#[derive(Clone, Debug, PartialEq)]
pub struct Eliminated {
    /// The fit on the support, zero elsewhere.
    pub x: Vec<f64>,
    /// The columns kept, ascending.
    pub support: Vec<usize>,
    /// `Converged` when every fit was, `IterationLimit` when one was not, `Unattainable` (with nothing kept) when a
    /// group has fewer columns than it is to keep.
    pub status: Status,
    /// Columns that were fitted, fit by fit.
    pub fitted: Vec<usize>,
    /// Steps of conjugate gradients in all.
    pub iterations: usize,
    /// Products with A or Aᵀ; s of n columns count s/n.
    pub applications: f64,
}

impl BackwardElimination {
    /// So many rounds of fits to 1e-10, of at most 2000 steps each.
    pub const fn new(rounds: usize) -> Self {
        BackwardElimination {
            rounds,
            tolerance: 1e-10,
            max_iterations: 2000,
        }
    }

    /// Eliminates.
    ///
    /// # Errors
    /// [`Error::Argument`] on numbers out of range or budgets that are all zero, [`Error::Shape`] or
    /// [`Error::NotFinite`] when `b`, the prior or the groups do not fit.
    ///
    /// Cost: two products a step of conjugate gradients on the columns that are left.
    pub fn run(&self, problem: &EliminationProblem<'_>) -> Result<Eliminated> {
        let shape = problem.operator.shape();
        check_vector("b", problem.b, shape.rows)?;
        check_vector("prior", problem.prior, shape.columns)?;
        if !(problem.alpha.is_finite() && problem.alpha >= 0.0) {
            return Err(Error::argument("alpha", "a finite number ≥ 0", problem.alpha));
        }
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            return Err(Error::argument("tolerance", "a number in (0, 1)", self.tolerance));
        }
        for (name, value) in [("rounds", self.rounds), ("iterations a fit", self.max_iterations)] {
            if value == 0 {
                return Err(Error::argument(name, "at least 1", 0));
            }
        }
        let budgets = problem.groups.budgets();
        if budgets.iter().sum::<usize>() == 0 {
            return Err(Error::argument("budgets", "at least one column", 0));
        }
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); budgets.len()];
        if problem.groups.columns() != shape.columns {
            return Err(Error::shape("groups", shape.columns, problem.groups.columns()));
        }
        (0..shape.columns).for_each(|j| members[problem.groups.of(j)].push(j));
        let mut eliminated = Eliminated {
            x: vec![0.0; shape.columns],
            support: Vec::new(),
            status: Status::Converged,
            fitted: Vec::new(),
            iterations: 0,
            applications: 0.0,
        };
        if members
            .iter()
            .zip(budgets)
            .any(|(columns, &budget)| columns.len() < budget)
        {
            eliminated.status = Status::Unattainable;
            return Ok(eliminated);
        }
        let sizes: Vec<usize> = members.iter().map(Vec::len).collect();
        self.fit(problem, &members, &mut eliminated)?;
        for round in 1..=self.rounds {
            let before: usize = members.iter().map(Vec::len).sum();
            for ((columns, &size), &budget) in members.iter_mut().zip(&sizes).zip(budgets) {
                let keep = left(size, budget, round, self.rounds);
                *columns = largest_by(keep, columns.iter().copied(), |j| eliminated.x[j].abs());
            }
            if members.iter().map(Vec::len).sum::<usize>() < before {
                self.fit(problem, &members, &mut eliminated)?;
            }
        }
        Ok(eliminated)
    }

    /// Fits the columns that are left.
    fn fit(&self, problem: &EliminationProblem<'_>, members: &[Vec<usize>], answer: &mut Eliminated) -> Result<()> {
        let columns = problem.operator.shape().columns;
        let support = Support::new(members.concat(), columns)?;
        let a = Restricted::new(problem.operator, support.clone())?;
        let share = support.len() as f64 / columns as f64;
        let mut x: Vec<f64> = support.indices().iter().map(|&j| problem.prior[j]).collect();
        // The gradient at zero is the scale that the tolerance refers to.
        let mut s = a.adjoint(problem.b)?;
        s.iter_mut().zip(&x).for_each(|(s, p)| *s += problem.alpha * p);
        let enough = self.tolerance * norm(&s);
        let mut r = a.apply(&x)?;
        r.iter_mut().zip(problem.b).for_each(|(r, b)| *r = b - *r);
        // The damping sees x − ϑ, which is zero here.
        let prior = x.clone();
        a.adjoint_into(&r, &mut s);
        answer.applications += 2.0 + share;
        let (mut p, mut q) = (s.clone(), vec![0.0; r.len()]);
        let mut square = dot(&s, &s);
        let mut done = square.sqrt() <= enough;
        for _ in 0..self.max_iterations {
            if done {
                break;
            }
            a.apply_into(&p, &mut q);
            let step = square / (dot(&q, &q) + problem.alpha * dot(&p, &p));
            if !step.is_finite() {
                break;
            }
            x.iter_mut().zip(&p).for_each(|(x, p)| *x += step * p);
            r.iter_mut().zip(&q).for_each(|(r, q)| *r -= step * q);
            a.adjoint_into(&r, &mut s);
            for ((s, x), t) in s.iter_mut().zip(&x).zip(&prior) {
                *s -= problem.alpha * (x - t);
            }
            let next = dot(&s, &s);
            let turn = next / square;
            p.iter_mut().zip(&s).for_each(|(p, s)| *p = s + turn * *p);
            square = next;
            done = square.sqrt() <= enough;
            answer.iterations += 1;
            answer.applications += 1.0 + share;
        }
        if !done {
            answer.status = Status::IterationLimit;
        }
        answer.x.fill(0.0);
        for (&j, x) in support.indices().iter().zip(x) {
            answer.x[j] = x;
        }
        answer.fitted.push(support.len());
        answer.support = support.indices().to_vec();
        Ok(())
    }
}

/// How many of `size` columns are left after a round when `budget` are in the end.
fn left(size: usize, budget: usize, round: usize, rounds: usize) -> usize {
    if round == rounds || budget == 0 {
        return budget;
    }
    let share = (budget as f64 / size as f64).powf(round as f64 / rounds as f64);
    round_half_up(size as f64 * share).max(budget)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{CorrelatedGaussianEnsemble, DenseOperator, GaussianEnsemble};
    use crate::recovery::{NormalisedIht, Solver};
    use crate::seed::Seed;
    use nalgebra::{DMatrix, DVector, dmatrix};
    use rand::RngExt;

    fn normal(count: usize, seed: &Seed) -> Vec<f64> {
        let mut rng = seed.stream("data").rng();
        (0..count).map(|_| rng.sample(rand_distr::StandardNormal)).collect()
    }

    /// The damped fit on some columns by singular values: slow, and another road.
    fn reference(a: &DMatrix<f64>, b: &[f64], prior: &[f64], alpha: f64, columns: &[usize]) -> Vec<f64> {
        let part = a.select_columns(columns);
        let at = DVector::from_iterator(columns.len(), columns.iter().map(|&j| prior[j]));
        let r = DVector::from_column_slice(b) - &part * &at;
        let gram = part.transpose() * &part + DMatrix::identity(columns.len(), columns.len()) * alpha;
        let inverse = gram.pseudo_inverse(1e-12).unwrap();
        (at + inverse * (part.transpose() * r)).iter().copied().collect()
    }

    fn problem<'a>(a: &'a DenseOperator, b: &'a [f64], prior: &'a [f64], groups: &'a Groups) -> EliminationProblem<'a> {
        EliminationProblem {
            operator: a,
            b,
            prior,
            alpha: 0.0,
            groups,
        }
    }

    #[test]
    fn on_orthonormal_columns_it_keeps_the_largest_correlations_as_hard_thresholding_does() {
        let seed = Seed::root(1);
        let q = GaussianEnsemble { rows: 20, columns: 12 }.draw(&seed).unwrap();
        let q = DenseOperator::new(q.matrix().clone().qr().q()).unwrap();
        let b = normal(20, &seed);
        let correlations = q.adjoint(&b).unwrap();
        let expected = largest_by(5, 0..12, |j| correlations[j].abs());
        let groups = Groups::new(vec![0; 12], vec![5]).unwrap();
        for rounds in [1, 3, 40] {
            let prior = vec![0.0; 12];
            let found = BackwardElimination::new(rounds)
                .run(&problem(&q, &b, &prior, &groups))
                .unwrap();
            assert_eq!((&found.support, found.status), (&expected, Status::Converged));
            for &j in &expected {
                // Conjugate gradients to 1e-10 of the gradient at zero, whose size is at most ‖b‖ < 10.
                assert!((found.x[j] - correlations[j]).abs() <= 1e-9);
            }
        }
        assert_eq!(NormalisedIht::new(5).solve(&q, &b).unwrap().support, expected);
    }

    #[test]
    fn every_round_is_a_damped_fit_and_a_cut_as_written_out() {
        let groups = Groups::new((0..18).map(|j| j % 2).collect(), vec![3, 2]).unwrap();
        for (rows, alpha, number) in [(30, 0.0, 0), (30, 0.3, 1), (10, 0.3, 2), (10, 0.0, 3)] {
            let seed = Seed::root(2).replicate(number);
            let ensemble = CorrelatedGaussianEnsemble {
                rows,
                columns: 18,
                correlation: 0.5,
            };
            let a = ensemble.draw(&seed).unwrap();
            let (b, prior) = (normal(rows, &seed), normal(18, &seed.stream("prior")));
            let found = BackwardElimination::new(3)
                .run(&EliminationProblem {
                    alpha,
                    ..problem(&a, &b, &prior, &groups)
                })
                .unwrap();
            let mut left = [(0..18).step_by(2).collect::<Vec<_>>(), (1..18).step_by(2).collect()];
            let mut values = vec![0.0; 18];
            // 9 (3/9)^{1/3} = 6.2 and 9 (2/9)^{1/3} = 5.5, then 4.3 and 3.3.
            for keep in [[9, 9], [6, 5], [4, 3], [3, 2]] {
                for (columns, keep) in left.iter_mut().zip(keep) {
                    *columns = largest_by(keep, columns.iter().copied(), |j: usize| f64::abs(values[j]));
                }
                let mut all = left.concat();
                all.sort_unstable();
                values.fill(0.0);
                let fit = reference(a.matrix(), &b, &prior, alpha, &all);
                all.iter().zip(fit).for_each(|(&j, v)| values[j] = v);
            }
            assert_eq!(found.support, Support::of(&values).indices(), "{rows} {alpha}");
            assert_eq!((found.fitted, found.status), (vec![18, 11, 7, 5], Status::Converged));
            for (x, v) in found.x.iter().zip(&values) {
                // The gradient is below 1e-10 of at most 50; the smallest singular value of five columns is above 0.1.
                assert!((x - v).abs() <= 1e-6, "{x} {v}");
            }
        }
    }

    #[test]
    fn a_column_that_leaves_never_returns_where_hard_thresholding_takes_it_back() {
        // Columns 1 and 2 cancel in the dense fit: together they carry the data, and column 0 has the smallest coefficient
        // although it alone explains the data.
        let a = DenseOperator::new(dmatrix![
            1.0, 1.0, 0.95;
            0.0, 0.1, 0.0;
            0.0, 0.0, 0.3;
            0.01, 0.4, 0.2
        ])
        .unwrap();
        let b = a.apply(&[0.0, 0.5, 0.6]).unwrap();
        let groups = Groups::new(vec![0; 3], vec![2]).unwrap();
        let found = BackwardElimination::new(1)
            .run(&problem(&a, &b, &[0.0; 3], &groups))
            .unwrap();
        assert_eq!(found.support, [1, 2]);
        let one = Groups::new(vec![0; 3], vec![1]).unwrap();
        let found = BackwardElimination::new(2)
            .run(&problem(&a, &b, &[0.0; 3], &one))
            .unwrap();
        assert_ne!(found.support, [0]);
    }

    #[test]
    fn strong_damping_is_magnitude_pruning_of_the_prior_and_no_damping_ends_nearest_to_it() {
        let seed = Seed::root(4);
        let a = GaussianEnsemble { rows: 6, columns: 10 }.draw(&seed).unwrap();
        let (b, prior) = (normal(6, &seed), normal(10, &seed.stream("prior")));
        let groups = Groups::new(vec![0; 10], vec![4]).unwrap();
        let strong = EliminationProblem {
            alpha: 1e12,
            ..problem(&a, &b, &prior, &groups)
        };
        let found = BackwardElimination::new(4).run(&strong).unwrap();
        assert_eq!(found.support, largest_by(4, 0..10, |j| prior[j].abs()));
        let all = Groups::new(vec![0; 10], vec![10]).unwrap();
        let found = BackwardElimination::new(1).run(&problem(&a, &b, &prior, &all)).unwrap();
        let nearest = reference(a.matrix(), &b, &prior, 0.0, &(0..10).collect::<Vec<_>>());
        // As above, with the smallest singular value of a 6 by 10 Gaussian matrix above 0.1.
        assert!(found.x.iter().zip(&nearest).all(|(x, v)| (x - v).abs() <= 1e-6));
        assert_eq!(found.fitted, [10]);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_too_much_is_unattainable() {
        let a = DenseOperator::new(DMatrix::identity(3, 3)).unwrap();
        let (b, prior) = ([1.0; 3], [0.0; 3]);
        let groups = Groups::new(vec![0; 3], vec![2]).unwrap();
        let good = problem(&a, &b, &prior, &groups);
        let fine = BackwardElimination::new(2);
        for bad in [
            BackwardElimination { rounds: 0, ..fine },
            BackwardElimination { tolerance: 0.0, ..fine },
            BackwardElimination {
                max_iterations: 0,
                ..fine
            },
        ] {
            assert!(matches!(bad.run(&good), Err(Error::Argument { .. })));
        }
        assert!(fine.run(&EliminationProblem { alpha: -1.0, ..good }).is_err());
        assert!(fine.run(&EliminationProblem { b: &[1.0; 2], ..good }).is_err());
        let (none, few, many) = (
            Groups::new(vec![0; 3], vec![0]).unwrap(),
            Groups::new(vec![0; 2], vec![1]).unwrap(),
            Groups::new(vec![0; 3], vec![4]).unwrap(),
        );
        assert!(fine.run(&EliminationProblem { groups: &none, ..good }).is_err());
        assert!(fine.run(&EliminationProblem { groups: &few, ..good }).is_err());
        let answer = fine.run(&EliminationProblem { groups: &many, ..good }).unwrap();
        assert_eq!((answer.status, answer.support.len()), (Status::Unattainable, 0));
    }
}
