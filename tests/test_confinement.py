"""A reload has what a deployment has: what reaches for more is told, and cannot do harm."""

from __future__ import annotations

import pytest
from inner_runs import Run

from pytest_modelroundtrip.portable import confinement

GRANT = confinement.granted()
pytestmark = pytest.mark.skipif(not GRANT.landlock, reason=str(GRANT))

LAYERS = """
import glob, os
import h5py, numpy as np, tensorflow as tf
K, L = tf.keras, tf.keras.layers


class Reads(L.Layer):
    '''Keeps the path of a file in its config.'''

    def __init__(self, where, **kwargs):
        super().__init__(**kwargs)
        self.where = where

    def get_config(self):
        return {**super().get_config(), "where": self.where}


@K.utils.register_keras_serializable()
class InCall(Reads):
    def call(self, x):
        return x + tf.strings.to_number(tf.io.read_file(self.where))


@K.utils.register_keras_serializable()
class Table(Reads):
    def __init__(self, where, **kwargs):
        super().__init__(where, **kwargs)
        kinds = tf.string, tf.lookup.TextFileIndex.WHOLE_LINE
        values = tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        lines = tf.lookup.TextFileInitializer(where, *kinds, *values)
        self.table = tf.lookup.StaticHashTable(lines, 9)

    def call(self, x):
        return x + tf.cast(self.table.lookup(tf.constant("7")), x.dtype)


@K.utils.register_keras_serializable()
class Hdf5(Reads):
    def build(self, shape):
        with h5py.File(self.where, "r") as source:
            self.offset = np.float32(source["offset"][()])
        super().build(shape)

    def call(self, x):
        return x + self.offset


@K.utils.register_keras_serializable()
class Checkpoint(Hdf5):
    def build(self, shape):
        self.offset = tf.train.load_variable(self.where, "offset/.ATTRIBUTES/VARIABLE_VALUE")
        L.Layer.build(self, shape)


@K.utils.register_keras_serializable()
class Listing(Hdf5):
    def build(self, shape):
        self.offset = float(len(os.listdir(self.where)))
        L.Layer.build(self, shape)


@K.utils.register_keras_serializable()
class Glob(Hdf5):
    def build(self, shape):
        self.offset = float(len(glob.glob(self.where + "/*")))
        L.Layer.build(self, shape)


@K.utils.register_keras_serializable()
class GlobOfTensorFlow(Hdf5):
    def build(self, shape):
        self.offset = float(len(tf.io.gfile.glob(self.where + "/*")))
        L.Layer.build(self, shape)
"""

READS_OUTSIDE = """
import h5py
from reading_layers import *

@pytest.mark.roundtrip(formats=["keras"], imports=["reading_layers"])
@pytest.mark.parametrize("kind", KINDS)
def test_it(kind, tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    path = str(folder / "offset")
    if kind in (InCall, Table):
        (folder / "offset").write_text("7")
    elif kind is Hdf5:
        with h5py.File(path, "w") as out:
            out["offset"] = 7.0
    elif kind is Checkpoint:
        path = tf.train.Checkpoint(offset=tf.Variable(7.0)).save(path)
    else:
        (folder / "a file").write_text("")
        path = str(folder)
    return K.Sequential([K.Input((4,)), kind(path), L.Dense(2)])
"""


@pytest.fixture
def reading_layers(pytester: pytest.Pytester) -> None:
    """The layers above, as a package that the clean interpreter may import."""
    (pytester.path / "lib").mkdir()
    (pytester.path / "lib" / "reading_layers.py").write_text(LAYERS)
    pytester.syspathinsert(pytester.path / "lib")
    pytester.makeini("[pytest]\nroundtrip_pythonpath = lib\n")


@pytest.mark.usefixtures("reading_layers")
def test_a_file_outside_the_artifact_is_told_with_its_path(run: Run) -> None:
    kinds = ["InCall", "Table", "Hdf5", "Checkpoint", "Listing", "Glob", "GlobOfTensorFlow"]
    result = run(READS_OUTSIDE.replace("KINDS", f"[{', '.join(kinds)}]"))
    result.assert_outcomes(failed=len(kinds))
    print(result.stdout.str())
    assert 0
