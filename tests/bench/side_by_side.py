"""One pass of llm-quantize against stock llama_model_quantize, side by side, and the memory that each needs.

    cargo build --release -p llm-quantize -p llmq-plugin-gguf -p llmq-tests
    tests/judge/install
    python3 tests/bench/side_by_side.py [--model FOLDER] [--levels Q4_K_M,Q8_0] [--runs 3] [--work FOLDER]
        [--from folder|f16] [--importance] [--converter "python3 convert_hf_to_gguf.py"]

Without --model a synthetic 1.1 G-weight Llama (2.2 GB, BF16) is generated in the work folder. The two programs take
turns; figures are the operating system's own accounting of each child: CPU = user + system seconds.

--from folder: ours starts from the safetensors folder. llama.cpp starts from the BF16 GGUF that we wrote before the clock
starts; with --converter its own converter writes that file, and the converter's time is counted.
--from f16: both start from the same F16 GGUF. --importance: both use a made-up importance matrix.
Both outputs must be the same file, or the comparison is void.
"""
import argparse, array, filecmp, json, os, pathlib, random, resource, shlex, statistics, struct, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = ROOT / "target/release/llm-quantize"


def run(command, place=None):
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=place)
    wall = time.monotonic() - wall
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{command} failed:\n{done.stdout.decode()}\n{done.stderr.decode()}")
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime), wall, done.stdout


def made_up_importance(path, layers, hidden, ffn):
    """A matrix in the older form: entries of `calls, length, values`, without the embeddings and the output."""
    widths = dict.fromkeys(["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up"], hidden) | {"ffn_down": ffn}
    draw = random.Random(1)
    with open(path, "wb") as out:
        out.write(struct.pack("<i", layers * len(widths)))
        for layer in range(layers):
            for part, width in widths.items():
                name = f"blk.{layer}.{part}.weight".encode()
                values = array.array("f", (draw.expovariate(1.0) + 1e-3 for _ in range(width)))
                out.write(struct.pack("<i", len(name)) + name + struct.pack("<ii", 1, width) + values.tobytes())
        out.write(struct.pack("<i", 1) + struct.pack("<i", 7) + b"made up")


def spread(values):
    return f"{min(values):.2f} / {statistics.median(values):.2f} / {max(values):.2f}"


parser = argparse.ArgumentParser()
parser.add_argument("--model", type=pathlib.Path)
parser.add_argument("--levels", default="Q4_K_M,Q8_0")
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--from", dest="source", choices=["folder", "f16"], default="folder")
parser.add_argument("--importance", action="store_true")
parser.add_argument("--converter", type=shlex.split)
parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target/bench")
arguments = parser.parse_args()
work = arguments.work.resolve()
work.mkdir(parents=True, exist_ok=True)
model = arguments.model.resolve() if arguments.model else work / "synthetic-1.1b"
if not model.exists():
    run([ROOT / "target/release/synthesize", model])
judge = pathlib.Path(os.environ.get("LLMQ_JUDGE", ROOT / "target/judge"))
libraries = judge / "node_modules/@node-llama-cpp/linux-x64/bins/linux-x64"


given = []
if arguments.importance:
    config = json.loads((model / "config.json").read_text())
    given = ["--imatrix", "made-up.dat"]
    made_up_importance(work / given[1], config["num_hidden_layers"], config["hidden_size"], config["intermediate_size"])


def ours(source, level, name):
    command = [OURS, "--format", "json", "--verbosity", "quiet", "quantize", source, "gguf", "-q", level, "-o", work]
    importance = given if name == "ours" else []
    command += importance + ["-n", name, "--threads", arguments.threads, "--no-checkpoints"]
    cpu, wall, out = run(command, work)
    return cpu, wall, json.loads(out)


def theirs(level):
    source, cpu, wall = work / "source.gguf", 0, 0
    if arguments.converter:
        source = work / "converted.gguf"
        cpu, wall, _ = run(arguments.converter + [model, "--outfile", source, "--outtype", "bf16"])
    driver = ROOT / "tests/judge/llama_quantize.py"
    command = [sys.executable, driver, source, work / "theirs.gguf", level, libraries, arguments.threads] + given
    more = run(command, work)
    return cpu + more[0], wall + more[1]


ours(model, "BF16" if arguments.source == "folder" else "F16", "source")
begin = model if arguments.source == "folder" else work / "source.gguf"
with open("/proc/cpuinfo") as f:
    print("processor:", next(line.split(":")[1].strip() for line in f if line.startswith("model name")))
print("threads:", arguments.threads, " model:", model.name, " runs:", arguments.runs, " from:", begin.name,
      " importance:", arguments.importance, " their converter counted:", bool(arguments.converter))
for level in arguments.levels.split(","):
    pairs = []
    for _ in range(arguments.runs):
        cpu, wall, result = ours(begin, level, "ours")
        pairs.append((cpu, wall, *theirs(level), result["memory"]))
        if not filecmp.cmp(work / "ours.gguf", work / "theirs.gguf", shallow=False):
            sys.exit(f"{level}: the two files differ")
    print(f"\n{level}: the same file, byte for byte (min / median / max)")
    print("  ours           CPU s", spread([p[0] for p in pairs]), "  wall s", spread([p[1] for p in pairs]))
    print("  llama.cpp      CPU s", spread([p[2] for p in pairs]), "  wall s", spread([p[3] for p in pairs]))
    print("  llama.cpp/ours CPU  ", spread([p[2] / p[0] for p in pairs]))
    print("  our memory          ", json.dumps(pairs[-1][4]))
