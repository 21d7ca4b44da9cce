"""Models inside the engines that run batches on many processes: Ray Data, Dask, Spark, pools.

``Predictor`` is what they are given: a callable that takes and gives batches, small to send to a
worker, which loads its model there once. ``cpu_share`` is how many threads it uses.
"""

from .cpu_share import cpu_share
from .predictor import Predictor

__all__ = ["Predictor", "cpu_share"]
