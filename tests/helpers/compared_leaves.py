"""Comparisons of two leaves of a nest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_modelroundtrip.portable.aliases import Array, Plain
from pytest_modelroundtrip.portable.comparing import EXACT, Comparison, Tolerance, arrays
from pytest_modelroundtrip.portable.tensors import dtype_named


def difference(expected: Plain, actual: Plain, tolerance: Tolerance = EXACT) -> str:
    return arrays.leaf_difference(expected, actual, tolerance, Comparison())


def found(expected: Plain, actual: Plain, tolerance: Tolerance = EXACT) -> Comparison:
    comparison = Comparison()
    if arrays.leaf_difference(expected, actual, tolerance, comparison):
        comparison.differ("")
    return comparison


def of(name: str, *values: Any) -> Array:
    try:
        return np.array(values).astype(dtype_named(name))
    except ValueError:
        pytest.skip(f"this ml_dtypes has no {name}")


def strings(*values: object) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
