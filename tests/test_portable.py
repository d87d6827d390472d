"""`portable` stands alone: nothing in it imports from outside it, and nothing heavy at import."""

from __future__ import annotations

import ast
import graphlib
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


def test_its_folders_import_one_way() -> None:
    """A folder that needs another is not needed by it: docs/architecture.md has the order."""
    needs: dict[str, set[str]] = {}
    for path in MODULES:
        *folders, _ = parts = path.relative_to(PORTABLE).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                above = folders[: len(folders) + 1 - node.level]
                names = (node.module or "").split(".") if node.module else []
                names = [*above, *names] or [alias.name for alias in node.names]
                imported = names[:1] if above or node.module else names
                needs.setdefault(parts[0], set()).update({*imported} - {parts[0]})
    list(graphlib.TopologicalSorter(needs).static_order())  # CycleError


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The top-level packages that an absolute import names."""
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    for name in names or [alias.name for alias in node.names]:
        yield name.split(".")[0]
