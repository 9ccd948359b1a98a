"""Elementwise functions of two operands: edges, ties, signs, wrap-around, broadcasting."""

import torch

from golden_case import grid, vector

INF, NAN = float("inf"), float("nan")
EDGES = [NAN, INF, -INF, -0.0, 0.0, 1.0, -1.5, 2.0, -3.0, 0.5]

ARITHMETIC = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "pow": torch.pow,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "remainder": torch.remainder,
    "floor_divide": torch.floor_divide,
}
COMPARISONS = {
    "equal": torch.eq,
    "not_equal": torch.ne,
    "less": torch.lt,
    "less_equal": torch.le,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "logical_and": torch.logical_and,
    "logical_or": torch.logical_or,
    "logical_xor": torch.logical_xor,
}


def add_edges(golden):
    column, row = vector(*EDGES).view(-1, 1), vector(*EDGES).view(1, -1)
    for op, function in {**ARITHMETIC, **COMPARISONS}.items():
        golden.add(op, "edges against edges", function, column, row, grad=[])


def add_gradients(golden):
    x = vector(2.0, 0.0, 0.0, 0.0, -2.0, -2.0, 3.0, 1.0, -1.0, 0.5)
    y = vector(3.0, 0.0, 1.0, 2.0, 3.0, 2.0, 0.0, -1.0, 0.5, -2.5)
    golden.add("pow", "gradients at zero and below", torch.pow, x, y)
    for exponent in (0, 1, 2, 3, 0.5, -1):
        golden.add("pow", f"number exponent {exponent}", torch.pow, x, exponent)
    for base in (2, 0, 0.5):
        golden.add("pow", f"number base {base}", torch.pow, base, y)
    a = vector(1.0, 2.0, 3.0, -1.0, 0.0, NAN, 1.0)
    b = vector(1.0, 5.0, 2.0, -1.0, -0.0, 1.0, NAN)
    for op in ("maximum", "minimum"):
        golden.add(op, "ties share the gradient", ARITHMETIC[op], a, b)
    p, q = vector(7.0, -7.0, 7.0, -7.0, 6.5), vector(3.0, 3.0, -3.0, -3.0, 1.75)
    golden.add("remainder", "signs", torch.remainder, p, q)
    for op in ("add", "sub", "mul", "div"):
        golden.add(
            op, "broadcasting", ARITHMETIC[op], grid(2, 1, 3, seed=4), grid(4, 1, seed=5, low=1)
        )
        golden.add(op, "zero size against one", ARITHMETIC[op], grid(0, 3), grid(1, 3))


def add_integers(golden):
    def of(name, *values):
        return torch.tensor(values, dtype=getattr(torch, name))

    x, y = of("int32", 7, -7, 7, -7, 0, 6), of("int32", 3, 3, -3, -3, 5, -6)
    for op in ("add", "sub", "mul", "div", "floor_divide", "remainder", "maximum", "minimum"):
        golden.add(op, "int32", ARITHMETIC[op], x, y)
    golden.add("div", "int64 by int64", torch.div, of("int64", 1, 2, 3), of("int64", 2, 2, 2))
    golden.add(
        "pow", "int32 by int32", torch.pow, of("int32", 2, -3, 0, 5), of("int32", 5, 3, 0, 1)
    )
    golden.add("add", "uint8 wraps", torch.add, of("uint8", 250, 255), of("uint8", 10, 1))
    golden.add("sub", "uint8 wraps", torch.sub, of("uint8", 5, 0), of("uint8", 10, 1))
    golden.add("mul", "uint8 wraps", torch.mul, of("uint8", 16, 255), of("uint8", 16, 255))
    golden.add("add", "int32 wraps", torch.add, of("int32", 2147483647), of("int32", 1))
    golden.add("add", "bool is or", torch.add, of("bool", 0, 0, 1, 1), of("bool", 0, 1, 0, 1))
    golden.add("mul", "bool is and", torch.mul, of("bool", 0, 0, 1, 1), of("bool", 0, 1, 0, 1))
    golden.fails("sub", "bool", torch.sub, of("bool", 1), of("bool", 0))
    for op in ("less", "equal"):
        golden.add(op, "int32 against number", COMPARISONS[op], x, 6.5)
        golden.add(
            op, "uint8 against int32", COMPARISONS[op], of("uint8", 255, 1), of("int32", -1, 1)
        )
    golden.fails("add", "shapes that do not broadcast", torch.add, grid(2, 3), grid(2, 2))


def add_where(golden):
    mask = torch.tensor([[True], [False]])
    x, y = vector(1.0, NAN, INF), grid(2, 3, seed=7)
    golden.add("where", "broadcasting, NaN not chosen leaks nothing", torch.where, mask, x, y)
    whole = torch.tensor([1, 2], dtype=torch.int32)
    golden.add(
        "where",
        "promotes int32 and float32",
        torch.where,
        torch.tensor([True, False]),
        whole,
        torch.tensor([0.5, 1.5]),
    )
    golden.add("where", "numbers", lambda m, v: torch.where(m, v, 0.5), mask, grid(2, 2, seed=8))


def add_cases(golden):
    add_edges(golden)
    add_gradients(golden)
    add_integers(golden)
    add_where(golden)
