//! The Lab's instruments: what they read, the panels they are read in, and what opens them.
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

/// What has been read last, and the soups at hand.
#[derive(Clone, Debug, Default)]
pub struct Instruments {
    /// Snapshots and the other soup.
    pub sides: Sides,
    /// The skill ECG.
    pub ecg: Option<Arc<EcgView>>,
    /// The landscape, perhaps not full yet.
    pub landscape: Option<Arc<LandscapeView>>,
    /// The attribution.
    pub attribution: Option<Arc<AttributionView>>,
    /// The verdict.
    pub verdict: Option<Arc<VerdictView>>,
    /// The soup's autopsy.
    pub autopsy: Option<Arc<AutopsyView>>,
    /// The two soups beside each other.
    pub comparison: Option<Arc<CompareView>>,
}

/// A panel above the Lab.
#[derive(Clone, Debug)]
pub enum Panel {
    /// The list of snapshots.
    Snapshots {
        /// The selected row.
        selected: usize,
        /// The name being typed, if one is.
        naming: Option<Line>,
    },
    /// A and B beside each other.
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
    /// What each part adds.
    Attribution,
    /// The soup's state, layer by layer.
    Autopsy {
        /// The layer under the cursor.
        layer: usize,
    },
}

impl Panel {
    /// The work whose result it shows.
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
    /// Go to the other soup, making it of this one if there is none.
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

/// Does one.
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
            // The cursor starts where the ranking has read to: there the figures are the ranking's
            // own. `take` puts it there if that is not known yet.
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

/// Opens a panel and asks for its reading, unless that is at hand or under way.
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
        // Asked for twice, it is to be asked again: the library may have grown.
        Instrument::Verdict(_) => false,
    };
    if known {
        return Vec::new();
    }
    // An older reading would pass for the new one until that comes.
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

/// Work ended badly: the panel that waits for it would hide the reason. (A diff has more to show
/// than what the engine says.)
pub fn failed(state: &mut State, kind: JobKind) {
    let waits = |panel: &Panel| kind != JobKind::Compare && panel.kind() == Some(kind);
    if matches!(&state.overlay, Some(Overlay::Instrument(panel)) if waits(panel)) {
        state.overlay = None;
    }
}
