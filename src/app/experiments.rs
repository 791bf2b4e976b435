//! The Experiments tab: the claims measured here, one after the other, and their results.

use super::action::{Action, Motion};
use super::command;
use super::effect::Effect;
use super::lab::moved;
use super::state::State;
use super::tab::{self, Focus, Tab, TabRow};
use crate::engine::{Request, ResultsRequest};
use crate::experiment::{ALL, Figure, Heat, Picture, Report, Settings, Table};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One change of the tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExperimentsAction {
    /// Run the selected one; if it is done, only when `again` is set.
    Run {
        /// Whether a finished one is run once more.
        again: bool,
    },
    /// Run all that are not done.
    RunAll,
    /// Switch between quick and thorough.
    ToggleThorough,
    /// Show the next view of a report.
    NextView,
    /// Show the next (+1) or previous (−1) picture or table of the report.
    Turn(i32),
}

/// The part of a report on screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Verdicts and one picture.
    Picture,
    /// One table.
    Table,
    /// All findings, settings and circumstances.
    Text,
}

/// The reports of one experiment.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// The last complete report.
    pub report: Option<Arc<Report>>,
    /// Whether it was read from the results folder rather than measured in this sitting.
    pub loaded: bool,
    /// The partial report of a run that is running or stopped.
    pub partial: Option<Arc<Report>>,
    /// Why the last run failed.
    pub failed: Option<String>,
}

/// The status of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Never run.
    NotRun,
    /// Queued.
    Waiting,
    /// Running.
    Running,
    /// Cancelled; the partial report is shown.
    Stopped,
    /// Failed.
    Failed,
    /// There is a complete report.
    Done,
}

/// A curve: its label and points.
pub type Curve = (String, Vec<(f64, f64)>);

/// A picture as the tab shows it.
#[derive(Clone, Copy, Debug)]
pub enum Plate<'a> {
    /// Curves.
    Curves(&'a Figure, &'a [Curve]),
    /// A heat map.
    Heat(&'a Figure, &'a Heat),
    /// A table's rows as values with intervals. The index is the value's column; low and high
    /// follow it.
    Intervals(&'a Table, usize),
}

/// The values of the tab.
#[derive(Clone, Debug)]
pub struct ExperimentsTab {
    /// One entry for each of [`ALL`].
    pub entries: Vec<Entry>,
    /// The selected one.
    pub selected: usize,
    /// Thorough rather than quick.
    pub thorough: bool,
    /// Seed of the first draw, from the lab's options.
    pub seed: u64,
    /// The part of the report on screen.
    pub view: View,
    /// The selected picture.
    pub picture: usize,
    /// The curve, or row, in front.
    pub curve: usize,
    /// The index along the axis at which values are read; `None` is the last.
    pub at: Option<usize>,
    /// The selected table.
    pub table: usize,
    /// First visible row of the table or text.
    pub scroll: usize,
    /// The running one.
    pub running: Option<usize>,
    /// Those queued.
    pub queue: VecDeque<usize>,
    /// The folder that reports are read from and written to; `None` keeps them in memory only.
    pub results: Option<PathBuf>,
    /// Whether reading of the results folder has been requested.
    pub asked: bool,
}

impl ExperimentsTab {
    /// The tab at the start.
    pub fn new(results: Option<PathBuf>, seed: u64) -> Self {
        Self {
            entries: vec![Entry::default(); ALL.len()],
            selected: 0,
            thorough: false,
            seed,
            view: View::Picture,
            picture: 0,
            curve: 0,
            at: None,
            table: 0,
            scroll: 0,
            running: None,
            queue: VecDeque::new(),
            results,
            asked: false,
        }
    }

    /// The settings of the next run.
    pub fn settings(&self) -> Settings {
        Settings { seed: self.seed, ..if self.thorough { Settings::thorough() } else { Settings::quick() } }
    }

    /// The status of an experiment.
    pub fn stand(&self, index: usize) -> Stand {
        let Some(entry) = self.entries.get(index) else { return Stand::NotRun };
        if self.running == Some(index) {
            Stand::Running
        } else if self.queue.contains(&index) {
            Stand::Waiting
        } else if entry.failed.is_some() {
            Stand::Failed
        } else if entry.report.is_some() {
            Stand::Done
        } else if entry.partial.is_some() {
            Stand::Stopped
        } else {
            Stand::NotRun
        }
    }

    /// The report shown for an experiment: the partial one, else the last complete one.
    pub fn report(&self, index: usize) -> Option<&Arc<Report>> {
        let entry = self.entries.get(index)?;
        entry.partial.as_ref().or(entry.report.as_ref())
    }

    /// The report on screen.
    pub fn shown(&self) -> Option<&Arc<Report>> {
        self.report(self.selected)
    }

    /// Whether there is a complete report with the settings of the next run.
    fn is_done(&self, index: usize) -> bool {
        let wanted = self.settings().to_string();
        let report = self.entries.get(index).and_then(|e| e.report.as_ref());
        report.is_some_and(|r| r.run_value("settings") == Some(wanted.as_str()))
    }

    fn rewind(&mut self) {
        (self.picture, self.curve, self.at, self.table, self.scroll) = (0, 0, None, 0, 0);
    }
}

/// The pictures of a report: its figures, then the tables with intervals.
pub fn plates(report: &Report) -> Vec<Plate<'_>> {
    let interval = |t: &Table| t.columns.windows(3).position(|w| w[1].ends_with("low") && w[2].ends_with("high"));
    let tables = report.tables.iter().filter(|t| !t.rows.is_empty());
    let figures = report.figures.iter().filter(|f| !f.is_empty()).map(|figure| match &figure.picture {
        Picture::Curves(curves) => Plate::Curves(figure, curves),
        Picture::Heat(heat) => Plate::Heat(figure, heat),
    });
    figures.chain(tables.filter_map(|t| interval(t).map(|c| Plate::Intervals(t, c)))).collect()
}

/// The distinct positions along the axis of some curves, ascending.
pub fn places(curves: &[Curve]) -> Vec<f64> {
    let mut all: Vec<f64> = curves.iter().flat_map(|(_, p)| p.iter().map(|p| p.0)).filter(|x| x.is_finite()).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

/// Applies a change.
pub fn apply(state: &mut State, action: ExperimentsAction) -> Vec<Effect> {
    let tab = &mut state.experiments;
    match action {
        ExperimentsAction::Run { again } => {
            let index = tab.selected;
            if matches!(tab.stand(index), Stand::Running | Stand::Waiting) {
                state.say(format!("{} is under way; Esc stops it.", ALL[index].name));
                return Vec::new();
            }
            if tab.is_done(index) && !again {
                state.say(format!("{} is done with these settings; R runs it again.", ALL[index].name));
                return Vec::new();
            }
            tab.queue.push_back(index);
            next(state)
        }
        ExperimentsAction::RunAll => {
            let left: Vec<usize> =
                (0..ALL.len()).filter(|i| !tab.is_done(*i) && !matches!(tab.stand(*i), Stand::Running | Stand::Waiting)).collect();
            if left.is_empty() && tab.running.is_none() {
                state.say("All are done with these settings; R runs the selected one again.");
                return Vec::new();
            }
            tab.queue.extend(left);
            next(state)
        }
        ExperimentsAction::ToggleThorough => {
            tab.thorough = !tab.thorough;
            let settings = tab.settings();
            let name = if tab.thorough { "Thorough" } else { "Quick" };
            state.say(format!("{name}: {settings}."));
            Vec::new()
        }
        ExperimentsAction::NextView => {
            tab.view = match tab.view {
                View::Picture => View::Table,
                View::Table => View::Text,
                View::Text => View::Picture,
            };
            tab.scroll = 0;
            Vec::new()
        }
        ExperimentsAction::Turn(by) => {
            let Some(report) = tab.shown().cloned() else { return Vec::new() };
            let turned = |at: usize, len: usize| if len == 0 { 0 } else { (at as i32 + by).rem_euclid(len as i32) as usize };
            match tab.view {
                View::Picture => (tab.picture, tab.curve, tab.at) = (turned(tab.picture, plates(&report).len()), 0, None),
                View::Table => (tab.table, tab.scroll) = (turned(tab.table, report.tables.len()), 0),
                View::Text => {}
            }
            Vec::new()
        }
    }
}

/// The tab's row in the table of tabs.
pub const TAB: TabRow = TabRow {
    go: command::go("tab.experiments", &["4", "alt-4"], "Experiments", "Go to the Experiments: the claims, measured here.", |_| {
        Action::Tab(Tab::Experiments)
    }),
    panes: &[Focus::Experiments, Focus::Result],
    shown,
    motion,
    select,
    typed: tab::not_typed,
    pasted: tab::not_pasted,
    copied: copy_text,
    skill: tab::no_skill,
    compare: None,
};

fn select(state: &mut State, pane: Focus, row: usize) {
    if pane == Focus::Experiments {
        state.experiments.selected = row;
    }
}

/// The tab came to the front: reads earlier results, once.
pub fn shown(state: &mut State) -> Vec<Effect> {
    let Some(dir) = state.experiments.results.clone().filter(|_| !state.experiments.asked) else { return Vec::new() };
    state.experiments.asked = true;
    vec![state.jobs.send(Request::Results(ResultsRequest::Load(dir)), state.clock)]
}

/// A sitting was resumed: reads its experiments' results from the folder again, because the
/// experiments are not run again.
pub fn look_again(state: &mut State) -> Vec<Effect> {
    let asked = std::mem::take(&mut state.experiments.asked);
    if asked { shown(state) } else { Vec::new() }
}

/// Starts the next experiment, if none is running.
pub fn next(state: &mut State) -> Vec<Effect> {
    if state.experiments.running.is_some() {
        return Vec::new();
    }
    let Some(index) = state.experiments.queue.pop_front() else { return Vec::new() };
    state.experiments.running = Some(index);
    let entry = &mut state.experiments.entries[index];
    (entry.partial, entry.failed) = (None, None);
    let request = Request::Experiment { name: ALL[index].name.into(), settings: state.experiments.settings() };
    vec![state.jobs.send(request, state.clock)]
}

/// Takes a report of the running one; a complete report is written to the results folder.
pub fn take(state: &mut State, report: Arc<Report>, complete: bool) -> Vec<Effect> {
    let Some(index) = state.experiments.running else { return Vec::new() };
    let entry = &mut state.experiments.entries[index];
    if !complete {
        entry.partial = Some(report);
        return Vec::new();
    }
    (entry.report, entry.partial, entry.loaded) = (Some(Arc::clone(&report)), None, false);
    let Some(dir) = state.experiments.results.clone() else { return Vec::new() };
    save(state, dir, vec![report], false)
}

/// The running one has ended. `failure` says why it failed; `None` if it completed or was
/// cancelled.
pub fn ended(state: &mut State, failure: Option<String>) -> Vec<Effect> {
    if let Some(index) = state.experiments.running.take() {
        let entry = &mut state.experiments.entries[index];
        entry.failed = failure;
        if entry.report.is_some() {
            entry.partial = None;
        }
    }
    next(state)
}

/// Cancels the running one and empties the queue; complete reports stay.
pub fn stop(state: &mut State) {
    state.experiments.queue.clear();
    // The queue is empty, so nothing follows.
    ended(state, None);
}

/// Takes reports that were read; those measured in this sitting take precedence.
pub fn loaded(state: &mut State, reports: Vec<Arc<Report>>, left_out: &[String]) {
    for report in reports {
        let Some(index) = ALL.iter().position(|e| e.name == report.name) else { continue };
        let entry = &mut state.experiments.entries[index];
        if entry.report.is_none() {
            (entry.report, entry.loaded) = (Some(report), true);
        }
    }
    if !left_out.is_empty() {
        state.complain(left_out.join(" "));
    }
}

/// Reports where reports were written, and which existing ones were not overwritten.
pub fn saved(state: &mut State, folders: &[PathBuf], kept: &[PathBuf]) {
    let list = |paths: &[PathBuf]| paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
    let mut text = Vec::new();
    if !folders.is_empty() {
        text.push(format!("Written to {}.", list(folders)));
    }
    if !kept.is_empty() {
        text.push(format!("{} holds a report of other settings and was left as it is; e writes over it.", list(kept)));
    }
    state.say(text.join(" "));
}

/// Writes every complete report into a folder typed by the user.
///
/// # Errors
/// A sentence if no folder is named or there is nothing to write.
pub fn export(state: &mut State, folder: &str) -> Result<Vec<Effect>, String> {
    let folder = folder.trim();
    if folder.is_empty() {
        return Err("Name a folder; each experiment gets one of its own inside.".into());
    }
    let reports: Vec<Arc<Report>> = state.experiments.entries.iter().filter_map(|e| e.report.clone()).collect();
    if reports.is_empty() {
        return Err("No experiment is done yet.".into());
    }
    Ok(save(state, Path::new(folder).to_owned(), reports, true))
}

fn save(state: &mut State, dir: PathBuf, reports: Vec<Arc<Report>>, replace: bool) -> Vec<Effect> {
    vec![state.jobs.send(Request::Results(ResultsRequest::Save { dir, reports, replace }), state.clock)]
}

/// Moves the selection in the focused pane: through the list, along the axis and through the
/// curves, or through the lines.
pub fn motion(state: &mut State, motion: Motion) {
    let in_list = state.focus_of[Tab::Experiments.index()] == Focus::Experiments;
    let tab = &mut state.experiments;
    if in_list {
        let selected = moved(tab.selected, ALL.len(), motion);
        if selected != tab.selected {
            tab.selected = selected;
            tab.rewind();
        }
        return;
    }
    let Some(report) = tab.shown().cloned() else { return };
    match tab.view {
        View::Picture => {
            let (across, down) = match plates(&report).get(tab.picture) {
                Some(Plate::Curves(_, curves)) => (places(curves).len(), curves.len()),
                Some(Plate::Heat(_, heat)) => (heat.columns.len(), heat.rows.len()),
                Some(Plate::Intervals(table, _)) => (0, table.rows.len()),
                None => (0, 0),
            };
            match motion {
                Motion::Left | Motion::Right => {
                    let last = across.saturating_sub(1);
                    let at = tab.at.unwrap_or(last);
                    tab.at = Some(if motion == Motion::Left { at.saturating_sub(1) } else { (at + 1).min(last) });
                }
                _ => tab.curve = moved(tab.curve, down, motion),
            }
        }
        View::Table => tab.scroll = moved(tab.scroll, report.tables.get(tab.table).map_or(0, |t| t.rows.len()), motion),
        View::Text => tab.scroll = moved(tab.scroll, report.markdown().lines().count(), motion),
    }
}

/// The text to copy: the table on screen, the figure's points as a table, or the report as
/// Markdown.
pub fn copy_text(state: &State) -> Option<String> {
    let tab = &state.experiments;
    let report = tab.shown()?;
    let table = |t: &Table| std::iter::once(&t.columns).chain(&t.rows).map(|r| r.join("\t") + "\n").collect::<String>();
    match (state.focus(), tab.view) {
        (Focus::Result, View::Table) => report.tables.get(tab.table).map(table),
        (Focus::Result, View::Picture) => Some(match plates(report).get(tab.picture)? {
            Plate::Intervals(of, _) => table(of),
            Plate::Curves(figure, curves) => {
                let row = |(label, points): &Curve| points.iter().map(|(x, y)| format!("{label}\t{x}\t{y}\n")).collect::<String>();
                format!("curve\t{}\t{}\n", figure.axes[0], figure.axes[1]) + &curves.iter().map(row).collect::<String>()
            }
            Plate::Heat(figure, heat) => {
                let row = |(label, values): (&String, &Vec<f64>)| {
                    format!("{label}\t{}\n", values.iter().map(ToString::to_string).collect::<Vec<_>>().join("\t"))
                };
                format!("{}\t{}\n", figure.axes[1], heat.columns.join("\t"))
                    + &heat.rows.iter().zip(&heat.values).map(row).collect::<String>()
            }
        }),
        _ => Some(report.markdown()),
    }
}
