"""What checks share: how two sightings are compared, and what a comparison found."""

from __future__ import annotations

import enum
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from .. import keras_libs
from ..aliases import DType

# (rtol, atol) of torch.testing.assert_close, and the smallest normal number: those below it have
# fewer digits. A dtype that is not here is compared exactly.
TOLERANCES = {
    "float16": (1e-3, 1e-5, 2.0**-14),
    "bfloat16": (1.6e-2, 1e-5, 2.0**-126),
    "float32": (1.3e-6, 1e-5, 2.0**-126),
    "float64": (1e-7, 1e-7, 2.0**-1022),
    "complex64": (1.3e-6, 1e-5, 2.0**-126),
    "complex128": (1e-7, 1e-7, 2.0**-1022),
}


class Tolerance(NamedTuple):
    """How far apart outputs may be, and which sides are compared.

    The default absolute tolerance scales down with numbers that are all small.
    `across_versions`: the sides have different versions of the libraries. Then configs are written
    in different forms, and only the plain values that both sides have are compared.
    `of_format`: where the format that was saved to has a tolerance of its own, how far apart
    outputs may be, as a part of the largest number of their array.
    `across_backends`: Keras computes with another library there, and its own integers, such as the
    counters of optimizers, have another width: int64 with TensorFlow, int32 with the others.
    """

    exact: bool = False
    rtol: Optional[float] = None  # of the user; by dtype where it is None
    atol: Optional[float] = None
    across_versions: bool = False
    across_backends: bool = False
    of_format: Optional[float] = None

    def between(
        self, saved: Mapping[str, str], reloaded: Mapping[str, str], of_format: Optional[float]
    ) -> Tolerance:
        """The same, for sides with these versions, in a format with that tolerance.

        No two releases promise the same bits, so there `exact` has no effect.
        """
        across = keras_libs.versions_differ(saved, reloaded)
        return self._replace(
            exact=self.exact and not across,
            across_versions=across,
            across_backends=keras_libs.backends_differ(saved, reloaded),
            of_format=of_format,
        )

    def of(self, dtype: DType, largest: float = 1.0) -> Tuple[float, float]:
        """(rtol, atol) for an array of that dtype; (0, 0) where bits must be equal.

        Args:
            dtype: of the array.
            largest: the size of its largest finite number.
        """
        if self.exact or not is_floating(dtype):
            return 0.0, 0.0
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        if self.of_format is not None:
            return 0.0, self.of_format * largest
        rtol, atol, smallest_normal = TOLERANCES.get(dtype.name, (0.0, 0.0, 0.0))
        return rtol, max(atol * min(largest, 1.0), rtol * smallest_normal)


EXACT = Tolerance(exact=True)


def is_floating(dtype: DType) -> bool:
    """Whether numbers of that dtype are rounded; the floats of ml_dtypes have kind "V" or "f"."""
    return dtype.kind in "fc" or (dtype.kind == "V" and "int" not in dtype.name)


class CheckOutcome(str, enum.Enum):
    """What one check came to."""

    EXACT = "exact"
    CLOSE = "close"  # within the tolerance
    DIFFERS = "differs"
    NOT_CHECKED = "not checked"  # it could not be made of the original
    NOT_APPLICABLE = "n/a"  # not kept by the format, not asked for, or nothing to compare

    __str__ = str.__str__


class ValueOrigin(NamedTuple):
    """Where a wrong value comes from."""

    kind: str  # a key of `variables.ORIGINS`
    detail: str  # the path or the dtype that goes into the message


class Comparison:
    """What one check found, in one model or in several parts of a group."""

    def __init__(self) -> None:
        self.differences: List[str] = []
        self.not_checked: List[str] = []  # why it could not be made of the original
        self.hint = ""  # what to do about these differences; "": what the check says in general
        self.compared = 0  # how many things were
        self.max_ulp: Optional[int] = (
            None  # the largest distance of two arrays; None: none measured
        )
        self.bits_differ = False
        self.origins: Dict[
            str, ValueOrigin
        ] = {}  # path of a wrong weight -> where its value comes from

    def differ(self, message: str) -> None:
        """Note a difference."""
        self.differences.append(message)

    def measure(self, ulp: int) -> None:
        """Note how far apart two arrays are whose bits differ."""
        self.max_ulp = max(self.max_ulp or 0, ulp)

    @property
    def outcome(self) -> CheckOutcome:
        """What the check came to."""
        if self.differences:
            return CheckOutcome.DIFFERS
        if self.not_checked:
            return CheckOutcome.NOT_CHECKED
        if not self.compared:
            return CheckOutcome.NOT_APPLICABLE
        return CheckOutcome.CLOSE if self.bits_differ else CheckOutcome.EXACT

    def include(self, other: Comparison, part: str = "") -> None:
        """Take over what was found in one part of a group; messages name the part."""
        prefix = f"{part}: " if part else ""
        self.differences += [prefix + message for message in other.differences]
        self.not_checked += [prefix + reason for reason in other.not_checked]
        self.hint = self.hint or other.hint
        self.compared += other.compared
        if other.max_ulp is not None:
            self.measure(other.max_ulp)
        self.bits_differ |= other.bits_differ
        self.origins.update(other.origins)


Comparisons = Dict[str, Comparison]  # by the name of the check


def merged_comparisons(parts: Iterable[Tuple[str, Comparisons]]) -> Comparisons:
    """The comparisons of several parts as one: (name of the part, its comparisons)."""
    whole: Comparisons = {}
    for part, comparisons in parts:
        for check, comparison in comparisons.items():
            whole.setdefault(check, Comparison()).include(comparison, part)
    return whole


def differing(comparisons: Comparisons) -> Comparisons:
    """Those that found differences."""
    return {name: found for name, found in comparisons.items() if found.differences}
