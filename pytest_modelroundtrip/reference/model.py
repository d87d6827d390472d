"""The reference: a model as it was given, what it is called with, and what it returns."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence

from .. import warning_filters
from ..portable import checks, codec, keras_libs, records
from ..portable.aliases import Array, Model, Nest, Plain
from ..portable.bundles.recorded import Recorded, recorded
from ..portable.checks import CONFIG, Observation, Observations
from ..portable.checks.config import attributes
from ..portable.comparing import Comparisons, Tolerance, merged_comparisons
from ..portable.comparing.values import value_difference
from ..portable.formats import Format, LoadOptions
from ..portable.known_arrays import BY_HASH, Digests
from ..portable.models import calling, model_weights
from ..portable.models.layer_alone import in_a_model
from ..portable.protocol import Batch, LayerOutput
from ..portable.subject import GIVEN, CallError, Subject, resolved
from ..portable.tensors import PartOutput, leaves, map_leaves, to_numpy
from ..result import OwnDistances
from . import inputs, part_names
from .calls import calls_of


class ModelError(Exception):
    """What was given is not a model, or cannot be called so; no format is to blame."""


class ReferenceModel:
    """A model, its inputs, and what it returned for them, twice.

    Args:
        model: a Keras model or layer, a `tf.Module`, what `hub.load` returns.
        args, kwargs: what it is called with; without any, inputs are made from its input spec.
        earlier: the outputs of earlier parts of the same group, by name.

    Raises:
        ModelError: when it is not a model, or cannot be called with this.
    """

    def __init__(
        self,
        model: Model,
        args: Sequence[Nest],
        kwargs: Mapping[str, Nest],
        earlier: Mapping[str, Plain] | None = None,
    ) -> None:
        _assert_is_model(model)
        with_placeholders, self.kwargs = _arguments(model, args, kwargs)
        self.args: list[Plain] = resolved(with_placeholders, _known(with_placeholders, earlier))
        self.keras_major = keras_libs.keras_major(model)
        if self.keras_major is not None:
            self.kwargs = {"training": False, **self.kwargs}
        try:
            is_layer = self.keras_major is not None and not keras_libs.is_model(model)
            self.model = in_a_model(model, self.args, self.kwargs) if is_layer else model
            if is_layer and len(self.args) > 1:  # the model around the layer takes a list
                self.args, with_placeholders = [self.args], [with_placeholders]
            # what a reloaded group is called with: outputs of its own earlier parts
            self.with_placeholders = Batch(GIVEN, with_placeholders, self.kwargs)
            with warning_filters.no_errors():
                self._call_it()
            codec.dump(calling.structure_of([self.args, self.kwargs, self.expected]))
        except Exception as error:
            text = error if isinstance(error, CallError) else f"{type(error).__name__}: {error}"
            raise ModelError(
                "the model itself cannot be used with these inputs "
                f"({_shapes(self.args, self.kwargs)})\n  {text}{_advice(model, args)}"
            ) from error

    def _call_it(self) -> None:
        before = self._attributes()
        self.calls = calls_of(self.model, self.args, self.kwargs)
        self._slow: Observation = {}  # what slow checks saw; None where they saw nothing
        after = self._attributes()
        self._changed_by_calls = [
            where
            for where in before.keys() | after.keys()
            if where not in before
            or where not in after
            or value_difference(before[where], after[where])
        ]

    def _attributes(self) -> Mapping[tuple[str, str], Plain]:
        return {} if self.keras_major is None else attributes(self.model)

    @property
    def expected(self) -> Plain:
        """The outputs for the given inputs, in NumPy form."""
        return self.calls.expected

    def observe(self, subject: Subject, names: Sequence[str], *, again: bool) -> Observation:
        """What the checks see of the `subject`, which is this model as a format looks at it.

        A slow check is made once for all formats. One that calls the model too, unless it is to
        be made `again`, after a save.

        Raises:
            CallError: when the model cannot be called any more.
        """
        calls = self.calls
        subject = subject._replace(calls=calls.ways, losses=calls.losses, batches=calls.batches)
        table = checks.table()
        for name in () if again else names:
            if table[name].slow and name not in self._slow:
                self._slow[name] = checks.observe(subject, [name]).get(name)
        known = {} if again else {**calls.seen, **self._slow}
        quick = [name for name in names if not table[name].slow]
        seen = checks.observe(
            subject, [name for name in quick if again or not table[name].calls_model]
        )
        for key, name in self._changed_by_calls if CONFIG in seen else ():
            if key in seen[CONFIG].places:
                seen[CONFIG].places[key].attributes.pop(name, None)
        return {**{name: known[name] for name in names if known.get(name) is not None}, **seen}

    def layer_outputs(self) -> list[LayerOutput]:
        """What each layer of a functional or sequential model returns for the given inputs."""
        return Subject(self.model, {}, [], batches=self.calls.batches).layer_outputs()


class ModelGroup:
    """Models that belong together, by name; a single model is a part named ""."""

    def __init__(self, parts: Mapping[str, ReferenceModel]) -> None:
        self.parts = parts
        self._digests = Digests()
        self.unstable: Comparisons = merged_comparisons(
            (name, part.calls.unstable) for name, part in parts.items()
        )

    def large_arrays(self, observations: Observations) -> dict[str, Array]:
        """The large weights that were seen of the parts, by their hashes."""
        weights = [seen.get(name) for seen in observations.values() for name in BY_HASH]
        return self._digests.of(records.to_plain(weights))

    def recorded(
        self, observations: Observations, versions: Mapping[str, str], tolerance: Tolerance
    ) -> Recorded:
        """What was seen of the parts, as a bundle holds it."""
        return recorded(observations, self._digests, dict(versions), tolerance)

    @property
    def models(self) -> dict[str, Model]:
        """The live models by name."""
        return {name: part.model for name, part in self.parts.items()}

    @property
    def expected(self) -> Plain:
        """The outputs for the given inputs in NumPy form; by name where there are several parts."""
        found = {name: part.expected for name, part in self.parts.items()}
        return found.get("", found)

    @property
    def own_distances(self) -> OwnDistances:
        """How far the originals differ from themselves: the largest distances of the parts."""
        found = [part.calls.own_distances for part in self.parts.values()]
        eager = [own.graph_from_eager for own in found if own.graph_from_eager is not None]
        return OwnDistances(max(own.between_calls for own in found), max(eager, default=None))

    def observe(self, fmt: Format, names: Sequence[str], *, again: bool = False) -> Observations:
        """What the checks see of each part, as the format looks at it.

        Raises:
            CallError: when a part cannot be called any more.
        """
        seen: Observations = {}
        other_parts: list[model_weights.Weight] = []
        for name, part in self.parts.items():
            options = LoadOptions(keras_major=part.keras_major, batches=part.calls.batches)
            with fmt.expected_subject(part.model, options) as expected:
                subject = expected._replace(other_parts=tuple(other_parts))
                seen[name] = part.observe(subject, names, again=again or fmt.trains)
            if fmt.holds_groups:
                other_parts += model_weights.named_for_part(name, subject.weights)
        return seen


def single(model: Model, args: Sequence[Nest], kwargs: Mapping[str, Nest]) -> ModelGroup:
    """One model.

    Raises:
        ModelError: when it is not a model, or cannot be called.
    """
    return ModelGroup({"": ReferenceModel(model, args, kwargs)})


def group(parts: Mapping[str, Nest]) -> ModelGroup:
    """Several models: by name a model, or a tuple of it and its inputs.

    Raises:
        ModelError: when one of them is not a model, or cannot be called, or its name is not that
            of a folder.
    """
    if not parts:
        raise ModelError(
            "a group needs parts: roundtrip.parts(encoder=(encoder, x), decoder=(decoder, ...))"
        )
    fault = part_names.fault(parts)
    if fault:
        raise ModelError(fault)
    found: dict[str, ReferenceModel] = {}
    for name, value in parts.items():
        model, *args = value if isinstance(value, tuple) and value else (value,)
        try:
            earlier = {other: part.expected for other, part in found.items()}
            found[name] = ReferenceModel(model, args, {}, earlier)
        except ModelError as error:
            raise ModelError(f"the part {name!r}: {error}") from error
    return ModelGroup(found)


def _assert_is_model(model: Model) -> None:
    trackable = ("_trackable_children", "_checkpoint_dependencies", "get_config")
    if isinstance(model, type) or not any(hasattr(model, name) for name in trackable):
        is_class = isinstance(model, type)
        what = f"the class {model.__name__}" if is_class else type(model).__name__
        raise ModelError(
            f"{what} is not a model: return a Keras model or layer, a tf.Module, or what hub.load "
            "returns, followed by its inputs"
        )


def _known(args: list[Plain], earlier: Mapping[str, Plain] | None) -> Mapping[str, Plain]:
    """The outputs of earlier parts, which have all that the arguments ask for."""
    known = earlier or {}
    for _, leaf in leaves(args):
        if isinstance(leaf, PartOutput) and leaf.part not in known:
            raise ModelError(f"it takes the output of {leaf.part!r}, which is not an earlier part")
    return known


def _arguments(
    model: Model, args: Sequence[Nest], kwargs: Mapping[str, Nest]
) -> tuple[list[Plain], dict[str, Plain]]:
    """What the model is called with, in NumPy form."""
    if not args and not set(kwargs) - {"training"}:
        try:
            made, named = inputs.infer(model)
        except Exception as error:  # code of the user's own may raise anything
            raise ModelError(
                f"the inputs of this {type(model).__name__} cannot be inferred from the model: "
                "return them after it (`return model, x`), or pass them to the fixture "
                "(`roundtrip(model, x)`)"
            ) from error
        return made, {**named, **kwargs}
    try:
        named = {name: to_numpy(value) for name, value in kwargs.items()}
        return [to_numpy(value) for value in args], named
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"a model is called with tensors, arrays, lists and dicts of them: {error}"
        ) from None


def _advice(model: Model, args: Sequence[Nest]) -> str:
    """What was probably meant."""
    takes = len(keras_libs.symbolic(model, "inputs")) if keras_libs.is_graph(model) else 0
    if len(args) > 1 and takes == len(args):
        return "\nhint: this model takes its inputs as one list: `return model, [x, y]`"
    if not _is_utf8(tempfile.gettempdir()):
        return (
            "\nhint: the path of the folder for temporary files is not UTF-8, so TensorFlow cannot "
            "write there: set TMPDIR to another one"
        )
    return ""


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shapes(args: Sequence[Plain], kwargs: Mapping[str, Plain]) -> str:
    def shape(leaf: Plain) -> str:
        return f"{leaf.dtype.name}{list(leaf.shape)}" if hasattr(leaf, "shape") else repr(leaf)

    named = [f"{name}={map_leaves(shape, value)}" for name, value in kwargs.items()]
    return ", ".join([*(str(map_leaves(shape, value)) for value in args), *named])
