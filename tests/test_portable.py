"""`portable` stands alone: nothing in it imports from outside it, and nothing heavy at import."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_modelroundtrip import portable

PORTABLE = Path(portable.__file__).parent
MODULES = sorted(PORTABLE.rglob("*.py"))
INSIDE_FUNCTIONS = (
    *("tensorflow", "tensorflow_hub", "ml_dtypes", "h5py"),
    *("ai_edge_litert", "onnx", "onnxruntime"),
)


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(PORTABLE).as_posix())
)
def test_it_imports_nothing_from_outside(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    depth = len(path.relative_to(PORTABLE).parts)
    at_import = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level <= depth, ast.unparse(node)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for name in _imported(node):
                light = name == "numpy" or name in sys.stdlib_module_names
                inside = id(node) not in at_import and name in INSIDE_FUNCTIONS
                assert light or inside, name


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The top-level packages that an absolute import names."""
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    for name in names or [alias.name for alias in node.names]:
        yield name.split(".")[0]
