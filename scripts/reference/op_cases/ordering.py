"""sort, topk, softmax and logSoftmax: stability, ties, NaN, rows of infinities."""

import torch

from golden_case import grid, vector

INF, NAN = float("inf"), float("nan")


def add_sort(golden):
    ties = vector(2, 1, 2, 1, 0, 2, 0, 1, 2, 1)
    for descending in (False, True):
        options = {"descending": descending}

        def sort(v, d=descending, axis=-1):
            return torch.sort(v, dim=axis, descending=d, stable=True)

        golden.add(
            "sort", f"ties keep their order, descending {descending}", sort, ties, options=options
        )
        golden.add(
            "sort",
            f"NaN is largest, descending {descending}",
            sort,
            vector(1, NAN, -INF, 3, INF, NAN, -0.0, 0.0),
            options=options,
            grad=[],
        )
        golden.add(
            "sort",
            f"axis 0, descending {descending}",
            lambda v, d=descending: sort(v, d, 0),
            grid(4, 3, seed=21),
            options={"axis": 0, **options},
        )
    golden.add("sort", "empty", lambda v: torch.sort(v, stable=True), grid(2, 0), grad=[])


def add_topk(golden):
    x = grid(2, 6, seed=22)
    for k, largest in ((3, True), (2, False), (6, True)):
        golden.add(
            "topk",
            f"k {k}, largest {largest}",
            lambda v, n=k, w=largest: torch.topk(v, n, largest=w),
            x,
            options={"k": k, "largest": largest},
        )
    golden.add("topk", "axis 0", lambda v: torch.topk(v, 1, dim=0), x, options={"k": 1, "axis": 0})
    golden.add(
        "topk",
        "NaN is largest",
        lambda v: torch.topk(v, 2),
        vector(1, NAN, 3, INF),
        options={"k": 2},
        grad=[],
    )
    golden.fails("topk", "k too large", lambda v: torch.topk(v, 7), x, options={"k": 7})


def add_softmax(golden):
    rows = torch.tensor(
        [
            [0.5, -1, 2],
            [-INF, 1, 2],
            [-INF, -INF, -INF],
            [INF, 1, 2],
            [NAN, 1, 2],
            [1000, 999, -1000],
            [0, 0, 0],
        ],
        dtype=torch.float64,
    )
    for op, function in (("softmax", torch.softmax), ("log_softmax", torch.log_softmax)):
        golden.add(op, "rows of edges", lambda v, f=function: f(v, 1), rows, options={"axis": 1})
        for axis in (0, 1, -1):
            golden.add(
                op,
                f"axis {axis} of 3",
                lambda v, f=function, a=axis: f(v, a),
                grid(2, 3, 4, seed=23),
                options={"axis": axis},
            )
        golden.add(op, "empty", lambda v, f=function: f(v, 1), grid(0, 3), options={"axis": 1})


def add_cases(golden):
    add_sort(golden)
    add_topk(golden)
    add_softmax(golden)
