"""``rn.quantize``: a model with weights of fewer bits, and what that does to its results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, Final

from numpy.typing import ArrayLike, DTypeLike

from ..as_spec import HasLayer, as_spec
from ..errors import OptionError, UnsupportedError
from ..model import Model
from ..spec import Layer, ModelSpec
from ..spec.multiplying import Multiplying
from ..spec.stored import STORED, weight_dtype_of
from .calibration import batches
from .choosing import checked_keep, kept_layers, kinds, layer_report
from .differences import Difference as Difference
from .differences import Drift as Drift
from .integers import chosen
from .measuring import Reduced
from .report import LayerReport as LayerReport
from .report import Quantized as Quantized

Calibration = ArrayLike | Mapping[str, ArrayLike]
ROUNDINGS: Final = ("nearest", "gptq")
"""What ``rounding=`` takes beside None."""


def quantize(
    model: Model | ModelSpec | Layer | HasLayer | Sequence[Layer | HasLayer],
    weight_dtype: DTypeLike | None = "int8",
    calibration: Calibration | Sequence[Calibration] | None = None,
    *,
    lengths: ArrayLike | Sequence[ArrayLike | None] | None = None,
    state: Any = None,
    rounding: str | None = None,
    keep: Sequence[str] | int | None = None,
    at_least: float | None = None,
    compute: str | None = None,
    batch_first: bool | None = None,
    num_threads: int | None = None,
) -> Quantized:
    """A model with weights of fewer bits, and what that does on calibration data.

    The model runs in float32 and reduced, with each layer alone reduced and with all, and values
    and states are compared. The data choose the layers that stay float32, and of int8 the integers:
    those whose products are nearest, by what the matrices multiply in these inputs.

    Parameters
    ----------
    model
        A Model, or what a Model is made of; of an ``rn.RNN``, ``rn.GRU`` or ``rn.LSTM`` its own.
    weight_dtype
        As of :class:`Model`: ``"int8"``, ``"float16"`` or ``"bfloat16"``; None beside ``compute``.
    calibration
        What the model is called with: x, [time, batch, features], of indices [time, batch]; of
        several inputs a dict by name; or a list of these, of any steps and rows. About as many
        steps and as different inputs as it will meet: some seconds of sound, some sentences. All
        values of a run are in memory at once. None: only weights are compared.
    lengths
        Steps of each row that count, [batch], as of a call; of a list of inputs a list, None for
        those of which all count.
    state
        What each call begins with, as of a call; of a list of inputs a list. A decoder has its
        encoder's.
    rounding
        How int8 weights are rounded: ``"nearest"``, each by itself, as without :func:`quantize`; or
        ``"gptq"``, in turn, where each makes up for the ones before it on the calibration data
        (Frantar et al. 2022; docs/precision.md has what is minimised). None: ``"gptq"`` where it
        can be, of int8 with calibration data.
    keep
        The layers that stay float32: names; or a number n, the n layers that hurt an output most
        where they alone are reduced. None: those of ``spec.keep``. One that is named may have
        weights that the type has not.
    at_least
        A ratio of signal to difference, in dB, that every output is to have: besides those of
        ``keep`` the layers that hurt most stay float32, one after the other, until it has.
    compute
        As of :class:`Model`: ``"bfloat16"``, of weights of which it can be.
    batch_first
        Whether arrays are [batch, time, ...], those of the result too; None: as a Model's are.
    num_threads
        As of the Model; None: its own.

    Returns
    -------
    Quantized
        ``model``, of the same layers; ``layers``, ``outputs`` and ``drift`` say what differs;
        ``print`` shows it.

    Raises
    ------
    OptionError
        An unknown ``weight_dtype`` or ``compute``; ``keep`` names what has no matrices, or is a
        number out of range; a number, ``at_least``, ``lengths``, ``state`` or ``"gptq"`` without
        calibration data; an ``at_least`` that is no number; an unknown ``rounding``, or ``"gptq"``
        of what is not int8 or multiplies nothing; data without steps, or of which the float32 model
        makes what is not finite.
    UnsupportedError
        No layer has matrices; a weight that the type has not; as of a Model: types that do not go
        together, or that this CPU has not.
    ShapeError, DTypeError
        As a call of the model raises them, with the number of the input.

    Example
    -------
    >>> import numpy as np, rnn_native as rn
    >>> lstm, head = rn.LSTM(8, 32), rn.Linear(np.ones((1, 32)) / 32)
    >>> x = np.random.default_rng(0).standard_normal((50, 4, 8))
    >>> made = rn.quantize([lstm, head], "float16", x, keep=["1"])
    >>> made.model.weight_dtype, made.kept, made.sqnr > 60
    ('float16', ('1',), True)
    >>> [layer.name for layer in made.layers]
    ['0', '1']
    """
    own = getattr(model, "model", model)  # that of an rn.RNN, rn.GRU or rn.LSTM
    model = own if isinstance(own, Model) else model
    spec = model.spec if isinstance(model, Model) else as_spec(model)
    stored_as = weight_dtype_of(weight_dtype)
    if stored_as is None and compute is None:
        raise OptionError(f"weight_dtype: expected one of {', '.join(STORED)}; got None")
    if batch_first is None:
        batch_first = bool(getattr(model, "batch_first", False))
    if num_threads is None:
        num_threads = getattr(model, "num_threads", None)
    keep = spec.keep if keep is None else keep
    spec = spec.having(keep=())
    if not spec.reducible:
        raise UnsupportedError(f"quantize: expected a layer with matrices, got {kinds(spec)}")
    keep = checked_keep(keep, spec.reducible, calibration is not None)
    of_data = {"lengths": lengths, "state": state, "at_least": at_least}
    for option, value in of_data.items():
        if value is not None and calibration is None:
            raise OptionError(f"{option}: only with calibration data")
    if at_least is not None and not _is_number(at_least):
        raise OptionError(f"at_least: expected a number of dB, got {at_least!r}")
    named = () if isinstance(keep, int) else keep
    multiplies = any(
        isinstance(spec.nodes[name].layer, Multiplying)
        for name in spec.reducible
        if name not in named
    )
    rounding = _rounding(rounding, stored_as, calibration is not None, multiplies)
    given = () if calibration is None else batches(spec, calibration, lengths, state, batch_first)
    around = {"batch_first": batch_first, "num_threads": num_threads}
    options = {"weight_dtype": stored_as, "compute": compute}
    reduced = Reduced(spec, spec, options, around, given)
    reduced.model(named)  # or an error, before anything is measured
    without = frozenset(name for name in named if not reduced.takes(name))
    if rounding == "gptq":
        reduced.check()
        reduced = replace(reduced, rounded=chosen(spec, given, without))
    layers = [
        layer_report(reduced, name, spec.reducible, name not in without) for name in spec.reducible
    ]
    return _made(reduced, layers, kept_layers(reduced, layers, keep, at_least), rounding)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not math.isnan(value)


def _rounding(
    rounding: str | None, stored_as: str | None, is_measured: bool, multiplies: bool
) -> str:
    """The default's meaning, or an ``OptionError``."""
    if rounding is None:
        return "gptq" if stored_as == "int8" and is_measured and multiplies else "nearest"
    if rounding not in ROUNDINGS:
        raise OptionError(f"rounding: expected None or {' or '.join(ROUNDINGS)}; got {rounding!r}")
    if rounding == "gptq" and stored_as != "int8":
        raise OptionError(
            f"rounding='gptq': expected weight_dtype 'int8', got {stored_as!r}, whose weights are "
            "rounded to the nearest"
        )
    if rounding == "gptq" and not is_measured:
        raise OptionError("rounding='gptq': only with calibration data, which the integers are for")
    if rounding == "gptq" and not multiplies:
        raise OptionError(
            "rounding='gptq': expected a layer that multiplies, and is not kept; 'nearest' rounds "
            "tables"
        )
    return rounding


def _made(
    reduced: Reduced, layers: Sequence[LayerReport], kept: tuple[str, ...], rounding: str
) -> Quantized:
    """The model in which these layers are kept, with its report."""
    spec, model = reduced.spec, reduced.model(kept)
    outputs, drift = {}, {}
    results: dict[str, Difference | None] = dict.fromkeys(spec.reducible)
    if reduced.batches:
        values = dict.fromkeys([*spec.outputs.values(), *spec.reducible])
        found = reduced.differences(kept, list(values))
        outputs = {output: found[value] for output, value in spec.outputs.items()}
        results.update({name: found[name] for name in spec.reducible})
        drift = reduced.drifts(kept)
    told = tuple(
        replace(layer, kept=layer.name in kept, result=results[layer.name]) for layer in layers
    )
    memory = Model(spec, **reduced.around).memory, model.memory
    return Quantized(model, rounding, told, outputs, drift, memory)
