"""Comparisons of what one check saw of two models."""

from __future__ import annotations

import numpy as np

from pytest_modelroundtrip.portable import checks
from pytest_modelroundtrip.portable.aliases import Plain
from pytest_modelroundtrip.portable.comparing import EXACT, Comparison, Tolerance
from pytest_modelroundtrip.portable.protocol import WeightValue

BIAS = np.array([0.7, 0.9], np.float32)
WEIGHT = WeightValue("dense/bias", "dense#0/bias", None, True, BIAS)


def compared(name: str, expected: Plain, actual: Plain, tolerance: Tolerance = EXACT) -> Comparison:
    return checks.compare({name: expected}, {name: actual}, tolerance)[name]


def differences(name: str, expected: Plain, actual: Plain) -> list[str]:
    return compared(name, expected, actual).differences
