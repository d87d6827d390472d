"""Names and specifications -> running, warm interpreters; their life and their end.

`specification` reads what an environment is declared as, `kinds` are the results of that,
`environment` is a named one that reloads, and `connection` is what carries its messages.

Importing this package imports neither NumPy nor execnet; the names below do, when they are used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .kinds import Kind
from .kinds.local import HERE

if TYPE_CHECKING:
    from .connection import BadAnswerError
    from .environment import BrokenEnvironmentError, Environment

__all__ = ["HERE", "BadAnswerError", "BrokenEnvironmentError", "Environment", "Kind"]

_MODULES = {
    "BadAnswerError": "connection",
    "BrokenEnvironmentError": "environment",
    "Environment": "environment",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
