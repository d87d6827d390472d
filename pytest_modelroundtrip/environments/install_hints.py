"""What an import error in an environment says -> what to do about it."""

from __future__ import annotations

import re

from .kinds import Kind, Missing

REQUIREMENTS: tuple[tuple[str, str], ...] = (  # a pattern of the error -> what to install
    (r"No module named 'pkg_resources'", "setuptools<81"),
    (r"numpy\.core|NumPy 1\.x|_ARRAY_API|`np\.\w+` was removed|numpy.*has no attribute", "numpy<2"),
    (r"Descriptors cannot not? be created directly|google\.protobuf", "protobuf<3.21"),
    (r"No module named 'tensorflow_hub'", "tensorflow-hub"),
    (r"No module named 'tf_keras'", "tf-keras"),
    (r"No module named 'onnxruntime'", "onnxruntime"),
    (r"No module named '(tensorflow|numpy)'", "tensorflow-cpu"),
)


def install_hint(output: str, environment: str, kind: Kind) -> str:
    """What to do about an import error in the environment of that name and kind.

    Args:
        output: the error, and what was printed before it.
        environment: the name of the environment.
        kind: how it was declared.
    """
    needed = next((what for pattern, what in REQUIREMENTS if re.search(pattern, output)), None)
    if needed is not None:
        return kind.install_hint(Missing(needed, environment))
    module = re.search(r"No module named '(\w+)'", output)
    if module:
        return f"Install what provides the module {module[1]!r} in environment {environment!r}."
    return f"Repair the installation of environment {environment!r}, then run again."
