"""scikit-learn's habits without scikit-learn: parameters are those of the constructor."""

from __future__ import annotations

import inspect
from typing import Any, Self

from ..errors import OptionError


class Estimator:
    """Its constructor stores every argument under its own name, unchanged and unchecked.

    That is what ``sklearn.base.clone``, grid searches and pipelines rely on; what is wrong with an
    argument is said when it is first used.
    """

    @classmethod
    def _parameter_names(cls) -> list[str]:
        parameters = inspect.signature(cls.__init__).parameters
        return [name for name in parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments by name; ``deep`` changes nothing."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **parameters: Any) -> Self:
        """Change arguments of the constructor; what was learnt stays, with the
        arguments it was learnt with, until the next ``fit``."""
        known = self._parameter_names()
        unknown = [name for name in parameters if name not in known]
        if unknown:
            raise OptionError(
                f"set_params: unknown parameter {', '.join(unknown)}; known are {', '.join(known)}"
            )
        for name, value in parameters.items():
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks an estimator: called by it alone, so it is there."""
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        classifies = self._classifies()
        return Tags(
            estimator_type="classifier" if classifies else "regressor",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags() if classifies else None,
            regressor_tags=None if classifies else RegressorTags(),
            input_tags=InputTags(two_d_array=False, three_d_array=True),
        )

    def _classifies(self) -> bool:
        raise NotImplementedError

    def __repr__(self) -> str:
        text = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({text})"
