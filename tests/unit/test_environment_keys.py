"""`environments.provisioning`: when a cached environment is not the one that is asked for."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from pytest_modelroundtrip.environments.provisioning import Packages, _key


def key_of(*arguments: str) -> str:
    return _key(Packages(arguments))


@pytest.mark.parametrize(
    "named",
    [
        "a @ file://{folder}/my%20wheels/a-1-py3-none-any.whl",
        "a@file://localhost{folder}/my%20wheels/a-1-py3-none-any.whl#sha256=abc",
        "./a-1-py3-none-any.whl",
        "a-1-py3-none-any.whl[extra]; python_version>'3'",
        "a @ {folder}/a-1-py3-none-any.whl",
    ],
)
@pytest.mark.parametrize("in_file", [False, True])
def test_a_wheel_counts_by_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, in_file: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    requirement = named.format(folder=tmp_path)
    (tmp_path / "sub").mkdir()
    listing = tmp_path / "sub" / "all.txt"
    listing.write_text(f"six==1.16.0\n{requirement}\n")
    arguments = ("-r", str(listing)) if in_file else ("six==1.16.0", requirement)
    folder = tmp_path / "my wheels" if "my%20wheels" in named else tmp_path
    folder.mkdir(exist_ok=True)
    keys = []
    for content in (b"old", b"new", b"old"):
        (folder / "a-1-py3-none-any.whl").write_bytes(content)
        keys.append(key_of(*arguments))
    assert keys[0] != keys[1]
    assert keys[0] == keys[2]


def test_machines_of_another_kind_have_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """They may share a home."""
    keys = set()
    for platform in ("linux-x86_64", "linux-aarch64"):
        monkeypatch.setattr(sysconfig, "get_platform", lambda platform=platform: platform)
        keys.add(key_of("six==1.16.0"))
    assert len(keys) == 2


def test_a_requirements_file_counts_by_its_content_not_by_its_path(tmp_path: Path) -> None:
    for name, content in [("a", "six==1.16.0\n"), ("b", "six==1.16.0\n"), ("c", "six==1.17.0\n")]:
        (tmp_path / name).write_text(content)
    one, same, other = (key_of("-r", str(tmp_path / name)) for name in "abc")
    assert one == same != other
