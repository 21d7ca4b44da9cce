"""``rnn-native convert``: the same model in another file, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import make_recurrent, make_spec, specs

import rnn_native as rn
from rnn_native import cli, formats
from rnn_native.formats import golden, metadata, npz, safetensors
from rnn_native.spec import ModelSpec

RNG = np.random.default_rng(0)
SPEC = make_spec(RNG, "gru", 3, 4, num_layers=2, out_features=2)
Convert = Callable[..., tuple[int, str]]


@pytest.fixture
def convert(capsys: pytest.CaptureFixture[str]) -> Convert:
    def call(*arguments: object) -> tuple[int, str]:
        status = cli.main(["convert", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert out == ""
        return status, err

    return call


def golden_of(path: Path) -> dict[str, str]:
    return {key: text for key, text in formats.strings(path).items() if key in golden.KEYS}


@given(spec=st.sampled_from([np.float32, np.float64]).flatmap(lambda dtype: specs(dtype=dtype)))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_there_and_back_is_the_same_model_bit_for_bit(
    spec: ModelSpec, tmp_path: Path, convert: Convert
) -> None:
    first, second, third = (tmp_path / name for name in ("a.safetensors", "b.npz", "c.safetensors"))
    safetensors.write(spec, first)
    assert convert(first, second) == (0, "")
    assert convert(second, third, "--golden", "--verify") == (0, "")
    for path in (second, third):
        assert safetensors.dumps(formats.read(path)) == safetensors.dumps(spec)
    rn.load(third, verify=True)


def test_the_golden_input_goes_along(tmp_path: Path, convert: Convert) -> None:
    first, second, third = (tmp_path / name for name in ("a.safetensors", "b.npz", "c.npz"))
    x = RNG.standard_normal((4, 2, 3)).astype(np.float32)
    rn.Model(SPEC).save(first, golden={"x": x, "lengths": [4, 1]})
    assert convert(first, second, "--verify") == (0, "")
    assert golden_of(second) == golden_of(first) != {}
    assert convert(second, third, "--golden") == (0, "")
    assert golden_of(third) != golden_of(first)
    rn.load(third, verify=True)


def test_a_golden_input_that_does_not_hold_goes_nowhere(tmp_path: Path, convert: Convert) -> None:
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    rn.Model(SPEC).save(first, golden=True)
    other = make_spec(np.random.default_rng(1), "gru", 3, 4, num_layers=2, out_features=2)
    formats.write(other, first, strings=golden_of(first))
    status, err = convert(first, second)
    assert status == 2
    assert err.startswith(f"rnn-native convert: {first}: golden: y[")
    assert not second.exists()
    assert convert(first, second, "--golden", "--verify") == (0, "")


def test_dtype_rounds_the_weights_and_renews_the_golden_result(
    tmp_path: Path, convert: Convert
) -> None:
    first, second, third = (tmp_path / name for name in ("a.npz", "b.npz", "c.safetensors"))
    weights = {n: RNG.normal(0, 0.3, a.shape) for n, a in metadata.to_arrays(SPEC).items()}
    spec = metadata.from_metadata(metadata.to_metadata(SPEC), weights)
    x = RNG.standard_normal((5, 2, 3))
    rn.Model(spec, dtype="float64").save(first, golden={"x": x, "lengths": [5, 2]})
    assert convert(first, second, "--dtype", "float32", "--verify") == (0, "")
    for name, array in metadata.to_arrays(formats.read(second)).items():
        assert array.dtype == np.float32
        assert np.array_equal(array, weights[name].astype(np.float32))
    found = golden.from_strings(golden_of(second))
    assert found is not None
    assert found.y.dtype == np.float32
    assert found.lengths is not None
    assert found.lengths.tolist() == [5, 2]
    assert np.array_equal(found.x, x.astype(np.float32))
    for dtype in ("float32", "float64"):
        rn.load(second, dtype=dtype, verify=True)
    assert convert(second, third, "--dtype", "float64", "--verify") == (0, "")
    for name, array in metadata.to_arrays(formats.read(third)).items():
        assert array.dtype == np.float64
        assert np.array_equal(array, weights[name].astype(np.float32))


def test_weights_too_large_for_a_type_are_refused(tmp_path: Path, convert: Convert) -> None:
    path = tmp_path / "a.npz"
    formats.write(ModelSpec((rn.Linear(np.full((1, 1), 1e39)),)), path)
    status, err = convert(path, tmp_path / "b.npz", "--dtype", "float32")
    assert status == 2
    assert "--dtype float32: 0.weight has numbers too large for it" in err
    assert list(tmp_path.iterdir()) == [path]


def test_where_it_came_from_first_is_noted(
    tmp_path: Path, convert: Convert, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    formats.write(SPEC, "a.npz")
    for source, target in (("a.npz", "b.safetensors"), ("b.safetensors", "c.npz")):
        assert convert(source, target) == (0, "")
        strings = formats.strings(target)
        assert strings["rnn_native.source.file"] == "a.npz"
        assert strings["rnn_native.source.format"] == "npz"
        assert "rnn_native.source.producer" not in strings


def test_a_part_is_written_with_its_options(tmp_path: Path, convert: Convert) -> None:
    path = tmp_path / "checkpoint.npz"
    gru = make_recurrent(RNG, "gru", 3, 4)
    arrays = {f"encoder.{name}": array for name, array in gru.arrays.items()}
    np.savez(path, other=np.ones(2, np.float32), **arrays)  # type: ignore[arg-type]
    out = tmp_path / "encoder.bin"
    more = ("--prefix", "encoder", "--reset-after", "false", "--to", "safetensors")
    assert convert(path, out, *more) == (0, "")
    (layer,) = formats.read(out, "safetensors").recurrents
    assert layer.reset_after is False
    for name, array in gru.arrays.items():
        assert layer.arrays[name].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.npz", "b.npz"], "none.npz: No such file"),
        (["torn.npz", "b.npz"], "torn.npz: npz: not a readable archive"),
        (["a.npz", "a.npz"], "OUT: a.npz is also IN; choose another file"),
        (["a.npz", "link.npz"], "OUT: link.npz is also IN"),
        (["a.npz", "./a.npz"], "OUT: a.npz is also IN"),
        (
            ["a.npz", "model.json", "--to", "npz", "--config", "model.json"],
            "OUT: model.json is also --config; choose another file",
        ),
        (["a.npz", "b.bin"], "b.bin: the suffix '.bin' is of no known format"),
        (["a.npz", "nowhere/b.npz"], "nowhere/b.npz: No such file or directory"),
        (["a.npz", "folder.npz"], "folder.npz: Is a directory"),
        (["a.npz", "b.npz", "--verify"], "--verify: IN carries no golden input and output"),
        (["a.npz", "b.npz", "--cell", "gru"], "a.npz: option cell: only for a file that does not"),
    ],
    ids=" ".join,
)
def test_every_error_is_one_line_and_leaves_the_files(
    arguments: list[str], message: str, tmp_path: Path, convert: Convert,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    formats.write(SPEC, "a.npz")
    Path("torn.npz").write_bytes(b"PK")
    Path("b.npz").write_bytes(b"before")
    Path("model.json").write_bytes(b"{}")
    Path("link.npz").symlink_to("a.npz")
    Path("folder.npz").mkdir()
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.iterdir()}
    status, err = convert(*arguments)
    assert status == 2
    assert err.startswith("rnn-native convert: ")
    assert message in err
    assert err.count("\n") == 1
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.iterdir()} == before


def test_out_takes_its_place_after_the_replay(
    tmp_path: Path, convert: Convert, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tmp_path / "a.npz", tmp_path / "b.npz"
    formats.write(SPEC, source)
    out.write_bytes(b"before")
    writer = npz.write

    def spoil(spec: ModelSpec, path: Path, strings: dict[str, str]) -> None:
        arrays = {n: a + np.float32(0.01) for n, a in metadata.to_arrays(spec).items()}
        writer(metadata.from_metadata(metadata.to_metadata(spec), arrays), path, strings)

    monkeypatch.setattr(npz, "write", spoil)
    status, err = convert(source, out, "--golden", "--verify")
    assert status == 2
    assert err.startswith(f"rnn-native convert: {out}: golden: y[")
    assert out.read_bytes() == b"before"
    assert sorted(tmp_path.iterdir()) == [source, out]


def test_a_format_without_a_place_for_strings(
    tmp_path: Path, convert: Convert, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tmp_path / "a.safetensors", tmp_path / "b.npz"
    rn.Model(SPEC).save(source, golden=True)
    plain = formats.Format("npz", (".npz",))
    monkeypatch.setattr(formats, "FORMATS", {**formats.FORMATS, "npz": plain})
    status, err = convert(source, out)
    assert (status, err.count("\n")) == (0, 1)
    assert "note: the golden input of IN is left out: the format npz has no place for it" in err
    assert not golden_of(out)
    status, err = convert(source, out, "--golden")
    assert status == 2
    assert "the format npz has no place for rnn_native.golden.x" in err
