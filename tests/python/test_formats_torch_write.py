"""Out to PyTorch: its names for our layers, and a file of them that comes back as it was."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import VARIANTS, make_embedding, make_linear, make_recurrent, specs

import rnn_native as rn
from rnn_native.errors import FormatError, OptionError, UnsupportedError
from rnn_native.formats import read, safetensors, write
from rnn_native.formats.metadata import from_tensors, to_arrays
from rnn_native.formats.torch import unpack
from rnn_native.formats.torch.archive import Archive
from rnn_native.formats.torch.names import by_layers, sequential_arrays
from rnn_native.spec import Layer, ModelSpec, Recurrent

RNG = np.random.default_rng(0)
LAYERS = (
    make_embedding(RNG, 5, 3),
    make_recurrent(RNG, "gru", 3, 4, direction="bidirectional"),
    make_linear(RNG, 8, 6, activation="relu"),
    make_recurrent(RNG, "lstm", 6, 4, proj_size=2),
    make_linear(RNG, 2, 3, bias=False, activation="softmax"),
    make_linear(RNG, 3, 2),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("torch") / "model.pt"


def foreign(layer: Layer) -> bool:
    """Whether a module of PyTorch's would make something else of its arrays, or names none like
    them, by what its documentation offers."""
    return isinstance(layer, Recurrent) and (
        layer.direction == "reverse"
        or layer.gate_recurrent
        or layer.peephole
        or bool(layer.output_layer)
        or not layer.reset_after
        or layer.nonlinearity == "sigmoid"
        or not layer.is_standard
        or layer.initial_state is not None
    )


@given(spec=st.sampled_from([np.float32, np.float64]).flatmap(lambda dtype: specs(dtype=dtype)))
def test_a_model_comes_back_bit_for_bit_if_pytorch_has_its_like(
    spec: ModelSpec, path: Path
) -> None:
    if any(foreign(layer) for layer in spec.layers):
        with pytest.raises(UnsupportedError, match=r"layer \d+: PyTorch has no module for"):
            write(spec, path)
        return
    write(spec, path)
    assert safetensors.dumps(read(path)) == safetensors.dumps(spec)


def test_an_activation_has_a_place_of_its_own() -> None:
    model = rn.Model(ModelSpec(LAYERS))
    places = [name.split(".")[0] for name in model.state_dict()]
    assert list(dict.fromkeys(places)) == ["0", "1", "2", "4", "5", "7"]
    own = [(name.split(".", 1)[1], array) for name, array in to_arrays(model.spec).items()]
    for (name, array), (own_name, own_array) in zip(model.state_dict().items(), own, strict=True):
        assert name.split(".", 1)[1] == own_name
        assert array.tobytes() == own_array.tobytes()
        assert array.flags.writeable


@given(spec=specs())
def test_the_names_are_those_of_the_modules(spec: ModelSpec) -> None:
    """A last state alone and a Merge change none of them; a Merge takes a place all the same."""
    assume(not any(foreign(layer) for layer in spec.layers))
    found = rn.Model(spec).state_dict()
    place, expected = 0, {}
    for layer in spec.layers:
        expected |= {f"{place}.{name}": array for name, array in layer.arrays.items()}
        place += 1 + (getattr(layer, "activation", "identity") != "identity")
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("option", "cell", "options"),
    [
        ("peephole=True", "lstm", {"peephole": True}),
        ("reset_after=False", "gru", {"reset_after": False}),
        ("gate_recurrent=True", "gru", {"gate_recurrent": True}),
        ("gate_recurrent=True", "lstm", {"gate_recurrent": True}),
        ("nonlinearity='sigmoid'", "rnn", {"nonlinearity": "sigmoid"}),
        ("output_layer=3", "rnn", {"output_layer": 3}),
        ("direction='reverse'", "lstm", {"direction": "reverse"}),
        ("activations=", "rnn", {"activations": (rn.Activation("softsign"),)}),
        ("clip=0.75", "gru", {"clip": 0.75}),
        ("input_forget=True", "lstm", {"input_forget": True}),
        ("cell_clip=0.75", "lstm", {"cell_clip": 0.75}),
    ],
)
def test_what_pytorch_lacks_is_refused_by_name(
    option: str, cell: str, options: dict[str, Any], tmp_path: Path
) -> None:
    model = rn.Model(ModelSpec((make_recurrent(RNG, cell, 3, 4, **options),)))
    for act in (model.state_dict, lambda: model.save(tmp_path / "model.pt")):
        with pytest.raises(UnsupportedError, match=f"layer 0: PyTorch has no module for {option}"):
            act()
    assert not list(tmp_path.iterdir())


def test_a_mask_is_refused_by_name(tmp_path: Path) -> None:
    """What PyTorch made of the same weights would run over the padding."""
    model = rn.Model(ModelSpec(LAYERS[3:4], mask_value=0.5))
    for act in (model.state_dict, lambda: model.save(tmp_path / "model.pt")):
        with pytest.raises(UnsupportedError, match=r"mask_value=0\.5: PyTorch's modules do not"):
            act()
    assert not list(tmp_path.iterdir())


def test_every_variant_is_either_pytorchs_or_refused() -> None:
    for cell, options in VARIANTS:
        layer = make_recurrent(RNG, cell, 3, 4, **options)
        if not foreign(layer):
            assert sequential_arrays(ModelSpec((layer,)))
            continue
        with pytest.raises(UnsupportedError):
            sequential_arrays(ModelSpec((layer,)))


def test_the_archive_is_that_of_torch_save(path: Path) -> None:
    write(ModelSpec(LAYERS), path)
    archive = Archive(path.read_bytes())
    assert {"model/data.pkl", "model/byteorder", "model/version"} < set(archive.names)
    for name in archive.names:
        assert archive.place(name)[0] % 64 == 0
    with zipfile.ZipFile(path) as zipped:
        assert zipped.testzip() is None
        for index, array in enumerate(sequential_arrays(ModelSpec(LAYERS)).values()):
            assert zipped.read(f"model/data/{index}") == array.tobytes()


def test_a_file_with_a_description_takes_no_options(path: Path) -> None:
    write(ModelSpec(LAYERS), path)
    with pytest.raises(OptionError, match="option prefix: only for a file that does not describe"):
        read(path, prefix="1")


@given(data=st.data())
def test_a_description_of_other_layers_is_refused(data: st.DataObject, path: Path) -> None:
    write(ModelSpec(LAYERS), path)
    metadata, tensors = unpack(path.read_bytes())
    line = data.draw(st.sampled_from(sorted(metadata)))
    other = data.draw(st.sampled_from(["", "linear", "recurrent cell=gru", *metadata.values()]))
    assume(metadata[line] != other)
    changed = {**metadata, line: other}
    with pytest.raises((FormatError, UnsupportedError)):
        from_tensors(changed, by_layers(changed, tensors))
