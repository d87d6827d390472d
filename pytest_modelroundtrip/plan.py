"""What a round trip is to do, and how a step of it ends it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import system_errors
from .environments import Environment
from .portable.comparing import CheckOutcome
from .portable.formats import Format
from .reference.model import ModelGroup
from .result import Verdict
from .settings import Settings

# the verdicts of errors that come in the words of a library
PERHAPS_A_MACHINE = (
    Verdict.SAVE_ERROR,
    Verdict.LOAD_ERROR,
    Verdict.CRASHED,
    Verdict.ENVIRONMENT_BROKEN,
)


@dataclass(frozen=True)
class SavePlan:
    """What is to be saved, and how: the first half of a round trip."""

    models: ModelGroup
    format: Format
    settings: Settings
    folder: Path  # for the artifact and what belongs to it


@dataclass(frozen=True)
class Plan(SavePlan):
    """One round trip to do."""

    environment: Environment


class Stop(Exception):  # noqa: N818  it ends a round trip, not always by an error
    """The round trip ends here, with this verdict, and these outcomes of checks."""

    def __init__(
        self,
        verdict: Verdict,
        *problems: str,
        hint: str = "",
        detail: str = "",
        model_changed: bool = False,
        checks: Mapping[str, CheckOutcome] | None = None,
    ) -> None:
        super().__init__(verdict, *problems)
        self.verdict, self.problems = verdict, problems
        self.hint, self.detail, self.model_changed = hint, detail, model_changed
        self.checks = checks or {}

    def replaced(self, verdict: Verdict, problems: Iterable[str], hint: str) -> Stop:
        """The same with another verdict and its reasons."""
        return Stop(
            verdict,
            *problems,
            hint=hint,
            detail=self.detail,
            model_changed=self.model_changed,
            checks=self.checks,
        )

    def following(self, *problems: str) -> Stop:
        """The same after these problems."""
        return self.replaced(self.verdict, [*problems, *self.problems], self.hint)


def system_error(error: OSError, folder: Path) -> Stop:
    """What an error means that this machine raised, and no model's code."""
    place = [Path(error.filename).parent] if isinstance(error.filename, str) else []
    # an error of shutil has no number: its text has those of all files that it could not copy
    code = error.errno or system_errors.code_in(str(error))
    facts = system_errors.facts(code, [*place, folder])
    if error.errno is not None:  # else its text would be lost
        error.filename = error.filename or str(folder)  # a write does not say where
    hint = system_errors.advice(code)
    return Stop(Verdict.SYSTEM_ERROR, error_text(error), *facts, hint=hint)


def recognized(stop: Stop, plan: Plan) -> Stop:
    """The same; where a machine is to blame, which its words say, with the verdict for that."""
    code = system_errors.code_in("\n".join(stop.problems))
    if code is not None and stop.verdict in PERHAPS_A_MACHINE:
        facts, advice = system_errors.facts(code, [plan.folder]), system_errors.advice(code)
        if stop.verdict is not Verdict.SAVE_ERROR and not plan.environment.is_local:
            where = plan.environment.description
            facts, advice = [], f"The error is on the other machine, not on this one: {where}."
        problems = [f"{os.strerror(code)}:", *facts, *stop.problems]
        return stop.replaced(Verdict.SYSTEM_ERROR, problems, advice)
    return stop


def error_text(error: Exception) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {error}"
