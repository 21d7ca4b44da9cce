"""How much a target counts: ``sample_weight``, and ``class_weight`` as scikit-learn has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import OptionError, ShapeError
from .inputs import DataError, as_array
from .labels import Label, listed
from .outputs import Output
from .sequences import Sequences

ClassWeight = str | Mapping[Any, float] | None


def with_sample_weight(data: Sequences, sample_weight: ArrayLike | None) -> Sequences:
    """The data with weights of at least 0: [batch] of whole sequences, or, where each step has a
    target, [batch, time]."""
    if sample_weight is None:
        return data
    weights, _ = as_array("sample_weight", sample_weight)
    if weights.dtype.kind not in "fiub":
        raise DataError(f"sample_weight: expected real numbers, got {weights.dtype}")
    shape = data.counts.shape
    if weights.shape not in (shape, shape[:1]):
        either = f"{shape[:1]} or {shape}" if data.per_step else f"{shape}"
        raise ShapeError(f"sample_weight: expected shape {either}, got {weights.shape}")
    if weights.ndim < len(shape):
        weights = np.broadcast_to(weights[:, None], shape)
    weights = np.where(data.counts, weights, 0).astype(np.float64)
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        place = [int(index) for index in np.argwhere(wrong)[0]]
        raise ShapeError(
            f"sample_weight{place}: expected a finite number of at least 0, got {weights[wrong][0]}"
        )
    if not weights.any():
        raise ShapeError("sample_weight: expected a weight above 0, got zero for all that counts")
    return replace(data, weights=weights)


def with_class_weight(data: Sequences, class_weight: ClassWeight, output: Output) -> Sequences:
    """The data, whose y are columns, with each target's weight times that of its class."""
    factors = class_factors(data.y, class_weight, output)
    if factors is None:
        return data
    of_targets = np.where(data.y >= 0, factors[data.y], 0.0)
    weights = of_targets if data.weights is None else data.weights * of_targets
    if not weights.any():
        raise OptionError("class_weight: expected a weight above 0 of some class in y")
    return replace(data, weights=weights)


def class_factors(
    columns: NDArray[Any], class_weight: ClassWeight, output: Output
) -> NDArray[np.float64] | None:
    """The weight of each class: as the mapping says, 1 where it says nothing; ``"balanced"``:
    targets / (classes * targets of the class); None without weights."""
    if class_weight is None:
        return None
    classes: list[Label] | None = output.classes
    if classes is None:
        raise OptionError("class_weight: expected None, as there are classes in a softmax alone")
    if isinstance(class_weight, str) and class_weight == "balanced":
        known = columns[columns >= 0]
        counts = np.bincount(known, minlength=len(classes))
        present = np.count_nonzero(counts)
        return np.asarray(len(known) / (present * np.maximum(counts, 1.0)))
    if not isinstance(class_weight, Mapping):
        raise OptionError(
            f"class_weight: expected 'balanced', a weight for each class by its label, or None; "
            f"got {class_weight!r}"
        )
    unknown = [label for label in class_weight if label not in classes]
    if unknown:
        raise OptionError(
            f"class_weight: expected classes of y, {listed(classes)}; got {listed(unknown)}"
        )
    factors = np.array([class_weight.get(label, 1.0) for label in classes], dtype=np.float64)
    if not (np.isfinite(factors) & (factors >= 0)).all():
        raise OptionError(
            f"class_weight: expected finite numbers of at least 0, got {class_weight!r}"
        )
    return factors
