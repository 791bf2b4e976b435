//! Converts a recipe to the soup that yields it in the lab.

use super::{Choice, Ingredient, Layers, Recipe, Shares, Soup, Term, Value, Window, rules};

impl Soup {
    /// The soup whose recipe this is; a written sum (`0.6*a/0 + 0.4*b/1`) becomes the rule `sum`.
    /// `None` for a recipe that no soup yields: with `top(n)`, with recipes within recipes, or with
    /// layers over a state other than the query's.
    pub fn of_recipe(recipe: &Recipe) -> Option<Self> {
        let mut soup = Self::default();
        let mut inner = recipe;
        if let Recipe::At { of, layers, over: Some(over) } = inner
            && **over == Recipe::Query
        {
            match layers {
                Layers::Range(from, to) => soup.layers = Some(*from..*to),
                Layers::Weights(weights) => soup.layer_weights = Some(weights.clone()),
            }
            inner = of;
        }
        let mut window = None;
        if let Recipe::Conv { of, from } = inner {
            (window, inner) = (Some(&**from), of);
        }
        if let Recipe::WithQuery { of, lambda: Some(lambda) } = inner {
            (soup.lambda, inner) = (*lambda, of);
        }
        if let Recipe::MatchNorm { of } = inner {
            (soup.match_norm, inner) = (true, of);
        }
        match inner {
            Recipe::Skill { id } => soup.ingredients = vec![Ingredient::new(id)],
            // In a sum a task is the mean of its skills; in the list of a soup it stands for all of
            // them.
            Recipe::Plus { terms } if terms.iter().all(|t| matches!(&t.recipe, Recipe::Skill { id } if id.contains('/'))) => {
                soup.rule = Choice::by(&rules::SUM)?;
                soup.ingredients = terms.iter().map(ingredient).collect::<Option<_>>()?;
            }
            Recipe::Mix { rule, items, values } => {
                soup.rule = Choice::by(rule)?;
                soup.ingredients = items.iter().map(ingredient).collect::<Option<_>>()?;
                soup.take_values(values);
            }
            _ => return None,
        }
        soup.conv = match window {
            None => Window::Rule,
            Some(Recipe::Query) => Window::Query,
            Some(from) if soup.audible().last().is_some_and(|last| last.recipe() == *from) => Window::Last,
            Some(from) if soup.plain_mean() == *from => Window::Mean,
            Some(_) => return None,
        };
        let made = soup.to_recipe()?;
        // A recipe may hold what a soup cannot express: weights for a rule that ignores them, or a
        // value that soups have no field for.
        (!matches!(inner, Recipe::Mix { .. }) || made == *recipe).then_some(soup)
    }

    /// Sets the fields, or the weights, that give the rule these values.
    fn take_values(&mut self, values: &[Value]) {
        let Choice { rule, offer } = self.rule;
        for (parameter, value) in rule.parameters.iter().zip(values) {
            if let Some(field) = parameter.field {
                self.values.set(field, *value);
            }
            if let (Shares::Along(key), Value::Number(t), [a, b]) = (offer.shares, value, &mut self.ingredients[..])
                && key == parameter.key
            {
                (a.weight, b.weight) = (1.0 - t, *t);
            }
        }
    }
}

/// The ingredient for an item of a list; `None` if the item is neither a skill, nor a task, nor the
/// mean of a task.
fn ingredient(term: &Term) -> Option<Ingredient> {
    match &term.recipe {
        Recipe::Skill { id } => Some(Ingredient { weight: term.weight, ..Ingredient::new(id) }),
        // The mean of one task is a single ingredient.
        Recipe::Mix { rule, items, .. } if **rule == rules::MEAN => match &items[..] {
            [Term { weight: 1.0, recipe: Recipe::Skill { id } }] if !id.contains('/') => {
                Some(Ingredient { weight: term.weight, mean: true, ..Ingredient::new(id) })
            }
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum_rule() -> Choice {
        Choice::of("sum").unwrap()
    }

    #[test]
    fn every_soup_is_found_again_by_its_recipe() {
        for rule in Choice::all() {
            for conv in [Window::Rule, Window::Last, Window::Mean, Window::Query] {
                let of = |id: &str, weight| Ingredient { weight, ..Ingredient::new(id) };
                let ingredients = vec![of("antonym/0", 0.25), of("plural/1", 0.75)];
                let soup = Soup { rule, conv, ingredients, lambda: 0.5, layers: Some(2..4), match_norm: true, ..Soup::default() };
                let recipe = soup.to_recipe().unwrap();
                let read = Soup::of_recipe(&recipe).unwrap();
                assert_eq!(read.to_recipe(), Some(recipe));
                assert_eq!((read.conv, read.layers.clone(), read.lambda), (conv, Some(2..4), 0.5));
            }
        }
    }

    #[test]
    fn what_is_typed_is_read_and_what_is_no_soup_is_not() {
        let read = |text: &str| Soup::of_recipe(&text.parse().unwrap());
        let sum = read("0.6*antonym/0 + 0.4*plural/1").unwrap();
        assert_eq!((sum.rule, sum.ingredients[0].weight), (sum_rule(), 0.6));
        let sum = read("0.6*antonym/0 + 0.4*plural/1 | conv(plural/1)").unwrap();
        assert_eq!((sum.rule, sum.conv), (sum_rule(), Window::Last));
        assert_eq!(read("antonym/3").unwrap().to_recipe().unwrap().to_string(), "mean(antonym/3)");
        assert_eq!(read("mean(antonym, plural/1)").unwrap().ingredients.len(), 2);
        for text in ["mean(top(3))", "query", "mean((antonym/0 + plural/0), plural/1)", "antonym + plural", "mean(antonym/0) @ 2..4"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("mean(antonym/0) | conv(plural/1)"), None);
    }
}
