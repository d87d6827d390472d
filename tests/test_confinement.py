"""A reload has what a deployment has: what reaches for more is told, and cannot do harm."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from inner_runs import Run, reported

from pytest_modelroundtrip.portable.confinement import confining

with tempfile.TemporaryDirectory() as folder:
    GRANT = confining.granted(folder)
pytestmark = [
    pytest.mark.skipif(not GRANT.landlock, reason=str(GRANT)),
    pytest.mark.usefixtures("keras_format"),
]
with_namespaces = pytest.mark.skipif(not GRANT.namespaces, reason=str(GRANT))

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
class Scanning(Hdf5):
    def build(self, shape):
        self.offset = float(len([*os.scandir(self.where)]))
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

@K.utils.register_keras_serializable()
class Fallback(Hdf5):
    def build(self, shape):
        self.offset = float(os.path.exists(self.where))
        L.Layer.build(self, shape)


@K.utils.register_keras_serializable()
class FallbackOfTensorFlow(Hdf5):
    def build(self, shape):
        self.offset = float(tf.io.gfile.exists(self.where))
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
def test_a_file_outside_the_artifact_is_reported_with_its_path(run: Run) -> None:
    kinds = ["InCall", "Table", "Hdf5", "Checkpoint", "Listing", "Scanning", "Glob"]
    kinds.append("GlobOfTensorFlow")
    found = reported(run, READS_OUTSIDE.replace("KINDS", f"[{', '.join(kinds)}]"))
    assert len(found) == len(kinds)
    for record in found:
        assert record["verdict"] in ("differs", "load error"), record
        assert record["checks"]["self_contained"] == "differs", record
        assert "/outside" in "".join(record["problems"]), record
        assert "Put what it needs into the artifact" in record["text"]
        assert f"confined: {GRANT}" in " ".join(record["text"].split())
        assert record["confinement"] == str(GRANT)


@pytest.mark.usefixtures("reading_layers")
def test_without_confinement_folders_that_are_listed_are_reported(run: Run) -> None:
    """What Python and TensorFlow's Python layer do shows without the kernel's help too."""
    kinds = ["Listing", "Scanning", "Glob", "GlobOfTensorFlow", "FallbackOfTensorFlow"]
    source = READS_OUTSIDE.replace("KINDS", f"[{', '.join(kinds)}]")
    found = reported(run, source, "--roundtrip-confinement=off")
    assert len(found) == len(kinds)
    for record in found:
        assert record["checks"]["self_contained"] == "differs", record
        assert record["checks"]["outputs"] == "exact", record
        assert "/outside" in "".join(record["problems"]), record


@with_namespaces
@pytest.mark.usefixtures("reading_layers")
def test_a_fallback_for_a_missing_file_is_reported_with_its_path(run: Run) -> None:
    kinds = "[Fallback, FallbackOfTensorFlow]"
    plain, native = reported(run, READS_OUTSIDE.replace("KINDS", kinds))
    for record in (plain, native):
        assert record["verdict"] == "differs"
        assert record["checks"]["outputs"] == "differs", record
        assert "Put what it needs into the artifact" in record["text"]
    (told,) = (problem for problem in plain["problems"] if "the reload looked for /" in problem)
    assert told.endswith("/outside, which no deployment has")
    assert native["checks"]["self_contained"] == "differs"


@pytest.mark.usefixtures("reading_layers")
def test_without_the_check_the_way_out_is_named(run: Run) -> None:
    source = READS_OUTSIDE.replace("KINDS", "[Hdf5]").replace(
        "imports=", 'checks=["outputs"], imports='
    )
    (record,) = reported(run, source)
    assert record["verdict"] == "load error"
    assert 'confinement="off"' in record["text"]
    (off,) = reported(run, source, "--roundtrip-confinement=off")
    assert (off["verdict"], off["confinement"]) == ("exact", "off")


HOSTILE = """
import os, socket, sys
if "pytest" not in sys.modules:
    def attempt(do):
        try:
            do()
        except OSError:
            pass
    print("the artifact ran")
    attempt(lambda: print(open({secret!r}).read()))
    attempt(lambda: open({written!r}, "w").close())
    attempt(lambda: os.system("cat {secret} > {stolen}"))
    attempt(lambda: socket.create_connection({address!r}, 1).sendall(b"hello"))
    attempt(lambda: os.unlink({secret!r}))
"""

LOADS_IT = """
@pytest.mark.roundtrip(formats=["keras"], safe_mode=False)
def test_it():
    return K.Sequential([
        K.Input((4,)), L.Lambda(lambda x: (exec(CODE, {}), x)[1], output_shape=(4,))
    ])
"""


@pytest.fixture
def visitors() -> Iterator[tuple[tuple[str, int], list[object]]]:
    """The address of a server, and who connected to it."""
    seen: list[object] = []
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        try:
            while True:
                connection, visitor = server.accept()
                seen.append(visitor)
                connection.close()
        except OSError:
            pass

    thread = threading.Thread(target=accept)
    thread.start()
    yield server.getsockname(), seen
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


@pytest.mark.parametrize("option", ["isolation=fork", "isolation=spawn", "confinement=off"])
def test_a_hostile_artifact_cannot_read_write_or_connect(
    run: Run, tmp_path: Path, visitors: tuple[tuple[str, int], list[object]], option: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    names = {name: str(home / name) for name in ("secret", "written", "stolen")}
    Path(names["secret"]).write_text("the password")
    address, seen = visitors
    code = HOSTILE.format(address=address, **names)
    result = run(LOADS_IT.replace("CODE", repr(code)), f"--roundtrip-{option}")
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "the artifact ran" in text
    harmed = {
        "the password" in text.replace(repr(code), ""),
        Path(names["written"]).exists(),
        Path(names["stolen"]).exists(),
        bool(seen),
        not Path(names["secret"]).exists(),
    }
    assert harmed == {option == "confinement=off"}, text
    assert "the reload accessed the network" in text
