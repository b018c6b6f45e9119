use super::*;
use crate::linalg::norm;
use crate::networks::Initialisation;
use crate::operators::DenseOperator;
use crate::recovery::{Certificate, Lasso, Omp, Penalty, Solver};
use crate::seed::Seed;
use rand::RngExt;

fn random(rows: usize, columns: usize, name: &str) -> DMatrix<f64> {
    let mut rng = Seed::root(3).stream(name).rng();
    DMatrix::from_fn(rows, columns, |_, _| rng.random::<f64>() - 0.3)
}

/// Samples in general position; the last feature may be one that is never active.
fn samples(rows: usize, features: usize, dead: Option<usize>) -> Array<f64> {
    let entries = random(rows, features, "samples");
    Array::from_fn(
        rows,
        features,
        |i, j| if dead == Some(j) { 0.0 } else { entries[(i, j)] },
    )
}

#[test]
fn units_with_a_count_of_their_own_are_what_orthogonal_matching_pursuit_finds_one_by_one() {
    let (inputs, targets) = (random(30, 12, "inputs"), random(30, 5, "targets"));
    let layer = LayerSensing::new(inputs.clone()).unwrap();
    let rows = layer.recover(&targets, TrimmedBy::Omp, Spread::Units, 20).unwrap();
    let operator = DenseOperator::new(inputs).unwrap();
    let solver = Omp {
        max_support: Some(4),
        ..Omp::default()
    };
    for (u, answer) in solver.solve_many(&operator, &targets).unwrap().iter().enumerate() {
        assert_eq!(rows.supports[u], answer.support);
        for j in 0..12 {
            // Normal equations of unit columns of a condition number below a hundred.
            assert!((rows.weights[(u, j)] - answer.x[j]).abs() < 1e-11);
        }
    }
    assert_eq!((rows.kept(), rows.status), (20, Status::SupportFull));
}

#[test]
fn units_that_compete_are_orthogonal_matching_pursuit_on_the_block_diagonal_matrix_of_the_layer() {
    let (inputs, targets) = (random(20, 9, "inputs"), random(20, 4, "targets"));
    let layer = LayerSensing::new(inputs.clone()).unwrap();
    let mut blocks = DMatrix::zeros(80, 36);
    for u in 0..4 {
        blocks.view_mut((20 * u, 9 * u), (20, 9)).copy_from(&inputs);
    }
    for count in [1, 7, 20] {
        let rows = layer.recover(&targets, TrimmedBy::Omp, Spread::Layer, count).unwrap();
        let solver = Omp {
            max_support: Some(count),
            ..Omp::default()
        };
        let answer = solver
            .solve(&DenseOperator::new(blocks.clone()).unwrap(), targets.as_slice())
            .unwrap();
        let found: Vec<usize> = (0..4)
            .flat_map(|u| rows.supports[u].iter().map(move |j| 9 * u + j))
            .collect();
        assert_eq!(found, answer.support);
        let relative = answer.residual_norm / norm(targets.as_slice());
        assert!((rows.relative_residual - relative).abs() < 1e-12);
    }
}

#[test]
fn the_lasso_keeps_the_largest_of_the_first_penalty_with_enough_active_weights() {
    let (inputs, targets) = (random(25, 10, "inputs"), random(25, 3, "targets"));
    let layer = LayerSensing::new(inputs.clone()).unwrap();
    let unit = DMatrix::from_fn(25, 10, |i, j| inputs[(i, j)] / norm(inputs.column(j).as_slice()));
    let operator = DenseOperator::new(unit).unwrap();
    let nonzeros = |u: usize, lambda: f64| {
        let lasso = Lasso {
            tolerance: 1e-12,
            ..Lasso::new(Penalty::Absolute(lambda))
        };
        lasso.solve(&operator, targets.column(u).as_slice()).unwrap().x
    };
    // Penalties so fine that no two weights enter between neighbours (checked below by the counts).
    let grid: Vec<f64> = (0..4000).map(|i| 10.0 * 0.997f64.powi(i)).collect();
    for count in [3, 6, 12] {
        let of = |x: &[f64]| x.iter().filter(|v| **v != 0.0).count();
        let per_unit = layer.recover(&targets, TrimmedBy::Lasso, Spread::Units, count).unwrap();
        for u in 0..3 {
            let x = grid
                .iter()
                .map(|&l| nonzeros(u, l))
                .find(|x| of(x) >= count / 3)
                .unwrap();
            assert_eq!(of(&x), count / 3);
            let support: Vec<usize> = (0..10).filter(|&j| x[j] != 0.0).collect();
            assert_eq!(per_unit.supports[u], support);
        }
        let together = layer.recover(&targets, TrimmedBy::Lasso, Spread::Layer, count).unwrap();
        let all = |l: f64| -> Vec<Vec<f64>> { (0..3).map(|u| nonzeros(u, l)).collect() };
        let total = |x: &[Vec<f64>]| x.iter().map(|x| of(x)).sum::<usize>();
        let x = grid.iter().map(|&l| all(l)).find(|x| total(x) >= count).unwrap();
        assert_eq!(total(&x), count);
        for (u, x) in x.iter().enumerate() {
            let support: Vec<usize> = (0..10).filter(|&j| x[j] != 0.0).collect();
            assert_eq!(together.supports[u], support);
        }
        assert!(together.kept() == count && per_unit.kept() == count);
    }
}

#[test]
fn keeping_every_weight_gives_the_network_back_and_dead_inputs_are_never_chosen() {
    let network = Network::preset("mlp:6-5", 4, 3).unwrap();
    let theta: Vec<f64> = network
        .initial(&Seed::root(1), &"he:bias=0.3".parse::<Initialisation>().unwrap())
        .unwrap();
    let dead = samples(40, 4, Some(2));
    let (all, mut live) = (network.layout().prunable(), 0);
    for order in [TrimOrder::Parallel, TrimOrder::Cascade] {
        for solver in TrimmedBy::ALL {
            let values = network.activations(&theta, &dead).unwrap();
            let used = |a: &Array<f64>| (0..a.columns()).filter(|&j| a.iter_rows().any(|r| r[j] != 0.0)).count();
            let counts = [3 * 6, used(&values[1]) * 5, used(&values[3]) * 3];
            let request = TrimRequest {
                solver,
                spread: Spread::Layer,
                order,
                counts: &counts,
            };
            let answer = net_trim(&network, &theta, &dead, &request).unwrap();
            let ticket = answer.ticket.unwrap();
            let weights = network.layout().weights();
            live = weights.indices().iter().filter(|&&i| ticket.mask.keeps(i)).count();
            for u in 0..6 {
                assert!(!ticket.mask.keeps(4 * u + 2));
            }
            let (f, g) = (
                network.outputs(&theta, &dead).unwrap(),
                network.outputs(&ticket.theta, &dead).unwrap(),
            );
            for (f, g) in f.as_slice().iter().zip(g.as_slice()) {
                // The LASSO path ends at a millionth of its start and the fit after it is exact but for conditioning.
                assert!((f - g).abs() < 1e-8, "{solver} {f} {g}");
            }
        }
    }
    assert!(live > 40 && live < all);
}

#[test]
fn a_cascade_makes_good_what_the_layers_before_it_spoiled() {
    let network = Network::preset("mlp:12-10", 8, 4).unwrap();
    let theta: Vec<f64> = network.initial(&Seed::root(2), &Initialisation::HE).unwrap();
    let inputs = samples(60, 8, None);
    let outputs = network.outputs(&theta, &inputs).unwrap();
    let run = |order| {
        let request = TrimRequest {
            solver: TrimmedBy::Omp,
            spread: Spread::Units,
            order,
            counts: &[48, 60, 24],
        };
        let ticket = net_trim(&network, &theta, &inputs, &request).unwrap().ticket.unwrap();
        assert_eq!(network.layout().density(&ticket.mask), 132.0 / 256.0);
        let pruned = network.outputs(&ticket.theta, &inputs).unwrap();
        let error: Vec<f64> = pruned
            .as_slice()
            .iter()
            .zip(outputs.as_slice())
            .map(|(a, b)| a - b)
            .collect();
        (ticket, norm(&error))
    };
    let (parallel, worse) = run(TrimOrder::Parallel);
    let (cascade, better) = run(TrimOrder::Cascade);
    let first = network.layout().slot("dense0.weight").unwrap().range.clone();
    assert_eq!(parallel.theta[first.clone()], cascade.theta[first]);
    assert!(better < worse, "{better} {worse}");
}

#[test]
fn planted_rows_are_found_below_the_transition_and_lost_above_it() {
    let run = |solver, inputs, samples, nonzeros| {
        let problem = PlantedRows {
            inputs,
            samples,
            fan_in: 60,
            nonzeros,
            rows: 20,
        };
        problem.run(solver, &Seed::root(0)).unwrap()
    };
    for solver in TrimmedBy::ALL {
        let easy = run(solver, PlantedInputs::Gaussian, 40, 3);
        assert_eq!((easy.recovered(), easy.exact_supports, easy.overlap), (20, 20, 1.0));
        let hard = run(solver, PlantedInputs::Gaussian, 15, 10);
        assert_eq!((hard.recovered(), hard.exact_supports), (0, 0));
        assert!(hard.overlap > 0.0 && hard.overlap < 0.8);
    }
}

#[test]
fn solvers_meet_the_same_planted_problem_and_given_inputs_are_rows_of_the_matrix() {
    let matrix = random(50, 8, "given");
    let problem = PlantedRows {
        inputs: PlantedInputs::Given(&matrix),
        samples: 50,
        fan_in: 8,
        nonzeros: 2,
        rows: 4,
    };
    let one = problem.run(TrimmedBy::Omp, &Seed::root(9)).unwrap();
    let other = problem.run(TrimmedBy::Lasso, &Seed::root(9)).unwrap();
    assert_eq!((one.exact_supports, other.exact_supports), (4, 4));
    let mut drawn = problem.draw_inputs(&Seed::root(9)).unwrap();
    let mut all = matrix.clone();
    for m in [&mut drawn, &mut all] {
        m.as_mut_slice()[..50].sort_by(f64::total_cmp);
    }
    assert_eq!(drawn.column(0), all.column(0));
    assert!(
        PlantedRows { samples: 51, ..problem }
            .run(TrimmedBy::Omp, &Seed::root(0))
            .is_err()
    );
    assert!(
        PlantedRows { fan_in: 9, ..problem }
            .run(TrimmedBy::Omp, &Seed::root(0))
            .is_err()
    );
    assert!(
        PlantedRows { nonzeros: 9, ..problem }
            .run(TrimmedBy::Omp, &Seed::root(0))
            .is_err()
    );
    assert!(
        PlantedRows { nonzeros: 0, ..problem }
            .run(TrimmedBy::Omp, &Seed::root(0))
            .is_err()
    );
}

#[test]
fn too_few_independent_inputs_leave_no_ticket_and_other_networks_are_refused() {
    let network = Network::preset("mlp:6", 4, 3).unwrap();
    let theta: Vec<f64> = network.initial(&Seed::root(1), &Initialisation::HE).unwrap();
    let inputs = samples(10, 4, Some(3));
    let request = TrimRequest {
        solver: TrimmedBy::Lasso,
        spread: Spread::Layer,
        order: TrimOrder::Parallel,
        counts: &[20, 9],
    };
    let answer = net_trim(&network, &theta, &inputs, &request).unwrap();
    assert_eq!((answer.ticket, answer.statuses), (None, vec![Status::Exhausted]));
    // Eighteen weights on live inputs give the targets exactly: two are not needed, and not padded.
    let request = TrimRequest {
        solver: TrimmedBy::Omp,
        ..request
    };
    let answer = net_trim(&network, &theta, &inputs, &request).unwrap();
    assert_eq!(answer.statuses[0], Status::ResidualReached);
    assert_eq!(answer.ticket.unwrap().mask.kept_in(0..24), 18);
    let too_many = TrimRequest {
        counts: &[25, 9],
        ..request
    };
    assert!(net_trim(&network, &theta, &inputs, &too_many).is_err());
    assert!(
        net_trim(
            &network,
            &theta,
            &inputs,
            &TrimRequest {
                counts: &[9],
                ..too_many
            }
        )
        .is_err()
    );
    let convolutional = Network::preset("conv-2", 16, 2).unwrap();
    let error = net_trim(
        &convolutional,
        &vec![0.0; convolutional.layout().len()],
        &Array::zeros(1, 16),
        &TrimRequest {
            counts: &[1],
            ..too_many
        },
    );
    assert!(error.unwrap_err().to_string().contains("multilayer perceptron"));
}

#[test]
fn margins_of_the_reference_show_that_its_picks_were_no_ties() {
    // The comparison with the reference pick by pick needs picks that rounding cannot turn.
    let (inputs, targets) = (random(30, 12, "inputs"), random(30, 5, "targets"));
    let solver = Omp {
        max_support: Some(4),
        ..Omp::default()
    };
    for answer in solver
        .solve_many(&DenseOperator::new(inputs).unwrap(), &targets)
        .unwrap()
    {
        let Certificate::OrderMargins { margins, .. } = answer.certificate else {
            panic!("order margins");
        };
        assert!(margins.iter().all(|m| *m > 1e-6));
    }
}
