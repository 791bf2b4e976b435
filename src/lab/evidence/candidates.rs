//! The states that examples are read from: skills and the means of tasks, and what has been read
//! from each.

use super::CANDIDATES;
use super::reader::{EvidenceReader, From};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::lab::Lab;
use crate::lab::open::lock;
use crate::lab::tokens::Example;
use crate::library::{Explained, Library};
use crate::soup::mix;
use crate::state::State;
use rayon::prelude::*;
use std::collections::HashSet;

/// Maximum bytes of task means stored, or the means of two queries' candidates if those are larger.
const MEANS_BYTES: usize = 512 << 20;

impl Lab {
    /// How probable each of the query's examples is from each candidate (task name or skill id),
    /// and from the neutral state. `but`: a skill that is left out of its task's mean.
    pub(in crate::lab) fn explain(
        &self,
        candidates: &[String],
        but: Option<&str>,
        examples: &[Example],
        control: Control<'_>,
    ) -> Result<(Vec<Vec<Explained>>, Vec<Explained>)> {
        let library = self.library();
        let made_of = candidates.iter().map(|c| MadeOf::find(&library, c, but)).collect::<Result<Vec<_>>>()?;
        let keys: Vec<String> = made_of.iter().map(|m| m.key(&library)).collect();
        let states = self.candidate_states(&library, &made_of, &keys)?;
        let nothing = self.neutral(control)?;
        let mut from = vec![From { key: "", state: &nothing }];
        from.extend(keys.iter().zip(&states).map(|(key, state)| From { key, state }));
        // Copied instead of locked while the model runs, like the query's reader. States are
        // shared.
        let mut reader = EvidenceReader { tracks: lock(&self.evidence).tracks.clone(), ..EvidenceReader::default() };
        let mut read = reader.read(&self.model.network, &from, examples, control)?;
        let none = read.remove(0);
        let mut kept = lock(&self.evidence);
        kept.pace = reader.pace.or(kept.pace);
        kept.tracks.extend(from.iter().filter_map(|f| Some((f.key.to_owned(), reader.tracks.remove(f.key)?))));
        Ok((read, none))
    }

    /// Discards what was read from all candidates.
    pub(in crate::lab) fn forget_tracks(&self) {
        lock(&self.evidence).tracks.clear();
    }

    /// Discards what was read from all other candidates.
    pub(super) fn keep_tracks(&self, library: &Library, candidates: &[String]) {
        let key = |c: &String| MadeOf::find(library, c, None).ok().map(|m| m.key(library));
        let keys: HashSet<String> = candidates.iter().filter_map(key).chain([String::new()]).collect();
        lock(&self.evidence).tracks.retain(|key, _| keys.contains(key));
    }

    /// The mean of a task's skills.
    pub(in crate::lab) fn task_mean(&self, task: &str) -> Result<State> {
        let library = self.library();
        let made_of = MadeOf::find(&library, task, None)?;
        let key = made_of.key(&library);
        let mut state = self.candidate_states(&library, &[made_of], &[key])?;
        state.pop().ok_or_else(|| Error::Input(format!("the library has no task `{task}`")))
    }

    /// The state of each candidate: a skill's own, or the mean of a task's skills. Means are cached
    /// by the skills they are made of.
    fn candidate_states(&self, library: &Library, candidates: &[MadeOf], keys: &[String]) -> Result<Vec<State>> {
        let known: Vec<Option<State>> = {
            let reader = lock(&self.evidence);
            keys.iter().map(|key| reader.means.get(key).cloned()).collect()
        };
        // A GPU makes the sums one after another; the CPU makes them in parallel.
        let on_device = library.is_attached();
        let make = |(candidate, known): (&MadeOf, Option<State>)| known.map_or_else(|| candidate.state(library, on_device), Ok);
        let made: Vec<State> = if on_device {
            candidates.iter().zip(known).map(make).collect::<Result<_>>()?
        } else {
            candidates.par_iter().zip(known).map(make).collect::<Result<_>>()?
        };
        let mut reader = lock(&self.evidence);
        reader.means.extend(keys.iter().cloned().zip(made.iter().cloned()));
        let most = (MEANS_BYTES / (self.shape().total_len() * size_of::<f32>())).max(2 * CANDIDATES);
        if reader.means.len() > most {
            // Those of the current query stay, because its other candidates are read right after
            // these.
            let EvidenceReader { means, tracks, .. } = &mut *reader;
            means.retain(|key, _| keys.contains(key) || tracks.contains_key(key));
        }
        Ok(made)
    }
}

/// Indices of the skills whose mean a candidate is.
struct MadeOf(Vec<usize>);

impl MadeOf {
    /// A single skill, or the skills of a task except `but`.
    fn find(library: &Library, candidate: &str, but: Option<&str>) -> Result<Self> {
        let places = library.find(candidate).map_or_else(
            || library.of_task(candidate).into_iter().filter(|&i| but != Some(library.skills()[i].id.as_str())).collect(),
            |i| vec![i],
        );
        if places.is_empty() {
            return Err(Error::Input(format!("the library has no skill or task `{candidate}`")));
        }
        Ok(Self(places))
    }

    /// A unique key: the ids of the skills, and when they were made.
    fn key(&self, library: &Library) -> String {
        let of = |i: &usize| format!("{} {}", library.skills()[*i].id, library.skills()[*i].created);
        self.0.iter().map(of).collect::<Vec<_>>().join("\n")
    }

    fn state(&self, library: &Library, on_device: bool) -> Result<State> {
        if let [one] = self.0[..] {
            return library.state(one);
        }
        let share = 1.0 / self.0.len() as f64;
        let parts: Vec<(usize, f64)> = self.0.iter().map(|&i| (i, share)).collect();
        if on_device && let Some(mean) = library.weighted(&parts)? {
            return Ok(mean);
        }
        let mut sum = mix::WeightedSum::new(library.shape());
        for (i, share) in parts {
            sum.add(&library.state(i)?, share)?;
        }
        sum.finish()
    }
}
