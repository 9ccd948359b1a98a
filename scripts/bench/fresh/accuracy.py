"""One run of PyTorch to an accuracy: `accuracy.py THREADS DATA SEED RECIPE [DEVICE]`, RECIPE as in accuracy_grid.json with `epochs`.

Prints {"accuracy": on the test set, "import_seconds": of torch, "seconds": of the training itself}.
"""

import gzip
import json
import math
import sys
import time
from pathlib import Path

begin = time.perf_counter()
import torch  # noqa: E402
from torch import nn  # noqa: E402

import_seconds = time.perf_counter() - begin
MEAN, STD = 0.1307, 0.3081


def read(name, header):
    path = Path(sys.argv[2]) / name
    raw = path.read_bytes() if path.exists() else gzip.open(f"{path}.gz").read()
    return torch.frombuffer(bytearray(raw), dtype=torch.uint8, offset=header)


def digits(part):
    images = read(f"{part}-images-idx3-ubyte", 16).view(-1, 1, 28, 28).to(device)
    x = images.float().div_(255).sub_(MEAN).div_(STD)
    return x, read(f"{part}-labels-idx1-ubyte", 8).long().to(device)


def network(recipe):
    layers, channels, side = [], 1, 28
    for size in recipe.get("channels", []):
        layers += [nn.Conv2d(channels, size, 3, padding=1), nn.BatchNorm2d(size), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
        channels, side = size, side // 2
    layers.append(nn.Flatten())
    features = channels * side * side
    for size in recipe["hidden"]:
        layers += [nn.Linear(features, size), nn.ReLU()]
        features = size
    model = nn.Sequential(*layers, nn.Linear(features, 10))
    for layer in model:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return model


torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(int(sys.argv[3]))
recipe = json.loads(sys.argv[4])
device = sys.argv[5] if len(sys.argv) > 5 else "cpu"
x, y = digits("train")
model = network(recipe).to(device)
if recipe.get("channels_last"):
    model = model.to(memory_format=torch.channels_last)
    x = x.contiguous(memory_format=torch.channels_last)
optimizer = torch.optim.AdamW(model.parameters(), lr=recipe["rate"], fused=True)
batch, per_epoch = recipe["batch"], len(x) // recipe["batch"]
steps = max(1, round(recipe["epochs"] * per_epoch))
schedule = None
if recipe["schedule"] == "one_cycle":
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe["rate"], total_steps=steps)
if device == "cuda":
    torch.cuda.synchronize()
start = time.perf_counter()
done = 0
for _ in range(math.ceil(steps / per_epoch)):
    for rows in torch.randperm(len(x), device=device).split(batch)[: min(per_epoch, steps - done)]:
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if schedule:
            schedule.step()
        done += 1
if device == "cuda":
    torch.cuda.synchronize()
seconds = time.perf_counter() - start
model.eval()
x, y = digits("t10k")
with torch.inference_mode():
    right = sum((model(part).argmax(1) == truth).sum().item() for part, truth in zip(x.split(500), y.split(500)))
print(json.dumps({"accuracy": right / len(y), "import_seconds": import_seconds, "seconds": seconds}))
