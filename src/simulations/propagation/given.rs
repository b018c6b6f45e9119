//! Signal lengths through given weights and masks: what a pruned network has inherited.

use crate::error::{Error, Result, require_finite};
use crate::linalg::gemm;

/// One dense layer of a network as it stands.
#[derive(Clone, Copy, Debug)]
pub struct LayerWeights<'a> {
    /// Units of the later layer.
    pub outputs: usize,
    /// Units of the earlier layer.
    pub inputs: usize,
    /// `outputs × inputs`, row-major; entries that the mask prunes are ignored.
    pub weights: &'a [f64],
    /// `outputs × inputs` bits, true is kept; `None` keeps everything.
    pub mask: Option<&'a [bool]>,
    /// One a unit of the later layer; `None` is zero.
    pub bias: Option<&'a [f64]>,
}

/// A layer's scale, and the signal that it passes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerSignal {
    /// Fraction of the layer's weights that is kept, ρ.
    pub density: f64,
    /// Mean square of the kept weights times the dense fan-in, the σ_w² of the mean-field theory; 0 where none is kept.
    pub weight_variance: f64,
    /// Mean square of the inputs, over data and units.
    pub input_length: f64,
    /// Mean square of the pre-activations, over data and units: q.
    pub length: f64,
    /// q over that of the layer before; `None` for the first layer, and where the layer before is silent.
    pub measured_gain: Option<f64>,
}

impl LayerSignal {
    /// What the mean-field theory makes of the layer's weights for ReLU: `ρσ_w²/2`, which is 1 at criticality.
    ///
    /// It equals half the squared Frobenius norm of the masked weights over the number of outputs. The measured gain
    /// differs where weights are correlated with activations (training sees to that), where pre-activations are not
    /// symmetric, and by the biases.
    pub fn mean_field_gain(&self) -> f64 {
        self.density * self.weight_variance / 2.0
    }
}

/// Sends data through the masked layers, with the activation between layers and none after the last.
///
/// `inputs` is samples × inputs of the first layer, row-major.
///
/// # Errors
/// [`Error::Argument`] without layers, units or samples; [`Error::Shape`] where lengths do not fit; [`Error::NotFinite`]
/// for weights, biases, inputs, or pre-activations that are not finite.
///
/// Cost: one product samples × inputs × outputs a layer.
///
/// ```
/// use ticketsense::simulations::propagation::{LayerWeights, signal};
/// let layer = LayerWeights { outputs: 1, inputs: 2, weights: &[3.0, 9.0], mask: Some(&[true, false]), bias: None };
/// let found = signal(&[layer], |h| h.max(0.0), &[1.0, 5.0, -1.0, 5.0])?;
/// assert_eq!((found[0].density, found[0].weight_variance, found[0].length), (0.5, 18.0, 9.0));
/// # Ok::<(), ticketsense::Error>(())
/// ```
pub fn signal(
    layers: &[LayerWeights<'_>],
    activation: impl Fn(f64) -> f64,
    inputs: &[f64],
) -> Result<Vec<LayerSignal>> {
    let Some(first) = layers.first() else {
        return Err(Error::argument("layers", "at least one", 0));
    };
    for (l, layer) in layers.iter().enumerate() {
        layer.check(l)?;
    }
    if let Some((l, pair)) = layers.windows(2).enumerate().find(|(_, w)| w[1].inputs != w[0].outputs) {
        let what = format!("inputs of layer {}", l + 1);
        return Err(Error::shape(what, pair[0].outputs, pair[1].inputs));
    }
    if inputs.is_empty() || !inputs.len().is_multiple_of(first.inputs) {
        let expected = format!("a positive number of rows of {}", first.inputs);
        return Err(Error::shape("inputs", expected, inputs.len()));
    }
    require_finite("inputs", inputs)?;
    let samples = inputs.len() / first.inputs;
    let mut values = inputs.to_vec();
    let mut found: Vec<LayerSignal> = Vec::with_capacity(layers.len());
    for (l, layer) in layers.iter().enumerate() {
        if l > 0 {
            values.iter_mut().for_each(|h| *h = activation(*h));
            require_finite(&format!("activations of layer {}", l - 1), &values)?;
        }
        let weights = layer.masked();
        let kept = layer.mask.map_or(weights.len(), |m| m.iter().filter(|&&b| b).count());
        let energy: f64 = weights.iter().map(|w| w * w).sum();
        let mut next = vec![0.0; samples * layer.outputs];
        if let Some(bias) = layer.bias {
            next.chunks_exact_mut(layer.outputs)
                .for_each(|row| row.copy_from_slice(bias));
        }
        gemm(
            samples,
            layer.inputs,
            layer.outputs,
            &values,
            false,
            &weights,
            true,
            &mut next,
            true,
        );
        require_finite(&format!("pre-activations of layer {l}"), &next)?;
        let length = mean_square(&next);
        let before = found.last().map(|s| s.length).filter(|&q| q > 0.0);
        found.push(LayerSignal {
            density: kept as f64 / weights.len() as f64,
            weight_variance: if kept == 0 {
                0.0
            } else {
                energy / kept as f64 * layer.inputs as f64
            },
            input_length: mean_square(&values),
            length,
            measured_gain: before.map(|q| length / q),
        });
        values = next;
    }
    Ok(found)
}

impl LayerWeights<'_> {
    fn check(&self, index: usize) -> Result<()> {
        let size = self.outputs.checked_mul(self.inputs).filter(|&n| n > 0);
        let size = size.ok_or_else(|| {
            let got = format!("{} × {}", self.outputs, self.inputs);
            Error::argument(format!("layer {index}"), "at least one output and input", got)
        })?;
        let lengths = [
            ("weights", Some(self.weights.len()), size),
            ("mask", self.mask.map(<[bool]>::len), size),
            ("bias", self.bias.map(<[f64]>::len), self.outputs),
        ];
        for (what, got, expected) in lengths {
            if let Some(got) = got.filter(|&g| g != expected) {
                return Err(Error::shape(format!("{what} of layer {index}"), expected, got));
            }
        }
        require_finite(&format!("weights of layer {index}"), self.weights)?;
        require_finite(&format!("bias of layer {index}"), self.bias.unwrap_or_default())
    }

    fn masked(&self) -> Vec<f64> {
        match self.mask {
            None => self.weights.to_vec(),
            Some(mask) => {
                let pairs = self.weights.iter().zip(mask);
                pairs.map(|(&w, &keep)| if keep { w } else { 0.0 }).collect()
            }
        }
    }
}

fn mean_square(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    fn relu(h: f64) -> f64 {
        h.max(0.0)
    }

    struct Random {
        weights: Vec<f64>,
        mask: Vec<bool>,
        bias: Vec<f64>,
    }

    fn random(outputs: usize, inputs: usize, density: f64, variance: f64, name: &str) -> Random {
        let mut rng = Seed::root(1).stream(name).rng();
        let mut normal = |scale: f64| scale * rng.sample::<f64, _>(StandardNormal);
        let weights = (0..outputs * inputs)
            .map(|_| normal((variance / inputs as f64).sqrt()))
            .collect();
        let bias = (0..outputs).map(|_| normal(0.1)).collect();
        let mask = (0..outputs * inputs).map(|_| rng.random_bool(density)).collect();
        Random { weights, mask, bias }
    }

    #[test]
    fn lengths_are_those_of_plain_loops() {
        let widths = [5usize, 7, 4, 3];
        let layers: Vec<Random> = (0..3)
            .map(|l| random(widths[l + 1], widths[l], 0.6, 2.0, &format!("{l}")))
            .collect();
        let views: Vec<LayerWeights<'_>> = layers
            .iter()
            .enumerate()
            .map(|(l, r)| LayerWeights {
                outputs: widths[l + 1],
                inputs: widths[l],
                weights: &r.weights,
                mask: Some(&r.mask),
                bias: Some(&r.bias),
            })
            .collect();
        let samples = 6;
        let data = random(samples, 5, 1.0, 5.0, "data").weights;
        let found = signal(&views, f64::tanh, &data).unwrap();
        let mut rows: Vec<Vec<f64>> = data.chunks(5).map(<[f64]>::to_vec).collect();
        let mut lengths = Vec::new();
        for (l, r) in layers.iter().enumerate() {
            for row in &mut rows {
                let x: Vec<f64> = row.iter().map(|&h| if l == 0 { h } else { h.tanh() }).collect();
                *row = (0..widths[l + 1])
                    .map(|o| {
                        let kept = (0..widths[l]).filter(|i| r.mask[o * widths[l] + i]);
                        r.bias[o] + kept.map(|i| r.weights[o * widths[l] + i] * x[i]).sum::<f64>()
                    })
                    .collect();
            }
            lengths.push(rows.concat().iter().map(|h| h * h).sum::<f64>() / (samples * widths[l + 1]) as f64);
        }
        for (l, (signal, length)) in found.iter().zip(&lengths).enumerate() {
            // Sums of at most eight terms, three layers deep, lengths of order 1.
            assert!(
                (signal.length - length).abs() <= 100.0 * f64::EPSILON * length.max(1.0),
                "{l}"
            );
            let gain = signal.measured_gain.map(|g| g * lengths[l.saturating_sub(1)]);
            assert_eq!(gain.is_none(), l == 0);
            assert!(gain.is_none_or(|q| (q - length).abs() <= 200.0 * f64::EPSILON * length.max(1.0)));
        }
    }

    #[test]
    fn the_mean_field_gain_is_half_the_frobenius_norm_by_outputs() {
        let r = random(30, 20, 0.3, 2.0, "frobenius");
        let layer = LayerWeights {
            outputs: 30,
            inputs: 20,
            weights: &r.weights,
            mask: Some(&r.mask),
            bias: None,
        };
        let found = signal(&[layer], relu, &[1.0; 20]).unwrap()[0];
        let pairs = r.weights.iter().zip(&r.mask).filter(|(_, keep)| **keep);
        let exact = pairs.map(|(w, _)| w * w).sum::<f64>() / 60.0;
        // Two orders of the same few hundred roundings.
        assert!((found.mean_field_gain() - exact).abs() <= 8.0 * f64::EPSILON * exact);
        assert_eq!((found.input_length, found.measured_gain), (1.0, None));
    }

    #[test]
    fn a_wide_random_network_has_its_mean_field_gain() {
        // One Gaussian layer on symmetric Gaussian pre-activations: given the inputs x = relu(h), the measured length has
        // mean ρσ²/N Σx² and relative standard deviation about √(2/N); the mean-field value replaces Σx² by half of Σh²,
        // relative deviation √(5/N). Their sum at 5 standard deviations, N = 400.
        let n = 400;
        let layers = [random(n, n, 1.0, 2.0, "first"), random(n, n, 0.25, 8.0, "second")];
        let views = layers.each_ref().map(|r| LayerWeights {
            outputs: n,
            inputs: n,
            weights: &r.weights,
            mask: Some(&r.mask),
            bias: None,
        });
        let data = random(1, n, 1.0, n as f64, "wide data").weights;
        let found = signal(&views, relu, &data).unwrap();
        let gain = found[1].measured_gain.unwrap();
        let tolerance = 5.0 * ((2.0 / n as f64).sqrt() + (5.0 / n as f64).sqrt());
        assert!((gain / found[1].mean_field_gain() - 1.0).abs() <= tolerance, "{gain}");
        // 40,000 kept weights: the mean square has relative deviation √(2/40,000).
        assert!((found[1].weight_variance / 8.0 - 1.0).abs() <= 5.0 * (2.0f64 / 40_000.0).sqrt());
    }

    #[test]
    fn pruned_weights_do_not_count_and_a_cut_layer_is_silent() {
        let dense = [1.0, 2.0, 3.0, 4.0];
        let layer = |mask| LayerWeights {
            outputs: 2,
            inputs: 2,
            weights: &dense,
            mask: Some(mask),
            bias: None,
        };
        let found = signal(&[layer(&[false; 4]), layer(&[true; 4])], relu, &[1.0, 1.0]).unwrap();
        assert_eq!(
            (found[0].density, found[0].weight_variance, found[0].length),
            (0.0, 0.0, 0.0)
        );
        assert_eq!((found[1].length, found[1].measured_gain), (0.0, None));
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let weights = [1.0; 4];
        let good = LayerWeights {
            outputs: 2,
            inputs: 2,
            weights: &weights,
            mask: None,
            bias: None,
        };
        let refused = |layers: &[LayerWeights<'_>], data: &[f64], name: &str| {
            let error = signal(layers, relu, data).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        };
        let data = [1.0, 1.0];
        refused(&[], &data, "layers");
        refused(&[good, LayerWeights { inputs: 3, ..good }], &data, "weights of layer 1");
        refused(
            &[
                good,
                LayerWeights {
                    inputs: 4,
                    outputs: 1,
                    ..good
                },
            ],
            &data,
            "inputs of layer 1",
        );
        refused(
            &[LayerWeights {
                mask: Some(&[true; 3]),
                ..good
            }],
            &data,
            "mask of layer 0",
        );
        refused(
            &[LayerWeights {
                bias: Some(&[0.0; 3]),
                ..good
            }],
            &data,
            "bias of layer 0",
        );
        refused(
            &[LayerWeights {
                bias: Some(&[0.0, f64::NAN]),
                ..good
            }],
            &data,
            "bias of layer 0",
        );
        refused(&[good], &data[..1], "inputs");
        refused(&[good], &[], "inputs");
        refused(&[good], &[f64::NAN, 0.0], "inputs");
        refused(
            &[LayerWeights {
                weights: &[1e200; 4],
                ..good
            }],
            &[1e200, 1.0],
            "pre-activations of layer 0",
        );
    }
}
