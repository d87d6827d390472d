"""Every layer of `keras.layers`: how it is made, and what it is called with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Layers = Any  # the module keras.layers

_random = np.random.default_rng(0)


def floats(*shape: int) -> Any:
    """float32, all different."""
    return _random.normal(size=shape).astype("float32")


VECTOR, SEQUENCE, IMAGE = floats(3, 4), floats(3, 5, 4), floats(3, 8, 8, 3)
VOLUME = floats(2, 6, 6, 6, 2)
PHOTO = _random.uniform(0, 255, (2, 8, 8, 3)).astype("float32")
TOKENS = _random.integers(1, 5, (3, 5)).astype("int32")
WORDS = np.array([["a"], ["b"], ["unknown"]], dtype=object)
SENTENCES = np.array([["a b"], ["b unknown a"], [""]], dtype=object)
STATE = floats(3, 3)
CROSSED = [np.array([["a"], ["b"]], dtype=object), np.array([[1], [2]])]


class LayerCase(NamedTuple):
    """A layer and the arguments of its call."""

    make: Callable[[Layers], Any]
    args: tuple[Any, ...]


def case(make: Callable[[Layers], Any], *args: Any) -> LayerCase:
    """A row of the table."""
    return LayerCase(make, args)


def simple(name: str, *args: Any, **kwargs: Any) -> Callable[[Layers], Any]:
    """Makes the layer of that name with these arguments."""
    return lambda layers: getattr(layers, name)(*args, **kwargs)


def spatial(name: str, *args: Any, **kwargs: Any) -> dict[str, LayerCase]:
    """The layers `name1D`, `name2D` and `name3D`."""
    inputs = {1: SEQUENCE, 2: IMAGE, 3: VOLUME}
    found = {f"{name}{rank}D": x for rank, x in inputs.items()}
    return {full: case(simple(full, *args, **kwargs), x) for full, x in found.items()}


def made(inputs: Any, *names: str, **kwargs: Any) -> dict[str, LayerCase]:
    """The layers of these names, with the same arguments, on the same input."""
    return {name: case(simple(name, **kwargs), inputs) for name in names}


AUGMENTATIONS = (
    "AugMix", "AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "CutMix",
    "Equalization", "MixUp", "RandAugment", "RandomColorJitter", "RandomElasticTransform",
    "RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomInvert",
    "RandomPerspective", "RandomShear", "Solarization",
)  # fmt: skip
AUGMENTATIONS_BY_A_FACTOR = (
    "RandomBrightness", "RandomColorDegeneration", "RandomContrast", "RandomHeight", "RandomHue",
    "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomWidth",
)  # fmt: skip

CASES: dict[str, LayerCase] = {
    # dense, and what has no weights
    **made(VECTOR, "ELU", "Identity", "LeakyReLU", "PReLU", "ReLU", "ThresholdedReLU"),
    **made(VECTOR, "Activation", activation="tanh"),
    **made(VECTOR, "ActivityRegularization", l2=0.1),
    **made(SEQUENCE, "Dense", units=3, activation="relu", kernel_regularizer="l2"),
    "EinsumDense": case(simple("EinsumDense", "abc,cd->abd", (None, 6), bias_axes="d"), SEQUENCE),
    **made(TOKENS, "Embedding", input_dim=7, output_dim=4, mask_zero=True),
    **made(TOKENS, "ReversibleEmbedding", input_dim=7, output_dim=4),
    **made(SEQUENCE, "Flatten", "GlobalAveragePooling1D", "GlobalMaxPooling1D", "Masking"),
    **made(SEQUENCE, "Permute", dims=(2, 1)),
    **made(VECTOR, "RepeatVector", n=2),
    **made(SEQUENCE, "Reshape", target_shape=(-1, 2)),
    **made(SEQUENCE, "Softmax"),
    # normalization and noise
    **made(SEQUENCE, "BatchNormalization", "LayerNormalization", "RMSNormalization"),
    **made(SEQUENCE, "UnitNormalization"),
    **made(SEQUENCE, "GroupNormalization", groups=2),
    "SpectralNormalization": case(
        lambda layers: layers.SpectralNormalization(layers.Dense(3)), VECTOR
    ),
    **made(VECTOR, "Dropout", "AlphaDropout", "GaussianDropout", rate=0.5, seed=1),
    **made(VECTOR, "GaussianNoise", stddev=0.5),
    **spatial("SpatialDropout", 0.5),
    # merging
    **made([VECTOR, VECTOR + 1], "Add", "Average", "Concatenate", "Maximum", "Minimum"),
    **made([VECTOR, VECTOR + 1], "Multiply", "Subtract"),
    **made([VECTOR, VECTOR + 1], "Dot", axes=1),
    # attention
    **made([SEQUENCE, SEQUENCE + 1], "Attention", use_scale=True),
    **made([SEQUENCE, SEQUENCE + 1], "AdditiveAttention"),
    "MultiHeadAttention": case(simple("MultiHeadAttention", 2, 3), SEQUENCE, SEQUENCE + 1),
    "GroupQueryAttention": case(simple("GroupQueryAttention", 3, 4, 2), SEQUENCE, SEQUENCE + 1),
    # convolution
    **spatial("Conv", 4, 2, padding="same"),
    **{name: row for name, row in spatial("DepthwiseConv", 2).items() if "3D" not in name},
    **{name: row for name, row in spatial("SeparableConv", 4, 2).items() if "3D" not in name},
    **{
        name.replace("D", "DTranspose"): case(
            simple(name.replace("D", "DTranspose"), 4, 2), *row.args
        )
        for name, row in spatial("Conv", 4, 2).items()
    },
    "LocallyConnected1D": case(simple("LocallyConnected1D", 2, 2), SEQUENCE),
    "LocallyConnected2D": case(simple("LocallyConnected2D", 2, 2), IMAGE),
    # pooling and shapes
    **spatial("AveragePooling", 2),
    **spatial("MaxPooling", 2),
    **spatial("AdaptiveAveragePooling", 2),
    **spatial("AdaptiveMaxPooling", 2),
    **made(IMAGE, "GlobalAveragePooling2D", "GlobalMaxPooling2D"),
    **made(VOLUME, "GlobalAveragePooling3D", "GlobalMaxPooling3D", keepdims=True),
    **spatial("Cropping", 1),
    **spatial("UpSampling", 2),
    **spatial("ZeroPadding", 1),
    # recurrent
    **made(SEQUENCE, "LSTM", "GRU", "SimpleRNN", units=3, return_sequences=True),
    **made(floats(2, 3, 6, 2), "ConvLSTM1D", filters=2, kernel_size=2),
    **made(floats(2, 3, 5, 5, 2), "ConvLSTM2D", filters=2, kernel_size=2, return_state=True),
    **made(floats(2, 3, 4, 4, 4, 1), "ConvLSTM3D", filters=2, kernel_size=2),
    "SimpleRNNCell": case(simple("SimpleRNNCell", 3), VECTOR, [STATE]),
    "GRUCell": case(simple("GRUCell", 3), VECTOR, [STATE]),
    "LSTMCell": case(simple("LSTMCell", 3), VECTOR, [STATE, STATE + 1]),
    "StackedRNNCells": case(
        lambda layers: layers.StackedRNNCells([layers.GRUCell(3), layers.GRUCell(3)]),
        VECTOR,
        [STATE, STATE + 1],
    ),
    "RNN": case(lambda layers: layers.RNN(layers.LSTMCell(3), return_state=True), SEQUENCE),
    "Bidirectional": case(
        lambda layers: layers.Bidirectional(layers.LSTM(3, return_sequences=True)), SEQUENCE
    ),
    "TimeDistributed": case(lambda layers: layers.TimeDistributed(layers.Dense(3)), SEQUENCE),
    # preprocessing
    **made(TOKENS, "CategoryEncoding", num_tokens=5, output_mode="multi_hot"),
    **made(VECTOR, "Discretization", bin_boundaries=[-0.5, 0.5]),
    **made(VECTOR, "Normalization", mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 1.0, 4.0, 4.0]),
    **made(VECTOR, "Rescaling", scale=0.5, offset=1.0),
    **made(WORDS, "Hashing", num_bins=4),
    **made(WORDS, "StringLookup", vocabulary=["a", "b"]),
    **made(TOKENS, "IntegerLookup", vocabulary=[1, 2, 3]),
    **made(CROSSED, "HashedCrossing", num_bins=4),
    "TextVectorization": case(
        simple("TextVectorization", vocabulary=["a", "b"], output_sequence_length=4), SENTENCES
    ),
    **made(floats(2, 64), "MelSpectrogram", fft_length=16, num_mel_bins=8),
    **made(floats(2, 64, 1), "STFTSpectrogram", frame_length=16, frame_step=8, fft_length=16),
    # images
    **made(PHOTO, "CenterCrop", "RandomCrop", "Resizing", height=4, width=4),
    **made(PHOTO, *AUGMENTATIONS),
    **made(PHOTO, *AUGMENTATIONS_BY_A_FACTOR, factor=0.2),
    **made(PHOTO, "RandomPosterization", factor=4),
    **made(PHOTO, "RandomTranslation", height_factor=0.2, width_factor=0.2),
    **made(PHOTO, "RandomZoom", height_factor=0.2),
    "Pipeline": case(lambda layers: layers.Pipeline([layers.Rescaling(0.5)]), PHOTO),
}

NOT_TRIED = {
    "Layer": "the base class",
    "Wrapper": "a base class",
    "AbstractRNNCell": "a base class",
    "InputLayer": "it is not called; each model in the checks has some",
    "DenseFeatures": "its arguments are feature columns of TensorFlow 1",
    "FlaxLayer": "needs Flax and JAX",
    "JaxLayer": "needs JAX",
    "TorchModuleWrapper": "needs PyTorch",
    "Lambda": "by design it is rebuilt with safe_mode=False only",
    "TFSMLayer": "it is made from a SavedModel, and has no config without that folder",
    "MaxNumBoundingBoxes": "it changes bounding boxes only, in dicts beside images",
}
