"""The bits of arrays of numbers."""

from __future__ import annotations

import concurrent.futures
import hashlib
import math
from typing import NamedTuple, Tuple

import numpy as np

from .aliases import Array, DType

PIECE = 1 << 20  # numbers that are compared at once: no copy of an array is needed
HASHED_PIECE = 1 << 24  # bytes that a thread hashes at once
HASHING_THREADS = 4  # together they are about as fast as memory


class Memory(NamedTuple):
    """Where an array is in the memory of this process, and how it is read there."""

    address: int
    dtype: str
    shape: Tuple[int, ...]
    strides: Tuple[int, ...]


def same_bits(one: Array, other: Array) -> bool:
    """Whether two arrays of numbers have the same dtype, shape and bits."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if memory(one) == memory(other):
        return True
    some, others = raw(one), raw(other)
    starts = range(0, some.size, PIECE)
    return all((some[at : at + PIECE] == others[at : at + PIECE]).all() for at in starts)


def memory(array: Array) -> Memory:
    """Where an array is. Two that are at the same place are one."""
    return Memory(
        array.__array_interface__["data"][0], array.dtype.name, array.shape, array.strides
    )


def digest(array: Array) -> str:
    """A hash of the dtype, the shape and the bits of an array of numbers.

    That of a large array is made of the hashes of its pieces, which are made side by side.
    """
    found = hashlib.sha256(_form(array.dtype, array.shape))
    data = raw(array).view("u1").data
    if len(data) <= HASHED_PIECE:
        found.update(data)
        return found.hexdigest()
    starts = range(0, len(data), HASHED_PIECE)
    with concurrent.futures.ThreadPoolExecutor(HASHING_THREADS) as threads:
        pieces = [data[start : start + HASHED_PIECE] for start in starts]
        for hashed in threads.map(hashlib.sha256, pieces):
            found.update(hashed.digest())
    return found.hexdigest()


def digest_of_zeros(dtype: DType, shape: Tuple[int, ...]) -> str:
    """The hash of an array of zeros, which is not made."""
    found = hashlib.sha256(_form(dtype, shape))
    size = dtype.itemsize * math.prod(shape)
    if size <= HASHED_PIECE:
        found.update(bytes(size))
        return found.hexdigest()
    pieces, rest = divmod(size, HASHED_PIECE)
    piece = hashlib.sha256(bytes(HASHED_PIECE)).digest()
    for _ in range(pieces):
        found.update(piece)
    if rest:
        found.update(hashlib.sha256(bytes(rest)).digest())
    return found.hexdigest()


def _form(dtype: DType, shape: Tuple[int, ...]) -> bytes:
    return f"{dtype.name}{shape}".encode()


def raw(array: Array) -> Array:
    """The bytes of an array, as few unsigned integers as can be."""
    flat: Array = np.ascontiguousarray(array).reshape(-1)
    return flat.view(f"u{min(array.dtype.itemsize, 8)}")
