//! The Lab tab: query, ranking, soup, answers.
//!
//! Here are the tab's values and what keys do to them. The rest of `app`, and `ui`, may use what is
//! public.
//!
//! - `ranking`: the order of the list and its selection.
//! - `compared`: similarity, part and layers that the ranking compares.
//! - `requests`: what the engine is asked for, and when.

mod compared;
mod ranking;
mod requests;

pub use compared::{metric_name, move_layers, next_metric, other_part, part_name, set_layers, view_changed};
pub use ranking::row_of;
pub use requests::{ASK_AFTER_MS, WEIGH_AFTER_MS, ask, ask_request, query_changed, rank, weigh};

use super::action::{Action, Compare, Motion};
use super::effect::Effect;
use super::instrument::Instruments;
use super::instrument::sides::Sides;
use super::key::{Key, KeyCode};
use super::line::Line;
use super::soup_edit::{Bench, rows};
use super::state::{Options, State};
use super::tab::{self, Focus, Tab, TabRow, moved};
use super::{bench, command, editor, update};
use crate::engine::Generation;
use crate::lab::{Answer, AnswerFrom, Decoding, Evidence, Gain, RankView};
use crate::library::Ranking;
use ratatui_textarea::TextArea;
use std::sync::Arc;

/// A change of the tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabAction {
    /// Rank tasks or skills.
    ToggleGrouping,
    /// Switch to the next similarity.
    NextMetric,
    /// Switch between the order by evidence and by similarity alone.
    ToggleEvidence,
    /// Widen (+) or narrow (−) the range of compared layers.
    GrowLayers(i32),
    /// Request all answers again.
    AskAgain,
    /// Switch between greedy and sampled decoding.
    ToggleSampling,
}

/// An answer on screen and the request it belongs to.
#[derive(Clone, Debug)]
pub struct ShownAnswer {
    /// The answer.
    pub answer: Answer,
    /// The generation of its request.
    pub generation: Generation,
}

/// The values of the tab.
#[derive(Clone, Debug)]
pub struct Lab {
    /// The query.
    pub query: TextArea<'static>,
    /// The target: the answer whose log-probability is requested; empty if none.
    pub target: Line,
    /// How skills are ranked.
    pub view: RankView,
    /// Whether the list shows tasks rather than skills.
    pub by_task: bool,
    /// The newest ranking as shown: by similarity, with tasks by posterior once the evidence is
    /// there.
    pub ranking: Option<Arc<Ranking>>,
    /// The newest ranking by similarity alone.
    by_similarity: Option<Arc<Ranking>>,
    /// Whether evidence is requested at all.
    pub weighs: bool,
    /// Whether the list is in the order of the evidence, where there is some.
    pub by_evidence: bool,
    /// The newest evidence from the query's examples.
    pub evidence: Option<Arc<Evidence>>,
    /// The clock at which to request evidence.
    pub weigh_at: Option<u64>,
    /// The soup's gain on the query's own examples, and the generation of its request.
    pub gain: Option<(Generation, Gain)>,
    /// The selected row of the list.
    pub selected: usize,
    /// The soup.
    pub bench: Bench,
    /// The answers, in the order of [`AnswerFrom::ALL`].
    pub answers: [Option<ShownAnswer>; 5],
    /// The selected answer.
    pub answer: usize,
    /// Greedy or sampled.
    pub decoding: Decoding,
    /// Seed of sampled answers.
    pub seed: u64,
    /// Maximum tokens per answer.
    pub max_tokens: usize,
    /// The clock at which to request answers.
    pub ask_at: Option<u64>,
    /// Snapshots, A/B, and the instruments' readings.
    pub instruments: Instruments,
}

impl Lab {
    /// The tab at the start.
    pub fn new(options: Options) -> Self {
        let mut lab = Self {
            query: TextArea::default(),
            target: Line::new(&options.target),
            view: options.view,
            by_task: true,
            ranking: None,
            by_similarity: None,
            weighs: options.evidence,
            by_evidence: true,
            evidence: None,
            weigh_at: None,
            gain: None,
            selected: 0,
            bench: Bench::new(options.soup, options.evidence),
            answers: [const { None }; 5],
            answer: 1,
            decoding: Decoding::Greedy,
            seed: options.seed,
            max_tokens: options.max_tokens.max(1),
            ask_at: None,
            instruments: Instruments {
                sides: Sides::new(options.snapshots, options.resume.is_some() || options.show.is_some()),
                ..Instruments::default()
            },
        };
        lab.set_query(&options.query);
        lab
    }

    /// Replaces the query and puts the cursor at its end.
    pub fn set_query(&mut self, text: &str) {
        self.query = TextArea::new(text.split('\n').map(str::to_owned).collect());
        self.query.move_cursor(ratatui_textarea::CursorMove::Bottom);
        self.query.move_cursor(ratatui_textarea::CursorMove::End);
    }

    /// The query as one text.
    pub fn query_text(&self) -> String {
        self.query.lines().join("\n")
    }

    /// Limits the layers to those of the model.
    pub fn fit_layers(&mut self, layers: usize) {
        let range = self.view.layers.start.min(layers)..self.view.layers.end.min(layers);
        self.view.layers = if range.is_empty() { RankView::default_layers(layers) } else { range };
        let soup = &mut self.bench.soup;
        if soup.layers.as_ref().is_some_and(|range| range.end > layers) {
            soup.layers = None;
        }
        if soup.layer_weights.as_ref().is_some_and(|weights| weights.len() != layers) {
            soup.layer_weights = None;
        }
    }
}

/// The tab's row in the table of tabs.
pub const TAB: TabRow = TabRow {
    go: command::go("tab.lab", &["1", "alt-1", "f2"], "Lab", "Go to the Lab: query, ranking, soup, answers.", |_| Action::Tab(Tab::Lab)),
    panes: &[Focus::Query, Focus::Ranking, Focus::Soup, Focus::Answers, Focus::Target],
    shown: tab::at_rest,
    motion,
    select,
    typed,
    pasted,
    copied,
    skill: |state| state.lab.selected_skill().map(str::to_owned),
    compare: Some(compare),
};

/// Applies a change of the tab.
pub fn apply(state: &mut State, action: LabAction) -> Vec<Effect> {
    match action {
        LabAction::ToggleGrouping => {
            let skill = state.lab.selected_skill().map(str::to_owned);
            state.lab.by_task = !state.lab.by_task;
            state.lab.selected = skill.and_then(|skill| row_of(&state.lab, &skill)).unwrap_or(0);
            Vec::new()
        }
        LabAction::ToggleEvidence => {
            state.lab.by_evidence = !state.lab.by_evidence;
            state.lab.arrange();
            // The best skill is the first of the list.
            bench::changed(state);
            Vec::new()
        }
        LabAction::NextMetric => {
            state.lab.view.metric = next_metric(state.lab.view.metric);
            view_changed(state)
        }
        LabAction::GrowLayers(by) => move_layers(state, 0, by),
        LabAction::AskAgain => ask(state),
        LabAction::ToggleSampling => toggle_sampling(state),
    }
}

fn compare(state: &mut State, change: Compare) -> Vec<Effect> {
    match change {
        Compare::NextPart => {
            state.lab.view.part = other_part(state.lab.view.part);
            view_changed(state)
        }
        Compare::ShiftLayers(by) => move_layers(state, by, 0),
        Compare::NextSeed => next_seed(state),
    }
}

fn select(state: &mut State, pane: Focus, row: usize) {
    let lab = &mut state.lab;
    match pane {
        Focus::Ranking if row < lab.rank_rows() => lab.selected = row,
        Focus::Soup => lab.bench.selected = row,
        Focus::Answers => lab.answer = row,
        _ => {}
    }
}

fn typed(state: &mut State, key: Key) -> Vec<Effect> {
    match state.focus() {
        Focus::Query => match editor::typed(&mut state.lab.query, key) {
            Ok(true) => return query_changed(state),
            Ok(false) => {}
            Err(why) => state.complain(why),
        },
        Focus::Target if key.code == KeyCode::Enter => return update::focus_on(state, Focus::Answers),
        Focus::Target if state.lab.target.input(key) => bench::changed(state),
        _ => {}
    }
    Vec::new()
}

fn pasted(state: &mut State, text: &str) -> Vec<Effect> {
    let (effects, cut) = match state.focus() {
        Focus::Query => {
            let cut = editor::pasted(&mut state.lab.query, text);
            (query_changed(state), cut)
        }
        Focus::Target => {
            let cut = state.lab.target.insert(text);
            bench::changed(state);
            (Vec::new(), cut)
        }
        _ => return Vec::new(),
    };
    update::tell(state, cut);
    effects
}

/// The query, the target, the ranking as a table, the recipe or an answer.
fn copied(state: &State) -> Option<String> {
    let lab = &state.lab;
    match state.focus() {
        Focus::Query => Some(lab.query_text()),
        Focus::Target => Some(lab.target.text().to_owned()),
        Focus::Ranking => lab.ranking.as_ref().map(|r| {
            let rows = r.ranking.iter().enumerate().map(|(i, s)| format!("{}\t{}\t{}\t{}\n", i + 1, s.task, s.skill, s.score));
            std::iter::once("rank\ttask\tskill\tscore\n".to_owned()).chain(rows).collect()
        }),
        Focus::Soup => lab.bench.soup.to_recipe().map(|r| r.to_string()),
        Focus::Answers => lab.answers[lab.answer.min(AnswerFrom::ALL.len() - 1)].as_ref().map(|a| a.answer.text.clone()),
        _ => None,
    }
}

/// Moves the selection of the focused pane.
pub fn motion(state: &mut State, motion: Motion) {
    let lab = &mut state.lab;
    match state.focus_of[Tab::Lab.index()] {
        Focus::Ranking => lab.selected = moved(lab.selected, lab.rank_rows(), motion),
        Focus::Soup => lab.bench.selected = moved(lab.bench.selected, rows(&lab.bench.soup).len(), motion),
        Focus::Answers => {
            let motion = match motion {
                Motion::Left => Motion::Up,
                Motion::Right => Motion::Down,
                other => other,
            };
            lab.answer = moved(lab.answer, AnswerFrom::ALL.len(), motion);
        }
        _ => {}
    }
}

/// Switches between greedy and sampled decoding.
pub fn toggle_sampling(state: &mut State) -> Vec<Effect> {
    state.lab.decoding = match state.lab.decoding {
        Decoding::Greedy => Decoding::Sample { temperature: 1.0, top_p: 0.95, seed: state.lab.seed },
        Decoding::Sample { .. } => Decoding::Greedy,
    };
    ask(state)
}

/// Switches to the next seed of sampled answers.
pub fn next_seed(state: &mut State) -> Vec<Effect> {
    match &mut state.lab.decoding {
        Decoding::Greedy => {
            state.say("Greedy answers need no seed; `d` turns sampling on.");
            Vec::new()
        }
        Decoding::Sample { seed, .. } => {
            *seed += 1;
            ask(state)
        }
    }
}
