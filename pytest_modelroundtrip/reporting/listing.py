"""What `--roundtrip-list` prints: formats, checks, which keeps what, and environments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..environments import BadAnswerError, BrokenEnvironmentError
from ..portable import checks
from ..portable.formats import Format
from ..presentable import bounded
from .versions import version_line

if TYPE_CHECKING:
    from ..environments import Environment

NAME_WIDTH = 20


def write_list(formats: Mapping[str, Format], environments: Mapping[str, Environment]) -> None:
    """Print all of it. An environment is started, which may take a while, before it is printed."""
    print("formats:")
    for name, fmt in formats.items():
        print(_format_line(name, _first_line(fmt.__doc__)))
    print("checks:")
    for name, check in checks.table().items():
        print(_format_line(name, _first_line(check.__doc__)))
    print(f"kept by formats:\n{checks_table(formats.values())}\nenvironments:", flush=True)
    for name, environment in environments.items():
        for line in _environment_lines(environment):
            print(_format_line(name, bounded(line)), flush=True)
            name = ""  # only before the first line


def _format_line(name: str, text: str) -> str:
    return f"  {name:<{NAME_WIDTH}}{text}".rstrip()


def _first_line(docstring: str | None) -> str:
    return next(iter((docstring or "").strip().splitlines()), "")


def _environment_lines(environment: Environment) -> list[str]:
    """The versions that were found there, the interpreter, the machine, the confinement."""
    try:
        interpreter = environment.probe()
    except (BadAnswerError, BrokenEnvironmentError, OSError) as error:
        return [f"broken: {error}"]
    machine = interpreter.machine
    hardware = f"{machine.system}, {machine.processor}, {machine.threads} threads"
    return [
        version_line(interpreter.versions),
        environment.description,
        f"{hardware}, {' '.join(machine.flags)}",
        f"confinement: {interpreter.confinement}",
    ]


def checks_table(formats: Iterable[Format]) -> str:
    """Format x check in Markdown, from what the formats and the checks declare."""
    names = list(checks.table())
    rows = [["format", *names], ["---"] * (1 + len(names))]
    rows += [[f"`{fmt.name}`", *(_when_made(fmt, name) for name in names)] for fmt in formats]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _when_made(fmt: Format, check: str) -> str:
    """When the check is made of models that are saved in this format."""
    if check not in fmt.keeps:
        return "-"
    keras_majors = fmt.never_kept.get(check)
    if keras_majors:
        return f"on request with Keras {' and '.join(map(str, keras_majors))}"
    return "on request" if checks.table()[check].slow else "x"
