"""Classes of scikit-learn that its users catch, where it is loaded; it is never imported here."""

from __future__ import annotations

import sys
from typing import Any

from ..errors import NotFittedError


def conversion_warning() -> type[UserWarning]:
    """Its DataConversionWarning, or the UserWarning that it is a kind of."""
    theirs = _exceptions()
    return UserWarning if theirs is None else theirs.DataConversionWarning


def not_fitted(message: str) -> NotFittedError:
    """Our NotFittedError, which is scikit-learn's too where there may be who catches that."""
    theirs = _exceptions()
    if theirs is None:
        return NotFittedError(message)
    both = type(
        "NotFittedError",
        (NotFittedError, theirs.NotFittedError),
        {"__reduce__": lambda error: (not_fitted, error.args), "__module__": __name__},
    )
    made: NotFittedError = both(message)
    return made


def _exceptions() -> Any:
    return sys.modules.get("sklearn.exceptions")
