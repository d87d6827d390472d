"""Observation against observation: what was lost, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .portable.tensors import Ragged, Sparse, leaves

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
    """How far outputs may be apart: `rtol` and `atol` of the user, else by dtype; not at all when `exact`."""

    exact: bool = False
    rtol: float | None = None
    atol: float | None = None

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
    max_ulp: int = 0
    bits_differ: bool = False

    def add(self, check: str, message: str) -> None:
        self.differences.setdefault(check, []).append(message)

    def row(self, check: str) -> str:
        """The verdict on one check."""
        if check in self.differences:
            return "differs"
        if not self.compared[check]:
            return "n/a"
        return self.closeness if check == "outputs" else "exact"

    @property
    def closeness(self) -> str:
        return "close" if self.bits_differ else "exact"


def compare(expected: dict[str, Any], actual: dict[str, Any], tolerance: Tolerance) -> Comparison:
    """Compare what was seen before the save with what was seen after the reload (see `portable.observation`)."""
    found = Comparison()
    for check, before in expected.items():
        if check not in actual:
            found.add(check, f"the original has its {check}, what came back has none")
        else:
            COMPARE[check](before, actual[check], tolerance, found)
    return found


# weights


def _compare_weights(before: list[Any], after: list[Any], tolerance: Tolerance, found: Comparison) -> None:
    kept, came = _paired(before, after)
    for path in sorted(kept.keys() - came.keys()):
        found.add("weights", f"weight {path} {_shape(kept[path]['value'])} did not come back")
    for path in sorted(came.keys() - kept.keys()):
        found.add("weights", f"weight {path} {_shape(came[path]['value'])} was not in the original")
    for path in [path for path in kept if path in came]:
        found.compared["weights"] += 1
        one, other = kept[path], came[path]
        if one["trainable"] != other["trainable"]:
            found.add("weights", f"weight {path} was {_trainable(one)} and came back {_trainable(other)}")
        if bool(one["tied"]) != bool(other["tied"]):
            was, came_back = (f"one with {w['tied']}" if w["tied"] else "a variable of its own" for w in (one, other))
            found.add("weights", f"weight {path} was {was} and came back as {came_back}")
        message = _leaf_difference(one["value"], other["value"], Tolerance(exact=True), Comparison())
        if message and not one["tied"]:
            found.add("weights", f"weight {path} {message}{_origin(path, one['value'], other['value'], kept)}")


def _paired(before: list[Any], after: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
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


def _origin(path: str, before: Array, after: Array, kept: dict[str, Any]) -> str:
    """Where a wrong value comes from, when that can be told: not for constants, which many weights start from."""
    if before.dtype != after.dtype or before.shape != after.shape or after.size < 2 or (after == after.flat[0]).all():
        return ""
    for other, weight in kept.items():
        if other != path and weight["value"].shape == after.shape and _same_bits(weight["value"], after):
            return f": it holds the value of {other}"
    with np.errstate(over="ignore"):
        if before.dtype.name in ("float32", "float64") and _same_bits(before.astype("float16").astype(before.dtype), after):
            return ": it was cast through float16"
    return ""


def _trainable(weight: dict[str, Any]) -> str:
    return "trainable" if weight["trainable"] else "frozen"


def _shape(value: Array) -> str:
    return f"{value.dtype.name}{list(value.shape)}"


# config


def _compare_config(before: Any, after: Any, tolerance: Tolerance, found: Comparison) -> None:
    found.compared["config"] += 1
    for path, one, other in _json_differences(before, after, "config"):
        found.add("config", f"{path}: {one!r} came back as {other!r}")


MISSING = type("Missing", (), {"__repr__": lambda self: "nothing"})()

# Keys that say how Keras wrote or built a layer, not what the layer is; what it is shows in other checks:
# flags in the weights that they are about, vocabularies in the outputs.
NOT_CONFIG = ("trainable", "build_config", "vocabulary", "idf_weights")
ADDED_BY_WRITER = ("module", "registered_name")


def _json_differences(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        if before.get("class_name") == after.get("class_name") == "Lambda":
            return  # marshalled code, which is never written the same; what it does shows in the outputs
        for key in {**before, **after}:
            one, other = before.get(key, MISSING), after.get(key, MISSING)
            if key in NOT_CONFIG or (key in ADDED_BY_WRITER and MISSING in (one, other)):
                continue
            yield from _json_differences(one, other, f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for position, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _json_differences(one, other, f"{path}[{position}]")
    elif (before != after and not (before != before and after != after)) or isinstance(before, bool) != isinstance(after, bool):
        yield path, before, after


# outputs


def _compare_outputs(before: dict[str, Any], after: dict[str, Any], tolerance: Tolerance, found: Comparison) -> None:
    (expected,) = before.values()  # the original is called in one way; what came back, in each way its format offers
    for way, batches in after.items():
        for batch, outputs in expected.items():
            if "outputs" in found.differences:
                return  # another batch would only say it again
            where = " ".join(filter(None, ("outputs", batch and f"({batch})", way and f"by {way}")))
            _compare_values(outputs, batches[batch], where, tolerance, found)


def _compare_values(before: Any, after: Any, where: str, tolerance: Tolerance, found: Comparison) -> None:
    kept, came = dict(leaves(before)), dict(leaves(after))
    for path in kept.keys() - came.keys():
        found.add("outputs", f"{where}{path} did not come back")
    for path in came.keys() - kept.keys():
        found.add("outputs", f"{where}{path} was not there before")
    for path in [path for path in kept if path in came]:
        found.compared["outputs"] += 1
        message = _leaf_difference(kept[path], came[path], tolerance, found)
        if message:
            swapped = next((p for p in kept if p != path and _equal(kept[p], came[path])), None)
            found.add("outputs", f"{where}{path} {message}" + (f": it holds the value of {swapped}" if swapped else ""))


def _equal(one: Any, other: Any) -> bool:
    return not _leaf_difference(one, other, Tolerance(exact=True), Comparison())


# one leaf


def _leaf_difference(before: Any, after: Any, tolerance: Tolerance, found: Comparison) -> str:
    """In words what is different between two leaves, "" when nothing is; the distance goes to `found`."""
    if isinstance(before, (Ragged, Sparse)) or isinstance(after, (Ragged, Sparse)):
        return _parts_difference(before, after, tolerance, found)
    if not isinstance(before, np.ndarray) or not isinstance(after, np.ndarray):
        return "" if type(before) is type(after) and before == after else f"was {before!r} and came back as {after!r}"
    if before.dtype != after.dtype:
        return f"was {before.dtype.name} and came back as {after.dtype.name}"
    if before.shape != after.shape:
        return f"had the shape {list(before.shape)} and came back with {list(after.shape)}"
    return _values_difference(before, after, tolerance, found)


def _parts_difference(before: Any, after: Any, tolerance: Tolerance, found: Comparison) -> str:
    if type(before) is not type(after):
        return f"was {_kind(before)} and came back {_kind(after)}"
    for name, one, other in zip(before._fields, before, after, strict=True):
        pairs = zip(one, other, strict=True) if isinstance(one, tuple) and len(one) == len(other) else [(one, other)]
        for part in pairs:
            message = _leaf_difference(*part, tolerance, found)
            if message:
                return f"({name}) {message}"
    return ""


def _kind(leaf: Any) -> str:
    return "dense" if isinstance(leaf, np.ndarray) else type(leaf).__name__.lower()


def _values_difference(before: Array, after: Array, tolerance: Tolerance, found: Comparison) -> str:
    if before.dtype == object or not _is_floating(before.dtype):
        apart = np.asarray(before != after)
        if not apart.any():
            return ""
        found.bits_differ = True
        return _worst(before, after, apart, _first(apart), "")
    apart = _bits_apart(before, after)
    if not apart.any():
        return ""
    found.bits_differ = True
    distance = _ulp(before, after)
    found.max_ulp = max(found.max_ulp, int(distance.max()))
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


COMPARE = {"weights": _compare_weights, "config": _compare_config, "outputs": _compare_outputs}
