use super::design::{DesignCriterion, DesignPrior, DesignRequest};
use super::recovered::SensingProblem;
use crate::estimators::design::{Criterion, DesignProblem, ForwardGreedy, Prior, RowSelector};
use crate::linearize::RowTransform;
use crate::networks::{Array, Initialisation, Network};
use crate::operators::MeasurementOperator;
use crate::outcome::Status;
use crate::seed::Seed;
use crate::support::largest_by;
use nalgebra::DMatrix;
use rand::RngExt;

const CRITERIA: [DesignCriterion; 2] = [DesignCriterion::A, DesignCriterion::D];

fn problem(name: &str, inputs: usize, samples: usize) -> SensingProblem {
    let network = Network::preset(name, inputs, 3).unwrap();
    let theta: Vec<f64> = network.initial(&Seed::root(1), &Initialisation::HE).unwrap();
    let mut rng = Seed::root(1).stream("samples").rng();
    let inputs = Array::from_fn(samples, inputs, |_, _| rng.random::<f64>() - 0.2);
    SensingProblem::new(&network, &theta, &inputs, RowTransform::CrossEntropy).unwrap()
}

/// The columns of the operator, scaled by the prior, and α.
fn explicit(problem: &SensingProblem, prior: DesignPrior, damping: f64) -> (DMatrix<f64>, f64) {
    let mut a = problem.operator().to_dense();
    let theta = problem.linearisation().theta();
    for (c, &j) in problem.operator().parameters().iter().enumerate() {
        if prior == DesignPrior::Magnitude {
            a.column_mut(c).scale_mut(theta[j].abs());
        }
    }
    let squares: Vec<f64> = a.column_iter().map(|c| c.norm_squared()).filter(|s| *s > 0.0).collect();
    let alpha = damping * squares.iter().sum::<f64>() / squares.len() as f64;
    (a, alpha)
}

/// The criterion from its definition; infinite where singular.
fn loss(a: &DMatrix<f64>, alpha: f64, chosen: &[usize], criterion: DesignCriterion) -> f64 {
    let part = a.select_columns(chosen);
    let information = part.transpose() * &part + DMatrix::identity(chosen.len(), chosen.len()) * alpha;
    match criterion {
        DesignCriterion::D => -information.determinant().ln(),
        DesignCriterion::A => information.try_inverse().map_or(f64::INFINITY, |c| c.trace()),
    }
}

#[test]
fn the_choice_is_the_forward_greedy_design_in_the_space_of_the_outputs() {
    let problem = problem("linear", 6, 20);
    for damping in [0.01, 0.3, 3.0] {
        let (a, alpha) = explicit(&problem, DesignPrior::Equal, damping);
        for (criterion, output_side) in CRITERIA.into_iter().zip([Criterion::A, Criterion::D]) {
            for count in [1, 5, 9] {
                let request = DesignRequest {
                    criterion,
                    prior: DesignPrior::Equal,
                    damping,
                    counts: &[count],
                };
                let designed = problem.design(&request).unwrap();
                let prior = Prior::Isotropic { precision: 1.0 };
                let reference = DesignProblem::of_columns(&a, &prior, alpha.sqrt(), output_side).unwrap();
                let selection = ForwardGreedy.select(&reference, count, &Seed::root(0)).unwrap();
                let mut rows = designed.order.clone();
                rows.sort_unstable();
                assert_eq!(rows, selection.rows, "{criterion} {damping} {count}");
                // The identities between the two sides, with M = I + A_S A_Sᵀ/α on the output side.
                let expected = match criterion {
                    DesignCriterion::A => (a.nrows() - count) as f64 + alpha * designed.loss,
                    DesignCriterion::D => designed.loss + count as f64 * alpha.ln(),
                };
                // Conditions of at most 1 + 18/0.01.
                let size = 1.0 + selection.loss.abs();
                assert!(
                    (expected - selection.loss).abs() < 1e-10 * size,
                    "{expected} {}",
                    selection.loss
                );
            }
        }
    }
}

#[test]
fn every_join_is_the_best_of_all_candidates_in_layers_with_room() {
    let problem = problem("mlp:4", 5, 12);
    let layers = [0..20, 20..32];
    for prior in [DesignPrior::Equal, DesignPrior::Magnitude] {
        for damping in [0.0, 0.2] {
            let (a, alpha) = explicit(&problem, prior, damping);
            for criterion in CRITERIA {
                let counts = [6, 4];
                let request = DesignRequest {
                    criterion,
                    prior,
                    damping,
                    counts: &counts,
                };
                let designed = problem.design(&request).unwrap();
                let (mut chosen, mut room) = (Vec::new(), counts);
                for &join in &designed.order {
                    let layer = usize::from(join >= 20);
                    let mut with = chosen.clone();
                    with.push(join);
                    let own = loss(&a, alpha, &with, criterion);
                    for j in (0..32).filter(|&j| problem.candidates()[j] && !chosen.contains(&j)) {
                        if room[usize::from(j >= 20)] > 0 {
                            *with.last_mut().unwrap() = j;
                            let other = loss(&a, alpha, &with, criterion);
                            // Inverses of at most ten columns; ties are the same to their rounding.
                            assert!(other >= own - 1e-8 * own.abs(), "{criterion} {damping} {join} {j}");
                        }
                    }
                    chosen.push(join);
                    room[layer] -= 1;
                }
                assert_eq!(room, [0, 0]);
                let exact = loss(&a, alpha, &chosen, criterion);
                assert!(
                    (designed.loss - exact).abs() < 1e-8 * exact.abs(),
                    "{} {exact}",
                    designed.loss
                );
                let mask = designed.mask.unwrap();
                for (range, count) in layers.iter().zip(counts) {
                    let parameters = &problem.operator().parameters()[range.clone()];
                    assert_eq!(parameters.iter().filter(|&&i| mask.keeps(i)).count(), count);
                }
            }
        }
    }
}

#[test]
fn the_greedy_fall_of_the_determinant_is_within_its_guarantee_of_the_best_of_all_subsets() {
    let problem = problem("linear", 4, 15);
    let (a, alpha) = explicit(&problem, DesignPrior::Equal, 0.1);
    for count in [2usize, 4, 6] {
        let request = DesignRequest {
            criterion: DesignCriterion::D,
            prior: DesignPrior::Equal,
            damping: 0.1,
            counts: &[count],
        };
        let fall = |loss: f64| -loss - count as f64 * alpha.ln();
        let found = fall(problem.design(&request).unwrap().loss);
        let best = (0u32..1 << 12)
            .filter(|bits| bits.count_ones() as usize == count)
            .map(|bits| (0..12).filter(|j| bits >> j & 1 == 1).collect::<Vec<usize>>())
            .map(|chosen| fall(loss(&a, alpha, &chosen, DesignCriterion::D)))
            .fold(f64::NEG_INFINITY, f64::max);
        assert!(found <= best * (1.0 + 1e-10));
        // Nemhauser, Wolsey and Fisher: 1 − (1 − 1/k)^k of the best.
        assert!(found >= (1.0 - (1.0 - 1.0 / count as f64).powi(count as i32)) * best);
    }
}

#[test]
fn much_damping_leaves_the_columns_of_largest_norm() {
    let problem = problem("mlp:6", 5, 20);
    let norms = problem.operator().column_norms();
    for criterion in CRITERIA {
        let request = DesignRequest {
            criterion,
            prior: DesignPrior::Equal,
            damping: 1e6,
            counts: &[8, 5],
        };
        let mut order = problem.design(&request).unwrap().order;
        order.sort_unstable();
        let free = |range: std::ops::Range<usize>| range.filter(|&j| problem.candidates()[j]);
        let mut largest = largest_by(8, free(0..30), |j| norms[j]);
        largest.extend(largest_by(5, free(30..48), |j| norms[j]));
        assert_eq!(order, largest);
    }
}

#[test]
fn rounding_does_not_pile_up_over_many_joins() {
    let problem = problem("mlp:12", 8, 40);
    let free = problem.candidates().iter().filter(|c| **c).count();
    for (damping, counts) in [(0.0, [40, 20]), (1e-3, [free - 36, 30])] {
        let (a, alpha) = explicit(&problem, DesignPrior::Equal, damping);
        for criterion in CRITERIA {
            let request = DesignRequest {
                criterion,
                prior: DesignPrior::Equal,
                damping,
                counts: &counts,
            };
            let designed = problem.design(&request).unwrap();
            assert_eq!(designed.status, Status::SupportFull);
            let exact = loss(&a, alpha, &designed.order, criterion);
            assert!(
                (designed.loss - exact).abs() < 1e-6 * exact.abs(),
                "{} {exact}",
                designed.loss
            );
        }
    }
}

#[test]
fn more_than_the_rank_has_no_undamped_design_and_bad_requests_are_refused() {
    let problem = problem("mlp:6", 5, 8);
    assert!(problem.rank_bound() < 16, "{}", problem.rank_bound());
    let request = DesignRequest {
        criterion: DesignCriterion::D,
        prior: DesignPrior::Equal,
        damping: 0.0,
        counts: &[10, 6],
    };
    let designed = problem.design(&request).unwrap();
    assert_eq!((designed.mask, designed.status), (None, Status::Unattainable));
    let damped = DesignRequest {
        damping: 0.1,
        ..request.clone()
    };
    assert_eq!(problem.design(&damped).unwrap().order.len(), 16);
    for counts in [&[0, 0][..], &[3], &[1, 1, 1]] {
        assert!(
            problem
                .design(&DesignRequest {
                    counts,
                    ..request.clone()
                })
                .is_err()
        );
    }
    for damping in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(
            problem
                .design(&DesignRequest {
                    damping,
                    ..request.clone()
                })
                .is_err()
        );
    }
    let too_many = DesignRequest {
        counts: &[31, 1],
        ..damped
    };
    assert_eq!(problem.design(&too_many).unwrap().status, Status::Unattainable);
}
