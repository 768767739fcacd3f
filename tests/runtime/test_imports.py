"""What importing the runtime brings in, and what works without Twisted."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from logctx_lint import runtime

from .helpers import run_python

HERE = Path(__file__).parent
WITHOUT_TWISTED = "import sys; sys.modules['twisted'] = None; "


def test_import_brings_in_neither_flake8_nor_libcst_nor_twisted() -> None:
    unwanted = run_python(
        "import sys, logctx_lint.runtime\n"
        "from logctx_lint.runtime import cancellation, context, storage, tasks\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}"
        " & {'flake8', 'libcst', 'twisted', 'aiohttp', 'pytest'}))"
    )
    assert unwanted == "[]\n"


def test_every_public_name_can_be_imported_from_the_package() -> None:
    for name in runtime.__all__:
        assert getattr(runtime, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        getattr(runtime, "nonsense")  # noqa: B009


def test_context_offers_what_synapse_s_module_of_that_name_does() -> None:
    """It stands in for it: only the import changes."""
    context = importlib.import_module("logctx_lint.runtime.context")
    deferreds = importlib.import_module("logctx_lint.runtime.deferreds")
    for name in ("run_in_background", "make_deferred_yieldable", "preserve_fn", "defer_to_thread"):
        assert getattr(context, name) is getattr(deferreds, name)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        getattr(context, "nonsense")  # noqa: B009


@pytest.mark.parametrize("name", ["run_in_background", "blocking_render"])
def test_name_that_needs_twisted_says_so(name: str) -> None:
    message = run_python(
        WITHOUT_TWISTED + f"import logctx_lint.runtime\n"
        f"try:\n from logctx_lint.runtime import {name}\n"
        "except ImportError as error: print(error)"
    )
    assert name in message
    assert "needs Twisted: pip install 'logctx-lint[twisted]'" in message


@pytest.mark.parametrize("module", ["deferreds", "web"])
def test_module_that_needs_twisted_says_so(module: str) -> None:
    message = run_python(
        WITHOUT_TWISTED + f"\ntry:\n import logctx_lint.runtime.{module}\n"
        "except ImportError as error: print(error)"
    )
    assert "needs Twisted: pip install 'logctx-lint[twisted]'" in message


def relative_imports(path: Path) -> set[str]:
    """The modules of the package that a module imports, inside of functions too."""
    tree = ast.parse(path.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level and node not in for_types:
            found |= {node.module} if node.module else {alias.name for alias in node.names}
    return found


def test_imports_of_the_runtime_have_one_direction() -> None:
    """No module imports one that imports it, not even when it is called."""
    folder = Path(runtime.__file__).parent
    remaining = {
        path.stem: relative_imports(path)
        for path in folder.glob("*.py")
        if path.stem != "__init__"  # stands above all of them
    }
    assert remaining["usage"] == set()
    assert "context" not in remaining["storage"]
    while remaining:
        free = {name for name, imported in remaining.items() if not imported & remaining.keys()}
        assert free, f"a ring: {remaining}"
        remaining = {name: each for name, each in remaining.items() if name not in free}


def test_asyncio_half_passes_its_tests_without_twisted() -> None:
    names = ("contexts", "usage", "tasks", "shields", "futures", "aiohttp")
    modules = [f"test_{name}" for name in names]
    paths = [str(HERE / f"{module}.py") for module in modules]
    output = run_python(
        WITHOUT_TWISTED
        + f"import pytest; sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', *{paths!r}]))"
    )
    assert " passed" in output or "100%" in output
    assert "skipped" not in output
