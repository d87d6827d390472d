"""How to call a live model, whatever it is: a Keras model, a callable, `serve`, or a signature.

`args` and `kwargs` are in NumPy form, the answer too, so both sides of a round trip give and take the same things.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np

from . import library, tensors

Call = Callable[[List[Any], Dict[str, Any]], Any]


def caller(model: Any, template: Any = None) -> Call:
    """What calls the model; see `callers`."""
    return callers(model, template)[0]


def callers(model: Any, template: Any = None) -> Tuple[Call, Optional[Call]]:
    """What calls the model for its outputs, and what calls it for its losses, which only Keras models have.

    Args:
        model: a Keras model or layer, or what `tf.saved_model.load` and `hub.load` return.
        template: outputs as the original nests them; the flat outputs of a signature are put into that nest.

    Raises:
        TypeError: when there is nothing to call.
    """
    if library.generation(model):
        call = _keras_call(model)
        return _in_numpy(model, lambda args, kwargs: call(args, kwargs)[0]), _in_numpy(
            model, lambda args, kwargs: call(args, kwargs)[1]
        )
    if callable(model):
        call = _inference(_fitted(model, model.__call__))
    elif hasattr(model, "serve"):
        call = _inference(_fitted(model.serve, model.serve))
    elif getattr(model, "signatures", None):
        call = _signature_call(model.signatures, template)
    else:
        raise TypeError("%s cannot be called: it has no __call__, no `serve` and no signature" % type(model).__name__)
    return _in_numpy(model, call), None


def _in_numpy(model: Any, call: Call) -> Call:
    return lambda args, kwargs: tensors.to_numpy(call(to_tensors(model, args), to_tensors(model, kwargs)))


def to_tensors(model: Any, value: Any) -> Any:
    """A value in NumPy form with the tensors that the model computes with for leaves."""
    if library.backend(model) == "tensorflow":
        return to_tensorflow(value)
    convert = library.own_keras(model).ops.convert_to_tensor
    return tensors.map_leaves(lambda leaf: convert(leaf) if _is_numbers(leaf) else leaf, value)


def _is_numbers(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray) and leaf.dtype != object


def to_tensorflow(value: Any) -> Any:
    """A value in NumPy form with TensorFlow's tensors for leaves."""
    import tensorflow as tf

    def convert(leaf: Any) -> Any:
        if isinstance(leaf, tensors.Ragged):
            return tf.RaggedTensor.from_nested_row_splits(tf.constant(leaf.values), [tf.constant(s) for s in leaf.row_splits])
        if isinstance(leaf, tensors.Sparse):
            return tf.SparseTensor(*[tf.constant(part) for part in leaf])
        return tf.constant(leaf) if isinstance(leaf, np.ndarray) else leaf

    return tensors.map_leaves(convert, value)


def _keras_call(model: Any) -> Call:
    """As `predict` calls it: in a graph, unless the model was compiled to run eagerly or its backend has none.

    Gives outputs and losses (regularisers, `add_loss`), which Keras gathers while it calls.
    """

    def call(args: List[Any], kwargs: Dict[str, Any]) -> Any:
        return model(*args, **kwargs), list(model.losses)

    if getattr(model, "run_eagerly", False) or library.backend(model) != "tensorflow":
        return call
    import tensorflow as tf

    graph: Any = tf.function(call)
    graph._omit_frequent_tracing_warning = True  # one graph a model is meant: the warning would point at us, in a test that failed
    return graph  # type: ignore[no-any-return]


def _inference(call: Call) -> Call:
    """Keras' `training=False` is for those that take it; a SavedModel of a layer without it has no such argument."""

    def inference(args: List[Any], kwargs: Dict[str, Any]) -> Any:
        try:
            return call(args, kwargs)
        except (TypeError, ValueError):
            if kwargs.get("training") is not False:
                raise
            return call(args, {name: value for name, value in kwargs.items() if name != "training"})

    return inference


def _fitted(function: Any, restored: Any) -> Call:
    """Calls a restored function; where it was traced with numbers of another width, with those, as Keras itself casts them."""
    concrete = getattr(restored, "concrete_functions", None)

    def call(args: List[Any], kwargs: Dict[str, Any]) -> Any:
        try:
            return function(*args, **kwargs)
        except (TypeError, ValueError):
            if not concrete:
                raise
            specs = concrete[0].structured_input_signature[0]
            return function(*_cast_like(_arranged(args, specs), specs), **kwargs)

    return call


def _arranged(args: List[Any], specs: Any) -> List[Any]:
    """Keras 2 exports a model of named inputs as a function of a list, with the names in its specs."""
    import tensorflow as tf

    if len(args) != 1 or len(specs) != 1 or not isinstance(args[0], dict) or isinstance(specs[0], dict):
        return args
    names = [getattr(spec, "name", None) for spec in tf.nest.flatten(specs)]
    return [tf.nest.pack_sequence_as(specs[0], [args[0][name] for name in names])] if set(names) == set(args[0]) else args


def _cast_like(args: Any, specs: Any) -> Any:
    import tensorflow as tf

    flat, wanted = tf.nest.flatten(args), tf.nest.flatten(specs)
    return tf.nest.pack_sequence_as(args, [_cast(leaf, spec) for leaf, spec in zip(flat, wanted)] + flat[len(wanted) :])


def _cast(leaf: Any, spec: Any) -> Any:
    import tensorflow as tf

    dtype = getattr(spec, "dtype", None)
    if not isinstance(leaf, tf.Tensor) or dtype is None or dtype == leaf.dtype:
        return leaf
    both_integer = leaf.dtype.is_integer and dtype.is_integer
    both_floating = leaf.dtype.is_floating and dtype.is_floating
    return tf.cast(leaf, dtype) if both_integer or both_floating else leaf


def serving_signature(signatures: Any) -> Any:
    """`serving_default`, else `serve`, else the first by name."""
    names = sorted(signatures)
    return signatures[next((name for name in ("serving_default", "serve") if name in names), names[0])]


def _signature_call(signatures: Any, template: Any) -> Call:
    signature = serving_signature(signatures)
    specs = signature.structured_input_signature[1]

    def call(args: List[Any], kwargs: Dict[str, Any]) -> Any:
        kept = {name: value for name, value in kwargs.items() if name != "training" or value is not False}
        named = _named(args, kept, list(specs))
        outputs = signature(**{name: _cast(value, specs[name]) for name, value in named.items()})
        return _nested(outputs, template)

    return call


def _named(args: List[Any], kwargs: Dict[str, Any], names: List[str]) -> Dict[str, Any]:
    """The call's arguments by the signature's names: by name where they are the same, else in order of both.

    Keras numbers what it cannot name: `inputs`, `inputs_1`, ... in the order in which `tf.nest` flattens the arguments.
    """
    only = args[0] if len(args) == 1 and not kwargs else None
    for candidate in (only, kwargs):
        if isinstance(candidate, dict) and not (candidate is kwargs and args) and set(candidate) == set(names):
            return dict(candidate)
    import tensorflow as tf

    flat = tf.nest.flatten([args, kwargs])
    if len(flat) != len(names):
        raise TypeError("the signature takes %s; it was called with %d tensors" % (", ".join(sorted(names)), len(flat)))
    return dict(zip(sorted(names, key=natural), flat))


def _nested(outputs: Dict[str, Any], template: Any) -> Any:
    """The outputs of a signature in the nest of the original's: a signature numbers what has no name, `output_0`, `output_1`."""
    if isinstance(template, dict) or template is None:
        return outputs
    if any(isinstance(item, dict) for item in _inner(template)) or len(list(tensors.leaves(template))) != len(outputs):
        return outputs
    values = iter([outputs[name] for name in sorted(outputs, key=natural)])
    return tensors.map_leaves(lambda leaf: next(values), template)


def _inner(template: Any) -> Iterator[Any]:
    for item in template if isinstance(template, list) else ():
        yield item
        for inner in _inner(item):
            yield inner


def natural(name: str) -> Tuple[Any, ...]:
    """A key to sort names by: `inputs_2` before `inputs_10`, `inputs` before both."""
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name))


def outline(value: Any) -> Any:
    """The nest of a value without what it holds: a template. None, which is no template, for no outputs."""
    return tensors.map_leaves(lambda leaf: 0, value)
