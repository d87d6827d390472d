"""A module can be read in one sitting, and a function fits a screen: also those of tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest_modelroundtrip

FOLDERS = (Path(pytest_modelroundtrip.__file__).parent, Path(__file__).parents[1])
MODULE_LINES, FUNCTION_LINES = 350, 40


def _too_long() -> Iterator[str]:
    for path in [path for folder in FOLDERS for path in folder.rglob("*.py")]:
        source = path.read_text(encoding="utf-8")
        lines = len(source.splitlines())
        if lines > MODULE_LINES:
            yield f"{path} has {lines} lines"
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    yield f"{path}: {node.name} has {lines} lines"


def test_no_module_and_no_function_is_too_long() -> None:
    assert list(_too_long()) == []
