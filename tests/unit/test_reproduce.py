"""The line after `reproduce:`, run by the shells that a user may paste it into."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_modelroundtrip.environments import HERE
from pytest_modelroundtrip.environments.specification import parse

FOLDERS = {
    "plain": "plain",
    "spaces": " two  spaces ",
    "quotes": 'it\'s "quoted" `x` $HOME $(x)',
    "newline": "two\nlines",
    "newline at the end": "line\n",
    "comment": "a # b\n exit 3 #",
    "percent": "100% \\n \\ !x\t\a\x1b[31m",
    "not ASCII": "é 模型",
    "not ASCII, newline": "é 模型\n",
    "not UTF-8": os.fsdecode(b"\xff\xfe 'x'"),
}
# what it says instead of reloading
SEEN = """
import json, os, sys
print(json.dumps({"environ": dict(os.environ), "here": os.listdir("."), "cwd": os.getcwd()}))
"""
SHELLS = [path for path in map(shutil.which, ("sh", "bash")) if path]


def kept(folder: Path) -> Path:
    """A folder with a `reload.pyz` that tells what it sees."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "reload.pyz", "w") as archive:
        archive.writestr("__main__.py", SEEN)
    return folder


@pytest.mark.parametrize("name", FOLDERS.values(), ids=FOLDERS)
@pytest.mark.parametrize("shell", SHELLS)
def test_the_line_runs_in_any_folder(
    shell: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_XLA_FLAGS", f"--x={name}")
    monkeypatch.setenv("MY_OWN", f"of {name}")
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = kept(tmp_path / name)
    line = replace(HERE, pass_env=("MY_*",)).reproduce_command(str(folder))
    assert line.isprintable()
    assert not name.isprintable() or str(folder) in line or "'" in name
    done = subprocess.run([shell, "-c", line], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["cwd"] == seen["environ"]["HOME"] == str(folder)
    assert seen["environ"]["TMPDIR"] == str(tmp_path)
    assert seen["environ"]["TF_XLA_FLAGS"] == f"--x={name}"
    assert seen["environ"]["MY_OWN"] == f"of {name}"
    assert seen["environ"]["PATH"] == os.environ["PATH"]
    assert "SECRET" not in seen["environ"]


def test_there_is_a_folder_for_temporary_files_where_the_user_has_set_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    line = HERE.reproduce_command(str(kept(tmp_path / "kept")))
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["environ"]["TMPDIR"] == "/tmp"


@pytest.mark.parametrize("name", FOLDERS.values(), ids=FOLDERS)
def test_the_line_of_a_wrapped_interpreter_runs_there(name: str, tmp_path: Path) -> None:
    folder = kept(tmp_path / name)
    line = (
        parse(f"popen//python=env {sys.executable}", tmp_path)
        .resolved(print)
        .reproduce_command(str(folder))
    )
    assert line.isprintable()
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["cwd"] == str(folder)


@pytest.mark.parametrize("name", FOLDERS.values(), ids=FOLDERS)
def test_the_line_of_a_host_takes_the_folder_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program `ssh` stands for a host: it runs what it is given, as a shell there does."""
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(
        '#!/bin/sh\nfor last; do :; done\nexec env -i PATH="$PATH" TMPDIR="$TMPDIR" sh -c "$last"\n'
    )
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", name)
    folder = kept(tmp_path / name)
    kind = parse(f"ssh=host//python={sys.executable}", tmp_path)
    line = kind.resolved(print).reproduce_command(str(folder))
    assert line.isprintable()
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["here"] == ["reload.pyz"]
    assert seen["environ"]["OMP_NUM_THREADS"] == name
    assert (seen["environ"]["HOME"], seen["environ"]["TMPDIR"]) == (seen["cwd"], str(tmp_path))
