//! A model's sizes, read from `config.json` and checked before anything is allocated.

use super::json;
use crate::error::{Error, Result};
use crate::state::Layout;
use serde_json::Value;

/// Sizes and switches of a Mamba-1 model.
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
    /// Beginning-of-text token, where the configuration names one. What prompts begin with is the
    /// tokenizer's to say: [`crate::model::Bos`].
    pub bos_token_id: Option<u32>,
    /// End-of-text tokens that the configuration names.
    pub eos_token_ids: Vec<u32>,
    /// Whether it is written in the layout of `mamba_ssm` rather than that of `transformers`.
    pub original: bool,
}

impl MambaConfig {
    /// Reads a configuration in the layout of HF `transformers` or of the original `mamba_ssm`.
    /// Every key that changes the network is honoured or refused; others are ignored.
    ///
    /// # Errors
    /// [`Error::Model`] naming `origin` and the key that is missing, has the wrong type or an
    /// absurd value, or asks for another network.
    pub fn from_json(text: &str, origin: &str) -> Result<Self> {
        let json = json::parse(text.as_bytes(), origin)?;
        if !json.is_object() {
            return Err(Error::Model(format!("{origin} is not a configuration: it must be a JSON object")));
        }
        let fields = Fields { json: &json, origin, path: "" };
        fields.refuse_other_networks()?;
        let config = if json.get("hidden_size").is_some() { fields.transformers()? } else { fields.original()? };
        config.check(origin)?;
        Ok(config)
    }

    /// Sizes of a state.
    pub fn shape(&self) -> Layout {
        Layout::mamba1(self.n_layer, self.d_inner, self.d_state, self.d_conv)
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
            _ => Err(Error::Model(format!("{origin}: these sizes make a model of more than 2^40 parameters, which cannot be intended"))),
        }
    }
}

/// Values by key, checked.
struct Fields<'a> {
    json: &'a Value,
    origin: &'a str,
    /// The prefix of a key in messages: `ssm_cfg.`, or nothing.
    path: &'a str,
}

/// Architectures whose network this is.
const ARCHITECTURES: [&str; 6] =
    ["MambaForCausalLM", "MambaModel", "MambaLMHeadModel", "FalconMambaForCausalLM", "FalconMambaModel", "MixerModel"];

/// Keys of `ssm_cfg` that only say how a layer is initialised, or how it is computed in training.
const NO_MATTER: [&str; 7] = ["dt_min", "dt_max", "dt_init", "dt_scale", "dt_init_floor", "use_fast_path", "layer"];

impl<'a> Fields<'a> {
    fn refused(&self, key: &str, why: impl std::fmt::Display) -> Error {
        Error::Model(format!("{}: `{}{key}` is {}; {why}", self.origin, self.path, shown(self.get(key))))
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.json.get(key).filter(|v| !v.is_null())
    }

    /// Refuses what would make another network, in either layout.
    fn refuse_other_networks(&self) -> Result<()> {
        if let Some(kind) = self.text("model_type")?
            && !["mamba", "falcon_mamba"].contains(&kind)
        {
            return Err(Error::Model(format!(
                "{}: the model type is `{kind}`; only Mamba-1 (`mamba`, `falcon_mamba`) can be run",
                self.origin
            )));
        }
        let architectures = match self.get("architectures") {
            None => &[][..],
            Some(Value::Array(names)) => names,
            Some(_) => return Err(self.refused("architectures", "it must be a list of names")),
        };
        if architectures.iter().any(|name| !name.as_str().is_some_and(|n| ARCHITECTURES.contains(&n))) {
            return Err(self.refused("architectures", "only Mamba-1 (`MambaForCausalLM`, `FalconMambaForCausalLM`) can be run"));
        }
        if !self.flag("rms_norm", true)? {
            return Err(self.refused("rms_norm", "only the RMS norm can be run, not the layer norm"));
        }
        for act in ["hidden_act", "activation"] {
            if self.text(act)?.is_some_and(|name| !["silu", "swish"].contains(&name)) {
                return Err(self.refused(act, "only `silu` can be run"));
            }
        }
        for key in ["attn_layer_idx", "attn_cfg", "quantization_config"] {
            let empty = match self.get(key) {
                None => true,
                Some(Value::Array(items)) => items.is_empty(),
                Some(Value::Object(entries)) => entries.is_empty(),
                Some(_) => false,
            };
            if !empty {
                let why =
                    if key == "quantization_config" { "quantised weights cannot be run" } else { "layers of attention cannot be run" };
                return Err(self.refused(key, why));
            }
        }
        if self.optional("d_intermediate")?.is_some_and(|n| n > 0) {
            return Err(self.refused("d_intermediate", "layers with an MLP cannot be run"));
        }
        // Sums are f32 here whatever these say; a value of another type is refused as a mistake.
        for key in ["residual_in_fp32", "fused_add_norm"] {
            self.flag(key, true)?;
        }
        Ok(())
    }

    /// Whether the network is a Falcon-Mamba: by its type, else by its architecture.
    fn is_falcon(&self) -> Result<bool> {
        Ok(match self.text("model_type")? {
            Some(kind) => kind == "falcon_mamba",
            None => {
                self.json["architectures"].as_array().into_iter().flatten().any(|a| a.as_str().is_some_and(|n| n.starts_with("Falcon")))
            }
        })
    }

    fn transformers(&self) -> Result<MambaConfig> {
        let falcon = self.is_falcon()?;
        if !falcon && self.get("model_type").is_none() && self.get("mixer_rms_eps").is_some() {
            return Err(self.refused("mixer_rms_eps", "it belongs to a Falcon-Mamba, and no `model_type` says that this is one"));
        }
        let d_model = self.size("hidden_size")?;
        let d_inner = match self.optional("intermediate_size")? {
            Some(size) => size,
            None => self.times("expand", d_model)?,
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
            dt_rank: self.rank("time_step_rank", d_model)?,
            vocab_size: self.size("vocab_size")?,
            norm_eps: self.epsilon("layer_norm_epsilon", 1e-5)?,
            use_bias: self.flag("use_bias", false)?,
            use_conv_bias: self.flag("use_conv_bias", true)?,
            tie_embeddings: self.flag("tie_word_embeddings", true)?,
            mixer_norm_eps: if falcon { Some(self.epsilon("mixer_rms_eps", 1e-6)?) } else { None },
            bos_token_id: self.token("bos_token_id")?,
            eos_token_ids: self.tokens("eos_token_id")?,
            original: false,
        })
    }

    fn original(&self) -> Result<MambaConfig> {
        let nothing = Value::Null;
        let ssm = match self.get("ssm_cfg") {
            None => &nothing,
            Some(of_layer @ Value::Object(_)) => of_layer,
            Some(_) => return Err(self.refused("ssm_cfg", "it must be an object")),
        };
        let ssm = Fields { json: ssm, origin: self.origin, path: "ssm_cfg." };
        if ssm.text("layer")?.is_some_and(|layer| layer != "Mamba1") {
            return Err(Error::Model(format!("{}: `ssm_cfg` asks for {}; only Mamba-1 can be run", self.origin, shown(ssm.get("layer")))));
        }
        let honoured = ["d_state", "d_conv", "expand", "dt_rank", "conv_bias", "bias"];
        let mut keys = ssm.json.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
        if let Some(key) = keys.find(|key| !honoured.contains(key) && !NO_MATTER.contains(key)) {
            return Err(ssm.refused(key, "a Mamba-1 layer has no such setting"));
        }
        let d_model = self.size("d_model")?;
        let multiple = self.optional("pad_vocab_size_multiple")?.unwrap_or(8).max(1);
        let vocab = self.size("vocab_size")?;
        if self.is_falcon()? {
            return Err(Error::Model(format!(
                "{}: `hidden_size` is missing; a Falcon-Mamba's sizes are named as transformers names them",
                self.origin
            )));
        }
        Ok(MambaConfig {
            d_model,
            n_layer: self.size("n_layer")?,
            d_inner: ssm.times("expand", d_model)?,
            d_state: ssm.optional("d_state")?.unwrap_or(16),
            d_conv: ssm.optional("d_conv")?.unwrap_or(4),
            dt_rank: ssm.rank("dt_rank", d_model)?,
            vocab_size: vocab.div_ceil(multiple).saturating_mul(multiple),
            norm_eps: self.epsilon("norm_epsilon", 1e-5)?,
            use_bias: ssm.flag("bias", false)?,
            use_conv_bias: ssm.flag("conv_bias", true)?,
            tie_embeddings: self.flag("tie_embeddings", true)?,
            mixer_norm_eps: None,
            bos_token_id: self.token("bos_token_id")?,
            eos_token_ids: self.tokens("eos_token_id")?,
            original: true,
        })
    }

    fn optional(&self, key: &str) -> Result<Option<usize>> {
        self.get(key)
            .map(|value| value.as_u64().and_then(|v| usize::try_from(v).ok()).ok_or_else(|| self.refused(key, "it must be a whole number")))
            .transpose()
    }

    fn size(&self, key: &str) -> Result<usize> {
        self.optional(key)?.ok_or_else(|| Error::Model(format!("{}: `{}{key}` is missing", self.origin, self.path)))
    }

    /// `size` times a factor, 2 unless the key says otherwise; rounded down to whole channels, as
    /// Python's `int()` does.
    fn times(&self, key: &str, size: usize) -> Result<usize> {
        match self.number(key)? {
            None => Ok(size.saturating_mul(2)),
            Some(factor) if factor > 0.0 => Ok((factor * size as f64) as usize),
            Some(_) => Err(self.refused(key, "it must be more than 0")),
        }
    }

    /// The rank of Δ; `auto` or no value means a sixteenth of the width, rounded up.
    fn rank(&self, key: &str, d_model: usize) -> Result<usize> {
        match self.get(key) {
            Some(Value::String(auto)) if auto == "auto" => Ok(d_model.div_ceil(16)),
            Some(Value::String(_)) => Err(self.refused(key, "it must be a whole number or `auto`")),
            _ => Ok(self.optional(key)?.unwrap_or(d_model.div_ceil(16))),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>> {
        self.get(key).map(|v| v.as_f64().filter(|n| n.is_finite()).ok_or_else(|| self.refused(key, "it must be a number"))).transpose()
    }

    /// What a norm adds to the mean square.
    fn epsilon(&self, key: &str, default: f64) -> Result<f64> {
        match self.number(key)?.unwrap_or(default) {
            epsilon if (0.0..1.0).contains(&epsilon) => Ok(epsilon),
            _ => Err(self.refused(key, "it must lie between 0 and 1")),
        }
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool> {
        self.get(key).map_or(Ok(default), |v| v.as_bool().ok_or_else(|| self.refused(key, "it must be true or false")))
    }

    fn text(&self, key: &str) -> Result<Option<&'a str>> {
        self.get(key).map(|v| v.as_str().ok_or_else(|| self.refused(key, "it must be a string"))).transpose()
    }

    fn token(&self, key: &str) -> Result<Option<u32>> {
        self.get(key).map(|v| token(v).ok_or_else(|| self.refused(key, "it must be a token's number"))).transpose()
    }

    fn tokens(&self, key: &str) -> Result<Vec<u32>> {
        self.get(key)
            .map_or(Ok(Vec::new()), |v| token_list(v).ok_or_else(|| self.refused(key, "it must be a token's number, or a list of them")))
    }
}

fn token(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|v| u32::try_from(v).ok())
}

/// One token or a list of them, as `eos_token_id` is written.
pub(super) fn token_list(value: &Value) -> Option<Vec<u32>> {
    match value {
        Value::Array(items) => items.iter().map(token).collect(),
        one => token(one).map(|t| vec![t]),
    }
}

/// A value for a message: short, whatever it is.
fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "missing".into(), Value::to_string);
    if text.chars().count() > 60 { format!("{}…", text.chars().take(60).collect::<String>()) } else { text }
}
