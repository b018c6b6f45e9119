use super::optimiser::{Decay, Moments, Optimiser};

#[test]
fn adam_follows_its_definition_written_out() {
    let (beta1, beta2, rate, epsilon) = (0.9f64, 0.999f64, 0.01f64, 1e-8f64);
    let optimiser = Optimiser::adam(rate);
    let gradients = [[0.5, -2.0], [0.25, 1.0], [-1.0, 0.125]];
    let mut theta = vec![1.0f64, -1.0];
    let mut moments = Moments::zeros(&optimiser, 2);
    let (mut m, mut v, mut expected) = ([0.0f64; 2], [0.0f64; 2], [1.0f64, -1.0]);
    for (t, gradient) in gradients.iter().enumerate() {
        optimiser.step(t as u64 + 1, &mut theta, &mut moments, gradient, &[true, true]);
        for i in 0..2 {
            m[i] = beta1 * m[i] + (1.0 - beta1) * gradient[i];
            v[i] = beta2 * v[i] + (1.0 - beta2) * gradient[i] * gradient[i];
            let (m_hat, v_hat) = (
                m[i] / (1.0 - beta1.powi(t as i32 + 1)),
                v[i] / (1.0 - beta2.powi(t as i32 + 1)),
            );
            expected[i] -= rate * m_hat / (v_hat.sqrt() + epsilon);
            // A handful of roundings of numbers of size 1 a step.
            assert!((theta[i] - expected[i]).abs() <= 32.0 * f64::EPSILON);
        }
    }
}

#[test]
fn momentum_accumulates_gradients() {
    let optimiser = Optimiser::named("sgd:momentum=0.5", 0.5).unwrap();
    let (mut theta, mut moments) = (vec![0.0f64], Moments::zeros(&optimiser, 1));
    for step in 1..=3 {
        optimiser.step(step, &mut theta, &mut moments, &[1.0], &[true]);
    }
    // Velocities 1, 1.5, 1.75: θ = −0.5 · 4.25, all exact in binary.
    assert_eq!((theta[0], moments.first[0]), (-2.125, 1.75));
}

#[test]
fn a_pruned_weight_and_its_moments_are_exactly_zero_even_under_a_broken_gradient() {
    for optimiser in every_kind() {
        let mut theta = vec![1.0f32, 2.0, 3.0];
        let mut moments = Moments::zeros(&optimiser, 3);
        moments.first[1] = 5.0;
        optimiser.step(
            1,
            &mut theta,
            &mut moments,
            &[0.5, f32::NAN, f32::INFINITY],
            &[true, false, false],
        );
        assert_eq!(theta[1..], [0.0, 0.0]);
        assert_eq!(moments.first[1..], [0.0, 0.0]);
        assert!(moments.second.iter().skip(1).all(|&v| v == 0.0));
        assert!(theta[0] != 1.0);
    }
}

#[test]
fn decaying_moments_never_become_subnormal() {
    for optimiser in every_kind() {
        let (mut theta, mut moments) = (vec![0.0f32], Moments::zeros(&optimiser, 1));
        optimiser.step(1, &mut theta, &mut moments, &[1.0], &[true]);
        for step in 2..100_000 {
            optimiser.step(step, &mut theta, &mut moments, &[0.0], &[true]);
            for &moment in moments.first.iter().chain(&moments.second) {
                assert!(moment == 0.0 || moment.is_normal(), "{moment:e}");
            }
        }
        assert_eq!(moments.first[0], 0.0);
    }
}

#[test]
fn numbers_outside_their_ranges_are_refused() {
    assert!(Optimiser::named("adam", 0.0).is_err());
    assert!(Optimiser::named("adan", 0.1).unwrap_err().to_string().contains("adam"));
    assert!(Optimiser::adam(f64::NAN).validate().is_err());
    for (text, words) in [
        ("sgd:momentum=1", "momentum"),
        ("nesterov:momentum=0", "nesterov"),
        ("adam:weight-decay=-1", "weight decay"),
        ("adam:weight-decay=1,decoupled-decay=1", "one of weight-decay"),
        ("adamw:decoupled-decay=10", "learning rate times decoupled decay"),
        ("adam:momentum=0.9", "known: learning-rate, beta1"),
        ("sgd:beta1=0.9", "known: learning-rate, momentum"),
        ("sgd:momentm=0.9", "did you mean 'momentum'"),
        ("sgd:nesterov=1", "true or false as nesterov"),
        ("adam:epsilon", "NUMBER=VALUE"),
        ("adam:epsilon=tiny", "a number as epsilon"),
        ("adam:learning-rate=0.1", "learning-rate once"),
    ] {
        let refused = Optimiser::named(text, 0.1).unwrap_err().to_string();
        assert!(refused.contains(words), "{text}: {refused}");
    }
    assert!(
        "adam"
            .parse::<Optimiser>()
            .unwrap_err()
            .to_string()
            .contains("learning-rate")
    );
}

fn every_kind() -> [Optimiser; 5] {
    ["sgd", "nesterov", "adam", "adamw", "adam:weight-decay=0.1"].map(|name| Optimiser::named(name, 0.1).unwrap())
}

/// Six steps on the gradient `c θ − d` of three parameters, all of which decay.
fn six_steps(optimiser: &Optimiser) -> Vec<f64> {
    let (c, d) = ([1.0, -0.5, 3.0], [0.5, 0.25, -2.0]);
    let mut theta = vec![1.0, -2.0, 0.25];
    let mut moments = Moments::zeros(optimiser, 3);
    for step in 1..=6 {
        let mut gradient: Vec<f64> = (0..3).map(|i| c[i] * theta[i] - d[i]).collect();
        optimiser.decay_weights(&mut theta, &mut gradient, std::slice::from_ref(&(0..3)));
        optimiser.step(step, &mut theta, &mut moments, &gradient, &[true; 3]);
    }
    theta
}

#[test]
fn six_steps_of_every_optimiser_agree_with_an_independent_implementation() {
    // torch.optim of PyTorch 2.15.0 in double precision: SGD, Adam and AdamW with the same numbers, gradients set by
    // hand to c θ − d before each of six steps.
    let stored = [
        (
            "sgd:learning-rate=0.1,momentum=0",
            [0.7657205, -2.5101434609375, -0.55882175],
        ),
        (
            "sgd:learning-rate=0.1,momentum=0.9",
            [0.3716960000000001, -3.574973257812501, -1.277834],
        ),
        (
            "nesterov:learning-rate=0.1,momentum=0.9",
            [0.37255805671549996, -4.1616909423308055, -0.84447177775925],
        ),
        (
            "nesterov:learning-rate=0.1,momentum=0.9,weight-decay=0.2",
            [0.2179428566829629, -2.9073319811052127, -0.7546458227102474],
        ),
        (
            "sgd:learning-rate=0.1,momentum=0,weight-decay=0.2",
            [0.687569050624, -2.2263943459505002, -0.538490952704],
        ),
        (
            "adam:learning-rate=0.1",
            [0.45256848370668423, -2.6031012009370484, -0.3335309440269628],
        ),
        (
            "adam:learning-rate=0.1,weight-decay=0.2",
            [0.43818618312881286, -2.603479665322547, -0.3321612979266629],
        ),
        (
            "adamw:learning-rate=0.1",
            [0.4490293133969448, -2.5895939915671438, -0.33351534517197823],
        ),
        (
            "adamw:learning-rate=0.1,decoupled-decay=0.2",
            [0.38814852909215175, -2.344618632761225, -0.3326116984438918],
        ),
    ];
    for (name, expected) in stored {
        let theta = six_steps(&name.parse().unwrap());
        for (ours, theirs) in theta.iter().zip(expected) {
            // At most 20 roundings of numbers below 5 a step, six steps, and errors that the map c grows less than
            // 1.4-fold a step: 120 · 5 · 1.4⁶ / 2 < 2,300 units.
            assert!(
                (ours - theirs).abs() <= 2300.0 * f64::EPSILON,
                "{name}: {ours} against {theirs}"
            );
        }
    }
}

#[test]
fn nesterov_and_both_decays_follow_their_definitions_written_out() {
    let (rate, momentum, strength) = (0.25f64, 0.5f64, 0.5f64);
    let gradients = [[1.0f64, -2.0], [0.5, 4.0], [-1.0, 0.25]];
    for (decay, nesterov) in [
        (Decay::None, true),
        (Decay::Penalty(strength), true),
        (Decay::Penalty(strength), false),
        (Decay::Decoupled(strength), true),
        (Decay::Decoupled(strength), false),
    ] {
        let optimiser = Optimiser::Sgd {
            learning_rate: rate,
            momentum,
            nesterov,
            decay,
        };
        let (mut theta, mut moments) = (vec![1.0f64, -1.0], Moments::zeros(&optimiser, 2));
        let (mut expected, mut velocity) = ([1.0f64, -1.0], [0.0f64; 2]);
        for (t, gradient) in gradients.iter().enumerate() {
            let mut with_decay = *gradient;
            // Only the first parameter is a weight: the second, a bias, never decays.
            optimiser.decay_weights(&mut theta, &mut with_decay, std::slice::from_ref(&(0..1)));
            optimiser.step(t as u64 + 1, &mut theta, &mut moments, &with_decay, &[true, true]);
            for i in 0..2 {
                let mut g = gradient[i];
                match decay {
                    Decay::Penalty(s) if i == 0 => g += s * expected[i],
                    Decay::Decoupled(s) if i == 0 => expected[i] -= rate * s * expected[i],
                    _ => {}
                }
                velocity[i] = momentum * velocity[i] + g;
                expected[i] -= rate
                    * if nesterov {
                        g + momentum * velocity[i]
                    } else {
                        velocity[i]
                    };
            }
            // Every number is a small multiple of a power of two, so that nothing is rounded.
            assert_eq!(theta, expected, "{optimiser} at {t}");
        }
    }
}

#[test]
fn every_optimiser_reads_its_own_words_back() {
    for text in [
        "sgd",
        "momentum",
        "nesterov",
        "gradient-descent",
        "adam",
        "adamw",
        "adamw:decoupled-decay=0.1,beta1=0.8",
        "adam:weight-decay=0.0001,epsilon=0.001",
        "sgd:momentum=0.5,weight-decay=0.1",
        "nesterov:decoupled-decay=0.2",
    ] {
        let optimiser = Optimiser::named(text, 0.01).unwrap();
        assert_eq!(optimiser.to_string().parse::<Optimiser>().unwrap(), optimiser, "{text}");
    }
    assert_eq!(Optimiser::named("sgd", 0.1).unwrap(), Optimiser::sgd(0.1));
    assert_eq!(Optimiser::named("momentum", 0.1).unwrap(), Optimiser::sgd(0.1));
    assert_eq!(
        Optimiser::named("adamw:decoupled-decay=0", 0.1).unwrap(),
        Optimiser::adam(0.1)
    );
    assert_eq!(Optimiser::sgd(0.1).to_string(), "sgd:learning-rate=0.1,momentum=0.9");
}
