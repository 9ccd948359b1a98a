"""Writes test/golden/grad_scaler.json: what torch.amp.GradScaler makes of steps with planted overflow.

Usage: python scripts/reference/make_grad_scaler_golden.py   (needs: pip install torch)

The loss of step i is sum(w * x_i), so that w's gradient is x_i times the scale; x_i holds inf or NaN where a step is to be left
out. File: {torch, scaler: options, inputs: [steps][3] (what is not finite as text), weights: [3], cases: [{optimizer, options,
max_norm, steps: [{scale, tracker, weights: [3]}], state_steps}]}
"""

import json
import math
import pathlib

import torch

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden" / "grad_scaler.json"
SCALER = {"init_scale": 1024.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 3}
WEIGHTS = [0.5, -1.25, 2.0]
# The first step, two in a row and one alone overflow.
BAD = {0: math.inf, 5: math.nan, 6: -math.inf, 12: math.inf}
STEPS = 16

CASES = [
    ("Adam", {"lr": 0.05}, None),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1, "amsgrad": True}, 0.5),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.1}, None),
    ("SGD", {"lr": 0.05}, None),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.25, "weight_decay": 0.1}, None),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}, 0.5),
    ("RMSprop", {"lr": 0.01, "momentum": 0.5, "centered": True}, None),
]


def make_inputs():
    random = torch.Generator().manual_seed(5)
    inputs = torch.randn(STEPS, 3, generator=random)
    for step, value in BAD.items():
        inputs[step, step % 3] = value
    return inputs


def run_case(name, options, max_norm, inputs):
    weights = torch.tensor(WEIGHTS, requires_grad=True)
    optimizer = getattr(torch.optim, name)([weights], **options)
    scaler = torch.amp.GradScaler("cpu", **SCALER)
    steps = []
    for x in inputs:
        optimizer.zero_grad()
        scaler.scale((weights * x).sum()).backward()
        if max_norm is not None:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_([weights], max_norm)
        scaler.step(optimizer)
        scaler.update()
        steps.append(
            {
                "scale": scaler.get_scale(),
                "tracker": scaler.state_dict()["_growth_tracker"],
                "weights": weights.detach().tolist(),
            }
        )
    step = optimizer.state[weights].get("step")
    return {
        "optimizer": name,
        "options": options,
        "max_norm": max_norm,
        "steps": steps,
        "state_steps": None if step is None else int(step),
    }


def text_of(value):
    if math.isnan(value):
        return "NaN"
    return f"{'-' if value < 0 else ''}Infinity" if math.isinf(value) else value


def main():
    inputs = make_inputs()
    golden = {
        "torch": torch.__version__,
        "scaler": SCALER,
        "inputs": [[text_of(value) for value in row] for row in inputs.tolist()],
        "weights": WEIGHTS,
        "cases": [run_case(*case, inputs) for case in CASES],
    }
    OUT.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
