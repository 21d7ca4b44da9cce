"""PyTorch: one forward and one backward of torch.nn.LSTM, GRU or RNN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from rnn_native.benchmark.worker import Form, Task


def version() -> str:
    return str(torch.__version__)


def prepare(task: Task) -> Mapping[str, Form]:
    """Gradients into ``.grad``, as an optimizer wants them, or returned by autograd."""
    layer = task.layer
    torch.set_num_threads(task.threads)
    options = {"nonlinearity": layer.nonlinearity} if layer.cell == "rnn" else {}
    module = getattr(torch.nn, layer.cell.upper())(layer.input_size, layer.hidden_size, **options)
    module.load_state_dict({
        name: torch.from_numpy(array.copy()) for name, array in layer.arrays.items()
    })  # fmt: skip
    parameters = list(module.parameters())
    x = torch.from_numpy(task.x).requires_grad_()
    dy = torch.ones(*task.x.shape[:2], layer.output_size)

    def backward() -> tuple[Any, Any]:
        module.zero_grad(set_to_none=True)
        x.grad = None
        y, _ = module(x)
        y.backward(dy)
        return y, [x.grad, *(parameter.grad for parameter in parameters)]

    def grad() -> tuple[Any, Any]:
        y, _ = module(x)
        return y, torch.autograd.grad(y, [x, *parameters], dy)

    def arrays(got: Any) -> list[Any]:
        return [array.detach().numpy() for array in (got[0], *got[1])]

    return {"backward": Form(backward, arrays), "autograd.grad": Form(grad, arrays)}
