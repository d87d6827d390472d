"""Prove that a saved model is the model that was trained.

The public names are imported when they are first used: a test run without round trips, in an
environment that merely has the plugin, loads neither NumPy nor execnet.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .battery import LayerError, check_layer
    from .bundles.recording import RecordError, record
    from .fixture import RoundTripFixture
    from .portable.checks import Check
    from .portable.formats import Format, LoadOptions
    from .result import FormatFailedError, RoundTrip, RoundTripError, Verdict, Versions

__all__ = [
    "Check",
    "Format",
    "FormatFailedError",
    "LayerError",
    "LoadOptions",
    "RecordError",
    "RoundTrip",
    "RoundTripError",
    "RoundTripFixture",
    "Verdict",
    "Versions",
    "check_layer",
    "record",
]

__version__ = "0.1.0"

_MODULES = {
    "Check": "portable.checks",
    "Format": "portable.formats",
    "FormatFailedError": "result",
    "LayerError": "battery",
    "LoadOptions": "portable.formats",
    "RecordError": "bundles.recording",
    "RoundTrip": "result",
    "RoundTripError": "result",
    "RoundTripFixture": "fixture",
    "Verdict": "result",
    "Versions": "result",
    "record": "bundles.recording",
    "check_layer": "battery",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    return found
