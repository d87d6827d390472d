"""`environments.provisioning`: uv creates the virtual environment of requirements, once."""

from __future__ import annotations

import concurrent.futures
import importlib.util
import os
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_modelroundtrip.environments import provisioning
from pytest_modelroundtrip.environments.kinds.local import LocalPython
from pytest_modelroundtrip.environments.provisioning import ProvisioningError
from pytest_modelroundtrip.environments.specification import parse

pytestmark = pytest.mark.slow

needs_uv = pytest.mark.skipif(
    not (shutil.which("uv") or importlib.util.find_spec("uv")), reason="needs uv"
)


def created(specification: str, folder: Path, lines: list[str] | None = None) -> str:
    """The Python that is created; what is shown meanwhile is added to `lines`."""
    kind = parse(specification, folder).resolved(print if lines is None else lines.append)
    assert isinstance(kind, LocalPython)
    return kind.python


def version_of_six(python: str) -> str:
    """The version that is installed there."""
    code = "import six; print(six.__version__)"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@needs_uv
def test_requirements_are_installed_once_however_many_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lines: list[str] = []
    together = threading.Barrier(2)

    def ask() -> str:
        together.wait(30)
        return created("six==1.16.0", tmp_path, lines)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        one, other = [task.result(300) for task in [pool.submit(ask), pool.submit(ask)]]
    assert one == other
    assert sum(line.startswith("creating the environment") for line in lines) == 1
    assert any("another process is creating" in line for line in lines)
    assert version_of_six(one) == "1.16.0"


@needs_uv
def test_requirements_that_do_not_exist_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ProvisioningError, match=r"uv pip install failed(.|\n)*No solution found"):
        created("six==0.0.99", tmp_path)
    assert not [path for path in provisioning.cache_folder().iterdir() if path.is_dir()]


@needs_uv
def test_a_cached_environment_is_created_anew_when_it_is_not_what_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "all.txt").write_text("-r nested.txt\n")

    def with_six(version: str) -> Path:
        back = f"-c ../{tmp_path.name}/nested.txt"
        (tmp_path / "nested.txt").write_text(f"six=={version}\n# and back:\n{back}\n")
        python = created("-r all.txt", tmp_path)
        assert version_of_six(python) == version
        return Path(python)

    first = with_six("1.16.0")
    assert with_six("1.17.0") != first
    first.unlink()
    first.symlink_to("/nowhere/python")  # as when the Python that it was made with is gone
    assert with_six("1.16.0") == first


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """What a uv that never comes to an end holds open; it writes a line there when it starts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    os.mkfifo(tmp_path / "held")
    (tmp_path / "uv").write_text(f"#!/bin/sh\nexec 3>{tmp_path}/held; echo >&3; sleep 100\n")
    (tmp_path / "uv").chmod(0o755)
    descriptor = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    yield descriptor
    os.close(descriptor)


def read(descriptor: int) -> bytes:
    assert select.select([descriptor], [], [], 30)[0]
    return os.read(descriptor, 10)


def test_a_uv_ends_with_the_process_that_started_it(held: int) -> None:
    code = (
        "import importlib.util\n"
        "from pytest_modelroundtrip.environments import provisioning\n"
        "importlib.util.find_spec = lambda *_: None\n"
        "provisioning.interpreter(provisioning.Packages(('six',)), print)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as asks:
        assert read(held) == b"\n"
        asks.kill()
    assert read(held) == b""


def test_a_uv_that_cannot_be_watched_is_ended(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(timer: threading.Timer) -> None:  # noqa: ARG001
        assert read(held) == b"\n"
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Timer, "start", no_more)
    with pytest.raises(ProvisioningError, match="uv cannot be watched: can't start new thread"):
        provisioning.interpreter(provisioning.Packages(("six",)), print)
    assert read(held) == b""


def test_a_uv_that_cannot_be_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    (tmp_path / "uv").write_text("#!/nowhere/sh\n")
    (tmp_path / "uv").chmod(0o755)
    with pytest.raises(ProvisioningError, match="uv cannot be run: No such file"):
        created("six==1.16.0", tmp_path)


def test_a_uv_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    message = r"uv is required to create it and is not installed: .*\[environments\]"
    with pytest.raises(ProvisioningError, match=message):
        created("six==1.16.0", tmp_path)


def test_a_cache_that_is_not_a_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    with pytest.raises(ProvisioningError, match="set XDG_CACHE_HOME to keep"):
        created("six==1.16.0", tmp_path)
