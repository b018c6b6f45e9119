//! Masks from the network linearised at its weights, and from its layers.

use super::{MadeMask, MaskMaker, MaskRequest, Missing, SeenColumns, units};
use crate::error::{Error, Result};
use crate::linearize::RowTransform;
use crate::networks::Array;
use crate::outcome::Status;
use crate::pruning::allocation::Allocation;
use crate::pruning::criteria::CriterionInput;
use crate::pruning::design::{DesignCriterion, DesignRequest};
use crate::pruning::net_trim::{TrimRequest, TrimmedBy, net_trim};
use crate::pruning::recovered::{LinearImp, Recovered, RecoveredBy, RecoveryRequest, Relinearised, SensingProblem};
use crate::pruning::structured::Units;
use crate::recovery::Certificate;
use crate::support::Mask;

pub(super) fn make(request: &MaskRequest, input: &CriterionInput<'_>) -> Result<MadeMask> {
    let view = View::new(request, input)?;
    match request.maker {
        MaskMaker::Recovered(solver) => view.recovered(solver),
        MaskMaker::Elimination => view.eliminated(),
        MaskMaker::Relinearised => view.relinearised(),
        MaskMaker::Design(criterion) => view.designed(criterion),
        MaskMaker::GroupLasso => view.units(),
        MaskMaker::NetTrim => view.trimmed(),
        MaskMaker::Scores(_) | MaskMaker::Units(_) => {
            Err(Error::argument("maker", "one of the linear model", request.maker))
        }
    }
}

/// A request with the values and samples in double precision.
struct View<'a> {
    request: &'a MaskRequest,
    input: &'a CriterionInput<'a>,
    theta: Vec<f64>,
    samples: Array<f64>,
    labels: Vec<usize>,
}

impl<'a> View<'a> {
    fn new(request: &'a MaskRequest, input: &'a CriterionInput<'a>) -> Result<Self> {
        if input.training.targets.is_some() {
            let what = format!("targets of {}", request.maker);
            return Err(Error::argument(what, "labels", "rows of values"));
        }
        let mut theta: Vec<f64> = input.theta.iter().map(|&v| f64::from(v)).collect();
        input.mask.apply(&mut theta)?;
        Ok(View {
            request,
            input,
            theta,
            samples: input.training.inputs.convert(),
            labels: input.training.labels.to_vec(),
        })
    }

    /// The linear model, one budget for all layers where the request has one.
    fn problem(&self) -> Result<SensingProblem> {
        let network = self.input.network;
        let problem = SensingProblem::new(network, &self.theta, &self.samples, RowTransform::Centred)?;
        let whole = self.input.mask.and(&network.layout().prunable_mask())?.kept() == network.layout().prunable();
        let problem = if whole {
            problem
        } else {
            problem.within(self.input.mask)?
        };
        Ok(match self.request.allocation() {
            Allocation::Global => problem.with_one_budget(),
            _ => problem,
        })
    }

    /// Passes over the samples: setting the problem up is one backward pass a class besides its products.
    fn passes(&self, problem: &SensingProblem, applications: f64) -> f64 {
        problem.applications() + self.input.network.classes() as f64 + applications
    }

    fn made(&self, problem: Option<&SensingProblem>, mask: Option<Mask>, status: Status, passes: f64) -> MadeMask {
        let made = MadeMask::new(self.input.network, mask, status, passes);
        MadeMask {
            columns: problem.map(|problem| SeenColumns {
                zero: problem.zero_columns(),
                merged: problem.merged_columns(),
                candidates: problem.candidates().iter().filter(|c| **c).count(),
                rank_bound: problem.rank_bound(),
            }),
            ..made
        }
    }

    /// Why these counts cannot be kept, of a status that says so.
    fn missing(&self, problem: &SensingProblem, status: Status, counts: &[usize]) -> Missing {
        let maker = self.request.maker;
        let asked: usize = counts.iter().sum();
        let room = problem.candidates_by_layer();
        let why = "whose columns are neither zero nor parallel to another";
        if let Some(place) = room.iter().zip(counts).position(|(room, count)| count > room) {
            let layout = self.input.network.layout();
            let owner = match counts.len() {
                1 if layout.weight_slots().count() > 1 => self.input.network.name(),
                _ => layout.weight_slots().nth(place).map_or("", |slot| slot.name.as_str()),
            };
            let what = format!("weights of {owner} that {maker} keeps");
            return Missing::new(what, format!("at most the {} {why}", room[place]), counts[place]);
        }
        if asked > problem.rank_bound() && self.request.damping() == 0.0 {
            let samples = self.samples.rows();
            let expected = format!(
                "at most the rank bound {} of the linear model on {samples} samples, or a damping above 0",
                problem.rank_bound()
            );
            return Missing::new(format!("weights that {maker} keeps"), expected, asked);
        }
        Missing::ended(maker, status, asked)
    }

    fn with_answer(&self, problem: &SensingProblem, answer: Recovered, counts: &[usize]) -> MadeMask {
        let passes = self.passes(problem, answer.applications);
        let missing = answer
            .ticket
            .is_none()
            .then(|| self.missing(problem, answer.status, counts));
        let before_cut = answer.ticket.is_some().then(|| answer.nonzeros_before_cut.iter().sum());
        let made = self.made(Some(problem), answer.ticket.map(|t| t.mask), answer.status, passes);
        MadeMask {
            missing,
            asked: Some(counts.iter().sum()),
            nonzeros_before_cut: before_cut,
            penalty_ratio: answer.penalty_ratios.map(smallest),
            relative_gap: relative_gap(&answer.certificate),
            objective: Some(answer.objective),
            ..made
        }
    }

    fn recovered(&self, solver: RecoveredBy) -> Result<MadeMask> {
        let counts = self.request.counts(self.input.network.layout())?;
        let problem = self.problem()?;
        let b = problem.right_hand_side(&self.labels)?;
        let request = RecoveryRequest {
            solver,
            damping: self.request.damping(),
            counts: &counts,
        };
        let answer = problem.recover(&b, &request)?;
        Ok(self.with_answer(&problem, answer, &counts))
    }

    fn eliminated(&self) -> Result<MadeMask> {
        let counts = self.request.counts(self.input.network.layout())?;
        let problem = self.problem()?;
        let b = problem.right_hand_side(&self.labels)?;
        let default = LinearImp::default();
        let method = LinearImp {
            rounds: self.request.rounds.unwrap_or(default.rounds),
            ..default
        };
        let answer = method.recover(&problem, &b, &counts, self.request.damping())?;
        Ok(self.with_answer(&problem, answer, &counts))
    }

    fn relinearised(&self) -> Result<MadeMask> {
        let network = self.input.network;
        let counts = self.request.counts(network.layout())?;
        let default = Relinearised::default();
        let method = Relinearised {
            rounds: self.request.rounds.unwrap_or(default.rounds),
            solver: self.request.solver.unwrap_or(default.solver),
            damping: self.request.damping(),
        };
        let found = method.mask(network, &self.theta, &self.samples, &self.labels, &counts)?;
        let rounds = found.statuses.len();
        let status = found.statuses.last().copied().unwrap_or(Status::Stopped);
        let passes = found.applications + (rounds * network.classes()) as f64;
        let missing = match found.mask {
            Some(_) => None,
            None => {
                // The first round has the whole network's candidates, a later one fewer.
                let problem = self.problem()?;
                let mut missing = self.missing(&problem, status, &counts);
                missing.what = format!("{}, in round {rounds} of {}", missing.what, method.rounds);
                Some(missing)
            }
        };
        let made = self.made(None, found.mask, status, passes);
        Ok(MadeMask {
            missing,
            asked: Some(counts.iter().sum()),
            statuses: found.statuses,
            ..made
        })
    }

    fn designed(&self, criterion: DesignCriterion) -> Result<MadeMask> {
        let counts = self.request.counts(self.input.network.layout())?;
        let problem = self.problem()?;
        let found = problem.design(&DesignRequest {
            criterion,
            prior: self.request.prior(),
            damping: self.request.damping(),
            counts: &counts,
        })?;
        let passes = self.passes(&problem, found.applications);
        let missing = found
            .mask
            .is_none()
            .then(|| self.missing(&problem, found.status, &counts));
        let made = self.made(Some(&problem), found.mask, found.status, passes);
        Ok(MadeMask {
            missing,
            asked: Some(counts.iter().sum()),
            objective: Some(found.loss),
            ..made
        })
    }

    fn units(&self) -> Result<MadeMask> {
        let network = self.input.network;
        let units = Units::of(network);
        let free = units::free_families(&units, self.request.units, network)?;
        // How many weights stay depends on the numbers of units alone.
        let zeros: Vec<Vec<f64>> = units.families().iter().map(|f| vec![0.0; f.units]).collect();
        let density = self.request.density(network.layout())?;
        let (choice, _) = units::widest(&units, &free, &zeros, self.input.mask, density, network)?;
        let counts = choice.counts();
        let problem = self.problem()?;
        let b = problem.right_hand_side(&self.labels)?;
        let found = problem.recover_units(&b, &units, self.request.damping(), &counts)?;
        let passes = self.passes(&problem, found.applications);
        let missing = found.choice.is_none().then(|| {
            Missing::new(
                format!("units that {} keeps", self.request.maker),
                "as many in every width as a penalty above a millionth of the first lets in",
                counts.iter().map(ToString::to_string).collect::<Vec<_>>().join("-"),
            )
        });
        let mask = found.choice.as_ref().map(|choice| units.mask(choice));
        let made = self.made(Some(&problem), mask, found.status, passes);
        Ok(MadeMask {
            missing,
            units: found
                .choice
                .map_or_else(Vec::new, |choice| units::kept(&units, &choice)),
            penalty_ratio: Some(smallest(free.iter().map(|&f| found.penalty_ratios[f]).collect())),
            relative_gap: relative_gap(&found.certificate),
            ..made
        })
    }

    fn trimmed(&self) -> Result<MadeMask> {
        let network = self.input.network;
        let counts = self.request.counts(network.layout())?;
        let solver = match self.request.solver {
            Some(RecoveredBy::Lasso) => TrimmedBy::Lasso,
            _ => TrimmedBy::Omp,
        };
        let found = net_trim(
            network,
            &self.theta,
            &self.samples,
            &TrimRequest {
                solver,
                spread: self.request.spread(),
                order: self.request.order(),
                counts: &counts,
            },
        )?;
        let layers = found.statuses.len();
        let status = found.statuses.last().copied().unwrap_or(Status::Stopped);
        // A forward pass of the given network, and one of the pruned network a layer; the least squares are no passes.
        let passes = (1 + layers) as f64;
        let missing = found.ticket.is_none().then(|| {
            let slot = network.layout().weight_slots().nth(layers.saturating_sub(1));
            let name = slot.map_or("", |slot| slot.name.as_str());
            let expected = format!(
                "as many as its inputs on {} samples are independent",
                self.samples.rows()
            );
            Missing::new(
                format!("weights of {name} that net-trim keeps"),
                expected,
                counts[layers.saturating_sub(1)],
            )
        });
        let made = self.made(None, found.ticket.map(|t| t.mask), status, passes);
        Ok(MadeMask {
            missing,
            asked: Some(counts.iter().sum()),
            statuses: found.statuses,
            relative_residuals: found.relative_residuals,
            ..made
        })
    }
}

fn smallest(ratios: Vec<f64>) -> f64 {
    ratios.into_iter().fold(f64::INFINITY, f64::min)
}

fn relative_gap(certificate: &Certificate) -> Option<f64> {
    match certificate {
        Certificate::DualityGap { gap, scale, .. } if *scale > 0.0 => Some(gap / scale),
        _ => None,
    }
}
