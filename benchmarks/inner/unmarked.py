"""A suite that has nothing to do with the plugin."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("number", range(100))
def test_number(number: int) -> None:
    """It is one."""
    assert number >= 0
