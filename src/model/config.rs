//! A model's sizes, read from `config.json` and checked before anything is allocated.

use crate::error::{Error, Result};
use crate::state::StateShape;
use serde_json::Value;

/// Sizes and switches of a Mamba-1.
#[derive(Clone, Debug, PartialEq)]
pub struct MambaConfig {
    /// Width of the residual stream.
    pub d_model: usize,
    /// Layers.
    pub n_layer: usize,
    /// Channels of a layer.
    pub d_inner: usize,
    /// SSM entries of a channel.
    pub d_state: usize,
    /// Convolution taps.
    pub d_conv: usize,
    /// Rank of Δ's projection.
    pub dt_rank: usize,
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Added to the mean square in every norm.
    pub norm_eps: f64,
    /// Whether in_proj and out_proj have biases.
    pub use_bias: bool,
    /// Whether the convolution has a bias.
    pub use_conv_bias: bool,
    /// Whether the output head is the embedding.
    pub tie_embeddings: bool,
    /// Falcon-Mamba: epsilon of the weightless RMS norms of B, C and Δ.
    pub mixer_norm_eps: Option<f64>,
    /// Beginning-of-text token.
    pub bos_token_id: Option<u32>,
    /// End-of-text token.
    pub eos_token_id: Option<u32>,
}

impl MambaConfig {
    /// Reads a configuration in the layout of HF `transformers` or of the original `mamba_ssm`.
    ///
    /// # Errors
    /// [`Error::Model`] naming `origin` and the field that is missing, of the wrong kind, or absurd.
    pub fn from_json(text: &str, origin: &str) -> Result<Self> {
        let json: Value = serde_json::from_str(text).map_err(|e| Error::Model(format!("{origin} is not JSON: {e}")))?;
        let fields = Fields { json: &json, origin };
        let config = if json.get("hidden_size").is_some() { fields.transformers()? } else { fields.original()? };
        config.check(origin)?;
        Ok(config)
    }

    /// Sizes of a state.
    pub fn shape(&self) -> StateShape {
        StateShape { n_layer: self.n_layer, d_inner: self.d_inner, d_state: self.d_state, d_conv: self.d_conv }
    }

    /// Parameters, the tied head counted once.
    pub fn parameters(&self) -> u64 {
        self.count().unwrap_or(u64::MAX)
    }

    fn count(&self) -> Option<u64> {
        let [m, l, e, n, c, r, v] =
            [self.d_model, self.n_layer, self.d_inner, self.d_state, self.d_conv, self.dt_rank, self.vocab_size].map(|x| x as u64);
        let bias = if self.use_bias { (2 * e).checked_add(m)? } else { 0 };
        let layer = [
            m,
            m.checked_mul(2)?.checked_mul(e)?,
            e.checked_mul(c.checked_add(u64::from(self.use_conv_bias))?)?,
            e.checked_mul(r.checked_add(2 * n)?)?,
            e.checked_mul(r + 1)?,
            e.checked_mul(n + 1)?,
            e.checked_mul(m)?,
            bias,
        ];
        let layers = layer.into_iter().try_fold(0u64, u64::checked_add)?.checked_mul(l)?;
        let heads = if self.tie_embeddings { 1 } else { 2 };
        layers.checked_add(v.checked_mul(m)?.checked_mul(heads)?)?.checked_add(m)
    }

    fn check(&self, origin: &str) -> Result<()> {
        let limits = [
            ("d_model", self.d_model, 1 << 16),
            ("number of layers", self.n_layer, 1024),
            ("d_inner", self.d_inner, 1 << 17),
            ("d_state", self.d_state, 256),
            ("convolution kernel", self.d_conv, 16),
            ("Δ rank", self.dt_rank, 1 << 16),
            ("vocabulary", self.vocab_size, 1 << 21),
        ];
        for (name, value, most) in limits {
            if value == 0 || value > most {
                return Err(Error::Model(format!("{origin}: the {name} is {value}; it must lie between 1 and {most}")));
            }
        }
        if self.d_conv < 2 {
            return Err(Error::Model(format!("{origin}: the convolution kernel is {}; it must be at least 2", self.d_conv)));
        }
        match self.count() {
            Some(count) if count <= 1 << 40 => Ok(()),
            _ => Err(Error::Model(format!("{origin}: these sizes make a model of more than 2^40 parameters, which cannot be meant"))),
        }
    }
}

struct Fields<'a> {
    json: &'a Value,
    origin: &'a str,
}

impl Fields<'_> {
    fn transformers(&self) -> Result<MambaConfig> {
        let kind = self.json.get("model_type").and_then(Value::as_str).unwrap_or("mamba");
        if !["mamba", "falcon_mamba"].contains(&kind) {
            return Err(Error::Model(format!(
                "{}: the model type is `{kind}`; only Mamba-1 (`mamba`, `falcon_mamba`) can be run",
                self.origin
            )));
        }
        let d_model = self.size("hidden_size")?;
        let d_inner = match self.optional("intermediate_size")? {
            Some(size) => size,
            None => d_model.saturating_mul(self.optional("expand")?.unwrap_or(2)),
        };
        let dt_rank = match self.json.get("time_step_rank") {
            Some(Value::String(auto)) if auto == "auto" => d_model.div_ceil(16),
            None => d_model.div_ceil(16),
            Some(_) => self.size("time_step_rank")?,
        };
        Ok(MambaConfig {
            d_model,
            n_layer: match self.optional("num_hidden_layers")? {
                Some(n) => n,
                None => self.size("n_layer")?,
            },
            d_inner,
            d_state: self.optional("state_size")?.unwrap_or(16),
            d_conv: self.optional("conv_kernel")?.unwrap_or(4),
            dt_rank,
            vocab_size: self.size("vocab_size")?,
            norm_eps: self.number("layer_norm_epsilon").unwrap_or(1e-5),
            use_bias: self.flag("use_bias", false),
            use_conv_bias: self.flag("use_conv_bias", true),
            tie_embeddings: self.flag("tie_word_embeddings", true),
            mixer_norm_eps: (kind == "falcon_mamba").then(|| self.number("mixer_rms_eps").unwrap_or(1e-6)),
            bos_token_id: self.token("bos_token_id"),
            eos_token_id: self.token("eos_token_id"),
        })
    }

    fn original(&self) -> Result<MambaConfig> {
        let ssm = self.json.get("ssm_cfg").cloned().unwrap_or(Value::Null);
        if ssm.get("layer").and_then(Value::as_str).is_some_and(|l| l != "Mamba1") {
            return Err(Error::Model(format!("{}: `ssm_cfg` asks for {}; only Mamba-1 can be run", self.origin, ssm["layer"])));
        }
        let of_ssm = |name: &str, default: usize| {
            ssm.get(name).and_then(Value::as_u64).map_or(default, |v| usize::try_from(v).unwrap_or(usize::MAX))
        };
        let d_model = self.size("d_model")?;
        let multiple = self.optional("pad_vocab_size_multiple")?.unwrap_or(8).max(1);
        let vocab = self.size("vocab_size")?;
        Ok(MambaConfig {
            d_model,
            n_layer: self.size("n_layer")?,
            d_inner: d_model.saturating_mul(of_ssm("expand", 2)),
            d_state: of_ssm("d_state", 16),
            d_conv: of_ssm("d_conv", 4),
            dt_rank: of_ssm("dt_rank", d_model.div_ceil(16)),
            vocab_size: vocab.div_ceil(multiple).saturating_mul(multiple),
            norm_eps: 1e-5,
            use_bias: false,
            use_conv_bias: true,
            tie_embeddings: self.flag("tie_embeddings", true),
            mixer_norm_eps: None,
            bos_token_id: None,
            eos_token_id: None,
        })
    }

    fn optional(&self, name: &str) -> Result<Option<usize>> {
        match self.json.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_u64()
                .and_then(|v| usize::try_from(v).ok())
                .map(Some)
                .ok_or_else(|| Error::Model(format!("{}: `{name}` is {value}; it must be a whole number", self.origin))),
        }
    }

    fn size(&self, name: &str) -> Result<usize> {
        self.optional(name)?.ok_or_else(|| Error::Model(format!("{}: `{name}` is missing", self.origin)))
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.json.get(name).and_then(Value::as_f64)
    }

    fn flag(&self, name: &str, default: bool) -> bool {
        self.json.get(name).and_then(Value::as_bool).unwrap_or(default)
    }

    fn token(&self, name: &str) -> Option<u32> {
        self.json.get(name).and_then(Value::as_u64).and_then(|v| u32::try_from(v).ok())
    }
}
