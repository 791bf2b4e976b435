//! The pages of help on recipes: one for each rule, with its formula. The command line prints them (`state-soup recipes`).

/// A page.
pub struct Page {
    /// What it is about, as it is written in a recipe.
    pub name: &'static str,
    /// An example that parses.
    pub example: &'static str,
    /// What it yields, in one line.
    pub summary: &'static str,
    /// The formula, and what there is to know.
    pub text: &'static str,
}

const fn page(name: &'static str, example: &'static str, summary: &'static str, text: &'static str) -> Page {
    Page { name, example, summary, text }
}

/// All pages, in the order they are listed.
#[rustfmt::skip]
pub const PAGES: &[Page] = &[
    page("names", "antonym/0", "a skill, or a task for its skills",
        "`antonym/0` is one skill. `antonym` is a task: in a list all of its skills, elsewhere their mean. `top(3)` stands for the three best-ranked skills. `query` is the state after the query's examples, \
`h0` the state after the beginning-of-text token, `zero` the empty state. A name with other characters goes in quotes: `\"2nd letter/0\"`."),
    page("sum of terms", "0.6*antonym/0 + 0.4*antonym/1", "a sum as it is written",
        "S = Σ w_i H_i. A task is the mean of its skills here."),
    page("mean", "mean(antonym/0, 2*antonym/1)", "the weighted mean: the paper's soup",
        "S = Σ w_i H_i / Σ w_i; weights are 1 where none is written."),
    page("sum", "sum(antonym)", "the weighted sum", "S = Σ w_i H_i."),
    page("softmax", "softmax(top(8); tau=0.1)", "weights by similarity",
        "w = softmax(similarity / τ) over the items, which must be skills; S = Σ w_i H_i. τ is 0.1 unless it is written."),
    page("posterior", "posterior(top(24))", "weights by evidence",
        "S = Σ p_i S_i over skills and tasks (a task is the mean of its skills; `top(n)` is the n most similar tasks). p is the softmax of answers·A_i + inputs·I_i + similarity·C_i: A_i is the sum of ln p over the tokens of the \
answers of the query's examples when they are read from S_i, I_i the same over their other tokens, C_i the cosine; the three weights are measured when a library is built. A p below 0.001 is left out."),
    page("primed", "primed(posterior(top(24)))", "the query's examples read from a state",
        "The state after the query's examples when the model reads them from S instead of from nothing. Exact: it costs one pass over a few tokens."),
    page("gated", "gated(posterior(top(24)))", "a state, if a skill in it explains the query",
        "S, if the posterior of \"none of these\" among the skills and tasks in S is not above the library's gate for so many examples; else the query's own state. \"None of these\" is scored by the same examples read from nothing."),
    page("auto", "auto", "what the evidence calls for",
        "S = (1 − λ) H_query + λ Σ p_i S_i with λ = 1 − p_none, over the 24 most similar tasks and \"none of these\"; the convolution windows are the query's. λ is 0 where no task explains the query, and from the second example on \
where the tasks have not foretold the later examples better than the query alone. It is the lab's soup until you change it."),
    page("ensemble", "ensemble(query, primed(posterior(top(24))))", "an answer from the mean of logits",
        "Not a state but an answer: each token's logits are the mean of the logits of every item. It is what mixing competes with. It stands alone or in `gated(…)`; it takes no layer range."),
    page("decay", "decay(antonym/0, present_past/0; gamma=0.5, z=n)", "A-decay, items in order",
        "S = 0; for item i in order: S = P_i^γ ⊙ S + w_i H_i, divided by z: `1`, `n` (items) or `w` (weights). γ = 0 is the sum, 1 the model's own decay, inf the last item alone."),
    page("picaso_s", "picaso_s(antonym/0, antonym/1)", "A-decay averaged over all orders", "The mean of A-decay over all orders of the items (PICASO-S)."),
    page("picaso_r", "picaso_r(antonym/0, antonym/1)", "A-decay averaged over rotations", "The mean of A-decay over the rotations of the order (PICASO-R)."),
    page("arith", "arith(antonym/0, -1*present_past/0)", "task arithmetic", "S = h0 + Σ w_i (H_i − h0)."),
    page("slerp", "slerp(antonym/0, antonym/1; t=0.3)", "on the arc between two", "S = h0 + the point at t on the arc from H_1 − h0 to H_2 − h0."),
    page("ties", "ties(antonym/0, antonym/1; density=0.2)", "trim, elect sign, merge", "TIES on H_i − h0: the largest entries are kept, the sign with more weight is elected, what agrees with it is averaged."),
    page("dare", "dare(antonym/0, antonym/1; p=0.5, seed=1)", "drop and rescale", "DARE on H_i − h0: each entry is dropped with probability p, the others are divided by 1 − p; then the mean."),
    page("with_query", "mean(top(3)) | with_query(0.5)", "mixed with the query's state", "S = (1 − λ) H_query + λ S. Without a value λ is r / (r + 1) for r items: the plain average of all with the query."),
    page("layers", "mean(antonym) @ 4..8 | over(query)", "on some layers", "S on the layers 4, 5, 6, 7 and the state in `over(…)` on the others (the empty state if none is written); `@ [0.5, 1, …]` gives each layer a weight."),
    page("conv", "mean(antonym) | conv(query)", "with another state's windows", "S with the convolution windows of another state."),
    page("match_norm", "mean(antonym) | match_norm", "at the norm of its items", "Each layer of S is scaled to the mean norm of the items' layers: mixing shortens vectors that disagree."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soup::Recipe;

    #[test]
    fn every_example_parses_and_every_function_has_a_page() {
        for page in PAGES {
            let recipe = page.example.parse::<Recipe>().unwrap_or_else(|e| panic!("{}: {e}", page.name));
            assert_eq!(recipe.to_string().parse::<Recipe>().ok(), Some(recipe));
        }
        for function in crate::soup::functions() {
            assert!(PAGES.iter().any(|p| p.name == function), "`{function}` has no page");
        }
    }
}
