"""The check `config`."""

from __future__ import annotations

import json
from typing import Any, Dict, NamedTuple, Optional

from .. import keras_libs
from ..aliases import Json, Model
from ..comparing import Comparison, Tolerance
from ..comparing.json import compare_json, same_scalar
from ..constructor_arguments import Arguments, constructor_arguments
from ..subject import Subject
from . import Check


class ConfigSighting(NamedTuple):
    """How a Keras model is described."""

    config: Any  # `get_config` as Keras writes it to JSON; None where the model has none
    arguments: Dict[str, Arguments]  # of the objects of the user's own classes, by path


class ConfigCheck(Check[ConfigSighting]):
    """The config of a Keras model: what `get_config` returns, as JSON.

    Of your own classes (layers, regularizers, constraints, metrics) it is also the constructor's
    arguments that an object holds as attributes. An argument that `get_config` leaves out comes
    back as the default.
    """

    sighting = ConfigSighting
    hint = "Return each argument of the constructor from get_config, and accept it in from_config."

    def observe(self, subject: Subject) -> Optional[ConfigSighting]:
        """The config and the arguments; None where there is neither."""
        if not keras_libs.is_model(subject.model):
            return None
        config, arguments = _config(subject.model), constructor_arguments(subject.model)
        return ConfigSighting(config, arguments) if config is not None or arguments else None

    def compare(
        self, expected: ConfigSighting, actual: ConfigSighting, tolerance: Tolerance
    ) -> Comparison:
        """Compare the configs, then the arguments that objects of one class have on both sides."""
        found = Comparison()
        if expected.config is not None:
            found = compare_json("config", expected.config, actual.config, tolerance)
        for path, (class_name, values) in expected.arguments.items():
            other = actual.arguments.get(path)
            if other is not None and other.class_name == class_name:
                for name in values.keys() & other.values.keys():
                    found.compared += 1
                    if not same_scalar(values[name], other.values[name]):
                        what = name, class_name, path, values[name], other.values[name]
                        found.differ(_LOST % what)
        return found


_LOST = "the argument %s of %s (%s) was %r and came back as %r: get_config does not return it"


def _config(model: Model) -> Json:
    try:
        return json.loads(model.to_json())["config"]
    except (NotImplementedError, TypeError, ValueError, KeyError):
        return None  # a subclass without get_config
