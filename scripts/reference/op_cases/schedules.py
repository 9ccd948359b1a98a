"""Learning rates of the schedules: outputs lr [steps], the rate used in step 0, 1, ...

Plateau takes the metrics [steps] as its input: lr[i] is the rate after metric i was reported.
"""

import torch
from torch.optim import lr_scheduler

from golden_case import vector

STEPS = 12
BASE = 0.5
CASES = [
    ("step_lr", "every 3, 0.1", lr_scheduler.StepLR, {"step_size": 3, "gamma": 0.1}),
    ("exponential_lr", "0.9", lr_scheduler.ExponentialLR, {"gamma": 0.9}),
    ("cosine_annealing_lr", "to zero in 10", lr_scheduler.CosineAnnealingLR, {"T_max": 10}),
    (
        "cosine_annealing_lr",
        "floor 0.05",
        lr_scheduler.CosineAnnealingLR,
        {"T_max": 11, "eta_min": 0.05},
    ),
    (
        "linear_lr",
        "warm-up from a tenth",
        lr_scheduler.LinearLR,
        {"start_factor": 0.1, "total_iters": 5},
    ),
    (
        "linear_lr",
        "down to a half",
        lr_scheduler.LinearLR,
        {"start_factor": 1.0, "end_factor": 0.5, "total_iters": 4},
    ),
    ("one_cycle_lr", "defaults", lr_scheduler.OneCycleLR, {"max_lr": 1.0, "total_steps": 12}),
    (
        "one_cycle_lr",
        "linear, early peak",
        lr_scheduler.OneCycleLR,
        {
            "max_lr": 1.0,
            "total_steps": 12,
            "pct_start": 0.25,
            "anneal_strategy": "linear",
            "div_factor": 10.0,
            "final_div_factor": 100.0,
        },
    ),
]
PLATEAU = [
    ("defaults, patience 2", {"patience": 2}),
    ("max mode", {"patience": 1, "mode": "max", "factor": 0.5}),
    (
        "absolute threshold, cooldown",
        {"patience": 1, "threshold_mode": "abs", "threshold": 0.25, "cooldown": 2},
    ),
    ("floor", {"patience": 0, "min_lr": 0.02}),
]
METRICS = [1.0, 0.75, 0.75, 0.75, 0.75, 0.5, 0.5625, 0.5, 0.5, 0.5, 0.5, 0.25]


def camel(name):
    head, *tail = name.split("_")
    return {"T_max": "tMax"}.get(name) or head + "".join(word.capitalize() for word in tail)


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)


def rates(kind, words):
    sgd = optimizer()
    schedule = kind(sgd, **words)
    found = []
    for _ in range(STEPS):
        found.append(sgd.param_groups[0]["lr"])
        sgd.step()
        if len(found) < STEPS:
            schedule.step()
    return torch.tensor(found, dtype=torch.float64)


def plateau_rates(metrics, words):
    sgd = optimizer()
    schedule = lr_scheduler.ReduceLROnPlateau(sgd, **words)
    found = []
    for metric in metrics.tolist():
        schedule.step(metric)
        found.append(sgd.param_groups[0]["lr"])
    return torch.tensor(found, dtype=torch.float64)


def add_cases(golden):
    for op, case, kind, words in CASES:
        options = {"lr": BASE, **{camel(k): v for k, v in words.items()}}
        golden.add(op, case, lambda k=kind, w=words: rates(k, w), options=options)
    for case, words in PLATEAU:
        options = {"lr": BASE, **{camel(k): v for k, v in words.items()}}
        golden.add(
            "reduce_lr_on_plateau",
            case,
            lambda m, w=words: plateau_rates(m, w),
            vector(*METRICS),
            options=options,
            grad=[],
        )
