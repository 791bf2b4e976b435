//! A recipe in a file: `{ "op": "ties", "items": [{ "weight": 2.0, "op": "skill", "id": "antonym/0"
//! }], "density": 0.2, "lambda": 1.0 }`.
//!
//! The operation that `op` names decides which fields are used, so all of them are read first.
//! Other fields are ignored.

use super::recipe::{Layers, Recipe, Term};
use super::rules;
use super::value::{Raw, Value};
use crate::error::did_you_mean;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serializer};
use std::collections::BTreeMap;

/// Every field of a recipe. `values` has the values of a rule, and `lambda`.
#[derive(Deserialize)]
pub(super) struct Fields {
    op: String,
    id: Option<String>,
    n: Option<usize>,
    terms: Option<Vec<Term>>,
    items: Option<Vec<Term>>,
    of: Option<Box<Recipe>>,
    from: Option<Box<Recipe>>,
    layers: Option<Layers>,
    over: Option<Box<Recipe>>,
    #[serde(flatten)]
    values: BTreeMap<String, Raw>,
}

/// Operations that are not rules.
const OTHERS: [&str; 13] =
    ["zero", "neutral", "query", "skill", "top", "plus", "primed", "gated", "auto", "with_query", "at", "match_norm", "conv"];

impl TryFrom<Fields> for Recipe {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        let Fields { op, id, n, terms, items, of, from, layers, over, values } = fields;
        let lacks = |field: &str| format!("a recipe of the operation `{op}` needs the field `{field}`");
        let of = of.ok_or_else(|| lacks("of"));
        Ok(match op.as_str() {
            "zero" => Self::Zero,
            "neutral" => Self::Neutral,
            "query" => Self::Query,
            "auto" => Self::Auto,
            "skill" => Self::Skill { id: id.ok_or_else(|| lacks("id"))? },
            "top" => Self::Top { n: n.ok_or_else(|| lacks("n"))? },
            "plus" => Self::Plus { terms: terms.ok_or_else(|| lacks("terms"))? },
            "primed" => Self::Primed { of: of? },
            "gated" => Self::Gated { of: of? },
            "match_norm" => Self::MatchNorm { of: of? },
            "conv" => Self::Conv { of: of?, from: from.ok_or_else(|| lacks("from"))? },
            "at" => Self::At { of: of?, layers: layers.ok_or_else(|| lacks("layers"))?, over },
            "with_query" => Self::WithQuery { of: of?, lambda: lambda(values.get("lambda"))? },
            name => {
                let rule = rules::named(name).ok_or_else(|| {
                    let known = OTHERS.into_iter().chain(rules::RULES.iter().map(|rule| rule.name));
                    format!("there is no operation `{name}` of recipes{}", did_you_mean(name, known))
                })?;
                let value = |parameter: &super::Parameter| match values.get(parameter.key) {
                    Some(raw) => parameter.read(raw).map_err(|why| format!("`{}` of `{name}`: {why}", parameter.key)),
                    None if parameter.optional => Ok(parameter.default),
                    None => Err(lacks(parameter.key)),
                };
                let values = rule.parameters.iter().map(value).collect::<Result<_, _>>()?;
                Self::Mix { rule, items: items.ok_or_else(|| lacks("items"))?, values }
            }
        })
    }
}

/// The share of a recipe in a mix with the query; it is optional.
fn lambda(raw: Option<&Raw>) -> Result<Option<f64>, String> {
    match raw {
        None | Some(Raw::Nothing(())) => Ok(None),
        Some(Raw::Number(value)) => Ok(Some(*value)),
        Some(Raw::Whole(value)) => Ok(Some(*value as f64)),
        Some(other) => Err(format!("`lambda` of `with_query`: {other} is given where a number is expected")),
    }
}

/// Writes a rule, its items and its values as the fields of one operation.
pub(super) fn write_mix<S: Serializer>(rule: &super::Rule, items: &[Term], values: &[Value], to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(2 + values.len()))?;
    map.serialize_entry("op", rule.name)?;
    map.serialize_entry("items", items)?;
    for (parameter, value) in rule.parameters.iter().zip(values) {
        map.serialize_entry(parameter.key, value)?;
    }
    map.end()
}
