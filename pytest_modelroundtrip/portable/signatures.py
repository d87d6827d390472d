"""How a live model is called: the names, shapes, dtypes and order of what it takes and gives, and its default arguments.

A signature is a dict, all of it JSON:

* `inputs`, `outputs`: of the one call that a server makes, a list of [name or None, dtype, shape];
* `functions`: name -> `defaults` (argument -> its default) and `inputs` (the calls that it was traced for), of anything that holds
  TensorFlow functions;
* `signatures`: name -> `inputs` and `outputs`, of a SavedModel that was loaded.

A name is None where the format gives names of its own.
"""

from __future__ import annotations

import inspect
from typing import Any, Dict, Iterator, List, Optional, Tuple

from . import calling, library


def signature_of(model: Any) -> Optional[Dict[str, Any]]:
    """The signature of a live model; None where it declares none, as a Keras model that was never a graph of layers."""
    if library.generation(model) is not None:
        return _keras_signature(model) if library.is_graph(model) else None
    found: Dict[str, Any] = {"functions": {name: _function(function) for name, function in _functions(model)}}
    signatures = getattr(model, "signatures", None)
    if signatures:
        found["signatures"] = {name: _served(signatures[name], named=True) for name in signatures}
        found.update(_served(calling.serving_signature(signatures), named=False))
    return found if found["functions"] or signatures else None


def _keras_signature(model: Any) -> Optional[Dict[str, Any]]:
    inputs, outputs = list(model.inputs or ()), list(model.outputs or ())
    if not inputs or any(getattr(tensor, "sparse", False) or getattr(tensor, "ragged", False) for tensor in inputs + outputs):
        return None  # how those are flattened is the format's own affair
    if any("Ragged" in repr(tensor) or "Sparse" in repr(tensor) for tensor in inputs + outputs):
        return None
    names = list(getattr(model, "input_names", None) or [None] * len(inputs))
    return {
        "inputs": [[str(name).split(":")[0], _dtype(t), _shape(t)] for name, t in zip(names, inputs)],
        "outputs": [[None, _dtype(t), _shape(t)] for t in outputs],
    }


def _functions(model: Any) -> Iterator[Tuple[str, Any]]:
    """The TensorFlow functions that are attributes of the model."""
    for name in sorted(set(dir(type(model))) | set(getattr(model, "__dict__", ()))):
        if name.startswith("_") and name != "__call__":
            continue
        held = inspect.getattr_static(model, name, None)
        if hasattr(held, "get_concrete_function") or hasattr(held, "concrete_functions") or name == "__call__":
            function = getattr(model, name, None)
            if getattr(function, "function_spec", None) is not None:
                yield name, function


def _function(function: Any) -> Dict[str, Any]:
    spec = function.function_spec.fullargspec
    defaults = dict(zip(reversed(spec.args), reversed(spec.defaults or ())), **(spec.kwonlydefaults or {}))
    if hasattr(function, "concrete_functions"):
        traced = function.concrete_functions
    else:
        traced = function._list_all_concrete_functions_for_serialization()
    return {
        "defaults": {name: _text(value) for name, value in defaults.items()},
        "inputs": sorted({_traced(one) for one in traced}),
    }


def _traced(concrete: Any) -> str:
    import tensorflow as tf

    return ", ".join(_text(leaf) for leaf in tf.nest.flatten(concrete.structured_input_signature, expand_composites=True))


def _text(leaf: Any) -> str:
    return "%s%s" % (_dtype(leaf), _shape(leaf)) if hasattr(leaf, "dtype") and hasattr(leaf, "shape") else repr(leaf)


def _served(signature: Any, named: bool) -> Dict[str, Any]:
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
    return {
        "inputs": [[name if named else None, _dtype(inputs[name]), _shape(inputs[name])] for name in _ordered(inputs)],
        "outputs": [[name if named else None, _dtype(outputs[name]), _shape(outputs[name])] for name in _ordered(outputs)],
    }


def _ordered(named: Any) -> List[str]:
    return sorted(named, key=calling.natural)


def _dtype(tensor: Any) -> str:
    return str(getattr(tensor.dtype, "name", tensor.dtype))


def _shape(tensor: Any) -> Optional[List[Optional[int]]]:
    """None where not even the rank is known."""
    shape = tensor.shape
    if shape is None or getattr(shape, "rank", 0) is None:
        return None
    return [getattr(size, "value", size) for size in shape]
