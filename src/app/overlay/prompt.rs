//! Prompts for a value: their questions, the values they start with, and what becomes of an answer.

use super::Overlay;
use crate::app::effect::Effect;
use crate::app::key::{Key, KeyCode};
use crate::app::library::{self, parse_tags};
use crate::app::line::Line;
use crate::app::soup_edit::{SoupEdit, SoupRow};
use crate::app::state::State;
use crate::app::{bench, decay, experiments, lab, map, session};
use crate::lab::LibraryEdit;
use crate::soup::parameter_of;

/// A value that a prompt asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PromptKind {
    /// The selected row of the soup.
    SoupValue,
    /// A given row of the soup.
    SoupRow(SoupRow),
    /// Layers compared in the ranking.
    RankLayers,
    /// The map's layer.
    MapLayer,
    /// The map's perplexity.
    Perplexity,
    /// The words to search the map's points for.
    MapSearch,
    /// Tags of the selected skill.
    Tags,
    /// A task, its examples and a seed, for a new skill.
    TaskSkill,
    /// Maximum tokens per answer.
    MaxTokens,
    /// A value on the Decay tab.
    Decay(decay::DecayValue),
    /// The folder that experiment reports are written to.
    ResultsFolder,
    /// A text for the session.
    Session(session::Ask),
}

/// The question of a prompt.
pub fn question(state: &State, kind: &PromptKind) -> String {
    if let Some(row) = soup_row(state, kind) {
        return match row {
            SoupRow::Ingredient(i) => format!("Weight of {}", state.lab.bench.soup.ingredients.get(i).map_or("", |x| x.skill.as_str())),
            SoupRow::Rule => "Rule".into(),
            SoupRow::Value(field) => parameter_of(field).and_then(|p| p.knob.as_ref()).map_or(field, |knob| knob.question).into(),
            SoupRow::Lambda => "λ, share of the soup besides the query (0 to 1)".into(),
            SoupRow::Curve => format!("Weight of layer {} (or all {}, or `range`)", state.lab.bench.layer, state.layers()),
            SoupRow::Layers => format!("Layers mixed, of 0..{} (`all`, `4..8`, `5`)", state.layers()),
        };
    }
    match kind {
        PromptKind::RankLayers => format!("Layers compared, of 0..{} (`all`, `4..8`, `5`)", state.layers()),
        PromptKind::MapLayer => format!("Layer drawn, 0 to {}", state.layers().saturating_sub(1)),
        PromptKind::Perplexity => "Perplexity".into(),
        PromptKind::MapSearch => "Words of a skill's id or family".into(),
        PromptKind::Tags => format!("Tags of {}", library::selected(state).map_or("", |s| s.id.as_str())),
        PromptKind::TaskSkill => "Task, examples, seed (tab completes the name)".into(),
        PromptKind::MaxTokens => "The most tokens of each answer".into(),
        PromptKind::Decay(value) => value.question().into(),
        PromptKind::ResultsFolder => "Folder for the reports, one folder an experiment".into(),
        PromptKind::Session(ask) => ask.question().into(),
        PromptKind::SoupValue | PromptKind::SoupRow(_) => String::new(),
    }
}

/// Opens a prompt with the current value in it.
pub fn open_prompt(state: &mut State, kind: PromptKind) {
    let soup = &state.lab.bench.soup;
    let value = match soup_row(state, &kind) {
        Some(SoupRow::Ingredient(i)) => match soup.ingredients.get(i) {
            Some(ingredient) if ingredient.locked => {
                let text = format!("The weight of {} is locked; l unlocks it.", ingredient.skill);
                return state.complain(text);
            }
            Some(ingredient) => trim_number(ingredient.weight),
            None => return,
        },
        Some(SoupRow::Rule) => soup.rule.name().to_owned(),
        Some(SoupRow::Value(field)) => soup.values.number(field).map_or_else(String::new, trim_number),
        Some(SoupRow::Lambda) => trim_number(soup.lambda),
        Some(SoupRow::Layers) => layers_text(soup.layers.as_ref()),
        Some(SoupRow::Curve) => {
            let weight = soup.layer_weights.as_ref().and_then(|w| w.get(state.lab.bench.layer));
            weight.map_or_else(String::new, |w| trim_number(*w))
        }
        None => match kind {
            PromptKind::RankLayers => layers_text(Some(&state.lab.view.layers)),
            PromptKind::MapLayer => state.map.request.layer.to_string(),
            PromptKind::Perplexity => trim_number(state.map.request.perplexity),
            PromptKind::MapSearch => state.map.search.clone(),
            PromptKind::Tags => library::selected(state).map(|s| s.tags.join(" ")).unwrap_or_default(),
            PromptKind::TaskSkill => library::task_skill_text(state),
            PromptKind::Decay(value) => decay::value_text(state, value),
            PromptKind::ResultsFolder => {
                state.experiments.results.as_ref().map_or_else(|| "results".into(), |dir| dir.display().to_string())
            }
            PromptKind::Session(ask) => ask.value().into(),
            _ => state.lab.max_tokens.to_string(),
        },
    };
    state.overlay = Some(Overlay::Prompt { kind, input: Line::new(&value), error: None });
}

/// A key for a prompt: the effects of leaving it; `None` if it stays.
pub(super) fn typed(state: &mut State, kind: &PromptKind, input: &mut Line, error: &mut Option<String>, key: Key) -> Option<Vec<Effect>> {
    if key.code == KeyCode::Enter {
        match submit(state, kind, input.text()) {
            Ok(effects) => return Some(effects),
            Err(why) => *error = Some(why),
        }
    } else if key.code == KeyCode::Tab && *kind == PromptKind::TaskSkill {
        *input = Line::new(&library::completed(state, input.text()));
    } else if input.input(key) {
        *error = None;
    }
    None
}

fn submit(state: &mut State, kind: &PromptKind, text: &str) -> Result<Vec<Effect>, String> {
    if let Some(row) = soup_row(state, kind) {
        let (layers, clock) = (state.layers(), state.clock);
        let changed = state.lab.bench.edit(&SoupEdit::Type(row, text.to_owned()), layers, clock)?;
        if changed {
            bench::changed(state);
        }
        return Ok(Vec::new());
    }
    match kind {
        PromptKind::RankLayers => lab::set_layers(state, text),
        PromptKind::MapLayer => {
            let layers = state.layers();
            let layer = text.trim().parse::<usize>().ok().filter(|l| *l < layers);
            state.map.request.layer = layer.ok_or_else(|| format!("`{text}` is not a layer of 0 to {}.", layers.saturating_sub(1)))?;
            state.map.layer_chosen = true;
            Ok(map::run(state))
        }
        PromptKind::Perplexity => {
            let value = text.trim().parse::<f64>().ok().filter(|p| p.is_finite() && *p >= 1.0);
            state.map.request.perplexity = value.ok_or("The perplexity must be a number of 1 or more.")?;
            Ok(map::run(state))
        }
        PromptKind::MapSearch => map::search(state, text),
        PromptKind::MaxTokens => {
            let value = text.trim().parse::<usize>().ok().filter(|n| (1..=4096).contains(n));
            state.lab.max_tokens = value.ok_or("Answers have 1 to 4096 tokens.")?;
            Ok(lab::ask(state))
        }
        PromptKind::Decay(value) => decay::set_value(state, *value, text),
        PromptKind::ResultsFolder => experiments::export(state, text),
        PromptKind::Tags => {
            let id = library::selected(state).map(|s| s.id.clone()).ok_or("No skill is selected.")?;
            Ok(library::edit(state, LibraryEdit::Tag(id, parse_tags(text))))
        }
        PromptKind::TaskSkill => library::add_task(state, text),
        PromptKind::Session(ask) => session::answer(state, *ask, text),
        PromptKind::SoupValue | PromptKind::SoupRow(_) => Ok(Vec::new()),
    }
}

/// The row a soup prompt sets.
fn soup_row(state: &State, kind: &PromptKind) -> Option<SoupRow> {
    match kind {
        PromptKind::SoupValue => Some(state.lab.bench.row()),
        PromptKind::SoupRow(row) => Some(*row),
        _ => None,
    }
}

/// A layer range as the user writes it.
pub fn layers_text(range: Option<&std::ops::Range<usize>>) -> String {
    range.map_or_else(|| "all".into(), |r| format!("{}..{}", r.start, r.end))
}

/// A number without needless digits.
pub fn trim_number(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
