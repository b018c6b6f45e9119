//! What is told of a mask.

use serde_json::{Value, json};
use std::fmt::Write;
use ticketsense::networks::Network;
use ticketsense::outcome::Status;
use ticketsense::pruning::{LivePaths, MadeMask, MaskRequest, Setting, kept_weights};
use ticketsense::support::Mask;

/// A mask with everything that is told of it.
pub struct Page<'a> {
    network: &'a Network,
    request: &'a MaskRequest,
    made: &'a MadeMask,
    mask: &'a Mask,
    /// None where nothing is looked at.
    samples: Option<usize>,
    /// None where paths say nothing.
    paths: Option<LivePaths>,
    kept: Vec<(String, usize, usize)>,
}

/// The files that are written.
pub struct Written {
    pub mask: String,
    pub weights: Option<String>,
}

impl<'a> Page<'a> {
    pub fn new(
        network: &'a Network,
        request: &'a MaskRequest,
        made: &'a MadeMask,
        mask: &'a Mask,
        samples: usize,
    ) -> Self {
        let slots = network.layout().weight_slots();
        Page {
            paths: LivePaths::of(network, mask).ok(),
            kept: slots
                .map(|s| (s.name.clone(), s.len(), mask.kept_in(s.range.clone())))
                .collect(),
            samples: request.takes(Setting::Samples).then_some(samples),
            network,
            request,
            made,
            mask,
        }
    }

    fn density(&self) -> f64 {
        self.network.layout().density(self.mask)
    }

    fn kept(&self) -> usize {
        kept_weights(self.network, self.mask)
    }

    pub fn text(&self, written: &Written) -> String {
        let settings: Vec<String> = self
            .request
            .settings()
            .iter()
            .map(|(setting, value)| format!("{setting} {value}"))
            .collect();
        let settings = match settings.is_empty() {
            true => String::new(),
            false => format!(" ({})", settings.join(", ")),
        };
        let mut text = format!(
            "{}: {} of {} weights by {}{settings}\n",
            self.network.name(),
            self.kept(),
            self.network.layout().prunable(),
            self.request.maker,
        );
        let mut line = |what: &str, value: String| {
            let _ = writeln!(text, "{what:<18}{value}");
        };
        line("status", self.made.status.to_string());
        line("density", format!("{:.6}", self.density()));
        line(
            "effective density",
            match &self.paths {
                Some(paths) => format!("{:.6} (on paths from inputs to outputs)", paths.effective_density()),
                None => "none, attention has no paths".into(),
            },
        );
        let passes = self.made.gradient_passes;
        line(
            "cost",
            match self.samples {
                Some(samples) => format!("{passes:.4} gradient passes over {samples} samples"),
                None if passes > 0.0 => format!("{passes:.6} gradient passes, over no sample of the data"),
                None => "no gradient".into(),
            },
        );
        if let Some(columns) = &self.made.columns {
            line(
                "columns",
                format!(
                    "{} candidates, {} zero, {} parallel to another; rank at most {}",
                    columns.candidates, columns.zero, columns.merged, columns.rank_bound
                ),
            );
        }
        if let Some(before) = self.made.nonzeros_before_cut.filter(|before| *before != self.kept()) {
            line("before the cut", format!("{before} nonzeros"));
        }
        if let Some(ratio) = self.made.penalty_ratio {
            line("penalty", format!("{ratio:.3e} of the first, where it is smallest"));
        }
        if let Some(gap) = self.made.relative_gap {
            line("duality gap", format!("{gap:.3e} of its scale"));
        }
        if let Some(objective) = self.made.objective {
            line("objective", format!("{objective:.6e}"));
        }
        for (name, residual) in self.kept.iter().map(|k| &k.0).zip(&self.made.relative_residuals) {
            line("residual", format!("{residual:.4} of the pre-activations, {name}"));
        }
        text.push('\n');
        self.layers_into(&mut text);
        self.units_into(&mut text);
        for warning in self.warnings() {
            let _ = writeln!(text, "warning: {warning}");
        }
        let _ = writeln!(text, "mask    {}", written.mask);
        if let Some(weights) = &written.weights {
            let _ = writeln!(text, "weights {weights}");
        }
        text
    }

    fn layers_into(&self, text: &mut String) {
        let width = self.kept.iter().map(|(name, ..)| name.len()).max().unwrap_or(0).max(5);
        let _ = writeln!(
            text,
            "{:width$}  {:>9}  {:>9}  {:>9}  density",
            "layer", "weights", "kept", "live"
        );
        for (l, (name, weights, kept)) in self.kept.iter().enumerate() {
            let live = self.paths.as_ref().and_then(|paths| paths.layers().get(l));
            let live = live.map_or("-".into(), |layer| layer.live.to_string());
            let density = *kept as f64 / *weights as f64;
            let _ = writeln!(text, "{name:width$}  {weights:>9}  {kept:>9}  {live:>9}  {density:.6}");
        }
    }

    fn units_into(&self, text: &mut String) {
        for family in self.made.units.iter().filter(|family| family.kept < family.units) {
            let _ = writeln!(
                text,
                "{} of {} {} of {}",
                family.kept,
                family.units,
                family.kind,
                family.producers.join(" with ")
            );
        }
    }

    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        match self.made.status {
            Status::IterationLimit => {
                warnings.push("it did not converge: the limit of iterations came first".into());
            }
            status if !status.is_success() => warnings.push(format!("the choice ended before its goal: {status}")),
            _ => {}
        }
        if let Some(asked) = self.made.asked.filter(|asked| *asked != self.kept()) {
            warnings.push(format!(
                "{} weights instead of the {asked} asked for: {}",
                self.kept(),
                match self.made.status {
                    Status::ResidualReached => "they explain the data, and nothing is padded",
                    _ => "no other column is independent of them, and nothing is padded",
                }
            ));
        }
        if !self.made.emptied.is_empty() {
            warnings.push(format!("nothing is left of {}", self.made.emptied.join(", ")));
        }
        if let Some(paths) = &self.paths {
            let emptied = |name: &&str| !self.made.emptied.iter().any(|other| other == name);
            let cut: Vec<&str> = paths.dead_layers().into_iter().filter(emptied).collect();
            if !cut.is_empty() {
                warnings.push(format!("no kept weight lies on a path in {}", cut.join(", ")));
            }
            if !paths.dead_branches().is_empty() {
                warnings.push(format!("nothing passes {}", paths.dead_branches().join(", ")));
            }
            if !paths.is_connected() {
                warnings.push("no input reaches an output".into());
            }
        }
        warnings
    }

    pub fn json(&self, written: &Written) -> Value {
        let layers = self.kept.iter().enumerate().map(|(l, (name, weights, kept))| {
            let live = self.paths.as_ref().and_then(|paths| paths.layers().get(l)).map(|layer| layer.live);
            json!({ "name": name, "weights": weights, "kept": kept, "live": live, "density": *kept as f64 / *weights as f64 })
        });
        let units = self.made.units.iter().map(|family| {
            json!({
                "kind": family.kind.as_str(), "producers": family.producers, "units": family.units, "kept": family.kept
            })
        });
        let settings = self.request.settings();
        let setting = |wanted: Setting| {
            settings
                .iter()
                .find(|(s, _)| *s == wanted)
                .map(|(_, value)| value.clone())
        };
        let number = |wanted: Setting| setting(wanted).and_then(|value| value.parse::<f64>().ok());
        let statuses: Vec<&str> = self.made.statuses.iter().map(|status| status.as_str()).collect();
        json!({
            "network": self.network.name(),
            "criterion": self.request.maker.as_str(),
            "allocation": setting(Setting::Allocation),
            "rounds": setting(Setting::Rounds).and_then(|rounds| rounds.parse::<usize>().ok()),
            "pattern": setting(Setting::Pattern),
            "edge": setting(Setting::Edge),
            "norm": setting(Setting::Norm),
            "units_of": setting(Setting::Units),
            "damping": number(Setting::Damping),
            "solver": setting(Setting::Solver),
            "prior": setting(Setting::Prior),
            "spread": setting(Setting::Spread),
            "order": setting(Setting::Order),
            "weights": self.network.layout().prunable(),
            "asked": self.made.asked,
            "kept": self.kept(),
            "density": self.density(),
            "effective_density": self.paths.as_ref().map(LivePaths::effective_density),
            "connected": self.paths.as_ref().map(LivePaths::is_connected),
            "layers": layers.collect::<Vec<_>>(),
            "units": units.collect::<Vec<_>>(),
            "emptied": self.made.emptied,
            "dead_layers": self.paths.as_ref().map(|paths| paths.dead_layers()),
            "dead_branches": self.paths.as_ref().map(|paths| paths.dead_branches().to_vec()),
            "warnings": self.warnings(),
            "status": self.made.status.as_str(),
            "statuses": statuses,
            "samples": self.samples,
            "gradient_passes": self.made.gradient_passes,
            "zero_columns": self.made.columns.map(|columns| columns.zero),
            "merged_columns": self.made.columns.map(|columns| columns.merged),
            "candidates": self.made.columns.map(|columns| columns.candidates),
            "rank_bound": self.made.columns.map(|columns| columns.rank_bound),
            "nonzeros_before_cut": self.made.nonzeros_before_cut,
            "penalty_ratio": self.made.penalty_ratio,
            "relative_gap": self.made.relative_gap,
            "objective": self.made.objective,
            "relative_residuals": self.made.relative_residuals,
            "mask": written.mask,
            "weights_file": written.weights,
        })
    }
}
