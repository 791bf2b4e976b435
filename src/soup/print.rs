//! Writes a recipe as text; [`super::parse`] reads it.

use super::{Layers, Recipe, Rule, Term, Value};
use std::fmt;

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("zero"),
            Self::Neutral => f.write_str("h0"),
            Self::Query => f.write_str("query"),
            Self::Skill { id } => name(f, id),
            Self::Top { n } => write!(f, "top({n})"),
            Self::Plus { terms } => plus(f, terms),
            Self::Mix { rule, items, values } => call(f, rule, items, values),
            Self::Primed { of } => write!(f, "primed({of})"),
            Self::Gated { of } => write!(f, "gated({of})"),
            Self::Auto => f.write_str("auto"),
            Self::WithQuery { of, lambda } => {
                operand(f, of)?;
                match lambda {
                    Some(lambda) => write!(f, " | with_query({lambda})"),
                    None => f.write_str(" | with_query"),
                }
            }
            Self::MatchNorm { of } => {
                operand(f, of)?;
                f.write_str(" | match_norm")
            }
            Self::Conv { of, from } => {
                operand(f, of)?;
                write!(f, " | conv({from})")
            }
            Self::At { of, layers, over } => {
                operand(f, of)?;
                match layers {
                    Layers::Range(from, to) => write!(f, " @ {from}..{to}")?,
                    Layers::Weights(weights) => {
                        let weights: Vec<String> = weights.iter().map(ToString::to_string).collect();
                        write!(f, " @ [{}]", weights.join(", "))?;
                    }
                }
                match over {
                    Some(over) => write!(f, " | over({over})"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Whether a recipe can stand before `*`, `+`, `@` or `|` without brackets.
fn is_atom(recipe: &Recipe) -> bool {
    !matches!(recipe, Recipe::Plus { .. } | Recipe::WithQuery { .. } | Recipe::MatchNorm { .. } | Recipe::Conv { .. } | Recipe::At { .. })
}

fn operand(f: &mut fmt::Formatter<'_>, recipe: &Recipe) -> fmt::Result {
    if is_atom(recipe) { write!(f, "{recipe}") } else { write!(f, "({recipe})") }
}

fn term(f: &mut fmt::Formatter<'_>, weight: f64, recipe: &Recipe) -> fmt::Result {
    if weight != 1.0 {
        write!(f, "{weight}*")?;
    }
    operand(f, recipe)
}

fn plus(f: &mut fmt::Formatter<'_>, terms: &[Term]) -> fmt::Result {
    for (i, t) in terms.iter().enumerate() {
        let negative = t.weight.is_sign_negative();
        match (i, negative) {
            (0, false) => {}
            (0, true) => f.write_str("-")?,
            (_, false) => f.write_str(" + ")?,
            (_, true) => f.write_str(" - ")?,
        }
        // A single term is written with its weight even if that is 1, because the weight makes it a
        // sum.
        if terms.len() == 1 {
            write!(f, "{}*", t.weight.abs())?;
            operand(f, &t.recipe)?;
        } else {
            term(f, t.weight.abs(), &t.recipe)?;
        }
    }
    Ok(())
}

fn call(f: &mut fmt::Formatter<'_>, rule: &Rule, items: &[Term], values: &[Value]) -> fmt::Result {
    write!(f, "{}(", rule.name)?;
    for (i, t) in items.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { ", " })?;
        term(f, t.weight, &t.recipe)?;
    }
    let written = rule.parameters.iter().zip(values).filter(|(parameter, value)| !parameter.optional || **value != parameter.default);
    for (i, (parameter, value)) in written.enumerate() {
        write!(f, "{} {}={value}", if i == 0 { ";" } else { "," }, parameter.key)?;
    }
    f.write_str(")")
}

/// Writes a name, in quotes if it would not read back as a name without them.
fn name(f: &mut fmt::Formatter<'_>, id: &str) -> fmt::Result {
    if super::scan::is_plain_name(id) { f.write_str(id) } else { write!(f, "\"{}\"", id.replace('\\', "\\\\").replace('"', "\\\"")) }
}
