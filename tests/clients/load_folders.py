"""Folders that llm-quantize wrote, loaded by transformers and by GPTQModel: do they compute what the bytes say?

    PYTHON_WITH_GPTQMODEL tests/clients/load_folders.py TEXT FOLDER_OF_MODELS/NAME... [--method gptq] [--method awq]
        [--arguments="-q 3bit ..."] [--program target/release/llm-quantize] [--work FOLDER] [--keep]

Seen with torch 2.14, transformers 5.23, optimum 2.3, gptqmodel 7.7, defuser 0.0.28, gguf 0.19: tests/clients/results.

For every model and method: quantize it, then
  reader   weights that llm-quantize unpacks (through `convert ... gguf -q F32`) against this script's own numpy reader, bit
           for bit; GGUF reorders rows of some matrices, so rows are compared as sets
  dense    transformers in float32 on the unpacked matrices: what the folder means
  gptqmodel, transformers   the folder itself through each loader on the CPU: its modules, their weights against ours bit for
           bit in float16, its logits against `dense`, a few tokens generated
Prints a line for each; a line that begins with FAIL is a failure. Exit 1 if there is any.
"""
import argparse
import contextlib
import io
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import warnings

os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
warnings.filterwarnings("ignore")

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file

import packed_folder

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT_OPTIONS = ["--calibration-seqlen", "64", "--calibration-samples", "4", "--threads", "2"]
# Half precision against single, of the largest logit.
LIMIT = 2e-2


def run(program, *arguments):
    done = subprocess.run([program, "--format", "json", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(json.loads(done.stdout)["message"])
    return json.loads(done.stdout)


def rows(matrix):
    """Rows in an order that does not depend on the order in which they were stored."""
    matrix = np.ascontiguousarray(matrix, np.float32).view(np.uint32)
    return matrix[np.lexsort(matrix.T[::-1])]


def reader_agrees(program, meant):
    """Whether our reader unpacks the same bits; matrices that GGUF stores in another form are counted."""
    from gguf import GGUFReader, get_tensor_name_map, MODEL_ARCH_NAMES

    run(program, "convert", meant.folder, "gguf", "-q", "F32", "-o", meant.work, "-n", "plain", "--force")
    read = GGUFReader(meant.work / "plain.gguf")
    arch = bytes(read.fields["general.architecture"].parts[-1]).decode()
    arch = next(key for key, name in MODEL_ARCH_NAMES.items() if name == arch)
    names = get_tensor_name_map(arch, 64)
    stored = {tensor.name: tensor for tensor in read.tensors}
    same, elsewhere, wrong = 0, [], []
    for module, matrix in meant.matrices.items():
        before, expert, after = module.partition(".experts.")
        number, _, after = after.partition(".")
        name = names.get_name(f"{before}.experts.{after}" if expert else module)
        tensor = stored.get(f"{name}.weight")
        if tensor is None:
            elsewhere.append(module)
            continue
        found = tensor.data.reshape([-1, *matrix.shape])[int(number) if expert else 0]
        if np.array_equal(rows(found), rows(matrix)):
            same += 1
        else:
            wrong.append(module)
    del read, stored
    (meant.work / "plain.gguf").unlink()
    line = f"{same} of {len(meant.matrices)} matrices bit for bit"
    if elsewhere:
        line += f", {len(elsewhere)} that GGUF stores in another form ({elsewhere[0]})"
    if wrong:
        line += f"; other weights: {', '.join(wrong[:3])}"
    return same > 0 and not wrong, line


def dense(folder, matrices, plain, work):
    """transformers in float32 on what the folder means."""
    bare = work / "dense"
    shutil.rmtree(bare, ignore_errors=True)
    bare.mkdir()
    for file in pathlib.Path(folder).iterdir():
        if file.suffix in (".json", ".model") and "quant" not in file.name and "index" not in file.name:
            shutil.copy(file, bare)
    config = json.loads((bare / "config.json").read_text())
    config.pop("quantization_config")
    config.pop("dtype", None)
    config["torch_dtype"] = "float32"
    (bare / "config.json").write_text(json.dumps(config))
    # transformers' Conv1D stores [inputs, outputs].
    turned = config["model_type"] == "gpt2"
    weights = {f"{module}.weight": matrix.T if turned else matrix for module, matrix in matrices.items()}
    weights |= {name: np.asarray(values, np.float32) for name, values in plain.items()}
    save_file({name: np.ascontiguousarray(values) for name, values in weights.items()}, bare / "model.safetensors", {"format": "pt"})
    return transformers.AutoModelForCausalLM.from_pretrained(bare, dtype=torch.float32).eval()


def by_transformers(folder, method):
    config = json.loads((pathlib.Path(folder) / "config.json").read_text())["quantization_config"]
    if method == "gptq":
        backend = transformers.GPTQConfig(bits=config["bits"], backend="gptq_torch")
    else:
        backend = transformers.AwqConfig(backend="torch_awq")
    load = transformers.AutoModelForCausalLM.from_pretrained
    return load(folder, device_map="cpu", dtype=torch.float16, quantization_config=backend).eval()


def by_gptqmodel(folder, method):
    from gptqmodel import BACKEND, GPTQModel

    backend = BACKEND.GPTQ_TORCH if method == "gptq" else BACKEND.AWQ_TORCH
    return GPTQModel.load(str(folder), device="cpu", backend=backend, dtype=torch.float16).model.eval()


def unpacked_by_loader(module):
    """A loaded module's matrix as `[outputs, inputs]` in float16."""
    from gptqmodel.quantization.awq.utils.packing_utils import dequantize_gemm

    with torch.no_grad():
        if hasattr(module, "dequantize_weight"):
            matrix = module.dequantize_weight()
        else:
            group = module.group_size if module.group_size > 0 else module.in_features
            matrix = dequantize_gemm(module.qweight, module.qzeros, module.scales, module.bits, group)
    return half(matrix.T.numpy())


def half(matrix):
    """In float16, with one zero: -0 and 0 are the same weight."""
    return np.ascontiguousarray(matrix).astype(np.float16) + np.float16(0)


def verdict(model, meant):
    """Whether a loaded model has all modules, their weights, and the logits that the folder means."""
    with torch.no_grad():
        logits = model(input_ids=meant.ids).logits.float()
        model.generate(input_ids=meant.ids[:, :8], max_new_tokens=4, min_new_tokens=4, do_sample=False)
    # Loaders may name blocks otherwise (block_sparse_moe as mlp, w1 as gate_proj): then matrices are found by their values.
    by_value = {half(matrix).tobytes() for matrix in meant.matrices.values()}
    loaded = {name: unpacked_by_loader(part) for name, part in model.named_modules() if hasattr(part, "qweight")}
    differ = []
    for name, theirs in loaded.items():
        ours = meant.matrices.get(name)
        same = theirs.tobytes() in by_value if ours is None else np.array_equal(half(ours), theirs)
        differ += [] if same else [name]
    off = float((logits - meant.logits).abs().max())
    most = max(1.0, float(meant.logits.abs().max()))
    agree = float((logits.argmax(-1) == meant.logits.argmax(-1)).float().mean())
    same = len(loaded) - len(differ)
    line = f"{same} of {len(meant.matrices)} matrices bit for bit, logits off {off:.5f} of {most:.2f}, first choice the same {agree:.3f}"
    if differ:
        line += f"; other weights: {', '.join(differ[:3])}"
    return same == len(meant.matrices) and not differ and off <= LIMIT * most, line


def attempt(label, call):
    """Runs without the loaders' chatter; a sentence, and whether all went well."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            good, line = call()
    except Exception as error:
        text = " ".join(str(error).split())
        good, line = False, f"{type(error).__name__}: {text[:400]}"
    print(f"{'ok  ' if good else 'FAIL'} {label}: {line}", flush=True)
    return good


class Meant:
    """A folder with what its bytes say: matrices by module, and logits of some tokens."""

    def __init__(self, folder, method, work):
        self.folder, self.method, self.name = folder, method, folder.name
        self.matrices, self.plain = packed_folder.unpacked(folder)
        self.work, self.ids, self.logits = work, None, None

    def compute(self):
        model = dense(self.folder, self.matrices, self.plain, self.work)
        with torch.no_grad():
            vocabulary = model.config.vocab_size
            self.ids = torch.randint(3, vocabulary, (1, 48), generator=torch.Generator().manual_seed(1))
            self.logits = model(input_ids=self.ids).logits
        return True, f"{len(self.matrices)} matrices and {len(self.plain)} other tensors load"


def made(options, model, method, work):
    """Quantizes a model; what its folder means, if it was not refused."""
    name = f"{model.name}-{method}"
    arguments = shlex.split(options.arguments)
    call = ["quantize", model, method, *arguments, "--calibration-data", options.text, *TEXT_OPTIONS]
    try:
        run(options.program, *call, "-o", work, "-n", name, "--overwrite", "--no-checkpoints")
    except RuntimeError as refused:
        print(f"none {name}: refused: {refused}", flush=True)
        return None
    return Meant(work / name, method, work)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("text")
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--method", action="append")
    parser.add_argument("--arguments", default="-q 4bit-g32-sym", help="of quantize")
    parser.add_argument("--program", default=ROOT / "target/release/llm-quantize")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(2)
    transformers.utils.logging.set_verbosity_error()
    work = options.work or pathlib.Path(tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    pairs = [(model, method) for model in options.models for method in options.method or ["gptq", "awq"]]
    folders = [meant for meant in (made(options, *pair, work) for pair in pairs) if meant]
    good = [attempt(f"{meant.name} reader", lambda: reader_agrees(options.program, meant)) for meant in folders]
    good += [attempt(f"{meant.name} dense", meant.compute) for meant in folders]
    folders = [meant for meant in folders if meant.logits is not None]
    # transformers first: GPTQModel changes classes of transformers for the rest of the process.
    for load in (by_transformers, by_gptqmodel):
        label = load.__name__.removeprefix("by_")
        for meant in folders:
            good.append(attempt(f"{meant.name} {label}", lambda: verdict(load(meant.folder, meant.method), meant)))
    if not options.keep:
        shutil.rmtree(work)
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
