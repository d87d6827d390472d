"""Breaks copies of bundles, as it happens between a training and a server.

`python break_release.py FOLDER` makes a copy of each bundle there with a fault, in FOLDER/broken.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import tensorflow as tf


def change_one_weight(bundle: Path) -> None:
    """One bias of the translator is another number: the file is sound, and the model is not."""
    path = str(bundle / "artifact")
    model = tf.saved_model.load(path)
    weights = model.signatures["serving_default"].variables
    weight = next(variable for variable in weights if "bias" in variable.name)
    weight.assign_add(tf.ones_like(weight) * 0.01)
    shutil.rmtree(path)
    tf.saved_model.save(model, path, signatures=dict(model.signatures))


def drop_the_vocabulary(bundle: Path) -> None:
    """Somebody copied the weights and the graph, and not the assets."""
    shutil.rmtree(bundle / "artifact" / "assets")


FAULTS = {
    "translator.saved_model": change_one_weight,
    "encoder.saved_model": drop_the_vocabulary,
}


def break_release(folder: Path) -> list[Path]:
    """Make the broken copies."""
    broken = []
    for name, fault in FAULTS.items():
        copy = folder / "broken" / name
        shutil.copytree(folder / name, copy)
        fault(copy)
        broken.append(copy)
    return broken


if __name__ == "__main__":
    for path in break_release(Path(sys.argv[1])):
        print(path)
