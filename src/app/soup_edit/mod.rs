//! Changes of the soup: rows, edits and the undo history. `apply` carries out each edit; [`curve`]
//! holds the shapes of the per-layer weights.

mod apply;
pub mod curve;

use crate::soup::{Ingredient, Soup};
use curve::CurveShape;
use std::ops::Range;

/// A line of the soup pane that can be selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoupRow {
    /// An ingredient.
    Ingredient(usize),
    /// The rule.
    Rule,
    /// A parameter of the rule, named by the field of the soup that holds its value.
    Value(&'static str),
    /// λ.
    Lambda,
    /// The layer range.
    Layers,
    /// The per-layer weights, where the soup has them instead of a range.
    Curve,
}

/// A change of the soup. "Selected" is the selected row.
#[derive(Clone, Debug, PartialEq)]
pub enum SoupEdit {
    /// Add a skill.
    Add(String),
    /// Raise or lower the selected value by this many steps of 0.01.
    Nudge(i32),
    /// Give the selected row a value typed by the user.
    Type(SoupRow, String),
    /// Mute or unmute the selected ingredient.
    Mute,
    /// Mix only the selected ingredient, or all again.
    Solo,
    /// Lock or unlock the selected weight.
    Lock,
    /// Scale the unlocked weights so that all add up to 1.
    Normalise,
    /// Give the unlocked weights of all active ingredients equal shares.
    Level,
    /// Remove the selected ingredient.
    Remove,
    /// Remove all ingredients.
    Clear,
    /// Move the selected ingredient up (−1) or down (+1): order matters to the decay rules.
    Shift(i32),
    /// The next (+1) or previous (−1) rule.
    CycleRule(i32),
    /// Give each layer its own weight, in this shape. The range is that of the layers compared in
    /// the ranking.
    Curve(CurveShape, Range<usize>),
    /// Weight layers by the range again.
    ClearCurve,
    /// Move the cursor along the layers.
    Layer(i32),
    /// Set the weights of ingredients, given by index.
    Weights(Vec<(usize, f64)>),
    /// Replace the soup.
    Replace(Box<Soup>),
    /// From now on let the evidence choose the soup.
    Auto,
}

/// The soup on the bench, with its history.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The soup.
    pub soup: Soup,
    /// Whether it follows the evidence. Any change by a person ends that.
    pub auto: bool,
    /// The selected row, an index into [`rows`].
    pub selected: usize,
    /// The layer under the cursor of the per-layer weights.
    pub layer: usize,
    /// Earlier soups, and whether each followed the evidence.
    undo: Vec<(Soup, bool)>,
    redo: Vec<(Soup, bool)>,
    /// Row and clock of the last nudge: a run of nudges is one step of the history.
    nudged: Option<(usize, u64)>,
}

/// Maximum number of undo steps.
const HISTORY: usize = 500;
/// Nudges of one row less than this many milliseconds apart are one undo step.
const RUN_MS: u64 = 800;

/// The rows of a soup: its ingredients, its rule with the parameters that the screen offers, then
/// the values common to all rules.
pub fn rows(soup: &Soup) -> Vec<SoupRow> {
    let mut rows: Vec<SoupRow> = (0..soup.ingredients.len()).map(SoupRow::Ingredient).collect();
    rows.push(SoupRow::Rule);
    let shown = soup.rule.rule.parameters.iter().filter(|p| p.knob.is_some());
    rows.extend(shown.filter_map(|p| p.field).map(SoupRow::Value));
    rows.push(SoupRow::Lambda);
    rows.push(if soup.layer_weights.is_some() { SoupRow::Curve } else { SoupRow::Layers });
    rows
}

/// Reads a layer range as the user writes it: `all`, `8`, `4..8`, `4..`, `..8`.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn parse_layers(text: &str, layers: usize) -> Result<Option<Range<usize>>, String> {
    let text = text.trim();
    if text.is_empty() || text == "all" {
        return Ok(None);
    }
    let number = |part: &str, default: usize| {
        if part.trim().is_empty() {
            Ok(default)
        } else {
            part.trim().parse::<usize>().map_err(|_| format!("`{part}` is not a layer number"))
        }
    };
    let range = match text.split_once("..") {
        Some((from, to)) => number(from, 0)?..number(to, layers)?,
        None => number(text, 0).map(|l| l..l + 1)?,
    };
    if range.start >= range.end {
        return Err(format!("the layer range {}..{} is empty", range.start, range.end));
    }
    if layers > 0 && range.end > layers {
        return Err(format!("the model has layers 0 to {}, the range {}..{} goes beyond", layers - 1, range.start, range.end));
    }
    Ok(Some(range))
}

impl Bench {
    /// A bench with a soup and no history.
    pub fn new(soup: Soup, auto: bool) -> Self {
        Self { soup, auto, selected: 0, layer: 0, undo: Vec::new(), redo: Vec::new(), nudged: None }
    }

    /// The soup as text: `auto` while the evidence chooses it, else its recipe.
    pub fn text(&self) -> Option<String> {
        if self.auto { Some("auto".into()) } else { self.soup.to_recipe().map(|r| r.to_string()) }
    }

    /// The selected row.
    pub fn row(&self) -> SoupRow {
        let rows = rows(&self.soup);
        rows[self.selected.min(rows.len() - 1)]
    }

    /// The selected ingredient.
    pub fn ingredient(&self) -> Option<&Ingredient> {
        match self.row() {
            SoupRow::Ingredient(i) => self.soup.ingredients.get(i),
            _ => None,
        }
    }

    /// Whether there is a step to undo.
    pub fn can_undo(&self) -> bool {
        !self.undo.is_empty()
    }

    /// Whether there is a step to redo.
    pub fn can_redo(&self) -> bool {
        !self.redo.is_empty()
    }

    /// Undoes the last step (or redoes it); false if there is none.
    pub fn step(&mut self, redo: bool) -> bool {
        let (from, to) = if redo { (&mut self.redo, &mut self.undo) } else { (&mut self.undo, &mut self.redo) };
        let Some(soup) = from.pop() else { return false };
        let (soup, auto) = soup;
        to.push((std::mem::replace(&mut self.soup, soup), std::mem::replace(&mut self.auto, auto)));
        self.nudged = None;
        self.clamp();
        true
    }

    /// Applies an edit. `Ok(true)` if the soup changed.
    ///
    /// # Errors
    /// A sentence that says why it cannot be done.
    pub fn edit(&mut self, edit: &SoupEdit, layers: usize, clock: u64) -> Result<bool, String> {
        let before = (self.soup.clone(), self.auto);
        self.apply(edit, layers)?;
        self.clamp();
        if *edit == SoupEdit::Auto {
            self.auto = true;
        } else if self.soup != before.0 {
            self.auto = false;
        }
        if self.soup == before.0 && self.auto == before.1 {
            return Ok(false);
        }
        let nudge = matches!(edit, SoupEdit::Nudge(_)).then_some((self.selected, clock));
        let same_run = matches!((self.nudged, nudge), (Some((a, t)), Some((b, u))) if a == b && u.saturating_sub(t) < RUN_MS);
        if !same_run {
            self.undo.push(before);
            if self.undo.len() > HISTORY {
                self.undo.remove(0);
            }
        }
        self.nudged = nudge;
        self.redo.clear();
        Ok(true)
    }

    /// Takes the soup that the evidence calls for, if the evidence chooses. This is not an undo
    /// step, because no person did it.
    pub fn follow(&mut self, soup: &Soup) {
        if self.auto && self.soup != *soup {
            self.soup = soup.clone();
            self.clamp();
        }
    }

    fn clamp(&mut self) {
        self.selected = self.selected.min(rows(&self.soup).len() - 1);
    }
}

#[cfg(test)]
mod tests;
