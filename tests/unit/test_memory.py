"""The memory that more processes may use, with and without the limit of a container."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_modelroundtrip.portable.processes import memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc/meminfo")


@pytest.fixture(params=memory.CONTAINER, ids=["version 2", "version 1"])
def limit(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the limit of a container that uses 700 bytes, 600 of them for files."""
    _, limit, used, files = request.param
    (tmp_path / used).write_text("700\n")
    (tmp_path / "memory.stat").write_text(f"anon 100\n{files} 600\n")
    monkeypatch.setattr(memory, "CONTAINER", [(str(tmp_path), limit, used, files)])
    return tmp_path / str(limit)


def test_what_files_take_is_free(limit: Path) -> None:
    limit.write_text("1000\n")
    assert memory.free_memory() == 900


def test_a_container_need_not_have_a_limit(limit: Path) -> None:
    limit.write_text("max\n")
    assert memory.free_memory() > 1000
