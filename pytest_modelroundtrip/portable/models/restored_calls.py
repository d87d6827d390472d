"""How what was restored from a SavedModel is called: its functions and its signatures."""

from __future__ import annotations

import re
from typing import Collection, Dict, Iterator, List, Mapping, Tuple, Union

from .. import tensors
from ..aliases import Call, Model, Nest, Plain, Tensor


def inference(call: Call) -> Call:
    """Passes Keras' `training=False` where it is taken: a SavedModel of a layer may not take it."""

    def without_training(args: List[Nest], kwargs: Dict[str, Nest]) -> Nest:
        try:
            return call(args, kwargs)
        except (TypeError, ValueError):
            if kwargs.get("training") is not False:
                raise
            others = {name: value for name, value in kwargs.items() if name != "training"}
            return call(args, others)

    return without_training


def fitted(function: Model, restored: Model) -> Call:
    """Calls a restored function.

    Where it was traced with numbers of another width, it is called with those, as Keras itself
    casts them.
    """
    concrete = getattr(restored, "concrete_functions", None)

    def call(args: List[Nest], kwargs: Dict[str, Nest]) -> Nest:
        try:
            return function(*args, **kwargs)
        except (TypeError, ValueError):
            if not concrete:
                raise
            specs = concrete[0].structured_input_signature[0]
            return function(*_cast_like(_arranged(args, specs), specs), **kwargs)

    return call


def _arranged(args: List[Nest], specs: Nest) -> List[Nest]:
    """The arguments as a function of a list takes them, with the names in its specs.

    Keras 2 saves and exports a model of named inputs as such a function. Others may follow.
    """
    import tensorflow as tf

    if len(args) != 1 or not specs:
        return args
    if not isinstance(args[0], dict) or isinstance(specs[0], dict):
        return args
    names = [getattr(spec, "name", None) for spec in tf.nest.flatten(specs[0])]
    if set(names) != set(args[0]):
        return args
    return [tf.nest.pack_sequence_as(specs[0], [args[0][name] for name in names])]


def _cast_like(args: List[Nest], specs: Nest) -> List[Nest]:
    import tensorflow as tf

    flat, wanted = tf.nest.flatten(args), tf.nest.flatten(specs)
    cast = [_cast(leaf, spec) for leaf, spec in zip(flat, wanted)]
    packed: List[Nest] = tf.nest.pack_sequence_as(args, cast + flat[len(wanted) :])
    return packed


def _cast(leaf: Tensor, spec: Tensor) -> Tensor:
    import tensorflow as tf

    dtype = getattr(spec, "dtype", None)
    if not isinstance(leaf, tf.Tensor) or dtype is None or dtype == leaf.dtype:
        return leaf
    both_integer = leaf.dtype.is_integer and dtype.is_integer
    both_floating = leaf.dtype.is_floating and dtype.is_floating
    return tf.cast(leaf, dtype) if both_integer or both_floating else leaf


# signatures


def serving_name(signatures: Collection[str]) -> str:
    """`serving_default`, else `serve`, else the first by name."""
    names = sorted(signatures)
    usual = (name for name in ("serving_default", "serve") if name in names)
    return next(usual, names[0])


def serving_signature(signatures: Mapping[str, Model]) -> Model:
    """The one of these that `serving_name` names."""
    return signatures[serving_name(signatures)]


def signature_call(signatures: Mapping[str, Model], structure: Plain) -> Call:
    """Calls the serving signature; its flat outputs are put into the nest of the original's."""
    signature = serving_signature(signatures)
    specs = signature.structured_input_signature[1]

    def call(args: List[Nest], kwargs: Dict[str, Nest]) -> Nest:
        passed = {
            name: value
            for name, value in kwargs.items()
            if name != "training" or value is not False
        }
        named = named_arguments(args, passed, sorted(specs, key=natural))
        outputs = signature(**{name: _cast(value, specs[name]) for name, value in named.items()})
        return nested_outputs(outputs, structure)

    return call


def named_arguments(args: List[Nest], kwargs: Dict[str, Nest], names: List[str]) -> Dict[str, Nest]:
    """The call's arguments by the signature's names: by name where those are the same.

    Elsewhere in the order of the names: Keras numbers what it cannot name, `inputs`, `inputs_1`,
    ..., in the order in which `tf.nest` flattens the arguments.

    Raises:
        TypeError: when there are more or fewer arguments than names.
    """
    only = args[0] if len(args) == 1 and not kwargs else None
    if isinstance(only, dict) and set(only) == set(names):
        return dict(only)
    if not args and set(kwargs) == set(names):
        return dict(kwargs)
    flat = [leaf for _, leaf in tensors.leaves([args, kwargs])]
    if len(flat) != len(names):
        taken = ", ".join(sorted(names))
        message = "the signature takes %s; it was called with %d tensors"
        raise TypeError(message % (taken, len(flat)))
    return dict(zip(names, flat))


def nested_outputs(outputs: Dict[str, Tensor], structure: Plain) -> Nest:
    """The outputs of a signature in the nest of the original's.

    A signature numbers outputs without names: `output_0`, `output_1`. Those of a named tuple have
    the names of its fields.
    """
    if isinstance(structure, dict) or structure is None:
        return outputs
    has_dicts = any(isinstance(item, dict) for item in _items(structure))
    names = [leaf for _, leaf in tensors.leaves(structure)]
    if has_dicts or len(names) != len(outputs):
        return outputs
    if set(names) == set(outputs):
        return tensors.map_leaves(lambda name: outputs[name], structure)
    values = iter([outputs[name] for name in sorted(outputs, key=natural)])
    return tensors.map_leaves(lambda _leaf: next(values), structure)


def _items(structure: Plain) -> Iterator[Plain]:
    """The items of a list and of the lists in it."""
    for item in structure if isinstance(structure, list) else ():
        yield item
        yield from _items(item)


def natural(name: str) -> Tuple[Union[str, int], ...]:
    """A key to sort names by: `inputs_2` before `inputs_10`, `inputs` before both."""
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name))
