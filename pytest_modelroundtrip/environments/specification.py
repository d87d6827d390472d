"""The text of a specification -> a kind of environment. Nothing is started here."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..portable import FOLDERS
from .kinds import Kind, Variables
from .kinds.command import Command
from .kinds.host import HostCommand, HostPython
from .kinds.local import LocalPython
from .kinds.requirements import Requirements

if TYPE_CHECKING:
    import execnet
    from packaging.requirements import Requirement

# of an environment: a part of a test's id, and of the name of a folder
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]{0,99}")
FORMS = (
    "a specification is the path of a Python or of a virtual environment, requirements such as "
    "'python==3.11 tensorflow-cpu==2.15.1' or '-r requirements.txt', or an execnet gateway such as "
    "'ssh=host//python=/opt/venv/bin/python'"
)
GATEWAY_KEYS = ("ssh", "ssh_config", "popen", "python")  # those of execnet's that are used
GATEWAY_KEYS_WITH_VALUE = ("ssh", "ssh_config", "python")


class SpecificationError(ValueError):
    """A specification that cannot be read. The text says why."""


def parse(text: str, folder: Path) -> Kind:
    """The kind of environment that a specification declares.

    Args:
        text: the specification.
        folder: where relative paths start.

    Raises:
        SpecificationError: when it cannot be read.
    """
    _check_characters(text)
    main, variables = _without_variables(text.strip())
    if not main:
        raise SpecificationError(f"it is empty; {FORMS}")
    key = re.split(r"[=/]", main, maxsplit=1)[0]
    if key in ("popen", "ssh"):
        return _gateway(text, main, variables, folder)
    if key in ("socket", "vagrant_ssh") and main.startswith(f"{key}="):
        raise SpecificationError(f"{key} gateways cannot be started clean; popen and ssh can")
    if _is_path(main, folder):
        return LocalPython(text=text, variables=variables, python=_interpreter(main, folder))
    return _requirements(text, main, variables, folder)


def _check_characters(text: str) -> None:
    """No path, argument or environment variable can hold what is refused here."""
    if "\0" in text:
        raise SpecificationError("it contains a NUL character")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise SpecificationError(f"it contains {text[error.start]!r}, a lone surrogate") from None


def _without_variables(text: str) -> tuple[str, Variables]:
    """The specification proper, and the environment variables after it."""
    main, *rest = re.split(r"//(?=env:)", text)
    variables = []
    for part in rest:
        found = re.fullmatch(r"env:([A-Za-z_][A-Za-z0-9_]*)=(.*)", part, re.DOTALL)
        if not found or re.search(rf"//(popen(//|$)|({'|'.join(GATEWAY_KEYS)})=)", found[2]):
            raise SpecificationError(f"{part!r}: env:NAME=value is expected, after all else")
        if found[1] in FOLDERS:
            raise SpecificationError(
                f"{found[1]} is an empty folder in a clean interpreter, made anew for each reload"
            )
        variables.append((found[1], found[2]))
    return main.strip(), tuple(variables)


def _gateway(text: str, main: str, variables: Variables, folder: Path) -> Kind:
    import execnet

    try:
        spec = execnet.XSpec(main)
    except (AttributeError, ValueError, IndexError) as error:
        raise SpecificationError(f"execnet cannot read it: {error}") from None
    _check_keys(spec)
    words = _words("python", spec.python) if spec.python else ()
    if spec.ssh:
        return _host(text, spec, words or ("python3",), variables, folder)
    words = words or (sys.executable,)
    if len(words) == 1:
        python = _interpreter(words[0], folder)
        return LocalPython(text=text, variables=variables, python=python)
    first = _interpreter(words[0], folder) if "/" in words[0] else words[0]
    return Command(text=text, variables=variables, words=(first, *words[1:]))


def _check_keys(spec: execnet.XSpec) -> None:
    unused = sorted(set(vars(spec)) - {*GATEWAY_KEYS, "env", "_spec"})
    if unused:
        choices = ", ".join((*GATEWAY_KEYS, "env"))
        raise SpecificationError(f"{', '.join(unused)}: not used; choose from {choices}")
    if spec.popen and spec.ssh:
        raise SpecificationError("popen and ssh: choose one of them")
    for name in GATEWAY_KEYS_WITH_VALUE:
        if vars(spec).get(name, name) in (True, ""):
            raise SpecificationError(f"{name} has no value: {name}=... is expected")


def _words(name: str, value: str) -> tuple[str, ...]:
    """The words of a key's value."""
    words = tuple(_split(value))
    if not "".join(words).strip():
        raise SpecificationError(f"{name} has no value: {name}=... is expected")
    return words


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise SpecificationError(f"unbalanced quotes: {error}") from None


def _host(
    text: str, spec: execnet.XSpec, words: tuple[str, ...], variables: Variables, folder: Path
) -> Kind:
    ssh = _words("ssh", spec.ssh or "")
    if spec.ssh_config:
        ssh = ("-F", str(_absolute(spec.ssh_config, folder)), *ssh)
    if len(words) > 1:
        return HostCommand(text=text, variables=variables, ssh=ssh, words=words)
    (python,) = words
    if "/" in python and not python.startswith("/"):
        raise SpecificationError(
            f"{python}: on a host a Python is named by its whole path, or found in PATH there"
        )
    return HostPython(text=text, variables=variables, ssh=ssh, python=python)


def _is_path(main: str, folder: Path) -> bool:
    if main.startswith(("/", "./", "../", "~")) or shutil.which(main):
        return True
    if "://" in main:  # a requirement by its address
        return False
    return len(main.split()) == 1 and ("/" in main or os.path.exists(_absolute(main, folder)))


def _interpreter(path: str, folder: Path) -> str:
    """The Python at that path, which may be a virtual environment.

    A name without a folder is looked for in PATH, as a shell does.
    """
    found = shutil.which(path) if "/" not in path else None
    absolute = _absolute(path, folder)
    if os.path.isdir(absolute):
        return str(absolute / "bin" / "python")
    return found or str(absolute)


def _absolute(path: str, folder: Path) -> Path:
    """The path with its links not resolved: a virtual environment's Python is one."""
    return folder / os.path.expanduser(path)


def _requirements(text: str, main: str, variables: Variables, folder: Path) -> Kind:
    words = _split(main)
    python = ""
    arguments: list[str] = []
    while words:
        word = words.pop(0)
        if word in ("-r", "--requirement"):
            if not words:
                raise SpecificationError("a file is expected after -r")
            path = _absolute(words.pop(0), folder)
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
    return Requirements(text=text, variables=variables, arguments=tuple(arguments), python=python)


def _requirement(word: str) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(word)
    except InvalidRequirement:
        raise SpecificationError(
            f"{word!r} is neither a path that exists nor a requirement (PEP 508); {FORMS}"
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
