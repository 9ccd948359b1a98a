"""conv1d, conv2d, convTranspose2d: stride, padding, dilation, groups, output padding."""

from torch.nn import functional as F

from golden_case import grid

# case, x, w, has bias, options
CONV1D = [
    ("plain", [1, 2, 5], [2, 2, 3], True, {}),
    ("stride 2, padding 1", [2, 1, 6], [2, 1, 3], True, {"stride": 2, "padding": 1}),
    ("dilation 2, groups 2", [1, 2, 7], [2, 1, 3], False, {"dilation": 2, "groups": 2}),
]
CONV2D = [
    ("plain, no bias", [1, 1, 4, 4], [1, 1, 3, 3], False, {}),
    ("batch, channels, padding 1", [2, 2, 3, 4], [2, 2, 3, 3], True, {"padding": 1}),
    ("1x1", [1, 3, 2, 2], [2, 3, 1, 1], True, {}),
    ("stride 2", [1, 1, 5, 6], [2, 1, 2, 2], True, {"stride": 2}),
    (
        "stride 2 1, padding 0 1",
        [1, 1, 4, 4],
        [1, 1, 3, 2],
        True,
        {"stride": [2, 1], "padding": [0, 1]},
    ),
    ("stride 3 skips pixels", [1, 1, 5, 5], [1, 1, 2, 2], False, {"stride": 3}),
    ("dilation 2", [1, 1, 5, 5], [1, 1, 2, 2], True, {"dilation": 2}),
    (
        "dilation 2 1, padding 1",
        [1, 1, 4, 4],
        [1, 1, 2, 3],
        False,
        {"dilation": [2, 1], "padding": 1},
    ),
    ("groups 2", [1, 4, 3, 3], [4, 2, 2, 2], True, {"groups": 2}),
    ("depthwise, two a channel", [1, 2, 3, 3], [4, 1, 2, 2], True, {"groups": 2}),
    ("kernel larger than image", [1, 1, 2, 2], [1, 1, 3, 3], True, {"padding": 1}),
    ("padding same", [1, 1, 4, 3], [1, 1, 3, 2], False, {"padding": "same"}),
    ("empty batch", [0, 1, 3, 3], [1, 1, 2, 2], True, {}),
]
TRANSPOSED = [
    ("plain", [1, 1, 2, 2], [1, 1, 3, 3], True, {}),
    ("stride 2", [1, 2, 2, 2], [2, 1, 2, 2], True, {"stride": 2}),
    (
        "stride 2, padding 1, output padding 1",
        [1, 1, 3, 2],
        [1, 2, 3, 3],
        True,
        {"stride": 2, "padding": 1, "outputPadding": 1},
    ),
    ("groups 2", [1, 2, 2, 2], [2, 2, 2, 2], True, {"groups": 2}),
    ("dilation 2", [1, 1, 2, 2], [1, 1, 2, 2], False, {"dilation": 2}),
    (
        "stride 2 1, output padding 1 0",
        [1, 1, 2, 3],
        [1, 1, 2, 2],
        False,
        {"stride": [2, 1], "outputPadding": [1, 0]},
    ),
]


def add_family(golden, op, function, cases):
    for case, x_shape, w_shape, has_bias, options in cases:
        words = {("output_padding" if k == "outputPadding" else k): v for k, v in options.items()}
        channels = w_shape[0] if op != "conv_transpose2d" else w_shape[1] * options.get("groups", 1)
        bias = grid(channels, seed=63) if has_bias else None
        golden.add(
            op,
            case,
            lambda x, w, b, k=words: function(x, w, b, **k),
            grid(*x_shape, seed=61),
            grid(*w_shape, seed=62),
            bias,
            options=options,
        )


def add_cases(golden):
    add_family(golden, "conv1d", F.conv1d, CONV1D)
    add_family(golden, "conv2d", F.conv2d, CONV2D)
    add_family(golden, "conv_transpose2d", F.conv_transpose2d, TRANSPOSED)
    golden.fails("conv2d", "channels differ", F.conv2d, grid(1, 2, 3, 3), grid(1, 3, 2, 2))
    golden.fails(
        "conv2d", "kernel larger than padded image", F.conv2d, grid(1, 1, 2, 2), grid(1, 1, 3, 3)
    )
