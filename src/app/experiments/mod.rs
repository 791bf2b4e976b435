//! The Experiments tab: the claims measured here, one after the other, and their results.
//!
//! Here are the tab's values and what keys do to them. The rest of `app`, and `ui`, may use what is
//! public.
//!
//! - `runs`: the queue of runs and the reports that come of them.
//! - `results`: the folder that reports are read from and written to.
//! - `plates`: the pictures of a report.

mod plates;
mod results;
mod runs;

pub use plates::{Curve, Plate, copy_text, places, plates};
pub use results::{export, loaded, look_again, saved, shown};
pub use runs::{ended, next, stop, take};

use super::action::{Action, Motion};
use super::command;
use super::effect::Effect;
use super::state::State;
use super::tab::{self, Focus, Tab, TabRow, moved};
use crate::experiment::{ALL, Report, Settings};
use std::collections::VecDeque;
use std::path::PathBuf;
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
