"""What a test without the plugin does: save a model, load it, call it, in each format.

python -m benchmarks.by_hand MODEL FORMAT FOLDER

loads in a fresh interpreter what `save` saved, calls it, and leaves its outputs in the folder.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks import models
from benchmarks.models import Array, Model

ARGUMENTS, OUTPUTS = "arguments.pickle", "outputs.pickle"

Call = Callable[..., list[Array]]


def save(model: Model, format_name: str, folder: Path) -> None:
    """Write the model into this empty folder."""
    if format_name in ("keras", "h5"):
        model.save(folder / f"model.{format_name}")
    elif format_name == "weights":
        model.save_weights(folder / "model.weights.h5")
    elif format_name == "checkpoint":
        tf.train.Checkpoint(model=model).save(str(folder / "checkpoint"))
    elif format_name == "export":
        model.export(folder, verbose=False)
    else:
        tf.saved_model.save(model, str(folder))


def load(name: str, format_name: str, folder: Path) -> Call:
    """What calls the model that was loaded from that folder.

    Args:
        name: of the model, which is built anew where the format keeps its weights only.
        format_name: of the format.
        folder: what `save` wrote.
    """
    if format_name in ("keras", "h5"):
        return call_of(keras.models.load_model(folder / f"model.{format_name}"))
    if format_name == "weights":
        model = models.rebuild(name)
        model.load_weights(folder / "model.weights.h5")
        return call_of(model)
    if format_name == "checkpoint":
        model = models.rebuild(name)
        latest = tf.train.latest_checkpoint(str(folder))
        tf.train.Checkpoint(model=model).restore(latest).expect_partial()
        return call_of(model)
    if format_name == "hub":
        import tensorflow_hub as hub

        return call_of(hub.load(str(folder)))
    return call_of(tf.saved_model.load(str(folder)))


def call_of(model: Model) -> Call:
    """What calls a model, in inference mode, and returns the leaves of its outputs.

    It holds the model: a function of a loaded one does not.
    """
    if isinstance(model, keras.Model):
        return lambda *given: _arrays(model(*given, training=False))
    if callable(model):
        return lambda *given: _arrays(model(*given))
    if hasattr(model, "serve"):
        return lambda *given: _arrays(model.serve(*given))
    return lambda *given: _arrays(_signature_outputs(model, tf.nest.flatten(given)))


def _signature_outputs(loaded: Any, given: Sequence[Array]) -> Any:
    """What the object that `tf.saved_model.load` makes of a Keras 3 model returns."""
    serve = loaded.signatures["serving_default"]
    names = sorted(serve.structured_input_signature[1])  # inputs, inputs_1, ...
    return serve(**dict(zip(names, map(tf.constant, given), strict=True)))


def _arrays(outputs: Any) -> list[Array]:
    return [np.asarray(leaf) for leaf in tf.nest.flatten(outputs)]


def assert_equal(expected: Sequence[Array], actual: Sequence[Array]) -> None:
    """Compare the outputs of the original and of what was loaded, which rounds in another order."""
    for one, other in zip(expected, actual, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)


def round_trip(name: str, model: Model, arguments: Sequence[Any], format_name: str) -> None:
    """Save, load, call both, compare, in one process; nothing is left."""
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        save(model, format_name, folder)
        assert_equal(call_of(model)(*arguments), load(name, format_name, folder)(*arguments))


def load_freshly(
    name: str, format_name: str, folder: Path, arguments: Sequence[Any]
) -> list[Array]:
    """The outputs of the model that a fresh interpreter loads from that folder."""
    (folder / ARGUMENTS).write_bytes(pickle.dumps(arguments))
    command = [sys.executable, "-m", "benchmarks.by_hand", name, format_name, str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    outputs: list[Array] = pickle.loads((folder / OUTPUTS).read_bytes())
    return outputs


def main(name: str, format_name: str, folder: Path) -> None:
    """Load it, call it with the arguments beside it, and leave the outputs."""
    arguments = pickle.loads((folder / ARGUMENTS).read_bytes())
    outputs = load(name, format_name, folder)(*arguments)
    (folder / OUTPUTS).write_bytes(pickle.dumps(outputs))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
