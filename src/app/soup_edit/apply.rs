//! How each edit changes the soup.

use super::curve::parse_weights;
use super::{Bench, SoupEdit, SoupRow, parse_layers, rows};
use crate::soup::{Choice, Ingredient, Soup, parameter_of};

impl Bench {
    fn selected_mut(&mut self) -> Result<&mut Ingredient, String> {
        let SoupRow::Ingredient(i) = self.row() else { return Err("Select an ingredient first.".into()) };
        self.soup.ingredients.get_mut(i).ok_or_else(|| "The soup has no ingredients yet.".into())
    }

    pub(super) fn apply(&mut self, edit: &SoupEdit, layers: usize) -> Result<(), String> {
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
            SoupEdit::Normalise => self.soup.normalise().map_err(|e| e.to_string())?,
            SoupEdit::Level => self.soup.level(),
            SoupEdit::Remove => {
                let SoupRow::Ingredient(i) = self.row() else { return Err("Select an ingredient to remove.".into()) };
                self.soup.ingredients.remove(i);
            }
            // The evidence's other settings (the query's share, its window) are removed with its
            // ingredients.
            SoupEdit::Clear if self.auto => self.soup = Soup::default(),
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
                let all: Vec<Choice> = Choice::all().collect();
                let at = all.iter().position(|r| *r == self.soup.rule).unwrap_or(0) as i32;
                self.soup.rule = all[(at + by).rem_euclid(all.len() as i32) as usize];
                // The number of rows depends on the rule: keep the same row selected.
                self.selected = rows(&self.soup).iter().position(|r| *r == row).unwrap_or(self.soup.ingredients.len());
            }
            SoupEdit::Curve(shape, ranked) => {
                if layers == 0 {
                    return Err("The model's layers are not known yet.".into());
                }
                self.soup.layer_weights = Some(shape.weights(layers, ranked));
            }
            SoupEdit::ClearCurve => self.soup.layer_weights = None,
            SoupEdit::Layer(by) => {
                self.layer = self.layer.saturating_add_signed(*by as isize).min(layers.saturating_sub(1));
                self.nudged = None;
            }
            SoupEdit::Weights(weights) => {
                // All or none: a half-set mix would be neither the old one nor the new one.
                for (place, weight) in weights {
                    let ingredient = self.soup.ingredients.get(*place).ok_or("That ingredient is gone.")?;
                    if ingredient.locked && ingredient.weight != *weight {
                        return Err(format!("The weight of {} is locked; `l` unlocks it.", ingredient.skill));
                    }
                }
                weights.iter().for_each(|(place, weight)| self.soup.ingredients[*place].weight = *weight);
            }
            SoupEdit::Replace(soup) => self.soup = (**soup).clone(),
            // `Bench::follow` sets the soup from the evidence.
            SoupEdit::Auto => {}
        }
        Ok(())
    }

    fn add(&mut self, skill: &str) {
        if let Some(at) = self.soup.ingredients.iter().position(|i| i.skill == skill) {
            self.selected = at;
            return;
        }
        let n = self.soup.ingredients.len();
        // The mean of the other weights, so that a soup stays balanced as it grows.
        let mean = if n == 0 { 1.0 } else { self.soup.ingredients.iter().map(|i| i.weight).sum::<f64>() / n as f64 };
        let weight = round(if mean > 0.0 { mean } else { 1.0 });
        self.soup.ingredients.push(Ingredient { weight, ..Ingredient::new(skill) });
        self.selected = n;
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
            SoupRow::Value(field) => {
                if let (Some(parameter), Some(value)) = (parameter_of(field), self.soup.values.number(field)) {
                    self.soup.values.set(field, round(value + by).clamp(parameter.least, parameter.most));
                }
            }
            SoupRow::Lambda => self.soup.lambda = round(self.soup.lambda + by).clamp(0.0, 1.0),
            SoupRow::Layers => {
                let all = 0..layers;
                let range = self.soup.layers.clone().unwrap_or(all);
                let (start, end) =
                    if steps > 0 { (range.start + 1, range.end + 1) } else { (range.start.wrapping_sub(1), range.end.wrapping_sub(1)) };
                if start < end && end <= layers {
                    self.soup.layers = Some(start..end);
                }
            }
            SoupRow::Curve => {
                if let Some(weight) = self.soup.layer_weights.as_mut().and_then(|w| w.get_mut(self.layer)) {
                    *weight = round(*weight + by);
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
        match row {
            SoupRow::Ingredient(i) => {
                let ingredient = self.soup.ingredients.get_mut(i).ok_or("That ingredient is gone.")?;
                ingredient.weight = number()?;
            }
            SoupRow::Rule => {
                let rule = Choice::all().find(|r| r.name() == text.trim());
                let names: Vec<&str> = Choice::all().map(Choice::name).collect();
                self.soup.rule = rule.ok_or_else(|| format!("`{text}` is not a rule; there are {}.", names.join(", ")))?;
            }
            SoupRow::Value(field) => {
                let value = number()?;
                if let Some(parameter) = parameter_of(field) {
                    parameter.check(value)?;
                    self.soup.values.set(field, value);
                }
            }
            SoupRow::Lambda => {
                let value = number()?;
                if !(0.0..=1.0).contains(&value) {
                    return Err("λ must lie between 0 (the query alone) and 1 (the soup alone).".into());
                }
                self.soup.lambda = value;
            }
            SoupRow::Layers => self.soup.layers = parse_layers(text, layers)?,
            SoupRow::Curve => self.soup.layer_weights = parse_weights(text, self.soup.layer_weights.as_deref(), self.layer, layers)?,
        }
        Ok(())
    }
}

/// Rounds to four decimals, so that steps of 0.01 add up without rounding errors.
pub(super) fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
