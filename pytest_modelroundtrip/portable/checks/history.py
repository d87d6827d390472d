"""The check `history`."""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Optional, Tuple

from ..comparing import Comparison, Tolerance
from ..comparing.trainings import compare_trainings
from ..comparing.variables import compare_variables
from ..subject import Subject
from ..training.training_run import Epoch, History
from ..training.training_state import ResumedTraining
from . import Check


class HistoryCheck(Check[History]):
    """What a training logs that is interrupted and resumed, and what it is resumed with.

    Compared with the same training without an interruption: the epoch with which it goes on, the
    optimizer and the weights as that epoch begins, and the losses and metrics of each epoch. Of a
    training that counts steps instead: what its `tf.train.Checkpoint` tracks when it ends.
    """

    sighting = History
    hint = (
        "The training was resumed with the right state, and still took other steps. fit must get "
        "its data in the same order in each epoch (shuffle=False), also if it begins with a "
        "later epoch; and callbacks of your own must keep what they count."
    )
    hint_of_epoch = (
        "The epoch was not restored: epochs are trained twice or left out, and what depends on the "
        "epoch begins anew."
    )
    hint_of_optimizer = (
        "The state of the optimizer was not restored. Its iterations are the position of a "
        "learning-rate schedule."
    )
    hint_of_weights = "The training was resumed with other weights than it was interrupted with."
    consequences = ("weights", "losses", "optimizer", "outputs")

    def observe(self, subject: Subject) -> Optional[History]:
        """The history of the training; None where it is not that of a training."""
        return subject.history

    def compare(self, expected: History, actual: History, tolerance: Tolerance) -> Comparison:
        """Compare the epoch, then the state that it begins with; if these are equal, the logs."""
        if expected.in_steps is not None:
            return _compared_in_steps(expected.in_steps, actual.in_steps, tolerance)
        found = Comparison()
        found.compared = 1
        for message in _epoch_differences(expected, actual):
            found.differ(message)
            found.hint = self.hint_of_epoch
        where = f"as epoch {expected.resumed_with} begins,"
        made = {variable.place for variable in actual.optimizer}  # some are made in a step
        optimizer = [variable for variable in expected.optimizer if variable.place in made]
        for wanted, given, hint in (
            (optimizer, actual.optimizer, self.hint_of_optimizer),
            (expected.weights, actual.weights, self.hint_of_weights),
        ):
            compared = compare_variables(where, wanted, given, tolerance)
            compared.hint = hint if compared.differences else ""
            found.include(compared)
        if not found.differences:
            found.differences += _log_differences(expected.epochs, actual.epochs)
        return found


def _compared_in_steps(
    expected: ResumedTraining, actual: Optional[ResumedTraining], tolerance: Tolerance
) -> Comparison:
    if actual is not None:
        return compare_trainings(expected, actual, tolerance)
    found = Comparison()
    found.differ("the state after the training is missing")
    return found


def _epoch_differences(expected: History, actual: History) -> Iterator[str]:
    """The epoch with which it was resumed, and all that were trained."""
    before, goes_on = expected.resumed_with - 1, actual.resumed_with
    if goes_on != expected.resumed_with:
        how = f"with epoch {goes_on}" if goes_on else "with none"
        yield (
            f"interrupted after epoch {before}, the training was resumed {how} instead of epoch "
            f"{expected.resumed_with}"
        )
    wanted, trained = ([epoch.number for epoch in side.epochs] for side in (expected, actual))
    if wanted != trained:
        numbers = _join_numbers(wanted), _join_numbers(trained)
        yield "the epochs {} should be trained; {} were trained".format(*numbers)


def _join_numbers(numbers: List[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _log_differences(expected: List[Epoch], actual: List[Epoch]) -> Iterator[str]:
    """The logs of each epoch, of which both trained the same."""
    for epoch, other in zip(expected, actual):
        logs = _counted_as(epoch.logs, other.logs)
        for name in {**epoch.logs, **logs}:
            sides = epoch.logs.get(name), logs.get(name)
            if repr(sides[0]) != repr(sides[1]):  # NaN is NaN
                yield f"the {name} of epoch {epoch.number}: {sides[0]} is now {sides[1]}"


def _counted_as(expected: Dict[str, float], actual: Dict[str, float]) -> Dict[str, float]:
    """The logs of the other side under the expected names, where only counts in them differ.

    They have names of layers, which Keras counts anew where a model is rebuilt: `dense_2_loss`.
    """
    wanted, given = sorted(expected, key=_counted), sorted(actual, key=_counted)
    uncounted = [[_counted(name)[0] for name in names] for names in (wanted, given)]
    if expected.keys() == actual.keys() or uncounted[0] != uncounted[1]:
        return actual
    return {name: actual[other] for name, other in zip(wanted, given)}


def _counted(name: str) -> Tuple[str, List[int]]:
    """A name without its counts, and these: `dense_10` comes after `dense_9`."""
    count = r"_(\d+)(?=_|$)"
    return re.sub(count, "", name), [*map(int, re.findall(count, name))]
