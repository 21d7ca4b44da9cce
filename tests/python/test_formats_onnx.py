"""ONNX files out and in again: equal models, valid files, and what the operators cannot say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import VARIANTS, make_linear, make_recurrent, make_spec, seeds, specs

from rnn_native import Model, VerifyError, formats, load, onnx_backend
from rnn_native.errors import OptionError, UnsupportedError
from rnn_native.formats import safetensors
from rnn_native.formats.onnx import writing
from rnn_native.formats.onnx.activations import NAMES
from rnn_native.formats.onnx.functions import WRITTEN
from rnn_native.formats.onnx.writing import to_model
from rnn_native.spec import Activation, Elementwise, Embedding, Linear, Merge, ModelSpec, Recurrent

# not of a cell, or not of ONNX's
OUTPUT = {"output_layer", "gate_recurrent", "proj_size", "cell_clip"}
OF_CELLS = ("identity", *NAMES)
RNG = np.random.default_rng(0)


def expressible(spec: ModelSpec) -> bool:
    """Whether a graph says exactly this: a Relu behind a Linear, or an output layer, is its
    activation, and half of a sum a Merge."""
    for before, layer in zip((None, *spec.layers), spec.layers, strict=False):
        if isinstance(layer, Elementwise):
            plain = isinstance(before, Linear) and before.activation == "identity"
            if isinstance(before, Recurrent) and before.output_layer:
                plain = before.output_nonlinearity == "identity"
            taken = plain and layer.function in ("relu", "sigmoid", "tanh")
            halved = isinstance(before, Merge) and layer.function == "affine"
            if taken or halved or layer.function not in WRITTEN:
                return False
    return not any(r.gate_recurrent or r.proj_size or r.cell_clip for r in spec.recurrents)


def the_same(one: ModelSpec, other: ModelSpec) -> bool:
    """Bit for bit, by way of the bytes of a file, which equal models share."""
    return safetensors.dumps(one) == safetensors.dumps(other)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx") / "model.onnx"


@given(
    st.sampled_from([np.float32, np.float64]).flatmap(
        lambda dtype: specs(dtype=dtype, functions=OF_CELLS)
    )
)
def test_a_model_comes_back_bit_for_bit_out_of_a_valid_file(path: Path, spec: ModelSpec) -> None:
    assume(expressible(spec))
    formats.write(spec, path)
    onnx.checker.check_model(str(path), full_check=True)
    assert the_same(formats.read(path), spec)


@given(seeds(), st.sampled_from(["rnn", "gru", "lstm"]))
def test_numbers_of_every_kind_keep_their_bits(path: Path, seed: int, cell: str) -> None:
    rng = np.random.default_rng(seed)
    layer = make_recurrent(rng, cell, 2, 3, direction="bidirectional")
    odd = np.array([0.0, -0.0, np.inf, np.nan, np.finfo("f4").smallest_subnormal], np.float32)
    weights = {name: rng.choice(odd, array.shape) for name, array in layer.arrays.items()}
    spec = ModelSpec((Recurrent(weights=weights, **layer.options),))
    formats.write(spec, path)
    assert the_same(formats.read(path), spec)


@pytest.mark.parametrize("function", [("leaky_relu", 0.1), ("affine", 0.1, -1 / 3)])
def test_constants_that_float32_rounds_come_back(path: Path, function: Any) -> None:
    stack = make_recurrent(RNG, "gru", 3, 4, num_layers=2)
    spec = ModelSpec((stack, Elementwise(*function)))
    formats.write(spec, path)
    assert the_same(formats.read(path), spec)


def test_axes_of_time_and_batch_are_free_and_states_may_be_left_out(path: Path) -> None:
    spec = make_spec(RNG, "lstm", 3, 4, num_layers=2, direction="bidirectional", out_features=2)
    formats.write(spec, path)
    graph = onnx.load(path).graph

    def shapes(values: Any) -> dict[str, list[Any]]:
        return {
            v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
            for v in values
        }

    assert shapes(graph.input) == {
        "x": ["time", "batch", 3],
        "0.h_0": [4, "state_batch", 4],
        "0.c_0": [4, "state_batch", 4],
    }
    assert shapes(graph.output) == {
        "y": ["time", "batch", 2],
        "0.h_n": [4, "batch", 4],
        "0.c_n": [4, "batch", 4],
    }
    assert {"0.h_0", "0.c_0"} <= {tensor.name for tensor in graph.initializer}
    prepared = onnx_backend.prepare(onnx.load(path))
    for time, batch in ((1, 1), (5, 3), (0, 2)):
        y, h, c = prepared.run([np.zeros((time, batch, 3), np.float32)])
        assert (y.shape, h.shape, c.shape) == ((time, batch, 2), (4, batch, 4), (4, batch, 4))


def test_a_model_of_one_layer_names_its_state_without_an_index() -> None:
    graph = to_model(make_spec(RNG, "gru")).graph
    assert [value.name for value in graph.input] == ["x", "h_0"]
    assert [value.name for value in graph.output] == ["y", "h_n"]


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        ("gru", {"gate_recurrent": True}, "Recurrent gate_recurrent=True: ONNX's GRU has no such"),
        ("lstm", {"gate_recurrent": True}, "Recurrent gate_recurrent=True: ONNX's LSTM has no"),
        ("lstm", {"proj_size": 2}, "Recurrent proj_size=2: ONNX's LSTM has no such option"),
        ("lstm", {"cell_clip": 1.0}, "Recurrent cell_clip=1.0: ONNX's LSTM has no such option"),
    ],
)
def test_what_the_operators_cannot_express_is_refused_by_name(
    cell: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    spec = make_spec(RNG, cell, **options)
    with pytest.raises(UnsupportedError, match=message):
        formats.write(spec, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"activations": (Activation("affine", 1e39, 0.0),)},
            r"activation_alpha=1e\+39: beyond fl",
        ),
        ({"activations": (Activation("affine", 1.0, -1e99),)}, r"activation_beta=-1e\+99: beyond"),
        ({"clip": 1e39}, r"clip=1e\+39: beyond float32"),
        ({"clip": 1e-60}, "clip=1e-60: 0 in float32"),
    ],
)
def test_numbers_that_float32_attributes_cannot_hold_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UnsupportedError, match=message):
        to_model(make_spec(RNG, "rnn", **options))


def test_constants_come_back_as_they_were_though_attributes_round_them(tmp_path: Path) -> None:
    """The graph has float32(0.1); of our own file it is known that 0.1 was meant."""
    activations = (Activation("hard_sigmoid", 0.1, 0.7), Activation("identity"))
    spec = make_spec(RNG, "gru", activations=activations, clip=0.3)
    model = to_model(spec)
    onnx.save(model, tmp_path / "model.onnx")
    assert the_same(formats.read(tmp_path / "model.onnx"), spec)
    model.ClearField("metadata_props")
    onnx.save(model, tmp_path / "model.onnx")
    (layer,) = formats.read(tmp_path / "model.onnx").layers
    assert layer.clip == np.float32(0.3)
    rounded = Activation("hard_sigmoid", float(np.float32(0.1)), float(np.float32(0.7)))
    assert layer.activations == (rounded, Activation("affine", 1.0, 0.0))


@pytest.mark.parametrize(("cell", "options"), [v for v in VARIANTS if OUTPUT.isdisjoint(v[1])])
def test_a_golden_input_goes_along(cell: str, options: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    spec = make_spec(RNG, cell, direction="bidirectional", num_layers=2, out_features=2, **options)
    Model(spec).save(path, golden=True)
    load(path, verify=True)
    assert formats.strings(path)["producer"] == "rnn_native"
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path)
    tensor = next(t for t in model.graph.initializer if ".R_l1" in t.name)
    tensor.raw_data = (1.5 * onnx.numpy_helper.to_array(tensor)).tobytes()
    onnx.save(model, path)
    with pytest.raises(VerifyError):
        load(path, verify=True)
    model.ClearField("metadata_props")
    onnx.save(model, path)
    with pytest.raises(OptionError, match="golden"):
        load(path, verify=True)


def test_lengths_that_the_input_tells_are_refused() -> None:
    spec = make_spec(RNG, "gru")
    with pytest.raises(UnsupportedError, match=r"mask_value=0\.0: a graph does not find lengths"):
        to_model(ModelSpec(spec.layers, mask_value=0.0))


def test_weights_of_two_types_are_refused() -> None:
    layers = make_linear(RNG, 2, 3), make_linear(RNG, 3, 2, dtype=np.float64)
    with pytest.raises(UnsupportedError, match="float32 and of float64"):
        to_model(ModelSpec(layers))


def test_a_model_larger_than_a_file_can_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LARGEST", 2**20 + 100)
    to_model(ModelSpec((Linear(np.zeros((5, 5), np.float32)),)))
    with pytest.raises(
        UnsupportedError, match="104 bytes of weights: an ONNX file ends at 1048676"
    ):
        to_model(ModelSpec((Linear(np.zeros((2, 13), np.float32)),)))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_without_its_descriptions_a_stack_is_several_layers(cell: str, tmp_path: Path) -> None:
    """They say only what is one: without them the same numbers come in another grouping."""
    spec = make_spec(RNG, cell, num_layers=3, direction="bidirectional")
    model = to_model(spec)
    model.ClearField("metadata_props")
    onnx.save(model, tmp_path / "model.onnx")
    layers = formats.read(tmp_path / "model.onnx").layers
    assert [layer.num_layers for layer in layers] == [1, 1, 1]
    for level, layer in enumerate(layers):
        for name, array in layer.arrays.items():
            own = name.replace("_l0", f"_l{level}")
            np.testing.assert_array_equal(array, spec.layers[0].arrays[own])


CHANGES = {
    "another description": ("rnn_native.layer.0", "recurrent cell=gru"),
    "no description": ("rnn_native.layer.0", "nonsense"),
    "fewer layers": ("rnn_native.layer.0", None),
    "a longer stack": ("rnn_native.layer.0", "num_layers=9"),
    "another option": ("rnn_native.layer.0", "peephole=true"),
    "an option more": ("rnn_native.layer.0", "+clip=0x1p+0"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_descriptions_that_are_not_of_the_graph_change_nothing(change: str, tmp_path: Path) -> None:
    spec = make_spec(RNG, "lstm", num_layers=2, out_features=2)
    model = to_model(spec)
    key, value = CHANGES[change]
    (entry,) = [entry for entry in model.metadata_props if entry.key == key]
    if value is None:
        model.metadata_props.remove(entry)
    elif value.startswith("+"):
        entry.value += f" {value[1:]}"
    elif "=" in value and " " not in value:
        name = value.partition("=")[0]
        words = [value if w.startswith(f"{name}=") else w for w in entry.value.split(" ")]
        assert value in words
        entry.value = " ".join(words)
    else:
        entry.value = value
    onnx.save(model, tmp_path / "model.onnx")
    layers = formats.read(tmp_path / "model.onnx").layers
    assert [type(layer) for layer in layers] == [Recurrent, Recurrent, Linear]


def test_two_layers_are_not_joined_because_they_could_be(path: Path) -> None:
    spec = make_spec(RNG, "gru", 4, 4, num_recurrents=2)
    formats.write(spec, path)
    assert [layer.num_layers for layer in formats.read(path).layers] == [1, 1]


def test_a_part_of_a_file_of_ours_can_be_read(path: Path) -> None:
    spec = make_spec(RNG, "lstm", 3, 4, num_embeddings=5, num_layers=2, out_features=2)
    formats.write(spec, path)
    (layer,) = formats.read(path, node="1.lstm_l1").layers
    assert isinstance(layer, Recurrent)
    np.testing.assert_array_equal(
        layer.arrays["weight_hh_l0"], spec.layers[1].arrays["weight_hh_l1"]
    )
    inner = [name for node in onnx.load(path).graph.node for name in node.output]
    end = next(name for name in inner if name.startswith("1.squeeze"))
    assert [type(i) for i in formats.read(path, between=(None, end)).layers] == [
        Embedding,
        Recurrent,
    ]


@pytest.mark.parametrize(("cell", "options"), [v for v in VARIANTS if OUTPUT.isdisjoint(v[1])])
def test_the_backend_gives_what_the_model_gives(cell: str, options: dict[str, Any]) -> None:
    """The same cells run, so the very bits where nothing but a Recurrent is there."""
    spec = make_spec(RNG, cell, direction="bidirectional", num_layers=2, **options)
    x = RNG.standard_normal((4, 3, spec.input_size)).astype(np.float32)
    y, state = Model(spec)(x)
    results = onnx_backend.run_model(to_model(spec), [x])
    flat = state if isinstance(state, tuple) else (state,)
    for got, want in zip(results, (y, *flat), strict=True):
        np.testing.assert_array_equal(got, want)
