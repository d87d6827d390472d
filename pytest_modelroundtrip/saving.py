"""The first half of a round trip: what is compared, what the original shows, and the save."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from .deciding import compare_parts
from .environments import BadAnswerError, BrokenEnvironmentError
from .hints.known_errors import save_error_hint
from .plan import Plan, SavePlan, Stop, error_text, system_error
from .portable import checks
from .portable.checks import Observations
from .portable.comparing import Tolerance, differing
from .portable.formats import Format, FromTest, UnsupportedError, missing_library
from .portable.protocol import Interpreter
from .portable.reload import named
from .portable.subject import CallError
from .portable.training.training_run import Train
from .result import Verdict

AnyPlan = TypeVar("AnyPlan", bound=SavePlan)


def prepared(plan: AnyPlan) -> AnyPlan:
    """The same plan, whose format has what the test passes besides the models.

    Raises:
        Stop: where the function that trains the model cannot be imported here.
    """
    batches = {name: part.calls.batches for name, part in plan.models.parts.items()}
    return replace(plan, format=plan.format.used_with(FromTest(_train(plan), batches)))


def _train(plan: SavePlan) -> Train | None:
    """The function that trains the model, if the format needs it."""
    where = plan.settings.train
    if where is None or not plan.format.trains:
        return None
    try:
        train: Train = named(where)
    except Exception as error:
        text = f"train={where!r} cannot be imported here: {error_text(error)}"
        raise Stop(Verdict.SAVE_ERROR, text, detail=traceback.format_exc()) from error
    return train


def assert_not_broken(plan: Plan) -> None:
    """Look at what is known of the environment.

    Raises:
        Stop: where it is broken.
    """
    environment = plan.environment
    broken = environment.broken or (plan.format.needs_keras and environment.without_keras)
    if broken:
        raise Stop(Verdict.ENVIRONMENT_BROKEN, broken)


def assert_readable(plan: Plan) -> None:
    """Ask for the libraries of the environment.

    Raises:
        Stop: where it is broken, or can load nothing of this format.
    """
    _assert_no_reason(_why_unreadable, plan)


def checks_to_make(plan: SavePlan) -> list[str]:
    """The checks that were asked for, else the quick ones that some release passes; of these, the
    ones that the format keeps.

    Raises:
        Stop: where the format cannot hold these models.
    """
    _assert_no_reason(_unsupported, plan)
    kept = [name for name in checks.NAMES if name in plan.format.keeps]
    if plan.settings.checks:
        return [name for name in kept if name in plan.settings.checks]
    table, never_kept = checks.table(), plan.format.never_kept
    majors = {part.keras_major for part in plan.models.parts.values()}
    quick = [name for name in kept if not table[name].slow]
    return [name for name in quick if not majors.intersection(never_kept.get(name, ()))]


def _assert_no_reason(find: Callable[[AnyPlan], str | None], plan: AnyPlan) -> None:
    """Raise Stop where a reason is found why the format cannot do this."""
    try:
        reason = find(plan)
    except Stop:
        raise
    except Exception as error:
        raise _cannot_look(plan.format, error) from error
    if reason:
        raise Stop(Verdict.UNSUPPORTED, str(reason))


def _cannot_look(fmt: Format, error: Exception) -> Stop:
    what = "train the model" if fmt.trains else "look at the model"
    text = f"the format {fmt.name} cannot {what}: {error_text(error)}"
    return Stop(Verdict.SAVE_ERROR, text, detail=traceback.format_exc())


def _unsupported(plan: SavePlan) -> str | None:
    """Why the format cannot hold these models, or cannot load them without a factory."""
    fmt, models = plan.format, plan.models.models
    if fmt.trains and (len(models) > 1 or plan.settings.generations > 1):
        return "it supports only one model and one generation"
    for name, model in models.items():
        reason = fmt.unsupported(model)
        if reason is None and plan.settings.factory is None:
            reason = fmt.needs_factory(model)
        if reason:
            return f"{name}: {reason}" if name else reason
    if len(models) > 1 and plan.settings.factory is None:
        return fmt.group_needs_factory(models)
    return None


def _why_unreadable(plan: Plan) -> str | None:
    """Why no interpreter like the environment's could load it.

    A format that was asked for by name is tried all the same.

    Raises:
        Stop: where there is no such interpreter.
    """
    if plan.environment.is_this_interpreter or plan.settings.formats_by_name:
        return None
    interpreter = _probed(plan)
    majors = [part.keras_major for part in plan.models.parts.values()]
    reasons = plan.format.why_unreadable(majors, interpreter)
    return missing_library(plan.format.needs, interpreter) or next(iter(reasons), None)


def _probed(plan: Plan) -> Interpreter:
    try:
        return plan.environment.probe(plan.format.needs_keras)
    except BrokenEnvironmentError as error:
        raise Stop(Verdict.ENVIRONMENT_BROKEN, str(error)) from error
    except BadAnswerError as error:
        raise Stop(Verdict.BAD_ANSWER, str(error)) from error
    except OSError as error:
        raise system_error(error, plan.folder) from error


def observe_original(plan: SavePlan, names: Sequence[str]) -> Observations:
    """What the checks see of the original.

    Raises:
        Stop: where the format cannot look at it, or it differs from itself.
    """
    try:
        expected = plan.models.observe(plan.format, names)
    except UnsupportedError as error:
        raise Stop(Verdict.UNSUPPORTED, str(error)) from error
    except Exception as error:
        raise _cannot_look(plan.format, error) from error
    unstable = {name: found for name, found in plan.models.unstable.items() if name in names}
    bits_differ = any(found.bits_differ for found in unstable.values())
    if differing(unstable) or (plan.settings.exact and bits_differ):
        raise Stop(
            Verdict.NOT_DETERMINISTIC,
            "called twice on the same inputs, from the same state, the model returns different "
            "outputs:",
            *checks.difference_lines(unstable),
            hint="Give each random operation a fixed seed, or return the part of the model that "
            "does not differ from call to call.",
        )
    return expected


def save(plan: SavePlan, artifact: Path) -> int:
    """Save, then move: nothing in the artifact may point to where it was written.

    Returns:
        The size of the artifact in bytes.

    Raises:
        Stop: where the format cannot hold the model, raises, or writes nothing.
    """
    saving = plan.folder / "saving"
    saving.mkdir(parents=True)
    try:
        plan.format.save_all(plan.models.models, str(saving))
    except UnsupportedError as error:
        raise Stop(Verdict.UNSUPPORTED, str(error), model_changed=True) from error
    except Exception as error:
        text, detail = error_text(error), traceback.format_exc()
        hint = save_error_hint(text)
        raise Stop(
            Verdict.SAVE_ERROR, text, hint=hint, detail=detail, model_changed=True
        ) from error
    saving.rename(artifact)
    files = [path for path in artifact.rglob("*") if path.is_file()]
    if not files:
        raise Stop(Verdict.SAVE_ERROR, "the format wrote nothing")
    return sum(path.stat().st_size for path in files)


def assert_unchanged(plan: SavePlan, names: Sequence[str], expected: Observations) -> None:
    """Observe the model again.

    Raises:
        Stop: where saving changed it.
    """
    changed = "saving changed the model:"
    quick = [name for name in names if not checks.table()[name].slow]
    try:
        after = plan.models.observe(plan.format, quick, again=True)
    except Exception as error:
        text = str(error) if isinstance(error, CallError) else error_text(error)
        raise Stop(Verdict.DIFFERS, changed, text, model_changed=True) from error
    before = {
        part: {name: seen for name, seen in observation.items() if name in quick}
        for part, observation in expected.items()
    }
    comparisons = compare_parts(before, after, Tolerance())
    if differing(comparisons) and plan.format.trains:
        raise Stop(
            Verdict.NOT_DETERMINISTIC,
            "trained twice, from the same state and without an interruption, the model differs:",
            *checks.difference_lines(comparisons),
            hint="In the function that trains, pass shuffle=False to fit, or set the seed of the "
            "shuffling: the data must be the same each time. The function must create its own "
            "objects, such as an optimizer, anew in each call.",
            model_changed=True,
        )
    if differing(comparisons):
        raise Stop(
            Verdict.DIFFERS,
            changed,
            *checks.difference_lines(comparisons),
            hint="Whatever uses or saves it afterwards gets another model: save a copy, or save "
            "in another process.",
            model_changed=True,
        )
