"""An encoder-decoder that learns to reverse sequences of digits: `7 4 2` becomes `2 4 7`.

It is small and has what real ones have: one embedding for source and target, padding that is
masked, and a state that goes from the encoder to the decoder. One model is trained, three are
served. All four share their layers:

    source -> embedding -> reader -> state
                                       |
    target -> embedding ----------> writer -> speaker -> logits
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

layers = tf.keras.layers

PADDING, START = 0, 10  # between them, the digits 1 to 9
VOCABULARY = 11
LONGEST = 6  # digits in a sequence
WIDTH, UNITS = 16, 32


class Models(NamedTuple):
    """Four models of the same layers."""

    # {"source": tokens, "target": the target one token late} -> logits of each token of the target
    translator: tf.keras.Model
    embedding: tf.keras.Model  # tokens -> vectors
    encoder: tf.keras.Model  # tokens of the source -> the reader's state
    decoder: tf.keras.Model  # tokens of the target, the reader's state -> logits


def build() -> Models:
    """Fresh models; the translator is compiled for training.

    The GRU has `reset_after=False`. The other variant has an implementation for cuDNN, which
    Keras 2 would save as well, slowly.
    """
    # PADDING is masked from here on
    embedding = layers.Embedding(VOCABULARY, WIDTH, mask_zero=True, name="embedding")
    reader = layers.GRU(UNITS, reset_after=False, return_state=True, name="reader")
    writer = layers.GRU(UNITS, reset_after=False, return_sequences=True, name="writer")
    speaker = layers.Dense(VOCABULARY, name="speaker")

    source = tf.keras.Input([None], dtype="int32", name="source")
    target = tf.keras.Input([None], dtype="int32", name="target")
    started = tf.keras.Input([UNITS], name="state")

    def decode(state: tf.Tensor) -> tf.Tensor:
        return speaker(writer(embedding(target), initial_state=state))

    _, state = reader(embedding(source))
    named_inputs = {"source": source, "target": target}
    translator = tf.keras.Model(named_inputs, decode(state), name="translator")
    translator.compile(
        tf.keras.optimizers.Adam(0.01),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return Models(
        translator,
        embedding=tf.keras.Model(source, embedding(source), name="embedding"),
        encoder=tf.keras.Model(source, state, name="encoder"),
        decoder=tf.keras.Model([target, started], decode(started), name="decoder"),
    )


def sequences(count: int, seed: int) -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
    """Sequences of 2 to 6 digits, padded: the translator's named inputs, and the right answer."""
    rng = np.random.default_rng(seed)
    source, answer = np.zeros([2, count, LONGEST], "int32")
    for row, length in enumerate(rng.integers(2, LONGEST, count, endpoint=True)):
        source[row, :length] = rng.integers(1, 9, length, endpoint=True)
        answer[row, :length] = source[row, :length][::-1]
    # teacher forcing: the target is the answer, one step late
    target = np.where(answer, np.roll(answer, 1, axis=1), PADDING)
    target[:, 0] = START
    return {"source": source, "target": target}, answer


def train(translator: tf.keras.Model, epochs: int, after_epoch: Callable[[], object]) -> None:
    """Train for a few seconds on a CPU; `after_epoch` is called at the end of each epoch."""
    inputs, answer = sequences(2048, seed=1)
    callback = tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda _epoch, _logs: after_epoch())
    translator.fit(inputs, answer, batch_size=64, epochs=epochs, callbacks=[callback], verbose=0)
