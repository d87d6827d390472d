"""What travels into a clean interpreter: the first words that execnet says there, and the package `portable` as a zip."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).parent

BOOTSTRAP = """
import os, shutil, signal, sys, tempfile
signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends when the line is closed; execnet's interrupt would break off the cleaning
scratch, variables, archive = channel.receive()
scratch = scratch or tempfile.mkdtemp(prefix="roundtrip-")
os.chdir(scratch)
os.environ.update(variables)
path = os.path.join(scratch, "portable.pyz")
with open(path, "wb") as out:
    out.write(archive)
sys.path[:] = [path] + [entry for entry in sys.path if entry not in ("", "/", scratch)]
try:
    try:
        from pytest_modelroundtrip.portable import worker
    except ImportError as error:  # a Python without NumPy
        channel.send((scratch, "%s: %s" % (type(error).__name__, error)))
        channel.waitclose()  # the log in this folder is read before it goes
    else:
        channel.send((scratch, ""))
        worker.serve(channel, path, scratch)
finally:  # the test process may have been killed
    shutil.rmtree(scratch, ignore_errors=True)
"""

MAIN = """
import os, sys
from pytest_modelroundtrip.portable import worker
sys.exit(worker.main(sys.argv[1:] or [os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "job")]))
"""


def portable_archive(formats: Mapping[str, ModuleType]) -> bytes:
    """The package `portable` as a runnable zip; the formats that plugins and conftests added stand beside the built-in ones."""
    sources = {"pytest_modelroundtrip/__init__.py": "", "__main__.py": MAIN}
    for path in sorted((PACKAGE / "portable").rglob("*.py")):
        sources[f"pytest_modelroundtrip/{path.relative_to(PACKAGE).as_posix()}"] = path.read_text(encoding="utf-8")
    for name, module in formats.items():
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        sources.setdefault(f"pytest_modelroundtrip/portable/formats/{name}.py", source)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, source in sources.items():
            archive.writestr(zipfile.ZipInfo(name), source)
    return buffer.getvalue()
