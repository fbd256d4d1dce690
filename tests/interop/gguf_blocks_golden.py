#!/usr/bin/env python3
"""Writes tests/golden/gguf_blocks.json: what llama.cpp's llama-quantize makes of one matrix, in every block type that
Retort reads, and the f32 that it makes of those blocks again. For tests/unit/model/gguf_blocks_test.cpp.

A development check, no part of `make test`. Needs llama-quantize:
    tests/interop/gguf_blocks_golden.py "PREFIX llama-quantize"
The matrix is the first weight of a llama model with one layer, made here. Its four rows of 256 have: normal values,
normal values of very different size per block, values on rounding borders, and blocks of zeros and single spikes.
"""
import json
import random
import shlex
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TYPES = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K", "F16", "BF16"]
TENSOR = "blk.0.ffn_up.weight"
COLUMNS, ROWS, STORED_ROWS = 256, 256, 4
U32, F32, STRING, ARRAY = 4, 6, 8, 9


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def key(name, kind, payload):
    return text(name) + struct.pack("<I", kind) + payload


def rows():
    generator = random.Random(7)
    normal = [generator.gauss(0, 1) for _ in range(COLUMNS)]
    scaled = [generator.gauss(0, 1) * 10.0 ** (4 - i // 32) for i in range(COLUMNS)]
    borders = [(i % 33 - 16) / 2 for i in range(COLUMNS)]
    spikes = [0.0] * COLUMNS
    for i in (40, 100, 101, 255):
        spikes[i] = generator.gauss(0, 3)
    rest = [[generator.gauss(0, 0.02) for _ in range(COLUMNS)] for _ in range(ROWS - STORED_ROWS)]
    return [normal, scaled, borders, spikes, *rest]


def model(matrix):
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(253)]
    keys = [key("general.architecture", STRING, text("llama")),
            *[key("llama." + name, U32, struct.pack("<I", value)) for name, value in (
                ("context_length", 64), ("embedding_length", COLUMNS), ("block_count", 1),
                ("feed_forward_length", ROWS), ("attention.head_count", 4), ("attention.head_count_kv", 4),
                ("rope.dimension_count", 64))],
            key("llama.attention.layer_norm_rms_epsilon", F32, struct.pack("<f", 1e-5)),
            key("tokenizer.ggml.model", STRING, text("llama")),
            key("tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, 256) + b"".join(map(text, tokens))),
            key("tokenizer.ggml.scores", ARRAY, struct.pack("<IQ", F32, 256) + struct.pack("<256f", *[0.0] * 256)),
            key("tokenizer.ggml.token_type", ARRAY,
                struct.pack("<IQ", 5, 256) + struct.pack("<256i", 2, 3, 3, *[6] * 253))]
    square, vector = (COLUMNS, ROWS), (COLUMNS,)
    tensors = [(TENSOR, square), ("token_embd.weight", square), ("output.weight", square),
               ("output_norm.weight", vector), ("blk.0.attn_norm.weight", vector), ("blk.0.ffn_norm.weight", vector),
               *[(f"blk.0.{name}.weight", square)
                 for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_down")]]
    header, data = b"", b""
    for name, shape in tensors:
        header += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        header += struct.pack("<IQ", 0, len(data))
        data += matrix if len(shape) == 2 else struct.pack(f"<{COLUMNS}f", *[1.0] * COLUMNS)
    start = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys) + header
    return start + b"\0" * (-len(start) % 32) + data


class Reader:
    def __init__(self, content):
        self.content, self.place = content, 0

    def take(self, kind):
        value, = struct.unpack_from("<" + kind, self.content, self.place)
        self.place += struct.calcsize("<" + kind)
        return value

    def string(self):
        size = self.take("Q")
        self.place += size
        return self.content[self.place - size:self.place].decode()

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            inner, count = self.take("I"), self.take("Q")
            return [self.value(inner) for _ in range(count)]
        return self.take({0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}[kind])


def tensor_bytes(path, rows_of):
    """The first bytes of TENSOR, those of `rows_of` rows, and its type's number."""
    reader = Reader(path.read_bytes())
    reader.place = 8
    tensors, keys = reader.take("Q"), reader.take("Q")
    for _ in range(keys):
        reader.string()
        reader.value(reader.take("I"))
    places = {}
    for _ in range(tensors):
        name = reader.string()
        shape = [reader.take("Q") for _ in range(reader.take("I"))]
        places[name] = (reader.take("I"), reader.take("Q"), shape)
    data = (reader.place + 31) // 32 * 32
    kind, offset, _ = places[TENSOR]
    end = min([place for _, place, _ in places.values() if place > offset] + [len(reader.content) - data])
    size = (end - offset) // ROWS * rows_of
    return kind, reader.content[data + offset:data + offset + size]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    quantize = shlex.split(sys.argv[1])
    flat = [value for row in rows() for value in row]
    matrix = struct.pack(f"<{len(flat)}f", *flat)
    golden = {"origin": "llama.cpp's llama-quantize --pure, by tests/interop/gguf_blocks_golden.py", "columns": COLUMNS,
              "rows": STORED_ROWS, "values": matrix[:STORED_ROWS * COLUMNS * 4].hex(), "types": {}}

    def run(*arguments):
        subprocess.run([*quantize, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    with tempfile.TemporaryDirectory() as folder:
        source, quantised, back = (Path(folder) / name for name in ("f32.gguf", "quantised.gguf", "back.gguf"))
        source.write_bytes(model(matrix))
        for name in TYPES:
            run("--pure", source, quantised, name if not name.endswith("_K") or name == "Q6_K" else name + "_S")
            run("--allow-requantize", "--pure", quantised, back, "F32")
            kind, blocks = tensor_bytes(quantised, STORED_ROWS)
            again, values = tensor_bytes(back, STORED_ROWS)
            assert again == 0, again
            golden["types"][name] = {"number": kind, "blocks": blocks.hex(), "values": values.hex()}
    target = Path(__file__).resolve().parents[1] / "golden" / "gguf_blocks.json"
    target.write_text(json.dumps(golden, indent=0) + "\n")
    print(f"{target}: {len(TYPES)} types")


if __name__ == "__main__":
    main()
