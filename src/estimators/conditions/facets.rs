//! Large signed supports that are recovered, as certificates for all that they contain.

use super::column_gram::ColumnGram;
use super::regression::Regression;
use crate::linalg::columns::correlate;
use crate::linalg::{dot, norm};
use crate::operators::{DenseOperator, MeasurementOperator};

/// The most certificates kept.
const ROOM: usize = 4096;
/// Rows up to which a dual vector is followed to a vertex; beyond, a certificate costs more than it saves.
const ROWS: usize = 64;
/// A step along a column counts where this share of its length is left beside the columns before it.
const APART: f64 = 1e-6;

/// Signed supports T, as a rule of m columns, that fulfil the irrepresentable condition. Whatever holds for one of them
/// holds for every signed support within: the dual vector that equals the signs on T may be lowered on the rest of T.
///
/// In the language of polytopes these are facets of the image of the cross-polytope, and the signed supports that basis
/// pursuit recovers are their faces.
#[derive(Clone, Debug, Default)]
pub(super) struct Facets {
    /// Columns with sign +1 and with −1, as bits.
    found: Vec<(u128, u128)>,
    regression: Regression,
}

fn bits(support: &[usize], signs: &[f64]) -> Option<(u128, u128)> {
    let (mut plus, mut minus) = (0u128, 0u128);
    for (&j, z) in support.iter().zip(signs) {
        let bit = 1u128.checked_shl(j as u32)?;
        if *z > 0.0 {
            plus |= bit;
        } else {
            minus |= bit;
        }
    }
    Some((plus, minus))
}

impl Facets {
    /// Whether the signed support, or its opposite, lies within one of the certificates.
    pub fn certifies(&mut self, support: &[usize], signs: &[f64]) -> bool {
        let Some((plus, minus)) = bits(support, signs) else {
            return false;
        };
        let within =
            |&(p, m): &(u128, u128)| (plus & !p == 0 && minus & !m == 0) || (plus & !m == 0 && minus & !p == 0);
        let found = self.found.iter().position(within);
        if let Some(position) = found {
            // Neighbouring supports tend to lie within the same one.
            self.found.swap(0, position);
        }
        found.is_some()
    }

    /// Follows a dual vector of a recovered signed support to a vertex, and keeps the signed support of the vertex if it is
    /// proven to be irrepresentable.
    pub fn learn(&mut self, a: &DenseOperator, gram: &ColumnGram, support: &[usize], signs: &[f64], dual: &[f64]) {
        if a.shape().rows > ROWS {
            return;
        }
        let mut vertex = follow(a, support, signs, dual);
        vertex.sort_by_key(|(j, _)| *j);
        let (columns, signs): (Vec<usize>, Vec<f64>) = vertex.into_iter().unzip();
        let proven = self.regression.onto(gram, &columns) && self.regression.largest_for(&signs).upper < 1.0;
        if let (true, Some(certificate)) = (proven, bits(&columns, &signs)) {
            if self.found.len() == ROOM {
                self.found.pop();
            }
            self.found.push(certificate);
            let last = self.found.len() - 1;
            self.found.swap(0, last);
        }
    }
}

/// Moves ν, with `aⱼᵀν = ±1` on the support kept, until as many columns as there are rows meet the bound 1.
fn follow(a: &DenseOperator, support: &[usize], signs: &[f64], dual: &[f64]) -> Vec<(usize, f64)> {
    let matrix = a.matrix();
    let (m, n) = matrix.shape();
    let column = |j: usize| &matrix.as_slice()[j * m..(j + 1) * m];
    let mut active: Vec<(usize, f64)> = support.iter().copied().zip(signs.iter().copied()).collect();
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(m);
    for &j in support {
        basis.extend(beside(&basis, column(j)));
    }
    let mut c = vec![0.0; n];
    correlate(matrix.as_slice(), dual, &mut c);
    let mut slope = vec![0.0; n];
    while active.len() < m {
        let is_active = |j: usize| active.iter().any(|(i, _)| *i == j);
        // Towards the column that is nearest to its bound already.
        let off = (0..n).filter(|&j| !is_active(j));
        let Some(target) = off.max_by(|&i, &j| c[i].abs().total_cmp(&c[j].abs())) else {
            break;
        };
        let Some(direction) = beside(&basis, column(target)) else {
            break;
        };
        correlate(matrix.as_slice(), &direction, &mut slope);
        let along = if c[target] < 0.0 { -1.0 } else { 1.0 };
        let mut nearest: Option<(f64, usize, f64)> = None;
        for j in (0..n).filter(|&j| !is_active(j)) {
            let rise = along * slope[j];
            let sign = rise.signum();
            let step = (1.0 - sign * c[j]) / rise.abs();
            if rise != 0.0 && nearest.is_none_or(|(best, _, _)| step < best) {
                nearest = Some((step, j, sign));
            }
        }
        let Some((step, j, sign)) = nearest else {
            break;
        };
        c.iter_mut().zip(&slope).for_each(|(c, s)| *c += step * along * s);
        active.push((j, sign));
        match beside(&basis, column(j)) {
            Some(next) => basis.push(next),
            None => break,
        }
    }
    active
}

/// The unit vector along what an orthonormal basis leaves of a vector, orthogonalised twice; none where little is left.
fn beside(basis: &[Vec<f64>], vector: &[f64]) -> Option<Vec<f64>> {
    let length = norm(vector);
    let mut left = vector.to_vec();
    for _ in 0..2 {
        for b in basis {
            let along = dot(b, &left);
            left.iter_mut().zip(b).for_each(|(l, b)| *l -= along * b);
        }
    }
    let remaining = norm(&left);
    if remaining <= APART * length {
        return None;
    }
    left.iter_mut().for_each(|l| *l /= remaining);
    Some(left)
}

#[cfg(test)]
mod tests {
    use super::super::reference::least_dual_maximum;
    use super::*;
    use crate::estimators::subsets::{for_each_subset, sign_patterns};
    use crate::operators::GaussianEnsemble;
    use crate::recovery::{PlantedTest, PlantedVerdict};
    use crate::seed::Seed;

    #[test]
    fn a_vertex_certifies_what_lies_within_it_and_every_certificate_is_true() {
        let a = GaussianEnsemble { rows: 6, columns: 9 }.draw(&Seed::root(2)).unwrap();
        let gram = ColumnGram::of(&a).unwrap();
        let mut facets = Facets::default();
        let mut planted = vec![0.0; 9];
        (planted[1], planted[4]) = (1.0, -1.0);
        let PlantedVerdict::Recovered { dual, .. } = PlantedTest::default().run(&a, &planted).unwrap().verdict else {
            panic!("not recovered");
        };
        facets.learn(&a, &gram, &[1, 4], &[1.0, -1.0], &dual);
        assert!(facets.certifies(&[1, 4], &[1.0, -1.0]) && facets.certifies(&[1, 4], &[-1.0, 1.0]));
        let mut certified = 0;
        for k in 1..=6 {
            for_each_subset(9, k, |support| {
                for signs in sign_patterns(k) {
                    if facets.certifies(support, &signs) {
                        certified += 1;
                        assert!(
                            least_dual_maximum(a.matrix(), support, &signs) < 1.0,
                            "{support:?} {signs:?}"
                        );
                    }
                }
                Ok(())
            })
            .unwrap();
        }
        // All nonempty subsets of the six columns of a vertex.
        assert_eq!(certified, (1 << 6) - 1);
    }
}
