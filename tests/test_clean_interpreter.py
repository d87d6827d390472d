"""A deployment has the artifact, the installed packages and nothing else; so has the interpreter
that reloads.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from inner_runs import Run, adding_formats
from known_losses import lost_by_keras_3_0

SCALE = """
@K.utils.register_keras_serializable()
class Scale(L.Layer):
    def call(self, x):
        return x * 2.0

    def get_config(self):
        return super().get_config()
"""

USES_SCALE = """
@pytest.mark.roundtrip(formats=["h5", FORMAT]{keywords})
def test_it():
    return K.Sequential([K.Input((4,)), Scale(), L.Dense(2)])
"""

FORMAT = (
    "FORMAT = 'keras' if tuple(map(int, tf.__version__.split('.')[:2])) >= (2, 12) else 'weights'\n"
)


def test_a_class_that_only_the_tests_have_is_named_with_its_cure(run: Run) -> None:
    result = run(FORMAT + SCALE + USES_SCALE.format(keywords=""))
    result.assert_outcomes(failed=2)
    text = " ".join(result.stdout.str().split())
    assert text.count("Scale is defined in test_") == 2
    assert "a test module, which no server imports. Move Scale to a module of your package" in text
    assert 'imports=["that.module"]' in text


@lost_by_keras_3_0("load_model of .h5 does not look at its custom_objects")
def test_with_the_module_imported_it_passes(run: Run, pytester: pytest.Pytester) -> None:
    package = pytester.mkpydir("lib").parent
    Path(package, "lib", "layers_of_mine.py").write_text(
        "import tensorflow as tf\nK, L = tf.keras, tf.keras.layers\n"
        + SCALE.replace("Scale", "Double")
    )
    pytester.syspathinsert(package / "lib")
    pytester.makeini("[pytest]\nroundtrip_pythonpath = lib\n")
    source = FORMAT + "from layers_of_mine import Double\n" + USES_SCALE.replace("Scale", "Double")
    without = run(source.format(keywords=""))
    without.assert_outcomes(failed=2)
    assert 'pass imports=["layers_of_mine"]' in " ".join(without.stdout.str().split())
    run(source.format(keywords=", imports=['layers_of_mine']")).assert_outcomes(passed=2)
    objects = ", custom_objects={'Double': 'layers_of_mine:Double'}"
    run(source.format(keywords=objects)).assert_outcomes(passed=2)


LOOKS_AROUND = '''
"""A format that looks around where it is loaded."""
import json, os, sys
from pytest_modelroundtrip.portable.formats.saved_model import SavedModelFormat

class LooksAround(SavedModelFormat):
    """Writes down what it sees."""

    name = "looks_around"

    def load(self, folder, options):
        seen = {
            "path": sys.path, "modules": sorted(sys.modules), "environ": dict(os.environ),
            "user_site": sys.flags.no_user_site, "cwd": os.getcwd(), "entries": os.listdir("."),
            "home": os.listdir(os.path.expanduser("~")), "hash": hash("a string"),
        }
        with open(os.environ["TF_SEEN"], "w") as out:
            json.dump(seen, out)
        return super().load(folder, options)
'''


def look_around(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, *args: str
) -> dict[str, Any]:
    """What a reload sees of its process."""
    seen = pytester.path / "seen.json"
    seen.touch()  # a file that a variable names may be written
    for name, value in {
        "TF_SEEN": str(seen),
        "PYTHONPATH": str(pytester.path),
        "SECRET": "1",
        "PYTHONSTARTUP": "x",
        "KERAS_BACKEND": "tensorflow",
    }.items():
        monkeypatch.setenv(name, value)
    pytester.makepyfile(looks_around=LOOKS_AROUND, json_decoy="")
    pytester.syspathinsert()
    pytester.makeconftest(adding_formats("looks_around:LooksAround"))
    run(
        "@pytest.mark.roundtrip(formats=['looks_around'])\ndef test_it():\n    return dense()\n",
        "--roundtrip-pass-env=TF_SEEN",
        *args,
    ).assert_outcomes(passed=1)
    found: dict[str, Any] = json.loads(seen.read_text())
    return found


def test_it_has_nothing_of_the_tests(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = look_around(run, pytester, monkeypatch)
    assert str(pytester.path) not in seen["path"] and "" not in seen["path"]
    assert not [
        name
        for name in seen["modules"]
        if name == "conftest" or name.startswith("test_") or name == "pytest"
    ]
    assert seen["entries"] == seen["home"] == []
    assert (
        seen["cwd"]
        == seen["environ"]["HOME"]
        == seen["environ"]["KERAS_HOME"]
        == seen["environ"]["TFHUB_CACHE_DIR"]
    )
    assert seen["user_site"] == 1
    assert seen["hash"] != hash("a string")
    assert {"SECRET", "PYTHONPATH", "PYTHONSTARTUP"}.isdisjoint(seen["environ"])
    assert (
        seen["environ"]["PATH"] == os.environ["PATH"]
        and seen["environ"]["KERAS_BACKEND"] == "tensorflow"
    )


@pytest.mark.usefixtures("tensorflow")
def test_a_module_in_the_way_is_not_imported(pytester: pytest.Pytester) -> None:
    """A file in the folder where pytest runs must not hide one of the standard library."""
    pytester.makepyfile(socket="raise SystemExit('in the way')", test_it=HEADER_ALONE)
    program = Path(sys.executable).with_name(
        "pytest"
    )  # unlike `python -m pytest` it does not put the folder on its own path
    done = subprocess.run(
        [program, "-q", "--import-mode=importlib"], capture_output=True, text=True
    )
    assert "1 passed" in done.stdout, done.stdout


HEADER_ALONE = """
import pytest
import tensorflow as tf

@pytest.mark.roundtrip(formats=["h5"])
def test_it():
    return tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Dense(2)])
"""


def test_one_import_serves_all_formats(run: Run) -> None:
    """With -v it shows how many interpreters imported TensorFlow, and the seconds by phase."""
    marker = "@pytest.mark.roundtrip(formats=['h5', 'saved_model', 'checkpoint'])\n"
    source = f"{marker}def test_it():\n    return dense()\n"
    printed = {
        isolation: run(source, "-v", f"--roundtrip-isolation={isolation}").stdout.str()
        for isolation in ("fork", "spawn")
    }
    assert re.search(
        r"TensorFlow imports in clean interpreters: [01],", printed["fork"]
    )  # 0: an earlier test of ours has warmed it
    assert "TensorFlow imports in clean interpreters: 3," in printed["spawn"]
    assert re.search(r"test_it\[h5\]: .*reload: load \d+\.\d\d", printed["fork"])


def test_a_format_of_the_users_package_does_not_hide_that_package(
    run: Run, pytester: pytest.Pytester
) -> None:
    package = pytester.mkpydir("acme")
    layers = "import tensorflow as tf\nK, L = tf.keras, tf.keras.layers\n" + SCALE.replace(
        "Scale", "Triple"
    )
    Path(package, "layers.py").write_text(layers)
    Path(package, "boxed.py").write_text(BOXED)
    pytester.syspathinsert()
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    pytester.makeconftest(adding_formats("acme.boxed:Boxed"))
    source = """
from acme.layers import Triple

@pytest.mark.roundtrip(formats=["h5", "boxed"], imports=["acme.layers"])
def test_it():
    return K.Sequential([K.Input((4,)), Triple(), L.Dense(2)])
"""
    run(source).assert_outcomes(passed=2)


BOXED = '''
from pytest_modelroundtrip.portable.formats.h5 import H5Format

class Boxed(H5Format):
    """The format of a user's package."""

    name = "boxed"
'''
