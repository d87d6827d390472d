"""The next training step of a live Keras model, taken by `fit` on one batch and undone."""

from __future__ import annotations

import contextlib
import logging
import warnings
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from .. import keras_libs, tensors
from ..aliases import Array, Model, Nest, Plain
from ..models import calling, model_weights, optimizers, randomness, variables
from ..models.undoing import training_state, undone
from ..protocol import WeightValue

# the rounding of numbers that a layer computes with; that of float32 elsewhere
PRECISIONS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
FLOAT32 = 2.0**-23


class Step(NamedTuple):
    """What one training step comes to."""

    logs: Dict[str, Any]  # arrays: losses and metrics
    changes: List[WeightValue]  # of weights and slots: after the step less before it
    floors: Dict[str, float]  # by path, the smallest change that its dtype can show


def precision(model: Model) -> float:
    """The coarsest rounding of what the layers of a model compute with."""
    dtypes = [str(getattr(layer, "compute_dtype", "")) for layer in variables.layers(model)]
    return max(PRECISIONS.get(dtype, FLOAT32) for dtype in ["", *dtypes])


def twice(model: Model, inputs: Plain, targets: Optional[Plain]) -> Tuple[Step, Step]:
    """The next training step, and the same from weights with a rounding error; undone.

    The second one shows what rounding makes of the step.

    Args:
        model: a compiled Keras model.
        inputs: one batch of them.
        targets: for that batch; None for a model that takes none.
    """
    with undone(model):
        _prepare(model)
        state = variables.StateSnapshot(training_state(model))
        slots = len(optimizers.optimizer_weights(model))
        once = _step(model, inputs, targets)
        if len(optimizers.optimizer_weights(model)) == slots:
            state.restore()
            _nudge(model)
            return once, _step(model, inputs, targets)  # not traced again: that may take long
    with undone(model):  # it made slots, whose first values are not known
        _prepare(model)
        _nudge(model)
        return once, _step(model, inputs, targets)


def _step(model: Model, inputs: Plain, targets: Optional[Plain]) -> Step:
    # by path, since Keras 2 makes a new tensor each time that it is asked for its loss scale
    before = {held.path: variables.value_of(held.variable) for held in _held(model)}
    with _quiet():
        logs = _fit(model, inputs, targets)
    changes, floors = [], {}
    for held in _held(model):
        after = variables.value_of(held.variable)
        if after.dtype != object:
            start = before.get(held.path, np.zeros_like(after))
            change, floors[held.path] = _change(start, after)
            changes.append(WeightValue(held.path, held.place, None, held.trainable, change))
    return Step(_numbers(logs), changes, floors)


def _held(model: Model) -> List[model_weights.Weight]:
    return [*model_weights.keras_weights(model), *optimizers.optimizer_weights(model)]


def _prepare(model: Model) -> None:
    optimizer = model.optimizer
    is_built = getattr(optimizer, "built", getattr(optimizer, "_built", False))
    # before TensorFlow 2.11 it is the other name
    build = getattr(optimizer, "build", getattr(optimizer, "_create_all_weights", None))
    if build is not None and not is_built:
        build(model.trainable_variables)  # a loader may have done so
    for variable in model.variables:
        if randomness.is_seed(variable):
            variable.assign(np.array([7, 0], "uint32"))  # no Keras format keeps these
    attributes: Dict[str, Any] = model.__dict__
    for name in ("train_function", "train_tf_function"):
        if name in attributes:
            attributes[name] = None  # traced anew, as after a reload
    if "steps_per_execution" in attributes:
        attributes["steps_per_execution"] = 1  # Keras 3 would wait for more batches


def _nudge(model: Model) -> None:
    """Change each weight by a rounding error."""
    size = precision(model)
    for variable in model.trainable_variables:
        value = variables.value_of(variable)
        if value.dtype.kind not in "biu":
            signs = np.where(np.arange(value.size) % 2, 1, -1).reshape(value.shape)
            variable.assign((value * (1 + signs * size)).astype(value.dtype))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the libraries say of a single batch, and of a function that is traced again."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def _fit(model: Model, inputs: Plain, targets: Optional[Plain]) -> Dict[str, Nest]:
    """The logs: what `train_step` returned, and what the history says besides."""
    returned: Dict[str, Nest] = {}

    def note(batch: int, logs: Optional[Dict[str, Nest]] = None) -> None:
        del batch
        returned.update(logs or {})

    noting = keras_libs.own_keras(model).callbacks.LambdaCallback(on_train_batch_end=note)
    options = {"epochs": 1, "verbose": 0, "shuffle": False, "callbacks": [noting]}
    if keras_libs.backend(model) == "tensorflow":
        import tensorflow as tf

        data = tf.data.Dataset.from_tensors(_element(inputs, targets))
        history = model.fit(data, **options).history
    else:
        size = len(next(leaf for _, leaf in tensors.leaves(inputs)))
        history = model.fit(inputs, targets, batch_size=size, **options).history
    return {**{name: values[-1] for name, values in history.items() if len(values)}, **returned}


def _element(inputs: Plain, targets: Optional[Plain]) -> Nest:
    """What `fit` passes on for these: with tuples, since to `tf.data` a list is one tensor."""
    given = _with_tuples(calling.to_tensorflow(inputs))
    if targets is not None:
        return given, _with_tuples(calling.to_tensorflow(targets))
    return (given,) if isinstance(given, (dict, tuple)) else given


def _with_tuples(nest: Nest) -> Nest:
    if isinstance(nest, dict):
        return {key: _with_tuples(item) for key, item in nest.items()}
    return tuple(map(_with_tuples, nest)) if isinstance(nest, (list, tuple)) else nest


def _numbers(logs: Dict[str, Nest]) -> Dict[str, Array]:
    found = {}
    for name, value in logs.items():
        with contextlib.suppress(TypeError, ValueError):  # it is no tensor
            array = np.asarray(tensors.to_numpy(value))
            if array.dtype.kind in "biuf":
                found[name] = array.astype(np.float64)
    return found


def _change(before: Array, after: Array) -> Tuple[Array, float]:
    """The change of a variable, and the smallest change that its numbers can show."""
    if after.dtype.kind == "b" or before.shape != after.shape:
        return after, 0.0
    if after.dtype.kind in "iu":
        return np.asarray(after - before), 0.0
    wide = np.complex128 if after.dtype.kind == "c" else np.float64
    narrow = after.dtype if after.dtype.itemsize > 2 else np.dtype("float32")
    rounding = PRECISIONS.get(after.dtype.name, np.finfo(narrow).eps)
    with np.errstate(invalid="ignore", over="ignore"):
        end = after.astype(wide)
        largest = np.abs(end[np.isfinite(end)]).max(initial=0.0)
        change = np.asarray(end - before.astype(wide)).astype(narrow)
        return change, float(largest * rounding)
