//! Commands of several tabs: actions on the selected skill, focus, tabs, help, screen, movements.

use super::Place::{Everywhere, General, In, Lists};
use super::{Command, command};
use crate::app::action::{Action, Compare, Motion};
use crate::app::effect::FrameFormat;
use crate::app::state::{Focus, State};

const COMPARED: &[Focus] = &[Focus::Ranking, Focus::Map, Focus::Neighbours];
const SIDEWAYS: &[Focus] = &[Focus::Map, Focus::Answers, Focus::Positions, Focus::Result];
const ADDERS: &[Focus] = &[Focus::Ranking, Focus::Map, Focus::Neighbours, Focus::Skills];

pub(super) fn has_skill(s: &State) -> bool {
    (s.tab.row().skill)(s).is_some()
}
fn has_layers(s: &State) -> bool {
    s.model.is_some() && s.tab.row().compare.is_some()
}

/// Actions on the selected skill or the compared layers.
#[rustfmt::skip]
pub static SHARED: &[Command] = &[
    command("add", &["enter", "+"], In(ADDERS), "Add to the soup", "Add the selected skill (of a task: its best) to the soup.", |_| Action::AddSelected).hint("add to soup").when(has_skill),
    command("layers.down", &["["], In(COMPARED), "Layers down", "Compare (or draw) one layer lower.", |_| Action::Compare(Compare::ShiftLayers(-1))).hint("layer −").when(has_layers),
    command("layers.up", &["]"], In(COMPARED), "Layers up", "Compare (or draw) one layer higher.", |_| Action::Compare(Compare::ShiftLayers(1))).hint("layer +").when(has_layers),
    command("part", &["p"], In(COMPARED), "SSM state or convolution window", "Compare (or draw) the SSM state or the convolution window.", |_| Action::Compare(Compare::NextPart)).hint("ssm/conv").when(has_layers),
    command("seed", &["S"], In(&[Focus::Answers, Focus::Map, Focus::Neighbours]), "Next seed", "Draw sampled answers, or the t-SNE map, with the next seed.", |_| Action::Compare(Compare::NextSeed)).when(has_layers),
];

/// Actions available everywhere: focus, undo, copy.
#[rustfmt::skip]
pub static COMMANDS: &[Command] = &[
    command("focus.next", &["tab"], Everywhere, "Next pane", "Focus the next pane.", |_| Action::CycleFocus(1)).hint("pane").hidden(),
    command("focus.previous", &["backtab"], Everywhere, "Previous pane", "Focus the previous pane.", |_| Action::CycleFocus(-1)).hidden(),
    command("back", &["esc"], Everywhere, "Back", "Leave the overlay, notice or editor in front; then stop long work.", |_| Action::Back).hidden(),
    command("query", &["i"], General, "Edit the query", "Type in the query.", |_| Action::Focus(Focus::Query)),
    command("undo", &["u"], General, "Undo", "Take the last change of the soup back.", |_| Action::Undo { redo: false }).when(|s| s.lab.bench.can_undo()),
    command("redo", &["U"], General, "Redo", "Repeat the change of the soup taken back last.", |_| Action::Undo { redo: true }).when(|s| s.lab.bench.can_redo()),
    command("copy", &["y"], General, "Copy", "Copy what is focused: query, ranking (as a table), recipe, answer, neighbours, rules (as a table), report, skills, journal.", |_| Action::Copy),
];

/// Help, the screen itself, quitting, and movements.
#[rustfmt::skip]
pub static MORE: &[Command] = &[
    command("help", &["?", "f1"], General, "Help", "Show the keys that work here.", |_| Action::Help).hint("help"),
    command("guide", &[], General, "Guide", "Read the guide, from the page on this tab.", |_| Action::Guide),
    command("palette", &[":", "ctrl-p"], General, "Command palette", "Find any command by name.", |_| Action::Palette).hint("commands"),
    command("quit", &["q", "ctrl-q", "ctrl-c"], General, "Quit", "Leave; the library is always whole on disk, and the journal keeps what was done.", |_| Action::Quit).above(),
    command("suspend", &["ctrl-z"], Everywhere, "Suspend", "Stop and give the terminal back; `fg` goes on.", |_| Action::Suspend).above(),
    command("redraw", &["ctrl-l"], Everywhere, "Redraw", "Draw the whole screen again.", |_| Action::Redraw).above(),
    command("frame.svg", &["f9"], Everywhere, "Save the screen as SVG", "Write the screen as a picture into the present folder.", |_| Action::SaveFrame(FrameFormat::Svg)).above(),
    command("frame.ansi", &[], General, "Save the screen as ANSI", "Write the screen with its escape sequences.", |_| Action::SaveFrame(FrameFormat::Ansi)),
    command("frame.text", &[], General, "Save the screen as text", "Write the screen as plain text.", |_| Action::SaveFrame(FrameFormat::Text)),
    command("glyphs", &["f7"], Everywhere, "Next glyph set", "Octants (Unicode 16), braille, half blocks, dots, ASCII.", |_| Action::NextGlyphs).above(),
    command("present", &["alt-p"], Everywhere, "Presentation", "Fewer panes, larger figures and the keys pressed, for an audience; again for the whole lab.", |_| Action::TogglePresent).above(),
    command("background", &["f8"], Everywhere, "Light or dark", "Colours for a light or a dark terminal.", |_| Action::FlipBackground).above(),

    // Movements.
    command("up", &["up", "k"], Lists, "Up", "Select the one above.", |_| Action::Move(Motion::Up)).hidden(),
    command("down", &["down", "j"], Lists, "Down", "Select the one below.", |_| Action::Move(Motion::Down)).hidden(),
    command("left", &["left", "h"], In(SIDEWAYS), "Left", "Select the one to the left.", |_| Action::Move(Motion::Left)).hidden(),
    command("right", &["right"], In(SIDEWAYS), "Right", "Select the one to the right.", |_| Action::Move(Motion::Right)).hidden(),
    command("page.up", &["pgup"], Lists, "Page up", "Select ten above.", |_| Action::Move(Motion::PageUp)).hidden(),
    command("page.down", &["pgdn"], Lists, "Page down", "Select ten below.", |_| Action::Move(Motion::PageDown)).hidden(),
    command("first", &["home", "g"], Lists, "First", "Select the first.", |_| Action::Move(Motion::First)).hidden(),
    command("last", &["end", "G"], Lists, "Last", "Select the last.", |_| Action::Move(Motion::Last)).hidden(),
];
