use super::*;
use crate::Seed;
use crate::linalg::dense::symmetric_eigenvalues;
use crate::operators::GaussianEnsemble;
use crate::outcome::Certainty;
use nalgebra::{DMatrix, dmatrix};

pub(super) const SEED: u64 = 5;

pub(super) fn seed() -> Seed {
    Seed::root(SEED)
}

pub(super) fn gaussian(rows: usize, columns: usize, number: u64) -> DMatrix<f64> {
    let ensemble = GaussianEnsemble { rows, columns };
    ensemble.draw(&seed().replicate(number)).unwrap().matrix() * (rows as f64).sqrt()
}

pub(super) fn isotropic(precision: f64) -> Prior {
    Prior::Isotropic { precision }
}

/// The loss by a fresh inverse and fresh eigenvalues, straight from the definition.
pub(super) fn plain_loss(
    a: &DMatrix<f64>,
    precisions: &[f64],
    sigma: f64,
    criterion: Criterion,
    rows: &[usize],
) -> f64 {
    let n = a.ncols();
    let mut m = DMatrix::from_diagonal(&nalgebra::DVector::from_column_slice(precisions));
    for &i in rows {
        for p in 0..n {
            for q in 0..n {
                m[(p, q)] += a[(i, p)] * a[(i, q)] / (sigma * sigma);
            }
        }
    }
    let values = symmetric_eigenvalues(&m).unwrap();
    if values[0] <= 1e-12 * values[n - 1] {
        return f64::INFINITY;
    }
    match criterion {
        Criterion::A => m.try_inverse().unwrap().trace(),
        Criterion::D => -m.determinant().ln(),
        Criterion::E => 1.0 / values[0],
    }
}

#[test]
fn orthogonal_rows_have_the_separable_trace() {
    // Rows c_i e_i: tr = Σ_S 1/(p + c²/σ²) + (n − k)/p.
    let scales = [3.0, 0.5, 2.0, 1.0];
    let a = DMatrix::from_fn(4, 5, |i, j| if i == j { scales[i] } else { 0.0 });
    let problem = DesignProblem::new(&a, &isotropic(2.0), 0.5, Criterion::A).unwrap();
    let exact = 1.0 / (2.0 + 9.0 / 0.25) + 1.0 / (2.0 + 4.0 / 0.25) + 3.0 / 2.0;
    assert!((problem.loss(&[2, 0]).unwrap() - exact).abs() < 4e-16 * exact);
    let norms = LargestNorms.select(&problem, 2, &seed()).unwrap();
    let best = Exhaustive::default().select(&problem, 2, &seed()).unwrap();
    assert_eq!(
        (norms.rows.as_slice(), best.rows.as_slice()),
        (&[0, 2][..], &[0, 2][..])
    );
    assert_eq!((norms.alternatives, best.alternatives), (Some(0), Some(0)));
    assert_eq!(best.certainty, Certainty::Exact);
}

#[test]
fn the_norm_rule_takes_the_duplicated_sensor_of_the_example() {
    let a = dmatrix![1.0, 0.0; 1.0, 0.001; 0.0, 0.5];
    let problem = DesignProblem::new(&a, &Prior::Flat, 1.0, Criterion::A).unwrap();
    let norms = LargestNorms.select(&problem, 2, &seed()).unwrap();
    assert_eq!(norms.rows, [0, 1]);
    // tr = (2 + 1e-6)/1e-6; its condition 4e6 leaves nine digits.
    assert!((norms.loss / 2_000_001.0 - 1.0).abs() < 1e2 * f64::EPSILON * 4e6);
    for method in [
        &Exhaustive::default() as &dyn RowSelector,
        &BackwardGreedy,
        &Exchange::from(LargestNorms),
    ] {
        let found = method.select(&problem, 2, &seed()).unwrap();
        assert_eq!(found.rows, [0, 2], "{}", method.name());
        assert!((found.loss - 5.0).abs() < 1e-14);
    }
    // Forward selection takes the longest row first, {1}, and then 1.25/0.25 + 1e-6·… instead of 5.
    let greedy = ForwardGreedy.select(&problem, 2, &seed()).unwrap();
    assert_eq!(greedy.rows, [1, 2]);
    assert!((greedy.loss - 1.250001 / 0.25).abs() < 1e-13);
}

#[test]
fn golden_values_of_numpy_for_a_small_matrix() {
    // numpy 2.4.6: itertools.combinations with linalg.inv, slogdet and eigvalsh.
    let a = DMatrix::from_fn(8, 3, |i, j| {
        (((7 * i * i + 3 * j * j * i + 5 * j + i) % 11) as f64 - 5.0) / 4.0
    });
    let diagonal = Prior::Diagonal {
        precisions: vec![0.25, 1.0, 4.0],
    };
    // Prior, σ, criterion; the best rows and their loss; the loss of the first four rows.
    type Golden<'a> = (&'a Prior, f64, Criterion, [usize; 4], f64, f64);
    let golden: [Golden<'_>; 9] = [
        (
            &Prior::Flat,
            1.0,
            Criterion::A,
            [0, 2, 4, 7],
            1.1239114560059291,
            5.259339469409855,
        ),
        (
            &Prior::Flat,
            1.0,
            Criterion::D,
            [0, 2, 3, 4],
            -3.185775406940544,
            -1.2829933551597321,
        ),
        (
            &Prior::Flat,
            1.0,
            Criterion::E,
            [0, 2, 4, 7],
            0.5301198775095491,
            4.762230939303708,
        ),
        (
            &isotropic(0.5),
            0.3,
            Criterion::A,
            [0, 2, 4, 7],
            0.09930518293293844,
            0.39717800929128716,
        ),
        (
            &isotropic(0.5),
            0.3,
            Criterion::D,
            [0, 2, 3, 4],
            -10.462419582364832,
            -8.723236919237895,
        ),
        (
            &isotropic(0.5),
            0.3,
            Criterion::E,
            [0, 2, 4, 7],
            0.04659914791943982,
            0.3529610854663237,
        ),
        (
            &diagonal,
            2.0,
            Criterion::A,
            [0, 3, 4, 7],
            1.6806430781488728,
            1.9043308266867087,
        ),
        (
            &diagonal,
            2.0,
            Criterion::D,
            [0, 2, 3, 7],
            -2.19177593608614,
            -1.9779197113870484,
        ),
        (
            &diagonal,
            2.0,
            Criterion::E,
            [0, 3, 5, 7],
            0.7856861560313034,
            1.0493365358185176,
        ),
    ];
    for (prior, sigma, criterion, rows, least, first) in golden {
        let problem = DesignProblem::new(&a, prior, sigma, criterion).unwrap();
        let best = Exhaustive::default().select(&problem, 4, &seed()).unwrap();
        assert_eq!(best.rows, rows, "{criterion:?} {prior:?}");
        // Condition numbers below 1e3: 1e2 ε κ.
        assert!((best.loss - least).abs() < 2e-11 * (1.0 + least.abs()), "{criterion:?}");
        let other = problem.loss(&[3, 0, 2, 1]).unwrap();
        assert!((other - first).abs() < 2e-11 * (1.0 + first.abs()), "{criterion:?}");
    }
}

#[test]
fn the_walk_meets_every_choice_once_with_the_loss_of_a_fresh_inverse() {
    for number in 0..6 {
        let mut a = gaussian(8, 3, number);
        if number >= 4 {
            // Duplicates make singular choices under a flat prior.
            let copy = a.row(0).clone_owned();
            a.set_row(5, &copy);
            a.set_row(7, &(copy * 2.0));
        }
        for (prior, precision) in [(Prior::Flat, 0.0), (isotropic(0.3), 0.3)] {
            for criterion in Criterion::ALL {
                let problem = DesignProblem::new(&a, &prior, 0.5, criterion).unwrap();
                let least = if precision == 0.0 { 3 } else { 0 };
                for k in least..=8 {
                    let mut seen = Vec::new();
                    let ways = visit_subsets(&problem, k, 1000, &mut |subset| {
                        let exact = plain_loss(&a, &[precision; 3], 0.5, criterion, subset.rows);
                        let good = subset.loss == exact
                            || (subset.loss - exact).abs() <= subset.error + 1e-9 * exact.abs()
                            || (exact > 1e10 && subset.loss > 1e10);
                        assert!(good, "{criterion:?} {:?}: {} {exact}", subset.rows, subset.loss);
                        seen.push(subset.rows.to_vec());
                        Ok(())
                    })
                    .unwrap();
                    assert_eq!((ways, seen.len() as u64), (subsets(8, k), subsets(8, k)));
                    seen.sort();
                    seen.dedup();
                    assert_eq!(seen.len() as u64, ways);
                }
            }
        }
    }
}

#[test]
fn greedy_is_what_naive_recomputation_picks() {
    for number in 0..8 {
        let a = gaussian(14, 4, number);
        for criterion in Criterion::ALL {
            let problem = DesignProblem::new(&a, &isotropic(0.5), 0.1, criterion).unwrap();
            let mut rows: Vec<usize> = Vec::new();
            for k in 1..=9 {
                // E alone has ties while rows are fewer than unknowns; D breaks them.
                let key = |i: &usize| -> (f64, f64) {
                    let with: Vec<usize> = rows.iter().copied().chain([*i]).collect();
                    let of = |c| plain_loss(&a, &[0.5; 4], 0.1, c, &with);
                    match criterion {
                        Criterion::E if k < 4 => (0.0, of(Criterion::D)),
                        _ => (of(criterion), 0.0),
                    }
                };
                let outside = (0..14).filter(|i| !rows.contains(i));
                let next = outside.min_by(|i, j| key(i).partial_cmp(&key(j)).unwrap()).unwrap();
                rows.push(next);
                rows.sort_unstable();
                let found = ForwardGreedy.select(&problem, k, &seed()).unwrap();
                assert_eq!(found.rows, rows, "{criterion:?} {k}");
            }
            let mut rows: Vec<usize> = (0..14).collect();
            for k in (2..14).rev() {
                let without = |i: usize| rows.iter().copied().filter(|r| *r != i).collect::<Vec<_>>();
                let loss = |i: usize| plain_loss(&a, &[0.5; 4], 0.1, criterion, &without(i));
                let worst = *rows.iter().min_by(|i, j| loss(**i).total_cmp(&loss(**j))).unwrap();
                // Fewer rows than unknowns leave the largest variance at that of the prior: ties for E.
                if criterion == Criterion::E && k < 4 {
                    break;
                }
                rows.retain(|r| *r != worst);
                let found = BackwardGreedy.select(&problem, k, &seed()).unwrap();
                assert_eq!(found.rows, rows, "{criterion:?} {k}");
            }
        }
    }
}

#[test]
fn a_flat_prior_starts_as_a_prior_of_vanishing_precision_does() {
    for number in 0..10 {
        let a = gaussian(12, 4, number);
        for criterion in [Criterion::A, Criterion::D] {
            let flat = DesignProblem::new(&a, &Prior::Flat, 1.0, criterion).unwrap();
            // 1e-6 beside rows of size 1: the next order decides far above the rounding of 1e-16/1e-6.
            let faint = DesignProblem::new(&a, &isotropic(1e-6), 1.0, criterion).unwrap();
            for k in 4..8 {
                let [by_flat, by_faint] = [&flat, &faint].map(|p| ForwardGreedy.select(p, k, &seed()).unwrap().rows);
                assert_eq!(by_flat, by_faint, "{criterion:?} {k} {number}");
            }
        }
    }
}

#[test]
fn long_runs_with_little_noise_stay_on_the_naive_path() {
    // Information grows from 1 to 1e8 in the first steps: cancellation that a refresh has to catch.
    let a = gaussian(150, 6, 3);
    let problem = DesignProblem::new(&a, &isotropic(1.0), 1e-4, Criterion::A).unwrap();
    let found = ForwardGreedy.select(&problem, 100, &seed()).unwrap();
    let mut rows: Vec<usize> = Vec::new();
    for _ in 0..100 {
        let loss = |i: usize| {
            problem
                .loss(&rows.iter().copied().chain([i]).collect::<Vec<_>>())
                .unwrap()
        };
        let outside = (0..150).filter(|i| !rows.contains(i));
        let next = outside.min_by(|i, j| loss(*i).total_cmp(&loss(*j))).unwrap();
        rows.push(next);
    }
    rows.sort_unstable();
    assert_eq!(found.rows, rows);
}

#[test]
fn choosing_weights_minimises_the_mean_ridge_objective() {
    // J is outputs × weights; for each unit target the ridge objective is solved by its normal equations.
    let j = gaussian(4, 7, 11);
    let sigma = 0.4;
    let problem = DesignProblem::of_columns(&j, &isotropic(1.0), sigma, Criterion::A).unwrap();
    assert_eq!((problem.candidates(), problem.unknowns()), (7, 4));
    let kept = [1, 4, 5];
    let columns = j.select_columns(&kept);
    let normal = columns.transpose() * &columns + DMatrix::identity(3, 3) * (sigma * sigma);
    let solver = normal.try_inverse().unwrap() * columns.transpose();
    let objective: f64 = (0..4)
        .map(|e| {
            let target = nalgebra::DVector::from_fn(4, |i, _| f64::from(i == e));
            let x = &solver * &target;
            (&target - &columns * &x).norm_squared() + sigma * sigma * x.norm_squared()
        })
        .sum();
    assert!((problem.loss(&kept).unwrap() - objective).abs() < 1e-13);
    let by_rows = DesignProblem::new(&j.transpose(), &isotropic(1.0), sigma, Criterion::A).unwrap();
    assert_eq!(problem.loss(&kept).unwrap(), by_rows.loss(&kept).unwrap());
    // The selection is then the best mask of three weights for that objective.
    let best = Exhaustive::default().select(&problem, 3, &seed()).unwrap();
    assert!(best.loss <= objective);
}
