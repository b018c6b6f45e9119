//! What makers may be told.

use std::fmt;

/// Something that a maker may be told, or look at. What it does not use is refused, not ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// The fraction of all weights that stays.
    Density,
    /// How it is divided among the layers.
    Allocation,
    /// How often what is left is looked at again.
    Rounds,
    /// A regular pattern of kept weights.
    Pattern,
    /// What happens where the pattern does not divide a weight.
    Edge,
    /// What makes a score of the weights of a unit.
    Norm,
    /// Which kind of units goes.
    Units,
    /// The pull towards the given weights.
    Damping,
    /// What solves the problem of a round or of a layer.
    Solver,
    /// What a design knows of the weights.
    Prior,
    /// Whether the units of a layer compete.
    Spread,
    /// Which inputs a layer is recovered from.
    Order,
    /// A mask to begin with.
    Mask,
    /// The weights before the training.
    Initial,
    /// The loss whose gradients are taken.
    Loss,
    /// The training samples.
    Samples,
}

impl Setting {
    /// Every setting.
    pub const ALL: [Setting; 16] = [
        Setting::Density,
        Setting::Allocation,
        Setting::Rounds,
        Setting::Pattern,
        Setting::Edge,
        Setting::Norm,
        Setting::Units,
        Setting::Damping,
        Setting::Solver,
        Setting::Prior,
        Setting::Spread,
        Setting::Order,
        Setting::Mask,
        Setting::Initial,
        Setting::Loss,
        Setting::Samples,
    ];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Setting::Density => "density",
            Setting::Allocation => "allocation",
            Setting::Rounds => "rounds",
            Setting::Pattern => "pattern",
            Setting::Edge => "edge",
            Setting::Norm => "norm",
            Setting::Units => "units",
            Setting::Damping => "damping",
            Setting::Solver => "solver",
            Setting::Prior => "prior",
            Setting::Spread => "spread",
            Setting::Order => "order",
            Setting::Mask => "mask",
            Setting::Initial => "initial",
            Setting::Loss => "loss",
            Setting::Samples => "samples",
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
