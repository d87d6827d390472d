"""A command of several words, such as one that starts a container."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from .. import launch, passed_variables, shell
from . import Startable
from .given import Specification


@dataclass(frozen=True, kw_only=True)
class Command(Startable):
    """A command of several words that ends in a Python: `docker run -i --rm IMAGE python`.

    Attributes:
        words: the command.
    """

    words: tuple[str, ...]

    @classmethod
    def parsed(cls, given: Specification) -> Command | None:
        """A gateway of this machine with several words."""
        if given.gateway is None or given.gateway.ssh or len(given.gateway.words) < 2:
            return None
        first, *others = given.gateway.words
        first = given.interpreter(first) if "/" in first else first
        return cls(text=given.text, variables=given.variables, words=(first, *others))

    @property
    def command(self) -> tuple[str, ...]:
        """The words."""
        return self.words

    def command_line(self, scratch: Path) -> list[str]:
        """The command without this Python's own variables.

        What starts on this machine (`nice python`) must not see them; a container does not anyway.
        """
        names = " ".join(passed_variables.of_python())
        script = (
            launch.IN_SCRATCH + f"unset {names}; "
            f'export PYTHONHASHSEED={self.hash_seed or launch.hash_seed()}; shift; exec "$@"'
        )
        return ["sh", "-c", script, "sh", str(scratch), *self.words, "-s"]

    def reproduce_command(self, folder: str, *arguments: str) -> str:
        """The command; how it reaches that folder, only the user knows."""
        start = shlex.join([*self.words, "-s", "reload.pyz", *arguments])
        where = shell.quoted_in_a_comment(folder)
        return f"{shell.one_line(start)}  # where {where} is the current folder"
