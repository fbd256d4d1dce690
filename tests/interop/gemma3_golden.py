#!/usr/bin/env python3
"""Writes tests/interop/gemma3_golden.json: logits that Transformers computes for small Gemma 3 models, for the tests.

A development check, no part of `make test`. Needs torch and transformers (2.15 and 5.24 were used):
    tests/interop/gemma3_golden.py
Weights come from a formula that the test repeats, so that none are stored: element i of tensor number t, in the order of
the list below, is scale * (((i * 2654435761 + t * 40503 + 12345) mod 2**32) / 2**32 - 0.5).
"""
import json
from pathlib import Path

import numpy
import torch
import transformers
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

VOCABULARY, HIDDEN, FEED_FORWARD, LAYERS, HEADS, KV_HEADS, HEAD_DIM = 97, 48, 80, 7, 4, 2, 16
TOKENS = [(i * 37 + 11) % VOCABULARY for i in range(23)]


def names():
    result = [("model.embed_tokens.weight", 2.0)]
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
                     "post_feedforward_layernorm", "self_attn.q_norm", "self_attn.k_norm"):
            result.append((f"{prefix}{norm}.weight", 0.8))
        for matrix in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj",
                       "mlp.up_proj", "mlp.down_proj"):
            result.append((f"{prefix}{matrix}.weight", 0.6))
    return result + [("model.norm.weight", 0.8)]


def values(number, count, scale):
    bits = (numpy.arange(count, dtype=numpy.uint64) * 2654435761 + number * 40503 + 12345) % 2**32
    return (scale * (bits.astype(numpy.float64) / 2**32 - 0.5)).astype(numpy.float32)


def model(**more):
    config = Gemma3TextConfig(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=FEED_FORWARD, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, head_dim=HEAD_DIM, max_position_embeddings=256,
        sliding_window=5, query_pre_attn_scalar=20,
        layer_types=["full_attention" if i % 6 == 5 else "sliding_attention" for i in range(LAYERS)], **more)
    config._attn_implementation = "eager"
    made = Gemma3ForCausalLM(config).float().eval()
    tensors = made.state_dict()
    for number, (name, scale) in enumerate(names()):
        tensor = tensors[name]
        tensor.copy_(torch.from_numpy(values(number, tensor.numel(), scale)).view_as(tensor))
    return made


def rope(factor):
    full = {"rope_type": "default", "rope_theta": 1e6}
    if factor != 1:
        full = {"rope_type": "linear", "factor": factor, "rope_theta": 1e6}
    return {"full_attention": full, "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}


def main():
    cases = []
    for factor in (1.0, 8.0):
        with torch.no_grad():
            logits = model(rope_parameters=rope(factor))(torch.tensor([TOKENS])).logits[0]
        # Every position's first eight and last two, which depend on all that stands before.
        rows = [[round(float(x), 7) for x in torch.cat([row[:8], row[-2:]])] for row in logits]
        cases.append({"factor": factor, "logits": rows})
    target = Path(__file__).resolve().parent / "gemma3_golden.json"
    origin = f"transformers {transformers.__version__}, torch {torch.__version__}, float32, by gemma3_golden.py"
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    target.write_text('{"origin": ' + json.dumps(origin) + ',\n"cases": [\n' + lines + "\n]}\n")
    print(target)


if __name__ == "__main__":
    main()
