"""Losses: reductions, smoothing, class weights, ignored labels, probabilities, extreme logits."""

import torch
from torch.nn import functional as F

from golden_case import grid, vector

REDUCTIONS = ["mean", "sum", "none"]


def camel(options):
    """Python's option names -> the library's."""
    names = {"label_smoothing": "labelSmoothing", "ignore_index": "ignoreIndex"}
    return {names.get(k, k): v for k, v in options.items()}


def add_cross_entropy(golden):
    logits = grid(4, 3, seed=91)
    labels = torch.tensor([0, 2, 1, 2])
    ignored = torch.tensor([0, 2, -100, 2])
    weight = vector(0.5, 2, 1.25)
    cases = [(f"reduction {r}", labels, None, {"reduction": r}) for r in REDUCTIONS]
    cases += [
        ("label smoothing", labels, None, {"label_smoothing": 0.125}),
        ("ignored label", ignored, None, {}),
        ("ignored label 2", labels, None, {"ignore_index": 2}),
        ("class weights", labels, weight, {}),
        ("class weights, sum", labels, weight, {"reduction": "sum"}),
        ("class weights, smoothing, ignored", ignored, weight, {"label_smoothing": 0.25}),
        (
            "class weights, smoothing, none",
            ignored,
            weight,
            {"label_smoothing": 0.25, "reduction": "none"},
        ),
        ("everything ignored", torch.full([4], -100), None, {}),
    ]
    for case, target, classes, words in cases:
        golden.add(
            "cross_entropy",
            case,
            lambda x, y, w, k=words: F.cross_entropy(x, y, w, **k),
            logits,
            target,
            classes,
            options=camel(words),
            grad=[0],
        )
    probabilities = torch.tensor([[1, 0, 0], [0.25, 0.5, 0.25], [0, 0, 1], [0.5, 0.5, 0]]).double()
    for case, classes, words in (
        ("probabilities", None, {}),
        ("probabilities, smoothing, weights", weight, {"label_smoothing": 0.25}),
        ("probabilities, none", None, {"reduction": "none"}),
    ):
        golden.add(
            "cross_entropy",
            case,
            lambda x, y, w, k=words: F.cross_entropy(x, y, w, **k),
            logits,
            probabilities,
            classes,
            options=camel(words),
            grad=[0],
        )
    extreme = torch.tensor([[1000, -1000, 0], [-1000, 1000, 0]], dtype=torch.float64)
    golden.add(
        "cross_entropy",
        "extreme logits",
        lambda x, y, w: F.cross_entropy(x, y),
        extreme,
        torch.tensor([1, 1]),
        None,
        grad=[0],
    )
    golden.add(
        "cross_entropy",
        "image: classes on axis 1",
        lambda x, y, w: F.cross_entropy(x, y),
        grid(1, 3, 2, 2, seed=92),
        torch.tensor([[[0, 1], [2, 0]]]),
        None,
        grad=[0],
    )
    golden.fails(
        "cross_entropy", "label out of range", F.cross_entropy, logits, torch.tensor([0, 1, 2, 3])
    )
    logp = torch.log_softmax(grid(4, 3, seed=93), 1).float().double()
    for case, target, classes, words in cases[:3] + [cases[4], cases[6]]:
        golden.add(
            "nll_loss",
            case,
            lambda x, y, w, k=words: F.nll_loss(x, y, w, **k),
            logp,
            target,
            classes,
            options=camel(words),
            grad=[0],
        )


def add_regression(golden):
    x, y = grid(2, 3, seed=94), grid(2, 3, seed=95)
    y[0, 0] = x[0, 0]
    for reduction in REDUCTIONS:
        words = {"reduction": reduction}
        for op, function in (("mse_loss", F.mse_loss), ("l1_loss", F.l1_loss)):
            golden.add(
                op, reduction, lambda a, b, f=function, k=words: f(a, b, **k), x, y, options=words
            )
    for beta in (1.0, 0.5, 3.0):
        golden.add(
            "smooth_l1_loss",
            f"beta {beta}",
            lambda a, b, t=beta: F.smooth_l1_loss(a, b, beta=t),
            x,
            y,
            options={"beta": beta},
        )


def add_binary(golden):
    p = vector(0, 1, 0.5, 0.25, 0, 1)
    y = vector(0, 1, 1, 0.5, 1, 0)
    z = vector(0, 1.5, -2.5, 1000, -1000, 1000, -1000)
    t = vector(1, 0, 0.25, 1, 0, 0, 1)
    for reduction in ("mean", "none"):
        words = {"reduction": reduction}
        golden.add(
            "bce_loss",
            f"edges, {reduction}",
            lambda a, b, k=words: F.binary_cross_entropy(a, b, **k),
            p,
            y,
            options=words,
            grad=[0],
        )
        golden.add(
            "bce_with_logits_loss",
            f"extreme logits, {reduction}",
            lambda a, b, k=words: F.binary_cross_entropy_with_logits(a, b, **k),
            z,
            t,
            options=words,
            grad=[0],
        )


def add_cases(golden):
    add_cross_entropy(golden)
    add_regression(golden)
    add_binary(golden)
