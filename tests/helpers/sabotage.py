"""Formats that lose something, each made from a sound one.

Each is a class in a module of its own, added by the hook and sent to the clean interpreter.
"""

from __future__ import annotations

from typing import NamedTuple

from sabotages import SABOTAGES

PREAMBLE = '''
import os
import socket
import tempfile

import numpy as np

from pytest_modelroundtrip.portable.models import model_weights, optimizers, variables
from pytest_modelroundtrip.portable.formats.{base} import {base_class} as Base


def weights(model):
    return {{w.path: w.variable for w in model_weights.keras_weights(model)}}


def slots(model):
    return {{w.path: w.variable for w in optimizers.optimizer_weights(model)}}


class Saboteur(Base):
    """Damages the reloaded model, or changes what it returns."""

    def load(self, folder, options):
        model = super().load(folder, options)
        self.damage(model)
        return model

    def damage(self, model):
        pass

    def subject(self, model, options):
        subject = super().subject(model, options)
        if not options.structure:  # the original
            return subject
        return self.changed_subject(subject)

    def changed_subject(self, subject):
        call = subject.calls[""]

        def changed_call(args, kwargs):
            return self.changed_outputs(args, call(args, kwargs))

        return subject._replace(calls={{"": changed_call}})

    def changed_outputs(self, args, outputs):
        return outputs


class Sabotaged(Saboteur):
    """A sabotaged format."""

    name = "sabotaged_{name}"
'''


MODELS = {
    "trained": """
i = K.Input((6,))
a = L.Dense(6, name="first", kernel_regularizer="l2")(i)
a = L.BatchNormalization(name="norm")(L.Dropout(0.5, name="drop")(a))
b = L.Dense(6, name="second", kernel_constraint="non_neg")(a)
model = K.Model(i, [b, L.Dense(6, name="third")(a)])
model.get_layer("third").trainable = False
model.compile(K.optimizers.Adam(0.01), [K.losses.MeanSquaredError()] * 2)
x = np.random.default_rng(0).normal(size=(8, 6)).astype("float32")
model.fit(x, [x, x], epochs=2, verbose=0)
return model
""",
    "scaled": """
model = K.Sequential([K.Input((6,)), L.Dense(2, name="first")])
# 2.11 and 2.12 keep the state of no new optimizer that is wrapped
early = tuple(map(int, tf.__version__.split(".")[:2])) < (2, 13)
optimizers = getattr(K.optimizers, "legacy", K.optimizers) if early else K.optimizers
scaled = K.mixed_precision.LossScaleOptimizer(optimizers.SGD(0.01))
model.compile(scaled, K.losses.MeanSquaredError())
model.fit(np.ones((4, 6), "float32"), np.ones((4, 2), "float32"), verbose=0)
return model
""",
    "lookup": """
words = L.StringLookup(vocabulary=["a", "b", "c"], name="words")
return K.Sequential([K.Input((1,), dtype="string"), words]), [["a"], ["z"]]
""",
    "free": """
i = K.Input((None, 4))
image = K.Input((None, None, 3))
pooled = L.GlobalMaxPooling2D()(L.UpSampling2D(2)(L.MaxPooling2D(2)(image)))
model = K.Model([i, image], [L.LSTM(3, return_sequences=True)(i), L.Dense(2)(pooled)])
return model
""",
    "small": """
i = K.Input((4,))
tiny = K.initializers.RandomUniform(1e-8, 1e-7, seed=1)
return K.Model(i, {"y": L.Dense(3, kernel_initializer=tiny)(i)})
""",
    "module": """
module = Module()
module.scale(tf.ones([2]))  # a SavedModel holds what was called
return module
""",
    "loaded": """
module, folder = Module(), tempfile.mkdtemp()
scaled = module.scale.get_concrete_function(tf.TensorSpec([None], tf.float32))
named = {"serving_default": module.__call__, "scaled": scaled}
tf.saved_model.save(module, folder, signatures=named)
return tf.saved_model.load(folder)
""",
}


class Break(NamedTuple):
    """What no check has to detect, since saving or loading breaks off."""

    body: str  # of the class `Sabotaged`
    says: tuple[str, ...]


BREAKS = {
    "writes_nothing": Break(
        """
    def save(self, model, folder):
        pass
""",
        ("SAVE ERROR", "the format wrote nothing"),
    ),
    "changes_model": Break(
        """
    def save(self, model, folder):
        super().save(model, folder)
        weights(model)["first/kernel"].assign(weights(model)["first/kernel"] * 2)
""",
        ("saving changed the model:", "first/kernel differs"),
    ),
    "keeps_path": Break(
        """
    def save(self, model, folder):
        super().save(model, folder)
        with open(os.path.join(folder, "where"), "w") as out:
            out.write(folder)

    def load(self, folder, options):
        with open(os.path.join(folder, "where")) as source:
            return super().load(source.read(), options)
""",
        ("LOAD ERROR", "saving/model"),
    ),
    "loads_nothing": Break(
        """
    def damage(self, model):
        variables.overwrite_with_sentinels(model)
""",
        ("weights: 10 differences", "10 of 10 weights were not loaded at all"),
    ),
}

BASE_CLASSES = {
    "keras": "KerasFormat",
    "h5": "H5Format",
    "keras_saved_model": "KerasSavedModelFormat",
    "saved_model": "SavedModelFormat",
}


def base_formats() -> dict[str, str]:
    """The format that keeps the whole model, and the one that keeps a vocabulary.

    They depend on the TensorFlow and Keras that are installed.
    """
    import tensorflow as tf

    keras3 = not hasattr(tf.keras.Model, "save_spec")
    version = tuple(int(part) for part in tf.__version__.split(".")[:2])
    whole = "keras" if keras3 or version >= (2, 13) else "h5"
    return {"whole": whole, "lookup": "keras" if keras3 else "keras_saved_model"}


def sources() -> dict[str, str]:
    """The source of each format's module."""
    bases = base_formats()
    made = {
        name: (bases.get(sabotage.base, sabotage.base), sabotage.body)
        for name, sabotage in SABOTAGES.items()
    }
    made.update({name: (bases["whole"], broken.body) for name, broken in BREAKS.items()})
    return {
        name: PREAMBLE.format(name=name, base=base, base_class=BASE_CLASSES[base]) + body
        for name, (base, body) in made.items()
    }
