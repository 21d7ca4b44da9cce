"""Pictures of what a network calculates, and of how it learnt.

They need matplotlib: ``pip install 'rnn_native[plot]'``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import OptionError, ShapeError, UnsupportedError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_OF_NAMES = {
    "r": "reset gate", "z": "update gate", "n": "candidate", "i": "input gate", "f": "forget gate",
    "g": "candidate", "o": "output gate", "c": "cell state", "h": "hidden state",
}  # fmt: skip


def trace(
    traced: Mapping[str, NDArray[Any]],
    row: int = 0,
    names: Sequence[str] | None = None,
    batch_first: bool = False,
) -> Figure:
    """Draw what ``model.trace(x)`` returned for one row of the batch, or ``reference.trace``.

    A panel for each array, units over steps: those of one layer and direction side by side, in the
    order of the equations. Gates are drawn from 0 (dark) to 1 (bright), everything else from blue
    (negative) through white (0) to red.

    Parameters
    ----------
    traced
        Arrays by name, [time, batch, features] or, of an unbatched call, [time, features].
    row
        Which row of the batch.
    names
        Which of the arrays, and in which order; None: all.
    batch_first
        Whether the arrays are [batch, time, features].

    Returns
    -------
    Figure
        For ``figure.savefig("gates.png")``; no window opens.

    Raises
    ------
    OptionError
        A name that there is not, or nothing to draw.
    ShapeError
        A row that there is not, or an array of another rank.
    UnsupportedError
        matplotlib is not installed.
    """
    chosen = list(traced) if names is None else list(names)
    unknown = [name for name in chosen if name not in traced]
    if unknown or not chosen:
        raise OptionError(
            f"names: expected some of {', '.join(traced) or 'no arrays'}; "
            f"got {', '.join(unknown) or 'nothing to draw'}"
        )
    panels = {name: _of_row(name, np.asarray(traced[name]), row, batch_first) for name in chosen}
    places: dict[str, list[str]] = {}
    for name in chosen:
        places.setdefault(_place(name), []).append(name)

    columns = max(map(len, places.values()))
    figure = _figure(1 + 2.4 * columns, 0.6 + 2.2 * len(places))
    grid = figure.subplots(len(places), columns, squeeze=False)
    for axes_of_place, members in zip(grid, places.values(), strict=True):
        for axes, name in zip(axes_of_place, members, strict=False):
            _draw(figure, axes, name, panels[name])
        for axes in axes_of_place[len(members) :]:
            axes.set_axis_off()
    return figure


def history(values: Mapping[str, Sequence[float]], names: Sequence[str] | None = None) -> Figure:
    """Draw how a model learnt: ``model.history_``, or any lists with a value for each epoch.

    A panel for each quantity over epochs; ``val_loss`` is drawn into the panel of ``loss``, and so
    is every name with ``val_`` before it, where there is the one without.

    Parameters
    ----------
    values
        Lists by name, as ``history_`` of :mod:`rnn_native.models` has them.
    names
        Which of them, and in which order; None: all but ``seconds``.

    Returns
    -------
    Figure
        For ``figure.savefig("history.png")``; no window opens.

    Raises
    ------
    OptionError
        A name that there is not, or nothing to draw.
    UnsupportedError
        matplotlib is not installed.
    """
    chosen = [name for name in values if name != "seconds"] if names is None else list(names)
    unknown = [name for name in chosen if name not in values]
    if unknown or not chosen:
        raise OptionError(
            f"names: expected some of {', '.join(values) or 'no values'}; "
            f"got {', '.join(unknown) or 'nothing to draw'}"
        )
    panels: dict[str, list[str]] = {}
    for name in sorted(chosen, key=lambda name: name.startswith("val_")):
        plain = name.removeprefix("val_")
        panels.setdefault(plain if plain in chosen else name, []).append(name)
    figure = _figure(1 + 3.2 * len(panels), 2.8)
    for axes, (title, members) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        for name in members:
            epochs = range(1, len(values[name]) + 1)
            axes.plot(epochs, values[name], label=name, marker="." if len(epochs) == 1 else "")
        axes.set_title(title, fontsize="medium")
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        if len(members) > 1:
            axes.legend()
    return figure


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UnsupportedError(
            "rn.plot needs matplotlib: pip install 'rnn_native[plot]'"
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def _of_row(name: str, array: NDArray[Any], row: int, batch_first: bool) -> NDArray[Any]:
    """[time, features] of one row."""
    if array.ndim == 2:
        rows = 1
    elif array.ndim == 3:
        rows = array.shape[0 if batch_first else 1]
    else:
        raise ShapeError(f"{name}: expected an array of rank 2 or 3, got shape {array.shape}")
    if not 0 <= row < rows:
        raise ShapeError(f"row: expected 0 to {rows - 1} in {name}, got {row}")
    if array.ndim == 2:
        return array
    return array[row] if batch_first else array[:, row]


def _place(name: str) -> str:
    """Layer and direction: ``1._l0_reverse`` of ``1.i_l0_reverse``; ``1.`` of an output layer."""
    prefix, _, own = name.rpartition(".")
    return f"{prefix}.{own[1:]}"


def _draw(figure: Figure, axes: Axes, name: str, values: NDArray[Any]) -> None:
    own = name.rpartition(".")[2]
    meaning = _OF_NAMES.get(own[:1], "") if "_l" in own else "output"
    if meaning.endswith("gate"):
        low, high, colours = 0.0, 1.0, "viridis"
    else:
        high = max(1.0, float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values))))
        low, colours = -high, "RdBu_r"
    image = axes.imshow(
        values.T, aspect="auto", interpolation="nearest", origin="lower",
        vmin=low, vmax=high, cmap=colours,
    )  # fmt: skip
    axes.set_title(f"{name}: {meaning}", fontsize="medium")
    axes.set_xlabel("step")
    axes.set_ylabel("unit")
    for axis, size in ((axes.xaxis, len(values)), (axes.yaxis, values.shape[1])):
        axis.get_major_locator().set_params(integer=True, min_n_ticks=min(size, 2))
    figure.colorbar(image, ax=axes)
