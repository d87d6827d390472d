"""Requirements, from which a virtual environment is created."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from . import Kind, Missing, Startable
from .given import Specification, SpecificationError, UnknownFormError, split
from .local import LocalPython

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from ..provisioning import Notify


@dataclass(frozen=True, kw_only=True)
class Requirements(Kind):
    """Requirements, from which a virtual environment is created (see `provisioning`).

    Attributes:
        arguments: of `uv pip install`.
        python: the interpreter that uv is asked for; "" for the version of this one.
    """

    form: ClassVar[str] = (
        "requirements such as 'python==3.11 tensorflow-cpu==2.15.1' or '-r requirements.txt'"
    )
    arguments: tuple[str, ...]
    python: str = ""

    @classmethod
    def parsed(cls, given: Specification) -> Requirements | None:
        """Whatever is no gateway of execnet; whether it is a path was asked before."""
        if given.gateway is not None:
            return None
        words, arguments, python = split(given.main), [], ""
        while words:
            word = words.pop(0)
            if word in ("-r", "--requirement"):
                if not words:
                    raise SpecificationError("a file is expected after -r")
                path = given.absolute(words.pop(0))
                python = python or _python_of(path)
                arguments += ["-r", str(path)]
                continue
            requirement = _requirement(word)
            if requirement.name.lower() == "python":
                python = str(requirement.specifier)
            elif re.fullmatch(r"python[\d.]+", word):
                raise SpecificationError(
                    f"{word} is not a requirement, nor a Python in PATH; "
                    f"write python=={word[6:]} to have one created"
                )
            else:
                arguments.append(word)
        if not arguments:
            raise SpecificationError("it names a Python and nothing to install there")
        python = re.sub(r"^==(?=[\d.]+$)", "", python)
        return cls(
            text=given.text,
            variables=given.variables,
            arguments=tuple(arguments),
            python=python,
        )

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

    def install_hint(self, missing: Missing) -> str:
        """What to add to the specification."""
        requirement, environment = missing
        return f"Add {requirement!r} to the requirements of environment {environment!r}."


def _requirement(word: str) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(word)
    except InvalidRequirement:
        raise UnknownFormError(
            f"{word!r} is neither a path that exists nor a requirement (PEP 508)"
        ) from None


def _python_of(path: Path) -> str:
    """The Python that the comment `# python==3.11` in a requirements file asks for.

    The files beside kept artifacts have one.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8
        reason = getattr(error, "strerror", None) or error
        raise SpecificationError(f"{path} cannot be read: {reason}") from None
    found = re.search(r"^#\s*python\s*([<>=!~][\d.,<>=!~*]*)\s*$", content, re.MULTILINE)
    return found[1] if found else ""
