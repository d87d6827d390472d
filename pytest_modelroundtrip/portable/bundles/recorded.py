"""What was observed of a model before it was saved: the file `expected` of a bundle."""

from __future__ import annotations

import os
from typing import Dict, NamedTuple, Optional

from .. import checks, protocol, records
from ..aliases import Plain
from ..checks import Observations
from ..comparing import Tolerance
from ..known_arrays import BY_HASH, Digests
from ..tensors import KnownArray, leaves
from .bundle_files import EXPECTED


class Recorded(NamedTuple):
    """What the checks saw of the original, with what, and how closely it is to be met."""

    versions: Dict[str, str]  # of what saved, by name of the module
    parts: Dict[str, Dict[str, Plain]]  # part -> check -> what it saw, with hashes of weights
    exact: bool
    rtol: Optional[float]
    atol: Optional[float]

    def observations(self) -> Observations:
        """What was seen, with hashes in place of large weights.

        Raises:
            ValueError: where it is not what these checks see.
        """
        return {part: checks.parsed(seen) for part, seen in self.parts.items()}

    def tolerance(self, versions: Dict[str, str], of_format: Optional[float]) -> Tolerance:
        """How closely what has these versions is to meet it, in a format with that tolerance."""
        asked = Tolerance(self.exact, self.rtol, self.atol)
        return asked.between(self.versions, versions, of_format)

    def hashes(self) -> Dict[str, KnownArray]:
        """What stands for arrays, by their hashes."""
        found = [leaf for _, leaf in leaves(self.parts) if isinstance(leaf, KnownArray)]
        return {leaf.digest: leaf for leaf in found}


def recorded(
    observations: Observations, digests: Digests, versions: Dict[str, str], tolerance: Tolerance
) -> Recorded:
    """The record of what the checks saw of each part."""
    plain = records.to_plain(observations)
    parts = {part: hashed(seen, digests) for part, seen in plain.items()}
    return Recorded(versions, parts, tolerance.exact, tolerance.rtol, tolerance.atol)


def hashed(seen: Dict[str, Plain], digests: Digests) -> Dict[str, Plain]:
    """What checks saw, with hashes in place of large weights."""
    return {
        name: digests.in_place_of_arrays(plain) if name in BY_HASH else plain
        for name, plain in seen.items()
    }


def write(folder: str, record: Recorded) -> None:
    """Write the file beside the artifact in that folder."""
    with open(os.path.join(folder, EXPECTED), "wb") as out:
        out.write(protocol.encode_record(record))


def read(folder: str) -> Recorded:
    """What `write` wrote.

    Raises:
        OSError: where there is no such file.
        ValueError: where it is damaged.
    """
    with open(os.path.join(folder, EXPECTED), "rb") as source:
        return protocol.decode_record(Recorded, source.read())
