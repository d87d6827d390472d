"""How two leaves of a nest are compared: bits, distances in ULP, and the words for the difference.

A leaf is an array, a ragged or sparse tensor, or a Python scalar. Bits are compared first; what
differs may still be within the tolerance. One NaN is like another.
"""

from __future__ import annotations

from typing import Iterable, List, Tuple

import numpy as np

from ..aliases import Array, Plain
from ..tensors import PartOutput, Ragged, Sparse
from . import EXACT, Comparison, Tolerance, is_floating

# the bit of the sign, where it is not the highest one of the bytes; None: the numbers have no sign
SIGN_BITS = {
    "float4_e2m1fn": 3,
    "float6_e2m3fn": 5,
    "float6_e3m2fn": 5,
    "float8_e8m0fnu": None,
}


def leaf_difference(expected: Plain, actual: Plain, tolerance: Tolerance, found: Comparison) -> str:
    """What differs between two leaves, in words; "" where nothing does.

    Whether bits differ, and how far apart floating-point numbers are, is noted in `found`.
    """
    if _kind(expected) != _kind(actual):
        return f"was {described(expected)} and came back as {described(actual)}"
    if isinstance(expected, np.ndarray):
        return _array_difference(expected, actual, tolerance, found)
    if isinstance(expected, float):
        return _array_difference(np.asarray(expected), np.asarray(actual), tolerance, found)
    if isinstance(expected, Ragged):
        return _ragged_difference(expected, actual, tolerance, found)
    if isinstance(expected, Sparse):
        fields = zip(Sparse._fields, expected, actual)
        return _first_difference(fields, tolerance, found)
    return "" if expected == actual else f"was {expected!r} and came back as {actual!r}"


def same_leaf(expected: Plain, actual: Plain) -> bool:
    """Whether two leaves are the same, bit for bit."""
    if isinstance(expected, np.ndarray) and expected.dtype != object:
        return isinstance(actual, np.ndarray) and same_bits(expected, actual)
    return not leaf_difference(expected, actual, EXACT, Comparison())


def same_bits(expected: Array, actual: Array) -> bool:
    """Whether two arrays of numbers have the same dtype, shape and bits."""
    if expected.dtype != actual.dtype or expected.shape != actual.shape:
        return False
    return bool((_raw(expected) == _raw(actual)).all())


def described(leaf: Plain) -> str:
    """What a leaf is, for a message."""
    if isinstance(leaf, np.ndarray):
        return "an array " + dtype_and_shape(leaf)
    if isinstance(leaf, (Ragged, Sparse)):
        return f"a {type(leaf).__name__.lower()} tensor"
    return repr(leaf)[:80]


def dtype_and_shape(array: Array) -> str:
    """An array's dtype and shape for a message: `float32[3, 4]`."""
    return f"{array.dtype.name}{list(array.shape)}"


def _kind(leaf: Plain) -> str:
    """The same for leaves that can be compared."""
    for kind in (np.ndarray, Ragged, Sparse, PartOutput, bool, int, float, str):
        if isinstance(leaf, kind):  # NumPy's float64 is a float too, a bool is an int too
            return kind.__name__
    return type(leaf).__name__


def _ragged_difference(
    expected: Ragged, actual: Ragged, tolerance: Tolerance, found: Comparison
) -> str:
    ranks = len(expected.row_splits), len(actual.row_splits)
    if ranks[0] != ranks[1]:
        return f"had {ranks[0]} ragged dimensions and came back with {ranks[1]}"
    splits = [("row_splits", *pair) for pair in zip(expected.row_splits, actual.row_splits)]
    values = ("values", expected.values, actual.values)
    return _first_difference([values, *splits], tolerance, found)


def _first_difference(
    parts: Iterable[Tuple[str, Plain, Plain]], tolerance: Tolerance, found: Comparison
) -> str:
    for name, expected, actual in parts:
        message = leaf_difference(expected, actual, tolerance, found)
        if message:
            return f"({name}) {message}"
    return ""


# arrays


def _array_difference(
    expected: Array, actual: Array, tolerance: Tolerance, found: Comparison
) -> str:
    if expected.dtype != actual.dtype:
        return f"was {expected.dtype.name} and came back as {actual.dtype.name}"
    if expected.shape != actual.shape:
        return f"had the shape {list(expected.shape)} and came back with {list(actual.shape)}"
    if expected.dtype == object:
        return _exact_difference(expected, actual, _strings_apart(expected, actual), found)
    if same_bits(expected, actual):
        return ""
    if not is_floating(expected.dtype):
        return _exact_difference(expected, actual, np.asarray(expected != actual), found)
    return _floating_difference(expected, actual, tolerance, found)


def _exact_difference(expected: Array, actual: Array, apart: Array, found: Comparison) -> str:
    if not apart.any():
        return ""
    found.bits_differ = True
    index = np.unravel_index(int(np.argmax(apart)), apart.shape)
    return _worst(expected, actual, apart, index)


def _floating_difference(
    expected: Array, actual: Array, tolerance: Tolerance, found: Comparison
) -> str:
    apart = _bits_apart(expected, actual)
    if not apart.any():
        return ""
    found.bits_differ = True
    distance = ulp(expected, actual)
    found.measure(int(distance.max()))
    wrong = apart & ~_within(expected, actual, *tolerance.of(expected.dtype, _largest(expected)))
    if not wrong.any():
        return ""
    with np.errstate(all="ignore"):
        size = np.abs(_wide(expected) - _wide(actual))
    size = np.where(wrong, np.where(np.isnan(size), np.inf, size), -1.0)
    index = np.unravel_index(int(np.argmax(size)), size.shape)
    return _worst(expected, actual, wrong, index) + f" ({int(distance[index])} ulp)"


def _worst(expected: Array, actual: Array, wrong: Array, index: Tuple[np.intp, ...]) -> str:
    where = f" at {[int(position) for position in index]}" if index else ""
    largest = f"{_item(expected[index])} came back as {_item(actual[index])}"
    count = f"{int(wrong.sum())} of {wrong.size} elements"
    return f"differs in {count}; the largest difference{where}: {largest}"


def _item(item: Plain) -> str:
    return repr(bytes(item)) if isinstance(item, bytes) else str(item)


def _strings_apart(expected: Array, actual: Array) -> Array:
    """Where strings differ; in NumPy form they are `bytes`, and nothing else is compared."""
    if {*map(type, expected.flat), *map(type, actual.flat)} <= {bytes}:
        return np.asarray(expected != actual)
    apart = [
        not (isinstance(one, bytes) and isinstance(other, bytes) and one == other)
        for one, other in zip(expected.ravel().tolist(), actual.ravel().tolist())
    ]
    return np.reshape(np.array(apart, dtype=bool), expected.shape)


def _bits_apart(expected: Array, actual: Array) -> Array:
    """Where the bits differ; one NaN is like another."""
    apart = [
        (_bits(one) != _bits(other)) & ~(_is_nan(one) & _is_nan(other))
        for one, other in zip(_components(expected), _components(actual))
    ]
    return np.reshape(np.logical_or.reduce(apart), expected.shape)


def _within(expected: Array, actual: Array, rtol: float, atol: float) -> Array:
    if not rtol and not atol:
        return np.zeros(expected.shape, bool)
    one, other = _wide(expected), _wide(actual)
    with np.errstate(all="ignore"):
        near = np.abs(one - other) <= atol + rtol * np.abs(one)
        return np.asarray((one == other) | (np.isfinite(one) & np.isfinite(other) & near))


def _largest(array: Array) -> float:
    """The size of the largest finite number of an array; 0 where there is none."""
    sizes = np.abs(_wide(array))
    return float(np.max(sizes, initial=0.0, where=np.isfinite(sizes)))


def ulp(expected: Array, actual: Array) -> Array:
    """How many representable numbers apart two floating-point arrays are; 0 where both are NaN.

    Of complex numbers it is the larger distance of their two components.
    """
    distances = []
    for one, other in zip(_components(expected), _components(actual)):
        a, b = _ordered(one), _ordered(other)
        both_nan = _is_nan(one) & _is_nan(other)
        distances.append(np.where(both_nan, np.uint64(0), np.maximum(a, b) - np.minimum(a, b)))
    return np.asarray(np.maximum.reduce(distances))


def _wide(array: Array) -> Array:
    with np.errstate(invalid="ignore"):  # a signaling NaN
        return array if array.dtype.kind == "c" else array.astype(np.float64)


def _components(array: Array) -> List[Array]:
    return [array.real.copy(), array.imag.copy()] if array.dtype.kind == "c" else [array]


def _is_nan(array: Array) -> Array:
    return np.asarray(np.isnan(_wide(array)))


def _raw(array: Array) -> Array:
    """The bytes of an array, as few unsigned integers as can be."""
    flat: Array = np.ascontiguousarray(array).reshape(-1)
    return flat.view(f"u{min(array.dtype.itemsize, 8)}")


def _bits(array: Array) -> Array:
    return np.reshape(_raw(array), array.shape).astype(np.uint64)


def _ordered(array: Array) -> Array:
    """The bits as integers in the order of the numbers; -0.0 and 0.0 are the same."""
    bits = _bits(array)
    position = SIGN_BITS.get(array.dtype.name, 8 * array.dtype.itemsize - 1)
    if position is None:
        return bits
    sign = np.uint64(1 << position)
    size = bits & np.uint64((1 << position) - 1)
    return np.asarray(np.where(bits & sign, sign - size, sign + size))
