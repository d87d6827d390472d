"""How pytest-xdist hands out items: all round trips of one model go to one worker.

There the model is built and called once.
"""

from __future__ import annotations

import re
from typing import Any

from xdist.scheduler import LoadScheduling

from .portable.format_names import BUILT_IN

# the end of an item's id: the format, and the environment where it is not `here`
CASE = re.compile(rf"([\[-])(?:{'|'.join(sorted(BUILT_IN, key=len, reverse=True))})(-[^\]-]+)?\]$")


class ModelsTogether(LoadScheduling):  # type: ignore[misc]  # xdist has no types
    """`--dist=load`, in pieces that do not end between two round trips of one model."""

    def _send_tests(self, node: Any, num: int) -> None:
        super()._send_tests(node, num + self._of_same_model(num))

    def _of_same_model(self, num: int) -> int:
        """How many of the items after the next `num` belong to the model of the last of these."""
        if not self.pending[:num] or self.collection is None:
            return 0
        model = model_of(self.collection[self.pending[:num][-1]])
        count = 0
        for index in self.pending[num:]:
            if model_of(self.collection[index]) != model:
                break
            count += 1
        return count


def model_of(nodeid: str) -> str:
    """The id of an item without its format and environment; items of one model have the same."""
    return CASE.sub(r"\1]", nodeid)
