"""How two leaves of a nest are compared: bits, distances in ULP, and the words for the difference.

A leaf is an array, a ragged or sparse tensor, or a Python scalar. Bits are compared first; what
differs may still be within the tolerance. One NaN is like another.
"""

from __future__ import annotations

from typing import Iterable, List, NamedTuple, Tuple, Union

import numpy as np

from ..aliases import Array, Plain
from ..bits import PIECE, digest, raw, same_bits
from ..tensors import KnownArray, PartOutput, Ragged, Sparse
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
        return f"was {described_leaf(expected)} and is now {described_leaf(actual)}"
    if isinstance(expected, KnownArray) or isinstance(actual, KnownArray):
        return _recorded_difference(expected, actual, found)
    if isinstance(expected, np.ndarray):
        return _array_difference(expected, actual, tolerance, found)
    if isinstance(expected, float):
        return _array_difference(np.asarray(expected), np.asarray(actual), tolerance, found)
    if isinstance(expected, Ragged):
        return _ragged_difference(expected, actual, tolerance, found)
    if isinstance(expected, Sparse):
        fields = zip(Sparse._fields, expected, actual)
        return _first_difference(fields, tolerance, found)
    return "" if expected == actual else f"was {expected!r} and is now {actual!r}"


def same_leaf(expected: Plain, actual: Plain) -> bool:
    """Whether two leaves are the same, bit for bit."""
    if isinstance(expected, np.ndarray) and expected.dtype != object:
        return isinstance(actual, np.ndarray) and same_bits(expected, actual)
    return not leaf_difference(expected, actual, EXACT, Comparison())


def described_leaf(leaf: Plain) -> str:
    """What a leaf is, for a message."""
    if isinstance(leaf, (np.ndarray, KnownArray)):
        return "an array " + dtype_and_shape(leaf)
    if isinstance(leaf, (Ragged, Sparse)):
        return f"a {type(leaf).__name__.lower()} tensor"
    return repr(leaf)[:80]


def dtype_and_shape(array: Union[Array, KnownArray]) -> str:
    """An array's dtype and shape for a message: `float32[3, 4]`."""
    return f"{_dtype_name(array)}{list(array.shape)}"


def _dtype_name(array: Union[Array, KnownArray]) -> str:
    return array.dtype if isinstance(array, KnownArray) else array.dtype.name


def _kind(leaf: Plain) -> str:
    """The same for leaves that can be compared."""
    if isinstance(leaf, KnownArray):
        return "ndarray"
    for kind in (np.ndarray, Ragged, Sparse, PartOutput, bool, int, float, str):
        if isinstance(leaf, kind):  # NumPy's float64 is a float too, a bool is an int too
            return kind.__name__
    return type(leaf).__name__


def _ragged_difference(
    expected: Ragged, actual: Ragged, tolerance: Tolerance, found: Comparison
) -> str:
    ranks = len(expected.row_splits), len(actual.row_splits)
    if ranks[0] != ranks[1]:
        return f"had {ranks[0]} ragged dimensions and now has {ranks[1]}"
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

AnyArray = Union[Array, KnownArray]


def _type_difference(expected: AnyArray, actual: AnyArray) -> str:
    dtypes = _dtype_name(expected), _dtype_name(actual)
    if dtypes[0] != dtypes[1]:
        return f"was {dtypes[0]} and is now {dtypes[1]}"
    if expected.shape != actual.shape:
        return f"had the shape {list(expected.shape)} and now has {list(actual.shape)}"
    return ""


def _recorded_difference(expected: AnyArray, actual: AnyArray, found: Comparison) -> str:
    """The same where of one of them only the hash is known."""
    message = _type_difference(expected, actual)
    if not message and _digest(expected) != _digest(actual):
        found.bits_differ = True
        message = f"{dtype_and_shape(expected)} has other values than were recorded"
    return message


def _digest(array: AnyArray) -> str:
    if isinstance(array, KnownArray):
        return array.digest
    return digest(array) if array.dtype != object else ""


def _array_difference(
    expected: Array, actual: Array, tolerance: Tolerance, found: Comparison
) -> str:
    message = _type_difference(expected, actual)
    if message:
        return message
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
    return _in_words(expected, actual, int(np.count_nonzero(apart)), int(np.argmax(apart)))


class _Piece(NamedTuple):
    """What differs in one piece of two arrays."""

    max_ulp: int
    wrong: int  # how many numbers differ by more than the tolerance
    size: float  # the largest of these differences
    position: int  # where that is, in the flat array
    ulp: int  # the distance there


def _floating_difference(
    expected: Array, actual: Array, tolerance: Tolerance, found: Comparison
) -> str:
    """Compared in pieces: what is widened is a piece, not an array that is as large as a model."""
    one, other = expected.reshape(-1), actual.reshape(-1)
    pieces = [slice(at, at + PIECE) for at in range(0, one.size, PIECE)]
    unequal = [piece for piece in pieces if _bits_apart(one[piece], other[piece]).any()]
    if not unequal:
        return ""
    allowed = tolerance.of(expected.dtype, max(_largest(one[piece]) for piece in pieces))
    seen = [_piece(one[piece], other[piece], piece.start, allowed) for piece in unequal]
    found.bits_differ = True
    found.measure(max(piece.max_ulp for piece in seen))
    wrong = sum(piece.wrong for piece in seen)
    if not wrong:
        return ""
    worst = max(seen, key=lambda piece: piece.size)
    return _in_words(expected, actual, wrong, worst.position) + f" ({worst.ulp} ulp)"


def _piece(expected: Array, actual: Array, start: int, allowed: Tuple[float, float]) -> _Piece:
    distance = ulp(expected, actual)
    wrong = _bits_apart(expected, actual) & ~_within(expected, actual, *allowed)
    with np.errstate(all="ignore"):
        size = np.abs(_wide(expected) - _wide(actual))
    size = np.where(wrong, np.where(np.isnan(size), np.inf, size), -1.0)
    at = int(np.argmax(size))
    count = int(np.count_nonzero(wrong))
    return _Piece(int(distance.max()), count, float(size[at]), start + at, int(distance[at]))


def _in_words(expected: Array, actual: Array, wrong: int, position: int) -> str:
    """How many elements differ, and the largest difference, at that position of the flat array."""
    index = np.unravel_index(position, expected.shape)
    where = f" at {[int(along) for along in index]}" if index else ""
    largest = f"{_item(expected[index])} is now {_item(actual[index])}"
    count = f"{wrong} of {expected.size} elements"
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


def _bits(array: Array) -> Array:
    return np.reshape(raw(array), array.shape).astype(np.uint64)


def _ordered(array: Array) -> Array:
    """The bits as integers in the order of the numbers; -0.0 and 0.0 are the same."""
    bits = _bits(array)
    position = SIGN_BITS.get(array.dtype.name, 8 * array.dtype.itemsize - 1)
    if position is None:
        return bits
    sign = np.uint64(1 << position)
    size = bits & np.uint64((1 << position) - 1)
    return np.asarray(np.where(bits & sign, sign - size, sign + size))
