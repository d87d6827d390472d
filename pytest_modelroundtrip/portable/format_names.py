"""The names of the built-in formats: those of their modules in `formats`, in order."""

BUILT_IN = (
    "keras", "h5", "weights", "weights_tf", "saved_model", "keras_saved_model", "export",
    "checkpoint", "hub", "litert", "onnx",
)  # fmt: skip
