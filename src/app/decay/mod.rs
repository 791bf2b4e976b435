//! The Decay tab: a document in ordered chunks, and the single state that each rule composes from
//! the chunks' states.
//!
//! Here are the tab's values and what keys do to them. The rest of `app`, and `ui`, may use what is
//! public.
//!
//! - `values`: the values that can be typed or stepped.

mod values;

pub use values::{DecayValue, set_value, value_text};

use super::action::{Action, Motion};
use super::effect::Effect;
use super::key::Key;
use super::state::State;
use super::tab::{self, Focus, Tab, TabRow, moved};
use super::{command, editor, update};
use crate::engine::{JobKind, Request};
use crate::lab::{Cut, DecayRequest, DecaySource, DecayView, RuleResult};
use ratatui_textarea::TextArea;
use std::sync::Arc;
use values::step_cut;

/// Milliseconds without a keystroke before an edited document is read.
const READ_AFTER_MS: u64 = 300;
/// Milliseconds after a step of a parameter, so that a held key does not start a run per repeat.
const STEP_AFTER_MS: u64 = 80;

/// The source of the document in the editor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Made from task lists by the engine, with this seed.
    Sample(u64),
    /// A file, not edited.
    File(String),
    /// Typed in the editor.
    Typed,
}

/// Actions of the tab, and the answer to [`Effect::ReadDocument`].
#[derive(Clone, Debug)]
pub enum DecayAction {
    /// Change γ by this many steps of 0.01.
    Gamma(i32),
    /// More or fewer chunks.
    Chunks(i32),
    /// Make chunks twice or half as long.
    Scale {
        /// Twice rather than half.
        up: bool,
    },
    /// Sort the rules by loss, or not.
    Sort,
    /// The next sample document.
    Sample,
    /// Run the comparison again.
    Run,
    /// A file was read, or could not be read.
    Opened {
        /// The path as the user named it.
        path: String,
        /// Its text, or why it could not be read.
        text: Result<String, String>,
    },
}

impl DecayAction {
    /// The action that answers [`Effect::ReadDocument`].
    pub fn opened(path: String, text: crate::error::Result<String>) -> Self {
        Self::Opened { path, text: text.map_err(|e| e.to_string()) }
    }
}

/// The values of the tab.
#[derive(Clone, Debug)]
pub struct DecayTab {
    /// The document.
    pub document: TextArea<'static>,
    /// Its source.
    pub origin: Origin,
    /// How it is cut into chunks.
    pub cut: Cut,
    /// γ of A-decay.
    pub gamma: f64,
    /// The newest comparison.
    pub view: Option<Arc<DecayView>>,
    /// Why there is no comparison.
    pub refused: Option<String>,
    /// Whether the comparison is of the text now in the editor.
    pub marked: bool,
    /// The selected rule, as an index into the comparison's results.
    pub rule: usize,
    /// Whether the rules are sorted by loss.
    pub by_loss: bool,
    /// The selected position of the continuation.
    pub position: usize,
    /// The selected layer.
    pub layer: usize,
    /// The clock at which to request a comparison.
    pub run_at: Option<u64>,
}

impl Default for DecayTab {
    fn default() -> Self {
        Self {
            document: TextArea::default(),
            origin: Origin::Sample(0),
            cut: Cut { chunks: 4, length: 64, after: 64 },
            gamma: 1.0,
            view: None,
            refused: None,
            marked: false,
            rule: 1,
            by_loss: false,
            position: 0,
            layer: 0,
            run_at: None,
        }
    }
}

impl DecayTab {
    /// The document as one text.
    pub fn text(&self) -> String {
        self.document.lines().join("\n")
    }

    /// The document's source, in words.
    pub fn origin_text(&self) -> String {
        match &self.origin {
            Origin::Sample(seed) => format!("sample {seed}"),
            Origin::File(path) => path.clone(),
            Origin::Typed => "typed".into(),
        }
    }

    /// The selected rule's result.
    pub fn selected(&self) -> Option<&RuleResult> {
        self.view.as_ref()?.results.get(self.rule)
    }

    /// Whether the comparison used other values than those chosen now.
    pub fn is_behind(&self) -> bool {
        self.run_at.is_some() || self.view.as_ref().is_some_and(|v| v.request.cut != self.cut || v.request.gamma != self.gamma)
    }

    /// Rules in the order they are listed, as indices into the comparison's results.
    pub fn order(&self) -> Vec<usize> {
        let results = self.view.as_ref().map_or(&[][..], |v| &v.results);
        let mut order: Vec<usize> = (0..results.len()).collect();
        if self.by_loss {
            order.sort_by(|a, b| results[*a].nats().total_cmp(&results[*b].nats()));
        }
        order
    }

    fn set_text(&mut self, text: &str) {
        self.document = TextArea::new(text.split('\n').map(|l| l.trim_end_matches('\r').to_owned()).collect());
    }
}

/// Applies an action of the tab.
pub fn apply(state: &mut State, action: DecayAction) -> Vec<Effect> {
    match action {
        DecayAction::Gamma(steps) => {
            let gamma = if state.decay.gamma.is_finite() { state.decay.gamma } else { 10.0 };
            state.decay.gamma = ((gamma * 100.0).round() + f64::from(steps)).max(0.0) / 100.0;
            changed(state, STEP_AFTER_MS)
        }
        DecayAction::Chunks(by) => step_cut(state, |cut| cut.chunks = cut.chunks.saturating_add_signed(by as isize)),
        DecayAction::Scale { up } => step_cut(state, |cut| cut.length = if up { cut.length * 2 } else { cut.length / 2 }),
        DecayAction::Sort => {
            state.decay.by_loss = !state.decay.by_loss;
            Vec::new()
        }
        DecayAction::Sample => {
            state.decay.origin = match state.decay.origin {
                Origin::Sample(seed) => Origin::Sample(seed + 1),
                _ => Origin::Sample(0),
            };
            state.decay.marked = false;
            run(state)
        }
        DecayAction::Run => run(state),
        DecayAction::Opened { path, text: Ok(text) } => {
            state.decay.set_text(&text);
            state.say(format!("{path} is the document now."));
            state.decay.origin = Origin::File(path);
            state.decay.marked = false;
            run(state)
        }
        DecayAction::Opened { text: Err(why), .. } => {
            state.complain(format!("The document was not opened: {why}."));
            Vec::new()
        }
    }
}

fn changed(state: &mut State, after: u64) -> Vec<Effect> {
    state.decay.run_at = Some(state.clock + after);
    Vec::new()
}

/// Requests a comparison with the current values.
pub fn run(state: &mut State) -> Vec<Effect> {
    state.decay.run_at = None;
    if state.model.is_none() {
        return Vec::new();
    }
    state.decay.refused = None;
    let source = match state.decay.origin {
        Origin::Sample(seed) => DecaySource::Sample(seed),
        _ => DecaySource::Text(state.decay.text().into()),
    };
    if matches!(&source, DecaySource::Text(text) if text.trim().is_empty()) {
        refuse(state, "there is no document yet".into());
        return state.jobs.cancel(JobKind::Decay).into_iter().collect();
    }
    let request = DecayRequest { source, cut: state.decay.cut, gamma: state.decay.gamma };
    vec![state.jobs.send(Request::Decay(request), state.clock)]
}

/// The tab's row in the table of tabs.
pub const TAB: TabRow = TabRow {
    go: command::go("tab.decay", &["3", "alt-3"], "Decay", "Go to Decay: a document's chunks, composed by every rule.", |_| {
        Action::Tab(Tab::Decay)
    }),
    panes: &[Focus::Rules, Focus::Positions, Focus::Layers, Focus::Document],
    shown,
    motion,
    select,
    typed,
    pasted,
    copied,
    skill: tab::no_skill,
    compare: None,
};

fn select(state: &mut State, pane: Focus, row: usize) {
    if pane == Focus::Rules {
        state.decay.rule = row;
    }
}

/// The tab came to the front: requests the first comparison.
pub fn shown(state: &mut State) -> Vec<Effect> {
    let wanted = state.decay.view.is_none() && state.decay.refused.is_none();
    if wanted && !state.jobs.is_running(JobKind::Decay) { run(state) } else { Vec::new() }
}

/// Takes a comparison; a sample's text goes into the editor.
pub fn take(state: &mut State, view: Arc<DecayView>) {
    let tab = &mut state.decay;
    let is_sample = matches!((&view.request.source, &tab.origin), (DecaySource::Sample(a), Origin::Sample(b)) if a == b);
    if is_sample && tab.text() != *view.text {
        tab.set_text(&view.text);
    }
    tab.marked = tab.text() == *view.text;
    tab.rule = tab.rule.min(view.results.len().saturating_sub(1));
    tab.position = tab.position.min(view.continuation.len().saturating_sub(1));
    tab.layer = tab.layer.min(view.half_life.len().saturating_sub(1));
    tab.refused = None;
    tab.view = Some(view);
}

/// Stores why there is no comparison of this document.
pub fn refuse(state: &mut State, why: String) {
    state.decay.view = None;
    state.decay.marked = false;
    state.decay.refused = Some(why);
}

/// A key for the editor.
pub fn typed(state: &mut State, key: Key) -> Vec<Effect> {
    if state.focus() != Focus::Document {
        return Vec::new();
    }
    match editor::typed(&mut state.decay.document, key) {
        Ok(true) => return edited(state),
        Ok(false) => {}
        Err(why) => state.complain(why),
    }
    Vec::new()
}

/// A text pasted into the editor.
pub fn pasted(state: &mut State, text: &str) -> Vec<Effect> {
    if state.focus() != Focus::Document {
        return Vec::new();
    }
    let cut = editor::pasted(&mut state.decay.document, text);
    let effects = edited(state);
    update::tell(state, cut);
    effects
}

fn edited(state: &mut State) -> Vec<Effect> {
    state.decay.origin = Origin::Typed;
    state.decay.marked = false;
    changed(state, READ_AFTER_MS)
}

/// Moves the selection of the focused pane.
pub fn motion(state: &mut State, motion: Motion) {
    let focus = state.focus();
    let tab = &mut state.decay;
    let Some(view) = &tab.view else { return };
    match focus {
        Focus::Rules => {
            let order = tab.order();
            let at = order.iter().position(|r| *r == tab.rule).unwrap_or(0);
            tab.rule = order.get(moved(at, order.len(), motion)).copied().unwrap_or(0);
        }
        Focus::Positions => {
            let motion = match motion {
                Motion::Left => Motion::Up,
                Motion::Right => Motion::Down,
                other => other,
            };
            tab.position = moved(tab.position, view.continuation.len(), motion);
        }
        Focus::Layers => tab.layer = moved(tab.layer, view.half_life.len(), motion),
        _ => {}
    }
}

/// The text of the focused pane: the document, or a table with tab-separated columns.
pub fn copied(state: &State) -> Option<String> {
    let tab = &state.decay;
    if state.focus() == Focus::Document {
        return Some(tab.text());
    }
    let (view, selected) = (tab.view.as_ref()?, tab.selected()?);
    let full = view.results.first()?;
    let mut table = String::new();
    match state.focus() {
        Focus::Positions => {
            table += &format!("position\ttoken\tfull pass\t{}\n", selected.rule.name());
            for (i, ((token, full), own)) in view.continuation.iter().zip(&full.loss).zip(&selected.loss).enumerate() {
                table += &format!("{}\t{}\t{full}\t{own}\n", i + 1, token.escape_debug());
            }
        }
        Focus::Layers => {
            table += &format!("layer\trelative error of {}\tshortest half-life\tmedian\tlongest\n", selected.rule.name());
            for (layer, (error, lives)) in selected.error.iter().zip(&view.half_life).enumerate() {
                let at = |share: usize| lives.get(lives.len().saturating_sub(1) * share / 2).copied().unwrap_or(f32::NAN);
                table += &format!("{layer}\t{error}\t{}\t{}\t{}\n", at(0), at(1), at(2));
            }
        }
        _ => {
            table += "rule\tnats a token\tperplexity\tminus full pass\n";
            for rule in tab.order().into_iter().filter_map(|r| view.results.get(r)) {
                table += &format!("{}\t{}\t{}\t{}\n", rule.rule.name(), rule.nats(), rule.perplexity(), view.excess(rule));
            }
        }
    }
    Some(table)
}
