"""A process of Linux that sees only some of the file system, and no network.

It gets namespaces of its own: of users, which is how an ordinary user may have the others; of
mounts, in which what it may not use does not exist, also for `stat`; of networks, with none in it.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from typing import Iterable, List, Set

from ..processes import forked_trial

MOUNTS, USERS, NETWORK = 0x00020000, 0x10000000, 0x40000000
NO_SETUID, NO_DEVICES, BIND, RECURSIVE, PRIVATE = 2, 4, 4096, 16384, 1 << 18
DETACH = 2
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
CAPABILITIES_VERSION = 0x20080522
# of root's capabilities, those over its own files: nothing that leads out of a namespace
KEPT_CAPABILITIES = 0b11011  # chown, dac_override, fowner, fsetid
MAX_LINKS = 40  # one after another, as in Linux


def enter() -> None:
    """Give this process namespaces of its own, in which nothing has changed yet.

    It must not have threads.

    Raises:
        OSError: where the system does not grant it.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:  # who may do it without being another root, to whom other users' files are closed
        try:
            return _unshare(MOUNTS | NETWORK)
        except OSError:  # the root of a container
            pass
    _unshare(USERS | MOUNTS | NETWORK)
    for name, text in (
        ("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1"),
    ):  # fmt: skip
        with open(f"/proc/self/{name}", "w") as out:
            out.write(text)


def hide_all_but(paths: Iterable[str], scratch: str) -> None:
    """Let these files and folders be all that this process sees of the file system.

    They stay where they are, with the links that lead to them.

    Args:
        paths: absolute paths.
        scratch: an empty folder.

    Raises:
        OSError: where the system does not grant it; then nothing is hidden.
    """
    _mount(None, "/", None, RECURSIVE | PRIVATE)
    _mount("none", scratch, "tmpfs", NO_SETUID | NO_DEVICES, "mode=0755")
    root = _Root(scratch)
    for path in sorted(paths, key=os.path.realpath):  # folders come before what is in them
        root.show(path)
    here = os.getcwd()
    os.chdir(scratch)
    _raise_if_failed(_libc().syscall(PIVOT_ROOT[os.uname().machine], b".", b"."))
    _raise_if_failed(_libc().umount2(b".", DETACH))  # the former root, which lies over the new one
    os.chdir(here)


def drop_capabilities() -> None:
    """Give up what could undo it."""
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0)
    held = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: the lower, the upper bits
    _raise_if_failed(_libc().capget(header, held))
    kept = [word & KEPT_CAPABILITIES if position < 3 else 0 for position, word in enumerate(held)]
    _raise_if_failed(_libc().capset(header, (ctypes.c_uint32 * 6)(*kept)))


def refusal(scratch: str) -> str:
    """Why this system does not grant it; "" where it does. A fork tries it out."""
    if sys.platform != "linux":
        return "only Linux has them"
    if os.uname().machine not in PIVOT_ROOT:
        return f"not tried on {os.uname().machine}"
    return forked_trial.refusal(lambda: _try_out(scratch))


def _try_out(scratch: str) -> None:
    os.chdir(scratch)
    enter()
    hide_all_but(["/proc", scratch], tempfile.mkdtemp(dir=scratch))


class _Root:
    """The root of a file system that is put together from paths of the present one."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._shown: Set[str] = {folder}  # real paths

    def show(self, path: str) -> None:
        """Bind what is at that path, and make the links that lead there."""
        real, waiting, links = "/", _names(path), 0
        while waiting:
            name = waiting.pop(0)
            if name == "..":
                real = os.path.dirname(real)
                continue
            step = os.path.join(real, name)
            if not os.path.islink(step):
                real = step
                continue
            target, links = os.readlink(step), links + 1
            if links > MAX_LINKS:
                return
            self._make_link(step, target)
            waiting[:0] = _names(target)
            real = "/" if os.path.isabs(target) else real
        if os.path.exists(real) and not self._is_shown(real):
            self._bind(real)

    def _is_shown(self, path: str) -> bool:
        while path not in self._shown and path != "/":
            path = os.path.dirname(path)
        return path in self._shown

    def _make_link(self, path: str, target: str) -> None:
        there = self._folder + path
        if not self._is_shown(path) and not os.path.lexists(there):
            os.makedirs(os.path.dirname(there), exist_ok=True)
            os.symlink(target, there)

    def _bind(self, path: str) -> None:
        there = self._folder + path
        if os.path.isdir(path):
            os.makedirs(there, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(there), exist_ok=True)
            os.close(os.open(there, os.O_CREAT))
        _mount(path, there, None, BIND | RECURSIVE)
        self._shown.add(path)


def _names(path: str) -> List[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


def _unshare(what: int) -> None:
    _raise_if_failed(_libc().unshare(what))


def _mount(source: object, target: str, kind: object, flags: int, options: str = "") -> None:
    names = (
        os.fsencode(name) if isinstance(name, str) else None for name in (source, target, kind)
    )
    _raise_if_failed(_libc().mount(*names, ctypes.c_ulong(flags), options.encode() or None))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _raise_if_failed(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
