//! Which kernel of a bank should go: named banks in full, random ones by rule.

use super::checks::named as kernel_named;
use super::{LAYOUTS, row_of};
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::estimators::{KernelCorrelations, RestrictedIsometryConstant};
use ticketsense::harness::Context;
use ticketsense::operators::{CircularConvolution, Grid, KernelBank, MeasurementOperator, ScaledColumns};
use ticketsense::table::Row;
use ticketsense::{Result, Seed};

/// The named banks: an uncorrelated, well structured kernel beside two that let low frequencies pass.
pub(super) const BANKS: [&str; 2] = ["flat", "delta"];
/// The kernels beside the one that names the bank.
pub(super) const LOW_PASS: [&str; 2] = ["binomial", "box"];
/// Positions of the named banks.
const POSITIONS: usize = 16;

/// How random kernels are drawn: independent Gaussian taps, or those smoothed by a random share.
pub(super) const FAMILIES: [&str; 2] = ["gaussian", "smoothed"];
pub(super) const ENERGIES: [&str; 2] = ["unit", "varied"];
/// Kernels of a random bank and their taps.
const KERNELS: usize = 4;
const TAPS: usize = 5;

/// How the kernel that goes is chosen. The first two are the source's words.
pub(super) const RULES: [&str; 5] = [
    "uncorrelated and structured",
    "uncorrelated",
    "most correlated",
    "worst structured",
    ENERGY_RULE,
];
pub(super) const ENERGY_RULE: &str = "least energy";

fn bank_of(kernels: &[Vec<f64>], size: Grid, layout: &str) -> Result<KernelBank> {
    let (outputs, inputs) = match layout {
        "blocks" => (1, kernels.len()),
        _ => (kernels.len(), 1),
    };
    KernelBank::new(outputs, inputs, size, kernels.concat())
}

/// The bank without each of its kernels in turn.
fn without(bank: &KernelBank, kernel: usize, layout: &str) -> Result<KernelBank> {
    match layout {
        "blocks" => bank.without_input(kernel),
        _ => bank.without_output(kernel),
    }
}

/// A named bank in both layouts: constants by enumeration, all and without each kernel.
pub(super) fn named(bank: &str) -> Result<Vec<Row>> {
    let names = [bank, LOW_PASS[0], LOW_PASS[1]];
    let kernels = names.map(kernel_named);
    let size = Grid::line(kernels[0].len());
    let mut rows = Vec::new();
    for layout in LAYOUTS {
        let all = bank_of(&kernels, size, layout)?;
        let mut cases = vec![("none", all.clone())];
        for (number, name) in names.into_iter().enumerate() {
            cases.push((name, without(&all, number, layout)?));
        }
        for (removed, left) in cases {
            let a = CircularConvolution::new(left, Grid::line(POSITIONS))?;
            let unit = ScaledColumns::unit(&a);
            let found = RestrictedIsometryConstant::of_order(3)
                .profile(&unit, &Seed::root(0))?
                .value;
            rows.push(row_of(&[
                ("part", "removal".into()),
                ("case", bank.into()),
                ("layout", layout.into()),
                ("positions", POSITIONS.into()),
                ("rows", a.shape().rows.into()),
                ("columns", a.shape().columns.into()),
                ("removed", removed.into()),
                ("delta", found.get(1).and_then(|r| r.exact).into()),
                ("delta_third", found.get(2).and_then(|r| r.exact).into()),
                ("coherence", KernelCorrelations::of(&a).coherence().into()),
            ])?);
        }
    }
    Ok(rows)
}

/// What is counted of one rule in one layout.
#[derive(Clone, Copy, Default)]
struct Count {
    agree: u64,
    improved: u64,
    worsened: u64,
}

/// What is counted of banks: by layout, then by rule.
pub(super) struct Tally {
    counts: [[Count; RULES.len()]; LAYOUTS.len()],
    trials: u64,
    kernels: usize,
}

impl Tally {
    pub(super) fn new(kernels: usize) -> Self {
        Tally {
            counts: Default::default(),
            trials: 0,
            kernels,
        }
    }

    /// Counts one bank.
    pub(super) fn add(&mut self, kernels: &[Vec<f64>], size: Grid, grid: Grid) -> Result<()> {
        let picks = picks(kernels, size, grid)?;
        for (layout, counts) in LAYOUTS.into_iter().zip(&mut self.counts) {
            let bank = bank_of(kernels, size, layout)?;
            let before = rescaled_delta(&bank, grid)?;
            let after: Result<Vec<f64>> = (0..kernels.len())
                .map(|kernel| rescaled_delta(&without(&bank, kernel, layout)?, grid))
                .collect();
            let after = after?;
            let least = after.iter().copied().fold(f64::INFINITY, f64::min);
            for (count, pick) in counts.iter_mut().zip(picks) {
                // Lags are sums of a few dozen products, so that equal constants agree to 1e-12.
                count.agree += u64::from(after[pick] <= least + 1e-12);
                count.improved += u64::from(after[pick] < before - 1e-12);
                count.worsened += u64::from(after[pick] > before + 1e-12);
            }
        }
        self.trials += 1;
        Ok(())
    }

    pub(super) fn rows(&self, family: &str, energies: &str, accuracy: Option<f64>) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for (layout, counts) in LAYOUTS.into_iter().zip(&self.counts) {
            for (rule, count) in RULES.into_iter().zip(counts) {
                rows.push(row_of(&[
                    ("part", "sweep".into()),
                    ("case", family.into()),
                    ("layout", layout.into()),
                    ("energies", energies.into()),
                    ("rule", rule.into()),
                    ("kernels", self.kernels.into()),
                    ("trials", self.trials.into()),
                    ("agree", count.agree.into()),
                    ("improved", count.improved.into()),
                    ("worsened", count.worsened.into()),
                    ("accuracy", accuracy.into()),
                ])?);
            }
        }
        Ok(rows)
    }
}

/// δ_2 after the scaling of the whole layer that makes it smallest.
fn rescaled_delta(bank: &KernelBank, grid: Grid) -> Result<f64> {
    let range = KernelCorrelations::of(&CircularConvolution::new(bank.clone(), grid)?).pair_eigenvalues();
    let sum = range.upper + range.lower.max(0.0);
    Ok(if sum > 0.0 {
        (range.upper - range.lower.max(0.0)) / sum
    } else {
        1.0
    })
}

/// The kernel that each rule removes, by cosines of its shifts with those of the others and with its own.
fn picks(kernels: &[Vec<f64>], size: Grid, grid: Grid) -> Result<[usize; RULES.len()]> {
    let bank = bank_of(kernels, size, "blocks")?;
    let lags = KernelCorrelations::of(&CircularConvolution::new(bank, grid)?);
    let count = kernels.len();
    let lag = |t: usize| (t / grid.width, t % grid.width);
    let energy: Vec<f64> = (0..count).map(|i| lags.at(i, i, (0, 0))).collect();
    let largest = |i: usize, j: usize| {
        let from = usize::from(i == j);
        let sizes = (from..grid.positions()).map(|t| lags.at(i, j, lag(t)).abs());
        let lengths = (energy[i] * energy[j]).sqrt();
        // A kernel of zeros has no direction.
        if lengths > 0.0 {
            sizes.fold(0.0, f64::max) / lengths
        } else {
            0.0
        }
    };
    let others = |i: usize| (0..count).filter(move |&j| j != i);
    let cross: Vec<f64> = (0..count)
        .map(|i| others(i).map(|j| largest(i, j)).fold(0.0, f64::max))
        .collect();
    let own: Vec<f64> = (0..count).map(|i| largest(i, i)).collect();
    let both: Vec<f64> = cross.iter().zip(&own).map(|(c, o)| c.max(*o)).collect();
    let least = |values: &[f64]| (0..count).min_by(|&i, &j| values[i].total_cmp(&values[j])).unwrap_or(0);
    let most = |values: &[f64]| (0..count).max_by(|&i, &j| values[i].total_cmp(&values[j])).unwrap_or(0);
    Ok([least(&both), least(&cross), most(&cross), most(&own), least(&energy)])
}

/// Random banks.
pub(super) fn sweep(family: &str, energies: &str, trials: u64, context: &Context<'_>, seed: &Seed) -> Result<Vec<Row>> {
    let mut tally = Tally::new(KERNELS);
    for trial in 0..trials {
        if trial % 256 == 0 {
            context.check()?;
        }
        let kernels = random_kernels(family, energies, &seed.replicate(trial));
        tally.add(&kernels, Grid::line(TAPS), Grid::line(POSITIONS))?;
    }
    tally.rows(family, energies, None)
}

fn random_kernels(family: &str, energies: &str, seed: &Seed) -> Vec<Vec<f64>> {
    let mut rng = seed.stream("kernels").rng();
    (0..KERNELS)
        .map(|_| {
            let mut taps: Vec<f64> = (0..TAPS).map(|_| rng.sample(StandardNormal)).collect();
            if family == "smoothed" {
                // Each tap keeps a share of the one before: from white to nearly constant.
                let share: f64 = rng.random_range(0.0..1.0);
                for t in 1..TAPS {
                    taps[t] = share * taps[t - 1] + (1.0 - share * share).sqrt() * taps[t];
                }
            }
            let energy = if energies == "varied" {
                4f64.powf(rng.random_range(-1.0..1.0))
            } else {
                1.0
            };
            let found: f64 = taps.iter().map(|w| w * w).sum();
            taps.iter().map(|w| w * (energy / found).sqrt()).collect()
        })
        .collect()
}
