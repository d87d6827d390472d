"""Confines the process of a reload to what a deployment has, as far as its system grants it.

Landlock refuses what is not allowed, with an error. Namespaces let it not exist. Both need no
privileges, and each may be missing.
"""

from __future__ import annotations

import contextlib
import os
from typing import List, NamedTuple, Optional, Sequence

from . import allowed_paths, landlock, namespaces
from .allowed_paths import AllowedPaths

REQUIRED, OFF = "required", "off"  # what a test may ask for, besides "auto"


class Grant(NamedTuple):
    """What a system grants to an unprivileged process."""

    landlock: int  # the version of its interface; 0 where there is none
    namespaces: bool
    refusals: List[str]  # what is not granted, and why

    @property
    def is_whole(self) -> bool:
        """Whether files are safe, and nothing can be connected to by TCP."""
        no_tcp = self.namespaces or self.landlock >= landlock.NETWORK_ABI
        return bool(self.landlock) and no_tcp

    def __str__(self) -> str:
        names = [f"Landlock {self.landlock}"] if self.landlock else []
        names += ["namespaces"] if self.namespaces else []
        return ", ".join([" and ".join(names) or "none", *self.refusals])


NOTHING = Grant(0, False, [])


class ConfinementError(Exception):
    """It is required, and cannot be had. The text says why."""


def granted(scratch: str) -> Grant:
    """What this system grants; this process stays as it is.

    Args:
        scratch: an empty folder.
    """
    version, refusals = 0, []
    try:
        version = landlock.abi()
    except OSError as error:
        refusals.append(f"no Landlock ({error})")
    refusal = namespaces.refusal(scratch)
    refusals += [f"no namespaces ({refusal})"] if refusal else []
    return Grant(version, not refusal, refusals)


def entered(grant: Grant) -> Grant:
    """Enter the namespaces that are granted, in which nothing is hidden yet; what is granted still.

    This comes first in the life of a process: it must not have threads.
    """
    if grant.namespaces:
        try:
            namespaces.enter()
        except OSError as error:
            return _without_namespaces(grant, error)
    return grant


def _without_namespaces(grant: Grant, error: OSError) -> Grant:
    refusals = [*grant.refusals, f"no namespaces ({error.strerror})"]
    return grant._replace(namespaces=False, refusals=refusals)


class Cage:
    """What confines this process; once closed it stays closed.

    Attributes:
        description: what was done, in words.
        paths: what this process may use, whether it is confined or not; None until it is closed.
    """

    def __init__(self, wish: str, grant: Grant, own_folder: str) -> None:
        """Remember what is to be done.

        Args:
            wish: "auto", `REQUIRED` or `OFF`.
            grant: what `entered` returned.
            own_folder: where this process writes.
        """
        self.description = OFF
        self.paths: Optional[AllowedPaths] = None
        self._wish, self._grant, self._own_folder = wish, grant, own_folder

    def close(
        self,
        artifact: str,
        readable: Sequence[str],
        writable: Sequence[str],
        modules: Sequence[str],
    ) -> AllowedPaths:
        """Confine this process from now on to the installed packages, its folder, and these.

        Args:
            artifact: a folder whose files may be changed; made and deleted only where it lies in
                the own folder.
            readable: files and folders.
            writable: folders besides its own.
            modules: whose packages are readable too.

        Returns:
            What it may use.

        Raises:
            ConfinementError: where it is required and cannot be had.
        """
        found = allowed_paths.of_reload(artifact, readable, [self._own_folder, *writable], modules)
        if self._wish != OFF:
            self._confine(found, saves=bool(writable))
        self.paths = found
        return found

    def _confine(self, found: AllowedPaths, saves: bool) -> None:
        self._hide(found)
        self._restrict(found, saves)
        self.description = str(self._grant)
        if self._wish == REQUIRED and not self._grant.is_whole:
            raise ConfinementError(
                f"roundtrip_confinement is {REQUIRED!r}, and this system grants "
                f"{self.description}. Landlock is needed and, to close the network, version 4 of "
                "Landlock or namespaces."
            )
        if self._grant.landlock or self._grant.namespaces:
            landlock.forbid_privileges()
            with contextlib.suppress(OSError):  # then there were none to give up
                namespaces.drop_capabilities()

    def _hide(self, found: AllowedPaths) -> None:
        if self._grant.namespaces:
            root = os.path.join(os.path.dirname(self._own_folder), "root")
            os.makedirs(root, exist_ok=True)
            try:
                namespaces.hide_all_but([*found.readable, *found.writable, *found.changeable], root)
            except OSError as error:
                self._grant = _without_namespaces(self._grant, error)

    def _restrict(self, found: AllowedPaths, saves: bool) -> None:
        version, refusal, threads = self._grant.landlock, "", _other_threads()
        if not version:
            return
        if saves and version < landlock.MOVES_ABI:
            refusal = (
                f"no Landlock (version {version} does not allow moving files, and saving moves "
                "files)"
            )
        else:
            try:
                landlock.restrict(found.readable, found.writable, found.changeable, version)
            except OSError as error:
                refusal = f"no Landlock ({error.strerror})"
        if refusal:
            version = 0
        elif threads:
            refusal = f"not for threads that imports started ({threads})"
        refusals = [*self._grant.refusals, *filter(None, [refusal])]
        self._grant = self._grant._replace(landlock=version, refusals=refusals)


def _other_threads() -> int:
    """The threads of this process besides this one and the one that watches its parent."""
    try:
        return max(0, len(os.listdir("/proc/self/task")) - 2)
    except OSError:
        return 0
