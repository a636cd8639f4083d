"""Writes the checkpoints beside it, and what torch 2.2.2 (CPU) makes of them: the weights that the tests expect.

Every folder holds a whole model of the shape of `Folder::llama`: config.json's quantization_config, the checkpoint, and
`expected.safetensors` with all weights in single precision.
"""

import json
import os

import torch
from safetensors.torch import save_file

torch.manual_seed(0)
E4M3, E5M2 = torch.float8_e4m3fn, torch.float8_e5m2


def shapes():
    found = {"model.embed_tokens": (12, 8), "model.norm": (8,), "lm_head": (12, 8)}
    for layer in range(2):
        for name, shape in {
            "input_layernorm": (8,),
            "self_attn.q_proj": (8, 8),
            "self_attn.k_proj": (4, 8),
            "self_attn.v_proj": (4, 8),
            "self_attn.o_proj": (8, 8),
            "post_attention_layernorm": (8,),
            "mlp.gate_proj": (6, 8),
            "mlp.up_proj": (6, 8),
            "mlp.down_proj": (8, 6),
        }.items():
            found[f"model.layers.{layer}.{name}"] = shape
    return {f"{name}.weight": shape for name, shape in found.items()}


def is_linear(name):
    return "_proj." in name


def expand(scale, block, shape):
    for dim, size in enumerate(block):
        scale = scale.repeat_interleave(size, dim)
    return scale[: shape[0], : shape[1]]


def float8(folder, config, dtype, scale_name, make_scale, block=None, scale_dtype=torch.float32, extra=()):
    stored, expected = {}, {}
    for name, shape in shapes().items():
        weight = torch.randn(*shape)
        if not is_linear(name):
            stored[name] = weight.bfloat16()
            expected[name] = stored[name].float()
            continue
        scale = make_scale(shape).to(scale_dtype)
        stored[name] = (weight * 20).to(dtype)
        stored[name.replace("weight", scale_name)] = scale
        for word in extra:
            stored[name.replace("weight", word)] = torch.tensor([0.5])
        wide = expand(scale.float(), block, shape) if block else scale.float()
        expected[name] = stored[name].float() * wide
    write(folder, config, stored, expected)


def pack(trits):
    bands = (trits + 1).to(torch.uint8).reshape(4, trits.shape[0] // 4, trits.shape[1])
    return bands[0] | bands[1] << 2 | bands[2] << 4 | bands[3] << 6


def ternary(folder, config, divides):
    stored, expected = {}, {}
    for name, shape in shapes().items():
        weight = torch.randn(*shape)
        # Rows that are no multiple of four cannot be packed; the tests' model has such matrices.
        if not is_linear(name) or shape[0] % 4:
            stored[name] = weight.bfloat16()
            expected[name] = stored[name].float()
            continue
        trits = torch.randint(-1, 2, shape)
        scale = (torch.rand(1) + 0.5).bfloat16()
        stored[name], stored[f"{name}_scale"] = pack(trits), scale
        expected[name] = trits.float() / scale.float() if divides else trits.float() * scale.float()
    write(folder, config, stored, expected)


def masters(folder, config):
    stored, expected = {}, {}
    for name, shape in shapes().items():
        stored[name] = torch.randn(*shape).bfloat16()
        weight = stored[name].float()
        if is_linear(name):
            scale = 1.0 / weight.abs().mean().clamp_(min=1e-5)
            weight = ((weight * scale).round().clamp(-1, 1) / scale).bfloat16().float()
        expected[name] = weight
    write(folder, config, stored, expected)


def write(folder, config, stored, expected):
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/quantization_config.json", "w") as file:
        json.dump(config, file, indent=1)
        file.write("\n")
    save_file({name: tensor.contiguous() for name, tensor in stored.items()}, f"{folder}/model.safetensors")
    save_file(expected, f"{folder}/expected.safetensors")


if __name__ == "__main__":
    block = [3, 5]
    grid = lambda shape: torch.rand(-(-shape[0] // block[0]), -(-shape[1] // block[1])) / 50
    row = lambda shape: torch.rand(shape[0], 1) / 50
    one = lambda shape: torch.rand(1)[0] / 50
    fp8 = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": block}
    float8("fp8-blocks", fp8, E4M3, "weight_scale_inv", grid, block)
    static = {"quant_method": "fp8", "activation_scheme": "static", "weight_block_size": None}
    float8("fp8-tensor", static, E5M2, "weight_scale_inv", one, extra=["activation_scale"], scale_dtype=torch.bfloat16)
    float8("fbgemm", {"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0}, E4M3, "weight_scale", row,
           extra=["input_scale_ub"])
    weights = {"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": True, "dynamic": False}
    compressed = {"quant_method": "compressed-tensors", "format": "float-quantized",
                  "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}}}
    float8("compressed-tensors", compressed, E4M3, "weight_scale", row, scale_dtype=torch.bfloat16,
           extra=["input_scale"])
    ternary("bitnet-packed", {"quant_method": "bitnet"}, True)
    ternary("bitnet-offline", {"quant_method": "bitnet", "linear_class": "autobitlinear",
                               "quantization_mode": "offline"}, False)
    masters("bitnet-online", {"quant_method": "bitnet", "linear_class": "autobitlinear",
                              "quantization_mode": "online"})
