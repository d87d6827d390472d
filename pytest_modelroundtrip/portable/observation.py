"""Looks at a live model. The same code looks at the original and at what was reloaded, so like is compared with like.

An observation is a dict from the name of a check to what it saw, in NumPy form (see `tensors`). What a check cannot see in
this model is left out, and the comparison says so.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from . import calling, library, tensors, variables


class Batch(NamedTuple):
    """One call: its name in messages, and the arguments in NumPy form."""

    name: str
    args: List[Any]
    kwargs: Dict[str, Any]


class Subject(NamedTuple):
    """A live model as the checks see it."""

    model: Any
    calls: Dict[str, calling.Call]  # the ways to call it, by name: mostly the one way, ""
    weights: List[variables.Weight]


def keras_subject(model: Any) -> Subject:
    """A Keras model by Keras' own names; anything else as TensorFlow's object graph has it."""
    names = variables.keras_weights if library.generation(model) else variables.object_weights
    return Subject(model, {"": calling.caller(model)}, names(model))


def object_subject(model: Any, template: Any = None, paths: Sequence[str] = ()) -> Subject:
    """Any trackable object by the paths of TensorFlow's object graph, which SavedModels keep."""
    return Subject(model, {"": calling.caller(model, template)}, variables.object_weights(model, paths))


class CallError(Exception):
    """The model raised when it was called; the text says with what."""


def observe(subject: Subject, batches: List[Batch], checks: List[str]) -> Dict[str, Any]:
    """What the checks see. The state that a call changes is put back after each call.

    Raises:
        CallError: when the model cannot be called.
    """
    seen = {}
    for check in CHECKS:  # in their own order: state first, then what a call gives
        if check in checks:
            found = CHECKS[check](subject, batches)
            if found is not None:
                seen[check] = found
    return seen


def _weights(subject: Subject, batches: List[Batch]) -> Any:
    """[{path, place, tied, trainable, value}, ...]; `tied` is an earlier path of the same variable, or None."""
    first: Dict[int, str] = {}
    seen = []
    for path, variable, trainable, place in subject.weights:
        tied = first.get(id(variable))
        first.setdefault(id(variable), path)
        value = variables.value_of(variable)
        seen.append({"path": path, "place": place, "tied": tied, "trainable": trainable, "value": value})
    return seen


def _config(subject: Subject, batches: List[Batch]) -> Any:
    """The model's `get_config` as Keras writes it to JSON; None where the model has none."""
    if not library.is_model(subject.model):
        return None
    try:
        return json.loads(subject.model.to_json())["config"]
    except (NotImplementedError, TypeError, ValueError, KeyError):
        return None  # a subclass without get_config: there is nothing to compare


def _outputs(subject: Subject, batches: List[Batch]) -> Any:
    """Outputs by way of calling and by batch."""
    seen: Dict[str, Dict[str, Any]] = {}
    for way, call in subject.calls.items():
        seen[way] = {}
        for batch in batches:
            put_back = variables.keeper(subject.model)
            try:
                seen[way][batch.name] = call(batch.args, batch.kwargs)
            except Exception as error:
                called = " ".join(filter(None, ("called", way and "by %s" % way, batch.name and "with %s" % batch.name)))
                raise CallError("%s, it raised %s: %s" % (called, type(error).__name__, _short(str(error)))) from error
            finally:
                put_back()
    return seen


def _short(message: str) -> str:
    """TensorFlow's message without the stack that it repeats in it."""
    return "\n".join(
        line for line in message.splitlines() if line.strip() and not line.lstrip().startswith(('File "', "Detected at"))
    )


CHECKS: Dict[str, Callable[[Subject, List[Batch]], Any]] = {"weights": _weights, "config": _config, "outputs": _outputs}


def resized(args: List[Any], kwargs: Dict[str, Any]) -> Tuple[List[Any], Dict[str, Any]]:
    """The same arguments with one example more: the first one again, in every array whose first axis is the batch.

    Raises:
        ValueError: when the arguments have no common first axis.
    """
    sizes = {_length(leaf) for _, leaf in tensors.leaves([args, kwargs])} - {None}
    if len(sizes) != 1:
        raise ValueError("the arguments have no common batch axis")

    def grow(leaf: Any) -> Any:
        if isinstance(leaf, tensors.Ragged):
            return _grown_ragged(leaf)
        return np.concatenate([leaf, leaf[:1]]) if _length(leaf) is not None else leaf

    return tensors.map_leaves(grow, args), tensors.map_leaves(grow, kwargs)


def _length(leaf: Any) -> Any:
    if isinstance(leaf, tensors.Ragged):
        return len(leaf.row_splits[0]) - 1
    if isinstance(leaf, tensors.Sparse):
        return -1  # matches no other length: a sparse batch is not resized
    return len(leaf) if isinstance(leaf, np.ndarray) and leaf.ndim and len(leaf) else None


def _grown_ragged(ragged: tensors.Ragged) -> tensors.Ragged:
    """One row more, an empty one."""
    outer = ragged.row_splits[0]
    return tensors.Ragged(ragged.values, (np.append(outer, outer[-1:]).astype(outer.dtype), *ragged.row_splits[1:]))
