"""Trained networks, a module each, with a task whose own measure says what less precision costs.

``bench/precision.py`` asks them all, ``tests/models/test_precision.py`` asks them less.
"""

from __future__ import annotations

from importlib import import_module

from .model import RealModel

NAMES = ("g2p_en", "g2p_fa", "nsnet2", "silero", "chorales", "uzmorph")
"""The modules here that have a ``MODEL``."""


def model(name: str) -> RealModel:
    return import_module(f".{name}", __package__).MODEL
