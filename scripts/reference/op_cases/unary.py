"""Elementwise functions of one operand at NaN, infinities, signed zeros, halves, small numbers."""

import torch
from torch.nn import functional as F

from golden_case import vector

INF, NAN = float("inf"), float("nan")
EDGES = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 3.5, 0.25]
EDGES += [2.0**-27, -(2.0**-27), 20.75, -20.75, 30.5, -30.5, 800.0, -800.0]

FUNCTIONS = {
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "neg": torch.neg,
    "sign": torch.sign,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": torch.round,
    "sin": torch.sin,
    "cos": torch.cos,
    "erf": torch.erf,
    "log1p": torch.log1p,
    "expm1": torch.expm1,
    "rsqrt": torch.rsqrt,
    "square": torch.square,
    "reciprocal": torch.reciprocal,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "silu": F.silu,
    "isnan": torch.isnan,
    "logical_not": torch.logical_not,
}


def add_activations(golden):
    x = vector(*EDGES)
    for slope in (0.01, 0.2):
        golden.add(
            "leaky_relu",
            f"edges, slope {slope}",
            lambda v, s=slope: F.leaky_relu(v, s),
            x,
            options={"negativeSlope": slope},
        )
    for alpha in (1.0, 0.5):
        golden.add(
            "elu",
            f"edges, alpha {alpha}",
            lambda v, a=alpha: F.elu(v, a),
            x,
            options={"alpha": alpha},
        )
    for kind in ("none", "tanh"):
        golden.add(
            "gelu",
            f"edges, approximate {kind}",
            lambda v, k=kind: F.gelu(v, approximate=k),
            x,
            options={"approximate": kind},
        )
    for beta, threshold in ((1, 20), (2, 5)):
        golden.add(
            "softplus",
            f"edges, beta {beta}, threshold {threshold}",
            lambda v, b=beta, t=threshold: F.softplus(v, b, t),
            x,
            options={"beta": beta, "threshold": threshold},
        )


def add_clamp(golden):
    x = vector(NAN, INF, -INF, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
    for case, low, high in (
        ("both, no gradient at the bounds", -1, 1),
        ("min alone", 0, None),
        ("max alone", None, 0.5),
        ("min above max gives max", 1, -1),
        ("infinite bounds", -INF, INF),
    ):
        words = {k: v for k, v in (("min", low), ("max", high)) if v is not None}
        options = {
            k: ("-Infinity" if v == -INF else "Infinity" if v == INF else v)
            for k, v in words.items()
        }
        golden.add("clamp", case, lambda v, w=words: torch.clamp(v, **w), x, options=options)


def add_integers(golden):
    x = torch.tensor([-5, -1, 0, 1, 7], dtype=torch.int32)
    for op in ("abs", "neg", "sign", "square", "floor", "round"):
        golden.add(op, "int32", FUNCTIONS[op], x)
    for op in ("exp", "sqrt", "sigmoid"):
        golden.add(op, "int32 gives float32", FUNCTIONS[op], torch.abs(x))
    empty = torch.zeros([0, 3], dtype=torch.float64)
    golden.add("exp", "empty", torch.exp, empty)


def add_cases(golden):
    for op, function in FUNCTIONS.items():
        golden.add(op, "edges", function, vector(*EDGES))
    add_activations(golden)
    add_clamp(golden)
    add_integers(golden)
