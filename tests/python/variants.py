"""The cells with each of the options that change their arithmetic, and their names in test ids."""

from __future__ import annotations

from typing import Any

from rnn_native.spec import Activation

BOUNDED = ("tanh", "sigmoid", "scaled_tanh", "hard_sigmoid", "softsign", "erf", "clip")
"""Activations whose results are bounded whatever goes into them."""

# The options of each cell that change its arithmetic, one dict per variant. proj_size is set
# apart: it depends on hidden_size.
TRAINED_VARIANTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("rnn", {"nonlinearity": "tanh"}),
    ("rnn", {"nonlinearity": "relu"}),
    ("rnn", {"nonlinearity": "sigmoid", "output_layer": 3}),
    ("rnn", {"output_layer": 5, "output_nonlinearity": "tanh"}),
    ("gru", {"reset_after": True}),
    ("gru", {"reset_after": False}),
    ("gru", {"gate_recurrent": True}),
    ("lstm", {}),
    ("lstm", {"peephole": True}),
    ("lstm", {"proj_size": 2}),
    ("lstm", {"proj_size": 2, "peephole": True}),
    ("lstm", {"gate_recurrent": True}),
)
"""Those of the modules, which can be trained."""

HARD_SIGMOID = Activation("hard_sigmoid")
GENERAL_VARIANTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("rnn", {"activations": (Activation("softsign"),), "clip": 0.75}),
    ("gru", {"activations": (HARD_SIGMOID, Activation("elu", 0.7)), "reset_after": True}),
    (
        "gru",
        {
            "activations": (
                Activation("hard_sigmoid", 0.3, 0.4),
                Activation("scaled_tanh", 1.2, 0.6),
            ),
            "clip": 1.5,
            "reset_after": False,
        },
    ),
    (
        "lstm",
        {
            "activations": (HARD_SIGMOID, Activation("leaky_relu", 0.3), Activation("softplus")),
            "peephole": True,
        },
    ),
    ("lstm", {"input_forget": True, "clip": 1.0, "proj_size": 2}),
    ("lstm", {"cell_clip": 0.25, "peephole": True}),
)
"""Those of the general path; ``strategies.activations`` draws each of the other activations."""

VARIANTS = TRAINED_VARIANTS + GENERAL_VARIANTS


def _variant_id(cell: str, options: dict[str, Any]) -> str:
    texts = {
        k: "+".join(a.name for a in v) if k == "activations" else v for k, v in options.items()
    }
    return "-".join([cell, *(f"{k}={v}" for k, v in texts.items())])


TRAINED_VARIANT_IDS = tuple(_variant_id(*variant) for variant in TRAINED_VARIANTS)
VARIANT_IDS = tuple(_variant_id(*variant) for variant in VARIANTS)
