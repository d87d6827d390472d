"""A Python of this machine."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from .. import launch, shell
from . import HOME_AND_TMPDIR, Startable
from .given import Specification


@dataclass(frozen=True, kw_only=True)
class LocalPython(Startable):
    """An interpreter of this machine.

    Attributes:
        python: its path.
    """

    form: ClassVar[str] = "the path of a Python or of a virtual environment"
    is_local: ClassVar[bool] = True
    python: str

    @classmethod
    def parsed(cls, given: Specification) -> LocalPython | None:
        """A path, or a gateway of this machine with at most one word."""
        path = given.main
        if given.gateway is not None:
            ssh, words = given.gateway
            if ssh or len(words) > 1:
                return None
            (path,) = words or (sys.executable,)
        elif not _is_path(given):
            return None
        return cls(text=given.text, variables=given.variables, python=given.interpreter(path))

    @property
    def command(self) -> tuple[str, ...]:
        """The path alone."""
        return (self.python,)

    def start_problem(self) -> str | None:
        """That it does not exist."""
        if os.path.exists(self.python):
            return None
        return (
            f"there is no Python at {self.python}; give the path of an interpreter or of a "
            "virtual environment"
        )

    def command_line(self, scratch: Path) -> list[str]:
        """A check of its version, then the interpreter with clean variables."""
        script = (
            launch.IN_SCRATCH + '"$3" -Esc "$2" >&2 || exit; shift 3; '
            'exec env -i HOME="$PWD" TMPDIR="$PWD" '
            f'{" ".join(shell.references(self.chosen_variables()))} "$@"'
        )
        arguments = [launch.CHECK_VERSION, self.python, *self._assignments(), self.python, "-s"]
        return ["sh", "-c", script, "sh", str(scratch), *arguments]

    def reproduce_command(self, folder: str, *arguments: str) -> str:
        """The interpreter with clean variables, in that folder."""
        variables = [text for text in self._assignments() if not text.startswith("PATH=")]
        start = shlex.join([*variables, self.python, "-s", "reload.pyz", *arguments])
        passed = " ".join(['PATH="$PATH"', *shell.references(self.chosen_variables())])
        clean = f"env -i {HOME_AND_TMPDIR} {passed}"
        return shell.one_line(f"cd {shlex.quote(folder)} && {clean} {start}")


def _is_path(given: Specification) -> bool:
    main = given.main
    if main.startswith(("/", "./", "../", "~")) or shutil.which(main):
        return True
    if "://" in main:  # a requirement by its address
        return False
    return len(main.split()) == 1 and ("/" in main or os.path.exists(given.absolute(main)))


class ThisPython(LocalPython):
    """The interpreter of the tests. Another environment may name the same Python by its path."""

    is_this_interpreter: ClassVar[bool] = True


HERE = ThisPython(text="this interpreter, started clean", python=sys.executable)
