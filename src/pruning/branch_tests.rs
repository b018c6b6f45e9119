use super::*;
use crate::Seed;
use crate::pruning::small_samples::SmallSamples;
use crate::support::Mask;
use crate::training::TrainingPlan;

fn plan(network: &str, rewind_step: usize) -> ImpPlan {
    ImpPlan {
        network: network.into(),
        training: TrainingPlan {
            batch: 30,
            steps: 12,
            evaluate_every: 6,
            ..TrainingPlan::default()
        },
        rounds: 2,
        prune_fraction: 0.4,
        rewind_step,
        ..ImpPlan::default()
    }
}

#[test]
fn every_control_changes_what_it_says_and_nothing_else() {
    let (small, seed) = (SmallSamples::new(90, 6, 0.0), Seed::root(4));
    for rewind_step in [0, 3] {
        let plan = plan("mlp:9-7:tanh:no-bias", rewind_step);
        let run = plan.run(&small.view(), &seed, &mut |_| true).unwrap();
        let network = plan.build_network(&small.view()).unwrap();
        let ticket = &run.rounds[2];
        let layer_counts = |mask: &Mask| -> Vec<usize> {
            network
                .layout()
                .weight_slots()
                .map(|s| mask.kept_in(s.range.clone()))
                .collect()
        };
        for control in Control::ALL {
            let trained = control.train(&plan, &small.view(), &seed, &run, 2).unwrap();
            let theta = &trained.outcome.theta;
            assert!(
                theta
                    .iter()
                    .enumerate()
                    .all(|(i, &v)| trained.mask.keeps(i) || v == 0.0)
            );
            // After little training pruning at once may find the very mask of the rounds.
            if control != Control::OneShot {
                assert_ne!(theta, &ticket.outcome.theta, "{control}");
            }
            match control {
                Control::Reinit | Control::Signs | Control::Order | Control::Permute => {
                    assert_eq!(trained.mask, ticket.mask);
                }
                Control::ConstantSigns | Control::Noise(_) | Control::NoiseKeepingSigns(_) => {
                    assert_eq!(trained.mask, ticket.mask);
                }
                Control::ShuffleAcross => {
                    // The count is kept in all, not layer by layer.
                    assert_ne!(layer_counts(&trained.mask), layer_counts(&ticket.mask));
                }
                Control::SmallDense => {
                    assert_eq!(trained.kept(), trained.network.layout().prunable());
                    assert!(
                        trained.network.name().ends_with(":tanh:no-bias"),
                        "{}",
                        trained.network.name()
                    );
                    continue;
                }
                _ => {
                    let dense = &run.rounds[0].outcome.theta;
                    for slot in network.layout().weight_slots().filter(|_| control == Control::OneShot) {
                        let sizes = |kept: bool| -> Vec<f32> {
                            let of_kind = slot.range.clone().filter(|&i| trained.mask.keeps(i) == kept);
                            of_kind.map(|i| dense[i].abs()).collect()
                        };
                        let largest_pruned = sizes(false).into_iter().fold(0.0, f32::max);
                        assert!(largest_pruned <= sizes(true).into_iter().fold(f32::MAX, f32::min));
                    }
                    if control != Control::OneShot {
                        assert_ne!(trained.mask, ticket.mask, "{control}");
                    }
                    assert_eq!(layer_counts(&trained.mask), layer_counts(&ticket.mask), "{control}");
                }
            }
            assert_eq!(trained.outcome.steps, ticket.outcome.steps, "{control}");
            assert_eq!(trained.kept(), kept_weights(&network, &ticket.mask));
        }
    }
}

#[test]
fn one_shot_pruning_is_the_first_round_of_iterative_pruning() {
    let (small, seed, plan) = (SmallSamples::new(90, 6, 0.0), Seed::root(6), plan("mlp:9-7", 0));
    let run = plan.run(&small.view(), &seed, &mut |_| true).unwrap();
    let once = Control::OneShot.train(&plan, &small.view(), &seed, &run, 1).unwrap();
    assert_eq!(once.mask, run.rounds[1].mask);
    assert_eq!(once.outcome.theta, run.rounds[1].outcome.theta);
}

#[test]
fn what_a_control_starts_from_differs_from_the_ticket_in_one_thing() {
    let (small, seed, plan) = (SmallSamples::new(90, 6, 0.0), Seed::root(4), plan("mlp:9-7", 3));
    let run = plan.run(&small.view(), &seed, &mut |_| true).unwrap();
    let (ticket, from) = (&run.rounds[2].mask, &run.rewind);
    assert_ne!(from, &run.initial);
    let start = |control: Control, round| control.start(&plan, &small.view(), &seed, &run, round).unwrap();
    let order = |control| start(control, 2).order.key();
    for control in Control::ALL {
        let start = start(control, 2);
        let moved = (start.mask != *ticket, start.values != *from);
        let expected = match control {
            Control::Order => (false, false),
            Control::SmallDense => (true, true),
            _ if control.word().starts_with("shuffle") => (true, false),
            Control::Random | Control::OneShot => (true, false),
            _ => (false, true),
        };
        if control != Control::OneShot {
            assert_eq!(moved, expected, "{control}");
        }
        let same_order = order(control) == seed.stream("training").key();
        assert_eq!(same_order, control != Control::Order, "{control}");
    }
    let signs = |values: &[f32]| -> Vec<bool> { values.iter().map(|v| v.is_sign_negative()).collect() };
    let weights = start(Control::Reinit, 2).network.layout().weights();
    let signs_of_weights =
        |values: &[f32]| -> Vec<bool> { weights.indices().iter().map(|&i| signs(values)[i]).collect() };
    for control in [Control::Signs, Control::ConstantSigns, Control::NoiseKeepingSigns(0.7)] {
        assert_eq!(
            signs_of_weights(&start(control, 2).values),
            signs_of_weights(from),
            "{control}"
        );
    }
    assert_ne!(
        signs_of_weights(&start(Control::Noise(0.7), 2).values),
        signs_of_weights(from)
    );
    // The noise of a place is that of every round and of the dense network, and grows with its size alone.
    let noise = |control, round, i: usize| start(control, round).values[i] - from[i];
    let place = weights.indices()[5];
    assert_eq!(
        noise(Control::Noise(0.25), 0, place),
        noise(Control::Noise(0.25), 2, place)
    );
    let ratio = noise(Control::Noise(0.5), 1, place) / noise(Control::Noise(0.25), 1, place);
    assert!((ratio - 2.0).abs() < 1e-4, "{ratio}");
}

#[test]
fn rounds_and_controls_that_do_not_exist_are_refused_with_both_sides_named() {
    let (small, seed, plan) = (SmallSamples::new(90, 6, 0.0), Seed::root(6), plan("linear", 0));
    let run = plan.run(&small.view(), &seed, &mut |_| true).unwrap();
    for (control, round, words) in [
        (Control::Reinit, 3, ["reinit", "0 to 2"]),
        (Control::SmallDense, 1, ["small-dense", "linear"]),
        (Control::ShuffleAcross, 1, ["shuffle-across", "1 weight layer"]),
        (Control::Noise(f64::NAN), 1, ["noise", "NaN"]),
    ] {
        let refused = control
            .train(&plan, &small.view(), &seed, &run, round)
            .unwrap_err()
            .to_string();
        assert!(words.iter().all(|word| refused.contains(word)), "{refused}");
    }
}
