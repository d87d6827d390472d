"""How two plain values of an attribute are compared."""

from __future__ import annotations

import numpy as np

from ..aliases import Plain
from . import EXACT, Tolerance
from .json import same_scalar, same_strings
from .nests import compare_nests


def value_difference(expected: Plain, actual: Plain, tolerance: Tolerance = EXACT) -> str:
    """What differs between two values, in words; "" where nothing does.

    An array and a list of the same numbers are the same, as are two lists of the same strings in
    another order: what comes out of a set has the order of the process.
    """
    if _is_scalar(expected) and _is_scalar(actual):
        same = same_scalar(expected, actual)
        return "" if same else f"was {expected!r} and is now {actual!r}"
    if isinstance(expected, np.ndarray) != isinstance(actual, np.ndarray):
        expected, actual = _as_list(expected, actual), _as_list(actual, expected)
    if same_strings(expected, actual):
        return ""
    differences = compare_nests("", expected, actual, tolerance).differences
    return differences[0].strip() if differences else ""


def _is_scalar(value: Plain) -> bool:
    """Whether it is a string, a number, a bool or None."""
    return value is None or isinstance(value, (str, int, float))


def _as_list(value: Plain, other: Plain) -> Plain:
    """An array as a list; one without elements, whose shape may claim anything, as `other` is."""
    if not isinstance(value, np.ndarray):
        return value
    if value.size:
        return value.tolist()
    if not isinstance(other, list) or len(other) != len(value):
        return value
    return [_as_list(item, beside) for item, beside in zip(value, other)]
