"""One pass of llm-quantize against stock llama_model_quantize, side by side, and the memory that each needs.

    cargo build --release -p llm-quantize -p llmq-plugin-gguf -p llmq-tests
    tests/judge/install
    python3 tests/bench/side_by_side.py [--model FOLDER] [--levels Q4_K_M,Q8_0] [--runs 3] [--work FOLDER]

Without --model a synthetic 1.1 G-weight Llama (2.2 GB, BF16) is generated in the work folder. The two programs take
turns; figures are the operating system's own accounting of each child: CPU = user + system seconds. llama.cpp starts
from the BF16 GGUF that we wrote before the clock starts, so its converter's time is not counted; ours starts from the
safetensors folder. Both outputs must be the same file, or the comparison is void.
"""
import argparse, filecmp, json, os, pathlib, resource, statistics, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = ROOT / "target/release/llm-quantize"


def run(command):
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wall = time.monotonic() - wall
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{command} failed:\n{done.stdout.decode()}\n{done.stderr.decode()}")
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime), wall, done.stdout


def spread(values):
    return f"{min(values):.2f} / {statistics.median(values):.2f} / {max(values):.2f}"


parser = argparse.ArgumentParser()
parser.add_argument("--model", type=pathlib.Path)
parser.add_argument("--levels", default="Q4_K_M,Q8_0")
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target/bench")
arguments = parser.parse_args()
work = arguments.work
work.mkdir(parents=True, exist_ok=True)
model = arguments.model or work / "synthetic-1.1b"
if not model.exists():
    run([ROOT / "target/release/synthesize", model])
judge = pathlib.Path(os.environ.get("LLMQ_JUDGE", ROOT / "target/judge"))
libraries = judge / "node_modules/@node-llama-cpp/linux-x64/bins/linux-x64"
driver = ROOT / "tests/judge/llama_quantize.py"


def ours(level, name):
    command = [OURS, "--format", "json", "--verbosity", "quiet", "quantize", model, "gguf", "-q", level, "-o", work]
    cpu, wall, out = run(command + ["-n", name, "--threads", arguments.threads, "--no-checkpoints"])
    return cpu, wall, json.loads(out)


ours("BF16", "source")
with open("/proc/cpuinfo") as f:
    print("processor:", next(line.split(":")[1].strip() for line in f if line.startswith("model name")))
print("threads:", arguments.threads, " model:", model.name, " runs:", arguments.runs)
for level in arguments.levels.split(","):
    pairs = []
    for _ in range(arguments.runs):
        cpu, wall, result = ours(level, "ours")
        theirs = run(
            [sys.executable, driver, work / "source.gguf", work / "theirs.gguf", level, libraries, arguments.threads]
        )
        pairs.append((cpu, wall, theirs[0], theirs[1], result["memory"]))
        if not filecmp.cmp(work / "ours.gguf", work / "theirs.gguf", shallow=False):
            sys.exit(f"{level}: the two files differ")
    print(f"\n{level}: the same file, byte for byte (min / median / max)")
    print("  ours           CPU s", spread([p[0] for p in pairs]), "  wall s", spread([p[1] for p in pairs]))
    print("  llama.cpp      CPU s", spread([p[2] for p in pairs]), "  wall s", spread([p[3] for p in pairs]))
    print("  llama.cpp/ours CPU  ", spread([p[2] / p[0] for p in pairs]))
    print("  our memory          ", json.dumps(pairs[-1][4]))
