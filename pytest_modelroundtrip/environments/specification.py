"""The text of a specification -> a kind of environment. Nothing is started here."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..portable import FOLDERS
from .kinds import Kind
from .kinds.command import Command
from .kinds.given import (
    Gateway,
    Specification,
    SpecificationError,
    UnknownFormError,
    Variables,
    split,
)
from .kinds.host import HostCommand, HostPython
from .kinds.local import LocalPython
from .kinds.requirements import Requirements

if TYPE_CHECKING:
    import execnet

# of an environment: a part of a test's id, and of the name of a folder
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]{0,99}")
# in the order in which they are asked: what is neither a path nor a gateway is requirements
KINDS: tuple[type[Kind], ...] = (LocalPython, Requirements, Command, HostPython, HostCommand)
GATEWAY_KEYS = ("ssh", "ssh_config", "popen", "python")  # those of execnet's that are used
GATEWAY_KEYS_WITH_VALUE = ("ssh", "ssh_config", "python")


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
    try:
        if not main:
            raise UnknownFormError("it is empty")
        given = Specification(text, main, variables, folder, _gateway(main, folder))
        return next(filter(None, (kind.parsed(given) for kind in KINDS)))
    except UnknownFormError as error:
        raise SpecificationError(f"{error}; a specification is {_forms()}") from None


def _forms() -> str:
    *others, last = [kind.form for kind in KINDS if kind.form]
    return f"{', '.join(others)}, or {last}"


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
            raise SpecificationError(
                f"{part!r}: write //env:NAME=value, at the end of the specification"
            )
        if found[1] in FOLDERS:
            raise SpecificationError(
                f"{found[1]} cannot be set: in a clean interpreter it is a new, empty folder for "
                "each reload"
            )
        variables.append((found[1], found[2]))
    return main.strip(), tuple(variables)


def _gateway(main: str, folder: Path) -> Gateway | None:
    """What it says if it is a specification of execnet."""
    key = re.split(r"[=/]", main, maxsplit=1)[0]
    if key in ("socket", "vagrant_ssh") and main.startswith(f"{key}="):
        raise SpecificationError(f"{key} gateways cannot be started clean; popen and ssh can")
    if key not in ("popen", "ssh"):
        return None
    import execnet

    try:
        spec = execnet.XSpec(main)
    except (AttributeError, ValueError, IndexError) as error:
        raise SpecificationError(f"execnet cannot read it: {error}") from None
    _check_keys(spec)
    words = _split_value("python", spec.python) if spec.python else ()
    ssh = _split_value("ssh", spec.ssh) if spec.ssh else ()
    if ssh and spec.ssh_config:
        ssh = ("-F", str(folder / os.path.expanduser(spec.ssh_config)), *ssh)
    return Gateway(ssh, words)


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


def _split_value(name: str, value: str) -> tuple[str, ...]:
    """The words of a key's value."""
    words = tuple(split(value))
    if not "".join(words).strip():
        raise SpecificationError(f"{name} has no value: {name}=... is expected")
    return words
