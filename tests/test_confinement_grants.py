"""What confinement leaves possible, and what happens where a system grants none."""

from __future__ import annotations

import platform
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

import pytest
from inner_runs import Run, reported

from pytest_modelroundtrip.portable.confinement import confining

with tempfile.TemporaryDirectory() as folder:
    GRANT = confining.granted(folder)
pytestmark = pytest.mark.skipif(not GRANT.landlock, reason=str(GRANT))

PACKAGE = """
import json, os
HERE = os.path.dirname(__file__)

def factor():
    assert os.listdir(HERE) and os.path.exists(HERE)
    with open(os.path.join(HERE, "factor.json")) as source:
        return float(json.load(source))
"""

LAYER = """
import tensorflow as tf
K, L = tf.keras, tf.keras.layers

@K.utils.register_keras_serializable()
class Scale(L.Layer):
    def build(self, shape):
        import by_finder, by_link  # only when it is loaded

        text = tf.io.read_file(os.path.join(HERE, "factor.json"))
        self.again = float(tf.strings.to_number(text))
        self.factor = factor() + by_finder.factor() + by_link.factor()

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
import by_pth

@pytest.mark.roundtrip(
    formats=["keras", "saved_model"], generations=2, environments=["linked"], imports=["by_pth"]
)
def test_it():
    model = K.Sequential([K.Input((4,)), by_pth.Scale(), L.Dense(2)])
    model.compile(jit_compile=True)
    return model
"""


@pytest.mark.usefixtures("keras_format")
def test_installed_packages_are_readable_wherever_they_are(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    """Of a virtual environment under a link: editable installs of two kinds, and a link."""
    for name in ("by_pth", "by_finder", "by_link"):
        package = tmp_path / name / "src" / name
        package.mkdir(parents=True)
        layer = LAYER if name == "by_pth" else ""
        (package / "__init__.py").write_text(PACKAGE + layer)
        (package / "factor.json").write_text("3")
        pytester.syspathinsert(package.parent)
    environment = tmp_path / "real" / "venv"
    venv.create(environment, symlinks=True)
    paths = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", "venv", paths))
    # with its own .pth files: TensorFlow 2.16 needs the distutils that setuptools puts there
    added = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})"
    (packages / "tensorflow.pth").write_text(added)
    (packages / "by_pth.pth").write_text(str(tmp_path / "by_pth" / "src"))
    finder = "__editable___by_finder"
    mapping = {"by_finder": str(tmp_path / "by_finder" / "src" / "by_finder")}
    (packages / f"{finder}.py").write_text(FINDER.format(mapping=mapping))
    (packages / f"{finder}.pth").write_text(f"import {finder}; {finder}.install()")
    (packages / "by_link").symlink_to(tmp_path / "by_link" / "src" / "by_link")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    linked = f"linked={tmp_path}/link/venv"
    option = f"--roundtrip-define-environment={linked}"
    found = reported(run, USES_PACKAGES, option)
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
    (auto,) = reported(run, source, *options)
    nothing = "none, no Landlock (Operation not permitted), no namespaces (Operation not permitted)"
    assert (auto["verdict"], auto["confinement"]) == ("exact", nothing)
    (required,) = reported(run, source, *options, "--roundtrip-confinement=required")
    assert required["verdict"] == "environment broken"
    assert f"roundtrip_confinement is 'required', and this system grants {nothing}" in " ".join(
        required["text"].split()
    )
    listed = run(source, *options, "--roundtrip-list").stdout.str()
    assert f"confinement: {nothing}" in listed and f"confinement: {GRANT}" in listed
