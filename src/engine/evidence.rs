//! Evidence: how probable the query's own examples are when they are read from the skills of a task, or from nothing.
//!
//! Similarity proposes the candidates (the best tasks of the ranking, each as the mean of its skills); one packed prefill reads the query's examples from all of
//! them. The state after each example is kept, one token short, so that one more example costs only itself and an edit only what follows it: the token before
//! it is read again, for the log-probability of the example's first token.

use super::lab::{Lab, Query, lock};
use super::{Evidence, RankView, TaskEvidence};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::library::{Calibration, Candidate, Explained, Library, Posterior, Ranking};
use crate::model::{Mamba, Prompt, Want};
use crate::soup::{Ingredient, Soup, Window, mix};
use crate::state::State;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// Tasks that similarity proposes unless the user says otherwise.
pub const CANDIDATES: usize = 24;
/// Candidates read before anything is shown, however long it takes.
const FEWEST: usize = 4;
/// How long the first figures may take; what is left of the candidates is read after them.
const SOON: Duration = Duration::from_millis(250);
/// Bytes of states kept between queries, at the ends of examples.
const KEPT_BYTES: usize = 128 << 20;
/// Bytes of task means kept.
const MEANS_BYTES: usize = 512 << 20;
/// A task whose share of the soup would be less is left out of it.
const SMALLEST: f64 = 0.02;
/// Tasks in the soup at most.
const MOST: usize = 6;

/// A query's examples as evidence reads them: the tokens of each, and from which token on they are its answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Example {
    pub tokens: Vec<u32>,
    pub answer: usize,
}

/// How probable some examples are from one state.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// All of them.
    pub all: Explained,
    /// Those after the first: each asked when those before it have been read, so without hindsight.
    pub later: Explained,
}

impl Told {
    /// Of examples read in turn.
    pub fn of(examples: &[Explained]) -> Self {
        let sum = |of: &[Explained]| of.iter().fold(Explained::default(), |sum, e| sum.plus(*e));
        Self { all: sum(examples), later: sum(examples.get(1..).unwrap_or_default()) }
    }
}

/// The means of tasks and the examples read from them.
#[derive(Default)]
pub(super) struct EvidenceReader {
    /// By the skills they are made of.
    means: HashMap<String, State>,
    tracks: HashMap<String, Track>,
}

/// The examples of the query read last, from one state.
#[derive(Clone, Default)]
struct Track {
    read: Vec<Read>,
}

#[derive(Clone)]
struct Read {
    example: Example,
    explained: Explained,
    /// The state after the example but for its last token; the last few are kept.
    state: Option<State>,
}

/// A state that examples are read from.
struct From<'a> {
    key: &'a str,
    state: &'a State,
}

/// What is still to be read from one state.
struct Rest<'a> {
    key: &'a str,
    /// Examples that need not be read again.
    at: usize,
    tokens: Vec<u32>,
    snapshots: Vec<usize>,
    initial: State,
}

impl Rest<'_> {
    fn prompt(&self) -> Prompt<'_> {
        Prompt { tokens: &self.tokens, initial: Some(&self.initial), snapshots: &self.snapshots, want: Want::LogProbs }
    }
}

impl EvidenceReader {
    /// Reads the examples from every state, from where each has read them before; one figure an example for each.
    fn read(&mut self, mamba: &Mamba, from: &[From<'_>], examples: &[Example], control: Control<'_>) -> Result<Vec<Vec<Explained>>> {
        let mut work = Vec::new();
        for f in from {
            let track = self.tracks.entry(f.key.to_owned()).or_default();
            let same = track.read.iter().zip(examples).take_while(|(a, b)| a.example == **b).count();
            // The last kept state at or before the first change.
            let at = (1..=same).rev().find(|n| track.read[n - 1].state.is_some()).unwrap_or(0);
            let mut tokens: Vec<u32> = Vec::new();
            if at < examples.len() {
                tokens.extend(at.checked_sub(1).and_then(|last| examples[last].tokens.last()));
                tokens.extend(examples[at..].iter().flat_map(|e| &e.tokens));
            }
            let mut snapshots = Vec::new();
            let mut end = usize::from(at > 0);
            for example in &examples[at..] {
                end += example.tokens.len();
                snapshots.push(end - 1);
            }
            // A state after no token is the one that was begun from; ends of empty examples fall together.
            snapshots.dedup();
            snapshots.retain(|n| *n > 0);
            let initial = at.checked_sub(1).and_then(|last| track.read[last].state.clone()).unwrap_or_else(|| f.state.clone());
            if !tokens.is_empty() {
                work.push(Rest { key: f.key, at, tokens, snapshots, initial });
            }
        }
        let prompts: Vec<Prompt<'_>> = work.iter().map(Rest::prompt).collect();
        let read = mamba.prefill(&prompts, control)?;
        let kept = (KEPT_BYTES / (from.len().max(1) * mamba.shape().total_len() * size_of::<f32>())).clamp(1, 8);
        for (Rest { key, at, snapshots, .. }, result) in work.iter().zip(read) {
            let Some(track) = self.tracks.get_mut(*key) else { continue };
            track.read.truncate(*at);
            let states: HashMap<usize, State> = snapshots.iter().copied().zip(result.snapshots).collect();
            // Token 0 is the last of the example before, if there is one; the log-probability of token i stands at i − 1.
            let mut first = usize::from(*at > 0);
            for example in &examples[*at..] {
                let mut explained = Explained::default();
                for i in 0..example.tokens.len() {
                    let Some(logprob) = (first + i).checked_sub(1).and_then(|i| result.logprobs.get(i)) else { continue };
                    let sum = if i >= example.answer { &mut explained.answers } else { &mut explained.inputs };
                    *sum += f64::from(*logprob);
                }
                first += example.tokens.len();
                track.read.push(Read { example: example.clone(), explained, state: states.get(&(first - 1)).cloned() });
            }
            let surplus = track.read.len().saturating_sub(kept);
            track.read[..surplus].iter_mut().for_each(|r| r.state = None);
        }
        Ok(from.iter().map(|f| self.tracks[f.key].read[..examples.len()].iter().map(|r| r.explained).collect()).collect())
    }
}

impl Lab {
    /// The query's examples as evidence reads them: those that a ranking reads, without the beginning-of-text token.
    pub(super) fn examples(&self, query: &Query) -> Result<Vec<Example>> {
        let mut texts = query.parsed.segments.clone();
        texts.extend(query.parsed.closed_tail.clone());
        let tokens = self.ranked_segments(query)?.into_iter().skip(1);
        let mut examples = Vec::new();
        for (text, tokens) in texts.iter().zip(tokens).filter(|(_, tokens)| !tokens.is_empty()) {
            let answer = match self.template.pair(text) {
                // The answer begins where the example's tokens leave those of its unfinished line.
                Some(pair) => {
                    let tail = self.model.tokenizer.encode(&self.template.tail(&pair.input))?;
                    tail.iter().zip(&tokens).take_while(|(a, b)| a == b).count()
                }
                None => tokens.len(),
            };
            examples.push(Example { tokens, answer });
        }
        Ok(examples)
    }

    /// How probable each of the query's examples is from each of these candidates (task names or skill ids), then from nothing read. `but`: a skill that is left
    /// out of its task's mean.
    pub(super) fn explain(
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
        // Copied rather than locked while the model runs, as the query's reader is: states are shared.
        let mut reader = EvidenceReader { means: HashMap::new(), tracks: lock(&self.evidence).tracks.clone() };
        let mut read = reader.read(&self.model.mamba, &from, examples, control)?;
        let none = read.remove(0);
        let mut kept = lock(&self.evidence);
        kept.tracks.extend(from.iter().filter_map(|f| Some((f.key.to_owned(), reader.tracks.remove(f.key)?))));
        Ok((read, none))
    }

    /// Every task's and skill's similarity as the constants weigh it. They were measured with the default view: with another one the query is ranked once more.
    pub(super) fn weighed_similarity(
        &self,
        query: &Query,
        view: &RankView,
        ranking: &Ranking,
        control: Control<'_>,
    ) -> Result<HashMap<String, f32>> {
        let default = self.default_view();
        let again = if *view == default {
            None
        } else {
            Some(self.filled_library()?.rank(&self.read_for_ranking(query, control)?.state, &default, None)?)
        };
        let ranking = again.as_ref().unwrap_or(ranking);
        let skills = ranking.ranking.iter().map(|s| (s.skill.clone(), s.score));
        Ok(ranking.by_task.iter().map(|t| (t.task.clone(), t.score)).chain(skills).collect())
    }

    /// Forgets what was read from all candidates.
    pub(super) fn forget_tracks(&self) {
        lock(&self.evidence).tracks.clear();
    }

    /// Forgets what was read from all but these candidates.
    fn keep_tracks(&self, library: &Library, candidates: &[String]) {
        let key = |c: &String| MadeOf::find(library, c, None).ok().map(|m| m.key(library));
        let keys: HashSet<String> = candidates.iter().filter_map(key).chain([String::new()]).collect();
        lock(&self.evidence).tracks.retain(|key, _| keys.contains(key));
    }

    /// The mean of a task's skills.
    pub(super) fn task_mean(&self, task: &str) -> Result<State> {
        let library = self.library();
        let made_of = MadeOf::find(&library, task, None)?;
        let key = made_of.key(&library);
        let mut state = self.candidate_states(&library, &[made_of], &[key])?;
        state.pop().ok_or_else(|| Error::Input(format!("the library has no task `{task}`")))
    }

    /// The state of each candidate: a skill's own, the mean of a task's. Means are made once for the skills they are made of.
    fn candidate_states(&self, library: &Library, candidates: &[MadeOf], keys: &[String]) -> Result<Vec<State>> {
        let known: Vec<Option<State>> = {
            let reader = lock(&self.evidence);
            keys.iter().map(|key| reader.means.get(key).cloned()).collect()
        };
        let made: Vec<State> = candidates
            .par_iter()
            .zip(known)
            .map(|(candidate, known)| known.map_or_else(|| candidate.state(library), Ok))
            .collect::<Result<_>>()?;
        let mut reader = lock(&self.evidence);
        let most = (MEANS_BYTES / (self.shape().total_len() * size_of::<f32>())).max(CANDIDATES);
        if reader.means.len() + keys.len() > most {
            reader.means.clear();
        }
        reader.means.extend(keys.iter().cloned().zip(made.iter().cloned()));
        Ok(made)
    }

    /// What the query's examples say of the tasks that are most similar to it, and the soup that follows. `frame` gets what is known whenever more candidates have
    /// been read, first after about a quarter of a second; what is returned is of all of them.
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
        let ranking = self.filled_library()?.rank(&self.read_for_ranking(&query, control)?.state, view, None)?;
        self.weigh(&query, view, &ranking, most, control, frame)
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
        let examples = self.examples(query)?;
        let answers = |of: &[Example]| of.iter().map(|e| e.tokens.len() - e.answer).sum::<usize>();
        let answers = [answers(&examples), answers(examples.get(1..).unwrap_or_default())];
        let proposed: Vec<(String, f32)> = ranking.by_task.iter().take(most).map(|t| (t.task.clone(), t.score)).collect();
        let weighed = self.weighed_similarity(query, view, ranking, control)?;
        let similarity: Vec<f64> = proposed.iter().map(|(task, score)| weighed.get(task).copied().unwrap_or(*score).into()).collect();
        let names: Vec<String> = proposed.iter().map(|(task, _)| task.clone()).collect();
        self.keep_tracks(&library, &names);
        let evidence = |read: &[Told], none: &Told| {
            let known = Known {
                read: query.parsed.read(),
                view,
                shots: query.shots(),
                answers,
                proposed: &proposed,
                similarity: &similarity,
                calibration: library.calibration(),
            };
            known.evidence(read, none, began.elapsed())
        };
        let mut read: Vec<Told> = Vec::new();
        let mut none = Told::default();
        // As many at a time as the pace so far lets through until something is to be shown.
        let mut next = FEWEST;
        while read.len() < names.len() {
            control.check()?;
            let batch = &names[read.len()..(read.len() + next).min(names.len())];
            let start = Instant::now();
            let (some, of_none) = self.explain(batch, None, &examples, control)?;
            read.extend(some.iter().map(|e| Told::of(e)));
            none = Told::of(&of_none);
            if read.len() == names.len() {
                break;
            }
            let left = SOON.saturating_sub(began.elapsed());
            let pace = start.elapsed().as_secs_f64() / batch.len() as f64;
            next = (left.as_secs_f64() / pace) as usize;
            if next == 0 {
                frame(evidence(&read, &none));
                next = FEWEST;
            }
        }
        Ok(evidence(&read, &none))
    }
}

/// What evidence is made from.
struct Known<'a> {
    read: String,
    view: &'a RankView,
    shots: usize,
    /// Tokens of the answers: of all examples, of those after the first.
    answers: [usize; 2],
    proposed: &'a [(String, f32)],
    /// Their similarity as the constants weigh it.
    similarity: &'a [f64],
    calibration: Calibration,
}

impl Known<'_> {
    fn evidence(&self, read: &[Told], none: &Told, took: Duration) -> Evidence {
        let candidates: Vec<Candidate> =
            self.similarity.iter().zip(read).map(|(s, told)| Candidate { explained: told.all, similarity: *s }).collect();
        let Posterior { of, none: p_none } = if self.shots > 0 && !candidates.is_empty() {
            self.calibration.posterior(&candidates, &none.all)
        } else {
            // Without an example there is nothing to explain.
            Posterior { of: vec![0.0; candidates.len()], none: 1.0 }
        };
        let [all, later] = self.answers;
        let ahead = (later > 0 && p_none < 1.0).then(|| {
            let nats: f64 = of.iter().zip(read).map(|(p, told)| p * (told.later.answers - none.later.answers)).sum();
            nats / (1.0 - p_none) / later as f64
        });
        let fits = self.shots > 0 && p_none <= self.calibration.gate(self.shots);
        let mut tasks: Vec<TaskEvidence> = self
            .proposed
            .iter()
            .zip(read)
            .zip(of)
            .map(|(((task, similarity), told), posterior)| TaskEvidence {
                task: task.clone(),
                similarity: *similarity,
                explained: told.all,
                gain: (told.all.answers - none.all.answers) / all.max(1) as f64,
                posterior,
            })
            .collect();
        // Ties, as of many zeros, in the order of similarity.
        tasks.sort_by(|a, b| b.posterior.total_cmp(&a.posterior));
        Evidence {
            read: self.read.clone(),
            view: self.view.clone(),
            shots: self.shots,
            answer_tokens: all,
            none: none.all,
            none_posterior: p_none,
            fits,
            ahead,
            asked: self.proposed.len(),
            auto: auto_soup(&tasks, p_none, fits && ahead.is_none_or(|nats| nats > 0.0)),
            calibration: self.calibration,
            tasks,
            millis: took.as_secs_f64() * 1e3,
        }
    }
}

impl Evidence {
    /// What it comes to, in a sentence.
    pub fn words(&self) -> String {
        let Some(best) = self.tasks.first().filter(|_| self.shots > 0) else {
            return "There is no complete example yet, so there is nothing to explain.".into();
        };
        let Evidence { none_posterior: none, .. } = self;
        let TaskEvidence { task, gain, posterior, .. } = best;
        if self.fits && none > posterior {
            let or = self.tasks.get(1).map_or(String::new(), |t| format!(" or {} ({:.2})", t.task, t.posterior));
            return format!("The query may be of {task} ({posterior:.2}){or}; none of these {none:.2}.");
        }
        if !self.fits {
            return format!("No task here explains the query (none of these: {none:.2}). The query alone answers.");
        }
        let explains = format!("{task} explains the query: {gain:+.2} nats an answer token over nothing read, posterior {posterior:.2}");
        match self.ahead {
            Some(nats) if nats <= 0.0 => format!("{explains}. The query alone foretells its later examples as well, so it answers alone."),
            _ => format!("{explains}, none of these {none:.2}."),
        }
    }
}

/// The soup that the evidence calls for: the mean state under the posterior, where "none of these" stands for the query's own state, with the query's window. From the
/// second example on there is a test without hindsight: where the tasks have not foretold the later examples better than the query alone, and where none explains the query,
/// the query answers alone (`helps` is false).
///
/// Chosen on 3000 queries of examples that are in no skill and no test split, before any test question was looked at: whole posteriors win more where the task is at hand and
/// lose much more where it is not.
fn auto_soup(tasks: &[TaskEvidence], none: f64, helps: bool) -> Soup {
    let heard: Vec<&TaskEvidence> =
        tasks.iter().take(MOST).filter(|t| t.posterior >= SMALLEST * (1.0 - none) && t.posterior > 0.0).collect();
    let sum: f64 = heard.iter().map(|t| t.posterior).sum();
    // What is shown is what is mixed: shares of four digits.
    let round = |v: f64| (v * 1e4).round() / 1e4;
    Soup {
        ingredients: heard
            .into_iter()
            .map(|t| Ingredient { weight: round(t.posterior / sum), mean: true, ..Ingredient::new(&t.task) })
            .collect(),
        lambda: if helps { round(1.0 - none) } else { 0.0 },
        conv: Window::Query,
        ..Soup::default()
    }
}

/// The skills of the library, by place, whose mean a candidate is.
struct MadeOf(Vec<usize>);

impl MadeOf {
    /// A skill alone, or those of a task but for one.
    fn find(library: &Library, candidate: &str, but: Option<&str>) -> Result<Self> {
        let of_task = |i: &usize| library.skills()[*i].task == candidate && but != Some(library.skills()[*i].id.as_str());
        let places = library.find(candidate).map_or_else(|| (0..library.len()).filter(of_task).collect(), |i| vec![i]);
        if places.is_empty() {
            return Err(Error::Input(format!("the library has no skill or task `{candidate}`")));
        }
        Ok(Self(places))
    }

    /// What tells it from any other: ids, and when they were made.
    fn key(&self, library: &Library) -> String {
        let of = |i: &usize| format!("{} {}", library.skills()[*i].id, library.skills()[*i].created);
        self.0.iter().map(of).collect::<Vec<_>>().join("\n")
    }

    fn state(&self, library: &Library) -> Result<State> {
        if let [one] = self.0[..] {
            return library.state(one);
        }
        let mut sum = mix::WeightedSum::new(library.shape());
        for &i in &self.0 {
            sum.add(&library.state(i)?, 1.0 / self.0.len() as f64)?;
        }
        sum.finish()
    }
}
