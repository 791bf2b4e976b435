//! The request that each instrument would send now; an error is a sentence about what is missing.

use super::ECG_TASKS;
use crate::app::lab;
use crate::app::state::State;
use crate::lab::{AskRequest, AttributionRequest, AutopsyRequest, CompareRequest, EcgRequest, LandscapeRequest, VerdictRequest};
use crate::soup::{Recipe, Soup};

/// The query, if there are a model and a skill to compare it with.
fn query(state: &State) -> Result<String, String> {
    if state.model.is_none() || state.skill_count() == 0 {
        return Err("The model and the library are not ready yet.".into());
    }
    let query = state.lab.query_text();
    if query.trim().is_empty() { Err("This needs a query: type a few examples, then an unfinished line.".into()) } else { Ok(query) }
}

fn target(state: &State) -> Result<String, String> {
    let target = state.lab.target.text();
    if target.trim().is_empty() {
        return Err("This needs a target: t in the answers types the answer whose log-probability is shown.".into());
    }
    Ok(target.to_owned())
}

fn recipe(state: &State) -> Result<Recipe, String> {
    state.lab.bench.soup.to_recipe().ok_or_else(|| "This needs a soup: Enter in the ranking adds an ingredient.".into())
}

/// The skill ECG of the query.
///
/// # Errors
/// A sentence about what is missing.
pub fn ecg(state: &State) -> Result<EcgRequest, String> {
    Ok(EcgRequest { query: query(state)?, view: state.lab.view.clone(), tasks: ECG_TASKS })
}

/// The landscape of the soup. The request has equal weights: the landscape does not depend on them,
/// and must not be drawn again when they change.
///
/// # Errors
/// A sentence about what is missing.
pub fn landscape(state: &State) -> Result<LandscapeRequest, String> {
    let soup = &state.lab.bench.soup;
    let count = soup.audible().count();
    if !(2..=3).contains(&count) {
        return Err(format!("A landscape needs two or three ingredients that count; the soup has {count}. m mutes, s makes solo."));
    }
    if !soup.takes_shares() {
        return Err(format!("The rule {} takes no weights, so there is no landscape of them; r changes it.", soup.rule.name()));
    }
    let soup = levelled(soup, count);
    Ok(LandscapeRequest { query: query(state)?, view: state.lab.view.clone(), soup, target: target(state)? })
}

fn levelled(soup: &Soup, count: usize) -> Soup {
    let mut soup = soup.with_shares(&vec![1.0 / count as f64; count]);
    let places = soup.audible_places();
    soup.ingredients = places.into_iter().map(|p| soup.ingredients[p].clone()).collect();
    soup
}

/// The attribution of the soup.
///
/// # Errors
/// A sentence about what is missing.
pub fn attribution(state: &State) -> Result<AttributionRequest, String> {
    recipe(state)?;
    let soup = state.lab.bench.soup.clone();
    Ok(AttributionRequest { query: query(state)?, view: state.lab.view.clone(), soup, target: target(state)? })
}

/// The verdict on the soup.
///
/// # Errors
/// A sentence about what is missing.
pub fn verdict(state: &State) -> Result<VerdictRequest, String> {
    Ok(VerdictRequest { soup: recipe(state)?, query: query(state)?, view: state.lab.view.clone() })
}

/// The autopsy of the soup.
///
/// # Errors
/// A sentence about what is missing.
pub fn autopsy(state: &State) -> Result<AutopsyRequest, String> {
    let soup = recipe(state)?;
    if state.model.is_none() {
        return Err("The model is not ready yet.".into());
    }
    if soup.needs_query() {
        query(state)?;
    }
    Ok(AutopsyRequest { query: state.lab.query_text(), view: state.lab.view.clone(), soup })
}

/// The answers of both soups; `None` if there is no query to answer.
///
/// # Errors
/// A sentence if there is no other soup.
pub fn compare(state: &State) -> Result<Option<CompareRequest>, String> {
    let soups = state.lab.instruments.sides.both(&state.lab.bench).ok_or("There is no other soup yet: b makes one.")?;
    if query(state).is_err() {
        return Ok(None);
    }
    let ask = AskRequest { soup: None, from: Vec::new(), ..lab::ask_request(state) };
    Ok(Some(CompareRequest { ask, soups: soups.map(Soup::to_recipe) }))
}
