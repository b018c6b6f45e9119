//! A row of the table in the making.

use super::anatomy::Anatomy;
use super::masks::Masked;
use ticketsense::row;
use ticketsense::table::Row;

/// One row in the making.
#[derive(Clone, Debug, Default)]
pub struct Line {
    part: &'static str,
    seed: usize,
    arm: String,
    density: f64,
    mask: &'static str,
    pub kept: Option<usize>,
    status: String,
    pub damping: Option<f64>,
    rate: Option<f64>,
    validation: Option<f64>,
    test: Option<f64>,
    overlap: Option<(usize, f64)>,
    ceiling: Option<usize>,
    linearisation_error: Option<f64>,
    passes: Option<f64>,
    zero: Option<usize>,
    merged: Option<usize>,
    before_cut: Option<usize>,
    penalty_ratio: Option<f64>,
    gap: Option<f64>,
    anatomy: Option<Anatomy>,
}

impl Line {
    pub fn new(part: &'static str, seed: usize, arm: &str, density: f64, mask: &'static str) -> Line {
        Line {
            part,
            seed,
            arm: arm.into(),
            density,
            mask,
            status: "-".into(),
            ..Line::default()
        }
    }

    pub fn tuned(mut self, damping: Option<f64>, rate: f64) -> Line {
        self.damping = damping;
        self.rate = Some(rate);
        self
    }

    pub fn validated(mut self, accuracy: f64) -> Line {
        self.validation = Some(accuracy);
        self
    }

    pub fn tested(mut self, accuracy: f64) -> Line {
        self.test = Some(accuracy);
        self
    }

    pub fn made(mut self, masked: &Masked) -> Line {
        self.kept = masked.kept;
        self.status = masked.status.into();
        self.passes = Some(masked.passes);
        self.zero = masked.zero;
        self.merged = masked.merged;
        self.before_cut = masked.before_cut;
        self.penalty_ratio = masked.penalty_ratio;
        self.gap = masked.gap;
        self
    }

    pub fn against(mut self, overlap: (usize, f64), ceiling: Option<usize>) -> Line {
        self.overlap = Some(overlap);
        self.ceiling = ceiling;
        self
    }

    pub fn linear(mut self, error: f64) -> Line {
        self.linearisation_error = error.is_finite().then_some(error);
        self
    }

    pub fn examined(mut self, anatomy: Anatomy) -> Line {
        self.anatomy = Some(anatomy);
        self
    }

    pub fn row(self) -> Row {
        row![
            self.part,
            self.seed,
            self.arm,
            self.density,
            self.mask,
            self.kept,
            self.status,
            self.damping,
            self.rate,
            self.validation,
            self.test,
            self.overlap.map(|o| o.0),
            self.overlap.map(|o| o.1),
            self.ceiling,
            self.linearisation_error,
            self.passes,
            self.zero,
            self.merged,
            self.before_cut,
            self.penalty_ratio,
            self.gap,
            self.anatomy.map(|a| a.effective_density),
            self.anatomy.map(|a| a.dead_units),
            self.anatomy.map(|a| a.inherited_gain),
            self.anatomy.map(|a| a.kernel_rank),
        ]
    }
}
