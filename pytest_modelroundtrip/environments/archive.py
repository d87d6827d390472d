"""What travels into a clean interpreter: its first program, and the package `portable` as a zip."""

from __future__ import annotations

import inspect
import io
import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..portable.formats import Format

PACKAGE = Path(__file__).parents[1]
FORMATS = f"{PACKAGE.name}.portable.formats"

BOOTSTRAP = """
import os, shutil, signal, sys
# it ends when the line is closed; execnet's interrupt would break off the cleaning
signal.signal(signal.SIGINT, signal.SIG_IGN)
variables, archive = channel.receive()
scratch = os.environ.pop("ROUNDTRIP_SCRATCH")
os.chdir(scratch)
os.environb.update(variables)
# bytes: execnet refuses text that is not UTF-8
def say(missing):
    channel.send(tuple(text.encode("utf-8", "surrogatepass") for text in (scratch, missing)))
path = os.path.join(scratch, "portable.pyz")
with open(path, "wb") as out:
    out.write(archive)
sys.path.insert(0, path)
try:
    try:
        from pytest_modelroundtrip.portable import worker
    except ImportError as error:  # a Python without NumPy
        say("%s: %s" % (type(error).__name__, error))
        channel.waitclose()  # the log in this folder is read before it goes
    else:
        say("")
        worker.serve(channel, path, scratch)
finally:  # the test process may have been killed
    shutil.rmtree(scratch, ignore_errors=True)
"""

# works on what stands beside the archive, `reload.pyz`
MAIN = """
import os, sys
sys.path[0] = os.path.abspath(sys.path[0])  # the current folder will be another one
from pytest_modelroundtrip.portable.bundles import standalone
sys.exit(standalone.main(os.path.dirname(os.path.abspath(sys.argv[0])), sys.argv[1:]))
"""


def encoded_variables(variables: Mapping[str, str]) -> dict[bytes, bytes]:
    """The variables for `BOOTSTRAP`: they may be no UTF-8, and execnet refuses such a text."""
    return {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}


def first_message(message: object) -> tuple[str, str]:
    """The scratch folder on the other side, and what is missing there, as `BOOTSTRAP` says it.

    Raises:
        ValueError: where it is something else.
    """
    if isinstance(message, tuple) and len(message) == 2:
        there, missing = message
        if isinstance(there, bytes) and isinstance(missing, bytes):
            return str(there, "utf-8", "surrogatepass"), str(missing, "utf-8", "replace")
    raise ValueError(f"its first message is {type(message).__name__}, not two texts")


class ArchiveError(ValueError):
    """A format that cannot travel. The text says why."""


def portable_archive(format_classes: Iterable[type[Format]]) -> bytes:
    """The package `portable` as a runnable zip, with the modules of formats that are not built in.

    Raises:
        ArchiveError: for a format that is not defined in a file, or whose module has the name of
            another one there.
    """
    package = PACKAGE.name
    sources = {"__main__.py": MAIN}
    # the former, since Python takes a package with it before one that is installed there
    for path in [PACKAGE / "__init__.py", *sorted((PACKAGE / "portable").rglob("*.py"))]:
        name = f"{package}/{path.relative_to(PACKAGE).as_posix()}"
        sources[name] = path.read_text(encoding="utf-8")
    for format_class in format_classes:
        if format_class.__module__.rpartition(".")[0] != FORMATS:
            module = format_class.__module__.rpartition(".")[2]
            name, source = f"{package}/portable/formats/{module}.py", _source(format_class)
            if sources.setdefault(name, source) != source:
                raise ArchiveError(
                    f"{format_class.__module__}: another module of formats is named {module!r}; "
                    "rename one of them"
                )
    return _zipped(sources)


def _source(format_class: type[Format]) -> str:
    """The source of the module that defines the class."""
    name = f"{format_class.__module__}.{format_class.__qualname__}"
    if "." in format_class.__qualname__:
        raise ArchiveError(f"{name} is not defined at the top level of its module")
    try:
        path = _file(format_class)
        if path is not None:
            return Path(path).read_text(encoding="utf-8")
    except (OSError, TypeError, ValueError):  # TypeError: it is not from a file
        pass
    raise ArchiveError(
        f"{name} is not defined in a file that can be read; the file of a format is sent to the "
        "clean interpreter"
    )


def _file(format_class: type[Format]) -> str | None:
    """The file of its own code: of the modules named `conftest`, Python knows the last one only."""
    for held in vars(format_class).values():
        function = inspect.unwrap(held) if inspect.isfunction(held) else None
        # else it is borrowed from another module, or what a decorator put in its place
        if inspect.isfunction(function) and function.__module__ == format_class.__module__:
            return function.__code__.co_filename
    return inspect.getsourcefile(format_class)


def _zipped(sources: dict[str, str]) -> bytes:
    """The zip: the same bytes for the same sources."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, source in sources.items():
            archive.writestr(zipfile.ZipInfo(name), source)
    return buffer.getvalue()
