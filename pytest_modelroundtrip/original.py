"""A model in the state that it was given in: what it is called with, and what it answers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from . import inputs
from .comparison import Tolerance, compare, together
from .portable import calling, library, observation, tensors, variables
from .portable.formats import Options

CALLED = ("outputs", "losses")  # the checks that call the model


class Unusable(Exception):
    """The model cannot be carried, and no format is to blame: it is no model, or cannot be called so."""


class Original:
    """A model, what it is called with, and what it answered, twice.

    Args:
        model: a Keras model or layer, a `tf.Module`, what `hub.load` gives.
        args, kwargs: what it is called with; without any, inputs are made from its input spec.
        answers: what earlier parts of the same system answered, for each `tensors.Output` among the arguments.

    Raises:
        Unusable: when it is no model, or cannot be called with this.
    """

    def __init__(self, model: Any, args: Sequence[Any], kwargs: dict[str, Any], answers: dict[str, Any] | None = None) -> None:
        if isinstance(model, type) or not any(
            hasattr(model, name) for name in ("_trackable_children", "_checkpoint_dependencies", "get_config")
        ):
            what = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
            raise Unusable(
                f"{what} is not a model: return a Keras model or layer, a tf.Module, or what hub.load gives, "
                "and after it what it is called with"
            )
        wired, self.kwargs = _arguments(model, args, kwargs)
        self.args = observation.filled(wired, answers or {})
        self.generation = library.generation(model)
        if self.generation is not None:
            self.kwargs = {"training": False, **self.kwargs}
        try:
            wrapped = self.generation is not None and not library.is_model(model)
            self.model = _in_a_model(model, self.args, self.kwargs) if wrapped else model
            if wrapped and len(self.args) > 1:
                self.args, wired = [self.args], [wired]  # the model around the layer takes a list
            self.wired = observation.Batch(observation.GIVEN, wired, self.kwargs)
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
        given = observation.Batch(observation.GIVEN, self.args, self.kwargs)
        self.batches = [given]
        self.call, self.losses = calling.callers(self.model)
        arguments = observation.constructor_arguments(self.model) if self.generation else {}
        if self.generation is not None and not self.model.built:
            self.call(self.args, self.kwargs)  # weights that do not exist yet cannot be put back
        self.called = self._called(self.batches)
        if not inputs.has_fixed_batch(self.model):
            self._add_batch(self._resized)
        if self.generation is not None and self.kwargs == {"training": False}:
            self._add_batch(self._training)
        self.unstable = compare(self.called, self._called(self.batches), Tolerance())
        if "losses" in self.unstable.differences and "outputs" not in self.unstable.differences:
            del self.unstable.differences["losses"], self.called["losses"]
        self._stepped: dict[str, Any] | None = None
        after = observation.constructor_arguments(self.model) if self.generation else {}
        self._counters = {(path, name) for path, held in arguments.items() for name in held if after[path][name] != held[name]}

    def _add_batch(self, make: Callable[[], observation.Batch]) -> None:
        """One batch more, where the model takes it."""
        try:
            batch = make()
            self.called["outputs"][""].update(self._called([batch], ["outputs"])["outputs"][""])
        except (observation.CallError, ValueError):
            return  # its batch axis is not free, or it cannot train: then nothing is promised there
        self.batches.append(batch)

    def _resized(self) -> observation.Batch:
        return observation.Batch(observation.RESIZED, *observation.resized(self.args, self.kwargs))

    def _training(self) -> observation.Batch:
        """The given inputs in training mode.

        Raises:
            ValueError: where the model draws random numbers in training, or remembers from call to call.
        """
        batch = observation.Batch(observation.TRAINING, self.args, {"training": True})
        put_back = variables.keeper(self.model)
        try:
            first, second = (self.call(batch.args, batch.kwargs) for _ in range(2))
        except Exception as error:
            raise ValueError(str(error)) from error
        finally:
            put_back()
        if compare({"outputs": {"": {"": first}}}, {"outputs": {"": {"": second}}}, Tolerance()).differences:
            raise ValueError("called twice, it differs from itself")
        return batch

    def _called(self, batches: list[observation.Batch], checks: Sequence[str] = CALLED) -> dict[str, Any]:
        weights = variables.keras_weights(self.model) if self.generation else []
        return observation.observe(observation.Subject(self.model, {"": self.call}, weights, self.losses), batches, checks)

    @property
    def expected(self) -> Any:
        """The outputs for the given inputs, in NumPy form."""
        return self.called["outputs"][""][observation.GIVEN]

    def observe(self, subject: observation.Subject, checks: Sequence[str], anew: bool, beside: Any) -> dict[str, Any]:
        """What the checks see of the `subject`, this model as a format looks at it; outputs computed `anew` when asked for.

        A training step is taken once, whatever the number of formats.

        Raises:
            observation.CallError: when the model cannot be called any more.
        """
        subject = subject._replace(calls={"": self.call}, losses=self.losses)
        if "training" in checks and self._stepped is None:
            self._stepped = observation.observe(subject, self.batches, ["training"])
        known = {**self.called, **(self._stepped or {})}
        looked = [check for check in checks if check != "training" and (anew or check not in CALLED)]
        seen = observation.observe(subject, self.batches, looked, beside)
        for path, name in self._counters if "config" in seen else ():  # an attribute that a call changes is no argument any more
            seen["config"]["arguments"].get(path, {}).pop(name, None)
        return {**{check: known[check] for check in checks if check in known and not (anew and check == "training")}, **seen}

    def layer_outputs(self) -> Any:
        """[name, class, outputs] of each layer of a functional or sequential model, for the given inputs."""
        subject = observation.Subject(self.model, {"": self.call}, [])
        return observation.observe(subject, self.batches, [observation.LAYERS])[observation.LAYERS]


class System:
    """The parts of one system by name, or a single model, whose name is ""."""

    def __init__(self, parts: dict[str, Original]) -> None:
        self.parts = parts
        self.unstable = together(part.unstable for part in parts.values())

    @property
    def models(self) -> dict[str, Any]:
        return {name: part.model for name, part in self.parts.items()}

    @property
    def expected(self) -> Any:
        """The outputs for the given inputs in NumPy form; by part where there are several."""
        found = {name: part.expected for name, part in self.parts.items()}
        return found.get("", found)

    def observe(self, fmt: Any, checks: Sequence[str], anew: bool) -> dict[str, dict[str, Any]]:
        """What the checks see of each part, by the names that the format module `fmt` keeps.

        Raises:
            observation.CallError: when a part cannot be called any more.
        """
        seen: dict[str, dict[str, Any]] = {}
        beside: list[Any] = []
        for name, part in self.parts.items():
            subject = fmt.subject(part.model, Options(generation=part.generation, batches=part.batches))
            seen[name] = part.observe(subject, checks, anew, beside)
            if hasattr(fmt, "load_together"):
                beside += observation.named_for_part(name, subject.weights)
        return seen


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
