"""The simple recurrent network (Elman 1990)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from ...activations import ACTIVATIONS, Activation, Array
from ...errors import UnsupportedError
from ..cell import ACTIVATIONS_KEY, CLIP_KEY, Cell, CellState, Functions, Options, Weights
from ..keys import Key
from ..products import Dot

NONLINEARITIES: Final = ("tanh", "relu", "sigmoid")


class RNN(Cell):
    """Simple recurrent network (Elman 1990), as ``torch.nn.RNN`` documents it; f: tanh, relu, as
    in section 3.1 of the article sigmoid, or another.

    h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
    """

    name = kind = "rnn"
    gates = tuple("h")
    state_names = ("h",)
    trace_names = ("h",)
    activations = (Activation("tanh"),)
    keys = (
        Key("nonlinearity", "word", "tanh", words=NONLINEARITIES, unless="activations"),
        Key("output_layer", "natural", 0, optional=True),
        Key("output_nonlinearity", "word", "sigmoid", words=ACTIVATIONS, beside="output_layer"),
        ACTIVATIONS_KEY,
        CLIP_KEY,
    )
    article: ClassVar = {"nonlinearity": "sigmoid", "output_nonlinearity": "identity"}

    def check(self, options: Mapping[str, Any]) -> None:
        for name in ("activations", "clip"):
            if options["output_layer"] and options[name] is not None:
                raise UnsupportedError(
                    f"Recurrent {name}: an {self.kind!r} with an output_layer has no such option"
                )
        if options["output_nonlinearity"] != "sigmoid" and not options["output_layer"]:
            raise UnsupportedError(
                "Recurrent output_nonlinearity: there is no output_layer to have it"
            )
        if options["output_layer"] and not options["return_sequences"]:
            raise UnsupportedError(
                "Recurrent return_sequences: only True with an output_layer, whose outputs are of "
                "steps"
            )

    def plain(self, every: tuple[Activation, ...], directions: int) -> dict[str, Any]:
        if len(set(every)) == 1 and every[0].name in NONLINEARITIES:
            return {"nonlinearity": every[0].name}
        return {"activations": every}

    def activations_of(self, layer: Options) -> tuple[Activation, ...]:
        return (Activation(layer.nonlinearity),)

    def step(
        self,
        layer: Options,
        functions: Functions,
        w: Weights,
        x: Array,
        state: CellState,
        dot: Dot,
    ) -> dict[str, Array]:
        (h,) = state
        (f,) = functions
        a = dot(x, w["weight_ih"]) + w["bias_ih"] + dot(h, w["weight_hh"]) + w["bias_hh"]
        return {"h": f(a)}
