"""A Python, or a command, on a host that ssh reaches."""

from __future__ import annotations

import shlex
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from .. import launch, shell
from . import HOME_AND_TMPDIR, Missing, Startable
from .given import Specification, SpecificationError

NAMES_OF_A_HOST = ("PATH", "LANG", "LD_LIBRARY_PATH")  # which has values of its own for them

SSH = (
    *("ssh", "-C", "-o", "BatchMode=yes"),
    *("-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15"),
)


@dataclass(frozen=True, kw_only=True)
class Host(Startable):
    """A Python on a host that ssh reaches; what is started there differs in subclasses.

    Attributes:
        ssh: the arguments of ssh; the last one is the host.
    """

    ssh: tuple[str, ...]

    @abstractmethod
    def remote_command(self, *arguments: str) -> str:
        """What the host's shell runs: its Python with these arguments."""

    @property
    def description(self) -> str:
        """The host and the command."""
        return f"{self.ssh[-1]}: {super().description}"

    def command_line(self, scratch: Path) -> list[str]:
        """The ssh command with execnet's bootstrap in it.

        execnet adds arguments of its own at the end, where ssh would take them unquoted. The
        script leaves them out: the remote command has them.
        """
        from execnet.gateway_io import popen_bootstrapline

        remote = self.remote_command("-u", "-c", launch.SUPERVISED + popen_bootstrapline)
        script = launch.IN_SCRATCH + 'eval "exec $2"'
        return ["sh", "-c", script, "sh", str(scratch), shlex.join([*SSH, *self.ssh, remote])]

    def reproduce_command(self, folder: str, *arguments: str) -> str:
        """The folder goes through ssh into a temporary one, where its reload starts."""
        reload = self.remote_command("reload.pyz", *arguments)
        there = f'cd "$(mktemp -d)" && tar x && {reload}'
        ssh = shlex.join(["ssh", *self.ssh, there])
        return shell.one_line(f"tar c -C {shlex.quote(folder)} . | {ssh}")

    def install_hint(self, missing: Missing) -> str:
        """The command that installs it on the host."""
        return f"Install it on {self.ssh[-1]}: {self._install_command(missing.requirement)}"


@dataclass(frozen=True, kw_only=True)
class HostPython(Host):
    """An interpreter on a host.

    Attributes:
        python: its path, or its name in `PATH` there.
    """

    form: ClassVar[str] = "an execnet gateway such as 'ssh=host//python=/opt/venv/bin/python'"
    python: str

    @classmethod
    def parsed(cls, given: Specification) -> HostPython | None:
        """A gateway of a host with at most one word."""
        if given.gateway is None or not given.gateway.ssh or len(given.gateway.words) > 1:
            return None
        ssh, words = given.gateway
        (python,) = words or ("python3",)
        if "/" in python and not python.startswith("/"):
            raise SpecificationError(
                f"{python}: on a host, name a Python by its full path, or by a name in PATH there"
            )
        return cls(text=given.text, variables=given.variables, ssh=ssh, python=python)

    @property
    def command(self) -> tuple[str, ...]:
        """The path or name alone."""
        return (self.python,)

    def remote_command(self, *arguments: str) -> str:
        """A check of its version, then the interpreter with clean variables."""
        passed = " ".join(shell.references([*NAMES_OF_A_HOST, *self.chosen_variables()]))
        script = (
            'test -e reload.pyz || cd /; "$2" -Esc "$1" >&2 || exit; shift 2; '
            f'exec env -i {HOME_AND_TMPDIR} {passed} "$@"'
        )
        start = [*self._assignments(), self.python, "-s", *arguments]
        return shlex.join(["sh", "-c", script, "sh", launch.CHECK_VERSION, self.python, *start])


@dataclass(frozen=True, kw_only=True)
class HostCommand(Host):
    """A command of several words on a host, which ends in a Python.

    Attributes:
        words: the command.
    """

    words: tuple[str, ...]

    @classmethod
    def parsed(cls, given: Specification) -> HostCommand | None:
        """A gateway of a host with several words."""
        if given.gateway is None or not given.gateway.ssh or len(given.gateway.words) < 2:
            return None
        ssh, words = given.gateway
        return cls(text=given.text, variables=given.variables, ssh=ssh, words=words)

    @property
    def command(self) -> tuple[str, ...]:
        """The words."""
        return self.words

    def remote_command(self, *arguments: str) -> str:
        """The command, as clean as it makes its Python."""
        return shlex.join([*self.words, *arguments])
