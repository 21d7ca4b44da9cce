"""What a network of PyTorch's takes and gives: tensors in tuples and dicts, one after the other."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .errors import OptionError


def leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """All that is in tuples, lists and dicts, by names: ``name_1``, or the keys of dicts."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, str(key))
    elif isinstance(value, (tuple, list)):
        for index, item in enumerate(value):
            yield from leaves(item, f"{name}_{index}")
    else:
        yield name, value


def rebuilt(value: Any, new: Iterator[Any]) -> Any:
    """The same with other leaves."""
    if isinstance(value, Mapping):
        return {key: rebuilt(item, new) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return tuple(rebuilt(item, new) for item in value)
    return next(new)


class Call:
    """A network and an example of what it is called with: of tensors one after the other.

    A dict is called by the names of its keys where ``forward`` has such parameters, and as it is
    elsewhere.
    """

    def __init__(self, module: Any, example: Any) -> None:
        self.module = module
        self._example = example
        self.by_key = isinstance(example, Mapping) and _has_parameters(module, example)
        found = list(leaves(example, "input"))
        if isinstance(example, (tuple, list)) and len(example) == 1 and len(found) == 1:
            found = [("input", found[0][1])]
        self.names = [name for name, _ in found]
        self.tensors = [tensor for _, tensor in found]
        if len(set(self.names)) < len(self.names):
            raise OptionError(f"example: a name is there twice: {', '.join(self.names)}")

    @property
    def is_flat(self) -> bool:
        """Whether PyTorch's exporter takes the example as it is."""
        example = self._example
        parts = example if isinstance(example, (tuple, list)) else (example,)
        return not any(isinstance(part, (tuple, list, Mapping)) for part in parts)

    def __call__(self, tensors: Sequence[Any]) -> Any:
        """What the network gives of other tensors in the places of the example's."""
        given = rebuilt(self._example, iter(tensors))
        if self.by_key:
            return self.module(**given)
        return self.module(*given) if isinstance(given, tuple) else self.module(given)

    def flat(self, torch: Any) -> Any:
        """A module of the same that takes tensors and gives a tuple of them."""
        call = self

        class Flat(torch.nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.network = call.module

            def forward(self, *tensors: Any) -> Any:
                given = [value for _, value in leaves(call(tensors), "") if value is not None]
                return tuple(given)

        return Flat()


def _has_parameters(module: Any, example: Mapping[Any, Any]) -> bool:
    try:
        known = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return False
    names = {one.name for one in known if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)}
    return set(example) <= names or any(one.kind == one.VAR_KEYWORD for one in known)
