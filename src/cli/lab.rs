//! No subcommand: the terminal.

use super::args::{self, Common};
use crate::app::{EngineHandle, Options};
use crate::engine::{Engine, Job, JobKind, RankView, Setup, opener};
use crate::error::Result;
use crate::term;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The engine as the terminal's loop sees it.
struct Handle(Engine);

impl EngineHandle for Handle {
    fn send(&self, job: Job) {
        self.0.send(job);
    }

    fn cancel(&self, kind: JobKind) {
        self.0.cancel(kind);
    }
}

/// Opens the lab. The first frame does not wait for the model: it loads on the engine's thread.
///
/// # Errors
/// Flags that make no sense, a terminal that cannot be used.
pub fn run(common: &Common) -> Result<()> {
    let setup = common.setup()?;
    let options =
        Options { look: term::caps::detect(|name| std::env::var(name).ok()), results: Some("results".into()), ..options(common, &setup)? };
    let (send, events) = mpsc::unbounded_channel();
    let tell = Arc::new(move |event| {
        // After the loop has ended nobody listens, and nothing is lost: the engine ends next.
        let _ = send.send(event);
    });
    let engine = Engine::start(opener(setup), tell)?;
    term::run(options, Handle(engine), events)
}

/// What the flags say of the screen.
///
/// # Errors
/// [`crate::error::Error::Input`] for layers that are none.
pub fn options(common: &Common, setup: &Setup) -> Result<Options> {
    // The model's layers are not known yet; the screen cuts the range to them when they are.
    let layers = common.layer.as_ref().map_or(Ok(0..0), |text| args::layers(text, usize::MAX))?;
    Ok(Options {
        template: setup.build.template.clone(),
        view: RankView { metric: common.metric.into(), layers, part: common.part.into() },
        ..Options::default()
    })
}
