//! Layers written out against what their kernels say: singular values, and restricted isometry constants.

use super::row_of;
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::estimators::{
    KernelCorrelations, RestrictedIsometryConstant, convolution_spectrum, zero_padding_brackets,
};
use ticketsense::linalg::dense::singular_values;
use ticketsense::operators::{CircularConvolution, Grid, KernelBank, MeasurementOperator, ZeroPaddedConvolution};
use ticketsense::table::Row;
use ticketsense::{Error, Result, Seed};

/// Kernels with names, of the figure and of the named banks: flat but for its ends, an impulse, and two that let low
/// frequencies pass, all of energy 1.
pub(super) fn named(kernel: &str) -> Vec<f64> {
    let binomial = 20f64.sqrt();
    match kernel {
        "flat" => vec![0.5, 0.5, 0.5, -0.5],
        "delta" => vec![0.0, 1.0, 0.0, 0.0],
        "binomial" => [1.0, 3.0, 3.0, 1.0].map(|w| w / binomial).to_vec(),
        _ => vec![0.5; 4],
    }
}

/// The kernels of the figure.
pub(super) const PICTURED: [&str; 4] = ["flat", "delta", "binomial", "box"];
/// Positions of the pictured transfer functions.
const FINE: usize = 128;
/// Positions of the pictured padded layer.
const PADDED: usize = 32;

/// Outputs, inputs, kernel and grid.
type LayerShape = (usize, usize, (usize, usize), (usize, usize));

/// Lines and planes, one channel and several, kernels shorter and longer than the grid.
pub(super) const SHAPES: [LayerShape; 8] = [
    (1, 1, (1, 3), (1, 64)),
    (1, 4, (1, 5), (1, 31)),
    (6, 1, (1, 5), (1, 32)),
    (4, 4, (1, 3), (1, 24)),
    (1, 1, (1, 45), (1, 20)),
    (8, 1, (3, 3), (8, 8)),
    (4, 6, (3, 3), (6, 7)),
    (2, 3, (5, 9), (6, 4)),
];

fn random_bank(outputs: usize, inputs: usize, size: Grid, seed: &Seed) -> Result<KernelBank> {
    let mut rng = seed.stream("bank").rng();
    let weights = outputs * inputs * size.positions();
    let values = (0..weights).map(|_| rng.sample(StandardNormal)).collect();
    KernelBank::new(outputs, inputs, size, values)
}

fn farthest(found: &[f64], expected: &[f64]) -> f64 {
    let largest = expected.first().copied().unwrap_or(0.0);
    let distances = found.iter().zip(expected).map(|(f, e)| (f - e).abs());
    distances.fold(0.0, f64::max) / largest
}

/// Both boundaries of random layers of one shape.
pub(super) fn spectrum(shape: usize, instances: u64, seed: &Seed) -> Result<Vec<Row>> {
    let Some(&(outputs, inputs, size, signal)) = SHAPES.get(shape) else {
        return Err(Error::argument("shape", format!("below {}", SHAPES.len()), shape));
    };
    let grid = |(height, width)| Grid { height, width };
    let (size, signal) = (grid(size), grid(signal));
    let layout = match (outputs, inputs) {
        (1, 1) => "single",
        (1, _) => "blocks",
        (_, 1) => "stack",
        _ => "channels",
    };
    let case = format!("{outputs} outputs, {inputs} inputs, kernel {size} on {signal}");
    let mut rows = Vec::new();
    for number in 0..instances {
        let bank = random_bank(outputs, inputs, size, &seed.replicate(number))?;
        let circular = CircularConvolution::new(bank.clone(), signal)?;
        let padded = ZeroPaddedConvolution::new(bank, signal)?;
        let predicted = convolution_spectrum(&circular)?.value.values();
        let brackets = zero_padding_brackets(&padded)?;
        let exact = singular_values(&padded.to_dense())?;
        let outside = exact.iter().zip(&brackets);
        let outside = outside.map(|(value, b)| (b.lower - value).max(value - b.upper));
        let outside = outside.fold(0.0, f64::max) / predicted[0];
        for (part, deviation, outside) in [
            (
                "spectrum",
                farthest(&singular_values(&circular.to_dense())?, &predicted),
                None,
            ),
            ("padding", farthest(&exact, &predicted), Some(outside)),
        ] {
            rows.push(row_of(&[
                ("part", part.into()),
                ("case", case.as_str().into()),
                ("layout", layout.into()),
                ("number", number.into()),
                ("taps", size.positions().into()),
                ("positions", signal.positions().into()),
                ("rows", circular.shape().rows.into()),
                ("columns", circular.shape().columns.into()),
                ("deviation", deviation.into()),
                ("outside", outside.into()),
            ])?);
        }
    }
    Ok(rows)
}

/// How the kernels of the isometry cells stand.
pub(super) const LAYOUTS: [&str; 3] = ["single", "stack", "blocks"];
/// Kernels of a stack or of blocks.
const KERNELS: usize = 3;
const ORDERS: usize = 4;

/// Taps and positions of a regime.
fn sizes(regime: &str) -> (usize, usize) {
    match regime {
        "clear" => (5, 12),
        "double" => (9, 12),
        "wrapped" => (17, 12),
        _ => (5, 12),
    }
}

/// Every input's columns to energy 1, before anything wraps.
fn unit_inputs(bank: &KernelBank) -> Result<KernelBank> {
    let energies: Vec<f64> = (0..bank.inputs())
        .map(|i| (0..bank.outputs()).map(|o| bank.energy(o, i)).sum())
        .collect();
    let taps = bank.size().positions();
    let values = bank.values().iter().enumerate();
    let values = values.map(|(at, w)| w / energies[at / taps % bank.inputs()].sqrt());
    KernelBank::new(bank.outputs(), bank.inputs(), bank.size(), values.collect())
}

/// Random kernels: exact constants against the formulas, with unit energies and without.
pub(super) fn isometry(layout: &str, regime: &str, instances: u64, seed: &Seed) -> Result<Vec<Row>> {
    let (taps, positions) = sizes(regime);
    let (outputs, inputs) = match layout {
        "single" => (1, 1),
        "stack" => (KERNELS, 1),
        _ => (1, KERNELS),
    };
    let grid = Grid::line(positions);
    let mut rows = Vec::new();
    for number in 0..instances {
        let drawn = random_bank(outputs, inputs, Grid::line(taps), &seed.replicate(number))?;
        let unit = unit_inputs(&drawn)?;
        // Energies around 1 that are not 1, those of random kernels over the mean.
        let free = drawn.scaled((outputs as f64 * taps as f64).sqrt().recip())?;
        for (is_unit, bank) in [(1u64, unit), (0, free)] {
            // On so long a line no lag meets another.
            let alone = CircularConvolution::new(bank.clone(), Grid::line(2 * taps - 1))?;
            let stated = Stated(KernelCorrelations::of(&alone));
            let circular = CircularConvolution::new(bank.clone(), grid)?;
            let padded = ZeroPaddedConvolution::new(bank, grid)?;
            let (operator, folded): (&dyn MeasurementOperator, _) = match regime {
                "padded" => (&padded, None),
                _ => (&circular, Some(KernelCorrelations::of(&circular))),
            };
            let exact = RestrictedIsometryConstant::of_order(ORDERS)
                .profile(operator, seed)?
                .value;
            for found in exact {
                let Some(value) = found.exact else {
                    return Err(Error::numerical("isometry constant", "not all supports were examined"));
                };
                let from_folded = folded.as_ref().map(|lags| match found.order {
                    1 => lags.first_order(),
                    2 => lags.second_order(),
                    k => lags.upper_bound(k),
                });
                rows.push(row_of(&[
                    ("part", "isometry".into()),
                    ("layout", layout.into()),
                    ("regime", regime.into()),
                    ("number", number.into()),
                    ("taps", taps.into()),
                    ("positions", positions.into()),
                    ("rows", operator.shape().rows.into()),
                    ("columns", operator.shape().columns.into()),
                    ("unit", is_unit.into()),
                    ("order", found.order.into()),
                    ("exact", value.into()),
                    ("folded", from_folded.into()),
                    ("stated", stated.constant(found.order, inputs, 2 * taps - 1).into()),
                ])?);
            }
        }
    }
    Ok(rows)
}

/// The lags of kernels as given.
struct Stated(KernelCorrelations);

impl Stated {
    /// The claimed constant: from r[0] for order 1, then the k − 1 largest other lags of one input.
    fn constant(&self, order: usize, inputs: usize, lags: usize) -> f64 {
        if order == 1 {
            return self.0.first_order();
        }
        let of_input = |i: usize| {
            let others = (0..inputs).flat_map(|j| (0..lags).map(move |lag| (j, lag)));
            let others = others.filter(|&(j, lag)| (j, lag) != (i, 0));
            let mut sizes: Vec<f64> = others.map(|(j, lag)| self.0.at(i, j, (0, lag)).abs()).collect();
            sizes.sort_by(|x, y| y.total_cmp(x));
            sizes.iter().take(order - 1).sum::<f64>()
        };
        (0..inputs).map(of_input).fold(0.0, f64::max)
    }
}

/// Transfer functions and autocorrelations of the named kernels, and one padded layer in its bracket.
pub(super) fn picture() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for kernel in PICTURED {
        let bank = KernelBank::stacked(&[named(kernel)])?;
        let a = CircularConvolution::new(bank, Grid::line(FINE))?;
        for block in convolution_spectrum(&a)?.value.frequencies {
            rows.push(row_of(&[
                ("part", "transfer".into()),
                ("case", kernel.into()),
                ("positions", FINE.into()),
                ("index", block.frequency.1.into()),
                ("value", block.singular_values.first().copied().into()),
            ])?);
        }
        let lags = KernelCorrelations::of(&a);
        for lag in 0..=5usize {
            rows.push(row_of(&[
                ("part", "lag".into()),
                ("case", kernel.into()),
                ("positions", FINE.into()),
                ("index", lag.into()),
                ("value", lags.at(0, 0, (0, lag)).into()),
            ])?);
        }
    }
    let kernel = "box";
    let bank = KernelBank::stacked(&[named(kernel)])?;
    let grid = Grid::line(PADDED);
    let padded = ZeroPaddedConvolution::new(bank.clone(), grid)?;
    let circular = convolution_spectrum(&CircularConvolution::new(bank, grid)?)?
        .value
        .values();
    let exact = singular_values(&padded.to_dense())?;
    for (index, ((value, circular), bracket)) in exact
        .iter()
        .zip(&circular)
        .zip(zero_padding_brackets(&padded)?)
        .enumerate()
    {
        rows.push(row_of(&[
            ("part", "bracket".into()),
            ("case", kernel.into()),
            ("positions", PADDED.into()),
            ("index", (index + 1).into()),
            ("value", (*value).into()),
            ("circular", (*circular).into()),
            ("lower", bracket.lower.into()),
            ("upper", bracket.upper.into()),
        ])?);
    }
    Ok(rows)
}
