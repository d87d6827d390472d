"""Control characters and lone surrogates in what a model says reach nobody, under xdist either."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from inner_runs import REGISTERING, Run, reported

from pytest_modelroundtrip.__main__ import main

FORMAT = '''
import sys

from pytest_modelroundtrip.portable.format_api import Format


class RaisingFormat(Format):
    """Raises what no terminal should show."""

    name = "raising"
    keeps = ("outputs",)

    def load(self, path, options):
        raise NotImplementedError

    def save(self, model, path):
        print("\\x1b[31mprinted")
        raise ValueError("\\x1b[31mred \\u202egnp \\ud800 end")


def pytest_modelroundtrip_formats(config):
    return [RaisingFormat]
'''
MODEL = """
import numpy as np
import pytest


class Doubled:
    def get_config(self):
        return {}

    def __call__(self, x):
        return x * 2


@pytest.mark.roundtrip(formats=["raising"])
@pytest.mark.parametrize("number", range(2))
def test_it(number):
    return Doubled(), np.ones(2)


@pytest.mark.roundtrip(formats=["raising"])
def test_it_cannot_be_called():
    def call(self, x):
        raise ValueError("\\x1b[31mred \\ud800")

    return type("Model", (Doubled,), {"__call__": call})(), np.ones(2)
"""
LAYER = (
    REGISTERING
    + """

@register("hostile")
class Hostile(L.Layer):
    def call(self, x):
        return x

    @classmethod
    def from_config(cls, config):
        print("\\x1b[31mprinted \\x07")
        raise ValueError("\\x1b[31mred \\ud800\\n" + "line\\n" * 100_000)
"""
)
UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202e\ud800-\udfff]")


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["", "-n2"])
def test_a_format_that_raises_them(pytester: pytest.Pytester, workers: str) -> None:
    if workers and importlib.util.find_spec("xdist") is None:
        pytest.skip("pytest-xdist is not installed")
    pytester.makeconftest(FORMAT)
    pytester.makepyfile(MODEL)
    files = "--roundtrip-report=report.json", "--junit-xml=junit.xml", "-o", "junit_family=xunit1"
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *files, *workers.split())
    result.assert_outcomes(failed=3)
    shown = result.stdout.str() + result.stderr.str()
    # pytest itself passes on what a test printed
    told = re.sub("(?s)Captured stdout call.*?(?=\n[_=]{5})", "", shown)
    assert not UNPRINTABLE.search(told)
    assert told.count(r"\x1b[31mred \u202egnp \ud800 end") >= 2
    assert r"\x1b[31mred \ud800" in told.replace(r"\u202egnp ", "")
    records = json.loads(Path("report.json").read_text())["roundtrips"]
    assert [record["verdict"] for record in records] == ["save error"] * 2
    assert not UNPRINTABLE.search(json.dumps(records, ensure_ascii=False))
    ElementTree.parse("junit.xml")
    if importlib.util.find_spec("jinja2"):
        assert main(["report", "report.json", "--html", "page.html"]) == 0
        assert r"\ud800" in Path("page.html").read_text(encoding="utf-8")


def test_a_model_that_raises_them_where_it_is_loaded(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(hostile_layer=LAYER)
    source = (
        "import hostile_layer\n\n"
        '@pytest.mark.roundtrip(formats=["h5"], imports=["hostile_layer"])\n'
        "def test_it():\n    return K.Sequential([K.Input((4,)), hostile_layer.Hostile()])\n"
    )
    (record,) = reported(run, source, "--roundtrip-pythonpath=.")
    assert record["verdict"] == "load error"
    assert r"\x1b[31mred \ud800" in record["text"]
    assert r"\x1b[31mprinted \x07" in record["detail"] or "Traceback" in record["detail"]
    whole = json.dumps(record, ensure_ascii=False)
    assert not UNPRINTABLE.search(whole) and len(whole) < 100_000
