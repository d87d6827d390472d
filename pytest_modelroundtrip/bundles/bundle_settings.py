"""Options about bundles: what is recorded, and which goldens are checked.

They are not in the table of `settings`, which has what is resolved for each test: they are of the
whole run.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ..portable.bundles.bundle_files import is_url


def add_options(parser: pytest.Parser) -> None:
    """Declare them."""
    group = parser.getgroup("roundtrip")
    parser.addini(
        "roundtrip_goldens",
        type="paths",
        default=[],
        help="folders with bundles; each bundle is a test that what was saved earlier still loads",
    )
    parser.addini(
        "roundtrip_golden_failures",
        type="linelist",
        default=[],
        help="bundles that are known to fail, one `encoder.keras[tf215]: reason` per line",
    )
    where = "a folder for the large files of bundles, or a URL where they can be read"
    parser.addini("roundtrip_store", default="", help=where)
    group.addoption("--roundtrip-store", metavar="FOLDER_OR_URL", help=where)
    group.addoption(
        "--roundtrip-record",
        metavar="FOLDER",
        help="write a bundle of each round trip that passes into this new folder",
    )
    group.addoption(
        "--roundtrip-update-goldens",
        action="store_true",
        help="write a new bundle beside each golden that fails, if a test of this run records it",
    )


def golden_folders(config: pytest.Config) -> list[Path]:
    """The folders with bundles, of the ini file."""
    folders: list[Path] = config.getini("roundtrip_goldens")
    return folders


def is_golden(path: Path, config: pytest.Config) -> bool:
    """Whether that bundle is among the goldens, or was named by the user, or its folder was."""
    path = path.resolve()  # it may have been named by a link
    if any(path.is_relative_to(folder.resolve()) for folder in golden_folders(config)):
        return True
    by_user = config.args_source is config.ArgsSource.ARGS
    named = [config.invocation_params.dir / argument for argument in config.args if by_user]
    return any(root.resolve() in (path, path.parent) for root in named)


def expected_failures(config: pytest.Config) -> dict[str, str]:
    """By the id of a golden, as `encoder.keras[tf215]`, why it is known to fail.

    Raises:
        pytest.UsageError: for a line without an id or without a reason.
    """
    found = {}
    for line in config.getini("roundtrip_golden_failures"):
        name, _, reason = line.partition(": ")
        if not name.strip().endswith("]") or not reason.strip():
            raise pytest.UsageError(
                f"roundtrip_golden_failures: `NAME[ENVIRONMENT]: reason` is expected, not {line!r}"
            )
        found[name.strip()] = reason.strip()
    return found


def recording_folder(config: pytest.Config) -> Path | None:
    """Where bundles go; None where that was not asked for."""
    given = config.getoption("roundtrip_record")
    return None if given is None else config.invocation_params.dir / given


def store(config: pytest.Config) -> str:
    """The folder or the URL with files that are outside of bundles; "" where none is given."""
    folder = config.inipath.parent if config.inipath else config.rootpath
    given = config.getini("roundtrip_store")
    if config.getoption("roundtrip_store"):
        folder, given = config.invocation_params.dir, config.getoption("roundtrip_store")
    return given if not given or is_url(given) else str(folder / given)


def check(config: pytest.Config) -> None:
    """Before tests run: nothing that was recorded may be overwritten.

    Raises:
        pytest.UsageError: where the folder to record to has something in it, goldens are to be
            updated by several processes, the store cannot be written, or a line cannot be read.
    """
    expected_failures(config)
    updates, folder = config.getoption("roundtrip_update_goldens"), recording_folder(config)
    if updates and config.getoption("numprocesses", None):
        raise pytest.UsageError("--roundtrip-update-goldens does not work with xdist: leave out -n")
    if (updates or folder) and is_url(store(config)):
        raise pytest.UsageError(
            "to record, pass a folder to --roundtrip-store: nothing is uploaded to a URL"
        )
    if folder and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise pytest.UsageError(
            f"--roundtrip-record={folder}: pass a new or empty folder: bundles are not overwritten"
        )
