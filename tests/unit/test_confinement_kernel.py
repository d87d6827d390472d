"""What each grant of a system does to a process, without TensorFlow."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import pytest_modelroundtrip
from pytest_modelroundtrip.portable.confinement import (
    allowed_paths,
    confining,
    namespaces,
)
from pytest_modelroundtrip.portable.confinement.confining import Cage, ConfinementError, Grant
from pytest_modelroundtrip.portable.confinement.landlock import NETWORK_ABI

PACKAGE = Path(pytest_modelroundtrip.__file__).parent
with tempfile.TemporaryDirectory() as folder:
    GRANT = confining.granted(folder)
with_namespaces = pytest.mark.skipif(not GRANT.namespaces, reason=str(GRANT))

TRIES = """
import json, os, socket, subprocess, sys
from pytest_modelroundtrip.portable.confinement import confining
from pytest_modelroundtrip.portable.confinement.confining import Cage, Grant

outside, own, artifact, port, grant = json.loads(sys.argv[1])
grant = confining.entered(Grant(*grant))
os.chdir(own)
cage = Cage("auto", grant, own)
cage.close(artifact, [], [], [])
done = {}

def attempt(name, do):
    try:
        done[name] = bool(do())
    except OSError:
        done[name] = False

attempt("read", lambda: open(outside + "/file").read())
attempt("list", lambda: os.listdir(outside))
attempt("stat", lambda: os.stat(outside + "/file"))
attempt("write", lambda: open(outside + "/written", "w"))
attempt("remove", lambda: os.unlink(outside + "/file") is None)
attempt("connect", lambda: socket.create_connection(("127.0.0.1", port)))
attempt("own", lambda: open(own + "/a", "w").write("a"))
attempt("move", lambda: (os.mkdir(own + "/b"), os.rename(own + "/a", own + "/b/a")))
attempt("open to write as well", lambda: open(artifact + "/model", "r+b").read())
attempt("make in the artifact", lambda: open(artifact + "/new", "wb"))
attempt("run", lambda: subprocess.run(["/bin/sh", "-c", ":"]).returncode == 0)
attempt("write nowhere", lambda: open("/dev/null", "wb").write(b"0"))
attempt("draw", lambda: open("/dev/urandom", "rb").read(1))
attempt("mount", lambda: subprocess.run(["umount", outside], capture_output=True).returncode == 0)
print(json.dumps([cage.description, done]))
"""
SOUND = {"own", "open to write as well", "run", "write nowhere", "draw"}
GRANTS = [
    pytest.param(Grant(1, False, []), SOUND | {"stat", "connect"}, id="landlock1"),
    pytest.param(Grant(3, False, []), SOUND | {"stat", "connect", "move"}, id="landlock3"),
    pytest.param(Grant(4, False, []), SOUND | {"stat", "move"}, id="landlock4"),
    pytest.param(GRANT._replace(namespaces=False), SOUND | {"stat", "move"}, id="all-of-landlock"),
    pytest.param(
        Grant(0, True, []),
        SOUND | {"move", "make in the artifact"},
        id="namespaces",
        marks=with_namespaces,
    ),
    pytest.param(GRANT, SOUND | {"move"}, id="all", marks=with_namespaces),
]


ORDINARY_USER, PYTHON_OF_ALL = 65534, "/usr/bin/python3"


@pytest.mark.parametrize("user", ["this user", "an ordinary user"])
@pytest.mark.parametrize(("grant", "possible"), GRANTS)
def test_what_a_grant_leaves_possible(grant: Grant, possible: set[str], user: str) -> None:
    if GRANT.landlock < NETWORK_ABI:
        pytest.skip(str(GRANT))
    python = sys.executable
    becoming: dict[str, Any] = {}
    if user != "this user":
        python = PYTHON_OF_ALL
        becoming = {"user": ORDINARY_USER, "group": ORDINARY_USER, "extra_groups": []}
        if os.geteuid() != 0 or not os.path.exists(python):
            pytest.skip("only root can become another user, who has no Python here")
    with tempfile.TemporaryDirectory() as folder:
        outside, own = Path(folder, "outside"), Path(folder, "scratch", "own")
        artifact = Path(folder, "artifact")
        shutil.copytree(PACKAGE, Path(folder, "packages", PACKAGE.name))
        for made in (Path(folder), outside, artifact, own.parent, own):
            made.mkdir(exist_ok=True)
            made.chmod(0o777)
        for file in (outside / "file", artifact / "model"):
            file.write_text("a")
            file.chmod(0o666)
        with socket.create_server(("127.0.0.1", 0)) as server:
            given = json.dumps(
                [*map(str, (outside, own, artifact)), server.getsockname()[1], grant]
            )
            ran = subprocess.run(
                [python, "-c", TRIES, given],
                capture_output=True,
                text=True,
                cwd=own,
                env={"PYTHONPATH": f"{folder}/packages"},
                **becoming,
            )
        assert ran.returncode == 0, ran.stderr
        description, done = json.loads(ran.stdout)
        assert description == str(grant)
        assert {name for name, worked in done.items() if worked} == possible, ran.stderr
        assert (outside / "file").exists() and not (outside / "written").exists()


@pytest.mark.parametrize(
    ("landlock", "namespaces", "enough"),
    [(0, False, False), (0, True, False), (3, False, False), (3, True, True), (4, False, True)],
)
def test_what_is_enough_where_it_is_required(landlock: int, namespaces: bool, enough: bool) -> None:
    assert Grant(landlock, namespaces, []).is_whole == enough


STARTS_A_THREAD = """
import os, sys, threading
from pytest_modelroundtrip.portable.confinement.confining import Cage, Grant

for _ in range(2):  # one is expected: it watches the parent
    threading.Thread(target=threading.Event().wait, daemon=True).start()
cage = Cage("auto", Grant(1, False, []), sys.argv[1])
cage.close("", [], [], [])
print(cage.description)
"""


@pytest.mark.skipif(not GRANT.landlock, reason=str(GRANT))
def test_threads_that_are_not_confined_are_reported(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", STARTS_A_THREAD, str(tmp_path)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(PACKAGE.parent)},
    ).stdout
    assert told == "Landlock 1, not for threads that imports started (1)\n"


def test_the_first_landlock_is_not_used_where_files_must_move(tmp_path: Path) -> None:
    cage = Cage("auto", Grant(1, False, []), str(tmp_path))
    cage.close("", [], [str(tmp_path)], [])
    assert cage.description == (
        "none, no Landlock (version 1 does not allow moving files, and saving moves files)"
    )


def test_what_is_required_and_not_granted_is_an_error_with_its_reason(tmp_path: Path) -> None:
    nothing = Grant(0, False, ["no Landlock (Function not implemented)"])
    cage = Cage("required", nothing, str(tmp_path))
    with pytest.raises(ConfinementError, match=r"this system grants none, no Landlock \(Function"):
        cage.close("", [], [], [])
    assert Cage("auto", nothing, str(tmp_path)).close("", [], [], []).readable


def test_a_folder_of_packages_may_be_closed_to_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_path: object) -> None:  # root, who may run this, reads every folder
        raise PermissionError

    monkeypatch.setattr(os, "scandir", refused)
    assert sys.prefix in allowed_paths.of_reload("", [], [], []).readable


@pytest.mark.skipif(sys.platform != "linux", reason="both are parts of Linux")
def test_a_filter_that_kills_who_asks_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KillingLibrary:
        """The C library, in place of which the first call ends the process."""

        def __init__(self, *_: object, **__: object) -> None:
            os.kill(os.getpid(), signal.SIGSYS)

    monkeypatch.setitem(namespaces.PIVOT_ROOT, os.uname().machine, 0)
    monkeypatch.setattr(ctypes, "CDLL", KillingLibrary)
    assert confining.granted(str(tmp_path)) == Grant(
        0, False, ["no Landlock (signal 31 (SIGSYS))", "no namespaces (signal 31 (SIGSYS))"]
    )
