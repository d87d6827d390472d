"""Formats that travel: the file of a format class is the one that defines it."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from pytest_modelroundtrip.environments import archive
from pytest_modelroundtrip.portable.format_api import Format


def logged(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def logging(*args: Any) -> Any:
        return method(*args)

    return logging


class Decorated(Format):
    """Its first function is wrapped by one of the standard library."""

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Do nothing."""
        yield


class Borrowing(Format):
    """Its first function is that of another module."""

    dedent = inspect.cleandoc

    @logged
    def opened(self) -> None:
        """Do nothing."""


class Plain(Format):
    """It has no function of its own."""

    dedent = inspect.cleandoc


def test_the_file_of_a_format_is_that_of_its_own_code() -> None:
    for format_class in (Decorated, Borrowing, Plain):
        assert archive._file(format_class) == __file__
