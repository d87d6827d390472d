"""What is released is recorded, checked on another machine, and each fault there is named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow as tf

HERE = Path(__file__).parent
OTHER_PYTHON = "RELEASE_OTHER_PYTHON"  # names the Python of a virtual environment that is there
OTHER = ["tensorflow-cpu==2.15.*"]  # the last one with Keras 2
BOTH = ("translator.saved_model", "encoder.saved_model")
IS_KERAS_3 = hasattr(tf.keras, "ops")


def run(python: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script; what TensorFlow writes to stderr is shown where the test fails."""
    # another machine does not have the variables of this one
    ours = {name: text for name, text in os.environ.items() if not name.startswith("TF_USE_")}
    environ = {**(os.environ if python == sys.executable else ours), **variables}
    command = [python, *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environ)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the bundles."""
    folder = tmp_path_factory.mktemp("release")
    code = [str(HERE.parent / name) for name in ("encoder_decoder", "universal_sentence_encoder")]
    path = os.pathsep.join([*code, os.environ.get("PYTHONPATH", "")])
    done = run(sys.executable, HERE / "record_release.py", folder, PYTHONPATH=path)
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="module")
def other_python() -> Iterator[str]:
    """The Python of a virtual environment with another TensorFlow, and nothing of this project."""
    if OTHER_PYTHON in os.environ:
        yield os.environ[OTHER_PYTHON]
        return
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip(f"no virtual environment: install uv, or name a Python in {OTHER_PYTHON}")
    with tempfile.TemporaryDirectory() as folder:
        python = f"{folder}/other/bin/python"
        for command in (
            ["venv", "--quiet", "--python", "3.11", f"{folder}/other"],
            ["pip", "install", "--quiet", "--python", python, *OTHER],
        ):
            made = subprocess.run([uv, *command], capture_output=True, text=True)
            if made.returncode:
                pytest.skip(f"no virtual environment with {OTHER[0]}: {made.stderr[-300:]}")
        yield python


def test_it_is_as_recorded_in_this_interpreter(release: Path) -> None:
    """The command of the plugin: the same table as a test, for all bundles of a folder."""
    bundles = sorted(path for path in release.iterdir() if path.is_dir() and path.name != "broken")
    done = run(sys.executable, "-m", "pytest_modelroundtrip", "check", *bundles)
    assert done.returncode == 0, done.stdout
    assert f"{len(bundles)} passed" in done.stdout


def test_it_is_as_recorded_with_another_tensorflow(release: Path, other_python: str) -> None:
    """There only `reload.pyz` and the model's library are needed."""
    done = run(other_python, HERE / "check_release.py", *(release / name for name in BOTH))
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("\nweights         exact\n") == len(BOTH)


def test_faults_are_named(release: Path) -> None:
    """A weight that was changed, and a vocabulary that was not copied."""
    done = run(sys.executable, HERE / "break_release.py", release)
    assert done.returncode == 0, done.stdout
    broken = [release / "broken" / name for name in BOTH]
    done = run(sys.executable, HERE / "check_release.py", *broken)
    assert done.returncode == 1, done.stdout
    translator, encoder = done.stdout.split("== encoder.saved_model")
    assert "bias" in translator and "outputs         differs" in translator, translator
    assert "the file artifact/assets/vocabulary.txt is missing" in encoder, encoder
    assert encoder.rstrip().endswith("LOAD ERROR"), encoder


@pytest.mark.skipif(not IS_KERAS_3, reason="this TensorFlow writes what Keras 2.15 can read")
def test_a_keras_that_cannot_load_it_is_named(release: Path, other_python: str) -> None:
    """Keras 2 does not read what Keras 3 wrote."""
    done = run(other_python, HERE / "check_release.py", release / "translator.keras")
    assert done.returncode == 1, done.stdout
    assert "this needs Keras 3; the environment has Keras 2.15.0" in done.stdout
