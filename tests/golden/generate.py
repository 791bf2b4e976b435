"""Makes the golden numbers of tests/model/golden.rs with HF transformers (torch, transformers, numpy, safetensors).

    python tests/golden/generate.py tests/golden

Each folder holds a tiny random model in HF layout and `golden.safetensors`: token ids, the logits of one pass over all of them, and the SSM states and
convolution windows after the last token (windows without the column that the next step rolls out). All of it comes from one uncached pass plus
token-by-token steps, because transformers restarts the SSM state when a cached model is given several tokens.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import FalconMambaConfig, FalconMambaForCausalLM, MambaConfig, MambaForCausalLM

TINY = dict(vocab_size=61, hidden_size=24, state_size=16, num_hidden_layers=3, conv_kernel=4, expand=2, use_mambapy=False)
MODELS = {
    "mamba": (MambaConfig, MambaForCausalLM, dict(TINY, time_step_rank=5, tie_word_embeddings=True), "plain"),
    # Biases everywhere, an untied head, other sizes, decays near 1 with large steps: memory over the whole text.
    "long": (MambaConfig, MambaForCausalLM, dict(TINY, hidden_size=20, state_size=8, conv_kernel=3, time_step_rank=3, use_bias=True, tie_word_embeddings=False), "long"),
    "falcon": (FalconMambaConfig, FalconMambaForCausalLM, dict(TINY, time_step_rank=4, tie_word_embeddings=False), "plain"),
}
TOKENS = 40


def make(kind, folder):
    config_class, model_class, settings, memory = MODELS[kind]
    torch.manual_seed(7)
    model = model_class(config_class(bos_token_id=0, eos_token_id=0, pad_token_id=0, **settings)).float().eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("A_log"):
                if memory == "long":
                    p.copy_(torch.full_like(p, -6.0) + torch.rand_like(p))
                else:
                    p.add_(0.3 * torch.randn_like(p))
            elif name.endswith("dt_proj.bias") and memory == "long":
                p.copy_(1.0 + torch.randn_like(p))
            elif "norm" in name or name.endswith(".D"):
                p.copy_(1.0 + 0.2 * torch.randn_like(p))
            else:
                p.copy_(0.3 * torch.randn_like(p))
    ids = torch.randint(1, settings["vocab_size"], (1, TOKENS))
    with torch.no_grad():
        whole = model(ids, use_cache=False).logits[0]
        out = model(ids[:, :1], use_cache=True)
        cache = out.cache_params
        for t in range(1, TOKENS):
            out = model(ids[:, t : t + 1], cache_params=cache, use_cache=True, cache_position=torch.tensor([t]))
            cache = out.cache_params
    assert (out.logits[0, -1] - whole[-1]).abs().max() < 1e-4, (out.logits[0, -1] - whole[-1]).abs().max()
    ssm, conv = states(cache, model.config.num_hidden_layers)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.contiguous() for k, v in model.state_dict().items() if not (k == "lm_head.weight" and settings["tie_word_embeddings"])}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    golden = {"ids": ids[0].to(torch.int64), "logits": whole.contiguous(), "ssm": ssm.contiguous(), "conv": conv[..., 1:].contiguous()}
    save_file(golden, folder / "golden.safetensors")
    keep = ["model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "state_size", "conv_kernel", "expand", "time_step_rank",
            "use_bias", "use_conv_bias", "layer_norm_epsilon", "tie_word_embeddings", "bos_token_id", "eos_token_id", "mixer_rms_eps"]
    config = model.config.to_dict()
    (folder / "config.json").write_text(json.dumps({k: config[k] for k in keep if k in config}, indent=1) + "\n")


def states(cache, n_layer):
    """SSM states and windows from whichever cache class this transformers has."""
    if hasattr(cache, "ssm_states"):
        ssm, conv = [cache.ssm_states[l] for l in range(n_layer)], [cache.conv_states[l] for l in range(n_layer)]
    else:
        ssm = [getattr(cache.layers[l], "recurrent_states", None) for l in range(n_layer)]
        conv = [cache.layers[l].conv_states for l in range(n_layer)]
    return torch.stack([s[0] for s in ssm]), torch.stack([c[0] for c in conv])


if __name__ == "__main__":
    for kind in MODELS:
        make(kind, Path(sys.argv[1]) / kind)
        print(kind, sum(f.stat().st_size for f in (Path(sys.argv[1]) / kind).iterdir()), "bytes")
