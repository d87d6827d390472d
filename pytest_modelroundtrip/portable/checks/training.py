"""The check `training`."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np

from .. import calling, compiling, keras_libs, optimizers, tensors, variables
from ..aliases import Array, Json, Model, Plain, Variable
from ..comparing import Comparison, Tolerance
from ..comparing.nests import compare_nests
from ..comparing.variables import paired
from ..protocol import WeightValue
from ..subject import Subject
from . import Check


class TrainingSighting(NamedTuple):
    """One training step: what it raised, or the losses and the variables after it."""

    raised: Optional[str]
    losses: Dict[str, Any]  # arrays
    after: List[WeightValue]  # weights and slots


class TrainingCheck(Check[TrainingSighting]):
    """The next training step of a compiled Keras model: its loss, and weights and slots after it.

    The step is taken on your batch, with targets made from the shape of the outputs. Both sides
    take it from the same state and undo it; on this side in your test's own process, since what is
    not saved exists only there. A step that differs from itself is not compared. Gradients are
    summed in parallel, so values are compared within the tolerance of their dtype: TensorFlow's
    deterministic mode holds for a whole process and cannot be switched off.
    """

    sighting = TrainingSighting
    hint = (
        "Look at train_step, the loss and their arguments: what is neither in the config nor a "
        "weight is lost."
    )
    slow = True
    lines_shown = 2

    def observe(self, subject: Subject) -> Optional[TrainingSighting]:
        """The next step; None where there is none, or two steps from one state differ.

        Raises:
            CallError: when the model cannot be called.
        """
        model = subject.model
        if not keras_libs.is_model(model) or getattr(model, "optimizer", None) is None:
            return None
        batch = subject.batches[0]
        if set(batch.kwargs) - {"training"}:
            return None
        outputs = subject.called("", batch)
        if not all(isinstance(leaf, np.ndarray) for _, leaf in tensors.leaves(outputs)):
            return None  # no targets can be made for ragged or sparse tensors
        targets = _targets(model, outputs)
        inputs = batch.args[0] if len(batch.args) == 1 else batch.args
        snapshot = variables.StateSnapshot(_training_state(model))
        steps = []
        try:
            for _ in range(2):
                steps.append(_step(model, inputs, targets))
                snapshot.restore()
        except Exception as error:
            return TrainingSighting(f"{type(error).__name__}: {error}", {}, [])
        finally:
            snapshot.restore()
        return steps[0] if _close(*steps) else None

    def compare(
        self, expected: TrainingSighting, actual: TrainingSighting, tolerance: Tolerance
    ) -> Comparison:
        """Compare the losses, then weights and slots, paired by path."""
        found = Comparison()
        if expected.raised is not None:
            return found
        found.compared = 1
        if actual.raised is not None:
            found.differ(f"the next training step raised {actual.raised}")
            return found
        # gradients are summed in parallel, and some are nothing but rounding errors
        tolerance = tolerance._replace(exact=False, fixed_atol=True)
        losses = expected.losses, actual.losses
        found.include(compare_nests("the next step's ", *losses, tolerance))
        pairs = paired(expected.after, actual.after, tolerance)
        after = [{path: held.value for path, held in side.items()} for side in pairs]
        found.include(compare_nests("after the next step, ", after[0], after[1], tolerance))
        return found


def _training_state(model: Model) -> List[Variable]:
    """The variables that a training step changes."""
    for _, optimizer in optimizers.optimizers(model):
        build = getattr(optimizer, "build", None)
        is_built = getattr(optimizer, "built", getattr(optimizer, "_built", False))
        if build is not None and not is_built:
            build(model.trainable_variables)  # slots made in the first step start as they are now
    held = [*variables.state_of(model)]
    held += [weight.variable for weight in optimizers.optimizer_weights(model)]
    held += [variable for metric in getattr(model, "metrics", ()) for variable in metric.variables]
    held += [getattr(model, "_train_counter", None)]
    for _, optimizer in optimizers.optimizers(model):
        held += vars(optimizer).values()  # some variables are in no list
    return variables.distinct(variable for variable in held if variables.is_variable(variable))


def _step(model: Model, inputs: Plain, targets: Plain) -> TrainingSighting:
    for variable in model.variables:
        if str(getattr(variable, "path", "")).endswith("seed_generator_state"):
            variable.assign(np.array([7, 0], "uint32"))  # no Keras format keeps these
    if hasattr(model, "reset_metrics"):
        model.reset_metrics()
    if keras_libs.backend(model) == "tensorflow":
        inputs, targets = calling.to_tensorflow(inputs), calling.to_tensorflow(targets)
    logs = model.train_on_batch(inputs, targets, return_dict=True)
    names = ["loss"] if "loss" in logs else sorted(logs)
    weights = [*variables.keras_weights(model), *optimizers.optimizer_weights(model)]
    after = [
        WeightValue(w.path, w.canonical_path, None, w.trainable, variables.value_of(w.variable))
        for w in weights
    ]
    return TrainingSighting(
        None, {name: np.asarray(logs[name], "float32") for name in names}, after
    )


def _close(one: TrainingSighting, other: TrainingSighting) -> bool:
    values = [
        [*side.losses.values(), *[weight.value for weight in side.after]] for side in (one, other)
    ]
    return all(
        np.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True)
        for a, b in zip(*values)
        if a.dtype != object
    )


def _targets(model: Model, outputs: Plain) -> Plain:
    """Targets in the shape of the outputs, such as the loss of each output takes."""
    given = getattr(model, "loss", None)
    losses = compiling.canonical(given, keras_libs.own_keras(model).losses.get) or {}
    if isinstance(outputs, (dict, list)) and losses and "name" not in losses:
        pairs = outputs.items() if isinstance(outputs, dict) else enumerate(outputs)
        made = {key: _targets_for(losses.get(str(key)), output) for key, output in pairs}
        return made if isinstance(outputs, dict) else list(made.values())
    return _targets_for(losses, outputs)


def _targets_for(loss: Json, outputs: Plain) -> Plain:
    name = str((loss or {}).get("name"))
    return tensors.map_leaves(lambda output: _target(name, output), outputs)


def _target(loss: str, output: Array) -> Array:
    if "sparse" in loss:
        return np.reshape(_labels(output), output.shape[:-1]).astype("int32")
    if "categorical" in loss:
        one_hot = np.eye(output.shape[-1], dtype=output.dtype)
        return np.reshape(one_hot[_labels(output)], output.shape)
    is_binary = "binary" in loss or "hinge" in loss
    ramp = np.arange(output.size) % 2 if is_binary else (np.arange(output.size) % 5) / 10
    return np.reshape(ramp, output.shape).astype(output.dtype)


def _labels(output: Array) -> Array:
    return np.asarray(np.arange(int(np.prod(output.shape[:-1]))) % output.shape[-1])
