use super::super::inactive::{Every, Inactive};
use super::super::lazy::Lazy;
use super::*;
use crate::operators::{
    CorrelatedGaussianEnsemble, DenseOperator, GaussianEnsemble, MatrixFree, RademacherEnsemble, Shape,
};
use crate::recovery::{BasisPursuit, Lasso, Solver, reference};
use crate::seed::Seed;
use nalgebra::{DMatrix, DVector, dmatrix};
use proptest::prelude::*;

fn down_to(ratio: f64) -> LassoPath {
    LassoPath::new(Penalty::RatioOfMax(ratio))
}

/// The duality gap of a point with its residual as the dual point, by the definition.
fn gap_by_definition(a: &DMatrix<f64>, y: &[f64], lambda: f64, (support, values): &(Vec<usize>, Vec<f64>)) -> f64 {
    let y = DVector::from_column_slice(y);
    let r = &y - a.select_columns(support) * DVector::from_column_slice(values);
    let scale = (lambda / (a.transpose() * &r).amax()).min(1.0);
    let primal = 0.5 * r.norm_squared() + lambda * values.iter().map(|v| v.abs()).sum::<f64>();
    primal - 0.5 * y.norm_squared() + 0.5 * (y - r * scale).norm_squared()
}

/// Penalties inside the segments, a few on each.
fn inside(path: &Path) -> Vec<f64> {
    let ends: Vec<f64> = path.breakpoints.iter().map(|b| b.lambda).collect();
    let shares = [0.25, 0.5, 0.9];
    let inner = |w: &[f64]| shares.map(|share| w[0] + share * (w[1] - w[0]));
    ends.windows(2).flat_map(inner).collect()
}

/// The gap by its definition must vanish, but for rounding, everywhere on the path.
fn assert_optimal_everywhere(a: &DMatrix<f64>, y: &[f64], path: &Path) {
    let scale = 0.5 * dot(y, y);
    for lambda in inside(path) {
        let gap = gap_by_definition(a, y, lambda, &path.at(lambda).unwrap());
        // The definition subtracts squares of the size of ‖y‖², sums of m terms; the path's own gap is as small.
        let rounding = 16.0 * (y.len() + a.ncols()) as f64 * f64::EPSILON * scale;
        assert!(
            gap <= rounding + path.worst_gap(),
            "gap {gap:e} at {lambda}, allowed {rounding:e}"
        );
    }
}

#[test]
fn orthogonal_columns_of_any_length_give_soft_thresholds() {
    // xⱼ = soft(aⱼᵀy, λ)/‖aⱼ‖², and column j joins at |aⱼᵀy|.
    let a = DenseOperator::new(DMatrix::from_diagonal(&nalgebra::dvector![1.0, 2.0, 0.5, 1.0])).unwrap();
    let y = [1.0, -4.0, 3.0, 0.25];
    let path = LassoPath::new(Penalty::Absolute(0.125)).solve(&a, &y).unwrap();
    let events: Vec<(f64, Option<(usize, f64)>)> = path.breakpoints.iter().map(|b| (b.lambda, b.column)).collect();
    assert_eq!(
        events,
        [
            (8.0, Some((1, -1.0))),
            (1.5, Some((2, 1.0))),
            (1.0, Some((0, 1.0))),
            (0.25, Some((3, 1.0))),
            (0.125, None)
        ]
    );
    assert_eq!(path.at(9.0).unwrap(), (vec![], vec![]));
    assert_eq!(path.at(4.0).unwrap(), (vec![1], vec![-1.0]));
    assert_eq!(path.at(0.5).unwrap(), (vec![0, 1, 2], vec![0.5, -1.875, 4.0]));
    assert_eq!(
        (path.status(), path.worst_gap(), path.factorisations),
        (Status::Converged, 0.0, 0)
    );
    assert!(path.at(0.1).is_err() && path.at(f64::NAN).is_err());
}

#[test]
fn the_path_is_optimal_between_its_breakpoints_and_agrees_with_the_lasso() {
    for (replicate, correlation) in [0.0, 0.0, 0.8, 0.95].into_iter().enumerate() {
        let seed = Seed::root(21).replicate(replicate as u64);
        let ensemble = CorrelatedGaussianEnsemble {
            rows: 24,
            columns: 60,
            correlation,
        };
        let a = ensemble.draw(&seed).unwrap();
        let y = reference::normal_vector(24, &seed);
        let path = down_to(0.02).solve(&a, &y).unwrap();
        assert_eq!((path.status(), path.end), (Status::Converged, PathEnd::Reached));
        assert_optimal_everywhere(a.matrix(), &y, &path);
        for share in [0.9, 0.5, 0.21, 0.07, 0.02] {
            let lambda = (share * path.breakpoints[0].lambda).max(path.breakpoints.last().unwrap().lambda);
            let solver = Lasso {
                tolerance: 1e-14,
                ..Lasso::new(Penalty::Absolute(lambda))
            };
            let answer = solver.solve(&a, &y).unwrap();
            let (support, values) = path.at(lambda).unwrap();
            let mut x = vec![0.0; 60];
            support.iter().zip(&values).for_each(|(&j, v)| x[j] = *v);
            // Two points within gaps g of the optimum have fits within √(2g) of its own each.
            let step: Vec<f64> = x.iter().zip(&answer.x).map(|(u, v)| u - v).collect();
            let gaps = 2.0 * (1e-14 * path.scale).max(path.worst_gap());
            assert!(norm(&a.apply(&step).unwrap()) <= 2.0 * gaps.sqrt());
        }
    }
}

#[test]
fn breakpoints_drops_and_values_are_those_of_another_implementation() {
    // From lars_path of scikit-learn 1.9.1 (method "lasso", alpha_min 0), its penalties times the number of rows.
    let entry = |i: usize, j: usize| ((7 * i * i + 11 * j * j + 3 * i * j + 5 * i + 2 * j) % 17) as f64 - 8.0;
    let a = DenseOperator::new(DMatrix::from_fn(6, 9, entry)).unwrap();
    let y = [-9.0, -6.0, 3.0, -1.0, 1.0, 9.0];
    let path = LassoPath::new(Penalty::Absolute(3.0)).solve(&a, &y).unwrap();
    let expected: [(f64, usize, PathEvent); 10] = [
        (107.0, 2, PathEvent::Joined),
        (82.08, 4, PathEvent::Joined),
        (71.85794602698651, 1, PathEvent::Joined),
        (68.36318313581721, 5, PathEvent::Joined),
        (55.25836961028192, 3, PathEvent::Joined),
        (24.11150987519971, 8, PathEvent::Joined),
        (14.60322193534309, 5, PathEvent::Dropped),
        (6.729981092544326, 6, PathEvent::Joined),
        (4.674379668584189, 3, PathEvent::Dropped),
        (3.4950911640953732, 5, PathEvent::Joined),
    ];
    assert_eq!(path.breakpoints.len(), expected.len() + 1);
    // Systems of at most six columns whose Gram matrices have conditions below 1e5.
    let tolerance = 6.0 * f64::EPSILON * 1e5;
    for (b, (lambda, column, event)) in path.breakpoints.iter().zip(expected) {
        assert!((b.lambda - lambda).abs() <= tolerance * 107.0, "{} {lambda}", b.lambda);
        assert_eq!((b.column.unwrap().0, b.event), (column, event));
    }
    let (support, values) = path.at(path.breakpoints[8].lambda).unwrap();
    assert_eq!(support, [1, 2, 4, 6, 8]);
    let at_the_drop = [
        -1.2498901509603582,
        -0.40091869150854287,
        -0.16102354052293194,
        0.11222026373870578,
        -1.300344951237127,
    ];
    for (found, value) in values.iter().zip(at_the_drop) {
        assert!((found - value).abs() <= tolerance, "{found} {value}");
    }
}

#[test]
fn columns_left_out_by_their_bounds_never_change_the_path() {
    for (replicate, (rows, columns, correlation)) in
        [(40, 200, 0.0), (60, 150, 0.9), (30, 400, 0.3)].into_iter().enumerate()
    {
        let seed = Seed::root(22).replicate(replicate as u64);
        let a = CorrelatedGaussianEnsemble {
            rows,
            columns,
            correlation,
        };
        let a = a.draw(&seed).unwrap();
        // Columns of all lengths, and one of length 0.
        let mut matrix = a.matrix().clone();
        for (j, mut column) in matrix.column_iter_mut().enumerate() {
            column *= if j == 7 { 0.0 } else { 0.5 + (j % 5) as f64 };
        }
        let a = DenseOperator::new(matrix).unwrap();
        let y = SafeRange::of(&[1.0]).down(&reference::normal_vector(rows, &seed));
        let method = down_to(1e-3);
        let follow = |inactive| method.follow(&a, &y, 1.0, Homotopy::following(&a, &y, inactive), &mut Watch::none());
        let every = follow(Inactive::Every(Every::new(&a)));
        let lazy = follow(Inactive::Lazy(Lazy::new(a.matrix())));
        assert_eq!(every.status(), Status::Converged);
        assert_eq!(lazy.status(), Status::Converged);
        assert_eq!(every.breakpoints.len(), lazy.breakpoints.len());
        for (b, c) in every.breakpoints.iter().zip(&lazy.breakpoints) {
            assert_eq!((b.event, b.column), (c.event, c.column));
            // The condition of the active columns stays below 1e4, that of their Gram matrix below 1e8.
            assert!((b.lambda - c.lambda).abs() <= 1e8 * f64::EPSILON * b.lambda);
        }
        // What it is for: an adjoint a breakpoint is not needed.
        assert!(
            lazy.applications < 0.7 * every.applications,
            "{} {}",
            lazy.applications,
            every.applications
        );
        assert_optimal_everywhere(a.matrix(), &y, &lazy);
    }
}

#[test]
fn an_operator_without_entries_has_the_same_path() {
    let seed = Seed::root(23);
    let a = GaussianEnsemble { rows: 12, columns: 30 }.draw(&seed).unwrap();
    let y = reference::normal_vector(12, &seed);
    let matrix = a.matrix();
    let free = MatrixFree::new(
        Shape { rows: 12, columns: 30 },
        |x: &[f64], y: &mut [f64]| y.copy_from_slice((matrix * DVector::from_column_slice(x)).as_slice()),
        |y: &[f64], x: &mut [f64]| x.copy_from_slice((matrix.transpose() * DVector::from_column_slice(y)).as_slice()),
    )
    .unwrap();
    let (stored, applied) = (
        down_to(0.01).solve(&a, &y).unwrap(),
        down_to(0.01).solve(&free, &y).unwrap(),
    );
    assert_eq!(stored.breakpoints.len(), applied.breakpoints.len());
    for (b, c) in stored.breakpoints.iter().zip(&applied.breakpoints) {
        assert_eq!((b.event, b.column), (c.event, c.column));
    }
    assert_eq!(applied.status(), Status::Converged);
}

#[test]
fn ties_of_random_signs_are_resolved_at_one_penalty() {
    let mut tied = 0;
    for replicate in 0..60 {
        let seed = Seed::root(24).replicate(replicate);
        let rows = [4, 8, 16, 5][replicate as usize % 4];
        let a = RademacherEnsemble { rows, columns: 40 }.draw(&seed).unwrap();
        // Whole numbers: correlations of many columns are equal to the last bit.
        let y: Vec<f64> = reference::normal_vector(rows, &seed)
            .iter()
            .map(|v| (2.0 * v).round())
            .collect();
        let path = down_to(0.01).solve(&a, &y).unwrap();
        assert_eq!(
            (path.end, path.status()),
            (PathEnd::Reached, Status::Converged),
            "replicate {replicate}"
        );
        assert_optimal_everywhere(a.matrix(), &y, &path);
        tied += path
            .breakpoints
            .windows(2)
            .filter(|w| w[0].lambda == w[1].lambda)
            .count();
    }
    assert!(tied >= 60, "only {tied} ties");
}

#[test]
fn small_matrices_of_few_different_numbers_never_lead_into_a_circle() {
    let mut tied = 0;
    for replicate in 0..3000 {
        let seed = Seed::root(33).replicate(replicate);
        let (rows, columns) = (3 + replicate as usize % 4, 8 + replicate as usize % 13);
        let entries = reference::normal_vector(rows * (columns + 1), &seed);
        let whole: Vec<f64> = entries.iter().map(|v| v.round().clamp(-1.0, 1.0)).collect();
        let a = DenseOperator::new(DMatrix::from_column_slice(rows, columns, &whole[rows..])).unwrap();
        let y: Vec<f64> = entries[..rows].iter().map(|v| (2.0 * v).round()).collect();
        let path = down_to(0.01).solve(&a, &y).unwrap();
        assert_eq!(
            (path.end, path.status()),
            (PathEnd::Reached, Status::Converged),
            "replicate {replicate}"
        );
        tied += path
            .breakpoints
            .windows(2)
            .filter(|w| w[0].lambda == w[1].lambda)
            .count();
    }
    assert!(tied >= 3000, "only {tied} ties");
}

#[test]
fn repeated_columns_stay_out_and_are_named() {
    let seed = Seed::root(25);
    let base = GaussianEnsemble { rows: 10, columns: 15 }.draw(&seed).unwrap();
    // Column 15 + j is column j or its negative.
    let twice = DMatrix::from_fn(10, 30, |i, j| {
        let entry = base.matrix()[(i, j % 15)];
        if j >= 15 && j % 2 == 0 { -entry } else { entry }
    });
    let a = DenseOperator::new(twice).unwrap();
    let y = reference::normal_vector(10, &seed);
    let once = down_to(0.05).solve(&base, &y).unwrap();
    let path = down_to(0.05).solve(&a, &y).unwrap();
    assert_eq!(path.status(), Status::Converged);
    assert_optimal_everywhere(a.matrix(), &y, &path);
    let moves = |path: &Path| -> Vec<(PathEvent, usize)> {
        let events = path.breakpoints.iter().filter(|b| b.event != PathEvent::Refused);
        events.filter_map(|b| Some((b.event, b.column?.0 % 15))).collect()
    };
    assert_eq!(moves(&path), moves(&once));
    // Every column that was active has a twin on the bound, and no other column is named.
    let mut twins: Vec<usize> = path.dependent.iter().map(|(j, _)| j % 15).collect();
    let mut joined: Vec<usize> = moves(&once).iter().map(|(_, j)| *j).collect();
    for list in [&mut twins, &mut joined] {
        list.sort_unstable();
        list.dedup();
    }
    assert_eq!(twins, joined);
    assert!(once.dependent.is_empty());
}

#[test]
fn repeated_random_signs_end_in_a_proven_path() {
    for replicate in 0..40 {
        let seed = Seed::root(26).replicate(replicate);
        let base = RademacherEnsemble { rows: 8, columns: 20 }.draw(&seed).unwrap();
        let twice = DMatrix::from_fn(8, 60, |i, j| base.matrix()[(i, j / 3)]);
        let a = DenseOperator::new(twice).unwrap();
        let y = a.apply(&reference::planted(60, 4, &seed)).unwrap();
        let path = down_to(0.001).solve(&a, &y).unwrap();
        assert_eq!(
            (path.end, path.status()),
            (PathEnd::Reached, Status::Converged),
            "replicate {replicate}"
        );
        assert_optimal_everywhere(a.matrix(), &y, &path);
    }
}

#[test]
fn an_empty_range_of_penalties_and_data_of_zero_have_the_path_of_zeros() {
    let a = DenseOperator::new(dmatrix![1.0, 0.0; 0.0, 0.0]).unwrap();
    for (y, penalty) in [
        ([2.0, 0.0], Penalty::Absolute(2.0)),
        ([2.0, 0.0], Penalty::RatioOfMax(1.5)),
        ([0.0, 0.0], Penalty::Absolute(0.0)),
        ([0.0, 3.0], Penalty::RatioOfMax(0.0)),
    ] {
        let path = LassoPath::new(penalty).solve(&a, &y).unwrap();
        assert_eq!((path.status(), path.breakpoints.len()), (Status::Converged, 1));
        assert_eq!(path.breakpoints[0].event, PathEvent::Ended);
        assert_eq!(path.at(path.breakpoints[0].lambda).unwrap(), (vec![], vec![]));
        assert_eq!(path.relative_gap(), 0.0);
    }
}

#[test]
fn at_the_end_of_a_whole_path_stand_least_squares_and_basis_pursuit() {
    let seed = Seed::root(27);
    let tall = GaussianEnsemble { rows: 20, columns: 6 }.draw(&seed).unwrap();
    let y = reference::normal_vector(20, &seed);
    let path = down_to(0.0).solve(&tall, &y).unwrap();
    assert_eq!(path.status(), Status::Converged);
    let (support, values) = path.at(0.0).unwrap();
    let fit = reference::least_squares(tall.matrix(), &y);
    assert_eq!(support, [0, 1, 2, 3, 4, 5]);
    for (v, w) in values.iter().zip(fit.iter()) {
        // The condition of a 20 × 6 Gaussian Gram matrix is below 100.
        assert!((v - w).abs() <= 6.0 * f64::EPSILON * 100.0 * fit.norm());
    }
    let wide = GaussianEnsemble { rows: 12, columns: 40 }.draw(&seed).unwrap();
    let y = &y[..12];
    let path = down_to(0.0).solve(&wide, y).unwrap();
    assert_eq!(path.status(), Status::Converged);
    let (support, values) = path.at(0.0).unwrap();
    let answer = BasisPursuit::default().solve(&wide, y).unwrap();
    assert_eq!(support, answer.support);
    let length: f64 = values.iter().map(|v| v.abs()).sum();
    // A system of twelve columns whose condition is below 1e4.
    assert!((length - answer.objective).abs() <= 12.0 * f64::EPSILON * 1e4 * length);
}

#[test]
fn limits_are_kept_and_what_is_there_of_the_path_is_right() {
    let seed = Seed::root(28);
    let a = GaussianEnsemble { rows: 16, columns: 40 }.draw(&seed).unwrap();
    let y = reference::normal_vector(16, &seed);
    let whole = down_to(0.01).solve(&a, &y).unwrap();
    let short = LassoPath {
        max_segments: 4,
        ..down_to(0.01)
    };
    let short = short.solve(&a, &y).unwrap();
    assert_eq!(
        (short.end, short.status()),
        (PathEnd::SegmentLimit, Status::IterationLimit)
    );
    assert_eq!(short.breakpoints, whole.breakpoints[..5]);
    let mut seen = Vec::new();
    let mut observer = |p: &Progress| {
        seen.push((p.iteration, p.nonzeros));
        p.iteration < 3
    };
    let stopped = down_to(0.01)
        .solve_watched(&a, &y, &mut Watch::new(&mut observer))
        .unwrap();
    assert_eq!((stopped.end, stopped.status()), (PathEnd::Stopped, Status::Stopped));
    assert_eq!(seen, [(1, 2), (2, 3), (3, 4)]);
    let lambda = stopped.breakpoints.last().unwrap().lambda;
    assert_eq!(stopped.at(lambda).unwrap(), whole.at(lambda).unwrap());
    assert!(stopped.at(0.99 * lambda).is_err());
}

#[test]
fn a_tolerance_below_rounding_factorises_anew_and_says_that_it_was_not_met() {
    let seed = Seed::root(29);
    let a = GaussianEnsemble { rows: 30, columns: 60 }.draw(&seed).unwrap();
    let y = reference::normal_vector(30, &seed);
    let strict = LassoPath {
        tolerance: 0.0,
        ..down_to(0.05)
    };
    let strict = strict.solve(&a, &y).unwrap();
    assert_eq!((strict.end, strict.status()), (PathEnd::Reached, Status::Stalled));
    assert!(strict.factorisations > 0);
    let plain = down_to(0.05).solve(&a, &y).unwrap();
    assert_eq!((plain.status(), plain.factorisations), (Status::Converged, 0));
    let events = |path: &Path| -> Vec<_> { path.breakpoints.iter().map(|b| (b.event, b.column)).collect() };
    assert_eq!(events(&strict), events(&plain));
    assert_optimal_everywhere(a.matrix(), &y, &strict);
}

#[test]
fn columns_whose_squares_are_no_numbers_give_no_proof_of_anything() {
    let seed = Seed::root(32);
    let a = GaussianEnsemble { rows: 6, columns: 12 }.draw(&seed).unwrap();
    let y = reference::normal_vector(6, &seed);
    for (columns, data) in [(1e200, 1e-200), (1e-200, 1e-150), (1e200, 1.0)] {
        let a = DenseOperator::new(a.matrix() * columns).unwrap();
        let y: Vec<f64> = y.iter().map(|v| v * data).collect();
        let path = down_to(0.1).solve(&a, &y).unwrap();
        assert_eq!(path.status(), Status::Stalled);
        assert!(path.relative_gap() > 1e-3);
    }
}

#[test]
fn unusable_numbers_are_refused() {
    let a = DenseOperator::new(dmatrix![1.0, 2.0]).unwrap();
    let refuses = |method: LassoPath, y: &[f64]| method.solve(&a, y).is_err();
    for lambda in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(refuses(LassoPath::new(Penalty::Absolute(lambda)), &[1.0]));
        assert!(refuses(down_to(lambda), &[1.0]));
    }
    for tolerance in [-1e-9, 1.0, f64::NAN] {
        assert!(refuses(
            LassoPath {
                tolerance,
                ..down_to(0.1)
            },
            &[1.0]
        ));
    }
    let method = LassoPath {
        max_segments: 0,
        ..down_to(0.1)
    };
    assert!(refuses(method, &[1.0]));
    assert!(refuses(down_to(0.1), &[1.0, 2.0]) && refuses(down_to(0.1), &[f64::NAN]));
}

/// A segment that is wrong on purpose: values moved off the path by `error`, measured by plain products.
fn spoiled(a: &DMatrix<f64>, y: &[f64], path: &Path, i: usize, error: f64) -> (Corner, Corner, Vec<f64>, Vec<usize>) {
    let mut active = Vec::new();
    path.breakpoints[..=i].iter().for_each(|b| follow(&mut active, b));
    let y = DVector::from_column_slice(y);
    let (from, to) = (path.breakpoints[i].lambda, path.breakpoints[i + 1].lambda);
    let signs: Vec<f64> = active
        .iter()
        .map(|&j| {
            let joined = path.breakpoints[..=i]
                .iter()
                .rev()
                .find_map(|b| b.column.filter(|c| c.0 == j));
            joined.unwrap().1
        })
        .collect();
    let corner = |lambda: f64, phase: f64| {
        let (support, values) = path.at(lambda).unwrap();
        let x: Vec<f64> = active
            .iter()
            .zip(&signs)
            .enumerate()
            .map(|(k, (j, s))| {
                let exact = support.iter().position(|i| i == j).map_or(0.0, |p| values[p]);
                let moved = exact + error * (k as f64 + phase).sin();
                if moved * s > 0.0 { moved } else { 0.0 }
            })
            .collect();
        let r = &y - a.select_columns(&active) * DVector::from_column_slice(&x);
        let c = a.transpose() * &r;
        Corner {
            lambda,
            errors: active.iter().zip(&signs).map(|(&j, s)| c[j] - lambda * s).collect(),
            values: x,
            excess: (c.amax() - lambda).max(0.0),
            residual_norm: r.norm(),
        }
    };
    (corner(from, 0.3), corner(to, 1.7), signs, active)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_bound_of_a_segment_holds_at_every_penalty_on_it_and_is_of_its_size(
        draw in 0u64..1000,
        which in 0.0f64..1.0,
        exponent in -8i32..-1,
    ) {
        let seed = Seed::root(30).replicate(draw);
        let a = GaussianEnsemble { rows: 12, columns: 30 }.draw(&seed).unwrap();
        let y = reference::normal_vector(12, &seed);
        let path = down_to(0.05).solve(&a, &y).unwrap();
        let i = (which * (path.breakpoints.len() - 1) as f64) as usize;
        let (start, end, signs, active) = spoiled(a.matrix(), &y, &path, i, 10f64.powi(exponent));
        let bound = segment_gap(&start, &end, &signs);
        let mut worst = 0.0f64;
        for step in 0..=50 {
            let share = step as f64 / 50.0;
            let lambda = start.lambda + share * (end.lambda - start.lambda);
            let x = start.values.iter().zip(&end.values).map(|(u, v)| u + share * (v - u)).collect();
            worst = worst.max(gap_by_definition(a.matrix(), &y, lambda, &(active.clone(), x)));
        }
        let rounding = 64.0 * 12.0 * f64::EPSILON * dot(&y, &y);
        prop_assert!(worst <= bound + rounding, "{worst:e} {bound:e}");
        // At the end where κ is largest its term alone is κ/(1 + κ) λ‖x‖₁ up to the lengths of the other end; the
        // quadratic may cancel it there in part, but not the size of its own errors.
        let size: f64 = start.values.iter().chain(&end.values).map(|v| v.abs()).sum();
        let error = start.errors.iter().chain(&end.errors).fold(start.excess.max(end.excess), |m, e| m.max(e.abs()));
        let crude = size * error * (2.0 + start.lambda / end.lambda)
            + 0.5 * (error / end.lambda * start.residual_norm.max(end.residual_norm)).powi(2);
        prop_assert!(bound <= crude + rounding, "{bound:e} {crude:e}");
    }

    #[test]
    fn scaling_the_data_by_a_power_of_two_scales_the_path_and_nothing_else(draw in 0u64..1000, exponent in -300i32..300) {
        let seed = Seed::root(31).replicate(draw);
        let a = GaussianEnsemble { rows: 10, columns: 25 }.draw(&seed).unwrap();
        let y = reference::normal_vector(10, &seed);
        let factor = 2f64.powi(exponent);
        let scaled: Vec<f64> = y.iter().map(|v| v * factor).collect();
        let (one, other) = (down_to(0.05).solve(&a, &y).unwrap(), down_to(0.05).solve(&a, &scaled).unwrap());
        prop_assert_eq!(one.breakpoints.len(), other.breakpoints.len());
        for (b, c) in one.breakpoints.iter().zip(&other.breakpoints) {
            prop_assert_eq!((b.lambda * factor, b.event, b.column), (c.lambda, c.event, c.column));
            let (x, scaled) = (one.at(b.lambda).unwrap(), other.at(c.lambda).unwrap());
            prop_assert_eq!(x.1.iter().map(|v| v * factor).collect::<Vec<_>>(), scaled.1);
        }
    }
}
