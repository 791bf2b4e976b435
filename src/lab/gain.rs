//! Whether the soup gains or loses against the query alone, measured on the query's own examples.

use super::Lab;
use super::answer::{Start, target_from};
use super::evidence::Heard;
use super::mixer::Mixer;
use super::query::Query;
use super::{AnswerFrom, AskRequest, Gain};
use crate::control::Control;
use crate::error::Result;
use crate::soup::{Recipe, Resolver};
use crate::state::State;
use crate::task::Pair;

/// Maximum number of examples left out: the last ones of the query.
const EXAMPLES: usize = 4;
/// Number of tasks whose evidence is read while an example is left out: the best given all
/// examples.
const TASKS: usize = 6;

impl Gain {
    /// Whether the soup gains or loses; `None` if the difference is below a hundredth of a nat.
    pub fn gains(&self) -> Option<bool> {
        (self.nats.abs() >= 0.01).then_some(self.nats > 0.0)
    }

    /// The result as a sentence.
    pub fn words(&self) -> String {
        let Self { nats, examples, left_out } = *self;
        if !left_out {
            return format!("The soup's skills, without the query, explain your example: {nats:+.2} nats over nothing read.");
        }
        let of = format!("{nats:+.2} nats an example, {examples} left out in turn");
        match self.gains() {
            Some(true) => format!("The soup gains on the query: {of}."),
            Some(false) => format!("The soup loses to the query: {of}."),
            None => format!("The soup answers as the query alone does: {of}."),
        }
    }
}

impl Lab {
    /// Asks each of the query's last examples from the soup and from the query alone, both made of
    /// the other examples. `None` without a soup or an example, or where nothing can be left out.
    ///
    /// # Errors
    /// As [`Lab::ask`].
    pub fn gain(&self, request: &AskRequest, control: Control<'_>) -> Result<Option<Gain>> {
        let Some(soup) = request.soup.as_ref().filter(|_| request.from.contains(&AnswerFrom::Soup)) else { return Ok(None) };
        let query = self.query(&request.query)?;
        let pairs: Vec<Pair> = query.parsed.segments.iter().filter_map(|s| s.pair.clone()).collect();
        if pairs.is_empty() || pairs.len() < query.parsed.segments.len() {
            return Ok(None);
        }
        // Each example left out costs another reading of the others, so only those that evidence
        // reads are used.
        let pairs = &pairs[Heard::of(&query.examples).unread.examples.min(pairs.len() - 1)..];
        let quiet = control.with_progress(&|_| {});
        let whole = Mixer::new(self, Some(&query), &request.view, quiet);
        let among =
            if soup.reads_evidence() { whole.evidence()?.tasks.iter().take(TASKS).map(|t| t.task.clone()).collect() } else { Vec::new() };
        let mut nats = 0.0;
        if let [pair] = pairs {
            let Some(states) = without_query(soup, &whole)? else { return Ok(None) };
            nats += self.target(states, pair, quiet)? - self.target(vec![self.neutral(quiet)?], pair, quiet)?;
            return Ok(Some(Gain { nats, examples: 1, left_out: false }));
        }
        let asked = &pairs[pairs.len().saturating_sub(EXAMPLES)..];
        for (i, pair) in asked.iter().enumerate() {
            control.report(i as u64, asked.len() as u64, "examples");
            control.check()?;
            let held = pairs.len() - asked.len() + i;
            let rest: String = pairs.iter().enumerate().filter(|(j, _)| *j != held).map(|(_, p)| self.build.template.example(p)).collect();
            let rest: Query = self.query(&rest)?;
            let mixer = Mixer::new(self, Some(&rest), &request.view, quiet).among(&among);
            nats += self.target(soup.answering(&mixer)?, pair, quiet)? - self.target(vec![mixer.query()?], pair, quiet)?;
        }
        Ok(Some(Gain { nats: nats / asked.len() as f64, examples: asked.len(), left_out: true }))
    }

    /// ln p of a pair's answer from the given states.
    fn target(&self, states: Vec<State>, pair: &Pair, control: Control<'_>) -> Result<f64> {
        let (tail, answer) = self.question(pair)?;
        let told = target_from(&self.model, &[Start { states, tokens: tail }], &answer, control)?;
        Ok(told.first().copied().unwrap_or(f64::NAN))
    }
}

/// The states of a soup without the query's; `None` if nothing remains.
fn without_query(soup: &Recipe, mixer: &Mixer<'_>) -> Result<Option<Vec<State>>> {
    Ok(match soup {
        Recipe::Auto => without_query(&mixer.auto()?, mixer)?,
        Recipe::WithQuery { of, .. } | Recipe::Primed { of } | Recipe::Gated { of } => without_query(of, mixer)?,
        Recipe::Conv { of, from } if **from == Recipe::Query => without_query(of, mixer)?,
        recipe if recipe.reads_query() => None,
        recipe => Some(recipe.answering(mixer)?),
    })
}
