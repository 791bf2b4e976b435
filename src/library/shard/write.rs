//! Writes a shard in one pass.

use super::layout;
use crate::error::{Error, Result};
use crate::library::disk::{Disk, DiskFile};
use crate::library::manifest::ShardEntry;
use crate::library::types::{ModelIdentity, SkillMeta, StoredType};
use crate::state::State;
use half::f16;
use half::slice::HalfFloatSliceExt;
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::path::Path;

/// Tensors start at multiples of this where the state's sizes allow it: a cache line, and the
/// widest vector register.
const ALIGN: usize = 64;

/// The largest magnitude half precision holds.
const F16_MAX: f32 = 65504.0;

/// The version in a shard's metadata; readers do not depend on it.
const VERSION: u64 = 1;

/// Whether half precision holds every entry of the state (SSM state and window; ΣΔ is always stored
/// as f32).
pub fn fits_f16(state: &State) -> bool {
    state.ssm().iter().chain(state.conv()).all(|v| v.abs() <= F16_MAX)
}

fn dtype_name(dtype: StoredType) -> &'static str {
    match dtype {
        StoredType::F16 => "F16",
        StoredType::F32 => "F32",
    }
}

/// The safetensors header, padded with spaces so that the data begins at a multiple of [`ALIGN`].
fn header(model: &ModelIdentity, dtype: StoredType, skills: &[(&SkillMeta, &State)]) -> Vec<u8> {
    let ids: Vec<&str> = skills.iter().map(|(m, _)| m.id.as_str()).collect();
    let mut head = Map::new();
    let about = json!({"format": "state-soup shard", "version": VERSION.to_string(), "model": model.fingerprint,
        "tokenizer": model.tokenizer_hash, "skills": json!(ids).to_string()});
    head.insert("__metadata__".into(), about);
    let mut at = 0;
    for (name, dtype, dims) in layout(&model.layout, dtype, skills.len()) {
        let end = at + dims.iter().product::<usize>() * dtype.size();
        head.insert(name, json!({"dtype": dtype_name(dtype), "shape": dims, "data_offsets": [at, end]}));
        at = end;
    }
    let mut text = Value::Object(head).to_string().into_bytes();
    let padded = (8 + text.len()).next_multiple_of(ALIGN) - 8;
    text.resize(padded, b' ');
    let mut out = (text.len() as u64).to_le_bytes().to_vec();
    out.append(&mut text);
    out
}

/// Counts and hashes the bytes that are written to the file.
struct Hashing {
    file: Box<dyn DiskFile>,
    hash: blake3::Hasher,
    bytes: u64,
    buffer: Vec<u8>,
}

impl Hashing {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn put_floats(&mut self, values: &[f32], dtype: StoredType) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        match dtype {
            StoredType::F32 => buffer.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            StoredType::F16 => {
                let mut halves = vec![f16::ZERO; values.len()];
                halves.convert_from_f32_slice(values);
                buffer.extend(halves.iter().flat_map(|v| v.to_le_bytes()));
            }
        }
        let done = self.put(&buffer);
        self.buffer = buffer;
        done
    }
}

/// Writes a batch of states as `file` in `dir`: under a temporary name first, synced, renamed, and
/// the folder synced.
pub fn write(
    disk: &dyn Disk,
    dir: &Path,
    file: &str,
    model: &ModelIdentity,
    dtype: StoredType,
    skills: &[(&SkillMeta, &State)],
) -> Result<ShardEntry> {
    let (tmp, path) = (dir.join(format!("{file}.tmp")), dir.join(file));
    let out = disk.create(&tmp).map_err(Error::io(&tmp))?;
    let mut out = Hashing { file: out, hash: blake3::Hasher::new(), bytes: 0, buffer: Vec::new() };
    write_all(&mut out, model, dtype, skills).and_then(|()| out.file.flush()).and_then(|()| out.file.sync()).map_err(Error::io(&tmp))?;
    let (bytes, blake3) = (out.bytes, out.hash.finalize().to_hex().to_string());
    drop(out);
    disk.rename(&tmp, &path).map_err(Error::io(&path))?;
    disk.sync_dir(dir).map_err(Error::io(dir))?;
    Ok(ShardEntry { file: file.to_owned(), bytes, blake3, skills: skills.len(), dtype })
}

fn write_all(out: &mut Hashing, model: &ModelIdentity, dtype: StoredType, skills: &[(&SkillMeta, &State)]) -> io::Result<()> {
    out.put(&header(model, dtype, skills))?;
    for (_, s) in skills {
        out.put_floats(s.dt_sum(), StoredType::F32)?;
    }
    for l in 0..model.layout.n_layer {
        for (_, s) in skills {
            out.put_floats(s.ssm_layer(l), dtype)?;
        }
    }
    for l in 0..model.layout.n_layer {
        for (_, s) in skills {
            out.put_floats(s.conv_layer(l), dtype)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::state::Layout;

    #[test]
    fn the_header_is_padded_and_data_begins_on_a_cache_line() {
        let shape = Layout::mamba1(3, 32, 16, 4);
        let model = ModelIdentity {
            name: "m".into(),
            fingerprint: "f".into(),
            tokenizer_hash: "t".into(),
            bos: None,
            weights: None,
            layout: shape,
        };
        let state = State::zeros(shape);
        let meta = crate::library::tests::meta("a/0");
        let head = header(&model, StoredType::F16, &[(&meta, &state), (&meta, &state)]);
        assert_eq!(head.len() % ALIGN, 0);
        assert_eq!(u64::from_le_bytes(head[..8].try_into().unwrap()) as usize, head.len() - 8);
        let value: Value = serde_json::from_slice(&head[8..]).unwrap();
        assert_eq!(value["ssm.2"]["shape"], json!([2, 32, 16]));
        let start = |name: &str| value[name]["data_offsets"][0].as_u64().unwrap() as usize;
        for name in ["dt_sum", "ssm.0", "ssm.1", "ssm.2", "conv.0", "conv.1"] {
            assert_eq!(start(name) % ALIGN, 0, "{name}");
        }
    }
}
