"""Pooling: ties, NaN, padding, dilation, ceil mode, what the average counts, uneven windows."""

import torch
from torch.nn import functional as F

from golden_case import grid

INF, NAN = float("inf"), float("nan")
NAMES = {
    "kernelSize": "kernel_size",
    "ceilMode": "ceil_mode",
    "countIncludePad": "count_include_pad",
}
MAX = [
    ("2x2", {"kernelSize": 2}),
    ("stride 1", {"kernelSize": 2, "stride": 1}),
    ("padding 1", {"kernelSize": 3, "stride": 2, "padding": 1}),
    ("dilation 2", {"kernelSize": 2, "stride": 1, "dilation": 2}),
    ("ceil mode", {"kernelSize": 2, "stride": 2, "ceilMode": True}),
    (
        "ceil mode, last window would start in the padding",
        {"kernelSize": 2, "stride": 3, "padding": 1, "ceilMode": True},
    ),
    ("rectangular", {"kernelSize": [1, 3], "stride": [2, 1], "padding": [0, 1]}),
]
AVERAGE = [
    ("2x2", {"kernelSize": 2}),
    ("padding counted", {"kernelSize": 3, "stride": 2, "padding": 1}),
    ("padding not counted", {"kernelSize": 3, "stride": 2, "padding": 1, "countIncludePad": False}),
    ("ceil mode", {"kernelSize": 2, "stride": 2, "ceilMode": True}),
    ("ceil mode, padding counted", {"kernelSize": 3, "stride": 2, "padding": 1, "ceilMode": True}),
    (
        "ceil mode, padding not counted",
        {"kernelSize": 3, "stride": 2, "padding": 1, "ceilMode": True, "countIncludePad": False},
    ),
    ("rectangular", {"kernelSize": [1, 3], "stride": [2, 1], "padding": [0, 1]}),
]


def add_family(golden, op, function, cases, x):
    for case, options in cases:
        words = {NAMES.get(k, k): v for k, v in options.items()}
        golden.add(op, case, lambda v, w=words: function(v, **w), x, options=options)


def add_cases(golden):
    add_family(golden, "max_pool2d", F.max_pool2d, MAX, grid(1, 2, 5, 4, seed=71))
    add_family(golden, "avg_pool2d", F.avg_pool2d, AVERAGE, grid(1, 2, 4, 5, seed=72))
    ties = torch.tensor([[[[0, 0, 1, 1], [0, 0, 1, 1], [2, 3, -1, -1], [3, 2, -1, -1]]]]).double()
    golden.add(
        "max_pool2d",
        "ties: the first",
        lambda v: F.max_pool2d(v, 2),
        ties,
        options={"kernelSize": 2},
    )
    golden.add(
        "max_pool2d",
        "ties in windows that overlap",
        lambda v: F.max_pool2d(v, 3, 1),
        ties,
        options={"kernelSize": 3, "stride": 1},
    )
    edges = torch.tensor(
        [[[[NAN, 1, -INF, -INF], [2, 3, -INF, -INF], [1, NAN, INF, 0], [NAN, 5, 1, 2]]]]
    )
    golden.add(
        "max_pool2d",
        "NaN wins, rows of -Infinity",
        lambda v: F.max_pool2d(v, 2),
        edges.double(),
        options={"kernelSize": 2},
    )
    for size in ([3, 3], [1, 1], [5, 7], [2, 3]):
        golden.add(
            "adaptive_avg_pool2d",
            f"5x7 to {size}",
            lambda v, s=size: F.adaptive_avg_pool2d(v, s),
            grid(1, 1, 5, 7, seed=73),
            options={"outputSize": size},
        )
    golden.add(
        "adaptive_avg_pool2d",
        "2x2 to [3, 4]",
        lambda v: F.adaptive_avg_pool2d(v, [3, 4]),
        grid(1, 1, 2, 2, seed=74),
        options={"outputSize": [3, 4]},
    )
    golden.fails(
        "max_pool2d",
        "padding above half the kernel",
        lambda v: F.max_pool2d(v, 2, padding=2),
        grid(1, 1, 4, 4),
        options={"kernelSize": 2, "padding": 2},
    )
