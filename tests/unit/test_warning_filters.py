"""Warnings of libraries fail no test, and show no more than its filters let through."""

from __future__ import annotations

import warnings

import pytest

from pytest_modelroundtrip.warning_filters import no_errors


def test_errors_are_shown_and_what_is_ignored_stays_ignored() -> None:
    with pytest.warns() as shown:
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)
        with no_errors():
            warnings.warn("old", DeprecationWarning, stacklevel=1)
            warnings.warn("odd", UserWarning, stacklevel=1)
        with pytest.raises(UserWarning, match="again"):
            warnings.warn("again", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in shown] == ["odd"]
