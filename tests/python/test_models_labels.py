"""Classes have the labels of the training data, whatever these are; only `unknown` is none."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_native as rn
from rnn_native import cli
from rnn_native.models import GRUModel, RNNModel

RNG = np.random.default_rng(0)
ROWS, TIME, FEATURES = 24, 4, 3
X = RNG.normal(size=(ROWS, TIME, FEATURES)).astype(np.float32)

KINDS: dict[str, st.SearchStrategy[Any]] = {
    "small": st.integers(-3, 12),
    "large": st.integers(-(2**63), 2**63 - 1),
    "unsigned": st.integers(0, 2**64 - 1).map(np.uint64),
    "floats": st.integers(-(2**53), 2**53).map(float),
    "strings": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    "booleans": st.booleans(),
}
LABELS = st.sampled_from(sorted(KINDS)).flatmap(
    lambda kind: st.lists(KINDS[kind], min_size=2, max_size=6, unique=True)
)


def labelled(labels: list[Any], shape: tuple[int, ...] = (ROWS,)) -> Any:
    """Targets in which every label is there."""
    places = np.arange(np.prod(shape)) % len(labels)
    return np.array(labels)[places.reshape(shape)]


def same(a: Any, b: Any) -> None:
    assert a.dtype == b.dtype
    assert np.array_equal(a, b)


@settings(max_examples=120, deadline=None)
@given(labels=LABELS, per_step=st.booleans(), room=st.integers(0, 3))
def test_predictions_are_labels_of_the_training_data(
    tmp_path_factory: pytest.TempPathFactory, labels: list[Any], per_step: bool, room: int
) -> None:
    y = labelled(labels, (ROWS, TIME) if per_step else (ROWS,))
    most = len(labels) + room
    model = RNNModel(FEATURES, 4, most).fit(X, y, epochs=1, batch_size=ROWS)
    columns = y.dtype.kind in "iu" and all(0 <= label < most for label in labels)
    classes = np.arange(most) if columns else np.unique(y)
    assert np.array_equal(model.classes_, classes)
    predicted = model.predict(X)
    assert predicted.dtype == model.classes_.dtype
    same(predicted, model.classes_[model.predict_proba(X).argmax(axis=-1)])
    assert model.predict_proba(X).shape[-1] == len(model.classes_)
    assert model.score(X, y) == np.mean(predicted == y)

    path = tmp_path_factory.mktemp("labels") / "model.safetensors"
    model.save(path)
    again = RNNModel.load(path)
    same(again.classes_, model.classes_)
    same(again.predict(X), predicted)
    assert again.get_params() == model.get_params()
    assert again.score(X, y) == model.score(X, y)
    assert again.loss(X, y) == model.loss(X, y)


@pytest.mark.parametrize("labels", [[-1, 1], [False, True], ["no", "yes"], [2.0, 5.0], [7, 1000]])
def test_two_classes_are_told_apart(labels: list[Any]) -> None:
    """Where the sign of a sum decides, which is learnt in no time; not by one class for all."""
    y = labelled(labels)
    x = X + np.where(y == labels[0], -3, 3)[:, None, None].astype(np.float32)
    model = GRUModel(FEATURES, 8, 2).fit(x, y, epochs=30, learning_rate=0.02, batch_size=8)
    assert model.score(x, y) == 1
    same(model.predict(x), y)


def test_the_labels_make_no_bit_of_difference(tmp_path: Path) -> None:
    """Neither to what is learnt of the same columns, nor to a fit that goes on."""
    columns = labelled([0, 1, 2])

    def fit(names: Any, path: Path | None, epochs: int = 4) -> GRUModel:
        model = GRUModel(FEATURES, 5, 3)
        return model.fit(X, np.array(names)[columns], epochs=epochs, checkpoint=path)

    plain = fit([0, 1, 2], None)
    for number, names in enumerate(([-7, -1, 3], ["a", "b", "c"], [-0.0, 1e9, 2e9])):
        path = tmp_path / str(number)
        fit(names, path, 2)
        other = fit(names, path)
        assert other.history_["loss"] == plain.history_["loss"]
        same(other.predict_proba(X), plain.predict_proba(X))
        same(other.predict(X), np.array(names)[plain.predict(X)])
        with pytest.raises(rn.OptionError, match="differs in classes"):
            fit([-9, -8, -7] if number else [-7, -1, 4], path)


@pytest.mark.parametrize("unknown", [-1, 0, 5, "?", np.nan, True])
def test_only_what_is_said_to_be_unknown_does_not_count(unknown: Any, tmp_path: Path) -> None:
    known = ["a", "b"] if isinstance(unknown, str) else [3, 4]
    if unknown is True:
        known = [False, False]
    y = labelled(known, (ROWS, TIME))
    hidden = RNG.random(y.shape) < 0.3
    given = np.where(hidden, unknown, y)
    model = GRUModel(FEATURES, 4, 2, unknown=unknown).fit(X, given, epochs=2)
    assert set(model.classes_.tolist()) == set(known)
    lengths = np.full(ROWS, TIME)
    with warnings.catch_warnings(action="ignore"):
        right = np.mean(model.predict(X, lengths)[~hidden] == y[~hidden])
        assert model.score(X, given) == right
    model.save(tmp_path / "m.safetensors")
    assert repr(GRUModel.load(tmp_path / "m.safetensors").unknown) == repr(unknown)


def test_past_a_rows_length_stands_what_is_unknown_or_the_first_class() -> None:
    lengths = np.array([1, TIME] * (ROWS // 2))
    past = np.arange(TIME) >= lengths[:, None]
    y = labelled(["a", "b"], (ROWS, TIME))
    y[past] = "padding is no class"
    plain = GRUModel(FEATURES, 4, 2).fit(X, y, lengths=lengths, epochs=1)
    assert plain.classes_.tolist() == ["a", "b"]
    assert set(plain.predict(X, lengths)[past].tolist()) == {"a"}
    told = GRUModel(FEATURES, 4, 2, unknown="nobody knows").fit(X, y, lengths=lengths, epochs=1)
    assert set(told.predict(X, lengths)[past].tolist()) == {"nobody knows"}


def test_a_class_that_training_did_not_have_is_wrong_and_has_no_loss() -> None:
    y = labelled(["a", "b"])
    model = GRUModel(FEATURES, 4, 2).fit(X, y, epochs=1)
    mixed = y.copy()
    mixed[::2] = "c"
    assert model.score(X, mixed) == np.mean(model.predict(X) == mixed)
    for call in (model.loss, lambda x, y: model.fit(X, labelled(["a", "b"]), validation=(x, y))):
        with pytest.raises(rn.ShapeError, match=r"^y\[0\]: expected one of .*'a', 'b'; got 'c'"):
            call(X, mixed)


def test_a_score_over_one_class_warns() -> None:
    y = labelled([-1, 1])
    model = GRUModel(FEATURES, 4, 2).fit(X, y, epochs=1)
    hidden = GRUModel(FEATURES, 4, 2, unknown=-1).fit(X, labelled([-1, 1, 2]), epochs=1)
    with pytest.warns(UserWarning, match="score: every target that counts is of class 1: "):
        model.score(X, np.ones(ROWS, int))
    with pytest.warns(UserWarning, match="of class 1: "):
        hidden.score(X, y)
    with warnings.catch_warnings(action="error"):
        model.score(X, y)
        model.score(X[:1], y[:1])


def test_a_file_with_other_classes_than_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    GRUModel(FEATURES, 4, 2).fit(X, labelled([-5, 5]), epochs=1).save(path)
    data = path.read_bytes()
    for classes in ([-5, 5, 6], [5, -5], [5, 5], [-5, "a"], [], None, {"a": 1}, [[-5, 5]], 3):
        old = json.dumps(json.dumps([-5, 5]))[1:-1].encode()
        text = json.dumps(json.dumps(classes))[1:-1].encode()
        assert data.count(old) == 1
        size = int.from_bytes(data[:8], "little") + len(text) - len(old)
        changed = data[8:].replace(old, text)
        path.write_bytes((size + -size % 8).to_bytes(8, "little") + changed[: size]
                         + b" " * (-size % 8) + changed[size:])  # fmt: skip
        if classes is None:
            assert GRUModel.load(path).classes_.tolist() == [0, 1]
            continue
        with pytest.raises(rn.FormatError):
            GRUModel.load(path)


def test_what_looks_one_hot_is_asked_about() -> None:
    """Of as many steps as classes it cannot be told from classes of steps: it warns."""
    with pytest.warns(UserWarning, match=r"one-hot, give y.argmax\(axis=1\)"):
        GRUModel().fit(X, np.eye(TIME, dtype=int)[np.arange(ROWS) % TIME], epochs=1)
    with warnings.catch_warnings(action="error"):
        GRUModel().fit(X, labelled([0, 1], (ROWS, TIME)), epochs=1)


def test_numpys_own_strings_are_labels() -> None:
    y = labelled(["a", "bcd"])
    model = GRUModel(FEATURES, 4).fit(X, y.astype(np.dtypes.StringDType()), epochs=1)
    assert model.classes_.tolist() == ["a", "bcd"]
    assert np.array_equal(model.predict(X), GRUModel(FEATURES, 4).fit(X, y, epochs=1).predict(X))


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"columns\\": 4', b'"columns\\": x'), (b'"columns\\": 4', b'"columns\\": 0'),
     (b'"per_step', b'"flat\\":1,\\"per_step')],
)  # fmt: skip
def test_a_file_with_a_form_that_is_not_its_own_is_refused(
    old: bytes, new: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "m.safetensors"
    GRUModel(hidden_units=4).fit(X[:, :, 0], labelled([0, 1]), epochs=1).save(path)
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    assert data[8 : 8 + size].count(old) == 1
    header = data[8 : 8 + size].replace(old, new)
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + data[8 + size :])
    with pytest.raises(rn.FormatError):
        GRUModel.load(path)


NAN = float("nan")


@pytest.mark.parametrize(
    "labels",
    [["a", NAN], [1, "a"], [1.5, "a"], [True, 2], [False, 0.0], ["a", None], [b"a", "a"],
     [2**64, 1], [-1, 2**63], [2**53 + 1, 0.5], [np.int8(1), "a"], [np.str_("a"), 1]],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("form", ["labels", "of steps", "of ragged steps", "classes", "next step"])
def test_a_list_of_labels_that_numpy_would_join_is_refused(labels: list[Any], form: str) -> None:
    """Each is another label once it has the type of its neighbour."""
    model = GRUModel(FEATURES, 4)
    y = [labels[row % 2] for row in range(ROWS)]
    calls: dict[str, Callable[[], Any]] = {
        "labels": lambda: model.fit(X, y, epochs=1),
        "of steps": lambda: model.fit(X, [tuple(labels * 2) for _ in range(ROWS)], epochs=1),
        "of ragged steps": lambda: model.fit([X[0], X[1, :1]], [labels * 2, labels[:1]], epochs=1),
        "classes": lambda: model.partial_fit(X, ["a"] * ROWS, classes=labels),
        "next step": lambda: rn.models.next_step([labels[:1] * 2, labels[1:] * 2], labels=True),
    }
    with pytest.raises(rn.DTypeError, match=r"expected (labels|integers|classes)"):
        calls[form]()


def test_lists_of_one_kind_are_what_arrays_of_it_are() -> None:
    kinds: list[Any] = [
        [2**63, 1], [np.uint64(2**64 - 1), np.uint64(0)], [0, 1.0], [2.0, 5],
        [np.int8(1), 2], ["a", np.str_("bc")], [-(2**63), 2**63 - 1],
    ]  # fmt: skip
    for labels in kinds:
        y = [labels[row % 2] for row in range(ROWS)]
        model = GRUModel(FEATURES, 4).fit(X, y, epochs=1)
        assert model.classes_.tolist() == sorted(labels)
        assert set(model.predict(X).tolist()) <= set(labels)
        assert 0 <= model.score(X, y) <= 1
        steps = GRUModel(FEATURES, 4).fit(list(X), [labels * 2] * ROWS, epochs=1)
        assert steps.classes_.tolist() == sorted(labels)
    hidden = GRUModel(FEATURES, 4, unknown=NAN).fit(X, [0, 1, NAN] * 8, epochs=1)
    assert hidden.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("name", ["m.npz", "m.onnx", "m.pt", "m", "m.safetensor", ".safetensors"])
def test_a_model_is_saved_in_the_format_that_holds_it(tmp_path: Path, name: str) -> None:
    model = GRUModel(FEATURES, 4).fit(X, labelled(["a", "b"]), epochs=1)
    with pytest.raises(rn.FormatError, match=r"is saved as \.safetensors.*model_\.save") as raised:
        model.save(tmp_path / name)
    assert str(tmp_path / name) in str(raised.value)
    assert not (tmp_path / name).exists()
    model.save(tmp_path / "m.SafeTensors")
    assert GRUModel.load(tmp_path / "m.SafeTensors").classes_.tolist() == ["a", "b"]


@pytest.mark.parametrize("dtype", [None, "float64", "float32"])
def test_convert_keeps_labels_or_says_that_it_does_not(
    tmp_path: Path, dtype: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "m.safetensors", tmp_path / "out.safetensors"
    model = GRUModel(FEATURES, 4, learning_rate=0.5).fit(X, labelled(["a", "b"]), epochs=1)
    model.save(source)
    options = [] if dtype is None else ["--dtype", dtype]
    assert cli.main(["convert", str(source), str(out), *options]) == 0
    assert capsys.readouterr().err == ""
    again = GRUModel.load(out)
    assert again.get_params() == model.get_params() | {"dtype": dtype or "float32"}
    assert again.predict(X).tolist() == model.predict(X).tolist()
    assert rn.load(out).dtype == np.dtype(dtype or "float32")
    assert cli.main(["convert", str(source), str(tmp_path / "out.npz"), *options]) == 0
    note = "the labels and parameters that GRUModel.load reads of IN are left out: the format npz"
    assert note in capsys.readouterr().err
