"""The ways to persist a model: one module a format, so that what saves it and what loads it are
read together.

A format is a subclass of `Format`. To add a built-in one, write its module and add its name to
`format_names.BUILT_IN`. A plugin returns its own class from the hook
`pytest_modelroundtrip_formats`; what the module of that class may import is in `format_api`.
"""

from __future__ import annotations

import abc
import contextlib
import copy
import importlib
import os
import re
from typing import (
    Callable,
    ClassVar,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Type,
)

from .. import checks, keras_libs
from ..aliases import Model, Nest, Plain
from ..format_names import BUILT_IN
from ..protocol import Batch, Interpreter
from ..subject import Subject, keras_subject
from ..training.training_run import Train

# What formats keep, as names of checks. No Keras format keeps the states of seed generators.
WHOLE_MODEL: Tuple[str, ...] = tuple(name for name in checks.NAMES if name != "history")
SERVED: Tuple[str, ...] = ("signature", "weights", "outputs", "self_contained")
WEIGHTS: Tuple[str, ...] = ("weights", "outputs", "self_contained")


class UnsupportedError(Exception):
    """A format cannot hold this model, which shows only while it is saved, loaded or called.

    The text says why: the round trip is `n/a` then, as if `unsupported` had said so.
    """


class LoadOptions(NamedTuple):
    """What a loader gets besides the folder; the artifact must hold everything else."""

    keras_major: Optional[int] = None  # of the saved model's Keras: 2, 3 or None
    custom_objects: Mapping[str, object] = {}
    factory: Optional[Callable[[], Nest]] = None  # builds a fresh model, or a group of them
    safe_mode: bool = True
    structure: Plain = None  # the nest of the original's outputs, without its arrays
    weight_paths: Sequence[str] = ()  # of the original's weights
    part: str = ""  # which part of a group it is; a factory then builds the parts by name
    batches: Sequence[Batch] = ()  # a rebuilt model is called once with them, to make its weights
    predicts: bool = False  # whether a reloaded Keras model is called by `predict` too


class FromTest(NamedTuple):
    """What a test passes besides the models."""

    train: Optional[Train] = None  # the function that trains the model, for formats that need it
    # what each part is called with, by its name; the first batch is the one that the test passes;
    # none where a reloaded model is saved again
    batches: Mapping[str, Sequence[Batch]] = {}

    def of_part(self, name: str) -> FromTest:
        """The same for a part of a group alone, as if it were a single model."""
        return self._replace(batches={"": self.batches.get(name, ())})


class Format(abc.ABC):
    """One way to persist a model: what it keeps, and how it saves and loads.

    Subclasses need `name`, `keeps`, `save` and `load`, and a docstring, whose first line is what
    `--roundtrip-list` shows. Everything else has a default.
    """

    name: ClassVar[str]  # as tests name it
    keeps: ClassVar[Tuple[str, ...]]  # the names of the checks that it promises to pass
    # A check that it should pass -> the major versions of Keras of which no release passes it.
    # With these the check is made only where a test asks for it: every trained model would fail.
    never_kept: ClassVar[Mapping[str, Tuple[int, ...]]] = {}
    # How far apart outputs may be, as a part of the largest number of their array, where it lets
    # other code compute them; None: by their dtype. What a test passes comes before it.
    tolerance: ClassVar[Optional[float]] = None
    # modules besides Keras that load it; a clean interpreter imports them once, before it forks
    needs: ClassVar[Tuple[str, ...]] = ()
    # whether the model comes back as one of Keras or TensorFlow, which must be there then
    needs_keras: ClassVar[bool] = True
    # whether it is used only where a test asks for it by name, or for "all" formats
    on_request: ClassVar[bool] = False
    # whether the parts of a group go into one artifact and come back sharing their variables
    holds_groups: ClassVar[bool] = False
    # whether it trains the model, by the function that the test names: see `_resumed`
    trains: ClassVar[bool] = False
    # whether what it loads calls functions as they were traced at the save
    calls_as_traced: ClassVar[bool] = False
    # whether it holds the module of a hub layer itself, and not only its path or URL
    holds_hub_modules: ClassVar[bool] = False
    # whether it keeps how `compile` lets the model run
    keeps_execution: ClassVar[bool] = False
    from_test: FromTest = FromTest()  # what the test passes, which few formats need

    def unsupported(self, model: Model) -> Optional[str]:  # noqa: ARG002
        """Why it cannot hold this model with these versions, or None."""
        return None

    def unreadable_by(self, keras_major: Optional[int], interpreter: Interpreter) -> Optional[str]:  # noqa: ARG002
        """Why that interpreter cannot load a model of that major version of Keras, or None."""
        return None

    def needs_factory(self, model: Model) -> Optional[str]:  # noqa: ARG002
        """Why only a factory can rebuild this model, or None."""
        return None

    def group_needs_factory(self, models: Mapping[str, Model]) -> Optional[str]:  # noqa: ARG002
        """Why only a factory can rebuild these parts of a group, or None."""
        return None

    @abc.abstractmethod
    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder.

        Raises:
            UnsupportedError: when it shows only now that the format cannot hold the model.
        """

    @abc.abstractmethod
    def load(self, folder: str, options: LoadOptions) -> Model:
        """The live model from that folder.

        Raises:
            UnsupportedError: as `save`.
        """

    def save_group(self, models: Mapping[str, Model], folder: str) -> None:
        """Save the parts of a group by their names: by default each in a folder of its own."""
        for name, model in models.items():
            os.mkdir(os.path.join(folder, name))
            fmt = self.used_with(self.from_test.of_part(name))
            fmt.save(model, os.path.join(folder, name))

    def load_group(self, folder: str, options: Mapping[str, LoadOptions]) -> Dict[str, Model]:
        """The parts that `save_group` saved, by name."""
        return {name: self.load(os.path.join(folder, name), its) for name, its in options.items()}

    def subject(self, model: Model, options: LoadOptions) -> Subject:  # noqa: ARG002
        """How the checks look at the model: the original on one side, the reloaded on the other."""
        return keras_subject(model)._replace(keeps_execution=self.keeps_execution)

    @contextlib.contextmanager
    def expected_subject(self, model: Model, options: LoadOptions) -> Iterator[Subject]:
        """The original in the state that the reloaded model is to have: by default as it is."""
        yield self.subject(model, options)

    # what calls the above

    def used_with(self, from_test: FromTest) -> Format:
        """The same format, with what a test passes."""
        other = copy.copy(self)
        other.from_test = from_test
        return other

    def save_all(self, models: Mapping[str, Model], folder: str) -> None:
        """Save a single model, whose name is "", or the parts of a group."""
        if "" in models:
            self.save(models[""], folder)
        else:
            self.save_group(models, folder)

    def load_all(self, folder: str, options: Mapping[str, LoadOptions]) -> Dict[str, Model]:
        """What `save_all` saved, by name."""
        if "" in options:
            return {"": self.load(folder, options[""])}
        return self.load_group(folder, options)

    def why_unreadable(
        self, keras_majors: Sequence[Optional[int]], interpreter: Interpreter
    ) -> List[str]:
        """Why that interpreter cannot load models of these major versions of Keras."""
        majors = dict.fromkeys(keras_majors or [None])
        reasons = [self.unreadable_by(major, interpreter) for major in majors]
        return [reason for reason in reasons if reason]

    @property
    def holds_whole_models(self) -> bool:
        """Whether a model comes back with its config, and not only its weights or its calls."""
        return "config" in self.keeps

    @property
    def reference(self) -> str:
        """What finds the class in a clean interpreter: "module:Class" below this package."""
        return "{}:{}".format(type(self).__module__.rpartition(".")[2], type(self).__name__)


def built_in() -> Dict[str, Format]:
    """The built-in formats by name, in order."""
    return {name: _in_module(name)() for name in BUILT_IN}


def referred(reference: str) -> Format:
    """The format that `Format.reference` names.

    Raises:
        ImportError, AttributeError: where there is none.
    """
    module, _, name = reference.partition(":")
    found: Format = getattr(importlib.import_module(f"{__name__}.{module}"), name)()
    return found


def _in_module(name: str) -> Type[Format]:
    """The one format that a module of this package defines."""
    module = importlib.import_module(f"{__name__}.{name}")
    (found,) = [
        held
        for held in vars(module).values()
        if isinstance(held, type)
        and issubclass(held, Format)
        and held.__module__ == module.__name__
        and not held.__name__.startswith("_")
    ]
    return found


def faults_of(kind: Type[Format]) -> List[str]:
    """What is wrong with the declaration of a format, in words."""
    missing = [name for name in ("name", "keeps") if not hasattr(kind, name)]
    faults = [f"it has no {name}" for name in [*missing, *sorted(kind.__abstractmethods__)]]
    if not (kind.__doc__ or "").strip():
        faults.append("it has no docstring")
    name = getattr(kind, "name", "a")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_.]{1,100}", name):
        faults.append("its name is not a string of at most 100 letters, digits, _ and .")
    for attribute in ("keeps", "needs"):
        value = getattr(kind, attribute, ())
        if not isinstance(value, (list, tuple)) or not all(isinstance(x, str) for x in value):
            faults.append(f"its {attribute} is not a tuple of names")
    if not isinstance(kind.never_kept, dict):
        faults.append("its never_kept is not a dict")
    groups = any(
        getattr(kind, name) is not getattr(Format, name) for name in ("save_group", "load_group")
    )
    if groups and not kind.holds_groups:
        faults.append("it overrides save_group or load_group: set holds_groups = True")
    return faults


# reasons that several formats give


def not_a_keras_model(model: Model) -> Optional[str]:
    """Why a format of Keras models cannot hold this one, or None."""
    return None if keras_libs.is_model(model) else "not a Keras model"


def not_a_keras2_model(model: Model) -> Optional[str]:
    """Why a format of Keras 2 cannot hold this one, or None."""
    if keras_libs.is_model(model) and keras_libs.keras_major(model) != 2:
        return "Keras 3 has no such format"
    return not_a_keras_model(model)


def other_backend(model: Model) -> Optional[str]:
    """Why a checkpoint of TensorFlow's cannot hold this one, or None."""
    if keras_libs.backend(model) != "tensorflow":
        return "a TensorFlow checkpoint holds TensorFlow variables only"
    return None


def missing_library(needs: Sequence[str], interpreter: Interpreter) -> Optional[str]:
    """Why an interpreter without these modules cannot load a format that needs them, or None.

    An interpreter says it of the modules of our own formats only: others are tried.
    """
    known = [name for name in needs if name in keras_libs.LOADING]
    missing = [name for name in known if name not in interpreter.installed]
    return "{} is not installed there".format(missing[0].replace("_", "-")) if missing else None


def other_keras(keras_major: Optional[int], interpreter: Interpreter) -> Optional[str]:
    """Why an interpreter has no Keras for a model of that major version, or None."""
    versions = interpreter.versions
    majors = keras_libs.keras_majors(versions, interpreter.installed)
    if keras_major in (None, *majors):
        return None
    names = (("keras", "Keras"), ("tensorflow", "TensorFlow"))
    found = [f"{name} {versions[module]}" for module, name in names if module in versions]
    there = found[0] if found else "no Keras"
    return f"this needs Keras {keras_major}; the environment has {there}"
