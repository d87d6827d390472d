"""Trains the translator, builds the sentence encoder, and records bundles of both.

`python record_release.py FOLDER`, where the code of both models can be imported:
`PYTHONPATH=examples/encoder_decoder:examples/universal_sentence_encoder`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import tensorflow as tf
from build_encoder_module import build as build_encoder
from translation_model import build as build_translator
from translation_model import sequences, train

from pytest_modelroundtrip import record

SENTENCES = ["This is a sentence.", "The cat sleeps on the sofa!", "", "Ein naïver Satz: мир"]


def record_release(folder: Path) -> list[Path]:
    """Record what is released; the bundles."""
    tf.keras.utils.set_random_seed(0)
    models, (inputs, _) = build_translator(), sequences(8, seed=2)
    train(models.translator, 2, after_epoch=lambda: None)
    # the whole model as Keras has it, where this TensorFlow has that; and what a server loads
    has_keras_format = hasattr(tf.keras, "ops")
    formats = ["keras", "saved_model"] if has_keras_format else ["saved_model"]
    found = record(models.translator, inputs, path=folder / "translator", formats=formats)
    with tempfile.TemporaryDirectory() as published:
        build_encoder(published)
        encoder = tf.saved_model.load(published)
        return found + record(encoder, SENTENCES, path=folder / "encoder", formats=["saved_model"])


if __name__ == "__main__":
    for bundle in record_release(Path(sys.argv[1])):
        print(bundle)
