"""The small models in every format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import models


def round_trips_of(name: str) -> Callable[[], Any]:
    """A test of one model."""

    def test() -> Any:
        model, arguments = models.build(name)
        return (model, *arguments)

    marked: Callable[[], Any] = pytest.mark.roundtrip(formats=models.formats_of(name))(test)
    return marked


for name in models.SMALL:
    globals()[f"test_{name}"] = round_trips_of(name)
