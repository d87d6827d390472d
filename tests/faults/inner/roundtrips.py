"""What the tests of runs with faults are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from faults.inner.faulty import Faulty
from faults.table import FAULTS, INTERPRETERS


def round_trip_of(faults: dict[str, str], **options: Any) -> Callable[[], Any]:
    """A test that returns a model with these faults."""

    def test() -> Any:
        return Faulty(faults), np.ones(2)

    marked: Callable[[], Any] = pytest.mark.roundtrip(formats=["faulty"], **options)(test)
    return marked


def round_trip_with(name: str) -> Callable[[], Any]:
    """A test with the fault of that name; "good" is none."""
    if name == "good":
        return round_trip_of({})
    if name in INTERPRETERS:
        return round_trip_of({}, environments=[name])
    fault = FAULTS[name]
    if fault.step == "import":
        return round_trip_of({}, imports=[name], **fault.options)
    return round_trip_of({fault.step: fault.body}, **fault.options)
