"""The Python side of `npm run bench`: `peer.py torch|jax THREADS [DEVICE]`, JSON lines in on stdin, JSON lines out on stdout.

First line out:    {"ready": true, "version": version of the framework} or {"ready": false, "error": text}
Requests, each answered by one line, {"ok": false, "error": text} where something failed:
    {"command": "setup", "id": name, "data": folder, "setup": code, "statement": code, "finish": code, "within": code}
        -> {"ok": true}
    {"command": "run", "id": name, "count": n} -> {"ok": true, "seconds": s}: `statement` n times, then `finish`
    {"command": "drop", "id": name} -> {"ok": true}
End of input ends the process.
"""

import contextlib
import gc
import importlib
import json
import os
import sys
import textwrap
import time
from pathlib import Path

# torch.compile must not leave worker processes behind that take processor time from the other side.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
sys.dont_write_bytecode = True
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

# As in timeit, everything is local to one function, so that a name costs as little as in a user's function.
TEMPLATE = """
def make():
{setup}
    def run(count):
        with {within}:
            begin = perf_counter()
            for _ in range(count):
{statement}
{finish}
            return perf_counter() - begin
    return run
"""


def answer(message):
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def indented(code, depth):
    return textwrap.indent(textwrap.dedent(code).strip() or "pass", " " * depth)


def compiled(request, names):
    source = TEMPLATE.format(
        setup=indented(request["setup"], 4),
        within=request.get("within", "nullcontext()"),
        statement=indented(request["statement"], 16),
        finish=indented(request.get("finish", ""), 12),
    )
    exec(compile(source, request["id"], "exec"), names)
    return names["make"]()


class Peer:
    def __init__(self, framework, threads, device):
        self.framework, self.threads, self.device, self.works = framework, threads, device, {}

    def setup(self, request):
        names = {
            self.framework.__name__: self.framework,
            "perf_counter": time.perf_counter,
            "nullcontext": contextlib.nullcontext,
            "THREADS": self.threads,
            "DATA": request.get("data", ""),
            "DEVICE": self.device,
        }
        run = compiled(request, names)
        run(2)
        self.works[request["id"]] = run
        return {"ok": True}

    def run(self, request):
        return {"ok": True, "seconds": self.works[request["id"]](request["count"])}

    def drop(self, request):
        self.works.pop(request["id"], None)
        gc.collect()
        return {"ok": True}


def load_framework(name, threads):
    if name == "jax" and hasattr(os, "sched_setaffinity"):
        # XLA makes a thread for each processor that it may use, and has no other setting.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    framework = importlib.import_module(name)
    if name == "torch":
        framework.set_num_threads(threads)
    return framework


def main(name, threads, device="cpu"):
    folder = Path(__file__).resolve().parent
    sys.path[:0] = [str(folder / "peer"), str(folder.parent / "reference")]
    try:
        framework = load_framework(name, threads)
    except ImportError as error:
        answer({"ready": False, "error": str(error)})
        return
    answer({"ready": True, "version": framework.__version__})
    peer = Peer(framework, threads, device)
    commands = {"setup": peer.setup, "run": peer.run, "drop": peer.drop}
    for line in sys.stdin:
        try:
            request = json.loads(line)
            answer(commands[request["command"]](request))
        except Exception as error:  # the other side prints it and goes on without this variant
            answer({"ok": False, "error": f"{type(error).__name__}: {error}".split("\n")[0]})


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
