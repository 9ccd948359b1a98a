"""Collects reference cases and writes them as JSON; the schema is at the head of golden_ops.py."""

import json
import math

import torch

DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "int64": torch.int64,
    "int32": torch.int32,
    "uint8": torch.uint8,
    "bool": torch.bool,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def upstream(shape):
    """The gradient that flows into an output: element i gets ((7 i + 3) mod 11 - 5.5) / 4."""
    count = math.prod(shape)
    values = (torch.arange(count) * 7 + 3) % 11
    return ((values.to(torch.float64) - 5.5) / 4).view(tuple(shape))


def grid(*shape, seed=1, scale=16, low=-40, high=40):
    """float64 tensor of small multiples of 1/scale: exact in float32 and short in decimal."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high + 1, shape, generator=generator).to(torch.float64) / scale


def vector(*values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype)


def encode_number(value):
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        if value.is_integer() and abs(value) < 2**53 and (value or math.copysign(1, value) > 0):
            return int(value)
    return value


def encode(value):
    """Tensor -> {dtype, shape, data}; number -> {scalar}; None -> null; strings pass as a table."""
    if value is None:
        return None
    if isinstance(value, torch.Tensor):
        flat = value.detach().reshape(-1)
        numbers = (flat.int() if flat.dtype == torch.bool else flat).tolist()
        data = [encode_number(v) for v in numbers]
        return {"dtype": NAMES[value.dtype], "shape": list(value.shape), "data": data}
    return {"scalar": encode_number(value)}


def as_tuple(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


class Golden:
    """rows: what golden_ops.py writes. One method call is one row."""

    def __init__(self):
        self.rows = []

    def add(self, op, case, function, *inputs, options=None, grad=None):
        """Runs function(*inputs); gradients for every float64 input unless grad names positions."""
        leaves = [i.clone() if isinstance(i, torch.Tensor) else i for i in inputs]
        if grad is None:
            grad = [k for k, v in enumerate(leaves) if self._differentiable(v)]
        for k in grad:
            leaves[k].requires_grad_(True)
        outputs = as_tuple(function(*leaves))
        row = {"op": op, "case": case, "inputs": [encode(i) for i in inputs]}
        if options:
            row["options"] = options
        row["outputs"] = [encode(o) for o in outputs]
        gradients = self._gradients(outputs, leaves, grad)
        if gradients is not None:
            row["grads"] = gradients
        self.rows.append(row)

    def fails(self, op, case, function, *inputs, options=None):
        """A row for what PyTorch refuses; it is an error of this script if PyTorch does not."""
        try:
            function(*inputs)
        except (RuntimeError, IndexError, ValueError, TypeError):
            row = {"op": op, "case": case, "inputs": [encode(i) for i in inputs]}
            self.rows.append({**row, "options": options or {}, "error": True})
            return
        raise AssertionError(f"{op}, {case}: PyTorch accepts this")

    def table(self, op, case, shape, names, options=None):
        """A row whose output is a table of words, e.g. dtype names."""
        output = {"dtype": "string", "shape": list(shape), "data": names}
        self.rows.append(
            {"op": op, "case": case, "inputs": [], "options": options or {}, "outputs": [output]}
        )

    def write(self, path, header):
        lines = [json.dumps(row, separators=(",", ":"), allow_nan=False) for row in self.rows]
        head = json.dumps(header, separators=(",", ":"))[1:-1]
        with open(path, "w", encoding="utf-8") as file:
            file.write("{" + head + ',"rows":[\n' + ",\n".join(lines) + "\n]}\n")

    @staticmethod
    def _differentiable(value):
        return isinstance(value, torch.Tensor) and value.dtype == torch.float64

    @staticmethod
    def _gradients(outputs, leaves, grad):
        floating = [o for o in outputs if isinstance(o, torch.Tensor) and o.requires_grad]
        if not grad or not floating:
            return None
        total = sum((o * upstream(o.shape)).sum() for o in floating)
        wanted = [leaves[k] for k in grad]
        found = torch.autograd.grad(total, wanted, allow_unused=True)
        gradients = [None] * len(leaves)
        for k, value in zip(grad, found, strict=True):
            gradients[k] = encode(value)
        return gradients
