"""`portable` alone saves, reloads and compares, in a Python with NumPy and an old TensorFlow.

Nothing else of the plugin is needed there: python3.8 tests/portable_alone.py
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_modelroundtrip.portable import formats, protocol

HERE = os.path.dirname(os.path.abspath(__file__))


def main() -> None:
    """Copy the package away from the rest of the plugin, and use it from there."""
    portable = os.path.join(HERE, os.pardir, "pytest_modelroundtrip", "portable")
    with tempfile.TemporaryDirectory() as folder:
        package = os.path.join(folder, "pytest_modelroundtrip")
        shutil.copytree(portable, os.path.join(package, "portable"))
        with open(os.path.join(package, "__init__.py"), "w"):
            pass
        sys.path[0] = folder
        run(folder)


def run(folder: str) -> None:
    """Save a model in each format that can hold it, reload it, and compare what is seen."""
    import tensorflow as tf

    from pytest_modelroundtrip.portable import formats, protocol, tensors, worker

    assert worker.__file__.startswith(folder)
    dense = tf.keras.layers.Dense(3, input_shape=(4,), activation="tanh")
    model = tf.keras.Sequential([dense, tf.keras.layers.Dense(2)])
    arguments = [tensors.to_numpy([[1.0, 2.0, 3.0, 4.0]])]
    batch = protocol.Batch("", arguments, {"training": False})
    done = []
    for name, fmt in formats.built_in().items():
        if not fmt.on_request and fmt.unsupported(model) is None:
            artifact = tempfile.mkdtemp(dir=folder)
            fmt.save(model, artifact)
            round_trip(fmt, model, artifact, batch)
            done.append(name)
    python = sys.version.split()[0]
    print("Python", python, "TensorFlow", tf.__version__, "reloaded", ", ".join(done))
    print(f"{len(done)} passed, 0 failed")
    assert "saved_model" in done and "h5" in done


def round_trip(fmt: formats.Format, model: Any, artifact: str, batch: protocol.Batch) -> None:
    """Reload the artifact; the outputs must be the same, bit for bit."""
    from pytest_modelroundtrip.portable import checks, codec, formats, protocol, reload
    from pytest_modelroundtrip.portable.comparing import Tolerance
    from pytest_modelroundtrip.portable.confinement import confining

    options = formats.LoadOptions(keras_major=2, batches=[batch])
    subject = fmt.subject(model, options)._replace(batches=[batch])
    expected = checks.observe(subject, fmt.keeps)
    job = job_for(fmt, artifact, batch, expected)
    cage = confining.Cage(job.setup.confinement, confining.NOTHING, artifact)
    decoded = protocol.decode_record(protocol.Job, protocol.encode_record(job))
    answer = reload.reload(decoded, cage, lambda _step: None)
    assert answer.failure is None, answer.failure.traceback
    assert answer.observation is not None, answer
    received = protocol.decode_record(protocol.Reloaded, protocol.encode_record(answer))
    assert received.observation is not None
    actual = checks.parsed(received.observation[""])
    outputs = {way: {"": expected["outputs"][""][""]} for way in actual["outputs"]}
    assert codec.dump(outputs) == codec.dump(actual["outputs"]), fmt.name
    compared = checks.compare({"outputs": outputs}, {"outputs": actual["outputs"]}, Tolerance())
    assert compared["outputs"].outcome == "exact", compared["outputs"].differences


def job_for(
    fmt: formats.Format, artifact: str, batch: protocol.Batch, expected: Any
) -> protocol.Job:
    """The job that the test process would send."""
    from pytest_modelroundtrip.portable import protocol
    from pytest_modelroundtrip.portable.models import calling

    part = protocol.PartJob(
        name="",
        keras_major=2,
        structure=calling.structure_of(expected["outputs"][""][""]),
        weight_paths=[weight.path for weight in expected["weights"]],
        batches=[batch],
    )
    setup = protocol.Setup([], [], {}, None, "off", [2])
    return protocol.Job(
        setup=setup,
        format=fmt.reference,
        needs=[],
        artifact=artifact,
        save_to=None,
        safe_mode=True,
        checks=list(fmt.keeps),
        layers=False,
        parts=[part],
    )


if __name__ == "__main__":
    main()
