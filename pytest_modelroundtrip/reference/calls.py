"""How the original is called, and what it returned: the reference of each round trip."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..portable import checks, keras_libs
from ..portable.aliases import Model, Plain
from ..portable.checks import LOSSES, OUTPUTS, NotChecked, Observation
from ..portable.checks.outputs import observation_of, usual_outputs
from ..portable.comparing import Comparison, Comparisons, Tolerance, differing
from ..portable.comparing.nests import compare_nests
from ..portable.models import calling, model_weights, variables
from ..portable.models.calling import NumpyCall
from ..portable.models.randomness import has_drawing_operation, is_seed
from ..portable.protocol import Batch
from ..portable.subject import GIVEN, PREDICT, TRAINING, USUAL, CallError, Subject
from ..result import OwnDistances
from . import free_axes


@dataclass(frozen=True)
class Calls:
    """The ways to call a model, the batches, and what it returned for them, twice."""

    model: Model
    ways: dict[str, NumpyCall]  # what calls it for its outputs, by name
    losses: NumpyCall | None  # calls it for its losses; None where it has none
    batches: Sequence[Batch]  # what it is called with; the first one is what was given
    seen: Observation  # what the checks that call the model saw of it
    unstable: Comparisons  # what the first and the second call showed differently

    @property
    def expected(self) -> Plain:
        """The outputs for the given inputs, in NumPy form."""
        return usual_outputs(self.seen)[GIVEN]

    @functools.cached_property
    def own_distances(self) -> OwnDistances:
        """How far the outputs for the same inputs are apart."""
        between_calls = self.unstable.get(OUTPUTS, Comparison()).max_ulp or 0
        eager = calling.eager_call(self.model)
        if eager is not None:
            with contextlib.suppress(CallError):  # some models run in a graph only
                outputs = _returned(self.model, eager, self.batches[0])
                compared = compare_nests("", self.expected, outputs, Tolerance())
                return OwnDistances(between_calls, compared.max_ulp or 0)
        return OwnDistances(between_calls)


class _Taken(NamedTuple):
    """A batch that the model takes, and what it returns for it."""

    batch: Batch
    outputs: Plain


def calls_of(model: Model, args: list[Plain], kwargs: dict[str, Plain]) -> Calls:
    """Call a model in its ways with batches of several kinds, all of it twice.

    Raises:
        CallError: when it cannot be called with what was given.
    """
    usual, losses = calling.callers(model)
    given = Batch(GIVEN, args, kwargs)
    is_keras = keras_libs.keras_major(model) is not None
    if is_keras and not model.built:
        usual(args, kwargs)  # weights that do not exist yet cannot be restored
    first = _observed(model, {USUAL: usual}, losses, [given])
    more = _resized(model, usual, free_axes.Sizes(model, args, kwargs))
    predict = None
    if is_keras and kwargs == {"training": False}:
        more += _in_training(model, usual, given)
        predict = _own_predict(model, given)
    returned = {**usual_outputs(first), **{taken.batch.name: taken.outputs for taken in more}}
    outputs, ways = {USUAL: returned}, {USUAL: usual}
    if predict is not None:
        ways[PREDICT] = predict
        outputs[PREDICT] = {GIVEN: _returned(model, predict, given, PREDICT)}
    batches = [given, *(taken.batch for taken in more)]
    seen = {**first, OUTPUTS: outputs}
    unstable = checks.compare(seen, _observed(model, ways, losses, batches), Tolerance())
    if LOSSES in differing(unstable) and OUTPUTS not in differing(unstable):
        del unstable[LOSSES]
        seen[LOSSES] = NotChecked("losses differ from call to call")
    return Calls(model, ways, losses, batches, seen, unstable)


def _observed(
    model: Model, ways: dict[str, NumpyCall], losses: NumpyCall | None, batches: list[Batch]
) -> Observation:
    """What each check that calls the model sees of it, in one way whatever the format."""
    weights = model_weights.keras_weights(model) if losses else []
    subject = Subject(model, ways, weights, losses, batches)
    calling_it = [name for name, check in checks.table().items() if check.calls_model]
    return checks.observe(subject, calling_it)


def _returned(model: Model, call: NumpyCall, batch: Batch, way: str = USUAL) -> Plain:
    return Subject(model, {way: call}, []).called(way, batch)


def _resized(model: Model, call: NumpyCall, sizes: free_axes.Sizes) -> list[_Taken]:
    """A batch in which all free axes have other sizes, else some in which one has."""
    together = _first_taken(model, call, sizes.together())
    if together:
        return together
    return [taken for batches in sizes.apart() for taken in _first_taken(model, call, batches)]


def _first_taken(model: Model, call: NumpyCall, batches: Iterable[Batch]) -> list[_Taken]:
    """The first of the batches that the model takes, if there is one."""
    for batch in batches:
        # else that axis is fixed, or it cannot train: then nothing is promised there
        with contextlib.suppress(CallError):
            return [_Taken(batch, _returned(model, call, batch))]
    return []


def _in_training(model: Model, call: NumpyCall, given: Batch) -> list[_Taken]:
    """The given inputs in training mode, where that draws no random numbers."""
    batch = Batch(TRAINING, given.args, {"training": True})
    if _repeats_itself(model, call, batch) and not has_drawing_operation(call, batch):
        return _first_taken(model, call, [batch])
    return []


def _own_predict(model: Model, given: Batch) -> NumpyCall | None:
    """What calls it by `predict`, where its class has its own that draws no random numbers."""
    if len(given.args) == 1 and keras_libs.has_own_predict(model):
        call = calling.predict_call(model)
        return call if _repeats_itself(model, call, given) else None
    return None


def _repeats_itself(model: Model, call: NumpyCall, batch: Batch) -> bool:
    """Whether two calls in a row return the same tensors, and move no seed.

    The state is restored after both: what depends on it, such as the numbers that Keras draws,
    differs.
    """
    snapshot = variables.StateSnapshot(variables.state_of(model))
    try:
        first, second = (observation_of({GIVEN: call(batch.args, batch.kwargs)}) for _ in range(2))
        draws = any(map(is_seed, snapshot.changed()))
    except Exception:  # whatever the model raises: it takes other arguments, or cannot train
        return False
    finally:
        snapshot.restore()
    found = checks.compare(first, second, Tolerance())
    return not draws and not differing(found)
