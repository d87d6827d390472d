"""One module a format: what saves it and what loads it are read together.

A format module has

* a docstring whose first line says what the format is,
* `PROMISES`: the names of the checks whose subject it keeps,
* `supports(model)`: None, or the reason why it cannot hold this model in this version of TensorFlow and Keras,
* `save(model, folder)`: writes the artefact into the empty folder,
* `load(folder, options)`: the live model from that folder,
* `subject(model, options)`: how the checks look at it, on both sides,
* optionally `NEEDS`: modules that the clean interpreter imports once, before it forks,
* optionally `needs_factory(model)`, where it keeps weights only: None, or the reason why only a factory can build the model anew.

A plugin adds formats of its own with the hook `pytest_modelroundtrip_formats`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Sequence

from .. import library

BUILT_IN = (
    "keras", "h5", "weights", "weights_tf", "saved_model", "keras_saved_model", "export", "checkpoint", "hub",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What a loader is told besides the folder; the artefact itself has to know everything else."""

    generation: Optional[int] = None  # of the saved model's Keras: 2, 3 or None
    custom_objects: Dict[str, Any] = field(default_factory=dict)
    factory: Optional[Callable[[], Any]] = None
    safe_mode: bool = True
    template: Any = None  # the nest of the original's outputs
    paths: Sequence[str] = ()  # of the original's weights
    batches: List[Any] = field(default_factory=list)  # with which a rebuilt model is called once, so that its weights exist


def why_not_keras(model: Any) -> Optional[str]:
    """The reason why a format of Keras models cannot hold this one, or None."""
    return None if library.is_model(model) else "not a Keras model"


def why_not_keras2(model: Any) -> Optional[str]:
    """The reason why a format of Keras 2 cannot hold this one, or None."""
    if library.is_model(model) and library.generation(model) != 2:
        return "Keras 3 has no such format"
    return why_not_keras(model)


def load_options(options: Options) -> Dict[str, Any]:
    """`safe_mode` where the loader knows it: Keras 2.13 and later."""
    if options.generation == 2 and library.tensorflow_version() < (2, 13):
        return {}
    return {"safe_mode": options.safe_mode}


def load_keras(path: str, options: Options) -> Any:
    """`load_model` of the model's own Keras."""
    loader = library.keras(options.generation or 3).models.load_model
    return loader(path, custom_objects=options.custom_objects, **load_options(options))
