//! A recipe taken as the soup that the Lab would make it with.

use super::{Ingredient, Layers, Recipe, Rule, Soup, Term, Window};

impl Soup {
    /// The soup whose recipe this is; a sum written out (`0.6*a/0 + 0.4*b/1`) is one of the rule `sum`. `None` for a recipe that no soup makes: one of
    /// the query's best skills, of recipes within recipes, or over layers of another state than the query's.
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
        soup.take_rule(inner)?;
        // What the windows come from is told by trying: each choice has a recipe of its own.
        let choices = if window.is_none() { &[Window::Rule][..] } else { &[Window::Last, Window::Mean, Window::Query][..] };
        let written = matches!(inner, Recipe::Plus { .. } | Recipe::Skill { .. });
        choices.iter().map(|conv| Self { conv: *conv, ..soup.clone() }).find(|soup| {
            let made = soup.to_recipe();
            if written { made.is_some_and(|made| made.window() == recipe.window()) } else { made.as_ref() == Some(recipe) }
        })
    }

    /// Rule and ingredients of a recipe without what is around it.
    fn take_rule(&mut self, recipe: &Recipe) -> Option<()> {
        self.rule = match recipe {
            Recipe::Skill { id } => {
                self.ingredients = vec![Ingredient::new(id)];
                return Some(());
            }
            // There a task would be the mean of its skills; in the list of a soup it is all of them.
            Recipe::Plus { terms } if terms.iter().all(|t| matches!(&t.recipe, Recipe::Skill { id } if id.contains('/'))) => Rule::Sum,
            Recipe::Mean { .. } => Rule::Weighted,
            Recipe::Sum { .. } => Rule::Sum,
            Recipe::Softmax { tau, .. } => {
                self.tau = *tau;
                Rule::Softmax
            }
            Recipe::Decay { gamma, z, .. } => {
                (self.gamma, self.z) = (*gamma, *z);
                Rule::Decay
            }
            Recipe::PicasoS { .. } => Rule::PicasoS,
            Recipe::PicasoR { .. } => Rule::PicasoR,
            Recipe::Arith { .. } => Rule::Arithmetic,
            Recipe::Slerp { .. } => Rule::Slerp,
            Recipe::Ties { density, .. } => {
                self.density = *density;
                Rule::Ties
            }
            Recipe::Dare { p, seed, .. } => {
                (self.drop, self.seed) = (*p, *seed);
                Rule::Dare
            }
            _ => return None,
        };
        let ingredient = |term: &Term| match &term.recipe {
            Recipe::Skill { id } => Some(Ingredient { weight: term.weight, ..Ingredient::new(id) }),
            // The mean of one task: an ingredient of its own.
            Recipe::Mean { items } => match &items[..] {
                [Term { weight: 1.0, recipe: Recipe::Skill { id } }] if !id.contains('/') => {
                    Some(Ingredient { weight: term.weight, mean: true, ..Ingredient::new(id) })
                }
                _ => None,
            },
            _ => None,
        };
        self.ingredients = recipe.items()?.iter().map(ingredient).collect::<Option<_>>()?;
        if let (Recipe::Slerp { t, .. }, [a, b]) = (recipe, &mut self.ingredients[..]) {
            (a.weight, b.weight) = (1.0 - t, *t);
        }
        Some(())
    }
}

impl Recipe {
    /// Where its convolution windows come from, if that is written.
    fn window(&self) -> Option<&Self> {
        match self {
            Self::At { of, .. } => of.window(),
            Self::Conv { from, .. } => Some(from),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_soup_is_found_again_by_its_recipe() {
        for rule in Rule::ALL {
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
        assert_eq!((sum.rule, sum.ingredients[0].weight), (Rule::Sum, 0.6));
        let sum = read("0.6*antonym/0 + 0.4*plural/1 | conv(plural/1)").unwrap();
        assert_eq!((sum.rule, sum.conv), (Rule::Sum, Window::Last));
        assert_eq!(read("antonym/3").unwrap().to_recipe().unwrap().to_string(), "mean(antonym/3)");
        assert_eq!(read("mean(antonym, plural/1)").unwrap().ingredients.len(), 2);
        for text in ["mean(top(3))", "query", "mean((antonym/0 + plural/0), plural/1)", "antonym + plural", "mean(antonym/0) @ 2..4"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("mean(antonym/0) | conv(plural/1)"), None);
    }
}
