"""The bits of arrays of numbers."""

from __future__ import annotations

import numpy as np

from .aliases import Array

PIECE = 1 << 20  # numbers that are compared at once: no copy of an array is needed


def same_bits(one: Array, other: Array) -> bool:
    """Whether two arrays of numbers have the same dtype, shape and bits."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if _same_memory(one, other):
        return True
    some, others = raw(one), raw(other)
    starts = range(0, some.size, PIECE)
    return all((some[at : at + PIECE] == others[at : at + PIECE]).all() for at in starts)


def _same_memory(one: Array, other: Array) -> bool:
    """Whether both arrays, which have one shape, are one piece of memory."""
    first, second = one.__array_interface__, other.__array_interface__
    return bool(first["data"] == second["data"] and first["strides"] == second["strides"])


def raw(array: Array) -> Array:
    """The bytes of an array, as few unsigned integers as can be."""
    flat: Array = np.ascontiguousarray(array).reshape(-1)
    return flat.view(f"u{min(array.dtype.itemsize, 8)}")
