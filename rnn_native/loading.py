"""``rn.load``: a model out of a file, packed for this CPU."""

from __future__ import annotations

import os
from typing import Unpack

import numpy as np
from numpy.typing import DTypeLike

from . import _core
from .errors import OptionError
from .model import Model, as_dtype
from .read_options import ReadOptions


def load(
    path: str | os.PathLike[str],
    format: str | None = None,
    batch_first: bool | None = None,
    dtype: DTypeLike | None = None,
    matmul: str = "auto",
    num_threads: int | None = None,
    verify: bool = False,
    weight_dtype: DTypeLike | None = None,
    **options: Unpack[ReadOptions],
) -> Model:
    """Read a model file and pack it for this CPU.

    ``format`` (``"safetensors"``, ``"npz"``, ``"onnx"``, ``"tflite"``, ``"torch"``, ``"pickle"``,
    ``"keras"``) defaults to what the file's suffix says; ``options`` are the format's own (see
    ``rnn_native.formats.read``), the rest is :class:`Model`'s.

    ``batch_first``, ``dtype`` and ``weight_dtype`` are None for what the file says, as
    ``Model.save`` writes it; one that says nothing, whatever the type of its weights, is time first
    and float32. A ``dtype`` that is given is the weights' too, unless ``weight_dtype`` is.

    ``chain`` puts the modules of a ``state_dict`` together, which says nothing of their order, by
    their names, functions behind a colon, classes of PyTorch's as it prints them where arrays do
    not say an option, and layers of ours in between::

        rn.load("net.pt", chain=["emb", "lstm", rn.Last(), "fc:relu", "out"])
        rn.load("net.pt", chain=["conv:Conv1d(stride=2):relu", "MaxPool1d(2)", "gru"])

    ``verify=True`` replays the golden input that the file carries (``Model.save``). Raises
    ``VerifyError`` where the result is farther from the golden one than docs/numerics.md allows,
    ``OptionError`` where the file carries none.
    """
    from .formats import calling, naming, read_all

    if dtype is not None:
        as_dtype(dtype)
    _core.as_num_threads(num_threads)
    if not isinstance(verify, (bool, np.bool_)):
        raise OptionError(f"verify: expected True or False, got {verify!r}")
    spec, strings = read_all(path, format, **options)
    with naming(path):
        said = calling.from_strings(strings)
    batch_first = said.batch_first if batch_first is None else batch_first
    if weight_dtype is None and dtype is None:
        weight_dtype = said.weight_dtype
    dtype = said.dtype if dtype is None else dtype
    model = Model(spec, batch_first, dtype, matmul, num_threads, weight_dtype)
    if verify:
        from .verify import replay_file

        replay_file(model, spec, path, format)
    return model
