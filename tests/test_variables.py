"""What a run sends and writes of the variables of its user, and of bytes that are not UTF-8."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from inner_runs import Run

TELLING = """
import os

raise RuntimeError(
    f"MY_TOKEN has {len(os.environ['MY_TOKEN'])} characters, "
    f"TF_AZURE_STORAGE_KEY is there: {'TF_AZURE_STORAGE_KEY' in os.environ}"
)
"""
TOLD = "MY_TOKEN has 9 characters, TF_AZURE_STORAGE_KEY is there: False"


def test_no_secret_is_sent_or_written_and_no_odd_byte_ends_the_run(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "TF_AZURE_STORAGE_KEY": "hidden: 1",
        "MY_TOKEN": "hidden: 2",
        "PATH": f"{os.environ['PATH']}:/\udcff",
        "TF_CPP_VMODULE": "x=\udcff",
    }.items():
        monkeypatch.setenv(name, value)
    pytester.mkdir("lib").joinpath("telling.py").write_text(TELLING)
    kept = pytester.path / "kept \udcff"
    result = run(
        "@pytest.mark.roundtrip(formats=['h5'], imports=['telling'])\n"
        "def test_it():\n    return dense()\n",
        "--roundtrip-pythonpath=lib",
        "--roundtrip-pass-env=MY_*",
        "--roundtrip-report=report.json",
        "--junitxml=junit.xml",
        f"--basetemp={kept}",
    )
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert TOLD in " ".join(text.split())
    files = [path for path in pytester.path.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"report.json", "junit.xml", "roundtrip.json", "requirements.txt", "job"} <= names
    for written in [text, *(path.read_bytes().decode("latin-1") for path in files)]:
        assert "hidden:" not in written
    origin = json.loads((kept / "roundtrip-h50" / "1" / "roundtrip.json").read_text())
    _tells_the_same(origin["reproduce"], pytester.path)


def _tells_the_same(reproduce: str, folder: Path) -> None:
    """It has the variable of the shell that it is run in, and nothing stays behind."""
    (folder / "temporary").mkdir()
    environment = {**os.environ, "TMPDIR": str(folder / "temporary")}
    done = subprocess.run(["sh", "-c", reproduce], capture_output=True, env=environment)
    assert TOLD in done.stdout.decode(), done.stderr
    assert not list((folder / "temporary").iterdir())
