"""Files of Keras 1 as the files of Keras 2 that they would be: other names of classes, options and
arrays, and a cell's arrays gate by gate.

An LSTM had ``W_i``, ``U_i``, ``b_i`` and so on for each of the gates i, c, f, o, a GRU for z, r, h,
and both, if they were made for a GPU, all gates in ``W``, ``U``, ``b`` like Keras 2. Theano turns
the windows of convolutions round, so their kernels lie turned round in its files, and these are
known by the names of their arrays: TensorFlow's end in ``:0``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ...errors import FormatError, UnsupportedError
from .config import MODELS, of_class
from .file import KerasFile
from .hdf5 import File
from .store import Array, NamedStore, join, names_of

_DENSE: Final = {"output_dim": "units", "bias": "use_bias"}
_CELL: Final = {"output_dim": "units", "inner_activation": "recurrent_activation"}
_CONV: Final = {
    "nb_filter": "filters", "filter_length": "kernel_size", "subsample_length": "strides",
    "subsample": "strides", "border_mode": "padding", "bias": "use_bias",
    "atrous_rate": "dilation_rate", "dim_ordering": "data_format",
}  # fmt: skip
_POOL: Final = {
    "pool_length": "pool_size", "stride": "strides", "border_mode": "padding",
    "dim_ordering": "data_format",
}  # fmt: skip
_RENAMED: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = MappingProxyType({
    "Dense": ("Dense", _DENSE),
    "TimeDistributedDense": ("Dense", _DENSE),
    **{kind: (kind, _CELL) for kind in ("SimpleRNN", "GRU", "LSTM")},
    "Convolution1D": ("Conv1D", _CONV),
    "AtrousConvolution1D": ("Conv1D", _CONV),
    "Convolution2D": ("Conv2D", _CONV),
    "AtrousConvolution2D": ("Conv2D", _CONV),
    **{f"{what}Pooling{rank}D": (f"{what}Pooling{rank}D", _POOL)
       for what in ("Max", "Average") for rank in (1, 2)},
    "UpSampling1D": ("UpSampling1D", {"length": "size"}),
})  # fmt: skip
_MERGES: Final = {
    "sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum", "concat": "Concatenate",
}  # fmt: skip
_ORDERS: Final = {"tf": "channels_last", "th": "channels_first"}
_GATES: Final = {frozenset("ifco"): "ifco", frozenset("zrh"): "zrh"}  # in the order of Keras 2
_LEAVES: Final = {
    "W": "kernel", "U": "recurrent_kernel", "b": "bias", "gamma": "gamma", "beta": "beta",
    "running_mean": "moving_mean", "running_std": "moving_variance", "alphas": "alpha",
}  # fmt: skip
_NAME: Final = re.compile(
    rf"(?P<owner>.+)_(?P<leaf>{'|'.join(_LEAVES)})(_(?P<gate>[ifcozrh]))?(_\d+)?(:\d+)?"
)
_MAX_DEPTH: Final = 16


def as_keras_2(
    file: KerasFile, described: Mapping[str, Any] | None
) -> tuple[KerasFile, Mapping[str, Any]]:
    """The same file and its description, by the names of Keras 2."""
    reader = _Configs()
    found = reader.layer(described, 0) if described is not None else {}
    store = file.store
    if isinstance(store, NamedStore) and isinstance(store.file, File):
        weights = Weights(store.file, store.root, reader.owners)
        store = NamedStore(weights, store.root)
    return replace(file, store=store), found


def dated(file: KerasFile) -> KerasFile:
    """The file, of version 1 where it says none and has its arrays by the names of Keras 1."""
    if file.version is not None or not isinstance(file.store, NamedStore):
        return file
    store = file.store
    names = [name for layer in store.layers() for name in store.names(layer) or []]
    if names and all("/" not in name and _NAME.fullmatch(name) for name in names):
        return replace(file, version="1")
    return file


@dataclass(frozen=True)
class _Owner:
    """The layer that arrays are called after; ``around``: the wrapper that Keras 2 would name."""

    kind: str
    options: Mapping[str, Any]
    around: str | None


@dataclass
class _Configs:
    """Translates configurations, and notes whose arrays there are, by their names."""

    owners: dict[str, _Owner] = field(default_factory=dict)

    def layer(
        self, config: object, depth: int, around: tuple[str, Any] | None = None
    ) -> dict[str, Any]:
        """``around``: class and name of the wrapper."""
        if depth > _MAX_DEPTH:
            raise FormatError(f"layers inside of each other, more than {_MAX_DEPTH} deep")
        kind, options = of_class(config, "a layer of Keras 1")
        assert isinstance(config, Mapping)
        if kind in MODELS and isinstance(options.get("layers"), list):
            inside = [self.layer(one, depth + 1) for one in options["layers"]]
            return {**config, "config": {**options, "layers": inside}}
        name = config.get("name", options.get("name"))
        if kind in ("Bidirectional", "TimeDistributed"):
            inner = self.layer(options.get("layer"), depth + 1, (kind, name))
            return {**config, "config": {**options, "layer": inner}}
        if kind == "Merge" and config.get("inbound_nodes"):
            kind, options = _merge(name, options)
        kind, options = _renamed(kind, options)
        wrapper = str(around[1]) if around else None
        sides = ("forward_", "backward_") if around and around[0] == "Bidirectional" else ("",)
        for side in sides:
            self.owners[f"{side}{options.get('name', name)}"] = _Owner(kind, options, wrapper)
        return {**config, "class_name": kind, "config": options}


def _renamed(kind: str, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    if kind == "BatchNormalization" and options.get("mode", 0) == 1:
        raise UnsupportedError(
            f"layer {options.get('name')!r} (BatchNormalization): mode=1, of each row by itself"
        )
    new, names = _RENAMED.get(kind, (kind, {}))
    made = {names.get(key, key): value for key, value in options.items()}
    if "data_format" in made:
        order = made["data_format"]
        made["data_format"] = _ORDERS.get(order, order) if isinstance(order, str) else order
    if {"nb_row", "nb_col"} <= made.keys():
        made["kernel_size"] = [made["nb_row"], made["nb_col"]]
    return new, made


def _merge(name: object, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    mode = options.get("mode")
    kind = _MERGES.get(mode) if isinstance(mode, str) else None
    if kind is None or options.get("mode_type", "raw") != "raw":
        raise UnsupportedError(
            f"layer {name!r} (Merge): mode={str(mode)[:80]!r}; expected one of {', '.join(_MERGES)}"
        )
    axis = {"axis": options.get("concat_axis", -1)} if kind == "Concatenate" else {}
    return kind, {"name": name, **axis}


@dataclass(frozen=True)
class _Joined:
    """An array of Keras 2, of one or more of Keras 1 side by side."""

    sources: tuple[str, ...]
    shape: tuple[int, ...]
    owner: _Owner | None = None
    turned: bool = False


class Weights:
    """The arrays of a file by the names of Keras 2."""

    def __init__(self, file: File, root: str, owners: Mapping[str, _Owner]) -> None:
        self._file, self._owners = file, owners
        self._names: dict[str, list[str]] = {}
        self.datasets: dict[str, _Joined] = {}
        for layer in names_of(file, root, "layer_names") or []:
            group = join(root, layer)
            names = names_of(file, group, "weight_names")
            if names is not None and group not in self._names:
                self._names[group] = []
                self._enter(group, names)

    def names(self, group: str, attribute: str) -> list[str] | None:
        if attribute == "weight_names" and group in self._names:
            return self._names[group]
        return self._file.names(group, attribute)

    def array(self, path: str) -> Array:
        joined = self.datasets.get(path)
        if joined is None:
            raise FormatError(f"no dataset {path!r}")
        array = np.concatenate([np.atleast_1d(self._file.array(one)) for one in joined.sources], -1)
        if joined.owner is None or not joined.owner.kind.startswith("Conv") or array.ndim != 4:
            return array
        if joined.owner.kind == "Conv1D":
            if _is_legacy(array.shape, joined.owner.options):
                array = array.transpose(2, 3, 1, 0)
            array = array[:, 0]
        return array[(slice(None, None, -1),) * (array.ndim - 2)] if joined.turned else array

    def _enter(self, group: str, names: list[str]) -> None:
        """The arrays of a group."""
        parts: dict[str, list[tuple[str, str | None, str]]] = {}
        for name in names:
            found = _NAME.fullmatch(name)
            owner, leaf, gate = found.group("owner", "leaf", "gate") if found else ("", name, None)
            parts.setdefault(owner, []).append((leaf, gate, name))
        for owner, arrays in parts.items():
            by_gate = {(leaf, gate): name for leaf, gate, name in arrays}
            order = _GATES.get(frozenset(gate or "" for _, gate, _ in arrays))
            if order is not None and len(by_gate) == len(arrays) == 3 * len(order):
                for leaf in "WUb":
                    self._add(group, owner, leaf, [by_gate[leaf, gate] for gate in order])
            else:
                for leaf, gate, name in arrays:
                    self._add(group, owner if gate is None else "", leaf, [name])

    def _add(self, group: str, owner: str, leaf: str, sources: list[str]) -> None:
        known = self._owners.get(owner)
        new = _LEAVES.get(leaf, leaf)
        is_table = owner.startswith("embedding") if known is None else known.kind == "Embedding"
        if leaf == "W" and is_table:
            new = "embeddings"
        around = known.around if known is not None else None
        name = "/".join(filter(None, (around, owner, f"{new}:0"))) if owner else sources[0]
        paths = tuple(join(group, source) for source in sources)
        shapes = [self._file.datasets[path].shape for path in paths if path in self._file.datasets]
        if len(shapes) != len(paths):
            raise FormatError(f"group {group!r}: not all of its arrays are there")
        if len({shape[:-1] for shape in shapes}) != 1:
            raise FormatError(f"group {group!r}: the gates of {owner!r} differ in size")
        width = sum(shape[-1] for shape in shapes if shape)
        self._names[group].append(name)
        turned = not sources[0].endswith(":0")
        self.datasets[f"{group}/{name}"] = _Joined(
            paths, (*shapes[0][:-1], *((width,) if shapes[0] else ())), known, turned
        )


def _is_legacy(shape: tuple[int, ...], options: Mapping[str, Any]) -> bool:
    """Whether a kernel is [out, in, steps, 1], as before Keras 1.2, and not [steps, 1, in, out]."""
    return (*shape[:2], shape[3]) != (options.get("kernel_size"), 1, options.get("filters"))
