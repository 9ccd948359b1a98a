"""Training steps of the MNIST networks in JAX, for `npm run bench -- mlp cnn`.

The whole step is one compiled function whose state (parameters, Adam's moments, batch norm's statistics, step number)
is donated, so that it is updated in place. Images are channels last, the layout that XLA prefers.
"""

import math
from functools import cache, partial

import jax
import jax.numpy as jnp
from reference_models import cnn, fill_from_hash, mlp, mnist_train

BATCH = {"mlp": 64, "cnn": 128}
LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
MOMENTUM, NORM_EPSILON = 0.1, 1e-5


@cache
def digits(folder):
    x, y = mnist_train(folder)
    return jnp.asarray(x.numpy()), jnp.asarray(y.numpy().astype("int32"))


def linear(x, layer):
    return x @ layer["w"].T + layer["b"]


def conv(x, layer):
    out = jax.lax.conv_general_dilated(
        x, layer["w"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return out + layer["b"]


def batch_norm(x, layer, running):
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    count = x.size // x.shape[-1]
    new = {
        "mean": (1 - MOMENTUM) * running["mean"] + MOMENTUM * mean,
        "var": (1 - MOMENTUM) * running["var"] + MOMENTUM * variance * count / (count - 1),
    }
    return (x - mean) * jax.lax.rsqrt(variance + NORM_EPSILON) * layer["w"] + layer["b"], new


def max_pool(x):
    n, h, w, c = x.shape
    # The gradient of this form is far cheaper here than that of reduce_window.
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))


def mlp_forward(layers, running, x):
    for layer in layers[:-1]:
        x = jax.nn.relu(linear(x, layer))
    return linear(x, layers[-1]), running


def cnn_forward(layers, running, x):
    x, news = x.reshape(-1, 28, 28, 1), []
    for block in range(2):
        x, new = batch_norm(conv(x, layers[2 * block]), layers[2 * block + 1], running[block])
        x, news = max_pool(jax.nn.relu(x)), [*news, new]
    x = jax.nn.relu(linear(x.reshape(len(x), -1), layers[4]))
    return linear(x, layers[5]), news


def layers_of(model):
    """PyTorch's initial weights; those of a convolution as [H, W, in, out]."""
    found = []
    for layer in model:
        if getattr(layer, "weight", None) is not None:
            w, b = (jnp.array(tensor.detach().numpy()) for tensor in (layer.weight, layer.bias))
            found.append({"w": w.transpose(2, 3, 1, 0) if w.ndim == 4 else w, "b": b})
    return found


def adam(layers, grads, moments, number):
    first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, moments[0], grads)
    second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, moments[1], grads)
    rate, scale = LEARNING_RATE / (1 - BETA1**number), 1 / (1 - BETA2**number)
    new = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v * scale) + EPSILON), layers, first, second
    )
    return new, (first, second)


class Training:
    """Steps of one network on MNIST held in memory: gather, forward, backward, Adam."""

    def __init__(self, network, folder):
        forward = mlp_forward if network == "mlp" else cnn_forward
        layers = layers_of(fill_from_hash(mlp() if network == "mlp" else cnn()))
        zeros = partial(jax.tree.map, jnp.zeros_like)
        running = [
            {"mean": jnp.zeros(channels), "var": jnp.ones(channels)} for channels in (32, 64)
        ]
        self.images, self.labels = digits(folder)
        self.order = jax.random.permutation(jax.random.key(1), len(self.images))
        self.state = (layers, (zeros(layers), zeros(layers)), running, jnp.zeros((), jnp.int32))
        self.compiled = jax.jit(partial(train_step, forward, BATCH[network]), donate_argnums=0)

    def step(self):
        self.state, self.loss = self.compiled(self.state, self.images, self.labels, self.order)

    def finish(self):
        jax.block_until_ready(self.state)
        value = float(self.loss)
        if not math.isfinite(value):
            raise ArithmeticError(f"the loss became {value}")


def train_step(forward, batch, state, images, labels, order):
    layers, moments, running, number = state
    begin = number % (len(images) // batch) * batch
    rows = jax.lax.dynamic_slice(order, (begin,), (batch,))
    x, y = images[rows], labels[rows]

    def loss_of(layers):
        scores, new = forward(layers, running, x)
        return -jnp.take_along_axis(jax.nn.log_softmax(scores), y[:, None], 1).mean(), new

    (loss, running), grads = jax.value_and_grad(loss_of, has_aux=True)(layers)
    layers, moments = adam(layers, grads, moments, (number + 1).astype(jnp.float32))
    return (layers, moments, running, number + 1), loss
