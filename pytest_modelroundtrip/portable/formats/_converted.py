"""What formats share whose file another runtime runs: named arrays in, named arrays out."""

from __future__ import annotations

import abc
import shutil
from typing import Callable, ClassVar, Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from .. import keras_libs
from ..aliases import Array, DType, Model, Plain
from ..models import restored_calls
from ..models.calling import NumpyCall
from ..models.variables import layers
from ..subject import Subject, keras_subject
from ..tensors import Ragged, Sparse
from . import LoadOptions, UnsupportedError
from ._folder_alone import FolderAloneFormat

NARROW = ("float16", "bfloat16", "float8")


class Input(NamedTuple):
    """What a converted model takes under one name."""

    dtype: DType
    shape: Tuple[Optional[int], ...]  # None: any size


class ConvertedModel(NamedTuple):
    """A file that a runtime has opened."""

    folder: str  # that it is in
    inputs: Mapping[str, Input]  # by name, in the order in which the original takes them
    run: Callable[[Dict[str, Array]], Dict[str, Array]]


class ConvertedFormat(FolderAloneFormat):
    """One file without code and without variables, which a runtime without Keras runs.

    Subclasses convert a model in `convert` and return a `ConvertedModel` from `opened`.
    """

    keeps = ("outputs", "self_contained")
    on_request = True
    # other kernels, and constants that are folded: sums are rounded elsewhere
    tolerance: ClassVar[Optional[float]] = 1e-4

    @abc.abstractmethod
    def convert(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""

    def save(self, model: Model, folder: str) -> None:
        """Write the model, or what was loaded, into this empty folder."""
        if isinstance(model, ConvertedModel):
            shutil.copytree(model.folder, folder, dirs_exist_ok=True)
        else:
            self.convert(model, folder)

    def subject(self, model: Model, options: LoadOptions) -> Subject:
        """Nothing but what it returns."""
        if not isinstance(model, ConvertedModel):
            return keras_subject(model)
        return Subject(model, {"": _Call(model, options.structure)}, [])


class _Call(NumpyCall):
    """Calls a converted model with what the original takes, and returns what that returns."""

    def __init__(self, model: ConvertedModel, structure: Plain) -> None:
        super().__init__(model, self._run)
        self._inputs, self._run_named, self._structure = model.inputs, model.run, structure

    def _in_tensors(self, args: List[Plain], kwargs: Mapping[str, Plain]) -> Tuple[Plain, Plain]:
        """Arrays as they are."""
        return args, kwargs

    def _run(self, args: List[Plain], kwargs: Mapping[str, Plain]) -> Plain:
        outputs = self._run_named(named_arrays(self._inputs, args, kwargs))
        return restored_calls.nested_outputs(outputs, self._structure)


def named_arrays(
    inputs: Mapping[str, Input], args: List[Plain], kwargs: Mapping[str, Plain]
) -> Dict[str, Array]:
    """What a converted model is called with, by the names and in the dtypes of its inputs.

    Without Keras' `training=False`, which is what was converted.

    Raises:
        UnsupportedError: for a sparse or ragged tensor.
        TypeError: for more or fewer arguments than inputs, and for what else is not an array.
        ValueError: for another size along an axis that is not free.
    """
    if kwargs.get("training") is False:
        kwargs = {name: value for name, value in kwargs.items() if name != "training"}
    named = restored_calls.named_arguments(args, dict(kwargs), list(inputs))
    return {name: _fitted(name, value, inputs[name]) for name, value in named.items()}


def _fitted(name: str, value: Plain, wanted: Input) -> Array:
    """The array as the model declares it: a runtime might take other sizes by chance.

    Numbers of another width are cast, as Keras casts them.

    Raises:
        UnsupportedError: for a sparse or ragged tensor.
        TypeError: for what else is not an array.
        ValueError: for another size along an axis that is not free.
    """
    if isinstance(value, (Ragged, Sparse)):
        kind = type(value).__name__.lower()
        raise UnsupportedError(f"{name} is a {kind} tensor, which its runtime does not accept")
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be an array, not {type(value).__name__}")
    array: Array = value
    same_rank = array.ndim == len(wanted.shape)
    if not same_rank or any(
        size not in (None, given) for size, given in zip(wanted.shape, array.shape)
    ):
        declared = ["any" if size is None else size for size in wanted.shape]
        raise ValueError(f"{name} must have the shape {declared}, not {list(array.shape)}")
    same_kind = array.dtype.kind == wanted.dtype.kind and array.dtype.kind in "iuf"
    return array.astype(wanted.dtype) if same_kind else array


def narrow_dtype(model: Model) -> Optional[str]:
    """The floating dtype of fewer bits than float32 in which a Keras model computes, or None."""
    held = layers(model)
    dtypes = {str(getattr(layer, "compute_dtype", "")) for layer in held}
    dtypes |= {str(getattr(layer, "quantization_mode", "")) for layer in held}
    found = [name for name in NARROW if name in dtypes]
    return found[0] if found and keras_libs.keras_major(model) else None
