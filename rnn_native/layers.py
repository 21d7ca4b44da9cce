"""The layers without a state, by names of before: ``spec`` and ``spec.layers`` have all of it."""

from .spec import MERGE_MODES as MERGE_MODES
from .spec import Array as Array
from .spec import Embedding as Embedding
from .spec import Linear as Linear
from .spec import Merge as Merge
from .spec.weights import as_weight as as_weight
