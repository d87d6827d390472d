"""The check `optimizer`."""

from __future__ import annotations

from typing import List, Optional

from ..comparing import Comparison, Tolerance
from ..comparing.variables import compare_variables
from ..known_arrays import has_values
from ..models import optimizers
from ..protocol import WeightValue
from ..subject import Subject
from . import Check
from .weights import weight_values


class OptimizerCheck(Check[List[WeightValue]]):
    """The state of each optimizer that is an attribute of a Keras model, bit for bit.

    That is the number of iterations, each slot by the weight that it belongs to, moving averages
    and the loss scale. An optimizer creates its slots when it is built, or in its first step: slots
    that do not exist yet count as zero.
    """

    sighting = List[WeightValue]
    hint = (
        "Training that continues from here takes other steps. `pytest --roundtrip-list` shows "
        "which formats keep the optimizer. An optimizer of your own must keep its state in "
        "variables that it tracks."
    )
    may_appear = True  # a factory may compile the model: the artifact holds no optimizer then

    def observe(self, subject: Subject) -> Optional[List[WeightValue]]:
        """The variables of the optimizers; None where there is no optimizer."""
        if not optimizers.optimizers(subject.model):
            return None
        return weight_values(optimizers.optimizer_weights(subject.model))

    def compare(
        self, expected: List[WeightValue], actual: List[WeightValue], tolerance: Tolerance
    ) -> Comparison:
        """Compare the variables; those that are zero may be missing on either side."""
        originals = {variable.place for variable in expected}
        reloaded = {variable.place for variable in actual}
        expected = [
            variable
            for variable in expected
            if variable.place in reloaded
            or _has_values(variable)
            or variable.path.endswith("loss_scale")
        ]
        actual = [v for v in actual if v.place in originals or _has_values(v)]
        if not any(_has_values(variable) for variable in expected):
            # it has not made a step: what other versions start with is no loss
            actual = [variable for variable in actual if variable.place in originals]
        found = compare_variables("", expected, actual, tolerance)
        found.compared += 1  # that there is an optimizer
        return found


def _has_values(variable: WeightValue) -> bool:
    """Whether anything in it is not zero."""
    return has_values(variable.value)
