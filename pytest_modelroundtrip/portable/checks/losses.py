"""The check `losses`."""

from __future__ import annotations

from typing import Any, List, NamedTuple, Optional

import numpy as np

from .. import tensors
from ..aliases import Function, Model, Plain, Variable
from ..comparing import Comparison, Tolerance
from ..comparing.nests import compare_nests
from ..models import calling, variables
from ..subject import Subject
from . import Check


class Constrained(NamedTuple):
    """What the constraint of a weight makes of given numbers."""

    path: str
    value: Any  # an array


class LossesSighting(NamedTuple):
    """What a Keras model adds to its loss, and how it constrains its weights."""

    losses: Any  # a nest of arrays
    constraints: List[Constrained]  # in the model's order


class LossesCheck(Check[LossesSighting]):
    """The numbers in `model.losses`, from regularizers and `add_loss`, on your batch.

    Constraints are compared too, by what each one makes of the same numbers.
    """

    sighting = LossesSighting
    hint_of_new_loss = (
        "The reloaded model has a loss that the original does not have. Keras makes the loss of a "
        "regularizer when it builds the layer: one that is set later takes effect only after a "
        "reload. Pass it to the constructor."
    )
    hint = (
        "Return each argument of the regularizer or constraint from its get_config, and register "
        "its class."
    )
    calls_model = True
    may_be_unmade = True  # of an original whose losses differ from call to call

    def observe(self, subject: Subject) -> Optional[LossesSighting]:
        """The losses of the first batch; None for anything but a Keras model.

        Raises:
            CallError: when the model cannot be called.
        """
        if subject.losses is None:
            return None
        held = [
            (weight, getattr(weight.variable, "constraint", None)) for weight in subject.weights
        ]
        constraints = [
            Constrained(weight.path, _constrained(subject.model, weight.variable, constraint))
            for weight, constraint in held
            if constraint
        ]
        losses = subject.called_for_losses(subject.losses, subject.batches[0])
        return LossesSighting(losses, constraints)

    def compare(
        self, expected: LossesSighting, actual: LossesSighting, tolerance: Tolerance
    ) -> Comparison:
        """Compare the losses, then the constraints."""
        found = Comparison()
        found.compared = 1  # that there are none is a comparison too
        found.include(compare_nests("losses", expected.losses, actual.losses, tolerance))
        if found.differences and _count(actual.losses) > _count(expected.losses):
            found.hint = self.hint_of_new_loss
        constraints = actual.constraints
        if len(expected.constraints) == len(constraints):
            # by order: a rebuilt model may count its layers from another number
            pairs = zip(expected.constraints, constraints)
            constraints = [other._replace(path=held.path) for held, other in pairs]
        values, others = dict(expected.constraints), dict(constraints)
        found.include(compare_nests("constraint of ", values, others, tolerance))
        return found


def _count(losses: Plain) -> int:
    return sum(1 for _ in tensors.leaves(losses))


def _constrained(model: Model, variable: Variable, constraint: Function) -> Plain:
    value = variables.value_of(variable)
    numbers = np.linspace(-3, 3, value.size).reshape(value.shape).astype(value.dtype)
    return tensors.to_numpy(constraint(calling.to_tensors(model, numbers)))
