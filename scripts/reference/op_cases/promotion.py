"""Result dtypes: pairs of tensors, 0-d tensors, numbers; unary ops and reductions."""

import torch

from golden_case import DTYPES, NAMES

ALL = list(DTYPES)
FLOAT_UNARY = ["exp", "log", "sqrt", "rsqrt", "sin", "cos", "tanh", "sigmoid", "erf", "log1p"]
FLOAT_UNARY += ["expm1", "reciprocal"]
SAME_UNARY = ["abs", "neg", "sign", "floor", "round", "square"]
REDUCTIONS = ["sum", "prod", "mean", "var", "std", "amax", "cumsum", "logsumexp", "any", "all"]


def result_name(function, *operands):
    """Name of the result's dtype, or "error" where PyTorch refuses."""
    try:
        return NAMES[function(*operands).dtype]
    except (RuntimeError, TypeError):
        return "error"


def ones(name, shape):
    return torch.ones(shape, dtype=DTYPES[name])


def add_pairs(golden):
    size = [len(ALL), len(ALL)]
    for case, left, right in (("tensor tensor", [2], [2]), ("tensor 0-d", [2], [])):
        names = [result_name(torch.add, ones(a, left), ones(b, right)) for a in ALL for b in ALL]
        golden.table("result_type", case, size, names, {"rows": ALL, "columns": ALL})
    names = [result_name(torch.div, ones(a, [2]), ones(b, [2])) for a in ALL for b in ALL]
    golden.table("div", "dtypes", size, names, {"rows": ALL, "columns": ALL})
    numbers = [2, 2.5]
    for case, shape in (("tensor number", [2]), ("0-d number", [])):
        names = [result_name(torch.add, ones(a, shape), s) for a in ALL for s in numbers]
        golden.table("result_type", case, [len(ALL), 2], names, {"rows": ALL, "columns": numbers})
    names = [result_name(torch.div, ones(a, [2]), s) for a in ALL for s in numbers]
    golden.table("div", "dtypes number", [len(ALL), 2], names, {"rows": ALL, "columns": numbers})


def add_unary(golden):
    for op in FLOAT_UNARY + SAME_UNARY:
        names = [result_name(getattr(torch, op), ones(a, [2])) for a in ALL]
        golden.table(op, "dtypes", [len(ALL)], names, {"rows": ALL})


def add_reductions(golden):
    for op in REDUCTIONS:
        function = getattr(torch, op)
        if op in ("cumsum", "logsumexp"):
            names = [result_name(function, ones(a, [2]), 0) for a in ALL]
        else:
            names = [result_name(function, ones(a, [2])) for a in ALL]
        golden.table("max" if op == "amax" else op, "dtypes", [len(ALL)], names, {"rows": ALL})


def add_casts(golden):
    values = [0.0, -0.0, 1.5, -1.5, 2.75, 65504.0, 65520.0, 1e-7, 3.0e38, 1.00390625, 1.01171875]
    values += [float("inf"), float("-inf"), float("nan"), 6e-8, 1e-40]
    source = torch.tensor(values, dtype=torch.float64)
    for name in ("float32", "float16", "bfloat16", "bool"):
        dtype = DTYPES[name]
        golden.add(
            "cast",
            f"float64 to {name}",
            lambda x, d=dtype: x.to(d),
            source,
            options={"dtype": name},
            grad=[],
        )
    whole = torch.tensor([0.0, 1.9, 200.5, 255.0], dtype=torch.float64)
    signed = torch.tensor([0.0, 1.9, -1.9, -200.5, 2147483647.0], dtype=torch.float64)
    for name, x in (("uint8", whole), ("int32", signed), ("int64", signed)):
        dtype = DTYPES[name]
        golden.add(
            "cast",
            f"float64 to {name} truncates",
            lambda x, d=dtype: x.to(d),
            x,
            options={"dtype": name},
            grad=[],
        )
    wide = torch.tensor([0, 1, 255, 256, -1, 300, 2147483648, 9007199254740991])
    for name in ("int32", "uint8", "bool", "float32", "float16"):
        dtype = DTYPES[name]
        golden.add(
            "cast", f"int64 to {name}", lambda x, d=dtype: x.to(d), wide, options={"dtype": name}
        )


def add_cases(golden):
    add_pairs(golden)
    add_unary(golden)
    add_reductions(golden)
    add_casts(golden)
