"""Where there is no TensorFlow, a marked suite is collected, and each item says what to install."""

from __future__ import annotations

import importlib.util

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is installed here"
)

SUITE = """
import pytest

@pytest.mark.roundtrip
def test_returned():
    import tensorflow as tf
    return tf.Module()

@pytest.mark.roundtrip(formats=["h5", "hub"])
def test_fixture(roundtrip):
    import tensorflow as tf
    roundtrip(tf.Module())
"""


def test_it_is_collected(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    result = pytester.runpytest("--collect-only", "-q")
    assert result.ret == 0
    assert sum("[h5]" in line for line in result.outlines) == 2
    assert sum("::test_returned[" in line for line in result.outlines) == 9


def test_each_item_says_what_to_install(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    result = pytester.runpytest()
    result.assert_outcomes(errors=11)
    assert result.stdout.str().count('-m pip install "pytest-modelroundtrip[cpu]"') >= 11
    assert "Traceback" not in result.stdout.str() and "INTERNALERROR" not in result.stdout.str()


def test_the_list_says_it_too(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--roundtrip-list")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["  here * broken: *", "Install it there: * -m pip install tensorflow-cpu"]
    )
