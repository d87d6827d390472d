"""Hashes that stand for large arrays.

A reload that went well has the weights of the original. The job lists the hashes of these, so
that only what differs is sent. A bundle holds the hashes of weights in their place.
"""

from __future__ import annotations

from typing import Collection, Dict, Mapping, Tuple, Union

import numpy as np

from .aliases import Array, Plain
from .bits import Memory, digest, digest_of_zeros, memory
from .tensors import KnownArray, dtype_named, leaves, map_leaves

MIN_BYTES = 4096  # below that the bytes are sent: hashes would cost more
# checks whose values are compared bit for bit: of large ones the hash is enough. Others need the
# numbers, also where these are those of a weight by chance: zeros are in many places
BY_HASH = ("weights", "optimizer", "history")


class Digests:
    """The hashes of large arrays; not made again for what is the same memory as the time before."""

    def __init__(self) -> None:
        self._made: Dict[Memory, Tuple[str, Array]] = {}

    def of(self, nest: Plain) -> Dict[str, Array]:
        """The large arrays of a nest in NumPy form, by their hashes."""
        made = [self._of_array(leaf) for _, leaf in leaves(nest) if _is_large(leaf)]
        # views are the memory of variables, mostly; that of a copy may become another array's
        views = [(found, array) for found, array in made if array.base is not None]
        self._made = {memory(array): (found, array) for found, array in views}
        return dict(made)

    def in_place_of_arrays(self, nest: Plain) -> Plain:
        """A nest with the hash in place of each large array."""

        def leaf_or_hash(leaf: Plain) -> Plain:
            if not _is_large(leaf):
                return leaf
            return KnownArray(self._of_array(leaf)[0], leaf.dtype.name, leaf.shape)

        return map_leaves(leaf_or_hash, nest)

    def _of_array(self, array: Array) -> Tuple[str, Array]:
        place = memory(array)
        return self._made.get(place) or (digest(array), array)


def without_known(seen: Dict[str, Plain], known: Collection[str]) -> Dict[str, Plain]:
    """What checks saw, with the hash in place of each weight whose hash is known."""

    def leaf_or_hash(leaf: Plain) -> Plain:
        found = digest(leaf) if _is_large(leaf) else ""
        return KnownArray(found, leaf.dtype.name, leaf.shape) if found in known else leaf

    return {
        name: map_leaves(leaf_or_hash, plain) if known and name in BY_HASH else plain
        for name, plain in seen.items()
    }


def with_known(nest: Plain, known: Mapping[str, Union[Array, KnownArray]]) -> Plain:
    """A nest with the array in place of each hash; where only the hash is known, that stays.

    Raises:
        ValueError: for a hash of no known array.
    """

    def array_of(leaf: Plain) -> Plain:
        if not isinstance(leaf, KnownArray):
            return leaf
        if leaf.digest not in known:
            raise ValueError(f"it refers to an array that is not known: {leaf.digest[:80]!r}")
        found = known[leaf.digest]
        if isinstance(found, KnownArray):
            return found
        seen = found.view()  # of the original, which nobody may change
        seen.flags.writeable = False
        return seen

    return map_leaves(array_of, nest)


def has_values(value: Union[Array, KnownArray]) -> bool:
    """Whether anything in an array is not zero."""
    if isinstance(value, KnownArray):
        return value.digest != digest_of_zeros(dtype_named(value.dtype), value.shape)
    return bool(value.any())


def _is_large(leaf: Plain) -> bool:
    return isinstance(leaf, np.ndarray) and leaf.dtype != object and leaf.nbytes >= MIN_BYTES
