"""Small tokenizers of three kinds, and the tokens that HF `transformers` makes of whole texts with them.

    python tests/golden/tokens.py        # transformers 5.24, tokenizers 0.23

- `byte-level`: GPT-2's split and bytes.
- `metaspace`: a `▁` before the first word alone.
- `prepend`: Llama's normalizer, which puts `▁` before the whole text; unknown characters in bytes.

Each is trained on the texts below, so that words and line breaks are merged where they can be.
"""
import json
import pathlib

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent / "tokens"
PAIRS = [("hot", "cold"), ("big", "small"), ("early riser", "late riser"), ("12 + 7", "19"), ("a\nb: c", "d"), ("naïve", "wise ☺")]
TEMPLATES = {"arrow": "{} -> {}\n", "qa": "Q: {}\nA: {}\n\n"}


def texts():
    for template in TEMPLATES.values():
        for n in range(1, len(PAIRS) + 1):
            yield "".join(template.format(*pair) for pair in PAIRS[:n])
    # Tails, and words that are glued to what stands before them.
    yield "hot -> cold\nbig ->"
    yield "Q: hot\nA: cold\n\nQ: big\nA:"
    yield "  two  spaces -> x\n\n\ny -> z"
    yield "big ->"


def trained(tokenizer, **settings):
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=["<unk>"], show_progress=False, **settings)
    tokenizer.train_from_iterator(list(texts()) * 20, trainer)
    return tokenizer


def kinds():
    byte_level = Tokenizer(models.BPE())
    byte_level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    byte_level.decoder = decoders.ByteLevel()
    yield "byte-level", trained(byte_level, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    metaspace = Tokenizer(models.BPE(unk_token="<unk>"))
    metaspace.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    metaspace.decoder = decoders.Metaspace(prepend_scheme="first")
    yield "metaspace", trained(metaspace)
    prepend = Tokenizer(models.BPE(unk_token="<unk>"))
    prepend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    prepend.pre_tokenizer = pre_tokenizers.Split(Regex("▁+[^▁\n]*|\n+|[^▁\n]+"), "isolated")
    prepend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    yield "prepend", trained(prepend)


def main():
    HERE.mkdir(exist_ok=True)
    golden = {}
    for name, tokenizer in kinds():
        tokenizer.save(str(HERE / f"{name}.json"), pretty=False)
        fast = PreTrainedTokenizerFast(tokenizer_file=str(HERE / f"{name}.json"))
        golden[name] = {text: fast.encode(text, add_special_tokens=False) for text in texts()}
    (HERE / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=0) + "\n")


main()
