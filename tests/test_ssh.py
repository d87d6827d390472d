"""Another user on a real sshd: nothing of this side is readable there, so everything is sent.

It adds a user to the machine and removes it again, so it runs only where `ROUNDTRIP_TEST_SSH` is
set, as root.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from inner_runs import Run

USER = f"roundtrip-{os.getpid()}"
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin:/bin")
REQUIREMENTS = ["tensorflow-cpu==2.15.*", "tensorflow-hub", "setuptools<81"]

pytestmark = pytest.mark.skipif(
    not (
        os.environ.get("ROUNDTRIP_TEST_SSH") and os.geteuid() == 0 and SSHD and shutil.which("uv")
    ),
    reason="needs ROUNDTRIP_TEST_SSH=1, root, sshd and uv",
)

CONFIG = """\
Host there
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/key
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
"""
DAEMON = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {public}/authorized_keys
StrictModes no
UsePAM no
PidFile none
"""


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The specification of an interpreter that a guest reaches over ssh.

    The guest's files lie in a folder that all may read.
    """
    folder, public = (
        tmp_path_factory.mktemp("ssh"),
        Path("/var/tmp", f"roundtrip-ssh-{os.getpid()}"),
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    names = {"port": port, "user": USER, "folder": folder, "public": public}
    for key in ("key", "host_key"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True
        )
    public.mkdir()
    Path("/run/sshd").mkdir(exist_ok=True)
    shutil.copy(folder / "key.pub", public / "authorized_keys")
    (folder / "config").write_text(CONFIG.format(**names))
    (folder / "sshd_config").write_text(DAEMON.format(**names))
    daemon = subprocess.Popen(
        [str(SSHD), "-D", "-e", "-f", str(folder / "sshd_config")], stderr=subprocess.DEVNULL
    )
    try:
        subprocess.run(
            ["useradd", "--create-home", "--shell", "/bin/sh", "--password", "*", USER], check=True
        )
        python = _installed(public / "venv")
        _wait_for(port)
        yield f"ssh=there//ssh_config={folder / 'config'}//python={python}"
    finally:
        daemon.kill()
        daemon.wait()
        subprocess.run(["pkill", "-KILL", "-u", USER])
        subprocess.run(["userdel", "--force", "--remove", USER], capture_output=True)
        shutil.rmtree(public, ignore_errors=True)


def _installed(venv: Path) -> Path:
    """A Python with the requirements, which a guest can start.

    It is the system's: a guest cannot enter the home folder where another may lie.
    """
    subprocess.run(["uv", "venv", "-q", "-p", "/usr/bin/python3", str(venv)], check=True)
    subprocess.run(["uv", "pip", "install", "-q", "-p", str(venv), *REQUIREMENTS], check=True)
    return venv / "bin" / "python"


def _wait_for(port: int) -> None:
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("sshd does not answer")


def test_the_artifact_cannot_be_read_from_there(there: str, tmp_path: Path) -> None:
    (tmp_path / "artifact").write_text("secret")
    config = there.split("ssh_config=")[1].split("//")[0]
    seen = subprocess.run(
        ["ssh", "-F", config, "there", f"id -un; cat {tmp_path}/artifact"],
        capture_output=True,
        text=True,
    )
    assert seen.stdout.strip() == USER
    assert "Permission denied" in seen.stderr and "secret" not in seen.stdout


def test_models_travel(there: str, run: Run, pytester: pytest.Pytester) -> None:
    """A large one too, twice, with the progress shown; the factory's module is sent too."""
    lib = pytester.mkpydir("lib")
    (lib / "anew.py").write_text(
        "import tensorflow as tf\n\ndef build():\n    return tf.Module()\n"
    )
    source = """
@pytest.mark.roundtrip(formats=["saved_model", "hub"], generations=2)
def test_large():
    return K.Sequential([K.Input((5000,)), L.Dense(5000)]), np.ones((1, 5000), "float32")

@pytest.mark.roundtrip(
    formats=["saved_model", "checkpoint"],
    factory="module_here:Counter",
    imports=["module_here"],
)
def test_module():
    import module_here
    return module_here.Counter(), np.float32([1, 2])
"""
    (lib / "module_here.py").write_text(COUNTER)
    pytester.syspathinsert(lib)
    result = run(
        source,
        f"--roundtrip-define-environment=guest={there}",
        "--roundtrip-environments=guest",
        "--roundtrip-pythonpath=lib",
        "-v",
        "-s",
    )
    result.assert_outcomes(passed=4)
    assert "of 100 MB sent" in result.stdout.str() + result.stderr.str()


COUNTER = """
import tensorflow as tf

class Counter(tf.Module):
    def __init__(self):
        super().__init__()
        self.scale = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None])])
    def __call__(self, x):
        return x * self.scale
"""


def test_the_examples_travel_and_nothing_is_left_there(
    there: str, pytester: pytest.Pytester
) -> None:
    """Both stories, in what both Keras can hold."""
    root, before = Path(__file__).parents[1], _left(there)
    command = [
        f"--roundtrip-define-environment=guest={there}",
        "--roundtrip-environments=guest",
        "--roundtrip-formats=saved_model,hub",
        "--rootdir",
        str(root),
    ]
    result = pytester.runpytest_subprocess(
        *command, "-c", str(root / "pyproject.toml"), str(root / "examples")
    )
    assert result.ret == 0, result.stdout.str()
    limit = time.monotonic() + 30
    while (
        _left(there) - before and time.monotonic() < limit
    ):  # the far side sees that the line is closed, and cleans up
        time.sleep(0.2)
    assert not _left(there) - before


def _left(there: str) -> set[str]:
    """The guest's processes and scratch folders."""
    config = there.split("ssh_config=")[1].split("//")[0]
    command = (
        'pgrep -u "$(id -u)" python; find /tmp -maxdepth 1 -name "roundtrip-*" -user "$(id -u)"'
    )
    return set(
        subprocess.run(
            ["ssh", "-F", config, "there", command], capture_output=True, text=True
        ).stdout.split()
    )
