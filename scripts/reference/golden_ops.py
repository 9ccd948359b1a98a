"""Writes test/golden/ops.json: what PyTorch answers at the edges of every op of the library.

    python3 scripts/reference/golden_ops.py [--out FILE]

File: {"torch": version, "rows": [row, ...]}, one row a line:

    op       stem of the op, snake_case
    case     words that say what is special
    inputs   in the order of the op's operands:
               {dtype, shape, data}   flat, row-major; "NaN" "Infinity" "-Infinity" as words
               {scalar}               a number of the host language; integer-valued means Python int
               null                   an operand that is left out
    options  the op's options in camelCase; left out when empty
    outputs  as inputs; dtype "string" holds a table of words
    grads    one entry an input (null: not differentiable), the gradient of
             sum over outputs k and elements i of out_k[i] * ((7 i + 3) mod 11 - 5.5) / 4
    error    true: PyTorch refuses these operands, and there are no outputs

Every float64 input is exact in float32 unless the case name says "float64".
"""

import argparse

import torch

from golden_case import Golden
from op_cases import (
    binary,
    convolution,
    indexing,
    losses,
    matrix,
    normalization,
    optimizers,
    ordering,
    pooling,
    promotion,
    reductions,
    schedules,
    unary,
)
from reference_models import REPOSITORY

FAMILIES = [
    promotion,
    unary,
    binary,
    reductions,
    ordering,
    indexing,
    matrix,
    convolution,
    pooling,
    normalization,
    losses,
    optimizers,
    schedules,
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=REPOSITORY / "test" / "golden" / "ops.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    golden = Golden()
    for family in FAMILIES:
        before = len(golden.rows)
        family.add_cases(golden)
        print(f"{family.__name__.split('.')[-1]:15} {len(golden.rows) - before:4} rows")
    golden.write(options.out, {"torch": torch.__version__})


if __name__ == "__main__":
    main()
