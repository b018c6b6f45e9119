use super::*;
use crate::linalg::norm;
use crate::networks::Initialisation;
use crate::pruning::structured::Units;
use crate::seed::Seed;
use nalgebra::{DMatrix, DVector};
use rand::RngExt;

fn problem() -> (Network, SensingProblem) {
    let network = Network::preset("mlp:5-4", 4, 3).unwrap();
    let theta: Vec<f64> = network.initial(&Seed::root(1), &Initialisation::HE).unwrap();
    let mut rng = Seed::root(1).stream("samples").rng();
    let inputs = Array::from_fn(30, 4, |_, _| rng.random::<f64>() - 0.3);
    let problem = SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred).unwrap();
    (network, problem)
}

/// Proximal gradient steps on the explicit stacked matrix, far beyond convergence.
fn by_proximal_gradient(a: &DMatrix<f64>, b: &DVector<f64>, groups: &[Vec<usize>], penalties: &[f64]) -> DVector<f64> {
    let step = 1.0 / (a.transpose() * a).symmetric_eigenvalues().max();
    let mut x = DVector::zeros(a.ncols());
    for _ in 0..60_000 {
        x -= step * a.transpose() * (a * &x - b);
        for (members, penalty) in groups.iter().zip(penalties) {
            let length = norm(&members.iter().map(|&j| x[j]).collect::<Vec<_>>());
            let factor = if length > 0.0 {
                (1.0 - step * penalty / length).max(0.0)
            } else {
                0.0
            };
            members.iter().for_each(|&j| x[j] *= factor);
        }
    }
    x
}

#[test]
fn the_units_are_those_of_the_group_lasso_on_the_explicit_stacked_matrix() {
    let (network, problem) = problem();
    let units = Units::of(&network);
    let b = problem
        .right_hand_side(&(0..30).map(|i| i % 3).collect::<Vec<usize>>())
        .unwrap();
    let damping = 0.3;
    let answer = problem.recover_units(&b, &units, damping, &[3, 2, 3]).unwrap();
    let choice = answer.choice.unwrap();
    assert_eq!(choice.counts(), [3, 2, 3]);

    let dense = problem.operator().to_dense();
    let alpha = damping * problem.mean_square_norm();
    let (m, n) = dense.shape();
    let mut stacked = DMatrix::zeros(m + n, n);
    stacked.view_mut((0, 0), (m, n)).copy_from(&dense);
    let mut data = DVector::zeros(m + n);
    data.rows_mut(0, m).copy_from_slice(&b);
    let theta = problem.linearisation().theta();
    for (c, &j) in problem.operator().parameters().iter().enumerate() {
        stacked[(m + c, c)] = alpha.sqrt();
        data[m + c] = alpha.sqrt() * theta[j];
    }
    // Rows of the three weights: five units of four, four of five, three of four.
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (start, rows, columns) in [(0, 5, 4), (20, 4, 5), (40, 3, 4)] {
        groups.extend((0..rows).map(|r| (start + r * columns..start + (r + 1) * columns).collect()));
    }
    let weight = |g: &Vec<usize>| g.iter().map(|&j| stacked.column(j).norm_squared()).sum::<f64>().sqrt();
    // λ_max: the largest pull on a penalised group once the others fit by least squares.
    let free: Vec<usize> = (40..52).collect();
    let part = stacked.select_columns(&free);
    let fit = (part.transpose() * &part).try_inverse().unwrap() * part.transpose() * &data;
    let rest = &data - &part * fit;
    let pulls = stacked.transpose() * rest;
    let pull = |g: &Vec<usize>| norm(&g.iter().map(|&j| pulls[j]).collect::<Vec<_>>());
    let first = groups[..9].iter().map(|g| pull(g) / weight(g)).fold(0.0, f64::max);
    let family = |g: usize| if g < 5 { 0 } else { 1 };
    let penalties: Vec<f64> = (0..12)
        .map(|g| {
            if g < 9 {
                first * answer.penalty_ratios[family(g)] * weight(&groups[g])
            } else {
                0.0
            }
        })
        .collect();
    let x = by_proximal_gradient(&stacked, &data, &groups, &penalties);
    for (g, members) in groups.iter().enumerate().take(9) {
        let strength = weight(members) * norm(&members.iter().map(|&j| x[j]).collect::<Vec<_>>());
        let found = answer.strengths[family(g)][if g < 5 { g } else { g - 5 }];
        // A gap of 1e-5 · ½‖data‖² leaves a group's image within √(1e-5) ‖data‖ of the minimiser's, and the damping makes
        // its strength at most √(5 (1 + 1/damping)) times that.
        let allowed = 1e-5f64.sqrt() * data.norm() * (5.0 * (1.0 + 1.0 / damping)).sqrt();
        assert!((strength - found).abs() < allowed, "{g}: {strength} {found}");
    }
    for f in 0..2 {
        let kept = |u: &usize| choice.family(f)[*u];
        let all: Vec<usize> = (0..choice.family(f).len()).collect();
        let least = all
            .iter()
            .filter(|u| kept(u))
            .map(|&u| answer.strengths[f][u])
            .fold(f64::INFINITY, f64::min);
        let most = all
            .iter()
            .filter(|u| !kept(u))
            .map(|&u| answer.strengths[f][u])
            .fold(0.0, f64::max);
        assert!(least >= most && least > 0.0);
    }
}

#[test]
fn every_unit_is_found_when_all_are_asked_for_and_the_rest_is_refused() {
    let (network, problem) = problem();
    let units = Units::of(&network);
    let b = problem
        .right_hand_side(&(0..30).map(|i| i % 3).collect::<Vec<usize>>())
        .unwrap();
    let all = problem.recover_units(&b, &units, 0.3, &[5, 4, 3]).unwrap();
    assert_eq!(all.choice.unwrap(), units.all());
    for (damping, counts) in [
        (0.0, [3, 2, 3]),
        (f64::NAN, [3, 2, 3]),
        (0.1, [0, 2, 3]),
        (0.1, [3, 5, 3]),
        (0.1, [3, 2, 2]),
    ] {
        assert!(problem.recover_units(&b, &units, damping, &counts).is_err());
    }
    assert!(problem.recover_units(&b[1..], &units, 0.1, &[3, 2, 3]).is_err());
    let other = Units::of(&Network::preset("mlp:5-4", 6, 3).unwrap());
    assert!(problem.recover_units(&b, &other, 0.1, &[3, 2, 3]).is_err());
}
