//! The stages of a run kept as they end, so that what was finished is never computed twice.

use super::run::Round;
use crate::error::{Error, Result};
use crate::files;
use crate::outcome::Status;
use crate::training::{Bundle, Trainer, TrainingState};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Where the stages of a run are kept, by name, and who may interrupt it.
pub trait Keeper {
    /// The bytes kept under a name; none where there are none.
    ///
    /// # Errors
    /// When they are there and cannot be read.
    fn load(&mut self, name: &str) -> Result<Option<Vec<u8>>>;

    /// Keeps bytes under a name, whole or not at all.
    ///
    /// # Errors
    /// When they cannot be written.
    fn keep(&mut self, name: &str, bytes: &[u8]) -> Result<()>;

    /// Forgets a name, where it is known.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn forget(&mut self, name: &str) -> Result<()>;

    /// Asked at every evaluation of a training: on false it is kept as a checkpoint and the run is interrupted.
    fn go_on(&mut self) -> bool {
        true
    }

    /// Steps between two checkpoints of a training that nobody interrupts, at least 1.
    fn checkpoint_every(&self) -> usize {
        usize::MAX
    }
}

/// Keeps nothing and interrupts nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotKept;

impl Keeper for NotKept {
    fn load(&mut self, _: &str) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn keep(&mut self, _: &str, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn forget(&mut self, _: &str) -> Result<()> {
        Ok(())
    }
}

/// Keeps every stage as a file of a folder, which is made with the first of them.
pub struct StageFolder<'a> {
    folder: PathBuf,
    checkpoint_every: usize,
    go_on: &'a dyn Fn() -> bool,
}

impl std::fmt::Debug for StageFolder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = (&self.folder, self.checkpoint_every);
        f.debug_tuple("StageFolder").field(&shown).finish()
    }
}

impl<'a> StageFolder<'a> {
    /// A folder, how many steps may be lost to a power cut, and who says whether to go on.
    pub fn new(folder: impl Into<PathBuf>, checkpoint_every: usize, go_on: &'a dyn Fn() -> bool) -> Self {
        StageFolder {
            folder: folder.into(),
            checkpoint_every: checkpoint_every.max(1),
            go_on,
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.safetensors"))
    }
}

impl Keeper for StageFolder<'_> {
    fn load(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path(name);
        if path.exists() {
            files::read(&path).map(Some)
        } else {
            Ok(None)
        }
    }

    fn keep(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        files::create_folder(&self.folder)?;
        files::write_atomic(self.path(name), bytes)
    }

    fn forget(&mut self, name: &str) -> Result<()> {
        let path = self.path(name);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&path, "remove", e)),
            _ => Ok(()),
        }
    }

    fn go_on(&mut self) -> bool {
        (self.go_on)()
    }

    fn checkpoint_every(&self) -> usize {
        self.checkpoint_every
    }
}

/// A training, and the values to go back to once it has passed them.
type Passed = (TrainingState<f32>, Option<Vec<f32>>);

/// One round of a run: its name among the stages, and whose it is.
pub(super) struct Stage<'a> {
    round: usize,
    name: String,
    identity: &'a str,
}

impl<'a> Stage<'a> {
    pub fn new(round: usize, identity: &'a str) -> Self {
        Stage {
            round,
            name: format!("round-{round:02}"),
            identity,
        }
    }

    /// The finished round and, of the first one, the values that survivors go back to. What is damaged or of another
    /// run counts as absent.
    pub fn load(&self, keeper: &mut dyn Keeper, parameters: usize) -> Result<Option<(Round, Option<Vec<f32>>)>> {
        let Some(bundle) = read(keeper, &self.name)? else {
            return Ok(None);
        };
        let description = bundle.description();
        if description["identity"] != self.identity || description["round"] != self.round {
            return Ok(None);
        }
        let read = || -> Result<(Round, Option<Vec<f32>>)> {
            let finished = Round::get(Path::new(&self.name), self.round, &description["outcome"], &bundle)?;
            let rewind = (self.round == 0).then(|| bundle.get("rewind")).transpose()?;
            Ok((finished, rewind))
        };
        let fits = |(round, rewind): &(Round, Option<Vec<f32>>)| {
            let lengths = [round.mask.dimension(), round.outcome.theta.len()];
            lengths == [parameters; 2] && rewind.as_ref().is_none_or(|values| values.len() == parameters)
        };
        Ok(read().ok().filter(fits))
    }

    /// Keeps a finished round and forgets the checkpoint on its way.
    pub fn keep(&self, keeper: &mut dyn Keeper, round: &Round, rewind: Option<&[f32]>) -> Result<()> {
        let mut bundle = Bundle::new(json!({
            "kind": "round of iterative pruning",
            "identity": self.identity,
            "round": self.round,
            "outcome": round.describe(),
        }));
        round.put(&mut bundle);
        if let Some(values) = rewind {
            bundle.put("rewind", values);
        }
        keeper.keep(&self.name, &bundle.to_bytes()?)?;
        keeper.forget(&self.checkpoint())
    }

    fn checkpoint(&self) -> String {
        format!("{}.checkpoint", self.name)
    }

    /// Trains to the end, from a checkpoint where there is one, and returns the values after `rewind_at` steps as well.
    pub fn train(
        &self,
        keeper: &mut dyn Keeper,
        trainer: &Trainer<'_, f32>,
        from: &[f32],
        first: usize,
        rewind_at: Option<usize>,
    ) -> Result<Passed> {
        let (mut state, mut rewind) = match self.resume(keeper, trainer, rewind_at)? {
            Some(found) => found,
            None => (trainer.start_at(from, first)?, None),
        };
        while state.status == Status::Stopped {
            let checkpoint = state.step.saturating_add(keeper.checkpoint_every());
            let until = match rewind_at.filter(|at| *at > state.step) {
                Some(at) => checkpoint.min(at),
                None => checkpoint,
            };
            let mut interrupted = false;
            trainer.advance(&mut state, until, &mut |_| {
                interrupted = !keeper.go_on();
                !interrupted
            })?;
            if rewind_at == Some(state.step) && rewind.is_none() {
                rewind = Some(state.theta.clone());
            }
            if state.status == Status::Stopped && (interrupted || state.step >= checkpoint) {
                let mut bundle = trainer.checkpoint(&state);
                bundle.describe("run", self.identity);
                if let Some(values) = &rewind {
                    bundle.put("rewind", values);
                }
                keeper.keep(&self.checkpoint(), &bundle.to_bytes()?)?;
            }
            if state.status == Status::Stopped && interrupted {
                return Err(Error::Interrupted);
            }
        }
        // A dense training that diverged before the step to go back to leaves what it ended with.
        let missed = rewind_at.is_some() && rewind.is_none();
        let rewind = if missed { Some(state.theta.clone()) } else { rewind };
        Ok((state, rewind))
    }

    fn resume(
        &self,
        keeper: &mut dyn Keeper,
        trainer: &Trainer<'_, f32>,
        rewind_at: Option<usize>,
    ) -> Result<Option<Passed>> {
        let Some(bundle) = read(keeper, &self.checkpoint())? else {
            return Ok(None);
        };
        if bundle.description()["run"] != self.identity {
            return Ok(None);
        }
        let Ok(state) = trainer.resume(&bundle) else {
            return Ok(None);
        };
        let needed = rewind_at.is_some_and(|at| at <= state.step);
        let rewind: Option<Vec<f32>> = if needed { bundle.get("rewind").ok() } else { None };
        let fits = rewind
            .as_ref()
            .map_or(!needed, |values| values.len() == state.theta.len());
        Ok(fits.then_some((state, rewind)))
    }
}

/// The bundle kept under a name; a damaged one counts as absent.
pub(super) fn read(keeper: &mut dyn Keeper, name: &str) -> Result<Option<Bundle>> {
    let bytes = keeper.load(name)?;
    Ok(bytes.and_then(|bytes| Bundle::from_bytes(name, &bytes).ok()))
}
