"""The numbers that the models are made from; the run prints the first one."""

from __future__ import annotations

import os
import random

import pytest
import sabotaged

from pytest_modelroundtrip.portable.formats import Format

SEED = "ROUNDTRIP_TEST_SEED"
os.environ[SEED] = os.environ.get(SEED) or str(random.randrange(10**6))  # xdist's workers get it
FIRST = int(os.environ[SEED])
COUNT = int(os.environ.get("ROUNDTRIP_TEST_MODELS") or 100)


def pytest_report_header() -> str:
    return f"random models: {SEED}={FIRST} ROUNDTRIP_TEST_MODELS={COUNT}"


def pytest_modelroundtrip_formats(config: pytest.Config) -> list[type[Format]]:
    del config
    return [sabotaged.SabotagedKeras]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "number" in metafunc.fixturenames:
        metafunc.parametrize("number", range(FIRST, FIRST + COUNT))
