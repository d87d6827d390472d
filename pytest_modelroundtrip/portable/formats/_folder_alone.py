"""What formats have in common that need nothing to load a model but the folder."""

from __future__ import annotations

import abc

from ..aliases import Model
from . import Format, LoadOptions


class FolderAloneFormat(Format):
    """A format whose loader takes the folder alone."""

    @abc.abstractmethod
    def opened(self, folder: str) -> Model:
        """The live model from that folder."""

    def load(self, folder: str, options: LoadOptions) -> Model:  # noqa: ARG002
        """The live model from that folder."""
        return self.opened(folder)
