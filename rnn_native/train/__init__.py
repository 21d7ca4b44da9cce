"""Training: back-propagation through time in C, NumPy arrays in and out.

net = rn.train.Network(spec)
optimizer = rn.train.Adam(net, learning_rate=1e-3)
y, state, tape = net.forward(x)
loss, dy = rn.train.cross_entropy(y, targets)
grads = net.backward(tape, dy)
rn.train.clip_grad_norm(grads.weights, 1.0)
optimizer.step(grads.weights)
"""

from .clipping import clip_grad_norm, grad_norm
from .initialization import initialize
from .losses import binary_cross_entropy, cross_entropy, mean_squared_error
from .network import Gradients, Network, Tape
from .once import backward, forward
from .optimizers import SGD, Adam, Optimizer
from .schedules import constant, cosine, step_decay, warm_up

__all__ = [
    "SGD",
    "Adam",
    "Gradients",
    "Network",
    "Optimizer",
    "Tape",
    "backward",
    "binary_cross_entropy",
    "clip_grad_norm",
    "constant",
    "cosine",
    "cross_entropy",
    "forward",
    "grad_norm",
    "initialize",
    "mean_squared_error",
    "step_decay",
    "warm_up",
]
