"""What a round trip is told: from the command line, else the marker, else the ini file, else the default. Checked at collection."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pytest

from .comparison import Tolerance
from .portable.observation import CHECKS
from .specifications import NAME, Specification, Unreadable, parse

ISOLATIONS = ("fork", "spawn")
KEEP = ("failed", "all", "none")


@dataclass(frozen=True)
class Settings:
    """The settings of one test, every value checked; `sources` tells where each that is not a default came from."""

    formats: tuple[str, ...]
    environments: tuple[str, ...] = ("here",)
    checks: tuple[str, ...] = ()  # empty: what the format promises
    exact: bool = False
    rtol: float | None = None
    atol: float | None = None
    imports: tuple[str, ...] = ()
    custom_objects: Mapping[str, str] = field(default_factory=dict)
    factory: str | None = None
    generations: int = 1
    expected_failures: Mapping[str, str] = field(default_factory=dict)
    safe_mode: bool = True
    timeout: float = 300.0
    pythonpath: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def tolerance(self) -> Tolerance:
        return Tolerance(self.exact, self.rtol, self.atol)

    @property
    def named(self) -> bool:
        """Whether the test itself asked for its formats by name."""
        return self.sources.get("formats") == MARKER


MARKER, INI, COMMAND_LINE = "the marker", "the ini file", "the command line"
KEYWORDS = tuple(f.name for f in fields(Settings) if f.name not in ("pythonpath", "sources"))
MARKER_KEYWORDS = (*KEYWORDS, "exclude")
MARKER_SIGNATURE = (
    f"roundtrip(*, {', '.join(MARKER_KEYWORDS)}): save the returned model in every format, reload it in a clean interpreter, "
    "and assert that nothing was lost."
)


class Mistake(Exception):
    """A setting that cannot be used; the text names it and the nearest valid one."""


@dataclass(frozen=True)
class Known:
    """The names that there are."""

    formats: Collection[str]
    environments: Collection[str]
    checks: Collection[str] = tuple(CHECKS)


# options of the whole project: an ini option and a command-line option each


def add_options(parser: pytest.Parser) -> None:
    """Declare each project-wide option twice: `roundtrip_x` in the ini file, `--roundtrip-x` on the command line."""
    group = parser.getgroup("roundtrip", "model round trips")
    for name, (kind, help_text) in PROJECT_OPTIONS.items():
        group.addoption(f"--roundtrip-{name}", dest=f"roundtrip_{name}", metavar=name.upper(), default=None, help=help_text)
        if name != "environments":  # there the ini file says what they are, see below
            parser.addini(f"roundtrip_{name}", help=help_text, type=kind, default=None)  # type: ignore[arg-type]
    group.addoption(
        "--roundtrip-isolation",
        choices=ISOLATIONS,
        default="fork",
        help="fork: each reload is a fork of one warm interpreter (default); spawn: an interpreter of its own for each",
    )
    group.addoption(
        "--roundtrip-environment",
        action="append",
        default=[],
        metavar="NAME=SPECIFICATION",
        help="an environment to reload in: the path of a Python or a virtual environment, requirements, or an execnet gateway. "
        "Without --roundtrip-environments the tests reload in those that are given so. Can be given again",
    )
    parser.addini("roundtrip_environments", type="linelist", default=[], help="environments, one a line, NAME: SPECIFICATION")
    group.addoption("--roundtrip-report", metavar="PATH", help="write the results of all round trips to a JSON file")
    group.addoption("--roundtrip-list", action="store_true", help="print formats, checks and environments, and exit")


PROJECT_OPTIONS: dict[str, tuple[str, str]] = {
    "formats": ("args", "formats to save in, comma-separated; default: all"),
    "environments": ("args", "environments to reload in, comma-separated; default: here"),
    "checks": ("args", "checks to make, comma-separated, or all; default: what the format promises"),
    "imports": ("args", "modules that the clean interpreter imports before it loads, comma-separated"),
    "pythonpath": (
        "paths",
        "folders the clean interpreter may import from besides its installed packages; separated by commas on the command line",
    ),
    "timeout": ("string", "seconds for one reload; default: 300"),
    "keep": ("string", "artefacts to keep: failed (default), all or none"),
}


def _words(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [word for item in items for word in str(item).replace(",", " ").split()]


def _from_project(config: pytest.Config, name: str) -> tuple[Any, str] | None:
    given = config.getoption(f"roundtrip_{name}")
    if given is not None:
        if name == "pythonpath":
            folders = map(str.strip, re.split(f"[,{os.pathsep}]", given))
            return [str(config.invocation_params.dir / part) for part in folders if part], COMMAND_LINE
        return (_words(given) if PROJECT_OPTIONS[name][0] == "args" else given), COMMAND_LINE
    if name == "environments":  # one that is given on the command line is meant to be used
        names = [_named(text, "=")[0] for text in config.getoption("roundtrip_environment")]
        return (names, COMMAND_LINE) if names else None
    given = config.getini(f"roundtrip_{name}")
    if given in (None, "", []):
        return None
    return (_words(given) if PROJECT_OPTIONS[name][0] == "args" else given), INI


def given_environments(config: pytest.Config) -> dict[str, Specification]:
    """The environments of the ini file and of the command line, by name; the command line's win.

    Raises:
        pytest.UsageError: for one without a name, with a name that is given twice, or that cannot be read.
    """
    base = config.inipath.parent if config.inipath else config.rootpath
    ini = [_named(text, ":") for text in config.getini("roundtrip_environments")]
    line = [_named(text, "=") for text in config.getoption("roundtrip_environment")]
    found = environments_of(ini, base, INI)
    return {**found, **environments_of(line, config.invocation_params.dir, COMMAND_LINE)}


def environments_of(named: Iterable[tuple[str, str]], folder: Path, source: str) -> dict[str, Specification]:
    """Names and specifications, read.

    Raises:
        pytest.UsageError: as above.
    """
    found: dict[str, Specification] = {}
    for name, text in named:
        try:
            if name in found or name == "here":
                raise Unreadable("the name is taken")
            if not NAME.fullmatch(name):
                raise Unreadable("a name of letters, digits, _ and . is expected before the specification")
            found[name] = parse(text, folder)
        except Unreadable as error:
            raise pytest.UsageError(f"roundtrip environment {name!r} ({source}): {error}") from None
    return found


def _named(text: str, mark: str) -> tuple[str, str]:
    name, found, specification = text.partition(mark)
    return (name.strip(), specification.strip()) if found else (text.strip(), "")


def report_path(config: pytest.Config) -> Path | None:
    """Where the JSON report is to be written; None where it was not asked for, or no test is run.

    Raises:
        pytest.UsageError: where it cannot be: told before the tests run, not after.
    """
    given = config.getoption("roundtrip_report")
    if given is None:
        return None
    path = Path(os.path.realpath(config.invocation_params.dir / given))  # the file itself is replaced, not a link to it
    if (os.path.exists(path) and not os.path.isfile(path)) or not os.path.isdir(path.parent) or not os.access(path.parent, os.W_OK):
        raise pytest.UsageError(f"--roundtrip-report={given}: a file in a folder that can be written to is expected")
    return None if config.option.collectonly else path


def keep(config: pytest.Config) -> str:
    """Which artefacts are kept: "failed", "all" or "none".

    Raises:
        pytest.UsageError: for any other word.
    """
    value, source = _from_project(config, "keep") or ("failed", "")
    if value not in KEEP:
        raise pytest.UsageError(f"roundtrip keep: {_unknown('value', value, KEEP)} (from {source})")
    return str(value)


# one test


def resolve(config: pytest.Config, markers: Iterable[pytest.Mark], known: Known) -> Settings:
    """The settings of one test; `markers` from the nearest to the farthest.

    Raises:
        Mistake: for the first thing that is wrong.
    """
    given: dict[str, tuple[Any, str]] = {}
    for mark in markers:
        if mark.args:
            raise Mistake(f"takes keywords only, not {mark.args[0]!r}: write roundtrip(formats=[...])")
        for name, value in mark.kwargs.items():
            if name not in MARKER_KEYWORDS:
                raise Mistake(_unknown("keyword", name, MARKER_KEYWORDS))
            given.setdefault(name, (value, MARKER))
    for name in [name for name in PROJECT_OPTIONS if name != "keep"]:
        found = _from_project(config, name)
        if found and (name not in given or found[1] == COMMAND_LINE):
            given[name] = found
    values = {name: _checked(name, value, source, known) for name, (value, source) in given.items()}
    excluded = values.pop("exclude", ())
    values["formats"] = tuple(name for name in values.get("formats", known.formats) if name not in excluded)
    return _consistent(Settings(**values, sources={name: source for name, (_, source) in given.items()}), known)


def _checked(name: str, value: Any, source: str, known: Known) -> Any:
    try:
        return CHECKED[name](value, known)
    except Mistake as mistake:
        raise Mistake(f"{name}={value!r} ({source}): {mistake}") from None


def _consistent(settings: Settings, known: Known) -> Settings:
    if (settings.rtol is None) != (settings.atol is None):
        raise Mistake("rtol and atol go together: give both or neither")
    if settings.exact and settings.rtol is not None:
        raise Mistake("exact=True leaves no room for rtol and atol: give one or the other")
    if not settings.formats:
        raise Mistake("no format is left")
    ids = [cell_id(fmt, environment) for fmt in known.formats for environment in known.environments]
    for name in settings.expected_failures:
        if name not in ids:
            raise Mistake(f"expected_failures: {_unknown('id', name, ids)}")
    return settings


def cell_id(fmt: str, environment: str) -> str:
    """The id of a round trip: `keras`, or `keras-tf215` where the environment is not this one."""
    return fmt if environment == "here" else f"{fmt}-{environment}"


def _unknown(what: str, name: object, valid: Collection[str]) -> str:
    near = difflib.get_close_matches(str(name), list(valid), n=1, cutoff=0.5)
    return f"unknown {what} {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(valid)}")


# one check for each kind of value


def _texts(value: Any, known: Known | None = None) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, (list, tuple, set, frozenset)):
        raise Mistake("a list of names is expected")
    if not all(isinstance(item, str) and item for item in value):
        raise Mistake("a list of names is expected")
    return tuple(dict.fromkeys(sorted(value) if isinstance(value, (set, frozenset)) else value))


def _names(what: str, valid: Callable[[Known], Collection[str]]) -> Callable[[Any, Known], tuple[str, ...]]:
    def check(value: Any, known: Known) -> tuple[str, ...]:
        names = _texts(value)
        for name in names:
            if name not in valid(known):
                raise Mistake(_unknown(what, name, valid(known)))
        if not names:
            raise Mistake("the list is empty")
        return tuple(name for name in valid(known) if name in names)

    return check


def _checks(value: Any, known: Known) -> tuple[str, ...]:
    if value in ("all", ["all"]):
        return tuple(known.checks)
    return _names("check", lambda known: known.checks)(value, known)


def _flag(value: Any, known: Known) -> bool:
    if not isinstance(value, bool):
        raise Mistake("True or False is expected")
    return value


def _distance(value: Any, known: Known) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise Mistake("a number that is not negative is expected")
    return float(value)


def _generations(value: Any, known: Known) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10:
        raise Mistake("a whole number from 1 to 10 is expected")
    return value


def _timeout(value: Any, known: Known) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = 0.0
    if isinstance(value, bool) or not 0 < seconds < 1e6:
        raise Mistake("a number of seconds above 0 is expected")
    return seconds


def _place(value: Any, known: Known | None = None) -> str:
    parts = value.split(":") if isinstance(value, str) else []
    if len(parts) != 2 or not all(part.replace(".", "_").isidentifier() for part in parts):
        raise Mistake('"module:attribute" is expected')
    return str(value)


def _places(value: Any, known: Known) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise Mistake('a dict of name -> "module:attribute" is expected')
    return {name: _place(where) for name, where in value.items()}


def _reasons(value: Any, known: Known) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) and item for pair in value.items() for item in pair):
        raise Mistake("a dict of id -> reason is expected")
    return dict(value)


def _folders(value: Any, known: Known) -> tuple[str, ...]:
    for folder in value:
        if not os.path.isdir(folder):
            raise Mistake(f"there is no folder {str(folder)!r}")
    return tuple(str(Path(folder).resolve()) for folder in value)


_formats = _names("format", lambda known: known.formats)

CHECKED: dict[str, Callable[[Any, Known], Any]] = {
    "formats": _formats,
    "exclude": _formats,
    "environments": _names("environment", lambda known: known.environments),
    "checks": _checks,
    "exact": _flag,
    "rtol": _distance,
    "atol": _distance,
    "imports": _texts,
    "custom_objects": _places,
    "factory": _place,
    "generations": _generations,
    "expected_failures": _reasons,
    "safe_mode": _flag,
    "timeout": _timeout,
    "pythonpath": _folders,
}
