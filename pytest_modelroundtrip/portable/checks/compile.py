"""The check `compile`."""

from __future__ import annotations

import json
import math
import re
from typing import Dict, List, NamedTuple, Optional

from .. import keras_libs, records
from ..aliases import Json, Model, Module, Optimizer
from ..comparing import Comparison, Tolerance
from ..comparing.json import compare_json
from ..models import compiling, optimizers, places
from ..subject import Subject
from . import Check

# how an optimizer is written; its learning rate is observed apart
NOT_CONFIG = ("name", "jit_compile", "is_legacy_optimizer", "learning_rate")

RATE_ROUNDING = 1e-6  # of the rates of a schedule, relative to the largest


class LayerPolicy(NamedTuple):
    """The dtype policy of one layer."""

    path: str
    name: str


class CompileSighting(NamedTuple):
    """What a Keras model was compiled with, in one form however it was given."""

    dtype_policies: Dict[str, LayerPolicy]  # by the key of the layer's place
    arguments: Dict[str, Json]  # by the argument of `compile`
    optimizers: Dict[str, Json]  # by the attribute that holds the optimizer
    execution: Dict[str, Json] = {}  # noqa: RUF012  how it runs, where the format keeps that


class CompileCheck(Check[CompileSighting]):
    """What a Keras model was compiled with: optimizers, losses, loss weights and metrics.

    Of an optimizer it is the class, the config and the learning rate as it is now, also of those
    that it holds; of a learning-rate schedule, its arguments and its rates over its whole range. A
    loss that was given by name may come back as an object. The dtype policy of each layer is
    compared too; in `.keras` also `steps_per_execution`, `run_eagerly` and `jit_compile`, which no
    other format keeps.
    """

    sighting = CompileSighting
    hint = (
        "Call compile(...) again after loading. An optimizer, a loss or a metric of your own must "
        "return each of its arguments from get_config."
    )

    def observe(self, subject: Subject) -> Optional[CompileSighting]:
        """What the model was compiled with; None for anything but a Keras model."""
        model = subject.model
        if not keras_libs.is_model(model):
            return None
        held = {name: _optimizer(optimizer) for name, optimizer in optimizers.optimizers(model)}
        execution = _execution(model) if subject.keeps_execution else {}
        return CompileSighting(_policies(model), _arguments(model), held, execution)

    def compare(
        self, expected: CompileSighting, actual: CompileSighting, tolerance: Tolerance
    ) -> Comparison:
        """Compare both as JSON, and the policies of layers that both have in one place."""
        sides = _as_json(expected), _as_json(actual)
        found = compare_json("compile", sides[0], _without_rounding(*sides), tolerance)
        for key, one in expected.dtype_policies.items():
            if key in actual.dtype_policies:
                other = actual.dtype_policies[key]
                where = f"the dtype policy of {one.path}"
                found.include(compare_json(where, one.name, other.name, tolerance))
        return found


def _without_rounding(expected: Json, actual: Json) -> Json:
    """The actual side, with the rates of a schedule as expected where only rounding differs.

    At its end a rate is what is left of larger numbers.
    """
    if not isinstance(expected, dict) or not isinstance(actual, dict):
        return actual
    rates = {key: rate for key, rate in expected.items() if key.startswith("step ")}
    finite = [rate for rate in rates.values() if isinstance(rate, float) and math.isfinite(rate)]
    size = max(map(abs, finite), default=0.0)
    found = {}
    for key, value in actual.items():
        rate = rates.get(key)
        if isinstance(rate, float) and isinstance(value, float):
            found[key] = rate if abs(rate - value) <= RATE_ROUNDING * size else value
        else:
            found[key] = _without_rounding(expected.get(key), value)
    return found


def _as_json(sighting: CompileSighting) -> Json:
    return {**sighting.arguments, **sighting.execution, "optimizers": sighting.optimizers}


def _policies(model: Model) -> Dict[str, LayerPolicy]:
    found = {}
    for place in places.places(model):
        policy = getattr(place.held, "dtype_policy", None) if places.is_layer(place.held) else None
        # an InputLayer computes nothing
        computes = not keras_libs.is_model(place.held) and type(place.held).__name__ != "InputLayer"
        if policy is not None and computes:
            found[place.key] = LayerPolicy(place.path, str(getattr(policy, "name", policy)))
    return found


def _arguments(model: Model) -> Dict[str, Json]:
    given = compiling.compile_arguments(model)
    if not given:
        return {}
    keras = keras_libs.own_keras(model)
    return {
        "loss": records.to_plain(
            compiling.all_named(getattr(model, "loss", None), keras.losses.get)
        ),
        "loss_weights": compiling.numbers(given.get("loss_weights")),
        "metrics": _metrics(keras, compiling.flat(given.get("metrics"))),
        "weighted_metrics": _metrics(keras, compiling.flat(given.get("weighted_metrics"))),
    }


def _execution(model: Model) -> Dict[str, Json]:
    """How the model runs; what was not given to `compile` is the default."""
    given = compiling.compile_arguments(model)
    if not given:
        return {}
    steps = given.get("steps_per_execution") or 1
    return {
        "steps_per_execution": steps if isinstance(steps, str) else int(steps),
        "run_eagerly": bool(given.get("run_eagerly")),
        "jit_compile": bool(given.get("jit_compile")),
    }


def _metrics(keras: Module, given: List[Json]) -> Json:
    """The config of each metric by its name.

    One that was given for all outputs comes back once for each.
    """
    held = [compiling.named(metric, keras.metrics.get) for metric in given if metric is not None]
    held = sorted(held, key=lambda metric: json.dumps(metric.config))
    return {_short(metric.name): {"config": metric.config} for metric in held}


def _short(name: str) -> str:
    """The name of a metric without the loss: "accuracy" means one for the loss of the output."""
    kinds = "(binary_|categorical_|sparse_categorical_)?"
    name = re.sub(f"^(acc|{kinds}accuracy)$", "accuracy", name)
    return re.sub(f"^(ce|{kinds}crossentropy)$", "crossentropy", name)


def _optimizer(optimizer: Optimizer) -> Dict[str, Json]:
    inner = optimizers.inner_optimizer(optimizer)
    held = {path: _alone(other) for path, other in optimizers.held_optimizers(inner)}
    return {
        **_alone(inner),
        **({} if inner is optimizer else {"loss_scale": type(optimizer).__name__}),
        **({"inner": held} if held else {}),
    }


def _alone(optimizer: Optimizer) -> Dict[str, Json]:
    """What is known of an optimizer without those that it holds."""
    try:
        config = compiling.as_json(optimizer.get_config(), without=NOT_CONFIG)
    except Exception:  # an optimizer of the user's own has none, or its code raises
        config = None
    own = " (a class of your own)" if places.is_own(optimizer) else ""
    return {
        "class": f"{type(optimizer).__name__}{own}",
        "config": config,
        "learning_rate": optimizers.learning_rate(optimizer),
    }
