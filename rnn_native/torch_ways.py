"""What to type where ``from_torch`` is given a network whose ``forward`` it cannot know."""

from __future__ import annotations

from typing import Any, Final

from .tensors import torch_if_loaded
from .torch_functions import function_of

RECURRENT: Final = ("RNN", "GRU", "LSTM")
ACTIVATIONS: Final = {
    "Sigmoid": "sigmoid", "Tanh": "tanh", "ReLU": "relu",
    "Softmax": "softmax", "LogSoftmax": "log_softmax",
}  # fmt: skip
NOTHING: Final = ("Identity", "Dropout", "AlphaDropout")
"""What these do in ``eval()``."""


def kind_of(module: Any) -> str | None:
    """The name of the class in ``torch.nn``; None for others, and for what is derived from one:
    it may calculate anything. An accelerated module is of the class that it had before."""
    kind = vars(type(module)).get("accelerates", type(module))
    name = str(kind.__name__)
    return name if getattr(torch_if_loaded().nn, name, None) is kind else None


def ways_in(module: Any) -> str:
    """The lines to type for a network with recurrent modules inside, ``net``; empty without any."""
    named = {name: part for name, part in module.named_modules() if kind_of(part) in RECURRENT}
    if not named or "" in named:
        return ""
    first = ", batch_first=True" if all(part.batch_first for part in named.values()) else ""
    # PyTorch's newer exporter writes an RNN as its single steps, the one before it as ONNX's RNN.
    rolled = ", dynamo=False" if "RNN" in map(kind_of, named.values()) else ""
    return (
        f", which holds {', '.join(named)} (rn.from_torch takes one of these). Three ways in:\n"
        "1. whole, with its recurrent modules run here:\n"
        "    rn.accelerate(net.eval())  # then net(x) under torch.inference_mode()\n"
        "2. through a file, of the x that it takes:\n"
        f'    torch.onnx.export(net.eval(), (x,), "net.onnx"{rolled})\n'
        f'    model = rn.load("net.onnx"{first})\n'
        f"3. put together of its parts{_of_parts(module, list(named)[-1], first)}"
    )


def _of_parts(net: Any, last: str, first: str) -> str:
    layers: list[str] = []
    lines: list[str] = []
    lacking: list[str] = []
    for name, part in net.named_modules():
        kind = kind_of(part)
        if kind in RECURRENT:
            variable = name.replace(".", "_")
            variable = variable if variable.isidentifier() else f"rnn_{len(layers)}"
            lines.append(f"{variable} = rn.{kind}({_arguments(part, name == last)}")
            lines.append(f'{variable}.load_state_dict(net.get_submodule("{name}").state_dict())')
            layers.append(variable)
        elif kind in ("Embedding", "Linear"):
            has_bias = kind == "Linear" and part.bias is not None
            bias = f', weights["{name}.bias"]' if has_bias else ""
            layers.append(f'rn.{kind}(weights["{name}.weight"]{bias})')
        elif kind in ACTIVATIONS and layers and layers[-1].startswith("rn.Linear("):
            layers[-1] = f'{layers[-1][:-1]}, activation="{ACTIVATIONS[kind]}")'
        elif f := function_of(kind, part):
            layers.append(f"rn.Elementwise({', '.join(map(repr, (f.name, *f.constants)))})")
        elif kind not in NOTHING and next(part.children(), None) is None:
            lacking.append(f"{type(part).__name__} ({name})")
    if lacking:
        return f": not this one, since there is no {', '.join(lacking)} here"
    lines += [
        "weights = {name: value.numpy() for name, value in net.state_dict().items()}",
        f"model = rn.Model([{', '.join(layers)}]{first})",
    ]
    return ", if it runs them as it lists them and nothing between:\n    " + "\n    ".join(lines)


def _arguments(part: Any, is_last: bool) -> str:
    """Of ``rn.RNN``, ``GRU`` or ``LSTM``; the last one is taken to give its last state."""
    said = [str(part.input_size), str(part.hidden_size)]
    defaults = {"num_layers": 1, "nonlinearity": "tanh", "bias": True, "bidirectional": False,
                "proj_size": 0}  # fmt: skip
    for name, default in defaults.items():
        if (value := getattr(part, name, default)) != default:
            said.append(f"{name}={value!r}")
    if is_last:
        said.append("return_sequences=False")
    return ", ".join(said) + (")  # True: all steps" if is_last else ")")
