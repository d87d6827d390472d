"""A thousand marked tests, which are collected only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def marked() -> Callable[[], Any]:
    """A test."""

    @pytest.mark.roundtrip
    def test() -> None:
        pass

    return test


for number in range(1000):
    globals()[f"test_{number}"] = marked()
