"""What is compared: one module a check. What it sees on both sides and how that is compared
stand together.

A check is one subclass of `Check` in a module of this package; its name is the module's. To add
one, write the module and add its name to `NAMES`.
"""

from __future__ import annotations

import abc
import functools
import importlib
from typing import Any, Dict, Generic, List, NamedTuple, Optional, Sequence, Tuple, TypeVar

from .. import records
from ..aliases import Plain
from ..comparing import Comparison, Comparisons, Tolerance, differing
from ..subject import Subject

# the names that other modules ask for
WEIGHTS, CONFIG, LOSSES, OPTIMIZER, OUTPUTS = "weights", "config", "losses", "optimizer", "outputs"
SELF_CONTAINED = "self_contained"
# the order in which they are made and shown: causes before consequences
NAMES = (
    "history", "signature", WEIGHTS, CONFIG, "compile", LOSSES, OPTIMIZER, OUTPUTS,
    SELF_CONTAINED, "training",
)  # fmt: skip

S = TypeVar("S")  # what a check sees: a record, or lists and dicts of records (see `records`)

# what was seen of one model, by the name of the check; `NotChecked` where that could not be made
Observation = Dict[str, Any]
Observations = Dict[str, Observation]  # by the name of the part


class NotCheckableError(Exception):
    """A check that applies to a model cannot be made of it.

    The text says why, in words that follow "the original's": "own step raises ValueError: ...".
    """


class NotChecked(NamedTuple):
    """Stands for a sighting that could not be had."""

    not_checked: str  # the text of the `NotCheckableError`


class Check(abc.ABC, Generic[S]):
    """One named part of what is observed of a model. Its docstring is what the docs say of it."""

    name: str  # the module's, set when the table is made
    sighting: Any  # the type S, as `records.from_plain` takes it
    hint: str  # what to do where it differs
    explains_others = False  # whether its differences explain those of other checks
    calls_model = False  # whether it calls the model, which is done once for all formats
    may_be_unmade = False  # whether `NotChecked` may stand in the place of a sighting
    may_appear = False  # whether only the reloaded model may have it, and nothing is wrong
    slow = False  # whether it is made only where it is asked for
    lines_shown = 5  # of its differences, in a failure
    consequences: Tuple[str, ...] = ()  # checks that differ too where this one does

    @abc.abstractmethod
    def observe(self, subject: Subject) -> Optional[S]:
        """What it sees of a live model; None where there is nothing of that kind.

        Raises:
            CallError: when the model cannot be called.
            NotCheckableError: where there is something of that kind that cannot be looked at.
        """

    @abc.abstractmethod
    def compare(self, expected: S, actual: S, tolerance: Tolerance) -> Comparison:
        """What differs between the original and what was reloaded."""


@functools.lru_cache(maxsize=None)
def table() -> Dict[str, Check[Any]]:
    """Every check by its name, in order."""
    return {name: _make_check(name) for name in NAMES}


def _make_check(name: str) -> Check[Any]:
    module = importlib.import_module(f"{__name__}.{name}")
    (found,) = [
        held
        for held in vars(module).values()
        if isinstance(held, type) and issubclass(held, Check) and held.__module__ == module.__name__
    ]
    check: Check[Any] = found()
    check.name = name
    return check


def observe(subject: Subject, names: Sequence[str]) -> Observation:
    """What these checks see of a live model; a check that sees nothing is left out.

    Those that call it come first: the original was called, too, before its attributes are looked
    at, and a call may leave something in them.

    Raises:
        CallError: when the model cannot be called.
    """
    wanted = [check for name, check in table().items() if name in names]
    wanted.sort(key=lambda check: not check.calls_model)
    seen = {check.name: _seen(check, subject) for check in wanted}
    return {name: found for name, found in seen.items() if found is not None}


def _seen(check: Check[S], subject: Subject) -> Any:
    try:
        return check.observe(subject)
    except NotCheckableError as error:
        return NotChecked(str(error))


def compare(expected: Observation, actual: Observation, tolerance: Tolerance) -> Comparisons:
    """Compare all that was seen of the original with what was seen after the reload.

    An original of which nothing is known is compared with nothing.
    """
    return {
        name: _compared(check, expected.get(name), actual.get(name), tolerance)
        for name, check in table().items()
        if name in expected or (expected and name in actual and not check.may_appear)
    }


def _compared(check: Check[S], expected: Any, actual: Any, tolerance: Tolerance) -> Comparison:
    """Compare two sightings, of which there may be none on either side."""
    found = Comparison()
    if isinstance(expected, NotChecked):
        found.not_checked.append(f"the original's {expected.not_checked}")
    elif expected is None:
        found.differ(f"the reloaded model has its {check.name}, the original has none")
    elif isinstance(actual, NotChecked):
        reason = f"the reloaded model's {actual.not_checked}"
        found.differ(f"{check.name} could be checked only before the save: {reason}")
    elif actual is None:
        found.differ(f"the original has its {check.name}, the reloaded model has none")
    else:
        return check.compare(expected, actual, tolerance)
    return found


def difference_lines(comparisons: Comparisons) -> List[str]:
    """The differences of each check, no more than a screen can hold."""
    lines, known, differ = [], table(), differing(comparisons)
    follow = [name for name in differ if any(name in known[cause].consequences for cause in differ)]
    for name in [name for name in differ if name not in follow]:
        found = differ[name]
        messages, shown = found.differences, known[name].lines_shown
        if len(messages) > 1:
            lines.append(f"{name}: {len(messages)} differences")
        lines += messages[:shown]
        lines += [f"... and {len(messages) - shown} more"] if len(messages) > shown else []
    return [*lines, "so these differ too: {}".format(", ".join(follow))] if follow else lines


def parsed(plain: Dict[str, Plain], names: Sequence[str] = NAMES) -> Observation:
    """An observation that came from another process, where these checks were to be made.

    Raises:
        ValueError: when it has another check, or what a check saw is not of its type.
    """
    unknown = sorted(set(plain) - set(names))
    if unknown:
        raise ValueError("unknown checks: {}".format(", ".join(unknown)[:200]))
    return {name: _parsed(name, seen) for name, seen in plain.items()}


def _parsed(name: str, plain: Plain) -> Any:
    check = table()[name]
    is_reason = isinstance(plain, dict) and [*plain] == [*NotChecked._fields]
    kind = NotChecked if is_reason and check.may_be_unmade else check.sighting
    return records.from_plain(kind, plain, name)
