//! The results folder: reports are read from it once, and written to it.

use crate::app::effect::Effect;
use crate::app::state::State;
use crate::engine::{Request, ResultsRequest};
use crate::experiment::{ALL, Report};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

pub(super) fn save(state: &mut State, dir: PathBuf, reports: Vec<Arc<Report>>, replace: bool) -> Vec<Effect> {
    vec![state.jobs.send(Request::Results(ResultsRequest::Save { dir, reports, replace }), state.clock)]
}
