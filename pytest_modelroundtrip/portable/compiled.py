"""What `compile` and `fit` leave in a Keras model: loss, metrics, optimizers with their state, and the step that comes next."""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np

from . import calling, library, tensors, variables

STEPS = (0, 1, 2, 5, 10, 100, 1000)  # of a learning-rate schedule
SPELLING = ("name", "jit_compile", "is_legacy_optimizer", "learning_rate")  # how an optimizer is written; its rate is told apart


# compile


def compile_state(model: Any) -> Optional[Dict[str, Any]]:
    """Losses, metrics, loss weights and optimizers as JSON, each in one spelling whatever it was given as; and dtype policies."""
    if not library.is_model(model):
        return None
    found: Dict[str, Any] = {"dtype_policy": list(_policies(model))}
    given = _compile_arguments(model)
    if given:
        keras = library.own_keras(model)
        found["loss"] = _canonical(getattr(model, "loss", None), keras.losses.get)
        found["loss_weights"] = _numbers(given.get("loss_weights"))
        for kind in ("metrics", "weighted_metrics"):  # one that was given for all outputs comes back once for each
            flat = [_canonical(metric, keras.metrics.get, short=True) for metric in _flat(given.get(kind))]
            found[kind] = {}
            for metric in sorted(filter(None, flat), key=lambda metric: json.dumps(metric["config"])):
                found[kind][metric["name"]] = {"config": metric["config"]}
    found["optimizers"] = {name: _optimizer(held) for name, held in optimizers(model)}
    return found


def _policies(model: Any) -> Iterator[str]:
    """Of each layer, in order: names may be counted anew."""
    for layer in variables.layers(model):
        policy = getattr(layer, "dtype_policy", None)
        if policy is not None and not library.is_model(layer) and type(layer).__name__ != "InputLayer":  # which computes nothing
            yield str(getattr(policy, "name", policy))


def _compile_arguments(model: Any) -> Dict[str, Any]:
    config = getattr(getattr(model, "_compile_config", None), "config", None)
    if config is None and getattr(model, "_is_compiled", False) and hasattr(model, "_get_compile_args"):  # before TensorFlow 2.12
        config = model._get_compile_args(user_metrics=True)
    return config or {}


def judges(model: Any) -> List[Tuple[str, Any]]:
    """The metrics and, where there are several, the losses that a Keras model was compiled with, by what they were given as."""
    given = _compile_arguments(model)
    kinds = ("metrics", "weighted_metrics", *(["loss"] if isinstance(given.get("loss"), (list, tuple, dict)) else []))
    return [("%s[%d]" % (kind, n), item) for kind in kinds for n, item in enumerate(_flat(given.get(kind)))]


def _flat(nest: Any) -> List[Any]:
    if isinstance(nest, dict):
        return [leaf for key in sorted(nest) for leaf in _flat(nest[key])]
    return [leaf for item in nest for leaf in _flat(item)] if isinstance(nest, (list, tuple)) else [nest]


def _numbers(nest: Any) -> Any:
    return tensors.map_leaves(lambda leaf: leaf if leaf is None else float(leaf), nest)


def _canonical(item: Any, get: Callable[[Any], Any], short: bool = False) -> Any:
    """{name, config} of a loss or metric that was given by name, as a function or as an object; config is None but for objects."""
    if isinstance(item, (dict, list, tuple)) and not (isinstance(item, dict) and "class_name" in item):
        pairs = sorted(item.items()) if isinstance(item, dict) else enumerate(item)
        return {str(key): _canonical(value, get, short) for key, value in pairs}
    if item is None:
        return None
    if isinstance(item, (str, dict)):
        try:
            item = get(item)
        except (TypeError, ValueError):
            item = str(item)
    wrapped = getattr(item, "_fn", getattr(item, "fn", None)) if "Wrapper" in type(item).__name__ else None
    named = wrapped if wrapped is not None else item
    name = named if isinstance(named, str) else getattr(named, "__name__", None) or type(named).__name__
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name)).lower()
    config = None
    if hasattr(item, "get_config"):
        arguments = getattr(item, "_fn_kwargs", None) or {}  # Keras' own get_config does not give them all
        config = _jsonable({**item.get_config(), **arguments}, ("name", "dtype", "fn"))
    if short:  # "accuracy" becomes a metric for the loss at hand when it is first needed
        name = re.sub("^(acc|(binary_|categorical_|sparse_categorical_)?accuracy)$", "accuracy", name)
        name = re.sub("^(ce|(binary_|categorical_|sparse_categorical_)?crossentropy)$", "crossentropy", name)
    return {"name": name, "config": config}


def _jsonable(config: Any, without: Tuple[str, ...]) -> Any:
    kept = {key: value for key, value in config.items() if key not in without}
    return json.loads(json.dumps(kept, default=_scalar, sort_keys=True))


def _scalar(value: Any) -> Any:
    try:
        return float(np.asarray(value))
    except (TypeError, ValueError):
        return type(value).__name__


def optimizers(model: Any) -> List[Tuple[str, Any]]:
    """The optimizers that are attributes of a Keras model, by name of the attribute: a GAN has two."""
    if not library.is_model(model):
        return []
    held = {"optimizer": getattr(model, "optimizer", None)}
    held.update({name: value for name, value in vars(model).items() if not name.startswith("_")})
    found: Dict[int, Tuple[str, Any]] = {}
    for name, value in held.items():
        if hasattr(value, "apply_gradients") and hasattr(value, "get_config"):
            found.setdefault(id(value), (name, value))
    return list(found.values())


def _optimizer(optimizer: Any) -> Dict[str, Any]:
    inner = getattr(optimizer, "inner_optimizer", None) or optimizer
    try:
        config = _jsonable(inner.get_config(), SPELLING)
    except NotImplementedError:  # an optimizer of the user's own
        config = None
    around = {} if inner is optimizer else {"loss_scale": type(optimizer).__name__}
    return {"class": type(inner).__name__, "config": config, "learning_rate": _learning_rate(inner), **around}


def _learning_rate(optimizer: Any) -> Any:
    """As it stands now; of a schedule, what it will be at several steps."""
    rate = getattr(optimizer, "_learning_rate", None)
    hyper = getattr(optimizer, "_hyper", None) or {}
    rate = hyper.get("learning_rate", rate) if rate is None else rate
    if rate is None:
        return None
    if callable(rate) and not hasattr(rate, "assign"):
        counted = [calling.to_tensors(optimizer, np.array(step, "int64")) for step in STEPS]  # a user's own may ask for its dtype
        return {type(rate).__name__: {"step %d" % step: _rounded(rate(count)) for step, count in zip(STEPS, counted)}}
    return _rounded(rate)


def _rounded(rate: Any) -> float:
    value = variables.value_of(rate) if hasattr(rate, "assign") else tensors.to_numpy(rate)
    return float("%.6g" % float(np.asarray(value)))


# the state of optimizers


def optimizer_weights(model: Any) -> List[variables.Weight]:
    """Each variable of each optimizer, named for the weight that it belongs to: `optimizer/dense/kernel/momentum`."""
    owners = _owners(model)
    found = []
    for attribute, optimizer in optimizers(model):
        held = optimizer.variables
        for variable in held() if callable(held) else held:
            path, place = _named(variable, optimizer, owners)
            if not path.endswith("learning_rate"):  # told by `compile`
                found.append(variables.Weight(attribute + "/" + path, variable, False, attribute + "/" + place))
        if hasattr(optimizer, "inner_optimizer") and hasattr(optimizer, "loss_scale"):  # no variable among Keras 2's
            path = attribute + "/loss_scale"
            found.append(variables.Weight(path, optimizer.loss_scale, False, path))
    return variables.unique(found)


def _owners(model: Any) -> List[Tuple[str, variables.Weight]]:
    """The names that an optimizer may give its variable for a weight, longest first, since one may be the end of another."""
    found = []
    for weight in variables.keras_weights(model):
        parts = str(getattr(weight.variable, "path", getattr(weight.variable, "name", ""))).split(":")[0].split("/")
        for start in range(max(1, len(parts) - 1)):
            found += [("/".join(parts[start:]), weight), ("_".join(parts[start:]), weight)]
    return sorted(found, key=lambda item: -len(item[0]))


def _named(variable: Any, optimizer: Any, owners: List[Tuple[str, variables.Weight]]) -> Tuple[str, str]:
    name = str(getattr(variable, "path", variable.name)).split(":")[0]
    outer = "|".join(
        {re.escape(str(getattr(optimizer, "name", ""))), re.escape(str(getattr(optimizer, "_name", ""))), type(optimizer).__name__}
    )
    for key, weight in owners:
        match = re.search(r"(^|[/_])%s([/_]|$)" % re.escape(key), name)
        if match and key:
            rest = [part for part in re.split("[/]", name[: match.start()] + "/" + name[match.end() :]) if part]
            # the last part: before it stands, in Keras 2.13, the scope in which a wrapped optimizer made it
            slot = next((part for part in reversed(rest) if not re.fullmatch(r"(%s)(_\d+)?" % outer, part)), "")
            return weight.path + "/" + slot, weight.place + "/" + slot
    last = name.split("/")[-1]
    return last, last


# the next step


class Kept:
    """The state that a training step changes, to be put back."""

    def __init__(self, model: Any) -> None:
        for _, optimizer in optimizers(model):
            build = getattr(optimizer, "build", None)
            if build is not None and not getattr(optimizer, "built", getattr(optimizer, "_built", False)):
                build(model.trainable_variables)  # slots that are made in the first step start at what they are now
        held = [*variables.state_of(model), *[weight.variable for weight in optimizer_weights(model)]]
        held += [variable for metric in getattr(model, "metrics", ()) for variable in metric.variables]
        held += [getattr(model, "_train_counter", None)]
        held += [value for _, optimizer in optimizers(model) for value in vars(optimizer).values()]  # some are in no list
        self._kept = [(v, variables.value_of(v)) for v in {id(v): v for v in held if variables.is_variable(v)}.values()]

    def put_back(self) -> None:
        """Give every variable its value again."""
        for variable, value in self._kept:
            if value.dtype != object:
                variable.assign(value)


def next_step(model: Any, args: List[Any], kwargs: Dict[str, Any], outputs: Any) -> Optional[Dict[str, Any]]:
    """One `train_on_batch` from this state, undone again: its loss and the weights and slots after it.

    The targets are made from the shape of the `outputs` and the kind of loss. The step is taken twice.

    Returns:
        `losses` and `after`; or `raised`, what it raised; None where there is no step, or two steps from one state differ.
    """
    if not library.is_model(model) or getattr(model, "optimizer", None) is None or set(kwargs) - {"training"}:
        return None
    kept = Kept(model)
    inputs = args[0] if len(args) == 1 else args
    targets = _targets(model, outputs)
    try:
        first, second = (_step(model, inputs, targets, kept) for _ in range(2))
    except Exception as error:
        return {"raised": "%s: %s" % (type(error).__name__, error)}
    finally:
        kept.put_back()
    return first if _close(first, second) else None


def _step(model: Any, inputs: Any, targets: Any, kept: Kept) -> Dict[str, Any]:
    kept.put_back()
    for variable in model.variables:
        if str(getattr(variable, "path", "")).endswith("seed_generator_state"):  # no Keras format keeps these
            variable.assign(np.array([7, 0], "uint32"))
    if hasattr(model, "reset_metrics"):
        model.reset_metrics()
    if library.backend(model) == "tensorflow":
        inputs, targets = calling.to_tensorflow(inputs), calling.to_tensorflow(targets)
    logs = model.train_on_batch(inputs, targets, return_dict=True)
    weights = [*variables.keras_weights(model), *optimizer_weights(model)]
    after = [{"path": w.path, "place": w.place, "value": variables.value_of(w.variable)} for w in weights]
    losses = {name: np.asarray(logs[name], "float32") for name in (["loss"] if "loss" in logs else sorted(logs))}
    return {"losses": losses, "after": after}


def _close(one: Any, other: Any) -> bool:
    pairs = zip(tensors.leaves(one), tensors.leaves(other))
    numbers = [(a, b) for (_, a), (_, b) in pairs if isinstance(a, np.ndarray) and a.dtype != object]
    return all(np.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True) for a, b in numbers)


def _targets(model: Any, outputs: Any) -> Any:
    losses = _canonical(getattr(model, "loss", None), library.own_keras(model).losses.get)

    def target(name: str, leaf: Any) -> Any:
        if "sparse" in name:
            return (np.arange(int(np.prod(leaf.shape[:-1]))) % leaf.shape[-1]).reshape(leaf.shape[:-1]).astype("int32")
        if "categorical" in name:
            return np.eye(leaf.shape[-1], dtype=leaf.dtype)[np.arange(int(np.prod(leaf.shape[:-1]))) % leaf.shape[-1]].reshape(
                leaf.shape
            )
        ramp = (np.arange(leaf.size) % 2) if "binary" in name or "hinge" in name else (np.arange(leaf.size) % 5) / 10
        return ramp.reshape(leaf.shape).astype(leaf.dtype)

    if isinstance(losses, dict) and "name" not in losses and isinstance(outputs, (dict, list)):
        pairs = outputs.items() if isinstance(outputs, dict) else enumerate(outputs)
        made = {key: target(str((losses.get(str(key)) or {}).get("name")), leaf) for key, leaf in pairs}
        return made if isinstance(outputs, dict) else list(made.values())
    name = str((losses or {}).get("name"))
    return tensors.map_leaves(lambda leaf: target(name, leaf), outputs)
