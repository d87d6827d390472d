"""The format `litert`."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import re
import tempfile
import warnings
from typing import ClassVar, Collection, Dict, Iterator, List, Mapping, Optional, Sequence

import numpy as np

from .. import keras_libs, tensors
from ..aliases import Array, Model, Module
from ..models import object_graph, restored_calls
from ..protocol import Interpreter
from . import UnsupportedError
from ._converted import ConvertedFormat, ConvertedModel, Input, narrow_dtype
from .export import ExportFormat
from .saved_model import SavedModelFormat

FILE = "model.tflite"
INPUTS = "inputs.json"  # the names of the inputs in order, which a .tflite does not keep


class LitertFormat(ConvertedFormat):
    """LiteRT (TensorFlow Lite): a float .tflite file, run by the LiteRT interpreter.

    By `model.export(path, format="litert")` where Keras has it, else by TensorFlow's converter.
    The interpreter is that of `ai_edge_litert`, else `tf.lite.Interpreter`.
    """

    name = "litert"
    needs_keras: ClassVar[bool] = False

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        if keras_libs.backend(model) != "tensorflow":
            return "only models that compute with TensorFlow can be converted"
        narrow = narrow_dtype(model)
        if narrow:
            return f"it computes in {narrow}, and LiteRT has only few operations for {narrow}"
        if keras_libs.is_model(model):
            return ExportFormat().unsupported(model)
        if (2, 16) <= keras_libs.tensorflow_version() < (2, 18) and _holds_keras3(model):
            return "TensorFlow 2.16 and 2.17 crash when they convert Keras 3 layers"
        return None

    def unreadable_by(self, keras_major: Optional[int], interpreter: Interpreter) -> Optional[str]:
        """Why that interpreter cannot load it, or None."""
        if {"ai_edge_litert", "tensorflow"}.intersection(interpreter.installed):
            return super().unreadable_by(keras_major, interpreter)
        return "neither ai-edge-litert nor TensorFlow is installed there"

    def convert(self, model: Model, folder: str) -> None:
        """Write the file, and the order of its inputs."""
        self.write_file(model, os.path.join(folder, FILE))
        with open(os.path.join(folder, INPUTS), "w", encoding="utf-8") as out:
            json.dump(input_names(model), out)

    def write_file(self, model: Model, path: str) -> None:
        """Convert the model into that file."""
        if _keras_converts(model):
            model.export(path, format="litert", verbose=False)
            return
        with exported(model) as folder:
            content = converter(folder).convert()
        with open(path, "wb") as out:
            out.write(content)

    def opened(self, folder: str) -> ConvertedModel:
        """The file in an interpreter.

        A call raises an UnsupportedError where the interpreter lacks an operation of TensorFlow.
        """
        interpreter = interpreter_of(os.path.join(folder, FILE))
        with open(os.path.join(folder, INPUTS), encoding="utf-8") as source:
            order = json.load(source)
        signature = restored_calls.serving_name(interpreter.get_signature_list())
        runner = interpreter.get_signature_runner(signature)
        inputs = {name: _input(details) for name, details in runner.get_input_details().items()}

        def run(named: Dict[str, Array]) -> Dict[str, Array]:
            with own_operations():
                outputs: Dict[str, Array] = runner(**named)
            return outputs

        return ConvertedModel(folder, in_order(inputs, order), run)


def _keras_converts(model: Model) -> bool:
    """Whether the model's Keras has `export(format="litert")`: Keras 3.13 and later."""
    if not keras_libs.is_model(model) or keras_libs.keras_major(model) != 3:
        return False
    return keras_libs.numbers(keras_libs.own_keras(model).__version__) >= (3, 13)


def _holds_keras3(model: Model) -> bool:
    reachable = object_graph.reachable(model, lambda _: False)
    return any(keras_libs.keras_major(held) == 3 for _, held in reachable)


@contextlib.contextmanager
def exported(model: Model) -> Iterator[str]:
    """A folder with the model as a SavedModel."""
    fmt = ExportFormat() if keras_libs.is_model(model) else SavedModelFormat()
    with tempfile.TemporaryDirectory() as folder:
        fmt.save(model, folder)
        yield folder


def converter(folder: str, signatures: Optional[Sequence[str]] = None) -> Module:
    """TensorFlow's converter of the SavedModel in that folder, set as Keras 3 sets it.

    It converts all signatures, or those of these names.
    """
    import tensorflow as tf

    found = tf.lite.TFLiteConverter.from_saved_model(folder, signatures)
    sets = tf.lite.OpsSet
    found.target_spec.supported_ops = [sets.TFLITE_BUILTINS, sets.SELECT_TF_OPS]
    found.experimental_enable_resource_variables = True
    return found


@contextlib.contextmanager
def own_operations() -> Iterator[None]:
    """Where a model is run by LiteRT's own operations.

    Raises:
        UnsupportedError: where it has others, which that interpreter does not run.
    """
    try:
        yield
    except RuntimeError as error:
        lacks = re.search(r"Select TensorFlow op.*\(Flex(\w+)\)", str(error), re.DOTALL)
        if lacks is None:
            raise
        reason = f"this interpreter cannot run operations of TensorFlow itself: {lacks[1]}"
        raise UnsupportedError(reason) from error


def input_names(model: Model) -> List[str]:
    """The names of the inputs in the order in which the model takes them, if it has an order."""
    nest = keras_libs.input_nest(model) if keras_libs.is_graph(model) else None
    if nest is not None:
        return [str(leaf.name) for _, leaf in tensors.leaves(nest)]
    # what was loaded and has signatures only takes its inputs by name
    return list(inspect.signature(model.__call__).parameters) if callable(model) else []


def in_order(inputs: Mapping[str, Input], names: Collection[str]) -> Mapping[str, Input]:
    """The inputs in the order of these names, where they have these."""
    return {name: inputs[name] for name in names} if set(names) == set(inputs) else inputs


def interpreter_of(path: str) -> Module:
    """Of LiteRT itself; where that is not installed, of TensorFlow."""
    if keras_libs.is_installed("ai_edge_litert") or not keras_libs.is_installed("tensorflow"):
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(model_path=path)
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it is deprecated
        return tf.lite.Interpreter(model_path=path)


def _input(details: Dict[str, Array]) -> Input:
    sizes = [None if size < 0 else int(size) for size in details["shape_signature"]]
    is_text = details["dtype"] in (np.bytes_, np.str_)
    return Input(np.dtype(object if is_text else details["dtype"]), tuple(sizes))
