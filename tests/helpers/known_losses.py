"""What old versions of Keras are known to lose, as marks for the tests that show it."""

from __future__ import annotations

import contextlib
from importlib import metadata

import pytest


def lost_by_keras_3_0(reason: str) -> pytest.MarkDecorator:
    """Expect a test to fail with Keras 3.0, the oldest Keras 3: seen without this plugin too."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        if metadata.version("keras").startswith("3.0."):
            return pytest.mark.xfail(reason=f"Keras 3.0: {reason}", strict=True)
    return pytest.mark.xfail(condition=False, reason=reason)
