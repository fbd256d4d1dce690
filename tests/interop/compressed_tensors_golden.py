#!/usr/bin/env python3
"""Reads the folders of write_quantized_models with transformers and compressed-tensors, and writes what they hold.

    python3 -m venv /tmp/interop && /tmp/interop/bin/pip install torch transformers compressed-tensors
    build/release/bin/write_quantized_models /tmp/models
    /tmp/interop/bin/python tests/interop/compressed_tensors_golden.py /tmp/models > tests/interop/quantized_models.json

Every weight as compressed-tensors restores it (SHA-256 of its f32 bytes, a few values), the logits of four tokens, and
the SHA-256 of the files that were read. A weight that is missing or not expected is an error. Folders whose embedding is
int4 load with dequantize=True alone: as a module, compressed-tensors 0.20 leaves an embedding without a weight. Folders with
zero points do not load as they are: see pack_zero_points_of_empty_models.
"""

import hashlib
import json
import math
import pathlib
import sys

import compressed_tensors
import torch
import transformers
from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor

TOKENS = [1, 5, 7, 3]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def pack_zero_points_of_empty_models():
    """Transformers gives a model on the meta device the shapes of compressed-tensors' compress, which packs zero points
    (along the rows, as our files have them) of real tensors alone in 0.20: the packed ones of any file, their own too, are
    a "size mismatch" then. With this, shapes are those that its decompress reads."""
    compress = PackedQuantizationCompressor.compress.__func__

    def packed(cls, state_dict, scheme):
        result = compress(cls, state_dict, scheme)
        zero = result.get("weight_zero_point")
        if zero is not None and zero.device.type == "meta":
            rows = math.ceil(zero.shape[0] * scheme.weights.num_bits / 32)
            result["weight_zero_point"] = torch.empty((rows, *zero.shape[1:]), dtype=torch.int32, device="meta")
        return result

    PackedQuantizationCompressor.compress = classmethod(packed)


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
    pack_zero_points_of_empty_models()
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
