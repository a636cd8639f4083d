"""llama-quantize without its binary: calls llama_model_quantize of a stock libllama.
IN.gguf OUT.gguf LEVEL LIBDIR [THREADS] [requantize|keep|imatrix=FILE]..."""
import ctypes as C, os, struct, sys

LEVELS = dict(F16=1, Q4_0=2, Q4_1=3, Q8_0=7, Q5_0=8, Q5_1=9, Q2_K=10, Q3_K_S=11, Q3_K_M=12, Q3_K_L=13, Q4_K_S=14,
              Q4_K_M=15, Q5_K_S=16, Q5_K_M=17, Q6_K=18, IQ2_XXS=19, IQ2_XS=20, Q2_K_S=21, IQ3_XS=22, IQ3_XXS=23,
              IQ1_S=24, IQ4_NL=25, IQ3_S=26, IQ3_M=27, IQ2_S=28, IQ2_M=29, IQ4_XS=30, IQ1_M=31, BF16=32, TQ1_0=36,
              TQ2_0=37, F32=0, COPY=0)


class Params(C.Structure):
    # Only the head of llama_model_quantize_params is touched; the rest keeps its default bytes.
    _fields_ = [("nthread", C.c_int32), ("ftype", C.c_int32), ("output_type", C.c_int32), ("embedding_type", C.c_int32),
                ("allow_requantize", C.c_bool), ("quantize_output", C.c_bool), ("only_copy", C.c_bool), ("pure", C.c_bool),
                ("keep_split", C.c_bool), ("dry_run", C.c_bool), ("pad", C.c_uint8 * 2), ("imatrix", C.c_void_p),
                ("kv_overrides", C.c_void_p), ("rest", C.c_uint8 * 216)]


class Entry(C.Structure):
    _fields_ = [("name", C.c_char_p), ("data", C.POINTER(C.c_float)), ("size", C.c_size_t)]


class Override(C.Structure):
    _fields_ = [("tag", C.c_int32), ("key", C.c_char * 128), ("pad", C.c_uint8 * 4), ("value", C.c_uint8 * 128)]


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
    array = (Entry * (len(entries) + 1))()
    for entry, (name, values) in zip(array, entries.items()):
        entry.name, entry.data, entry.size = name, (C.c_float * len(values))(*values), len(values)
    overrides = [(b"quantize.imatrix.file", os.path.basename(path).encode())]
    overrides += [(b"quantize.imatrix.dataset", name) for name in datasets[:1]]
    overrides += [(b"quantize.imatrix.entries_count", len(entries))]
    overrides += [(b"quantize.imatrix.chunks_count", chunks)] if chunks > 0 else []
    list_ = (Override * (len(overrides) + 1))()
    for override, (key, value) in zip(list_, overrides):
        override.key = key
        override.tag = 0 if isinstance(value, int) else 3
        raw = struct.pack("<q", value) if isinstance(value, int) else value[:127]
        override.value[:len(raw)] = raw
    return array, list_



source, target, level, folder = sys.argv[1:5]
for name in sorted(os.listdir(folder)):
    if name.startswith("libggml-base"):
        C.CDLL(os.path.join(folder, name), mode=C.RTLD_GLOBAL)
for name in sorted(os.listdir(folder)):
    if name.startswith("libggml") and ("-cpu" not in name or "sse42" in name or "x64" in name):
        try:
            C.CDLL(os.path.join(folder, name), mode=C.RTLD_GLOBAL)
        except OSError:
            pass
llama = C.CDLL(next(os.path.join(folder, n) for n in sorted(os.listdir(folder)) if n.startswith("libllama.")))
llama.llama_model_quantize_default_params.restype = Params
llama.llama_model_quantize.argtypes = [C.c_char_p, C.c_char_p, C.POINTER(Params)]
llama.llama_model_quantize.restype = C.c_uint32
llama.llama_backend_init()
params = llama.llama_model_quantize_default_params()
params.ftype = LEVELS[level]
params.nthread = int(sys.argv[5]) if len(sys.argv) > 5 else 2
params.allow_requantize, params.keep_split = "requantize" in sys.argv[6:], "keep" in sys.argv[6:]
params.only_copy = level == "COPY"
for word in sys.argv[6:]:
    if word.startswith("imatrix="):
        array, overrides = importance(word.removeprefix("imatrix="))
        params.imatrix, params.kv_overrides = C.addressof(array), C.addressof(overrides)
sys.exit(llama.llama_model_quantize(source.encode(), target.encode(), C.byref(params)))
