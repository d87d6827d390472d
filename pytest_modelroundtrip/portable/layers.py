"""What each layer of a functional or sequential model answers, to find the first one that answers otherwise."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from . import calling, library, tensors


def layer_outputs(model: Any, args: List[Any], kwargs: Dict[str, Any]) -> List[Any]:
    """[name, class, outputs] of each call of a layer, from the inputs on; empty where the model cannot be cut into its layers."""
    if not library.is_graph(model):
        return []
    calls = [call for call in _calls(model) if call[2]]
    flat = [tensor for _, _, outputs in calls for tensor in outputs]
    try:
        answers = iter(calling.caller(library.own_keras(model).Model(_inputs(model), flat))(args, kwargs))
    except Exception:  # Keras calls some operations in a whole model only; a diagnosis says what it can
        return []
    return [[name, cls, [next(answers) for _ in outputs]] for name, cls, outputs in calls]


def _calls(model: Any) -> List[Tuple[str, str, List[Any]]]:
    graph = getattr(model, "_functional", None) or model  # a sequential model of Keras 3 has one inside
    found = []
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            layer = getattr(node, "operation", None) or node.layer
            found.append((layer.name, type(layer).__name__, _outputs(node)))
    return [call for call in found if call[1] != "InputLayer"]


def _outputs(node: Any) -> List[Any]:
    held = node.output_tensors if hasattr(node, "output_tensors") else node.outputs
    return [tensor for _, tensor in tensors.leaves(held)]


def _inputs(model: Any) -> Any:
    graph = getattr(model, "_functional", None) or model
    held = (getattr(graph, name, None) for name in ("_inputs_struct", "_nested_inputs", "inputs"))
    return next(nest for nest in held if nest is not None)
