//! One shard: a batch of states in a safetensors file, written in one pass and read through a
//! memory map. The format is in the docs of [`crate::library`].
//!
//! `write` and `read` are the two directions, `view` borrows entries as they are stored. Only the
//! library uses shards; others see a [`LayerView`].

mod read;
mod view;
mod write;

use super::types::{Part, StoredType};
use crate::state::Layout;
pub(super) use read::{Shard, sum_of_squares};
pub use view::LayerView;
pub(super) use write::{fits_f16, write};

/// Number of entries of one skill in one layer.
pub(super) fn part_len(shape: &Layout, part: Part) -> usize {
    match part {
        Part::Ssm => shape.memory.len(),
        Part::Conv => shape.window.len(),
    }
}

/// Name, type and shape of every tensor of a shard, in file order.
fn layout(shape: &Layout, dtype: StoredType, n: usize) -> Vec<(String, StoredType, Vec<usize>)> {
    let mut tensors = vec![(shape.sidecar.name.to_owned(), StoredType::F32, [&[n, shape.n_layer], shape.sidecar.shape()].concat())];
    for part in [shape.memory, shape.window] {
        tensors.extend((0..shape.n_layer).map(|l| (format!("{}.{l}", part.name), dtype, [&[n], part.shape()].concat())));
    }
    tensors
}
