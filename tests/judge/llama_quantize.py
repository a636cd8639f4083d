"""llama-quantize without its binary: calls llama_model_quantize of a stock libllama.

IN.gguf OUT.gguf LEVEL LIBDIR [THREADS] [OPTION...], the options as llama-quantize spells them: --tensor-type REGEX=TYPE,
--output-tensor-type T, --token-embedding-type T, --leave-output-tensor, --pure, --prune-layers 1,2, --override-kv K=T:V,
--imatrix FILE, --allow-requantize, --keep-split
"""
import ctypes as C, os, struct, sys

LEVELS = dict(F32=0, F16=1, Q4_0=2, Q4_1=3, Q8_0=7, Q5_0=8, Q5_1=9, Q2_K=10, Q3_K_S=11, Q3_K_M=12, Q3_K_L=13, Q4_K_S=14,
              Q4_K_M=15, Q5_K_S=16, Q5_K_M=17, Q6_K=18, IQ2_XXS=19, IQ2_XS=20, Q2_K_S=21, IQ3_XS=22, IQ3_XXS=23,
              IQ1_S=24, IQ4_NL=25, IQ3_S=26, IQ3_M=27, IQ2_S=28, IQ2_M=29, IQ4_XS=30, IQ1_M=31, BF16=32,
              TQ1_0=36, TQ2_0=37, MXFP4_MOE=38, Q1_0=40, Q2_0=41, COPY=0)
TYPES = dict(F32=0, F16=1, Q4_0=2, Q4_1=3, Q5_0=6, Q5_1=7, Q8_0=8, Q2_K=10, Q3_K=11, Q4_K=12, Q5_K=13, Q6_K=14,
             IQ2_XXS=16, IQ2_XS=17, IQ3_XXS=18, IQ1_S=19, IQ4_NL=20, IQ3_S=21, IQ2_S=22, IQ4_XS=23, IQ1_M=29,
             BF16=30, TQ1_0=34, TQ2_0=35, MXFP4=39, NVFP4=40, Q1_0=41, Q2_0=42)


class KvOverride(C.Structure):
    class Value(C.Union):
        _fields_ = [("int", C.c_int64), ("float", C.c_double), ("bool", C.c_bool), ("str", C.c_char * 128)]
    _fields_ = [("tag", C.c_int32), ("key", C.c_char * 128), ("value", Value)]


class TensorOverride(C.Structure):
    _fields_ = [("pattern", C.c_char_p), ("type", C.c_int32)]


class Params(C.Structure):
    _fields_ = [("nthread", C.c_int32), ("ftype", C.c_int32), ("output", C.c_int32), ("embedding", C.c_int32),
                ("allow_requantize", C.c_bool), ("quantize_output", C.c_bool), ("only_copy", C.c_bool),
                ("pure", C.c_bool), ("keep_split", C.c_bool), ("dry_run", C.c_bool), ("imatrix", C.c_void_p),
                ("kv", C.POINTER(KvOverride)), ("tensors", C.POINTER(TensorOverride)), ("prune", C.POINTER(C.c_int32)),
                # Later releases append fields; theirs keep their default bytes.
                ("rest", C.c_uint8 * 192)]


def kv_override(text):
    key, rest = text.split("=", 1)
    kind, word = rest.split(":", 1)
    one = KvOverride(["int", "float", "bool", "str"].index(kind), key.encode())
    value = {"int": int, "float": float, "bool": lambda w: w == "true", "str": str.encode}[kind](word)
    setattr(one.value, kind, value)
    return one


class Entry(C.Structure):
    _fields_ = [("name", C.c_char_p), ("data", C.POINTER(C.c_float)), ("size", C.c_size_t)]


def divide(sums, count):
    f32 = lambda x: struct.unpack("<f", struct.pack("<f", x))[0]
    return [f32(s / f32(count)) for s in sums]


def read_dat(data):
    """The older form: means by name, texts, chunks."""
    at, entries = 4, {}
    for _ in range(struct.unpack_from("<i", data)[0]):
        (length,) = struct.unpack_from("<i", data, at)
        name = data[at + 4:at + 4 + length]
        calls, count = struct.unpack_from("<ii", data, at + 4 + length)
        at += 12 + length
        values = struct.unpack_from(f"<{count}f", data, at)
        entries[name] = divide(values, calls) if calls > 0 else list(values)
        at += 4 * count
    if at == len(data):
        return entries, [], 0
    chunks, length = struct.unpack_from("<ii", data, at)
    return entries, [data[at + 8:at + 8 + length]] if length else [], chunks


def read_gguf(data):
    """The GGUF form, read as llama-quantize reads it: vectors without tokens become ones."""
    at = 8
    tensors, pairs = struct.unpack_from("<QQ", data, at)
    at += 16

    def text():
        nonlocal at
        (length,) = struct.unpack_from("<Q", data, at)
        at += 8 + length
        return data[at - length:at]

    def number(form):
        nonlocal at
        at += struct.calcsize(form)
        return struct.unpack_from(form, data, at - struct.calcsize(form))[0]

    keys = {}
    for _ in range(pairs):
        key, kind = text(), number("<I")
        if kind == 9:
            assert number("<I") == 8
            keys[key] = [text() for _ in range(number("<Q"))]
        else:
            keys[key] = text() if kind == 8 else number({4: "<I"}[kind])
    infos = []
    for _ in range(tensors):
        name = text()
        dims = [number("<Q") for _ in range(number("<I"))]
        assert number("<I") == 0
        infos.append((name, dims, number("<Q")))
    start = (at + 31) // 32 * 32
    stored = {}
    for name, dims, offset in infos:
        count = 1
        for dim in dims:
            count *= dim
        stored[name] = struct.unpack_from(f"<{count}f", data, start + offset)
    entries = {}
    for name, sums in stored.items():
        if name.endswith(b".in_sum2"):
            counts = stored[name[:-8] + b".counts"]
            n = len(sums) // len(counts)
            parts = [divide(sums[i * n:(i + 1) * n], c) if c > 0 else [1.0] * n for i, c in enumerate(counts)]
            entries[name[:-8]] = [x for part in parts for x in part]
    return entries, keys[b"imatrix.datasets"], keys[b"imatrix.chunk_count"]


def importance(path):
    """What llama-quantize's main program makes of a matrix; the file is named without its folder."""
    data = open(path, "rb").read()
    entries, datasets, chunks = read_gguf(data) if data[:4] == b"GGUF" else read_dat(data)
    keys = [kv_override("quantize.imatrix.file=str:" + os.path.basename(path))]
    keys += [kv_override("quantize.imatrix.dataset=str:" + name.decode()[:127]) for name in datasets[:1]]
    keys += [kv_override(f"quantize.imatrix.entries_count=int:{len(entries)}")]
    keys += [kv_override(f"quantize.imatrix.chunks_count=int:{chunks}")] if chunks > 0 else []
    return weights_of(entries), keys


def weights_of(entries):
    """Vectors by name as the library takes them."""
    array = (Entry * (len(entries) + 1))()
    for entry, (name, values) in zip(array, entries.items()):
        entry.name, entry.data, entry.size = name, (C.c_float * len(values))(*values), len(values)
    return array


def library(folder):
    """Loads libllama with everything it needs."""
    names = sorted(os.listdir(folder))
    for name in names:
        if name.startswith("libggml-base"):
            C.CDLL(os.path.join(folder, name), mode=C.RTLD_GLOBAL)
    for name in names:
        if name.startswith("libggml") and ("-cpu" not in name or "sse42" in name or "x64" in name):
            try:
                C.CDLL(os.path.join(folder, name), mode=C.RTLD_GLOBAL)
            except OSError:
                pass
    llama = C.CDLL(next(os.path.join(folder, name) for name in names if name.startswith("libllama.")))
    llama.llama_model_quantize_default_params.restype = Params
    llama.llama_model_quantize.argtypes = [C.c_char_p, C.c_char_p, C.POINTER(Params)]
    llama.llama_model_quantize.restype = C.c_uint32
    llama.llama_backend_init()
    return llama


def quantize(llama, source, target, level, options, weights=None, imatrix_keys=()):
    """One call; `weights` are importance entries. Returns the library's status."""
    params = llama.llama_model_quantize_default_params()
    params.ftype = LEVELS[level]
    params.only_copy = level == "COPY"
    rest = list(options)
    params.nthread = int(rest.pop(0)) if rest and not rest[0].startswith("--") else 2
    tensors, overrides = [], []
    while rest:
        option = rest.pop(0)
        if not option:
            continue
        if option == "--tensor-type":
            pattern, word = rest.pop(0).split("=", 1)
            tensors.append(TensorOverride(pattern.lower().encode(), TYPES[word.upper()]))
        elif option == "--output-tensor-type":
            params.output = TYPES[rest.pop(0).upper()]
        elif option == "--token-embedding-type":
            params.embedding = TYPES[rest.pop(0).upper()]
        elif option == "--leave-output-tensor":
            params.quantize_output = False
        elif option == "--pure":
            params.pure = True
        elif option == "--prune-layers":
            layers = sorted({int(word) for word in rest.pop(0).split(",")}) + [-1]
            params.prune = (C.c_int32 * len(layers))(*layers)
        elif option == "--override-kv":
            overrides.append(kv_override(rest.pop(0)))
        elif option == "--imatrix" or option.startswith("imatrix="):
            path = rest.pop(0) if option == "--imatrix" else option.removeprefix("imatrix=")
            weights, imatrix_keys = importance(path)
        elif option in ("--allow-requantize", "requantize"):
            params.allow_requantize = True
        elif option in ("--keep-split", "keep"):
            params.keep_split = True
        else:
            sys.exit("unknown option " + option)
    if weights is not None:
        params.imatrix = C.addressof(weights)
    if tensors:
        tensors.append(TensorOverride(None, 0))
        params.tensors = (TensorOverride * len(tensors))(*tensors)
    overrides += imatrix_keys
    if overrides:
        overrides.append(KvOverride(0, b""))
        params.kv = (KvOverride * len(overrides))(*overrides)
    return llama.llama_model_quantize(source.encode(), target.encode(), C.byref(params))


if __name__ == "__main__":
    source, target, level, folder = sys.argv[1:5]
    sys.exit(quantize(library(folder), source, target, level, sys.argv[5:]))
