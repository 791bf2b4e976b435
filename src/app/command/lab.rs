//! Commands of the Lab: ranking, soup, answers.

use super::Place::{Everywhere, General, In};
use super::{Command, command, has_model};
use crate::app::action::Action;
use crate::app::lab::LabAction;
use crate::app::overlay::PromptKind;
use crate::app::soup_edit::{SoupEdit, SoupRow};
use crate::app::state::{Focus, State, Tab};

const LAB: &[Focus] = &[Focus::Ranking, Focus::Soup, Focus::Answers];
const RANKING: &[Focus] = &[Focus::Ranking];
const SOUP: &[Focus] = &[Focus::Soup];
const ANSWERS: &[Focus] = &[Focus::Answers];

fn on_lab(s: &State) -> bool {
    s.tab == Tab::Lab
}
fn on_ingredient(s: &State) -> bool {
    s.lab.bench.ingredient().is_some()
}
fn weighs(s: &State) -> bool {
    on_lab(s) && s.lab.weighs && !s.lab.bench.auto
}
fn has_soup(s: &State) -> bool {
    !s.lab.bench.soup.ingredients.is_empty()
}

#[rustfmt::skip]
pub static COMMANDS: &[Command] = &[
    command("rank.group", &["t"], In(RANKING), "Rank tasks or skills", "List tasks by their best skill, or every skill.", |_| Action::Lab(LabAction::ToggleGrouping)).hint("tasks/skills").when(on_lab),
    command("rank.evidence", &["e"], In(RANKING), "By evidence or by similarity", "List the tasks by what the query's examples say of them, or by similarity alone.", |_| Action::Lab(LabAction::ToggleEvidence)).hint("evidence").when(on_lab),
    command("rank.metric", &["m"], In(RANKING), "Next similarity", "Compare by cosine, by cosine of z-scored entries, or by Euclidean distance.", |_| Action::Lab(LabAction::NextMetric)).hint("similarity").when(on_lab),
    command("rank.narrow", &["{"], In(RANKING), "Narrow the layers", "Compare one layer fewer.", |_| Action::Lab(LabAction::GrowLayers(-1))).when(on_lab),
    command("rank.widen", &["}"], In(RANKING), "Widen the layers", "Compare one layer more; scores are averaged over layers.", |_| Action::Lab(LabAction::GrowLayers(1))).when(on_lab),
    command("rank.layers", &["L"], In(RANKING), "Type the layers compared", "Type a layer or a range: `5`, `4..8`, `all`.", |_| Action::Prompt(PromptKind::RankLayers)).when(has_model),

    command("soup.more", &["right", ">"], In(SOUP), "Weight up, coarse", "Raise the selected value by 0.1; another rule or higher layers on those rows.", |_| Action::Soup(SoupEdit::Nudge(10))).when(on_lab),
    command("soup.less", &["left", "<"], In(SOUP), "Weight down, coarse", "Lower the selected value by 0.1.", |_| Action::Soup(SoupEdit::Nudge(-10))).hint("weight ±0.1").when(on_lab),
    command("soup.more.fine", &["shift-right", "."], In(SOUP), "Weight up, fine", "Raise the selected value by 0.01.", |_| Action::Soup(SoupEdit::Nudge(1))).when(on_lab),
    command("soup.less.fine", &["shift-left", ","], In(SOUP), "Weight down, fine", "Lower the selected value by 0.01.", |_| Action::Soup(SoupEdit::Nudge(-1))).hint("±0.01").when(on_lab),
    command("soup.type", &["enter", "="], In(SOUP), "Type the selected value", "Type the selected weight, parameter, rule or layer range.", |_| Action::Prompt(PromptKind::SoupValue)).hint("type").when(on_lab),
    command("soup.mute", &["m"], In(SOUP), "Mute", "Leave the selected ingredient out, or take it in again.", |_| Action::Soup(SoupEdit::Mute)).hint("mute").when(on_ingredient),
    command("soup.solo", &["s"], In(SOUP), "Solo", "Mix the solo ingredients only.", |_| Action::Soup(SoupEdit::Solo)).hint("solo").when(on_ingredient),
    command("soup.lock", &["l"], In(SOUP), "Lock", "Keep the selected weight as it is.", |_| Action::Soup(SoupEdit::Lock)).hint("lock").when(on_ingredient),
    command("soup.normalise", &["n"], In(SOUP), "Normalise the weights", "Scale the weights of what takes part to a sum of 1; locked, muted and silenced ones stay as they are.", |_| Action::Soup(SoupEdit::Normalise)).hint("normalise").when(has_soup),
    command("soup.level", &["e"], In(SOUP), "Level the weights", "Give the unlocked weights of what takes part equal shares of 1; muted and silenced ones stay as they are.", |_| Action::Soup(SoupEdit::Level)).when(has_soup),
    command("soup.rule", &["r"], In(SOUP), "Next mixing rule", "Mix by the next rule.", |_| Action::Soup(SoupEdit::CycleRule(1))).hint("rule").when(on_lab),
    command("soup.rule.back", &["R"], In(SOUP), "Previous mixing rule", "Mix by the previous rule.", |_| Action::Soup(SoupEdit::CycleRule(-1))).when(on_lab),
    command("soup.remove", &["x", "del"], In(SOUP), "Remove the ingredient", "Take the selected ingredient out of the soup.", |_| Action::Soup(SoupEdit::Remove)).hint("remove").when(on_ingredient),
    command("soup.clear", &["C"], In(SOUP), "Empty the soup", "Take all ingredients out.", |_| Action::Soup(SoupEdit::Clear)).when(has_soup),
    command("soup.up", &["K", "shift-up"], In(SOUP), "Ingredient up", "Move the selected ingredient up; the decay rules read them in order.", |_| Action::Soup(SoupEdit::Shift(-1))).when(on_ingredient),
    command("soup.down", &["J", "shift-down"], In(SOUP), "Ingredient down", "Move the selected ingredient down.", |_| Action::Soup(SoupEdit::Shift(1))).when(on_ingredient),
    command("soup.auto", &["a"], In(SOUP), "Let the evidence choose", "Mix what the query's examples call for, and follow them until you change the soup.", |_| Action::Soup(SoupEdit::Auto)).hint("auto").when(weighs),
    command("soup.gamma", &[], General, "Type γ", "Type the exponent of the decay rules.", |_| Action::Prompt(PromptKind::SoupRow(SoupRow::Value("gamma")))).when(on_lab),
    command("soup.lambda", &[], General, "Type λ", "Type the share of the soup besides the query.", |_| Action::Prompt(PromptKind::SoupRow(SoupRow::Lambda))).when(on_lab),
    command("soup.tau", &[], General, "Type τ", "Type the temperature of similarity weights.", |_| Action::Prompt(PromptKind::SoupRow(SoupRow::Value("tau")))).when(on_lab),
    command("soup.layers", &[], General, "Type the layers mixed", "Type the layer range that the soup acts on.", |_| Action::Prompt(PromptKind::SoupRow(SoupRow::Layers))).when(on_lab),
    command("soup.focus", &["o"], In(LAB), "Go to the soup", "Focus the soup.", |_| Action::Focus(Focus::Soup)),

    command("target", &["t", "enter"], In(ANSWERS), "Type the target answer", "Type an answer; its log-probability is shown under every column.", |_| Action::Focus(Focus::Target)).hint("target").when(on_lab),
    command("ask", &["f5"], Everywhere, "Ask again", "Run all answers again.", |_| Action::Lab(LabAction::AskAgain)).when(has_model),
    command("ask.sampling", &["d"], In(ANSWERS), "Greedy or sampled", "Take the likeliest token each time, or draw (temperature 1, nucleus 0.95).", |_| Action::Lab(LabAction::ToggleSampling)).hint("greedy/sampled").when(on_lab),
    command("ask.tokens", &["L"], In(ANSWERS), "Type the length of answers", "Type how many tokens an answer has at most.", |_| Action::Prompt(PromptKind::MaxTokens)).hint("length").when(on_lab),
];
