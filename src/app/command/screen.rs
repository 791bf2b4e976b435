//! Commands of the screen itself: mouse, slow lines, files of copied text.

use super::Place::{Everywhere, General};
use super::{Command, command};
use crate::app::action::Action;
use crate::app::screen::ScreenAction;

#[rustfmt::skip]
pub static COMMANDS: &[Command] = &[
    command("copy.file", &["Y"], General, "Copy to a file", "Write what would be copied to a file in the present folder.", |_| Action::CopyToFile),
    command("mouse", &["f6"], Everywhere, "Mouse on or off", "Take the mouse (click selects, the wheel scrolls) or leave it to the terminal.", |_| Action::Screen(ScreenAction::ToggleMouse)).above(),
    command("bandwidth", &["alt-l"], Everywhere, "Low bandwidth on or off", "Five frames a second at most and progress once a second, for slow lines.", |_| Action::Screen(ScreenAction::ToggleLowBandwidth)).above(),
];
