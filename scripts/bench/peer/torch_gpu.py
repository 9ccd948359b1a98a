"""PyTorch's side of `npm run bench:gpu`: op by op, compiled, and as a CUDA graph captured by hand.

DEVICE is "cuda", or "cpu" where the bench is only tried: then graphs are left out.
"""

import math
from functools import cache

import torch
from reference_models import cnn, fill_from_hash, mlp, mnist_train
from torch_models import InTurn, Stacked

SHAPE = {"mlp": (-1, 784), "cnn": (-1, 1, 28, 28)}
DTYPE = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def use_best(library="default"):
    """Settings of the process, which every work makes its own: true float32, as ours is, and the fastest algorithms."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    if torch.cuda.is_available():
        torch.backends.cuda.preferred_blas_library(library)


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def captured(body, device, warm_up=3):
    """A graph of what body() enqueues, which ran a few times before on a stream of its own."""
    if device != "cuda":
        raise RuntimeError("a graph needs a GPU")
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(warm_up):
            body()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        body()
    return graph


class Work:
    """What body() enqueues, as a graph where there is one."""

    graph = None

    def enqueue(self):
        if self.graph is None:
            self.body()
        else:
            self.graph.replay()

    def finish(self):
        wait(self.device)


@cache
def digits(folder, device):
    x, y = mnist_train(folder)
    return x.to(device), y.to(device)


class Training(Work):
    """Steps of one network on MNIST that lies on the device: gather, forward, backward, fused Adam.

    A graph gets the numbers of its samples by a copy before it.
    """

    def __init__(self, network, folder, batch, precision="f32", mode="eager", device="cuda"):
        use_best()
        self.device, self.batch, self.dtype = device, batch, DTYPE[precision]
        x, self.y = digits(folder, device)
        self.x = x.view(SHAPE[network])
        self.model = fill_from_hash(mlp() if network == "mlp" else cnn()).to(device)
        self.channels_last = network == "cnn"
        if self.channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=1e-3, fused=True, capturable=device == "cuda"
        )
        self.scaler = torch.amp.GradScaler(device, enabled=precision == "f16")
        self.loss_of = self.forward
        if mode == "compile":
            self.loss_of = torch.compile(self.forward, mode="reduce-overhead")
        generator = torch.Generator().manual_seed(1)
        self.order = torch.randperm(len(self.x), generator=generator).to(device)
        self.rows = self.order[:batch].clone()
        self.position = 0
        self.graph = captured(self.body, device) if mode == "graph" else None

    def forward(self, x, y):
        return torch.nn.functional.cross_entropy(self.model(x), y)

    def body(self):
        x, y = self.x[self.rows], self.y[self.rows]
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32):
            self.loss = self.loss_of(x, y)
        self.optimizer.zero_grad()
        self.scaler.scale(self.loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def step(self):
        if self.position + self.batch > len(self.order):
            self.position = 0
        self.rows.copy_(self.order[self.position : self.position + self.batch])
        self.position += self.batch
        self.enqueue()

    def finish(self):
        super().finish()
        value = self.loss.item()
        if not math.isfinite(value):
            raise ArithmeticError(f"the loss became {value}")


class Models(Work):
    """Steps of several networks, in turn or stacked: op by op, compiled, or all of a step as one graph."""

    def __init__(self, kind, models, sizes, mode="eager", device="cuda"):
        use_best()
        self.device = device
        self.all = kind(models, sizes, fused=True, device=device, capturable=device == "cuda")
        if mode == "compile":
            self.all.compile()
        self.rows = self.all.rows.next().clone()
        self.graph = captured(self.body, device) if mode == "graph" else None

    def body(self):
        self.all.train(self.rows)

    def step(self):
        self.rows.copy_(self.all.rows.next())
        self.enqueue()

    def finish(self):
        super().finish()
        self.all.finish()


class Repeated(Work):
    """One operation so many times on the same operands, as a graph on a GPU, so that its launch costs nothing."""

    def __init__(self, operation, times, device="cuda"):
        self.operation, self.times, self.device = operation, times, device
        self.graph = captured(self.body, device) if device == "cuda" else None

    def body(self):
        # Kept, so that each has a place of its own.
        self.results = [self.operation() for _ in range(self.times)]


def product(m, n, k, kind, precision, times, device="cuda", library="default"):
    """a [m, k] or, transposed, [k, m] times b [k, n] or [n, k]; `library` as torch names it."""
    use_best(library)
    options = {"dtype": DTYPE[precision], "device": device}
    a = torch.randn(k, m, **options).t() if kind[0] == "t" else torch.randn(m, k, **options)
    b = torch.randn(n, k, **options).t() if kind[1] == "t" else torch.randn(k, n, **options)
    return Repeated(lambda: torch.mm(a, b), times, device)


def convolution(direction, batch, inputs, outputs, side, precision, times, device="cuda"):
    """3x3 with padding 1, channels last, by the algorithm that cuDNN finds fastest."""
    use_best()

    def images(*shape):
        values = torch.randn(*shape, dtype=DTYPE[precision], device=device)
        return values.to(memory_format=torch.channels_last)

    x, dy = images(batch, inputs, side, side), images(batch, outputs, side, side)
    w = images(outputs, inputs, 3, 3)
    backward = torch.ops.aten.convolution_backward
    geometry = ([1, 1], [1, 1], [1, 1], False, [0, 0], 1)
    operations = {
        "fwd": lambda: torch.conv2d(x, w, None, 1, 1),
        "bwd_data": lambda: backward(dy, x, w, None, *geometry, [True, False, False])[0],
        "bwd_weight": lambda: backward(dy, x, w, None, *geometry, [False, True, False])[1],
    }
    return Repeated(operations[direction], times, device)


def copy(megabytes, device="cuda"):
    """From one place of the device to another."""
    source = torch.randn(megabytes << 18, device=device)
    target = torch.empty_like(source)
    return Repeated(lambda: target.copy_(source), 1, device)


__all__ = ["InTurn", "Models", "Repeated", "Stacked", "Training", "convolution", "copy", "product"]
