"""Arrays that the test process has already: their hashes travel instead of their bytes.

A reload that went well has the weights of the original. The job lists the hashes of these, so
that only what differs is sent.
"""

from __future__ import annotations

from typing import Collection, Dict, Mapping, Tuple

import numpy as np

from .aliases import Array, Plain
from .bits import Memory, digest, memory
from .tensors import KnownArray, leaves, map_leaves

MIN_BYTES = 4096  # below that the bytes are sent: hashes would cost more


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

    def _of_array(self, array: Array) -> Tuple[str, Array]:
        place = memory(array)
        return self._made.get(place) or (digest(array), array)


def without_known(nest: Plain, known: Collection[str]) -> Plain:
    """A nest in NumPy form with the hash in place of each array whose hash is known."""

    def leaf_or_hash(leaf: Plain) -> Plain:
        found = digest(leaf) if _is_large(leaf) else ""
        return KnownArray(found) if found in known else leaf

    return map_leaves(leaf_or_hash, nest) if known else nest


def with_known(nest: Plain, known: Mapping[str, Array]) -> Plain:
    """A nest with the array in place of each hash.

    Raises:
        ValueError: for a hash of no known array.
    """

    def array_of(leaf: Plain) -> Plain:
        if not isinstance(leaf, KnownArray):
            return leaf
        if leaf.digest not in known:
            raise ValueError(f"it refers to an array that is not known: {leaf.digest[:80]!r}")
        seen = known[leaf.digest].view()  # of the original, which nobody may change
        seen.flags.writeable = False
        return seen

    return map_leaves(array_of, nest)


def _is_large(leaf: Plain) -> bool:
    return isinstance(leaf, np.ndarray) and leaf.dtype != object and leaf.nbytes >= MIN_BYTES
