"""Pieces of command lines for a POSIX shell, which a user may copy from a terminal."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable

PRINTF_SPECIAL = b"\\%'!"  # `!` is special in an interactive bash


def references(names: Iterable[str]) -> list[str]:
    """Arguments of `env` that pass these variables on, where they are set, without their values."""
    return [f'${{{name}+"{name}=${name}"}}' for name in names]


def one_line(command: str) -> str:
    """The same command in one line of printable characters, whatever it holds.

    A newline cannot be copied from an indented text, nor a byte that is not UTF-8 from a report.
    """
    if command.isprintable():
        return command
    octal = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in PRINTF_SPECIAL else f"\\{byte:03o}"
        for byte in os.fsencode(command)
    )
    return f"eval \"$(printf '{octal}')\""


def quoted_in_a_comment(text: str) -> str:
    """The text as a shell would need it, without what would end the comment that it stands in."""
    quoted = shlex.quote(text)
    return quoted if quoted.isprintable() else ascii(text)
