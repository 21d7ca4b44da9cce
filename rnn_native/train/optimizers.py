"""Optimizers: each ``step`` changes a network's weights in place and packs them again.

    optimizer = Adam(net, learning_rate=1e-3)
    optimizer.step(grads.weights)

What they remember is in ``state_dict()``, a flat dict of arrays that a file can hold; put back with
``load_state_dict``, training goes on with the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import as_array
from ..errors import OptionError, ShapeError
from ..spec import ModelSpec
from .checks import fraction, not_negative, positive

Arrays = Mapping[str, NDArray[Any]]


class Trainable(Protocol):
    """What this package asks of a network; ``rnn_native.train.Network`` has it."""

    @property
    def spec(self) -> ModelSpec: ...

    @property
    def weights(self) -> Mapping[str, NDArray[Any]]: ...

    def update(self) -> None: ...


class Optimizer:
    """What the optimizers have in common: a network, moments like its weights, a count of steps.

    ``learning_rate`` may be changed between steps, as by a schedule.
    """

    _moments: tuple[str, ...]

    def __init__(self, net: Trainable, learning_rate: float) -> None:
        self._net = net
        self.learning_rate = positive("learning_rate", learning_rate)
        self.steps = 0
        self._state: dict[str, dict[str, NDArray[Any]]] = {
            moment: {name: np.zeros_like(w) for name, w in net.weights.items()}
            for moment in self._moments
        }

    def step(self, gradients: Arrays) -> None:
        """Change every weight by its gradient; ``gradients`` under the names of the weights.

        Where something is raised in between, ``KeyboardInterrupt`` too, nothing is changed."""
        weights = self._net.weights
        if gradients.keys() != weights.keys():
            names = sorted(gradients.keys() ^ weights.keys())
            raise ShapeError(
                f"gradients: expected one for each weight, differs in {', '.join(names)}"
            )
        gradients = {name: as_array(f"gradients[{name!r}]", g) for name, g in gradients.items()}
        for name, gradient in gradients.items():
            if gradient.shape != weights[name].shape:
                raise ShapeError(
                    f"gradients[{name!r}]: expected shape {weights[name].shape}, "
                    f"got {gradient.shape}"
                )
        steps = self.steps
        before: list[tuple[NDArray[Any], NDArray[Any]]] = []
        try:
            self.steps += 1
            for name, weight in weights.items():
                moments = [self._state[moment][name] for moment in self._moments]
                before += [(array, array.copy()) for array in (weight, *moments)]
                self._change(weight, gradients[name], *moments)
            self._net.update()
        except BaseException:
            for array, copy in before:
                array[...] = copy
            self.steps = steps
            self._net.update()
            raise

    def _change(self, w: NDArray[Any], g: NDArray[Any], *moments: NDArray[Any]) -> None:
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """Its name and its options but the learning rate: equal for optimizers that are alike."""
        return {"name": type(self).__name__, **self._options()}

    def _options(self) -> dict[str, Any]:
        return {}

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copies of what is remembered: ``steps``, and ``<moment>.<weight>`` for each moment."""
        state: dict[str, NDArray[Any]] = {"steps": np.array(self.steps)}
        for moment, arrays in self._state.items():
            state |= {f"{moment}.{name}": array.copy() for name, array in arrays.items()}
        return state

    def load_state_dict(self, state: Mapping[str, ArrayLike]) -> None:
        """Put back what ``state_dict`` gave; ``ShapeError`` where it is another network's."""
        expected = self.state_dict()
        given = {name: as_array(name, array) for name, array in state.items()}
        wrong = sorted(expected.keys() ^ given.keys()) or [
            name for name, array in expected.items() if given[name].shape != array.shape
        ]
        if wrong:
            raise ShapeError(f"state_dict of {type(self).__name__}: differs in {', '.join(wrong)}")
        self.steps = int(given["steps"])
        for moment, arrays in self._state.items():
            for name, array in arrays.items():
                array[...] = given[f"{moment}.{name}"]


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum v (Polyak 1964) or Nesterov's (1983).

    In the form of Sutskever et al. (2013) as PyTorch has it, mu the momentum and eta the rate:

    v <- mu v + g
    w <- w - eta v               or, Nesterov's,   w <- w - eta (g + mu v)
    """

    _moments = ("v",)

    def __init__(
        self,
        net: Trainable,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(net, learning_rate)
        self._momentum = fraction("momentum", momentum)
        if nesterov and not momentum:
            raise OptionError("nesterov: expected a momentum above 0 with it, got 0")
        self._nesterov = bool(nesterov)

    def _options(self) -> dict[str, Any]:
        return {"momentum": self._momentum, "nesterov": self._nesterov}

    def _change(self, w: NDArray[Any], g: NDArray[Any], *moments: NDArray[Any]) -> None:
        (v,) = moments
        mu, eta = self._momentum, self.learning_rate
        v *= mu
        v += g
        w -= eta * (g + mu * v) if self._nesterov else eta * v


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1), at step t with the rate eta:

    m <- beta_1 m + (1 - beta_1) g
    v <- beta_2 v + (1 - beta_2) g^2
    w <- w - eta (m / (1 - beta_1^t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)

    With ``weight_decay`` d, w <- w - eta d w comes first (AdamW: Loshchilov and Hutter 2019); it
    spares biases, which are vectors.
    """

    _moments = ("m", "v")

    def __init__(
        self,
        net: Trainable,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(net, learning_rate)
        if np.shape(betas) != (2,):
            raise OptionError(f"betas: expected two numbers, got {betas!r}")
        self._betas = (fraction("betas[0]", betas[0]), fraction("betas[1]", betas[1]))
        self._epsilon = positive("epsilon", epsilon)
        self._weight_decay = not_negative("weight_decay", weight_decay)

    def _options(self) -> dict[str, Any]:
        return {
            "betas": list(self._betas), "epsilon": self._epsilon, "weight_decay": self._weight_decay
        }  # fmt: skip

    def _change(self, w: NDArray[Any], g: NDArray[Any], *moments: NDArray[Any]) -> None:
        m, v = moments
        (beta_1, beta_2), eta = self._betas, self.learning_rate
        if self._weight_decay and w.ndim > 1:
            w -= eta * self._weight_decay * w
        m *= beta_1
        m += (1 - beta_1) * g
        v *= beta_2
        v += (1 - beta_2) * np.square(g)
        m_hat = m / (1 - beta_1**self.steps)
        v_hat = v / (1 - beta_2**self.steps)
        w -= eta * m_hat / (np.sqrt(v_hat) + self._epsilon)


OPTIMIZERS: Final[Mapping[str, type[Optimizer]]] = {"sgd": SGD, "adam": Adam}
