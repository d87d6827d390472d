"""The state of a training by the user's function, and what its `tf.train.Checkpoint` leaves out."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .. import tensors
from ..aliases import Model, Nest, Optimizer
from ..models import model_weights, object_graph, optimizers, variables
from ..models.model_weights import Weight
from ..protocol import WeightValue

SAVE_COUNTER = "save_counter"  # a checkpoint counts there how often it was saved: that may differ
OPTIMIZER, STEP_COUNTER, ITERATOR = "Keras optimizer", "step counter", "dataset iterator"

TrackedByCheckpoint = Sequence[Tuple[str, Nest]]  # the objects that a checkpoint tracks, by path


class TrainingState(NamedTuple):
    """The values of a training at one moment, and what its checkpoint leaves out."""

    others: List[WeightValue]  # tracked variables besides those below: step counters, metrics
    elements: List[WeightValue]  # the next element of each tracked dataset iterator
    optimizers: List[WeightValue]  # those of the model, where it is tracked, and other tracked ones
    weights: List[WeightValue]  # of the model
    untracked: List[str]  # which of the kinds above, that most trainings have, is not tracked

    def values_by_kind(self) -> Tuple[List[WeightValue], ...]:
        """All its values, the few before the many."""
        return self.others, self.elements, self.optimizers, self.weights

    def as_far_as_in(self, other: TrainingState) -> TrainingState:
        """Without the values that another state has not: optimizers make some in a step."""
        there = {value.place for values in other.values_by_kind() for value in values}
        kinds = ([v for v in values if v.place in there] for values in self.values_by_kind())
        others, elements, slots, weights = kinds
        return TrainingState(others, elements, slots, weights, self.untracked)


class ResumedTraining(NamedTuple):
    """The states of a training in two parts, or of the same one without an interruption."""

    resumed: Optional[TrainingState]  # as the second part begins; None: that could not be seen
    ended: TrainingState


def weight_values(held: Sequence[Weight]) -> List[WeightValue]:
    """The values of live variables, whether they are tied or not."""
    return [
        WeightValue(its.path, its.place, None, its.trainable, variables.value_of(its.variable))
        for its in held
    ]


def is_count(held: WeightValue) -> bool:
    """Whether it is one integer, as a step counter and the iterations of an optimizer are."""
    value = held.value
    return isinstance(value, np.ndarray) and value.shape == () and value.dtype.kind in "iu"


def observed(model: Model, checkpoint: Any) -> TrainingState:
    """The state of a training that has ended. One element is taken from each dataset iterator.

    Args:
        model: that was trained.
        checkpoint: the `tf.train.Checkpoint` of the training.
    """
    import tensorflow as tf

    reached = [*object_graph.reachable(checkpoint, model_weights.is_variable)]
    weights = model_weights.weights_of(model)
    found_optimizers = _optimizers(reached, model)
    slots = optimizers.weights_of_optimizers(found_optimizers, weights)
    others = weight_values(_others(reached, [*weights, *slots]))
    iterators = [(path, held) for path, held in reached if isinstance(held, tf.data.Iterator)]
    untracked = {
        OPTIMIZER: not found_optimizers,
        STEP_COUNTER: not any(map(is_count, others)),
        ITERATOR: not iterators,
    }
    return TrainingState(
        others,
        [*_next_elements(iterators)],
        weight_values(slots),
        weight_values(weights),
        [kind for kind, is_untracked in untracked.items() if is_untracked],
    )


def _optimizers(reached: TrackedByCheckpoint, model: Model) -> List[Tuple[str, Optimizer]]:
    """The optimizers that are tracked, by path; with a model those that it was compiled with."""
    found: Dict[int, Tuple[str, Optimizer]] = {}
    for path, held in reached:
        if held is model:
            found.update({id(its): (path, its) for path, its in optimizers.all_optimizers(model)})
        elif optimizers.is_optimizer(held):
            found.setdefault(id(held), (path, held))
    return list(found.values())


def _others(reached: TrackedByCheckpoint, known: Sequence[Weight]) -> List[Weight]:
    """The tracked variables that are not known yet, each once."""
    seen = {variables.identity(weight.variable) for weight in known}
    found = []
    for path, held in reached:
        is_new = model_weights.is_variable(held) and variables.identity(held) not in seen
        if is_new and path != SAVE_COUNTER:
            found.append(Weight(path, held, False, path))
            seen.add(variables.identity(held))
    return found


def _next_elements(iterators: TrackedByCheckpoint) -> Iterator[WeightValue]:
    """The arrays of the next element of each dataset iterator; none of one that is at its end."""
    for path, iterator in iterators:
        element = tensors.to_numpy(next(iterator, None))
        for inner, leaf in tensors.leaves(element):
            if isinstance(leaf, np.ndarray):
                name = f"the next element of {path}{inner}"
                yield WeightValue(name, name, None, False, leaf)
