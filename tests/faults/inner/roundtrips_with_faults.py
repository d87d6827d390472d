"""Each fault is a round trip, and each is followed by one that has to be good."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from faults.inner.faulty import Faulty
from faults.table import FAULTS, INTERPRETERS


def round_trip_of(faults: dict[str, str], **options: Any) -> Callable[[], Any]:
    """A round trip of a model with these faults."""

    @pytest.mark.roundtrip(formats=["faulty"], **options)
    def test() -> Any:
        return Faulty(faults), np.ones(2)

    return test


test_first = round_trip_of({})
for name in os.environ["ROUNDTRIP_FAULTS_CHOSEN"].split(","):
    if name in INTERPRETERS:
        test = round_trip_of({}, environments=[name])
    elif FAULTS[name].step == "import":
        test = round_trip_of({}, imports=[name], **FAULTS[name].options)
    else:
        test = round_trip_of({FAULTS[name].step: FAULTS[name].body}, **FAULTS[name].options)
    globals()[f"test_{name}"] = test
    globals()[f"test_after_{name}"] = round_trip_of({})
del test, name
