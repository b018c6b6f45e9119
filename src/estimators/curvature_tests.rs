use super::*;
use crate::estimators::interlacing_violation;
use crate::linalg::dense::symmetric_eigenvalues;
use crate::linearize::Curvature;
use crate::networks::derivative_cases::Case;
use crate::operators::DenseOperator;
use crate::support::Mask;
use nalgebra::DMatrix;

fn curvature(case: &Case, kind: CurvatureKind, loss: Loss, mask: &Mask) -> Curvature {
    Curvature::of_mask(kind, &case.network, &case.theta, &case.inputs, &case.labels, loss, mask).unwrap()
}

/// All eigenvalues, ascending, once by each dense route that the build has.
fn dense_routes(matrix: &DMatrix<f64>) -> Vec<Vec<f64>> {
    let first = symmetric_eigenvalues(matrix).unwrap();
    std::iter::once(first).chain(lapack_route(matrix)).collect()
}

#[cfg(feature = "lapack")]
fn lapack_route(matrix: &DMatrix<f64>) -> Option<Vec<f64>> {
    let (values, _) = crate::linalg::lapack::symmetric_eigen(matrix).unwrap();
    Some(values.as_slice().to_vec())
}

#[cfg(not(feature = "lapack"))]
fn lapack_route(_: &DMatrix<f64>) -> Option<Vec<f64>> {
    None
}

/// Every second weight and all biases.
fn half(case: &Case) -> Mask {
    let mut mask = case.network.layout().full_mask();
    let weights = case.network.layout().weights();
    weights.indices().iter().step_by(2).for_each(|&i| mask.set(i, false));
    mask
}

#[test]
fn everything_agrees_with_the_eigenvalues_of_the_dense_matrix() {
    let few = CurvatureSummary {
        lanczos: Lanczos {
            max_steps: 30,
            tolerance: 0.0,
        },
        trace: HutchPlusPlus { sketch: 8, probes: 30 },
        distribution: LanczosQuadrature { steps: 12, probes: 20 },
        // Far below one miss over all that is asked here.
        level: 1e-4,
        zero: 1e-6,
        damping: 1e-2,
    };
    for preset in ["mlp:7-5:tanh", "mlp:7-5", "mlp:9:gelu"] {
        let case = Case::new(preset);
        for mask in [case.network.layout().full_mask(), half(&case)] {
            for (kind, loss) in [
                (CurvatureKind::Hessian, Loss::Squared),
                (CurvatureKind::Hessian, Loss::CrossEntropy),
                (CurvatureKind::GaussNewton, Loss::CrossEntropy),
            ] {
                let h = curvature(&case, kind, loss, &mask);
                let found = few.examine(&h, kind, &Seed::root(2)).unwrap();
                for values in dense_routes(&h.to_dense()) {
                    let (n, size) = (values.len(), values[values.len() - 1].max(-values[0]));
                    let rounding = 1e3 * f64::EPSILON * size;
                    assert_eq!(found.order, n);
                    let name = format!("{preset} {kind:?} {loss} {n}");
                    assert!(found.largest.ritz.value <= values[n - 1] + rounding, "{name}");
                    assert!(found.largest.bound >= values[n - 1] - rounding, "{name}");
                    assert!(found.smallest.ritz.value >= values[0] - rounding, "{name}");
                    assert!(found.smallest.bound <= values[0] + rounding, "{name}");
                    for end in [found.largest, found.smallest] {
                        let (low, high) = end.ritz.interval();
                        assert!(
                            values.iter().any(|v| (low - rounding..=high + rounding).contains(v)),
                            "{name}"
                        );
                    }
                    assert!(found.trace.interval.contains(values.iter().sum()), "{name}");
                    let squares: f64 = values.iter().map(|v| v * v).sum();
                    assert!(found.squared_frobenius.interval.contains(squares), "{name}");
                    let fraction = |x: f64| values.iter().filter(|v| **v <= x).count() as f64 / n as f64;
                    assert!(found.negative.interval.contains(fraction(-found.zero)), "{name}");
                    assert!(found.not_positive.interval.contains(fraction(found.zero)), "{name}");
                    let shift = found.shift;
                    match (kind, found.effective_dimension, found.log_determinant) {
                        (CurvatureKind::GaussNewton, Some(dimension), Some(determinant)) => {
                            let truth = values.iter().map(|v| v.max(0.0) / (v.max(0.0) + shift)).sum();
                            assert!(dimension.interval.contains(truth), "{name} {dimension:?} {truth}");
                            let truth = values.iter().map(|v| (v.max(0.0) + shift).ln()).sum();
                            assert!(determinant.interval.contains(truth), "{name} {determinant:?} {truth}");
                        }
                        (kind, dimension, _) => assert!(kind == CurvatureKind::Hessian && dimension.is_none()),
                    }
                }
            }
        }
    }
}

#[test]
fn the_nonzero_spectrum_from_the_kernel_is_that_of_the_gauss_newton_matrix() {
    let case = Case::new("mlp:7-5:tanh");
    let at = Linearisation::new(&case.network, &case.theta, &case.inputs).unwrap();
    let mask = case.network.layout().full_mask();
    for loss in Loss::ALL {
        let g = curvature(&case, CurvatureKind::GaussNewton, loss, &mask);
        let whole = symmetric_eigenvalues(&g.to_dense()).unwrap();
        let found = gauss_newton_conditioning(&at, &mask.support(), loss).unwrap();
        // 9 samples with 4 outputs, which the softmax ties to one another.
        let rank = if loss == Loss::Squared { 36 } else { 27 };
        assert_eq!((found.order, found.rank), (36, rank));
        let rounding = 1e3 * f64::EPSILON * found.lambda_max;
        assert!((found.lambda_max - whole[whole.len() - 1]).abs() <= rounding);
        assert!((found.lambda_min_nonzero - whole[whole.len() - rank]).abs() <= rounding);
    }
}

#[test]
fn the_spectrum_of_a_block_interlaces_with_that_of_the_whole() {
    let case = Case::new("mlp:7-5:gelu");
    let full = case.network.layout().full_mask();
    for kind in CurvatureKind::ALL {
        let on = |support: &Support| {
            let (theta, inputs, labels) = (&case.theta, &case.inputs, &case.labels);
            let loss = Loss::CrossEntropy;
            let h = Curvature::new(kind, &case.network, theta, inputs, labels, loss, support).unwrap();
            symmetric_eigenvalues(&h.to_dense()).unwrap()
        };
        let (whole, part) = (on(&full.support()), on(&half(&case).support()));
        let rounding = 1e3 * f64::EPSILON * whole[whole.len() - 1];
        assert!(interlacing_violation(&whole, &part).unwrap() <= rounding);
    }
}

#[test]
fn the_gap_closes_with_the_square_of_the_steps_and_what_makes_no_sense_is_refused() {
    let gap = |steps| lanczos_gap(10_000, steps, 0.05).unwrap();
    // ln(1.648 · 100 / 0.05) = 8.10049…
    let ln = (1.648f64 * 100.0 / 0.05).ln();
    assert!((gap(50) - (ln / 99.0).powi(2)).abs() <= 4.0 * f64::EPSILON);
    assert_eq!((gap(1), gap(10_000)), (1.0, 0.0));
    assert!(lanczos_gap(0, 3, 0.05).is_err() && lanczos_gap(3, 0, 0.05).is_err());
    assert!(lanczos_gap(3, 1, 1.0).is_err());
    let case = Case::new("mlp:7");
    let h = curvature(&case, CurvatureKind::Hessian, Loss::Squared, &half(&case));
    let ask = |summary: CurvatureSummary| summary.examine(&h, CurvatureKind::Hessian, &Seed::root(0));
    let with = CurvatureSummary::default();
    assert!(ask(CurvatureSummary { zero: 0.0, ..with }).is_err());
    assert!(
        ask(CurvatureSummary {
            damping: f64::NAN,
            ..with
        })
        .is_err()
    );
    assert!(ask(CurvatureSummary { level: 0.0, ..with }).is_err());
    // More steps than dimensions are cut.
    assert!(ask(with).unwrap().steps <= h.shape().columns);
}

#[test]
fn certain_bounds_hold_and_are_there_where_something_is_known() {
    let few = CurvatureSummary {
        lanczos: Lanczos {
            max_steps: 12,
            tolerance: 0.0,
        },
        trace: HutchPlusPlus { sketch: 2, probes: 3 },
        distribution: LanczosQuadrature { steps: 4, probes: 2 },
        ..CurvatureSummary::default()
    };
    for preset in ["mlp:7-5:tanh", "mlp:9:gelu"] {
        let case = Case::new(preset);
        let at = Linearisation::new(&case.network, &case.theta, &case.inputs).unwrap();
        for mask in [case.network.layout().full_mask(), half(&case)] {
            for loss in Loss::ALL {
                let chosen = mask.support();
                // The kernel needs the weights in place, and so the block of the whole network.
                let block = |kind| {
                    let (theta, inputs, labels) = (&case.theta, &case.inputs, &case.labels);
                    Curvature::new(kind, &case.network, theta, inputs, labels, loss, &chosen).unwrap()
                };
                let g = block(CurvatureKind::GaussNewton);
                let dense = g.to_dense();
                let truth = symmetric_eigenvalues(&dense).unwrap();
                let (n, most) = (truth.len(), truth[truth.len() - 1]);
                let rounding = 1e3 * f64::EPSILON * most;
                let trace = gauss_newton_trace(&at, &chosen, loss).unwrap();
                assert!((trace - dense.trace()).abs() <= rounding * n as f64, "{preset} {loss}");
                let known = KnownSize {
                    trace: Some(trace),
                    ..KnownSize::default()
                };
                let kind = CurvatureKind::GaussNewton;
                let found = few.examine_known(&g, kind, known, &Seed::root(3)).unwrap();
                let proven = found.largest.proven.unwrap();
                assert!(
                    proven >= most - rounding && proven <= trace * (1.0 + 1e-12),
                    "{preset} {loss}"
                );
                assert_eq!(found.smallest.proven, Some(0.0));
                let h = block(CurvatureKind::Hessian);
                let blind = few.examine(&h, CurvatureKind::Hessian, &Seed::root(3)).unwrap();
                assert_eq!((blind.largest.proven, blind.smallest.proven), (None, None));
                let dense = DenseOperator::new(h.to_dense()).unwrap();
                let truth = symmetric_eigenvalues(&h.to_dense()).unwrap();
                let found = few.examine(&dense, CurvatureKind::Hessian, &Seed::root(3)).unwrap();
                assert!(found.largest.proven.unwrap() >= truth[n - 1] - rounding);
                assert!(found.smallest.proven.unwrap() <= truth[0] + rounding);
            }
        }
    }
}

#[test]
fn a_zero_matrix_one_of_order_one_and_one_that_is_not_symmetric() {
    let zero = DenseOperator::new(DMatrix::zeros(30, 30)).unwrap();
    for kind in CurvatureKind::ALL {
        let found = CurvatureSummary::default()
            .examine(&zero, kind, &Seed::root(0))
            .unwrap();
        assert_eq!((found.largest.ritz.value, found.smallest.ritz.value), (0.0, 0.0));
        assert_eq!((found.largest.bound, found.largest.proven), (0.0, Some(0.0)));
        assert_eq!((found.trace.value, found.squared_frobenius.value), (0.0, 0.0));
        assert!(found.effective_dimension.is_none() && found.log_determinant.is_none());
        assert_eq!(found.not_positive.value, 1.0);
    }
    let one = DenseOperator::new(DMatrix::from_element(1, 1, 3.0)).unwrap();
    let found = CurvatureSummary::default()
        .examine(&one, CurvatureKind::GaussNewton, &Seed::root(0))
        .unwrap();
    assert!((found.largest.ritz.value - 3.0).abs() < 1e-14 && found.steps == 1);
    assert!((found.trace.value - 3.0).abs() < 1e-12);
    let crooked = DenseOperator::new(DMatrix::from_fn(20, 20, |i, j| (i * 20 + j) as f64)).unwrap();
    let refused = CurvatureSummary::default().examine(&crooked, CurvatureKind::Hessian, &Seed::root(0));
    assert!(matches!(refused, Err(Error::Asymmetric { .. })));
}
