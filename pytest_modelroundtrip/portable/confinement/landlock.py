"""Landlock: a process of Linux limits itself, and all that it starts, to some paths.

No privileges are needed. What may be limited has grown since Linux 5.13; the kernel tells a version
of its interface (ABI), and is asked for what that version knows.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from typing import Sequence

from ..processes import forked_trial

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, on every architecture
VERSION_FLAG, PATH_BENEATH = 1, 1
NO_NEW_PRIVILEGES = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, MAKE_CHAR, MAKE_BLOCK = (
    1 << bit for bit in (0, 1, 2, 3, 6, 11)
)
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
FIRST = (1 << 13) - 1  # what ABI 1 knows: these, and to make and remove each kind of file
ADDED = {2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}  # by the ABI that brought it
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # the rest is of folders
READING = EXECUTE | READ_FILE | READ_DIR
CHANGING = WRITE_FILE | TRUNCATE | IOCTL_DEV
# a device that root makes would lead past every rule
WRITING = (FIRST | REFER | TRUNCATE) & ~(MAKE_CHAR | MAKE_BLOCK)
NETWORK_ABI, TCP = 4, 3  # bind and connect
SCOPES_ABI, SCOPES = 6, 3  # abstract sockets and signals

MOVES_ABI = 2  # before it, no file can be moved to another folder


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def abi() -> int:
    """The version of the kernel's interface.

    Raises:
        OSError: where the kernel has no Landlock, or does not grant it.
    """
    if sys.platform != "linux":
        raise OSError("only Linux has it")
    refusal = forked_trial.refusal(_abi)
    if refusal:
        raise OSError(refusal)
    return _abi()


def _abi() -> int:
    return _call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION_FLAG))


def restrict(
    readable: Sequence[str], writable: Sequence[str], changeable: Sequence[str], version: int
) -> None:
    """Limit this thread, and what it starts from now on, to these paths, without network.

    Args:
        readable: files and folders whose files may be read and executed.
        writable: files and folders that may be read and written.
        changeable: files, and folders whose files, may be read and written, but neither made
            nor deleted.
        version: what `abi` returned.

    Raises:
        OSError: where the kernel refuses; then nothing is limited.
    """
    handled = FIRST
    for since, right in ADDED.items():
        handled |= right if version >= since else 0
    wanted = _Ruleset(
        handled, TCP if version >= NETWORK_ABI else 0, SCOPES if version >= SCOPES_ABI else 0
    )
    # an older kernel refuses a longer record than it knows
    size = 8 * (3 if version >= SCOPES_ABI else 2 if version >= NETWORK_ABI else 1)
    ruleset = _call(CREATE_RULESET, ctypes.byref(wanted), ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for paths, rights in (
            (readable, READING), (writable, READING | WRITING), (changeable, READING | CHANGING),
        ):  # fmt: skip
            for path in paths:
                _allow(ruleset, path, rights & handled)
        forbid_privileges()
        _call(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def forbid_privileges() -> None:
    """No program that is started from now on has more privileges than this one, such as sudo."""
    if ctypes.CDLL(None, use_errno=True).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise _error()


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # it is not there
    try:
        if not stat.S_ISDIR(os.fstat(parent).st_mode):
            rights &= OF_FILES
        rule = _PathBeneath(rights, parent)
        kind, flags = ctypes.c_int(PATH_BENEATH), ctypes.c_uint32(0)
        _call(ADD_RULE, ctypes.c_int(ruleset), kind, ctypes.byref(rule), flags)
    finally:
        os.close(parent)


def _call(number: int, *arguments: object) -> int:
    result = int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise _error()
    return result


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
