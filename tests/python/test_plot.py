"""Pictures of a trace: the right numbers in the right panels, labelled, and no window."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strategies

import rnn_native as rn

X = np.random.default_rng(0).standard_normal((6, 2, 3)).astype(np.float32)


def model(cell: str = "lstm", **options: Any) -> rn.Model:
    return rn.Model(strategies.make_spec(np.random.default_rng(1), cell, 3, 4, **options))


def panels(figure: Any) -> dict[str, Any]:
    """The axes that have a picture, by the name of the array."""
    return {axes.get_title().partition(":")[0]: axes for axes in figure.axes if axes.get_images()}


@pytest.fixture(autouse=True)
def matplotlib() -> Any:
    return pytest.importorskip("matplotlib")


@pytest.mark.parametrize(("cell", "options"), strategies.VARIANTS, ids=strategies.VARIANT_IDS)
@pytest.mark.parametrize("row", [0, 1])
def test_every_array_is_drawn_as_it_is(cell: str, options: dict[str, Any], row: int) -> None:
    traced = model(cell, num_layers=2, direction="bidirectional", **options).trace(X)
    drawn = panels(rn.plot.trace(traced, row=row))
    assert [*drawn] == [*traced]
    for name, axes in drawn.items():
        (image,) = axes.get_images()
        np.testing.assert_array_equal(image.get_array(), traced[name][:, row].T)
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "unit")
        low, high = image.get_clim()
        gate = name[0] in "rzifo" and "_l" in name
        assert (low, high) == (0, 1) if gate else low == -high <= -1
        assert float(np.abs(traced[name][:, row]).max()) <= high
        assert ("gate" in axes.get_title()) == gate


def test_one_layer_and_direction_to_a_line() -> None:
    figure = rn.plot.trace(model(num_layers=2).trace(X))
    lines: dict[float, list[str]] = {}
    figure.draw_without_rendering()
    for name, axes in panels(figure).items():
        lines.setdefault(round(axes.get_position().y0, 3), []).append(name)
    assert sorted(lines.values()) == [[f"{n}_l{k}" for n in "ifgoch"] for k in range(2)]


def test_some_of_the_arrays_in_the_order_asked_for() -> None:
    figure = rn.plot.trace(model().trace(X), names=["o_l0", "i_l0"])
    assert [*panels(figure)] == ["o_l0", "i_l0"]


def test_layouts_of_the_arrays() -> None:
    traced = model().trace(X)
    turned = {name: np.swapaxes(array, 0, 1) for name, array in traced.items()}
    alone = {name: array[:, 1] for name, array in traced.items()}
    for figure in (rn.plot.trace(turned, 1, batch_first=True), rn.plot.trace(alone)):
        for name, axes in panels(figure).items():
            np.testing.assert_array_equal(axes.get_images()[0].get_array(), traced[name][:, 1].T)


def test_a_picture_is_written_and_no_window_opened(tmp_path: Path) -> None:
    figure = rn.plot.trace(rn.reference.trace(model().spec, X))
    figure.savefig(tmp_path / "gates.png")
    assert (tmp_path / "gates.png").read_bytes().startswith(b"\x89PNG")
    assert "matplotlib.pyplot" not in sys.modules


def test_nan_and_infinity_are_drawn_too() -> None:
    x = X.copy()
    x[3, 0, 0] = np.nan
    x[1, 1, 0] = np.inf
    figure = rn.plot.trace(model("rnn", nonlinearity="relu").trace(x), row=1)
    figure.draw_without_rendering()


def test_what_cannot_be_drawn_is_refused() -> None:
    traced = model().trace(X)
    with pytest.raises(rn.OptionError, match=r"names: expected some of i_l0, .*; got q_l0"):
        rn.plot.trace(traced, names=["i_l0", "q_l0"])
    with pytest.raises(rn.OptionError, match="nothing to draw"):
        rn.plot.trace({})
    for row in (-1, 2):
        with pytest.raises(rn.ShapeError, match=f"row: expected 0 to 1 in i_l0, got {row}"):
            rn.plot.trace(traced, row=row)
    with pytest.raises(rn.ShapeError, match="i_l0: expected an array of rank 2 or 3"):
        rn.plot.trace({"i_l0": np.zeros(3)})


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(rn.UnsupportedError, match=r"pip install 'rnn_native\[plot\]'"):
        rn.plot.trace(model().trace(X))


def test_a_history_is_drawn_as_it_is() -> None:
    values = {
        "loss": [3.0, 2.0], "grad_norm": [1.0, 4.0], "seconds": [9.0, 9.0], "val_loss": [5.0, 1.0],
        "val_score": [0.5, 0.25],
    }  # fmt: skip
    drawn = {axes.get_title(): axes for axes in rn.plot.history(values).axes}
    assert {title: [line.get_label() for line in axes.get_lines()]
            for title, axes in drawn.items()} == {
        "loss": ["loss", "val_loss"], "grad_norm": ["grad_norm"], "val_score": ["val_score"]
    }  # fmt: skip
    for axes in drawn.values():
        assert axes.get_xlabel() == "epoch"
        for line in axes.get_lines() if len(axes.get_lines()) > 1 else ():
            assert list(line.get_xdata()) == [1, 2]
            assert list(line.get_ydata()) == values[line.get_label()]
    assert len(rn.plot.history(values, names=["seconds"]).axes) == 1
    for wrong in (["nothing"], []):
        with pytest.raises(rn.OptionError, match="names: expected some of loss"):
            rn.plot.history(values, names=wrong)
