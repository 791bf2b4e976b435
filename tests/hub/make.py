"""Makes the cache beside it with Python's `huggingface_hub` (2.4.0), from a hub on the loopback.

Usage: python tests/hub/make.py tests/hub/cache

The model is a Mamba-1 of one layer and 8 channels in two shards. `main` and `refs/pr/1` are at one commit, where
`main` was fetched as `transformers` does (asking for `model.safetensors` first, which is not there); the tag `v1` is
at another commit, fetched whole, with a list of its files.
"""
import hashlib, http.server, json, os, random, struct, sys, threading

MAIN, TAG = "a" * 40, "b" * 40


def safetensors(tensors):
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        raw = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def files():
    m, e, n, c, r, v = 8, 16, 4, 4, 1, 3
    layer = "backbone.layers.0."
    shapes = {
        "backbone.embeddings.weight": [v, m],
        layer + "norm.weight": [m],
        layer + "mixer.in_proj.weight": [2 * e, m],
        layer + "mixer.conv1d.weight": [e, 1, c],
        layer + "mixer.conv1d.bias": [e],
        layer + "mixer.x_proj.weight": [r + 2 * n, e],
        layer + "mixer.dt_proj.weight": [e, r],
        layer + "mixer.dt_proj.bias": [e],
        layer + "mixer.A_log": [e, n],
        layer + "mixer.D": [e],
        layer + "mixer.out_proj.weight": [m, e],
        "backbone.norm_f.weight": [m],
    }
    dice = random.Random(0)
    parts, names = [{}, {}], ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = {}
    for i, (name, shape) in enumerate(shapes.items()):
        count = 1
        for size in shape:
            count *= size
        parts[i % 2][name] = (shape, [dice.uniform(-0.5, 0.5) for _ in range(count)])
        index[name] = names[i % 2]
    config = dict(model_type="mamba", vocab_size=v, hidden_size=m, state_size=n, num_hidden_layers=1, conv_kernel=c,
                  expand=2, time_step_rank=r, use_bias=False, use_conv_bias=True, bos_token_id=0, eos_token_id=0)
    words = {"<|endoftext|>": 0, "a": 1, "b": 2}
    tokenizer = dict(version="1.0", added_tokens=[], normalizer=None, pre_tokenizer={"type": "Whitespace"},
                     post_processor=None, decoder=None, truncation=None, padding=None,
                     model={"type": "WordLevel", "vocab": words, "unk_token": "<|endoftext|>"})
    out = {"config.json": json.dumps(config), "tokenizer.json": json.dumps(tokenizer),
           "tokenizer_config.json": json.dumps({"eos_token": "<|endoftext|>"}),
           "model.safetensors.index.json": json.dumps({"weight_map": index})}
    out = {name: text.encode() for name, text in out.items()}
    return out | {name: safetensors(part) for name, part in zip(names, parts)}


FILES = files()
REVISIONS = {"main": MAIN, "refs/pr/1": MAIN, "v1": TAG, MAIN: MAIN, TAG: TAG}


def git_hash(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Hub(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def send(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self):
        from urllib.parse import unquote, urlparse
        parts = [unquote(p) for p in urlparse(self.path).path.split("/")[1:]]
        if parts[:2] == ["api", "models"]:
            commit = REVISIONS[parts[5] if len(parts) > 5 else "main"]
            if parts[4] == "tree":
                body = []
                for name, content in FILES.items():
                    entry = {"type": "file", "path": name, "size": len(content), "oid": git_hash(content)}
                    if name.endswith(".safetensors"):
                        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 100}
                    body.append(entry)
            else:
                body = {"id": "tiny/mamba", "sha": commit, "siblings": [{"rfilename": name} for name in FILES]}
            return self.send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})
        commit, name = REVISIONS[parts[3]], parts[4]
        if name not in FILES:
            return self.send(404, b"", {"X-Repo-Commit": commit, "X-Error-Code": "EntryNotFound"})
        content = FILES[name]
        etag = hashlib.sha256(content).hexdigest() if name.endswith(".safetensors") else git_hash(content)
        self.send(200, content, {"X-Repo-Commit": commit, "ETag": f'"{etag}"'})


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
    os.environ["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = os.environ["HF_HUB_DISABLE_XET"] = os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import EntryNotFoundError

    for revision in ["main", "refs/pr/1"]:
        for name in ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json",
                     "special_tokens_map.json", "model.safetensors", *[n for n in FILES if n.startswith("model")]]:
            try:
                hf_hub_download("tiny/mamba", name, revision=revision, cache_dir=sys.argv[1])
            except EntryNotFoundError:
                pass
    snapshot_download("tiny/mamba", revision="v1", cache_dir=sys.argv[1])
