"""What an import error in an environment says -> the line that mends it."""

from __future__ import annotations

import re
import shlex

from .specifications import Specification

INSTALLED: tuple[tuple[str, str], ...] = (  # what is said -> what is to be installed
    (r"No module named 'pkg_resources'", "setuptools<81"),
    (r"numpy\.core|NumPy 1\.x|_ARRAY_API|`np\.\w+` was removed|numpy.*has no attribute", "numpy<2"),
    (r"Descriptors cannot not? be created directly|google\.protobuf", "protobuf<3.21"),
    (r"No module named 'tensorflow_hub'", "tensorflow-hub"),
    (r"No module named 'tf_keras'", "tf-keras"),
    (r"No module named '(tensorflow|numpy)'", "tensorflow-cpu"),
)


def advice(said: str, name: str, specification: Specification) -> str:
    """The line that would mend it, as this kind of environment is mended."""
    missing = next((what for pattern, what in INSTALLED if re.search(pattern, said)), None)
    module = next(iter(re.findall(r"No module named '(\w+)'", said)), None)
    if missing is None and module is not None:
        return f"Install what provides the module {module!r} in environment {name!r}."
    if missing is None:
        return f"Mend the installation of environment {name!r}, then run again."
    if specification.requirements:
        return f"Add {missing!r} to the requirements of environment {name!r}."
    install = f"{shlex.join([*specification.command, '-m', 'pip', 'install'])} {shlex.quote(missing)}"
    return f"Install it on {specification.host[-1]}: {install}" if specification.host else f"Install it there: {install}"
