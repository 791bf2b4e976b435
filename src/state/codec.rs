//! One state to and from safetensors.
