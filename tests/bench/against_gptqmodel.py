"""GPTQ and AWQ: llm-quantize against GPTQModel, one run each after the other, on the same tokens, and what each costs.

    cargo build --release -p llm-quantize -p llmq-plugin-gptq -p llmq-plugin-awq
    PYTHON_WITH_GPTQMODEL tests/bench/against_gptqmodel.py MODEL TEXT [--format gptq|awq] [--bits 4] [--samples 64]
        [--seqlen 256] [--threads 2] [--runs 1] [--work FOLDER] [--keep] [--only ours|theirs]

Figures are the operating system's own accounting of each child (user + system seconds, peak resident memory). Ours is the
whole process: loading, tokenizing, calibration, quantization, writing, reading back. Theirs is given twice: the whole
process, and the part after importing and loading, which is what it reports of itself.
"""
import argparse, json, os, pathlib, resource, shutil, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = ROOT / "target/release/llm-quantize"


def theirs(model, text, out, format, bits, samples, seqlen):
    """Runs in a process of its own."""
    import torch
    from gptqmodel import BACKEND, GPTQModel, QuantizeConfig
    from transformers import AutoTokenizer

    torch.set_num_threads(int(os.environ["GPTQMODEL_CPU_WORKERS"]))
    tokenizer = AutoTokenizer.from_pretrained(model)
    ids = tokenizer(pathlib.Path(text).read_text(), add_special_tokens=False)["input_ids"]
    ids = [ids[at * seqlen : (at + 1) * seqlen] for at in range(samples)]
    if format == "awq":
        from gptqmodel.quantization import FORMAT, METHOD

        config = QuantizeConfig(bits=bits, group_size=128, quant_method=METHOD.AWQ, format=FORMAT.GEMM)
    else:
        config = QuantizeConfig(bits=bits, group_size=128)
    loaded = GPTQModel.load(model, config, device="cpu", backend=BACKEND.AUTO)
    began = time.process_time()
    loaded.quantize([{"input_ids": row, "attention_mask": [1] * len(row)} for row in ids], batch_size=1)
    loaded.save(out)
    print("PEER", json.dumps({"after_loading": time.process_time() - began}))


def child(command, environment=None):
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    output = process.stdout.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command} failed:\n{output[-4000:]}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - wall, usage.ru_maxrss / 1024, output


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--format", choices=["gptq", "awq"], default="gptq")
    parser.add_argument("--bits", type=int, default=4)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--seqlen", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target/bench")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--only", choices=["ours", "theirs"])
    parser.add_argument("--peer-process", metavar="OUT", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.peer_process:
        theirs(a.model, a.text, a.peer_process, a.format, a.bits, a.samples, a.seqlen)
        sys.exit()
    a.work.mkdir(parents=True, exist_ok=True)
    for run in range(a.runs):
        ratio = {}
        if a.only != "theirs":
            out = a.work / "ours"
            shutil.rmtree(out, ignore_errors=True)
            command = [OURS, "quantize", a.model, a.format, "-q", f"{a.bits}bit", "--calibration-data", a.text]
            command += ["--calibration-samples", a.samples, "--calibration-seqlen", a.seqlen, "--threads", a.threads]
            command += ["-o", a.work, "-n", "ours"]
            cpu, wall, peak, _ = child(command)
            ratio["ours"] = (cpu, peak)
            print(f"ours       CPU {cpu:8.2f} s  wall {wall:8.2f} s  peak {peak:8.1f} MiB", flush=True)
        if a.only != "ours":
            out = a.work / "theirs"
            shutil.rmtree(out, ignore_errors=True)
            environment = os.environ | {"GPTQMODEL_CPU_WORKERS": str(a.threads), "TORCHDYNAMO_DISABLE": "1"}
            command = [sys.executable, __file__, a.model, a.text, "--format", a.format, "--bits", a.bits]
            command += ["--samples", a.samples, "--seqlen", a.seqlen, "--peer-process", out]
            cpu, wall, peak, output = child(command, environment)
            told = next(line for line in output.splitlines() if line.startswith("PEER "))
            after = json.loads(told[5:])["after_loading"]
            ratio["theirs"] = (after, peak)
            print(f"gptqmodel  CPU {cpu:8.2f} s  wall {wall:8.2f} s  peak {peak:8.1f} MiB; after loading CPU {after:8.2f} s", flush=True)
        if len(ratio) == 2:
            (ours, ours_peak), (their, their_peak) = ratio["ours"], ratio["theirs"]
            print(f"ratio      CPU after loading {their / ours:.1f}, peak memory {their_peak / ours_peak:.1f}", flush=True)
    if not a.keep:
        shutil.rmtree(a.work / "ours", ignore_errors=True)
        shutil.rmtree(a.work / "theirs", ignore_errors=True)
