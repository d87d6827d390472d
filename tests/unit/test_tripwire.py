"""What is noted of a reload that uses more than a deployment has."""

from __future__ import annotations

from pytest_modelroundtrip.portable.confinement import tripwire
from pytest_modelroundtrip.portable.confinement.tripwire import Access, AccessKind, Tripwire


def test_the_first_notes_are_enough() -> None:
    """A reload may use as many files as it likes."""
    noting = Tripwire()
    paths = [f"/somewhere/{number}" for number in range(2 * tripwire.MAX_NOTES)]
    for path in [*paths, *paths]:
        noting._used(AccessKind.FILE, path)
        noting._looked_for(path)
    first = paths[: tripwire.MAX_NOTES]
    assert noting.reached.used == [Access(AccessKind.FILE, path) for path in first]
    assert noting.reached.looked_for == first
