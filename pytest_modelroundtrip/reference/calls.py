"""How the original is called, and what it returned: the reference of each round trip."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable

from ..portable import checks, keras_libs
from ..portable.aliases import Model, Plain
from ..portable.checks import NotChecked, Observation
from ..portable.comparing import Comparison, Comparisons, Tolerance, differing
from ..portable.comparing.nests import compare_nests
from ..portable.models import calling, model_weights, variables
from ..portable.models.calling import NumpyCall
from ..portable.models.randomness import has_drawing_operation, is_seed
from ..portable.protocol import Batch
from ..portable.subject import GIVEN, PREDICT, TRAINING, CallError, Subject
from . import free_axes

OUTPUTS, LOSSES = "outputs", "losses"  # names of checks


class Calls:
    """The ways to call a model, the batches, and what it returned for them, twice.

    Attributes:
        ways: by name what calls it for its outputs; the usual one is "".
        losses: what calls it for its losses; None where it has none.
        batches: what it is called with; the first one is what was given.
        seen: what the checks that call the model saw of it.
        unstable: what the first and the second call showed differently.

    Raises:
        CallError: when it cannot be called with what was given.
    """

    def __init__(self, model: Model, args: list[Plain], kwargs: dict[str, Plain]) -> None:
        self._model = model
        usual, self.losses = calling.callers(model)
        self.ways: dict[str, NumpyCall] = {"": usual}
        self.batches = [Batch(GIVEN, args, kwargs)]
        is_keras = keras_libs.keras_major(model) is not None
        if is_keras and not model.built:
            usual(args, kwargs)  # weights that do not exist yet cannot be restored
        self.seen = self._observed(self.batches)
        self._add_resized(free_axes.Sizes(model, args, kwargs))
        if is_keras and kwargs == {"training": False}:
            self._add_training()
            self._add_predict()
        second = self._observed(self.batches)
        self.unstable: Comparisons = checks.compare(self.seen, second, Tolerance())
        if LOSSES in differing(self.unstable) and OUTPUTS not in differing(self.unstable):
            del self.unstable[LOSSES]
            self.seen[LOSSES] = NotChecked("losses differ from call to call")

    @property
    def expected(self) -> Plain:
        """The outputs for the given inputs, in NumPy form."""
        return self.seen[OUTPUTS][""][GIVEN]

    @functools.cached_property
    def own_distances(self) -> dict[str, int]:
        """How far the outputs for the same inputs are apart, in ULP, by what was compared."""
        twice = self.unstable.get(OUTPUTS, Comparison())
        found = {"between two calls": twice.max_ulp or 0}
        eager = calling.eager_call(self._model)
        if eager is not None:
            with contextlib.suppress(CallError):  # some models run in a graph only
                outputs = self._returned("", eager, self.batches[0])
                compared = compare_nests("", self.expected, outputs, Tolerance())
                found["between graph and eager"] = compared.max_ulp or 0
        return found

    def _observed(self, batches: list[Batch]) -> Observation:
        """What each check that calls the model sees of it, in one way whatever the format."""
        weights = model_weights.keras_weights(self._model) if self.losses else []
        subject = Subject(self._model, self.ways, weights, self.losses, batches)
        calling_it = [name for name, check in checks.table().items() if check.calls_model]
        return checks.observe(subject, calling_it)

    def _returned(self, way: str, call: NumpyCall, batch: Batch) -> Plain:
        return Subject(self._model, {way: call}, []).called(way, batch)

    def _add_resized(self, sizes: free_axes.Sizes) -> None:
        """Add a batch in which all free axes have other sizes, else some in which one has."""
        if not self._add_first(sizes.together()):
            for batches in sizes.apart():
                self._add_first(batches)

    def _add_first(self, batches: Iterable[Batch]) -> bool:
        """Add the first batch that the model takes; whether there is one."""
        return any(self._add(batch) for batch in batches)

    def _add(self, batch: Batch) -> bool:
        """Add a batch where the model takes it; whether it does."""
        try:
            outputs = self._returned("", self.ways[""], batch)
        except CallError:
            return False  # that axis is fixed, or it cannot train: then nothing is promised there
        self.seen[OUTPUTS][""][batch.name] = outputs
        self.batches.append(batch)
        return True

    def _add_training(self) -> None:
        """Add the given inputs in training mode, where that draws no random numbers."""
        batch, call = Batch(TRAINING, self.batches[0].args, {"training": True}), self.ways[""]
        if self._repeats_itself(call, batch) and not has_drawing_operation(call, batch):
            self._add(batch)

    def _add_predict(self) -> None:
        """Call it by `predict` too, where its class has its own that draws no random numbers."""
        given = self.batches[0]
        if len(given.args) == 1 and keras_libs.has_own_predict(self._model):
            call = calling.predict_call(self._model)
            if self._repeats_itself(call, given):
                self.ways[PREDICT] = call
                self.seen[OUTPUTS][PREDICT] = {GIVEN: self._returned(PREDICT, call, given)}

    def _repeats_itself(self, call: NumpyCall, batch: Batch) -> bool:
        """Whether two calls in a row return the same tensors, and move no seed.

        The state is restored after both: what depends on it, such as the numbers that Keras draws,
        differs.
        """
        snapshot = variables.StateSnapshot(variables.state_of(self._model))
        try:
            first, second = ({"": {GIVEN: call(batch.args, batch.kwargs)}} for _ in range(2))
            draws = any(map(is_seed, snapshot.changed()))
        except Exception:  # whatever the model raises: it takes other arguments, or cannot train
            return False
        finally:
            snapshot.restore()
        found = checks.compare({OUTPUTS: first}, {OUTPUTS: second}, Tolerance())
        return not draws and not differing(found)
