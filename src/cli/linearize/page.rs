//! What is told about a linearised network, and how.

use serde_json::{Value, json};
use std::fmt::Write;
use ticketsense::estimators::{
    Estimator, JacobianCosineLaw, JacobianCosines, MergedCoherence, NearColumns, NonzeroConditioning,
    ScalingDirections, SingularExtremes, nonzero_conditioning, scaling_directions,
};
use ticketsense::linalg::norm;
use ticketsense::linearize::{Biases, Jacobian, Linearisation, RowTransform};
use ticketsense::networks::{Activation, Array, Network};
use ticketsense::operators::MeasurementOperator;
use ticketsense::outcome::Certainty;
use ticketsense::statistics::median;
use ticketsense::support::Mask;
use ticketsense::{Result, Seed};

/// The largest tangent kernel that is decomposed in full: about a second.
const DENSE_KERNEL: usize = 1500;

/// The smallest and largest eigenvalue of the tangent kernel, in full or by their singular values.
enum Kernel {
    Full(NonzeroConditioning),
    Krylov {
        largest: f64,
        certainty: Certainty,
        smallest: f64,
    },
}

/// Everything that is told.
pub(super) struct Page {
    network: String,
    density: f64,
    jacobian: (usize, usize),
    zero: usize,
    /// Smallest, median and largest norm of the columns that are not zero.
    norms: Option<(f64, f64, f64)>,
    near: MergedCoherence,
    /// Of the coherence once parallel columns are merged.
    merged_certainty: Certainty,
    cosines: JacobianCosineLaw,
    scaling: ScalingDirections,
    /// Name of every slot and its first parameter.
    slots: Vec<(usize, String)>,
    kernel: Kernel,
    layers: usize,
    homogeneous: bool,
    euler: Option<f64>,
}

impl Page {
    pub fn new(
        network: &Network,
        mut theta: Vec<f64>,
        mask: &Mask,
        inputs: &Array<f64>,
        max_comparisons: u64,
        seed: &Seed,
    ) -> Result<Page> {
        mask.apply(&mut theta)?;
        let at = Linearisation::new(network, &theta, inputs)?;
        let kept = mask.and(&network.layout().prunable_mask())?.support();
        let a = at.jacobian(&kept, RowTransform::Identity, Biases::Fixed)?;
        let norms = a.column_norms();
        let live: Vec<usize> = (0..norms.len()).filter(|&c| norms[c] > 0.0).collect();
        let lengths: Vec<f64> = live.iter().map(|&c| norms[c]).collect();
        let spread = match lengths.is_empty() {
            true => None,
            false => Some((
                lengths.iter().fold(f64::INFINITY, |m, v| m.min(*v)),
                median(&lengths)?,
                lengths.iter().fold(0.0, |m: f64, v| m.max(*v)),
            )),
        };
        let near = NearColumns {
            max_comparisons,
            ..NearColumns::default()
        }
        .estimate(&a, seed)?;
        Ok(Page {
            network: network.name().to_string(),
            density: network.layout().density(mask),
            jacobian: (a.shape().rows, a.shape().columns),
            zero: norms.len() - live.len(),
            norms: spread,
            merged_certainty: near.certainty,
            near: near.value,
            cosines: JacobianCosines::default().examine(network, &a, seed)?,
            scaling: scaling_directions(&at, &a)?.value,
            slots: (network.layout().slots().iter())
                .map(|slot| (slot.range.start, slot.name.clone()))
                .collect(),
            kernel: kernel(&a, seed)?,
            layers: network.depth(),
            homogeneous: network.is_multilayer()
                && matches!(network.activation(), Activation::Relu | Activation::Linear)
                && network
                    .layout()
                    .unpruned_slots()
                    .all(|slot| theta[slot.range.clone()].iter().all(|b| *b == 0.0)),
            euler: euler(&at)?,
        })
    }

    /// The rank cannot exceed the rows, nor the columns that are not zero.
    fn rank_bound(&self) -> usize {
        self.jacobian.0.min(self.jacobian.1 - self.zero)
    }

    /// A parallel pair makes it 1 whatever else there is.
    fn coherence_certainty(&self) -> Certainty {
        if self.near.groups.merged > 0 {
            Certainty::Exact
        } else {
            self.merged_certainty
        }
    }

    fn slot_name(&self, first: usize) -> &str {
        let named = self.slots.iter().find(|(start, _)| *start == first);
        named.map_or("", |(_, name)| name)
    }

    pub fn json(&self) -> Value {
        let kernel = match &self.kernel {
            Kernel::Full(found) => json!({
                "certainty": "exact", "lambda_max": found.lambda_max, "lambda_min_nonzero": found.lambda_min_nonzero,
                "rank": found.rank, "condition": found.condition(), "gap": found.gap(), "cut_off": found.tolerance,
            }),
            Kernel::Krylov {
                largest,
                certainty,
                smallest,
            } => json!({
                "certainty": certainty.as_str(), "lambda_max": largest,
                "lambda_max_interval": match certainty {
                    Certainty::Interval { lower, upper } => Some([lower, upper]),
                    _ => None,
                },
                "lambda_min_upper_bound": smallest,
            }),
        };
        json!({
            "network": self.network, "density": self.density,
            "rows": self.jacobian.0, "columns": self.jacobian.1, "rank_bound": self.rank_bound(),
            "zero_columns": self.zero,
            "column_norms": self.norms.map(|(least, median, most)| json!({
                "smallest": least, "median": median, "largest": most,
            })),
            "coherence": self.near.unmerged, "coherence_certainty": self.coherence_certainty().as_str(),
            "parallel_columns": self.near.groups.merged,
            "parallel_columns_certainty": if self.near.groups_exact { "exact" } else { "lower-bound" },
            "merged_coherence": self.near.coherence, "merged_coherence_certainty": self.merged_certainty.as_str(),
            "merged_incoherence": 1.0 - self.near.coherence, "comparisons": self.near.comparisons,
            "scaling_directions": {
                "hidden_units": self.scaling.units.len(), "null": self.scaling.null(),
                "silent": self.scaling.trivial(),
            },
            "cosines": self.cosines.laws.iter().map(|law| json!({
                "slots": [self.slot_name(law.slots.0.start), self.slot_name(law.slots.1.start)],
                "kind": law.kind.as_str(), "pairs": law.pairs, "examined": law.examined,
                "mean_square": law.mean_square, "certainty": law.certainty.as_str(),
                "standard_error": match law.certainty {
                    Certainty::Sampled { standard_error, .. } => Some(standard_error),
                    _ => None,
                },
                "largest": law.largest, "largest_certainty": law.largest_certainty.as_str(),
                "counts": law.counts,
            })).collect::<Vec<_>>(),
            "tangent_kernel": kernel,
            "euler": { "weight_layers": self.layers, "relative_deviation": self.euler, "homogeneous": self.homogeneous },
        })
    }

    pub fn text(&self) -> String {
        let mut out = String::new();
        let (rows, columns) = self.jacobian;
        let _ = writeln!(out, "{} at density {:.4}", self.network, self.density);
        let _ = writeln!(
            out,
            "Jacobian       {rows}×{columns}, rank at most {}",
            self.rank_bound()
        );
        let norms = self.norms.map_or("none live".into(), |(least, median, most)| {
            format!("norms from {least:.3e} over {median:.3e} (median) to {most:.3e}")
        });
        let _ = writeln!(
            out,
            "Columns        {} zero, {}{} parallel to an earlier one; {norms}",
            self.zero,
            if self.near.groups_exact { "" } else { "at least " },
            self.near.groups.merged
        );
        let _ = writeln!(
            out,
            "Coherence      {:.6} ({}); 1 − {:.3e} with parallel columns merged ({})",
            self.near.unmerged,
            self.coherence_certainty().as_str(),
            1.0 - self.near.coherence,
            self.merged_certainty.as_str()
        );
        let _ = writeln!(
            out,
            "Null space     the scaling directions of {} of {} hidden units; {} more are silent",
            self.scaling.null(),
            self.scaling.units.len(),
            self.scaling.trivial()
        );
        let _ = match &self.kernel {
            Kernel::Full(found) => writeln!(
                out,
                "Tangent kernel largest eigenvalue {:.6e}, smallest nonzero {:.6e}, rank {} of {}, condition {:.3e} (exact; {:.0e} \
                 times above the cut-off)",
                found.lambda_max,
                found.lambda_min_nonzero,
                found.rank,
                found.order,
                found.condition(),
                found.gap()
            ),
            Kernel::Krylov {
                largest,
                certainty,
                smallest,
            } => writeln!(
                out,
                "Tangent kernel largest eigenvalue {largest:.6e} ({}), smallest of min(rows, columns) at most {smallest:.6e}",
                certainty.as_str()
            ),
        };
        let _ = writeln!(
            out,
            "Cosines        between weights that share a unit, an input, a hidden unit in between, or nothing:"
        );
        for law in &self.cosines.laws {
            let (mean, spread) = match law.certainty {
                Certainty::Sampled { standard_error, .. } => {
                    // The root moves by half as much, relative to itself.
                    let root = law.mean_square.sqrt();
                    (
                        root,
                        format!(" ± {:.1e}", standard_error / (2.0 * root).max(f64::MIN_POSITIVE)),
                    )
                }
                _ => (law.mean_square.sqrt(), String::new()),
            };
            let _ = writeln!(
                out,
                "  {:<32} {:<12} {:>12} pairs, root mean square {mean:.4}{spread}, largest {}{:.6}",
                format!(
                    "{} {}",
                    self.slot_name(law.slots.0.start),
                    self.slot_name(law.slots.1.start)
                ),
                law.kind.as_str(),
                law.pairs,
                if law.largest_certainty == Certainty::Exact {
                    ""
                } else {
                    "at least "
                },
                law.largest
            );
        }
        let promise = if self.homogeneous {
            "holds up to rounding here"
        } else {
            "not promised here: needs ReLU and zero biases"
        };
        let deviation = self.euler.map_or("undefined, the output is zero".into(), |d| {
            format!("relative deviation {d:.3e}")
        });
        let _ = writeln!(
            out,
            "Euler          J θ = {} f(θ): {deviation} ({promise})",
            self.layers
        );
        out
    }
}

fn kernel(a: &Jacobian, seed: &Seed) -> Result<Kernel> {
    if a.shape().rows <= DENSE_KERNEL {
        return nonzero_conditioning(&a.tangent_kernel(), a.shape().columns).map(Kernel::Full);
    }
    let found = SingularExtremes::default().estimate(a, seed)?.value;
    let square = |v: f64| v * v;
    Ok(Kernel::Krylov {
        largest: square(found.largest),
        certainty: match found.largest_certainty {
            Certainty::Interval { lower, upper } => Certainty::Interval {
                lower: square(lower),
                upper: square(upper),
            },
            other => other,
        },
        smallest: square(found.smallest),
    })
}

/// `‖Jθ − L f(θ)‖ / ‖L f(θ)‖` over all parameters; none where the output is zero.
fn euler(at: &Linearisation) -> Result<Option<f64>> {
    let layers = at.network().depth() as f64;
    // f_lin(0) = f − Jθ, from the backward pass: the forward one would repeat the sums of f itself.
    let at_zero = at.linear_outputs(&vec![0.0; at.theta().len()])?;
    let pairs = at.outputs().as_slice().iter().zip(at_zero.as_slice());
    let error: Vec<f64> = pairs.map(|(f, l)| f - l - layers * f).collect();
    Ok(Some(norm(&error) / (layers * norm(at.outputs().as_slice()))).filter(|v| v.is_finite()))
}
