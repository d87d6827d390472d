"""Checks bundles on the machine that serves, which has the model's library and not the plugin.

`python check_release.py BUNDLE...` with the Python of that machine; the exit status is 0 where all
of them are as they were recorded.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def check_release(bundles: list[Path]) -> int:
    """How many of them are not as they were recorded."""
    failed = 0
    for bundle in bundles:
        print(f"== {bundle.name}", flush=True)
        failed += subprocess.call([sys.executable, "-s", str(bundle / "reload.pyz"), "--check"])
    return failed


if __name__ == "__main__":
    sys.exit(min(check_release([Path(argument) for argument in sys.argv[1:]]), 1))
