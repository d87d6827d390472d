"""The variables of a live model: their names, their values, and how to put them back."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from . import library, tensors


class Weight(NamedTuple):
    """One way to one variable.

    Two weights may hold one variable: then the model has it in two places, and it must come back so.
    """

    path: str  # where it stands in the model
    variable: Any
    trainable: bool  # whether training changes it
    place: str = ""  # the path without the numbers that Keras counts layers with; "" where nothing is counted


def keras_weights(model: Any) -> List[Weight]:
    """The weights of a Keras model or layer by the names of its layers (`encoder/dense/kernel`), in the model's order.

    Keras' own paths tell how a model was built, not only what it is: they change when it is built anew. The flag is the model's
    answer, not the variable's: freezing a Keras 2 layer does not touch its variables. Last come TensorFlow's own variables that a
    layer holds: Keras 3 trains them, but neither counts nor saves them.
    """
    trainable = {id(variable) for variable in model.trainable_variables}
    ways: Dict[int, List[Weight]] = {}
    for way in _ways(model, "", ""):
        ways.setdefault(id(way.variable), []).append(way)
    found = [
        way._replace(variable=tensor, trainable=id(v) in trainable)
        for v in model.weights
        for tensor in _tensors(v)
        for way in ways.pop(id(v), [Weight(_own_name(v), v, False, _own_name(v))])
    ]
    found += [way for held in ways.values() for way in held]
    return unique([*found, *_vocabularies(model)])


def _vocabularies(model: Any) -> Iterator[Weight]:
    """The words of lookup layers, whose tables are no variables, where they have any."""
    seen = set()
    for layer in layers(model):
        inner = getattr(layer, "_lookup_layer", layer)
        if id(inner) not in seen and hasattr(inner, "get_vocabulary") and getattr(inner, "lookup_table", None) is not None:
            words = [str(word).encode() for word in inner.get_vocabulary(include_special_tokens=False)]
            if words:
                yield Weight(layer.name + "/vocabulary", np.array(words, dtype=object), False, layer.name + "/vocabulary")
        seen.add(id(inner))


def _tensors(weight: Any) -> List[Any]:
    """The weight itself, or the tensors of what Keras 2 puts among the weights for a lookup table."""
    if not hasattr(weight, "get_tensors"):
        return [weight]
    tensors_of = weight.get_tensors()
    return list(tensors_of) if isinstance(tensors_of, (list, tuple)) else [tensors_of]


def _ways(layer: Any, path: str, place: str) -> Iterator[Weight]:
    """Each weight of a layer, once for each layer through which it is reached."""
    inner_ids = set()
    counted: Counter[str] = Counter()
    for inner in _inner_layers(layer):
        base = _default_name(inner)
        counted_name = inner.name
        if re.fullmatch(base + r"(_\d+)?", inner.name):
            counted_name = "%s#%d" % (base, counted[base])
            counted[base] += 1
        for way in _ways(inner, "%s%s/" % (path, inner.name), "%s%s/" % (place, counted_name)):
            inner_ids.add(id(way.variable))
            yield way
    own = [variable for variable in layer.weights if id(variable) not in inner_ids]
    for variable in own:
        yield Weight(path + _own_name(variable), variable, False, place + _own_name(variable))
    for name, held in vars(layer).items() if library.generation(layer) == 3 else ():
        if is_variable(held) and hasattr(held, "handle") and all(held is not variable for variable in layer.weights):
            yield Weight(path + name, held, bool(held.trainable), place + name)


def _inner_layers(layer: Any) -> Iterable[Any]:
    """The layers that a layer holds itself."""
    if hasattr(layer, "_flatten_layers"):
        held: Iterable[Any] = layer._flatten_layers(include_self=False, recursive=False)
        return held
    from tensorflow.python.training.tracking import layer_utils  # TensorFlow 2.2

    found: Iterable[Any] = layer_utils.filter_empty_layer_containers(getattr(layer, "_layers", []))
    return found


def _default_name(layer: Any) -> str:
    """The name that Keras gives a layer of this class, before it counts."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", type(layer).__name__)
    return re.escape(re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower())


def _own_name(variable: Any) -> str:
    return str(getattr(variable, "name", "table")).split(":")[0].split("/")[-1]


def numbered_weights(model: Any) -> List[Weight]:
    """The variables by their position, for an artefact that keeps them as one list (`model.export`)."""
    trainable = {id(variable) for variable in model.trainable_variables}
    found = [variable for variable in model.variables if hasattr(variable, "assign")]
    return [Weight("variables[%d]" % i, v, id(v) in trainable) for i, v in enumerate(found)]


def object_weights(root: Any, paths: Sequence[str] = ()) -> List[Weight]:
    """Every variable that TensorFlow can reach from a trackable object, by its path in the object graph.

    A SavedModel and a checkpoint keep that graph, and a SavedModel adds other ways to the same variables. So what was reloaded is
    looked at along the `paths` of the original.
    """
    found = [(path, _at(root, path)) for path in paths] or sorted(_reachable(root), key=lambda item: item[0])
    return [Weight(path, v, bool(v.trainable)) for path, v in found if is_variable(v)]


def _at(root: Any, path: str) -> Any:
    """What stands at a path of the object graph, or None."""
    for name in path.split("/"):
        root = _children(root).get(name) if root is not None else None
    return root


# What a Keras model carries beside its weights.
_NOT_WEIGHTS = frozenset(
    ["optimizer", "keras_api", "signatures", "variables", "trainable_variables", "non_trainable_variables", "metrics",
     "keras_metrics", "_metrics", "_loss_tracker", "_all_variables", "_misc_assets", "loss", "compiled_metrics", "compiled_loss"]
)  # fmt: skip


def _reachable(root: Any) -> Iterator[Tuple[str, Any]]:
    """Breadth first, each object along the least of its shortest paths; a variable along each path that ends at it."""
    seen = {id(root)}
    level: List[Tuple[str, Any]] = [("", root)]
    while level:
        following: List[Tuple[str, Any]] = []
        for path, found in sorted(level, key=lambda item: item[0]):
            for name, child in _children(found).items():
                if name in _NOT_WEIGHTS and library.generation(found) is not None:
                    continue
                inner = "%s/%s" % (path, name) if path else name
                if id(child) not in seen:
                    following.append((inner, child))
                if id(child) not in seen or is_variable(child):
                    yield inner, child
                seen.add(id(child))
        level = following


def _children(found: Any) -> Dict[str, Any]:
    if hasattr(found, "_maybe_initialize_trackable"):
        found._maybe_initialize_trackable()  # as TensorFlow itself does before it asks
    if hasattr(found, "_trackable_children"):  # TensorFlow 2.9 and later
        try:
            children = found._trackable_children()
        except TypeError:  # a table of TensorFlow 2.12 has no default
            children = found._trackable_children("checkpoint")
        return dict(sorted(children.items()))
    return {ref.name: ref.ref for ref in sorted(getattr(found, "_checkpoint_dependencies", ()), key=lambda ref: ref.name)}


def is_variable(found: Any) -> bool:
    """Whether it is a variable of TensorFlow or Keras; Keras' optimizers have an `assign` too."""
    return hasattr(found, "assign") and hasattr(found, "trainable") and hasattr(found, "numpy")


def unique(weights: List[Weight]) -> List[Weight]:
    """Names that occur more than once get their number: `cell/kernel`, `cell/kernel#2`."""
    paths, places = _numbered([w.path for w in weights]), _numbered([w.place for w in weights])
    return [w._replace(path=path, place=place) for w, path, place in zip(weights, paths, places)]


def _numbered(names: List[str]) -> List[str]:
    seen: Counter[str] = Counter()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(name if seen[name] == 1 else "%s#%d" % (name, seen[name]))
    return numbered


def ties(held: List[Any]) -> List[Optional[int]]:
    """For each variable the position of an earlier one that is the same, or None.

    It is proved: of those that hold the same value, each is given a value of its own; who then reads what another was given is one
    with it. Their own values are put back.
    """
    found: List[Optional[int]] = [None] * len(held)
    first: Dict[int, int] = {}
    alike: Dict[Any, List[int]] = {}
    for position, variable in enumerate(held):
        if id(variable) in first:
            found[position] = first[id(variable)]
            continue
        first[id(variable)] = position
        value = value_of(variable)
        if hasattr(variable, "assign") and value.dtype.kind in "iuf" and value.dtype.itemsize > 1 and value.size:
            alike.setdefault((value.dtype.name, value.shape, hash(value.tobytes())), []).append(position)
    for group in (group for group in alike.values() if len(group) > 1):
        own = value_of(held[group[0]])
        for number, position in enumerate(group):
            held[position].assign(np.full(own.shape, number, own.dtype))
        holder: Dict[int, int] = {}
        for position in group:
            mark = int(value_of(held[position]).flat[0])
            found[position] = holder.get(mark)
            holder.setdefault(mark, position)
        for position in group:
            held[position].assign(own)
    return found


def value_of(variable: Any) -> np.ndarray:
    """The variable's value in NumPy form."""
    if isinstance(variable, np.ndarray):
        return variable  # what is no variable but is kept like one: a vocabulary
    array = tensors.to_numpy(getattr(variable, "value", variable) if not callable(getattr(variable, "value", None)) else variable)
    assert isinstance(array, np.ndarray)
    return array


def state_of(model: Any) -> List[Any]:
    """Every variable that calling the model could change, seed generators and the states of stateful RNNs among them."""
    if library.generation(model) is None:
        found = [weight.variable for weight in object_weights(model)] + _captured(model)
        return list({id(variable): variable for variable in found}.values())
    found = [*model.variables, *[weight.variable for weight in keras_weights(model)]]
    found = [variable for variable in found if hasattr(variable, "assign")]
    for layer in layers(model):
        states = getattr(layer, "states", None)
        if getattr(layer, "stateful", False) and states:
            found += [leaf for _, leaf in tensors.leaves(list(states)) if hasattr(leaf, "assign")]
    return list({id(variable): variable for variable in found}.values())


def _captured(model: Any) -> List[Any]:
    """The variables that restored functions use, which a SavedModel need not name: the states of an RNN."""
    functions = [getattr(model, "serve", None), *(getattr(model, "signatures", None) or {}).values()]
    functions += [model.__call__] if callable(model) else []
    concrete = [inner for function in functions for inner in getattr(function, "concrete_functions", [function])]
    graphs = [inner.graph for inner in concrete if hasattr(inner, "graph")]
    return [variable for graph in graphs for variable in graph.variables if is_variable(variable)]


def layers(model: Any) -> List[Any]:
    """Every Keras layer of a Keras model, the model itself first; none of anything else."""
    flatten = getattr(model, "_flatten_layers", getattr(model, "_gather_layers", None))  # the latter in TensorFlow 2.2
    return list(flatten()) if flatten else []


def keeper(model: Any) -> Callable[[], None]:
    """Remember the state of the model; what is returned puts it back."""
    kept = [(variable, value_of(variable)) for variable in state_of(model)]

    def put_back() -> None:
        for variable, value in kept:
            if value.dtype != object and not _same(value, value_of(variable)):
                variable.assign(value)

    return put_back


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()


def overwrite(model: Any) -> None:
    """Give every weight a value that no model was trained to, so that one which a loader skips shows."""
    for weight in keras_weights(model) if library.generation(model) else object_weights(model):
        if hasattr(weight.variable, "assign"):
            value = value_of(weight.variable)
            if value.dtype != object:
                weight.variable.assign(~value if value.dtype.kind == "b" else spoilt(value))


def spoilt(value: np.ndarray) -> np.ndarray:
    """What `overwrite` gives a weight of that shape and dtype."""
    return np.asarray((np.arange(value.size) % 7 + 3).reshape(value.shape).astype(value.dtype))
