//! Many soups for one query: the landscape of a soup, the attribution of its parts, and two soups
//! compared.

use super::Lab;
use super::answer::{Start, nothing_to_answer, target_from};
use super::mixer::Mixer;
use super::query::Query;
use super::{
    AnswerFrom, AskRequest, AttributionRequest, AttributionView, CompareRequest, CompareView, LandscapePoint, LandscapeRequest,
    LandscapeView, LeftOut, RankView, SoupPart,
};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::soup::{Recipe, Soup, mixes};
use crate::state::State;

/// Maximum bytes of mixed states at a time.
const BYTES: usize = 32 << 20;
/// Maximum number of states asked together.
const TOGETHER: usize = 16;
/// Maximum number of bands of layers that an attribution leaves out.
const BANDS: usize = 8;

/// A query and its target answer.
struct Aim {
    query: Query,
    target: Vec<u32>,
}

impl Lab {
    fn aim(&self, query: &str, target: &str) -> Result<Aim> {
        let query = self.query(query)?;
        if query.tail.is_empty() {
            return Err(nothing_to_answer());
        }
        let target = self.answer_after(&query.parsed.segments, &query.parsed.tail, &query.tail, target)?;
        if target.is_empty() {
            return Err(Error::Input("there is no target answer whose log-probability could be measured".into()));
        }
        Ok(Aim { query, target })
    }

    /// ln p(target | recipe) for every recipe. `done` receives all values so far after each batch.
    fn likelihoods(
        &self,
        aim: &Aim,
        view: &RankView,
        recipes: &[Recipe],
        control: Control<'_>,
        done: &mut dyn FnMut(&[f64]),
    ) -> Result<Vec<f64>> {
        let quiet = control.with_progress(&|_| {});
        let mixer = Mixer::new(self, Some(&aim.query), view, quiet);
        let together = (BYTES / (self.shape().total_len() * size_of::<f32>())).clamp(1, TOGETHER);
        let mut told = Vec::with_capacity(recipes.len());
        for batch in recipes.chunks(together) {
            control.check()?;
            let start = |r: &Recipe| Ok(Start { states: r.answering(&mixer)?, tokens: aim.query.tail.clone() });
            let starts = batch.iter().map(start).collect::<Result<Vec<_>>>()?;
            told.extend(target_from(&self.model, &starts, &aim.target, quiet)?);
            done(&told);
            control.report(told.len() as u64, recipes.len() as u64, "mixes");
        }
        Ok(told)
    }

    /// ln p of the target over the mixes of two or three ingredients, coarse to fine. `frame`
    /// receives the landscape as it fills.
    ///
    /// # Errors
    /// [`Error::Input`] if the soup has another number of active ingredients or a rule without
    /// weights, or there is nothing to answer; the model's; [`Error::Cancelled`].
    pub fn landscape(
        &self,
        request: &LandscapeRequest,
        control: Control<'_>,
        frame: &mut dyn FnMut(LandscapeView),
    ) -> Result<LandscapeView> {
        let soup = &request.soup;
        let corners: Vec<String> = soup.audible().map(|i| i.skill.clone()).collect();
        if !(2..=3).contains(&corners.len()) {
            return Err(Error::Input(format!("a landscape needs two or three ingredients that count, not {}", corners.len())));
        }
        if !soup.takes_shares() {
            return Err(Error::Input(format!("the rule {} takes no weights, so there is no landscape of them", soup.rule.name())));
        }
        let aim = self.aim(&request.query, &request.target)?;
        let fine = if corners.len() == 2 { 32 } else { 16 };
        let grid = mixes(corners.len(), fine);
        let shares = |mix: &Vec<usize>| mix.iter().map(|&n| n as f64 / fine as f64).collect::<Vec<_>>();
        let recipe = |mix| soup.with_shares(&shares(mix)).to_recipe().ok_or_else(|| Error::Input("the soup is empty".into()));
        let recipes = grid.iter().map(recipe).collect::<Result<Vec<_>>>()?;
        let view = |told: &[f64]| LandscapeView {
            request: request.clone(),
            corners: corners.clone(),
            fine,
            points: grid.iter().zip(told).map(|(mix, &logprob)| LandscapePoint { mix: mix.clone(), logprob }).collect(),
            total: grid.len(),
        };
        let told = self.likelihoods(&aim, &request.view, &recipes, control, &mut |told| frame(view(told)))?;
        Ok(view(&told))
    }

    /// ln p of the target with the whole soup, without each active ingredient, and without each
    /// band of layers.
    ///
    /// # Errors
    /// [`Error::Input`] if the soup is empty or there is nothing to answer; the model's;
    /// [`Error::Cancelled`].
    pub fn attribution(&self, request: &AttributionRequest, control: Control<'_>) -> Result<AttributionView> {
        let (soup, n_layer) = (&request.soup, self.shape().n_layer);
        let aim = self.aim(&request.query, &request.target)?;
        let whole = soup.to_recipe().ok_or_else(|| Error::Input("the soup is empty: there is nothing to take apart".into()))?;
        let ingredients =
            soup.audible_places().into_iter().map(|p| (SoupPart::Ingredient(soup.ingredients[p].skill.clone()), soup.without(p)));
        let heard = soup.curve(n_layer);
        let width = n_layer.div_ceil(BANDS);
        let bands = (0..n_layer).step_by(width).map(|from| from..(from + width).min(n_layer));
        // A band on which the soup does not act cannot be left out.
        let bands = bands.filter(|b| heard[b.clone()].iter().any(|w| *w != 0.0));
        let parts: Vec<(SoupPart, Soup)> =
            ingredients.chain(bands.map(|b| (SoupPart::Layers(b.clone()), soup.without_layers(&b, n_layer)))).collect();
        let rest: Vec<Option<Recipe>> = parts.iter().map(|(_, soup)| soup.to_recipe()).collect();
        let recipes: Vec<Recipe> = std::iter::once(whole).chain(rest.iter().flatten().cloned()).collect();
        let mut told = self.likelihoods(&aim, &request.view, &recipes, control, &mut |_| {})?.into_iter();
        let whole = told.next().unwrap_or(f64::NAN);
        let parts =
            parts.into_iter().zip(rest).map(|((part, _), rest)| LeftOut { part, without: rest.and_then(|_| told.next()) }).collect();
        Ok(AttributionView { request: request.clone(), whole, parts })
    }

    /// Two soups' answers to one query, and the cosine of their states.
    ///
    /// # Errors
    /// Those of [`Lab::ask`].
    pub fn compare(&self, request: &CompareRequest, control: Control<'_>) -> Result<CompareView> {
        let mut answers = [None, None];
        let mut states: Vec<State> = Vec::new();
        for (slot, recipe) in answers.iter_mut().zip(&request.soups) {
            let Some(recipe) = recipe else { continue };
            let ask = AskRequest { soup: Some(recipe.clone()), from: vec![AnswerFrom::Soup], ..request.ask.clone() };
            *slot = self.ask(&ask, control)?.pop();
            states.push(self.mix(recipe, Some(&request.ask.query), &request.ask.view, control)?);
        }
        let cosine = match &states[..] {
            [a, b] => (0..self.shape().n_layer).map(|l| cosine(a.ssm_layer(l), b.ssm_layer(l))).collect(),
            _ => Vec::new(),
        };
        Ok(CompareView { request: request.clone(), answers, cosine })
    }
}

/// Cosine of two vectors; 0 if either has length zero.
fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { (dot(a, b) / lengths) as f32 } else { 0.0 }
}
