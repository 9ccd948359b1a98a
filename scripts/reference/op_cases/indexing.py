"""Ops that move elements: joining, cutting, gathering, padding, shifting, resizing."""

import torch
from torch.nn import functional as F

from golden_case import grid, vector


def index(*values, dtype=torch.int64):
    return torch.tensor(values, dtype=dtype)


def add_joining(golden):
    a, b, c = grid(2, 3, seed=31), grid(2, 1, seed=32), grid(2, 3, seed=33)
    golden.add("concat", "axis -1", lambda *t: torch.cat(t, -1), a, b, c, options={"axis": -1})
    golden.add("concat", "axis 0", lambda *t: torch.cat(t, 0), a, c, options={"axis": 0})
    golden.add(
        "concat",
        "promotes",
        lambda *t: torch.cat(t, 0),
        index(1, 2, dtype=torch.int32),
        vector(0.5, dtype=torch.float32),
        options={"axis": 0},
    )
    golden.add("stack", "axis 1", lambda *t: torch.stack(t, 1), a, c, options={"axis": 1})
    golden.add("stack", "axis -1", lambda *t: torch.stack(t, -1), a, c, options={"axis": -1})
    x = grid(7, 2, seed=34)
    golden.add("split", "size 3", lambda v: torch.split(v, 3, 0), x, options={"size": 3, "axis": 0})
    golden.add(
        "split",
        "sizes",
        lambda v: torch.split(v, [1, 4, 2], 0),
        x,
        options={"size": [1, 4, 2], "axis": 0},
    )
    for chunks in (3, 4, 6):
        golden.add(
            "chunk",
            f"7 in {chunks}",
            lambda v, n=chunks: torch.chunk(v, n, 0),
            x,
            options={"chunks": chunks, "axis": 0},
        )


def add_gathering(golden):
    x, rows = grid(3, 4, seed=35), index([0, 2, 1], [3, 0, 0])
    golden.add("gather", "axis 1", lambda v, i: torch.gather(v, 1, i), x, rows, options={"axis": 1})
    low = index([0, 2, 1, 1], [2, 0, 0, 1])
    golden.add("gather", "axis 0", lambda v, i: torch.gather(v, 0, i), x, low, options={"axis": 0})
    source = grid(2, 3, seed=36)
    golden.add(
        "scatter_add",
        "repeated indices, axis 1",
        lambda v, i, s: torch.scatter_add(v, 1, i, s),
        x,
        rows,
        source,
        options={"axis": 1},
    )
    for axis, at in ((0, index(2, 0, 2)), (-1, index(3, 3))):
        golden.add(
            "index_select",
            f"axis {axis}",
            lambda v, i, a=axis: torch.index_select(v, a, i),
            x,
            at,
            options={"axis": axis},
        )
    golden.add("take", "flat", torch.take, x, index([0, 11], [5, 5]))
    golden.add("take", "negative index", torch.take, x, index(-1, -12))
    mask = torch.tensor([[True, False, True, False]])
    golden.add(
        "masked_fill",
        "broadcasting",
        lambda v, m: v.masked_fill(m, -0.5),
        x,
        mask,
        options={"value": -0.5},
    )
    golden.add(
        "nonzero",
        "2-d, NaN counts",
        torch.nonzero,
        torch.tensor([[0.0, 1.5], [float("nan"), -0.0]]),
    )
    golden.add("nonzero", "none", torch.nonzero, torch.zeros(2, 3))
    golden.add("nonzero", "0-d", torch.nonzero, torch.tensor(1.0))
    golden.fails(
        "gather",
        "index out of range",
        lambda v, i: torch.gather(v, 1, i),
        x,
        index([4]),
        options={"axis": 1},
    )
    table = grid(5, 3, seed=37)
    golden.add(
        "embedding", "repeated rows", lambda i, w: F.embedding(i, w), index([1, 4], [1, 0]), table
    )
    golden.add(
        "embedding",
        "padding index has no gradient",
        lambda i, w: F.embedding(i, w, padding_idx=1),
        index(1, 4, 0),
        table,
        options={"paddingIdx": 1},
    )
    golden.fails("embedding", "index out of range", lambda i, w: F.embedding(i, w), index(5), table)
    golden.add(
        "one_hot", "labels", lambda i: F.one_hot(i, 4), index(0, 3, 1), options={"classes": 4}
    )


def add_shifting(golden):
    x = grid(2, 3, seed=38)
    golden.add(
        "repeat", "more axes", lambda v: v.repeat(2, 1, 2), x, options={"repeats": [2, 1, 2]}
    )
    golden.add(
        "roll",
        "two axes",
        lambda v: torch.roll(v, [1, -2], [0, 1]),
        x,
        options={"shifts": [1, -2], "axes": [0, 1]},
    )
    golden.add("roll", "flat", lambda v: torch.roll(v, 2), x, options={"shifts": 2})
    golden.add(
        "roll",
        "more than the size",
        lambda v: torch.roll(v, 7, 1),
        x,
        options={"shifts": 7, "axes": 1},
    )
    golden.add("flip", "axes 0 -1", lambda v: torch.flip(v, [0, -1]), x, options={"axes": [0, -1]})
    square = grid(2, 3, 4, seed=39)
    for op, function in (("tril", torch.tril), ("triu", torch.triu)):
        for k in (0, 1, -1, 5):
            golden.add(
                op,
                f"diagonal {k}",
                lambda v, f=function, d=k: f(v, d),
                square,
                options={"diagonal": k},
            )
    golden.add(
        "diag",
        "vector to matrix, diagonal 1",
        lambda v: torch.diag(v, 1),
        vector(1, 2),
        options={"diagonal": 1},
    )
    for k in (0, -1, 2):
        golden.add(
            "diag",
            f"matrix to vector, diagonal {k}",
            lambda v, d=k: torch.diag(v, d),
            grid(3, 4, seed=40),
            options={"diagonal": k},
        )


def add_padding(golden):
    x = grid(1, 2, 3, 4, seed=41)
    golden.add(
        "pad",
        "constant",
        lambda v: F.pad(v, (1, 2, 0, 1), value=0.5),
        x,
        options={"padding": [[0, 1], [1, 2]], "value": 0.5},
    )
    golden.add(
        "pad", "negative cuts", lambda v: F.pad(v, (-1, 1)), x, options={"padding": [[-1, 1]]}
    )
    for case, kernel, more in (
        ("plain", 2, {}),
        ("stride and padding", (2, 3), {"stride": (1, 2), "padding": (1, 1)}),
        ("dilation", 2, {"dilation": (2, 1)}),
    ):
        options = {"kernelSize": kernel, **{k: list(v) for k, v in more.items()}}
        golden.add(
            "unfold", case, lambda v, k=kernel, m=more: F.unfold(v, k, **m), x, options=options
        )


def add_interpolation(golden):
    x = grid(1, 1, 3, 4, seed=42)
    for size in ((5, 7), (2, 2), (6, 8)):
        golden.add(
            "interpolate",
            f"nearest to {size}",
            lambda v, s=size: F.interpolate(v, s),
            x,
            options={"size": list(size), "mode": "nearest"},
        )
        for corners in (False, True):
            golden.add(
                "interpolate",
                f"bilinear to {size}, corners {corners}",
                lambda v, s=size, c=corners: F.interpolate(v, s, mode="bilinear", align_corners=c),
                x,
                options={"size": list(size), "mode": "bilinear", "alignCorners": corners},
            )
    for mode, corners in (("nearest", None), ("bilinear", False), ("bilinear", True)):
        options = {"scaleFactor": [1.5, 2.5], "mode": mode}
        if corners is not None:
            options["alignCorners"] = corners
        golden.add(
            "interpolate",
            f"scale 1.5 2.5, {mode}, corners {corners}",
            lambda v, m=mode, c=corners: F.interpolate(
                v, scale_factor=(1.5, 2.5), mode=m, align_corners=c
            ),
            x,
            options=options,
        )


def add_cases(golden):
    add_joining(golden)
    add_gathering(golden)
    add_shifting(golden)
    add_padding(golden)
    add_interpolation(golden)
