//! Networks whose hidden widths shrink: every slot counted, beside the closed form.

use super::super::rows::row_of;
use super::{COLUMNS, FRACTIONS, STRUCTURED};
use ticketsense::networks::{
    Activation, ImageShape, Network, NetworkBuilder, NormalisationKind, Padding, PoolingKind, Slot, SlotKind,
};
use ticketsense::table::Row;
use ticketsense::theory::structured_cost::{convolution, kept_width};
use ticketsense::{Error, Result};

/// The samples that all of these networks take.
const IMAGE: ImageShape = ImageShape {
    channels: 3,
    height: 16,
    width: 16,
};
const CLASSES: usize = 10;

/// How far widths shrink.
#[derive(Clone, Copy, Debug)]
struct Widths {
    fraction: f64,
}

impl Widths {
    /// What is left of a width. All of them are multiples of 16.
    fn of(self, width: usize) -> Result<usize> {
        Ok(kept_width(width as u64, self.fraction)? as usize)
    }
}

/// A network with a name.
#[derive(Debug)]
pub struct Family {
    /// Its name in the table.
    pub name: &'static str,
    build: fn(Widths) -> Result<Network>,
    /// Whether the outputs of a weight layer shrink, by its number and that of the last.
    shrinks: fn(usize, usize) -> bool,
}

/// Weights between two hidden widths.
pub const INTERIOR: &str = "interior";
/// Weights of which one side alone shrinks.
pub const END: &str = "end";
/// What does not shrink.
pub const KEPT: &str = "kept";
/// Biases of hidden units.
pub const BIASES: &str = "biases";
/// Scales and shifts of a normalisation.
pub const NORMALISATION: &str = "normalisation";

/// Every output but that of the classes.
const HIDDEN: fn(usize, usize) -> bool = |layer, last| layer < last;

/// Every family.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "plain",
        build: plain,
        shrinks: HIDDEN,
    },
    Family {
        name: "dense",
        build: dense,
        shrinks: HIDDEN,
    },
    Family {
        name: "residual",
        build: |widths| residual(widths.of(32)?, widths.of(32)?, widths.of(32)?),
        shrinks: HIDDEN,
    },
    // The stem, then two layers a block: of each block the first.
    Family {
        name: "residual, inner widths alone",
        build: |widths| residual(32, widths.of(32)?, 32),
        shrinks: |layer, last| layer % 2 == 1 && layer < last,
    },
    Family {
        name: "residual, one end of a branch alone",
        build: |widths| residual(32, 32, widths.of(32)?),
        shrinks: |layer, _| layer > 0 && layer % 2 == 0,
    },
];

fn plain(widths: Widths) -> Result<Network> {
    NetworkBuilder::new("plain", IMAGE)?
        .convolution(widths.of(32)?, 3, 1, Padding::Zero(1))?
        .normalise(NormalisationKind::Batch)?
        .activation(Activation::Relu)
        .convolution(widths.of(32)?, 3, 1, Padding::Zero(1))?
        .normalise(NormalisationKind::Batch)?
        .activation(Activation::Relu)
        .convolution(widths.of(64)?, 3, 2, Padding::Zero(1))?
        .normalise(NormalisationKind::Batch)?
        .activation(Activation::Relu)
        .convolution(widths.of(64)?, 3, 1, Padding::Zero(1))?
        .activation(Activation::Relu)
        .pool_all(PoolingKind::Mean)?
        .dense(CLASSES)?
        .build()
}

fn dense(widths: Widths) -> Result<Network> {
    NetworkBuilder::new("dense", IMAGE)?
        .dense(widths.of(128)?)?
        .activation(Activation::Relu)
        .dense(widths.of(96)?)?
        .activation(Activation::Relu)
        .dense(widths.of(64)?)?
        .activation(Activation::Relu)
        .dense(CLASSES)?
        .build()
}

/// Two blocks of two convolutions beside an identity.
fn residual(stream: usize, inner: usize, end: usize) -> Result<Network> {
    let block = |builder: NetworkBuilder| {
        let branch = |builder: NetworkBuilder| {
            builder
                .convolution(inner, 3, 1, Padding::Zero(1))?
                .activation(Activation::Relu)
                .convolution(end, 3, 1, Padding::Zero(1))
        };
        builder.residual(branch, Ok)
    };
    let start = NetworkBuilder::new("residual", IMAGE)?.convolution(stream, 3, 1, Padding::Zero(1))?;
    block(block(start)?)?
        .pool_all(PoolingKind::Mean)?
        .dense(CLASSES)?
        .build()
}

/// The rows of one family at every fraction.
///
/// # Errors
/// [`Error::Unknown`] for another name; as those of building.
pub fn rows(name: &str) -> Result<Vec<Row>> {
    let family = FAMILIES.iter().find(|family| family.name == name);
    let family = family.ok_or_else(|| Error::unknown("network", name, FAMILIES.iter().map(|f| f.name)))?;
    let full = (family.build)(Widths { fraction: 1.0 })?;
    let mut rows = Vec::new();
    for fraction in FRACTIONS {
        match (family.build)(Widths { fraction }) {
            Ok(network) => {
                for (slot, of_full) in network.layout().slots().iter().zip(full.layout().slots()) {
                    if slot.kind.is_trained() {
                        rows.push(slot_row(family, fraction, &full, slot, of_full)?);
                    }
                }
            }
            Err(Error::Argument { .. }) => rows.push(refused(name, fraction)?),
            Err(other) => return Err(other),
        }
    }
    Ok(rows)
}

fn refused(name: &str, fraction: f64) -> Result<Row> {
    row_of(
        COLUMNS,
        &[
            ("part", STRUCTURED.into()),
            ("network", name.into()),
            ("kept_fraction", fraction.into()),
            ("refused", 1.into()),
        ],
    )
}

/// Channels out, kernel and channels in of a slot of weights.
fn sides(slot: &Slot) -> Result<(u64, u64, u64)> {
    match slot.shape[..] {
        [outputs, kernel, _, inputs] => Ok((outputs as u64, kernel as u64, inputs as u64)),
        [outputs, inputs] => Ok((outputs as u64, 1, inputs as u64)),
        _ => Err(Error::shape("slot of weights", "two or four sides", slot.shape.len())),
    }
}

/// One slot of the narrower network. The prediction knows the full network and the fraction alone: which of a layer's sides
/// are hidden widths, and how wide they were.
fn slot_row(family: &Family, fraction: f64, full: &Network, slot: &Slot, of_full: &Slot) -> Result<Row> {
    let shrinks_after = |layer: usize| (family.shrinks)(layer, full.depth() - 1);
    let left = |width: u64, hidden: bool| if hidden { kept_width(width, fraction) } else { Ok(width) };
    let whole = |width: u64, hidden: bool| !hidden || (fraction * width as f64).fract() == 0.0;
    let (place, parameters, multiply_adds, exact);
    if of_full.kind == SlotKind::Weight {
        let (outputs, kernel, inputs) = sides(of_full)?;
        let hidden = (
            of_full.layer > 0 && shrinks_after(of_full.layer - 1),
            shrinks_after(of_full.layer),
        );
        let cost = convolution(
            left(inputs, hidden.0)?,
            left(outputs, hidden.1)?,
            kernel,
            of_full.uses as u64,
        )?;
        place = match hidden {
            (true, true) => INTERIOR,
            (false, false) => KEPT,
            _ => END,
        };
        (parameters, multiply_adds) = (cost.weights, Some(cost.multiply_adds));
        exact = whole(inputs, hidden.0) && whole(outputs, hidden.1);
    } else {
        let (width, bias) = (of_full.len() as u64, of_full.kind == SlotKind::Bias);
        // Normalisations stand behind hidden layers alone.
        let hidden = !bias || shrinks_after(of_full.layer);
        place = match (bias, hidden) {
            (true, true) => BIASES,
            (false, _) => NORMALISATION,
            _ => KEPT,
        };
        (parameters, multiply_adds) = (left(width, hidden)?, None);
        exact = whole(width, hidden);
    }
    let integer = |count: usize| (count as u64).into();
    row_of(
        COLUMNS,
        &[
            ("part", STRUCTURED.into()),
            ("network", family.name.into()),
            ("kept_fraction", fraction.into()),
            ("slot", slot.name.as_str().into()),
            ("place", place.into()),
            ("parameters", integer(slot.len())),
            ("full_parameters", integer(of_full.len())),
            ("uses", integer(slot.uses)),
            ("predicted_parameters", parameters.into()),
            ("predicted_multiply_adds", multiply_adds.into()),
            ("exact", u64::from(exact).into()),
            ("refused", 0.into()),
        ],
    )
}
