use super::*;
use crate::estimators::{Estimator, ParallelColumns};
use crate::linalg::dense::{gram, transpose_product};
use crate::linalg::{cholesky, norm};
use crate::networks::Initialisation;
use crate::operators::{Damped, DenseOperator, Restricted, ScaledColumns};
use crate::pruning::{Criterion, CriterionInput, keep_highest};
use crate::recovery::{Groups, Lasso, Omp, Penalty, Solver};
use crate::seed::Seed;
use crate::support::Support;
use crate::training::Examples;
use nalgebra::DMatrix;
use rand::RngExt;
use rand::seq::index::sample;

const LABELS: [usize; 40] = [
    0, 1, 2, 1, 0, 2, 2, 1, 0, 1, 0, 1, 2, 1, 0, 2, 2, 1, 0, 1, 0, 1, 2, 1, 0, 2, 2, 1, 0, 1, 0, 1, 2, 1, 0, 2, 2, 1,
    0, 1,
];

/// A small network at random weights and biases, with random inputs: no column is zero and no two are parallel.
fn example(name: &str, number: u64) -> (Network, Vec<f64>, Array<f64>) {
    let seed = Seed::root(number);
    let network = Network::preset(name, 6, 3).unwrap();
    let theta = network.initial(&seed.stream("theta"), &"he:bias=0.3".parse::<Initialisation>().unwrap());
    let mut rng = seed.stream("inputs").rng();
    let inputs = Array::from_fn(40, 6, |_, _| 2.0 * rng.random::<f64>() - 1.0);
    (network, theta.unwrap(), inputs)
}

fn ranges(network: &Network) -> Vec<Range<usize>> {
    network.layout().weight_ranges()
}

fn request<'a>(solver: RecoveredBy, damping: f64, counts: &'a [usize]) -> RecoveryRequest<'a> {
    RecoveryRequest {
        solver,
        damping,
        counts,
    }
}

#[test]
fn with_strong_damping_every_solver_is_magnitude_pruning_at_the_point() {
    for number in 0..4 {
        let (network, theta, inputs) = example("mlp:8:tanh", number);
        let problem = SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred).unwrap();
        let b = problem.right_hand_side(&LABELS[..]).unwrap();
        let counts = [15, 9];
        let sizes: Vec<f64> = theta.iter().map(|t| t.abs()).collect();
        let full = network.layout().full_mask();
        let magnitude = keep_highest(&full, &sizes, &ranges(&network), &counts).unwrap();
        for solver in RecoveredBy::ALL {
            // The data change a score by a fraction of about 1e-12; random weights differ by far more.
            let answer = problem.recover(&b, &request(solver, 1e12, &counts)).unwrap();
            let ticket = answer.ticket.unwrap();
            assert_eq!(ticket.mask, magnitude, "{solver} {number}");
            for (t, v) in ticket
                .theta
                .iter()
                .zip(&theta)
                .zip(magnitude.bits())
                .filter(|x| *x.1)
                .map(|x| x.0)
            {
                assert!((t - v).abs() <= 1e-10, "{solver}: {t} {v}");
            }
        }
    }
}

#[test]
fn with_orthogonal_columns_and_the_networks_own_outputs_every_solver_is_optimal_brain_damage() {
    // One sample a feature and no other in it: AᵀA is diagonal.
    let network = Network::preset("linear:no-bias", 6, 3).unwrap();
    let (_, source, _) = example("mlp:8:tanh", 9);
    let theta = source[..18].to_vec();
    let inputs = Array::from_fn(
        6,
        6,
        |s, i| if s == i { [0.2, 3.0, 1.0, 0.5, 2.0, 0.1][i] } else { 0.0 },
    );
    let problem = SensingProblem::new(&network, &theta, &inputs, RowTransform::Identity).unwrap();
    let outputs = network.outputs(&theta, &inputs).unwrap();
    let b = problem.right_hand_side(&outputs).unwrap();
    let single: Vec<f32> = theta.iter().map(|&v| v as f32).collect();
    let single_inputs: Array<f32> = inputs.convert();
    let scores = Criterion::OptimalBrainDamage.scores(&CriterionInput {
        network: &network,
        theta: &single,
        mask: &network.layout().full_mask(),
        initial: &single,
        loss: crate::networks::Loss::Squared,
        training: Examples::labelled(&single_inputs, &LABELS[..6]),
        seed: Seed::root(0),
    });
    let scores = scores.unwrap();
    for count in [1, 4, 9, 17] {
        let expected = keep_highest(&network.layout().full_mask(), &scores, &ranges(&network), &[count]).unwrap();
        for solver in RecoveredBy::ALL {
            let answer = problem.recover(&b, &request(solver, 0.0, &[count])).unwrap();
            let ticket = answer.ticket.unwrap();
            assert_eq!(ticket.mask, expected, "{solver} {count}");
            // What is lost is the sum of the scores, ½‖a_j‖²θ_j², of what went (scores are means over the samples).
            let lost: f64 = (0..18).filter(|&j| !expected.keeps(j)).map(|j| scores[j] * 6.0).sum();
            // The criterion works with weights rounded to f32; hard thresholding stops at a relative change of 1e-4.
            assert!(
                (answer.objective - lost).abs() <= 1e-5 * scores.iter().sum::<f64>() * 6.0,
                "{solver}"
            );
        }
    }
}

#[test]
fn a_planted_ticket_is_recovered_wherever_tropps_condition_says_so() {
    let (network, theta, inputs) = example("mlp:8:tanh", 3);
    let problem = SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred).unwrap();
    let dense = problem.operator().to_dense();
    let mut rng = Seed::root(4).stream("supports").rng();
    let mut certified = 0;
    for _ in 0..150 {
        let support: Vec<usize> = {
            let mut s = sample(&mut rng, dense.ncols(), 2).into_vec();
            s.sort_unstable();
            s
        };
        // Exact recovery condition: no column outside has ℓ₁ norm 1 or more in unit columns of the support. Columns
        // are normalised, because the selection is.
        let mut unit = dense.clone();
        unit.column_iter_mut().for_each(|mut c| {
            c.normalize_mut();
        });
        let inside = unit.select_columns(&support);
        let cross = transpose_product(&inside, &unit).unwrap();
        let g = gram(&inside);
        let worst = (0..dense.ncols())
            .filter(|j| !support.contains(j))
            .map(|j| {
                let w = cholesky::solve_positive_definite(&g, cross.column(j).as_slice()).unwrap();
                w.iter().map(|w| w.abs()).sum::<f64>()
            })
            .fold(0.0, f64::max);
        if worst > 0.99 {
            continue;
        }
        certified += 1;
        let mut planted = vec![0.0; theta.len()];
        for &c in &support {
            planted[problem.operator().parameters()[c]] = 0.5 + rng.random::<f64>();
        }
        let b = problem.planted(&planted).unwrap();
        let counts: Vec<usize> = problem
            .layers
            .iter()
            .map(|l| support.iter().filter(|c| l.contains(c)).count())
            .collect();
        let answer = problem.recover(&b, &request(RecoveredBy::Omp, 0.0, &counts)).unwrap();
        assert_eq!(answer.status, Status::ResidualReached);
        let ticket = answer.ticket.unwrap();
        for (j, (t, p)) in ticket.theta.iter().zip(&planted).enumerate() {
            if problem.operator().parameters().contains(&j) {
                // Well-conditioned: two columns with an inverse Gram matrix of ℓ₁ size of order one.
                assert!((t - p).abs() <= 1e-9, "{j}: {t} {p}");
            }
        }
    }
    assert!(
        certified >= 5,
        "the condition held {certified} times: the test says nothing"
    );
}

#[test]
fn a_cross_entropy_step_at_uniform_probabilities_is_least_squares_with_increment_c_e_y_minus_1() {
    // Zero output weights make every output 0; the output layer's columns remain.
    let (network, mut theta, inputs) = example("mlp:8:tanh", 5);
    let output = network.layout().slot("dense1.weight").unwrap().range.clone();
    theta[output.start..].fill(0.0);
    let entropy = SensingProblem::new(&network, &theta, &inputs, RowTransform::CrossEntropy).unwrap();
    let squares = SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred).unwrap();
    assert_eq!((entropy.zero_columns(), squares.zero_columns()), (48, 48));
    let increment = Array::from_fn(40, 3, |s, c| if LABELS[s] == c { 2.0 } else { -1.0 });
    let (b_entropy, b_squares) = (
        entropy.right_hand_side(&LABELS[..]).unwrap(),
        squares.right_hand_side(&increment).unwrap(),
    );
    for solver in RecoveredBy::ALL {
        let ask = request(solver, 0.3, &[0, 7]);
        let (p, q) = (
            entropy.recover(&b_entropy, &ask).unwrap(),
            squares.recover(&b_squares, &ask).unwrap(),
        );
        let (p, q) = (p.ticket.unwrap(), q.ticket.unwrap());
        assert_eq!(p.mask, q.mask, "{solver}");
        let difference: Vec<f64> = p.theta.iter().zip(&q.theta).map(|(a, b)| a - b).collect();
        // Rows scaled by √3: the same arithmetic up to rounding, amplified by a few sweeps and steps.
        assert!(norm(&difference) <= 1e-8 * norm(&q.theta), "{solver}");
    }
    // Without damping the last two classes of a hidden unit tie exactly once the first is chosen (their centred columns
    // sum to 0), so that only the value is determined: C times the one is the other.
    let ask = request(RecoveredBy::Omp, 0.0, &[0, 7]);
    let (p, q) = (
        entropy.recover(&b_entropy, &ask).unwrap().objective,
        squares.recover(&b_squares, &ask).unwrap().objective,
    );
    assert!((3.0 * p - q).abs() <= 1e-10 * q, "{p} {q}");
}

#[test]
fn pursuit_equals_the_plain_solver_on_stacked_rows() {
    let (network, theta, inputs) = example("mlp:8", 6);
    let problem = SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred).unwrap();
    let b = problem.right_hand_side(&LABELS[..]).unwrap();
    let counts = [12, 10];
    let columns: Vec<usize> = (0..72).filter(|&j| problem.candidate[j]).collect();
    for damping in [0.03, 1.0] {
        let answer = problem
            .recover(&b, &request(RecoveredBy::Omp, damping, &counts))
            .unwrap();
        let dense = DenseOperator::new(problem.operator().to_dense()).unwrap();
        let restricted = Restricted::new(&dense, Support::new(columns.clone(), 72).unwrap()).unwrap();
        let stacked = Damped::new(&restricted, damping * problem.mean_square_norm()).unwrap();
        let prior: Vec<f64> = columns.iter().map(|&j| problem.prior[j]).collect();
        let layers = columns.iter().map(|&j| problem.layer_of[j]).collect();
        let plain = Omp {
            max_support: Some(22),
            groups: Some(Groups::new(layers, counts.to_vec()).unwrap()),
            ..Omp::default()
        };
        let plain = plain.solve(&stacked, &stacked.data(&b, &prior).unwrap()).unwrap();
        let (
            Certificate::OrderMargins { order, margins, .. },
            Certificate::OrderMargins {
                order: p, margins: q, ..
            },
        ) = (&answer.certificate, &plain.certificate)
        else {
            panic!("certificates of a pursuit")
        };
        assert_eq!(*order, p.iter().map(|&c| columns[c]).collect::<Vec<_>>());
        // A margin is a difference of scores known to rounding times the condition of the chosen columns.
        assert!(margins.iter().zip(q).all(|(a, b)| (a - b).abs() <= 1e-9));
        assert!((answer.objective - plain.objective).abs() <= 1e-10 * plain.objective);
    }
}

#[test]
fn the_penalised_value_is_that_of_the_plain_lasso_and_its_gap_covers_the_difference() {
    let (_, source, inputs) = example("mlp:8:tanh", 7);
    let network = Network::preset("linear", 6, 3).unwrap();
    let theta = source[..21].to_vec();
    let problem = SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred).unwrap();
    let b = problem.right_hand_side(&LABELS[..]).unwrap();
    let answer = problem.recover(&b, &request(RecoveredBy::Lasso, 0.1, &[7])).unwrap();
    let dense = DenseOperator::new(problem.operator().to_dense()).unwrap();
    let stacked = Damped::new(&dense, 0.1 * problem.mean_square_norm()).unwrap();
    let unit = ScaledColumns::unit(&stacked);
    let data = stacked.data(&b, &problem.prior).unwrap();
    let ratio = answer.penalty_ratios.as_ref().unwrap()[0];
    let plain = Lasso::new(Penalty::RatioOfMax(ratio)).solve(&unit, &data).unwrap();
    let Certificate::DualityGap {
        primal,
        gap,
        scale,
        dual,
    } = &answer.certificate
    else {
        panic!("a duality gap")
    };
    assert_eq!(answer.status, Status::Converged);
    assert!(primal - plain.objective >= -1e-8 * scale && primal - plain.objective <= gap + 1e-8 * scale);
    let lambda = ratio * crate::recovery::lambda_max(&unit, &data).unwrap();
    // Dual feasible up to the rounding of 141 products.
    assert!(
        unit.adjoint(dual)
            .unwrap()
            .iter()
            .all(|c| c.abs() <= lambda * (1.0 + 1e-12))
    );
    assert!(answer.nonzeros_before_cut[0] >= 7);
    // The next larger penalty on the grid has fewer nonzeros than asked for.
    let above = Lasso::new(Penalty::RatioOfMax(ratio / 0.75))
        .solve(&unit, &data)
        .unwrap();
    assert!(above.support.len() < 7 || answer.nonzeros_before_cut[0] == 7);
}

#[test]
fn zero_and_parallel_columns_are_those_that_all_cosines_find() {
    let (network, theta, base) = example("mlp:8", 8);
    // Feature 3 is twice feature 1, feature 5 is constant: its weights act like biases.
    let inputs = Array::from_fn(40, 6, |s, i| match i {
        3 => 2.0 * base.row(s)[1],
        5 => 0.7,
        _ => base.row(s)[i],
    });
    let problem = SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred).unwrap();
    let dense = DenseOperator::new(problem.operator().to_dense()).unwrap();
    let reference = ParallelColumns::default()
        .estimate(&dense, &Seed::root(0))
        .unwrap()
        .value;
    assert!(problem.zero_columns() >= 8 && problem.merged_columns() >= 6);
    assert_eq!(problem.zero_columns(), reference.zero.len());
    assert_eq!(problem.merged_columns(), reference.merged);
    let kept: Vec<usize> = (0..72).filter(|&j| problem.candidate[j]).collect();
    assert_eq!(kept, reference.kept);
    // None of them is ever chosen.
    let b = problem.right_hand_side(&LABELS[..]).unwrap();
    for solver in RecoveredBy::ALL {
        let answer = problem.recover(&b, &request(solver, 1.0, &[20, 12])).unwrap();
        for (c, &j) in problem.operator().parameters().iter().enumerate() {
            assert!(
                problem.candidate[c] || !answer.ticket.as_ref().unwrap().mask.keeps(j),
                "{solver}"
            );
        }
    }
}

#[test]
fn more_weights_than_the_rank_or_a_layer_allows_is_an_outcome_without_a_ticket() {
    let (network, theta, inputs) = example("mlp:8:tanh", 2);
    let few = inputs.rows_between(0..10);
    let problem = SensingProblem::new(&network, &theta, &few, RowTransform::Centred).unwrap();
    let b = problem.right_hand_side(&LABELS[..10]).unwrap();
    // 10 samples give 20 centred rows, of which the biases explain 8 + 2.
    assert_eq!(problem.rank_bound(), 10);
    for (solver, damping, attainable) in [
        (RecoveredBy::Omp, 0.0, false),
        (RecoveredBy::Lasso, 0.0, false),
        (RecoveredBy::NormalisedIht, 0.0, true),
        (RecoveredBy::Omp, 0.1, true),
    ] {
        let answer = problem.recover(&b, &request(solver, damping, &[6, 5])).unwrap();
        assert_eq!(answer.ticket.is_some(), attainable, "{solver} {damping}");
        assert_eq!(answer.status == Status::Unattainable, !attainable);
    }
    let answer = problem.recover(&b, &request(RecoveredBy::Omp, 1.0, &[49, 1])).unwrap();
    assert_eq!((answer.status, answer.ticket), (Status::Unattainable, None));
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let (network, theta, inputs) = example("mlp:8:tanh", 2);
    let problem = SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred).unwrap();
    let b = problem.right_hand_side(&LABELS[..]).unwrap();
    for (damping, counts) in [(-1.0, &[1, 1][..]), (f64::NAN, &[1, 1]), (0.1, &[1]), (0.1, &[0, 0])] {
        assert!(
            problem
                .recover(&b, &request(RecoveredBy::Omp, damping, counts))
                .is_err()
        );
    }
    assert!(
        problem
            .recover(&b[1..], &request(RecoveredBy::Omp, 0.1, &[1, 1]))
            .is_err()
    );
    assert!("ompp".parse::<RecoveredBy>().unwrap_err().to_string().contains("omp"));
}

#[test]
fn pruning_in_the_linear_model_is_elimination_on_the_candidates_with_damping_towards_the_point() {
    for number in 0..3 {
        let (network, theta, inputs) = example("mlp:8:tanh", number);
        let problem = SensingProblem::new(&network, &theta, &inputs, RowTransform::Centred).unwrap();
        let b = problem.right_hand_side(&LABELS[..]).unwrap();
        let (counts, dense) = ([15, 9], problem.operator().to_dense());
        let answer = LinearImp {
            rounds: 2,
            ..LinearImp::default()
        }
        .recover(&problem, &b, &counts, 0.1)
        .unwrap();
        assert_eq!(answer.status, Status::Converged);
        let ticket = answer.ticket.unwrap();
        // 48 and 24 columns: 48 (15/48)^½ = 26.8 and 24 (9/24)^½ = 14.7 after the first round.
        let alpha = 0.1 * problem.mean_square_norm();
        let mut values = vec![0.0; 72];
        let mut left: Vec<usize> = (0..72).collect();
        for keep in [[48, 24], [27, 15], [15, 9]] {
            let layer = |l: usize| left.iter().copied().filter(move |&j| (j >= 48) == (l == 1));
            let kept = [0, 1].map(|l| crate::support::largest_by(keep[l], layer(l), |j| f64::abs(values[j])));
            left = kept.concat();
            let part = dense.select_columns(&left);
            let normal = gram(&part) + DMatrix::identity(left.len(), left.len()) * alpha;
            let prior: Vec<f64> = left
                .iter()
                .map(|&j| theta[problem.operator().parameters()[j]])
                .collect();
            let columns = DMatrix::from_column_slice(b.len(), 1, &b);
            let right = transpose_product(&part, &columns).unwrap();
            let right: Vec<f64> = right.iter().zip(&prior).map(|(r, p)| r + alpha * p).collect();
            values.fill(0.0);
            let fit = cholesky::solve_positive_definite(&normal, &right).unwrap();
            left.iter().zip(fit).for_each(|(&j, v)| values[j] = v);
        }
        for (&parameter, value) in problem.operator().parameters().iter().zip(&values) {
            assert_eq!(ticket.mask.keeps(parameter), *value != 0.0);
            // The gradient is below 1e-6 of that at zero, and the curvature above α.
            let bound = 1e-6 * norm(&problem.operator().adjoint(&b).unwrap()) / alpha + 1e-6;
            assert!((ticket.theta[parameter] - value).abs() <= bound, "{number}");
        }
        let refused = LinearImp {
            rounds: 2,
            ..LinearImp::default()
        }
        .recover(&problem, &b, &[49, 9], 0.1)
        .unwrap();
        assert_eq!((refused.status, refused.ticket), (Status::Unattainable, None));
        assert!(
            LinearImp {
                rounds: 0,
                ..LinearImp::default()
            }
            .recover(&problem, &b, &counts, 0.1)
            .is_err()
        );
    }
}
