"""Observation against observation: what was lost, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .portable.tensors import Ragged, Sparse, dtype_named, leaves
from .portable.variables import spoilt

Array = np.ndarray[Any, Any]

# (rtol, atol) of torch.testing.assert_close; a dtype that is not here is compared exactly
TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


@dataclass(frozen=True)
class Tolerance:
    """How far outputs may be apart: `rtol` and `atol` of the user, else by dtype; not at all when `exact`.

    `across` versions of the libraries a config is written in another form: a key more, a policy for its name, a class renamed. Only
    the plain values that both sides have are compared then. Across `backends` Keras' own integers, the counters of optimizers among
    them, have another width: int64 with TensorFlow, int32 with the others.
    """

    exact: bool = False
    rtol: float | None = None
    atol: float | None = None
    across: bool = False
    backends: bool = False

    def of(self, dtype: np.dtype[Any]) -> tuple[float, float]:
        if self.exact or not _is_floating(dtype):
            return 0.0, 0.0
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        return TOLERANCES.get(dtype.name, (0.0, 0.0))


@dataclass
class Comparison:
    """Differences by check, in the order of the checks; how many things were compared; how far apart the outputs are."""

    differences: dict[str, list[str]] = field(default_factory=dict)
    compared: Counter[str] = field(default_factory=Counter)
    distances: dict[str, int] = field(default_factory=dict)  # check -> how far apart two of its tensors are at most, in ULP
    near: set[str] = field(default_factory=set)  # the checks in which bits differ
    origins: dict[str, tuple[str, str]] = field(default_factory=dict)  # path of a wrong weight -> where its value comes from

    def add(self, check: str, message: str) -> None:
        self.differences.setdefault(check, []).append(message)

    def row(self, check: str) -> str:
        """The verdict on one check."""
        if check in self.differences:
            return "differs"
        if not self.compared[check]:
            return "n/a"
        return "close" if check in self.near else "exact"


def compare(expected: dict[str, Any], actual: dict[str, Any], tolerance: Tolerance, part: str = "") -> Comparison:
    """Compare what was seen before the save with what was seen after the reload (see `portable.observation`).

    Args:
        expected: the observation of the original.
        actual: that of what came back.
        tolerance: of outputs, losses and the next training step; all else is compared exactly.
        part: which part of a system the model is, for the messages.
    """
    found = Comparison()
    for check in (check for check in COMPARE if check in expected):
        if check in actual:
            COMPARE[check](expected[check], actual[check], tolerance, found)
        else:
            found.add(check, f"the original has its {check}, what came back has none")
    if part:
        found.differences = {check: [f"{part}: {line}" for line in lines] for check, lines in found.differences.items()}
    return found


def together(comparisons: Iterable[Comparison]) -> Comparison:
    """One of several: of the parts of a system."""
    whole = Comparison()
    for found in comparisons:
        for check, lines in found.differences.items():
            whole.differences.setdefault(check, []).extend(lines)
        whole.compared.update(found.compared)
        for check, distance in found.distances.items():
            whole.distances[check] = max(whole.distances.get(check, 0), distance)
        whole.near |= found.near
        whole.origins.update(found.origins)
    return whole


# signature


def _compare_signature(before: dict[str, Any], after: dict[str, Any], tolerance: Tolerance, found: Comparison) -> None:
    _compare_call("", before, after, found)
    for name, kept in before.get("functions", {}).items():
        found.compared["signature"] += 1
        came = after.get("functions", {}).get(name)
        if came is None:
            found.add("signature", f"the function {name} did not come back")
            continue
        for argument, default in kept["defaults"].items():
            if came["defaults"].get(argument) != default:
                now = came["defaults"].get(argument, "no default")
                found.add("signature", f"the argument {argument} of {name} had the default {default} and came back with {now}")
        for inputs in kept["inputs"]:
            if inputs not in came["inputs"]:
                found.add("signature", f"the function {name} took ({inputs}); what came back takes ({'), ('.join(came['inputs'])})")
    for name, kept in before.get("signatures", {}).items():
        if name in after.get("signatures", {}):
            _compare_call(f" of the signature {name}", kept, after["signatures"][name], found)
        else:
            found.add("signature", f"the signature {name} did not come back")


def _compare_call(where: str, before: dict[str, Any], after: dict[str, Any], found: Comparison) -> None:
    for side in ("inputs", "outputs"):
        if side not in before:
            continue
        found.compared["signature"] += 1
        kept, came = before[side], after.get(side)
        if came is None or len(kept) != len(came):
            found.add("signature", f"{side}{where}: {_specs(kept)} came back as {_specs(came or [])}")
            continue
        served = any(name is None for name, _, _ in [*kept, *came])  # the format names and orders them anew
        if served and side == "outputs":
            continue  # what Keras declares of its outputs is not always what it computes; that is compared as outputs
        if served:
            kept, came = ([[None, *spec[1:]] for spec in sorted(specs, key=_sort_key)] for specs in (kept, came))
        for one, other in zip(kept, came, strict=True):
            if one[:2] != other[:2] or not _accepts(other[2], one[2]):
                found.add("signature", f"{side}{where}: {_specs([one])} came back as {_specs([other])}")


def _sort_key(spec: list[Any]) -> str:
    """A key that sorts specs by dtype and rank, then by the sizes behind the batch axis."""
    return f"{spec[1]} {len(spec[2] or ())} {[size or 0 for size in (spec[2] or ())[1:]]}"


def _accepts(shape: list[int | None] | None, given: list[int | None] | None) -> bool:
    """Whether what took one shape before is still taken: an axis may have become free, none may have become fixed."""
    if shape is None or given is None:
        return shape is None
    return len(shape) == len(given) and all(size in (None, wanted) for size, wanted in zip(shape, given, strict=True))


def _specs(specs: list[Any]) -> str:
    return ", ".join(f"{name + ' ' if name else ''}{dtype}{'[...]' if shape is None else shape}" for name, dtype, shape in specs)


# weights and the variables of optimizers


def _compare_weights(before: list[Any], after: list[Any], tolerance: Tolerance, found: Comparison) -> None:
    _compare_variables("weights", "weight", before, after, tolerance, found)


def _compare_optimizer(before: list[Any], after: list[Any], tolerance: Tolerance, found: Comparison) -> None:
    """Slots that do not exist yet are zero: an optimizer makes them when it is built, or in its first step."""
    paths = [{variable["path"] for variable in side} for side in (before, after)]
    before = [v for v in before if v["path"] in paths[1] or v["value"].any() or v["path"].endswith("loss_scale")]
    after = [v for v in after if v["path"] in paths[0] or v["value"].any()]
    if not any(v["value"].any() for v in before):
        after = [v for v in after if v["path"] in paths[0]]  # it has not made a step: what it starts with is its own affair
    _compare_variables("optimizer", "", before, after, tolerance, found)
    found.compared["optimizer"] += 1  # that it is there


def _compare_variables(check: str, noun: str, before: list[Any], after: list[Any], tolerance: Tolerance, found: Comparison) -> None:
    kept, came = _paired(before, after, tolerance)
    named = {path: f"{noun} {path}".lstrip() for path in {**kept, **came}}
    for path in sorted(kept.keys() - came.keys()):
        found.add(check, f"{named[path]} {_shape(kept[path]['value'])} did not come back")
    for path in sorted(came.keys() - kept.keys()):
        found.add(check, f"{named[path]} {_shape(came[path]['value'])} was not in the original")
    for path in [path for path in kept if path in came]:
        found.compared[check] += 1
        one, other = kept[path], came[path]
        if one["trainable"] != other["trainable"]:
            found.add(check, f"{named[path]} was {_trainable(one)} and came back {_trainable(other)}")
        if bool(one["tied"]) != bool(other["tied"]):
            was, came_back = (f"one with {w['tied']}" if w["tied"] else "a variable of its own" for w in (one, other))
            found.add(check, f"{named[path]} was {was} and came back as {came_back}")
        message = _leaf_difference(one["value"], other["value"], Tolerance(exact=True), Comparison(), check)
        if message and not one["tied"]:
            kind, what = _origin(path, one["value"], other["value"], kept)
            if check == "weights":
                found.origins[path] = (kind, what)
            found.add(check, f"{named[path]} {message}{ORIGINS[kind].format(what)}")


def _paired(before: list[Any], after: list[Any], tolerance: Tolerance) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both by the paths of the original, the integers of another backend in the original's width."""
    kept, came = _by_path(before, after)
    if tolerance.backends:
        came = {path: {**w, "value": _as_wide(w["value"], kept[path]["value"])} if path in kept else w for path, w in came.items()}
    return kept, came


def _as_wide(value: Array, original: Array) -> Array:
    """The same integers in the original's width, where they fit."""
    if value.dtype.kind != original.dtype.kind or value.dtype.kind not in "iu":
        return value
    cast = value.astype(original.dtype)
    return cast if (cast == value).all() else value


def _by_path(before: list[Any], after: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both by the paths of the original.

    A model that is built anew counts its layers from another number, `dense_3` for `dense`: there the places count (see
    `portable.variables.Weight`). What a name that the user gave has become is never passed over.
    """
    kept, came = {w["path"]: w for w in before}, {w["path"]: w for w in after}
    if kept.keys() != came.keys():
        path_of = {w["place"]: w["path"] for w in before if w["place"]}
        if path_of.keys() == {w["place"] for w in after} and len(path_of) == len(kept) == len(came):
            return kept, {path_of[w["place"]]: w for w in after}
    return kept, came


ORIGINS = {  # where a wrong value comes from -> how the message ends
    "": "",
    "other": ": it holds the value of {}",
    "cast": ": it was cast through {}",
    "spoilt": ": it was not loaded, it holds what the rebuilt model was given before",
    "constant": ": it came back re-initialised, all of it {}",
}


def _origin(path: str, before: Array, after: Array, kept: dict[str, Any]) -> tuple[str, str]:
    """Where a wrong value comes from, when that can be told: a key of `ORIGINS`, and what goes into it."""
    if before.dtype != after.dtype or before.shape != after.shape or after.size < 2 or after.dtype == object:
        return "", ""
    if _same_bits(after, spoilt(after)):
        return "spoilt", ""
    if (after == after.flat[0]).all():
        return ("", "") if (before == before.flat[0]).all() else ("constant", str(after.flat[0]))
    for other, weight in kept.items():
        if other != path and weight["value"].shape == after.shape and _same_bits(weight["value"], after):
            return "other", other
    if before.dtype.name in ("float32", "float64"):
        for name in ("float16", "bfloat16"):
            with np.errstate(over="ignore"):
                if _same_bits(before.astype(dtype_named(name)).astype(before.dtype), after):
                    return "cast", name
    return "", ""


def _trainable(weight: dict[str, Any]) -> str:
    return "trainable" if weight["trainable"] else "frozen"


def _shape(value: Array) -> str:
    return f"{value.dtype.name}{list(value.shape)}"


# config


def _compare_config(before: Any, after: Any, tolerance: Tolerance, found: Comparison) -> None:
    if before["config"] is not None:
        _compare_json("config", before["config"], after["config"], tolerance, found)
    for path, kept in before["arguments"].items():
        came = after["arguments"].get(path, {})
        for name in kept.keys() & came.keys() if came.get("class") == kept["class"] else ():
            found.compared["config"] += 1
            if kept[name] != came[name]:
                told = f"the argument {name} of {kept['class']} ({path}) was {kept[name]!r} and came back as {came[name]!r}"
                found.add("config", told + ": get_config does not give it")


def _compare_compile(before: Any, after: Any, tolerance: Tolerance, found: Comparison) -> None:
    _compare_json("compile", before, after, tolerance, found)


def _compare_json(check: str, before: Any, after: Any, tolerance: Tolerance, found: Comparison) -> None:
    found.compared[check] += 1
    for path, one, other in _json_differences(before, after, check):
        if tolerance.across and (path.rpartition(".")[2] in NAMES or not (_is_plain(one) and _is_plain(other))):
            continue
        found.add(check, f"{path}: {one!r} came back as {other!r}")


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float))


NAMES = ("class_name", "module", "registered_name", "implementation")  # which versions change
MISSING = type("Missing", (), {"__repr__": lambda self: "nothing"})()

# Keys that say how Keras wrote or built a layer, not what the layer is; what it is shows in other checks:
# flags in the weights that they are about, vocabularies in the outputs.
NOT_CONFIG = ("trainable", "build_config", "vocabulary", "idf_weights", "shared_object_id")
ADDED_BY_WRITER = ("module", "registered_name", "config")  # a function has no config, the object around it has
NOT_THERE = (MISSING, None)
SHAPES = ("batch_input_shape", "batch_shape", "build_input_shape")  # an axis may become free


def _json_differences(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        if before.get("class_name") == after.get("class_name") == "Lambda":
            return  # marshalled code, which is never written the same; what it does shows in the outputs
        for key in {**before, **after}:
            one, other = before.get(key, MISSING), after.get(key, MISSING)
            if key in NOT_CONFIG or (key in ADDED_BY_WRITER and (one in NOT_THERE or other in NOT_THERE)):
                continue
            if key == "class_name" and _without_package(one) == _without_package(other):
                continue
            if key in SHAPES and isinstance(one, list) and isinstance(other, list) and _accepts(other, one):
                continue
            yield from _json_differences(one, other, f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for position, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _json_differences(one, other, f"{path}[{position}]")
    elif (before != after and not (before != before and after != after)) or isinstance(before, bool) != isinstance(after, bool):
        yield path, before, after


def _without_package(name: Any) -> Any:
    """`Scale` of `Custom>Scale`: Keras 2.13 writes the one before a save in HDF5 and the other after it."""
    return name.rpartition(">")[2] if isinstance(name, str) else name


# outputs, losses and the next training step


def _compare_outputs(before: dict[str, Any], after: dict[str, Any], tolerance: Tolerance, found: Comparison) -> None:
    (expected,) = before.values()  # the original is called in one way; what came back, in each way its format offers
    for way, batches in after.items():
        for batch, outputs in expected.items():
            if "outputs" in found.differences:
                return  # another batch would only say it again
            if batch in batches:
                where = " ".join(filter(None, ("outputs", batch and f"({batch})", way and f"by {way}")))
                _compare_values("outputs", where, outputs, batches[batch], tolerance, found)


def _compare_losses(before: Any, after: Any, tolerance: Tolerance, found: Comparison) -> None:
    found.compared["losses"] += 1  # that there are none is a comparison too
    _compare_values("losses", "losses", before["losses"], after["losses"], tolerance, found)
    kept, came = before["constraints"], after["constraints"]
    if len(kept) == len(came):  # in the model's order: a model that is built anew may count its layers from another number
        came = [[path, value] for (path, _), (_, value) in zip(kept, came, strict=True)]
    _compare_values("losses", "constraint of ", dict(kept), dict(came), tolerance, found)


def _compare_training(before: Any, after: Any, tolerance: Tolerance, found: Comparison) -> None:
    if "raised" in before:
        return
    found.compared["training"] += 1
    tolerance = replace(tolerance, exact=False)  # gradients are summed up in parallel
    if "raised" in after:
        found.add("training", f"the next training step raised {after['raised']}")
        return
    _compare_values("training", "the next step's ", before["losses"], after["losses"], tolerance, found)
    kept, came = ({path: w["value"] for path, w in side.items()} for side in _paired(before["after"], after["after"], tolerance))
    _compare_values("training", "after the next step, ", kept, came, tolerance, found)


def _compare_values(check: str, where: str, before: Any, after: Any, tolerance: Tolerance, found: Comparison) -> None:
    kept, came = dict(leaves(before)), dict(leaves(after))
    for path in kept.keys() - came.keys():
        found.add(check, f"{where}{path} did not come back")
    for path in came.keys() - kept.keys():
        found.add(check, f"{where}{path} was not there before")
    for path in [path for path in kept if path in came]:
        found.compared[check] += 1
        message = _leaf_difference(kept[path], came[path], tolerance, found, check)
        if message:
            swapped = next((p for p in kept if p != path and _equal(kept[p], came[path])), None)
            found.add(check, f"{where}{path} {message}" + (f": it holds the value of {swapped}" if swapped else ""))


def _equal(one: Any, other: Any) -> bool:
    return not _leaf_difference(one, other, Tolerance(exact=True), Comparison(), "")


def _compare_self_contained(before: Any, after: list[str], tolerance: Tolerance, found: Comparison) -> None:
    found.compared["self_contained"] += 1
    for what in after:
        found.add("self_contained", f"the reload reached for {what}")


# one leaf


def _leaf_difference(before: Any, after: Any, tolerance: Tolerance, found: Comparison, check: str) -> str:
    """In words what is different between two leaves, "" when nothing is; the distance goes to `found`."""
    if isinstance(before, (Ragged, Sparse)) or isinstance(after, (Ragged, Sparse)):
        return _parts_difference(before, after, tolerance, found, check)
    if not isinstance(before, np.ndarray) or not isinstance(after, np.ndarray):
        return "" if type(before) is type(after) and before == after else f"was {before!r} and came back as {after!r}"
    if before.dtype != after.dtype:
        return f"was {before.dtype.name} and came back as {after.dtype.name}"
    if before.shape != after.shape:
        return f"had the shape {list(before.shape)} and came back with {list(after.shape)}"
    return _values_difference(before, after, tolerance, found, check)


def _parts_difference(before: Any, after: Any, tolerance: Tolerance, found: Comparison, check: str) -> str:
    if type(before) is not type(after):
        return f"was {_kind(before)} and came back {_kind(after)}"
    for name, one, other in zip(before._fields, before, after, strict=True):
        pairs = zip(one, other, strict=True) if isinstance(one, tuple) and len(one) == len(other) else [(one, other)]
        for part in pairs:
            message = _leaf_difference(*part, tolerance, found, check)
            if message:
                return f"({name}) {message}"
    return ""


def _kind(leaf: Any) -> str:
    return "dense" if isinstance(leaf, np.ndarray) else type(leaf).__name__.lower()


def _values_difference(before: Array, after: Array, tolerance: Tolerance, found: Comparison, check: str) -> str:
    if before.dtype == object or not _is_floating(before.dtype):
        apart = np.asarray(before != after)
        if not apart.any():
            return ""
        found.near.add(check)
        return _worst(before, after, apart, _first(apart), "")
    apart = _bits_apart(before, after)
    if not apart.any():
        return ""
    found.near.add(check)
    distance = _ulp(before, after)
    found.distances[check] = max(found.distances.get(check, 0), int(distance.max()))
    wrong = apart & ~_within(before, after, *tolerance.of(before.dtype))
    if not wrong.any():
        return ""
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.abs(_wide(before) - _wide(after))
    size = np.where(wrong, np.where(np.isnan(size), np.inf, size), -1.0)
    index = np.unravel_index(int(np.argmax(size)), size.shape)
    return _worst(before, after, wrong, index, f" ({int(distance[index])} ulp)")


def _first(apart: Array) -> tuple[Any, ...]:
    return np.unravel_index(int(np.argmax(apart)), apart.shape)


def _worst(before: Array, after: Array, wrong: Array, index: tuple[Any, ...], distance: str) -> str:
    where = f" at {[int(i) for i in index]}" if index else ""
    return (
        f"differs in {int(wrong.sum())} of {wrong.size} elements; the largest difference{where}: "
        f"{_item(before[index])} came back as {_item(after[index])}{distance}"
    )


def _item(item: Any) -> str:
    return repr(item) if isinstance(item, bytes) else str(item)


def _is_floating(dtype: np.dtype[Any]) -> bool:
    """ml_dtypes' floats have kind "V" (or "f"); its integers are named so."""
    return dtype.kind in "fc" or (dtype.kind == "V" and "int" not in dtype.name)


def _wide(array: Array) -> Array:
    return array if array.dtype.kind == "c" else array.astype(np.float64)


def _bits_apart(before: Array, after: Array) -> Array:
    """Where the bits differ; one NaN is like another."""
    parts = zip(_parts(before), _parts(after), strict=True)
    apart = [(_bits(one) != _bits(other)) & ~(_nan(one) & _nan(other)) for one, other in parts]
    return np.asarray(np.logical_or.reduce(apart)).reshape(before.shape)


def _same_bits(before: Array, after: Array) -> bool:
    return before.dtype == after.dtype and before.tobytes() == after.tobytes()


def _within(before: Array, after: Array, rtol: float, atol: float) -> Array:
    if not rtol and not atol:
        return np.zeros(before.shape, bool)
    one, other = _wide(before), _wide(after)
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(one - other) <= atol + rtol * np.abs(one)
        return np.asarray((one == other) | (np.isfinite(one) & np.isfinite(other) & near))


def _ulp(before: Array, after: Array) -> Array:
    """How many representable numbers apart, the larger of a complex number's two parts; 0 where both are NaN."""
    distances = []
    for one, other in zip(_parts(before), _parts(after), strict=True):
        a, b = _ordered(one), _ordered(other)
        distances.append(np.where(_nan(one) & _nan(other), np.uint64(0), np.maximum(a, b) - np.minimum(a, b)))
    return np.asarray(np.maximum.reduce(distances))


def _parts(array: Array) -> list[Array]:
    return [array.real.copy(), array.imag.copy()] if array.dtype.kind == "c" else [array]


def _nan(array: Array) -> Array:
    return np.asarray(np.isnan(array.astype(np.float64)))


def _bits(array: Array) -> Array:
    size = array.dtype.itemsize
    return np.ascontiguousarray(array).reshape(-1).view(f"u{size}").reshape(array.shape).astype(np.uint64)


def _ordered(array: Array) -> Array:
    """The numbers' bits as integers in the order of the numbers; -0.0 and 0.0 are the same."""
    sign = np.uint64(1 << (8 * array.dtype.itemsize - 1))
    bits = _bits(array)
    return np.where(bits & sign, sign - (bits & ~sign), sign + bits)


COMPARE: dict[str, Callable[[Any, Any, Tolerance, Comparison], None]] = {
    "signature": _compare_signature,
    "weights": _compare_weights,
    "config": _compare_config,
    "compile": _compare_compile,
    "optimizer": _compare_optimizer,
    "outputs": _compare_outputs,
    "losses": _compare_losses,
    "self_contained": _compare_self_contained,
    "training": _compare_training,
}
