//! The arrays of a recurrence's state. Code that stores, ranks and mixes states needs only these,
//! not the network they came from.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// The recurrences this program computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Gu and Dao, arXiv 2312.00752: `h ← exp(A Δ) ⊙ h + Δ B x` in each channel.
    Mamba1,
}

/// One array of a layer's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// Its name in files: `ssm`, `conv`, `dt_sum`.
    pub name: &'static str,
    shape: [usize; 3],
    rank: usize,
}

impl Part {
    const fn matrix(name: &'static str, rows: usize, columns: usize) -> Self {
        Self { name, shape: [rows, columns, 1], rank: 2 }
    }

    const fn vector(name: &'static str, entries: usize) -> Self {
        Self { name, shape: [entries, 1, 1], rank: 1 }
    }

    /// The number of entries along each dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape[..self.rank]
    }

    /// The number of entries in one layer.
    pub const fn len(&self) -> usize {
        self.shape[0] * self.shape[1] * self.shape[2]
    }

    /// Whether it has no entries: the window of a convolution of one tap keeps no inputs.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of entries along its last dimension.
    pub const fn row(&self) -> usize {
        self.shape[self.rank - 1]
    }
}

/// The arrays of a state, the same in every layer. Two states mix only if their layouts agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// The recurrence.
    pub family: Family,
    /// Layers.
    pub n_layer: usize,
    /// The decayed sum of everything read: Mamba-1's SSM state `[d_inner, d_state]`.
    pub memory: Part,
    /// The last inputs, unchanged, oldest first: Mamba-1's convolution window `[d_inner, d_conv -
    /// 1]`.
    pub window: Part,
    /// The quantity that determines how much a text makes earlier memory decay: Mamba-1's ΣΔ
    /// `[d_inner]`.
    pub sidecar: Part,
}

impl Layout {
    /// The layout of a Mamba-1: number of layers, channels per layer, SSM entries per channel (16)
    /// and taps of the causal convolution (4; the window keeps the last `d_conv - 1` inputs).
    pub const fn mamba1(n_layer: usize, d_inner: usize, d_state: usize, d_conv: usize) -> Self {
        Self {
            family: Family::Mamba1,
            n_layer,
            memory: Part::matrix("ssm", d_inner, d_state),
            window: Part::matrix("conv", d_inner, d_conv - 1),
            sidecar: Part::vector("dt_sum", d_inner),
        }
    }

    /// The three parts, in their order in memory: memory, window, sidecar.
    pub fn parts(&self) -> [Part; 3] {
        [self.memory, self.window, self.sidecar]
    }

    /// The number of entries in a whole state: all parts of all layers.
    pub fn total_len(&self) -> usize {
        self.n_layer * self.parts().iter().map(Part::len).sum::<usize>()
    }

    /// The number of inputs that the window keeps.
    pub fn reach(&self) -> usize {
        self.window.row()
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.family {
            Family::Mamba1 => {
                let [channels, entries] = [self.memory.shape[0], self.memory.shape[1]];
                write!(f, "{} layers × {channels} channels × {entries} entries, {} taps", self.n_layer, self.reach() + 1)
            }
        }
    }
}

/// A layout in a file: `{ "family": "mamba1", "n_layer": 12, "parts": { "ssm": [512, 16], … } }`.
#[derive(Serialize, Deserialize)]
struct Written {
    family: Family,
    n_layer: usize,
    parts: BTreeMap<String, Vec<usize>>,
}

/// A layout in version 1 of the library's format, for Mamba-1 only.
#[derive(Deserialize)]
struct Mamba1Sizes {
    n_layer: usize,
    d_inner: usize,
    d_state: usize,
    d_conv: usize,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Read {
    Now(Written),
    Old(Mamba1Sizes),
}

impl Serialize for Layout {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let parts = self.parts().map(|part| (part.name.to_owned(), part.shape().to_vec())).into();
        Written { family: self.family, n_layer: self.n_layer, parts }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Layout {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let wrong = |what: &str| serde::de::Error::custom(format!("the layout of its states {what}"));
        let layout = match Read::deserialize(from)? {
            Read::Old(Mamba1Sizes { d_conv: 0, .. }) => return Err(wrong("has a convolution without taps")),
            Read::Old(s) => Self::mamba1(s.n_layer, s.d_inner, s.d_state, s.d_conv),
            Read::Now(written) => {
                let dims = |name: &str| written.parts.get(name).map(Vec::as_slice);
                let layout = match (written.family, dims("ssm"), dims("conv")) {
                    (Family::Mamba1, Some(&[d_inner, d_state]), Some(&[_, window])) if window < usize::MAX => {
                        Self::mamba1(written.n_layer, d_inner, d_state, window + 1)
                    }
                    _ => return Err(wrong("lacks a part, or one has the wrong number of dimensions")),
                };
                let same = |part: &Part| dims(part.name) == Some(part.shape());
                if written.parts.len() != layout.parts().len() || !layout.parts().iter().all(same) {
                    return Err(wrong("has parts that do not fit together"));
                }
                layout
            }
        };
        // Limits allocations: the number of entries of each part stays below 2⁴⁸ and does not
        // overflow.
        let fits = |part: Part| part.shape().iter().try_fold(layout.n_layer, |n, d| n.checked_mul(*d)).is_some_and(|n| n < 1 << 48);
        if layout.parts().into_iter().all(fits) { Ok(layout) } else { Err(wrong("is larger than any memory")) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_written_now_and_before() {
        let layout = Layout::mamba1(12, 512, 16, 4);
        let json = serde_json::to_string(&layout).unwrap();
        assert_eq!(json, r#"{"family":"mamba1","n_layer":12,"parts":{"conv":[512,3],"dt_sum":[512],"ssm":[512,16]}}"#);
        let old = r#"{"n_layer":12,"d_inner":512,"d_state":16,"d_conv":4}"#;
        for text in [&json, old] {
            assert_eq!(serde_json::from_str::<Layout>(text).unwrap(), layout, "{text}");
        }
        assert_eq!(layout.to_string(), "12 layers × 512 channels × 16 entries, 4 taps");
        assert_eq!(layout.total_len(), 12 * (512 * 16 + 512 * 3 + 512));
    }

    #[test]
    fn what_is_no_layout_is_refused() {
        for (text, why) in [
            (r#"{"n_layer":12,"d_inner":512,"d_state":16,"d_conv":0}"#, "without taps"),
            (r#"{"n_layer":1,"d_inner":4294967296,"d_state":4294967296,"d_conv":4}"#, "any memory"),
            (r#"{"family":"mamba1","n_layer":2,"parts":{"conv":[512,3],"ssm":[512,16]}}"#, "fit together"),
            (r#"{"family":"mamba1","n_layer":2,"parts":{"conv":[511,3],"dt_sum":[512],"ssm":[512,16]}}"#, "fit together"),
            (r#"{"family":"mamba1","n_layer":2,"parts":{"dt_sum":[512],"ssm":[512,16]}}"#, "lacks a part"),
        ] {
            let message = serde_json::from_str::<Layout>(text).unwrap_err().to_string();
            assert!(message.contains(why), "{text}: {message}");
        }
        assert!(serde_json::from_str::<Layout>(r#"{"family":"mamba9","n_layer":2,"parts":{}}"#).is_err());
    }
}
