"""The PyTorch side of `npm run bench`: JSON lines in on stdin, JSON lines out on stdout.

First line out:    {"ready": true, "torch": version} or {"ready": false, "error": text}
Requests, each answered by one line:
    {"command": "setup", "benchmark": "mlp", "variant": "eager", "threads": 2, "data": folder}
        -> {"ok": true} or {"ok": false, "error": text}
    {"command": "run", "benchmark": "mlp", "variant": "eager", "steps": 200}
        -> {"ok": true, "seconds": s, "loss": last loss}
End of input ends the process.
"""

import json
import os
import sys
import time
from pathlib import Path

# torch.compile must not leave worker processes behind that take processor time from the other side.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
sys.dont_write_bytecode = True
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def answer(message):
    answers.write(json.dumps(message) + "\n")
    answers.flush()


# Peer options of each benchmark's variants; what is not named is PyTorch's default.
VARIANTS = {
    "mlp": {"eager": {}, "fused": {"fused": True}, "compile": {"fused": True, "compiled": True}},
    "cnn": {
        "eager": {},
        "channels_last": {"channels_last": True},
        "channels_last_fused": {"channels_last": True, "fused": True},
        "compile": {"channels_last": True, "fused": True, "compiled": True},
    },
}
BATCH = {"mlp": 64, "cnn": 128}


class Training:
    """Steps of one network on MNIST held in memory: gather, forward, backward, Adam."""

    def __init__(self, benchmark, data, channels_last=False, fused=None, compiled=False):
        import torch
        from reference_models import cnn, fill_from_hash, mlp

        self.torch, self.channels_last = torch, channels_last
        self.batch = BATCH[benchmark]
        self.x, self.y = data
        self.x = self.x.view((-1, 784) if benchmark == "mlp" else (-1, 1, 28, 28))
        self.model = fill_from_hash(mlp() if benchmark == "mlp" else cnn())
        if channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, fused=fused)
        self.forward = torch.compile(self.model) if compiled else self.model
        self.order = torch.randperm(len(self.x), generator=torch.Generator().manual_seed(1))
        self.step_number = 0

    def step(self):
        first = self.step_number * self.batch % (len(self.x) - self.batch + 1)
        self.step_number += 1
        rows = self.order[first : first + self.batch]
        x, y = self.x[rows], self.y[rows]
        if self.channels_last:
            x = x.contiguous(memory_format=self.torch.channels_last)
        loss = self.torch.nn.functional.cross_entropy(self.forward(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def run(self, steps):
        start = time.perf_counter()
        for _ in range(steps):
            loss = self.step()
        value = loss.item()
        return {"ok": True, "seconds": time.perf_counter() - start, "loss": value}


class Peer:
    def __init__(self):
        self.trainings = {}
        self.data = {}

    def setup(self, request):
        import torch
        from reference_models import mnist_train

        torch.set_num_threads(request["threads"])
        folder = request["data"]
        if folder not in self.data:
            self.data[folder] = mnist_train(folder)
        benchmark, variant = request["benchmark"], request["variant"]
        words = VARIANTS[benchmark][variant]
        training = Training(benchmark, self.data[folder], **words)
        training.run(2)
        self.trainings[benchmark, variant] = training
        return {"ok": True}

    def run(self, request):
        return self.trainings[request["benchmark"], request["variant"]].run(request["steps"])


def main():
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reference"))
    try:
        import torch
    except ImportError as error:
        answer({"ready": False, "error": str(error)})
        return
    answer({"ready": True, "torch": torch.__version__})
    peer = Peer()
    commands = {"setup": peer.setup, "run": peer.run}
    for line in sys.stdin:
        try:
            request = json.loads(line)
            answer(commands[request["command"]](request))
        except Exception as error:  # the other side prints it and goes on without this variant
            answer({"ok": False, "error": f"{type(error).__name__}: {error}".split("\n")[0]})


if __name__ == "__main__":
    main()
