"""Five steps of every optimizer on given gradients, and gradient clipping.

inputs: x0 [n], gradients [5, n] with a zero row; outputs: parameters after each step [5, n].
"""

import torch

from golden_case import grid

STEPS, SIZE = 5, 4
CASES = [
    ("sgd", "plain", torch.optim.SGD, {"lr": 0.1}),
    ("sgd", "momentum", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    ("sgd", "momentum, dampening", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}),
    ("sgd", "nesterov", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (
        "sgd",
        "nesterov, weight decay",
        torch.optim.SGD,
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    ),
    ("sgd", "weight decay", torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.1}),
    ("adam", "plain", torch.optim.Adam, {"lr": 0.01}),
    ("adam", "betas, eps", torch.optim.Adam, {"lr": 0.01, "betas": (0.8, 0.99), "eps": 0.001}),
    ("adam", "weight decay", torch.optim.Adam, {"lr": 0.01, "weight_decay": 0.1}),
    ("adam", "amsgrad", torch.optim.Adam, {"lr": 0.01, "amsgrad": True}),
    ("adamw", "plain", torch.optim.AdamW, {"lr": 0.01}),
    ("adamw", "weight decay", torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
    ("rmsprop", "plain", torch.optim.RMSprop, {"lr": 0.01}),
    ("rmsprop", "centered", torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9, "centered": True}),
    ("rmsprop", "momentum", torch.optim.RMSprop, {"lr": 0.01, "momentum": 0.9}),
    (
        "rmsprop",
        "centered, momentum, weight decay",
        torch.optim.RMSprop,
        {"lr": 0.01, "momentum": 0.5, "centered": True, "weight_decay": 0.1, "eps": 0.001},
    ),
]


def camel(name):
    return "weightDecay" if name == "weight_decay" else name


def steps(kind, words):
    def run(start, gradients):
        parameter = torch.nn.Parameter(start.clone())
        optimizer = kind([parameter], **words)
        rows = []
        for row in gradients:
            parameter.grad = row.clone()
            optimizer.step()
            rows.append(parameter.detach().clone())
        return torch.stack(rows)

    return run


def add_clipping(golden):
    a, b = grid(3, seed=103), grid(2, 2, seed=104)

    def by_norm(limit, order):
        def run(*gradients):
            parameters = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient.clone()
            total = torch.nn.utils.clip_grad_norm_(parameters, limit, order)
            return total, *(p.grad for p in parameters)

        return run

    for case, limit, order in (
        ("clips", 1, 2),
        ("leaves alone", 100, 2),
        ("order 1", 1, 1),
        ("order Infinity", 1, float("inf")),
    ):
        options = {"maxNorm": limit, "order": order if order != float("inf") else "Infinity"}
        golden.add("clip_grad_norm", case, by_norm(limit, order), a, b, options=options, grad=[])
    golden.add(
        "clip_grad_norm",
        "zero gradients",
        by_norm(1, 2),
        torch.zeros_like(a),
        options={"maxNorm": 1, "order": 2},
        grad=[],
    )
    golden.add(
        "clip_grad_value",
        "clips",
        lambda *g: tuple(x.clamp(-1, 1) for x in g),
        a,
        b,
        options={"clipValue": 1},
        grad=[],
    )


def add_cases(golden):
    gradients = grid(STEPS, SIZE, seed=101)
    gradients[2] = 0
    for op, case, kind, words in CASES:
        options = {camel(k): list(v) if isinstance(v, tuple) else v for k, v in words.items()}
        golden.add(
            op, case, steps(kind, words), grid(SIZE, seed=102), gradients, options=options, grad=[]
        )
    add_clipping(golden)
