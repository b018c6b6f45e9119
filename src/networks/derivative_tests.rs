//! Every derivative of every layer, activation and loss, checked against differences, against slow plain loops and
//! against the identities that tie the derivatives together.

use super::derivative_cases::{Case, every_case, multilayer_cases, normal};
use super::*;
use crate::linalg::{dot, norm};
use crate::seed::Seed;

/// Relative difference allowed between two sums of the same few hundred products in another order.
const ROUNDING: f64 = 1e3 * f64::EPSILON;

/// Step of central differences: the truncation h² and the rounding ε/h meet near ε^{1/3}.
const STEP: f64 = 6e-6;

/// Error allowed for a central difference relative to the size of what is differentiated: h² times a third derivative
/// of up to a thousand along a direction of length 1, plus ε/h, both below this.
const DIFFERENCE: f64 = 1e-7;

#[test]
fn gradients_match_central_differences_of_the_loss() {
    for (name, case) in every_case() {
        for loss in Loss::ALL {
            let at = |s: f64| {
                case.network
                    .loss(&case.moved(s), &case.inputs, &case.labels, loss)
                    .unwrap()
            };
            let difference = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            let gradient = case.gradient_at(&case.theta, loss);
            let exact = dot(&gradient, &case.u);
            let size = norm(&gradient) * norm(&case.u);
            assert!(
                (difference - exact).abs() <= DIFFERENCE * (1.0 + size),
                "{name} {loss}: {difference} against {exact}"
            );
        }
    }
}

#[test]
fn jacobian_products_match_central_differences_of_the_outputs() {
    for (name, case) in every_case() {
        let at = |s: f64| case.network.outputs(&case.moved(s), &case.inputs).unwrap();
        let difference = at(STEP).zipped(&at(-STEP), |a, b| (a - b) / (2.0 * STEP));
        let exact = case
            .network
            .jacobian_vector(&case.theta, &case.u, &case.inputs)
            .unwrap();
        let error = difference.zipped(&exact, |a, b| a - b);
        assert!(
            norm(error.as_slice()) <= DIFFERENCE * (1.0 + norm(exact.as_slice())),
            "{name}: {}",
            norm(error.as_slice())
        );
    }
}

#[test]
fn the_jacobian_and_its_transpose_are_adjoint() {
    for (name, case) in every_case() {
        let product = case
            .network
            .jacobian_vector(&case.theta, &case.u, &case.inputs)
            .unwrap();
        let c = Array::new(9, 4, normal(&Seed::root(5), "c", 36)).unwrap();
        let transposed = case
            .network
            .jacobian_transpose_vector(&case.theta, &c, &case.inputs)
            .unwrap();
        let (left, right) = (dot(product.as_slice(), c.as_slice()), dot(&case.u, &transposed));
        let size = norm(&transposed) * norm(&case.u);
        assert!(
            (left - right).abs() <= ROUNDING * size,
            "{name}: {left} against {right}"
        );
    }
}

#[test]
fn hessian_products_match_central_differences_of_the_gradient() {
    for (name, case) in every_case() {
        for loss in Loss::ALL {
            let (up, down) = (
                case.gradient_at(&case.moved(STEP), loss),
                case.gradient_at(&case.moved(-STEP), loss),
            );
            let exact = case.hessian(&case.u, loss);
            let error: Vec<f64> = (0..exact.len())
                .map(|j| (up[j] - down[j]) / (2.0 * STEP) - exact[j])
                .collect();
            assert!(
                norm(&error) <= DIFFERENCE * (1.0 + norm(&exact)),
                "{name} {loss}: {}",
                norm(&error)
            );
        }
    }
}

#[test]
fn the_hessian_is_symmetric() {
    for (name, case) in every_case() {
        for loss in Loss::ALL {
            let (hu, hw) = (case.hessian(&case.u, loss), case.hessian(&case.w, loss));
            let (left, right) = (dot(&case.w, &hu), dot(&case.u, &hw));
            let size = norm(&case.w) * norm(&hu) + norm(&case.u) * norm(&hw);
            assert!(
                (left - right).abs() <= ROUNDING * size,
                "{name} {loss}: {left} against {right}"
            );
        }
    }
}

#[test]
fn gauss_newton_is_the_composition_of_its_three_factors_and_the_hessian_of_a_linear_model() {
    for (name, case) in every_case() {
        for loss in Loss::ALL {
            let product = |v: &[f64]| {
                case.network
                    .gauss_newton_vector(&case.theta, v, &case.inputs, &case.labels, loss)
                    .unwrap()
            };
            let gu = product(&case.u);
            let ju = case
                .network
                .jacobian_vector(&case.theta, &case.u, &case.inputs)
                .unwrap();
            let outputs = case.network.outputs(&case.theta, &case.inputs).unwrap();
            let middle = loss.output_hessian(&outputs, &ju, 9);
            // ⟨u, G u⟩ = ⟨J u, (∂²loss) J u⟩ ≥ 0.
            let (left, right) = (dot(&case.u, &gu), dot(ju.as_slice(), middle.as_slice()));
            assert!(
                (left - right).abs() <= ROUNDING * norm(&case.u) * norm(&gu),
                "{name} {loss}"
            );
            assert!(right >= 0.0);
            if case.network.depth() == 1 && case.network.is_multilayer() {
                let hu = case.hessian(&case.u, loss);
                let error: Vec<f64> = gu.iter().zip(&hu).map(|(a, b)| a - b).collect();
                assert!(norm(&error) <= ROUNDING * norm(&hu), "{name} {loss}");
            }
        }
    }
}

#[test]
fn single_precision_agrees_with_double_precision() {
    for (name, case) in every_case() {
        let theta: Vec<f32> = case.theta.iter().map(|&t| t as f32).collect();
        let inputs: Array<f32> = case.inputs.convert();
        for loss in Loss::ALL {
            let (value, gradient) = case.network.gradient(&theta, &inputs, &case.labels, loss).unwrap();
            let (exact, double) = case
                .network
                .gradient(&case.theta, &case.inputs, &case.labels, loss)
                .unwrap();
            // Three layers of sums of at most nine products, each rounded in single precision.
            let relative = 200.0 * f64::from(f32::EPSILON);
            let error: Vec<f64> = gradient.iter().zip(&double).map(|(a, b)| f64::from(*a) - b).collect();
            assert!(norm(&error) <= relative * (1.0 + norm(&double)), "{name} {loss}");
            assert!((value - exact).abs() <= relative * (1.0 + exact), "{name} {loss}");
        }
    }
}

#[test]
fn eulers_identity_holds_for_relu_without_biases_and_fails_for_tanh() {
    for (preset, holds) in [
        ("mlp:7-5:no-bias", true),
        ("mlp:7:linear:no-bias", true),
        ("mlp:7-5:tanh:no-bias", false),
        ("mlp:7-5:gelu:no-bias", false),
        ("mlp:7-5", false),
    ] {
        let case = Case::new(preset);
        let outputs = case.network.outputs(&case.theta, &case.inputs).unwrap();
        let product = case
            .network
            .jacobian_vector(&case.theta, &case.theta, &case.inputs)
            .unwrap();
        let depth = case.network.depth() as f64;
        let error = product.zipped(&outputs, |p, f| p - depth * f);
        let relative = norm(error.as_slice()) / (depth * norm(outputs.as_slice()));
        assert_eq!(relative <= 1e-12, holds, "{preset}: {relative}");
        assert!(holds || relative > 1e-3, "{preset}: {relative}");
    }
}

/// Loss and gradient by plain loops over single samples and units, straight from the chain rule.
fn slow_gradient(case: &Case, loss: Loss) -> (f64, Vec<f64>) {
    let (network, theta) = (&case.network, &case.theta);
    let (layout, phi) = (network.layout(), network.activation());
    let depth = network.depth();
    let weight = |l: usize| layout.weight_slots().nth(l).unwrap();
    let (mut total, mut gradient) = (0.0, vec![0.0; theta.len()]);
    for (x, &y) in case.inputs.iter_rows().zip(&case.labels) {
        let (mut pre, mut post) = (Vec::new(), vec![x.to_vec()]);
        for l in 0..depth {
            let slot = weight(l);
            let (outs, ins) = (slot.shape[0], slot.shape[1]);
            let z: Vec<f64> = (0..outs)
                .map(|o| {
                    let sum: f64 = (0..ins)
                        .map(|i| theta[slot.range.start + o * ins + i] * post[l][i])
                        .sum();
                    let bias = layout.unpruned_slots().nth(l).map_or(0.0, |b| theta[b.range.start + o]);
                    sum + bias
                })
                .collect();
            post.push(if l + 1 < depth {
                z.iter().map(|&v| phi.value(v)).collect()
            } else {
                z.clone()
            });
            pre.push(z);
        }
        let f = &pre[depth - 1];
        let classes = f.len() as f64;
        let hot = |c: usize| f64::from(u8::from(c == y));
        let mut delta: Vec<f64> = match loss {
            Loss::Squared => (0..f.len()).map(|c| f[c] - hot(c) + 1.0 / classes).collect(),
            Loss::CrossEntropy => {
                let sum: f64 = f.iter().map(|v| v.exp()).sum();
                (0..f.len()).map(|c| f[c].exp() / sum - hot(c)).collect()
            }
        };
        total += match loss {
            Loss::Squared => 0.5 * delta.iter().map(|d| d * d).sum::<f64>(),
            Loss::CrossEntropy => f.iter().map(|v| v.exp()).sum::<f64>().ln() - f[y],
        };
        for l in (0..depth).rev() {
            let slot = weight(l);
            let ins = slot.shape[1];
            let mut below = vec![0.0; ins];
            for (o, d) in delta.iter().enumerate() {
                for i in 0..ins {
                    gradient[slot.range.start + o * ins + i] += d * post[l][i];
                    below[i] += d * theta[slot.range.start + o * ins + i];
                }
                if let Some(bias) = layout.unpruned_slots().nth(l) {
                    gradient[bias.range.start + o] += d;
                }
            }
            if l > 0 {
                delta = (0..ins).map(|i| below[i] * phi.derivative(pre[l - 1][i])).collect();
            }
        }
    }
    let n = case.labels.len() as f64;
    (total / n, gradient.iter().map(|g| g / n).collect())
}

#[test]
fn loss_and_gradient_equal_those_of_plain_loops() {
    for (name, case) in multilayer_cases() {
        for loss in Loss::ALL {
            let (value, gradient) = case
                .network
                .gradient(&case.theta, &case.inputs, &case.labels, loss)
                .unwrap();
            let (slow_value, slow) = slow_gradient(&case, loss);
            let error: Vec<f64> = gradient.iter().zip(&slow).map(|(a, b)| a - b).collect();
            assert!(norm(&error) <= ROUNDING * (1.0 + norm(&slow)), "{name} {loss}");
            assert!((value - slow_value).abs() <= ROUNDING * (1.0 + value), "{name} {loss}");
        }
    }
}

#[test]
fn sums_over_many_samples_do_not_depend_on_the_chunks() {
    // 600 samples make three chunks; the mean over copies of one batch is the batch's own.
    let case = Case::new("mlp:7-5:tanh");
    let copies: Vec<usize> = (0..603).map(|i| i % 9).collect();
    let inputs = case.inputs.select_rows(&copies).unwrap();
    let labels: Vec<usize> = copies.iter().map(|&i| case.labels[i]).collect();
    let loss = Loss::CrossEntropy;
    let close = |a: &[f64], b: &[f64]| {
        let error: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        norm(&error) <= ROUNDING * norm(b)
    };
    let (value, gradient) = case.network.gradient(&case.theta, &inputs, &labels, loss).unwrap();
    let (once, short) = case
        .network
        .gradient(&case.theta, &case.inputs, &case.labels, loss)
        .unwrap();
    assert!((value - once).abs() <= ROUNDING * once && close(&gradient, &short));
    let long = case
        .network
        .hessian_vector(&case.theta, &case.u, &inputs, &labels, loss)
        .unwrap();
    assert!(close(&long, &case.hessian(&case.u, loss)));
    let long = case.network.jacobian_vector(&case.theta, &case.u, &inputs).unwrap();
    let short = case
        .network
        .jacobian_vector(&case.theta, &case.u, &case.inputs)
        .unwrap();
    assert!(close(long.as_slice(), short.select_rows(&copies).unwrap().as_slice()));
}

#[test]
fn activations_end_in_the_outputs_and_start_at_the_first_pre_activation() {
    let case = Case::new("mlp:7-5");
    let layers = case.network.activations(&case.theta, &case.inputs).unwrap();
    assert_eq!(layers.len(), case.network.layers().len());
    assert_eq!(layers[4], case.network.outputs(&case.theta, &case.inputs).unwrap());
    assert_eq!(layers[1], layers[0].mapped(|z| z.max(0.0)));
}

#[test]
fn accuracy_counts_the_first_of_equal_outputs() {
    let network = Network::preset("linear:no-bias", 2, 3).unwrap();
    let theta = vec![0.0; 6];
    let inputs = Array::new(4, 2, vec![1.0; 8]).unwrap();
    assert_eq!(network.accuracy(&theta, &inputs, &[0, 0, 1, 2]).unwrap(), 0.5);
}

#[test]
fn bad_parameters_inputs_labels_and_directions_are_refused() {
    let case = Case::new("mlp:7");
    let (network, theta, inputs) = (&case.network, &case.theta, &case.inputs);
    let mut broken = theta.clone();
    broken[3] = f64::NAN;
    assert!(network.outputs(&broken, inputs).is_err());
    assert!(network.outputs(&theta[1..], inputs).is_err());
    assert!(network.outputs(theta, &Array::zeros(3, 5)).is_err());
    assert!(network.outputs(theta, &Array::zeros(0, 6)).is_err());
    assert!(network.accuracy(theta, inputs, &[0; 8]).is_err());
    assert!(network.gradient(theta, inputs, &vec![4; 9], Loss::Squared).is_err());
    assert!(network.jacobian_vector(theta, &broken, inputs).is_err());
    assert!(
        network
            .jacobian_transpose_vector(theta, &Array::zeros(9, 3), inputs)
            .is_err()
    );
    assert!(
        network
            .hessian_vector(theta, &theta[1..], inputs, &case.labels, Loss::Squared)
            .is_err()
    );
}

#[test]
fn multiply_adds_are_the_kept_weights() {
    let network = Network::preset("lenet-300-100", 784, 10).unwrap();
    assert_eq!(network.multiply_adds(None), 266_200);
    let mut mask = network.layout().full_mask();
    mask.set(0, false);
    assert_eq!(network.multiply_adds(Some(&mask)), 266_199);
}
