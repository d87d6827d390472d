"""The format `litert_int8`."""

from __future__ import annotations

import re
import warnings
from typing import ClassVar, Dict, Mapping, Optional

import numpy as np

from ..aliases import Model, Tensor
from ..models import restored_calls
from . import UnsupportedError
from ._converted import Input, named_arrays
from .litert import (
    LitertFormat,
    converter,
    exported,
    in_order,
    input_names,
    interpreter_of,
    own_operations,
)


class LitertInt8Format(LitertFormat):
    """LiteRT with weights and activations in int8: `TFLiteConverter`, `Optimize.DEFAULT`.

    The representative data set, which says how large the activations become, is what the test
    calls the model with. Inputs and outputs stay float.
    """

    name = "litert_int8"
    # Each layer rounds to 255 steps of its range, half a percent of its largest number, and up to
    # 12 layers add up to 6 percent; what clips a range or loses a layer is above 50.
    tolerance: ClassVar[Optional[float]] = 0.1

    def write_file(self, model: Model, path: str) -> None:
        """Convert the model into that file.

        Raises:
            UnsupportedError: where it takes strings, which end the process in a calibration, has
                operations that LiteRT does not run itself, or none that the converter quantizes.
        """
        import tensorflow as tf

        with exported(model) as folder:
            signatures = tf.saved_model.load(folder).signatures
            name = restored_calls.serving_name(signatures)
            inputs = _inputs(signatures[name].structured_input_signature[1])
            given = self.from_test.batches[""][0]
            named = named_arrays(in_order(inputs, input_names(model)), given.args, given.kwargs)
            if any(array.dtype == object for array in named.values()):
                raise UnsupportedError("it takes strings, which the converter cannot calibrate")
            found = converter(folder, [name])
            found.optimizations = [tf.lite.Optimize.DEFAULT]
            found.representative_dataset = lambda: [named]
            with own_operations(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it says that its own interpreter is deprecated
                content = found.convert()
        others = re.search(rb"\0Flex(\w+)\0", content)  # no part of the name of a layer
        if others:  # a calibration runs them up to TensorFlow 2.19; the devices do not
            reason = "in int8 LiteRT cannot run operations of TensorFlow itself: "
            raise UnsupportedError(reason + others[1].decode())
        with open(path, "wb") as out:
            out.write(content)
        tensors = interpreter_of(path).get_tensor_details()
        if not any(tensor["dtype"] is np.int8 for tensor in tensors):
            raise UnsupportedError("the converter finds nothing in it to quantize")


def _inputs(specs: Mapping[str, Tensor]) -> Dict[str, Input]:
    return {
        name: Input(np.dtype(spec.dtype.as_numpy_dtype), tuple(spec.shape))
        for name, spec in specs.items()
    }
