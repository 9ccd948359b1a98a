"""matmul, outer and einsum: vectors, batches, broadcasting, empty inner dimensions."""

import torch

from golden_case import grid

NAN = float("nan")
MATMUL = [
    ("vector vector", [3], [3]),
    ("matrix vector", [2, 3], [3]),
    ("vector matrix", [3], [3, 2]),
    ("matrix matrix", [2, 3], [3, 4]),
    ("batched", [2, 2, 3], [2, 3, 2]),
    ("batch broadcasts", [2, 1, 2, 3], [3, 3, 2]),
    ("batch and matrix", [2, 2, 3], [3, 2]),
    ("batch and vector", [2, 2, 3], [3]),
    ("inner dimension zero", [2, 0], [0, 3]),
    ("no rows", [0, 3], [3, 2]),
]
EINSUM = [
    ("ij,jk->ik", [2, 3], [3, 2]),
    ("ij,jk", [2, 3], [3, 2]),
    ("bij,bjk->bik", [2, 2, 3], [2, 3, 2]),
    ("i,j->ij", [2], [3]),
    ("ij,ij->", [2, 3], [2, 3]),
    ("bi,oi->bo", [2, 3], [2, 3]),
    ("bhqd,bhkd->bhqk", [1, 2, 2, 3], [1, 2, 2, 3]),
    ("...ij,...jk->...ik", [2, 1, 2, 3], [2, 3, 1]),
    ("bij,bjk->ki", [2, 2, 3], [2, 3, 2]),
    ("ba,ab", [3, 2], [2, 3]),
]


def add_cases(golden):
    for case, left, right in MATMUL:
        golden.add("matmul", case, torch.matmul, grid(*left, seed=51), grid(*right, seed=52))
    golden.fails("matmul", "inner dimensions differ", torch.matmul, grid(2, 3), grid(2, 3))
    golden.fails("matmul", "0-d", torch.matmul, grid(2, 3), torch.tensor(1.0, dtype=torch.float64))
    zero = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    nan = torch.tensor([[NAN], [2.0]], dtype=torch.float64)
    golden.add("matmul", "zero times NaN is NaN", torch.matmul, zero, nan)
    whole = torch.tensor([[1, 2], [3, 4]], dtype=torch.int32)
    golden.add("matmul", "int32", torch.matmul, whole, whole)
    golden.add("outer", "vectors", torch.outer, grid(3, seed=53), grid(2, seed=54))
    for formula, left, right in EINSUM:
        golden.add(
            "einsum",
            formula,
            lambda a, b, f=formula: torch.einsum(f, a, b),
            grid(*left, seed=55),
            grid(*right, seed=56),
            options={"equation": formula},
        )
    for formula, shape in (
        ("ii->i", [3, 3]),
        ("ii", [3, 3]),
        ("ij->ji", [2, 3]),
        ("ijk->j", [2, 3, 2]),
    ):
        golden.add(
            "einsum",
            formula,
            lambda a, f=formula: torch.einsum(f, a),
            grid(*shape, seed=57),
            options={"equation": formula},
        )
    golden.add(
        "einsum",
        "three operands",
        lambda a, b, c: torch.einsum("ij,jk,kl->il", a, b, c),
        grid(2, 3, seed=58),
        grid(3, 2, seed=59),
        grid(2, 2, seed=60),
        options={"equation": "ij,jk,kl->il"},
    )
