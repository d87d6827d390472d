"""A reload has what a deployment has: what reaches for more is told, and cannot do harm."""

from __future__ import annotations

import json
import platform
import socket
import sys
import sysconfig
import tempfile
import threading
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from inner_runs import Run

from pytest_modelroundtrip.portable import confinement

with tempfile.TemporaryDirectory() as folder:
    GRANT = confinement.granted(folder)
pytestmark = pytest.mark.skipif(not GRANT.landlock, reason=str(GRANT))
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


def records(run: Run, source: str, *args: str) -> list[dict[str, Any]]:
    """What the JSON report of an inner run says of each round trip."""
    run(source, "--roundtrip-report=report.json", *args)
    found: list[dict[str, Any]] = json.loads(Path("report.json").read_text())["roundtrips"]
    return found


@pytest.mark.usefixtures("reading_layers")
def test_a_file_outside_the_artifact_is_told_with_its_path(run: Run) -> None:
    kinds = ["InCall", "Table", "Hdf5", "Checkpoint", "Listing", "Glob", "GlobOfTensorFlow"]
    found = records(run, READS_OUTSIDE.replace("KINDS", f"[{', '.join(kinds)}]"))
    assert len(found) == len(kinds)
    for record in found:
        assert record["verdict"] in ("differs", "load error"), record
        assert record["checks"]["self_contained"] == "differs", record
        assert "/outside" in "".join(record["problems"]), record
        assert "Put what it needs into the artifact" in record["text"]
        assert f"confined:  {GRANT}" in record["text"]
        assert record["confinement"] == str(GRANT)


@with_namespaces
@pytest.mark.usefixtures("reading_layers")
def test_a_fallback_for_a_file_that_is_not_there_is_told_with_its_path(run: Run) -> None:
    kinds = "[Fallback, FallbackOfTensorFlow]"
    plain, native = records(run, READS_OUTSIDE.replace("KINDS", kinds))
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
    (record,) = records(run, source)
    assert record["verdict"] == "load error"
    assert 'confinement="off"' in record["text"]
    (off,) = records(run, source, "--roundtrip-confinement=off")
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


# what stays possible

PACKAGE = """
import json, os
import tensorflow as tf
K, L = tf.keras, tf.keras.layers
HERE = os.path.dirname(__file__)


@K.utils.register_keras_serializable(package={name!r})
class Scale(L.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with open(os.path.join(HERE, "factor.json")) as source:
            self.factor = json.load(source)
        assert os.listdir(HERE) and os.path.exists(HERE)

    def build(self, shape):
        text = tf.io.read_file(os.path.join(HERE, "factor.json"))
        self.again = float(tf.strings.to_number(text))

    def call(self, x):
        return x * self.factor + self.again
"""

FINDER = """
import importlib.util, sys
MAPPING = {mapping!r}

class _EditableFinder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in MAPPING:
            file = MAPPING[name] + "/__init__.py"
            return importlib.util.spec_from_file_location(name, file)

def install():
    sys.meta_path.append(_EditableFinder)
"""

USES_PACKAGES = """
import by_pth, by_finder, by_link

@pytest.mark.roundtrip(
    formats=["keras", "saved_model"], generations=2, environments=["linked"],
    imports=["by_pth", "by_finder", "by_link"],
)
def test_it():
    model = K.Sequential([
        K.Input((4,)), by_pth.Scale(), by_finder.Scale(), by_link.Scale(), L.Dense(2)
    ])
    model.compile(jit_compile=True)
    return model
"""


def test_installed_packages_are_readable_wherever_they_are(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    """Of a virtual environment under a link: editable installs of two kinds, and a link."""
    for name in ("by_pth", "by_finder", "by_link"):
        package = tmp_path / name / "src" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(PACKAGE.format(name=name))
        (package / "factor.json").write_text("3")
        pytester.syspathinsert(package.parent)
    environment = tmp_path / "real" / "venv"
    venv.create(environment, symlinks=True)
    paths = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", "venv", paths))
    (packages / "tensorflow.pth").write_text(sysconfig.get_path("purelib"))
    (packages / "by_pth.pth").write_text(str(tmp_path / "by_pth" / "src"))
    finder = "__editable___by_finder"
    mapping = {"by_finder": str(tmp_path / "by_finder" / "src" / "by_finder")}
    (packages / f"{finder}.py").write_text(FINDER.format(mapping=mapping))
    (packages / f"{finder}.pth").write_text(f"import {finder}; {finder}.install()")
    (packages / "by_link").symlink_to(tmp_path / "by_link" / "src" / "by_link")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    linked = f"linked={tmp_path}/link/venv"
    option = f"--roundtrip-define-environment={linked}"
    found = records(run, USES_PACKAGES, option)
    told = [record["text"] for record in found]
    assert [record["verdict"] for record in found] == ["exact", "exact"], "\n".join(told)
    assert {record["confinement"] for record in found} == {str(GRANT)}


REFUSES = '''
"""Start a program to which the kernel refuses Landlock and namespaces, as some containers do."""
import ctypes, os, struct, sys

SECCOMP, NO_NEW_PRIVILEGES, FILTER = 22, 38, 2
LOAD, JUMP_IF_EQUAL, RETURN, ALLOW, REFUSE = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050001
steps = [(LOAD, 0, 0, 0)]
for left, number in ((2, 444), (1, {unshare})):
    steps.append((JUMP_IF_EQUAL, left, 0, number))
steps += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
code = b"".join(struct.pack("HBBI", *step) for step in steps)
held = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(held))
libc = ctypes.CDLL(None)
assert libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
assert libc.prctl(SECCOMP, FILTER, program, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
'''


@pytest.mark.skipif(platform.machine() != "x86_64", reason="another number of a system call")
def test_where_nothing_is_granted_only_what_requires_it_fails(run: Run, tmp_path: Path) -> None:
    program = tmp_path / "refuses.py"
    program.write_text(REFUSES.format(unshare=272))
    command = f"refused=popen//python={sys.executable} {program} {sys.executable}"
    options = (f"--roundtrip-define-environment={command}", "--roundtrip-environments=refused")
    source = '@pytest.mark.roundtrip(formats=["h5"])\ndef test_it():\n    return dense()\n'
    (auto,) = records(run, source, *options)
    nothing = "none, no Landlock (Operation not permitted), no namespaces (Operation not permitted)"
    assert (auto["verdict"], auto["confinement"]) == ("exact", nothing)
    (required,) = records(run, source, *options, "--roundtrip-confinement=required")
    assert required["verdict"] == "environment broken"
    assert f"roundtrip_confinement is 'required', and this system grants {nothing}" in " ".join(
        required["text"].split()
    )
    listed = run(source, *options, "--roundtrip-list").stdout.str()
    assert f"confinement: {nothing}" in listed and f"confinement: {GRANT}" in listed
