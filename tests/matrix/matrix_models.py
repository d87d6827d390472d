"""The models of the matrix. The functions are factories, too, for formats that keep weights only.

They run with any TensorFlow from 2.2 on.
"""

import os
import tempfile
from typing import Any

import tensorflow as tf

Model = Any  # of Keras or TensorFlow, which are not typed here

keras, layers = tf.keras, tf.keras.layers

SENTENCES = ["a small red fox", "the fox sees a bird", "no bird sees the small fox"]
WORDS = ["a", "small", "red", "fox", "the", "sees", "bird", "no"]


def dense() -> Model:
    """Compiled and trained for a step, so that there is an optimizer's state to keep."""
    hidden = layers.Dense(8, activation="relu", input_shape=(4,))
    model = keras.Sequential([hidden, layers.Dense(3, name="scores")])
    model.compile(keras.optimizers.Adam(0.01), loss=keras.losses.MeanSquaredError())
    model.fit(tf.ones((8, 4)), tf.zeros((8, 3)), verbose=0)
    return model


def convolutional() -> Model:
    """Convolution, normalization with moving statistics, pooling."""
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    x = layers.MaxPooling2D()(layers.BatchNormalization()(x))
    return keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))


def encoder_decoder() -> Model:
    """An LSTM that reads, an LSTM that writes from its states; one embedding for both."""
    embedding = layers.Embedding(20, 8, name="embedding")
    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((None,), dtype="int32", name="target")
    _, hidden, cell = layers.LSTM(8, return_state=True, name="encoder")(embedding(source))
    decoder = layers.LSTM(8, return_sequences=True, name="decoder")
    written = decoder(embedding(target), initial_state=[hidden, cell])
    return keras.Model([source, target], layers.Dense(20, name="words")(written))


def text_classifier() -> Model:
    """Strings in: the vocabulary is part of the model."""
    # before TensorFlow 2.6 it is experimental
    stable = hasattr(layers, "TextVectorization")
    module = layers if stable else layers.experimental.preprocessing
    vectorize = module.TextVectorization(output_sequence_length=6, name="vectorize")
    vectorize.adapt(tf.constant(SENTENCES))
    text = keras.Input((1,), dtype="string", name="text")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(16, 8, name="embedding")(vectorize(text)))
    return keras.Model(text, layers.Dense(2, name="scores")(x))


def transformer_block() -> Model:
    """Self-attention and a feed-forward net, each with its residual and its normalization."""
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = layers.Embedding(20, 8)(tokens)
    x = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)]))
    forward = layers.Dense(8)(layers.Dense(16, activation="relu")(x))
    return keras.Model(tokens, layers.LayerNormalization()(layers.Add()([x, forward])))


SIGNATURE = [tf.TensorSpec([None], tf.string)]


class SentenceEncoder(tf.Module):  # type: ignore[misc]
    """Like a Universal Sentence Encoder: strings in, unit vectors out, the vocabulary an asset."""

    def __init__(self) -> None:
        super().__init__()
        path = os.path.join(tempfile.mkdtemp(), "vocabulary.txt")
        with open(path, "w") as out:
            out.write("\n".join(WORDS) + "\n")
        self.vocabulary = tf.saved_model.Asset(path)
        lines, numbers = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        table = tf.lookup.TextFileInitializer(self.vocabulary, tf.string, lines, tf.int64, numbers)
        self.table = tf.lookup.StaticHashTable(table, default_value=len(WORDS))
        values = tf.random.stateless_normal((len(WORDS) + 1, 16), seed=(1, 2))
        self.embeddings = tf.Variable(values, name="embeddings")

    @tf.function(input_signature=SIGNATURE)  # type: ignore[untyped-decorator]
    def __call__(self, sentences: Any) -> Any:
        """float32 [batch, 16] for string [batch]."""
        words = tf.strings.split(sentences)
        found = tf.gather(self.embeddings, self.table.lookup(words.flat_values))
        return tf.math.l2_normalize(tf.math.segment_mean(found, words.value_rowids()), axis=-1)


def sentence_encoder() -> Model:
    """The module, into which a checkpoint is restored."""
    return SentenceEncoder()
