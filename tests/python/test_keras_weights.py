"""Weights out again, as Keras's layers take them: bit for bit what came, or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_files as kf
import numpy as np
import pytest
import strategies
from agreement import assert_same_bits
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_native as rn
from rnn_native import formats
from rnn_native.cells import Activation
from rnn_native.errors import DTypeError, UnsupportedError
from rnn_native.spec import ModelSpec, Recurrent

GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}


def arrays(rng: np.random.Generator, *shapes: tuple[int, ...]) -> list[Any]:
    """Random bits, so that nothing is rounded by chance; some are zeros with a sign."""
    made = [rng.normal(0, 1, shape).astype("f4") for shape in shapes]
    for array in made:
        array[rng.random(array.shape) < 0.2] = -0.0
    return made


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from([*GATES, "reset"]),
    bias=st.booleans(),
    both=st.booleans(),
    mode=st.sampled_from(["concat", "sum", "mul", "ave"]),
    backwards=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_what_came_from_keras_comes_back_bit_for_bit(
    kind: str, bias: bool, both: bool, mode: str, backwards: bool, seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    after, kind = kind == "reset", "GRU" if kind == "reset" else kind
    width = GATES[kind] * 4
    of_bias = ((2, width) if after else (width,),) if bias else ()
    shapes = ((3, width), (4, width), *of_bias)
    options = {"use_bias": bias, "go_backwards": backwards, "return_sequences": False}
    layer = kf.recurrent(kind, "rnn", 4, **options, **({"reset_after": after} if after else {}))
    names = ("kernel", "recurrent_kernel", "bias")[: len(shapes)]
    given_arrays = arrays(rng, *shapes, *(shapes if both else ()))
    own = dict(zip(names, given_arrays, strict=False))
    if both:
        layer = kf.layer("Bidirectional", "rnn", layer=layer, merge_mode=mode)
        keys = [f"{side}_x/{name}" for side in ("forward", "backward") for name in names]
        own = dict(zip(keys, given_arrays, strict=True))
    dense = arrays(rng, (8 if both and mode == "concat" else 4, 2), (2,))
    layers = [layer, kf.layer("Dense", "out", units=2, activation="linear")]
    weights = {"rnn": own, "out": dict(zip(("kernel", "bias"), dense, strict=True))}
    path = tmp_path_factory.mktemp("keras") / "model.h5"
    spec = formats.read(kf.write_h5(path, kf.sequential(*layers), weights))
    lists = rn.keras_weights(spec)
    if both and backwards:  # its directions were exchanged, and the rows of what reads them
        half = len(given_arrays) // 2
        given_arrays = given_arrays[half:] + given_arrays[:half]
        dense[0] = np.roll(dense[0], 4, axis=0) if mode == "concat" else dense[0]
    for got, expected in zip(lists, [given_arrays, dense], strict=True):
        for one, other in zip(got, expected, strict=True):
            assert_same_bits(one, other)
    for one, other in zip(rn.keras_weights(rn.Model(spec)), lists, strict=True):
        for a, b in zip(one, other, strict=True):
            assert_same_bits(a, b)


def test_an_embedding_comes_back(tmp_path: Path) -> None:
    table, cell = kf.embedding(7, 3), kf.lstm(3, 4, gates=3)
    layers = [
        kf.layer("Embedding", "table", input_dim=7, output_dim=3, mask_zero=True),
        kf.recurrent("GRU", "rnn", 4),
    ]
    path = kf.write_h5(tmp_path / "m.h5", kf.sequential(*layers), {"table": table, "rnn": cell})
    first, second = rn.keras_weights(rn.load(path))
    assert_same_bits(first[0], table["embeddings"])
    for got, expected in zip(second, cell.values(), strict=True):
        assert_same_bits(got, expected)


def test_a_stack_is_as_many_layers() -> None:
    spec = rn.LSTM(3, 4, num_layers=2, bidirectional=True).spec
    shapes = [[array.shape for array in arrays] for arrays in rn.keras_weights(ModelSpec((spec,)))]
    side = [(3, 16), (4, 16), (16,)]
    upper = [(8, 16), (4, 16), (16,)]
    assert shapes == [side + side, upper + upper]


def test_two_biases_are_summed_where_keras_has_one() -> None:
    spec = rn.LSTM(3, 4).spec
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(0, 1, a.shape).astype("f4") for name, a in spec.arrays.items()}
    lstm = Recurrent("lstm", 3, 4, weights)
    ((_, _, bias),) = rn.keras_weights(ModelSpec((lstm,)))
    assert_same_bits(bias, weights["bias_ih_l0"] + weights["bias_hh_l0"])
    gru = rn.GRU(3, 4).spec
    ((_, _, bias),) = rn.keras_weights(ModelSpec((gru,)))
    assert bias.shape == (2, 12)


TANH, RELU, SIGMOID = Activation("tanh"), Activation("relu"), Activation("sigmoid")


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        ("lstm", {"peephole": True}, "layer 0: peephole=True: Keras has no such lstm"),
        ("lstm", {"proj_size": 2}, "proj_size=2"),
        ("lstm", {"clip": 1.5}, "clip=1.5"),
        ("lstm", {"input_forget": True}, "input_forget=True"),
        ("lstm", {"cell_clip": 10.0}, "cell_clip=10.0"),
        ("gru", {"gate_recurrent": True}, "gate_recurrent=True"),
        ("rnn", {"output_layer": 2}, "output_layer=2"),
        ("lstm", {"activations": (SIGMOID, TANH, RELU)}, "of g and h: Keras has one"),
        (
            "lstm",
            {
                "activations": (SIGMOID, TANH, TANH, SIGMOID, RELU, TANH),
                "direction": "bidirectional",
            },
            "of g and h",
        ),
    ],
)
def test_what_keras_cannot_hold_is_refused_by_name(cell: str, options: Any, message: str) -> None:
    spec = strategies.make_spec(np.random.default_rng(0), cell, **options)
    with pytest.raises(UnsupportedError, match=message):
        rn.keras_weights(spec)


def test_other_things_are_refused() -> None:
    with pytest.raises(DTypeError, match="expected a Model or a ModelSpec, got LSTM"):
        rn.keras_weights(rn.LSTM(3, 4))  # type: ignore[arg-type]


def test_writing_a_keras_file_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"format keras .*rnn_native\.keras_weights"):
        rn.LSTM(3, 4).model.save(tmp_path / "model.keras")
