"""How much of something large was sent, for people."""

from __future__ import annotations

import time
from collections.abc import Callable

from .provisioning import Notify

LARGE_BYTES = 10_000_000  # the progress of sending more than this is shown


def progress(size: int, notify: Notify) -> Callable[[int], None]:
    """Show once a second how much of something large was sent, and at its end.

    Returns:
        what is called with the number of bytes in each piece; 0 at the end.
    """
    sent, shown = 0, time.monotonic()

    def show(count: int) -> None:
        nonlocal sent, shown
        sent += count
        if size > LARGE_BYTES and (time.monotonic() - shown > 1 or not count):
            shown = time.monotonic()
            notify(f"{min(sent, size) / 1e6:.0f} of {size / 1e6:.0f} MB sent")

    return show
