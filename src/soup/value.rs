//! The values that rules take in addition to their items: how a row declares them, and how they are
//! written.

use super::recipe::Divisor;
use serde::de::{IgnoredAny, IntoDeserializer, value::Error as Plain};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// The value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A whole number, such as a seed.
    Whole(u64),
    /// What a sum is divided by.
    Divisor(Divisor),
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<Divisor> for Value {
    fn from(value: Divisor) -> Self {
        Self::Divisor(value)
    }
}

/// Writes the value as in a recipe's text.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value) => value.fmt(f),
            Self::Whole(value) => value.fmt(f),
            Self::Divisor(Divisor::One) => f.write_str("1"),
            Self::Divisor(Divisor::Count) => f.write_str("n"),
            Self::Divisor(Divisor::Weights) => f.write_str("w"),
        }
    }
}

/// JSON has no infinity, so it is written as the string `inf`.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(value) if value.is_infinite() => to.collect_str(value),
            Self::Number(value) => to.serialize_f64(*value),
            Self::Whole(value) => to.serialize_u64(*value),
            Self::Divisor(value) => value.serialize(to),
        }
    }
}

/// A value as it stands in a file, before its parameter is known.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Raw {
    Whole(u64),
    Number(f64),
    Text(String),
    Nothing(()),
    Other(IgnoredAny),
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(text) => write!(f, "`{text}`"),
            Self::Nothing(()) => f.write_str("nothing"),
            Self::Other(_) => f.write_str("a list or a table"),
        }
    }
}

/// A value that a rule takes: one entry of [`Rule::parameters`](super::Rule::parameters).
pub struct Parameter {
    /// Its name in the text and in the file of a recipe.
    pub key: &'static str,
    /// The default; its kind is the kind of value that the parameter takes.
    pub default: Value,
    /// The least number for which the rule is defined.
    pub least: f64,
    /// The greatest such number. Neither the rule's formula nor the screen accepts a number outside
    /// this range.
    pub most: f64,
    /// Whether a recipe's text omits it if it is the default, and a recipe's file may omit it.
    pub optional: bool,
    /// The field of a soup that it is taken from. `None` if a soup uses the default or derives the
    /// value from its weights.
    pub field: Option<&'static str>,
    /// How the screen shows it; `None` if the screen does not offer it.
    pub knob: Option<Knob>,
}

/// A parameter on the screen.
pub struct Knob {
    /// Its name beside the value.
    pub label: &'static str,
    /// The prompt for typing a value.
    pub question: &'static str,
    /// The value at which its bar is full; `None` for no bar.
    pub full: Option<f64>,
    /// The note shown after the value.
    pub note: &'static str,
}

impl Parameter {
    /// A number between `least` and `most`; a soup has it in a field of the same name.
    pub(super) const fn number(key: &'static str, default: f64, least: f64, most: f64) -> Self {
        Self { key, default: Value::Number(default), least, most, optional: false, field: Some(key), knob: None }
    }

    /// A whole number or a divisor; a soup has it in a field of the same name.
    pub(super) const fn other(key: &'static str, default: Value) -> Self {
        Self { key, default, least: 0.0, most: 0.0, optional: false, field: Some(key), knob: None }
    }

    /// The same, taken from another field of a soup, or from none.
    pub(super) const fn field(mut self, field: Option<&'static str>) -> Self {
        self.field = field;
        self
    }

    /// The same, shown on the screen.
    pub(super) const fn knob(mut self, knob: Knob) -> Self {
        self.knob = Some(knob);
        self
    }

    /// The same, with `optional` set.
    pub(super) const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Whether it may be infinite.
    pub fn may_be_infinite(&self) -> bool {
        self.most.is_infinite()
    }

    /// Its value from a file.
    ///
    /// # Errors
    /// A sentence if the file has a value of another kind.
    pub(super) fn read(&self, raw: &Raw) -> Result<Value, String> {
        let kind = match (self.default, raw) {
            (Value::Number(_), Raw::Whole(value)) => return Ok(Value::Number(*value as f64)),
            (Value::Number(_), Raw::Number(value)) => return Ok(Value::Number(*value)),
            (Value::Number(_), Raw::Text(text)) if self.may_be_infinite() && text == "inf" => return Ok(Value::Number(f64::INFINITY)),
            (Value::Number(_), Raw::Text(text)) if self.may_be_infinite() && text == "-inf" => {
                return Ok(Value::Number(f64::NEG_INFINITY));
            }
            (Value::Whole(_), Raw::Whole(value)) => return Ok(Value::Whole(*value)),
            (Value::Divisor(_), Raw::Text(text)) => {
                let divisor = Divisor::deserialize(text.as_str().into_deserializer());
                return divisor.map(Value::Divisor).map_err(|e: Plain| e.to_string());
            }
            (Value::Number(_), _) => "a number",
            (Value::Whole(_), _) => "a whole number of 0 or more",
            (Value::Divisor(_), _) => "`one`, `count` or `weights`",
        };
        Err(format!("{raw} is given where {kind} is expected"))
    }

    /// Fails with a sentence for a number outside its range.
    ///
    /// # Errors
    /// The sentence.
    pub fn check(&self, value: f64) -> Result<(), String> {
        match () {
            () if !value.is_finite() => Err("The value must be finite.".into()),
            () if value >= self.least && value <= self.most => Ok(()),
            () if self.most >= f64::MAX => Err(format!("The value must be {} or more.", self.least)),
            () => Err(format!("The value must lie between {} and {}.", self.least, self.most)),
        }
    }
}

/// The values in the fields of a soup, one for each field that a parameter names. A soup keeps the
/// values of the rules that it does not use.
#[derive(Clone, Debug, PartialEq)]
pub struct Values(Vec<(&'static str, Value)>);

impl Default for Values {
    fn default() -> Self {
        let mut values: Vec<(&'static str, Value)> = Vec::new();
        for (field, parameter) in fields() {
            if values.iter().all(|(known, _)| *known != field) {
                values.push((field, parameter.default));
            }
        }
        Self(values)
    }
}

/// The fields of a soup with the parameters that are taken from them, in the order of the table.
fn fields() -> impl Iterator<Item = (&'static str, &'static Parameter)> {
    super::rules::RULES.iter().flat_map(|rule| rule.parameters).filter_map(|p| Some((p.field?, p)))
}

/// The parameter that is taken from a field of a soup.
pub fn parameter_of(field: &str) -> Option<&'static Parameter> {
    fields().find(|(known, _)| *known == field).map(|(_, parameter)| parameter)
}

impl Values {
    /// The value in a field; `None` if no rule takes a value from it.
    pub fn get(&self, field: &str) -> Option<Value> {
        self.0.iter().find(|(known, _)| *known == field).map(|(_, value)| *value)
    }

    /// The number in a field; `None` if the field holds none.
    pub fn number(&self, field: &str) -> Option<f64> {
        match self.get(field)? {
            Value::Number(value) => Some(value),
            Value::Whole(_) | Value::Divisor(_) => None,
        }
    }

    /// Sets a field. Returns false and changes nothing if no rule takes a value of that kind from
    /// this field.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) -> bool {
        let value = value.into();
        let same_kind = |old: &Value| std::mem::discriminant(old) == std::mem::discriminant(&value);
        match self.0.iter_mut().find(|(known, old)| *known == field && same_kind(old)) {
            Some((_, old)) => {
                *old = value;
                true
            }
            None => false,
        }
    }

    /// The same values with one changed by [`Self::set`].
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.set(field, value);
        self
    }

    /// Every field with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Value)> {
        self.0.iter().copied()
    }
}

/// Missing fields get their defaults. Unknown fields are ignored, as in the rest of a soup.
impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut values = Self::default();
        for (key, raw) in std::collections::BTreeMap::<String, Raw>::deserialize(from)? {
            if let Some(parameter) = parameter_of(&key) {
                let value = parameter.read(&raw).map_err(|why| serde::de::Error::custom(format!("`{key}`: {why}")))?;
                values.set(&key, value);
            }
        }
        Ok(values)
    }
}
