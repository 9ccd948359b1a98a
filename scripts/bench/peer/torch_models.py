"""Training steps of several small networks in PyTorch, for `npm run bench -- models`."""

import math

import torch
from torch.func import functional_call, grad, stack_module_state, vmap

BATCH, SAMPLES = 64, 4096


def network(sizes):
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


class Rows:
    """The next numbers of samples in memory."""

    def __init__(self, features, device):
        generator = torch.Generator().manual_seed(1)
        self.x = torch.randn(SAMPLES, features, generator=generator).to(device)
        self.y = self.x[:, :10].argmax(1)
        self.order = torch.randperm(SAMPLES, generator=generator).to(device)
        self.position = 0

    def next(self):
        if self.position + BATCH > SAMPLES:
            self.position = 0
        rows = self.order[self.position : self.position + BATCH]
        self.position += BATCH
        return rows


def check(loss):
    if not math.isfinite(loss):
        raise ArithmeticError(f"the loss became {loss}")


class InTurn:
    """One model after the other: gather, forward, backward, Adam; `capturable` for a CUDA graph."""

    def __init__(self, models, sizes, fused=None, device="cpu", capturable=False):
        self.rows = Rows(sizes[0], device)
        self.models = [network(sizes).to(device) for _ in range(models)]
        self.losses_of = [self.loss_of(model) for model in self.models]
        self.optimizers = [
            torch.optim.Adam(
                model.parameters(), lr=1e-3 * (1 + i / models), fused=fused, capturable=capturable
            )
            for i, model in enumerate(self.models)
        ]

    @staticmethod
    def loss_of(model):
        return lambda x, y: torch.nn.functional.cross_entropy(model(x), y)

    def compile(self):
        torch._dynamo.config.recompile_limit = 4 * len(self.models)
        self.losses_of = [torch.compile(loss_of, mode="reduce-overhead") for loss_of in self.losses_of]

    def step(self):
        self.train(self.rows.next())

    def train(self, rows):
        for loss_of, optimizer in zip(self.losses_of, self.optimizers):
            x, y = self.rows.x[rows], self.rows.y[rows]
            self.loss = loss_of(x, y)
            optimizer.zero_grad()
            self.loss.backward()
            optimizer.step()

    def finish(self):
        check(self.loss.item())


class Stacked:
    """All at once by vmap over stacked parameters, as PyTorch's tutorial on ensembles does; one learning rate for all."""

    def __init__(self, models, sizes, fused=True, device="cpu", capturable=False):
        self.rows = Rows(sizes[0], device)
        networks = [network(sizes).to(device) for _ in range(models)]
        parameters, _ = stack_module_state(networks)
        self.parameters = {name: value.detach() for name, value in parameters.items()}
        self.optimizer = torch.optim.Adam(
            self.parameters.values(), lr=1e-3, fused=fused, capturable=capturable
        )
        base = networks[0]

        def loss_of(parameters, x, y):
            loss = torch.nn.functional.cross_entropy(functional_call(base, parameters, (x,)), y)
            return loss, loss

        self.gradients = vmap(grad(loss_of, has_aux=True), in_dims=(0, None, None))

    def compile(self):
        self.gradients = torch.compile(self.gradients, mode="reduce-overhead")

    def step(self):
        self.train(self.rows.next())

    def train(self, rows):
        gradients, self.losses = self.gradients(self.parameters, self.rows.x[rows], self.rows.y[rows])
        for name, value in self.parameters.items():
            value.grad = gradients[name]
        self.optimizer.step()

    def finish(self):
        check(self.losses.sum().item())
