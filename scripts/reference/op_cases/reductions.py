"""Reductions: axes, keepdims, empty, NaN, infinities, ties, corrections, orders."""

import math

import torch

from golden_case import grid, vector

INF, NAN = float("inf"), float("nan")
AXES = [None, [0], [-1], [0, 2], [-2, -1]]


def prod(x, axes, keepdims):
    """x -> product over several axes, which torch.prod does not offer."""
    for axis in sorted((a % x.dim() for a in axes), reverse=True):
        x = torch.prod(x, axis, keepdim=keepdims)
    return x


REDUCE = {
    "sum": lambda x, a, k: torch.sum(x, a, keepdim=k),
    "mean": lambda x, a, k: torch.mean(x, a, keepdim=k),
    "prod": prod,
    "max": lambda x, a, k: torch.amax(x, a, keepdim=k),
    "min": lambda x, a, k: torch.amin(x, a, keepdim=k),
    "var": lambda x, a, k: torch.var(x, a, keepdim=k),
    "std": lambda x, a, k: torch.std(x, a, keepdim=k),
    "logsumexp": lambda x, a, k: torch.logsumexp(x, a, keepdim=k),
    "norm": lambda x, a, k: torch.linalg.vector_norm(x, 2, a, keepdim=k),
    "any": lambda x, a, k: torch.any(x != 0, a, keepdim=k),
    "all": lambda x, a, k: torch.all(x != 0, a, keepdim=k),
}


def reduce(golden, op, case, x, axes, keepdims=False):
    """The row's options leave axes out when all are meant."""
    every = list(range(x.dim())) if axes is None else axes
    options = {} if axes is None else {"axes": axes}
    if keepdims:
        options["keepdims"] = True
    golden.add(op, case, lambda v: REDUCE[op](v, every, keepdims), x, options=options)


def add_axes(golden):
    x = grid(2, 3, 4, seed=11)
    for op in REDUCE:
        for axes in AXES:
            reduce(golden, op, f"axes {axes}", x, axes, keepdims=axes == [0, 2])


def add_special(golden):
    rows = torch.tensor(
        [
            [1, NAN, 2],
            [INF, 1, 2],
            [-INF, 1, 2],
            [INF, -INF, 1],
            [-INF, -INF, -INF],
            [3, 3, 1],
            [0, 0, 0],
            [-0.0, 0.0, 0.0],
        ],
        dtype=torch.float64,
    )
    for op in REDUCE:
        reduce(golden, op, "NaN, infinities, ties, zeros", rows, [1])
    for op in ("argmax", "argmin"):
        function = getattr(torch, op)
        golden.add(
            op,
            "NaN, infinities, ties: the first",
            lambda v, f=function: f(v, 1),
            rows,
            options={"axis": 1},
        )
        golden.add(op, "of everything", function, grid(2, 3, 4, seed=12))
        golden.add(
            op,
            "negative axis, keepdims",
            lambda v, f=function: f(v, -2, keepdim=True),
            grid(2, 3, 4, seed=12),
            options={"axis": -2, "keepdims": True},
        )
    zeros = torch.tensor([[2, 0, 3], [0, 0, 1], [2, 3, 4]], dtype=torch.float64)
    golden.add(
        "prod", "gradient past zeros", lambda v: torch.prod(v, 1), zeros, options={"axes": [1]}
    )


def add_empty(golden):
    for op in REDUCE:
        if op not in ("max", "min"):
            reduce(golden, op, "empty, all axes", grid(0, 3), None)
            reduce(golden, op, "empty axis", grid(2, 0), [1])
        reduce(golden, op, "zero rows, full axis", grid(0, 3), [1])
    for op in ("max", "min"):
        golden.fails(op, "empty", lambda v: torch.amax(v, [0]), grid(0, 3), options={"axes": [0]})
    for op in ("argmax", "argmin"):
        golden.fails(op, "empty", lambda v: torch.argmax(v, 0), grid(0, 3), options={"axis": 0})
    golden.fails(
        "sum", "axis out of range", lambda v: torch.sum(v, 2), grid(2, 3), options={"axes": [2]}
    )
    golden.fails(
        "sum", "axis twice", lambda v: torch.sum(v, [0, -2]), grid(2, 3), options={"axes": [0, -2]}
    )
    scalar = torch.tensor(2.5, dtype=torch.float64)
    for op in ("sum", "mean", "max", "logsumexp"):
        reduce(golden, op, "0-d", scalar, [0])
    golden.add("prod", "0-d", torch.prod, scalar)


def add_moments(golden):
    x = grid(3, 4, seed=13)
    for op, function in (("var", torch.var), ("std", torch.std)):
        for correction in (0, 1, 2):
            golden.add(
                op,
                f"correction {correction}",
                lambda v, f=function, c=correction: f(v, 1, correction=c),
                x,
                options={"axes": [1], "correction": correction},
            )
        for correction in (0, 1, 2):
            golden.add(
                op,
                f"one element, correction {correction}",
                lambda v, f=function, c=correction: f(v, 0, correction=c),
                vector(3.0),
                options={"axes": [0], "correction": correction},
                grad=[],
            )
    far = vector(1e6, 1e6 + 1, 1e6 + 2, 1e6 + 3)
    golden.add("var", "far from zero", lambda v: torch.var(v, 0), far, options={"axes": [0]})


def add_norms(golden):
    x = torch.tensor([[3.0, -4.0, 0.5], [0.0, 0.0, 0.0], [1.0, -1.0, 1.0]], dtype=torch.float64)
    for order in (0, 0.5, 1, 2, 3, INF, -INF):
        word = order if math.isfinite(order) else ("Infinity" if order > 0 else "-Infinity")
        golden.add(
            "norm",
            f"order {order}",
            lambda v, p=order: torch.linalg.vector_norm(v, p, 1),
            x,
            options={"axes": [1], "order": word},
        )


def add_cumsum(golden):
    for axis in (0, -1):
        golden.add(
            "cumsum",
            f"axis {axis}",
            lambda v, a=axis: torch.cumsum(v, a),
            grid(2, 3, seed=14),
            options={"axis": axis},
        )
    golden.add(
        "cumsum", "NaN stays", lambda v: torch.cumsum(v, 0), vector(1, NAN, 2), options={"axis": 0}
    )
    golden.add("cumsum", "empty", lambda v: torch.cumsum(v, 0), grid(0, 2), options={"axis": 0})


def add_integers(golden):
    x = torch.tensor([[1, -2, 3], [2147483647, 1, 0]], dtype=torch.int32)
    for op in ("sum", "prod", "max", "min"):
        golden.add(op, "int32", lambda v, f=REDUCE[op]: f(v, [1], False), x, options={"axes": [1]})
    mask = torch.tensor([[True, True], [True, False]])
    for op in ("sum", "prod", "any", "all"):
        function = getattr(torch, op)
        golden.add(op, "bool", lambda v, f=function: f(v, 1), mask, options={"axes": [1]})
    golden.add("any", "NaN is true", torch.any, vector(0.0, NAN), grad=[])


def add_cases(golden):
    add_axes(golden)
    add_special(golden)
    add_empty(golden)
    add_moments(golden)
    add_norms(golden)
    add_cumsum(golden)
    add_integers(golden)
