"""Model: a ModelSpec packed for this CPU, ready to run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import _core
from ._core import Stream
from .as_spec import HasLayer, as_spec
from .choices import DTYPES, as_dtype, as_shared, matmul_code
from .described import Described
from .errors import DTypeError, OptionError, ShapeError
from .graph_calls import GraphCalls
from .masking import lengths_of
from .packed import Packed, Packing, Unpacks
from .spec import Layer, ModelSpec
from .spec.window import steps_of
from .states import State, state_counts, state_names
from .tracing import Layout
from .weight_types import check_keep, checked, code_of, compute_code

if TYPE_CHECKING:
    from .shared_files import SharedFile


class Model(Described):
    """A trained network, packed for this CPU.

    Immutable: any number of threads may call one Model at once.

    Parameters
    ----------
    spec
        The layers and their weights: a :class:`ModelSpec`, one layer, or a list of layers. An
        ``rn.RNN``, ``rn.GRU`` or ``rn.LSTM`` stands for its layer: nothing else of it is taken.
    batch_first
        Whether x and y are [batch, time, features] instead of [time, batch, features]. States
        are [layers * directions, batch, features] either way.
    dtype
        ``"float32"`` or ``"float64"``: what the weights are converted to, what is computed in,
        and the type of all results.
    matmul
        Who multiplies matrices: ``"packed"``, this library's own kernels, with which a row's
        result has the same bits in any batch, with any number of threads and however the
        sequence is cut; ``"blas"``, the BLAS that this process already has (SciPy's or NumPy's);
        or ``"auto"``, which is ``"packed"``: faster wherever it was measured.
    num_threads
        How many threads a call may use; None: what
        :func:`get_num_threads` tells at the time of the call.
    weight_dtype
        What weights of matrices, an Embedding's table among them, are stored as: None, in
        ``dtype``; ``"float16"`` or ``"bfloat16"``, rounded to the nearest and widened when they are
        multiplied: half the memory; ``"int8"``, integers with a scale a row, multiplied as integers
        by rows that are rounded to such, too: a quarter. Others stay in ``dtype``.
    compute
        What products are computed in: None, ``dtype`` or, with int8 weights, integers;
        ``"bfloat16"``: both sides rounded to it and added up in float32, where the CPU has
        AVX512_BF16 or, on AArch64, FEAT_BF16; the weights are stored as such.
    keep
        The names of layers, of a list ``"0"``, ``"1"``, ..., whose matrices stay, and are
        multiplied, in ``dtype``; None: those of ``spec.keep``. :func:`quantize` finds them.
    shared
        True: the packed weights are a file in the system's memory, which all processes of this
        user map that make or are sent the same model, one copy for all; or a folder, in which the
        file stays for later ones. With the same bits; docs/sharing.md.

    Raises
    ------
    OptionError
        An option has an unknown value; ``keep`` names no matrices, or has no ``weight_dtype``.
    UnsupportedError
        No BLAS for ``matmul``; ``weight_dtype`` with one, with float64 or for a weight past it;
        ``compute`` with other weights, or on a CPU without.
    OSError
        The file of ``shared`` cannot be written, or one is there that others can write to.
    """

    def __init__(
        self,
        spec: ModelSpec | Layer | HasLayer | Sequence[Layer | HasLayer],
        batch_first: bool = False,
        dtype: DTypeLike = "float32",
        matmul: str = "auto",
        num_threads: int | None = None,
        weight_dtype: DTypeLike | None = None,
        compute: str | None = None,
        keep: Sequence[str] | None = None,
        shared: bool | str | os.PathLike[str] = False,
    ) -> None:
        spec, self._shared = as_spec(spec), as_shared(shared)
        if keep is not None:
            spec = spec.having(keep=keep)
        if not isinstance(batch_first, (bool, np.bool_)):
            raise OptionError(f"batch_first: expected True or False, got {batch_first!r}")
        self._inputs, self._outputs = tuple(spec.inputs), tuple(spec.outputs)
        self._calls = None if spec.is_chain else GraphCalls(spec)
        self._sizes = spec.sizes
        self._num_parameters = spec.num_parameters
        self._mask_value = spec.mask_value
        self._takes_indices = len(spec.inputs) == 1 and spec.takes_indices
        self._axes = spec.all_axes(bool(batch_first))
        self._ahead = spec.looks_ahead
        self._paces = {name: spec.value(value).paces for name, value in spec.outputs.items()}
        self._layout = Layout(spec)
        self._packed = Packed(spec, as_dtype(dtype))
        self._batch_first = bool(batch_first)
        self._matmul = matmul
        self._num_threads = num_threads
        self._default_threads = _core.as_num_threads(num_threads)
        from .formats.safetensors import parts  # formats are imported when one is first needed

        code, multiplies = DTYPES.index(as_dtype(dtype).name), matmul_code(matmul)
        rounded = checked(weight_dtype, compute, as_dtype(dtype), matmul, spec)
        self._weight_dtype, self._compute = rounded
        check_keep(keep, self._weight_dtype)
        counts, names, stored = state_counts(spec), state_names(spec), code_of(self._weight_dtype)
        computes = compute_code(self._compute)
        self._packing = Packing(code, multiplies, counts, names, stored, computes)
        if self._shared:
            self._share(parts(spec), self._shared)
        else:
            self._take(_core.CoreModel(parts(spec), *self._packing))

    def _take(self, core: _core.CoreModel, file: SharedFile | None = None) -> None:
        """Runs by this core, whose weights are in that file."""
        self._core, self._file = core, file
        self._run: Callable[..., tuple[Any, Any]] = (
            core.run if self._calls is None else self._calls.of(core)
        )

    def _share(self, parts: list[bytes | memoryview], shared: bool | str) -> None:
        from . import sharing

        self._take(*sharing.shared_core(parts, self._packing, shared))
        self._shared = shared
        sharing.register(type(self))

    def __call__(
        self,
        x: Any,
        state: Any = None,
        lengths: ArrayLike | None = None,
        num_threads: int | None = None,
    ) -> tuple[Any, State]:
        """Run whole sequences.

        Parameters
        ----------
        x
            [time, batch, input_size] (``batch_first``: [batch, time, input_size]); for a model
            that begins with an Embedding, integers [time, batch]. Any strides are read in place,
            and so is every array of the model's own dtype and byte order; other float types are
            converted. Of a model with several inputs: a dict of them by name, as ``inputs`` has
            them, all of the same steps and rows.
        state
            Where to start: what a call returned before; None for the model's own initial state:
            that of its layers (``Recurrent.initial_state``), which without one is zeros.
        lengths
            Steps of each row that count, [batch], each 0 to time. Outputs past a row's length
            are 0, and its state is the one at its own end. None: all or, where the model has a
            ``mask_value`` (see :class:`ModelSpec`), those before the masked ones.
        num_threads
            Overrides the Model's own.

        Returns
        -------
        y
            [time, batch, output_size], or [batch, time, output_size]; [batch, output_size] where
            the model gives its last state alone (``Recurrent.return_sequences``). Of a model with
            several outputs: a dict of them by name.
        state
            h_n [layers * directions, batch, size], or (h_n, c_n) for LSTM (gate-recurrent GRU:
            (h_n, z_n), LSTM: (h_n, c_n, i_n, f_n)); a tuple of those where the model has several
            recurrent layers, of a graph a dict by the names of its nodes.

        Raises
        ------
        ShapeError, DTypeError
            An argument has the wrong shape, a value out of range or a type that makes no sense;
            a masked step comes before one that is not.
        """
        threads = self._default_threads
        if num_threads is not None:
            threads = _core.as_num_threads(num_threads)
        if self._mask_value is not None and lengths is None:
            lengths = self._unmasked(x)
        return self._run(x, state, lengths, self._batch_first, threads)

    def _unmasked(self, x: ArrayLike) -> NDArray[np.int32] | None:
        """The lengths that x itself tells."""
        assert self._mask_value is not None
        x = x if self._calls is None else self._calls.only(x)
        return lengths_of(x, self._mask_value, self._takes_indices, self._batch_first)

    def trace(
        self, x: ArrayLike, state: Any = None, lengths: ArrayLike | None = None
    ) -> dict[str, NDArray[Any]]:
        """Every gate, candidate and state that a call with these arguments calculates, by name.

        The core runs as in a call, on one thread, and shows what its cells calculate at every
        step: ``r``, ``z``, ``n``, ``h`` of a GRU, ``i``, ``f``, ``g``, ``o``, ``c``, ``h`` of an
        LSTM, ``h`` of an RNN and ``o`` of its output layer; gates and candidates after their
        activation. Names end in the layer of the stack and the direction, as weights do:
        ``i_l0``, ``g_l0_reverse``; in a model of several layers they begin with the layer's
        index, as in a file: ``1.i_l0``.

        Each array is [time, batch, features] (``batch_first``: [batch, time, features]) of the
        steps that its layer reads, and zero past a row's length. ``h`` and ``c`` have the bits of
        the call. Raises what a call raises.
        """
        named: dict[str, NDArray[Any]] = {}

        def arrays(time: int, batch: int) -> list[Any]:
            new, cells = self._layout.arrays(time, batch, self.dtype, state)
            named.update(new)
            return cells

        if self._mask_value is not None and lengths is None:
            lengths = self._unmasked(x)
        self._run(x, state, lengths, self._batch_first, 1, arrays)
        if self._batch_first:
            return {name: np.swapaxes(array, 0, 1) for name, array in named.items()}
        return named

    def output_steps(self, steps: ArrayLike) -> Any:
        """How many steps y has where x has so many: an integer or, of the lengths of rows, an
        array; of several outputs a dict. As many, unless layers with strides make fewer or more.

        ``DTypeError`` for what is no integer, ``ShapeError`` for one below 0.
        """
        given = np.asarray(steps)
        if given.dtype.kind not in "iu":
            raise DTypeError(f"steps: expected integers, got {given.dtype}")
        if (given < 0).any():
            raise ShapeError(f"steps: expected 0 or more, got {given.min()}")
        count = given if given.ndim else int(given)
        each = {name: steps_of(paces, count) for name, paces in self._paces.items()}
        return each if len(each) > 1 else next(iter(each.values()))

    def stream(self, batch: int = 1, num_threads: int | None = 1) -> Stream:
        """A stream that runs this model step by step, with the model's initial state for ``batch``
        rows, from 1 on.

        ``num_threads`` is how many threads may share a step that is large enough to keep them
        busy (None: what :func:`get_num_threads` tells); it pays where steps follow each other
        at once, since a thread that had to wait for long has to be woken. The bits are the same.
        With ``matmul="blas"`` it is one thread.

        Raises ``UnsupportedError``, which names them, where layers look ahead: they run in reverse
        and so need whole sequences, or have padding behind the last step.
        """
        return Stream(self._core, batch, num_threads, self._mask_value, self._calls, self._ahead)

    def save(
        self, path: str | os.PathLike[str], format: str | None = None, golden: Any = None
    ) -> None:
        """Write the model to a file: ``.safetensors``, ``.npz``, ``.onnx`` where the operators
        have such a model, or ``.pt`` where PyTorch has (see :meth:`state_dict`); weights keep their
        bits, and ``load`` gives a Model of the same ``batch_first``, ``dtype``,
        ``weight_dtype``, in which ``.safetensors`` and ``.npz`` have the matrices, and ``compute``.
        ``matmul`` and ``num_threads`` are not in the file.

        ``golden`` has the file carry an input with what the model makes of it, which
        ``rn.load(path, verify=True)`` replays: x, or a mapping of ``"x"`` and, where wanted,
        ``"state"`` and ``"lengths"``, as a call takes them; or True for a short random input.
        Kept small: with its results at most 256 KiB of text. Raises ``OptionError`` for one that
        is larger, or whose result is not finite or mostly rounding errors.
        """
        from .formats import calling, write

        strings = calling.to_strings(
            calling.Calling(self.batch_first, self.dtype.name, self.weight_dtype, self.compute)
        )
        if golden is not None:
            self.spec.check_is_chain("golden")
            from . import verify
            from .formats.golden import to_strings

            strings |= to_strings(verify.make(self, golden))
        write(self.spec, path, format, strings)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """The weights by the names they have in a ``torch.nn.Sequential`` of the same layers.

        ``Embedding``, ``RNN``, ``GRU``, ``LSTM`` and ``Linear`` take a place each, and so does the
        activation behind a Linear: ``0.weight``, ``1.weight_ih_l0``, ``2.weight``, ``2.bias``, ...
        A ``Merge`` takes one too, and has no weights. Raises ``UnsupportedError`` for a model with
        an option with which PyTorch's modules of these names would give other numbers.
        """
        from .formats.torch.names import sequential_arrays

        return {name: array.copy() for name, array in sequential_arrays(self.spec).items()}

    def share(self, folder: str | os.PathLike[str] | None = None) -> Model:
        """Has the packed weights be a file that processes share, as ``shared`` of the constructor
        does: in the system's memory or, where it is stated, in this folder. Returns the model.

        Streams that there are go on with weights of their own. One that shares them already stays
        as it is. Raises ``OSError`` where the file cannot be written; nothing has changed then.
        """
        if self._file is None:
            from .formats.safetensors import parts

            self._share(parts(self.spec), as_shared(True if folder is None else folder))
        return self

    def _arguments(self, core: Unpacks | None = None) -> tuple[Any, ...]:
        """What makes it anew, with the weights that a core has: its own, unless another is said."""
        spec = self._packed.spec(self._core if core is None else core)
        dtype = DTYPES[self._packing.dtype]
        options = (self._batch_first, dtype, self._matmul, self._num_threads)
        return spec, *options, self._weight_dtype, self._compute

    def _without_core(self) -> dict[str, Any]:
        """All that it is beside what is packed."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_core", "_file", "_run")}

    def __reduce__(self) -> tuple[Any, ...]:
        if self._file is None:
            return type(self), self._arguments()
        from .sharing import for_any_host

        return for_any_host(self)
