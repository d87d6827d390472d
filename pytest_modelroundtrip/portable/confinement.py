"""Confines the process of a reload to what a deployment has, as far as its system grants it."""

from __future__ import annotations

import os
from typing import List, NamedTuple, Sequence

from . import landlock, places
from .places import Places

REQUIRED, OFF = "required", "off"  # what a test may ask for, besides "auto"


class Grant(NamedTuple):
    """What a system grants to an unprivileged process."""

    landlock: int  # the version of its interface; 0 where there is none
    refusals: List[str]  # what is not granted, and why

    def __str__(self) -> str:
        return f"Landlock {self.landlock}" if self.landlock else f"none: {self.refusals[0]}"


NOTHING = Grant(0, ["it was not asked for"])


class ConfinementError(Exception):
    """It is required, and cannot be had. The text says why."""


def granted() -> Grant:
    """What this system grants; nothing is confined by asking."""
    try:
        return Grant(landlock.abi(), [])
    except (OSError, AttributeError) as error:  # AttributeError: a C library of another kind
        return Grant(0, [f"no Landlock ({getattr(error, 'strerror', None) or error})"])


class Cage:
    """What confines this process; once closed it stays closed.

    Attributes:
        description: what was done, in words.
    """

    def __init__(self, wish: str, grant: Grant, own_folder: str) -> None:
        """Remember what is to be done.

        Args:
            wish: "auto", `REQUIRED` or `OFF`.
            grant: what the system grants.
            own_folder: where this process writes.
        """
        self.description = OFF
        self._wish, self._grant, self._own_folder = wish, grant, own_folder

    def close(self, readable: Sequence[str], writable: Sequence[str]) -> Places:
        """Confine this process from now on to the installed packages, its folder, and these.

        Returns:
            What it may use, whether it is confined or not.

        Raises:
            ConfinementError: where it is required and cannot be had.
        """
        found = places.of_reload(readable, [self._own_folder, *writable])
        if self._wish != OFF:
            self.description = self._confined(found, bool(writable))
            if self._wish == REQUIRED and self.description.startswith("none"):
                raise ConfinementError(
                    f"roundtrip_confinement is {REQUIRED!r}, and this system does not grant it: "
                    + self.description
                )
        return found

    def _confined(self, found: Places, saves: bool) -> str:
        """Do it; what was done, in words."""
        version = self._grant.landlock
        if not version:
            return str(self._grant)
        if saves and version < landlock.MOVES_ABI:
            return f"none: Landlock {version} forbids to move files, which saving again does"
        others = _other_threads()
        try:
            landlock.restrict(found.readable, found.writable, found.devices, version)
        except OSError as error:
            return f"none: Landlock {version} was refused ({error.strerror})"
        beside = f", but not {others} threads that imports had started" if others else ""
        return str(self._grant) + beside


def _other_threads() -> int:
    """The threads of this process besides this one and the one that watches its parent."""
    try:
        return max(0, len(os.listdir("/proc/self/task")) - 2)
    except OSError:
        return 0
