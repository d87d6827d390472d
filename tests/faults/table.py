"""All faults that are tried, by name."""

from __future__ import annotations

from faults.attacks import ATTACKS
from faults.ends import ENDS
from faults.fault import Fault, Interpreter
from faults.interpreters import INTERPRETERS

__all__ = ["FAULTS", "INTERPRETERS", "Fault", "Interpreter"]

FAULTS = {**ENDS, **ATTACKS}
