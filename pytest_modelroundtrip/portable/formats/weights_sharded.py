"""The format `weights_sharded`."""

from __future__ import annotations

import os
from typing import ClassVar

from .. import variables
from ..aliases import Model
from . import LoadOptions
from ._keras3 import Keras3Format
from ._rebuild import rebuilt, save_architecture
from .weights import WeightsFormat

FILENAME = "model.weights.json"
SHARDS = 8  # about, at most; a shard holds at least the largest variable
GIGABYTE = 1024**3  # as Keras counts


class WeightsShardedFormat(Keras3Format, WeightsFormat):
    """Weights in several files: `save_weights("model.weights.json", max_shard_size=...)`.

    They are loaded into a model that is rebuilt.
    """

    name = "weights_sharded"
    on_request: ClassVar[bool] = True
    since = (3, 10)

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        save_architecture(model, folder)
        sizes = [variables.value_of(variable).nbytes for variable in model.variables]
        largest = max(sizes, default=1)
        size = max(largest, sum(sizes) / SHARDS) / GIGABYTE
        model.save_weights(os.path.join(folder, FILENAME), max_shard_size=size)

    def load(self, folder: str, options: LoadOptions) -> Model:
        """The live model from that folder."""
        model = rebuilt(folder, options)
        model.load_weights(os.path.join(folder, FILENAME))
        return model
