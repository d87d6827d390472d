"""The options of tests: declared in one table, resolved to one checked record.

Those about bundles are declared in `bundles.bundle_settings`.
A value comes from the command line, else the marker, else the ini file, else the default.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

from . import setting_values as values
from .setting_values import AvailableNames, SettingsError

COMMAND_LINE, MARKER, INI = "the command line", "the marker", "the ini file"


@dataclass(frozen=True)
class Settings:
    """The settings of one test, each value checked."""

    formats: tuple[str, ...]
    environments: tuple[str, ...] = (values.THIS_INTERPRETER,)
    checks: tuple[str, ...] = ()  # empty: those that the format keeps, except slow checks
    exact: bool = False
    rtol: float | None = None
    atol: float | None = None
    imports: tuple[str, ...] = ()
    custom_objects: Mapping[str, str] = field(default_factory=dict)
    factory: str | None = None
    train: str | None = None
    generations: int = 1
    expected_failures: Mapping[str, str] = field(default_factory=dict)
    safe_mode: bool = True
    timeout: float = 300.0
    memory_limit: int | None = None  # bytes
    pythonpath: tuple[str, ...] = ()
    pass_env: tuple[str, ...] = ()
    keep: str = "failed"
    isolation: str = "standby"
    confinement: str = "auto"
    # option -> where its value came from; without formats that were not asked for by their names
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def marker_names_formats(self) -> bool:
        """Whether the test itself asks for its formats by name: then each of them must work."""
        return self.sources.get("formats") == MARKER

    @property
    def formats_by_name(self) -> bool:
        """Whether the formats were asked for by name, by the test or on the command line."""
        return self.sources.get("formats") in (MARKER, COMMAND_LINE)


class Option(NamedTuple):
    """One option: a keyword of the marker, an ini option with a command-line option, or both."""

    name: str
    check: values.Check
    ini: Literal["args", "paths", "string"] | None = None  # its type there; None: marker only
    help: str = ""
    in_marker: bool = True


OPTIONS = (
    Option(
        "formats",
        values.ByName(values.formats),
        "args",
        "formats to save in, or all; default: all but those made on request (docs/formats.md)",
    ),
    Option("exclude", values.ByName(values.formats)),
    Option(
        "environments",
        values.ByName(values.environments),
        "args",
        "environments to reload in; default: here",
    ),
    Option(
        "checks",
        values.ByName(values.checks),
        "args",
        "checks to make, or all; default: what the format keeps, except slow checks",
    ),
    Option("exact", values.flag),
    Option("rtol", values.distance),
    Option("atol", values.distance),
    Option(
        "imports", values.strings, "args", "modules the clean interpreter imports before it loads"
    ),
    Option("custom_objects", values.attributes),
    Option("factory", values.attribute),
    Option("train", values.attribute),
    Option("generations", values.generations),
    Option("expected_failures", values.ByName(values.reasons)),
    Option("safe_mode", values.flag),
    Option("timeout", values.seconds, "string", "seconds for one reload; default: 300"),
    Option(
        "memory_limit", values.size, "string", "memory for one reload, as 4GB; default: no limit"
    ),
    Option(
        "pythonpath",
        values.folders,
        "paths",
        "folders the clean interpreter may import from besides its installed packages",
        in_marker=False,
    ),
    Option(
        "pass_env",
        values.variables,
        "args",
        "environment variables that clean interpreters get, besides those that TensorFlow and "
        "Keras read: names, in which * may stand",
        in_marker=False,
    ),
    Option(
        "keep",
        values.one_of("failed", "all", "none"),
        "string",
        "artifacts to keep: failed (default), all or none",
        in_marker=False,
    ),
    Option(
        "isolation",
        values.one_of("standby", "fork", "spawn"),
        "string",
        "standby (default): each reload is a fork of one warm interpreter, prepared before it is "
        "needed; fork: the fork is prepared when it is needed; spawn: a new interpreter for each "
        "reload",
        in_marker=False,
    ),
    Option(
        "confinement",
        values.one_of("auto", "required", "off"),
        "string",
        "auto (default): a reload can read and connect to only what a deployment has, if the "
        "system allows this; required: an error if it does not; off: nothing is refused, such "
        "accesses are only reported",
    ),
)
BY_NAME = {option.name: option for option in OPTIONS}
KEYWORDS = [option.name for option in OPTIONS if option.in_marker]
MARKER_SIGNATURE = (
    f"roundtrip(*, {', '.join(KEYWORDS)}): save the returned model in every format, reload it in "
    "a clean interpreter, and assert that nothing was lost."
)


def add_options(parser: pytest.Parser) -> None:
    """Declare the options: `roundtrip_x` in the ini file is `--roundtrip-x` on the command line."""
    group = parser.getgroup("roundtrip", "model round trips")
    for option in OPTIONS:
        if option.ini is None:
            continue
        name = option.name
        parser.addini(f"roundtrip_{name}", help=option.help, type=option.ini, default=None)
        listed = "" if option.ini == "string" else "; comma-separated"
        group.addoption(
            f"--roundtrip-{name.replace('_', '-')}", metavar=name.upper(), help=option.help + listed
        )
    parser.addini(
        "roundtrip_define_environment",
        type="linelist",
        default=[],
        help="environments to reload in, one NAME=SPECIFICATION per line",
    )
    group.addoption(
        "--roundtrip-define-environment",
        action="append",
        default=[],
        metavar="NAME=SPECIFICATION",
        help="define an environment (docs/environments.md). Select it with "
        "--roundtrip-environments. Can be repeated",
    )
    group.addoption("--roundtrip-report", metavar="PATH", help="write all results to a JSON file")
    group.addoption(
        "--roundtrip-list",
        action="store_true",
        help="print formats, checks and environments, and exit",
    )


# one test


def resolve(
    config: pytest.Config, markers: Iterable[pytest.Mark], names: AvailableNames
) -> Settings:
    """The settings of one test; `markers` from the nearest to the farthest.

    Raises:
        SettingsError: for the first value that cannot be used.
    """
    given = _of_markers(markers)
    for option in OPTIONS:
        found = _of_project(config, option) if option.ini else None
        if found and (option.name not in given or found[1] == COMMAND_LINE):
            given[option.name] = found
    return _of_given(given, names)


def of_keywords(keywords: Mapping[str, object], names: AvailableNames) -> Settings:
    """The settings that keywords of the marker give, where pytest does not run.

    Raises:
        SettingsError: as above.
    """
    return _of_given(_of_markers([pytest.mark.roundtrip(**keywords).mark]), names)


def _of_given(given: dict[str, tuple[object, str]], names: AvailableNames) -> Settings:
    checked = {name: _check_value(name, *found, names) for name, found in given.items()}
    excluded = checked.pop("exclude", ())
    formats = checked.get("formats", names.default_formats)
    checked["formats"] = tuple(name for name in formats if name not in excluded)
    sources = {name: source for name, (_, source) in given.items()}
    if values.is_all(given.get("formats", ("", ""))[0]):
        del sources["formats"]  # each of them where it can hold the model
    return _consistent(Settings(**checked, sources=sources))


def _of_markers(markers: Iterable[pytest.Mark]) -> dict[str, tuple[object, str]]:
    given: dict[str, tuple[object, str]] = {}
    for mark in markers:
        if mark.args:
            raise SettingsError(
                f"takes keywords only, not {mark.args[0]!r}: write roundtrip(formats=[...])"
            )
        for name, value in mark.kwargs.items():
            if name not in KEYWORDS:
                raise SettingsError(values.unknown("keyword", name, KEYWORDS))
            given.setdefault(name, (value, MARKER))
    return given


def _of_project(config: pytest.Config, option: Option) -> tuple[object, str] | None:
    given = config.getoption(f"roundtrip_{option.name}")
    if given is not None and option.ini == "paths":
        folders = map(str.strip, re.split(f"[,{os.pathsep}]", given))
        return [str(config.invocation_params.dir / path) for path in folders if path], COMMAND_LINE
    if given is not None:
        return _split_list(option, given), COMMAND_LINE
    given = config.getini(f"roundtrip_{option.name}")
    return None if given in (None, "", []) else (_split_list(option, given), INI)


def _split_list(option: Option, given: str | list[str]) -> object:
    """The words of a list: separated by commas, and in the ini file by white space too."""
    if option.ini != "args":
        return given
    items = given if isinstance(given, list) else [given]
    return [word for item in items for word in item.replace(",", " ").split()]


def _check_value(name: str, value: object, source: str, names: AvailableNames) -> Any:
    try:
        check = BY_NAME[name].check
        return check.check(value, names) if isinstance(check, values.ByName) else check(value)
    except SettingsError as error:
        raise SettingsError(f"{name}={value!r} ({source}): {error}") from None


def _consistent(settings: Settings) -> Settings:
    if (settings.rtol is None) != (settings.atol is None):
        raise SettingsError("rtol and atol go together: give both or neither")
    if settings.exact and settings.rtol is not None:
        raise SettingsError(
            "exact=True cannot be combined with rtol and atol: give one or the other"
        )
    by_user = settings.sources.get("formats") == COMMAND_LINE  # then that test is skipped
    if not settings.formats and not by_user:
        raise SettingsError("no format is left")
    return settings


# one run


def report_path(config: pytest.Config) -> Path | None:
    """Where to write the JSON report; None where it was not asked for, or no test is run.

    Raises:
        pytest.UsageError: where it cannot be written; before the tests run, not after.
    """
    given = config.getoption("roundtrip_report")
    if given is None:
        return None
    # the file itself is replaced, not a link to it
    path = Path(os.path.realpath(config.invocation_params.dir / given))
    folder = path.parent
    other = os.path.exists(path) and not os.path.isfile(path)
    if other or not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise pytest.UsageError(
            f"--roundtrip-report={given}: a file in a folder that can be written to is expected"
        )
    return None if config.option.collectonly else path
