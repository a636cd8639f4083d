"""A second reader of GPTQ and AWQ folders, in numpy: a check must not trust the reader that it checks."""
import json
import pathlib
import struct

import numpy as np

DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8", "U8": "u1", "I8": "i1", "BOOL": "?"}
# Nibble i of an AWQ word holds output 8 * word + NIBBLES[i].
NIBBLES = [0, 2, 4, 6, 1, 3, 5, 7]


def tensors(folder):
    """All tensors of a folder by name; bfloat16 as float32."""
    found = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        for name, entry in json.loads(data[8 : 8 + length]).items():
            if name == "__metadata__":
                continue
            start, end = entry["data_offsets"]
            raw = data[8 + length + start : 8 + length + end]
            if entry["dtype"] == "BF16":
                values = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
            else:
                values = np.frombuffer(raw, DTYPES[entry["dtype"]])
            found[name] = values.reshape(entry["shape"])
    return found


def stream(words, bits, count):
    """`count` codes of each column, the lowest bits of the first word first."""
    words = words.view(np.uint32).astype(np.uint64)
    codes = np.zeros((count, words.shape[1]), np.int32)
    for at in range(count):
        word, shift = divmod(at * bits, 32)
        value = words[word] >> np.uint64(shift)
        if shift + bits > 32:
            value |= words[word + 1] << np.uint64(32 - shift)
        codes[at] = (value & np.uint64((1 << bits) - 1)).astype(np.int32)
    return codes


def gptq(found, module, second):
    """A GPTQ module as `[inputs, outputs]`; its bits follow from shapes. `second`: zeros are stored as they are."""
    scales, assigned = found[module + ".scales"].astype(np.float32), found[module + ".g_idx"]
    inputs, outputs = assigned.shape[0], scales.shape[1]
    bits = found[module + ".qweight"].shape[0] * 32 // inputs
    codes = stream(found[module + ".qweight"], bits, inputs)
    zeros = stream(np.ascontiguousarray(found[module + ".qzeros"].T), bits, outputs).T
    zeros = zeros if second else zeros + 1
    return scales[assigned] * (codes - zeros[assigned]).astype(np.float32)


def nibbles(words):
    words = words.view(np.uint32)
    codes = np.zeros((words.shape[0], words.shape[1] * 8), np.int32)
    for at, output in enumerate(NIBBLES):
        codes[:, np.arange(words.shape[1]) * 8 + output] = (words >> np.uint32(4 * at)) & 15
    return codes


def awq(found, module):
    """An AWQ module as `[inputs, outputs]`."""
    codes, zeros = nibbles(found[module + ".qweight"]), nibbles(found[module + ".qzeros"])
    scales = found[module + ".scales"].astype(np.float32)
    group = np.arange(codes.shape[0]) // (codes.shape[0] // scales.shape[0])
    return scales[group] * (codes - zeros[group]).astype(np.float32)


def unpacked(folder):
    """Modules as matrices `[outputs, inputs]`, and all other tensors, by name."""
    config = json.loads((pathlib.Path(folder) / "config.json").read_text())["quantization_config"]
    found = tensors(folder)
    modules = [name.removesuffix(".qweight") for name in found if name.endswith(".qweight")]
    if config["quant_method"] == "awq":
        matrices = {module: awq(found, module) for module in modules}
    else:
        second = config.get("checkpoint_format") == "gptq_v2"
        matrices = {module: gptq(found, module, second) for module in modules}
    parts = tuple(f"{module}.{part}" for module in modules for part in ("qweight", "qzeros", "scales", "g_idx"))
    plain = {name: values for name, values in found.items() if name not in set(parts)}
    return {module: np.ascontiguousarray(matrix.T) for module, matrix in matrices.items()}, plain
