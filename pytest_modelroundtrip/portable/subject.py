"""A live model as the checks see it, on either side of a round trip."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence

from . import tensors
from .aliases import Model, Plain
from .models import calling, layer_outputs, model_weights, variables
from .models.calling import NumpyCall
from .models.model_weights import Weight
from .protocol import Batch, LayerOutput
from .training.training_run import History

# names of batches
GIVEN, RESIZED, TRAINING = "", "a batch of another size", "training=True"
ALL_RESIZED = "other sizes of all free axes"
# ways to call a model; `PREDICT` is one of a Keras model whose `predict` is not that of Keras
USUAL, PREDICT = "", "predict"


class CallError(Exception):
    """The model raised when it was called; the text says what."""


class Subject(NamedTuple):
    """A live model, how it is called and with what, and its weights."""

    model: Model
    calls: Dict[str, NumpyCall]  # the ways to call it, by name: mostly the one way, `USUAL`
    weights: List[Weight]
    losses: Optional[NumpyCall] = None  # returns its losses; only Keras models have any
    batches: Sequence[Batch] = ()
    other_parts: Sequence[Weight] = ()  # of the same artifact, which may share variables
    keeps_execution: bool = False  # whether the format keeps how `compile` lets the model run
    history: Optional[History] = None  # of the training of a format that trains the model

    def called(self, way: str, batch: Batch) -> Plain:
        """The outputs for a batch; the state that the call changes is restored.

        Raises:
            CallError: when the model raises.
        """
        return self._called(self.calls[way], way, batch)

    def called_for_losses(self, call: NumpyCall, batch: Batch) -> Plain:
        """The losses for a batch; the state that the call changes is restored.

        Raises:
            CallError: when the model raises.
        """
        return self._called(call, "", batch)

    def layer_outputs(self) -> List[LayerOutput]:
        """What each layer returns for the first batch; the state that this changes is restored."""
        snapshot = variables.StateSnapshot(variables.state_of(self.model))
        try:
            batch = self.batches[0]
            return layer_outputs.layer_outputs(self.model, batch.args, batch.kwargs)
        finally:
            snapshot.restore()

    def _called(self, call: NumpyCall, way: str, batch: Batch) -> Plain:
        snapshot = variables.StateSnapshot(variables.state_of(self.model))
        try:
            return call(batch.args, batch.kwargs)
        except Exception as error:
            words = ("called", way and f"by {way}", batch.name and f"with {batch.name}")
            how, kind = " ".join(filter(None, words)), type(error).__name__
            raise CallError(f"{how}, it raised {kind}: {short_message(error)}") from error
        finally:
            snapshot.restore()


def keras_subject(model: Model) -> Subject:
    """A Keras model by Keras' own names; anything else as TensorFlow's object graph has it."""
    call, losses = calling.callers(model)
    return Subject(model, {USUAL: call}, model_weights.weights_of(model), losses)


def object_subject(model: Model, structure: Plain = None, paths: Sequence[str] = ()) -> Subject:
    """Any trackable object by the paths of TensorFlow's object graph, which SavedModels keep."""
    call = calling.caller(model, structure)
    return Subject(model, {USUAL: call}, model_weights.object_weights(model, paths))


def resolved(value: Plain, answers: Mapping[str, Plain]) -> Plain:
    """The value with the answers of other parts in place of each `tensors.PartOutput`."""

    def of_part(leaf: Plain) -> Plain:
        return answers[leaf.part] if isinstance(leaf, tensors.PartOutput) else leaf

    return tensors.map_leaves(of_part, value)


def short_message(error: Exception) -> str:
    """The message of an error without the stack that TensorFlow repeats in it."""
    message = str(error)
    # a frame, and its source
    message = re.sub(r'^( *)File ".*\n(\1 +(?!File ").*\n)?', "", message, flags=re.MULTILINE)
    lines = [line for line in message.splitlines() if line.strip()]
    return "\n".join(line for line in lines if not line.startswith("Detected at"))
