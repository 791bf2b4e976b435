//! The pages of help on recipes: one for each rule, with its formula. The command line prints them
//! (`state-soup recipes`). The pages of the rules are in their rows ([`rules`](super::rules)); the
//! others are here.

use super::rules::RULES;
use std::sync::LazyLock;

/// A page.
pub struct Page {
    /// Its subject, as written in a recipe.
    pub name: &'static str,
    /// An example that parses.
    pub example: &'static str,
    /// The result, in one line.
    pub summary: &'static str,
    /// The formula, with notes.
    pub text: &'static str,
}

const fn page(name: &'static str, example: &'static str, summary: &'static str, text: &'static str) -> Page {
    Page { name, example, summary, text }
}

/// All pages, in the order they are listed.
pub static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| {
    let mut pages = Vec::from(NAMES);
    for rule in RULES {
        pages.push(rule.page());
        // The other readers of the query's examples are listed next to the rule that weighs by
        // them.
        if rule.name == "posterior" {
            pages.extend(EVIDENCE);
        }
    }
    pages.extend(CHANGES);
    pages
});

/// The operands of a recipe that are not rules.
#[rustfmt::skip]
const NAMES: [Page; 2] = [
    page("names", "antonym/0", "a skill, or a task for its skills",
        "`antonym/0` is one skill. `antonym` is a task: in a list all of its skills, elsewhere their mean. `top(3)` stands for the three best-ranked skills. `query` is the state after the query's examples, \
`h0` the state after the beginning-of-text token, `zero` the empty state. A name with other characters goes in quotes: `\"2nd letter/0\"`."),
    page("sum of terms", "0.6*antonym/0 + 0.4*antonym/1", "a sum as it is written",
        "S = Σ w_i H_i. A task is the mean of its skills here."),
];

/// The functions that read the query's examples and are not rules.
#[rustfmt::skip]
const EVIDENCE: [Page; 3] = [
    page("primed", "primed(posterior(top(24)))", "the query's examples read from a state",
        "The state after the query's examples when the model reads them from S instead of from nothing. Exact: it costs one pass over a few tokens."),
    page("gated", "gated(posterior(top(24)))", "a state, if a skill in it explains the query",
        "S, if the posterior of \"none of these\" among the skills and tasks in S is not above the library's gate for that number of examples; else the query's own state. \"None of these\" is scored by the same examples read from nothing."),
    page("auto", "auto", "what the evidence calls for",
        "S = (1 − λ) H_query + λ Σ p_i S_i over the 24 most similar tasks; the convolution windows are the query's. If the tasks together predict the query's answers clearly better than the query alone, p follows from the answers and λ is 1 \
(0.75 from the third example on). Otherwise p is the posterior and λ is at most 1 − p_none, less where the query may suffice; it is 0 if no task explains the query or, from the second example on, if the tasks have not predicted the later \
examples better than the query alone. It is the lab's soup until you change it."),
];

/// The operators that modify a recipe.
#[rustfmt::skip]
const CHANGES: [Page; 4] = [
    page("with_query", "mean(top(3)) | with_query(0.5)", "mixed with the query's state", "S = (1 − λ) H_query + λ S. Without a value λ is r / (r + 1) for r items: the plain average of all with the query."),
    page("layers", "mean(antonym) @ 4..8 | over(query)", "on some layers", "S on the layers 4, 5, 6, 7 and the state in `over(…)` on the others (the empty state if there is none); `@ [0.5, 1, …]` gives each layer a weight."),
    page("conv", "mean(antonym) | conv(query)", "with another state's windows", "S with the convolution windows of another state."),
    page("match_norm", "mean(antonym) | match_norm", "at the norm of its items", "Each layer of S is scaled to the mean norm of the items' layers: mixing shortens vectors that disagree."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soup::Recipe;

    #[test]
    fn every_example_parses_and_every_function_has_a_page() {
        for page in PAGES.iter() {
            let recipe = page.example.parse::<Recipe>().unwrap_or_else(|e| panic!("{}: {e}", page.name));
            assert_eq!(recipe.to_string().parse::<Recipe>().ok(), Some(recipe));
        }
        for function in crate::soup::functions() {
            assert!(PAGES.iter().any(|p| p.name == function), "`{function}` has no page");
        }
    }
}
