//! No subcommand: the terminal.

use super::args::{self, Common};
use crate::app::screen::Screen;
use crate::app::{ColourDepth, EngineHandle, Options};
use crate::config::Config;
use crate::engine::{Engine, Job, JobKind, RankView, Setup, opener};
use crate::error::Result;
use crate::term::{self, caps::Environment};
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
pub fn run(common: &Common, config: &Config) -> Result<()> {
    let setup = common.setup()?;
    let environment = Environment::of(|name| std::env::var(name).ok());
    let (look, background_known) = common.screen.look(&environment);
    let screen = Screen { mouse: common.screen.mouse, low_bandwidth: common.screen.low_bandwidth, ..Screen::default() };
    let options = Options { look, screen, palette: config.palette.clone(), keys: config.keys.clone(), ..options(common, &setup)? };
    let ask_background = !background_known && look.depth != ColourDepth::Mono && environment.may_be_asked();
    let (send, events) = mpsc::unbounded_channel();
    let tell = Arc::new(move |event| {
        // After the loop has ended nobody listens, and nothing is lost: the engine ends next.
        let _ = send.send(event);
    });
    let engine = Engine::start(opener(setup), tell)?;
    term::run(options, ask_background, Handle(engine), events)
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
