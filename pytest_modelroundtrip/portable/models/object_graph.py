"""The object graph of TensorFlow: what a SavedModel and a checkpoint keep, by its paths."""

from __future__ import annotations

from typing import Callable, Dict, Iterator, List, Tuple

from .. import keras_libs
from ..aliases import Model

# Children of a Keras model that are not its weights.
_NOT_WEIGHTS = frozenset((
    "optimizer", "keras_api", "signatures", "variables", "trainable_variables",
    "non_trainable_variables", "metrics", "keras_metrics", "_metrics", "_loss_tracker",
    "_all_variables", "_misc_assets", "loss", "compiled_metrics", "compiled_loss",
))  # fmt: skip


def at(root: Model, path: str) -> Model:
    """The object at a path of the graph, or None."""
    for name in path.split("/"):
        root = _children(root).get(name) if root is not None else None
    return root


def reachable(root: Model, is_variable: Callable[[Model], bool]) -> Iterator[Tuple[str, Model]]:
    """What can be reached from an object, breadth first, with its paths.

    Each object has one path, the least of its shortest ones; a variable has each path that ends
    at it.
    """
    seen = {id(root)}
    level: List[Tuple[str, Model]] = [("", root)]
    while level:
        following: List[Tuple[str, Model]] = []
        for path, parent in sorted(level, key=lambda item: item[0]):
            for name, child in _children(parent).items():
                if name in _NOT_WEIGHTS and keras_libs.keras_major(parent) is not None:
                    continue
                inner = f"{path}/{name}" if path else name
                if id(child) not in seen:
                    following.append((inner, child))
                if id(child) not in seen or is_variable(child):
                    yield inner, child
                seen.add(id(child))
        level = following


def _children(parent: Model) -> Dict[str, Model]:
    children = _trackable_children(parent)
    if isinstance(parent, dict) and not children:
        children = {str(key): held for key, held in parent.items()}
    elif isinstance(parent, (list, tuple)) and not children:
        children = {str(position): held for position, held in enumerate(parent)}
    # lists and dicts of Keras 3, which a SavedModel keeps though TensorFlow does not track them
    is_keras3 = keras_libs.keras_major(parent) == 3
    for name in getattr(parent, "_tracked", ()) if is_keras3 else ():
        children.setdefault(name, getattr(parent, name))
    return dict(sorted(children.items()))


def _trackable_children(parent: Model) -> Dict[str, Model]:
    if hasattr(parent, "_maybe_initialize_trackable"):
        parent._maybe_initialize_trackable()  # as TensorFlow itself does before it asks
    if hasattr(parent, "_trackable_children"):  # TensorFlow 2.9 and later
        try:
            children = parent._trackable_children()
        except TypeError:  # a table of TensorFlow 2.12 has no default
            children = parent._trackable_children("checkpoint")
        return dict(children)
    references = getattr(parent, "_checkpoint_dependencies", ())
    return {reference.name: reference.ref for reference in references}
