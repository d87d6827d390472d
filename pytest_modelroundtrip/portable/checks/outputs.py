"""The check `outputs`."""

from __future__ import annotations

from typing import Any, Dict, Optional

from .. import keras_libs
from ..comparing import Comparison, Tolerance
from ..comparing.nests import compare_nests
from ..subject import GIVEN, PREDICT, TRAINING, USUAL, Subject
from . import OUTPUTS, Check, Observation

Outputs = Dict[str, Dict[str, Any]]  # nests, by the way of calling, by the name of the batch


def usual_outputs(seen: Observation) -> Dict[str, Any]:
    """What the model returned in the usual way, by batch; nothing where that was not looked at."""
    outputs: Outputs = seen.get(OUTPUTS, {})
    return outputs.get(USUAL, {})


def observation_of(returned: Dict[str, Any]) -> Observation:
    """What is observed of a model that returned this in the usual way, by batch."""
    return {OUTPUTS: {USUAL: returned}}


class OutputsCheck(Check[Outputs]):
    """What the model returns: the nest, and each tensor's dtype, shape and values.

    It is called with your batch, and with one in which every free axis has another size. A
    Keras model that is deterministic in training mode (one with BatchNormalization, not one with
    Dropout) is also called with `training=True`. One whose class has a `predict` or `predict_step`
    of its own is called by `predict` too. Values are compared within the tolerance of their dtype.
    """

    sighting = Dict[str, Dict[str, Any]]
    hint = (
        "Look for state that is neither a weight nor in the config: an attribute, a constant "
        "argument, a global variable or a lookup table."
    )
    calls_model = True

    def observe(self, subject: Subject) -> Optional[Outputs]:
        """The outputs for each way of calling and each batch.

        Raises:
            CallError: when the model cannot be called.
        """
        is_keras = keras_libs.keras_major(subject.model) is not None
        # only a Keras model has a training mode
        batches = [batch for batch in subject.batches if batch.name != TRAINING or is_keras]
        return {
            way: {
                batch.name: subject.called(way, batch)
                for batch in batches
                if way != PREDICT or batch.name == GIVEN
            }
            for way in subject.calls
        }

    def compare(self, expected: Outputs, actual: Outputs, tolerance: Tolerance) -> Comparison:
        """Compare batch by batch, up to the first that differs: others would only repeat it.

        The original is mostly called in one way, the reloaded model in each way that its format
        offers. What is not a Keras model has no training mode.
        """
        found = Comparison()
        if not actual:
            found.differ("outputs are missing after the reload")
        for way, others in actual.items():
            originals = expected.get(way, expected.get(USUAL, {}))
            for batch in {**originals, **others}:
                if found.differences or (batch == TRAINING and batch not in others):
                    continue
                where = _describe_batch(way, batch)
                if batch in originals and batch in others:
                    sides = originals[batch], others[batch]
                    found.include(compare_nests(where, *sides, tolerance))
                elif batch in originals:
                    found.differ(f"{where} are missing after the reload")
                else:
                    found.differ(f"{where} are not in the original")
        return found


def _describe_batch(way: str, batch: str) -> str:
    """The outputs of a batch, for messages."""
    words = ("outputs", batch and f"({batch})", way and f"by {way}")
    return " ".join(filter(None, words))
