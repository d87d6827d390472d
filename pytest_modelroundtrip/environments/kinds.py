"""The kinds of environment: each has its own command line, variables and hints.

To add a kind, write its class in a module beside this one and return it from
`specification.parse`. Nothing is started or looked for by making one.
"""

from __future__ import annotations

import os
import shlex
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from . import launch, shell
from . import variables as environment_variables

if TYPE_CHECKING:
    from .provisioning import Notify

Variables = tuple[tuple[str, str], ...]  # names and values

# a home, and where to make temporary folders: a reload makes its own, and removes it
HOME_AND_TMPDIR = 'HOME="$PWD" TMPDIR="${TMPDIR:-/tmp}"'
NAMES_OF_A_HOST = ("PATH", "LANG", "LD_LIBRARY_PATH")  # which has values of its own for them

SSH = (
    *("ssh", "-C", "-o", "BatchMode=yes"),
    *("-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15"),
)


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

    text: str
    variables: Variables = ()
    pass_env: tuple[str, ...] = ()
    hash_seed: str = ""

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
    def reproduce_command(self, folder: str, *arguments: str) -> str:
        """The command that reloads what is in `folder` (an artifact, its `job`, `reload.pyz`).

        The arguments are those of `reload.pyz`.
        """

    @abstractmethod
    def install_hint(self, requirement: str, environment: str) -> str:
        """What to do to have `requirement` in this environment, which has that name."""


class Startable(Kind):
    """A kind that has an interpreter."""

    # whether it runs on this machine, with its file system, and not in a container
    is_local: ClassVar[bool] = False

    @property
    @abstractmethod
    def command(self) -> tuple[str, ...]:
        """The words that start its Python, without arguments."""

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
            **environment_variables.known(self.is_local),
            "PYTHONHASHSEED": self.hash_seed or launch.hash_seed(),
            "PYTHONUTF8": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **dict(self.variables),
        }

    def chosen_variables(self) -> dict[str, str]:
        """Those that it gets besides, by `pass_env`; their values are shown nowhere."""
        chosen = environment_variables.chosen(self.pass_env)
        return {
            name: chosen[name] for name in sorted(chosen.keys() - self.clean_variables().keys())
        }

    def install_hint(self, requirement: str, environment: str) -> str:  # noqa: ARG002
        """The command that installs it."""
        return f"Install it there: {self._install_command(requirement)}"

    def _install_command(self, requirement: str) -> str:
        install = shlex.join([*self.command, "-m", "pip", "install"])
        return f"{install} {shlex.quote(requirement)}"

    def _assignments(self) -> list[str]:
        return [f"{name}={value}" for name, value in self.clean_variables().items()]


@dataclass(frozen=True, kw_only=True)
class LocalPython(Startable):
    """An interpreter of this machine.

    Attributes:
        python: its path.
    """

    is_local: ClassVar[bool] = True
    python: str

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


@dataclass(frozen=True, kw_only=True)
class Command(Startable):
    """A command of several words that ends in a Python: `docker run -i --rm IMAGE python`.

    Attributes:
        words: the command.
    """

    words: tuple[str, ...]

    @property
    def command(self) -> tuple[str, ...]:
        """The words."""
        return self.words

    def command_line(self, scratch: Path) -> list[str]:
        """The command without this Python's own variables.

        What starts on this machine (`nice python`) must not see them; a container does not anyway.
        """
        names = " ".join(environment_variables.of_python())
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

    def install_hint(self, requirement: str, environment: str) -> str:  # noqa: ARG002
        """The command that installs it on the host."""
        return f"Install it on {self.ssh[-1]}: {self._install_command(requirement)}"


@dataclass(frozen=True, kw_only=True)
class HostPython(Host):
    """An interpreter on a host.

    Attributes:
        python: its path, or its name in `PATH` there.
    """

    python: str

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

    @property
    def command(self) -> tuple[str, ...]:
        """The words."""
        return self.words

    def remote_command(self, *arguments: str) -> str:
        """The command, as clean as it makes its Python."""
        return shlex.join([*self.words, *arguments])


@dataclass(frozen=True, kw_only=True)
class Requirements(Kind):
    """Requirements, from which a virtual environment is created (see `provisioning`).

    Attributes:
        arguments: of `uv pip install`.
        python: the interpreter that uv is asked for; "" for the version of this one.
    """

    arguments: tuple[str, ...]
    python: str = ""

    @property
    def description(self) -> str:
        """The specification."""
        return self.text

    def resolved(self, notify: Notify) -> Startable:
        """The Python of the virtual environment, which is created once."""
        from . import provisioning  # only with requirements: it imports subprocess

        packages = provisioning.Packages(self.arguments, self.python)
        python = provisioning.interpreter(packages, notify)
        return LocalPython(
            text=self.text,
            variables=self.variables,
            pass_env=self.pass_env,
            hash_seed=self.hash_seed,
            python=python,
        )

    def reproduce_command(self, folder: str, *arguments: str) -> str:  # noqa: ARG002
        """No command: there is no interpreter yet."""
        return ""

    def install_hint(self, requirement: str, environment: str) -> str:
        """What to add to the specification."""
        return f"Add {requirement!r} to the requirements of environment {environment!r}."


HERE = LocalPython(text="this interpreter, started clean", python=sys.executable)
