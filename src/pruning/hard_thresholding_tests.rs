use super::hard_thresholding::HardThresholding;
use super::imp::ImpPlan;
use crate::networks::{Initialisation, Loss, Network};
use crate::outcome::Status;
use crate::pruning::small_samples::SmallSamples;
use crate::seed::Seed;
use crate::support::largest_by;
use crate::training::{Optimiser, TrainingPlan};

fn plain(rate: f64) -> Optimiser {
    Optimiser::Sgd {
        learning_rate: rate,
        momentum: 0.0,
        nesterov: false,
        decay: Default::default(),
    }
}

#[test]
fn in_a_linear_network_it_is_iterative_hard_thresholding_written_out() {
    const RATE: f64 = 1.0;
    let small = SmallSamples::new(60, 6, 0.5);
    let network = Network::preset("linear:no-bias", 6, 3).unwrap();
    let method = HardThresholding {
        training: TrainingPlan {
            optimiser: plain(RATE),
            loss: Loss::Squared,
            batch: 60,
            steps: 30,
            ..TrainingPlan::default()
        },
        ..HardThresholding::default()
    };
    let mut in_all = 0;
    for number in 0..6 {
        // Small beside the gradients, so that the first support is not the last.
        let from: Vec<f32> = network.initial(&Seed::root(number), &Initialisation::HE).unwrap();
        let from: Vec<f32> = from.iter().map(|v| 0.3 * v).collect();
        let found = method
            .run(&network, &small.view(), &[5], &from, &Seed::root(2))
            .unwrap();
        // W ← H₅(W − η (XWᵀ − Y)ᵀX / n), with Y the centred labels, in double precision.
        let mut w: Vec<f64> = from.iter().map(|&v| f64::from(v)).collect();
        let mut returned = 0;
        let mut kept: Option<Vec<usize>> = None;
        for _ in 0..30 {
            let mut gradient = [0.0; 18];
            for (i, row) in small.inputs.iter_rows().enumerate() {
                for c in 0..3 {
                    let output: f64 = (0..6).map(|j| w[c * 6 + j] * f64::from(row[j])).sum();
                    let target = f64::from(u8::from(small.labels[i] == c)) - 1.0 / 3.0;
                    (0..6).for_each(|j| gradient[c * 6 + j] += (output - target) * f64::from(row[j]) / 60.0);
                }
            }
            (0..18).for_each(|i| w[i] -= RATE * gradient[i]);
            let largest = largest_by(5, 0..18, |i| w[i].abs());
            (0..18).filter(|i| !largest.contains(i)).for_each(|i| w[i] = 0.0);
            returned += kept.map_or(0, |k| largest.iter().filter(|i| !k.contains(i)).count());
            kept = Some(largest);
        }
        assert_eq!(found.mask.support().indices(), kept.unwrap(), "{number}");
        assert_eq!((found.returned, found.gradients, found.passes), (returned, 30, 30.0));
        in_all += returned;
        for (a, b) in found.outcome.theta.iter().zip(&w) {
            // 30 contracting steps, each with rounding of sums of 60 products of size one in single precision.
            assert!(
                (f64::from(*a) - b).abs() <= 30.0 * 60.0 * f64::from(f32::EPSILON),
                "{a} {b}"
            );
        }
    }
    assert!(in_all > 0, "no example lets a weight return");
}

#[test]
fn with_every_weight_allowed_it_is_plain_training_to_the_last_bit() {
    let small = SmallSamples::new(60, 6, 0.5);
    let imp = ImpPlan {
        network: "mlp:8".into(),
        training: TrainingPlan {
            batch: 20,
            steps: 25,
            ..TrainingPlan::default()
        },
        ..ImpPlan::default()
    };
    let network = imp.build_network(&small.view()).unwrap();
    let from: Vec<f32> = network.initial(&Seed::root(1), &Initialisation::HE).unwrap();
    let full = network.layout().full_mask();
    let dense = imp
        .train(&network, &small.view(), &full, &from, 0, &Seed::root(2))
        .unwrap();
    let method = HardThresholding {
        training: imp.training.clone(),
        every: 3,
        ..HardThresholding::default()
    };
    let found = method
        .run(&network, &small.view(), &[48, 24], &from, &Seed::root(2))
        .unwrap();
    assert_eq!(
        (&found.outcome.theta, found.returned, found.ever_kept),
        (&dense.theta, 0, 1.0)
    );
}

#[test]
fn counts_are_exact_and_debiasing_moves_what_is_left_alone() {
    let small = SmallSamples::new(60, 6, 0.5);
    let network = Network::preset("mlp:8", 6, 3).unwrap();
    let from: Vec<f32> = network.initial(&Seed::root(1), &Initialisation::HE).unwrap();
    // Small beside the steps, so that what is cut can grow back to what is kept.
    let from: Vec<f32> = from.iter().map(|v| 0.1 * v).collect();
    let method = HardThresholding {
        training: TrainingPlan {
            optimiser: Optimiser::adam(0.1),
            batch: 20,
            steps: 40,
            ..TrainingPlan::default()
        },
        warm_up: 0,
        every: 5,
        debias_steps: 0,
    };
    let run = |method: &HardThresholding| {
        method
            .run(&network, &small.view(), &[24, 12], &from, &Seed::root(3))
            .unwrap()
    };
    let (cut, debiased) = (
        run(&method),
        run(&HardThresholding {
            debias_steps: 15,
            ..method.clone()
        }),
    );
    assert_eq!(cut.mask, debiased.mask);
    let layers: Vec<_> = network.layout().weight_ranges();
    assert_eq!([0, 1].map(|l: usize| cut.mask.kept_in(layers[l].clone())), [24, 12]);
    assert_eq!((cut.gradients, debiased.gradients), (40, 55));
    assert!(cut.returned > 0 && cut.ever_kept > 36.0 / 72.0);
    for found in [&cut, &debiased] {
        assert!((0..from.len()).all(|i| found.mask.keeps(i) || found.outcome.theta[i] == 0.0));
    }
    assert_ne!(cut.outcome.theta, debiased.outcome.theta);
    let steps: Vec<usize> = debiased.outcome.history.iter().map(|e| e.step).collect();
    assert_eq!(steps, [0, 40, 50, 55]);
}

#[test]
fn what_is_out_of_range_is_refused_and_divergence_is_a_status() {
    let small = SmallSamples::new(60, 6, 0.5);
    let network = Network::preset("linear", 6, 3).unwrap();
    let from: Vec<f32> = network.initial(&Seed::root(1), &Initialisation::HE).unwrap();
    let good = HardThresholding {
        training: TrainingPlan {
            optimiser: plain(0.1),
            loss: Loss::Squared,
            batch: 60,
            steps: 200,
            ..TrainingPlan::default()
        },
        ..HardThresholding::default()
    };
    let run = |method: &HardThresholding, counts: &[usize]| {
        method.run(&network, &small.view(), counts, &from, &Seed::root(2))
    };
    assert!(
        run(
            &HardThresholding {
                every: 0,
                ..good.clone()
            },
            &[4]
        )
        .is_err()
    );
    assert!(
        run(
            &HardThresholding {
                warm_up: 201,
                ..good.clone()
            },
            &[4]
        )
        .is_err()
    );
    assert!(run(&good, &[19]).unwrap_err().to_string().contains("dense0.weight"));
    assert!(run(&good, &[4, 4]).is_err());
    let wild = HardThresholding {
        training: TrainingPlan {
            optimiser: plain(1e3),
            ..good.training.clone()
        },
        debias_steps: 5,
        ..good
    };
    let found = run(&wild, &[4]).unwrap();
    assert_eq!((found.outcome.status, found.mask.kept()), (Status::Diverged, 4 + 3));
    assert!(found.gradients < 200 && found.outcome.test_accuracy == 1.0 / 3.0);
}
