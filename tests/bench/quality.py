#!/usr/bin/env python3
"""How well Retort's super-tiny models understand words that they were not made from, beside a sequence labeller.

For each task: `retort run` of its config (what has been made is used again), `retort eval` of the exported model on the
task's held-out rows, and the same rows answered by sequence_labeller.py (a conditional random field for the slots, logistic
regression for the intent), which is trained on the same training rows. Exact match of whole calls, by groups of rows;
McNemar's exact test of the two on the same rows.

  snips          configs/snips.json    SNIPS: 13,084 training rows, 7 intents, 39 slots; validation and test together
  slurp          configs/intents.json  SLURP: 2,476 training rows, 77 intents, 53 slots; the same
  restaurant8k   configs/intents.json  Restaurant-8k: 7,515 training rows, one intent, 5 slots; the same
  home           configs/home.json     100 things that people say to a home; the model has seen none of them

The labeller needs python-crfsuite and scikit-learn; they are installed into a virtual environment beside the results the
first time. Where that fails its columns stay empty, and that is said.
"""
import argparse
import json
import math
import os
import pathlib
import subprocess
import sys

SKIPPED = 77  # as CMake's SKIP_RETURN_CODE
HERE = pathlib.Path(__file__).resolve().parent
CONFIGS = HERE.parent.parent / "configs"
TASKS = {
    "snips": ("snips.json", "snips-splits"),
    "slurp": ("intents.json", "slurp"),
    "restaurant8k": ("intents.json", "restaurant8k"),
    "home": ("home.json", None),
}


def run(command, log=None, environment=None):
    out = open(log, "w") if log else subprocess.PIPE
    done = subprocess.run([str(part) for part in command], stdout=out, stderr=subprocess.STDOUT if log else subprocess.PIPE,
                          text=True, env=environment, check=False)
    if done.returncode != 0:
        said = pathlib.Path(log).read_text()[-2000:] if log else done.stderr[-2000:]
        sys.exit(f"bench-quality: {' '.join(map(str, command))} ended with {done.returncode}:\n{said}")
    return done.stdout


def labeller_python(folder):
    """The interpreter of an environment that has what the labeller needs, or None."""
    python = folder / "venv" / "bin" / "python"
    wanted = "import pycrfsuite, sklearn"
    if not python.exists() or subprocess.run([python, "-c", wanted], capture_output=True, check=False).returncode != 0:
        for command in ([sys.executable, "-m", "venv", folder / "venv"],
                        [python, "-m", "pip", "install", "--quiet", "python-crfsuite", "scikit-learn"]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                print(f"bench-quality: no labeller beside it, as {' '.join(map(str, command))} failed:\n{done.stderr[-500:]}")
                return None
    return python


def mcnemar(wins, losses):
    """Two-sided exact p of as uneven a split of the rows that only one of the two answers right."""
    rows = wins + losses
    tail = sum(math.comb(rows, i) for i in range(min(wins, losses) + 1))
    return min(1.0, 2 * tail / 2 ** rows) if rows else 1.0


def jsonl(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def utterance_of(row):
    return [message["content"] for message in row["messages"] if message["role"] == "user"][-1]


def calls_of(row):
    calls = row["messages"][-1].get("tool_calls") or []
    return [{"name": call["function"]["name"], "arguments": json.loads(call["function"]["arguments"])} for call in calls]


def held_out(task, run_folder, folder, shared):
    """One file of the task's rows, in order, beside the training rows of the run, so that groups can be told."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = folder / "rows.jsonl"
    if task == "home":
        rows.write_bytes((shared / "data" / "home-wild" / "dev.jsonl").read_bytes())
        return rows
    data = run_folder / "stages" / "utterances"
    rows.write_bytes(b"".join((data / f"{split}.jsonl").read_bytes() for split in ("validation", "test")))
    for name in ("train.jsonl", "tools.json"):
        (folder / name).write_bytes((data / name).read_bytes())
    return rows


def exact_rows(rows, misses):
    """For each row whether it was answered right; misses stand in the rows' order."""
    exact, next_miss = [], 0
    for row in rows:
        missed = (next_miss < len(misses) and misses[next_miss]["utterance"] == utterance_of(row)
                  and misses[next_miss]["expected"] == calls_of(row))
        next_miss += missed
        exact.append(not missed)
    if next_miss != len(misses):
        sys.exit("bench-quality: a miss of retort eval is none of the rows in their order")
    return exact


def percent(exact):
    return round(100 * sum(exact) / len(exact), 1) if exact else None


def measure(task, arguments, python):
    config, corpus = TASKS[task]
    run_folder, folder = arguments.work / "runs" / task, arguments.work / task
    folder.mkdir(parents=True, exist_ok=True)
    command = [arguments.retort, "run", CONFIGS / config, "--run-dir", run_folder, "--set", f"seed={arguments.seed}"]
    if corpus:
        command += ["--set", f"data={arguments.shared / 'data' / corpus}"]
    if arguments.smoke:
        text = "\n".join(line for line in (CONFIGS / config).read_text().splitlines() if not line.strip().startswith("//"))
        for key, value in json.loads(text)["smoke"]["set"].items():
            command += ["--set", f"{key}={json.dumps(value)}"]
    run(command, folder / "run.log")
    file = held_out(task, run_folder, folder, arguments.shared)
    report = json.loads(run([arguments.retort, "eval", run_folder / "model", file, "--json"]))
    rows = jsonl(file)
    ours = exact_rows(rows, report["misses"])
    weights = sum(part.stat().st_size for part in (run_folder / "model").glob("*.safetensors"))
    result = {"rows": len(rows), "exact_match": percent(ours), "malformed": round(100 * report["malformed"], 1),
              "p50_ms": report["p50_ms"], "weight_bytes": weights, "groups": report["groups"]}
    if corpus and python:
        result["labeller"] = beside(python, arguments, corpus, folder, rows, ours)
    return result


def beside(python, arguments, corpus, folder, rows, ours):
    answers = folder / ("labeller_smoke.jsonl" if arguments.smoke else "labeller.jsonl")
    if not answers.exists():
        limit = ["--train-limit", "300"] if arguments.smoke else []
        run([python, HERE / "sequence_labeller.py", arguments.shared / "data" / corpus, "--out", answers] + limit,
            folder / "labeller.log", os.environ | {"OMP_NUM_THREADS": "1"})
    theirs = jsonl(answers)
    if [row["utterance"] for row in theirs] != [utterance_of(row) for row in rows]:
        sys.exit(f"bench-quality: {answers} and the run's rows differ; rows that the import rejects must not be there")
    wins = sum(mine and not other["exact"] for mine, other in zip(ours, theirs))
    losses = sum(not mine and other["exact"] for mine, other in zip(ours, theirs))
    by_value = {name: {"rows": len(chosen), "retort": percent([mine for mine, _ in chosen]),
                       "labeller": percent([other["exact"] for _, other in chosen])}
                for name, unseen in (("all seen in training", False), ("one or more unseen", True))
                for chosen in [[pair for pair in zip(ours, theirs) if pair[1]["unseen"] == unseen]]}
    milliseconds = sorted(row["milliseconds"] for row in theirs)
    return {"exact_match": percent([row["exact"] for row in theirs]), "p50_ms": milliseconds[len(theirs) // 2],
            "only_retort_right": wins, "only_labeller_right": losses, "mcnemar_p": mcnemar(wins, losses),
            "values": by_value}


def table(results):
    print(f"{'task':14} {'rows':>5} {'retort':>7} {'labeller':>9} {'p':>7} {'malformed':>10} {'weights':>9} {'p50':>8}")
    for task, one in results.items():
        other = one.get("labeller", {})
        print(f"{task:14} {one['rows']:5} {one['exact_match']:6.1f}% "
              + (f"{other['exact_match']:8.1f}% {other['mcnemar_p']:7.4f}" if other else f"{'–':>9} {'–':>7}")
              + f" {one['malformed']:9.1f}% {one['weight_bytes'] / 1e6:6.2f} MB {one['p50_ms']:5.2f} ms")
        for group, score in one["groups"].items():
            print(f"    {group:34} {score['exact']:5} of {score['utterances']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--retort", type=pathlib.Path, required=True)
    parser.add_argument("--shared", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="where runs and the environment are kept")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--only", choices=TASKS, action="append", help="may be repeated; default: all")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--smoke", action="store_true", help="the configs' small form: shows that everything runs")
    parser.add_argument("--no-labeller", action="store_true")
    arguments = parser.parse_args()
    if not (arguments.shared / "data").is_dir():
        print(f"bench-quality: skipped, no data at {arguments.shared / 'data'}")
        sys.exit(SKIPPED)
    arguments.work = arguments.work.resolve()
    arguments.shared = arguments.shared.resolve()
    arguments.work.mkdir(parents=True, exist_ok=True)
    python = None if arguments.no_labeller else labeller_python(arguments.work)
    results = {task: measure(task, arguments, python) for task in arguments.only or TASKS}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"seed": arguments.seed, "smoke": arguments.smoke, "tasks": results}, indent=2) + "\n")
    table(results)


if __name__ == "__main__":
    main()
