"""The check `weights`."""

from __future__ import annotations

from typing import List, Optional, Sequence

from ..comparing import Comparison, Tolerance
from ..comparing.variables import compare_variables
from ..models import model_weights, variables
from ..protocol import WeightValue
from ..subject import Subject
from . import Check


class WeightsCheck(Check[List[WeightValue]]):
    """The weights: which there are, and their dtypes, shapes and values, bit for bit.

    BatchNormalization's moments, counters and the vocabularies of lookup layers are among them.
    Trainable flags are compared, and ties: whether two paths hold one variable. The states of seed
    generators are not compared: no Keras format keeps them. Nor are the flags of a Keras 3 model in
    `saved_model` and `hub`: Keras 3 never writes them there.
    """

    sighting = List[WeightValue]
    hint = (
        "Check that the rebuilt model has the same layers in the same order, each with its dtype "
        "and its trainable flag: loaders pair weights by name or by order."
    )

    hint_of_lora = (
        "When Keras saves weights, it merges the LoRA matrices into the kernel. The reloaded "
        "model has new matrices, so training continues from other values, and a quantized kernel "
        "is quantized a second time. `h5`, `checkpoint` and SavedModels keep the matrices."
    )

    def observe(self, subject: Subject) -> Optional[List[WeightValue]]:
        """The weights, in the model's order."""
        return weight_values(subject.weights, subject.other_parts)

    def compare(
        self, expected: List[WeightValue], actual: List[WeightValue], tolerance: Tolerance
    ) -> Comparison:
        """Compare the weights, paired by path."""
        found = compare_variables("weight", expected, actual, tolerance)
        anew = [path for path, origin in found.origins.items() if origin.kind == "constant"]
        if any("/lora_" in path for path in anew):
            found.hint = self.hint_of_lora
        return found


def weight_values(
    weights: Sequence[model_weights.Weight], other_parts: Sequence[model_weights.Weight] = ()
) -> List[WeightValue]:
    """The values of live weights, some of which may be tied to each other or to other parts."""
    held = [*other_parts, *weights]
    ties = variables.ties([weight.variable for weight in held])
    values = [
        WeightValue(
            weight.path,
            weight.place,
            None if tie is None else held[tie].path,
            weight.trainable,
            variables.value_of(weight.variable),
        )
        for weight, tie in zip(held, ties)
    ]
    return values[len(other_parts) :]
