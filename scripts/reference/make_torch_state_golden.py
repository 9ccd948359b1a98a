"""Writes test/golden/torch_state: state_dict() of PyTorch layers as safetensors.torch.save_file writes it, with inputs and outputs.

Usage: python scripts/reference/make_torch_state_golden.py   (needs: pip install torch safetensors)
"""

import pathlib

import torch
from safetensors.torch import save_file
from torch import nn

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden" / "torch_state"


def normal(*shape):
    return lambda: torch.randn(shape)


# Each name is that of the layer in test/nn/torch_state.test.ts.
CASES = {
    "linear": (nn.Linear(4, 3), normal(2, 4)),
    "linear_no_bias": (nn.Linear(4, 3, bias=False), normal(2, 4)),
    "embedding": (nn.Embedding(5, 3, padding_idx=1), lambda: torch.tensor([[0, 1], [4, 2]])),
    "conv1d": (nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), normal(2, 4, 9)),
    "conv2d": (nn.Conv2d(3, 4, (3, 2), padding=(1, 0), dilation=2), normal(2, 3, 8, 7)),
    "conv2d_groups": (nn.Conv2d(4, 8, 3, groups=4, bias=False), normal(2, 4, 6, 6)),
    "conv_transpose2d": (
        nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
        normal(2, 4, 4, 5),
    ),
    "batch_norm1d": (nn.BatchNorm1d(3), normal(4, 3)),
    "batch_norm2d": (nn.BatchNorm2d(3, eps=1e-3, momentum=None), normal(4, 3, 5, 5)),
    "batch_norm2d_plain": (nn.BatchNorm2d(3, affine=False), normal(4, 3, 5, 5)),
    "batch_norm2d_untracked": (nn.BatchNorm2d(3, track_running_stats=False), normal(4, 3, 5, 5)),
    "layer_norm": (nn.LayerNorm([3, 4]), normal(2, 3, 4)),
    "layer_norm_no_bias": (nn.LayerNorm(4, bias=False), normal(2, 3, 4)),
    "group_norm": (nn.GroupNorm(2, 4), normal(2, 4, 3, 3)),
    "nested": (
        nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(36, 3),
        ),
        normal(2, 1, 8, 8),
    ),
    "lstm": (nn.LSTM(3, 4, num_layers=2, bidirectional=True), normal(5, 2, 3)),
    "gru": (nn.GRU(3, 4, bias=False, batch_first=True), normal(2, 5, 3)),
    "attention": (nn.MultiheadAttention(6, 2), normal(5, 2, 6)),
    "attention_widths": (nn.MultiheadAttention(4, 2, kdim=3, vdim=2), normal(5, 2, 4)),
}


def run(layer, x):
    """The output of a layer, the first of several; attention looks at its queries."""
    if isinstance(layer, nn.MultiheadAttention):
        return layer(x, x[..., : layer.kdim], x[..., : layer.vdim])[0]
    output = layer(x)
    return output[0] if isinstance(output, tuple) else output


def main():
    torch.manual_seed(7)
    OUT.mkdir(parents=True, exist_ok=True)
    values = {}
    for name, (layer, make) in CASES.items():
        for parameter in layer.parameters():
            parameter.data.normal_()
        layer.train()
        for _ in range(3):
            run(layer, make())
        x = make()
        values[f"{name}.input"] = x
        values[f"{name}.output"] = run(layer.eval(), x).detach().contiguous()
        state = {key: tensor.contiguous() for key, tensor in layer.state_dict().items()}
        save_file(state, OUT / f"{name}.safetensors", metadata={"format": "pt"})
    save_file(values, OUT / "values.safetensors")


main()
