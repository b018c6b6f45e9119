//! Signal lengths in randomly masked ReLU networks and through the masks of really pruned ones.

use super::{COLUMNS, GAINS, MIDDLE};
use crate::experiments::pruned_masks::pruned_network;
use crate::experiments::rows::{padded, row_of};
use ticketsense::data::Split;
use ticketsense::harness::{Cell, Context, Scale};
use ticketsense::outcome::Certainty;
use ticketsense::simulations::propagation::{Drawing, LayerWeights, RandomNetwork, Scaling, signal};
use ticketsense::statistics::quantile;
use ticketsense::table::{Record, Row, Table};
use ticketsense::theory::relu_variance::{fluctuation, layer_factor, typical_growth};
use ticketsense::{Density, Error, Result, row};

const LAYERS: [usize; 14] = [1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20, 25, 30];

pub(super) fn cells(scale: Scale) -> Vec<Cell> {
    let widths: &[usize] = scale.pick(&[50, MIDDLE], &[50, MIDDLE, 300], &[50, MIDDLE, 300, 1000]);
    let densities: &[f64] = scale.pick(&[1.0, 0.5, 0.2], &[1.0, 0.5, 0.2, 0.05], &[1.0, 0.5, 0.2, 0.1, 0.05]);
    let mut cells = Vec::new();
    let mut add = |width: usize, density: f64, variance: f64, scaling: Scaling| {
        let cell = Cell::new()
            .problem("width", width)
            .problem("density", density)
            .problem("weight_variance", variance)
            .treatment("scaling", scaling.as_str());
        cells.push(cell);
    };
    for &density in densities {
        for gain in GAINS {
            for &width in widths {
                add(width, density, gain / density, Scaling::DenseFanIn);
            }
            add(MIDDLE, density, gain, Scaling::MaskedFanIn);
        }
        // What pruning does to a network that was critical while dense.
        if density < 1.0 {
            add(MIDDLE, density, 2.0, Scaling::DenseFanIn);
        }
    }
    for number in 0..scale.pick(2usize, 8, 20) {
        cells.push(Cell::new().problem("pruned_network", number));
    }
    cells
}

/// The lengths of one width, density, variance and scaling.
pub(super) fn random_rows(cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let scale = context.scale();
    let depth = scale.pick(8, 20, 30);
    let width = cell.integer("width")?;
    // Narrow networks scatter more and cost less.
    let replicates = scale.pick(30_000, 400_000, 16_000_000) / width;
    let replicates = if width > MIDDLE {
        replicates * MIDDLE / width
    } else {
        replicates
    };
    let scaling = match cell.text("scaling")? {
        "dense-fan-in" => Scaling::DenseFanIn,
        "masked-fan-in" => Scaling::MaskedFanIn,
        other => return Err(Error::unknown("scaling", other, ["dense-fan-in", "masked-fan-in"])),
    };
    let network = RandomNetwork {
        width,
        depth,
        density: Density::new(cell.real("density")?)?,
        weight_variance: cell.real("weight_variance")?,
        scaling,
        ..RandomNetwork::default()
    };
    let sample = network.lengths(|h| h.max(0.0), Drawing::Conditional, replicates, &context.seed(cell))?;
    let mut rows = Vec::new();
    for layer in LAYERS.into_iter().filter(|&layer| layer <= depth) {
        let ratios = sample.ratios(layer)?;
        let mean = sample.mean_ratio(layer)?;
        let (log, dead) = sample.mean_log_ratio(layer)?;
        rows.push(padded(
            COLUMNS,
            row![
                "random",
                scaling.as_str(),
                width,
                network.density.value(),
                network.weight_variance,
                layer,
                replicates,
                mean.value,
                error_of(mean.certainty),
                dead,
                log.value,
                error_of(log.certainty),
                quantile(&ratios, 0.1)?,
                quantile(&ratios, 0.5)?,
                quantile(&ratios, 0.9)?
            ],
        ));
    }
    Ok(rows)
}

/// What a really pruned network's mask leaves of the initial weights, layer by layer, and what it makes of the signal.
pub(super) fn pruned_rows(number: usize, cell: &Cell, context: &Context<'_>) -> Result<Vec<Row>> {
    let pruned = pruned_network(context, number, &context.seed(cell))?;
    let dataset = context.data()?;
    let inputs: Vec<f64> = dataset.rows(dataset.split(Split::Test))?;
    let layout = pruned.network.layout();
    let mut rows = Vec::new();
    for of in &pruned.masks {
        let layers: Vec<LayerWeights<'_>> = layout
            .weight_slots()
            .map(|slot| LayerWeights {
                outputs: slot.shape[0],
                inputs: slot.shape[1],
                weights: &pruned.initial[slot.range.clone()],
                mask: Some(&of.mask.bits()[slot.range.clone()]),
                bias: None,
            })
            .collect();
        for (layer, found) in signal(&layers, |h| h.max(0.0), &inputs)?.into_iter().enumerate() {
            rows.push(row_of(
                COLUMNS,
                &[
                    ("part", "pruned".into()),
                    ("mask", of.kind.into()),
                    ("seed", number.into()),
                    ("layer", (layer + 1).into()),
                    ("density", layout.density(&of.mask).into()),
                    ("mean_field_gain", found.mean_field_gain().into()),
                    ("measured_gain", found.measured_gain.into()),
                ],
            )?);
        }
    }
    Ok(rows)
}

fn error_of(certainty: Certainty) -> Option<f64> {
    match certainty {
        Certainty::Sampled { standard_error, .. } => Some(standard_error),
        _ => None,
    }
}

/// One row, read.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub masked: bool,
    pub width: u64,
    pub density: f64,
    pub weight_variance: f64,
    pub layer: u64,
    pub replicates: f64,
    pub mean: f64,
    pub error: f64,
    pub mean_log: f64,
    pub log_error: f64,
    pub quantiles: [f64; 3],
}

impl Point {
    /// The rows of random masks.
    pub(super) fn read(table: &Table) -> Result<Vec<Point>> {
        let read = |record: Record<'_>| -> Result<Point> {
            let count = |name: &str| -> Result<u64> {
                let value = record.integer(name)?;
                u64::try_from(value).map_err(|_| Error::argument(name, "at least 0", value))
            };
            Ok(Point {
                masked: record.text("scaling")? == Scaling::MaskedFanIn.as_str(),
                width: count("width")?,
                density: record.real("density")?,
                weight_variance: record.real("weight_variance")?,
                layer: count("layer")?,
                replicates: count("replicates")? as f64,
                mean: record.real("mean_ratio")?,
                error: record.real("standard_error")?,
                mean_log: record.real("mean_log")?,
                log_error: record.real("log_error")?,
                quantiles: [record.real("lower")?, record.real("median")?, record.real("upper")?],
            })
        };
        let mut points = Vec::new();
        for record in table.iter() {
            if record.text("part")? == "random" {
                points.push(read(record)?);
            }
        }
        Ok(points)
    }

    /// `ρσ_w²`, or σ_w² where the fan-in is corrected.
    pub(super) fn gain(&self) -> f64 {
        if self.masked {
            self.weight_variance
        } else {
            self.density * self.weight_variance
        }
    }

    /// The predicted factor on the mean length per layer. A unit that lost all its inputs stays silent even where the
    /// fan-in is corrected.
    pub(super) fn factor(&self) -> Result<f64> {
        if self.masked {
            Ok(layer_factor(1.0, self.weight_variance)? * self.unit_has_inputs())
        } else {
            layer_factor(self.density, self.weight_variance)
        }
    }

    /// `1 − (1 − ρ)^N`.
    pub(super) fn unit_has_inputs(&self) -> f64 {
        1.0 - (1.0 - self.density).powf(self.width as f64)
    }

    pub(super) fn predicted_mean(&self) -> Result<f64> {
        Ok(self.factor()?.powf(self.layer as f64))
    }

    /// `E r²/(E r)²` of the ratio `r = q^ℓ/q⁰`: predicted for the dense fan-in, from the sample for the corrected one.
    ///
    /// A ReLU network is homogeneous, so r depends on the direction of the Gaussian input alone, which is independent of
    /// its length; the second moment of q^ℓ is that of r times that of q⁰, `1 + 2/N`.
    pub(super) fn second_moment(&self) -> Result<f64> {
        if self.masked {
            let relative = self.error / self.mean;
            return Ok(1.0 + relative * relative * self.replicates);
        }
        let predicted = fluctuation(self.density, self.width, self.layer)?.measured_second_moment;
        Ok(predicted / (1.0 + 2.0 / self.width as f64))
    }

    /// The tolerance on the mean, relative to it, at z standard errors; none where the law of the mean is too skewed for a
    /// normal tolerance to be corrected.
    ///
    /// The ratio is nearly log-normal, of skewness `(M + 2)√(M − 1)` when M is its relative second moment; that of the
    /// mean, γ, is √T times smaller. The quantile of the mean is then `z + γ(z² − 1)/6` standard errors away (first term
    /// of Cornish and Fisher), which is used while the correction is at most half of z.
    pub(super) fn tolerance(&self, z: f64) -> Result<Option<f64>> {
        if self.replicates < 30.0 || self.mean.is_nan() || self.mean <= 0.0 {
            return Ok(None);
        }
        let moment = self.second_moment()?;
        let deviation = (moment - 1.0).max(0.0).sqrt();
        let skewness = (moment + 2.0) * deviation / self.replicates.sqrt();
        let correction = skewness * (z * z - 1.0) / 6.0;
        Ok((correction <= 0.5 * z).then(|| deviation / self.replicates.sqrt() * (z + correction)))
    }

    /// The growth rate of the mean per layer, `ln(E r)/ℓ`, and its standard error. The logarithm of a mean of T is low
    /// by `(M − 1)/(2T)` on average, which is put back.
    pub(super) fn growth(&self) -> Result<(f64, f64)> {
        let layers = self.layer as f64;
        let variance = (self.second_moment()? - 1.0).max(0.0) / self.replicates;
        Ok(((self.mean.ln() + 0.5 * variance) / layers, variance.sqrt() / layers))
    }

    /// The typical ratio: the mean divided by the root of the second moment, as for a log-normal law.
    pub(super) fn typical(&self) -> Result<f64> {
        Ok(self.predicted_mean()? / self.second_moment()?.sqrt())
    }

    pub(super) fn name(&self) -> String {
        let scaling = if self.masked {
            "corrected fan-in"
        } else {
            "dense fan-in"
        };
        format!(
            "{scaling}, width {}, density {}, weight variance {:.4}, layer {}",
            self.width, self.density, self.weight_variance, self.layer
        )
    }

    /// The exact mean logarithm of the ratio of a dense network; none with a mask, where it has no closed form.
    pub(super) fn predicted_log(&self) -> Result<Option<f64>> {
        if self.masked || self.density < 1.0 {
            return Ok(None);
        }
        Ok(Some(
            self.layer as f64 * typical_growth(self.width, self.weight_variance)?,
        ))
    }
}
