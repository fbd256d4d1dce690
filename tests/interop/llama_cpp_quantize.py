#!/usr/bin/env python3
"""Are the q8_0, q4_0 and q4_1 weights that Retort writes llama.cpp's, byte for byte? On any model folder.

A development check, no part of `make test`. Needs llama.cpp's llama-quantize:
    tests/interop/llama_cpp_quantize.py build/release/bin/retort MODEL "PREFIX llama-quantize"
Exports MODEL in f32 and in each type; llama-quantize makes the same types of the f32 file, with the head in q8_0 as
Retort has it (its own choice for q4_0 and q4_1 is q6_K). Compares every tensor. Exit code 1 for a difference.
"""
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gguf_blocks_golden import Reader  # noqa: E402


def tensors_of(path):
    content = path.read_bytes()
    reader = Reader(content)
    reader.place = 8
    count, keys = reader.take("Q"), reader.take("Q")
    for _ in range(keys):
        reader.string()
        reader.value(reader.take("I"))
    entries = []
    for _ in range(count):
        name = reader.string()
        shape = [reader.take("Q") for _ in range(reader.take("I"))]
        entries.append((name, shape, reader.take("I"), reader.take("Q")))
    data = (reader.place + 31) // 32 * 32
    ends = sorted(entry[3] for entry in entries) + [len(content) - data]
    result = {}
    for name, shape, kind, offset in entries:
        end = min(place for place in ends if place > offset)
        result[name] = (shape, kind, content[data + offset:data + end])
    return result


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    retort, model, quantize = sys.argv[1], sys.argv[2], shlex.split(sys.argv[3])
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        exported = {}
        for kind in ("f32", "q8_0", "q4_0", "q4_1"):
            exported[kind] = Path(folder) / f"{kind}.gguf"
            subprocess.run([retort, "export", model, exported[kind], "--format", "gguf", "--dtype", kind], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for kind in ("q8_0", "q4_0", "q4_1"):
            theirs = Path(folder) / "theirs.gguf"
            subprocess.run([*quantize, "--pure", "--token-embedding-type", "q8_0", "--output-tensor-type", "q8_0",
                            str(exported["f32"]), str(theirs), kind.upper()], check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            ours, other = tensors_of(exported[kind]), tensors_of(theirs)
            different = [name for name in ours if ours[name] != other.get(name)]
            size = sum(len(entry[2]) for entry in ours.values())
            print(f"{kind}: {len(ours) - len(different)} of {len(ours)} tensors equal, {size / 1e6:.1f} MB"
                  + (f"; first different: {different[0]}" if different else ""))
            failed = failed or bool(different) or set(ours) != set(other)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
