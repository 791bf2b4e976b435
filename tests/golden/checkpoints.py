"""Makes the folders of tests/it/checkpoints, and what HF transformers makes of each.

    python tests/golden/checkpoints.py tests/golden

`checkpoints/KIND`: a tiny model as people have them; `golden.safetensors` holds token ids and the logits of `from_pretrained`.
`tokenizers/KIND`: config.json and tokenizer files without weights; `expected.json` holds what `AutoTokenizer` makes of the text "ab" and where
`generate` ends.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, MambaConfig, MambaForCausalLM

TINY = dict(vocab_size=13, hidden_size=8, state_size=4, num_hidden_layers=1, conv_kernel=4, expand=2, time_step_rank=2, use_mambapy=False)
TOKENS = 12


def checkpoint(root, kind):
    folder = root / "checkpoints" / kind
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch.manual_seed(3)
    tied = kind not in ("head", "index")
    model = MambaForCausalLM(MambaConfig(use_conv_bias=kind != "noconv", tie_word_embeddings=tied, **TINY)).float().eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_((1.0 if "norm" in name or name.endswith(".D") else 0.0) + 0.4 * torch.randn_like(p))
    keep = ["vocab_size", "hidden_size", "num_hidden_layers", "state_size", "conv_kernel", "time_step_rank", "use_conv_bias"]
    config = {"model_type": "mamba", **{k: model.config.to_dict()[k] for k in keep}}
    weights = {k: v.clone().contiguous() for k, v in model.state_dict().items()}
    if tied:
        del weights["lm_head.weight"]
    if kind == "base":
        weights = {k.removeprefix("backbone."): v for k, v in weights.items()}
    if kind == "only-head":
        weights["lm_head.weight"] = weights.pop("backbone.embeddings.weight")
    if kind == "index":
        # A single file, and the index of shards that were there before.
        config["tie_word_embeddings"] = False
        stale = {k: torch.zeros_like(v) for k, v in weights.items()}
        save_file(stale, folder / "part-1.safetensors", metadata={"format": "pt"})
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {k: "part-1.safetensors" for k in stale}}))
    if kind == "bin":
        # As `save_pretrained` of old wrote them: the head is there, and its storage is the embedding's. One matrix is stored transposed.
        weights["lm_head.weight"] = weights["backbone.embeddings.weight"]
        name = "backbone.layers.0.mixer.in_proj.weight"
        weights[name] = weights[name].t().contiguous().t()
        torch.save(weights, folder / "pytorch_model.bin")
        torch.save(weights, folder / "legacy.bin", _use_new_zipfile_serialization=False)
    else:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    ids = torch.randint(0, TINY["vocab_size"], (1, TOKENS))
    model = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=kind != "bin").float().eval()
    with torch.no_grad():
        logits = model(ids, use_cache=False).logits[0]
    save_file({"ids": ids[0], "logits": logits.contiguous()}, folder / "golden.safetensors")


SPECIAL = {"<|endoftext|>": 0, "<s>": 1, "</s>": 2, "<bos>": 3}
VOCABULARY = {**SPECIAL, "a": 4, "b": 5, "▁": 6, "c": 7}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": False}


def rule(before, behind=()):
    """A post-processor that puts these tokens around a text."""
    special = lambda name: {"SpecialToken": {"id": name, "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [*map(special, before), {"Sequence": {"id": "A", "type_id": 0}}, *map(special, behind)],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {n: {"id": n, "ids": [SPECIAL[n]], "tokens": [n]} for n in [*before, *behind]},
    }


# Kind: config.json, tokenizer_config.json, post-processor, generation_config.json, pre-tokenizer.
TOKENIZERS = {
    # state-spaces/mamba-*-hf.
    "neox": ({"bos_token_id": 0, "eos_token_id": 0}, {"tokenizer_class": "GPTNeoXTokenizer", "bos_token": "<|endoftext|>"}, BYTES, {"eos_token_id": 0}, BYTES),
    "neox-add-bos": ({}, {"tokenizer_class": "GPTNeoXTokenizerFast", "bos_token": "<s>", "add_bos_token": True}, rule(["<s>"]), None, BYTES),
    "neox-unnamed": ({"eos_token_id": [2, 7]}, None, rule(["<bos>"]), None, BYTES),
    "llama": ({"bos_token_id": 0}, {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": False, "rstrip": False, "normalized": False, "single_word": False}}, rule(["<s>"]), {"eos_token_id": [2, 7]}, METASPACE),
    "llama-no-rule": ({"eos_token_id": 2}, {"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": True, "bos_token": "<s>"}, None, None, METASPACE),
    "llama-no-bos": ({}, {"tokenizer_class": "LlamaTokenizer", "add_bos_token": False, "bos_token": "<s>"}, rule(["<s>"]), {}, METASPACE),
    # tiiuae/falcon-mamba-7b: its token 0 is no beginning of a text.
    "falcon": ({"model_type": "falcon_mamba", "bos_token_id": 0, "eos_token_id": 2}, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<bos>"}, BYTES, {"eos_token_id": 2}, BYTES),
    "sequence": ({"eos_token_id": 7}, {"tokenizer_class": "PreTrainedTokenizerFast"}, {"type": "Sequence", "processors": [BYTES, rule(["<bos>", "<s>"])]}, {"eos_token_id": None}, BYTES),
    "behind": ({"tokenizer_class": "GPT2Tokenizer"}, None, rule(["<s>"], ["</s>"]), None, BYTES),
}


def tokenizer(root, kind):
    folder = root / "tokenizers" / kind
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config, settings, post, generation, pre = TOKENIZERS[kind]
    write = lambda name, value: (folder / name).write_text(json.dumps(value) + "\n")
    sizes = {k: v for k, v in TINY.items() if k != "use_mambapy"}
    write("config.json", {"model_type": "mamba", **sizes, **config})
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    write("tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": name, **flags} for name, i in SPECIAL.items()],
        "normalizer": None, "pre_tokenizer": pre, "post_processor": post, "decoder": None,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": VOCABULARY, "merges": []},
    })
    if settings is not None:
        write("tokenizer_config.json", settings)
    if generation is not None:
        write("generation_config.json", generation)
    ids = AutoTokenizer.from_pretrained(folder)("ab")["input_ids"]
    # The rule of `from_pretrained`, with the model's weights left out.
    from transformers import AutoConfig
    ends = GenerationConfig.from_pretrained(folder) if generation is not None else GenerationConfig.from_model_config(AutoConfig.from_pretrained(folder))
    ends = ends.eos_token_id if config.get("eos_token_id") is not None or generation is not None else None
    write("expected.json", {"ids": ids, "eos": [] if ends is None else ends if isinstance(ends, list) else [ends]})
    print(kind, ids, ends)


if __name__ == "__main__":
    for kind in ["head", "noconv", "base", "only-head", "index", "bin"]:
        checkpoint(Path(sys.argv[1]), kind)
    for kind in TOKENIZERS:
        tokenizer(Path(sys.argv[1]), kind)
