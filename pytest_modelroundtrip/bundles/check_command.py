"""The command `python -m pytest_modelroundtrip check`: bundles as a run of pytest."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import pytest

from ..portable.bundles import bundle_files
from . import bundle_reader, plain_artifacts

# where pytest looks for its settings, in order, with what a file has that holds some
INI_FILES = {
    "pytest.toml": "",
    ".pytest.toml": "",
    "pytest.ini": "",
    ".pytest.ini": "[pytest]",
    "pyproject.toml": "[tool.pytest",
    "tox.ini": "[pytest]",
    "setup.cfg": "[tool:pytest]",
}
OK, SOMETHING_DIFFERS, NOT_DONE = 0, 1, 2  # exit statuses
ENVIRONMENTS_HELP = (
    "comma-separated: those to reload in, of these and of the ini file in this folder; default: "
    "roundtrip_environments of that ini file, else here. Can be repeated"
)
HELP = "reload what was recorded, and compare: in this interpreter, or in others"
DESCRIPTION = (
    "Reload each bundle in a clean interpreter and compare it with what was recorded. Exit status: "
    "0: everything is as recorded; 1: something is not, or an environment is broken; 2: the check "
    "could not be made."
)
CHECKS_HELP = "comma-separated; default: all that were recorded"
STORE_HELP = "where the large files of the bundles are, if not where they were recorded"


def declare(command: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    command.description = DESCRIPTION
    command.add_argument(
        "bundles",
        nargs="+",
        type=Path,
        metavar="BUNDLE",
        help="a bundle, or an artifact without a record, which is compared with its first reload",
    )
    for name in ("inputs", "outputs"):
        command.add_argument(
            f"--{name}", type=Path, metavar="NPZ", help=f"{name} of artifacts without a record"
        )
    command.add_argument(
        "--imports",
        type=lambda text: text.split(","),
        default=[],
        metavar="MODULES",
        help="comma-separated: modules to import before artifacts without a record are loaded",
    )
    command.add_argument(
        "--define-environment",
        action="append",
        default=[],
        metavar="NAME=SPECIFICATION",
        help="define an environment (docs/environments.md). Select it with --environments. Can be "
        "repeated",
    )
    command.add_argument(
        "--environments", "--in", action="append", metavar="NAMES", help=ENVIRONMENTS_HELP
    )
    command.add_argument("--checks", metavar="CHECKS", help=CHECKS_HELP)
    command.add_argument("--store", metavar="FOLDER_OR_URL", help=STORE_HELP)
    command.add_argument("--report", metavar="PATH", help="write the results to a JSON file")
    command.set_defaults(run=check)


def check(chosen: argparse.Namespace) -> int:
    """Check the bundles; the exit status."""
    try:
        with tempfile.TemporaryDirectory(prefix="roundtrip-") as scratch:
            return _run_checks(chosen, Path(scratch))
    except (plain_artifacts.PlainArtifactError, OSError) as error:
        print(error)
        return NOT_DONE


def _run_checks(chosen: argparse.Namespace, scratch: Path) -> int:
    paths = [
        _bundle(path, chosen, scratch / str(number)) for number, path in enumerate(chosen.bundles)
    ]
    skips = _Skips()
    plugins = [skips, _PlainFolders()]
    status = pytest.main([*_arguments(chosen), *map(str, paths)], plugins=plugins)
    if status == OK and skips.seen:
        return NOT_DONE
    return int(status) if status in (OK, SOMETHING_DIFFERS) else NOT_DONE


class _Skips:
    """A plugin of the run: whether a check was skipped, as where the format cannot do it there."""

    def __init__(self) -> None:
        self.seen = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Look at what came of a bundle; a known failure is skipped in another sense."""
        self.seen |= report.skipped and not hasattr(report, "wasxfail")


class _PlainFolders:
    """A plugin of the run: it does not run the `__init__.py` of a folder that a bundle is in."""

    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector:
        """A folder that is no bundle, and no package either."""
        folder: pytest.Dir = pytest.Dir.from_parent(parent, path=path)
        return folder


def _bundle(path: Path, chosen: argparse.Namespace, scratch: Path) -> Path:
    """The bundle to check; that of a plain artifact is made in `scratch`.

    Raises:
        PlainArtifactError: where there is none.
    """
    is_archive = path.name.endswith(bundle_files.ARCHIVE_SUFFIX) and os.path.isfile(path)
    if is_archive or bundle_reader.is_bundle(path):
        if chosen.inputs or chosen.outputs:
            raise plain_artifacts.PlainArtifactError(
                f"{path} has inputs and outputs of its own: leave out --inputs and --outputs"
            )
        return path
    if not plain_artifacts.is_plain_artifact(path):
        raise plain_artifacts.PlainArtifactError(
            f"{path} is neither a bundle, a folder with {bundle_files.ORIGIN}, nor an artifact: "
            f"{plain_artifacts.EXPECTED}"
        )
    if chosen.outputs and not chosen.inputs:
        raise plain_artifacts.PlainArtifactError("--outputs needs --inputs")
    given = plain_artifacts.Given(path, chosen.inputs, chosen.outputs, chosen.imports)
    return plain_artifacts.make_bundle(given, scratch)


def _has(name: str, text: str) -> bool:
    path = Path(name)
    return path.is_file() and text in path.read_text(encoding="utf-8", errors="replace")


def _arguments(chosen: argparse.Namespace) -> list[str]:
    """The options of pytest that are meant; of the ini file in this folder, but for `addopts`.

    No conftest.py is run: it may be one of the bundle, and that is not confined.
    """
    ini = next((name for name, text in INI_FILES.items() if _has(name, text)), os.devnull)
    found = ["-c", ini, "--rootdir=.", "-o", "addopts=", "-p", "no:cacheprovider", "--no-header"]
    found.append("--noconftest")
    found += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # this package is in use already
    found += [f"--roundtrip-define-environment={text}" for text in chosen.define_environment]
    if chosen.environments is not None:
        found.append(f"--roundtrip-environments={','.join(chosen.environments)}")
    if chosen.checks:
        found.append(f"--roundtrip-checks={chosen.checks}")
    if chosen.store:
        found.append(f"--roundtrip-store={chosen.store}")
    if chosen.report:
        found.append(f"--roundtrip-report={chosen.report}")
    return found
