"""The model of bench_training in PyTorch eager, from the same weights, on the same batch: what train.py compares with.

Usage: training_peer.py FOLDER PRECISION THREADS, with torch (torch-peer.sh run). Says {"ready": …} and then, for every
line on standard input, makes one step (forward, loss, backward, clip, fused AdamW) and says {"loss": …, "seconds": …,
"cpu": seconds of the processor}.
"""
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = shape["heads"], shape["kv_heads"], shape["head_dim"]
        hidden = shape["hidden"]
        self.q_proj = nn.Linear(hidden, self.heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(hidden, self.kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(hidden, self.kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(self.heads * self.head_dim, hidden, bias=False)

    def forward(self, x, cosine, sine):
        batch, tokens, _ = x.shape

        def heads(projected, count):
            return projected.view(batch, tokens, count, self.head_dim).transpose(1, 2)

        q = rotated(heads(self.q_proj(x), self.heads), cosine, sine)
        k = rotated(heads(self.k_proj(x), self.kv_heads), cosine, sine)
        v = heads(self.v_proj(x), self.kv_heads)
        if self.kv_heads != self.heads:
            k = k.repeat_interleave(self.heads // self.kv_heads, 1)
            v = v.repeat_interleave(self.heads // self.kv_heads, 1)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, tokens, -1))


def rotated(x, cosine, sine):
    half = x.shape[-1] // 2
    return x * cosine + torch.cat((-x[..., half:], x[..., :half]), -1) * sine


class FeedForward(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.gate_proj = nn.Linear(shape["hidden"], shape["feed_forward"], bias=False)
        self.up_proj = nn.Linear(shape["hidden"], shape["feed_forward"], bias=False)
        self.down_proj = nn.Linear(shape["feed_forward"], shape["hidden"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.input_layernorm = nn.RMSNorm(shape["hidden"], eps=shape["epsilon"])
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = nn.RMSNorm(shape["hidden"], eps=shape["epsilon"])
        self.mlp = FeedForward(shape)

    def forward(self, x, cosine, sine):
        x = x + self.self_attn(self.input_layernorm(x), cosine, sine)
        return x + self.mlp(self.post_attention_layernorm(x))


class Model(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.embed_tokens = nn.Embedding(shape["vocabulary"], shape["hidden"])
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape["layers"]))
        self.norm = nn.RMSNorm(shape["hidden"], eps=shape["epsilon"])
        angles = torch.arange(shape["tokens"], dtype=torch.float64)[:, None] / shape["theta"] ** (
            torch.arange(0, shape["head_dim"], 2, dtype=torch.float64) / shape["head_dim"])
        angles = torch.cat((angles, angles), -1)
        self.register_buffer("cosine", angles.cos().float(), persistent=False)
        self.register_buffer("sine", angles.sin().float(), persistent=False)

    def forward(self, ids):
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, self.cosine, self.sine)
        return F.linear(self.norm(x), self.embed_tokens.weight)


def load(model, shape, folder):
    named = dict(model.named_parameters())
    with open(f"{folder}/weights.bin", "rb") as file, torch.no_grad():
        for name, size in shape["weights"]:
            weight = named.pop(name.removeprefix("model."))
            assert list(weight.shape) == size, (name, weight.shape, size)
            weight.copy_(torch.frombuffer(bytearray(file.read(4 * weight.numel())), dtype=torch.float32).view(size))
    assert not named, f"weights that the file lacks: {list(named)}"


def main():
    folder, precision, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(threads)
    with open(f"{folder}/shape.json") as file:
        shape = json.load(file)
    model = Model(shape)
    load(model, shape, folder)
    b = torch.arange(shape["batch"])[:, None]
    t = torch.arange(shape["tokens"])[None, :]
    ids = (b * 131 + t * 17 + b * t * 7) % shape["vocabulary"]
    matrices = [weight for weight in model.parameters() if weight.dim() > 1]
    vectors = [weight for weight in model.parameters() if weight.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0}],
                                  lr=1e-4, betas=(0.9, 0.95), eps=1e-8, fused=True)
    print(json.dumps({"ready": sum(weight.numel() for weight in model.parameters())}), flush=True)
    for _ in sys.stdin:
        begin, cpu = time.monotonic(), time.process_time()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = model(ids)
        loss = F.cross_entropy(logits[:, :-1].reshape(-1, shape["vocabulary"]).float(), ids[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        print(json.dumps({"loss": loss.item(), "seconds": time.monotonic() - begin, "cpu": time.process_time() - cpu}),
              flush=True)


main()
