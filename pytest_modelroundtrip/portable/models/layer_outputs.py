"""The outputs of each layer of a functional or sequential model.

They show the first layer whose outputs differ.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple

from .. import keras_libs, tensors
from ..aliases import Layer, Model, Plain, Tensor
from ..protocol import LayerOutput
from . import calling


class _LayerCall(NamedTuple):
    name: str
    class_name: str
    outputs: List[Tensor]


def layer_outputs(model: Model, args: List[Plain], kwargs: Dict[str, Plain]) -> List[LayerOutput]:
    """The outputs of each call of a layer, from the inputs on.

    Empty where the model cannot be cut into its layers.
    """
    if not keras_libs.is_graph(model):
        return []
    try:
        calls = [call for call in _calls(model) if call.outputs]
        flat = [tensor for call in calls for tensor in call.outputs]
        cut = keras_libs.own_keras(model).Model(keras_libs.input_nest(model), flat)
        answer = calling.caller(cut)(args, kwargs)
    except Exception:  # it was called without a graph, or an operation runs in a whole model only
        return []
    outputs = (tensor for _, tensor in tensors.leaves(answer))
    return [
        LayerOutput(call.name, call.class_name, [next(outputs) for _ in call.outputs])
        for call in calls
    ]


def _calls(model: Model) -> List[_LayerCall]:
    """The calls of layers, those that come first first."""
    graph = getattr(model, "_functional", None) or model  # inside a Sequential of Keras 3
    found = []
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            layer: Layer = getattr(node, "operation", None) or node.layer
            found.append(_LayerCall(layer.name, type(layer).__name__, _outputs(node)))
    return [call for call in found if call.class_name != "InputLayer"]


def _outputs(node: Model) -> List[Tensor]:
    held = node.output_tensors if hasattr(node, "output_tensors") else node.outputs
    return [tensor for _, tensor in tensors.leaves(held)]
