"""Where a model is reloaded: how an environment is said, made, started and found broken."""

from __future__ import annotations

import concurrent.futures
import importlib.util
import json
import os
import select
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from pytest_modelroundtrip import environments, launching, mending, provenance, provisioning, specifications

MODEL = "@pytest.mark.roundtrip{}\ndef test_it():\n    return dense()\n"
HERE = sys.executable


@pytest.mark.parametrize(
    "text, expected",
    [
        ("/opt/python", {"command": ("/opt/python",)}),
        ("~nobody.here/venv", {"command": ("{folder}/~nobody.here/venv",)}),
        ("/opt/python//env:A=http://ssh", {"command": ("/opt/python",), "variables": (("A", "http://ssh"),)}),
        ("venv", {"command": ("{folder}/venv/bin/python",)}),
        ("sub/python", {"command": ("{folder}/sub/python",)}),
        ("/opt/python//env:A=b=//c//env:D=", {"command": ("/opt/python",), "variables": (("A", "b=//c"), ("D", ""))}),
        ("python==3.11 tensorflow-cpu==2.15.1 numpy<2", {"python": "3.11", "requirements": ("tensorflow-cpu==2.15.1", "numpy<2")}),
        ("python>=3.10,<3.12 six", {"python": "<3.12,>=3.10", "requirements": ("six",)}),
        ("-r kept.txt", {"python": "3.10", "requirements": ("-r", "{folder}/kept.txt")}),
        ("popen", {"command": (HERE,)}),
        ("popen//python=/opt/python", {"command": ("/opt/python",)}),
        ("popen//python=./in-it python", {"command": ("{folder}/in-it", "python")}),
        ("popen//python=docker run -i 'an image' python", {"command": ("docker", "run", "-i", "an image", "python")}),
        ("ssh=-p 22 me@host//python=/opt/python", {"command": ("/opt/python",), "host": ("-p", "22", "me@host")}),
        (
            "ssh=host//ssh_config=its//env:A=b",
            {"command": ("python3",), "host": ("-F", "{folder}/its", "host"), "variables": (("A", "b"),)},
        ),
    ],
)
def test_a_specification_is_read(tmp_path: Path, text: str, expected: dict[str, Any]) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "kept.txt").write_text("# python==3.10\n# what saved it\nsix==1.16.0\n")

    def placed(value: Any) -> Any:
        return tuple(map(placed, value)) if isinstance(value, tuple) else value.replace("{folder}", str(tmp_path))

    read = specifications.parse(text, tmp_path)
    assert {name: getattr(read, name) for name in expected} == {name: placed(value) for name, value in expected.items()}


@pytest.mark.parametrize(
    "given, said",
    [
        ("=/opt/python", "a name of letters, digits, _ and . is expected"),
        ("a-b=/opt/python", "a name of letters, digits, _ and . is expected"),
        ("here=/opt/python", "the name is taken"),
        ("a", "it is empty; a specification is the path of a Python"),
        ("a=tensorflow=2.15", "'tensorflow=2.15' is neither a path that exists nor a requirement"),
        ("a=python==3.11", "it names a Python and nothing to install there"),
        ("a=-r nowhere.txt", "nowhere.txt cannot be read: No such file"),
        ("a=/opt/python//env:A", "env:NAME=value is expected"),
        ("a=popen//env:A=1//python=/opt/python", "env:NAME=value is expected, after all else"),
        ("a=/opt/python//env:HOME=/x", "HOME is an empty folder in a clean interpreter"),
        ("a=python3.99", "python3.99 is no requirement, nor a Python in PATH; python==3.99"),
        ("a=Python==3.11", "it names a Python and nothing to install there"),
        ("a=ssh=host//python=venv/bin/python", "on a host a Python is named by its whole path"),
        ("a=popen//chdir=/x", "chdir: not used"),
        ("a=popen//python=", "python has no value"),
        ("a=ssh=", "ssh has no value"),
        ("a=ssh", "ssh has no value"),
        ("a=git+https://nohost.invalid/a", "neither a path that exists nor a requirement"),
        ("a=socket=host:80", "socket gateways cannot be started clean"),
    ],
)
def test_a_mistake_in_a_specification_is_told_at_once(pytester: pytest.Pytester, given: str, said: str) -> None:
    result = pytester.runpytest_inprocess(f"--roundtrip-environment={given}", "--collect-only")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str() and "Traceback" not in result.stderr.str()
    assert "(the command line)" in result.stderr.str()


def test_environments_of_ini_hook_and_command_line(run: Any, pytester: pytest.Pytester) -> None:
    """They are in the ids; the command line's choice and definition win, the marker chooses else."""
    pytester.makeini(f"[pytest]\nroundtrip_environments =\n    ini: {HERE}\n    other: /nowhere/python\n")
    pytester.makeconftest(f"def pytest_modelroundtrip_environments(config):\n    return {{'hook': {HERE!r}}}\n")
    source = MODEL.format("(formats=['saved_model'], environments=['here', 'ini', 'hook'])")
    result = run(source, "-v")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*saved_model-hook* PASSED*", "*saved_model-ini* PASSED*"], consecutive=False)
    run(source, f"--roundtrip-environment=other={HERE}").assert_outcomes(passed=1)
    run(source, "--roundtrip-environments=ini,here").assert_outcomes(passed=2)
    pytester.makeconftest("def pytest_modelroundtrip_environments(config):\n    return {'ini': '/x'}\n")
    assert "there is an environment 'ini' already" in run(source).stdout.str() + run(source).stderr.str()


BROKEN = {
    "saved": ("/nowhere/python", "saved: there is no Python at /nowhere/python"),  # the table's own word is no other name
    "silent": ("popen//python=true x", "true x cannot be started: it ended without a word"),
    "old": ("{old}", "3.8 or newer is needed"),
    "host": ("ssh=nohost.invalid//python=python3", "Could not resolve hostname nohost.invalid"),
    "bare": ("{bare}", "-m pip install tensorflow-cpu"),
}


def test_a_broken_environment_is_told_in_a_line_and_the_others_go_on(run: Any, pytester: pytest.Pytester) -> None:
    bare = pytester.path / "bare"
    subprocess.run([HERE, "-m", "venv", "--without-pip", str(bare)], check=True)
    old = pytester.path / "old"  # as a Python 3.7 answers; there need be none on this machine
    old.write_text(f'#!/bin/sh\nexec {HERE} -c "import sys; sys.version_info = (3, 7); exec(sys.argv[1])" "$2"\n')
    old.chmod(0o755)
    names = [name for name in BROKEN if name != "host" or shutil.which("ssh")]
    said = [f"--roundtrip-environment={name}={BROKEN[name][0].format(bare=bare, old=old)}" for name in names]
    chosen = f"--roundtrip-environments=here,{','.join(names)}"
    result = run(MODEL.format("(formats=['saved_model'])"), *said, chosen)
    result.assert_outcomes(passed=1, failed=len(names))
    text = " ".join(result.stdout.str().split())
    for name in names:
        assert f"reloaded in environment '{name}'" in text
        assert BROKEN[name][1] in text
    assert "Traceback" not in text and "INTERNALERROR" not in text
    listed = run(MODEL, *said, "--roundtrip-list").stdout.str()
    assert "threads" in listed and all(BROKEN[name][1].removeprefix("saved: ") in listed for name in names)


def test_one_that_says_nothing_is_ended_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "CONNECT_SECONDS", 3)
    wrapper = tmp_path / "wrapper"
    wrapper.write_text('#!/bin/sh\nsleep 100 >"$(dirname "$0")/held" & wait\n')
    wrapper.chmod(0o755)
    os.mkfifo(tmp_path / "held")
    held = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)  # ends with the last process that writes to it
    silent = environments.Environment("silent", specifications.parse(f"popen//python={wrapper} x", tmp_path), b"", "fork")
    with pytest.raises(environments.EnvironmentBroken, match="cannot be started: it said nothing for 3 s"):
        silent.probe()
    try:
        assert select.select([held], [], [], 30)[0]
        assert os.read(held, 1) == b""
    finally:
        os.close(held)


def test_a_wrapped_interpreter_is_clean_too(run: Any, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it would import from here speaks where execnet listens."""
    pytester.makepyfile(sitecustomize="print('hello')")
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    wrapped = f"--roundtrip-environment=wrapped=popen//python=env {HERE}"
    run(MODEL.format("(formats=['saved_model'])"), wrapped, "--roundtrip-environments=here,wrapped").assert_outcomes(passed=2)
    told = launching.again(specifications.parse(f"popen//python=env {HERE}", pytester.path), "folder")
    assert told.startswith(f"env {HERE} -s reload.pyz ")


@pytest.mark.parametrize(
    "said, line",
    [
        ("No module named 'pkg_resources'", "Add 'setuptools<81' to the requirements of environment 'a'."),
        ("No module named 'absl'", "Install what provides the module 'absl' in environment 'a'."),
        ("No module named 'numpy._core'", "Mend the installation of environment 'a', then run again."),
    ],
)
def test_what_is_missing_is_named_by_its_package(said: str, line: str) -> None:
    assert mending.advice(f"x: ModuleNotFoundError: {said}", "a", specifications.parse("six", Path())) == line


def test_secrets_of_another_tool_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_VAR_password", "secret")
    monkeypatch.setenv("TF_DETERMINISTIC_OPS", "1")
    told = launching.again(specifications.HERE, "folder") + launching.remote(specifications.parse("ssh=host", Path()))
    assert "secret" not in told and told.count("TF_DETERMINISTIC_OPS=1") == 2


def test_a_reload_that_is_cut_off_does_not_disturb_the_next(run: Any) -> None:
    source = """
from pytest_modelroundtrip.environments import Environment
ask = Environment._ask

def cut_off(self, request):
    ask(self, request)
    if "job" in request:
        pytest.fail("cut off, as by a time limit of the test")

@pytest.mark.roundtrip(formats=["saved_model"])
@pytest.mark.parametrize("n", [1, 2])
def test_it(roundtrip, monkeypatch, n):
    if n == 1:
        monkeypatch.setattr(Environment, "_ask", cut_off)
    roundtrip(dense())
"""
    run(source, "--roundtrip-isolation=spawn").assert_outcomes(failed=1, passed=1)


def test_variables_reach_the_environment(run: Any) -> None:
    result = run(
        MODEL.format("(formats=['saved_model'])"),
        f"--roundtrip-environment=set={HERE}//env:TF_CPP_MIN_LOG_LEVEL=x//env:OMP_NUM_THREADS=1",
    )
    result.assert_outcomes(passed=1)
    assert "-> set" in result.stdout.str()


def container(hidden: Path) -> str:
    """An interpreter that sees nothing in a folder, as one in a container would."""
    script = f'mount -t tmpfs none {shlex.quote(str(hidden))} && exec "$@"'
    return shlex.join(["unshare", "-Um", "--map-root-user", "sh", "-c", script, "sh", HERE])


def test_artefacts_go_and_come_where_the_file_system_is_not_shared(
    run: Any, pytester: pytest.Pytester, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A module to import goes too; what the reload saves again comes back and goes again."""
    start = container(tmp_path_factory.getbasetemp())
    if not shutil.which("unshare") or subprocess.run([*shlex.split(start), "-c", ""], capture_output=True).returncode:
        pytest.skip("needs an unshare that may make a mount namespace")
    Path(pytester.mkdir("my lib"), "anew.py").write_text(
        "import tensorflow as tf\n\ndef build():\n    return tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(4,))])\n"
    )
    source = (
        "@pytest.mark.roundtrip(formats=['saved_model', 'weights'], generations=2, factory='anew:build')\n"
        "def test_it():\n    return K.Sequential([K.Input((4,)), L.Dense(3)])\n"
    )
    apart = (f"--roundtrip-environment=apart=popen//python={start}", "--roundtrip-pythonpath= my lib")
    run(source, *apart).assert_outcomes(passed=2)
    pytester.mkdir("gone")
    gone = "\n@pytest.fixture(autouse=True)\ndef gone():\n    import os\n    os.path.isdir('gone') and os.rmdir('gone')\n"
    said = " ".join(run(source + gone, apart[0], f"{apart[1]},gone").stdout.str().split())
    assert f"{pytester.path / 'gone'} cannot be sent: No such file or directory" in said and "went away" not in said


def test_what_is_kept_tells_its_origin_and_rebuilds_its_machine(run: Any, pytester: pytest.Pytester) -> None:
    source = (
        "@pytest.mark.roundtrip(formats=['saved_model'])\ndef test_it():\n    return dense(), np.float32([[1, 2, 3, np.nan]])\n"
    )
    run(source, "--roundtrip-keep=all", f"--basetemp={pytester.path / 'kept'}").assert_outcomes(passed=1)
    (kept,) = pytester.path.glob("kept/roundtrip-saved_model0/1")
    told = json.loads((kept / "roundtrip.json").read_text())
    assert told["verdict"] == "exact" and told["versions"]["saved"]["numpy"] == told["versions"]["reloaded"]["numpy"]
    assert told["inputs"][""]["args"][0]["values"] == [1.0, 2.0, 3.0, "nan"]
    assert told["outputs"][""]["shape"] == [1, 3]
    assert told["sha256"].keys() == {path.relative_to(kept).as_posix() for path in kept.glob("artifact/**/*") if path.is_file()}
    lines = (kept / "requirements.txt").read_text().splitlines()
    assert lines[0] == f"# python=={sys.version_info[0]}.{sys.version_info[1]}"
    assert any(line.startswith("numpy==") for line in lines)
    assert any(line.startswith(("tensorflow==", "tensorflow-cpu==")) for line in lines)
    again = specifications.parse(f"-r {kept / 'requirements.txt'}", kept)
    assert again.python == lines[0].split("==")[1]
    done = subprocess.run(["sh", "-c", told["again"]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_packages_are_pinned_by_where_they_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what their metadata says in the words of an older time is passed over."""
    git = {"url": "https://host/a.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}, "subdirectory": "lib"}
    origins = {"a": git, "b": {"url": "https://host/b.whl"}, "c": {**git, "url": "file:///c"}, "d": {"url": "file:///d"}, "e": None}
    for name, origin in origins.items():
        folder = tmp_path / f"only_{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: only-{name}\nVersion: 1.0\nRequires-Dist: pytz (>dev)\n")
        (folder / "top_level.txt").write_text(f"only_{name}\n")
        (folder / "INSTALLER").write_text("conda\n" if name == "d" else "pip\n")
        if origin:
            (folder / "direct_url.json").write_text(json.dumps(origin))
        monkeypatch.setitem(sys.modules, f"only_{name}", json)
    monkeypatch.syspath_prepend(tmp_path)
    lines = provenance.requirements(tuple(f"only_{name}" for name in origins))
    assert [line for line in lines if "only-" in line] == [
        "only-a @ git+https://host/a.git@abc#subdirectory=lib",
        "only-b @ https://host/b.whl",
        "# only-c 1.0 was installed from a folder",
        "only-d==1.0",
        "only-e==1.0",
    ]


needs_uv = pytest.mark.skipif(not (shutil.which("uv") or importlib.util.find_spec("uv")), reason="needs uv")


@needs_uv
def test_requirements_are_installed_once_whoever_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wanted = specifications.parse("six==1.16.0", tmp_path)
    told: list[str] = []
    together = threading.Barrier(2)

    def ask() -> str:
        together.wait(30)
        return provisioning.interpreter(wanted, told.append)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        one, other = [task.result(300) for task in [pool.submit(ask), pool.submit(ask)]]
    assert one == other
    assert sum(line.startswith("making the environment") for line in told) == 1
    assert any("another process is making" in line for line in told)
    version = subprocess.run([one, "-c", "import six; print(six.__version__)"], capture_output=True, text=True, check=True)
    assert version.stdout.strip() == "1.16.0"


@needs_uv
def test_requirements_that_cannot_be_had_are_told_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wanted = specifications.parse("six==0.0.99", tmp_path)
    with pytest.raises(provisioning.Unmade, match=r"uv pip install failed(.|\n)*No solution found"):
        provisioning.interpreter(wanted, print)
    assert not [path for path in provisioning.cache_folder().iterdir() if path.is_dir()]


@needs_uv
def test_a_cached_environment_is_made_anew_when_it_is_no_longer_what_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "all.txt").write_text("-r nested.txt\n")

    def made(version: str) -> Path:
        (tmp_path / "nested.txt").write_text(f"six=={version}\n# and back:\n-c ../{tmp_path.name}/nested.txt\n")
        python = provisioning.interpreter(specifications.parse("-r all.txt", tmp_path), print)
        done = subprocess.run([python, "-c", "import six; print(six.__version__)"], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == version
        return Path(python)

    first = made("1.16.0")
    assert made("1.17.0") != first
    first.unlink()
    first.symlink_to("/nowhere/python")  # as when the Python that it was made with is gone
    assert made("1.16.0") == first


def test_a_uv_that_cannot_be_run_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (tmp_path / "uv").write_text("#!/nowhere/sh\n")
    (tmp_path / "uv").chmod(0o755)
    with pytest.raises(provisioning.Unmade, match="uv cannot be run: No such file"):
        provisioning.interpreter(specifications.parse("six==1.16.0", tmp_path), print)


def test_a_cache_that_is_no_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    with pytest.raises(provisioning.Unmade, match="XDG_CACHE_HOME says where"):
        provisioning.interpreter(specifications.parse("six==1.16.0", tmp_path), print)
