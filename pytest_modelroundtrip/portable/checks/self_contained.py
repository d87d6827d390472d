"""The check `self_contained`."""

from __future__ import annotations

from typing import Optional

from ..comparing import Comparison, Tolerance
from ..confinement.tripwire import TRIPWIRE, AccessKind, Reached
from ..subject import Subject
from . import Check


class SelfContainedCheck(Check[Reached]):
    """The reload needed nothing but the artifact.

    It used no file outside the artifact, the installed packages and `roundtrip_pythonpath`, and
    accessed no host. What Python and TensorFlow's Python layer use is seen; what native code uses
    fails where the system grants confinement (see `confinement`), and its error is reported.
    """

    sighting = Reached
    hint = (
        "Put what it needs into the artifact (an asset, a weight, the config), or install it in "
        "the environment."
    )
    explains_others = True

    def observe(self, subject: Subject) -> Optional[Reached]:
        """What the reload accessed besides; nothing where the model was not reloaded."""
        del subject  # the tripwire has watched the load of all parts
        return TRIPWIRE.reached

    def compare(self, expected: Reached, actual: Reached, tolerance: Tolerance) -> Comparison:
        """Report each access."""
        del expected, tolerance
        found = Comparison()
        found.compared = 1
        for access in actual.used:
            verb = "accessed" if access.kind is AccessKind.NETWORK else "read"
            found.differ(f"the reload {verb} {access}")
        return found
