"""The format `export_archive`."""

from __future__ import annotations

from typing import ClassVar, List, Optional

from .. import keras_libs
from ..aliases import Model, Nest
from ..models import calling
from ..subject import Subject
from . import LoadOptions
from .export import ExportFormat

SECOND = "infer"  # the endpoint beside `serve`


class ExportArchiveFormat(ExportFormat):
    """A SavedModel with two endpoints: `ExportArchive.add_endpoint`, then `tf.saved_model.load`.

    `serve` is made of `model.call`, as Keras' guides show it, and `infer` of the model, called
    with `training=False`. Both are called.
    """

    name = "export_archive"
    on_request: ClassVar[bool] = True

    def unsupported(self, model: Model) -> Optional[str]:
        """Why it cannot hold this model with these versions, or None."""
        reason = super().unsupported(model)
        if reason is None and not _signature(model):
            return "an endpoint needs an input signature, and the model does not declare one"
        return reason

    def save(self, model: Model, folder: str) -> None:
        """Write the model into this empty folder."""
        if keras_libs.keras_major(model) is None:  # what `load` returned, in a second generation
            super().save(model, folder)
            return
        archive = keras_libs.own_keras(model).export.ExportArchive()
        archive.track(model)
        archive.add_endpoint("serve", model.call, _signature(model))
        archive.add_endpoint(SECOND, lambda *args: model(*args, training=False), _signature(model))
        archive.write_out(folder)

    def subject(self, model: Model, options: LoadOptions) -> Subject:
        """As of an export; the reloaded one is called through each endpoint."""
        subject = super().subject(model, options)
        if keras_libs.keras_major(model) is not None:  # the original
            return subject
        calls = {**subject.calls, f"the endpoint {SECOND}": calling.endpoint(model, SECOND)}
        return subject._replace(calls=calls)


def _signature(model: Model) -> List[Nest]:
    """The specs of the positional arguments; none where the model does not declare them."""
    import tensorflow as tf

    if keras_libs.keras_major(model) == 2:
        args, _ = model.save_spec() or ((), {})
        return list(args)
    nest = keras_libs.input_nest(model) if keras_libs.is_graph(model) else None
    if nest is not None:
        specs = tf.nest.map_structure(lambda one: tf.TensorSpec(one.shape, one.dtype), nest)
        return [specs]
    shape = (model.get_build_config() or {}).get("input_shape") or ()
    if not shape or not all(isinstance(size, (int, type(None))) for size in shape):
        return []
    return [tf.TensorSpec([None, *shape[1:]], model.input_dtype)]
