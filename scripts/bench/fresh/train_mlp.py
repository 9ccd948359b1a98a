"""What an epoch of the MLP leaves resident in PyTorch, with the digits kept as bytes: `train_mlp.py THREADS DATA`."""

import gzip
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn


def read(name, header):
    path = Path(sys.argv[2]) / name
    raw = path.read_bytes() if path.exists() else gzip.open(f"{path}.gz").read()
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=header).copy())


torch.set_num_threads(int(sys.argv[1]))
images = read("train-images-idx3-ubyte", 16).view(-1, 784)
labels = read("train-labels-idx1-ubyte", 8).long()
model = nn.Sequential(
    nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
for rows in torch.randperm(len(images)).split(64):
    x = images[rows].float().div_(255).sub_(0.1307).div_(0.3081)
    loss = nn.functional.cross_entropy(model(x), labels[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
pages = int(Path("/proc/self/statm").read_text().split()[1])
print(json.dumps({"bytes": pages * os.sysconf("SC_PAGE_SIZE")}))
