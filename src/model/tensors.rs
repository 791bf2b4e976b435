//! Tensors by name, checked: what both devices load their weights from.

use super::{MambaConfig, TensorSource, WeightType};
use crate::error::{Error, Result};
use candle_core::{DType, Tensor};

/// The embedding's names: `embeddings` in transformers' layout, `embedding` in the original one.
pub const EMBEDDING: [&str; 2] = ["backbone.embeddings.weight", "backbone.embedding.weight"];

/// The precision of a matrix that is stored in another.
pub fn dtype(kind: WeightType, stored: DType) -> DType {
    match kind {
        WeightType::AsStored => stored,
        WeightType::F32 => DType::F32,
        WeightType::F16 => DType::F16,
        WeightType::BF16 => DType::BF16,
    }
}

/// A source whose answers are checked.
pub struct Tensors<'a>(pub &'a dyn TensorSource);

impl Tensors<'_> {
    /// The tensor of the first of these names that is there.
    ///
    /// # Errors
    /// [`Error::Model`] if none is, or its shape is another.
    pub fn tensor(&self, names: &[&str], shape: &[usize]) -> Result<Tensor> {
        for name in names {
            if let Some(tensor) = self.0.get(name)? {
                if tensor.dims() != shape {
                    return Err(Error::Model(format!(
                        "tensor `{name}` has shape {:?}, the configuration asks for {shape:?}",
                        tensor.dims()
                    )));
                }
                return Ok(tensor);
            }
        }
        Err(Error::Model(format!("the weights lack the tensor `{}`", names.join("` (or `"))))
    }

    /// Any tensor as f32.
    ///
    /// # Errors
    /// Those of [`Self::tensor`]; [`Error::Model`] if a number is not finite.
    pub fn vector(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let values = self.tensor(&[name], shape)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        match values.iter().position(|v| !v.is_finite()) {
            Some(i) => Err(Error::Model(format!("tensor `{name}` holds {} at entry {i}", values[i]))),
            None => Ok(values),
        }
    }

    /// `A = -exp(A_log)` of a layer, `[d_inner, d_state]`.
    ///
    /// # Errors
    /// Those of [`Self::vector`].
    pub fn decay(&self, layer: usize, config: &MambaConfig) -> Result<Vec<f32>> {
        let name = format!("backbone.layers.{layer}.mixer.A_log");
        Ok(self.vector(&name, &[config.d_inner, config.d_state])?.into_iter().map(|v| -v.exp()).collect())
    }
}
