"""`environments.specification`: the text of a specification -> a kind of environment."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_modelroundtrip.environments.install_hints import install_hint
from pytest_modelroundtrip.environments.kinds import Kind
from pytest_modelroundtrip.environments.kinds.command import Command
from pytest_modelroundtrip.environments.kinds.given import SpecificationError
from pytest_modelroundtrip.environments.kinds.host import HostCommand, HostPython
from pytest_modelroundtrip.environments.kinds.local import HERE, LocalPython
from pytest_modelroundtrip.environments.kinds.requirements import Requirements
from pytest_modelroundtrip.environments.specification import parse

PYTHON = sys.executable
T = TypeVar("T")


def python(path: str, **variables: str) -> LocalPython:
    return LocalPython(text="", python=path, variables=tuple(variables.items()))


def requirements(*arguments: str, python: str = "") -> Requirements:
    return Requirements(text="", arguments=arguments, python=python)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/opt/python", python("/opt/python")),
        ("~nobody.here/venv", python("{folder}/~nobody.here/venv")),
        ("/opt/python//env:A=http://ssh", python("/opt/python", A="http://ssh")),
        ("venv", python("{folder}/venv/bin/python")),
        ("sub/python", python("{folder}/sub/python")),
        ("/opt/python//env:A=b=//c//env:D=", python("/opt/python", A="b=//c", D="")),
        (
            "python==3.11 tensorflow-cpu==2.15.1 numpy<2",
            requirements("tensorflow-cpu==2.15.1", "numpy<2", python="3.11"),
        ),
        ("python>=3.10,<3.12 six", requirements("six", python="<3.12,>=3.10")),
        ("-r kept.txt", requirements("-r", "{folder}/kept.txt", python="3.10")),
        ("popen", python(PYTHON)),
        ("popen//python=/opt/python", python("/opt/python")),
        (
            "popen//python=./in-it python",
            Command(text="", words=("{folder}/in-it", "python")),
        ),
        (
            "popen//python=docker run -i 'an image' python",
            Command(text="", words=("docker", "run", "-i", "an image", "python")),
        ),
        (
            "ssh=-p 22 me@host//python=/opt/python",
            HostPython(text="", ssh=("-p", "22", "me@host"), python="/opt/python"),
        ),
        (
            "ssh=host//ssh_config=its//env:A=b",
            HostPython(
                text="",
                ssh=("-F", "{folder}/its", "host"),
                python="python3",
                variables=(("A", "b"),),
            ),
        ),
        (
            "ssh=host//python=podman run an-image python",
            HostCommand(text="", ssh=("host",), words=("podman", "run", "an-image", "python")),
        ),
    ],
)
def test_a_specification_is_read(tmp_path: Path, text: str, expected: Kind) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "kept.txt").write_text("# python==3.10\n# what saved it\nsix==1.16.0\n")
    found = parse(text, tmp_path)
    assert type(found) is type(expected)
    assert found.text == text
    for field in fields(expected):
        if field.name != "text":
            value = getattr(expected, field.name)
            assert getattr(found, field.name) == in_folder(value, tmp_path), field.name


def in_folder(value: T, folder: Path) -> T:
    """The value, nested tuples of strings, with that folder for "{folder}"."""
    if isinstance(value, str):
        return type(value)(value.replace("{folder}", str(folder)))
    assert isinstance(value, tuple)
    return type(value)(in_folder(item, folder) for item in value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty; a specification is the path of a Python"),
        ("tensorflow=2.15", "'tensorflow=2.15' is neither a path that exists nor a requirement"),
        ("python==3.11", "it names a Python and nothing to install there"),
        ("Python==3.11", "it names a Python and nothing to install there"),
        ("-r nowhere.txt", "nowhere.txt cannot be read: No such file"),
        ("-r", "a file is expected after -r"),
        ("-r latin.txt", "latin.txt cannot be read: 'utf-8' codec"),
        ("six 'numpy", "unbalanced quotes: No closing quotation"),
        ("popen//python=docker 'run", "unbalanced quotes: No closing quotation"),
        ("ssh='host", "unbalanced quotes: No closing quotation"),
        ("/opt/python//env:A", "write //env:NAME=value"),
        (
            "popen//env:A=1//python=/opt/python",
            "write //env:NAME=value, at the end of the specification",
        ),
        ("/opt/python//env:HOME=/x", "HOME cannot be set"),
        ("python3.99", "python3.99 is not a requirement, nor a Python in PATH; write python==3.99"),
        ("ssh=host//python=venv/bin/python", "on a host, name a Python by its full path"),
        (
            "popen//chdir=/x//nice=2",
            "chdir, nice: not used; choose from ssh, ssh_config, popen, python, env",
        ),
        ("popen//ssh=host", "popen and ssh: choose one of them"),
        ("popen//python=", "python has no value"),
        ("popen//python", "python has no value"),
        ("popen//python=' '", "python has no value"),
        ("ssh=", "ssh has no value"),
        ("ssh= //python=python3", "ssh has no value"),
        ("ssh", "ssh has no value"),
        ("popen//python=a//python=b", "execnet cannot read it: duplicate key: 'python'"),
        ("git+https://nohost.invalid/a", "neither a path that exists nor a requirement"),
        ("socket=host:80", "socket gateways cannot be started clean"),
        ("/opt/\0python", "it contains a NUL character"),
        ("\0", "it contains a NUL character"),
        ("venv\0", "it contains a NUL character"),
        ("popen//python=/opt/\0python", "it contains a NUL character"),
        ("popen//python=nice\0 python", "it contains a NUL character"),
        ("ssh=ho\0st", "it contains a NUL character"),
        ("ssh=host//ssh_config=a\0b", "it contains a NUL character"),
        ("six==1.16.0 num\0py", "it contains a NUL character"),
        ("-r kept\0.txt", "it contains a NUL character"),
        ("/opt/python//env:A=\0", "it contains a NUL character"),
        ("/opt/\ud800", "it contains '\\ud800', a lone surrogate"),
    ],
)
def test_what_cannot_be_read_is_explained(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "latin.txt").write_bytes(b"\xe9")
    with pytest.raises(SpecificationError) as raised:
        parse(text, tmp_path)
    assert message in str(raised.value)


@given(st.text() | st.from_regex(r"\A(popen|ssh=a|-r|/x|six)[/='\" \x00\w:~.]*\Z"))
@example("popen//__class__=x")
@example("~\0")
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        assert parse(text, Path("/nowhere")).text == text
    except SpecificationError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("/opt/python", "/opt/python"),
        ("popen//python=nice python", "nice python"),
        ("ssh=-p 22 host", "host: python3"),
        ("ssh=host//python=nice python", "host: nice python"),
        ("six==1.16.0", "six==1.16.0"),
    ],
)
def test_each_kind_is_described(text: str, description: str) -> None:
    assert parse(text, Path()).description == description


@pytest.mark.parametrize(
    ("text", "error", "hint"),
    [
        ("six", "pkg_resources", "Add 'setuptools<81' to the requirements of environment 'a'."),
        ("six", "absl", "Install what provides the module 'absl' in environment 'a'."),
        ("six", "numpy._core", "Repair the installation of environment 'a', then run again."),
        ("/opt/python", "tf_keras", "Install it there: /opt/python -m pip install tf-keras"),
        (
            "popen//python=nice python",
            "pkg_resources",
            "Install it there: nice python -m pip install 'setuptools<81'",
        ),
        (
            "ssh=-p 22 host//python=/opt/python",
            "tensorflow",
            "Install it on host: /opt/python -m pip install tensorflow-cpu",
        ),
    ],
)
def test_what_is_missing_is_named_by_its_package(text: str, error: str, hint: str) -> None:
    output = f"x: ModuleNotFoundError: No module named '{error}'"
    assert install_hint(output, "a", parse(text, Path())) == hint


def test_the_hash_seed_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed, clean in [("1", "2"), ("2", "3")]:
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        assert HERE.clean_variables().get("PYTHONHASHSEED") == clean


def test_an_error_says_which_forms_there_are() -> None:
    with pytest.raises(SpecificationError) as raised:
        parse(" ", Path())
    assert str(raised.value) == (
        "it is empty; a specification is the path of a Python or of a virtual environment, "
        "requirements such as 'python==3.11 tensorflow-cpu==2.15.1' or '-r requirements.txt', "
        "or an execnet gateway such as 'ssh=host//python=/opt/venv/bin/python'"
    )


def test_the_same_python_by_its_path_is_another_environment() -> None:
    assert replace(HERE, pass_env=("MY_*",)).is_this_interpreter
    same = parse(HERE.python, Path())
    assert (same.is_this_interpreter, same.is_local) == (False, True)


def test_variables_of_this_machine_stay_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("OTHER", "x")
    for text, local in [("/opt/python", True), ("popen//python=a b", False), ("ssh=host", False)]:
        kind = parse(f"{text}//env:SET=a b", Path())
        variables = kind.resolved(print).clean_variables()
        assert ("CUDA_VISIBLE_DEVICES" in variables) == ("PATH" in variables) == local
        assert {"KERAS_BACKEND", "SET"} <= variables.keys()
        assert "OTHER" not in variables


@pytest.mark.slow
def test_it_is_read_without_numpy_and_execnet() -> None:
    """As at the start of every test run where the plugin is installed."""
    code = (
        "import sys\n"
        "from pytest_modelroundtrip.environments import HERE, kinds, specification\n"
        "specification.parse('/opt/python', None)\n"
        "print(*{'numpy', 'execnet', 'packaging', 'subprocess'} & set(sys.modules))\n"
    ).replace("None", "__import__('pathlib').Path()")
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
