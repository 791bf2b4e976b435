//! Evidence: how probable the query's own examples are when they are read from the skills of a
//! task, and when they are read from the neutral state.
//!
//! Similarity proposes the candidates: the best tasks of the ranking, each as the mean of its
//! skills. One packed prefill reads the query's examples from all of them. On the CPU, the states
//! after the last few examples are stored, each one token before the example's end. One more
//! example then costs only itself, and an edit costs only what follows it. The last token of the
//! example before is read again, for the log-probability of the next example's first token.
//!
//! - `heard`: the examples that are read, and sums over what was read.
//! - `candidates`: the states they are read from. `reader`: reads them.
//! - `posterior`: one [`Evidence`] out of what was read. `soup`: the soup that it suggests.
//!   `words`: the evidence as a sentence.
//!
//! The rest of the lab asks for evidence through the methods of [`Lab`] here and in `candidates`;
//! `calibrate`, `gain` and `mixer` also use [`Heard`] and [`Told`].

mod candidates;
mod heard;
mod posterior;
mod reader;
mod soup;
mod words;

use super::open::lock;
use super::query::Query;
use super::tokens::Example;
use super::{Evidence, Lab, RankView};
use crate::control::Control;
use crate::error::Result;
use crate::library::Ranking;
pub use heard::MOST_TOKENS;
pub(super) use heard::{Heard, Told};
use posterior::Known;
pub(super) use reader::EvidenceReader;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Number of tasks that similarity proposes by default.
pub const CANDIDATES: usize = 24;
/// Minimum number of candidates read before anything is shown, however long that takes.
const FEWEST: usize = 4;
/// How long the first figures may take. The remaining candidates are read after them.
const SOON: Duration = Duration::from_millis(250);

impl Lab {
    /// Every task's and skill's similarity in the view for which the constants were fitted, the
    /// default view. For any other view, the query is ranked again.
    pub(super) fn weighed_similarity(
        &self,
        query: &Query,
        view: &RankView,
        ranking: &Ranking,
        control: Control<'_>,
    ) -> Result<HashMap<String, f32>> {
        let default = self.default_view();
        let again = if *view == default { None } else { Some(self.ranking_of(query, &default, control)?) };
        let ranking = again.as_deref().unwrap_or(ranking);
        let skills = ranking.ranking.iter().map(|s| (s.skill.clone(), s.score));
        Ok(ranking.by_task.iter().map(|t| (t.task.clone(), t.score)).chain(skills).collect())
    }

    /// What the query's examples say about the tasks that are most similar to it, and the soup that
    /// follows. `frame` receives the evidence so far whenever more candidates have been read, first
    /// after about a quarter of a second. The returned evidence covers all of them.
    ///
    /// # Errors
    /// As [`Lab::rank`].
    pub fn evidence(
        &self,
        query: &str,
        view: &RankView,
        most: usize,
        control: Control<'_>,
        frame: &mut dyn FnMut(Evidence),
    ) -> Result<Evidence> {
        let query = self.query(query)?;
        let ranking = self.ranking_of(&query, view, control)?;
        self.weigh(&query, view, &ranking, most, control, frame)
    }

    /// The part of a query that evidence does not read, as a sentence; `None` if evidence reads it
    /// all.
    ///
    /// # Errors
    /// [`Error::Input`](crate::error::Error::Input) for an empty query.
    pub fn unread(&self, query: &str) -> Result<Option<String>> {
        Ok(Heard::of(&self.query(query)?.examples).unread.words())
    }

    pub(super) fn weigh(
        &self,
        query: &Query,
        view: &RankView,
        ranking: &Ranking,
        most: usize,
        control: Control<'_>,
        frame: &mut dyn FnMut(Evidence),
    ) -> Result<Evidence> {
        let began = Instant::now();
        let library = self.filled_library()?;
        let Heard { examples, unread } = &Heard::of(&query.examples);
        let answers = |of: &[Example]| of.iter().map(|e| e.tokens.len() - e.answer).sum::<usize>();
        let answers = [answers(examples), answers(examples.get(1..).unwrap_or_default())];
        let proposed: Vec<(String, f32)> = ranking.by_task.iter().take(most).map(|t| (t.task.clone(), t.score)).collect();
        let weighed = self.weighed_similarity(query, view, ranking, control)?;
        let similarity: Vec<f64> = proposed.iter().map(|(task, score)| weighed.get(task).copied().unwrap_or(*score).into()).collect();
        let names: Vec<String> = proposed.iter().map(|(task, _)| task.clone()).collect();
        self.keep_tracks(&library, &names);
        let evidence = |read: &[Told], none: &Told| {
            let known = Known {
                read: query.parsed.read(),
                view,
                shots: query.shots().min(examples.len()),
                unread: *unread,
                answers,
                proposed: &proposed,
                similarity: &similarity,
                calibration: library.calibration(),
            };
            known.evidence(read, none, began.elapsed())
        };
        let mut read: Vec<Told> = Vec::new();
        let mut none = Told::default();
        // Until something is shown, each batch is as large as the pace so far allows.
        let fit = |left: Duration, seconds: f64| (left.as_secs_f64() / seconds) as usize;
        let tokens: usize = examples.iter().map(|e| e.tokens.len()).sum();
        let mut next = lock(&self.evidence).pace.map_or(FEWEST, |pace| fit(SOON, pace * tokens.max(1) as f64).max(FEWEST));
        while read.len() < names.len() {
            control.check()?;
            let batch = &names[read.len()..(read.len() + next).min(names.len())];
            let start = Instant::now();
            let (some, of_none) = self.explain(batch, None, examples, control)?;
            let pace = start.elapsed().as_secs_f64() / batch.len() as f64;
            read.extend(some.iter().map(|e| Told::of(e)));
            none = Told::of(&of_none);
            if read.len() == names.len() {
                break;
            }
            next = fit(SOON.saturating_sub(began.elapsed()), pace);
            if next == 0 {
                frame(evidence(&read, &none));
                next = FEWEST;
            }
        }
        Ok(evidence(&read, &none))
    }
}
