"""Writes test/golden/losses.json: what PyTorch computes in the first 20 steps of two networks.

    python3 scripts/reference/golden_losses.py [--data DIR] [--out FILE]

Networks, weights and batches are those of reference_models.py: batch i holds the images
[i * batch_size, (i + 1) * batch_size) of the MNIST training file; x is rounded to float32 once and
widened for float64, so both dtypes see the same numbers. Cross-entropy (mean), Adam, lr 1e-3.

File: {torch, numpy, threads, nets: {mlp, cnn: {
  batch_size, learning_rate, steps,
  losses: {float32: [20], float64: [20]},
  eval_loss: {float32, float64},            loss of batch 0 in eval mode after 20 steps
  gradients: [{name, shape, l2, sum, max, indices [32], values [32],   first step, float64
               gap}],                       max |g32 - g64| of PyTorch's own two runs
  buffers: {name: {float32, float64}}       batch norm's running statistics after 20 steps
}}}
"""

import argparse
import json

import numpy as np
import torch
from torch import nn

from reference_models import (
    DEFAULT_DATA,
    REPOSITORY,
    cnn,
    fill_from_hash,
    hash_uniform,
    mix32,
    mlp,
    mnist_train,
)

STEPS, SAMPLES, THREADS, LEARNING_RATE = 20, 32, 2, 1e-3
NETS = {"mlp": (mlp, 64, (-1, 784)), "cnn": (cnn, 32, (-1, 1, 28, 28))}


def train(build, dtype, batch_size, shape, data):
    """-> (losses of STEPS steps, first gradients, model after the last step)."""
    model = fill_from_hash(build()).to(dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    losses, first_gradients = [], None
    for step in range(STEPS):
        rows = slice(step * batch_size, (step + 1) * batch_size)
        x, y = data[0][rows].to(dtype).view(shape), data[1][rows]
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            first_gradients = [p.grad.detach().clone() for p in model.parameters()]
        optimizer.step()
        losses.append(loss.item())
    return losses, first_gradients, model


def eval_loss(model, dtype, batch_size, shape, data):
    model.eval()
    with torch.no_grad():
        logits = model(data[0][:batch_size].to(dtype).view(shape))
        return nn.functional.cross_entropy(logits, data[1][:batch_size]).item()


def describe_gradient(name, g32, g64):
    flat = g64.flatten()
    picks = mix32(np.arange(SAMPLES, dtype=np.uint32)) % np.uint32(flat.numel())
    indices = sorted({int(i) for i in picks})
    return {
        "name": name,
        "shape": list(g64.shape),
        "l2": flat.norm().item(),
        "sum": flat.sum().item(),
        "max": flat.abs().max().item(),
        "indices": indices,
        "values": [flat[i].item() for i in indices],
        "gap": (g32.double() - g64).abs().max().item(),
    }


def reference_of(build, batch_size, shape, data):
    runs = {
        name: train(build, dtype, batch_size, shape, data)
        for name, dtype in (("float32", torch.float32), ("float64", torch.float64))
    }
    losses32, gradients32, model32 = runs["float32"]
    losses64, gradients64, model64 = runs["float64"]
    names = [name for name, _ in model64.named_parameters()]
    buffers32 = dict(model32.named_buffers())
    return {
        "batch_size": batch_size,
        "learning_rate": LEARNING_RATE,
        "steps": STEPS,
        "losses": {"float32": losses32, "float64": losses64},
        "eval_loss": {
            "float32": eval_loss(model32, torch.float32, batch_size, shape, data),
            "float64": eval_loss(model64, torch.float64, batch_size, shape, data),
        },
        "gradients": [
            describe_gradient(*row) for row in zip(names, gradients32, gradients64, strict=True)
        ],
        "buffers": {
            name: {"float32": buffers32[name].tolist(), "float64": value.tolist()}
            for name, value in model64.named_buffers()
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=DEFAULT_DATA, help="folder of the raw IDX files")
    parser.add_argument("--out", default=REPOSITORY / "test" / "golden" / "losses.json")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(THREADS)
    data = mnist_train(options.data, STEPS * 64)
    result = {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "threads": THREADS,
        "hash_check": [float(v) for v in hash_uniform(3, 8, 784)],
        "nets": {name: reference_of(*net, data) for name, net in NETS.items()},
    }
    with open(options.out, "w", encoding="utf-8") as file:
        json.dump(result, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
