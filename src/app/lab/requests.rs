//! What the tab asks the engine for: ranking, evidence, answers.

use crate::app::effect::Effect;
use crate::app::state::State;
use crate::engine::{JobKind, Request};
use crate::lab::{AnswerFrom, AskRequest, Evidence};
use crate::soup::{Recipe, Soup};
use crate::task::{Template, parse_query};

/// Milliseconds without a keystroke before the answers are requested.
pub const ASK_AFTER_MS: u64 = 120;

/// Milliseconds without a keystroke before the evidence is requested. Shorter than for the answers,
/// which depend on it.
pub const WEIGH_AFTER_MS: u64 = 60;

/// The query changed: ranks at once, requests answers after a pause.
pub fn query_changed(state: &mut State) -> Vec<Effect> {
    state.lab.ask_at = Some(state.clock + ASK_AFTER_MS);
    state.lab.weigh_at = state.lab.weighs.then(|| state.clock + WEIGH_AFTER_MS);
    rank(state)
}

/// Sends a ranking job, or clears the list if there is nothing to rank.
pub fn rank(state: &mut State) -> Vec<Effect> {
    let query = state.lab.query_text();
    if query.trim().is_empty() {
        state.lab.ranking = None;
        state.lab.by_similarity = None;
        state.lab.evidence = None;
        state.lab.weigh_at = None;
        state.lab.bench.follow(&Soup::default());
        state.lab.selected = 0;
        return [JobKind::Rank, JobKind::Weigh].into_iter().filter_map(|kind| state.jobs.cancel(kind)).collect();
    }
    if state.model.is_none() || state.skill_count() == 0 {
        return Vec::new();
    }
    let request = Request::Rank { query, view: state.lab.view.clone() };
    vec![state.jobs.send(request, state.clock)]
}

/// Requests the evidence of the query's examples, unless it is known.
pub fn weigh(state: &mut State) -> Vec<Effect> {
    state.lab.weigh_at = None;
    let query = state.lab.query_text();
    if query.trim().is_empty() || state.model.is_none() || state.skill_count() == 0 {
        return Vec::new();
    }
    // An edit of the unfinished line does not change the examples' evidence.
    let running = state.jobs.is_running(JobKind::Weigh) || state.jobs.is_running(JobKind::Rank);
    if !running && state.lab.present_evidence().is_some_and(Evidence::is_whole) {
        return Vec::new();
    }
    let request = Request::Weigh { query, view: state.lab.view.clone() };
    vec![state.jobs.send(request, state.clock)]
}

/// Sends a request for all answers.
pub fn ask(state: &mut State) -> Vec<Effect> {
    state.lab.ask_at = None;
    let query = state.lab.query_text();
    if query.trim().is_empty() {
        state.lab.answers = [const { None }; 5];
        return state.jobs.cancel(JobKind::Ask).into_iter().collect();
    }
    if state.model.is_none() {
        return Vec::new();
    }
    // A user who has just ended a line is still typing: there is nothing to answer yet, and nothing
    // to report.
    if !has_question(&query, &state.template) {
        return state.jobs.cancel(JobKind::Ask).into_iter().collect();
    }
    let request = ask_request(state);
    vec![state.jobs.send(Request::Ask(request), state.clock)]
}

/// Whether the query ends in an unfinished line.
fn has_question(query: &str, template: &Template) -> bool {
    !parse_query(query, template).tail.is_empty()
}

/// The request to send now: every answer that can be given.
pub fn ask_request(state: &State) -> AskRequest {
    let library = state.skill_count() > 0;
    // While the evidence chooses, the engine resolves the soup, so the answer uses the whole
    // evidence even if only part of it has been reported here.
    let soup = if state.lab.bench.auto { library.then_some(Recipe::Auto) } else { state.lab.bench.soup.to_recipe() };
    let wanted = |from: &AnswerFrom| match from {
        AnswerFrom::Soup => soup.is_some(),
        AnswerFrom::BestSkill | AnswerFrom::Full => library,
        AnswerFrom::ZeroShot | AnswerFrom::Query => true,
    };
    let from = AnswerFrom::ALL.into_iter().filter(wanted).collect();
    let target = Some(state.lab.target.text()).filter(|t| !t.trim().is_empty()).map(str::to_owned);
    AskRequest {
        query: state.lab.query_text(),
        soup,
        view: state.lab.view.clone(),
        by_evidence: state.lab.weighs && state.lab.by_evidence,
        from,
        max_tokens: state.lab.max_tokens,
        decoding: state.lab.decoding.clone(),
        target,
    }
}
