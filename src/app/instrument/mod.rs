//! The Lab's instruments: their readings, the panels that show them, and the actions that open
//! them.
//!
//! - [`sides`]: named snapshots of the soup, and the two soups that A/B flips between.
//! - `ask`: the requests they would send now.
//! - `panel`: keys of an open panel.

pub mod ask;
mod panel;
pub mod sides;

use super::effect::Effect;
use super::line::Line;
use super::overlay::Overlay;
use super::state::State;
use crate::engine::{JobKind, Request};
use crate::lab::{AttributionView, AutopsyView, CompareView, EcgView, Instrument, LandscapeView, Reading, VerdictView};
pub use panel::{input, leave, paste};
use sides::Sides;
use std::sync::Arc;

/// Tasks in the skill ECG.
pub const ECG_TASKS: usize = 12;

/// The newest readings, and the soups at hand.
#[derive(Clone, Debug, Default)]
pub struct Instruments {
    /// Snapshots and the other soup.
    pub sides: Sides,
    /// The skill ECG.
    pub ecg: Option<Arc<EcgView>>,
    /// The landscape; it may still be incomplete.
    pub landscape: Option<Arc<LandscapeView>>,
    /// The attribution.
    pub attribution: Option<Arc<AttributionView>>,
    /// The verdict.
    pub verdict: Option<Arc<VerdictView>>,
    /// The soup's autopsy.
    pub autopsy: Option<Arc<AutopsyView>>,
    /// The two soups side by side.
    pub comparison: Option<Arc<CompareView>>,
}

/// A panel above the Lab.
#[derive(Clone, Debug)]
pub enum Panel {
    /// The list of snapshots.
    Snapshots {
        /// The selected row.
        selected: usize,
        /// The name being typed, if any.
        naming: Option<Line>,
    },
    /// A and B side by side.
    Diff {
        /// The first line shown.
        scroll: usize,
    },
    /// Similarity along the query.
    Ecg {
        /// The token under the cursor.
        cursor: usize,
    },
    /// Log-probability over mixes.
    Landscape {
        /// The mix under the cursor, in the landscape's steps.
        mix: Vec<usize>,
    },
    /// The contribution of each part.
    Attribution,
    /// The soup's state, layer by layer.
    Autopsy {
        /// The layer under the cursor.
        layer: usize,
    },
}

impl Panel {
    /// The kind of job whose result it shows.
    pub fn kind(&self) -> Option<JobKind> {
        match self {
            Self::Snapshots { .. } => None,
            Self::Diff { .. } => Some(JobKind::Compare),
            Self::Ecg { .. } => Some(JobKind::Ecg),
            Self::Landscape { .. } => Some(JobKind::Landscape),
            Self::Attribution => Some(JobKind::Attribution),
            Self::Autopsy { .. } => Some(JobKind::Autopsy),
        }
    }
}

/// What the keys of the instruments do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstrumentAction {
    /// Switch to the other soup; if there is none, copy this one.
    Flip,
    /// Put this soup on the other side.
    CopyOver,
    /// Take a snapshot.
    Keep,
    /// Open the list of snapshots.
    Snapshots,
    /// Open the diff of A and B.
    Diff,
    /// Open the skill ECG.
    Ecg,
    /// Open the landscape.
    Landscape,
    /// Open the attribution.
    Attribution,
    /// Judge the soup, or stop judging.
    Verdict,
    /// Open the soup's autopsy.
    Autopsy,
}

/// Runs one action.
pub fn act(state: &mut State, action: InstrumentAction) -> Vec<Effect> {
    match action {
        InstrumentAction::Flip => sides::flip(state),
        InstrumentAction::CopyOver => sides::copy_over(state),
        InstrumentAction::Keep => sides::keep(state),
        InstrumentAction::Snapshots => open(state, Ok(None), Panel::Snapshots { selected: 0, naming: None }),
        InstrumentAction::Diff => {
            let request = ask::compare(state).map(|request| request.map(Instrument::Compare));
            open(state, request, Panel::Diff { scroll: 0 })
        }
        InstrumentAction::Ecg => {
            let request = ask::ecg(state);
            // The cursor starts where the ranking stopped reading, so the figures there equal the
            // ranking's. If that position is not known yet, `take` sets it later.
            let known = state.lab.instruments.ecg.as_ref().filter(|v| request.as_ref() == Ok(&v.request));
            let cursor = known.map_or(usize::MAX, |v| v.ranked.saturating_sub(1));
            open(state, request.map(|r| Some(Instrument::Ecg(r))), Panel::Ecg { cursor })
        }
        InstrumentAction::Landscape => {
            let request = ask::landscape(state).map(Instrument::Landscape);
            let mix = panel::present_mix(&state.lab.bench.soup);
            open(state, request.map(Some), Panel::Landscape { mix })
        }
        InstrumentAction::Attribution => {
            let request = ask::attribution(state).map(Instrument::Attribution);
            open(state, request.map(Some), Panel::Attribution)
        }
        InstrumentAction::Autopsy => {
            let request = ask::autopsy(state).map(Instrument::Autopsy);
            open(state, request.map(Some), Panel::Autopsy { layer: 0 })
        }
        InstrumentAction::Verdict => verdict(state),
    }
}

/// Opens a panel and requests its reading, unless the reading is there or on its way.
fn open(state: &mut State, request: Result<Option<Instrument>, String>, panel: Panel) -> Vec<Effect> {
    match request {
        Ok(request) => {
            let effects = request.map_or_else(Vec::new, |request| send(state, request));
            state.overlay = Some(Overlay::Instrument(panel));
            effects
        }
        Err(why) => {
            state.say(why);
            Vec::new()
        }
    }
}

fn send(state: &mut State, request: Instrument) -> Vec<Effect> {
    let readings = &state.lab.instruments;
    let known = match &request {
        Instrument::Ecg(r) => readings.ecg.as_ref().is_some_and(|v| v.request == *r),
        Instrument::Landscape(r) => readings.landscape.as_ref().is_some_and(|v| v.request == *r && v.points.len() == v.total),
        Instrument::Attribution(r) => readings.attribution.as_ref().is_some_and(|v| v.request == *r),
        Instrument::Autopsy(r) => readings.autopsy.as_ref().is_some_and(|v| v.request == *r),
        Instrument::Compare(r) => readings.comparison.as_ref().is_some_and(|v| v.request == *r),
        // A second request must run again: the library may have grown.
        Instrument::Verdict(_) => false,
    };
    if known {
        return Vec::new();
    }
    // Drop the older reading: it would pass for the new one until that arrives.
    let readings = &mut state.lab.instruments;
    match &request {
        Instrument::Ecg(_) => readings.ecg = None,
        Instrument::Landscape(_) => readings.landscape = None,
        Instrument::Attribution(_) => readings.attribution = None,
        Instrument::Autopsy(_) => readings.autopsy = None,
        Instrument::Compare(_) => readings.comparison = None,
        Instrument::Verdict(_) => readings.verdict = None,
    }
    vec![state.jobs.send(Request::Instrument(Box::new(request)), state.clock)]
}

fn verdict(state: &mut State) -> Vec<Effect> {
    if let Some(effect) = state.jobs.cancel(JobKind::Verdict) {
        state.say("The verdict is called off.");
        return vec![effect];
    }
    match ask::verdict(state) {
        Ok(request) => send(state, Instrument::Verdict(request)),
        Err(why) => {
            state.say(why);
            Vec::new()
        }
    }
}

/// Takes a reading that belongs to the newest request.
pub fn take(state: &mut State, reading: Reading) {
    let readings = &mut state.lab.instruments;
    match reading {
        Reading::Ecg(view) => readings.ecg = Some(view),
        Reading::Landscape(view) => readings.landscape = Some(view),
        Reading::Attribution(view) => readings.attribution = Some(view),
        Reading::Verdict(view) => readings.verdict = Some(view),
        Reading::Autopsy(view) => readings.autopsy = Some(view),
        Reading::Compare(view) => readings.comparison = Some(view),
    }
    if let Some(Overlay::Instrument(Panel::Ecg { cursor })) = &mut state.overlay
        && let Some(view) = &state.lab.instruments.ecg
        && *cursor >= view.tokens.len()
    {
        *cursor = view.ranked.saturating_sub(1);
    }
}

/// A job failed: closes the panel that waits for it, since the panel would hide the reason. The
/// diff stays, because it shows more than the engine's reading.
pub fn failed(state: &mut State, kind: JobKind) {
    let waits = |panel: &Panel| kind != JobKind::Compare && panel.kind() == Some(kind);
    if matches!(&state.overlay, Some(Overlay::Instrument(panel)) if waits(panel)) {
        state.overlay = None;
    }
}
