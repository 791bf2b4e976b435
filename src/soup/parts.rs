//! Variants of a soup: with other weights, without an ingredient, without some layers; and the
//! mixes that a landscape is drawn from.

use super::{Shares, Soup};
use std::ops::Range;

impl Soup {
    /// Whether its rule uses weights, so that other weights give another state.
    pub fn takes_shares(&self) -> bool {
        self.rule.offer.shares != Shares::Ignored
    }

    /// The same soup with these weights on the ingredients that count, in order.
    #[must_use]
    pub fn with_shares(&self, shares: &[f64]) -> Self {
        let mut soup = self.clone();
        for (place, share) in self.audible_places().into_iter().zip(shares) {
            soup.ingredients[place].weight = *share;
        }
        soup
    }

    /// The same soup without one ingredient.
    #[must_use]
    pub fn without(&self, place: usize) -> Self {
        let mut soup = self.clone();
        if let Some(ingredient) = soup.ingredients.get_mut(place) {
            // Muted, not removed: without the last solo ingredient all others would count.
            ingredient.muted = true;
        }
        soup
    }

    /// The weight of each of `n_layer` layers: the layer weights, or 1 within the range and 0
    /// outside it.
    pub fn curve(&self, n_layer: usize) -> Vec<f64> {
        match (&self.layer_weights, &self.layers) {
            (Some(weights), _) => (0..n_layer).map(|l| weights.get(l).copied().unwrap_or(0.0)).collect(),
            (None, Some(range)) => (0..n_layer).map(|l| if range.contains(&l) { 1.0 } else { 0.0 }).collect(),
            (None, None) => vec![1.0; n_layer],
        }
    }

    /// The same soup with the query's state in these layers.
    #[must_use]
    pub fn without_layers(&self, band: &Range<usize>, n_layer: usize) -> Self {
        let mut curve = self.curve(n_layer);
        curve.iter_mut().enumerate().filter(|(l, _)| band.contains(l)).for_each(|(_, w)| *w = 0.0);
        Self { layer_weights: Some(curve), ..self.clone() }
    }
}

/// Every mix of `parts` shares in steps of 1/`fine` (`fine` a power of two), as counts that add up
/// to `fine`. The corners come first, then the mixes of each halved step, so that a picture of them
/// is refined from coarse to fine.
pub fn mixes(parts: usize, fine: usize) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    compositions(parts, fine, &mut Vec::new(), &mut all);
    // The coarsest step whose grid contains the mix.
    let level = |mix: &[usize]| mix.iter().fold(fine, |step, &count| gcd(step, count));
    all.sort_by_key(|mix| std::cmp::Reverse(level(mix)));
    all
}

fn compositions(parts: usize, left: usize, begun: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
    if parts <= 1 {
        all.push(begun.iter().copied().chain((parts == 1).then_some(left)).collect());
        return;
    }
    for count in (0..=left).rev() {
        begun.push(count);
        compositions(parts - 1, left - count, begun, all);
        begun.pop();
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::super::Ingredient;
    use super::*;

    #[test]
    fn mixes_are_all_there_once_the_corners_first() {
        let all = mixes(3, 16);
        assert_eq!(all.len(), 17 * 18 / 2);
        assert_eq!(all[..3], [vec![16, 0, 0], vec![0, 16, 0], vec![0, 0, 16]]);
        assert_eq!(all[3..6], [vec![8, 8, 0], vec![8, 0, 8], vec![0, 8, 8]]);
        assert!(all.iter().all(|m| m.iter().sum::<usize>() == 16));
        let mut unique = all.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), all.len());
        assert_eq!(mixes(2, 2), [[2, 0], [0, 2], [1, 1]]);
    }

    #[test]
    fn what_is_left_out_is_out_and_nothing_else_comes_in() {
        let mut soup = Soup { ingredients: ["a/0", "b/0", "c/0"].map(Ingredient::new).to_vec(), ..Soup::default() };
        assert_eq!(soup.without(1).to_recipe().unwrap().to_string(), "mean(a/0, c/0)");
        soup.ingredients[1].solo = true;
        assert_eq!(soup.without(1).to_recipe(), None);
        assert_eq!(soup.with_shares(&[0.5]).ingredients[1].weight, 0.5);
        soup.layers = Some(1..3);
        assert_eq!(soup.curve(4), [0.0, 1.0, 1.0, 0.0]);
        assert_eq!(soup.without_layers(&(2..4), 4).curve(4), [0.0, 1.0, 0.0, 0.0]);
    }
}
