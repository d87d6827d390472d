"""Run by a Python that has NumPy and an old TensorFlow and nothing of ours: `portable` alone saves, reloads and looks.

python3.8 tests/portable_alone.py
"""

import importlib
import os
import shutil
import sys
import tempfile


def main() -> None:
    """Copy the package away from the rest of ours, and carry a model from there."""
    portable = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "pytest_modelroundtrip", "portable")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(portable, os.path.join(folder, "pytest_modelroundtrip", "portable"))
        open(os.path.join(folder, "pytest_modelroundtrip", "__init__.py"), "w").close()
        sys.path[0] = folder
        carry(folder)


def carry(folder: str) -> None:
    """Save a model in each format, reload it, and compare what is seen."""
    import tensorflow as tf

    from pytest_modelroundtrip.portable import calling, formats, observation, reloading, tensors, worker

    assert worker.__file__.startswith(folder)
    model = tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(4,), activation="tanh"), tf.keras.layers.Dense(2)])
    batch = observation.Batch("", [tensors.to_numpy([[1.0, 2.0, 3.0, 4.0]])], {"training": False})
    done = []
    for name in formats.BUILT_IN:
        fmt = importlib.import_module("pytest_modelroundtrip.portable.formats." + name)
        if fmt.supports(model):
            continue
        artifact = tempfile.mkdtemp(dir=folder)
        fmt.save(model, artifact)
        options = formats.Options(generation=2, batches=[batch])
        before = observation.observe(fmt.subject(model, options), [batch], list(fmt.PROMISES))
        answer = reloading.reload(job_for(fmt, artifact, batch, before, calling), lambda step: None)
        assert "error" not in answer, answer["error"]["traceback"]
        after = answer["observation"][""]["outputs"]
        kept = {way: {name: before["outputs"][""][name] for name in seen} for way, seen in after.items()}
        assert tensors.dump(kept) == tensors.dump(after), name
        done.append(name)
    print("Python", sys.version.split()[0], "TensorFlow", tf.__version__, "reloaded", ", ".join(done))
    print(f"{len(done)} passed, 0 failed")
    assert "saved_model" in done and "h5" in done


def job_for(fmt, artifact, batch, before, calling):  # type: ignore[no-untyped-def]
    """What the test process would send."""
    return {
        "needs": [],
        "format": fmt.__name__.split(".")[-1],
        "folder": artifact,
        "save_to": None,
        "imports": [],
        "pythonpath": [],
        "custom_objects": {},
        "factory": None,
        "safe_mode": True,
        "checks": list(fmt.PROMISES),
        "parts": [
            {
                "name": "",
                "generation": 2,
                "template": calling.outline(before["outputs"][""][""]),
                "paths": [weight["path"] for weight in before["weights"]],
                "batches": [list(batch)],
            }
        ],
    }


if __name__ == "__main__":
    main()
