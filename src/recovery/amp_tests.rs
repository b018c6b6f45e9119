use super::*;
use crate::operators::{DenseOperator, GaussianEnsemble, ScaledColumns};
use crate::recovery::Lasso;
use crate::recovery::reference::{normal_vector, planted};
use crate::seed::Seed;
use crate::theory::special::normal_density;
use nalgebra::DMatrix;

const ROWS: usize = 1000;
const COLUMNS: usize = 2000;
const NONZEROS: usize = 120;

/// `E[(η(X + τZ; ατ) − X)²]` for X = ±1 with probability ε and else 0, by the trapezoidal rule over Z.
fn mean_square_error(epsilon: f64, tau: f64, alpha: f64) -> f64 {
    let (steps, width) = (20_000, 10.0);
    let h = 2.0 * width / f64::from(steps);
    (0..=steps)
        .map(|i| -width + h * f64::from(i))
        .map(|z| {
            let error = |x: f64| (soft(x + tau * z, alpha * tau) - x).powi(2);
            h * normal_density(z) * ((1.0 - epsilon) * error(0.0) + epsilon * error(1.0))
        })
        .sum()
}

#[test]
fn the_effective_noise_follows_state_evolution() {
    let (replicates, steps, noise) = (10, 8, 0.1f64);
    let alpha = minimax_multiple(ROWS, COLUMNS).unwrap();
    let delta = ROWS as f64 / COLUMNS as f64;
    let epsilon = NONZEROS as f64 / COLUMNS as f64;
    let mut measured = vec![Vec::new(); steps];
    for replicate in 0..replicates {
        let seed = Seed::root(1).replicate(replicate);
        let ensemble = GaussianEnsemble {
            rows: ROWS,
            columns: COLUMNS,
        };
        let a = ensemble.draw(&seed).unwrap();
        let mut y = a.apply(&planted(COLUMNS, NONZEROS, &seed)).unwrap();
        y.iter_mut()
            .zip(normal_vector(ROWS, &seed))
            .for_each(|(y, w)| *y += noise * w);
        let mut state = State::new(&a, &y);
        for row in &mut measured {
            row.push(state.noise().powi(2));
            let theta = alpha * state.noise();
            state.step(theta).unwrap();
        }
    }
    let mut variance = noise * noise + epsilon / delta;
    for (t, found) in measured.iter().enumerate() {
        let count = replicates as f64;
        let mean = found.iter().sum::<f64>() / count;
        let spread = found.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (count - 1.0);
        // Six standard errors of ten replicates (a t variable of nine degrees exceeds that once in 5,000), and a bias of
        // order 1/m: unit columns change every signal entry by a relative variance 1/(2m), in each of t + 1 steps.
        let allowed = 6.0 * (spread / count).sqrt() + (t + 1) as f64 * variance * 2.0 / ROWS as f64;
        assert!(
            (mean - variance).abs() <= allowed,
            "step {t}: {mean} {variance} ± {allowed}"
        );
        // The check can fail: while the noise still falls fast, a step more or less is far outside.
        let next = noise * noise + mean_square_error(epsilon, variance.sqrt(), alpha) / delta;
        assert!(
            t > 2 || (next - variance).abs() > 2.0 * allowed,
            "step {t}: {next} {variance}"
        );
        variance = next;
    }
}

/// Noisy measurements with an operator of unit columns.
fn noisy(rows: usize, columns: usize, nonzeros: usize) -> (DenseOperator, Vec<f64>) {
    let seed = Seed::root(2);
    let a = GaussianEnsemble { rows, columns }.draw(&seed).unwrap();
    let a = DenseOperator::new(ScaledColumns::unit(&a).to_dense()).unwrap();
    let mut y = a.apply(&planted(columns, nonzeros, &seed)).unwrap();
    y.iter_mut()
        .zip(normal_vector(rows, &seed))
        .for_each(|(y, w)| *y += 0.1 * w);
    (a, y)
}

#[test]
fn its_fixed_points_are_those_of_the_lasso() {
    let (a, y) = noisy(150, 300, 15);
    for threshold in [
        Threshold::Minimax,
        Threshold::Multiple(1.8),
        Threshold::Lasso(Penalty::Absolute(0.15)),
        Threshold::Lasso(Penalty::RatioOfMax(0.2)),
    ] {
        let solver = ApproximateMessagePassing {
            threshold,
            ..ApproximateMessagePassing::default()
        };
        let answer = solver.solve(&a, &y).unwrap();
        assert_eq!(answer.status, Status::Converged, "{threshold:?}");
        let Certificate::DualityGap { primal, gap, .. } = answer.certificate else {
            panic!("no certificate");
        };
        let sum: f64 = answer.x.iter().map(|v| v.abs()).sum();
        let lambda = (primal - 0.5 * answer.residual_norm.powi(2)) / sum;
        match threshold {
            Threshold::Lasso(Penalty::Absolute(given)) => assert!((lambda / given - 1.0).abs() < 1e-12),
            Threshold::Lasso(Penalty::RatioOfMax(ratio)) => {
                let given = ratio * crate::recovery::lambda_max(&a, &y).unwrap();
                assert!((lambda / given - 1.0).abs() < 1e-12);
            }
            _ => assert!(lambda > 0.0),
        }
        // Stationarity holds within the tolerance on z, 1e-10‖y‖ and its image under columns of length 1, so the gap is
        // at most that against ‖x‖₁ twice, and as much for θ.
        assert!(gap <= 1e-9 * norm(&y) * (sum + norm(&y)), "{threshold:?}: {gap:e}");
        let lasso = Lasso {
            tolerance: 1e-15,
            ..Lasso::new(Penalty::Absolute(lambda))
        };
        let exact = lasso.solve(&a, &y).unwrap();
        // On a common support of well conditioned columns (σ_min² > 0.1) a gap g moves x by at most √(2g/0.1).
        let allowed = (2.0 * (gap + 1e-15 * norm(&y).powi(2)) / 0.1).sqrt();
        let apart = norm(&answer.x.iter().zip(&exact.x).map(|(u, v)| u - v).collect::<Vec<_>>());
        assert!(apart <= allowed, "{threshold:?}: {apart:e} {allowed:e}");
    }
}

#[test]
fn columns_with_a_common_mean_make_it_diverge_and_it_says_so() {
    let seed = Seed::root(3);
    let noise = GaussianEnsemble { rows: 80, columns: 160 }.draw(&seed).unwrap();
    let a = DenseOperator::new(noise.matrix().map(|v| v + 0.3)).unwrap();
    let y = a.apply(&planted(160, 10, &seed)).unwrap();
    let answer = ApproximateMessagePassing::default().solve(&a, &y).unwrap();
    assert_eq!(answer.status, Status::Diverged);
    assert!(answer.x.iter().all(|v| v.is_finite()) && answer.residual_norm.is_finite());
}

#[test]
fn products_beyond_the_numbers_leave_the_last_finite_iterate() {
    let a = DenseOperator::new(DMatrix::from_element(2, 3, 1e308)).unwrap();
    let answer = ApproximateMessagePassing::default().solve(&a, &[1.9, 1.9]).unwrap();
    assert_eq!(answer.status, Status::Diverged);
    assert_eq!(answer.x, [0.0; 3]);
}

#[test]
fn column_lengths_do_not_matter_and_zero_columns_stay_out() {
    let (a, y) = noisy(60, 90, 5);
    let scales: Vec<f64> = (0..90)
        .map(|j| if j == 4 { 0.0 } else { 2f64.powi(j % 7 - 3) })
        .collect();
    let scaled = ScaledColumns::new(&a, scales.clone()).unwrap();
    let zeroed = ScaledColumns::new(&a, scales.iter().map(|&d| f64::from(d != 0.0)).collect()).unwrap();
    let solver = ApproximateMessagePassing::default();
    let (one, other) = (solver.solve(&zeroed, &y).unwrap(), solver.solve(&scaled, &y).unwrap());
    assert_eq!(one.status, Status::Converged);
    assert_eq!(one.x[4], 0.0);
    for j in (0..90).filter(|&j| j != 4) {
        // Powers of two: the same bits.
        assert_eq!(one.x[j], other.x[j] * scales[j]);
    }
}

#[test]
fn a_threshold_that_is_no_number_is_refused() {
    let (a, y) = noisy(10, 20, 1);
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        for threshold in [Threshold::Multiple(bad), Threshold::Lasso(Penalty::Absolute(bad))] {
            let solver = ApproximateMessagePassing {
                threshold,
                ..ApproximateMessagePassing::default()
            };
            assert!(matches!(solver.solve(&a, &y), Err(Error::Argument { .. })));
        }
    }
}
