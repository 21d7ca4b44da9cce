"""Shared set-up: lets test files import their neighbours, and sets how hypothesis runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import settings

# `--import-mode=importlib` puts no test folder on the path; `import strategies` needs this one.
sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile("local", deadline=None)  # no test here is timed
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
