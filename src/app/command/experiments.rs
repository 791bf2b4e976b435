//! Commands of the Experiments tab.

use super::Place::In;
use super::{Command, command, has_model};
use crate::app::action::Action;
use crate::app::experiments::ExperimentsAction as A;
use crate::app::overlay::PromptKind;
use crate::app::state::{Focus, State, Tab};

const PANES: &[Focus] = &[Focus::Experiments, Focus::Result];

fn here(s: &State) -> bool {
    s.tab == Tab::Experiments
}
fn can_run(s: &State) -> bool {
    here(s) && has_model(s)
}
fn has_report(s: &State) -> bool {
    here(s) && s.experiments.shown().is_some()
}

#[rustfmt::skip]
pub static COMMANDS: &[Command] = &[
    command("experiment.run", &["enter", "r"], In(PANES), "Run the experiment", "Measure the selected claim, unless that was done with the same settings; Esc stops it.", |_| Action::Experiments(A::Run { again: false })).hint("run").when(can_run),
    command("experiment.all", &["a"], In(PANES), "Run all experiments", "Measure every claim that was not measured with the same settings yet.", |_| Action::Experiments(A::RunAll)).hint("run all").when(can_run),
    command("experiment.again", &["R"], In(PANES), "Run the experiment again", "Measure the selected claim once more.", |_| Action::Experiments(A::Run { again: true })).when(can_run),
    command("experiment.thorough", &["t"], In(PANES), "Quick or thorough", "How much the next run draws: minutes or an hour for all.", |_| Action::Experiments(A::ToggleThorough)).hint("quick/thorough").when(here),
    command("experiment.view", &["v"], In(PANES), "Picture, table, text", "The next way to look at the report: verdicts with a picture, a table, all of it as text.", |_| Action::Experiments(A::NextView)).hint("view").when(has_report),
    command("experiment.next", &["]"], In(PANES), "Next picture or table", "Show the report's next picture or table.", |_| Action::Experiments(A::Turn(1))).hint("next").when(has_report),
    command("experiment.previous", &["["], In(PANES), "Previous picture or table", "Show the report's previous picture or table.", |_| Action::Experiments(A::Turn(-1))).when(has_report),
    command("experiment.export", &["e"], In(PANES), "Export the results", "Write every whole report into a folder, as `reproduce` does.", |_| Action::Prompt(PromptKind::ResultsFolder)).hint("export").when(has_report),
];
