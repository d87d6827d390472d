"""What libraries say of each other in warnings is no error of the test that meets them."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def no_errors() -> Iterator[None]:
    """Show warnings that the filters of a test make errors; what they ignore stays ignored."""
    with warnings.catch_warnings():
        kept = [
            ("default" if action == "error" else action, *others)
            for action, *others in warnings.filters
        ]
        warnings.resetwarnings()
        warnings.filters[:] = kept  # type: ignore[index]  # a list, typed as a sequence
        yield
