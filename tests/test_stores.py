"""Bundles whose weights are elsewhere: recorded into a store, checked from a folder or a server."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from file_server import served

from pytest_modelroundtrip import RecordError, record

if TYPE_CHECKING:
    from inner_runs import Check, Run

TEST = """
@pytest.mark.roundtrip(formats=["weights", "saved_model"])
def test_encoder():
    return K.Sequential([K.Input((600,)), L.Dense(600)])
"""
INI = "[pytest]\nroundtrip_goldens = goldens\n"


def change_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def reload(bundle: Path, *arguments: str) -> tuple[int, str]:
    """The exit status of `reload.pyz`, and what it printed."""
    return process("-I", str(bundle / "reload.pyz"), *arguments)


def process(*arguments: str) -> tuple[int, str]:
    """The exit status of another Python, and what it printed."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.returncode, done.stdout


def test_goldens_are_small_and_their_weights_elsewhere(run: Run, check: Check) -> None:
    result = run(TEST, "--roundtrip-record=goldens", "--roundtrip-store=store")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["recorded *.test_encoder.weights: * kB, and 1.? MB in *store"])
    sizes = [path.stat().st_size for path in Path("goldens").rglob("artifact/**/*")]
    assert sizes and max(sizes) < 10**6
    Path("pytest.ini").write_text(INI)
    check("goldens", "--roundtrip-report=report.json").assert_outcomes(passed=2)
    assert all(
        row["size"] > 10**6 for row in json.loads(Path("report.json").read_text())["roundtrips"]
    )

    Path("store").rename("moved")
    result = check("goldens")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "SYSTEM ERROR: a machine refused something; format weights was not tested",
            "  the file artifact/model.weights.h5 is outside of the bundle, and",
            "*store/*",
            "    cannot be read: No such file or directory",
            "      --roundtrip-store=FOLDER_OR_URL, or set the ini option",
        ]
    )
    check("goldens", "--roundtrip-store=moved").assert_outcomes(passed=2)
    with served(Path("moved")) as url:
        Path("pytest.ini").write_text(f"{INI}roundtrip_store = {url}\n")
        check("goldens").assert_outcomes(passed=2)
        refused = run(TEST, "--roundtrip-record=new")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*pass a folder to --roundtrip-store: nothing is uploaded*"])

    Path("pytest.ini").write_text(f"{INI}roundtrip_store = moved\n")
    for path in Path("moved").iterdir():
        change_a_byte(path)
    result = check("goldens")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["DIFFERS: format weights*", "*was changed: its SHA-256 is not *"])
    result.stdout.fnmatch_lines(["reproduce: cd *reload.pyz --store=*moved"])
    result.stdout.no_fnmatch_line("reloaded:*")  # it was not loaded


def test_a_script_records_into_a_store(
    tensorflow: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keras, store = tensorflow.keras, tmp_path / "store"
    model = keras.Sequential([keras.Input((600,)), keras.layers.Dense(600)])
    for url in ("https://example.org", "s3://bucket"):
        with pytest.raises(RecordError, match="nothing is uploaded to a URL"):
            record(model, path=tmp_path / "m", formats=["weights"], store=url)
    with caplog.at_level(logging.INFO, "pytest_modelroundtrip"):
        (bundle,) = record(model, path=tmp_path / "a", formats=["weights"], store=store)
        (archive,) = record(
            model, path=tmp_path / "b", formats=["weights"], store=store, archive=True
        )
    assert "recorded a.weights: " in caplog.text and f" MB in {store}" in caplog.text
    assert archive.stat().st_size < 10**6 and len([*store.iterdir()]) == 1
    store.rename(tmp_path / "moved")
    status, printed = reload(bundle, "--check")
    assert (status, printed.splitlines()[-1]) == (1, "SYSTEM ERROR"), printed
    with served(tmp_path / "moved") as url:
        status, printed = reload(bundle, "--check", f"--store={url}")
        assert (status, printed.splitlines()[-1]) == (0, "EXACT"), printed
        check = ["-m", "pytest_modelroundtrip", "check", str(archive), "--store", url]
        status, printed = process(*check)
        assert (status, "1 passed" in printed) == (0, True), printed
        for path in (tmp_path / "moved").iterdir():
            change_a_byte(path)
        status, printed = reload(bundle, f"--store={url}")
        assert (status, printed.splitlines()[-1]) == (1, "DIFFERS"), printed
    assert "model.weights.h5 is outside of the bundle, and" in printed
