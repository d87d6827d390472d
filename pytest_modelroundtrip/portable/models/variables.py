"""The variables of a live model: their values, which of them are one, and how to restore them."""

from __future__ import annotations

from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from .. import keras_libs, tensors
from ..aliases import Array, Layer, Model, Tensor, Variable
from ..bits import same_bits
from . import model_weights

SENTINELS = 7  # different values of a variable that was overwritten

# values


def value_of(variable: Variable) -> Array:
    """The variable's value in NumPy form, which later assignments do not change.

    Of TensorFlow's variables nothing is copied: the array is the memory of the variable, and an
    assignment gives the variable other memory as long as anything else holds this.
    """
    if isinstance(variable, np.ndarray):
        return variable  # not a variable but kept like one: a vocabulary
    value = getattr(variable, "value", variable)  # a method in Keras 2, a property in Keras 3
    held: Variable = variable if callable(value) else value
    array = _memory_of(held.read_value()) if hasattr(held, "read_value") else None
    if array is None:
        array = tensors.to_numpy(held)
    assert isinstance(array, np.ndarray)
    return array


def _memory_of(tensor: Tensor) -> Optional[Array]:
    """The memory of a tensor of TensorFlow's as an array; None where NumPy cannot read it."""
    import tensorflow as tf

    dtype = tensor.dtype.name
    try:
        if dtype == "bfloat16":  # which buffers cannot name
            bits = np.asarray(memoryview(tf.bitcast(tensor, tf.uint16)))
            return bits.view(tensors.dtype_named(dtype))
        array = np.asarray(memoryview(tensor))
    except (TypeError, ValueError, BufferError):
        return None
    return array if array.dtype.name == dtype else None


def ties(variables: Sequence[Variable]) -> List[Optional[int]]:
    """For each variable the position of an earlier one that is the same, or None.

    Nothing is written to find that out: two are one where they are one object, or where both
    stand for one resource of TensorFlow's or one tensor of the backend's.
    """
    first: Dict[int, int] = {}
    found: List[Optional[int]] = []
    for position, variable in enumerate(variables):
        found.append(first.get(identity(variable)))
        first.setdefault(identity(variable), position)
    return found


def identity(variable: Variable) -> int:
    """The same for objects that stand for one resource of TensorFlow's."""
    inner = getattr(variable, "_value", variable)  # what a variable of Keras 3 holds
    return id(getattr(inner, "handle", variable))


# state


def state_of(model: Model) -> List[Variable]:
    """Every variable that a call of the model could change, whether it is tracked or not."""
    if keras_libs.keras_major(model) is None:
        return tracked_state_of(model)
    return _keras_state(model, model_weights.variable_weights(model))


def tracked_state_of(model: Model) -> List[Variable]:
    """Every variable that Keras or TensorFlow knows of.

    Seed generators and the states of stateful RNNs are among them.
    """
    if keras_libs.keras_major(model) is None:
        reachable = model_weights.object_weights(model)
        return distinct([*(weight.variable for weight in reachable), *_captured(model)])
    return _keras_state(model, model_weights.listed_weights(model))


def _keras_state(model: Model, weights: Iterable[model_weights.Weight]) -> List[Variable]:
    found = [*model.variables, *(weight.variable for weight in weights)]
    found = [variable for variable in found if hasattr(variable, "assign")]
    for layer in layers(model):
        states = getattr(layer, "states", None)
        if getattr(layer, "stateful", False) and states:
            held = [leaf for _, leaf in tensors.leaves(list(states))]
            found += [leaf for leaf in held if hasattr(leaf, "assign")]
    return distinct(found)


def distinct(variables: Iterable[Variable]) -> List[Variable]:
    """Each object once, in order."""
    return list({id(variable): variable for variable in variables}.values())


def _captured(model: Model) -> List[Variable]:
    """The variables of restored functions, which a SavedModel need not name: an RNN's states."""
    functions = [
        getattr(model, "serve", None),
        *(getattr(model, "signatures", None) or {}).values(),
    ]
    functions += [model.__call__] if callable(model) else []
    concrete = [
        inner
        for function in functions
        for inner in getattr(function, "concrete_functions", [function])
    ]
    graphs = [inner.graph for inner in concrete if hasattr(inner, "graph")]
    held = [variable for graph in graphs for variable in graph.variables]
    return [variable for variable in held if model_weights.is_variable(variable)]


def layers(model: Model) -> List[Layer]:
    """Every Keras layer of a Keras model, the model itself first; none of anything else."""
    gather = getattr(model, "_gather_layers", None)  # TensorFlow 2.2
    flatten = getattr(model, "_flatten_layers", gather)
    return list(flatten()) if flatten else []


class StateSnapshot:
    """The values of variables at one moment, to be restored."""

    def __init__(self, variables: Iterable[Variable]) -> None:
        self._values = [(variable, value_of(variable)) for variable in variables]

    def restore(self) -> None:
        """Assign each variable its value again where it has changed."""
        for variable, value in self._changed():
            variable.assign(value)

    def changed(self) -> List[Variable]:
        """The variables that have another value now."""
        return [variable for variable, _ in self._changed()]

    def _changed(self) -> Iterator[Tuple[Variable, Array]]:
        for variable, value in self._values:
            if value.dtype != object and not same_bits(value, value_of(variable)):
                yield variable, value


def overwrite_with_sentinels(model: Model) -> None:
    """Give every weight that a file may hold a value that no training gives.

    One which a loader skips then shows.
    """
    is_keras = keras_libs.keras_major(model) is not None
    weights_of = model_weights.listed_weights if is_keras else model_weights.object_weights
    for weight in weights_of(model):
        overwrite_with_sentinel(weight.variable)


def overwrite_with_sentinel(variable: Variable) -> None:
    """The same for one variable; nothing is done to what only stands for one."""
    value = value_of(variable)
    if hasattr(variable, "assign") and value.dtype != object:
        inverted = value.dtype.kind == "b"
        variable.assign(~value if inverted else sentinel_values(value))


def sentinel_values(array: Array) -> Array:
    """What `overwrite_with_sentinels` gives a weight of that shape and dtype: 3 to 9, repeated."""
    values: Array = np.empty(array.size, array.dtype)
    for position in range(SENTINELS):
        values[position::SENTINELS] = array.dtype.type(3 + position)
    return np.reshape(values, array.shape)
