//! Ranking the skills for a query, mixing a recipe, and answers from each requested state.

use super::answer::{Spec, Start, continue_from, nothing_to_answer};
use super::mixer::Mixer;
use super::open::{LastRanking, lock};
use super::query::Query;
use super::{Answer, AnswerFrom, AskRequest, Lab, RankView};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::library::Ranking;
use crate::soup::{Recipe, Resolver};
use crate::state::State;
use crate::task::{ParsedQuery, Segment, Task};
use std::sync::Arc;
use std::time::Instant;

impl Lab {
    /// Ranks the skills for a query.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty query, [`Error::Library`] for an empty library; the model's;
    /// [`Error::Cancelled`].
    pub fn rank(&self, query: &str, view: &RankView, control: Control<'_>) -> Result<Arc<Ranking>> {
        let query = self.query(query)?;
        let library = self.filled_library()?;
        let began = Instant::now();
        let segments = self.ranked_segments(&query);
        let read = self.read(&segments, control)?;
        let reading = began.elapsed();
        control.check()?;
        let before = lock(&self.last).as_ref().map(|last| Arc::clone(&last.ranking));
        let began = Instant::now();
        let mut ranking = library.rank(&read.state, view, before.as_deref())?;
        // The library counts only its own time, but the user waits for the whole comparison.
        ranking.shots = query.shots();
        ranking.read = query.parsed.read();
        ranking.tokens_run = read.tokens_run;
        ranking.millis = [reading, began.elapsed()].map(|d| d.as_secs_f64() * 1e3);
        let ranking = Arc::new(ranking);
        *lock(&self.last) = Some(LastRanking { ranking: Arc::clone(&ranking), segments, library: Arc::downgrade(&library) });
        self.shelve(&library);
        Ok(ranking)
    }

    /// The skills by similarity to a query. The last ranking is reused if its text, view and
    /// library are the same.
    pub(super) fn ranking_of(&self, query: &Query, view: &RankView, control: Control<'_>) -> Result<Arc<Ranking>> {
        let library = self.filled_library()?;
        let segments = self.ranked_segments(query);
        if let Some(last) = &*lock(&self.last)
            && last.library.as_ptr() == Arc::as_ptr(&library)
            && last.ranking.view.as_ref() == Some(view)
            && last.segments == segments
        {
            return Ok(Arc::clone(&last.ranking));
        }
        let read = self.read(&segments, control)?;
        Ok(Arc::new(library.rank(&read.state, view, None)?))
    }

    /// Answers a query from each of the requested states, in that order.
    ///
    /// # Errors
    /// [`Error::Input`] if the query has no unfinished line or the recipe cannot be evaluated; the
    /// model's; [`Error::Cancelled`].
    pub fn ask(&self, request: &AskRequest, control: Control<'_>) -> Result<Vec<Answer>> {
        let began = Instant::now();
        let query = self.query(&request.query)?;
        if query.tail.is_empty() {
            return Err(nothing_to_answer());
        }
        let mixer = Mixer::new(self, Some(&query), &request.view, control);
        let mut resolver = if request.by_evidence { mixer.by_evidence() } else { mixer };
        let mut starts = Vec::new();
        let mut origins = Vec::new();
        let mut missing = Vec::new();
        for &from in &request.from {
            if from == AnswerFrom::Full
                && let Some(why) = self.not_at_hand(&resolver.best()?.1)
            {
                missing.push((from, why));
                continue;
            }
            let Some((start, origin)) = self.start(from, request, &query, &mut resolver)? else { continue };
            starts.push(start);
            origins.push((from, origin));
        }
        let ParsedQuery { segments, tail, .. } = &query.parsed;
        let target = request.target.as_ref().map(|t| self.answer_after(segments, tail, &query.tail, t)).transpose()?;
        let end = self.build.template.answer_end().to_string();
        let spec = Spec { max_tokens: request.max_tokens, decoding: &request.decoding, end: &end, target: target.as_deref() };
        let continuations = if starts.is_empty() { Vec::new() } else { continue_from(&self.model, &starts, &spec, control)? };
        let millis = began.elapsed().as_secs_f64() * 1e3;
        let not_given = missing.into_iter().map(|(from, why)| Answer {
            from,
            origin: why,
            missing: true,
            text: String::new(),
            logprob: f64::NAN,
            top: Vec::new(),
            target_logprob: None,
            millis,
        });
        Ok(origins
            .into_iter()
            .zip(continuations)
            .map(|((from, origin), c)| Answer {
                from,
                origin,
                missing: false,
                text: c.text,
                logprob: c.logprob,
                top: c.top,
                target_logprob: c.target_logprob,
                millis,
            })
            .chain(not_given)
            .collect())
    }

    /// Why a task's examples cannot be read before a query; `None` if they can.
    fn not_at_hand(&self, task: &str) -> Option<String> {
        self.first_set(task).err().map(|error| error.to_string())
    }

    /// The state that a recipe yields, for a query without a question.
    ///
    /// # Errors
    /// As [`Recipe::evaluate`]; [`Error::Input`] if the recipe needs a query and none is given.
    pub fn mix(&self, recipe: &Recipe, query: Option<&str>, view: &RankView, control: Control<'_>) -> Result<State> {
        let query = query.map(|q| self.whole_query(q)).transpose()?;
        recipe.evaluate(&Mixer::new(self, query.as_ref(), view, control))
    }

    /// Calls `work` with the mixer of a query. `without`: tasks to treat as absent from the
    /// library.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty query; those of `work`.
    pub(crate) fn at<T>(
        &self,
        query: &str,
        view: &RankView,
        without: &[&str],
        control: Control<'_>,
        work: impl FnOnce(&Mixer<'_>) -> Result<T>,
    ) -> Result<T> {
        let query = self.query(query)?;
        work(&Mixer::new(self, Some(&query), view, control).without(without))
    }

    /// Where an answer starts; `None` for a soup answer without a soup.
    fn start(&self, from: AnswerFrom, request: &AskRequest, query: &Query, mixer: &mut Mixer<'_>) -> Result<Option<(Start, String)>> {
        let tail = query.tail.clone();
        let bos = self.bos();
        Ok(Some(match from {
            AnswerFrom::ZeroShot => (Start { states: Vec::new(), tokens: [&bos[..], &query.alone].concat() }, "nothing read".into()),
            AnswerFrom::Query => {
                let read = self.read(&query.segments, mixer.control)?;
                let n = query.parsed.segments.iter().filter(|s| s.pair.is_some()).count();
                (Start { states: vec![read.state], tokens: tail }, format!("{n} example{}", if n == 1 { "" } else { "s" }))
            }
            AnswerFrom::BestSkill => {
                let (skill, _) = mixer.best()?;
                (Start { states: vec![mixer.skill(&skill)?], tokens: tail }, skill)
            }
            AnswerFrom::Soup => {
                let Some(recipe) = &request.soup else { return Ok(None) };
                let chosen = if *recipe == Recipe::Auto { Some(mixer.auto()?) } else { None };
                let recipe = chosen.as_ref().unwrap_or(recipe);
                (Start { states: recipe.answering(mixer)?, tokens: tail }, recipe.to_string())
            }
            AnswerFrom::Full => {
                let (_, task) = mixer.best()?;
                let examples = self.first_set(&task)?;
                let origin = format!("{} examples of {task}, then the query", examples.len());
                let (read, tail) = self.tokens_of(examples.iter().chain(&query.parsed.segments), &query.parsed.tail)?;
                let mut tokens = bos;
                tokens.extend(read.into_iter().flat_map(|example| example.tokens));
                tokens.extend(tail);
                (Start { states: Vec::new(), tokens }, origin)
            }
        }))
    }

    /// A task's first example set, as read by the library's first skill of the task.
    fn first_set(&self, task: &str) -> Result<Vec<Segment>> {
        let task = self.task_named(task)?;
        let split = self.split_spec().draw(task)?;
        Ok(split.sets.first().into_iter().flatten().map(|&i| self.build.template.segment(task.pairs[i].clone())).collect())
    }

    /// An open task, by its name.
    pub(super) fn task_named(&self, name: &str) -> Result<&Task> {
        self.tasks.iter().find(|t| t.name == name).ok_or_else(|| {
            Error::Input(format!(
                "the examples of `{name}` are not available: it is a skill made from a text, or of a task that is not opened"
            ))
        })
    }
}
