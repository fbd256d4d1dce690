#!/usr/bin/env python3
"""Tokens a second of one training step: bench_training against the same model in PyTorch eager (training_peer.py).

Both start from the same weights on the same batch and take steps in turn, so that whatever else the machine does meets
both. A pair is one step of each; the ratio is the median of the pairs' ratios, and once more of processor seconds, which
say more on a busy machine with one thread. The losses of the first step must agree:
what is compared is one model. Usage: train.py --bench BIN --peer torch-peer.sh --out FILE [--pairs N] [--only SHAPE]
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

CASES = [("7m", "bf16"), ("7m", "f32"), ("135m", "bf16"), ("135m", "f32")]
HERE = os.path.dirname(os.path.abspath(__file__))


class Side:
    """A process that makes a step for every line that it is sent."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.parameters = self.reply()["ready"]

    def reply(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"train.py: {self.process.args[0]} ended with {self.process.wait()} before it answered")
        return json.loads(line)

    def step(self):
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        return self.reply()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def measure(arguments, shape, precision):
    folder = tempfile.mkdtemp(prefix="train-", dir=os.path.dirname(arguments.out) or ".")
    try:
        ours = Side([arguments.bench, shape, precision, str(arguments.threads), folder])
        peer = Side([arguments.peer, "run", os.path.join(HERE, "training_peer.py"), folder, precision,
                     str(arguments.threads)])
        with open(os.path.join(folder, "shape.json")) as file:
            made = json.load(file)
        first = [ours.step()["loss"], peer.step()["loss"]]
        for side in (ours, peer):
            side.step()
        seconds, cpu = ([], []), ([], [])
        for pair in range(arguments.pairs):
            order = (0, 1) if pair % 2 == 0 else (1, 0)
            for which in order:
                step = (ours, peer)[which].step()
                seconds[which].append(step["seconds"])
                cpu[which].append(step["cpu"])
        for side in (ours, peer):
            side.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    tokens = made["batch"] * made["tokens"]
    result = {"shape": shape, "precision": precision, "parameters": ours.parameters, "tokens": tokens,
              "losses": first, "seconds": {"retort": seconds[0], "pytorch": seconds[1]},
              "tokens_per_second": {"retort": tokens / statistics.median(seconds[0]),
                                    "pytorch": tokens / statistics.median(seconds[1])},
              "cpu_seconds": {"retort": cpu[0], "pytorch": cpu[1]},
              "ratio": statistics.median(theirs / own for own, theirs in zip(*seconds)),
              "cpu_ratio": statistics.median(theirs / own for own, theirs in zip(*cpu))}
    allowed = 2e-2 if precision == "bf16" else 1e-3
    if ours.parameters != peer.parameters or abs(first[0] - first[1]) > allowed * abs(first[1]):
        sys.exit(f"train.py: {shape}, {precision}: expected one model on both sides, found {ours.parameters} and "
                 f"{peer.parameters} parameters, losses {first[0]} and {first[1]}")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bench", required=True)
    parser.add_argument("--peer", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", help="a shape")
    arguments = parser.parse_args()
    arguments.bench, arguments.peer, arguments.out = map(os.path.abspath,
                                                         (arguments.bench, arguments.peer, arguments.out))
    os.makedirs(os.path.dirname(arguments.out), exist_ok=True)
    subprocess.run([arguments.peer, "setup"], check=True)
    results = []
    print(f"tokens/s, {arguments.threads} threads, medians of {arguments.pairs} pairs")
    print(f"{'model':8} {'':5} {'tokens':>7} {'Retort':>12} {'PyTorch':>12} {'ratio':>7} {'of CPU':>7}")
    for shape, precision in CASES:
        if arguments.only in (None, shape):
            results.append(measure(arguments, shape, precision))
            one = results[-1]
            print(f"{shape:8} {precision:5} {one['tokens']:7} {one['tokens_per_second']['retort']:12.0f} "
                  f"{one['tokens_per_second']['pytorch']:12.0f} {one['ratio']:7.2f} {one['cpu_ratio']:7.2f}", flush=True)
    with open(arguments.out, "w") as file:
        json.dump({"threads": arguments.threads, "pairs": arguments.pairs, "results": results}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
