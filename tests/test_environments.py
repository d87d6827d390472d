"""Where a model is reloaded: how an environment is declared, created, started and found broken."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_modelroundtrip.bundles import provenance
from pytest_modelroundtrip.environments.kinds.requirements import Requirements
from pytest_modelroundtrip.environments.specification import parse

if TYPE_CHECKING:
    from inner_runs import Run

pytestmark = pytest.mark.slow

MODEL = "@pytest.mark.roundtrip{}\ndef test_it():\n    return dense()\n"
SAVED_MODEL = MODEL.format("(formats=['saved_model'])")
HERE = sys.executable


def define(name: str, specification: str) -> str:
    """The option that defines an environment."""
    return f"--roundtrip-define-environment={name}={specification}"


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("=/opt/python", "a name of at most 100 letters, digits, _ and . is"),
        ("a-b=/opt/python", "a name of at most 100 letters, digits, _ and . is"),
        ("here=/opt/python", "the name is taken"),
        ("a", "it is empty; a specification is the path of a Python"),
        ("a=tensorflow=2.15", "'tensorflow=2.15' is neither a path that exists nor a requirement"),
        ("a=/opt/\0python", "it contains a NUL character"),
        ("a=/opt/python//env:A=\0", "it contains a NUL character"),
        ("a=popen//chdir=/x", "chdir: not used; choose from ssh, ssh_config, popen, python, env"),
    ],
)
def test_a_specification_that_cannot_be_read_is_a_usage_error(
    pytester: pytest.Pytester, definition: str, message: str
) -> None:
    """More of them, without pytest, are in unit/test_specification.py."""
    result = pytester.runpytest_inprocess(
        f"--roundtrip-define-environment={definition}", "--collect-only"
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in result.stderr.str()
    assert "Traceback" not in result.stderr.str()
    assert "(the command line)" in result.stderr.str()


def test_environments_of_ini_hook_and_command_line(run: Run, pytester: pytest.Pytester) -> None:
    """They are in the ids; a definition on the command line overrides the one in the ini file."""
    pytester.makeini(
        "[pytest]\n"
        "roundtrip_define_environment =\n"
        f"    ini={HERE}\n"
        "    other = /nowhere/python\n"
        "roundtrip_environments = other\n"
    )
    pytester.makeconftest(
        f"def pytest_modelroundtrip_environments(config):\n    return {{'hook': {HERE!r}}}\n"
    )
    source = MODEL.format("(formats=['saved_model'], environments=['here', 'ini', 'hook'])")
    result = run(source, "-v")
    result.assert_outcomes(passed=3)
    lines = ["*saved_model-hook* PASSED*", "*saved_model-ini* PASSED*"]
    result.stdout.fnmatch_lines(lines, consecutive=False)
    redefined = run(SAVED_MODEL, define("other", HERE), "-v")  # the ini file selects it
    redefined.assert_outcomes(passed=1)
    redefined.stdout.fnmatch_lines(["*saved_model-other* PASSED*"])
    run(source, define("other", HERE)).assert_outcomes(passed=3)  # which selects nothing
    run(source, "--roundtrip-environments=ini,here").assert_outcomes(passed=2)
    pytester.makeconftest(
        "def pytest_modelroundtrip_environments(config):\n    return {'ini': '/x'}\n"
    )
    result = run(source)
    assert "an environment 'ini' exists already" in result.stdout.str() + result.stderr.str()


BROKEN = {
    # the table's own word is not another name
    "saved": ("/nowhere/python", "saved: there is no Python at /nowhere/python"),
    "silent": (
        "popen//python=true x",
        "true x cannot be started: it ended with exit status 0",
    ),
    "old": ("{old}", "3.8 or newer is needed"),
    "host": (
        "ssh=nohost.invalid//python=python3",
        "Could not resolve hostname nohost.invalid",
    ),
    "bare": ("{bare}", "-m pip install tensorflow-cpu"),
}


def test_a_broken_environment_is_one_cause_and_the_others_go_on(
    run: Run, pytester: pytest.Pytester
) -> None:
    bare = pytester.path / "bare"
    subprocess.run([HERE, "-m", "venv", "--without-pip", str(bare)], check=True)
    old = pytester.path / "old"  # as a Python 3.7 answers; there need be none on this machine
    code = "import sys; sys.version_info = (3, 7); exec(sys.argv[1])"
    old.write_text(f'#!/bin/sh\nexec {HERE} -c "{code}" "$2"\n')
    old.chmod(0o755)
    names = [name for name in BROKEN if name != "host" or shutil.which("ssh")]
    defined = [define(name, BROKEN[name][0].format(bare=bare, old=old)) for name in names]
    selected = f"--roundtrip-environments=here,{','.join(names)}"
    result = run(SAVED_MODEL, *defined, selected)
    result.assert_outcomes(passed=1, failed=len(names))
    text = " ".join(result.stdout.str().split())
    for name in names:
        assert f"environment '{name}'" in text
        assert BROKEN[name][1] in text
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
    listed = run(MODEL, *defined, "--roundtrip-list").stdout.str()
    assert "threads" in listed
    assert all(BROKEN[name][1].removeprefix("saved: ") in listed for name in names)


def test_a_wrapped_interpreter_is_clean_too(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it would import from here prints where execnet listens."""
    pytester.makepyfile(sitecustomize="print('hello')")
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    wrapped = f"popen//python=env {HERE}"
    selected = "--roundtrip-environments=here,wrapped"
    run(SAVED_MODEL, define("wrapped", wrapped), selected).assert_outcomes(passed=2)
    command = parse(wrapped, pytester.path).resolved(print).reproduce_command("folder")
    assert command.startswith(f"env {HERE} -s reload.pyz ")


def test_a_reload_that_is_cut_off_does_not_disturb_the_next(
    run: Run, pytester: pytest.Pytester
) -> None:
    """The reload itself sends the signal of a time limit to the test, which waits for it."""
    pytester.mkdir("lib").joinpath("interrupting.py").write_text(
        "import os, signal, time\n\n"
        "path = os.path.join(os.path.dirname(__file__), 'pid')\n"
        "if os.path.exists(path):\n"
        "    with open(path) as file:\n"
        "        os.kill(int(file.read()), signal.SIGALRM)\n"
        "    time.sleep(100)\n"
    )
    source = """
import os
import signal
from pathlib import Path

def cut_off(number, frame):
    pytest.fail("cut off, as by a time limit of the test")

@pytest.mark.roundtrip(formats=["saved_model"], imports=["interrupting"])
@pytest.mark.parametrize("n", [1, 2])
def test_it(roundtrip, n):
    pid = Path("lib", "pid")
    if n == 1:
        signal.signal(signal.SIGALRM, cut_off)
        pid.write_text(str(os.getpid()))
    else:
        pid.unlink()
    roundtrip(dense())
"""
    before = signal.getsignal(signal.SIGALRM)
    try:
        result = run(source, "--roundtrip-isolation=spawn", "--roundtrip-pythonpath=lib")
    finally:
        signal.signal(signal.SIGALRM, before)
    result.assert_outcomes(failed=1, passed=1)
    assert "cut off, as by a time limit of the test" in result.stdout.str()


def test_variables_reach_the_environment(run: Run) -> None:
    specification = f"{HERE}//env:TF_CPP_MIN_LOG_LEVEL=x//env:OMP_NUM_THREADS=1"
    result = run(SAVED_MODEL, define("set", specification), "--roundtrip-environments=set")
    result.assert_outcomes(passed=1)
    assert "-> set" in result.stdout.str()


def container(hidden: Path) -> str:
    """An interpreter that sees nothing in a folder, as one in a container would."""
    script = f'mount -t tmpfs none {shlex.quote(str(hidden))} && exec "$@"'
    return shlex.join(["unshare", "-Um", "--map-root-user", "sh", "-c", script, "sh", HERE])


def test_artifacts_go_and_come_where_the_file_system_is_not_shared(
    run: Run, pytester: pytest.Pytester, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A module to import goes too; what the reload saves again comes back and goes again."""
    start = container(tmp_path_factory.getbasetemp())
    check = [*shlex.split(start), "-c", ""]
    if not shutil.which("unshare") or subprocess.run(check, capture_output=True).returncode:
        pytest.skip("needs an unshare that may make a mount namespace")
    Path(pytester.mkdir("my lib"), "anew.py").write_text(
        "import tensorflow as tf\n\n"
        "def build():\n"
        "    return tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(4,))])\n"
    )
    source = (
        "@pytest.mark.roundtrip(\n"
        "    formats=['saved_model', 'weights'], generations=2, factory='anew:build'\n"
        ")\n"
        "def test_it():\n    return K.Sequential([K.Input((4,)), L.Dense(3)])\n"
    )
    apart = (define("apart", f"popen//python={start}"), "--roundtrip-environments=apart")
    run(source, *apart, "--roundtrip-pythonpath= my lib").assert_outcomes(passed=2)
    pytester.mkdir("gone")
    gone = (
        "\n@pytest.fixture(autouse=True)\n"
        "def gone():\n    import os\n    os.path.isdir('gone') and os.rmdir('gone')\n"
    )
    result = run(source + gone, *apart, "--roundtrip-pythonpath= my lib,gone")
    text = " ".join(result.stdout.str().split())
    assert f"{pytester.path / 'gone'} cannot be sent: No such file or directory" in text
    assert "ended while" not in text


def test_what_is_kept_has_its_origin_and_rebuilds_its_machine(
    run: Run, pytester: pytest.Pytester
) -> None:
    source = (
        "@pytest.mark.roundtrip(formats=['saved_model'])\n"
        "def test_it():\n    return dense(), np.float32([[1, 2, 3, np.nan]])\n"
    )
    base = f"--basetemp={pytester.path / 'kept'}"
    run(source, "--roundtrip-keep=all", base).assert_outcomes(passed=1)
    (kept,) = pytester.path.glob("kept/roundtrip-saved_model0/1")
    origin = json.loads((kept / "roundtrip.json").read_text())
    assert origin["verdict"] == "exact"
    saved, reloaded = (origin["versions"][side] for side in ("saved", "reloaded"))
    assert saved["numpy"] == reloaded["numpy"]
    assert origin["inputs"][""]["args"][0]["values"] == [1.0, 2.0, 3.0, "nan"]
    assert origin["outputs"][""]["shape"] == [1, 3]
    files = [path for path in kept.glob("artifact/**/*") if path.is_file()]
    assert origin["sha256"].keys() == {path.relative_to(kept).as_posix() for path in files}
    lines = (kept / "requirements.txt").read_text().splitlines()
    assert lines[0] == f"# python=={sys.version_info[0]}.{sys.version_info[1]}"
    assert any(line.startswith("numpy==") for line in lines)
    assert any(line.startswith(("tensorflow==", "tensorflow-cpu==")) for line in lines)
    again = parse(f"-r {kept / 'requirements.txt'}", kept)
    assert isinstance(again, Requirements)
    assert again.python == lines[0].split("==")[1]
    done = subprocess.run(["sh", "-c", origin["reproduce"]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_packages_are_pinned_by_where_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And requirements in their metadata that an older standard wrote are passed over."""
    vcs = {"vcs": "git", "commit_id": "abc"}
    git = {"url": "https://host/a.git", "vcs_info": vcs, "subdirectory": "lib"}
    origins = {
        "a": git,
        "b": {"url": "https://host/b.whl"},
        "c": {**git, "url": "file:///c"},
        "d": {"url": "file:///d"},
        "e": None,
    }
    for name, origin in origins.items():
        folder = tmp_path / f"only_{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: only-{name}\nVersion: 1.0\nRequires-Dist: pytz (>dev)\n"
        )
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
