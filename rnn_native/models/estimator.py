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
    def _defaults(cls) -> dict[str, Any]:
        parameters = inspect.signature(cls).parameters
        return {name: parameter.default for name, parameter in parameters.items()}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments by name; ``deep`` changes nothing."""
        return {name: getattr(self, name) for name in self._defaults()}

    def set_params(self, **parameters: Any) -> Self:
        """Change arguments of the constructor; what was learnt stays, with the
        arguments it was learnt with, until the next ``fit``."""
        known = self._defaults()
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

        classifies, poor = self._classifies(), self._is_learning_short()
        return Tags(
            estimator_type="classifier" if classifies else "regressor",
            target_tags=TargetTags(required=True, multi_output=not classifies),
            classifier_tags=ClassifierTags(poor_score=poor) if classifies else None,
            regressor_tags=None if classifies else RegressorTags(poor_score=poor),
            input_tags=InputTags(two_d_array=True, three_d_array=True),
        )

    def _classifies(self) -> bool:
        raise NotImplementedError

    def _is_learning_short(self) -> bool:
        raise NotImplementedError

    def __repr__(self) -> str:
        """With what differs from the constructor's defaults."""
        default = self._defaults()
        changed = {
            name: value
            for name, value in self.get_params().items()
            if repr(value) != repr(default[name])
        }
        text = ", ".join(f"{name}={value!r}" for name, value in changed.items())
        return f"{type(self).__name__}({text})"
