"""One module a format: what saves it and what loads it are read together.

A format module has

* a docstring whose first line says what the format is,
* `PROMISES`: the names of the checks whose subject it keeps,
* `supports(model)`: None, or the reason why it cannot hold this model in this version of TensorFlow and Keras,
* `save(model, folder)`: writes the artefact into the empty folder,
* `load(folder, options)`: the live model from that folder,
* `subject(model, options)`: how the checks look at it, on both sides,
* optionally `NEVER_KEPT`: a check that it promises -> the generations of Keras of which no version keeps it; each trained model
  would fail, whatever it is, so it is made only where the test asks for it,
* optionally `NEEDS`: the modules besides Keras that load it; the clean interpreter imports them once, before it forks,
* optionally `why_not_there(generation, there)`: None, or the reason why an interpreter cannot load a model of that generation of
  Keras; `there` has the `versions` of what is imported there, by module, and the names of what is `installed`,
* optionally `needs_factory(model)`, where it keeps weights only: None, or the reason why only a factory can build the model anew,
* optionally `save_together(models, folder)`, `load_together(folder, options)` and `why_not_together(models, factory)`, where the
  parts of a system go into one artefact; elsewhere each part is saved on its own, in a folder of its name.

A plugin adds formats of its own with the hook `pytest_modelroundtrip_formats`.
"""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Sequence

from .. import library

BUILT_IN = (
    "keras", "h5", "weights", "weights_tf", "saved_model", "keras_saved_model", "export", "checkpoint", "hub",
)  # fmt: skip


# What formats promise, as names of checks. No Keras format keeps the states of seed generators, so `weights` does not count them.
WHOLE = ("signature", "weights", "config", "compile", "optimizer", "outputs", "losses", "self_contained", "training")
SERVED = ("signature", "weights", "outputs", "self_contained")
WEIGHTS = ("weights", "outputs", "self_contained")


@dataclass(frozen=True)
class Options:
    """What a loader is told besides the folder; the artefact itself has to know everything else."""

    generation: Optional[int] = None  # of the saved model's Keras: 2, 3 or None
    custom_objects: Dict[str, Any] = field(default_factory=dict)
    factory: Optional[Callable[[], Any]] = None
    safe_mode: bool = True
    template: Any = None  # the nest of the original's outputs
    paths: Sequence[str] = ()  # of the original's weights
    part: str = ""  # which part of a system it is; what a factory builds then has the parts by name
    batches: List[Any] = field(default_factory=list)  # with which a rebuilt model is called once, so that its weights exist


def save_all(fmt: Any, models: Dict[str, Any], folder: str) -> None:
    """Save a model, whose name is "", or the parts of a system by their names."""
    if "" in models:
        fmt.save(models[""], folder)
    elif hasattr(fmt, "save_together"):
        fmt.save_together(models, folder)
    else:
        for name, model in models.items():
            os.mkdir(os.path.join(folder, name))
            fmt.save(model, os.path.join(folder, name))


def load_all(fmt: Any, folder: str, options: Dict[str, Options]) -> Dict[str, Any]:
    """What `save_all` saved, by name."""
    if "" not in options and hasattr(fmt, "load_together"):
        found: Dict[str, Any] = fmt.load_together(folder, options)
        return found
    return {name: fmt.load(os.path.join(folder, name), options[name]) for name in options}


def why_not_keras(model: Any) -> Optional[str]:
    """The reason why a format of Keras models cannot hold this one, or None."""
    return None if library.is_model(model) else "not a Keras model"


def why_not_keras2(model: Any) -> Optional[str]:
    """The reason why a format of Keras 2 cannot hold this one, or None."""
    if library.is_model(model) and library.generation(model) != 2:
        return "Keras 3 has no such format"
    return why_not_keras(model)


def why_not_needed(needs: Sequence[str], there: Dict[str, Any]) -> Optional[str]:
    """The reason why a format that needs these modules cannot be loaded by an interpreter without them, or None."""
    missing = [name for name in needs if name not in there["installed"]]
    return "%s is not installed there" % missing[0].replace("_", "-") if missing else None


def why_not_its_keras(generation: Optional[int], there: Dict[str, Any]) -> Optional[str]:
    """The reason why an interpreter has no Keras for a model of that generation, or None."""
    if generation in (None, *library.generations(there["versions"], there["installed"])):
        return None
    versions = there["versions"]
    names = (("keras", "Keras"), ("tensorflow", "TensorFlow"))
    found = next(("%s %s" % (name, versions[module]) for module, name in names if module in versions), "none")
    return "a model of Keras {0} is read by Keras {0} only; there is {1}".format(generation, found)


def load_keras(path: str, options: Options) -> Any:
    """`load_model` of the model's own Keras."""
    loader = library.keras(options.generation or 3).models.load_model
    knows = "safe_mode" in inspect.signature(loader).parameters  # since TensorFlow 2.12
    return loader(path, custom_objects=options.custom_objects, **({"safe_mode": options.safe_mode} if knows else {}))
