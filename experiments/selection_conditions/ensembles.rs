//! Small matrices of several kinds, with columns of unit length.

use nalgebra::DMatrix;
use rand::RngExt;
use rand_distr::StandardNormal;
use ticketsense::linalg::dense::thin_qr;
use ticketsense::operators::{
    DenseOperator, GaussianEnsemble, MeasurementOperator, PartialFourierEnsemble, ScaledColumns,
};
use ticketsense::{Error, Result, Seed};

/// A kind of matrix and its size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ensemble {
    pub name: &'static str,
    pub rows: usize,
    pub columns: usize,
}

pub(super) const ENSEMBLES: [Ensemble; 6] = [
    Ensemble {
        name: "gaussian",
        rows: 12,
        columns: 18,
    },
    Ensemble {
        name: "tall gaussian",
        rows: 80,
        columns: 12,
    },
    Ensemble {
        name: "tight frame",
        rows: 12,
        columns: 14,
    },
    Ensemble {
        name: "partial Fourier",
        rows: 12,
        columns: 16,
    },
    Ensemble {
        name: "equal correlations",
        rows: 12,
        columns: 12,
    },
    Ensemble {
        name: "two bases",
        rows: 16,
        columns: 32,
    },
];

pub(super) fn find(name: &str) -> Result<Ensemble> {
    let found = ENSEMBLES.iter().find(|e| e.name == name);
    found
        .copied()
        .ok_or_else(|| Error::unknown("ensemble", name, ENSEMBLES.iter().map(|e| e.name)))
}

impl Ensemble {
    /// Whether two replicates differ.
    pub fn is_random(&self) -> bool {
        self.name != "two bases"
    }

    pub fn draw(&self, seed: &Seed) -> Result<DMatrix<f64>> {
        let Ensemble { name, rows, columns } = *self;
        let mut rng = seed.stream("ensemble").rng();
        let raw = match name {
            "tight frame" => {
                let tall = DMatrix::from_fn(columns, rows, |_, _| rng.sample::<f64, _>(StandardNormal));
                thin_qr(&tall)?.q.transpose()
            }
            "partial Fourier" => PartialFourierEnsemble { rows, columns }.draw(seed)?.to_dense(),
            "equal correlations" => {
                // √(1 − ϱ) I + c 11ᵀ has the Gram matrix (1 − ϱ) I + ϱ 11ᵀ.
                let correlation = rng.random_range(0.02..0.98f64);
                let (n, own) = (columns as f64, (1.0 - correlation).sqrt());
                let common = ((1.0 - correlation + n * correlation).sqrt() - own) / n;
                DMatrix::from_fn(rows, columns, |i, j| if i == j { own + common } else { common })
            }
            // The identity beside Hadamard's matrix: no two orthonormal bases are further apart.
            "two bases" => DMatrix::from_fn(rows, columns, |i, j| match j.checked_sub(rows) {
                None => f64::from(u8::from(i == j)),
                Some(j) if (i & j).count_ones() % 2 == 1 => -1.0,
                Some(_) => 1.0,
            }),
            _ => GaussianEnsemble { rows, columns }.draw(seed)?.matrix().clone(),
        };
        let raw = DenseOperator::new(raw)?;
        Ok(ScaledColumns::unit(&raw).to_dense())
    }
}

/// The columns stretched to lengths between a quarter and four, evenly in the logarithm.
pub(super) fn stretch(matrix: &mut DMatrix<f64>, seed: &Seed) {
    let mut rng = seed.stream("lengths").rng();
    for mut column in matrix.column_iter_mut() {
        column *= 4f64.powf(rng.random_range(-1.0..1.0));
    }
}
