//! What a maker is asked to do, and which settings it uses.

use super::{MadeMask, MaskMaker, Setting, linear, scored, units};
use crate::error::{Error, Result};
use crate::networks::{Layout, Network};
use crate::pruning::allocation::Allocation;
use crate::pruning::criteria::{Criterion, CriterionInput};
use crate::pruning::design::DesignPrior;
use crate::pruning::net_trim::{Spread, TrimOrder};
use crate::pruning::patterns::{Edge, Pattern};
use crate::pruning::recovered::{LinearImp, RecoveredBy, Relinearised};
use crate::pruning::structured::{UnitKind, UnitNorm};
use crate::support::Density;

/// A maker with its settings; those that are not set are the maker's own.
///
/// ```
/// use ticketsense::Seed;
/// use ticketsense::networks::{Array, Initialisation, Loss, Network};
/// use ticketsense::pruning::{CriterionInput, MaskRequest};
/// use ticketsense::training::Examples;
/// let network = Network::preset("mlp:8", 6, 3)?;
/// let theta: Vec<f32> = network.initial(&Seed::root(0), &Initialisation::HE)?;
/// let inputs = Array::from_fn(24, 6, |i, j| ((i * i * 3 + i * j * 5 + j) as f32).sin());
/// let labels: Vec<usize> = (0..24).map(|i| i % 3).collect();
/// let input = CriterionInput {
///     network: &network,
///     theta: &theta,
///     mask: &network.layout().full_mask(),
///     initial: &theta,
///     loss: Loss::CrossEntropy,
///     training: Examples::labelled(&inputs, &labels),
///     seed: Seed::root(1),
/// };
/// for word in ["snip", "neurons", "omp", "relinearised", "d-design", "net-trim"] {
///     let request = MaskRequest { density: Some(0.5), ..MaskRequest::new(word.parse()?) };
///     let made = request.make(&input)?;
///     assert!(network.layout().density(made.require()?) <= 0.5, "{word}");
/// }
/// # Ok::<(), ticketsense::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MaskRequest {
    /// Who chooses.
    pub maker: MaskMaker,
    /// Fraction of all weights that stays, in `(0, 1]`: exactly, but for whole units and blocks, which keep at most that.
    /// Needed, unless a pattern or the allocation says it.
    pub density: Option<f64>,
    /// How it is divided. Without it all weights compete where scores decide, and every layer has the same density
    /// otherwise; units have the same fraction of every width, and no other allocation.
    pub allocation: Option<Allocation>,
    /// Rounds: of scores (1), of linearisation (4), of elimination (10).
    pub rounds: Option<usize>,
    /// The pattern of what scores keep; single weights without it.
    pub pattern: Option<Pattern>,
    /// At the edge of a weight that the pattern does not divide (refused).
    pub edge: Option<Edge>,
    /// Of the incoming weights of a unit (ℓ₁).
    pub norm: Option<UnitNorm>,
    /// The units of the group LASSO (every kind that may go).
    pub units: Option<UnitKind>,
    /// α as a multiple of the mean squared norm of the nonzero columns (0.1).
    pub damping: Option<f64>,
    /// Of relinearisation (normalised iterative hard thresholding) and of Net-Trim (orthogonal matching pursuit), which has
    /// no hard thresholding.
    pub solver: Option<RecoveredBy>,
    /// Of a design (equal).
    pub prior: Option<DesignPrior>,
    /// Of Net-Trim (the layer).
    pub spread: Option<Spread>,
    /// Of Net-Trim (a cascade).
    pub order: Option<TrimOrder>,
}

/// The damping where none is asked for, in mean squared norms of the nonzero columns.
const DAMPING: f64 = 0.1;

impl MaskRequest {
    /// Nothing but the maker.
    pub fn new(maker: MaskMaker) -> Self {
        MaskRequest {
            maker,
            density: None,
            allocation: None,
            rounds: None,
            pattern: None,
            edge: None,
            norm: None,
            units: None,
            damping: None,
            solver: None,
            prior: None,
            spread: None,
            order: None,
        }
    }

    /// Whether the maker, in its pattern, uses a setting.
    pub fn takes(&self, setting: Setting) -> bool {
        use MaskMaker::{Design, Elimination, GroupLasso, NetTrim, Recovered, Relinearised, Scores, Units};
        let single = self.pattern.is_none();
        match setting {
            Setting::Density | Setting::Allocation => {
                !(self.is_scored() && matches!(self.pattern, Some(Pattern::OfEvery { .. })))
            }
            Setting::Rounds => matches!(self.maker, Relinearised | Elimination) || self.is_scored() && single,
            Setting::Pattern => self.is_scored(),
            Setting::Edge => self.is_scored() && !single,
            Setting::Norm => matches!(self.maker, Units(_)),
            Setting::Units => self.maker == GroupLasso,
            Setting::Damping => {
                matches!(
                    self.maker,
                    Recovered(_) | Relinearised | Elimination | Design(_) | GroupLasso
                )
            }
            Setting::Solver => matches!(self.maker, Relinearised | NetTrim),
            Setting::Prior => matches!(self.maker, Design(_)),
            Setting::Spread | Setting::Order => self.maker == NetTrim,
            Setting::Mask => match self.maker {
                Scores(_) => single,
                Units(_) | Recovered(_) | Elimination | Design(_) => true,
                GroupLasso | Relinearised | NetTrim => false,
            },
            Setting::Initial => matches!(self.maker, Scores(criterion) if criterion.needs_training()),
            Setting::Loss => self.is_scored() && self.maker.sees_samples(),
            Setting::Samples => self.maker.sees_samples(),
        }
    }

    /// Refuses a setting that the maker does not use, with the makers that do.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the setting, its value and the maker.
    pub fn require(&self, setting: Setting, value: impl ToString) -> Result<()> {
        if self.takes(setting) {
            return Ok(());
        }
        let takes = |maker: &MaskMaker| {
            let alone = MaskRequest::new(*maker);
            alone.takes(setting)
        };
        let mut others: Vec<&str> = MaskMaker::all()
            .iter()
            .filter(|m| takes(m))
            .map(|m| m.as_str())
            .collect();
        if setting == Setting::Edge {
            others = vec!["scores in a pattern"];
        }
        let who = match self.pattern {
            Some(pattern) if self.is_scored() => format!("{} in the pattern {pattern}", self.maker),
            _ => self.maker.to_string(),
        };
        let expected = format!("none with {who}: it is for {}", others.join(", "));
        Err(Error::argument(setting.as_str(), expected, value))
    }

    /// Refuses what the maker does not use, what is out of range, and a network to which it does not apply.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the maker and the setting or the network; as [`MaskMaker::check`].
    pub fn check(&self, network: &Network) -> Result<()> {
        self.maker.check(network)?;
        for (setting, value) in self.given() {
            self.require(setting, value)?;
        }
        if self.rounds == Some(0) {
            return Err(Error::argument("rounds", "at least 1", 0));
        }
        if let Some(damping) = self.damping {
            let positive = self.maker == MaskMaker::GroupLasso;
            if !(damping.is_finite() && damping >= 0.0 && (damping > 0.0 || !positive)) {
                let least = if positive { ">" } else { "≥" };
                return Err(Error::argument(
                    "damping",
                    format!("a finite number {least} 0"),
                    damping,
                ));
            }
        }
        if let Some(pattern) = self.pattern {
            pattern.validate()?;
        }
        if (self.maker, self.solver) == (MaskMaker::NetTrim, Some(RecoveredBy::NormalisedIht)) {
            return Err(Error::argument("solver", "omp or lasso with net-trim", "niht"));
        }
        if self.maker == MaskMaker::GroupLasso {
            units::check_group_lasso(network, self.units)?;
        }
        self.check_allocation()
    }

    /// Makes the mask.
    ///
    /// `input.theta` is the point at which scores are taken and the network is linearised, `input.training` what is looked
    /// at there. The linear model is that of `input.mask ⊙ input.theta` in double precision.
    ///
    /// # Errors
    /// As [`MaskRequest::check`]; [`Error::Argument`] for a mask to begin with that the maker does not take, or a density that
    /// cannot be divided so; otherwise as the maker's own function. That there is no such mask is no error: see
    /// [`MadeMask::missing`].
    ///
    /// Cost: [`MadeMask::gradient_passes`], and what the maker's own function says.
    pub fn make(&self, input: &CriterionInput<'_>) -> Result<MadeMask> {
        self.check(input.network)?;
        let layout = input.network.layout();
        layout.check_mask(input.mask)?;
        let kept = input.mask.and(&layout.prunable_mask())?.kept();
        if !self.takes(Setting::Mask) && kept < layout.prunable() {
            self.require(
                Setting::Mask,
                format!("one that keeps {kept} of {} weights", layout.prunable()),
            )?;
        }
        match self.maker {
            MaskMaker::Scores(criterion) => scored::make(self, criterion, input),
            MaskMaker::Units(kind) => units::make(self, kind, input),
            _ => linear::make(self, input),
        }
    }

    /// How weights are divided among the layers.
    pub fn allocation(&self) -> Allocation {
        self.allocation.clone().unwrap_or(match self.is_scored() {
            true => Allocation::Global,
            false => Allocation::Uniform,
        })
    }

    /// The fraction of all weights that stays: what is asked for, or what the densities of the layers make up.
    ///
    /// # Errors
    /// [`Error::Argument`] when neither says it, or the density is outside `(0, 1]`.
    pub fn density(&self, layout: &Layout) -> Result<f64> {
        let density = match self.density {
            Some(density) => density,
            None => self
                .allocation()
                .implied_density(layout)?
                .ok_or_else(|| Error::argument("density", "a number, or a density for every layer", "none"))?,
        };
        match density > 0.0 && density <= 1.0 {
            true => Ok(density),
            false => Err(Error::argument("density", "a number in (0, 1]", density)),
        }
    }

    /// How many weights of all layers stay.
    pub(super) fn total(&self, layout: &Layout) -> Result<usize> {
        match self.allocation().counts(layout, self.density(layout)?)? {
            Some(counts) => Ok(counts.iter().sum()),
            None => Ok(Density::new(self.density(layout)?)?.kept_of(layout.prunable())),
        }
    }

    /// How many weights of every layer stay; a single number for all together.
    pub(super) fn counts(&self, layout: &Layout) -> Result<Vec<usize>> {
        match self.allocation().counts(layout, self.density(layout)?)? {
            Some(counts) => Ok(counts),
            None => Ok(vec![self.total(layout)?]),
        }
    }

    /// Every setting that the maker uses with its value in words, the maker's own where none is asked for; the density and
    /// what is looked at are not among them.
    pub fn settings(&self) -> Vec<(Setting, String)> {
        let rounds = match self.maker {
            MaskMaker::Relinearised => Relinearised::default().rounds,
            MaskMaker::Elimination => LinearImp::default().rounds,
            _ => 1,
        };
        let solver = match self.maker {
            MaskMaker::NetTrim => RecoveredBy::Omp,
            _ => Relinearised::default().solver,
        };
        let value = |setting: Setting| -> Option<String> {
            let value = match setting {
                Setting::Allocation => self.allocation().to_string(),
                Setting::Rounds => self.rounds.unwrap_or(rounds).to_string(),
                Setting::Pattern => self.pattern?.to_string(),
                Setting::Edge => self.edge().to_string(),
                Setting::Norm => self.norm().to_string(),
                Setting::Units => self.units.map_or("all".into(), |units| units.to_string()),
                Setting::Damping => self.damping().to_string(),
                Setting::Solver => self.solver.unwrap_or(solver).to_string(),
                Setting::Prior => self.prior().to_string(),
                Setting::Spread => self.spread().to_string(),
                Setting::Order => self.order().to_string(),
                Setting::Density | Setting::Mask | Setting::Initial | Setting::Loss | Setting::Samples => return None,
            };
            Some(value)
        };
        let used = Setting::ALL.into_iter().filter(|setting| self.takes(*setting));
        used.filter_map(|setting| Some((setting, value(setting)?))).collect()
    }

    pub(super) fn damping(&self) -> f64 {
        self.damping.unwrap_or(DAMPING)
    }

    pub(super) fn edge(&self) -> Edge {
        self.edge.unwrap_or(Edge::Refused)
    }

    pub(super) fn norm(&self) -> UnitNorm {
        self.norm.unwrap_or(UnitNorm::AbsoluteSum)
    }

    pub(super) fn prior(&self) -> DesignPrior {
        self.prior.unwrap_or(DesignPrior::Equal)
    }

    pub(super) fn spread(&self) -> Spread {
        self.spread.unwrap_or(Spread::Layer)
    }

    pub(super) fn order(&self) -> TrimOrder {
        self.order.unwrap_or(TrimOrder::Cascade)
    }

    /// Refuses a criterion of change without a change.
    pub(super) fn require_change(&self, criterion: Criterion, input: &CriterionInput<'_>) -> Result<()> {
        if criterion.needs_training() && input.theta == input.initial {
            let what = format!("weights of criterion {criterion}");
            return Err(Error::argument(what, "trained ones", "the initial ones"));
        }
        Ok(())
    }

    fn is_scored(&self) -> bool {
        matches!(self.maker, MaskMaker::Scores(_))
    }

    /// The settings that are set, with their values in words.
    fn given(&self) -> Vec<(Setting, String)> {
        fn told<T: ToString>(setting: Setting, value: &Option<T>) -> Option<(Setting, String)> {
            value.as_ref().map(|value| (setting, value.to_string()))
        }
        let all = [
            told(Setting::Density, &self.density),
            told(Setting::Allocation, &self.allocation),
            told(Setting::Rounds, &self.rounds),
            told(Setting::Pattern, &self.pattern),
            told(Setting::Edge, &self.edge),
            told(Setting::Norm, &self.norm),
            told(Setting::Units, &self.units),
            told(Setting::Damping, &self.damping),
            told(Setting::Solver, &self.solver),
            told(Setting::Prior, &self.prior),
            told(Setting::Spread, &self.spread),
            told(Setting::Order, &self.order),
        ];
        all.into_iter().flatten().collect()
    }

    /// Refuses an allocation that the maker cannot keep.
    fn check_allocation(&self) -> Result<()> {
        let expected = match (self.maker, self.allocation()) {
            (MaskMaker::Units(_) | MaskMaker::GroupLasso, Allocation::Uniform) => return Ok(()),
            (MaskMaker::Units(_) | MaskMaker::GroupLasso, _) => {
                "uniform: whole units keep the same fraction of every width"
            }
            (MaskMaker::Relinearised | MaskMaker::Design(_) | MaskMaker::NetTrim, Allocation::Global) => {
                "uniform, erk or a density for every layer: every layer has a budget of its own"
            }
            _ => return Ok(()),
        };
        let expected = format!("{expected} with {}", self.maker);
        Err(Error::argument("allocation", expected, self.allocation()))
    }
}
