"""``rn.load``: a model out of a file, packed for this CPU; ``rn.read_arrays``: its arrays alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _core
from .choices import as_dtype
from .errors import OptionError
from .given_files import Given, as_path
from .model import Model
from .read_options import ReadOptions


def load(
    path: Given,
    format: str | None = None,
    batch_first: bool | None = None,
    dtype: DTypeLike | None = None,
    matmul: str = "auto",
    num_threads: int | None = None,
    verify: bool = False,
    weight_dtype: DTypeLike | None = None,
    compute: str | None = None,
    keep: Sequence[str] | None = None,
    shared: bool | str | os.PathLike[str] = False,
    **options: Unpack[ReadOptions],
) -> Model:
    """Read a model file and pack it for this CPU.

    ``path`` is where it is, its bytes, or a file that is open for reading bytes::

        with open("model.safetensors", "rb") as file:
            model = rn.load(file)

    ``format`` (``"safetensors"``, ``"npz"``, ``"onnx"``, ``"torch"``, ``"pickle"``, ``"keras"``,
    ``"json"`` and others of ``formats.FORMATS``) defaults to what the file's suffix says;
    ``options`` are the format's own (see ``rnn_native.formats.read``), the rest is
    :class:`Model`'s.

    ``batch_first``, ``dtype``, ``weight_dtype`` and ``compute`` are None for what the file says, as
    ``Model.save`` writes it; one that says nothing, whatever the type of its weights, is time first
    and float32. A ``dtype`` that is given is the weights' too, unless ``weight_dtype`` is. ``keep``
    is None for the layers that the file says keep their matrices.

    ``shared=True`` has all processes that load this model have one copy of its packed weights, in
    the system's memory; ``shared="FOLDER"`` in a file that stays there, so that later ones need not
    pack them: see :class:`Model`, docs/sharing.md.

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
    with as_path(path) as file:
        spec, strings = read_all(file, format, **options)
        with naming(file):
            said = calling.from_strings(strings)
        batch_first = said.batch_first if batch_first is None else batch_first
        if weight_dtype is None and dtype is None and compute is None:
            weight_dtype, compute = said.weight_dtype, said.compute
        dtype = said.dtype if dtype is None else dtype
        options_of = weight_dtype, compute, keep, shared
        model = Model(spec, batch_first, dtype, matmul, num_threads, *options_of)
        if verify:
            from .verify import replay_file

            replay_file(model, spec, file, format)
    return model


def read_arrays(path: Given, format: str | None = None) -> dict[str, NDArray[Any]]:
    """Every array of a file, by name, whether or not its model can be read: no framework is
    needed, and no pickle is executed.

    ::

        arrays = rn.read_arrays("checkpoint.pt")
        rn.load("checkpoint.pt", prefix="encoder.lstm")      # leaves out "fc.weight"
        arrays["fc.weight"].shape, arrays["fc.weight"].dtype

    Parameters
    ----------
    path
        The file, its bytes, or it opened for reading bytes; of a path, others with tensors of it
        are read beside it.
    format
        A name in ``formats.FORMATS``, in the place of what the suffix or the content says.

    Returns
    -------
    dict
        Arrays in the shape and the type that the file has, which cannot be written to. bfloat16
        and float8, which NumPy has not, are float32, which holds them exactly; int4 and uint4 are
        int8 and uint8; of JSON's numbers an array is float32 where that is exact, else float64.
        What is quantized is what the file has: integers, and beside ``NAME`` the arrays
        ``NAME.scale`` and ``NAME.zero_point`` (TensorFlow.js: ``NAME.min``; our own files:
        ``NAME_scale`` alone); an ONNX graph has
        these as tensors of its own, and RNNoise's weights are 256ths. Names are those that messages
        of ``rn.load`` have; of Keras they are paths in the file. Where NumPy cannot have an array
        at all, a ``UserWarning`` names it and says why.

    Raises
    ------
    FormatError
        The format is not known, or the file is malformed.
    OptionError
        ``format`` is unknown.
    UnsupportedError
        The file is well formed, but in a way that is not read.
    OSError
        As Python raises it: ``FileNotFoundError`` and so on.
    """
    from . import formats

    with as_path(path) as file:
        return formats.read_arrays(file, format)
