"""Requirements, from which a virtual environment is created."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import Kind, Startable
from .local import LocalPython

if TYPE_CHECKING:
    from ..provisioning import Notify


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
        from .. import provisioning  # only with requirements: it imports subprocess

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
