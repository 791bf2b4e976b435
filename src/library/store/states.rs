//! The states of a library's skills, or one layer of them.

use super::Library;
use crate::error::{Error, Result};
use crate::library::shard::{LayerView, part_len};
use crate::library::types::Part;
use crate::state::State;

impl Library {
    /// One skill's state, as f32.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such skill; [`Error::Library`] if its state holds NaN or
    /// infinity, or its file was cut short.
    pub fn state(&self, i: usize) -> Result<State> {
        let (Some((shard, index)), Some(meta)) = (self.places.get(i), self.skills.get(i)) else {
            return Err(Error::Input(format!("the library {} has {} skills, there is no number {i}", self.dir.display(), self.len())));
        };
        if let Some(what) = shard.cut_short() {
            return Err(Error::Library(format!("the skill {} cannot be used: {what}", meta.id)));
        }
        shard.state(*index, meta.tokens).map_err(|e| Error::Library(format!("the skill {} cannot be used: {e}", meta.id)))
    }

    /// Σ w·(skill's state), computed on the device that holds the library's rows, with windows and
    /// ΣΔ as in [`crate::soup::mix::WeightedSum`]. `None` if no device holds them.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such skill; [`Error::Mismatch`] if the sum overflows or a
    /// skill is damaged; [`Error::Model`] if the device fails.
    pub fn weighted(&self, picks: &[(usize, f64)]) -> Result<Option<State>> {
        let Some(rows) = self.rows.get() else { return Ok(None) };
        if let Some((i, _)) = picks.iter().find(|(i, _)| *i >= self.len()) {
            return Err(Error::Input(format!("the library {} has {} skills, there is no number {i}", self.dir.display(), self.len())));
        }
        // Skills of weight 0 are ignored.
        let heard: Vec<(usize, f32)> = picks.iter().filter(|p| p.1 != 0.0).map(|&(i, w)| (i, w as f32)).collect();
        let size: f64 = picks.iter().map(|p| p.1.abs()).sum();
        let tokens = heard.iter().fold(0u64, |sum, (i, _)| sum.saturating_add(self.skills[*i].tokens));
        let share = if size > 0.0 { (1.0 / size) as f32 } else { 1.0 };
        rows.combine(&heard, share, tokens).map(Some)
    }

    /// ΣΔ of one skill, `[n_layer, d_inner]`.
    ///
    /// # Panics
    /// If there is no such skill.
    pub fn dt_sum(&self, i: usize) -> &[f32] {
        let (shard, index) = &self.places[i];
        shard.dt_sum(*index)
    }

    /// Borrows one skill's entries in one layer: `[d_inner, d_state]` or `[d_inner, d_conv - 1]`.
    ///
    /// # Panics
    /// If there is no such skill or layer.
    pub fn row(&self, i: usize, part: Part, layer: usize) -> LayerView<'_> {
        let (shard, index) = &self.places[i];
        shard.row(part, layer, *index)
    }

    /// Copies all skills' entries in one layer as f32, `[skills, entries]`.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn matrix(&self, part: Part, layer: usize) -> Vec<f32> {
        let n = part_len(&self.shape(), part);
        let mut all = vec![0.0; self.len() * n];
        for (i, out) in all.chunks_exact_mut(n.max(1)).enumerate() {
            self.row(i, part, layer).copy_to(out);
        }
        all
    }
}
