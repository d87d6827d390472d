"""The names of the built-in formats: those of their modules in `formats`, in order."""

BUILT_IN = (
    "keras", "h5", "weights", "weights_tf", "saved_model", "keras_saved_model", "export",
    "checkpoint", "hub",
    # on request
    "keras_folder", "weights_sharded", "pickle", "json", "tfsm_layer", "export_archive", "orbax",
    "litert", "onnx", "model_checkpoint", "backup_and_restore",
    "checkpoint_manager", "litert_int8",
)  # fmt: skip
