"""How a model learns: the constructor's other arguments, of which ``fit`` may say its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, Self

import numpy as np

from ..errors import OptionError
from ..train import Network
from ..train.checks import above_zero, finite, flag, fraction, positive, whole
from ..train.optimizers import OPTIMIZERS, Optimizer
from ..train.schedules import Schedule
from .fitting import Callback
from .weighting import ClassWeight


class Own(Enum):
    """In the place of an argument of ``fit``: that of the constructor holds."""

    OWN = "the constructor's"

    def __repr__(self) -> str:
        return self.name


OWN = Own.OWN


@dataclass(frozen=True)
class Options:
    """Checked; all numbers are plain Python ones, so that JSON holds them."""

    learning_rate: float
    epochs: int
    batch_size: int
    optimizer: str | Callable[..., Optimizer]
    schedule: str | Schedule
    max_norm: float | None
    recurrent_init: str
    forget_bias: float | None
    seed: int
    validation_split: float | None
    patience: int | None
    class_weight: ClassWeight
    warm_start: bool
    callbacks: tuple[Callback, ...]
    progress: bool | str
    num_threads: int | None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """``OptionError`` where a value does not exist; it names the argument."""
        max_norm, forget_bias = given["max_norm"], given["forget_bias"]
        split, patience = given["validation_split"], given["patience"]
        return cls(
            learning_rate=positive("learning_rate", given["learning_rate"]),
            epochs=whole("epochs", given["epochs"], 1),
            batch_size=whole("batch_size", given["batch_size"], 1),
            optimizer=given["optimizer"],
            schedule=given["schedule"],
            max_norm=None if max_norm is None else above_zero("max_norm", max_norm),
            recurrent_init=given["recurrent_init"],
            forget_bias=None if forget_bias is None else finite("forget_bias", forget_bias),
            seed=whole("seed", given["seed"], 0),
            validation_split=None if split is None else fraction("validation_split", split),
            patience=None if patience is None else whole("patience", patience, 1),
            class_weight=given["class_weight"],
            warm_start=flag("warm_start", given["warm_start"]),
            callbacks=_callables(given["callbacks"]),
            progress=given["progress"],
            num_threads=given["num_threads"],
        )

    def make_optimizer(self, net: Network) -> Optimizer:
        make = OPTIMIZERS.get(self.optimizer) if isinstance(self.optimizer, str) else self.optimizer
        if make is None:
            raise OptionError(
                f"optimizer: expected adam, sgd or a callable, got {self.optimizer!r}"
            )
        return make(net, learning_rate=self.learning_rate)

    @classmethod
    def in_a_file(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the constructor's arguments that JSON holds: functions are not among them."""
        plain = {
            name: value.item() if isinstance(value := given[name], np.generic) else value
            for name in (field.name for field in fields(cls))
        }
        return {name: value for name, value in plain.items() if _is_plain(value)}


def _callables(value: Any) -> tuple[Callback, ...]:
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)) or not all(map(callable, value)):
        raise OptionError(f"callbacks: expected a list of functions of an epoch, got {value!r}")
    return tuple(value)


def _is_plain(value: object) -> bool:
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError):
        return False
