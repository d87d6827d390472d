"""A disk that is full, for real: a small file system of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from inner_runs import HEADER, REGISTERING

MOUNT = 'mount -t tmpfs -o size=3m none "$0"'
IMPORTABLE = (
    REGISTERING
    + """
import sys

@register(package="ours")
class Repeating(L.Layer):
    '''Answers otherwise after a reload: what is equal does not travel.'''

    def call(self, x):
        return tf.repeat(x, 300_000, axis=1) + (1.0 if "pytest" in sys.modules else 2.0)
"""
)
SUITE = """
from repeating import Repeating

def wide():
    return K.Sequential([K.Input((1000,)), L.Dense(1000)])  # four megabytes


@pytest.mark.roundtrip(formats=["h5", "saved_model"], checks=["outputs"])
def test_the_artifact_is_too_large():
    return wide()


@pytest.mark.roundtrip(formats=["h5"], checks=["outputs"], imports=["repeating"])
def test_the_answer_is_too_large():
    return K.Sequential([K.Input((1, 4)), Repeating()])


@pytest.mark.roundtrip(formats=["h5"], checks=["outputs"])
def test_what_follows():
    return dense()
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A folder where a file system can be mounted in a namespace."""
    folder = tmp_path / "small"
    folder.mkdir()
    if sys.platform != "linux" or shutil.which("unshare") is None:
        pytest.skip("there is no unshare(1)")
    tried = subprocess.run(
        ["unshare", "-rm", "sh", "-c", MOUNT, folder], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"no file system can be mounted here: {tried.stderr.strip()}")
    return folder


def test_each_round_trip_says_so_and_the_run_goes_on(
    small_disk: Path,
    pytester: pytest.Pytester,
    tensorflow: ModuleType,  # noqa: ARG001
) -> None:
    pytester.makepyfile(HEADER + SUITE)
    pytester.makepyfile(repeating=IMPORTABLE)
    pytester.makeini("[pytest]\nroundtrip_pythonpath = .\n")
    script = f'{MOUNT} && export TMPDIR="$0" && {{ "$@"; find "$0" -name "*.h5" -o -name saving; }}'
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    command += ["--basetemp", str(small_disk / "base"), "--roundtrip-report=report.json"]
    result = pytester.run("unshare", "-rm", "sh", "-c", script, str(small_disk), *command)
    records = json.loads(Path("report.json").read_text())["roundtrips"]
    verdicts = [record["verdict"] for record in records]
    assert verdicts == ["system error", "system error", "system error", "exact"], records
    for record in records[:3]:
        text = " ".join(record["text"].split())
        assert "No space left on device" in text and "hint: Free space there" in text
        assert f"MB in {small_disk}" in text and "artifact:" not in text
    assert "could not write its answer" in " ".join(records[2]["problems"])
    assert not [line for line in result.outlines[-3:] if line.endswith((".h5", "saving"))]
