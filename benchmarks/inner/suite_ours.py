"""The small models in every format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import models


def round_trips_of(name: str) -> Callable[[], Any]:
    """A test of one model."""

    def test() -> Any:
        model, inputs = models.build(name)
        return (model, *inputs)

    marker = pytest.mark.roundtrip(formats=models.FORMATS, exclude=models.SMALL[name].excluded)
    marked: Callable[[], Any] = marker(test)
    return marked


for name in models.SMALL:
    globals()[f"test_{name}"] = round_trips_of(name)
