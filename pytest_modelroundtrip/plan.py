"""What a round trip is to do, and how a step of it ends it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from .environments import Environment
from .model import ModelGroup
from .portable import checks
from .portable.comparing import Comparisons, differing
from .portable.formats import Format
from .result import Verdict
from .settings import Settings


class Plan(NamedTuple):
    """One round trip to do."""

    models: ModelGroup
    format: Format
    environment: Environment
    settings: Settings
    folder: Path  # for the artifact and what belongs to it


class Stop(Exception):  # noqa: N818  it ends a round trip, not always by an error
    """The round trip ends here, with this verdict."""

    def __init__(
        self,
        verdict: Verdict,
        *problems: str,
        hint: str = "",
        detail: str = "",
        model_changed: bool = False,
    ) -> None:
        super().__init__(verdict, *problems)
        self.verdict, self.problems = verdict, list(problems)
        self.hint, self.detail, self.model_changed = hint, detail, model_changed


def difference_lines(comparisons: Comparisons) -> list[str]:
    """The differences of each check, no more than a screen can hold."""
    lines, table = [], checks.table()
    for name, found in differing(comparisons).items():
        messages, shown = found.differences, table[name].lines_shown
        if len(messages) > 1:
            lines.append(f"{name}: {len(messages)} differences")
        lines += messages[:shown]
        lines += [f"... and {len(messages) - shown} more"] if len(messages) > shown else []
    return lines


def error_text(error: Exception) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {error}"
