//! Changes of the soup: rows, edits and the undo history.

use crate::soup::{Ingredient, Rule, Soup};
use std::ops::Range;

/// A line of the soup pane that can be selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoupRow {
    /// An ingredient.
    Ingredient(usize),
    /// The rule.
    Rule,
    /// γ.
    Gamma,
    /// λ.
    Lambda,
    /// τ.
    Tau,
    /// The layer range.
    Layers,
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
    /// Hear only the selected ingredient, or all again.
    Solo,
    /// Lock or unlock the selected weight.
    Lock,
    /// Scale the unlocked weights so that all add up to 1.
    Normalise,
    /// Give all unlocked weights the same value.
    Level,
    /// Take the selected ingredient out.
    Remove,
    /// Take everything out.
    Clear,
    /// Move the selected ingredient up (−1) or down (+1): order matters to the decay rules.
    Shift(i32),
    /// The next (+1) or previous (−1) rule.
    CycleRule(i32),
}

/// The soup on the bench, with its history.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The soup.
    pub soup: Soup,
    /// The selected row, an index into [`rows`].
    pub selected: usize,
    undo: Vec<Soup>,
    redo: Vec<Soup>,
    /// Row and clock of the last nudge: a run of nudges is one step of the history.
    nudged: Option<(usize, u64)>,
}

/// Steps of history kept.
const HISTORY: usize = 500;
/// Nudges of one row closer than this many milliseconds are one step.
const RUN_MS: u64 = 800;

/// The rows of a soup: its ingredients, then what its rule takes.
pub fn rows(soup: &Soup) -> Vec<SoupRow> {
    let mut rows: Vec<SoupRow> = (0..soup.ingredients.len()).map(SoupRow::Ingredient).collect();
    rows.push(SoupRow::Rule);
    if uses_gamma(soup.rule) {
        rows.push(SoupRow::Gamma);
    }
    rows.push(SoupRow::Lambda);
    if uses_tau(soup.rule) {
        rows.push(SoupRow::Tau);
    }
    rows.push(SoupRow::Layers);
    rows
}

/// Whether the rule has a decay exponent γ.
pub fn uses_gamma(rule: Rule) -> bool {
    matches!(rule, Rule::Decay)
}

/// Whether the rule takes weights from similarities at temperature τ.
pub fn uses_tau(rule: Rule) -> bool {
    matches!(rule, Rule::Softmax)
}

/// Whether the rule reads the ingredients' weights.
pub fn uses_weights(rule: Rule) -> bool {
    matches!(rule, Rule::Weighted | Rule::Sum | Rule::Arithmetic | Rule::Decay)
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
    pub fn new(soup: Soup) -> Self {
        Self { soup, selected: 0, undo: Vec::new(), redo: Vec::new(), nudged: None }
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

    /// Whether there is something to take back.
    pub fn can_undo(&self) -> bool {
        !self.undo.is_empty()
    }

    /// Whether there is something to repeat.
    pub fn can_redo(&self) -> bool {
        !self.redo.is_empty()
    }

    /// Takes back the last step (or repeats it); false if there is none.
    pub fn step(&mut self, redo: bool) -> bool {
        let (from, to) = if redo { (&mut self.redo, &mut self.undo) } else { (&mut self.undo, &mut self.redo) };
        let Some(soup) = from.pop() else { return false };
        to.push(std::mem::replace(&mut self.soup, soup));
        self.nudged = None;
        self.clamp();
        true
    }

    /// Applies an edit. `Ok(true)` if the soup changed.
    ///
    /// # Errors
    /// A sentence that says why it cannot be done.
    pub fn edit(&mut self, edit: &SoupEdit, layers: usize, clock: u64) -> Result<bool, String> {
        let before = self.soup.clone();
        self.apply(edit, layers)?;
        self.clamp();
        if self.soup == before {
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

    fn clamp(&mut self) {
        self.selected = self.selected.min(rows(&self.soup).len() - 1);
    }

    fn selected_mut(&mut self) -> Result<&mut Ingredient, String> {
        let SoupRow::Ingredient(i) = self.row() else { return Err("Select an ingredient first.".into()) };
        self.soup.ingredients.get_mut(i).ok_or_else(|| "The soup has no ingredients yet.".into())
    }

    fn apply(&mut self, edit: &SoupEdit, layers: usize) -> Result<(), String> {
        match edit {
            SoupEdit::Add(skill) => self.add(skill),
            SoupEdit::Nudge(steps) => self.nudge(*steps, layers)?,
            SoupEdit::Type(row, text) => self.set(*row, text, layers)?,
            SoupEdit::Mute => {
                let ingredient = self.selected_mut()?;
                ingredient.muted = !ingredient.muted;
            }
            SoupEdit::Solo => {
                let ingredient = self.selected_mut()?;
                ingredient.solo = !ingredient.solo;
            }
            SoupEdit::Lock => {
                let ingredient = self.selected_mut()?;
                ingredient.locked = !ingredient.locked;
            }
            SoupEdit::Normalise => self.normalise()?,
            SoupEdit::Level => {
                let free = self.soup.ingredients.iter().filter(|i| !i.locked).count();
                let locked: f64 = self.soup.ingredients.iter().filter(|i| i.locked).map(|i| i.weight).sum();
                for ingredient in self.soup.ingredients.iter_mut().filter(|i| !i.locked) {
                    ingredient.weight = if locked < 1.0 { (1.0 - locked) / free as f64 } else { 1.0 };
                }
            }
            SoupEdit::Remove => {
                let SoupRow::Ingredient(i) = self.row() else { return Err("Select an ingredient to remove.".into()) };
                self.soup.ingredients.remove(i);
            }
            SoupEdit::Clear => self.soup.ingredients.clear(),
            SoupEdit::Shift(by) => {
                let SoupRow::Ingredient(i) = self.row() else { return Ok(()) };
                let to = i.saturating_add_signed(*by as isize);
                if to < self.soup.ingredients.len() && to != i {
                    self.soup.ingredients.swap(i, to);
                    self.selected = to;
                }
            }
            SoupEdit::CycleRule(by) => {
                let row = self.row();
                let all = Rule::ALL;
                let at = all.iter().position(|r| *r == self.soup.rule).unwrap_or(0) as i32;
                self.soup.rule = all[(at + by).rem_euclid(all.len() as i32) as usize];
                // Rows come and go with the rule: stay on the same one.
                self.selected = rows(&self.soup).iter().position(|r| *r == row).unwrap_or(self.soup.ingredients.len());
            }
        }
        Ok(())
    }

    fn add(&mut self, skill: &str) {
        if let Some(at) = self.soup.ingredients.iter().position(|i| i.skill == skill) {
            self.selected = at;
            return;
        }
        let n = self.soup.ingredients.len();
        // As heavy as the others are on average, so that a soup stays balanced as it grows.
        let mean = if n == 0 { 1.0 } else { self.soup.ingredients.iter().map(|i| i.weight).sum::<f64>() / n as f64 };
        let weight = round(if mean > 0.0 { mean } else { 1.0 });
        self.soup.ingredients.push(Ingredient { skill: skill.to_owned(), weight, muted: false, locked: false, solo: false });
        self.selected = n;
    }

    fn normalise(&mut self) -> Result<(), String> {
        let locked: f64 = self.soup.ingredients.iter().filter(|i| i.locked).map(|i| i.weight).sum();
        let free: f64 = self.soup.ingredients.iter().filter(|i| !i.locked).map(|i| i.weight).sum();
        if free <= 0.0 || locked >= 1.0 {
            return Err("Weights cannot be normalised: the unlocked ones add up to 0 or the locked ones to 1 or more.".into());
        }
        for ingredient in self.soup.ingredients.iter_mut().filter(|i| !i.locked) {
            ingredient.weight *= (1.0 - locked) / free;
        }
        Ok(())
    }

    fn nudge(&mut self, steps: i32, layers: usize) -> Result<(), String> {
        let by = f64::from(steps) / 100.0;
        match self.row() {
            SoupRow::Ingredient(i) => {
                let ingredient = &mut self.soup.ingredients[i];
                if ingredient.locked {
                    return Err(format!("The weight of {} is locked; `l` unlocks it.", ingredient.skill));
                }
                ingredient.weight = round(ingredient.weight + by);
            }
            SoupRow::Rule => self.apply(&SoupEdit::CycleRule(steps.signum()), layers)?,
            SoupRow::Gamma => self.soup.gamma = round(self.soup.gamma + by).max(0.0),
            SoupRow::Lambda => self.soup.lambda = round(self.soup.lambda + by).clamp(0.0, 1.0),
            SoupRow::Tau => self.soup.tau = round(self.soup.tau + by).max(0.0),
            SoupRow::Layers => {
                let all = 0..layers;
                let range = self.soup.layers.clone().unwrap_or(all);
                let (start, end) =
                    if steps > 0 { (range.start + 1, range.end + 1) } else { (range.start.wrapping_sub(1), range.end.wrapping_sub(1)) };
                if start < end && end <= layers {
                    self.soup.layers = Some(start..end);
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, row: SoupRow, text: &str, layers: usize) -> Result<(), String> {
        let number = || {
            let value: f64 = text.trim().parse().map_err(|_| format!("`{text}` is not a number."))?;
            if value.is_finite() { Ok(value) } else { Err("The value must be finite.".to_string()) }
        };
        let at_least_zero = || number().and_then(|v| if v >= 0.0 { Ok(v) } else { Err("The value must be 0 or more.".to_string()) });
        match row {
            SoupRow::Ingredient(i) => {
                let ingredient = self.soup.ingredients.get_mut(i).ok_or("That ingredient is gone.")?;
                ingredient.weight = number()?;
            }
            SoupRow::Rule => {
                let rule = Rule::ALL.into_iter().find(|r| r.name() == text.trim());
                let names = Rule::ALL.map(Rule::name).join(", ");
                self.soup.rule = rule.ok_or_else(|| format!("`{text}` is not a rule; there are {names}."))?;
            }
            SoupRow::Gamma => self.soup.gamma = at_least_zero()?,
            SoupRow::Tau => self.soup.tau = at_least_zero()?,
            SoupRow::Lambda => {
                let value = number()?;
                if !(0.0..=1.0).contains(&value) {
                    return Err("λ must lie between 0 (the query alone) and 1 (the soup alone).".into());
                }
                self.soup.lambda = value;
            }
            SoupRow::Layers => self.soup.layers = parse_layers(text, layers)?,
        }
        Ok(())
    }
}

/// Rounds to four digits, so that steps of 0.01 add up without dust.
fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench() -> Bench {
        let mut bench = Bench::new(Soup::default());
        for skill in ["a/0", "b/0", "c/0"] {
            bench.edit(&SoupEdit::Add(skill.into()), 12, 0).unwrap();
        }
        bench
    }

    fn weights(bench: &Bench) -> Vec<f64> {
        bench.soup.ingredients.iter().map(|i| i.weight).collect()
    }

    #[test]
    fn adding_twice_selects_instead() {
        let mut bench = bench();
        assert!(!bench.edit(&SoupEdit::Add("a/0".into()), 12, 0).unwrap());
        assert_eq!((bench.selected, bench.soup.ingredients.len()), (0, 3));
    }

    #[test]
    fn normalise_leaves_locked_weights_alone() {
        let mut bench = bench();
        bench.selected = 0;
        bench.edit(&SoupEdit::Type(SoupRow::Ingredient(0), "0.4".into()), 12, 0).unwrap();
        bench.edit(&SoupEdit::Lock, 12, 0).unwrap();
        assert!(bench.edit(&SoupEdit::Nudge(1), 12, 0).unwrap_err().contains("locked"));
        bench.edit(&SoupEdit::Normalise, 12, 0).unwrap();
        let w = weights(&bench);
        assert!((w[0] - 0.4).abs() < 1e-12 && (w[1] - 0.3).abs() < 1e-12 && (w[2] - 0.3).abs() < 1e-12, "{w:?}");
    }

    #[test]
    fn a_run_of_nudges_is_one_step_of_history() {
        let mut bench = bench();
        for t in 0..5 {
            bench.edit(&SoupEdit::Nudge(1), 12, t * 100).unwrap();
        }
        assert_eq!(weights(&bench)[2], 1.05);
        bench.edit(&SoupEdit::Nudge(1), 12, 5000).unwrap();
        assert_eq!(weights(&bench)[2], 1.06);
        assert!(bench.step(false));
        assert_eq!(weights(&bench)[2], 1.05);
        assert!(bench.step(false));
        assert_eq!(weights(&bench)[2], 1.0);
        assert!(bench.step(true) && bench.step(true) && !bench.step(true));
        assert_eq!(weights(&bench)[2], 1.06);
    }

    #[test]
    fn undo_takes_back_every_edit_to_the_empty_soup() {
        let mut bench = bench();
        for edit in [SoupEdit::Mute, SoupEdit::Solo, SoupEdit::Shift(-1), SoupEdit::CycleRule(1), SoupEdit::Remove, SoupEdit::Clear] {
            bench.edit(&edit, 12, 0).unwrap();
        }
        while bench.step(false) {}
        assert_eq!(bench.soup, Soup::default());
    }

    #[test]
    fn layer_ranges_are_read_and_checked() {
        assert_eq!(parse_layers("all", 12), Ok(None));
        assert_eq!(parse_layers("4..8", 12), Ok(Some(4..8)));
        assert_eq!(parse_layers("5", 12), Ok(Some(5..6)));
        assert_eq!(parse_layers("8..", 12), Ok(Some(8..12)));
        assert!(parse_layers("8..8", 12).is_err());
        assert!(parse_layers("8..13", 12).unwrap_err().contains("0 to 11"));
        assert!(parse_layers("x", 12).is_err());
    }
}
