"""Makes the golden values of this folder with numpy in double precision, by the formulas that llama-perplexity prints.

    python make.py        (numpy 2.4.6)

logits.f32: 130 rows of the original, then 130 rows of the other model, 211 logits each.
base.logits: the file of log-probabilities of the original's rows, encoded here from the description of the format.
figures.json: what is expected.
"""
import json
import struct
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
VOCABULARY, CONTEXT, CHUNKS = 211, 131, 2
ROWS = 65  # of a chunk: 65 to 129
f32 = np.float32

rng = np.random.default_rng(5)
n = ROWS * CHUNKS
base = (rng.standard_normal((n, VOCABULARY)) * 3).astype(f32)
base[::3] *= f32(4)  # Confident rows, deeper than 16 nats.
noise = rng.standard_normal((n, VOCABULARY)) * rng.choice([0.01, 0.3, 2.0], (n, 1))
other = (base + noise).astype(f32)
other[5] = f32(1.0)
base[11] = f32(-7.5)
tokens = rng.integers(0, VOCABULARY, CONTEXT * CHUNKS)
for row in range(n):  # The text follows the model now and then.
    if row % 2:
        chunk, at = divmod(row, ROWS)
        tokens[chunk * CONTEXT + CONTEXT // 2 + at + 1] = base[row].argmax()
targets = np.concatenate([tokens[c * CONTEXT + CONTEXT // 2 + 1 : (c + 1) * CONTEXT] for c in range(CHUNKS)])
assert len(targets) == n


def log_softmax(logits):
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def estimate(values):
    return [values.mean(), np.sqrt(values.var() / (len(values) - 1))]


def summary(log_p, log_q, kld, same):
    index = np.arange(n)
    nll_base, nll = -log_p[index, targets], -log_q[index, targets]
    (mean, error), (mean_base, error_base) = estimate(nll), estimate(nll_base)
    covariance = ((nll * nll_base).mean() - mean * mean_base) / (n - 1)
    ratio, ratio_error = mean - mean_base, np.sqrt(error**2 + error_base**2 - 2 * covariance)
    ppl, ppl_base = np.exp(mean), np.exp(mean_base)
    difference_error = np.sqrt((ppl * error) ** 2 + (ppl_base * error_base) ** 2 - 2 * ppl * ppl_base * covariance)
    delta = np.exp(-nll) - np.exp(-nll_base)
    square, square_error = estimate(delta**2)
    agreed = same.mean()
    fractions = [0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1]
    return {
        "positions": n,
        "perplexity": [ppl, ppl * error],
        "perplexity_base": [ppl_base, ppl_base * error_base],
        "log_perplexity_ratio": [ratio, ratio_error],
        "perplexity_ratio": [np.exp(ratio), np.exp(ratio) * ratio_error],
        "perplexity_difference": [ppl - ppl_base, difference_error],
        "log_perplexity_correlation": covariance / (error * error_base),
        "mean_kld": estimate(kld),
        "kld": np.quantile(kld, fractions).tolist(),
        "top1_agreement": [agreed, np.sqrt(agreed * (1 - agreed) / (n - 1))],
        "mean_delta_p": estimate(delta),
        "rms_delta_p": [np.sqrt(square), 0.5 / np.sqrt(square) * square_error],
        "delta_p": np.quantile(delta, fractions).tolist(),
    }


log_p, log_q = log_softmax(base), log_softmax(other)
kld = (np.exp(log_p) * (log_p - log_q)).sum(axis=1)
exact = summary(log_p, log_q, kld, base.argmax(axis=1) == other.argmax(axis=1))

# The file, in single precision.
largest = base.max(axis=1, keepdims=True)
least = np.maximum(base.min(axis=1, keepdims=True), largest - f32(16))
log_sum = np.log(np.exp(base.astype(np.float64) - largest).sum(axis=1, keepdims=True)).astype(f32)
scale = (largest - least) / f32(65535)
minimum = least - largest - log_sum
with np.errstate(divide="ignore", invalid="ignore"):
    levels = np.where((base > least) & (scale > 0), np.rint((f32(1) / scale) * (base - least)), 0).astype(np.uint16)
with open(HERE / "base.logits", "wb") as out:
    out.write(b"_logits_" + struct.pack("<3i", CONTEXT, VOCABULARY, CHUNKS))
    out.write(tokens.astype("<i4").tobytes())
    for row in range(n):
        out.write(struct.pack("<2f", scale[row, 0], minimum[row, 0]))
        out.write(levels[row].astype("<u2").tobytes() + b"\0\0" * (VOCABULARY % 2))

log_p = scale.astype(np.float64) * levels + minimum
kld = np.where(log_p > -16, np.exp(log_p) * (log_p - log_q), 0).sum(axis=1)
stored = summary(log_p, log_q, kld, log_p.argmax(axis=1) == other.argmax(axis=1))

np.concatenate([base, other]).astype("<f4").tofile(HERE / "logits.f32")
figures = {"vocabulary": VOCABULARY, "context": CONTEXT, "chunks": CHUNKS, "tokens": tokens.tolist()}
(HERE / "figures.json").write_text(json.dumps(figures | {"exact": exact, "stored": stored}, indent=1) + "\n")
