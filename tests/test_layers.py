"""Dependencies point one way: a module imports its own layer and those below (architecture.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import logctx_lint

PACKAGE = Path(logctx_lint.__file__).parent
LAYERS = (
    "frontends", "reporting", "engine", "rules", "fixes", "analysis", "callgraph", "inference",
    "project", "incremental", "suppression", "config", "syntax", "time_limit",
    "processes", "findings", "errors",
)  # fmt: skip
"""From the top to the floor. The old places of moved modules are above all."""
ABOVE_ALL = {"__main__", "plugin"}
MODULES = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.relative_to(PACKAGE).parts[0] not in ABOVE_ALL | {"stubs", "__main__.py", "plugin.py"}
]


def imports(path: Path) -> Iterator[str]:
    """The layer of each import that is executed, at the top of a module or inside a function."""
    tree = ast.parse(path.read_text("utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node not in for_types:
            for alias in node.names:
                parts = f"{node.module}.{alias.name}".split(".")
                if parts[0] == "logctx_lint" and parts[1] != "__version__":
                    yield parts[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_imports_its_own_layer_and_those_below(path: Path) -> None:
    layer = path.relative_to(PACKAGE).with_suffix("").parts[0]
    if layer == "runtime":
        assert set(imports(path)) <= {"runtime"}
    elif layer in LAYERS:
        assert set(imports(path)) <= set(LAYERS[LAYERS.index(layer) :])
    else:
        assert layer == "__init__"
