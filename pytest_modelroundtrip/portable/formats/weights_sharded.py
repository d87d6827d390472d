"""The format `weights_sharded`."""

from __future__ import annotations

import os
import tempfile
from typing import ClassVar, List

from ..aliases import Model, Module
from ._keras3 import Keras3Format
from .rebuilt import save_architecture
from .weights import WeightsFormat

SHARDS = 8  # about, at most; a shard holds at least the largest variable
GIGABYTE = 1024**3  # as Keras counts


class WeightsShardedFormat(Keras3Format, WeightsFormat):
    """Weights in several files: `save_weights("model.weights.json", max_shard_size=...)`.

    They are loaded into a model that is rebuilt.
    """

    name = "weights_sharded"
    filename = "model.weights.json"
    on_request: ClassVar[bool] = True
    since = (3, 10)

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        save_architecture(model, folder)
        sizes = _sizes(model)
        largest = max(sizes, default=1)
        size = max(largest, sum(sizes) / SHARDS) / GIGABYTE
        model.save_weights(os.path.join(folder, self.filename), max_shard_size=size)


def _sizes(model: Model) -> List[int]:
    """The bytes of each array that Keras writes: also slots, and what a layer writes itself."""
    import h5py

    sizes: List[int] = []

    def note(_name: str, held: Module) -> None:
        if isinstance(held, h5py.Dataset):
            sizes.append(int(held.nbytes))

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.weights.h5")
        model.save_weights(path)
        with h5py.File(path, "r") as written:
            written.visititems(note)
    return sizes
