"""Bundles are kept: under a name that is the same in each run, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import tempfile
from pathlib import Path

MAX_NAME = 150  # characters, of a test


def bundle_name(test: str, number: int, fmt: str) -> str:
    """The name of the folder of a test's bundle: `test_models.test_encoder.keras`.

    It says nothing of the environment, on which a bundle does not depend. What no folder may be
    called is replaced; then a hash keeps two tests apart.

    Args:
        test: the id of the test, without format and environment.
        number: of the round trip in that test, from 1.
        fmt: the name of the format.
    """
    plain = test.replace(".py::", ".").replace("::", ".").replace("/", ".")
    safe = re.sub(r"[^A-Za-z0-9_.=,+-]", "_", plain)
    if safe != plain or len(safe) > MAX_NAME:
        digest = hashlib.sha256(test.encode("utf-8", "replace")).hexdigest()[:8]
        safe = f"{safe[:MAX_NAME]}_{digest}"
    return ".".join([safe, *([str(number)] if number > 1 else []), fmt])


def keep(bundle: Path, target: Path) -> None:
    """Copy a whole bundle; where another process has done so meanwhile, that one stays."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".", dir=target.parent))
    try:
        shutil.copytree(bundle, unfinished, dirs_exist_ok=True)
        unfinished.chmod(bundle.stat().st_mode)
        with contextlib.suppress(OSError):
            unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
