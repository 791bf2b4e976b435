//! The rules of mixing, one row each. The parser, the printer, the files of recipes and soups, the
//! evaluation, the soup on the screen and the pages of help read these rows.
//!
//! To add a rule, add a row here and a file (listed in `mod.rs`) with its formula as a function of
//! states and numbers, and a test against the simplest code that computes the same.
//!
//! Not in the table, and why:
//! - `a + b` is an operator with a meaning of its own for tasks: there a task is one state, the
//!   mean of its skills, and not a list of them.
//! - `primed(…)` takes one recipe, not a list, and has the model read the query's examples from its
//!   state.
//! - `gated(…)` takes one recipe, decides before anything is mixed, and passes an ensemble through
//!   unchanged.
//! - `auto` has no items: the evidence chooses them.
//! - `with_query`, `match_norm`, `conv`, `over` and `@` change the state of the recipe before them,
//!   which may use any rule.
//! - The compositions of a document's [`chunks`](super::chunks) need a pass over the whole document
//!   and a halo, which a recipe does not have.

use super::items::{Items, What, by_evidence, listed};
use super::mix::WeightedSum;
use super::rule::{Needs, Offer, Rule, Shares, Yields};
use super::value::{Knob, Parameter, Value};
use super::{Divisor, decay, median, merge, mix, picaso};
use crate::error::{Error, Result};
use crate::state::State;

/// The defaults of a row; each row names only what differs.
const PLAIN: Rule = Rule {
    name: "",
    meaning: "",
    example: "",
    text: "",
    parameters: &[],
    takes_weights: false,
    needs: Needs::Nothing,
    offers: &[],
    parts: listed,
    yields: Yields::Answer,
};

/// The offer of the weighted mean that is a soup's default.
pub(super) static WEIGHTED: Offer = Offer { id: "weighted", name: "weighted", shares: Shares::Normalised };

/// The weighted mean.
pub static MEAN: Rule = Rule {
    name: "mean",
    meaning: "the weighted mean: the paper's soup",
    example: "mean(antonym/0, 2*antonym/1)",
    text: "S = Σ w_i H_i / Σ w_i; weights are 1 unless given.",
    takes_weights: true,
    offers: &[&WEIGHTED, &Offer { id: "mean", name: "mean", shares: Shares::Ignored }],
    yields: Yields::State(|i| i.weighted(&mix::normalised(&i.weights())?)),
    ..PLAIN
};

/// The weighted sum.
pub static SUM: Rule = Rule {
    name: "sum",
    meaning: "the weighted sum",
    example: "sum(antonym)",
    text: "S = Σ w_i H_i.",
    takes_weights: true,
    offers: &[&Offer { id: "sum", name: "sum", shares: Shares::Plain }],
    yields: Yields::State(|i| i.weighted(&i.weights())),
    ..PLAIN
};

/// All rules, in the order of their pages of help; a soup offers them in this order.
pub static RULES: &[&Rule] = &[
    &MEAN,
    &SUM,
    &Rule {
        name: "softmax",
        meaning: "weights by similarity",
        example: "softmax(top(8); tau=0.1)",
        text: "w = softmax(similarity / τ) over the items, which must be skills; S = Σ w_i H_i. τ is 0.1 unless given.",
        parameters: &[Parameter::number("tau", 0.1, 0.0, f64::MAX).knob(Knob {
            label: "τ similarity",
            question: "τ, softmax temperature of similarities (above 0)",
            full: None,
            note: "softmax(similarity / τ)",
        })],
        needs: Needs::Query,
        offers: &[&Offer { id: "softmax", name: "softmax", shares: Shares::Ignored }],
        yields: Yields::State(|i| i.weighted(&mix::softmax(&similarities(i)?, i.number("tau")?)?)),
        ..PLAIN
    },
    &Rule {
        name: "posterior",
        meaning: "weights by evidence",
        example: "posterior(top(24))",
        text: "S = Σ p_i S_i over skills and tasks (a task is the mean of its skills; `top(n)` is the n most similar tasks). p is the softmax of answers·A_i + \
inputs·I_i + similarity·C_i: A_i is the sum of ln p over the tokens of the answers of the query's examples when they are read from S_i, I_i the same over their \
other tokens, C_i the cosine; the three weights are measured when a library is built. A p below 0.001 is left out.",
        needs: Needs::Evidence,
        parts: by_evidence,
        yields: Yields::State(|i| i.weighted(&mix::normalised(&i.weights())?)),
        ..PLAIN
    },
    &Rule {
        name: "ensemble",
        meaning: "an answer from the mean of logits",
        example: "ensemble(query, primed(posterior(top(24))))",
        text: "Not a state but an answer: each token's logits are the mean of the logits of every item. It is what mixing competes with. It stands alone or in \
`gated(…)`; it takes no layer range.",
        yields: Yields::Answer,
        ..PLAIN
    },
    &Rule {
        name: "decay",
        meaning: "A-decay, items in order",
        example: "decay(antonym/0, present_past/0; gamma=0.5, z=n)",
        text: "S = 0; for item i in order: S = P_i^γ ⊙ S + w_i H_i, divided by z: `1`, `n` (items) or `w` (weights). γ = 0 is the sum, 1 the model's own decay, \
inf the last item alone.",
        parameters: &[
            Parameter::number("gamma", 1.0, 0.0, f64::INFINITY).knob(Knob {
                label: "γ decay",
                question: "γ, exponent of the decay (0: no decay, 1: A-decay)",
                full: Some(2.0),
                note: "",
            }),
            Parameter::other("z", Value::Divisor(Divisor::One)).optional(),
        ],
        takes_weights: true,
        offers: &[&Offer { id: "decay", name: "A-decay", shares: Shares::Plain }],
        yields: Yields::State(decayed),
        ..PLAIN
    },
    &Rule {
        name: "picaso_s",
        meaning: "A-decay averaged over all orders",
        example: "picaso_s(antonym/0, antonym/1)",
        text: "The mean of A-decay over all orders of the items (PICASO-S).",
        offers: &[&Offer { id: "picaso-s", name: "PICASO-S", shares: Shares::Ignored }],
        yields: Yields::State(|i| {
            picaso::check_count(i.count())?;
            picaso::all_orders(&i.states()?, i.names.decay())
        }),
        ..PLAIN
    },
    &Rule {
        name: "picaso_r",
        meaning: "A-decay averaged over rotations",
        example: "picaso_r(antonym/0, antonym/1)",
        text: "The mean of A-decay over the rotations of the order (PICASO-R).",
        offers: &[&Offer { id: "picaso-r", name: "PICASO-R", shares: Shares::Ignored }],
        yields: Yields::State(|i| {
            picaso::check_count(i.count())?;
            picaso::rotations(&i.states()?, i.names.decay())
        }),
        ..PLAIN
    },
    &Rule {
        name: "arith",
        meaning: "task arithmetic",
        example: "arith(antonym/0, -1*present_past/0)",
        text: "S = h0 + Σ w_i (H_i − h0).",
        takes_weights: true,
        offers: &[&Offer { id: "arithmetic", name: "arithmetic", shares: Shares::Plain }],
        yields: Yields::State(arithmetic),
        ..PLAIN
    },
    &Rule {
        name: "slerp",
        meaning: "on the arc between two",
        example: "slerp(antonym/0, antonym/1; t=0.3)",
        text: "S = h0 + the point at t on the arc from H_1 − h0 to H_2 − h0.",
        parameters: &[Parameter::number("t", 0.5, f64::MIN, f64::MAX).field(None)],
        offers: &[&Offer { id: "slerp", name: "SLERP", shares: Shares::Along("t") }],
        yields: Yields::State(|i| match i.parts {
            [a, b] => merge::slerp(&i.names.neutral()?, &a.state(i.names)?, &b.state(i.names)?, i.number("t")?),
            _ => Err(Error::Input(format!("slerp takes two items, not {}", i.count()))),
        }),
        ..PLAIN
    },
    &Rule {
        name: "ties",
        meaning: "trim, elect sign, merge",
        example: "ties(antonym/0, antonym/1; density=0.2)",
        text: "TIES on H_i − h0: the largest entries are kept, the sign with more weight is elected, what agrees with it is averaged.",
        parameters: &[
            Parameter::number("density", 0.2, 0.0, 1.0).knob(Knob {
                label: "density",
                question: "Share of the entries that TIES keeps (0 to 1)",
                full: Some(1.0),
                note: "",
            }),
            Parameter::number("lambda", 1.0, f64::MIN, f64::MAX).field(None),
        ],
        offers: &[&Offer { id: "ties", name: "TIES", shares: Shares::Ignored }],
        yields: Yields::State(|i| merge::ties(&i.names.neutral()?, &i.states()?, i.number("density")?, i.number("lambda")?)),
        ..PLAIN
    },
    &Rule {
        name: "dare",
        meaning: "drop and rescale",
        example: "dare(antonym/0, antonym/1; p=0.5, seed=1)",
        text: "DARE on H_i − h0: each entry is dropped with probability p, the others are divided by 1 − p; then the mean.",
        parameters: &[
            Parameter::number("p", 0.5, 0.0, 1.0).field(Some("drop")).knob(Knob {
                label: "drop",
                question: "Share of the entries that DARE drops (0 to below 1)",
                full: Some(1.0),
                note: "",
            }),
            Parameter::other("seed", Value::Whole(0)),
        ],
        offers: &[&Offer { id: "dare", name: "DARE", shares: Shares::Ignored }],
        yields: Yields::State(|i| merge::dare(&i.names.neutral()?, &i.states()?, i.number("p")?, i.whole("seed")?)),
        ..PLAIN
    },
    &Rule {
        name: "median",
        meaning: "the middle of each entry",
        example: "median(antonym)",
        text: "Each entry of S is the median of the items' entries there: an outlier among the items does not pull it, as it would pull a mean.",
        offers: &[&Offer { id: "median", name: "median", shares: Shares::Ignored }],
        yields: Yields::State(|i| median::median(&i.states()?)),
        ..PLAIN
    },
];

/// The rule of that name.
pub fn named(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name).copied()
}

/// The cosine of each item with the query.
fn similarities(items: &Items<'_>) -> Result<Vec<f64>> {
    let similarity = |what: &What<'_>| match what {
        What::Skill(id) => items.names.similarity(id).map(f64::from),
        What::Task(_) | What::Other(_) => {
            Err(Error::Input("softmax weighs skills by their similarity to the query; its items must be skills".into()))
        }
    };
    items.parts.iter().map(|part| similarity(&part.what)).collect()
}

fn decayed(items: &Items<'_>) -> Result<State> {
    let mut composition = decay::Composition::new(items.names.decay(), items.number("gamma")?, items.divisor("z")?)?;
    for part in items.parts.iter().rev() {
        composition.prepend(&part.state(items.names)?, part.weight)?;
    }
    composition.finish()
}

fn arithmetic(items: &Items<'_>) -> Result<State> {
    let mut sum = WeightedSum::new(items.names.shape());
    sum.add(&items.names.neutral()?, 1.0 - items.parts.iter().map(|p| p.weight).sum::<f64>())?;
    for part in items.parts {
        sum.add(&part.state(items.names)?, part.weight)?;
    }
    sum.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soup::{Choice, Recipe, Soup, Term};
    use std::collections::HashSet;

    #[test]
    fn every_row_is_whole() {
        let mut names = HashSet::new();
        for rule in RULES {
            assert!(names.insert(rule.name) && !rule.meaning.is_empty() && !rule.text.is_empty(), "{rule:?}");
            // Its example uses it, and its defaults read back.
            let example: Recipe = rule.example.parse().unwrap();
            assert!(matches!(&example, Recipe::Mix { rule: of, .. } if of == rule), "{example}");
            let plain = rule.mix(vec![Term { weight: 1.0, recipe: Recipe::skill("a/0") }]);
            assert_eq!(plain.to_string().parse::<Recipe>().unwrap(), plain);
            assert_eq!(format!("{}(a/0)", rule.name).parse::<Recipe>().unwrap(), plain);
            assert_eq!(serde_json::from_str::<Recipe>(&serde_json::to_string(&plain).unwrap()).unwrap(), plain);
        }
        assert_eq!(Choice::all().map(|c| c.offer.id).collect::<HashSet<_>>().len(), Choice::all().count());
        assert_eq!(Choice::default(), Choice::of("weighted").unwrap());
    }

    /// If two parameters shared a field, or a soup had another field of that name, they would
    /// overwrite each other in a file.
    #[test]
    fn every_parameter_has_a_field_of_its_own() {
        let parameters: Vec<&Parameter> = RULES.iter().flat_map(|rule| rule.parameters).collect();
        let fields: Vec<&str> = parameters.iter().filter_map(|p| p.field).collect();
        assert_eq!(fields.iter().collect::<HashSet<_>>().len(), fields.len());
        let soup = serde_json::to_value(Soup::default()).unwrap();
        assert_eq!(soup.as_object().unwrap().len(), 7 + fields.len());
        for parameter in parameters {
            assert!(parameter.knob.is_none() || parameter.field.is_some(), "{}: the screen would have nothing to set", parameter.key);
            if let Value::Number(default) = parameter.default {
                assert_eq!(parameter.check(default), Ok(()), "{}", parameter.key);
            }
        }
    }
}
