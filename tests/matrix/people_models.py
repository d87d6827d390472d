"""One model of each kind of thing that people put into a model, tiny, with random numbers.

Each function is a factory, too, for formats that keep weights only. A model has the name of its
function, by which `train` finds the data.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = [
    "feature_space",
    "float8",
    "int4",
    "int8",
    "int8_with_lora",
    "lora",
    "loss_scaling",
    "module_with_tables",
    "own_assets",
    "own_variables",
    "policy_map",
    "preprocessing",
]

Model = Any  # of Keras or TensorFlow, which are not typed here
Tensor = Any

keras, layers = tf.keras, tf.keras.layers
KerasLayer: Any = layers.Layer
TensorFlowModule: Any = tf.Module
register = keras.utils.register_keras_serializable(package="people")

VOCABULARY = ["amber", "birch", "cedar", "dune"]
WORDS = np.array([["amber"], ["dune"], ["cedar"], ["none"], ["birch"], ["amber"]])
NUMBERS = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
IDS = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 1, 0], [3, 2, 1], [9, 9, 9]], "int32")
TEXTS = np.array([["amber dune"], ["cedar"], [""], ["birch none dune"], ["amber"], ["dune"]])
ROWS = {
    "age": np.array([[20.0], [30.0], [41.0], [55.0], [63.0], [70.0]], "float32"),
    "city": WORDS,
    "floor": np.array([[1], [2], [3], [1], [2], [7]], "int64"),
}

INPUTS: dict[str, Any] = {
    "lora": IDS,
    "int8": IDS,
    "int4": IDS,
    "float8": IDS,
    "int8_with_lora": IDS,
    "loss_scaling": NUMBERS,
    "policy_map": NUMBERS,
    "feature_space": ROWS,
    "preprocessing": {**ROWS, "text": TEXTS},
    "own_variables": NUMBERS,
    "own_assets": WORDS,
    "module_with_tables": WORDS,
}

ONLY_KERAS_3 = ("lora", "int8", "int4", "float8", "int8_with_lora", "policy_map")


def inputs(name: str) -> Any:
    """What the model of that name is called with: three rows."""
    return tf.nest.map_structure(lambda array: tf.constant(array[:3]), INPUTS[name])


def train(model: Model, callbacks: Any, initial_epoch: int = 0) -> None:
    """Three epochs of one batch; the formats of a training that is resumed need at least two."""
    x = tf.nest.map_structure(tf.constant, INPUTS[model.name])
    y = np.full((6, *model.output_shape[1:]), 0.5)
    model.fit(
        x, y, epochs=3, initial_epoch=initial_epoch, shuffle=False, callbacks=callbacks, verbose=0
    )


def trained(model: Model) -> Model:
    """The model, compiled and trained."""
    model.compile(keras.optimizers.Adam(0.01), keras.losses.MeanSquaredError())
    train(model, [])
    return model


# numbers of another width, and small matrices beside large ones


def _layers_of_matrices(name: str) -> Model:
    """The three layers that can be quantized."""
    ids = keras.Input((3,), dtype="int32", name="ids")
    embedded = layers.Embedding(10, 8, name="embedding")(ids)
    mixed = layers.EinsumDense("abc,cd->abd", (None, 6), bias_axes="d", name="einsum")(embedded)
    pooled = layers.GlobalAveragePooling1D()(mixed)
    return keras.Model(ids, layers.Dense(4, name="dense")(pooled), name=name)


def _enable_lora(model: Model) -> Model:
    for name in ("embedding", "einsum", "dense"):
        model.get_layer(name).enable_lora(2)
    return model


def lora() -> Model:
    """LoRA on each layer that has it: the matrices train, the kernels do not."""
    return trained(_enable_lora(_layers_of_matrices("lora")))


def _quantized(mode: str, name: str) -> Model:
    model = trained(_layers_of_matrices(name))
    model.quantize(mode)
    return model


def int8() -> Model:
    """Trained, then quantized to int8."""
    return _quantized("int8", "int8")


def int4() -> Model:
    """Trained, then quantized to int4: two numbers in a byte."""
    return _quantized("int4", "int4")


def float8() -> Model:
    """Trained in float8: kernels in float32, with scales that training moves."""
    model = _layers_of_matrices("float8")
    model.quantize("float8")
    return trained(model)


def int8_with_lora() -> Model:
    """Quantized to int8, then trained by LoRA."""
    return trained(_enable_lora(_quantized("int8", "int8_with_lora")))


def loss_scaling() -> Model:
    """Mixed precision in float16, with a loss scale that has moved."""
    image = keras.Input((8,), name="numbers")
    hidden = layers.Dense(8, activation="relu", dtype="mixed_float16", name="half")(image)
    model = keras.Model(image, layers.Dense(2, dtype="float32")(hidden), name="loss_scaling")
    inner = keras.optimizers.Adam(0.01)
    optimizer = keras.mixed_precision.LossScaleOptimizer(inner, dynamic_growth_steps=2)
    model.compile(optimizer, keras.losses.MeanSquaredError())
    train(model, [])
    return model


@register
class Pair(KerasLayer):  # type: ignore[misc]
    """Two layers in one, which a map of dtypes sees by their paths."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first = layers.Dense(8, dtype=self.dtype_policy, name="first")
        self.second = layers.Dense(3, dtype=self.dtype_policy, name="second")

    def build(self, input_shape: Any) -> None:
        """Build the layers inside."""
        self.first.build(input_shape)
        self.second.build((*input_shape[:-1], 8))

    def call(self, x: Tensor) -> Tensor:
        """[batch, 3] for [batch, 8]."""
        return self.second(self.first(x))

    def get_config(self) -> dict[str, Any]:
        """With the map, which Keras writes only where a layer has a `get_config`."""
        config: dict[str, Any] = super().get_config()
        return config


def policy_map() -> Model:
    """One layer in bfloat16, one in float32, by a `DTypePolicyMap`."""
    policies = keras.dtype_policies.DTypePolicyMap(default_policy="float32")
    policies["pair/first"] = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
    x = keras.Input((8,), name="numbers")
    return trained(keras.Model(x, Pair(dtype=policies, name="pair")(x), name="policy_map"))


# words, tables and statistics


def features() -> Model:
    """An adapted `FeatureSpace`, which is a layer."""
    kind = keras.utils.FeatureSpace
    features = {
        "age": kind.float_discretized(num_bins=3),
        "city": kind.string_categorical(num_oov_indices=1),
        "floor": kind.integer_categorical(num_oov_indices=1),
    }
    space = kind(features, crosses=[kind.cross(("city", "floor"), 4)], output_mode="concat")
    space.adapt(tf.data.Dataset.from_tensor_slices(ROWS))
    return space


def feature_space() -> Model:
    """A model behind the features of a `FeatureSpace`."""
    space = features()
    score = layers.Dense(2, name="score")(space.get_encoded_features())
    return trained(keras.Model(space.get_inputs(), score, name="feature_space"))


def preprocessing() -> Model:
    """Layers that were adapted: vocabularies, IDF weights, means, bins."""
    taken = {
        "age": keras.Input((1,), name="age"),
        "city": keras.Input((1,), dtype="string", name="city"),
        "floor": keras.Input((1,), dtype="int64", name="floor"),
        "text": keras.Input((1,), dtype="string", name="text"),
    }
    made = {
        "age": [layers.Normalization(), layers.Discretization(num_bins=3, output_mode="one_hot")],
        "city": [layers.StringLookup(output_mode="one_hot")],
        "floor": [layers.IntegerLookup(output_mode="multi_hot")],
        "text": [layers.TextVectorization(output_mode="tf_idf")],
    }
    returned = []
    for name, each in made.items():
        for layer in each:
            layer.adapt({**ROWS, "text": TEXTS}[name])
            returned.append(layers.Flatten()(layer(taken[name])))
    joined = layers.Concatenate()(returned)
    return trained(keras.Model(taken, layers.Dense(2, name="score")(joined), name="preprocessing"))


@register
class Counted(KerasLayer):  # type: ignore[misc]
    """Saves its numbers in a form of its own: the logarithm of its scale."""

    def build(self, input_shape: Any) -> None:
        """A scale for each feature."""
        self.scale = self.add_weight(
            shape=(int(input_shape[-1]),), initializer="ones", name="scale"
        )

    def call(self, x: Tensor) -> Tensor:
        """As its input."""
        return x * self.scale

    def save_own_variables(self, store: Any) -> None:
        """Under a name that only this class knows."""
        store["reversed"] = np.asarray(self.scale)[::-1]

    def load_own_variables(self, store: Any) -> None:
        """As `save_own_variables` wrote it."""
        self.scale.assign(np.asarray(store["reversed"])[::-1])


def own_variables() -> Model:
    """A layer with `save_own_variables` and `load_own_variables`."""
    x = keras.Input((8,), name="numbers")
    scaled = Counted(name="counted")(x)
    return trained(keras.Model(x, layers.Dense(2)(scaled), name="own_variables"))


@register
class Lexicon(KerasLayer):  # type: ignore[misc]
    """Its words are an asset: a file in what is saved."""

    def __init__(self, words: Any = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set(list(words))

    def _set(self, words: list[str]) -> None:
        self.words = words
        if words:
            numbers = tf.range(1, len(words) + 1)
            pairs = tf.lookup.KeyValueTensorInitializer(words, numbers)
            self.table = tf.lookup.StaticHashTable(pairs, 0)

    def call(self, x: Tensor) -> Tensor:
        """float32 [batch, 1]: the number of each word."""
        return tf.cast(self.table.lookup(x), tf.float32) if self.words else tf.zeros((1, 1))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of its input."""
        return input_shape

    def compute_output_spec(self, x: Tensor) -> Tensor:
        """Numbers in place of words."""
        return keras.KerasTensor(x.shape, "float32")

    def save_assets(self, dir_path: str) -> None:
        """One word a line."""
        with open(os.path.join(dir_path, "words.txt"), "w", encoding="utf-8") as out:
            out.write("\n".join(self.words))

    def load_assets(self, dir_path: str) -> None:
        """As `save_assets` wrote them."""
        with open(os.path.join(dir_path, "words.txt"), encoding="utf-8") as source:
            self._set(source.read().split("\n"))

    def get_config(self) -> dict[str, Any]:
        """Without the words."""
        config: dict[str, Any] = super().get_config()
        return config


def own_assets() -> Model:
    """A layer with `save_assets` and `load_assets`."""
    x = keras.Input((1,), dtype="string", name="words")
    numbers = Lexicon(VOCABULARY, name="lexicon")(x)
    return trained(keras.Model(x, layers.Dense(2)(numbers), name="own_assets"))


WORD_COLUMN = [tf.TensorSpec([None, 1], tf.string)]


class WithFile(TensorFlowModule):  # type: ignore[misc]
    """A table from a file, a table of two numbers, a variable."""

    def __init__(self) -> None:
        super().__init__()
        with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as out:
            out.write("\n".join(VOCABULARY))
        kinds = tf.lookup.TextFileIndex
        lines = tf.lookup.TextFileInitializer(
            out.name, tf.string, kinds.WHOLE_LINE, tf.int64, kinds.LINE_NUMBER
        )
        self.words = tf.lookup.StaticHashTable(lines, -1)
        self.counts = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, 0)
        self.counts.insert(tf.constant(VOCABULARY), tf.constant([3, 1, 4, 1], tf.int64))
        self.weights = tf.Variable(NUMBERS[:4, 0], name="weights")
        self.license = tf.saved_model.Asset(out.name)

    @tf.function(input_signature=WORD_COLUMN)  # type: ignore[untyped-decorator]
    def __call__(self, words: Tensor) -> Any:
        """Numbers of the words and their weights."""
        found = self.words.lookup(words)
        return {
            "count": self.counts.lookup(words),
            "weight": tf.gather(self.weights, tf.maximum(found, 0)),
            "lines": tf.strings.length(tf.io.read_file(self.license.asset_path)),
        }


def module_with_tables() -> Model:
    """A `tf.Module` with tables and a file."""
    return WithFile()
