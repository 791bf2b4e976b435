//! The Lab tab: query, ranking, soup, answers.

use super::action::{Action, Compare, Motion};
use super::effect::Effect;
use super::instrument::Instruments;
use super::instrument::sides::Sides;
use super::key::{Key, KeyCode};
use super::line::Line;
use super::soup_edit::{Bench, parse_layers, rows};
use super::state::{Options, State};
use super::tab::{self, Focus, Tab, TabRow};
use super::{bench, command, editor, update};
use crate::engine::{Generation, JobKind, Request};
use crate::lab::{Answer, AnswerFrom, AskRequest, Decoding, Evidence, Gain, RankView};
use crate::library::{Metric, Part, Ranking};
use crate::soup::{Recipe, Soup};
use crate::task::{Template, parse_query};
use ratatui_textarea::TextArea;
use std::sync::Arc;

/// Milliseconds without a keystroke before the answers are requested.
pub const ASK_AFTER_MS: u64 = 120;

/// Milliseconds without a keystroke before the evidence is requested. Shorter than for the answers,
/// which depend on it.
pub const WEIGH_AFTER_MS: u64 = 60;

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

    /// Rows of the list.
    pub fn rank_rows(&self) -> usize {
        self.ranking.as_ref().map_or(0, |r| if self.by_task { r.by_task.len() } else { r.ranking.len() })
    }

    /// The skill of the selected row; for a task, its best skill.
    pub fn selected_skill(&self) -> Option<&str> {
        let ranking = self.ranking.as_ref()?;
        if self.by_task {
            ranking.by_task.get(self.selected).map(|t| t.skill.as_str())
        } else {
            ranking.ranking.get(self.selected).map(|s| s.skill.as_str())
        }
    }

    /// Takes a new ranking.
    pub fn take_ranking(&mut self, ranking: Arc<Ranking>) {
        self.by_similarity = Some(ranking);
        self.arrange();
    }

    /// Shows another ranking. The top row stays the top row; any other selection follows its skill
    /// or task.
    fn show(&mut self, ranking: Arc<Ranking>) {
        let key = |r: &Ranking, i: usize| {
            if self.by_task { r.by_task.get(i).map(|t| t.task.clone()) } else { r.ranking.get(i).map(|s| s.skill.clone()) }
        };
        if self.selected > 0
            && let Some(chosen) = self.ranking.as_deref().and_then(|old| key(old, self.selected))
        {
            let found = if self.by_task {
                ranking.by_task.iter().position(|t| t.task == chosen)
            } else {
                ranking.ranking.iter().position(|s| s.skill == chosen)
            };
            self.selected = found.unwrap_or(0);
        }
        self.ranking = Some(ranking);
        self.selected = self.selected.min(self.rank_rows().saturating_sub(1));
    }

    /// Takes the evidence; the soup follows it unless a person has changed the soup.
    pub fn take_evidence(&mut self, evidence: Arc<Evidence>) {
        self.bench.follow(&evidence.auto);
        self.evidence = Some(evidence);
        self.arrange();
    }

    /// Shows the tasks in the order of the evidence if it is switched on and there; tasks without
    /// evidence follow by similarity.
    pub fn arrange(&mut self) {
        let Some(similarity) = self.by_similarity.clone() else { return };
        let Some(evidence) = self.present_evidence().filter(|_| self.by_evidence) else { return self.show(similarity) };
        let mut shown = (*similarity).clone();
        // A stable sort: tasks that were not read keep their order, at the end.
        shown.by_task.sort_by_key(|t| evidence.place(&t.task));
        if let Some(before) = &self.ranking {
            shown.count_changes(before);
        }
        self.show(Arc::new(shown));
    }

    /// The evidence, if it belongs to the query that was ranked last.
    pub fn present_evidence(&self) -> Option<&Evidence> {
        let ranking = self.by_similarity.as_deref()?;
        self.evidence.as_deref().filter(|e| e.read == ranking.read && Some(&e.view) == ranking.view.as_ref())
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

/// The row of the ranking that holds a skill or its task.
pub fn row_of(lab: &Lab, skill: &str) -> Option<usize> {
    let ranking = lab.ranking.as_ref()?;
    if lab.by_task {
        let task = ranking.ranking.iter().find(|s| s.skill == skill).map(|s| s.task.as_str());
        ranking.by_task.iter().position(|t| Some(t.task.as_str()) == task)
    } else {
        ranking.ranking.iter().position(|s| s.skill == skill)
    }
}

/// The name of a similarity.
pub fn metric_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Cosine => "cosine",
        Metric::L2 => "L2",
        Metric::ZCosine => "z-cosine",
    }
}

/// The name of a part of the state.
pub fn part_name(part: Part) -> &'static str {
    match part {
        Part::Ssm => "ssm",
        Part::Conv => "conv",
    }
}

/// The other part.
pub fn other_part(part: Part) -> Part {
    match part {
        Part::Ssm => Part::Conv,
        Part::Conv => Part::Ssm,
    }
}

/// The query changed: ranks at once, requests answers after a pause.
pub fn query_changed(state: &mut State) -> Vec<Effect> {
    state.lab.ask_at = Some(state.clock + ASK_AFTER_MS);
    state.lab.weigh_at = state.lab.weighs.then(|| state.clock + WEIGH_AFTER_MS);
    rank(state)
}

/// Requests the evidence of the query's examples, unless it is known.
pub fn weigh(state: &mut State) -> Vec<Effect> {
    state.lab.weigh_at = None;
    let query = state.lab.query_text();
    if query.trim().is_empty() || state.model.is_none() || state.skill_count() == 0 {
        return Vec::new();
    }
    // An edit of the unfinished line does not change the examples' evidence.
    let running = state.jobs.is_running(JobKind::Weigh) || state.jobs.is_running(JobKind::Rank);
    if !running && state.lab.present_evidence().is_some_and(Evidence::is_whole) {
        return Vec::new();
    }
    let request = Request::Weigh { query, view: state.lab.view.clone() };
    vec![state.jobs.send(request, state.clock)]
}

/// The comparison of skills changed.
pub fn view_changed(state: &mut State) -> Vec<Effect> {
    query_changed(state)
}

/// Sends a ranking job, or clears the list if there is nothing to rank.
pub fn rank(state: &mut State) -> Vec<Effect> {
    let query = state.lab.query_text();
    if query.trim().is_empty() {
        state.lab.ranking = None;
        state.lab.by_similarity = None;
        state.lab.evidence = None;
        state.lab.weigh_at = None;
        state.lab.bench.follow(&Soup::default());
        state.lab.selected = 0;
        return [JobKind::Rank, JobKind::Weigh].into_iter().filter_map(|kind| state.jobs.cancel(kind)).collect();
    }
    if state.model.is_none() || state.skill_count() == 0 {
        return Vec::new();
    }
    let request = Request::Rank { query, view: state.lab.view.clone() };
    vec![state.jobs.send(request, state.clock)]
}

/// Sends a request for all answers.
pub fn ask(state: &mut State) -> Vec<Effect> {
    state.lab.ask_at = None;
    let query = state.lab.query_text();
    if query.trim().is_empty() {
        state.lab.answers = [const { None }; 5];
        return state.jobs.cancel(JobKind::Ask).into_iter().collect();
    }
    if state.model.is_none() {
        return Vec::new();
    }
    // A user who has just ended a line is still typing: there is nothing to answer yet, and nothing
    // to report.
    if !has_question(&query, &state.template) {
        return state.jobs.cancel(JobKind::Ask).into_iter().collect();
    }
    let request = ask_request(state);
    vec![state.jobs.send(Request::Ask(request), state.clock)]
}

/// Whether the query ends in an unfinished line.
fn has_question(query: &str, template: &Template) -> bool {
    !parse_query(query, template).tail.is_empty()
}

/// The request to send now: every answer that can be given.
pub fn ask_request(state: &State) -> AskRequest {
    let library = state.skill_count() > 0;
    // While the evidence chooses, the engine resolves the soup, so the answer uses the whole
    // evidence even if only part of it has been reported here.
    let soup = if state.lab.bench.auto { library.then_some(Recipe::Auto) } else { state.lab.bench.soup.to_recipe() };
    let wanted = |from: &AnswerFrom| match from {
        AnswerFrom::Soup => soup.is_some(),
        AnswerFrom::BestSkill | AnswerFrom::Full => library,
        AnswerFrom::ZeroShot | AnswerFrom::Query => true,
    };
    let from = AnswerFrom::ALL.into_iter().filter(wanted).collect();
    let target = Some(state.lab.target.text()).filter(|t| !t.trim().is_empty()).map(str::to_owned);
    AskRequest {
        query: state.lab.query_text(),
        soup,
        view: state.lab.view.clone(),
        by_evidence: state.lab.weighs && state.lab.by_evidence,
        from,
        max_tokens: state.lab.max_tokens,
        decoding: state.lab.decoding.clone(),
        target,
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

/// The selection after a movement, in a list of `len` rows.
pub fn moved(at: usize, len: usize, motion: Motion) -> usize {
    let last = len.saturating_sub(1);
    match motion {
        Motion::Up => at.saturating_sub(1),
        Motion::Down => (at + 1).min(last),
        Motion::PageUp => at.saturating_sub(10),
        Motion::PageDown => (at + 10).min(last),
        Motion::First => 0,
        Motion::Last => last,
        Motion::Left | Motion::Right => at,
    }
}

/// The next similarity.
pub fn next_metric(metric: Metric) -> Metric {
    match metric {
        Metric::Cosine => Metric::ZCosine,
        Metric::ZCosine => Metric::L2,
        Metric::L2 => Metric::Cosine,
    }
}

/// Shifts the compared range by `shift` layers, and widens its end by `grow` layers.
pub fn move_layers(state: &mut State, shift: i32, grow: i32) -> Vec<Effect> {
    let layers = state.layers();
    let range = &state.lab.view.layers;
    let start = range.start.saturating_add_signed(shift as isize);
    let end = range.end.saturating_add_signed((shift + grow) as isize);
    // A shift below layer 0 would also shorten the range.
    let fell = shift < 0 && range.start == 0;
    if fell || start >= end || end > layers {
        return Vec::new();
    }
    state.lab.view.layers = start..end;
    view_changed(state)
}

/// Sets the compared layers from text.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn set_layers(state: &mut State, text: &str) -> Result<Vec<Effect>, String> {
    let layers = state.layers();
    state.lab.view.layers = parse_layers(text, layers)?.unwrap_or(0..layers);
    Ok(view_changed(state))
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
