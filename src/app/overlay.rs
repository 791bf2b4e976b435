//! What lies above a tab: help, palette, prompts and forms. Keys go to the overlay first.

use super::command::{self, Command};
use super::effect::Effect;
use super::guide::{self, Reading};
use super::instrument::{self, Panel};
use super::key::{Key, KeyCode};
use super::library::{self, parse_tags};
use super::line::Line;
use super::soup_edit::{SoupEdit, SoupRow};
use super::state::State;
use super::{bench, decay, editor, experiments, lab, map, session, update};
use crate::lab::LibraryEdit;
use crate::soup::parameter_of;
use ratatui_textarea::TextArea;

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

/// The open overlay.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// The keys that work here.
    Help {
        /// The search words.
        filter: Line,
        /// First line shown.
        scroll: usize,
    },
    /// The guide.
    Guide(Reading),
    /// All commands.
    Palette {
        /// The search words.
        input: Line,
        /// The selected match.
        selected: usize,
    },
    /// A prompt for a value.
    Prompt {
        /// The value it asks for.
        kind: PromptKind,
        /// The text so far.
        input: Line,
        /// Why the text was refused.
        error: Option<String>,
    },
    /// A panel of one of the Lab's instruments.
    Instrument(Panel),
    /// A form for a skill from text.
    AddSkill {
        /// The skill's task name.
        name: Line,
        /// The text.
        text: Box<TextArea<'static>>,
        /// Whether keys go to the text rather than the name.
        on_text: bool,
        /// Why the form was refused.
        error: Option<String>,
    },
}

impl Overlay {
    /// The keys that work here, all of them.
    pub fn help() -> Self {
        Self::Help { filter: Line::default(), scroll: 0 }
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

/// The question of a prompt.
pub fn question(state: &State, kind: &PromptKind) -> String {
    if let Some(row) = soup_row(state, kind) {
        return match row {
            SoupRow::Ingredient(i) => format!("Weight of {}", state.lab.bench.soup.ingredients.get(i).map_or("", |x| x.skill.as_str())),
            SoupRow::Rule => "Rule".into(),
            SoupRow::Value(field) => parameter_of(field).and_then(|p| p.knob.as_ref()).map_or(field, |knob| knob.question).into(),
            SoupRow::Lambda => "λ, share of the soup beside the query (0 to 1)".into(),
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
        PromptKind::MaxTokens => "Tokens at most, of each answer".into(),
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

/// A number without needless digits.
pub fn trim_number(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Commands that match the palette's words, best first: available ones before the others, names
/// before descriptions.
pub fn matches(state: &State, input: &str) -> Vec<&'static Command> {
    let input = input.to_lowercase();
    let words: Vec<&str> = input.split_whitespace().collect();
    let mut found: Vec<(u8, &'static Command)> = command::all()
        .filter(|c| !c.hidden)
        .filter_map(|c| {
            let name = c.name.to_lowercase();
            let all = format!("{name} {} {}", c.id, c.doc.to_lowercase());
            let rank = if words.iter().all(|w| name.contains(w)) {
                u8::from(!words.first().is_none_or(|w| name.starts_with(w)))
            } else if words.iter().all(|w| all.contains(w)) {
                2
            } else {
                return None;
            };
            Some((rank + if (c.available)(state) { 0 } else { 4 }, c))
        })
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, c)| c).collect()
}

/// A key for the overlay on top.
pub fn input(state: &mut State, key: Key) -> Vec<Effect> {
    let Some(mut overlay) = state.overlay.take() else { return Vec::new() };
    if key.code == KeyCode::Esc {
        return if let Overlay::Instrument(panel) = &overlay { instrument::leave(state, panel) } else { Vec::new() };
    }
    let effects = match &mut overlay {
        Overlay::Help { filter, scroll } => {
            match key.code {
                KeyCode::Up => *scroll = scroll.saturating_sub(1),
                KeyCode::Down => *scroll += 1,
                KeyCode::PageUp => *scroll = scroll.saturating_sub(10),
                KeyCode::PageDown => *scroll += 10,
                KeyCode::Enter => return Vec::new(),
                KeyCode::Tab | KeyCode::BackTab => {
                    state.overlay = Some(guide::open(state));
                    return Vec::new();
                }
                _ => {
                    filter.input(key);
                    *scroll = 0;
                }
            }
            *scroll = (*scroll).min(command::all().count());
            Vec::new()
        }
        Overlay::Guide(reading) => {
            if !guide::input(reading, key) {
                overlay = Overlay::help();
            }
            Vec::new()
        }
        Overlay::Palette { input, selected } => {
            let found = matches(state, input.text());
            match key.code {
                KeyCode::Enter => {
                    let Some(command) = found.get(*selected) else {
                        state.overlay = Some(overlay);
                        return Vec::new();
                    };
                    if !(command.available)(state) {
                        state.say(format!("{} is not possible here and now.", command.name));
                        return Vec::new();
                    }
                    let action = (command.action)(state);
                    return update(state, action);
                }
                KeyCode::Up | KeyCode::BackTab => *selected = selected.saturating_sub(1),
                KeyCode::Down | KeyCode::Tab => *selected = (*selected + 1).min(found.len().saturating_sub(1)),
                KeyCode::PageUp => *selected = selected.saturating_sub(10),
                KeyCode::PageDown => *selected = (*selected + 10).min(found.len().saturating_sub(1)),
                _ => {
                    if input.input(key) {
                        *selected = 0;
                    }
                }
            }
            Vec::new()
        }
        Overlay::Prompt { kind, input, error } => {
            if key.code == KeyCode::Enter {
                match submit(state, kind, input.text()) {
                    Ok(effects) => return effects,
                    Err(why) => *error = Some(why),
                }
            } else if key.code == KeyCode::Tab && *kind == PromptKind::TaskSkill {
                *input = Line::new(&library::completed(state, input.text()));
            } else if input.input(key) {
                *error = None;
            }
            Vec::new()
        }
        Overlay::Instrument(panel) => return instrument::input(state, panel.clone(), key),
        Overlay::AddSkill { name, text, on_text, error } => match (key.code, key.ctrl) {
            (KeyCode::Tab | KeyCode::BackTab, _) => {
                *on_text = !*on_text;
                Vec::new()
            }
            (KeyCode::Char('s'), true) => match add_skill(state, name.text(), &text.lines().join("\n")) {
                Ok(effects) => return effects,
                Err(why) => {
                    *error = Some(why);
                    Vec::new()
                }
            },
            (KeyCode::Enter, _) if !*on_text => {
                *on_text = true;
                Vec::new()
            }
            _ => {
                *error = None;
                if *on_text {
                    *error = editor::typed(text, key).err();
                } else {
                    name.input(key);
                }
                Vec::new()
            }
        },
    };
    state.overlay = Some(overlay);
    effects
}

/// Text pasted into the overlay on top.
pub fn paste(state: &mut State, pasted: &str) {
    match &mut state.overlay {
        Some(Overlay::Help { filter: line, .. } | Overlay::Palette { input: line, .. } | Overlay::Prompt { input: line, .. }) => {
            let cut = line.insert(pasted);
            update::tell(state, cut);
        }
        Some(Overlay::Instrument(panel)) => {
            let cut = instrument::paste(panel, pasted);
            update::tell(state, cut);
        }
        Some(Overlay::AddSkill { name, text, on_text, error }) => {
            *error = if *on_text { editor::pasted(text, pasted) } else { name.insert(pasted) };
        }
        Some(Overlay::Guide(_)) | None => {}
    }
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

fn add_skill(state: &mut State, name: &str, text: &str) -> Result<Vec<Effect>, String> {
    let name = name.trim();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(plain) {
        return Err("The name needs letters, digits, `_`, `-` or `.` and nothing else.".into());
    }
    if text.trim().is_empty() {
        return Err("There is no text to read yet.".into());
    }
    state.say(format!("Reading {name} …"));
    Ok(library::edit(state, LibraryEdit::AddText { name: name.to_owned(), text: text.to_owned() }))
}

/// An empty form for a skill from text, with the query in it.
pub fn add_skill_form(query: &str) -> Overlay {
    let text = Box::new(TextArea::new(query.split('\n').map(str::to_owned).collect()));
    Overlay::AddSkill { name: Line::default(), text, on_text: false, error: None }
}
