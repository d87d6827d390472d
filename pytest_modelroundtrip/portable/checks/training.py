"""The check `training`."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from .. import keras_libs, tensors
from ..aliases import Array, Model, Plain
from ..comparing import Comparison, Tolerance, arrays
from ..comparing.variables import paired
from ..models.randomness import has_drawing_operation
from ..protocol import Batch, WeightValue
from ..subject import Subject, short_message
from ..training import targets, training_step
from . import Check, NotCheckableError

RTOL = 1e-5  # of a change, relative to the largest in the same variable; of a log, to itself
ACROSS = 1e-3  # the same where other kernels compute
ROUNDINGS = 8  # of its own noise, by which a step may differ from another
UNSTABLE = 0.05  # the noise, relative to a change, from which that is not compared
UNSTABLE_LOG = 1e-3  # the same of a log
MAX_REASON = 300  # characters


class TrainingSighting(NamedTuple):
    """One training step: what the history says of it, and what it changes."""

    logs: Dict[str, Array]  # by name of the loss or metric
    changes: List[WeightValue]  # of weights and slots: after the step less before it
    floors: Dict[str, float]  # by path, the smallest change that its dtype can show
    noise: Dict[str, float]  # by path, what a rounding error before the step changes of it
    log_noise: Dict[str, float]
    precision: float  # the rounding of what the layers compute with

    def verify(self) -> None:
        """Changes are compared by their size: a hash does not do."""
        if not all(isinstance(change.value, np.ndarray) for change in self.changes):
            raise ValueError("changes: arrays are expected")


class TrainingCheck(Check[TrainingSighting]):
    """The next training step of a compiled Keras model: each log, and each weight's change.

    `fit` takes it on your batch, with targets made from the shape of the outputs. Both sides
    take it from the same state and undo it; on this side in your test's own process, since what is
    not saved exists only there. A change is compared relative to its own size. What a rounding
    error of the weights makes another one is not compared.
    """

    sighting = TrainingSighting
    hint = (
        "Look at train_step, the loss, the metrics and the optimizer, and at their arguments: what "
        "is neither in the config nor a weight is lost."
    )
    hint_of_step = (
        "Loss and metrics are equal, but the weight updates differ. Look at train_step, and at "
        "what was set on the optimizer after its construction, such as exclude_from_weight_decay. "
        "No file keeps that: put it into a class of your own and return it from get_config."
    )
    may_be_unmade = True
    slow = True
    lines_shown = 2

    def observe(self, subject: Subject) -> Optional[TrainingSighting]:
        """The next step; None for what is not a compiled Keras model.

        Raises:
            CallError: when the model cannot be called.
            NotCheckableError: where it cannot take that step, or not twice in the same way.
        """
        model = subject.model
        if not keras_libs.is_model(model) or getattr(model, "optimizer", None) is None:
            return None
        batch = subject.batches[0]
        if set(batch.kwargs) - {"training"}:
            raise NotCheckableError("inputs are passed by name, which fit does not take")
        if _draws(subject, batch):
            raise NotCheckableError(
                "training is random: it draws random numbers whose seed cannot be set"
            )
        inputs = batch.args[0] if len(batch.args) == 1 else batch.args
        seen = _sighting(model, *_steps(model, inputs, subject.called("", batch)))
        if _is_random(seen):
            raise NotCheckableError("training is random: two steps from the same state differ")
        return seen

    def compare(
        self, expected: TrainingSighting, actual: TrainingSighting, tolerance: Tolerance
    ) -> Comparison:
        """Compare the logs, then the changes, paired by path."""
        found = Comparison()
        found.compared = 1
        comparing = _StepComparison(expected.precision, tolerance, found)
        unstable = _unstable_logs(expected)
        for name, other in _paired_logs(expected.logs, actual.logs):
            if name not in unstable:
                sides = expected.logs.get(name), actual.logs.get(other)
                noise = expected.log_noise.get(name, 0.0), actual.log_noise.get(other, 0.0)
                comparing.compare(f"the next step's {name}", sides, noise)  # it has no floor
        if not found.differences and found.compared > 1:
            found.hint = self.hint_of_step  # shown where changes differ
        originals, reloaded = paired(expected.changes, actual.changes, tolerance)
        for path in {**originals, **reloaded}:
            held = originals.get(path), reloaded.get(path)
            changes = held[0] and held[0].value, held[1] and held[1].value
            noise = _at(expected.noise, held[0]), _at(actual.noise, held[1])
            floor = _at(expected.floors, held[0]) + _at(actual.floors, held[1])
            comparing.compare(f"the next step's change of {path}", changes, noise, floor)
        return found


def _draws(subject: Subject, batch: Batch) -> bool:
    """Whether a call in training mode draws numbers that no seed of Keras 3's decides."""
    try:
        in_training = batch._replace(kwargs={"training": True})
        return has_drawing_operation(subject.calls[""], in_training)
    except Exception:  # whatever the model raises: then it cannot be trained, which is told
        return False


def _paired_logs(expected: Dict[str, Any], actual: Dict[str, Any]) -> List[Tuple[str, str]]:
    """The names of each log on both sides.

    Keras 2 puts the name of an output before that of its metric, and once more after a reload:
    `a_q` comes back as `a_a_q`.
    """
    renamed = {}
    for name in [name for name in actual if name not in expected]:
        first, _, rest = name.partition("_")
        if rest in expected and rest not in actual and rest.startswith(first + "_"):
            renamed[rest] = name
    names = [name for name in {**expected, **actual} if name not in renamed.values()]
    return [(name, renamed.get(name, name)) for name in names]


Sides = Tuple[Optional[Array], Optional[Array]]  # of the original, and of the reloaded model


class _StepComparison:
    """One comparison of two steps, on its way through them."""

    def __init__(self, precision: float, tolerance: Tolerance, found: Comparison) -> None:
        is_across = tolerance.across_versions or tolerance.across_backends
        own = max(ACROSS if is_across else RTOL, 8 * precision)
        self._rtol = max(own, tolerance.rtol or 0.0)
        self._found = found

    def compare(
        self, what: str, sides: Sides, noise: Tuple[float, float], floor: float = 0.0
    ) -> None:
        """Compare one log or one change."""
        expected, actual = sides
        if expected is None or actual is None:
            how = "is not in the original" if expected is None else "is missing after the reload"
            self._found.differ(f"{what} {how}")
            return
        size = _size(expected)
        if noise[0] > UNSTABLE * size:
            return  # rounding alone makes another step of it
        self._found.compared += 1
        atol = self._rtol * size + ROUNDINGS * sum(noise) + floor
        allowed = Tolerance(rtol=0.0, atol=atol)
        compared = Comparison()
        message = arrays.leaf_difference(expected, actual, allowed, compared)
        self._found.bits_differ |= compared.bits_differ
        if message:
            self._found.differ(f"{what} {message}")


def _at(numbers: Dict[str, float], weight: Optional[WeightValue]) -> float:
    return 0.0 if weight is None else numbers.get(weight.path, 0.0)


def _size(change: Array) -> float:
    """The largest of its finite numbers."""
    wide = np.abs(change.astype(np.complex128 if change.dtype.kind == "c" else np.float64))
    return float(wide[np.isfinite(wide)].max(initial=0.0))


def _steps(
    model: Model, inputs: Plain, outputs: Plain
) -> Tuple[training_step.Step, training_step.Step]:
    """The same step twice, the second time with weights that differ by a rounding error."""
    first_error: Optional[Exception] = None
    for given in _given_targets(model, outputs):
        try:
            return training_step.twice(model, inputs, given)
        except Exception as error:
            first_error = first_error or error
    assert first_error is not None
    text = " ".join(short_message(first_error).replace("in user code:", "").split())
    kind = f"{type(first_error).__name__}: "
    reason = kind + text.replace(kind, "", 1)  # autograph writes it into the text
    raise NotCheckableError(f"own step raises {reason[:MAX_REASON]}") from first_error


def _given_targets(model: Model, outputs: Plain) -> List[Optional[Plain]]:
    """The targets to try; None: none. A model without a loss may take none.

    Raises:
        NotCheckableError: where none can be made.
    """
    has_loss = getattr(model, "loss", None) is not None
    if all(isinstance(leaf, np.ndarray) for _, leaf in tensors.leaves(outputs)):
        made = targets.targets(model, outputs)
        return [made] if has_loss else [made, None]
    if has_loss:
        raise NotCheckableError("outputs are ragged or sparse, and no targets can be made for them")
    return [None]


def _sighting(
    model: Model, once: training_step.Step, again: training_step.Step
) -> TrainingSighting:
    """The first of two steps, with what makes the second another one."""
    changes = {weight.path: weight.value for weight in again.changes}
    apart = {weight.path: _apart(weight.value, changes.get(weight.path)) for weight in once.changes}
    return TrainingSighting(
        logs=once.logs,
        changes=once.changes,
        floors=once.floors,
        # the change itself is rounded, too
        noise={path: max(0.0, size - 2 * once.floors[path]) for path, size in apart.items()},
        log_noise={name: _apart(value, again.logs.get(name)) for name, value in once.logs.items()},
        precision=training_step.precision(model),
    )


def _apart(one: Array, other: Optional[Array]) -> float:
    """How far apart two logs or changes are; infinite where they cannot be compared."""
    if other is None or one.shape != other.shape:
        return float("inf")
    wide = np.complex128 if one.dtype.kind == "c" else np.float64
    some, others = one.astype(wide), other.astype(wide)
    if (np.isfinite(some) != np.isfinite(others)).any():
        return float("inf")
    with np.errstate(all="ignore"):
        return _size(some - others)


def _unstable_logs(sighting: TrainingSighting) -> List[str]:
    """The logs that are other ones each time, or that rounding alone changes."""
    threshold = max(UNSTABLE_LOG, 32 * sighting.precision)
    return [
        name
        for name, value in sighting.logs.items()
        if sighting.log_noise[name] > threshold * _size(value)
    ]


def _is_random(sighting: TrainingSighting) -> bool:
    """Whether its loss, or all that it changes, is another one each time."""
    if "loss" in _unstable_logs(sighting):
        return True
    moved = [change for change in sighting.changes if change.value.dtype.kind == "f"]
    moved = [change for change in moved if change.value.any()]
    unstable = [
        change for change in moved if sighting.noise[change.path] > UNSTABLE * _size(change.value)
    ]
    return bool(moved) and len(unstable) == len(moved)
