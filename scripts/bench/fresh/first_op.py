"""From nothing to the first result of PyTorch."""

import torch

print(torch.ones(16).add(1)[0].item())
