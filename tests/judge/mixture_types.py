"""Types that llama-quantize chooses where its own snapshots do not look: with importance weights, eight experts, Falcon,
types fixed by options. Small random models with many layers go through a stock libllama.

mixture_types.py LIBDIR OUTFOLDER writes one file per model and options, in the form of
plugins/gguf/tests/golden/mixture/README.md.
"""
import os, re, struct, sys, tempfile
from llama_quantize import LEVELS, TYPES, library, quantize, weights_of

FLOATS = ("F32", "F16", "BF16", "COPY")
NAMES = {number: name for name, number in TYPES.items()}

# name: architecture, layers, heads, heads of keys, experts, tensors of the model, tensors of a layer
ATTENTION = ["attn_q", "attn_k", "attn_v", "attn_output"]
DENSE = ["ffn_gate", "ffn_up", "ffn_down"]
EXPERTS = ["ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"]
SHARED = ["ffn_gate_shexp", "ffn_up_shexp", "ffn_down_shexp"]
BOTH = ["token_embd", "output"]
MODELS = {
    "llama-17": ("llama", 17, 8, 8, 0, BOTH, ATTENTION + DENSE),
    "llama-17-tied": ("llama", 17, 8, 2, 0, ["token_embd"], ATTENTION + DENSE),
    "llama-80": ("llama", 80, 8, 4, 0, BOTH, ["attn_v", "ffn_down"]),
    "mixtral-17": ("llama", 17, 8, 2, 8, BOTH, ATTENTION + EXPERTS),
    "falcon-33": ("falcon", 33, 8, 1, 0, BOTH, ["attn_qkv", "attn_output", "ffn_up", "ffn_down"]),
    "qwen2moe-9": ("qwen2moe", 9, 8, 8, 60, BOTH, ATTENTION + EXPERTS + SHARED),
}
FIXED = ["--tensor-type", r"blk\.(0|2|1[0-9])\.ffn_down=Q8_0", "--tensor-type", "ffn_down=Q5_K", "--tensor-type",
         r"blk\.[13]\.attn_(v|qkv)=Q4_1", "--tensor-type", "attn=IQ4_XS"]
# name: whether with importance weights, options
RUNS = {
    "importance": (True, []),
    "plain": (False, []),
    "pure": (True, ["--pure"]),
    "fixed": (True, FIXED[:6]),
    "fixed-plain": (False, FIXED[:4]),
    "fixed-pure": (True, FIXED + ["--pure"]),
    "output": (True, ["--output-tensor-type", "Q5_1"]),
    "embedding": (False, ["--token-embedding-type", "Q4_0", "--leave-output-tensor"]),
}


def tensors(model):
    _, layers, _, _, experts, of_model, of_layer = model
    names = [name + ".weight" for name in of_model]
    names += [f"blk.{layer}.{name}.weight" for layer in range(layers) for name in of_layer]
    # Two rows of one block: rules look at rows only to see whether there is a matrix.
    return {name: [256, 2, experts] if "_exps" in name else [256, 2] for name in names}


def count(dims):
    return dims[0] * dims[1] * (dims[2] if len(dims) > 2 else 1)


def write_model(path, model):
    arch, layers, heads, kv_heads, experts, _, _ = model
    text = lambda word: struct.pack("<Q", len(word)) + word.encode()
    number = lambda key, n: text(f"{arch}.{key}") + struct.pack("<II", 4, n)
    real = lambda key, x: text(f"{arch}.{key}") + struct.pack("<If", 6, x)
    pairs = [text("general.architecture") + struct.pack("<I", 8) + text(arch)]
    pairs += [number("block_count", layers), number("context_length", 64), number("embedding_length", 256),
              number("feed_forward_length", 256), number("attention.head_count", heads),
              number("attention.head_count_kv", kv_heads), number("vocab_size", 2),
              real("attention.layer_norm_rms_epsilon", 1e-5), real("attention.layer_norm_epsilon", 1e-5)]
    if experts:
        pairs += [number("expert_count", experts), number("expert_used_count", 2)]
    infos, at, data = [], 0, b""
    for index, (name, dims) in enumerate(tensors(model).items()):
        infos.append(text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, 0, at))
        values = [((i * 7919 + index * 104729) % 2003 - 1001) / 1001 for i in range(count(dims))]
        data += struct.pack(f"<{len(values)}f", *values)
        at = len(data)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(pairs)) + b"".join(pairs) + b"".join(infos)
    open(path, "wb").write(head + bytes(-len(head) % 32) + data)


def types(path):
    """Types by name; the file's metadata are numbers, truth values, texts and nothing else."""
    data = open(path, "rb").read()
    count_tensors, pairs = struct.unpack_from("<QQ", data, 8)
    at = 24

    def text():
        nonlocal at
        (length,) = struct.unpack_from("<Q", data, at)
        at += 8 + length
        return data[at - length:at].decode()

    for _ in range(pairs):
        text()
        (kind,) = struct.unpack_from("<I", data, at)
        at += 4
        if kind == 8:
            text()
        else:
            at += {4: 4, 6: 4, 7: 1}[kind]
    found = {}
    for _ in range(count_tensors):
        name = text()
        (dims,) = struct.unpack_from("<I", data, at)
        at += 4 + 8 * dims
        found[name] = struct.unpack_from("<I", data, at)[0]
        at += 12
    return found


def short(names):
    """`blk.{0-2,5}.x` for names of one kind."""
    kinds = {}
    for name in names:
        layer = re.match(r"blk\.(\d+)\.(.*)", name)
        kinds.setdefault(layer[2] if layer else name, []).append(int(layer[1]) if layer else None)
    for kind, layers in kinds.items():
        if layers[0] is None:
            yield kind
            continue
        spans = []
        for layer in sorted(layers):
            if spans and spans[-1][1] == layer - 1:
                spans[-1][1] = layer
            else:
                spans.append([layer, layer])
        yield "blk.{" + ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans) + "}." + kind


def lines(by_type):
    return [f"{word} {name}" for word, names in sorted(by_type.items()) for name in short(names)]


def chosen(model, options):
    """What the options fix, by type: the first expression that is found in a name decides."""
    rules = [word.split("=") for option, word in zip(options, options[1:]) if option == "--tensor-type"]
    found = {}
    for name in tensors(model):
        word = next((word for pattern, word in rules if re.search(pattern, name)), None)
        if word:
            found.setdefault("fixed " + word, []).append(name)
    return found


def main():
    llama = library(sys.argv[1])
    work = tempfile.mkdtemp()
    source, target = os.path.join(work, "source.gguf"), os.path.join(work, "target.gguf")
    for model_name, model in MODELS.items():
        write_model(source, model)
        arch, layers, heads, kv_heads, experts, _, _ = model
        ones = {name.encode(): [1.0] * (256 * (dims[2] if len(dims) > 2 else 1)) for name, dims in tensors(model).items()}
        for run, (importance, options) in RUNS.items():
            out = [f"model arch={arch} layers={layers} heads={heads} kv_heads={kv_heads} experts={experts}"
                   + (" importance=1" if importance else "")]
            words = {"--pure": "pure=1", "--leave-output-tensor": "leave_output=1"}
            out[0] += "".join(f" {words[option]}" for option in options if option in words)
            for option, key in ("--output-tensor-type", "output"), ("--token-embedding-type", "embedding"):
                if option in options:
                    out[0] += f" {key}={options[options.index(option) + 1]}"
            out += [f"tensor 256 {name}" for name in short(tensors(model))]
            out += lines(chosen(model, options))
            for level in LEVELS:
                if level in FLOATS:
                    continue
                weights = weights_of(ones) if importance else None
                if quantize(llama, source, target, level, ["1", *options], weights):
                    continue
                found = types(target)
                base = max(set(found.values()), key=list(found.values()).count)
                by_type = {}
                for name, number in found.items():
                    if number != base:
                        by_type.setdefault(NAMES[number], []).append(name)
                out += [f"level {level} {NAMES[base]}", *lines(by_type)]
            path = os.path.join(sys.argv[2], f"{model_name}-{run}.txt")
            open(path, "w").write("\n".join(out) + "\n")
            print(path, sum(line.startswith("level") for line in out), file=sys.stderr)


if __name__ == "__main__":
    main()
