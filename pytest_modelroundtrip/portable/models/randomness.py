"""Whether a model draws random numbers, which are others at each call.

Two calls that return the same do not show that none are drawn: dropout may drop everything twice.
"""

from __future__ import annotations

import re
from typing import Any, Iterator

from ..aliases import Variable
from ..protocol import Batch
from .calling import NumpyCall

# operations of TensorFlow's with a state of their own; the `Stateless` ones take a seed
DRAWING = re.compile(
    "Multinomial|NonDeterministicInts|(Parameterized)?TruncatedNormal|Random|Rng"
    "|Stateful(Random|StandardNormal|TruncatedNormal|Uniform)"
)


def is_seed(variable: Variable) -> bool:
    """Whether it is the state of one of Keras 3's seed generators."""
    return str(getattr(variable, "path", "")).endswith("seed_generator_state")


def has_drawing_operation(call: NumpyCall, batch: Batch) -> bool:
    """Whether the graph of that call draws random numbers; False where it has no graph."""
    graph = call.graph(batch.args, batch.kwargs)
    return graph is not None and any(map(DRAWING.match, _operations(graph.as_graph_def())))


def _operations(definition: Any) -> Iterator[str]:
    """The names of the operations of a graph, and of the functions that it calls."""
    for nodes in (definition.node, *(each.node_def for each in definition.library.function)):
        for node in nodes:
            yield node.op
