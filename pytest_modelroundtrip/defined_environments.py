"""The environments that the ini file, the command line and hooks define."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .setting_values import THIS_INTERPRETER
from .settings import COMMAND_LINE, INI

if TYPE_CHECKING:
    from .environments.kinds import Kind


def defined_environments(config: pytest.Config) -> dict[str, Kind]:
    """The environments of the ini file and of the command line, which overrides it, by name.

    Raises:
        pytest.UsageError: for one without a name, with a name that is taken, or unreadable.
    """
    ini = config.getini("roundtrip_define_environment")
    line = config.getoption("roundtrip_define_environment")
    folder = config.inipath.parent if config.inipath else config.rootpath
    return {
        **parsed_environments(map(_definition, ini), folder, INI),
        **parsed_environments(map(_definition, line), config.invocation_params.dir, COMMAND_LINE),
    }


def _definition(text: str) -> tuple[str, str]:
    name, separator, specification = text.partition("=")
    return name.strip(), specification.strip() if separator else ""


def parsed_environments(
    definitions: Iterable[tuple[str, str]], folder: Path, source: str
) -> dict[str, Kind]:
    """The environments that names and specifications define; relative paths start from `folder`.

    Raises:
        pytest.UsageError: as above.
    """
    found: dict[str, Kind] = {}
    for name, text in definitions:
        from .environments.kinds.given import SpecificationError
        from .environments.specification import NAME, parse

        try:
            if name in found or name == THIS_INTERPRETER:
                raise SpecificationError("the name is taken")
            if not NAME.fullmatch(name):
                raise SpecificationError(
                    "a name of at most 100 letters, digits, _ and . is expected before the "
                    "specification"
                )
            found[name] = parse(text, folder)
        except SpecificationError as error:
            raise pytest.UsageError(f"roundtrip environment {name!r} ({source}): {error}") from None
    return found
