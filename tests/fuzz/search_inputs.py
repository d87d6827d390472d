"""The search for inputs that break a reader: `tox -e fuzz`, not among the quick tests.

ROUNDTRIP_TEST_SECONDS bounds it, ROUNDTRIP_TEST_SEED repeats one. What it finds is mended, and goes
into test_found_inputs.py.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from pathlib import Path

import fuzz_targets
import pytest

SEED = os.environ.get("ROUNDTRIP_TEST_SEED") or str(random.randrange(10**6))
SECONDS = float(os.environ.get("ROUNDTRIP_TEST_SECONDS") or 120)
FIRST = int(os.environ.get("ROUNDTRIP_TEST_FIRST") or 0)
SHARES = dict.fromkeys(fuzz_targets.TARGETS, 1.0) | {"answers": 8.0}  # of the time


@pytest.mark.parametrize("target", fuzz_targets.TARGETS)
def test_search(target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    until = time.monotonic() + SECONDS * SHARES[target] / sum(SHARES.values())
    longest = 0.0
    for number in itertools.count(FIRST):
        began = time.monotonic()
        if began > until:
            break
        try:
            fuzz_targets.run(target, f"{SEED} {number}", tmp_path)
        except Exception as error:
            again = f"ROUNDTRIP_TEST_SEED={SEED} ROUNDTRIP_TEST_FIRST={number}"
            raise AssertionError(f"{target}: {again} repeats it") from error
        longest = max(longest, time.monotonic() - began)
    tried = f"{number - FIRST} inputs of seed {SEED}, the longest took {longest:.2f} s"
    with capsys.disabled():
        print(f"\n{target}: {tried}")
