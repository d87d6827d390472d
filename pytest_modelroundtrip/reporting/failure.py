"""The text of a failed round trip."""

from __future__ import annotations

import textwrap

from ..result import RoundTrip, Verdict, Versions
from .versions import version_lines

WIDTH = 72  # of 80 columns: pytest takes eight for itself where it shows a test's source
LABEL_WIDTH = len("reproduce: ")
MAX_LINE_LENGTH = 320  # of a message of Keras
TAIL_LINES = 40  # of a traceback, or of what the clean interpreter printed

HEADLINES = {  # where the usual one would be wrong
    Verdict.UNSUPPORTED: "the test asks for the format {}, which cannot hold this model",
    Verdict.SAVE_ERROR: "the format {} could not save the model",
    Verdict.NOT_DETERMINISTIC: "the model itself; format {} was not judged",
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
    lines += _problem_lines(trip.problems)
    lines += ["", *_wrapped(trip.hint, "hint: ", "      ")] if trip.hint else []
    lines += [""] if versions_first else ["", *sides]
    if trip.confinement:
        lines += _wrapped(trip.confinement, f"{'confined:':<{LABEL_WIDTH}}", " " * LABEL_WIDTH)
    if is_kept:
        size = _readable_size(trip.size)
        lines.append(f"{'artifact:':<{LABEL_WIDTH}}{trip.artifact} ({size})")
    if reproduce_command:
        lines.append(f"{'reproduce:':<{LABEL_WIDTH}}{reproduce_command}")
    if trip.detail.strip():
        label = "traceback:" if "Traceback (" in trip.detail else "output:"
        lines += ["", label, *_tail_lines(trip.detail)]
    return "\n".join(lines)


def _labeled_versions(versions: Versions) -> list[str]:
    indent = " " * LABEL_WIDTH
    return [
        wrapped
        for side, line in version_lines(versions)
        for wrapped in _wrapped(line, f"{side + ':':<{LABEL_WIDTH}}", indent)
    ]


def _problem_lines(problems: list[str]) -> list[str]:
    clipped = [line for problem in problems for line in _clipped_lines(problem)]
    return [wrapped for line in clipped for wrapped in _wrapped(line, "  ", "    ")]


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


def _readable_size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def _clipped_lines(text: str) -> list[str]:
    """The lines without the configs that Keras writes into its messages."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("config={")]
    return [
        line if len(line) <= MAX_LINE_LENGTH else f"{line[: MAX_LINE_LENGTH - 4]} ..."
        for line in lines
    ]


def _tail_lines(text: str) -> list[str]:
    lines = _clipped_lines(text)
    cut = ["  ..."] if len(lines) > TAIL_LINES else []
    return [*cut, *(f"  {line}" for line in lines[-TAIL_LINES:])]
