"""Training in plain NumPy arrays: losses, clipping, optimizers, schedules, initial weights."""

from .clipping import clip_grad_norm, grad_norm
from .initialization import initialize
from .losses import binary_cross_entropy, cross_entropy, mean_squared_error
from .optimizers import SGD, Adam, Optimizer
from .schedules import constant, cosine, step_decay, warm_up

__all__ = [
    "SGD",
    "Adam",
    "Optimizer",
    "binary_cross_entropy",
    "clip_grad_norm",
    "constant",
    "cosine",
    "cross_entropy",
    "grad_norm",
    "initialize",
    "mean_squared_error",
    "step_decay",
    "warm_up",
]
