"""One reload, in a process that has nothing but this package, the artefact and the installed packages.

A job and its answer are dicts in NumPy form (see `tensors`); `RELOAD` names the steps in the order in which they are done.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import time
import traceback
from types import TracebackType
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from . import formats, library, observation, variables
from .tripwire import TRIPWIRE

Step = Callable[[str], None]


def reload(job: Dict[str, Any], entering: Step) -> Dict[str, Any]:
    """Do the job; never raises.

    Args:
        job: `needs` (what the format needs besides Keras; imported first, which no time limit counts), `format` (its name),
            `folder` (the artefact), `imports`, `pythonpath`, `custom_objects`, `factory`, `safe_mode`, `checks`, `save_to` (where
            to save again, or None) and `parts`: of each `name`, `generation`, `template`, `paths` and `batches`. A single model is
            a part named "".
        entering: told the name of each step as it begins, so that a step that kills the process is known.

    Returns:
        `observation` by part, or `error` with `step`, `type`, `message`, `traceback`, or `broken`: what could not be imported;
        `seconds` by step; `versions`.
    """
    broken, imported = warm(job["needs"], generations(job))
    if broken:
        return {"broken": broken, "seconds": {}, "versions": library.versions()}
    answer: Dict[str, Any] = {}
    clock = _Clock(entering)
    try:
        answer["observation"] = _observed(job, clock)
    except BaseException as error:  # SystemExit too: whatever the model's code raises is the answer
        raised = error.__cause__ if isinstance(error, observation.CallError) and error.__cause__ else error
        answer["error"] = {
            "step": clock.step,
            "type": type(error).__name__,
            "message": str(error),
            "traceback": "".join(traceback.format_exception(type(raised), raised, _beyond_us(raised.__traceback__))),
        }
    answer["seconds"] = clock.stop()
    if imported:
        answer["seconds"]["start"] = imported
    answer["versions"] = library.versions()
    return answer


def _beyond_us(frames: Optional[TracebackType]) -> Optional[TracebackType]:
    """The traceback from where it leaves this package; all of it when it does not."""
    ours, beyond = os.path.dirname(os.path.abspath(__file__)), frames
    while beyond is not None and os.path.abspath(beyond.tb_frame.f_code.co_filename).startswith(ours):
        beyond = beyond.tb_next
    return beyond or frames


def _observed(job: Dict[str, Any], clock: "_Clock") -> Dict[str, Any]:
    clock.enter("import")
    sys.path[1:1] = job["pythonpath"]
    for name in job["imports"]:
        importlib.import_module(name)
    fmt = importlib.import_module(formats.__name__ + "." + job["format"])
    options = {part["name"]: _options(job, part) for part in job["parts"]}
    clock.enter("load")
    TRIPWIRE.arm(job["folder"], *job["pythonpath"])
    models = formats.load_all(fmt, job["folder"], options)
    subjects = {name: fmt.subject(models[name], options[name]) for name in options}
    clock.enter("observe")
    seen = _each_part(fmt, subjects, options, job["checks"])
    if job["save_to"]:
        clock.enter("save again")
        shutil.rmtree(job["save_to"], ignore_errors=True)  # of an earlier reload that broke off there
        os.mkdir(job["save_to"])
        formats.save_all(fmt, models, job["save_to"])
    return seen


def _options(job: Dict[str, Any], part: Dict[str, Any]) -> formats.Options:
    return formats.Options(
        generation=part["generation"],
        custom_objects={name: named(where) for name, where in job["custom_objects"].items()},
        factory=named(job["factory"]) if job["factory"] else None,
        safe_mode=job["safe_mode"],
        template=part["template"],
        paths=part["paths"],
        part=part["name"],
        batches=[observation.Batch(*batch) for batch in part["batches"]],
    )


def _each_part(fmt: Any, subjects: Dict[str, Any], options: Dict[str, formats.Options], checks: List[str]) -> Dict[str, Any]:
    """The parts in their order: one may be called with what an earlier one answered."""
    seen: Dict[str, Any] = {}
    answers: Dict[str, Any] = {}
    beside: List[variables.Weight] = []
    for name, subject in subjects.items():
        batches = [batch._replace(args=observation.filled(batch.args, answers)) for batch in options[name].batches]
        seen[name] = observation.observe(subject, batches, checks, beside)
        if len(subjects) > 1:
            answers[name] = observation.answer(subject, batches[0], seen[name])
        if hasattr(fmt, "load_together"):
            beside += observation.named_for_part(name, subject.weights)
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


def generations(job: Dict[str, Any]) -> List[Optional[int]]:
    """Of the job's models, the Keras that they were made with."""
    return [part["generation"] for part in job["parts"]]


def warm(needs: Sequence[str], models: Sequence[Optional[int]]) -> Tuple[List[str], float]:
    """Import the Keras that is here, or TensorFlow with its own, and what a reload of such `models` needs besides.

    Returns:
        What could not be imported, and why; and the seconds that it took, 0 where all was there already.
    """
    known, began = len(sys.modules), time.perf_counter()
    broken = [*_imported(library.needed(needs)), *(_imported(["tf_keras"]) if 2 in models and library.keras2_is_apart() else [])]
    return broken, time.perf_counter() - began if len(sys.modules) > known else 0.0


def _imported(modules: List[str]) -> Iterator[str]:
    """Yields what could not be imported, and why."""
    for name in modules:
        try:
            found = importlib.import_module(name)
            if name == "tensorflow":
                found.keras.layers  # noqa: B018  TensorFlow imports its Keras at the first touch
        except Exception as error:
            yield "%s: %s: %s" % (name, type(error).__name__, error)


class _Clock:
    def __init__(self, entering: Step) -> None:
        self.step, self._entering, self._since = "start", entering, time.perf_counter()
        self._seconds: Dict[str, float] = {}

    def enter(self, step: str) -> None:
        self.stop()
        self.step = step
        self._entering(step)

    def stop(self) -> Dict[str, float]:
        now = time.perf_counter()
        if self.step != "start":
            self._seconds[self.step] = now - self._since
        self._since = now
        return self._seconds
