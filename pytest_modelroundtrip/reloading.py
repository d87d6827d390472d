"""The second half of a round trip: the job, the reload, and what a failed reload means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from . import diagnosis
from .environments import BadAnswerError, BrokenEnvironmentError
from .hints.hub_handles import handle_hint
from .hints.known_errors import Loading, crash_hint
from .hints.load_hints import load_hint
from .plan import Plan, SavePlan, Stop
from .portable import checks, protocol
from .portable.aliases import Array
from .portable.bundles import bundle_files
from .portable.checks import OUTPUTS, SELF_CONTAINED, WEIGHTS, Observations
from .portable.comparing import CheckOutcome, Tolerance
from .portable.confinement.tripwire import Access, AccessKind, Reached
from .portable.formats import Format
from .portable.known_arrays import with_known
from .portable.models import calling
from .portable.protocol import HowEnded, Job, LoadFailure, PartJob, Reloaded, Setup, Step
from .portable.subject import PREDICT
from .portable.tensors import KnownArray
from .result import Verdict
from .settings import Settings

NO_NETWORK = re.compile(r"connect|resol|unreachable|refused|urlopen|network", re.IGNORECASE)
IF_IT_IS_THERE = (
    'Or, if a deployment has it at the same path, pass confinement="off", or put its folder into '
    "roundtrip_pythonpath."
)


class Task(NamedTuple):
    """What the clean interpreter is to do, and the arrays that it need not send."""

    job: Job
    known: Mapping[str, Array | KnownArray]  # by their hashes


def make_task(
    plan: SavePlan, names: Sequence[str], expected: Observations, generation: int
) -> Task:
    """What is to be done; the job is also written beside the artifact, for `reload.pyz`."""
    last, settings = plan.settings.generations, plan.settings
    known = plan.models.large_arrays(expected)
    folders = ["artifact", *(f"generation{number}" for number in range(2, last + 1))]
    parts = [
        PartJob(
            name=name,
            keras_major=part.keras_major,
            structure=calling.structure_of(part.expected),
            weight_paths=[weight.path for weight in expected[name].get(WEIGHTS, [])],
            batches=[part.with_placeholders, *part.calls.batches[1:]],
            predicts=PREDICT in part.calls.ways,
        )
        for name, part in plan.models.parts.items()
    ]
    kept = job_of(plan.format, settings, folders[generation - 1], names, parts)
    (plan.folder / bundle_files.JOB).write_bytes(protocol.encode_record(kept))
    job = kept._replace(
        artifact=str(plan.folder / folders[generation - 1]),
        save_to=str(plan.folder / folders[generation]) if generation < last else None,
        known=(*known,),
    )
    return Task(job, known)


def job_of(
    fmt: Format, settings: Settings, artifact: str, names: Sequence[str], parts: list[PartJob]
) -> Job:
    """What reloads these parts from an artifact of that format, and makes these checks."""
    # where another runtime runs them, Keras is not needed
    majors = [part.keras_major for part in parts] if fmt.needs_keras else []
    return Job(
        setup=Setup(
            imports=list(settings.imports),
            pythonpath=list(settings.pythonpath),
            custom_objects=dict(settings.custom_objects),
            factory=settings.factory,
            confinement=settings.confinement,
            keras_majors=majors,
            train=settings.train if fmt.trains else None,
        ),
        format=fmt.reference,
        needs=list(fmt.needs),
        artifact=artifact,
        save_to=None,
        safe_mode=settings.safe_mode,
        checks=list(names),
        layers=False,
        parts=parts,
    )


def reload(plan: Plan, task: Task) -> Reloaded:
    """What came of the reload.

    Raises:
        Stop: where it could not be done in this environment, or the answer cannot be read.
    """
    settings = plan.settings
    try:
        return plan.environment.reload(task.job, settings.timeout, settings.memory_limit)
    except BrokenEnvironmentError as error:
        raise Stop(Verdict.ENVIRONMENT_BROKEN, str(error)) from error
    except BadAnswerError as error:
        raise Stop(Verdict.BAD_ANSWER, str(error)) from error


def observations(plan: Plan, task: Task, reloaded: Reloaded) -> Observations:
    """What the checks saw of the reloaded parts.

    Raises:
        Stop: where it did not come to an observation, or that cannot be read.
    """
    if reloaded.observation is None:
        raise _classify_failed_reload(plan, task.job, reloaded)
    return _observations(reloaded, task)


def _classify_failed_reload(plan: Plan, job: Job, reloaded: Reloaded) -> Stop:
    """What a reload without an observation means."""
    if reloaded.failure is not None:
        return _classify_error(plan, job, reloaded.failure)
    ended = reloaded.ended
    if ended is None:
        return Stop(Verdict.BAD_ANSWER, "the answer has neither an observation nor an error")
    if ended.how is HowEnded.UNREADABLE:
        unreadable = f"the clean interpreter wrote an answer that cannot be read: {ended.detail}"
        return Stop(Verdict.BAD_ANSWER, unreadable)
    if ended.how is HowEnded.MEMORY_LIMIT:
        return Stop(
            Verdict.CRASHED,
            f"the reload went beyond the memory limit: {ended.detail} in the step '{ended.step}'; "
            "it was killed",
            hint="If it only needs more, pass memory_limit=... or set the ini option "
            "roundtrip_memory_limit.",
        )
    if ended.how is HowEnded.DIED:
        died = f"the clean interpreter died in the step '{ended.step}': {ended.detail}"
        return Stop(Verdict.CRASHED, died, hint=crash_hint(reloaded.output))
    if ended.step is Step.START:
        return Stop(
            Verdict.TIMED_OUT,
            "the imports of TensorFlow and Keras did not end in time; the process was killed",
        )
    return Stop(
        Verdict.TIMED_OUT,
        f"the reload took more than {plan.settings.timeout:g} s, in the step '{ended.step}'; it "
        "was killed",
        hint="If it only needs longer, pass timeout=... or set the ini option roundtrip_timeout.",
    )


def _classify_error(plan: Plan, job: Job, failure: LoadFailure) -> Stop:
    """What an error means that the reload raised."""
    if failure.unsupported:
        return Stop(Verdict.UNSUPPORTED, failure.message)
    if failure.step is Step.CONFINE:
        return Stop(Verdict.ENVIRONMENT_BROKEN, failure.message)
    if failure.step is Step.ANSWER:
        unwritten = f"the clean interpreter could not write its answer: {failure.message}"
        return Stop(Verdict.CRASHED, unwritten, detail=failure.traceback)
    check = checks.table()[SELF_CONTAINED]
    reached = check.compare(Reached([], []), Reached(failure.reached, []), Tolerance())
    accesses = reached.differences if SELF_CONTAINED in job.checks else []
    error = f"{failure.type}: {failure.message}"
    loading = Loading([*plan.models.models.values()], plan.settings, plan.format)
    hint = load_hint(error, loading)
    if any(_is_reason(access, failure.message) for access in failure.reached):
        hint = check.hint if accesses else f"{check.hint} {IF_IT_IS_THERE}"
    hint = handle_hint(loading.models, plan.format, failure.reached, failure.message) or hint
    verdict, problems = Verdict.LOAD_ERROR, [*accesses, error]
    differ = [SELF_CONTAINED] if accesses else []
    if failure.step is Step.OBSERVE:
        unusable = "it was reloaded, but cannot be used as the original can"
        verdict, problems = Verdict.DIFFERS, [*accesses, unusable, failure.message]
        differ.append(OUTPUTS)
    outcomes = dict.fromkeys(differ, CheckOutcome.DIFFERS)
    return Stop(verdict, *problems, hint=hint, detail=failure.traceback, checks=outcomes)


def _is_reason(access: Access, message: str) -> bool:
    """Whether an error comes from what could not be accessed, by its message."""
    if access.kind is AccessKind.NETWORK:
        return bool(NO_NETWORK.search(message))
    return access.path in message


def reloader(plan: Plan, task: Task) -> diagnosis.ReloadAgain:
    """What reloads the same artifact once more, for a diagnosis."""

    def again(names: list[str], hash_seed: str | None = None) -> diagnosis.Reloading | None:
        wanted = task.job._replace(checks=names, layers=hash_seed is None, save_to=None)
        try:
            reloaded = plan.environment.reload(
                wanted, plan.settings.timeout, plan.settings.memory_limit, hash_seed
            )
            seen = _observations(reloaded, task._replace(job=wanted))
            found = diagnosis.Reloading(seen, reloaded.layers or {})
        except (BrokenEnvironmentError, BadAnswerError, Stop, OSError):
            return None  # the differences are known; what they mean is not
        return found if found.observations else None

    return again


def _observations(reloaded: Reloaded, task: Task) -> Observations:
    """What the checks saw of the reloaded parts.

    Raises:
        Stop: where that cannot be read, or is not of the parts and the checks of the job.
    """
    plain, parts = reloaded.observation or {}, [part.name for part in task.job.parts]
    try:
        if {*plain} != {*parts}:
            raise ValueError(
                f"the parts {_join_names(parts)} are expected, not {_join_names(plain)}"
            )
        plain = with_known(plain, task.known)
        return {part: checks.parsed(seen, task.job.checks) for part, seen in plain.items()}
    except ValueError as error:
        raise Stop(Verdict.BAD_ANSWER, str(error)) from error


def _join_names(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names)))[:200] or "none"
