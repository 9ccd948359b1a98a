"""Writes test/golden/sequences.safetensors: outputs, states, weights and gradients of PyTorch's LSTM, GRU and attention in float64.

Usage: python scripts/reference/make_sequence_golden.py   (needs: pip install torch safetensors)
"""

import pathlib

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden" / "sequences.safetensors"

# Each name is that of the case in test/nn/recurrent.test.ts: layer, input shape, whether an initial state is given.
RECURRENT = {
    "lstm": (nn.LSTM(3, 4), (5, 2, 3), False),
    "lstm_deep": (nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True), (2, 5, 3), True),
    "lstm_plain": (nn.LSTM(3, 4, bias=False), (5, 3), True),
    "gru": (nn.GRU(3, 4), (5, 2, 3), False),
    "gru_deep": (nn.GRU(3, 4, num_layers=3, bidirectional=True, batch_first=True), (2, 5, 3), True),
    "gru_plain": (nn.GRU(3, 4, bias=False), (5, 3), True),
}

# Likewise, of sequences of these lengths, packed for the layer and padded again.
PACKED = {
    "lstm_packed": (nn.LSTM(3, 4), (5, 4, 3), False, [3, 5, 1, 4]),
    "lstm_deep_packed": (nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True), (3, 5, 3), True, [2, 4, 1]),
    "gru_packed": (nn.GRU(3, 4), (5, 4, 3), False, [3, 5, 1, 4]),
    "gru_deep_packed": (nn.GRU(3, 4, num_layers=3, bidirectional=True, batch_first=True), (3, 5, 3), True, [2, 4, 1]),
}


def random_mask(*shape):
    return torch.rand(shape) < 0.3


# Likewise for test/nn/attention.test.ts: layer, shapes of query, key and value, and the arguments of forward.
ATTENTION = {
    "attention": (nn.MultiheadAttention(6, 2), [(4, 3, 6)] * 3, {}),
    "attention_cross": (
        nn.MultiheadAttention(6, 3, batch_first=True, kdim=5, vdim=4),
        [(3, 4, 6), (3, 7, 5), (3, 7, 4)],
        {"average_attn_weights": False},
    ),
    "attention_padded": (
        nn.MultiheadAttention(6, 2, batch_first=True),
        [(3, 4, 6), (3, 5, 6), (3, 5, 6)],
        {
            "key_padding_mask": torch.tensor([[0, 0, 0, 1, 1], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]).bool(),
            "attn_mask": torch.tensor([[0, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]).bool(),
        },
    ),
    "attention_heads_mask": (
        nn.MultiheadAttention(6, 2, batch_first=True, bias=False),
        [(3, 4, 6), (3, 5, 6), (3, 5, 6)],
        {"attn_mask": torch.linspace(-2, 2, 6 * 4 * 5, dtype=torch.float64).reshape(6, 4, 5)},
    ),
    "attention_alone": (nn.MultiheadAttention(6, 2), [(4, 6), (5, 6), (5, 6)], {}),
}


def weighted(tensors):
    """A loss in which every element counts differently."""
    return sum((t * torch.linspace(0.5, 1.5, t.numel(), dtype=t.dtype).reshape(t.shape)).sum() for t in tensors)


def record(values, name, layer, inputs, outputs):
    weighted(outputs.values()).backward()
    for key, parameter in layer.named_parameters():
        values[f"{name}/weight/{key}"] = parameter.detach()
        values[f"{name}/grad/{key}"] = parameter.grad
    for key, tensor in inputs.items():
        values[f"{name}/input/{key}"] = tensor.detach()
        if tensor.grad is not None:
            values[f"{name}/grad/{key}"] = tensor.grad
    for key, tensor in outputs.items():
        values[f"{name}/output/{key}"] = tensor.detach()


def recurrent(values, name, layer, shape, with_state, lengths=None):
    layer.double()
    inputs = {"x": torch.randn(shape, dtype=torch.float64, requires_grad=True)}
    is_lstm = isinstance(layer, nn.LSTM)
    if with_state:
        count = layer.num_layers * (2 if layer.bidirectional else 1)
        batch = [shape[0 if layer.batch_first else 1]] if len(shape) == 3 else []
        for key in ["h", "c"] if is_lstm else ["h"]:
            inputs[f"{key}0"] = torch.randn([count, *batch, layer.hidden_size], dtype=torch.float64, requires_grad=True)
    state = None
    if with_state:
        state = (inputs["h0"], inputs["c0"]) if is_lstm else inputs["h0"]
    if lengths is None:
        output, end = layer(inputs["x"], state)
    else:
        inputs["lengths"] = torch.tensor(lengths)
        packed = pack_padded_sequence(inputs["x"], inputs["lengths"], layer.batch_first, enforce_sorted=False)
        output, end = layer(packed, state)
        time = shape[1 if layer.batch_first else 0]
        output, _ = pad_packed_sequence(output, layer.batch_first, total_length=time)
    outputs = {"y": output, **({"h": end[0], "c": end[1]} if is_lstm else {"h": end})}
    record(values, name, layer, inputs, outputs)


def attention(values, name, layer, shapes, options):
    layer.double()
    for parameter in layer.parameters():
        parameter.data.normal_()
    names = ["query", "key", "value"]
    same = len(set(shapes)) == 1
    inputs = {}
    for key, shape in zip(names[:1] if same else names, shapes):
        inputs[key] = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    given = [inputs["query"]] * 3 if same else [inputs[key] for key in names]
    output, weights = layer(*given, **options)
    inputs |= {key: tensor for key, tensor in options.items() if isinstance(tensor, torch.Tensor)}
    record(values, name, layer, inputs, {"y": output, "weights": weights})


def functional(values):
    """torch.nn.functional.scaled_dot_product_attention; a query without keys, too."""
    q, k, v = (torch.randn(2, 3, n, 4, dtype=torch.float64) for n in (4, 5, 5))
    mask = random_mask(2, 1, 4, 5)
    mask[0, 0, 1] = False
    cases = {
        "plain": {},
        "causal": {"is_causal": True},
        "bool": {"attn_mask": mask},
        "float": {"attn_mask": torch.where(random_mask(4, 5), -torch.inf, torch.randn(4, 5, dtype=torch.float64))},
        "scaled": {"scale": 2.0},
    }
    values |= {"sdpa/q": q, "sdpa/k": k, "sdpa/v": v}
    for name, options in cases.items():
        values[f"sdpa/{name}"] = nn.functional.scaled_dot_product_attention(q, k, v, **options)
        if "attn_mask" in options:
            values[f"sdpa/{name}/mask"] = options["attn_mask"]


def main():
    torch.manual_seed(7)
    values = {}
    for name, case in RECURRENT.items():
        recurrent(values, name, *case)
    for name, case in ATTENTION.items():
        attention(values, name, *case)
    functional(values)
    for name, case in PACKED.items():
        recurrent(values, name, *case)
    save_file({key: tensor.contiguous() for key, tensor in values.items()}, OUT)


main()
