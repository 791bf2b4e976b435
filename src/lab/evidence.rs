//! Evidence: how probable the query's own examples are when they are read from the skills of a
//! task, and when they are read from the neutral state.
//!
//! Similarity proposes the candidates: the best tasks of the ranking, each as the mean of its
//! skills. One packed prefill reads the query's examples from all of them. On the CPU, the states
//! after the last few examples are stored, each one token before the example's end. One more
//! example then costs only itself, and an edit costs only what follows it. The last token of the
//! example before is read again, for the log-probability of the next example's first token.

use super::Lab;
use super::open::lock;
use super::query::Query;
use super::tokens::Example;
use super::{Evidence, RankView, TaskEvidence, Unread};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::library::{Calibration, Candidate, Explained, Library, Posterior, Ranking};
use crate::model::{Network, Prompt, Want};
use crate::soup::{Ingredient, Soup, Window, mix};
use crate::state::State;
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// Number of tasks that similarity proposes by default.
pub const CANDIDATES: usize = 24;
/// Maximum number of tokens of a query's examples that evidence reads: the last ones. Every
/// candidate reads them, so 24 candidates read 25,000 tokens, which takes some seconds on two
/// cores. A hundred examples of ten tokens are more than enough; the constants were chosen with
/// fewer.
pub const MOST_TOKENS: usize = 1024;
/// Minimum number of candidates read before anything is shown, however long that takes.
const FEWEST: usize = 4;
/// How long the first figures may take. The remaining candidates are read after them.
const SOON: Duration = Duration::from_millis(250);
/// Maximum bytes of states, at the ends of examples, stored between queries.
const KEPT_BYTES: usize = 128 << 20;
/// Maximum bytes of task means stored, or the means of two queries' candidates if those are larger.
const MEANS_BYTES: usize = 512 << 20;
/// The smallest share of the soup. Tasks with less are left out.
const SMALLEST: f64 = 0.02;
/// Maximum number of tasks in the soup.
const MOST: usize = 6;
/// Nats of `foretold` above which the soup follows the answers: for one example, for several.
const FORETOLD: [f64; 2] = [3.0, 5.0];
/// Nats per answer token below which the soup does not follow the answers: over a hundred examples,
/// five nats are negligible.
const FORETOLD_A_TOKEN: f64 = 0.1;
/// The soup's share when it follows the answers: for one or two examples, for more. With more
/// examples, the query itself carries more of the task.
const FOLLOWED: [f64; 2] = [1.0, 0.75];
/// Posterior of "none of these" below which a single example's task counts as certain.
const CERTAIN: f64 = 0.1;
/// Maximum share of the soup for one example whose task is in doubt.
const DOUBTFUL: f64 = 0.25;
/// Maximum share of the soup for several examples on which the query alone does not fail.
const KNOWN: f64 = 0.5;

/// The examples of a query that evidence reads.
pub(super) struct Heard {
    /// The last examples, with at most [`MOST_TOKENS`] tokens.
    pub examples: Vec<Example>,
    /// The part of the query that is not in `examples`.
    pub unread: Unread,
}

impl Heard {
    /// The last examples that fit. If the last one does not fit by itself, its end.
    pub fn of(examples: &[Example]) -> Self {
        let mut tokens = 0;
        let fits = |e: &&Example| {
            tokens += e.tokens.len();
            tokens <= MOST_TOKENS
        };
        let read = examples.iter().rev().take_while(fits).count();
        let before = examples.len() - read;
        let unread = Unread { examples: before, of: examples.len(), is_cut: false };
        match examples.last() {
            Some(last) if read == 0 => {
                let cut = last.tokens.len() - MOST_TOKENS;
                let example = Example { tokens: last.tokens[cut..].to_vec(), answer: last.answer.saturating_sub(cut) };
                Self { examples: vec![example], unread: Unread { examples: before - 1, is_cut: true, ..unread } }
            }
            _ => Self { examples: examples[before..].to_vec(), unread },
        }
    }
}

/// Log-probabilities of examples from one state.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// Of all examples.
    pub all: Explained,
    /// Of the examples after the first. Each is predicted after those before it were read, so
    /// without hindsight.
    pub later: Explained,
}

impl Told {
    /// Sums over examples read in sequence.
    pub fn of(examples: &[Explained]) -> Self {
        let sum = |of: &[Explained]| of.iter().fold(Explained::default(), |sum, e| sum.plus(*e));
        Self { all: sum(examples), later: sum(examples.get(1..).unwrap_or_default()) }
    }
}

/// The means of tasks, and the examples read from each.
#[derive(Default)]
pub(super) struct EvidenceReader {
    /// By the ids of the skills they are made of.
    means: HashMap<String, State>,
    tracks: HashMap<String, Track>,
    /// Seconds per token and candidate in the last reading.
    pace: Option<f64>,
}

/// The examples of the last query, as read from one state.
#[derive(Clone, Default)]
struct Track {
    read: Vec<Read>,
}

#[derive(Clone)]
struct Read {
    example: Example,
    explained: Explained,
    /// The state before the example's last token. Only the last few examples store it.
    state: Option<State>,
}

/// A state from which examples are read.
struct From<'a> {
    key: &'a str,
    state: &'a State,
}

/// What remains to be read from one state.
struct Rest<'a> {
    key: &'a str,
    /// Number of examples that need not be read again.
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
    /// Reads the examples from every state, resuming where each was read before. Returns one figure
    /// per example for each state.
    fn read(&mut self, network: &Network, from: &[From<'_>], examples: &[Example], control: Control<'_>) -> Result<Vec<Vec<Explained>>> {
        // A GPU reads an example again faster than it returns the states that would save the
        // reading.
        let kept = if network.device().is_cuda() {
            0
        } else {
            (KEPT_BYTES / (from.len().max(1) * network.shape().total_len() * size_of::<f32>())).clamp(1, 8)
        };
        let mut work = Vec::new();
        for f in from {
            let track = self.tracks.entry(f.key.to_owned()).or_default();
            let same = track.read.iter().zip(examples).take_while(|(a, b)| a.example == **b).count();
            // The last stored state at or before the first change.
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
            // The state after zero tokens is the initial one. Ends of empty examples coincide.
            snapshots.dedup();
            snapshots.retain(|n| *n > 0);
            if kept == 0 {
                snapshots.clear();
            }
            let initial = at.checked_sub(1).and_then(|last| track.read[last].state.clone()).unwrap_or_else(|| f.state.clone());
            if !tokens.is_empty() {
                work.push(Rest { key: f.key, at, tokens, snapshots, initial });
            }
        }
        let prompts: Vec<Prompt<'_>> = work.iter().map(Rest::prompt).collect();
        let began = Instant::now();
        let read = network.prefill(&prompts, control)?;
        let tokens: usize = work.iter().map(|rest| rest.tokens.len()).sum();
        if tokens > 0 {
            self.pace = Some(began.elapsed().as_secs_f64() / tokens as f64);
        }
        for (Rest { key, at, snapshots, .. }, result) in work.iter().zip(read) {
            let Some(track) = self.tracks.get_mut(*key) else { continue };
            track.read.truncate(*at);
            let states: HashMap<usize, State> = snapshots.iter().copied().zip(result.snapshots).collect();
            // Token 0 is the last token of the example before, if there is one. The log-probability
            // of token i is at index i − 1.
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
    /// How probable each of the query's examples is from each candidate (task name or skill id),
    /// and from the neutral state. `but`: a skill that is left out of its task's mean.
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

    /// Discards what was read from all candidates.
    pub(super) fn forget_tracks(&self) {
        lock(&self.evidence).tracks.clear();
    }

    /// Discards what was read from all other candidates.
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
    /// [`Error::Input`] for an empty query.
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

/// The inputs of evidence.
struct Known<'a> {
    read: String,
    view: &'a RankView,
    shots: usize,
    unread: Unread,
    /// Number of answer tokens: of all examples, of those after the first.
    answers: [usize; 2],
    proposed: &'a [(String, f32)],
    /// The similarity of each proposed task in the default view.
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
            // Without an example, there is nothing to explain.
            Posterior { of: vec![0.0; candidates.len()], none: 1.0 }
        };
        let [all, later] = self.answers;
        let ahead = (later > 0 && p_none < 1.0).then(|| {
            let nats: f64 = of.iter().zip(read).map(|(p, told)| p * (told.later.answers - none.later.answers)).sum();
            nats / (1.0 - p_none) / later as f64
        });
        let answers: Vec<f64> = read.iter().map(|told| told.all.answers).collect();
        let foretold = if self.shots > 0 && !read.is_empty() { log_mean_exp(&answers) - none.all.answers } else { 0.0 };
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
        // The sort is stable: ties, such as several zeros, stay in order of similarity.
        tasks.sort_by(|a, b| b.posterior.total_cmp(&a.posterior));
        let mut evidence = Evidence {
            read: self.read.clone(),
            view: self.view.clone(),
            shots: self.shots,
            unread: self.unread,
            answer_tokens: all,
            none: none.all,
            none_posterior: p_none,
            foretold,
            fits,
            ahead,
            asked: self.proposed.len(),
            auto: Soup::default(),
            calibration: self.calibration,
            tasks,
            millis: took.as_secs_f64() * 1e3,
        };
        evidence.fits |= evidence.follows_answers();
        evidence.auto = evidence.auto_soup();
        evidence
    }
}

/// ln of the mean of exp.
fn log_mean_exp(values: &[f64]) -> f64 {
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + (values.iter().map(|v| (v - most).exp()).sum::<f64>() / values.len() as f64).ln()
}

impl Evidence {
    /// The evidence as a sentence.
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
        if self.follows_answers() {
            let most = self.by_answers().first().map_or("", |(task, _)| task.task.as_str());
            let foretold = self.foretold;
            if *none > self.calibration.gate(self.shots) {
                return format!(
                    "The query's own task may not be here (none of these: {none:.2}), but its answers are foretold by other tasks, most of all {most}: {foretold:+.1} \
                     nats over the query alone."
                );
            }
            let other = if most == task { String::new() } else { format!(", most of all {most}") };
            return format!("{explains}. Its answers are foretold{other}: {foretold:+.1} nats over the query alone.");
        }
        match self.ahead {
            Some(nats) if nats <= 0.0 => format!("{explains}. The query alone foretells its later examples as well, so it answers alone."),
            _ => format!("{explains}, none of these {none:.2}."),
        }
    }
}

impl Evidence {
    /// Whether the tasks together predict the answers so much better than the query alone that the
    /// soup follows the answers. This happens where the model has to learn the task from examples,
    /// and where skills of related tasks transfer.
    pub fn follows_answers(&self) -> bool {
        let least = FORETOLD[usize::from(self.shots > 1)].max(FORETOLD_A_TOKEN * self.answer_tokens as f64);
        self.shots > 0 && self.foretold > least
    }

    /// The tasks and the posterior of each given the answers alone, the most probable first.
    fn by_answers(&self) -> Vec<(&TaskEvidence, f64)> {
        let most = self.tasks.iter().map(|t| t.explained.answers).fold(f64::NEG_INFINITY, f64::max);
        let mut of: Vec<(&TaskEvidence, f64)> = self.tasks.iter().map(|t| (t, (t.explained.answers - most).exp())).collect();
        let sum: f64 = of.iter().map(|(_, weight)| weight).sum();
        of.iter_mut().for_each(|(_, weight)| *weight /= sum);
        of.sort_by(|a, b| b.1.total_cmp(&a.1));
        of
    }

    /// The soup that the evidence suggests, with the query's window.
    ///
    /// - If the tasks predict the answers ([`Evidence::follows_answers`]): the tasks weighted by
    ///   the answers alone, with a share of 1 or 0.75.
    /// - Otherwise: the tasks weighted by their posterior, with the query's own state for "none of
    ///   these". Their share is smaller where the query may suffice: the task is in doubt, or there
    ///   are several examples.
    /// - The query alone if nothing explains it. From the second example on, also if the tasks have
    ///   not predicted the later examples better than the query (a test without hindsight).
    ///
    /// These rules were chosen on 4700 queries of examples that are in no skill and no test split,
    /// before any test question was looked at.
    fn auto_soup(&self) -> Soup {
        let none = self.none_posterior;
        let (weighed, lambda) = if self.follows_answers() {
            (self.by_answers(), FOLLOWED[usize::from(self.shots > 2)])
        } else {
            let most = match self.shots {
                1 if none < CERTAIN => 1.0,
                1 => DOUBTFUL,
                _ => KNOWN,
            };
            let helps = self.fits && self.ahead.is_none_or(|nats| nats > 0.0);
            let of = self.tasks.iter().map(|t| (t, t.posterior / (1.0 - none))).collect();
            (of, if helps { most.min(1.0 - none) } else { 0.0 })
        };
        let heard: Vec<(&TaskEvidence, f64)> = weighed.into_iter().take(MOST).filter(|(_, share)| *share >= SMALLEST).collect();
        let sum: f64 = heard.iter().map(|(_, share)| share).sum();
        // Shares are rounded to four decimals, so that the shares shown are the shares mixed.
        let round = |v: f64| (v * 1e4).round() / 1e4;
        let ingredient =
            |(task, share): (&TaskEvidence, f64)| Ingredient { weight: round(share / sum), mean: true, ..Ingredient::new(&task.task) };
        Soup { ingredients: heard.into_iter().map(ingredient).collect(), lambda: round(lambda), conv: Window::Query, ..Soup::default() }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn examples(lengths: &[usize]) -> Vec<Example> {
        lengths.iter().enumerate().map(|(i, &n)| Example { tokens: vec![i as u32; n], answer: n.saturating_sub(2) }).collect()
    }

    #[test]
    fn the_last_examples_that_fit_are_read_and_the_rest_is_named() {
        let short = examples(&[10; 102]);
        let heard = Heard::of(&short);
        assert_eq!((heard.examples, heard.unread.words()), (short, None));
        assert_eq!(Heard::of(&[]).unread.words(), None);

        let heard = Heard::of(&examples(&[10; 103]));
        assert_eq!((heard.examples.len(), heard.examples[0].tokens[0]), (102, 1));
        assert_eq!(
            heard.unread.words().unwrap(),
            "Evidence reads the last 102 of the query's 103 examples, which are 1024 tokens at most."
        );

        // The first example that does not fit ends the reading, even if an earlier one would fit.
        let heard = Heard::of(&examples(&[5, MOST_TOKENS, 5]));
        assert_eq!(heard.examples, examples(&[5, MOST_TOKENS, 5])[2..]);

        let heard = Heard::of(&examples(&[7, MOST_TOKENS + 50]));
        assert_eq!((heard.examples.len(), heard.examples[0].tokens.len(), heard.examples[0].answer), (1, MOST_TOKENS, MOST_TOKENS - 2));
        assert_eq!(
            heard.unread.words().unwrap(),
            "Evidence reads the last 1024 tokens of the query's last example, and none of the other 1."
        );
    }
}
