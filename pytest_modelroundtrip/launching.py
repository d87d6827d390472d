"""How a clean interpreter is started, here or on a host: the command line, and the execnet gateway that speaks with it.

What a clean interpreter is: no path of the tests on `sys.path`, no user site, an environment built from nothing, a fixed hash seed
other than this process's, and empty temporary folders for a home and caches.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import execnet
from execnet.gateway_io import popen_bootstrapline

from .specifications import Specification

PASSED = ("PATH", "LANG", "LD_LIBRARY_PATH")
PASSED_PREFIXES = ("CUDA_", "LC_")
PASSED_EVERYWHERE = ("KERAS_BACKEND", "TF_", "OMP_")  # to a host and a container as well, whose own the others are not
TERRAFORM = (  # begin so too, and hold secrets
    *("TF_VAR_", "TF_TOKEN_", "TF_CLI_", "TF_HTTP_", "TF_CLOUD_"),
    *("TF_ENCRYPTION", "TF_USERNAME", "TF_PASSWORD"),
)
HASH_SEED = "2"
CONNECT_SECONDS = 120  # until an interpreter speaks: a container may have to be fetched
LOG, PID = "log", "pid"  # in the scratch folder on this side: what the interpreter itself prints, and the process that was started

CHECK = 'import sys; sys.version_info >= (3, 8) or sys.exit("it is Python %d.%d; 3.8 or newer is needed" % sys.version_info[:2])'
IN_ITS_OWN_GROUP = "import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])"
SSH = ("ssh", "-C", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15")


def clean_variables(specification: Specification) -> dict[str, str]:
    """The environment variables that a clean interpreter is started with."""
    names, prefixes = (PASSED, PASSED_PREFIXES) if specification.local else ((), ())
    passed = {
        name: value
        for name, value in os.environ.items()
        if (name in names or name.startswith((*prefixes, *PASSED_EVERYWHERE))) and not name.startswith(TERRAFORM)
    }
    own = {"PYTHONHASHSEED": _hash_seed(), "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return {"TF_CPP_MIN_LOG_LEVEL": "1", **passed, **own, **dict(specification.variables)}


def _hash_seed() -> str:
    return "3" if os.environ.get("PYTHONHASHSEED") == HASH_SEED else HASH_SEED


def connect(specification: Specification, scratch: Path) -> tuple[execnet.Group, Any]:
    """Start it; the group and the gateway to it. What it prints goes to a log in `scratch`.

    Raises:
        OSError, EOFError, AssertionError: when it does not start, or (TimeoutError) says nothing for `CONNECT_SECONDS`.
    """
    group, made = execnet.Group(), []
    spec = execnet.XSpec("popen")
    spec.python = shlex.join([sys.executable, "-ISc", IN_ITS_OWN_GROUP, *_command_line(specification, scratch)])
    errors: list[BaseException] = []

    def make() -> None:
        try:
            made.append(group.makegateway(spec))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    if thread.is_alive():
        with contextlib.suppress(OSError, ValueError):
            os.killpg(int((scratch / PID).read_text()), signal.SIGKILL)  # with what a wrapper started
        raise TimeoutError(f"it said nothing for {CONNECT_SECONDS} s")
    if errors:
        raise errors[0]
    return group, made[0]


def _command_line(specification: Specification, scratch: Path) -> list[str]:
    """`cd` and `env -i` come before the interpreter starts: after that, a hash seed or a module in the way cannot be undone."""
    logged = f'echo $$ >"$1/{PID}"; exec 2>"$1/{LOG}"; cd "$1"; '
    if specification.host:  # execnet's own arguments come last, where ssh would take them unquoted; the remote command has them
        return [
            "sh",
            "-c",
            logged + 'eval "exec $2"',
            "sh",
            str(scratch),
            shlex.join([*SSH, *specification.host, remote(specification)]),
        ]
    if len(specification.command) > 1:
        # what a wrapper starts on this machine (`nice python`) is not to see this Python's variables; a container does not anyway
        names = [name for name in os.environ if name.startswith("PYTHON") and name.isidentifier()]
        script = logged + f'unset {" ".join(names)}; export PYTHONHASHSEED={_hash_seed()}; shift; exec "$@"'
        return ["sh", "-c", script, "sh", str(scratch), *specification.command, "-s"]
    python = specification.command[0]
    script = logged + '"$3" -Esc "$2" >&2 || exit; shift 3; exec env -i HOME="$PWD" "$@"'
    return ["sh", "-c", script, "sh", str(scratch), CHECK, python, *_assigned(specification), python, "-s"]


def remote(specification: Specification, *arguments: str) -> str:
    """The command for a host's shell: by default its interpreter with execnet's bootstrap."""
    arguments = arguments or ("-u", "-c", popen_bootstrapline)
    if len(specification.command) > 1:
        return shlex.join([*specification.command, *arguments])
    python = specification.command[0]
    passed = " ".join(f'{name}="${name}"' for name in PASSED)
    script = f'test -e reload.pyz || cd /; "$2" -Esc "$1" >&2 || exit; shift 2; exec env -i {passed} "$@"'
    return shlex.join(["sh", "-c", script, "sh", CHECK, python, *_assigned(specification), python, "-s", *arguments])


def _assigned(specification: Specification) -> list[str]:
    return [f"{name}={value}" for name, value in clean_variables(specification).items()]


def again(specification: Specification, folder: str) -> str:
    """The command that reloads what lies in `folder` (an artefact, its `job`, `reload.pyz`) as the environment does."""
    if specification.host:
        there = f'cd "$(mktemp -d)" && tar x && {remote(specification, "reload.pyz")}'
        return f"tar c -C {shlex.quote(folder)} . | {shlex.join(['ssh', *specification.host, there])}"
    if len(specification.command) > 1:
        return f"{shlex.join([*specification.command, '-s', 'reload.pyz'])}  # where {shlex.quote(folder)} is its current folder"
    python = specification.command[0]
    variables = [shlex.quote(text) for text in _assigned(specification) if not text.startswith("PATH=")]
    return " ".join(
        ["cd", shlex.quote(folder), "&&", "env", "-i", 'PATH="$PATH"', *variables, shlex.quote(python), "-s", "reload.pyz"]
    )
