"""Writes the files beside it with torch 2.2.2 (CPU). Values are small multiples of 1/8, so every type holds them."""

import collections
import torch

torch.manual_seed(0)


def numbers(*shape, start=0):
    count = 1
    for d in shape:
        count *= d
    return (torch.arange(count, dtype=torch.float64) + start).div(8).reshape(shape)


def state():
    base = numbers(4, 6).float()
    tied = numbers(3, 4, start=5).bfloat16()
    every = collections.OrderedDict()
    every["f64"] = numbers(2, 3)
    every["f32"] = base
    every["f32.transposed"] = base.t()
    every["f32.rows"] = base[1:3]
    every["f32.columns"] = base[:, 2:5]
    every["f32.expanded"] = base[3:4].expand(5, 6)
    every["f16"] = numbers(2, 2, start=1).half()
    every["bf16"] = tied
    every["bf16.tied"] = tied
    every["i64"] = torch.arange(3)
    every["u8"] = torch.arange(4, dtype=torch.uint8)
    every["bool"] = torch.tensor([True, False])
    every["scalar"] = torch.tensor(2.5)
    every["empty"] = torch.zeros(0, 4)
    every["parameter"] = torch.nn.Parameter(numbers(2, 2).float())
    return every


def llama():
    """The model that the tests build as `Folder::llama`."""
    shapes = {"model.embed_tokens": (12, 8), "model.norm": (8,), "lm_head": (12, 8)}
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
            shapes[f"model.layers.{layer}.{name}"] = shape
    names = {f"{name}.weight": shape for name, shape in shapes.items()}
    return {name: numbers(*shape, start=sum(name.encode()) % 64).float() for name, shape in names.items()}


if __name__ == "__main__":
    model = llama()
    # Matrices as another program may leave them: transposed in memory.
    for name in ["lm_head.weight", "model.layers.1.mlp.up_proj.weight"]:
        model[name] = model[name].t().contiguous().t()
    torch.save(model, "pytorch_model.bin")
    names = sorted(model)
    torch.save({name: model[name] for name in names[:9]}, "pytorch_model-00001-of-00002.bin")
    torch.save(
        {name: model[name] for name in names[9:]},
        "pytorch_model-00002-of-00002.bin",
        _use_new_zipfile_serialization=False,
    )
    torch.save(state(), "zip.bin")
    torch.save(state(), "stream.bin", _use_new_zipfile_serialization=False)
    torch.save(dict(state()), "protocol4.bin", pickle_protocol=4)
    f8 = {"e4m3": numbers(2, 4).to(torch.float8_e4m3fn), "e5m2": numbers(2, 2).to(torch.float8_e5m2)}
    torch.save(f8, "float8.bin")
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    with torch.no_grad():
        for number, parameter in enumerate(module.parameters()):
            parameter.copy_(numbers(*parameter.shape, start=number))
    torch.save(module.state_dict(), "module.bin")
    torch.save(module, "whole-module.bin")
    torch.save({"model": state()["f32"], "epoch": 3}, "training.bin")
