"""batchNorm, layerNorm, groupNorm: inputs x, weight, bias, then batch norm's running statistics."""

import torch
from torch.nn import functional as F

from golden_case import grid, vector


def batch_norm(training, momentum, eps):
    """-> function whose outputs are y and the running statistics after the call."""

    def run(x, weight, bias, mean, variance):
        mean, variance = mean.clone(), variance.clone()
        y = F.batch_norm(x, mean, variance, weight, bias, training, momentum, eps)
        return y, mean, variance

    return run


def add_batch_norm(golden):
    weight, bias = vector(1.5, -0.5), vector(0.25, 1)
    mean, variance = vector(0.5, -1), vector(2, 0.5)
    for shape in ([4, 2], [2, 2, 3], [2, 2, 2, 3]):
        for training in (True, False):
            golden.add(
                "batch_norm",
                f"{shape}, training {training}",
                batch_norm(training, 0.1, 1e-5),
                grid(*shape, seed=81),
                weight,
                bias,
                mean,
                variance,
                options={"training": training, "momentum": 0.1, "eps": 1e-5},
                grad=[0, 1, 2],
            )
    golden.add(
        "batch_norm",
        "momentum 0.3, eps 0.001",
        batch_norm(True, 0.3, 1e-3),
        grid(3, 2, 2, 1, seed=82),
        weight,
        bias,
        mean,
        variance,
        options={"training": True, "momentum": 0.3, "eps": 1e-3},
        grad=[0, 1, 2],
    )
    golden.add(
        "batch_norm",
        "constant channel",
        batch_norm(True, 0.1, 1e-5),
        torch.tensor([[1.0, 2.0], [1.0, 3.0], [1.0, 5.0]], dtype=torch.float64),
        weight,
        bias,
        mean,
        variance,
        options={"training": True, "momentum": 0.1, "eps": 1e-5},
        grad=[0, 1, 2],
    )
    golden.fails(
        "batch_norm",
        "one value a channel in training",
        batch_norm(True, 0.1, 1e-5),
        grid(1, 2),
        weight,
        bias,
        mean,
        variance,
        options={"training": True},
    )


def add_others(golden):
    for shape, tail in (([2, 3, 4], [4]), ([2, 3, 4], [3, 4]), ([3, 1], [1])):
        golden.add(
            "layer_norm",
            f"{shape} over {tail}",
            lambda x, w, b, t=tail: F.layer_norm(x, t, w, b, 1e-5),
            grid(*shape, seed=83),
            grid(*tail, seed=84),
            grid(*tail, seed=85),
            options={"normalizedShape": tail, "eps": 1e-5},
        )
    golden.add(
        "layer_norm",
        "no weight, no bias",
        lambda x, w, b: F.layer_norm(x, [3]),
        grid(2, 3, seed=86),
        None,
        None,
        options={"normalizedShape": [3], "eps": 1e-5},
    )
    for groups in (1, 2, 4):
        golden.add(
            "group_norm",
            f"4 channels in {groups}",
            lambda x, w, b, g=groups: F.group_norm(x, g, w, b, 1e-5),
            grid(2, 4, 1, 2, seed=87),
            grid(4, seed=88),
            grid(4, seed=89),
            options={"groups": groups, "eps": 1e-5},
        )


def add_cases(golden):
    add_batch_norm(golden)
    add_others(golden)
