"""What an editor shows of a call is all that can be given: every option by name and type."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

import numpy as np
import pytest
import strategies

import rnn_native as rn
from rnn_native.batch.predictor import LoadOptions
from rnn_native.formats import FORMATS
from rnn_native.read_options import ReadOptions

CLASSES = [
    getattr(rn, name)
    for name in rn.__all__
    if inspect.isclass(getattr(rn, name)) and not issubclass(getattr(rn, name), Exception)
]
FUNCTIONS = [
    getattr(rn, name)
    for name in rn.__all__
    if inspect.isfunction(getattr(rn, name)) and name != "load"
]


@pytest.mark.parametrize("what", [*CLASSES, *FUNCTIONS], ids=lambda what: what.__name__)
def test_every_option_is_named_and_typed(what: Any) -> None:
    try:
        signature = inspect.signature(what)
    except ValueError:
        pytest.skip("a class of C, typed in _core.pyi")
    for parameter in signature.parameters.values():
        assert parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        if what is not rn.Stream:
            assert parameter.annotation is not parameter.empty, parameter.name


def test_the_three_modules_have_their_options_in_common() -> None:
    shared = [set(inspect.signature(kind).parameters) for kind in (rn.RNN, rn.GRU, rn.LSTM)]
    assert set.intersection(*shared) == {
        "input_size", "hidden_size", "num_layers", "bias", "batch_first", "bidirectional",
        "return_sequences", "dtype", "matmul", "num_threads", "weight_dtype", "compute",
    }  # fmt: skip


def test_load_names_the_options_of_all_formats() -> None:
    assert set(ReadOptions.__annotations__) == {o for f in FORMATS.values() for o in f.options}
    assert "options" in get_type_hints(rn.load)


def test_a_predictor_names_the_options_of_load() -> None:
    own = set(inspect.signature(rn.load).parameters) - {"path", "num_threads", "options"}
    assert set(LoadOptions.__annotations__) == own | set(ReadOptions.__annotations__)
    assert "options" in get_type_hints(rn.batch.Predictor.__init__)


def layers() -> list[Any]:
    rng = np.random.default_rng(0)
    return [
        strategies.make_embedding(rng, 9, 3),
        rn.GRU(3, 4),
        rn.LSTM(4, 5, return_sequences=False).spec,
        strategies.make_linear(rng, 5, 2),
    ]


def test_a_model_is_made_of_a_list_of_layers_and_modules() -> None:
    parts = layers()
    spec = rn.ModelSpec(tuple(getattr(part, "spec", part) for part in parts))
    words = np.arange(8).reshape(4, 2)
    want, _ = rn.Model(spec)(words)
    for given in (parts, tuple(parts)):
        assert rn.Model(given)(words)[0].tobytes() == want.tobytes()
    gru, x = parts[1], np.ones((4, 2, 3), np.float32)
    for alone in (gru, gru.spec, [gru]):
        assert rn.Model(alone)(x)[0].tobytes() == gru(x)[0].tobytes()


WRONG = [
    (None, r"spec: expected a ModelSpec, a layer .* or a list of layers, got NoneType$"),
    ("model.onnx", r"got str; rnn_native\.load reads a file"),
    (rn.GRU, "got type"),
    ([rn.GRU(3, 4), 3], r"spec\[1\]: expected a layer .*, got int$"),
    ([rn.ModelSpec((rn.GRU(3, 4).spec,))], r"spec\[0\]: .*got ModelSpec; .* its \.layers"),
    ([rn.GRU(3, 4).model], r"spec\[0\]: .*got Model; .* its \.spec\.layers"),
    (rn.GRU(3, 4).model, r"spec: .*got Model; .* its \.spec\.layers"),
]


@pytest.mark.parametrize(("spec", "message"), WRONG)
def test_what_is_no_layer_is_refused(spec: Any, message: str) -> None:
    with pytest.raises(rn.OptionError, match=message):
        rn.Model(spec)


def test_no_layers_are_no_model() -> None:
    with pytest.raises(rn.ShapeError, match="at least one layer"):
        rn.Model([])


@pytest.mark.parametrize("kind", [rn.RNN, rn.GRU, rn.LSTM])
def test_options_of_other_cells_are_named(kind: Any) -> None:
    own = set(inspect.signature(kind).parameters)
    values = {"reset_after": False, "proj_size": 2, "peephole": True, "nonlinearity": "relu"}
    for name, value in values.items():
        if name not in own:
            with pytest.raises(rn.RnnError, match=name):
                kind(3, 4, **{name: value})
    with pytest.raises(rn.OptionError, match=f"{kind.__name__}: unexpected option hiden_size"):
        kind(3, 4, hiden_size=2)
    with pytest.raises(rn.RnnError, match="output_layer"):
        kind(3, 4, output_layer=2)
