"""The text of a failed round trip."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from ..presentable import printable, readable_size
from ..result import RoundTrip, Verdict, Versions
from .versions import version_lines

WIDTH = 72  # of 80 columns: pytest takes eight for itself where it shows a test's source
LABEL_WIDTH = len("reproduce: ")
MAX_LINE_LENGTH = 320  # of a message of Keras
PROBLEM_LINES, TAIL_LINES = 30, 40  # of a traceback, or of what the clean interpreter printed
MAX_CHARACTERS = 3000  # of the problems, and of the traceback or output

HEADLINES = {  # where the usual one would be wrong
    Verdict.UNSUPPORTED: "the test asks for the format {}, which cannot hold this model",
    Verdict.SAVE_ERROR: "the format {} could not save the model",
    Verdict.SYSTEM_ERROR: "a machine refused something; format {} was not tested",
    Verdict.NOT_DETERMINISTIC: "the model differs from itself; format {} was not tested",
}
USUAL_HEADLINE = "format {}, environment {!r}"


def failure_text(trip: RoundTrip, is_kept: bool, reproduce_command: str) -> str:
    """Everything that is known of a failed round trip.

    Where the versions of the two sides differ they come first: they are the likeliest cause.

    Args:
        trip: the failed round trip.
        is_kept: whether the artifact is there to be looked at.
        reproduce_command: reloads the artifact without pytest; empty where that is not possible.
    """
    headline = HEADLINES.get(trip.verdict, USUAL_HEADLINE).format(trip.format, trip.environment)
    sides = _labeled_versions(trip.versions)
    versions_first = trip.versions.differ
    lines = _wrapped(f"{trip.verdict.upper()}: {headline}", "", "  ")
    lines += [*(f"  {line}" for line in sides), ""] if versions_first else []
    where = "roundtrip.json beside the artifact" if is_kept else "--roundtrip-report=PATH"
    lines += _problem_lines(trip.problems, where)
    unmade = [f"{name} not checked: {reason}" for name, reason in trip.not_checked.items()]
    lines += _problem_lines(unmade, where) if unmade else []
    lines += ["", *_hint_lines(trip.hint)] if trip.hint else []
    lines += [""] if versions_first else ["", *sides]
    if trip.confinement:
        lines += _wrapped(trip.confinement, f"{'confined:':<{LABEL_WIDTH}}", " " * LABEL_WIDTH)
    if is_kept:
        size = readable_size(trip.size)
        lines.append(f"{'artifact:':<{LABEL_WIDTH}}{printable(str(trip.artifact))} ({size})")
    if reproduce_command:
        lines.append(f"{'reproduce:':<{LABEL_WIDTH}}{printable(reproduce_command)}")
    if trip.detail.strip():
        label = "traceback:" if "Traceback (" in trip.detail else "output:"
        lines += ["", label, *_tail_lines(trip.detail, where)]
    return "\n".join(lines)


def shortened(text: str) -> str:
    """A message of a library, no longer than a screen can hold; its lines are kept."""
    lines = printable(text).splitlines()
    kept = _first(lines, PROBLEM_LINES)
    left_out = _left_out(lines, kept, "")
    return "\n".join([*kept, *([f"  {left_out}"] if left_out else [])])


def _labeled_versions(versions: Versions) -> list[str]:
    indent = " " * LABEL_WIDTH
    return [
        wrapped
        for side, line in version_lines(versions)
        for wrapped in _wrapped(line, f"{side + ':':<{LABEL_WIDTH}}", indent)
    ]


def _problem_lines(problems: list[str], where: str) -> list[str]:
    lines = [line for problem in problems for line in _message_lines(problem)]
    kept = _first(lines, PROBLEM_LINES)
    left_out = _left_out(lines, kept, where)
    shown = [*kept, *([left_out] if left_out else [])]
    return [wrapped for line in shown for wrapped in _wrapped(line, "  ", "    ")]


def _hint_lines(hint: str) -> list[str]:
    first, *others = hint.splitlines()[:PROBLEM_LINES]
    lines = _wrapped(first, "hint: ", "      ")
    return lines + [wrapped for line in others for wrapped in _wrapped(line, "      ", "        ")]


def _wrapped(text: str, first: str, following: str) -> list[str]:
    """The text in lines of `WIDTH`, with the indents of its first line and of those that follow."""
    indent = following + " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _message_lines(text: str) -> list[str]:
    """The lines without the configs that Keras writes into its messages."""
    return [line for line in text.splitlines() if line.strip() and not line.startswith("config={")]


def _tail_lines(text: str, where: str) -> list[str]:
    lines = _message_lines(text)
    kept = _first(reversed(lines), TAIL_LINES)[::-1]
    left_out = _left_out(lines, kept, where)
    return [*([f"  {left_out}"] if left_out else []), *(f"  {line}" for line in kept)]


def _first(lines: Iterable[str], count: int) -> list[str]:
    """The first lines, each cut to a length, as many as the limits allow, and at least one."""
    kept: list[str] = []
    for line in lines:
        cut = line if len(line) <= MAX_LINE_LENGTH else f"{line[: MAX_LINE_LENGTH - 4]} ..."
        if len(kept) == count or sum(map(len, [*kept, cut])) > MAX_CHARACTERS:
            break
        kept.append(cut)
    return kept


def _left_out(lines: list[str], kept: list[str], where: str) -> str:
    """How much of these lines is not shown, and where it is; "" where all of it is."""
    missing = sum(map(len, lines)) - sum(map(len, kept))
    if not missing:
        return ""
    count = len(lines) - len(kept)
    what = f"{count} lines, " if count > 1 else ""
    whole = f"; {where} has more" if where else ""
    return f"... ({what}{missing} characters are left out{whole})"
