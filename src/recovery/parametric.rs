//! The ℓ₁-penalised quadratic from near its minimiser, by an active set that follows a moving problem.
//!
//! Any point x with a face on which the quadratic is definite is the exact minimiser of a problem with another linear term.
//! Moved in a line from there to the one asked for, and the penalty with it, the minimiser moves along lines between
//! breakpoints at which a coordinate joins or leaves the face: as many as there are signs to mend, each for the price of
//! triangular solves. Where Newton steps would cross one sign after the other, each for a factorisation, this is what is
//! left to do. Source: Ferreau, Bock and Diehl (2008), for quadratic programs with constraints.

use super::growing_gram::GrowingGram;
use crate::linalg::cholesky::UpdatableCholesky;

/// A column nearer than this to the span of the face, relative to its length, is exchanged for one of the face, not added.
const DEPENDENT: f64 = 1e-3;
/// In an exchange the new column is independent of those that stay, if only by so much: the least that a Gram matrix, whose
/// squares are rounded, can show.
const EXCHANGED: f64 = 1e-7;
/// Where a coordinate's correlation exceeds the penalty at the start, it begins this far inside: those that have to join
/// then do so one after the other.
const INSIDE: f64 = 0.98;
/// Breakpoints for every coordinate before the walk is given up.
const LIMIT: usize = 8;

/// How a walk ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    /// At the minimiser.
    Reached,
    /// The objective falls without bound along these coordinates, in which the quadratic is flat.
    Unbounded(Vec<(usize, f64)>),
    /// Short of the end: too many breakpoints, or a face that stays singular.
    Lost,
}

/// `½xᵀGx − bᵀx + λ‖x‖₁`, on its way to the problem asked for.
#[derive(Debug)]
pub(super) struct Walk<'g> {
    gram: &'g GrowingGram,
    /// The face, in the order of the factor, with its signs and values.
    face: Vec<usize>,
    signs: Vec<f64>,
    values: Vec<f64>,
    on_face: Vec<bool>,
    factor: UpdatableCholesky,
    /// The largest entry of the matrix.
    longest: f64,
    /// `b − Gx` and λ of the moving problem, and how fast `b` and λ move.
    correlations: Vec<f64>,
    lambda: f64,
    linear_rate: Vec<f64>,
    lambda_rate: f64,
    /// The coordinate that left last and its sign: it must move inside before it may come back.
    left: Option<(usize, f64)>,
    rates: Vec<f64>,
    correlation_rates: Vec<f64>,
}

impl<'g> Walk<'g> {
    /// Starts at `x`, whose `b − Gx` is `correlations`, and which is nearly minimal at the penalty `from`.
    pub fn new(gram: &'g GrowingGram, x: &[f64], correlations: &[f64], from: f64, to: f64) -> Self {
        let mut order: Vec<usize> = (0..x.len()).filter(|&j| x[j] != 0.0).collect();
        order.sort_by(|&i, &j| x[j].abs().total_cmp(&x[i].abs()).then(i.cmp(&j)));
        let mut walk = Walk {
            gram,
            face: Vec::new(),
            signs: Vec::new(),
            values: Vec::new(),
            on_face: vec![false; x.len()],
            factor: UpdatableCholesky::with_capacity(order.len()),
            longest: (0..x.len()).map(|j| gram.column(j)[j]).fold(0.0, f64::max),
            correlations: correlations.to_vec(),
            lambda: from,
            linear_rate: Vec::new(),
            lambda_rate: to - from,
            left: None,
            rates: Vec::new(),
            correlation_rates: Vec::new(),
        };
        // All at once where that works; otherwise the larger ones that do not depend on larger ones.
        if let Some(factor) = UpdatableCholesky::of(&gram.lower_triangle(&order), DEPENDENT) {
            walk.factor = factor;
            walk.face = order;
        } else {
            for j in order {
                let cross = walk.cross(j);
                if walk.factor.append(&cross, gram.column(j)[j], DEPENDENT).accepted {
                    walk.face.push(j);
                } else {
                    gram.accumulate(&[j], &[x[j]], &mut walk.correlations);
                }
            }
        }
        for &j in &walk.face {
            walk.on_face[j] = true;
            walk.signs.push(x[j].signum());
            walk.values.push(x[j]);
        }
        // The linear term for which x is minimal, minus the true one, is undone on the way.
        let start = |j: usize, c: f64| {
            if walk.on_face[j] {
                from.copysign(x[j])
            } else {
                c.clamp(-INSIDE * from, INSIDE * from)
            }
        };
        let moved: Vec<f64> = walk
            .correlations
            .iter()
            .enumerate()
            .map(|(j, &c)| start(j, c))
            .collect();
        walk.linear_rate = walk.correlations.iter().zip(&moved).map(|(c, m)| c - m).collect();
        walk.correlations = moved;
        walk
    }

    /// The inner products of column j with the face.
    fn cross(&self, j: usize) -> Vec<f64> {
        let column = self.gram.column(j);
        self.face.iter().map(|&i| column[i]).collect()
    }

    /// How fast the values and the correlations move.
    fn aim(&mut self) {
        self.rates.clear();
        let rates = self
            .face
            .iter()
            .zip(&self.signs)
            .map(|(&j, s)| self.linear_rate[j] - self.lambda_rate * s);
        self.rates.extend(rates);
        self.factor.solve_in_place(&mut self.rates);
        self.correlation_rates.clone_from(&self.linear_rate);
        let minus: Vec<f64> = self.rates.iter().map(|v| -v).collect();
        self.gram.accumulate(&self.face, &minus, &mut self.correlation_rates);
    }

    /// How far until a value reaches 0, and which.
    fn next_to_leave(&self) -> (f64, Option<usize>) {
        let mut best = (f64::INFINITY, None);
        for (i, ((&x, &rate), &sign)) in self.values.iter().zip(&self.rates).zip(&self.signs).enumerate() {
            if rate * sign < 0.0 {
                let far = (x * sign).max(0.0) / rate.abs();
                if far < best.0 {
                    best = (far, Some(i));
                }
            }
        }
        best
    }

    /// How far until a correlation reaches the penalty, which, and with which sign.
    fn next_to_join(&self) -> (f64, Option<(usize, f64)>) {
        let mut best = (f64::INFINITY, None);
        // A correlation that keeps pace with the penalty, as that of a copy of a column of the face does, never meets it but
        // through the rounding of the sums that are its rate.
        let moved: f64 = self.rates.iter().map(|v| v.abs()).sum();
        let pace = 64.0 * f64::EPSILON * (self.longest * moved + self.lambda_rate.abs());
        for (j, (&c, &rate)) in self.correlations.iter().zip(&self.correlation_rates).enumerate() {
            if self.on_face[j] {
                continue;
            }
            for sign in [1.0, -1.0] {
                let approach = sign * rate - self.lambda_rate;
                if approach <= pace || self.left == Some((j, sign)) {
                    continue;
                }
                let far = (self.lambda - sign * c).max(0.0) / approach;
                if far < best.0 {
                    best = (far, Some((j, sign)));
                }
            }
        }
        best
    }

    fn remove(&mut self, i: usize) {
        let j = self.face.remove(i);
        self.on_face[j] = false;
        self.left = Some((j, self.signs.remove(i)));
        self.values.remove(i);
        self.factor.delete(i);
    }

    /// Makes a coordinate part of the face, in exchange for another where it depends on those there.
    fn join(&mut self, j: usize, sign: f64) -> Option<End> {
        let cross = self.cross(j);
        let diagonal = self.gram.column(j)[j];
        let mut value = 0.0;
        if !self.factor.append(&cross, diagonal, DEPENDENT).accepted {
            // Along (−w, 1) the quadratic is flat, and so is the objective as long as the signs hold.
            let mut w = cross;
            self.factor.solve_in_place(&mut w);
            let blocks = |i: &usize| sign * w[*i] * self.signs[*i] > 0.0;
            let far = |i: usize| self.values[i].abs() / w[i].abs();
            let Some(first) = (0..w.len()).filter(blocks).min_by(|&i, &k| far(i).total_cmp(&far(k))) else {
                let others = self.face.iter().zip(&w).map(|(&i, w)| (i, -sign * w));
                return Some(End::Unbounded(others.chain([(j, sign)]).collect()));
            };
            value = sign * far(first);
            self.values.iter_mut().zip(&w).for_each(|(x, w)| *x -= value * w);
            self.remove(first);
            let cross = self.cross(j);
            if !self.factor.append(&cross, diagonal, EXCHANGED).accepted {
                return Some(End::Lost);
            }
        }
        self.on_face[j] = true;
        self.face.push(j);
        self.signs.push(sign);
        self.values.push(value);
        None
    }

    /// Solves for the values on the last face from scratch: the walk has rounded them.
    fn settle(&mut self, linear: &[f64]) {
        let mut solved: Vec<f64> = self
            .face
            .iter()
            .zip(&self.signs)
            .map(|(&j, s)| linear[j] - self.lambda * s)
            .collect();
        self.factor.solve_in_place(&mut solved);
        if solved.iter().zip(&self.signs).all(|(x, s)| x * s > 0.0) {
            self.values = solved;
        }
    }

    /// Walks to the minimiser for the linear term `b`; where it ends, as pairs of coordinate and value.
    ///
    /// Cost a breakpoint with k coordinates on the face of w: `2k² + 2kw` operations.
    pub fn run(mut self, linear: &[f64]) -> (End, Vec<(usize, f64)>) {
        let mut rest = 1.0;
        let mut end = End::Lost;
        for _ in 0..LIMIT * (self.on_face.len() + 1) {
            self.aim();
            let (leave, join) = (self.next_to_leave(), self.next_to_join());
            let step = leave.0.min(join.0).min(rest);
            self.values
                .iter_mut()
                .zip(&self.rates)
                .for_each(|(x, v)| *x += step * v);
            let moved = self.correlations.iter_mut().zip(&self.correlation_rates);
            moved.for_each(|(c, v)| *c += step * v);
            self.lambda += step * self.lambda_rate;
            self.left = None;
            rest -= step;
            let found = match (leave, join) {
                ((far, Some(i)), _) if far <= step => {
                    self.remove(i);
                    None
                }
                (_, (far, Some((j, sign)))) if far <= step => self.join(j, sign),
                _ => Some(End::Reached),
            };
            if let Some(found) = found {
                end = found;
                break;
            }
        }
        if end == End::Reached {
            self.settle(linear);
        }
        (end, self.face.into_iter().zip(self.values).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dense::{gram, symmetric_eigenvalues};
    use crate::operators::{GaussianEnsemble, MeasurementOperator};
    use crate::recovery::reference::normal_vector;
    use crate::seed::Seed;
    use nalgebra::DMatrix;
    use proptest::prelude::*;

    fn slopes(g: &DMatrix<f64>, linear: &[f64], x: &[f64]) -> Vec<f64> {
        let image = g * nalgebra::DVector::from_column_slice(x);
        linear.iter().zip(image.iter()).map(|(b, v)| b - v).collect()
    }

    fn walked(columns: &DMatrix<f64>, linear: &[f64], start: &[f64], from: f64, to: f64) -> (End, Vec<f64>) {
        let correlations = slopes(&gram(columns), linear, start);
        let (end, pairs) = Walk::new(&GrowingGram::of(columns).unwrap(), start, &correlations, from, to).run(linear);
        let mut x = vec![0.0; start.len()];
        pairs.into_iter().for_each(|(j, v)| x[j] = v);
        (end, x)
    }

    /// Walks from a random point, and checks the conditions of optimality where it ends.
    fn ends_at_a_minimiser(number: u64, [rows, columns, filled, copies]: [usize; 4], ratio: f64) {
        let seed = Seed::root(number);
        let mut matrix = GaussianEnsemble { rows, columns }.draw(&seed).unwrap().matrix().clone();
        // Repeated columns, and starts with more nonzeros than rows: the face is thinned or exchanged.
        for i in 0..copies.min(columns / 2) {
            let copy = matrix.column(i).into_owned();
            matrix.set_column(columns - 1 - i, &copy);
        }
        let y = normal_vector(rows, &seed);
        let linear: Vec<f64> = matrix
            .column_iter()
            .map(|c| c.iter().zip(&y).map(|(a, y)| a * y).sum())
            .collect();
        let largest = linear.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let lambda = ratio * largest;
        let mut start = normal_vector(columns, &seed.stream("start"));
        start[filled.min(columns)..].fill(0.0);
        let (end, x) = walked(&matrix, &linear, &start, lambda, lambda);
        assert_eq!(&end, &End::Reached);
        // A Cholesky solve leaves a residual of about k ε ‖G‖ ‖x‖; on the way every breakpoint has rounded the others.
        let g = gram(&matrix);
        let longest = symmetric_eigenvalues(&g).unwrap().into_iter().fold(0.0f64, f64::max);
        let size = longest * x.iter().chain(&start).fold(0.0f64, |m, v| m.max(v.abs())) + largest;
        let rounding = (LIMIT * (columns + 1) * columns) as f64 * f64::EPSILON * size / DEPENDENT;
        for (x, c) in x.iter().zip(slopes(&g, &linear, &x)) {
            let miss = if *x == 0.0 {
                (c.abs() - lambda).max(0.0)
            } else {
                (c - lambda.copysign(*x)).abs()
            };
            assert!(miss <= rounding, "{miss} {rounding}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn from_any_point_it_ends_at_a_minimiser(
            number in 0u64..1_000_000,
            rows in 2usize..14,
            columns in 1usize..24,
            ratio in 0.001f64..0.9,
            filled in 0usize..24,
            copies in 0usize..3,
        ) {
            ends_at_a_minimiser(number, [rows, columns, filled, copies], ratio);
        }
    }

    #[test]
    fn copies_of_columns_that_keep_pace_with_one_another_are_not_exchanged_for_ever() {
        ends_at_a_minimiser(639_698, [10, 7, 0, 1], 0.001);
        ends_at_a_minimiser(164_291, [3, 12, 8, 2], 0.061_581_606_259_008_534);
    }

    #[test]
    fn the_penalty_moves_with_the_minimiser_from_the_largest_one_on() {
        let matrix = DMatrix::identity(4, 4);
        let linear = [3.0, -2.0, 0.5, -0.25];
        // From 0 at the largest penalty the walk is the whole soft threshold path.
        let (end, x) = walked(&matrix, &linear, &[0.0; 4], 3.0, 0.375);
        assert_eq!(end, End::Reached);
        let expected = [2.625, -1.625, 0.125, 0.0];
        assert!(
            x.iter()
                .zip(expected)
                .all(|(x, e)| (x - e).abs() <= 4.0 * f64::EPSILON * 3.0),
            "{x:?}"
        );
    }

    #[test]
    fn without_a_minimiser_it_gives_a_flat_direction_of_descent() {
        let seed = Seed::root(5);
        let a = GaussianEnsemble { rows: 3, columns: 8 }.draw(&seed).unwrap();
        // A linear term that is not in the range of the matrix: large penalties hold it, small ones do not.
        let linear = normal_vector(8, &seed.stream("linear"));
        let largest = linear.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        assert_eq!(walked(a.matrix(), &linear, &[0.0; 8], largest, largest).0, End::Reached);
        let lambda = 1e-3 * largest;
        let (end, _) = walked(a.matrix(), &linear, &[0.0; 8], largest, lambda);
        let End::Unbounded(direction) = end else {
            panic!("{end:?}")
        };
        let mut dense = vec![0.0; 8];
        direction.iter().for_each(|&(j, v)| dense[j] += v);
        let image = a.apply(&dense).unwrap();
        let length: f64 = dense.iter().map(|v| v.abs()).sum();
        assert!(image.iter().all(|v| v.abs() <= 1e-12 * length), "{image:?}");
        let gain: f64 = linear.iter().zip(&dense).map(|(b, d)| b * d).sum();
        assert!(gain > lambda * length);
    }
}
