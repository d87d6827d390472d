"""A model in the state that it was given in: what it is called with, and what it answers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from . import inputs
from .comparison import Tolerance, compare
from .portable import calling, library, observation, tensors
from .portable.formats import Options

GIVEN, RESIZED = "", "a batch of another size"


class Unusable(Exception):
    """The model cannot be carried, and no format is to blame: it is no model, or cannot be called so."""


class Original:
    """A model, what it is called with, and what it answered, twice.

    Args:
        model: a Keras model or layer, a `tf.Module`, what `hub.load` gives.
        args, kwargs: what it is called with; without any, inputs are made from its input spec.

    Raises:
        Unusable: when it is no model, or cannot be called with this.
    """

    def __init__(self, model: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        if isinstance(model, type) or not any(
            hasattr(model, name) for name in ("_trackable_children", "_checkpoint_dependencies", "get_config")
        ):
            what = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
            raise Unusable(
                f"{what} is not a model: return a Keras model or layer, a tf.Module, or what hub.load gives, "
                "and after it what it is called with"
            )
        self.args, self.kwargs = _arguments(model, args, kwargs)
        self.generation = library.generation(model)
        if self.generation is not None:
            self.kwargs = {"training": False, **self.kwargs}
        try:
            wrapped = self.generation is not None and not library.is_model(model)
            self.model = _in_a_model(model, self.args, self.kwargs) if wrapped else model
            if wrapped and len(self.args) > 1:
                self.args = [self.args]  # the model around the layer takes a list
            with warnings.catch_warnings():
                warnings.simplefilter("default")  # what libraries say of each other is no error of this test, whatever its filters
                self._look()
        except Exception as error:
            said = error if isinstance(error, observation.CallError) else f"{type(error).__name__}: {error}"
            raise Unusable(
                f"the model itself cannot be used with these inputs ({_outline(self.args, self.kwargs)})\n"
                f"  {said}{_advice(model, args)}"
            ) from error

    def _look(self) -> None:
        self.batches = [observation.Batch(GIVEN, self.args, self.kwargs)]
        self.call = calling.caller(self.model)
        if self.generation is not None and not self.model.built:
            self.call(self.args, self.kwargs)  # weights that do not exist yet cannot be put back
        self.outputs = self._outputs(self.batches)
        if not inputs.has_fixed_batch(self.model):
            self._add_resized_batch()
        self.unstable = compare(self.outputs, self._outputs(self.batches), Tolerance())

    def _add_resized_batch(self) -> None:
        """A second batch of another size, where the model takes one."""
        try:
            batch = observation.Batch(RESIZED, *observation.resized(self.args, self.kwargs))
            self.outputs["outputs"][""].update(self._outputs([batch])["outputs"][""])
        except (observation.CallError, ValueError):
            return  # its batch axis is not free, so nothing is promised for another size
        self.batches.append(batch)

    def _outputs(self, batches: list[observation.Batch]) -> dict[str, Any]:
        return observation.observe(observation.Subject(self.model, {"": self.call}, []), batches, ["outputs"])

    @property
    def expected(self) -> Any:
        """The outputs for the given inputs, in NumPy form."""
        return self.outputs["outputs"][""][GIVEN]

    def observe(self, fmt: Any, checks: Sequence[str], anew: bool) -> dict[str, Any]:
        """What the checks see, the weights by the names that the format module `fmt` keeps; outputs computed `anew` when asked for.

        Raises:
            observation.CallError: when the model cannot be called any more.
        """
        options = Options(generation=self.generation, batches=self.batches)
        subject = fmt.subject(self.model, options)._replace(calls={"": self.call})
        seen = observation.observe(subject, self.batches, [check for check in checks if check != "outputs" or anew])
        return {**seen, **(self.outputs if "outputs" in checks and not anew else {})}


def _arguments(model: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """What the model is called with, in NumPy form."""
    if not args and not set(kwargs) - {"training"}:
        try:
            made, named = inputs.infer(model)
        except inputs.CannotInfer:
            raise Unusable(
                f"what to call this {type(model).__name__} with cannot be told from the model itself: "
                "return the inputs after it (`return model, x`), or give them to the fixture (`roundtrip(model, x)`)"
            ) from None
        return made, {**named, **kwargs}
    try:
        return [tensors.to_numpy(value) for value in args], {name: tensors.to_numpy(value) for name, value in kwargs.items()}
    except (TypeError, ValueError) as error:
        raise Unusable(f"the model is called with tensors, arrays, lists and dicts of them: {error}") from None


def _advice(model: Any, args: Sequence[Any]) -> str:
    """What was probably meant."""
    if len(args) > 1 and library.is_graph(model) and len(getattr(model, "inputs", None) or ()) == len(args):
        return "\nhint: this model takes its inputs as one list: `return model, [x, y]`"
    return ""


def _in_a_model(layer: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """A functional model of one layer: files hold models."""
    keras = library.own_keras(layer)
    if not args or kwargs.keys() - {"training"}:
        raise TypeError("a layer alone is called with positional tensors; put it into a model to call it otherwise")

    def symbol(leaf: Any) -> Any:
        if not hasattr(leaf, "shape"):
            raise TypeError("a layer alone is called with dense tensors; put it into a model to call it otherwise")
        return keras.Input(leaf.shape[1:], dtype="string" if leaf.dtype == object else leaf.dtype.name)

    symbols = [tensors.map_leaves(symbol, value) for value in args]
    return keras.Model(symbols if len(symbols) > 1 else symbols[0], layer(*symbols))


def _outline(args: list[Any], kwargs: dict[str, Any]) -> str:
    def shape(leaf: Any) -> str:
        return f"{leaf.dtype.name}{list(leaf.shape)}" if hasattr(leaf, "shape") else repr(leaf)

    named = [f"{name}={tensors.map_leaves(shape, value)}" for name, value in kwargs.items()]
    return ", ".join([*(str(tensors.map_leaves(shape, value)) for value in args), *named])
