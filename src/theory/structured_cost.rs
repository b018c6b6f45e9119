//! What a layer costs, and what is left of the cost when hidden widths shrink.

use super::registry::{Argument, Arguments, ClosedForm, Domain, LARGEST_EXACT_INTEGER, Quantity};
use super::{require_fraction, require_positive};
use crate::error::{Error, Result};
use crate::support::round_half_up;

/// The closed form `structured-cost`.
pub static FORM: ClosedForm = ClosedForm {
    name: "structured-cost",
    summary: "Weights and multiply-adds of a layer when every hidden width keeps a fraction: r^2 inside, r at the ends.",
    arguments: &[
        Argument::required(
            "kept-fraction",
            "fraction r of every hidden width that is kept",
            "1",
            Domain::POSITIVE_FRACTION,
        ),
        Argument::optional(
            "place",
            "where the layer stands; depthwise is an interior one of a filter a channel",
            "",
            Domain::Choice(&["first", "interior", "last", "depthwise"]),
            Some("interior"),
        ),
        Argument::optional("inputs", "channels in", "channels", Domain::COUNT, Some("64")),
        Argument::optional("outputs", "channels out", "channels", Domain::COUNT, Some("64")),
        Argument::optional(
            "kernel",
            "side K of the square kernel",
            "pixels",
            Domain::COUNT,
            Some("3"),
        ),
        Argument::optional("positions", "output pixels P", "pixels", Domain::COUNT, Some("1")),
    ],
    formula: "weights c_in c_out K^2, multiply-adds P times that; kept r^2 (interior), r (first, last, depthwise, biases)",
    source: "Li, Kadav, Durdanovic, Samet & Graf, ICLR 2017, arXiv:1608.08710; elementary",
    claims: &["B6"],
    evaluate,
};

/// The parameters of a layer and the work of one forward pass of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerCost {
    /// Connection weights.
    pub weights: u64,
    /// One a channel out.
    pub biases: u64,
    /// Scale and shift of a normalisation behind the layer: two a channel out.
    pub normalisation: u64,
    /// One for every use of a weight.
    pub multiply_adds: u64,
}

/// Where a layer stands among those whose hidden widths shrink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Its inputs are the samples' and stay.
    First,
    /// Both sides are hidden.
    Interior,
    /// Its outputs are the classes and stay.
    Last,
}

impl Place {
    /// The fraction of weights and multiply-adds that is left, before widths are rounded: `r²` or `r`.
    pub fn kept(self, fraction: f64) -> f64 {
        match self {
            Place::Interior => fraction * fraction,
            Place::First | Place::Last => fraction,
        }
    }
}

fn product(what: &str, factors: &[u64]) -> Result<u64> {
    let all = factors
        .iter()
        .try_fold(1_u64, |product, &factor| product.checked_mul(factor));
    all.filter(|&product| product <= LARGEST_EXACT_INTEGER)
        .ok_or_else(|| Error::argument(what, "at most 2^53", format!("the product of {factors:?}")))
}

/// The cost of a convolution with a square kernel and one group, or, with kernel and positions 1, of a dense layer:
/// `c_in c_out K²` weights, each used once at every output position.
///
/// ```
/// let cost = ticketsense::theory::structured_cost::convolution(16, 32, 3, 64)?;
/// assert_eq!((cost.weights, cost.multiply_adds), (4608, 4608 * 64));
/// # Ok::<(), ticketsense::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] where a count exceeds 2⁵³.
pub fn convolution(inputs: u64, outputs: u64, kernel: u64, positions: u64) -> Result<LayerCost> {
    let weights = product("weights", &[inputs, outputs, kernel, kernel])?;
    Ok(LayerCost {
        weights,
        biases: outputs,
        normalisation: product("normalisation", &[2, outputs])?,
        multiply_adds: product("multiply-adds", &[weights, positions])?,
    })
}

/// The cost of a depthwise convolution, one filter a channel: `c K²` weights. Linear in the width, not quadratic.
///
/// # Errors
/// As [`convolution`].
pub fn depthwise(channels: u64, kernel: u64, positions: u64) -> Result<LayerCost> {
    let weights = product("weights", &[channels, kernel, kernel])?;
    Ok(LayerCost {
        weights,
        biases: channels,
        normalisation: product("normalisation", &[2, channels])?,
        multiply_adds: product("multiply-adds", &[weights, positions])?,
    })
}

/// A width of which a fraction is kept: `r c` rounded to nearest, half up, and at least 1.
///
/// # Errors
/// [`Error::Argument`] for a fraction outside `(0, 1]` or a width beyond 2⁵³.
pub fn kept_width(width: u64, fraction: f64) -> Result<u64> {
    require_positive("kept-fraction", fraction)?;
    require_fraction("kept-fraction", fraction)?;
    let width = product("width", &[width])?;
    Ok((round_half_up(fraction * width as f64) as u64).clamp(1, width.max(1)))
}

fn evaluate(arguments: &Arguments) -> Result<Vec<Quantity>> {
    let fraction = arguments.real("kept-fraction")?;
    let (inputs, outputs) = (arguments.integer("inputs")?, arguments.integer("outputs")?);
    let (kernel, positions) = (arguments.integer("kernel")?, arguments.integer("positions")?);
    let (fewer_inputs, fewer_outputs) = (kept_width(inputs, fraction)?, kept_width(outputs, fraction)?);
    let (ideal, before, after) = match arguments.text("place")? {
        "depthwise" => {
            if inputs != outputs {
                return Err(Error::argument(
                    "outputs",
                    "as many channels as go in, for depthwise",
                    outputs,
                ));
            }
            let before = depthwise(outputs, kernel, positions)?;
            (fraction, before, depthwise(fewer_outputs, kernel, positions)?)
        }
        word => {
            let place = match word {
                "first" => Place::First,
                "last" => Place::Last,
                _ => Place::Interior,
            };
            let (left, right) = match place {
                Place::First => (inputs, fewer_outputs),
                Place::Last => (fewer_inputs, outputs),
                Place::Interior => (fewer_inputs, fewer_outputs),
            };
            let before = convolution(inputs, outputs, kernel, positions)?;
            (
                place.kept(fraction),
                before,
                convolution(left, right, kernel, positions)?,
            )
        }
    };
    Ok(vec![
        Quantity::real(
            "value",
            after.multiply_adds as f64 / before.multiply_adds as f64,
            "multiply-adds left over multiply-adds before, in whole channels",
        ),
        Quantity::real("unrounded", ideal, "the same before widths are rounded: r^2 or r"),
        Quantity::integer("weights_before", before.weights, "weights of the full layer"),
        Quantity::integer("weights", after.weights, "weights left"),
        Quantity::integer(
            "multiply_adds_before",
            before.multiply_adds,
            "multiply-adds of the full layer",
        ),
        Quantity::integer("multiply_adds", after.multiply_adds, "multiply-adds left"),
        Quantity::integer("biases", after.biases, "biases left, one a channel out"),
        Quantity::integer(
            "normalisation",
            after.normalisation,
            "scales and shifts left of a normalisation behind the layer",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every use of every weight, one at a time.
    fn by_counting(
        inputs: u64,
        outputs: u64,
        kernel: u64,
        positions: u64,
        connected: impl Fn(u64, u64) -> bool,
    ) -> u64 {
        let mut count = 0;
        for _ in 0..positions {
            for output in 0..outputs {
                for input in 0..inputs {
                    for _ in 0..kernel * kernel {
                        count += u64::from(connected(input, output));
                    }
                }
            }
        }
        count
    }

    proptest! {
        #[test]
        fn the_products_are_what_counting_one_by_one_gives(
            inputs in 1_u64..7, outputs in 1_u64..7, kernel in 1_u64..4, positions in 1_u64..9,
        ) {
            let full = convolution(inputs, outputs, kernel, positions).unwrap();
            prop_assert_eq!(full.multiply_adds, by_counting(inputs, outputs, kernel, positions, |_, _| true));
            prop_assert_eq!(full.weights, by_counting(inputs, outputs, kernel, 1, |_, _| true));
            let each = depthwise(outputs, kernel, positions).unwrap();
            prop_assert_eq!(each.multiply_adds, by_counting(outputs, outputs, kernel, positions, |i, o| i == o));
        }

        #[test]
        fn whole_channels_stay_near_the_law_of_fractions(
            inputs in 1_u64..400, outputs in 1_u64..400, fraction in 0.01_f64..1.0,
        ) {
            let (left, right) = (kept_width(inputs, fraction).unwrap(), kept_width(outputs, fraction).unwrap());
            let ratio = (left * right) as f64 / (inputs * outputs) as f64;
            // Rounding moves each width by at most a half, or up to 1 where it would be 0: below one channel of c.
            let (a, b) = (1.0 / inputs as f64, 1.0 / outputs as f64);
            let bound = fraction * (a + b) + a * b;
            prop_assert!((ratio - Place::Interior.kept(fraction)).abs() <= bound * (1.0 + 1e-12));
        }
    }

    #[test]
    fn half_the_width_leaves_a_quarter_inside_and_a_half_at_the_ends() {
        let value = |place: &str| {
            let answer = FORM
                .evaluate_text(&[("kept-fraction", "0.5"), ("place", place)])
                .unwrap();
            match answer[0].value {
                super::super::Scalar::Real(v) => v,
                ref other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            ["first", "interior", "last", "depthwise"].map(value),
            [0.5, 0.25, 0.5, 0.5]
        );
    }

    #[test]
    fn a_width_never_vanishes_and_halves_are_rounded_up() {
        assert_eq!(kept_width(5, 0.5).unwrap(), 3);
        assert_eq!(kept_width(4, 0.01).unwrap(), 1);
        assert_eq!(kept_width(7, 1.0).unwrap(), 7);
        assert!(kept_width(4, 0.0).is_err());
        assert!(kept_width(4, 1.5).is_err());
    }

    #[test]
    fn counts_beyond_exact_integers_and_unequal_depthwise_channels_are_refused() {
        assert!(convolution(1 << 30, 1 << 30, 1, 1).is_err());
        assert!(convolution(u64::MAX, 2, 1, 1).is_err());
        let given = [
            ("kept-fraction", "0.5"),
            ("place", "depthwise"),
            ("inputs", "3"),
            ("outputs", "6"),
        ];
        assert!(FORM.evaluate_text(&given).is_err());
    }
}
