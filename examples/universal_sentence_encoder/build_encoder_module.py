"""Builds a hub module like the Universal Sentence Encoder, small and without a download.

`python build_encoder_module.py FOLDER` writes it to FOLDER. It has everything that makes text
modules hard to save and reload: it takes strings, its tokenizer is in its graph, its vocabulary is
in a file of its own, and its weights are not at their initial values.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import tensorflow as tf

WORDS = """
the a an this that it is are was be i you we they not no and or of to in on for with how what who
another one good bad sentence word meaning language model data science cat dog sleeps runs sofa
weather today café naïve über мир данные 世界
"""
OOV_BUCKETS = 256  # of words and pairs of words that are not in the vocabulary
WIDTHS = (128, 256, 512)  # the embedding, the hidden layer, the sentence
SEED = 20180329


class Dense(tf.Module):
    """`inputs @ kernel + bias`. As after a training, neither weight is at its initial value."""

    def __init__(self, inputs: int, outputs: int, random: np.random.Generator) -> None:
        super().__init__()
        kernel = random.normal(0, np.sqrt(2 / inputs), (inputs, outputs))
        self.kernel = tf.Variable(kernel, dtype=tf.float32, name="kernel")
        bias = random.normal(0, 0.1, outputs)
        self.bias = tf.Variable(bias, dtype=tf.float32, name="bias")

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """The linear outputs of the layer."""
        return inputs @ self.kernel + self.bias


class SentenceEncoder(tf.Module):
    """A deep averaging network: the mean of word embeddings -> dense layers -> a unit vector.

    It looks up words and pairs of words.

    Args:
        vocabulary: a text file, one word per line. It becomes an asset: saving the module copies
            the file into the module's folder.
    """

    def __init__(self, vocabulary: str) -> None:
        super().__init__()
        words = tf.lookup.TextFileInitializer(
            vocabulary,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.table = tf.lookup.StaticVocabularyTable(words, OOV_BUCKETS)
        random = np.random.default_rng(SEED)
        rows = (int(self.table.size()), WIDTHS[0])
        self.embedding = tf.Variable(random.normal(size=rows), dtype=tf.float32, name="embedding")
        self.layers = [Dense(*widths, random) for widths in pairwise(WIDTHS)]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "sentences")])
    def __call__(self, sentences: tf.Tensor) -> tf.Tensor:
        """Strings [n] -> unit vectors [n, 512]. An empty string has the vector of the biases."""
        lowered = tf.strings.lower(sentences, encoding="utf-8")
        clean = tf.strings.regex_replace(lowered, r"[[:punct:]]+", " ")
        words = tf.strings.split(clean)
        tokens = tf.concat([words, tf.strings.ngrams(words, 2)], axis=1)
        embedded = tf.ragged.map_flat_values(
            lambda flat: tf.gather(self.embedding, self.table.lookup(flat)), tokens
        )
        count = tf.cast(tokens.row_lengths(), tf.float32)[:, tf.newaxis]
        hidden = tf.reduce_sum(embedded, axis=1) / tf.sqrt(tf.maximum(count, 1.0))
        for layer in self.layers[:-1]:
            hidden = tf.nn.relu(layer(hidden))
        return tf.math.l2_normalize(self.layers[-1](hidden), axis=1)


def build(folder: str) -> None:
    """Write the module to `folder`, as `hub.load` reads it, and leave no other file."""
    with tempfile.TemporaryDirectory() as scratch:
        vocabulary = Path(scratch, "vocabulary.txt")
        vocabulary.write_text("\n".join(WORDS.split()), encoding="utf-8")
        tf.saved_model.save(SentenceEncoder(str(vocabulary)), folder)


if __name__ == "__main__":
    build(sys.argv[1])
