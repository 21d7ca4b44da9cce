"""Methods that a model has for some of its outputs only."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any, TypeVar, cast

from ..errors import OptionError

Method = TypeVar("Method", bound=Callable[..., Any])


class MissingMethodError(OptionError, AttributeError):
    """An OptionError which tells ``hasattr``, too, that there is no such method."""


class _Optional:
    """A method whose name does not exist where ``reason`` gives one."""

    def __init__(self, method: Callable[..., Any], reason: Callable[[Any], str | None]) -> None:
        self._method, self._reason = method, reason
        self.__doc__ = method.__doc__
        self.__wrapped__ = method  # whose signature inspect shows

    def __get__(self, model: Any, owner: type | None = None) -> Any:
        if model is None:
            return self._method
        reason = self._reason(model)
        if reason is not None:
            raise MissingMethodError(f"{self._method.__name__}: {reason}")
        return MethodType(self._method, model)


def unless(reason: Callable[[Any], str | None]) -> Callable[[Method], Method]:
    """The method is there where ``reason`` of the model is None. That is what scikit-learn asks by
    ``hasattr``: of models of numbers whether they have ``predict_proba``."""

    def mark(method: Method) -> Method:
        return cast(Method, _Optional(method, reason))

    return mark
