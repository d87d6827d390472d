"""One reload, in a process that has only this package, the artifact and the installed packages."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
import time
import traceback
from types import TracebackType
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from . import checks, formats, keras_libs, records
from .aliases import Model, Plain
from .checks.outputs import usual_outputs
from .confinement.confining import Cage
from .confinement.tripwire import TRIPWIRE, text_of
from .known_arrays import without_known
from .models import calling, model_weights
from .processes import process_tree
from .protocol import Job, LayerOutput, LoadFailure, PartJob, Reloaded, Setup, Step
from .subject import PREDICT, USUAL, CallError, Subject, resolved

EnteringStep = Callable[[Step], None]


class Warmed(NamedTuple):
    """What came of the imports that a reload needs."""

    broken: Tuple[str, ...]  # what could not be imported, and why
    seconds: float  # 0 where all was imported already


class _Seen(NamedTuple):
    """What was seen of the parts, by name."""

    observation: Dict[str, Dict[str, Plain]]
    layers: Dict[str, List[LayerOutput]]


def set_up(setup: Setup, cage: Cage, artifact: str) -> None:
    """Import what the test declares, then close the cage.

    Args:
        setup: what is declared.
        cage: of this process.
        artifact: its folder.
    """
    _import_declared(setup)
    cage.close(artifact, setup.pythonpath, [], setup.modules)


def _import_declared(setup: Setup) -> None:
    sys.path[1:1] = setup.pythonpath
    for name in setup.modules:
        importlib.import_module(name)


def reload(job: Job, cage: Cage, entering: EnteringStep) -> Reloaded:
    """Do the job; never raises.

    Args:
        job: what is loaded, how, and what is looked at.
        cage: is closed when all is imported that the test declares, unless it is closed already.
        entering: is called with each step as it begins, so that a step that kills the
            process is known.
    """
    checks.table()  # imported before code of the model's can change the path
    warmed = warm(job.needs, job.setup.keras_majors)
    if warmed.broken:
        return Reloaded(keras_libs.versions(), {}, broken=warmed.broken)
    timer = _StepTimer(entering)
    seen: Optional[_Seen] = None
    failure: Optional[LoadFailure] = None
    try:
        seen = _observed(job, cage, timer)
    except BaseException as error:  # SystemExit too: whatever the model's code raises is the answer
        failure = _failure(timer.step, error)
    seconds = timer.stop()
    if warmed.seconds:
        seconds.update(start=warmed.seconds)
    return Reloaded(
        versions=keras_libs.versions(),
        seconds=seconds,
        observation=seen.observation if seen else None,
        layers=seen.layers if seen and job.layers else None,
        failure=failure,
        confinement=cage.description,
    )


def unwritten(reloaded: Reloaded, error: OSError) -> Reloaded:
    """What is answered instead of what could not be written."""
    failure = _failure(Step.ANSWER, error)
    return Reloaded(reloaded.versions, reloaded.seconds, failure=failure)


def _failure(step: Step, error: BaseException) -> LoadFailure:
    raised = error.__cause__ if isinstance(error, CallError) and error.__cause__ else error
    frames = _beyond_us(raised.__traceback__)
    unsupported = isinstance(raised, formats.UnsupportedError)
    return LoadFailure(
        step=step,
        type=type(error).__name__,
        message=text_of(raised if unsupported else error),
        traceback="".join(traceback.format_exception(type(raised), raised, frames)),
        reached=list(dict.fromkeys([*TRIPWIRE.reached.used, *TRIPWIRE.named_by(error)])),
        unsupported=unsupported,
    )


def _beyond_us(frames: Optional[TracebackType]) -> Optional[TracebackType]:
    """The traceback from where it leaves this package; all of it when it does not."""
    ours, beyond = os.path.dirname(os.path.abspath(__file__)), frames
    while beyond is not None:
        if not os.path.abspath(beyond.tb_frame.f_code.co_filename).startswith(ours):
            break
        beyond = beyond.tb_next
    return beyond or frames


def _observed(job: Job, cage: Cage, timer: _StepTimer) -> _Seen:
    timer.enter(Step.IMPORT)
    if cage.paths is None:
        _import_declared(job.setup)
    fmt = formats.referred(job.format)
    if job.setup.train:
        fmt = fmt.used_with(formats.FromTest(named(job.setup.train)))
    options = {part.name: _options(job, part) for part in job.parts}
    if job.save_to:
        process_tree.remove(job.save_to)  # of an earlier reload that broke off there
        os.mkdir(job.save_to)
    timer.enter(Step.CONFINE)
    saved = [job.save_to] if job.save_to else []
    paths = cage.paths or cage.close(job.artifact, job.setup.pythonpath, saved, job.setup.modules)
    TRIPWIRE.arm([*paths.readable, *paths.writable, job.artifact])
    timer.enter(Step.LOAD)
    models = fmt.load_all(job.artifact, options)
    subjects = {name: _subject(fmt, models[name], its) for name, its in options.items()}
    timer.enter(Step.OBSERVE)
    seen = _each_part(subjects, job, shares_variables=fmt.holds_groups)
    if job.save_to:
        timer.enter(Step.SAVE_AGAIN)
        fmt.save_all(models, job.save_to)
    return seen


def _options(job: Job, part: PartJob) -> formats.LoadOptions:
    return formats.LoadOptions(
        keras_major=part.keras_major,
        custom_objects={name: named(where) for name, where in job.setup.custom_objects.items()},
        factory=named(job.setup.factory) if job.setup.factory else None,
        safe_mode=job.safe_mode,
        structure=part.structure,
        weight_paths=part.weight_paths,
        part=part.name,
        batches=part.batches,
        predicts=part.predicts,
    )


def _subject(fmt: formats.Format, model: Model, options: formats.LoadOptions) -> Subject:
    subject = fmt.subject(model, options)._replace(batches=options.batches)
    if options.predicts and keras_libs.is_model(model):
        calls = {**subject.calls, PREDICT: calling.predict_call(model)}
        return subject._replace(calls=calls)
    return subject


def _each_part(subjects: Dict[str, Subject], job: Job, shares_variables: bool) -> _Seen:
    """The parts in their order: one may be called with what an earlier one returned."""
    seen, known = _Seen({}, {}), frozenset(job.known)
    answers: Dict[str, Plain] = {}
    other_parts: List[model_weights.Weight] = []
    for name, loaded in subjects.items():
        subject = loaded._replace(
            batches=[
                batch._replace(args=resolved(batch.args, answers)) for batch in loaded.batches
            ],
            other_parts=tuple(other_parts),
        )
        observation = checks.observe(subject, job.checks)
        seen.observation[name] = without_known(records.to_plain(observation), known)
        if job.layers:
            seen.layers[name] = subject.layer_outputs()
        if len(subjects) > 1:
            given, returned = subject.batches[0], usual_outputs(observation)
            is_seen = given.name in returned
            answers[name] = returned[given.name] if is_seen else subject.called(USUAL, given)
        if shares_variables:
            other_parts += model_weights.named_for_part(name, subject.weights)
    return seen


def named(where: str) -> Any:
    """The object that `module:attribute` names.

    Raises:
        ImportError, AttributeError: where there is none.
    """
    module, _, attribute = where.partition(":")
    found = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found


def warm(needs: Sequence[str], keras_majors: Sequence[Optional[int]]) -> Warmed:
    """Import the library that Keras computes with, and what a reload needs besides.

    Args:
        needs: modules besides Keras.
        keras_majors: of the models that are reloaded, the Keras that they were made with; none
            where another runtime runs them.
    """
    known, began = len(sys.modules), time.perf_counter()
    modules = keras_libs.needed(needs) if keras_majors else needs
    broken = [*_failed_imports(modules)]
    if 2 in keras_majors and keras_libs.has_separate_keras2():
        broken += _failed_imports(["tf_keras"])
    imported = len(sys.modules) > known
    if imported and "tensorflow" in sys.modules:
        with contextlib.suppress(Exception):  # then each call of a model is converted when it comes
            calling.convert_ahead()
    if imported:
        gc.freeze()  # forks share what they do not look through
    return Warmed(tuple(broken), time.perf_counter() - began if imported else 0.0)


def _failed_imports(modules: Sequence[str]) -> Iterator[str]:
    """Import the modules; yields what could not be imported, and why."""
    for name in modules:
        try:
            found = importlib.import_module(name)
            if name == "tensorflow":
                found.keras.layers  # noqa: B018  TensorFlow imports its Keras at the first touch
        except Exception as error:
            yield f"{name}: {type(error).__name__}: {error}"


class _StepTimer:
    """Measures the steps of a reload, and reports each as it begins."""

    def __init__(self, entering: EnteringStep) -> None:
        self.step = Step.START
        self._entering = entering
        self._since = time.perf_counter()
        self._seconds: Dict[str, float] = {}

    def enter(self, step: Step) -> None:
        """End the step that was, and begin this one."""
        self.stop()
        self.step = step
        self._entering(step)

    def stop(self) -> Dict[str, float]:
        """End the step that was; the seconds of each so far."""
        now = time.perf_counter()
        if self.step is not Step.START:
            self._seconds[self.step.value] = now - self._since
        self._since = now
        return self._seconds
