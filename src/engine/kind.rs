//! The kinds of work, one row each in [`JobKind::about`].
//!
//! To add a kind, add a variant and its row here, a variant of `Request` in `message` (and one of
//! `News`, if the kind has results of its own), and its work in `work`.

use crate::lab::Instrument;

/// The kinds of work. A new job of a kind cancels and replaces the running one of that kind, unless
/// the kind queues ([`About::queues`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobKind {
    /// Loading the model and opening the library at start.
    Open,
    /// Building skills of the library (background).
    Build,
    /// Checking the library's files (background).
    Check,
    /// Ranking the skills for the query.
    Rank,
    /// Reading the query's examples from the best tasks.
    Weigh,
    /// Answers side by side.
    Ask,
    /// A map of the library.
    Map,
    /// Rules compared on a document's chunks.
    Decay,
    /// The query on the map.
    Place,
    /// One skill's provenance and figures.
    Inspect,
    /// A change of the library: add, delete, restore, swap back, tag.
    Edit,
    /// An experiment (background).
    Experiment,
    /// Reading or writing reports of experiments.
    Results,
    /// Similarity along the query.
    Ecg,
    /// Log-probability over mixes.
    Landscape,
    /// What each part of the soup adds.
    Attribution,
    /// The soup against its baselines.
    Verdict,
    /// The soup's state, layer by layer.
    Autopsy,
    /// Two soups beside each other.
    Compare,
}

/// The properties that all jobs of a kind share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its name, capitalised to begin a sentence.
    pub name: &'static str,
    /// Its urgency. A request overtakes running work of lower urgency at the next chunk boundary. 0
    /// is background work.
    pub urgency: u8,
    /// Whether every request counts. If so, requests wait in order, and a later one cancels none of
    /// them.
    pub queues: bool,
    /// Its rank and its word in the header, which shows the running work with the lowest rank.
    /// `None` for work too short to be shown.
    pub header: Option<(u8, &'static str)>,
    /// Its rank for Esc, which stops the running work with the lowest rank. `None` if Esc does not
    /// stop it.
    pub esc: Option<u8>,
    /// Whether a command may act on its results. If so, a resumed session waits for them before it
    /// replays its next key.
    pub awaited: bool,
}

const fn kind(name: &'static str, urgency: u8) -> About {
    About { name, urgency, queues: false, header: None, esc: None, awaited: false }
}

impl About {
    const fn queues(mut self) -> Self {
        self.queues = true;
        self
    }
    const fn header(mut self, place: u8, word: &'static str) -> Self {
        self.header = Some((place, word));
        self
    }
    const fn esc(mut self, place: u8) -> Self {
        self.esc = Some(place);
        self
    }
    const fn awaited(mut self) -> Self {
        self.awaited = true;
        self
    }
}

impl JobKind {
    /// Its row in the table of kinds.
    #[rustfmt::skip]
    pub const fn about(self) -> About {
        match self {
            Self::Open        => kind("Loading the model", 5).header(0, "loading").awaited(),
            Self::Rank        => kind("Ranking", 4).awaited(),
            Self::Weigh       => kind("Reading the evidence", 3).awaited(),
            Self::Edit        => kind("Changing the library", 3).queues().header(1, "reading").esc(1),
            Self::Inspect     => kind("Reading the skill", 3).awaited(),
            Self::Place       => kind("Placing the query", 3),
            Self::Results     => kind("Reading or writing the results", 3).queues(),
            Self::Ask         => kind("Answering", 2).esc(2),
            Self::Decay       => kind("Comparing the rules", 2).header(2, "comparing").esc(0).awaited(),
            Self::Ecg         => kind("The skill ECG", 2).header(4, "ECG"),
            Self::Compare     => kind("Comparing the soups", 2),
            Self::Autopsy     => kind("The autopsy", 2),
            Self::Map         => kind("Drawing the map", 1).header(3, "map").awaited(),
            Self::Landscape   => kind("The landscape", 1).header(5, "landscape"),
            Self::Attribution => kind("The attribution", 1).header(6, "attribution"),
            Self::Verdict     => kind("The verdict", 1).header(7, "verdict").esc(3),
            Self::Experiment  => kind("Measuring", 0).header(8, "measuring").esc(5),
            Self::Check       => kind("Checking the library", 0).header(9, "checking").esc(4).awaited(),
            Self::Build       => kind("Building the library", 0).header(10, "building").esc(6).awaited(),
        }
    }
}

impl Instrument {
    /// Its kind of work.
    pub fn kind(&self) -> JobKind {
        match self {
            Self::Ecg(_) => JobKind::Ecg,
            Self::Landscape(_) => JobKind::Landscape,
            Self::Attribution(_) => JobKind::Attribution,
            Self::Verdict(_) => JobKind::Verdict,
            Self::Autopsy(_) => JobKind::Autopsy,
            Self::Compare(_) => JobKind::Compare,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::JobKind as K;

    #[test]
    fn the_longest_known_work_is_shown_and_stopped_last() {
        let shown =
            [K::Open, K::Edit, K::Decay, K::Map, K::Ecg, K::Landscape, K::Attribution, K::Verdict, K::Experiment, K::Check, K::Build];
        let places = shown.map(|kind| kind.about().header.map(|(place, _)| place));
        assert!(places.iter().all(Option::is_some) && places.is_sorted_by(|a, b| a < b), "{places:?}");
        let stopped = [K::Decay, K::Edit, K::Ask, K::Verdict, K::Check, K::Experiment, K::Build];
        let places = stopped.map(|kind| kind.about().esc);
        assert!(places.iter().all(Option::is_some) && places.is_sorted_by(|a, b| a < b), "{places:?}");
    }
}
