"""Looks at a live model. The same code looks at the original and at what was reloaded, so like is compared with like.

An observation is a dict from the name of a check to what it saw, in NumPy form (see `tensors`). What a check cannot see in
this model is left out, and the comparison says so.
"""

from __future__ import annotations

import inspect
import json
import re
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from . import calling, compiled, layers, library, signatures, tensors, variables
from .tripwire import TRIPWIRE

GIVEN, RESIZED, TRAINING = "", "a batch of another size", "training=True"  # the names of the batches


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
    losses: Optional[calling.Call] = None  # what gives its losses; only Keras models have any


def keras_subject(model: Any) -> Subject:
    """A Keras model by Keras' own names; anything else as TensorFlow's object graph has it."""
    names = variables.keras_weights if library.generation(model) else variables.object_weights
    call, losses = calling.callers(model)
    return Subject(model, {"": call}, names(model), losses)


def object_subject(model: Any, template: Any = None, paths: Sequence[str] = ()) -> Subject:
    """Any trackable object by the paths of TensorFlow's object graph, which SavedModels keep."""
    return Subject(model, {"": calling.caller(model, template)}, variables.object_weights(model, paths))


class CallError(Exception):
    """The model raised when it was called; the text says with what."""


def observe(
    subject: Subject, batches: List[Batch], checks: Sequence[str], beside: Sequence[variables.Weight] = ()
) -> Dict[str, Any]:
    """What the checks see. The state that a call changes is put back after each call.

    Args:
        subject: the model.
        batches: what it is called with.
        checks: their names.
        beside: the weights of other models in the same artefact, of which some may be this one's too.

    Raises:
        CallError: when the model cannot be called.
    """
    seen = {}
    for check in CHECKS:  # in their own order: state first, then what a call gives
        if check in checks:
            found = CHECKS[check](subject, batches, beside)
            if found is not None:
                seen[check] = found
    if LAYERS in checks:
        put_back = variables.keeper(subject.model)
        seen[LAYERS] = layers.layer_outputs(subject.model, batches[0].args, batches[0].kwargs)
        put_back()
    return seen


def _weights(subject: Subject, batches: List[Batch], beside: Sequence[variables.Weight]) -> Any:
    """[{path, place, tied, trainable, value}, ...]; `tied` is an earlier path of the same variable, or None."""
    return _described([*beside, *subject.weights])[len(beside) :]


def _described(weights: List[variables.Weight]) -> List[Dict[str, Any]]:
    ties = variables.ties([weight.variable for weight in weights])
    return [
        {
            "path": weight.path,
            "place": weight.place,
            "tied": None if tie is None else weights[tie].path,
            "trainable": weight.trainable,
            "value": variables.value_of(weight.variable),
        }
        for weight, tie in zip(weights, ties)
    ]


def _signature(subject: Subject, batches: List[Batch], beside: Any) -> Any:
    return signatures.signature_of(subject.model)


def _compile(subject: Subject, batches: List[Batch], beside: Any) -> Any:
    return compiled.compile_state(subject.model)


def _optimizer(subject: Subject, batches: List[Batch], beside: Any) -> Any:
    """As the weights; None where there is no optimizer."""
    return _described(compiled.optimizer_weights(subject.model)) if compiled.optimizers(subject.model) else None


def _losses(subject: Subject, batches: List[Batch], beside: Any) -> Any:
    """The losses of the first batch, and what each constraint makes of the same numbers."""
    if subject.losses is None:
        return None
    constrained = [(weight, getattr(weight.variable, "constraint", None)) for weight in subject.weights]
    constraints = [
        [weight.path, _constrained(subject.model, weight.variable, constraint)] for weight, constraint in constrained if constraint
    ]
    return {"losses": _called(subject, subject.losses, "", batches[0]), "constraints": constraints}


def _constrained(model: Any, variable: Any, constraint: Callable[[Any], Any]) -> Any:
    value = variables.value_of(variable)
    numbers = np.linspace(-3, 3, value.size).reshape(value.shape).astype(value.dtype)
    return tensors.to_numpy(constraint(calling.to_tensors(model, numbers)))


def _self_contained(subject: Subject, batches: List[Batch], beside: Any) -> Any:
    """What was reached for outside the artefact and the installed packages: nothing, where it was not reloaded."""
    return list(TRIPWIRE.reached)


def _training(subject: Subject, batches: List[Batch], beside: Any) -> Any:
    if not library.is_model(subject.model):
        return None
    batch = batches[0]
    return compiled.next_step(subject.model, batch.args, batch.kwargs, _called(subject, subject.calls[""], "", batch))


def _config(subject: Subject, batches: List[Batch], beside: Any) -> Any:
    """`config`, the model's `get_config` as Keras writes it to JSON, None where it has none; and `arguments`."""
    if not library.is_model(subject.model):
        return None
    try:
        config = json.loads(subject.model.to_json())["config"]
    except (NotImplementedError, TypeError, ValueError, KeyError):
        config = None  # a subclass without get_config
    arguments = constructor_arguments(subject.model)
    return {"config": config, "arguments": arguments} if config is not None or arguments else None


def constructor_arguments(model: Any) -> Dict[str, Dict[str, Any]]:
    """Of each object of the user's own classes in a Keras model, the constructor's arguments that it holds as attributes.

    What `get_config` leaves out comes back as the default.
    """
    return dict(held for path, part in _parts(model) for held in _held_arguments(path, part))


def _parts(model: Any) -> Iterator[Tuple[str, Any]]:
    """The layers, what hangs on them (regularisers, constraints), and what the model was compiled with."""
    for layer in variables.layers(model):
        if not library.is_model(layer) or layer is model:
            yield layer.name, layer
        for name, part in sorted(vars(layer).items()):
            if hasattr(type(part), "get_config") and not (library.generation(part) and hasattr(part, "weights")):
                yield "%s.%s" % (layer.name, name.lstrip("_")), part
    for path, judge in compiled.judges(model):
        yield path, judge


def _held_arguments(path: str, held: Any) -> Iterator[Tuple[str, Dict[str, Any]]]:
    cls = type(held)
    if cls.__module__.split(".")[0] in library.LIBRARIES or not hasattr(cls, "get_config"):
        return
    try:
        names = [name for name in inspect.signature(cls.__init__).parameters if name not in ("self", "name", "dtype", "trainable")]
    except (TypeError, ValueError):
        return
    attributes = vars(held)
    found = {}
    for name in names:
        held_as = next((key for key in (name, "_" + name) if key in attributes), None)
        if held_as and isinstance(attributes[held_as], (bool, int, float, str, type(None))):
            found[name] = attributes[held_as]
    if found:
        yield path, {"class": cls.__name__, **found}


def _outputs(subject: Subject, batches: List[Batch], beside: Any) -> Any:
    """Outputs by way of calling and by batch; only a Keras model can be asked to train."""
    is_keras = library.generation(subject.model) is not None
    asked = [batch for batch in batches if batch.name != TRAINING or is_keras]
    return {way: {batch.name: _called(subject, call, way, batch) for batch in asked} for way, call in subject.calls.items()}


def _called(subject: Subject, call: calling.Call, way: str, batch: Batch) -> Any:
    put_back = variables.keeper(subject.model)
    try:
        return call(batch.args, batch.kwargs)
    except Exception as error:
        called = " ".join(filter(None, ("called", way and "by %s" % way, batch.name and "with %s" % batch.name)))
        raise CallError("%s, it raised %s: %s" % (called, type(error).__name__, _short(str(error)))) from error
    finally:
        put_back()


def filled(value: Any, answers: Dict[str, Any]) -> Any:
    """The value with what other parts answered in place of each `tensors.Output`."""
    return tensors.map_leaves(lambda leaf: answers[leaf.part] if isinstance(leaf, tensors.Output) else leaf, value)


def answer(subject: Subject, batch: Batch, seen: Dict[str, Any]) -> Any:
    """What the model answers to its first batch, which may have been seen already."""
    if "outputs" in seen:
        return seen["outputs"][""][batch.name]
    return _called(subject, subject.calls[""], "", batch)


def named_for_part(part: str, weights: List[variables.Weight]) -> List[variables.Weight]:
    """The weights by their path in the system."""
    return [weight._replace(path="%s/%s" % (part, weight.path)) for weight in weights]


def _short(message: str) -> str:
    """TensorFlow's message without the stack that it repeats in it."""
    message = re.sub(r'^( *)File ".*\n(\1 +(?!File ").*\n)?', "", message, flags=re.MULTILINE)  # a frame, and its source
    return "\n".join(line for line in message.splitlines() if line.strip() and not line.startswith("Detected at"))


Check = Callable[[Subject, List[Batch], Sequence[variables.Weight]], Any]

CHECKS: Dict[str, Check] = {
    "signature": _signature,
    "weights": _weights,
    "config": _config,
    "compile": _compile,
    "optimizer": _optimizer,
    "outputs": _outputs,
    "losses": _losses,
    "self_contained": _self_contained,
    "training": _training,
}
SLOW = ("training",)  # not made unless asked for
LAYERS = "layers"  # no check, but what a diagnosis asks for


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
