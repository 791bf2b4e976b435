//! Everything the screen knows.

use super::action::Action;
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
use crate::engine::{LibraryView, ModelView, RankView};
use crate::library::{Metric, Part};
use crate::soup::Soup;
use std::sync::Arc;

/// A tab. Adding one: a variant here, a file in `app/` for its values, one in `ui/panes/` for its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tab {
    /// Query, ranking, soup, answers.
    Lab,
    /// Scatter of the library.
    Map,
    /// The library itself.
    Library,
}

impl Tab {
    /// All, in the order they are shown.
    pub const ALL: [Self; 3] = [Self::Lab, Self::Map, Self::Library];

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Lab => "Lab",
            Self::Map => "Map",
            Self::Library => "Library",
        }
    }

    /// Its panes, in the order Tab visits them; the first is focused at the start.
    pub fn panes(self) -> &'static [Focus] {
        match self {
            Self::Lab => &[Focus::Query, Focus::Ranking, Focus::Soup, Focus::Answers, Focus::Target],
            Self::Map => &[Focus::Map, Focus::Neighbours],
            Self::Library => &[Focus::Skills, Focus::Filter],
        }
    }

    /// Its place among the tabs.
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|t| *t == self).unwrap_or(0)
    }
}

/// What keys go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Focus {
    /// The query editor.
    Query,
    /// The ranking.
    Ranking,
    /// The soup.
    Soup,
    /// The answers.
    Answers,
    /// The line with the answer whose log-probability is asked for.
    Target,
    /// The scatter.
    Map,
    /// The list of neighbours beside it.
    Neighbours,
    /// The list of skills.
    Skills,
    /// The line that filters it.
    Filter,
}

impl Focus {
    /// Whether characters typed here are text rather than commands.
    pub fn is_editor(self) -> bool {
        matches!(self, Self::Query | Self::Target | Self::Filter)
    }

    /// Its name in help.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "Query",
            Self::Ranking => "Ranking",
            Self::Soup => "Soup",
            Self::Answers => "Answers",
            Self::Target => "Target",
            Self::Map => "Map",
            Self::Neighbours => "Neighbours",
            Self::Skills => "Skills",
            Self::Filter => "Filter",
        }
    }
}

/// A sentence for the user, kept until Esc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The sentence.
    pub text: String,
    /// Whether something went wrong.
    pub bad: bool,
    /// The clock when it goes by itself; complaints stay.
    pub until: Option<u64>,
}

/// What the screen starts with.
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
    /// The template as the user gave it (`arrow`, `qa`, or their own).
    pub template: String,
    /// How to rank; layers beyond the model's are cut off, none left means all.
    pub view: RankView,
    /// The first soup.
    pub soup: Soup,
    /// Tokens at most, of each answer.
    pub max_tokens: usize,
    /// The answer whose log-probability is asked for.
    pub target: String,
    /// Other keys for commands, by id: they replace the default ones.
    pub keys: Vec<(String, Vec<Key>)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            look: Look::default(),
            palette: Palette::new(),
            screen: Screen::default(),
            query: String::new(),
            template: "arrow".into(),
            view: RankView { metric: Metric::Cosine, layers: 0..0, part: Part::Ssm },
            soup: Soup::default(),
            max_tokens: 16,
            target: String::new(),
            keys: Vec::new(),
        }
    }
}

/// Everything there is.
#[derive(Clone, Debug)]
pub struct State {
    /// Milliseconds since the start, as told by [`Action::Tick`].
    pub clock: u64,
    /// Colours, background, glyphs.
    pub look: Look,
    /// Colours the user chose.
    pub palette: Palette,
    /// Mouse and line.
    pub screen: Screen,
    /// The template's name.
    pub template: String,
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
    /// The sentence at the bottom.
    pub notice: Option<Notice>,
    /// Which keys run which commands.
    pub keymap: Keymap,
    /// The Lab tab.
    pub lab: Lab,
    /// The Map tab.
    pub map: MapTab,
    /// The Library tab.
    pub shelf: LibraryTab,
    /// Whether the program is to end.
    pub quitting: bool,
}

impl State {
    /// The state before anything happened.
    ///
    /// # Errors
    /// A sentence about keys in `options` that name no command or clash.
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
            map: MapTab::new(options.view.part),
            lab: Lab::new(options),
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
        self.model.as_ref().map_or(0, |m| m.shape.n_layer)
    }

    /// Skills in the library; 0 before it is open.
    pub fn skill_count(&self) -> usize {
        self.library.as_ref().map_or(0, |l| l.skills.len())
    }

    /// The clock at which the state wants an [`Action::Tick`], if any: the earliest of all deadlines.
    pub fn wake_at(&self) -> Option<u64> {
        let notice = self.notice.as_ref().and_then(|n| n.until);
        [self.work_at(), notice].into_iter().flatten().min()
    }

    /// The clock at which work is due that was put off until a pause, if any.
    pub fn work_at(&self) -> Option<u64> {
        [self.lab.ask_at, self.shelf.inspect_at, self.map.run_at].into_iter().flatten().min()
    }

    /// The action a key causes here, if any.
    pub fn action_for(&self, key: Key) -> Option<Action> {
        self.keymap.action(self, key)
    }

    /// Says a sentence that goes by itself.
    pub fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), bad: false, until: Some(self.clock + 4000) });
    }

    /// Says what went wrong; it stays until Esc.
    pub fn complain(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), bad: true, until: None });
    }
}
