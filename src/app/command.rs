//! The command table: keys, hints, help, palette and the README's key table all come from here.

use super::action::{Action, Motion};
use super::effect::FrameFormat;
use super::keymap::Keymap;
use super::library;
use super::overlay::PromptKind;
use super::soup_edit::{SoupEdit, SoupRow};
use super::state::{Focus, State, Tab};
use std::fmt::Write as _;

/// Where a command's keys work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Also while typing.
    Everywhere,
    /// Everywhere; keys that type a character only outside editors, F-keys and chords inside them too.
    General,
    /// Only in these panes.
    In(&'static [Focus]),
}

impl Place {
    /// Whether one key for commands in both places is ambiguous. A pane's own command goes before a general one by design
    /// (`u` takes a deletion back in the library), so only equals clash; nothing may share a key with what works everywhere.
    pub fn clashes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Everywhere, _) | (_, Self::Everywhere) | (Self::General, Self::General) => true,
            (Self::In(a), Self::In(b)) => a.iter().any(|f| b.contains(f)),
            _ => false,
        }
    }
}

/// One command.
#[derive(Debug)]
pub struct Command {
    /// Its name in configuration and sessions.
    pub id: &'static str,
    /// Its name in the palette.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// Its default keys.
    pub keys: &'static [&'static str],
    /// Where they work.
    pub place: Place,
    /// Its word in the hint bar, if it is shown there.
    pub hint: Option<&'static str>,
    /// Whether its keys work above overlays too.
    pub over_overlays: bool,
    /// Whether it is left out of the palette (movements).
    pub hidden: bool,
    /// Whether it can be done now.
    pub available: fn(&State) -> bool,
    /// What it does.
    pub action: fn(&State) -> Action,
}

const LISTS: &[Focus] = &[Focus::Ranking, Focus::Soup, Focus::Answers, Focus::Map, Focus::Neighbours, Focus::Skills];
const LAB: &[Focus] = &[Focus::Ranking, Focus::Soup, Focus::Answers];
const RANKING: &[Focus] = &[Focus::Ranking];
const COMPARED: &[Focus] = &[Focus::Ranking, Focus::Map, Focus::Neighbours];
const SOUP: &[Focus] = &[Focus::Soup];
const ANSWERS: &[Focus] = &[Focus::Answers];
const MAP: &[Focus] = &[Focus::Map, Focus::Neighbours];
const SCATTER: &[Focus] = &[Focus::Map];
const SIDEWAYS: &[Focus] = &[Focus::Map, Focus::Answers];
const SKILLS: &[Focus] = &[Focus::Skills];
const ADDERS: &[Focus] = &[Focus::Ranking, Focus::Map, Focus::Neighbours, Focus::Skills];

fn always(_: &State) -> bool {
    true
}
fn on_lab(s: &State) -> bool {
    s.tab == Tab::Lab
}
fn on_map(s: &State) -> bool {
    s.tab == Tab::Map
}
fn on_library(s: &State) -> bool {
    s.tab == Tab::Library
}
fn on_ingredient(s: &State) -> bool {
    s.lab.bench.ingredient().is_some()
}
fn has_soup(s: &State) -> bool {
    !s.lab.bench.soup.ingredients.is_empty()
}
fn has_skill(s: &State) -> bool {
    match s.tab {
        Tab::Lab => s.lab.selected_skill().is_some(),
        Tab::Map => s.map.picked().is_some(),
        Tab::Library => library::selected(s).is_some(),
    }
}
fn has_map(s: &State) -> bool {
    on_map(s) && s.map.map.is_some()
}
fn has_model(s: &State) -> bool {
    s.model.is_some()
}
fn lab_or_map(s: &State) -> bool {
    s.model.is_some() && s.tab != Tab::Library
}

const fn command(
    id: &'static str,
    keys: &'static [&'static str],
    place: Place,
    name: &'static str,
    doc: &'static str,
    action: fn(&State) -> Action,
) -> Command {
    Command { id, name, doc, keys, place, hint: None, over_overlays: false, hidden: false, available: always, action }
}

impl Command {
    const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }
    const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }
    const fn above(mut self) -> Self {
        self.over_overlays = true;
        self
    }
    const fn when(mut self, available: fn(&State) -> bool) -> Self {
        self.available = available;
        self
    }
}

use Place::{Everywhere, General, In};

/// All commands.
#[rustfmt::skip]
pub static COMMANDS: &[Command] = &[
    // The panes' own, in the order the hint bar shows them.
    command("add", &["enter", "+"], In(ADDERS), "Add to the soup", "Add the selected skill (of a task: its best) to the soup.", |_| Action::AddSelected).hint("add to soup").when(has_skill),
    command("rank.group", &["t"], In(RANKING), "Rank tasks or skills", "List tasks by their best skill, or every skill.", |_| Action::ToggleGrouping).hint("tasks/skills").when(on_lab),
    command("rank.metric", &["m"], In(RANKING), "Next similarity", "Compare by cosine, by cosine of z-scored entries, or by Euclidean distance.", |_| Action::NextMetric).hint("similarity").when(on_lab),
    command("layers.down", &["["], In(COMPARED), "Layers down", "Compare (or draw) one layer lower.", |_| Action::ShiftLayers(-1)).hint("layer −").when(lab_or_map),
    command("layers.up", &["]"], In(COMPARED), "Layers up", "Compare (or draw) one layer higher.", |_| Action::ShiftLayers(1)).hint("layer +").when(lab_or_map),
    command("rank.narrow", &["{"], In(RANKING), "Narrow the layers", "Compare one layer fewer.", |_| Action::GrowLayers(-1)).when(on_lab),
    command("rank.widen", &["}"], In(RANKING), "Widen the layers", "Compare one layer more; scores are averaged over layers.", |_| Action::GrowLayers(1)).when(on_lab),
    command("rank.layers", &["L"], In(RANKING), "Type the layers compared", "Type a layer or a range: `5`, `4..8`, `all`.", |_| Action::Prompt(PromptKind::RankLayers)).when(has_model),
    command("part", &["p"], In(COMPARED), "SSM state or convolution window", "Compare (or draw) the SSM state or the convolution window.", |_| Action::NextPart).hint("ssm/conv").when(lab_or_map),

    command("soup.more", &["right", ">"], In(SOUP), "Weight up, coarse", "Raise the selected value by 0.1; another rule or higher layers on those rows.", |_| Action::Soup(SoupEdit::Nudge(10))).when(on_lab),
    command("soup.less", &["left", "<"], In(SOUP), "Weight down, coarse", "Lower the selected value by 0.1.", |_| Action::Soup(SoupEdit::Nudge(-10))).hint("weight ±0.1").when(on_lab),
    command("soup.more.fine", &["shift-right", "."], In(SOUP), "Weight up, fine", "Raise the selected value by 0.01.", |_| Action::Soup(SoupEdit::Nudge(1))).when(on_lab),
    command("soup.less.fine", &["shift-left", ","], In(SOUP), "Weight down, fine", "Lower the selected value by 0.01.", |_| Action::Soup(SoupEdit::Nudge(-1))).hint("±0.01").when(on_lab),
    command("soup.type", &["enter", "="], In(SOUP), "Type the selected value", "Type the selected weight, parameter, rule or layer range.", |_| Action::Prompt(PromptKind::SoupValue)).hint("type").when(on_lab),
    command("soup.mute", &["m"], In(SOUP), "Mute", "Leave the selected ingredient out, or take it in again.", |_| Action::Soup(SoupEdit::Mute)).hint("mute").when(on_ingredient),
    command("soup.solo", &["s"], In(SOUP), "Solo", "Mix the solo ingredients only.", |_| Action::Soup(SoupEdit::Solo)).hint("solo").when(on_ingredient),
    command("soup.lock", &["l"], In(SOUP), "Lock", "Keep the selected weight as it is.", |_| Action::Soup(SoupEdit::Lock)).hint("lock").when(on_ingredient),
    command("soup.normalise", &["n"], In(SOUP), "Normalise the weights", "Scale the unlocked weights so that all add up to 1.", |_| Action::Soup(SoupEdit::Normalise)).hint("normalise").when(has_soup),
    command("soup.level", &["e"], In(SOUP), "Level the weights", "Give all unlocked weights the same value, adding up to 1.", |_| Action::Soup(SoupEdit::Level)).when(has_soup),
    command("soup.rule", &["r"], In(SOUP), "Next mixing rule", "Mix by the next rule.", |_| Action::Soup(SoupEdit::CycleRule(1))).hint("rule").when(on_lab),
    command("soup.rule.back", &["R"], In(SOUP), "Previous mixing rule", "Mix by the previous rule.", |_| Action::Soup(SoupEdit::CycleRule(-1))).when(on_lab),
    command("soup.remove", &["x", "del"], In(SOUP), "Remove the ingredient", "Take the selected ingredient out of the soup.", |_| Action::Soup(SoupEdit::Remove)).hint("remove").when(on_ingredient),
    command("soup.clear", &["C"], In(SOUP), "Empty the soup", "Take all ingredients out.", |_| Action::Soup(SoupEdit::Clear)).when(has_soup),
    command("soup.up", &["K", "shift-up"], In(SOUP), "Ingredient up", "Move the selected ingredient up; the decay rules read them in order.", |_| Action::Soup(SoupEdit::Shift(-1))).when(on_ingredient),
    command("soup.down", &["J", "shift-down"], In(SOUP), "Ingredient down", "Move the selected ingredient down.", |_| Action::Soup(SoupEdit::Shift(1))).when(on_ingredient),
    command("soup.gamma", &[], General, "Type γ", "Type the exponent of the decay rules.", |_| Action::Prompt(PromptKind::SoupRow(SoupRow::Gamma))).when(on_lab),
    command("soup.lambda", &[], General, "Type λ", "Type the share of the soup beside the query.", |_| Action::Prompt(PromptKind::SoupRow(SoupRow::Lambda))).when(on_lab),
    command("soup.tau", &[], General, "Type τ", "Type the temperature of similarity weights.", |_| Action::Prompt(PromptKind::SoupRow(SoupRow::Tau))).when(on_lab),
    command("soup.layers", &[], General, "Type the layers mixed", "Type the layer range that the soup acts on.", |_| Action::Prompt(PromptKind::SoupRow(SoupRow::Layers))).when(on_lab),

    command("target", &["t", "enter"], In(ANSWERS), "Type the target answer", "Type an answer; its log-probability stands under every column.", |_| Action::Focus(Focus::Target)).hint("target").when(on_lab),
    command("ask", &["f5"], Everywhere, "Ask again", "Run all answers again.", |_| Action::AskAgain).when(has_model),
    command("ask.sampling", &["d"], In(ANSWERS), "Greedy or sampled", "Take the likeliest token each time, or draw (temperature 1, nucleus 0.95).", |_| Action::ToggleSampling).hint("greedy/sampled").when(on_lab),
    command("ask.tokens", &["L"], In(ANSWERS), "Type the length of answers", "Type how many tokens an answer has at most.", |_| Action::Prompt(PromptKind::MaxTokens)).hint("length").when(on_lab),
    command("seed", &["S"], In(&[Focus::Answers, Focus::Map, Focus::Neighbours]), "Next seed", "Draw sampled answers, or the t-SNE map, with the next seed.", |_| Action::NextSeed).when(lab_or_map),

    command("map.method", &["m"], In(MAP), "PCA, t-SNE, one-shot", "Draw the two leading principal components, t-SNE from them, or t-SNE from a random start (linfa-tsne): what both show does not hang on the start.", |_| Action::NextMapMethod).hint("PCA/t-SNE").when(on_map),
    command("map.colour", &["c"], In(MAP), "Colour the map by task, family or rank", "What colours and letters stand for.", |_| Action::NextMapColour).hint("colour").when(on_map),
    command("map.markers", &["v"], In(MAP), "Letters or dots", "Draw points as letters or as dots.", |_| Action::ToggleMapMarkers).hint("letters/dots").when(on_map),
    command("map.next", &["n"], In(SCATTER), "Next point", "Pick the next point in the library's order.", |_| Action::NextPoint(1)).when(has_map),
    command("map.previous", &["N"], In(SCATTER), "Previous point", "Pick the previous point in the library's order.", |_| Action::NextPoint(-1)).when(has_map),
    command("map.perplexity.up", &[">"], In(MAP), "More perplexity", "Scale the perplexity by 1.25.", |_| Action::ScalePerplexity(1.25)).when(on_map),
    command("map.perplexity.down", &["<"], In(MAP), "Less perplexity", "Scale the perplexity by 0.8.", |_| Action::ScalePerplexity(0.8)).when(on_map),
    command("map.perplexity", &["P"], In(MAP), "Type the perplexity", "Type the perplexity of t-SNE.", |_| Action::Prompt(PromptKind::Perplexity)).when(on_map),
    command("map.layer", &["L"], In(MAP), "Type the layer drawn", "Type the layer whose states are drawn.", |_| Action::Prompt(PromptKind::MapLayer)).when(|s| on_map(s) && has_model(s)),
    command("map.run", &["r"], In(MAP), "Draw the map again", "Compute the map again, with the library as it is now.", |_| Action::RunMap).hint("again").when(on_map),

    command("library.filter", &["/"], In(SKILLS), "Filter the library", "Type words that id, family or tags must contain.", |_| Action::Focus(Focus::Filter)).hint("filter").when(on_library),
    command("library.new", &["a"], In(SKILLS), "Add a skill from text", "Read a text and keep the state it ends in.", |_| Action::AddSkill).hint("add from text").when(has_model),
    command("library.tag", &["t"], In(SKILLS), "Tag the skill", "Type the selected skill's tags.", |_| Action::Prompt(PromptKind::Tags)).hint("tag").when(|s| on_library(s) && has_skill(s)),
    command("library.delete", &["x", "del"], In(SKILLS), "Delete the skill", "Leave the selected skill out of the library; u brings it back.", |_| Action::DeleteSkill).hint("delete").when(|s| on_library(s) && has_skill(s)),
    command("library.restore", &["u"], In(SKILLS), "Restore the deleted skill", "Bring the last deleted skill back.", |_| Action::RestoreSkill).hint("restore").when(|s| !s.shelf.deleted.is_empty()),
    command("library.sort", &["s"], In(SKILLS), "Sort the library", "As built, by name, by family, by tokens, newest first.", |_| Action::NextSort).hint("sort").when(on_library),
    command("library.build", &["b"], In(SKILLS), "Build the missing skills", "Read the examples of all tasks that are not in the library yet.", |_| Action::Build).when(has_model),

    // Everywhere.
    command("focus.next", &["tab"], Everywhere, "Next pane", "Focus the next pane.", |_| Action::CycleFocus(1)).hint("pane").hidden(),
    command("focus.previous", &["backtab"], Everywhere, "Previous pane", "Focus the previous pane.", |_| Action::CycleFocus(-1)).hidden(),
    command("back", &["esc"], Everywhere, "Back", "Leave the overlay, notice or editor in front; then stop long work.", |_| Action::Back).hidden(),
    command("query", &["i"], General, "Edit the query", "Type in the query.", |_| Action::Focus(Focus::Query)),
    command("undo", &["u"], General, "Undo", "Take the last change of the soup back.", |_| Action::Undo { redo: false }).when(|s| s.lab.bench.can_undo()),
    command("redo", &["U"], General, "Redo", "Repeat the change of the soup taken back last.", |_| Action::Undo { redo: true }).when(|s| s.lab.bench.can_redo()),
    command("copy", &["y"], General, "Copy", "Copy what is focused: query, ranking (as a table), recipe, answer, neighbours, skills.", |_| Action::Copy),
    command("tab.lab", &["1", "f2"], General, "Lab", "Go to the Lab: query, ranking, soup, answers.", |_| Action::Tab(Tab::Lab)),
    command("tab.map", &["2", "f3"], General, "Map", "Go to the Map: the library's states as points.", |_| Action::Tab(Tab::Map)),
    command("tab.library", &["3", "f4"], General, "Library", "Go to the Library: skills, their provenance, tags.", |_| Action::Tab(Tab::Library)),
    command("help", &["?", "f1"], General, "Help", "Show the keys that work here.", |_| Action::Help).hint("help"),
    command("palette", &[":", "ctrl-p"], General, "Command palette", "Find any command by name.", |_| Action::Palette).hint("commands"),
    command("quit", &["q", "ctrl-q", "ctrl-c"], General, "Quit", "Leave; the library is always whole on disk.", |_| Action::Quit).above(),
    command("suspend", &["ctrl-z"], Everywhere, "Suspend", "Stop and give the terminal back; `fg` goes on.", |_| Action::Suspend).above(),
    command("redraw", &["ctrl-l"], Everywhere, "Redraw", "Draw the whole screen anew.", |_| Action::Redraw).above(),
    command("frame.svg", &["f9"], Everywhere, "Save the screen as SVG", "Write the screen as a picture into the present folder.", |_| Action::SaveFrame(FrameFormat::Svg)).above(),
    command("frame.ansi", &[], General, "Save the screen as ANSI", "Write the screen with its escape sequences.", |_| Action::SaveFrame(FrameFormat::Ansi)),
    command("frame.text", &[], General, "Save the screen as text", "Write the screen as plain text.", |_| Action::SaveFrame(FrameFormat::Text)),
    command("glyphs", &["f7"], Everywhere, "Next glyph set", "Braille, half blocks, dots, ASCII.", |_| Action::NextGlyphs).above(),
    command("background", &["f8"], Everywhere, "Light or dark", "Colours for a light or a dark terminal.", |_| Action::FlipBackground).above(),

    // Movements.
    command("up", &["up", "k"], In(LISTS), "Up", "Select the one above.", |_| Action::Move(Motion::Up)).hidden(),
    command("down", &["down", "j"], In(LISTS), "Down", "Select the one below.", |_| Action::Move(Motion::Down)).hidden(),
    command("left", &["left", "h"], In(SIDEWAYS), "Left", "Select the one to the left.", |_| Action::Move(Motion::Left)).hidden(),
    command("right", &["right"], In(SIDEWAYS), "Right", "Select the one to the right.", |_| Action::Move(Motion::Right)).hidden(),
    command("page.up", &["pgup"], In(LISTS), "Page up", "Select ten above.", |_| Action::Move(Motion::PageUp)).hidden(),
    command("page.down", &["pgdn"], In(LISTS), "Page down", "Select ten below.", |_| Action::Move(Motion::PageDown)).hidden(),
    command("first", &["home", "g"], In(LISTS), "First", "Select the first.", |_| Action::Move(Motion::First)).hidden(),
    command("last", &["end", "G"], In(LISTS), "Last", "Select the last.", |_| Action::Move(Motion::Last)).hidden(),
    command("soup.focus", &["o"], In(LAB), "Go to the soup", "Focus the soup.", |_| Action::Focus(Focus::Soup)),
];

/// Keys and words for the hint bar: the focused pane's, then the general ones.
pub fn hints(state: &State) -> Vec<(String, &'static str)> {
    let focus = state.focus();
    let here = |c: &&Command| match c.place {
        Everywhere => true,
        General => !state.takes_text(),
        In(panes) => panes.contains(&focus),
    };
    let mut hints: Vec<(String, &'static str)> = Vec::new();
    if focus.is_editor() {
        hints.push(("esc".into(), "commands"));
    }
    let shown = COMMANDS.iter().filter(here).filter(|c| (c.available)(state));
    hints.extend(shown.filter_map(|c| Some((state.keymap.keys(c).first()?.to_string(), c.hint?))));
    if focus.is_editor() {
        hints.push(("f1".into(), "help"));
        hints.push(("ctrl-p".into(), "all commands"));
        hints.push(("ctrl-q".into(), "quit"));
    } else {
        hints.push(("q".into(), "quit"));
    }
    hints
}

/// A command's place in words.
pub fn place_name(place: Place) -> String {
    match place {
        Everywhere => "everywhere".into(),
        General => "any pane".into(),
        In(panes) => panes.iter().map(|f| f.name()).collect::<Vec<_>>().join(", "),
    }
}

/// The README's key table, in Markdown.
pub fn key_table(keymap: &Keymap) -> String {
    let mut table = String::from("| Key | Where | Command | What it does |\n|---|---|---|---|\n");
    for command in COMMANDS {
        let keys: Vec<String> = keymap.keys(command).iter().map(|k| format!("`{k}`")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {} | {} | {} | {} |", keys.join(" "), place_name(command.place), command.name, command.doc);
    }
    table
}
