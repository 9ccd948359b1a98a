"""Training steps of the MNIST networks in PyTorch, for `npm run bench -- mlp cnn`."""

import math
from functools import cache

import torch
from reference_models import cnn, fill_from_hash, mlp, mnist_train

BATCH = {"mlp": 64, "cnn": 128}
SHAPE = {"mlp": (-1, 784), "cnn": (-1, 1, 28, 28)}


@cache
def digits(folder):
    return mnist_train(folder)


class Training:
    """Steps of one network on MNIST held in memory: gather, forward, backward, Adam."""

    def __init__(self, network, folder, channels_last=False, fused=None, compiled=False, bf16=False):
        self.batch, self.channels_last, self.bf16 = BATCH[network], channels_last, bf16
        x, self.y = digits(folder)
        self.x = x.view(SHAPE[network])
        self.model = fill_from_hash(mlp() if network == "mlp" else cnn())
        if channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, fused=fused)
        self.forward = torch.compile(self.model) if compiled else self.model
        self.order = torch.randperm(len(self.x), generator=torch.Generator().manual_seed(1))
        self.position = 0

    def step(self):
        if self.position + self.batch > len(self.x):
            self.position = 0
        rows = self.order[self.position : self.position + self.batch]
        self.position += self.batch
        x, y = self.x[rows], self.y[rows]
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            self.loss = torch.nn.functional.cross_entropy(self.forward(x), y)
        self.optimizer.zero_grad()
        self.loss.backward()
        self.optimizer.step()

    def finish(self):
        value = self.loss.item()
        if not math.isfinite(value):
            raise ArithmeticError(f"the loss became {value}")
