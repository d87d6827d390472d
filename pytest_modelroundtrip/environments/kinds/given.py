"""A specification as a user wrote it, taken apart as far as all kinds agree."""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

Variables = tuple[tuple[str, str], ...]  # names and values


class SpecificationError(ValueError):
    """A specification that cannot be read. The text says why."""


class UnknownFormError(SpecificationError):
    """It has the form of no kind. What is shown says which forms there are."""


class Gateway(NamedTuple):
    """What a specification of execnet says."""

    ssh: tuple[str, ...]  # the arguments of ssh; none for this machine
    words: tuple[str, ...]  # of the command that is or ends in a Python; none where it is left out


@dataclass(frozen=True)
class Specification:
    """A specification.

    Attributes:
        text: the whole.
        main: without the variables at its end.
        variables: the environment variables that it sets.
        folder: where relative paths start.
        gateway: what it says if it is one of execnet; else None.
    """

    text: str
    main: str
    variables: Variables
    folder: Path
    gateway: Gateway | None

    def absolute(self, path: str) -> Path:
        """The path with its links not resolved: a virtual environment's Python is one."""
        return self.folder / os.path.expanduser(path)

    def interpreter(self, path: str) -> str:
        """The Python at that path, which may be a virtual environment.

        A name without a folder is looked for in PATH, as a shell does.
        """
        found = shutil.which(path) if "/" not in path else None
        absolute = self.absolute(path)
        if os.path.isdir(absolute):
            return str(absolute / "bin" / "python")
        return found or str(absolute)


def split(text: str) -> list[str]:
    """The words of a text, as a shell splits it."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise SpecificationError(f"unbalanced quotes: {error}") from None
