#!/usr/bin/env python3
"""Does llama.cpp continue an exported model as Retort does? Greedy tokens of both on 20 prompts, one by one.

A development check, no part of `make test`. Needs llama.cpp's llama-server:
    tests/interop/llama_cpp_greedy.py build/release/bin/retort MODEL "PREFIX llama-server" [--tokens 64] [--stories]
MODEL is a model folder. It is exported as f32 GGUF into a temporary folder; llama.cpp computes in f32 as well. Each
prompt is sent as text, so that the two tokenizers are compared too. Where two tokens are nearly as likely, engines that
add in another order may choose differently: the script then says by how much llama.cpp preferred its own, and goes on
from the next prompt. Exit code 1 where a preference was above --tie, or prompts became other tokens.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from llama_server import LlamaServer  # noqa: E402
from smollm2_golden import PROMPTS  # noqa: E402

ENDS = {"<|endoftext|>", "<|im_end|>", "<|end_of_text|>", "<|eot_id|>", "</s>", "<s>"}
STORIES = ["Once upon a time", "One day", "Lily", "The dog", "Tim and Sue", "There was a big tree", "He ran", "She said",
           "The sun was", "Mom", "A little bird", "Ben had a red ball", "It was dark", "They played", "The cat sat",
           "In the park", "Dad made", "The boat", "I like", "Every night"]


def preference(server, ids, theirs, ours):
    """How much likelier llama.cpp finds its own next token, as a difference of log probabilities."""
    answer = server.post("/completion", {"prompt": ids, "temperature": 0, "n_predict": 1, "n_probs": 20, "cache_prompt": False})
    top = {entry["id"]: entry["logprob"] for entry in answer["completion_probabilities"][0]["top_logprobs"]}
    return top[theirs] - top[ours] if theirs in top and ours in top else float("inf")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("retort")
    parser.add_argument("model")
    parser.add_argument("server")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--tie", type=float, default=1e-3, help="a preference that rounding may turn, in nats")
    parser.add_argument("--stories", action="store_true", help="prompts for a model of children's stories")
    parser.add_argument("--context", type=int, default=512)
    arguments = parser.parse_args()
    prompts = STORIES if arguments.stories else PROMPTS
    exact = ["--kv-cache", "f32"]  # llama.cpp is told the same below
    equal, tokens, ties, failed = 0, 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        gguf = Path(folder) / "model.gguf"
        subprocess.run([arguments.retort, "export", arguments.model, gguf, "--format", "gguf", "--dtype", "f32"],
                       check=True, stderr=subprocess.DEVNULL)
        with LlamaServer(arguments.server, gguf, arguments.context) as server:
            for prompt in prompts:
                ours = json.loads(subprocess.run(
                    [arguments.retort, "generate", arguments.model, prompt, "-n", str(arguments.tokens), "--greedy",
                     "--json", "--threads", "2", *exact], check=True, capture_output=True).stdout)
                ids = ours["prompt_token_ids"]
                theirs = server.post("/tokenize", {"content": prompt, "add_special": True, "parse_special": True})["tokens"]
                if theirs != ids:
                    print(f"other tokens: {prompt!r}\n  retort    {ids}\n  llama.cpp {theirs}")
                    failed += 1
                    continue
                answer = server.post("/completion", {"prompt": ids, "temperature": 0, "n_predict": len(ours["token_ids"]),
                                              "return_tokens": True, "cache_prompt": False, "ignore_eos": False})
                given = answer["tokens"]
                if answer["stop_type"] == "eos" and given == ours["token_ids"][:len(given)]:
                    # llama.cpp stops at any token that its vocabulary calls an end, and does not return it.
                    stop = server.post("/detokenize", {"tokens": ours["token_ids"][len(given):len(given) + 1]})["content"]
                    given = ours["token_ids"] if stop in ENDS else given
                if given == ours["token_ids"]:
                    equal, tokens = equal + 1, tokens + len(given)
                    continue
                place = next((i for i, (a, b) in enumerate(zip(given, ours["token_ids"])) if a != b),
                             min(len(given), len(ours["token_ids"])))
                if place == len(given) or place == len(ours["token_ids"]):
                    print(f"another end: {prompt!r} at token {place}")
                    failed += 1
                    continue
                by = preference(server, ids + given[:place], given[place], ours["token_ids"][place])
                print(f"token {place} differs: {prompt!r}; llama.cpp prefers its own by {by:.2g} nats")
                ties, failed = ties + (by <= arguments.tie), failed + (by > arguments.tie)
    print(f"{equal} of {len(prompts)} prompts: the same {tokens} tokens, up to {arguments.tokens} each; {ties} parted at a "
          f"tie; {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
