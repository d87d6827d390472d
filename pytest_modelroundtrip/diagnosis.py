"""What went wrong on the way back: what differences mean when they are taken together, and which keyword would mend an error."""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from .comparison import Comparison, Tolerance, compare
from .original import System
from .portable import library, observation, variables

Again = Callable[..., "dict[str, Any] | None"]  # reload once more: checks, hash seed -> observation by part
OTHER_HASH_SEED = "5"  # than that of the clean interpreter

MISSING_NAME = (
    r"Could not locate (?:class|function) '([\w>.]+)'",
    r"Unknown (?:\w+ function|\w+): '?([\w>.]+)'?",
    r"No (?:registered|known) \w+ (?:named|with name) '?([\w>.]+)'?",
    r"Cannot deserialize object of type `([\w>.]+)`",
    r"Could not deserialize (?:class|function) '([\w>.]+)'",
)


NEXT = {  # what to do about what differs: that of the first check here, from causes to consequences
    "self_contained": "Put what it needs into the artefact (an asset, a weight, the config), or install it there.",
    "signature": "Fix the function's input_signature and defaults, and say signatures=... when you save.",
    "weights": "A loader pairs weights by name or by order: see whether what is rebuilt has the same layers, in the same order.",
    "config": "Let get_config give each argument of the constructor, and from_config take it.",
    "compile": "Say it again after loading with compile(...), or use a format that keeps it: see docs/checks.md.",
    "losses": "Let get_config of the regulariser or constraint give each of its arguments; register its class.",
    "optimizer": "To go on training, use .keras or a checkpoint of model and optimizer: see docs/checks.md.",
    "outputs": "Look for an attribute, a constant argument, a global or a table that was lost.",
    "training": "Look at train_step, the loss and their arguments: what is no config and no weight is lost.",
}


@dataclass
class Diagnosis:
    """What differences mean: lines to be read before them, what to do, and another verdict where persistence is not to blame."""

    lines: list[str] = field(default_factory=list)
    hint: str = ""
    verdict: str = ""


def diagnose(found: Comparison, before: dict[str, Any], after: dict[str, Any], system: System, again: Again) -> Diagnosis:
    """Say what the differences mean.

    Args:
        found: the differences.
        before: what was seen of the original, by part.
        after: what was seen of what came back.
        system: the original.
        again: reloads the artefact once more.
    """
    told = Diagnosis(hint=next((NEXT[check] for check in NEXT if check in found.differences), ""))
    told.lines += _weights_reading(found) + _optimizer_reading(found, before, after)
    if not {"weights", "outputs"} & found.differences.keys():
        return told
    wanted = [check for check in ("weights", "outputs") if check in found.differences]
    second = again([*wanted, observation.LAYERS])
    if second is None:
        return told
    if "weights" in found.differences:
        told.lines += _restless(after, second)
    elif found.compared["weights"]:
        told.lines.append("the weights are equal, the outputs differ")
        _doubt_the_model(told, after, second, again)
    if "outputs" in found.differences and not told.verdict:
        told.lines += _first_layer(before, second, system)
    return told


def _weights_reading(found: Comparison) -> list[str]:
    lines = []
    origins = found.origins
    swapped = [(a, b) for a, (kind, b) in origins.items() if kind == "other" and origins.get(b) == ("other", a) and a < b]
    lines += [f"permuted: {a} and {b}" for a, b in swapped]
    for kind, words in (
        ("cast", "were cast through {}"),
        ("constant", "came back re-initialised"),
        ("spoilt", "were not loaded at all"),
    ):
        paths = [path for path in origins if origins[path][0] == kind]
        if paths:
            lines.append(
                f"{len(paths)} of {found.compared['weights']} weights {words.format(origins[paths[0]][1])}: {_some(paths)}"
            )
    return lines


def _optimizer_reading(found: Comparison, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    if "optimizer" in found.differences and _has_slots(before) and not _has_slots(after):
        return ["the optimizer's slots are zero or not there: training would start anew"]
    return []


def _has_slots(side: dict[str, Any]) -> bool:
    held = [variable for seen in side.values() for variable in seen.get("optimizer", ())]
    return any(variable["value"].any() for variable in held if variable["path"].count("/") > 1)


def _restless(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Weights that come back with another value at each reload."""
    paths = []
    for name, seen in first.items():
        pairs = zip(seen["weights"], second[name].get("weights", ()), strict=False)
        paths += [
            one["path"]
            for one, other in pairs
            if one["value"].tobytes() != other["value"].tobytes() and one["value"].dtype != object
        ]
    return [f"{len(paths)} weights came back re-initialised, at each reload otherwise: {_some(paths)}"] if paths else []


def _doubt_the_model(told: Diagnosis, first: dict[str, Any], second: dict[str, Any], again: Again) -> None:
    """Whether what was reloaded differs from itself, from call to call or with Python's hash seed: that is not lost on the way."""
    if _outputs_differ(first, second):
        told.verdict = "not deterministic"
        told.lines.append("reloaded twice, it gives different answers: it draws random numbers")
        told.hint = "Give it a seed that its config keeps, or return the part of it that is deterministic in inference."
        return
    third = again(["outputs"], OTHER_HASH_SEED)
    if third is not None and _outputs_differ(first, third):
        told.verdict = "not deterministic"
        told.lines.append(
            "reloaded under two values of PYTHONHASHSEED, it gives different answers: it depends on hash() or on the order of a set"
        )
        told.hint = "Use a stable hash (hashlib, tf.strings.to_hash_bucket_fast), and sort what comes out of a set."


def _outputs_differ(one: dict[str, Any], other: dict[str, Any]) -> bool:
    outputs = [{name: {"outputs": {"": seen["outputs"][""]}} for name, seen in side.items()} for side in (one, other)]
    return any(compare(outputs[0][name], outputs[1][name], Tolerance()).differences for name in one)


def _first_layer(before: dict[str, Any], second: dict[str, Any], system: System) -> list[str]:
    """The first layer whose output diverges, of the first part in which one does."""
    for name, part in system.parts.items():
        after = second[name].get(observation.LAYERS) or []
        kept = part.layer_outputs() if after else []
        for number, (one, other) in enumerate(zip(kept, after, strict=False)):
            if (
                one[0] != other[0]
                or compare({"outputs": {"": {"": one[2]}}}, {"outputs": {"": {"": other[2]}}}, Tolerance()).differences
            ):
                where = f" of {name}" if name else ""
                after_which = f", after {kept[number - 1][0]}" if number else ", the first of all"
                return [f"the first layer{where} whose output diverges: {one[0]} ({one[1]}){after_which}"]
    return []


def _some(paths: list[str]) -> str:
    return ", ".join(paths[:3]) + (", ..." if len(paths) > 3 else "")


def load_hint(message: str, models: Iterable[Any]) -> str:
    """What to do about a load error of these models, "" when that is not known."""
    for model in models:
        for custom in _custom_objects(model):
            if re.search(rf"\b{re.escape(custom.__name__)}\b", message):
                return _mend(custom, library.own_keras(model))
    for pattern in MISSING_NAME:
        match = re.search(pattern, message)
        if match and match.group(1) in {name for model in models for name in _own_operations(model)}:
            return (
                f"{match.group(1)} is Keras' own: its loader of this format does not know what its saver wrote, and nothing in the "
                "model can mend that. Use another format, or say so with expected_failures={...}."
            )
        if match:
            return f"The loader does not know {match.group(1)!r}; what the clean interpreter imports is said with imports=[...]."
    if "Table not initialized" in message:
        return (
            "A lookup table came back empty: its vocabulary is no weight, and the format did not keep it. "
            "Give a factory that builds the model with its vocabulary, or use a format that holds the whole model."
        )
    if "not bound to checkpointed values" in message:
        return (
            "The model that was built anew has variables that the checkpoint does not know: it is not the model that was saved. "
            "Let the factory build the same one; parts that share layers must share them there too."
        )
    cast = re.search(r"Can not cast TensorSpec\(.*?dtype=tf\.(\w+).*?to TensorSpec\(.*?dtype=tf\.(\w+)", message)
    if cast and cast.group(1) != cast.group(2):
        return (
            f"The artefact takes {cast.group(2)}, the model was called with {cast.group(1)}: call it with what a server would send."
        )
    missing = re.search(r"No module named '([\w.]+)'", message)
    if missing:
        return (
            f"The clean interpreter has no module {missing.group(1)!r}: name the folder it is in with the ini option "
            "roundtrip_pythonpath, or install it."
        )
    if "safe_mode" in message or "unsafe_deserialization" in message:
        return (
            "If the artefact may run code of its own, say so with safe_mode=False; better, make the lambda a registered function."
        )
    return ""


def _own_operations(model: Any) -> set[str]:
    """The names of the model's operations that Keras brings, those without weights among them."""
    operations = (type(operation) for operation in getattr(model, "operations", ()))
    return {cls.__name__ for cls in operations if cls.__module__.startswith(("keras.", "tf_keras."))}


def _mend(custom: Any, keras: Any) -> str:
    name, module = custom.__name__, str(custom.__module__)
    where = f"{name} is defined in {module} ({_file(custom)})"
    if _is_test_module(module):
        return (
            f"{where}, which only the tests have; no server imports it. Move {name} to a module of your package that registers it "
            f'(keras.saving.register_keras_serializable) and say imports=["that.module"].'
        )
    how = f'custom_objects={{"{name}": "{module}:{name}"}}, as it is not registered'
    if _is_registered(custom, keras):
        how = f'imports=["{module}"]'
    return f"{where}, which the clean interpreter does not import by itself: say {how}."


def _is_test_module(module: str) -> bool:
    """Whether pytest, not the package's own import path, brought the module in."""
    last = module.split(".")[-1]
    if module == "__main__" or last == "conftest" or last.startswith("test_") or last.endswith("_test"):
        return True
    try:
        return importlib.util.find_spec(module) is None
    except (ImportError, ValueError):
        return True


def _is_registered(custom: Any, keras: Any) -> bool:
    parts = (getattr(keras, name, None) for name in ("saving", "utils"))  # the first since TensorFlow 2.12
    getters = (getattr(part, "get_registered_name", None) for part in parts)
    return any(getter and ">" in str(getter(custom)) for getter in getters)


def _file(custom: Any) -> str:
    try:
        return str(inspect.getfile(custom))
    except (TypeError, OSError):
        return "no file"


def _custom_objects(model: Any) -> list[Any]:
    """Classes and functions of the model that no installed library brings: layers, and what hangs on the model and on them."""
    parts = [part for layer in variables.layers(model) for part in (layer, *vars(layer).values())]
    if library.is_model(model):
        parts += [getattr(model, "optimizer", None), getattr(model, "loss", None)]
    found = [part if inspect.isfunction(part) or inspect.isclass(part) else type(part) for part in parts]
    return [item for item in dict.fromkeys(found) if str(item.__module__).split(".")[0] not in library.LIBRARIES]
