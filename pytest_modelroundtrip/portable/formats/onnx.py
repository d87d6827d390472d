"""The format `onnx`."""

from __future__ import annotations

import os
from typing import ClassVar, Dict, Iterator, Optional, Tuple

import numpy as np

from .. import keras_libs
from ..aliases import Array, Model, Module, Tensor
from . import UnsupportedError, not_a_keras_model
from ._converted import ConvertedFormat, ConvertedModel, Input, narrow_dtype

FILE = "model.onnx"
CONVERTERS = ("tf2onnx", "onnx")  # modules that write it
DTYPES = {"float": "float32", "double": "float64", "string": "object"}  # by their names in ONNX


class OnnxFormat(ConvertedFormat):
    """ONNX: `model.export(path, format="onnx")`, run by onnxruntime without TensorFlow or Keras."""

    name = "onnx"
    needs: ClassVar[Tuple[str, ...]] = ("onnxruntime",)
    needs_keras: ClassVar[bool] = False

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        reason = not_a_keras_model(model)
        if reason:
            return reason
        if keras_libs.keras_major(model) == 2:
            return "Keras 2 does not export to ONNX"
        if keras_libs.numbers(keras_libs.own_keras(model).__version__) < (3, 8):
            return "Keras exports to ONNX since 3.8"
        if keras_libs.backend(model) != "tensorflow":
            return "only models that compute with TensorFlow can be converted"
        narrow = narrow_dtype(model)
        if narrow:
            return (
                f"it computes in {narrow}: Keras exports only models that compute in float32 to "
                "ONNX"
            )
        missing = [name for name in CONVERTERS if not keras_libs.is_installed(name)]
        if missing:
            return f"{missing[0]} is not installed: install pytest-modelroundtrip[onnx]"
        return None

    def convert(self, model: Model, folder: str) -> None:
        """Write the file.

        Raises:
            UnsupportedError: where ONNX has no operation for what the model does.
        """
        path = os.path.join(folder, FILE)
        model.export(path, format="onnx", verbose=False)
        import onnx

        for domain, operation in _operations(onnx.load(path).graph):
            if not onnx.defs.has(operation, domain):  # the converter has left it as it was
                raise UnsupportedError(f"ONNX has no operation {operation}")

    def opened(self, folder: str) -> ConvertedModel:
        """The file in onnxruntime, on the processor."""
        import onnxruntime

        session = onnxruntime.InferenceSession(
            os.path.join(folder, FILE), providers=["CPUExecutionProvider"]
        )
        inputs = {taken.name: _input(taken) for taken in session.get_inputs()}
        names = [returned.name for returned in session.get_outputs()]

        def run(named: Dict[str, Array]) -> Dict[str, Array]:
            passed = {name: _as_text(array) for name, array in named.items()}
            return dict(zip(names, session.run(names, passed)))

        return ConvertedModel(folder, inputs, run)


def _operations(graph: Module) -> Iterator[Tuple[str, str]]:
    """The operations of a graph and of those in it: domain and name."""
    for node in graph.node:
        yield node.domain, node.op_type
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _operations(inner)


def _input(taken: Tensor) -> Input:
    name = taken.type[len("tensor(") : -1]
    sizes = [size if isinstance(size, int) else None for size in taken.shape]
    return Input(np.dtype(DTYPES.get(name, name)), tuple(sizes))


def _as_text(array: Array) -> Array:
    """Strings as onnxruntime takes them: `str`."""
    if array.dtype != object:
        return array
    texts = [text.decode() for text in array.ravel()]
    return np.reshape(np.array(texts, dtype=object), array.shape)
