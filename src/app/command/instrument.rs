//! Commands of the Lab's instruments and of the per-layer weights.

use super::Place::In;
use super::{Command, command};
use crate::app::action::Action;
use crate::app::instrument::InstrumentAction as I;
use crate::app::soup_edit::curve::CurveShape;
use crate::app::soup_edit::{SoupEdit, SoupRow};
use crate::app::state::{Focus, State, Tab};

const LAB: &[Focus] = &[Focus::Ranking, Focus::Soup, Focus::Answers];
const SOUP: &[Focus] = &[Focus::Soup];

fn on_lab(s: &State) -> bool {
    s.tab == Tab::Lab
}
fn has_curve(s: &State) -> bool {
    on_lab(s) && s.lab.bench.soup.layer_weights.is_some()
}
fn on_curve(s: &State) -> bool {
    on_lab(s) && s.lab.bench.row() == SoupRow::Curve
}
fn next_shape(s: &State) -> Action {
    let ranked = s.lab.view.layers.clone();
    let shape = CurveShape::after(s.lab.bench.soup.layer_weights.as_deref(), s.layers(), &ranked);
    Action::Soup(SoupEdit::Curve(shape, ranked))
}

#[rustfmt::skip]
pub static COMMANDS: &[Command] = &[
    command("soup.curve", &["c"], In(SOUP), "Next shape of the layers' weights", "Give each layer its own weight: 1 everywhere, rising, falling, a bump at the layers compared.", next_shape).hint("layer curve").when(|s| on_lab(s) && s.model.is_some()),
    command("soup.curve.clear", &["z"], In(SOUP), "Layers by the range again", "Take the layers' own weights away; the range counts.", |_| Action::Soup(SoupEdit::ClearCurve)).when(has_curve),
    command("soup.layer.up", &["]"], In(SOUP), "Next layer's weight", "Move the cursor of the layers' weights one layer up.", |_| Action::Soup(SoupEdit::Layer(1))).hint("layer").when(on_curve),
    command("soup.layer.down", &["["], In(SOUP), "Previous layer's weight", "Move the cursor of the layers' weights one layer down.", |_| Action::Soup(SoupEdit::Layer(-1))).when(on_curve),
    command("soup.flip", &["b"], In(LAB), "Flip between soups A and B", "Go to the other soup with its answers and its history; the first time it is made of this one.", |_| Action::Instrument(I::Flip)).hint("A/B").when(on_lab),
    command("soup.copy", &["B"], In(LAB), "Put this soup on the other side", "Make the other soup the same as this one.", |_| Action::Instrument(I::CopyOver)).when(on_lab),
    command("soup.diff", &["D"], In(LAB), "Compare soups A and B", "Weights, parameters, answers and states of both soups side by side.", |_| Action::Instrument(I::Diff)).when(on_lab),
    command("soup.keep", &["w"], In(LAB), "Take a snapshot of the soup", "Keep the soup under a name, for later sittings too.", |_| Action::Instrument(I::Keep)).when(on_lab),
    command("soup.snapshots", &["W"], In(LAB), "Snapshots", "List the snapshots: restore, rename, delete, put on the other side.", |_| Action::Instrument(I::Snapshots)).when(on_lab),
    command("ecg", &["E"], In(LAB), "Skill ECG", "Similarity to the best tasks after every token of the query.", |_| Action::Instrument(I::Ecg)).hint("ECG").when(on_lab),
    command("landscape", &["T"], In(LAB), "Soup landscape", "The target's log-probability over all mixes of two or three ingredients.", |_| Action::Instrument(I::Landscape)).hint("landscape").when(on_lab),
    command("attribution", &["A"], In(LAB), "Attribution", "What each ingredient and each band of layers adds to the target's log-probability.", |_| Action::Instrument(I::Attribution)).hint("attribution").when(on_lab),
    command("verdict", &["V"], In(LAB), "Verdict on the soup", "Ask held-out questions from the soup, the best skill and the query alone, in the background; again stops it.", |_| Action::Instrument(I::Verdict)).hint("verdict").when(on_lab),
    command("autopsy", &["X"], In(LAB), "Autopsy of the soup", "Norm, effective rank, half-life (the mean over its skills) and drift of the soup's state, layer by layer.", |_| Action::Instrument(I::Autopsy)).hint("autopsy").when(on_lab),
];
