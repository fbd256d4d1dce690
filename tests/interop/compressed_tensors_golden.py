#!/usr/bin/env python3
"""Reads the folders of write_quantized_models with transformers and compressed-tensors, and writes what they hold.

    python3 -m venv /tmp/interop && /tmp/interop/bin/pip install torch transformers compressed-tensors
    build/release/bin/write_quantized_models /tmp/models
    /tmp/interop/bin/python tests/interop/compressed_tensors_golden.py /tmp/models > tests/interop/quantized_models.json

Every weight as compressed-tensors restores it (SHA-256 of its f32 bytes, a few values), the logits of four tokens, and
the SHA-256 of the files that were read. A weight that is missing or not expected is an error. Folders whose embedding is
int4 load with dequantize=True alone: as a module, compressed-tensors 0.20 leaves an embedding without a weight.
"""

import hashlib
import json
import pathlib
import sys

import compressed_tensors
import torch
import transformers

TOKENS = [1, 5, 7, 3]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def read(folder):
    options = {}
    if "-pure-" in folder.name:
        options["quantization_config"] = transformers.CompressedTensorsConfig(dequantize=True)
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True, **options
    )
    problems = {key: value for key, value in report.items() if value}
    if problems:
        sys.exit(f"{folder}: {problems}")
    with torch.no_grad():
        logits = model(torch.tensor([TOKENS])).logits[0, -1]  # restores the weights, which are kept compressed
    weights = {}
    for name, tensor in sorted(model.state_dict().items()):
        if not name.endswith(".weight"):
            continue
        if tensor.dtype != torch.float32:
            sys.exit(f"{folder}: {name} is {tensor.dtype} still")
        flat = tensor.contiguous().flatten()
        weights[name] = {
            "shape": list(tensor.shape),
            "sha256": sha256(flat.numpy().tobytes()),
            "first": flat[:3].tolist(),
        }
    return {
        "files": {path.name: sha256(path.read_bytes()) for path in sorted(folder.iterdir())},
        "weights": weights,
        "logits": logits.tolist(),
    }


def main():
    folder = pathlib.Path(sys.argv[1])
    models = {path.name: read(path) for path in sorted(folder.iterdir()) if path.is_dir()}
    made_with = {
        "compressed-tensors": compressed_tensors.__version__,
        "transformers": transformers.__version__,
        "torch": torch.__version__,
    }
    json.dump({"made_with": made_with, "tokens": TOKENS, "models": models}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
