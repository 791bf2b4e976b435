//! The whole state of the screen.

use super::action::Action;
use super::decay::DecayTab;
use super::experiments::ExperimentsTab;
use super::instrument::sides::Snapshot;
use super::jobs::Jobs;
use super::key::Key;
use super::keymap::Keymap;
use super::lab::Lab;
use super::library::LibraryTab;
use super::look::Look;
use super::map::MapTab;
use super::overlay::Overlay;
use super::palette::Palette;
use super::screen::Screen;
use super::session::{Resume, SessionTab};
use super::show::Show;
pub use super::tab::{Focus, Tab};
use crate::lab::{LibraryView, ModelView, RankView};
use crate::library::{Metric, Part};
use crate::soup::Soup;
use crate::task::Template;
use std::path::PathBuf;
use std::sync::Arc;

/// A sentence for the user, shown until Esc or for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The sentence.
    pub text: String,
    /// Whether something went wrong.
    pub bad: bool,
    /// The clock at which it disappears; `None` for complaints, which stay.
    pub until: Option<u64>,
}

/// The options that the screen starts with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Colours, background, glyphs.
    pub look: Look,
    /// Colours the user chose.
    pub palette: Palette,
    /// Mouse and line.
    pub screen: Screen,
    /// The first query.
    pub query: String,
    /// How an example becomes text.
    pub template: Template,
    /// How to rank. Layers beyond the model's are dropped; if none remain, all are compared.
    pub view: RankView,
    /// The first soup.
    pub soup: Soup,
    /// Whether the evidence of the query's examples orders the ranking, and chooses the soup until
    /// a person does. Off for recordings from before there was evidence.
    pub evidence: bool,
    /// Maximum tokens per answer.
    pub max_tokens: usize,
    /// Seed of every draw: sampled answers, the map's jitter, experiments.
    pub seed: u64,
    /// The target: the answer whose log-probability is requested.
    pub target: String,
    /// The folder that experiment reports are read from and written to; `None` keeps them in memory
    /// only.
    pub results: Option<PathBuf>,
    /// Keys that replace the default keys of commands, by command id.
    pub keys: Vec<(String, Vec<Key>)>,
    /// The snapshots of soups stored on disk; `None` if none are to be stored.
    pub snapshots: Option<Vec<Snapshot>>,
    /// The journal's path, shown to the user; `None` if there is no journal.
    pub journal: Option<String>,
    /// The sitting to resume.
    pub resume: Option<Resume>,
    /// The session to play.
    pub show: Option<Show>,
    /// Whether the screen is for an audience.
    pub present: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            look: Look::default(),
            palette: Palette::new(),
            screen: Screen::default(),
            query: String::new(),
            template: Template::Arrow,
            view: RankView { metric: Metric::Cosine, layers: 0..0, part: Part::Ssm },
            soup: Soup::default(),
            evidence: false,
            max_tokens: 16,
            seed: 0,
            target: String::new(),
            results: None,
            keys: Vec::new(),
            snapshots: None,
            journal: None,
            resume: None,
            show: None,
            present: false,
        }
    }
}

/// The state.
#[derive(Clone, Debug)]
pub struct State {
    /// Milliseconds since the start, set by [`Action::Tick`].
    pub clock: u64,
    /// Colours, background, glyphs.
    pub look: Look,
    /// Colours the user chose.
    pub palette: Palette,
    /// Mouse and line.
    pub screen: Screen,
    /// How an example becomes text.
    pub template: Template,
    /// The model, once it is loaded.
    pub model: Option<Arc<ModelView>>,
    /// The library, once it is open.
    pub library: Option<Arc<LibraryView>>,
    /// Jobs of the engine.
    pub jobs: Jobs,
    /// The tab on screen.
    pub tab: Tab,
    /// The pane in focus, per tab.
    pub focus_of: [Focus; Tab::ALL.len()],
    /// What lies above the tab.
    pub overlay: Option<Overlay>,
    /// The notice at the bottom.
    pub notice: Option<Notice>,
    /// Which keys run which commands.
    pub keymap: Keymap,
    /// The Lab tab.
    pub lab: Lab,
    /// The Map tab.
    pub map: MapTab,
    /// The Decay tab.
    pub decay: DecayTab,
    /// The Experiments tab.
    pub experiments: ExperimentsTab,
    /// The Library tab.
    pub shelf: LibraryTab,
    /// The Session tab.
    pub session: SessionTab,
    /// The sitting being resumed.
    pub resume: Option<Resume>,
    /// The session being played.
    pub show: Option<Show>,
    /// Whether the screen is for an audience: fewer panes, larger figures, keys shown.
    pub present: bool,
    /// Whether the program is to end.
    pub quitting: bool,
}

impl State {
    /// The state before anything happened.
    ///
    /// # Errors
    /// An error about keys in `options` that name no command or clash.
    pub fn new(options: Options) -> crate::error::Result<Self> {
        Ok(Self {
            clock: 0,
            look: options.look,
            palette: options.palette.clone(),
            screen: options.screen,
            template: options.template.clone(),
            model: None,
            library: None,
            jobs: Jobs::default(),
            tab: Tab::Lab,
            focus_of: Tab::ALL.map(|tab| tab.panes()[0]),
            overlay: None,
            notice: None,
            keymap: Keymap::new(&options.keys).map_err(crate::error::Error::Input)?,
            map: MapTab::new(options.view.part, options.seed),
            experiments: ExperimentsTab::new(options.results.clone(), options.seed),
            session: SessionTab::new(options.journal.clone()),
            resume: options.resume.clone(),
            show: options.show.clone(),
            present: options.present,
            lab: Lab::new(options),
            decay: DecayTab::default(),
            shelf: LibraryTab::default(),
            quitting: false,
        })
    }

    /// The pane in focus.
    pub fn focus(&self) -> Focus {
        self.focus_of[self.tab.index()]
    }

    /// Whether a typed character is text: an editor is in focus or an overlay is open.
    pub fn takes_text(&self) -> bool {
        self.overlay.is_some() || self.focus().is_editor()
    }

    /// Layers of the model; 0 before it is loaded.
    pub fn layers(&self) -> usize {
        self.model.as_ref().map_or(0, |m| m.layout.n_layer)
    }

    /// Skills in the library; 0 before it is open.
    pub fn skill_count(&self) -> usize {
        self.library.as_ref().map_or(0, |l| l.skills.len())
    }

    /// The clock at which the state needs an [`Action::Tick`], if any: the earliest of all
    /// deadlines.
    pub fn wake_at(&self) -> Option<u64> {
        if self.resume.is_some() {
            // The clock stays at the last input replayed; the engine's events drive the next one.
            return None;
        }
        let notice = self.notice.as_ref().and_then(|n| n.until);
        let show = self.show.as_ref().and_then(|show| show.wake_at(self.clock));
        [self.work_at(), notice, show].into_iter().flatten().min()
    }

    /// The clock at which work postponed until a pause is due, if any.
    pub fn work_at(&self) -> Option<u64> {
        [self.lab.weigh_at, self.lab.ask_at, self.shelf.inspect_at, self.map.run_at, self.decay.run_at].into_iter().flatten().min()
    }

    /// The action a key causes here, if any.
    pub fn action_for(&self, key: Key) -> Option<Action> {
        self.keymap.action(self, key)
    }

    /// Shows a sentence that disappears by itself.
    pub fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), bad: false, until: Some(self.clock + 4000) });
    }

    /// Shows an error message; it stays until Esc.
    pub fn complain(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), bad: true, until: None });
    }
}
