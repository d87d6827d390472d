"""What is said of an environment -> what starts it. Nothing is started or looked for here."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import execnet
from packaging.requirements import InvalidRequirement, Requirement

from .portable import FOLDERS

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]*")  # it becomes part of a test's id
FORMS = (
    "a specification is the path of a Python or of a virtual environment, requirements such as "
    "'python==3.11 tensorflow-cpu==2.15.1' or '-r requirements.txt', or an execnet gateway such as "
    "'ssh=host//python=/opt/venv/bin/python'"
)


GATEWAY = ("popen", "ssh", "ssh_config", "python")  # what is used of execnet's keys


class Unreadable(ValueError):
    """A specification that says nothing; the text tells why."""


@dataclass(frozen=True)
class Specification:
    """What starts an interpreter: a command, to be run here or on a host, or requirements from which one is made first.

    `command` is one word for an interpreter, several for what ends in one (`docker run -i --rm IMAGE python`).
    """

    text: str
    command: tuple[str, ...] = ()
    host: tuple[str, ...] = ()  # the arguments of ssh
    requirements: tuple[str, ...] = ()  # the arguments of `uv pip install`
    python: str = ""  # the interpreter that uv is asked for
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def local(self) -> bool:
        """Whether it is an interpreter of this machine, not a container or on a host."""
        return not self.host and len(self.command) <= 1


HERE = Specification("this interpreter, started clean", command=(sys.executable,))


def parse(text: str, folder: Path) -> Specification:
    """Read a specification; relative paths start from `folder`.

    Raises:
        Unreadable: when it is none.
    """
    what, variables = _without_variables(text.strip())
    if not what:
        raise Unreadable(f"it is empty; {FORMS}")
    kind = re.split(r"[=/]", what, maxsplit=1)[0]
    if kind in ("popen", "ssh"):
        return _gateway(text, what, variables, folder)
    if kind in ("socket", "vagrant_ssh") and what.startswith(f"{kind}="):
        raise Unreadable(f"{kind} gateways cannot be started clean; popen and ssh can")
    if _is_path(what, folder):
        return Specification(text, command=(_interpreter(what, folder),), variables=variables)
    return _requirements(text, what, variables, folder)


def _without_variables(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The specification proper, and the environment variables after it."""
    what, *rest = re.split(r"//(?=env:)", text)
    variables = []
    for part in rest:
        found = re.fullmatch(r"env:([A-Za-z_][A-Za-z0-9_]*)=(.*)", part, re.DOTALL)
        if not found or re.search(rf"//(popen(//|$)|({'|'.join(GATEWAY)})=)", found[2]):
            raise Unreadable(f"{part!r}: env:NAME=value is expected, after all else")
        if found[1] in FOLDERS:
            raise Unreadable(f"{found[1]} is an empty folder in a clean interpreter, made anew for each reload")
        variables.append((found[1], found[2]))
    return what.strip(), tuple(variables)


def _gateway(text: str, what: str, variables: tuple[tuple[str, str], ...], folder: Path) -> Specification:
    try:
        spec = execnet.XSpec(what)
    except (AttributeError, ValueError, IndexError) as error:
        raise Unreadable(f"execnet cannot read it: {error}") from None
    unused = sorted(set(vars(spec)) - {*GATEWAY, "env", "_spec"})
    if unused or (spec.popen and spec.ssh):
        raise Unreadable(
            f"{', '.join(unused) or 'popen and ssh together'}: not used; what is are ssh, ssh_config, popen, python, env"
        )
    for name in GATEWAY[1:]:  # popen needs none
        if vars(spec).get(name, name) in (True, ""):
            raise Unreadable(f"{name} has no value: {name}=... is expected")
    try:
        command = tuple(shlex.split(spec.python)) if spec.python else ("python3",) if spec.ssh else (sys.executable,)
        host = tuple(shlex.split(spec.ssh)) if spec.ssh else ()
    except ValueError as error:
        raise Unreadable(f"its quotes are open: {error}") from None
    if host:
        if len(command) == 1 and "/" in command[0] and not command[0].startswith("/"):
            raise Unreadable(f"{command[0]}: on a host a Python is named by its whole path, or found in PATH there")
        config = ("-F", str(_resolved(spec.ssh_config, folder))) if spec.ssh_config else ()
        return Specification(text, command, host=(*config, *host), variables=variables)
    started = _interpreter(command[0], folder) if len(command) == 1 or "/" in command[0] else command[0]
    return Specification(text, (started, *command[1:]), variables=variables)


def _is_path(what: str, folder: Path) -> bool:
    if what.startswith(("/", "./", "../", "~")) or shutil.which(what):
        return True
    if "://" in what:  # a requirement by its address
        return False
    return len(what.split()) == 1 and ("/" in what or os.path.exists(_resolved(what, folder)))


def _interpreter(what: str, folder: Path) -> str:
    """Of a virtual environment its Python. A name without a folder is looked for in PATH, as a shell does."""
    found = shutil.which(what) if "/" not in what else None
    path = _resolved(what, folder)
    if os.path.isdir(path):
        return str(path / "bin" / "python")
    return found or str(path)


def _resolved(what: str, folder: Path) -> Path:
    """Absolute, without resolving links: a virtual environment's Python is one."""
    return folder / os.path.expanduser(what)


def _requirements(text: str, what: str, variables: tuple[tuple[str, str], ...], folder: Path) -> Specification:
    try:
        words = shlex.split(what)
    except ValueError as error:
        raise Unreadable(f"its quotes are open: {error}") from None
    python, arguments = "", []
    while words:
        word = words.pop(0)
        if word in ("-r", "--requirement"):
            if not words:
                raise Unreadable("a file is expected after -r")
            path = _resolved(words.pop(0), folder)
            python = python or _python_of(path)
            arguments += ["-r", str(path)]
        else:
            requirement = _requirement(word)
            if requirement.name.lower() == "python":
                python = str(requirement.specifier)
            elif re.fullmatch(r"python[\d.]+", word):
                raise Unreadable(f"{word} is no requirement, nor a Python in PATH; python=={word[6:]} has one made")
            else:
                arguments.append(word)
    if not arguments:
        raise Unreadable("it names a Python and nothing to install there")
    return Specification(text, requirements=tuple(arguments), python=re.sub(r"^==(?=[\d.]+$)", "", python), variables=variables)


def _requirement(word: str) -> Requirement:
    try:
        return Requirement(word)
    except InvalidRequirement:
        raise Unreadable(f"{word!r} is neither a path that exists nor a requirement (PEP 508); {FORMS}") from None


def _python_of(path: Path) -> str:
    """What the comment `# python==3.11` in a requirements file asks for: kept artefacts have one."""
    try:
        found = re.search(r"^#\s*python\s*([<>=!~][\d.,<>=!~*]*)\s*$", path.read_text(encoding="utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return found[1] if found else ""
