"""Compares both sides, and decides the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from . import diagnosis
from .plan import Plan, Stop
from .portable import checks
from .portable.aliases import Plain
from .portable.checks import CONFIG, OUTPUTS, Observations
from .portable.checks.outputs import usual_outputs
from .portable.comparing import (
    CheckOutcome,
    Comparison,
    Comparisons,
    Tolerance,
    differing,
    merged_comparisons,
)
from .portable.formats import Format
from .portable.subject import GIVEN
from .result import RoundTrip, Verdict, Versions
from .settings import Settings


def given_outputs(actual: Observations) -> Plain:
    """The outputs for the given inputs; by name where there are several parts."""
    found = {name: usual_outputs(seen).get(GIVEN) for name, seen in actual.items()}
    return found.get("", found)


def tolerance_of(settings: Settings, versions: Versions, fmt: Format) -> Tolerance:
    """How far apart outputs may be: what the test says, else the format, else their dtype."""
    asked = Tolerance(settings.exact, settings.rtol, settings.atol)
    return asked.between(versions.saved, versions.reloaded, fmt.tolerance)


def compare(
    expected: Observations,
    actual: Observations,
    tolerance: Tolerance,
    reload_again: diagnosis.ReloadAgain,
) -> Comparisons:
    """Compare both sides; where configs differ, without what differs after each reload."""
    found = compare_parts(expected, actual, tolerance)
    if CONFIG in differing(found):
        expected = diagnosis.without_accidents(expected, actual, reload_again)
        found = compare_parts(expected, actual, tolerance)
    return found


def compare_parts(
    expected: Observations, actual: Observations, tolerance: Tolerance
) -> Comparisons:
    """Compare what was seen of each part."""
    return merged_comparisons(
        (part, checks.compare(expected[part], actual.get(part, {}), tolerance)) for part in expected
    )


class Outcomes(NamedTuple):
    """What the checks came to, by name: see `RoundTrip`, which has the same fields."""

    checks: dict[str, CheckOutcome]
    not_checked: dict[str, str]
    distances: dict[str, int]


def outcomes(comparisons: Comparisons, names: Sequence[str]) -> Outcomes:
    """What each check came to, of which those of these names were made."""
    found = {name: comparisons.get(name, Comparison()) for name in checks.NAMES}
    return Outcomes(
        checks={
            name: comparison.outcome if name in names else CheckOutcome.NOT_APPLICABLE
            for name, comparison in found.items()
        },
        not_checked={
            name: "; ".join(comparison.not_checked)
            for name, comparison in found.items()
            if comparison.not_checked
        },
        distances={
            name: comparison.max_ulp
            for name, comparison in found.items()
            if comparison.max_ulp is not None
        },
    )


def bits_were_expected(plan: Plan, trip: RoundTrip) -> bool:
    """Whether the outputs are close, though the same versions computed them on this machine.

    What has a tolerance of its own computes in another way.
    """
    is_same = plan.environment.is_this_interpreter and not trip.versions.differ
    return is_same and trip.verdict is Verdict.CLOSE and plan.format.tolerance is None


def decide(plan: Plan, names: Sequence[str], evidence: diagnosis.Evidence) -> Verdict:
    """The verdict of a generation that passed.

    Raises:
        Stop: where something differs, nothing was compared, or a check that was asked for by name
            could not be made.
    """
    comparisons = evidence.comparisons
    if differing(comparisons):
        found = diagnosis.diagnose(evidence)
        raise Stop(
            found.verdict, *found.lines, *checks.difference_lines(comparisons), hint=found.hint
        )
    unmade = [name for name in comparisons if comparisons[name].not_checked]
    if unmade and plan.settings.checks and set(checks.NAMES) - set(plan.settings.checks):
        raise Stop(
            Verdict.DIFFERS,
            f"these checks were asked for by name, and are not checked: {', '.join(unmade)}",
        )
    outputs = comparisons.get(OUTPUTS, Comparison())
    compared = sum(found.compared for found in comparisons.values())
    if not compared or (OUTPUTS in names and not outputs.compared):
        what = f"{plan.format.name} keeps {', '.join(plan.format.keeps)} only"
        if names:
            missing = "the outputs are empty"
            what = missing if OUTPUTS in names else f"this model has no {', '.join(names)}"
        raise Stop(Verdict.DIFFERS, f"nothing was compared: {what}")
    return Verdict.CLOSE if outputs.bits_differ else Verdict.EXACT
