"""The variables of a live model: their names, their values, and how to restore them."""

from __future__ import annotations

import re
from collections import Counter
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from . import keras_libs, object_graph, tensors
from .aliases import Array, Layer, Model, Variable


class Weight(NamedTuple):
    """One path to one variable.

    Two weights may hold one variable: then the model has it in two places, and it must have it in
    both after a reload.
    """

    path: str  # where it stands in the model
    variable: Variable
    trainable: bool  # whether training changes it
    # the path without the numbers that Keras counts layers with; "" where nothing is counted
    canonical_path: str = ""


# names


def keras_weights(model: Model) -> List[Weight]:
    """The weights of a Keras model or layer by the names of its layers, in the model's order.

    Such a name is `encoder/dense/kernel`. Keras' own paths also depend on how a model was built:
    they change when it is built again. The flag is the model's, not the variable's: freezing a
    Keras 2 layer does not change its variables. Last come TensorFlow's own variables that a layer
    holds: Keras 3 trains them, but neither counts nor saves them.
    """
    trainable = {id(variable) for variable in model.trainable_variables}
    paths: Dict[int, List[Weight]] = {}
    for weight in _layer_weights(model, "", ""):
        paths.setdefault(id(weight.variable), []).append(weight)
    found = [
        weight._replace(variable=tensor, trainable=id(variable) in trainable)
        for variable in model.weights
        for tensor in _tensors(variable)
        for weight in paths.pop(id(variable), [_own_weight(variable)])
    ]
    found += [weight for uncounted in paths.values() for weight in uncounted]
    return unique([*found, *_vocabularies(model)])


def _own_weight(variable: Variable) -> Weight:
    """The weight of a variable that no layer holds."""
    return Weight(_own_name(variable), variable, False, _own_name(variable))


def _vocabularies(model: Model) -> Iterator[Weight]:
    """The words of lookup layers that have any: their tables are not variables."""
    seen = set()
    for layer in layers(model):
        inner: Layer = getattr(layer, "_lookup_layer", layer)
        if id(inner) not in seen and _has_lookup_table(inner):
            vocabulary = inner.get_vocabulary(include_special_tokens=False)
            words = [str(word).encode() for word in vocabulary]
            if words:
                path = layer.name + "/vocabulary"
                yield Weight(path, np.array(words, dtype=object), False, path)
        seen.add(id(inner))


def _has_lookup_table(layer: Layer) -> bool:
    has_table = getattr(layer, "lookup_table", None) is not None
    return hasattr(layer, "get_vocabulary") and has_table


def _tensors(weight: Variable) -> List[Variable]:
    """The weight itself, or the tensors of what Keras 2 lists as a weight for a lookup table."""
    if not hasattr(weight, "get_tensors"):
        return [weight]
    held = weight.get_tensors()
    return list(held) if isinstance(held, (list, tuple)) else [held]


def _layer_weights(layer: Layer, path: str, canonical_path: str) -> Iterator[Weight]:
    """Each weight of a layer, once for each layer through which it is reached."""
    inner_ids = set()
    counted: Counter[str] = Counter()
    for inner in _inner_layers(layer):
        base = _default_name(inner)
        canonical_name = inner.name
        if re.fullmatch(base + r"(_\d+)?", inner.name):
            canonical_name = f"{base}#{counted[base]}"
            counted[base] += 1
        inner_path = f"{path}{inner.name}/"
        for weight in _layer_weights(inner, inner_path, f"{canonical_path}{canonical_name}/"):
            inner_ids.add(id(weight.variable))
            yield weight
    own = [variable for variable in layer.weights if id(variable) not in inner_ids]
    for variable in own:
        name = _own_name(variable)
        yield Weight(path + name, variable, False, canonical_path + name)
    for name, variable in _untracked(layer):
        yield Weight(path + name, variable, bool(variable.trainable), canonical_path + name)


def _untracked(layer: Layer) -> Iterator[Tuple[str, Variable]]:
    """TensorFlow's own variables in the attributes of a Keras 3 layer, which it does not list."""
    for name, held in vars(layer).items() if keras_libs.keras_major(layer) == 3 else ():
        is_tensorflows = is_variable(held) and hasattr(held, "handle")
        if is_tensorflows and all(held is not variable for variable in layer.weights):
            yield name, held


def _inner_layers(layer: Layer) -> Iterable[Layer]:
    """The layers that a layer holds itself."""
    if hasattr(layer, "_flatten_layers"):
        held: Iterable[Layer] = layer._flatten_layers(include_self=False, recursive=False)
        return held
    from tensorflow.python.training.tracking import layer_utils  # TensorFlow 2.2

    found: Iterable[Layer] = layer_utils.filter_empty_layer_containers(
        getattr(layer, "_layers", [])
    )
    return found


def _default_name(layer: Layer) -> str:
    """The name that Keras gives a layer of this class, before it counts; escaped for a pattern."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", type(layer).__name__)
    return re.escape(re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())


def _own_name(variable: Variable) -> str:
    return str(getattr(variable, "name", "table")).split(":")[0].split("/")[-1]


def numbered_weights(model: Model) -> List[Weight]:
    """The variables by position, for an artifact that keeps them as one list (`model.export`)."""
    trainable = {id(variable) for variable in model.trainable_variables}
    found = [variable for variable in model.variables if hasattr(variable, "assign")]
    return [
        Weight(f"variables[{position}]", variable, id(variable) in trainable)
        for position, variable in enumerate(found)
    ]


def object_weights(root: Model, paths: Sequence[str] = ()) -> List[Weight]:
    """Every variable that TensorFlow can reach from an object, by its path in the object graph.

    A SavedModel and a checkpoint keep that graph, and a SavedModel adds other paths to the same
    variables. So a reloaded object is read along the `paths` of the original.
    """
    found = [(path, object_graph.at(root, path)) for path in paths]
    if not found:
        reachable = object_graph.reachable(root, is_variable)
        found = sorted(reachable, key=lambda item: item[0])
    return [
        Weight(path, variable, bool(variable.trainable))
        for path, variable in found
        if is_variable(variable)
    ]


def is_variable(held: Variable) -> bool:
    """Whether it is a variable of TensorFlow or Keras; Keras' optimizers have an `assign` too."""
    return hasattr(held, "assign") and hasattr(held, "trainable") and hasattr(held, "numpy")


def unique(weights: List[Weight]) -> List[Weight]:
    """Names that occur more than once get a number: `cell/kernel`, `cell/kernel#2`."""
    paths = _numbered([weight.path for weight in weights])
    canonical_paths = _numbered([weight.canonical_path for weight in weights])
    return [
        weight._replace(path=path, canonical_path=canonical_path)
        for weight, path, canonical_path in zip(weights, paths, canonical_paths)
    ]


def _numbered(names: List[str]) -> List[str]:
    seen: Counter[str] = Counter()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return numbered


def named_for_part(part: str, weights: List[Weight]) -> List[Weight]:
    """The weights of one part by their paths in the group."""
    return [weight._replace(path=f"{part}/{weight.path}") for weight in weights]


# values


def value_of(variable: Variable) -> Array:
    """The variable's value in NumPy form."""
    if isinstance(variable, np.ndarray):
        return variable  # not a variable but kept like one: a vocabulary
    value = getattr(variable, "value", variable)  # a method in Keras 2, a property in Keras 3
    array = tensors.to_numpy(variable if callable(value) else value)
    assert isinstance(array, np.ndarray)
    return array


def ties(variables: Sequence[Variable]) -> List[Optional[int]]:
    """For each variable the position of an earlier one that is the same, or None.

    Equal values alone are no proof. So each variable of those with equal values is assigned a
    value of its own: two that then read the same are one. Their own values are restored.
    """
    found: List[Optional[int]] = [None] * len(variables)
    first: Dict[int, int] = {}
    equal: Dict[Tuple[str, Tuple[int, ...], int], List[int]] = {}
    for position, variable in enumerate(variables):
        if id(variable) in first:
            found[position] = first[id(variable)]
            continue
        first[id(variable)] = position
        value = value_of(variable)
        if hasattr(variable, "assign") and _can_be_marked(value):
            key = (value.dtype.name, value.shape, hash(value.tobytes()))
            equal.setdefault(key, []).append(position)
    for group in (group for group in equal.values() if len(group) > 1):
        earlier = _ties_by_marks([variables[position] for position in group])
        for position, tie in zip(group, earlier):
            found[position] = None if tie is None else group[tie]
    return found


def _can_be_marked(value: Array) -> bool:
    return bool(value.dtype.kind in "iuf" and value.dtype.itemsize > 1 and value.size)


def _ties_by_marks(group: List[Variable]) -> List[Optional[int]]:
    """`ties` for variables of one value, by writing to them."""
    own = value_of(group[0])
    for number, variable in enumerate(group):
        variable.assign(np.full(own.shape, number, own.dtype))
    holders: Dict[int, int] = {}
    found: List[Optional[int]] = []
    for position, variable in enumerate(group):
        mark = int(value_of(variable).flat[0])
        found.append(holders.get(mark))
        holders.setdefault(mark, position)
    for variable in group:
        variable.assign(own)
    return found


# state


def state_of(model: Model) -> List[Variable]:
    """Every variable that a call of the model could change.

    Seed generators and the states of stateful RNNs are among them.
    """
    if keras_libs.keras_major(model) is None:
        found = [weight.variable for weight in object_weights(model)] + _captured(model)
        return distinct(found)
    found = [*model.variables, *[weight.variable for weight in keras_weights(model)]]
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
    return [variable for graph in graphs for variable in graph.variables if is_variable(variable)]


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
        for variable, value in self._values:
            if value.dtype != object and not _same(value, value_of(variable)):
                variable.assign(value)


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()


def overwrite_with_sentinels(model: Model) -> None:
    """Give every weight a value that no training gives, so that one which a loader skips shows."""
    weights = keras_weights(model) if keras_libs.keras_major(model) else object_weights(model)
    for weight in weights:
        overwrite_with_sentinel(weight.variable)


def overwrite_with_sentinel(variable: Variable) -> None:
    """The same for one variable; nothing is done to what only stands for one."""
    value = value_of(variable)
    if hasattr(variable, "assign") and value.dtype != object:
        inverted = value.dtype.kind == "b"
        variable.assign(~value if inverted else sentinel_values(value))


def sentinel_values(array: Array) -> Array:
    """What `overwrite_with_sentinels` gives a weight of that shape and dtype."""
    return np.asarray((np.arange(array.size) % 7 + 3).reshape(array.shape).astype(array.dtype))
