"""Whether the value of an option is valid: one function for each kind of value."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast


class SettingsError(Exception):
    """A value that cannot be used; the text names it and the closest valid one."""


@dataclass(frozen=True)
class AvailableNames:
    """The names that tests can use."""

    formats: Collection[str]
    default_formats: Collection[str]  # those that a test need not ask for
    environments: Collection[str]
    checks: Collection[str]


Names = tuple[str, ...]

THIS_INTERPRETER = "here"  # the name of the environment that is this interpreter, started clean


class ByName(NamedTuple):
    """How a value is checked that consists of names which tests can use."""

    check: Callable[[object, AvailableNames], object]


# the valid value, or SettingsError
Check = Callable[[object], object] | ByName

UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}
SIZE = re.compile(rf"(\d{{1,15}}(?:\.\d+)?) ?({'|'.join(UNITS)})", re.ASCII | re.IGNORECASE)


def unknown(what: str, name: object, valid: Collection[str]) -> str:
    """The message about a name that does not exist."""
    near = difflib.get_close_matches(str(name), list(valid), n=1, cutoff=0.5)
    advice = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(valid)}"
    return f"unknown {what} {name!r}; {advice}"


def _parse_names(value: object, what: str, valid: Collection[str]) -> Names:
    """Names, each once and in the order of the valid ones."""
    names = strings(value)
    for name in names:
        if name not in valid:
            raise SettingsError(unknown(what, name, valid))
    if not names:
        raise SettingsError("the list is empty")
    return tuple(name for name in valid if name in names)


def formats(value: object, names: AvailableNames) -> Names:
    """Names of formats, or "all"."""
    if is_all(value):
        return tuple(names.formats)
    return _parse_names(value, "format", names.formats)


def environments(value: object, names: AvailableNames) -> Names:
    """Names of environments."""
    return _parse_names(value, "environment", names.environments)


def checks(value: object, names: AvailableNames) -> Names:
    """Names of checks, or "all"."""
    if is_all(value):
        return tuple(names.checks)
    return _parse_names(value, "check", names.checks)


def is_all(value: object) -> bool:
    """Whether it is "all" instead of names."""
    words = [value] if isinstance(value, str) else value
    return isinstance(words, (list, tuple)) and [str(word) for word in words] == ["all"]


def strings(value: object) -> Names:
    """A list of strings that are not empty, each once."""
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise SettingsError("a list of names is expected")
    if not all(isinstance(item, str) and item for item in value):
        raise SettingsError("a list of names is expected")
    return tuple(dict.fromkeys(sorted(value) if isinstance(value, (set, frozenset)) else value))


def variables(value: object) -> Names:
    """Names of environment variables, in which `*` may stand."""
    from .environments.passed_variables import is_kept_clean

    found = strings(value)
    for name in found:
        if not re.fullmatch(r"[A-Za-z_*][A-Za-z0-9_*]*", name):
            raise SettingsError(
                f"{name!r} is not the name of a variable; a value is set in the specification of "
                "an environment: //env:NAME=value"
            )
        if is_kept_clean(name):
            raise SettingsError(
                f"{name} is not passed: a clean interpreter has its own folders and variables of "
                "Python"
            )
    return found


def flag(value: object) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise SettingsError("True or False is expected")
    return value


def distance(value: object) -> float:
    """A number that is not negative."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= cast(float, value) <= sys.float_info.max:
        raise SettingsError("a number that is not negative is expected")
    return float(cast(float, value))


def generations(value: object) -> int:
    """How many times a model is saved and reloaded in a row."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10:
        raise SettingsError("a whole number from 1 to 10 is expected")
    return value


def seconds(value: object) -> float:
    """A positive number of seconds; text in the ini file and on the command line."""
    try:
        found = float(value) if isinstance(value, (int, float, str)) else 0.0
    except (ValueError, OverflowError):
        found = 0.0
    if isinstance(value, bool) or not 0 < found < 1e6:
        raise SettingsError("a number of seconds above 0 is expected")
    return found


def size(value: object) -> int:
    """A positive number of bytes, or text with a unit: "500 MB", "4GiB"."""
    match = SIZE.fullmatch(str(value)) if isinstance(value, (int, str)) else None
    found = int(float(match[1]) * UNITS[match[2].upper()]) if match else 0
    if not found:
        raise SettingsError('a number of bytes, or text such as "4GB", is expected')
    return found


def attribute(value: object) -> str:
    """The place of an object: "module:attribute"."""
    parts = value.split(":") if isinstance(value, str) else []
    if len(parts) != 2 or not all(part.replace(".", "_").isidentifier() for part in parts):
        raise SettingsError('"module:attribute" is expected')
    return str(value)


def attributes(value: object) -> dict[str, str]:
    """Places of objects by name."""
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise SettingsError('a dict of name -> "module:attribute" is expected')
    return {name: attribute(place) for name, place in value.items()}


def reasons(value: object, names: AvailableNames) -> dict[str, str]:
    """Reasons by the id of a round trip, such as `keras` or `keras-tf215`."""
    if not isinstance(value, dict) or not all(
        isinstance(item, str) and item for pair in value.items() for item in pair
    ):
        raise SettingsError("a dict of id -> reason is expected")
    ids = [case_id(fmt, there) for fmt in names.formats for there in names.environments]
    for name in value:
        if name not in ids:
            raise SettingsError(unknown("id", name, ids))
    return dict(value)


def case_id(fmt: str, environment: str) -> str:
    """The id of a round trip: `keras`, or `keras-tf215` where the environment is not `here`."""
    return fmt if environment == THIS_INTERPRETER else f"{fmt}-{environment}"


def folders(value: object) -> Names:
    """Existing folders, as absolute paths."""
    paths = [Path(item) for item in value] if isinstance(value, list) else []
    for path in paths:
        if "\0" in str(path) or not os.path.isdir(path):
            raise SettingsError(f"there is no folder {str(path)!r}")
    return tuple(str(path.resolve()) for path in paths)


def one_of(*valid: str) -> Callable[[object], str]:
    """One of these words."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in valid:
            raise SettingsError(unknown("value", value, valid))
        return str(value)

    return check
