"""The kinds of environment: each has its own command line, variables and hints.

A kind has a module of its own in this folder, and reads the specifications that have its form.
Nothing is started by making one.
"""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from .. import launch, passed_variables
from .given import Specification, Variables

if TYPE_CHECKING:
    from ..provisioning import Notify

# a home, and where to make temporary folders: a reload makes its own, and removes it
HOME_AND_TMPDIR = 'HOME="$PWD" TMPDIR="${TMPDIR:-/tmp}"'


class Missing(NamedTuple):
    """What an environment lacks."""

    requirement: str  # as pip takes it
    environment: str  # its name


@dataclass(frozen=True, kw_only=True)
class Kind(ABC):
    """What an environment is declared as.

    Attributes:
        text: the specification.
        variables: the environment variables that it sets.
        pass_env: the names of others that it gets from this process; `*` may stand in them.
        hash_seed: of Python, where it is not the usual one. That of a container is random, unless
            its command sets it.
    """

    form: ClassVar[str] = ""  # what a user writes; "" where that of another kind says it
    # whether it runs on this machine, with its file system, and not in a container
    is_local: ClassVar[bool] = False
    is_this_interpreter: ClassVar[bool] = False  # whether it is that of the tests, started clean

    text: str
    variables: Variables = ()
    pass_env: tuple[str, ...] = ()
    hash_seed: str = ""

    @classmethod
    @abstractmethod
    def parsed(cls, given: Specification) -> Kind | None:
        """What that specification declares; None where it is of another kind.

        Raises:
            SpecificationError: where it is of this kind, and cannot be read.
        """

    @property
    @abstractmethod
    def description(self) -> str:
        """What is started, and where, for people."""

    @abstractmethod
    def resolved(self, notify: Notify) -> Startable:
        """The kind that can be started; it is created now where it does not exist yet.

        Raises:
            ProvisioningError: when it cannot be created.
        """

    @abstractmethod
    def install_hint(self, missing: Missing) -> str:
        """What to do to have what is missing in the environment."""


class Startable(Kind):
    """A kind that has an interpreter."""

    @property
    @abstractmethod
    def command(self) -> tuple[str, ...]:
        """The words that start its Python, without arguments."""

    @abstractmethod
    def reproduce_command(self, folder: str, *arguments: str) -> str:
        """The command that reloads what is in `folder` (an artifact, its `job`, `reload.pyz`).

        The arguments are those of `reload.pyz`.
        """

    @abstractmethod
    def command_line(self, scratch: Path) -> list[str]:
        """What is started on this machine, with that folder for its log.

        `cd` and `env -i` come before the interpreter starts: after that, neither a hash seed nor
        a module that was imported from the current folder can be undone.
        """

    @property
    def description(self) -> str:
        """What is started, for people."""
        return " ".join(self.command)

    def resolved(self, notify: Notify) -> Startable:  # noqa: ARG002
        """Itself."""
        return self

    def start_problem(self) -> str | None:
        """Why it cannot be started, where this can be seen beforehand."""
        return None

    def clean_variables(self) -> dict[str, str]:
        """The environment variables that it is started with; their values may be shown."""
        return {
            "TF_CPP_MIN_LOG_LEVEL": "1",
            **passed_variables.known(self.is_local),
            "PYTHONHASHSEED": self.hash_seed or launch.hash_seed(),
            "PYTHONUTF8": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **dict(self.variables),
        }

    def chosen_variables(self) -> dict[str, str]:
        """Those that it gets besides, by `pass_env`; their values are shown nowhere."""
        chosen = passed_variables.chosen(self.pass_env)
        return {
            name: chosen[name] for name in sorted(chosen.keys() - self.clean_variables().keys())
        }

    def install_hint(self, missing: Missing) -> str:
        """The command that installs it."""
        return f"Install it there: {self._install_command(missing.requirement)}"

    def _install_command(self, requirement: str) -> str:
        install = shlex.join([*self.command, "-m", "pip", "install"])
        return f"{install} {shlex.quote(requirement)}"

    def _assignments(self) -> list[str]:
        return [f"{name}={value}" for name, value in self.clean_variables().items()]
