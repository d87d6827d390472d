"""The check `self_contained`."""

from __future__ import annotations

from typing import List, Optional

from ..comparing import Comparison, Tolerance
from ..subject import Subject
from ..tripwire import TRIPWIRE
from . import Check


class SelfContainedCheck(Check[List[str]]):
    """The reload needed nothing but the artifact.

    It read no file outside the artifact, the installed packages and `roundtrip_pythonpath`, and
    accessed no host. This is a tripwire, not a sandbox: the files and sockets that Python opens are
    seen, and the files that TensorFlow's Python layer reads. What native code opens is not.
    """

    sighting = List[str]
    hint = (
        "Put what it needs into the artifact (an asset, a weight, the config), or install it in "
        "the environment."
    )
    explains_others = True

    def observe(self, subject: Subject) -> Optional[List[str]]:
        """What the reload accessed besides; nothing where the model was not reloaded."""
        del subject  # the tripwire has watched the load of all parts
        return list(TRIPWIRE.reached)

    def compare(self, expected: List[str], actual: List[str], tolerance: Tolerance) -> Comparison:
        """Report each access."""
        del expected, tolerance
        found = Comparison()
        found.compared = 1
        for access in actual:
            verb = "accessed" if access.startswith("the network") else "read"
            found.differ(f"the reload {verb} {access}")
        return found
