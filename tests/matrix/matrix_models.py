"""The models of the matrix, and what builds them anew for the formats that keep weights only. Any TensorFlow from 2.2 on."""

import os
import tempfile

import tensorflow as tf

keras, layers = tf.keras, tf.keras.layers

SENTENCES = ["a small red fox", "the fox sees a bird", "no bird sees the small fox"]
WORDS = ["a", "small", "red", "fox", "the", "sees", "bird", "no"]


def dense():
    """Compiled and trained for a step, so that there is an optimizer's state to keep."""
    model = keras.Sequential([layers.Dense(8, activation="relu", input_shape=(4,)), layers.Dense(3, name="scores")])
    model.compile(keras.optimizers.Adam(0.01), loss=keras.losses.MeanSquaredError())
    model.fit(tf.ones((8, 4)), tf.zeros((8, 3)), verbose=0)
    return model


def convolutional():
    """Convolution, normalisation with moving statistics, pooling."""
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    x = layers.MaxPooling2D()(layers.BatchNormalization()(x))
    return keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))


def encoder_decoder():
    """An LSTM that reads, an LSTM that writes from its states; one embedding for both."""
    embedding = layers.Embedding(20, 8, name="embedding")
    source, target = keras.Input((None,), dtype="int32", name="source"), keras.Input((None,), dtype="int32", name="target")
    _, hidden, cell = layers.LSTM(8, return_state=True, name="encoder")(embedding(source))
    written = layers.LSTM(8, return_sequences=True, name="decoder")(embedding(target), initial_state=[hidden, cell])
    return keras.Model([source, target], layers.Dense(20, name="words")(written))


def text_classifier():
    """Strings in: the vocabulary is part of the model."""
    if hasattr(layers, "TextVectorization"):
        vectorize = layers.TextVectorization(output_sequence_length=6, name="vectorize")
    else:  # before TensorFlow 2.6
        vectorize = layers.experimental.preprocessing.TextVectorization(output_sequence_length=6, name="vectorize")
    vectorize.adapt(tf.constant(SENTENCES))
    text = keras.Input((1,), dtype="string", name="text")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(16, 8, name="embedding")(vectorize(text)))
    return keras.Model(text, layers.Dense(2, name="scores")(x))


def transformer_block():
    """Self-attention and a feed-forward net, each with its residual and its normalisation."""
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = layers.Embedding(20, 8)(tokens)
    x = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)]))
    forward = layers.Dense(8)(layers.Dense(16, activation="relu")(x))
    return keras.Model(tokens, layers.LayerNormalization()(layers.Add()([x, forward])))


class SentenceEncoder(tf.Module):
    """What a Universal Sentence Encoder-like hub module is: strings in, unit vectors out, its vocabulary an asset."""

    def __init__(self):
        super().__init__()
        path = os.path.join(tempfile.mkdtemp(), "vocabulary.txt")
        with open(path, "w") as out:
            out.write("\n".join(WORDS) + "\n")
        self.vocabulary = tf.saved_model.Asset(path)
        lines, numbers = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        table = tf.lookup.TextFileInitializer(self.vocabulary, tf.string, lines, tf.int64, numbers)
        self.table = tf.lookup.StaticHashTable(table, default_value=len(WORDS))
        self.embeddings = tf.Variable(tf.random.stateless_normal((len(WORDS) + 1, 16), seed=(1, 2)), name="embeddings")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, sentences):
        """float32 [batch, 16] for string [batch]."""
        words = tf.strings.split(sentences)
        found = tf.gather(self.embeddings, self.table.lookup(words.flat_values))
        return tf.math.l2_normalize(tf.math.segment_mean(found, words.value_rowids()), axis=-1)


def sentence_encoder():
    """The module, for a checkpoint to be restored into."""
    return SentenceEncoder()
