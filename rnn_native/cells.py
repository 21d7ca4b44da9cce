"""What the cells are, by names of before: ``spec`` and ``spec.cells`` have all of it."""

from .spec import ACTIVATIONS as ACTIVATIONS
from .spec import DIRECTIONS as DIRECTIONS
from .spec import GATES as GATES
from .spec import MAX_SIZE as MAX_SIZE
from .spec import NONLINEARITIES as NONLINEARITIES
from .spec import SUFFIXES as SUFFIXES
from .spec import Activation as Activation
from .spec import recurrent_options as recurrent_options
from .spec import recurrent_shapes as recurrent_shapes
from .spec import state_names as state_names
from .spec import trace_names as trace_names
